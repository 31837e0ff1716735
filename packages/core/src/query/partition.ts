/**
 * Parts of one whole that a job opens beside figures which may tell the whole: with one part withheld alone, the others
 * would give it away.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { type CheckedJob, whereOf } from './check-job.ts';
import { compileWhere } from './condition.ts';
import { isEmptyByItself } from './condition-range.ts';
import type { DisclosedMeasure, Partition } from './disclosure.ts';
import { prepareMeasure } from './measures.ts';

/** Parts of one whole: the bins of a histogram, and the counts of different values of one column. */
export function partitionsOf(checked: CheckedJob, measures: readonly DisclosedMeasure[]): Partition[] {
  const count = measures.length;
  const histograms = measures.filter(({ parts }) => parts.length > 1);
  // Nothing else that opens tells the whole of a histogram that stands alone.
  const partitions = count > 1 ? histograms.flatMap(({ name, parts }) => binsOf(checked, name, parts)) : [];
  const byColumn = new Map<string, { part: number; values: readonly bigint[] }[]>();
  for (const { name, parts } of measures) {
    const split = valuesOf(checked, name);
    if (split === null) continue;
    byColumn.set(split.column, [...(byColumn.get(split.column) ?? []), { part: parts[0]!.part, values: split.values }]);
  }
  for (const counts of byColumn.values()) {
    const values = counts.flatMap((each) => each.values);
    const isDisjoint = new Set(values).size === values.length;
    if (counts.length > 1 && isDisjoint && count > counts.length)
      partitions.push({ parts: counts.map(({ part }) => part) });
  }
  return partitions;
}

/** The bins of a histogram that somebody may be in: what is empty by the job's own words hides nobody. */
function binsOf({ job, dataset, where }: CheckedJob, name: string, parts: DisclosedMeasure['parts']): Partition[] {
  const measure = job.measures[name]!;
  assert(typeof measure === 'object' && 'histogram' in measure, 'only a histogram opens in parts');
  const tested = prepareMeasure(name, measure, dataset).parts.map((part) => part.tested);
  const filled = parts.filter((_, at) => !isEmptyByItself(measure.histogram.of, [where, ...tested[at]!], dataset));
  return filled.length < 2 ? [] : [{ parts: filled.map(({ part }) => part) }];
}

/** Of a count under a condition on the values of one column: which. */
function valuesOf({ job, dataset }: CheckedJob, name: string): { column: string; values: readonly bigint[] } | null {
  const condition = compileWhere(whereOf(job.measures[name]!), dataset);
  if (condition.kind === 'compare' && condition.op === 'eq' && condition.transform === undefined)
    return { column: condition.column, values: [condition.value] };
  return condition.kind === 'in' ? condition : null;
}
