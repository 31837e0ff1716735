/**
 * What a job does with a party's dataset, all of it: what one rule of the party has to cover.
 *
 * In a join these are the kinds of all measures, since all of them are over the party's people, but of the columns the
 * party's own alone, under its own names. That the other side's may be used is for that side to say.
 * @module
 */
import { allMeasures, type CheckedJob, filterColumns } from './check-job.ts';
import { sideOf } from './checked-join.ts';
import { sideColumn } from './join-dataset.ts';
import { measureUses } from './measures.ts';
import type { Rule } from './rule.ts';

/** What a rule lists among `operations`: kinds of measures, and what a join does. */
export type RuledOperation = Rule['operations'][number];

/** Every use that a job makes of a party's dataset; one rule must cover them all. Columns have the dataset's own names. */
export interface JobUses {
  readonly operations: readonly RuledOperation[];
  readonly measure: readonly string[];
  /** Columns that split rows inside a measure. */
  readonly split: readonly string[];
  readonly group_by: readonly string[];
  readonly filter: readonly string[];
  /** What people are matched on in a join. */
  readonly match_on: readonly string[];
}

/** What a job uses of a party's dataset: a function of the job alone, the same at every party of a pooled one. */
export function usesOf(checked: CheckedJob, party: string): JobUses {
  const uses = allMeasures(checked).map(measureUses);
  const own = (columns: readonly string[]) => distinct(ownColumns(checked, party, columns));
  return {
    operations: distinct([...uses.map(({ operation }) => operation), ...joinOperations(checked)]),
    measure: own(uses.flatMap(({ columns }) => columns)),
    split: own(uses.flatMap(({ groups }) => groups)),
    group_by: own(checked.groups.map(({ column }) => column)),
    filter: own(filterColumns(checked)),
    match_on: checked.join === null ? [] : [checked.join.left.key],
  };
}

function joinOperations({ join }: CheckedJob): RuledOperation[] {
  if (join === null) return [];
  return join.reveal === null ? ['join'] : ['join', 'reveal_matches'];
}

/** In a join those of the party's side, without their prefix. */
function ownColumns({ join }: CheckedJob, party: string, columns: readonly string[]): readonly string[] {
  if (join === null) return columns;
  const own = sideOf(join, party);
  return columns.flatMap((name) => {
    const { side, column } = sideColumn(name)!;
    return side === own ? [column] : [];
  });
}

const distinct = <T extends string>(names: readonly T[]): T[] => [...new Set(names)].sort();
