/**
 * Sample variance and its root, over the rows that have a value: (n Σx² − (Σx)²) / (n (n − 1)); null where n < 2.
 *
 * The difference is one of integers, so no digit is lost where the spread is tiny beside the values.
 * @module
 */
import { type Rational, rational } from '../../algebra/rational.ts';
import {
  countOf,
  type Family,
  levelsOf,
  none,
  present,
  rootScalar,
  scalar,
  scaleOf,
  shift,
  sumOf,
  whole,
} from './family.ts';

export const variance = spread('variance', scalar);
export const stddev = spread('stddev', rootScalar);

function spread(name: string, show: (r: Rational) => ReturnType<typeof scalar>): Family<string> {
  return {
    measured: (column) => [{ column, path: name }],
    grouping: () => [],
    sums: () => 3,
    prepare(column, dataset) {
      const where = present(dataset, [column]);
      const scale = scaleOf(dataset, column);
      const sums = [countOf(where), sumOf([column], where), sumOf([column, column], where)];
      return whole(sums, [where, ...levelsOf(dataset, [column], where)], ([n, x, xx]) => {
        const value = sampleVariance(n!, x!, xx!);
        return value === null ? none : show(shift(value, -2 * scale));
      });
    },
  };
}

/** From the number of values, their sum and the sum of their squares; null for fewer than two. */
export function sampleVariance(n: bigint, x: bigint, xx: bigint): Rational | null {
  return n < 2n ? null : rational(n * xx - x * x, n * (n - 1n));
}
