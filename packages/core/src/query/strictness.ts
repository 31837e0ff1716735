/**
 * How strictly an exact answer is kept: the strictest of what the job, the charter's floor and every party's rule ask.
 *
 * All parties work it out from the same public texts and signed acceptances, so none can be looser than another.
 * @module
 */
import type { Rational } from '../algebra/rational.ts';

/** The largest n people may not hold more than this share of a sum between them. */
export interface Dominance {
  readonly n: number;
  readonly share: Rational;
}

export interface Strictness {
  /** The fewest people behind a figure that opens. */
  readonly minGroup: number;
  /** What figures are rounded to; 1 where they are not. */
  readonly round: number;
  /** In ascending order of n; a share of 1 forbids nothing and does not stand here. */
  readonly dominance: readonly Dominance[];
}
