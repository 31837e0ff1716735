/**
 * Moments of columns about their midpoints, in integers: what a person can move is half of what raw sums would let them.
 *
 * With x in [L, U], s = L + U and W = U − L, a row contributes
 *
 *   2x − s                       in [−W, W]          centred
 *   2(2x − s)² − W²              in [−W², W²]        square, about half its own range
 *   (2x − s)(2y − t)             in [−W V, W V]      product with y in [K, M], t = K + M, V = M − K
 *
 * each a combination of Σx, Σx², Σxy and n with whole coefficients. Back in floating point, on z = (2x − s)/W in [−1, 1]:
 * Σz, Σz² and Σzz', which no bound of a column makes large or small.
 * @module
 */
import { boundsOf, type Dataset } from '../dictionary.ts';
import { scaleOf } from '../measure/family.ts';
import type { Statistic } from '../statistic.ts';
import type { DraftPart } from './release.ts';

/** A column's bounds in encoded integers. */
export interface Range {
  readonly name: string;
  /** L + U: twice the midpoint. */
  readonly sum: bigint;
  /** U − L. */
  readonly width: bigint;
  /** max(|L|, |U|). */
  readonly reach: bigint;
  /** Digits after the point. */
  readonly scale: number;
}

export function rangeOf(dataset: Dataset, name: string): Range {
  const { min, max } = boundsOf(dataset.columns[name]!);
  const reach = -min > max ? -min : max;
  return { name, sum: min + max, width: max - min, reach, scale: scaleOf(dataset, name) };
}

export function countPart(n: Statistic): DraftPart {
  return [[n, 1n]];
}

export function centredPart(n: Statistic, x: Statistic, range: Range): DraftPart {
  return [
    [x, 2n],
    [n, -range.sum],
  ];
}

export function squarePart(n: Statistic, x: Statistic, xx: Statistic, { sum, width }: Range): DraftPart {
  // A column of two values is its midpoint ± 1/2: its square is the same for every row, and known from the count.
  if (width === 1n) return countPart(n);
  return [
    [xx, 8n],
    [x, -8n * sum],
    [n, 2n * sum * sum - width * width],
  ];
}

export function productPart(
  n: Statistic,
  [x, y]: readonly [Statistic, Statistic],
  xy: Statistic,
  [a, b]: readonly [Range, Range],
): DraftPart {
  return [
    [xy, 4n],
    [x, -2n * b.sum],
    [y, -2n * a.sum],
    [n, a.sum * b.sum],
  ];
}

/** W as a number to divide by; what is divided is 0 where it is. */
function widthOf({ width }: Range): number {
  return width === 0n ? 1 : Number(width);
}

/** Σz from a centred figure. */
export function centredOf(figure: number, range: Range): number {
  return figure / widthOf(range);
}

/** Σz² from a square and the count. */
export function squareOf(figure: number, n: number, range: Range): number {
  if (range.width === 0n) return 0;
  return (figure / widthOf(range) ** 2 + n) / 2;
}

/** Σzz' from a product. */
export function productOf(figure: number, [a, b]: readonly [Range, Range]): number {
  return figure / (widthOf(a) * widthOf(b));
}

/** A value of the column from one of z, within the column's bounds. */
export function columnValue(z: number, range: Range): number {
  return (Number(range.sum) + Number(range.width) * clamp(z, -1, 1)) / 2 / 10 ** range.scale;
}

/** How much of the column one of z is. */
export function unitOf({ width, scale }: Range): number {
  return Number(width) / 2 / 10 ** scale;
}

export function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}
