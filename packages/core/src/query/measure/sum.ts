/**
 * Sums and means over the rows that have a value: Σx, and Σx / n (null where n is 0).
 *
 * A sum of a boolean is a count of one level, and the mean tells the other too, so both levels are tested.
 * A sum is exact, with as many digits after the point as the column has, as a SQL engine prints it.
 * @module
 */
import { decodeDecimal } from '../../algebra/fixed-point.ts';
import { rational } from '../../algebra/rational.ts';
import {
  countOf,
  type Family,
  levelsOf,
  none,
  present,
  quotientOf,
  scalar,
  scaleOf,
  shift,
  sumOf,
  whole,
} from './family.ts';

/** Digits after those of the column, where a mean is opened without its sum and its number. */
const ratioDigits = 2;

export const sum: Family<string> = {
  measured: (column) => [{ column, path: 'sum' }],
  grouping: () => [],
  sums: () => 1,
  prepare(column, dataset) {
    const where = present(dataset, [column]);
    const scale = scaleOf(dataset, column);
    const tested = [where, ...levelsOf(dataset, [column], where)];
    const finish = ([total]: readonly bigint[]) => ({
      value: scalar(shift(rational(total!), -scale)).value,
      exact: decodeDecimal(total!, scale),
    });
    return { ...whole([sumOf([column], where)], tested, finish), units: [10n ** BigInt(scale)] };
  },
};

export const mean: Family<string> = {
  measured: (column) => [{ column, path: 'mean' }],
  grouping: () => [],
  sums: () => 2,
  prepare(column, dataset) {
    const where = present(dataset, [column]);
    const scale = scaleOf(dataset, column);
    const tested = [where, ...levelsOf(dataset, [column], where)];
    const [n, total] = [countOf(where), sumOf([column], where)];
    return {
      ...whole([n, total], tested, ([n, total]) => (n === 0n ? none : scalar(shift(rational(total!, n!), -scale)))),
      units: [1n, 10n ** BigInt(scale)],
      ratio: quotientOf([total, n], tested, {
        digits: scale + ratioDigits,
        exponent: -scale,
        units: [10n ** BigInt(scale), 1n],
      }),
    };
  },
};
