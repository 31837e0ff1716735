/**
 * A release: figures that are opened together under one noise and one part of the budget.
 *
 * A protected job is not answered from the raw sums of its local query but from combinations of them, chosen so that one
 * person moves each as little as may be: a column about its midpoint, a square about half its range. A combination is an
 * exact integer at every party. What one row can change is stated with the release, from the dictionary alone, and holds
 * whatever the other rows are.
 * @module
 */
import type { Statistic } from '../statistic.ts';

/** Σ coefficient · sum, over sums of the local query by their place: one integer for each cell. */
export type Combination = readonly (readonly [statistic: number, coefficient: bigint])[];

/** What one row can do to a release, wherever it falls: a row lies in one cell. */
export interface RowBounds {
  /** The most by which a row can change any one part. */
  readonly rowMax: bigint;
  /** The most by which a row can change all parts of its cell together: Σ |change|. */
  readonly rowL1: bigint;
  /** The same for Σ change². */
  readonly rowL2Squared: bigint;
}

export interface Release extends RowBounds {
  /** What it is, in words: `mean of arrears about its midpoint`. */
  readonly what: string;
  /** Disjoint, so that a row is in one of them, or the levels of a tree, where it is in one node of each. */
  readonly parts: readonly Combination[];
  /** How many of the parts one row can touch. */
  readonly rowParts: number;
}

/** A part before it has a place in a query. */
export type DraftPart = readonly (readonly [statistic: Statistic, coefficient: bigint])[];

/** A release as a measure asks for it; equal ones of several measures become one. */
export interface Draft extends Omit<Release, 'parts'> {
  readonly parts: readonly DraftPart[];
}
