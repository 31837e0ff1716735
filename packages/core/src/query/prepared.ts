/**
 * The measures of a job, ready to be computed: the sums they need, the people who are counted for them, and what the
 * dominance rule looks at. Everything here is a function of public texts, so that all parties bring the same sums.
 * @module
 */

import type { CheckedJob } from './check-job.ts';
import type { Condition } from './condition.ts';
import { boundsOf, type Dataset } from './dictionary.ts';
import type { Having } from './having.ts';
import { keyOf, type Part, type Prepared } from './measure/family.ts';
import { prepareMeasure } from './measures.ts';
import type { Statistic } from './statistic.ts';
import type { Strictness } from './strictness.ts';

/** The measures of a job by name, in one order at every party, whatever order the job was written in. */
function preparedMeasures({ job, dataset }: CheckedJob): [string, Prepared][] {
  const names = Object.keys(job.measures).sort();
  return names.map((name) => [name, prepareMeasure(name, job.measures[name]!, dataset)]);
}

/**
 * The measures as an exact job opens them. What is a quotient of two sums opens as that alone where the job wants it so,
 * and where figures are rounded, since its sums would tell the figures that are.
 */
export function openedMeasures(checked: CheckedJob, { round }: Strictness): [string, Prepared][] {
  const apart = checked.ratioOnly || round > 1;
  return preparedMeasures(checked).map(([name, prepared]) => [name, (apart && prepared.ratio) || prepared]);
}

/** The measure of a condition of `having`, as a quotient where it is one. */
export function testedMeasure({ name, measure }: Having, dataset: Dataset): Prepared {
  const prepared = prepareMeasure(name, measure, dataset);
  return prepared.ratio ?? prepared;
}

/**
 * How many people meet a condition. Rows serve where each is another person that counts, since those sums are mostly
 * there already.
 */
export function headcount(where: Condition, dataset: Dataset, ownParty: string | null): Statistic {
  const isByRow = ownParty === null && (dataset.unit === 'row' || dataset.max_rows_per_unit === 1);
  return { of: isByRow ? 'rows' : 'people', product: [], where };
}

/** The sums of one column that a part opens, or computes from: what one large contributor could stand out in. */
export function contributedSums({ statistics }: Prepared, part: Part, dataset: Dataset): Statistic[] {
  const used = part.figures.flatMap((figure) => {
    if (figure.kind === 'sum') return [figure.of];
    return figure.kind === 'quotient' ? [figure.numerator, figure.denominator] : [];
  });
  const sums = [...new Set(used)].map((at) => statistics[at]!);
  return sums.filter(({ product: [column, other] }) => {
    return column !== undefined && other === undefined && dataset.columns[column]!.type !== 'boolean';
  });
}

/** What all people together contribute to a sum, each without a sign. */
export function magnitudeOf(sum: Statistic, dataset: Dataset): Statistic {
  const { min } = boundsOf(dataset.columns[sum.product[0]!]!);
  return min >= 0n ? sum : { ...sum, of: 'magnitude' };
}

/** The largest contributions to a sum, each party's own. */
export function largestOf(sum: Statistic, count: number): Statistic[] {
  return Array.from({ length: count }, (_, at) => ({ ...sum, of: 'top', rank: at + 1 }));
}

/** Everything that a job has to be computed from, each statistic once. */
export function neededStatistics(checked: CheckedJob, ownParty: string | null, strictness: Strictness): Statistic[] {
  const { dataset, having, privacy } = checked;
  const distinct = new Map<string, Statistic>();
  const need = (statistics: readonly Statistic[]) => {
    for (const statistic of statistics) distinct.set(keyOf(statistic), statistic);
  };
  const measures = privacy === null ? openedMeasures(checked, strictness) : preparedMeasures(checked);
  const tested = privacy === null ? having.map((condition) => testedMeasure(condition, dataset)) : [];
  const ranked = checked.top === null || privacy !== null ? [] : rankedMeasure(checked);
  for (const prepared of [...measures.map(([, measure]) => measure), ...ranked, ...tested]) {
    need(prepared.statistics);
    for (const part of prepared.parts) {
      need(part.tested.map((condition) => headcount(condition, dataset, ownParty)));
      if (privacy !== null) continue;
      for (const sum of contributedSums(prepared, part, dataset)) {
        for (const { n } of strictness.dominance) need([magnitudeOf(sum, dataset), ...largestOf(sum, n)]);
      }
    }
  }
  return [...distinct.values()];
}

/** The measure that groups are ranked by, as a single number. */
export function rankedMeasure({ job, top, dataset }: CheckedJob): Prepared[] {
  if (top === null) return [];
  const prepared = prepareMeasure(top.by, job.measures[top.by]!, dataset);
  return [prepared.ratio ?? prepared];
}
