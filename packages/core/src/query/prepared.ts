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
import { noSubtractions, type Subtractions, subtractionsOf } from './subtraction.ts';

/** The measures of a job by name, in one order at every party, whatever order the job was written in. */
function preparedMeasures({ job, dataset }: CheckedJob): [string, Prepared][] {
  const names = Object.keys(job.measures).sort();
  return names.map((name) => [name, prepareMeasure(name, job.measures[name]!, dataset)]);
}

/** The measures as an exact job opens them: what is a quotient of two sums as that alone, where the job wants it so. */
export function openedMeasures(checked: CheckedJob): [string, Prepared][] {
  return preparedMeasures(checked).map(([name, prepared]) => [name, (checked.ratioOnly && prepared.ratio) || prepared]);
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

/**
 * The sums that a part opens, or computes from, but for counts: what one large contributor could stand out in. Squares and
 * products tell of one even more.
 */
export function contributedSums({ statistics }: Prepared, part: Part, dataset: Dataset): Statistic[] {
  const used = part.figures.flatMap((figure) => {
    if (figure.kind === 'sum') return [figure.of];
    return figure.kind === 'quotient' ? [figure.numerator, figure.denominator] : [];
  });
  const sums = [...new Set(used)].map((at) => statistics[at]!);
  return sums.filter(({ product }) => product.some((column) => dataset.columns[column]!.type !== 'boolean'));
}

/**
 * What all people together contribute to a sum, each without a sign. Where the analyst belongs to one of the parties, each
 * party's part stands apart, since the analyst can take its own away.
 */
export function magnitudeOf(sum: Statistic, dataset: Dataset, ownParty: string | null): Statistic {
  const [first, second] = sum.product;
  const isNeverBelow = first === second || sum.product.every((column) => boundsOf(dataset.columns[column]!).min >= 0n);
  return isNeverBelow && ownParty === null ? sum : { ...sum, of: 'magnitude' };
}

/** The largest contributions to a sum, each party's own. */
export function largestOf(sum: Statistic, count: number): Statistic[] {
  return Array.from({ length: count }, (_, at) => ({ ...sum, of: 'top', rank: at + 1 }));
}

/**
 * The least number of people behind a number; 0 where none is in force. A group of one is nobody's crowd: a minimum of 1 is
 * no threshold, and an empty group is then shown as empty. Under a dominance rule it is not, as nobody can be told to
 * contribute little to nothing.
 */
export function thresholdOf({ minGroup, dominance }: Strictness): number {
  return minGroup > 1 ? minGroup : dominance.length > 0 ? 1 : 0;
}

/** What the figures of an exact job tell together, as far as a threshold looks at it. */
export function openedSubtractions(
  checked: CheckedJob,
  measures: readonly (readonly [string, Prepared])[],
  strictness: Strictness,
): Subtractions {
  if (thresholdOf(strictness) === 0) return noSubtractions(measures.map(([, prepared]) => prepared));
  return subtractionsOf(checked, measures);
}

/** Everything that a job has to be computed from, each statistic once. */
export function neededStatistics(checked: CheckedJob, ownParty: string | null, strictness: Strictness): Statistic[] {
  const { dataset, having, top, privacy } = checked;
  const distinct = new Map<string, Statistic>();
  const need = (statistics: readonly Statistic[]) => {
    for (const statistic of statistics) distinct.set(keyOf(statistic), statistic);
  };
  const needPeople = (conditions: readonly Condition[]) =>
    need(conditions.map((condition) => headcount(condition, dataset, ownParty)));
  if (privacy !== null) {
    for (const [, { statistics, parts }] of preparedMeasures(checked)) {
      need(statistics);
      // Thresholds go by the noisy counts that measures release. A join has every other sum computed on shares, pair by pair.
      if (checked.join === null) needPeople(parts.flatMap(({ tested }) => tested));
    }
    return [...distinct.values()];
  }
  const measures = openedMeasures(checked);
  const ranked = top === null ? [] : [rankedMeasure(checked, top.by)];
  const tested = having.map((condition) => testedMeasure(condition, dataset));
  for (const prepared of [...measures.map(([, measure]) => measure), ...ranked, ...tested]) {
    need(prepared.statistics);
    for (const part of prepared.parts) {
      needPeople(part.tested);
      for (const sum of contributedSums(prepared, part, dataset)) {
        for (const { n } of strictness.dominance) need([magnitudeOf(sum, dataset, ownParty), ...largestOf(sum, n)]);
      }
    }
  }
  const { gaps, wholes } = openedSubtractions(checked, measures, strictness);
  needPeople(gaps.flat(2));
  for (const { atoms, rest, isOverlapping } of wholes) {
    if (isOverlapping || checked.total) needPeople(atoms);
    else if (rest !== null) needPeople([rest]);
  }
  return [...distinct.values()];
}

/** The measure that groups are ranked by, as a single number. */
export function rankedMeasure({ job, dataset }: CheckedJob, by: string): Prepared {
  const prepared = prepareMeasure(by, job.measures[by]!, dataset);
  return prepared.ratio ?? prepared;
}
