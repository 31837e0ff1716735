/**
 * What a party computes at home: sums over its own rows, one integer for each statistic and cell.
 *
 * Every measure is made of such sums, so that a job costs one vector a party and one opening, whatever it asks. All
 * column values are integers here (a decimal times 10^scale, a boolean 0 or 1, a category its place in the dictionary,
 * a date yyyymmdd), so every sum is exact, and sums of several parties add up to the sum over the pooled rows.
 *
 * The order of work is the same for every source: null rule, clamp, unit rule, `where` of the query, group, `where` of
 * the statistic. The unit rule (`max_rows_per_unit`) looks at the whole dataset, before any filter.
 *
 * `magnitude` and `top` are what the dominance rule asks: whether few people make up most of a sum. They go by a person's
 * total, which is over the person's own rows of that cell that meet `where`. A person is told from another at one party
 * only, so the largest totals of two parties are never added up: each party has a slot of its own for them (input-slot.ts).
 * @module
 */
import type { Condition, GroupKey } from './condition.ts';
import { boundsOf, type Dataset } from './dictionary.ts';

/** A number of the rows of a cell that meet `where`. */
export interface Statistic {
  /**
   * `rows`: the sum of the product over rows; `people`: the number of distinct units (then the product is empty);
   * `magnitude`: the sum of all people's totals of the product, each without its sign; `top`: the largest of those totals,
   * or the next ones by `rank`, and 0 where there are fewer people. Where the unit is a row, every row is a person.
   */
  readonly of: 'rows' | 'people' | 'magnitude' | 'top';
  /** None to two column names; an empty product is 1, so that the sum is a count; a name that stands twice is a square. */
  readonly product: readonly string[];
  readonly where: Condition;
  /** Of `top` alone: 1 is the largest. Equal totals take a rank each. */
  readonly rank?: number;
}

/** All that one party has to compute for a job: the same for every party that takes part. */
export interface LocalQuery {
  readonly dataset: string;
  /** The columns that are read, in the dictionary's order; the unit's column is not among them. */
  readonly columns: readonly string[];
  readonly where: Condition;
  readonly groups: readonly GroupKey[];
  /** The product of the groups' sizes; 1 without groups. The last group varies fastest. */
  readonly cells: number;
  readonly statistics: readonly Statistic[];
  /** The party that the analyst belongs to, where it takes part: it answers 0 to every `people` statistic. */
  readonly ownParty: string | null;
}

/** One integer for each statistic and cell: `[statistic][cell]`. */
export type LocalResult = readonly (readonly bigint[])[];

/**
 * The largest magnitude that a statistic can have over all parties, from public numbers alone. A `top` is one person's
 * total at one party.
 */
export function statisticBound(statistic: Statistic, dataset: Dataset, parties: number): bigint {
  const ofPerson = dataset.unit === 'row' ? 1 : Math.min(dataset.max_rows, dataset.max_rows_per_unit);
  let bound = statistic.of === 'top' ? BigInt(ofPerson) : BigInt(dataset.max_rows) * BigInt(parties);
  for (const name of statistic.product) {
    const { min, max } = boundsOf(dataset.columns[name]!);
    bound *= -min > max ? -min : max;
  }
  return bound;
}
