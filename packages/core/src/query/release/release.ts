/**
 * A release: figures that are opened together under one noise and one part of the budget.
 *
 * A protected job is not answered from the raw sums of its local query but from combinations of them, chosen so that one
 * person moves each as little as may be: a column about its midpoint, a square about half its range. A combination is an
 * exact integer at every party. What one row can change is stated with the release, from the dictionary alone, and holds
 * whatever the other rows are.
 * @module
 */
import type { RowBounds } from '../../privacy/sensitivity.ts';
import { columnsOf } from '../condition.ts';
import type { MeasureValue, Scalar } from '../measure/family.ts';
import type { Statistic } from '../statistic.ts';

/** Σ coefficient · sum, over sums of the local query by their place: one integer for each cell. */
export type Combination = readonly (readonly [statistic: number, coefficient: bigint])[];

export interface Release extends RowBounds {
  /** What it is, in words: `arrears about its midpoint`. */
  readonly what: string;
  /** Disjoint, so that a row is in one of them; or the levels of a tree, where it is in one node of each. */
  readonly parts: readonly Combination[];
}

/** A part before it has a place in a query. */
export type DraftPart = readonly (readonly [statistic: Statistic, coefficient: bigint])[];

/** A release as a measure asks for it; equal ones of several measures become one. */
export interface Draft extends Omit<Release, 'parts'> {
  readonly parts: readonly DraftPart[];
}

/** A measure as releases, and the way back from noisy figures to its value. */
export interface Shielded {
  readonly drafts: readonly Draft[];
  /**
   * Where every figure is itself a number of the answer: the power of ten that takes it there. Intervals are then exact,
   * and there is nothing to derive.
   */
  readonly exponent?: number;
  /**
   * Numbers from estimates of all parts, in the drafts' order; the first is NaN where the measure is not defined. Clamped to what
   * the dictionary allows. It is applied to simulated figures too.
   */
  derive(figures: readonly number[]): readonly number[];
  /** The value in the form of an answer. */
  show(numbers: readonly Scalar[]): MeasureValue;
  /** Whether each number is withheld by itself; then they are in the order of what is tested. Otherwise all are. */
  readonly isSeparate?: true;
  /** A first number whose interval is wider says nothing: the noise dominates. */
  readonly spanMax?: number;
  /** The first number is convex in the noise, which lifts it: what the simulation shows of this is taken away. */
  readonly isLifted?: true;
}

/** One release of one part. */
export function single(what: string, part: DraftPart, rowMax: bigint): Draft {
  return disjoint(what, [part], rowMax);
}

/** How many rows a measure is over: one release for all measures over the same rows. */
export function counted(n: Statistic): Draft {
  const names = columnsOf(n.where);
  return single(names.length === 0 ? 'count' : `count of those with ${names.join(' and ')}`, [[n, 1n]], 1n);
}

/** Parts of which a row is in one at most. */
export function disjoint(what: string, parts: readonly DraftPart[], rowMax: bigint): Draft {
  // A column whose bounds are equal cannot change anything; a noise for 1 then does no harm.
  return { what, parts, rowMax: rowMax > 1n ? rowMax : 1n, rowParts: 1 };
}

/** A measure that is not defined for these figures. */
export const undefinedNumbers = (count: number): number[] => new Array<number>(count).fill(Number.NaN);
