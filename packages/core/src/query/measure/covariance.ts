/**
 * Sample covariance (n Σxy − Σx Σy) / (n (n − 1)) and Pearson's correlation, over the rows that have both values.
 *
 * The correlation is the root of an exact fraction, (n Σxy − Σx Σy)² / ((n Σx² − (Σx)²)(n Σy² − (Σy)²)), with the sign of
 * the covariance; null where a column does not vary. Sums of products with a boolean are sums over one of its levels,
 * so both levels are tested.
 * @module
 */
import { rational } from '../../algebra/rational.ts';
import type { Dataset } from '../dictionary.ts';
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

type Pair = readonly [string, string];

const columnsUnder = (name: string) => (pair: Pair) => pair.map((column, at) => ({ column, path: `${name}[${at}]` }));

function tested(dataset: Dataset, pair: Pair) {
  const where = present(dataset, pair);
  return [where, ...levelsOf(dataset, pair, where)];
}

export const covariance: Family<Pair> = {
  measured: columnsUnder('covariance'),
  grouping: () => [],
  sums: () => 4,
  prepare([a, b], dataset) {
    const where = present(dataset, [a, b]);
    const scale = scaleOf(dataset, a) + scaleOf(dataset, b);
    const sums = [countOf(where), sumOf([a], where), sumOf([b], where), sumOf([a, b], where)];
    return whole(sums, tested(dataset, [a, b]), ([n, x, y, xy]) =>
      n! < 2n ? none : scalar(shift(rational(n! * xy! - x! * y!, n! * (n! - 1n)), -scale)),
    );
  },
};

export const correlation: Family<Pair> = {
  measured: columnsUnder('correlation'),
  grouping: () => [],
  sums: () => 6,
  prepare([a, b], dataset) {
    const where = present(dataset, [a, b]);
    const products = [[], [a], [b], [a, a], [b, b], [a, b]];
    const statistics = products.map((product) => sumOf(product, where));
    return whole(statistics, tested(dataset, [a, b]), (sums) => {
      const [n, x, y, xx, yy, xy] = sums as [bigint, bigint, bigint, bigint, bigint, bigint];
      const together = n * xy - x * y;
      const apart = (n * xx - x * x) * (n * yy - y * y);
      return apart === 0n ? none : rootScalar(rational(together * together, apart), together < 0n ? -1 : 1);
    });
  },
};
