/**
 * Sums and means over the rows that have a value: Σx, and Σx / n (null where n is 0).
 *
 * A sum is exact, with as many digits after the point as the column has, as a SQL engine prints it.
 * @module
 */
import { decodeDecimal } from '../../algebra/fixed-point.ts';
import { rational } from '../../algebra/rational.ts';
import { countOf, type Family, none, present, scalar, scaleOf, shift, sumOf, whole } from './family.ts';

export const sum: Family<string> = {
  measured: (column) => [{ column, path: 'sum' }],
  grouping: () => [],
  sums: () => 1,
  prepare(column, dataset) {
    const where = present(dataset, [column]);
    const scale = scaleOf(dataset, column);
    return {
      statistics: [sumOf([column], where)],
      tested: [where],
      finish: whole(([total]) => ({
        value: scalar(shift(rational(total!), -scale)).value,
        exact: decodeDecimal(total!, scale),
      })),
    };
  },
};

export const mean: Family<string> = {
  measured: (column) => [{ column, path: 'mean' }],
  grouping: () => [],
  sums: () => 2,
  prepare(column, dataset) {
    const where = present(dataset, [column]);
    const scale = scaleOf(dataset, column);
    return {
      statistics: [countOf(where), sumOf([column], where)],
      tested: [where],
      finish: whole(([n, total]) => (n === 0n ? none : scalar(shift(rational(total!, n!), -scale)))),
    };
  },
};
