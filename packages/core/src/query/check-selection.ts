/**
 * What a job asks about the rows of its answer: `top`, `total` and `open`, against its own groups and measures.
 * @module
 */
import { InputError } from '../channel/errors.ts';
import type { Job, Measure, Operation } from './job.ts';
import { measureUses } from './measures.ts';
import { listed, lookUp } from './name.ts';

/** What groups can be ranked by without a division of shares. */
const ranked: readonly Operation[] = ['count', 'sum', 'mean'];

const namesOf = (measures: Readonly<Record<string, Measure>>) => listed(Object.keys(measures).slice(0, 12));

/** @throws InputError BAD_VALUE, NOT_SUPPORTED, naming the field */
export function checkSelection({ top, open, total, having, group_by, measures, privacy }: Job): void {
  const isGrouped = (group_by ?? []).length > 0;
  const kinds = Object.values(measures).map((measure) => measureUses(measure).operation);
  const bad = (field: string, detail: string) => new InputError('BAD_VALUE', { field, detail });
  if (top !== undefined) {
    if (!isGrouped) throw bad('top', 'without `group_by` there are no groups to choose from');
    const by = lookUp(measures, top.by);
    if (by === undefined) throw bad('top.by', `no measure has this name; there are ${namesOf(measures)}`);
    const { operation } = measureUses(by);
    if (!ranked.includes(operation)) {
      const detail = `groups are ranked by a ${listed(ranked)}, not by a ${operation}`;
      throw new InputError('NOT_SUPPORTED', { field: 'top.by', detail, remedy: 'rank by another measure' });
    }
  }
  if (total === true) {
    if (!isGrouped) throw bad('total', 'without `group_by` the answer is one row over all');
    if (having !== undefined || top !== undefined)
      throw bad('total', 'with `having` or `top` it would tell of the groups that do not open');
    if (privacy !== undefined) {
      const detail = 'a protected total is a release of its own';
      const remedy = 'ask for it in another job, without `group_by`';
      throw new InputError('NOT_SUPPORTED', { field: 'total', detail, remedy });
    }
  }
  if (open === undefined) return;
  if (!kinds.some((kind) => kind === 'mean' || kind === 'ratio')) {
    throw bad('open', 'there is no mean and no ratio among the measures');
  }
  if (privacy !== undefined) {
    const detail = 'a protected mean or ratio is made of releases, which are opened and charged';
    throw new InputError('NOT_SUPPORTED', { field: 'open', detail, remedy: 'leave `open` out' });
  }
}
