/**
 * Median and quantiles over declared bins, interpolated within the bin that holds them; the bin is the error.
 *
 * With c_k values in bin k = [a, b) and C of them before it (those below all bins included), the q-quantile of n values
 * lies in the first bin with C + c_k ≥ q n, at a + (b − a)(q n − C) / c_k. Where it falls outside all bins there is no
 * value, and `from` or `to` is the edge beyond which it lies.
 * @module
 */
import { add, cmp, div, mul, type Rational, rational, sub } from '../../algebra/rational.ts';
import { InputError } from '../../channel/errors.ts';
import type { Bins } from '../job.ts';
import { binConditions, checkBins, countBins, edgesOf, exactly, shownEdges } from './bins.ts';
import { countOf, type Family, none, present, type QuantileValue, scalar, scaleOf, whole } from './family.ts';

interface Argument {
  readonly of: string;
  readonly bins: Bins;
}

export const median = over<Argument>('median', () => rational(1n, 2n));

export const quantile = over<Argument & { readonly q: number | string }>('quantile', ({ q }, field) => {
  const exact = exactly(q);
  if (exact.n >= 0n && exact.n <= exact.d) return exact;
  throw new InputError('BAD_VALUE', { field: `${field}.q`, detail: 'a quantile lies between 0 and 1' });
});

function over<A extends Argument>(name: string, rankOf: (argument: A, field: string) => Rational): Family<A> {
  return {
    measured: ({ of }) => [{ column: of, path: `${name}.of` }],
    grouping: () => [],
    sums: ({ bins }) => countBins(bins) + 2,
    check(argument, _, field) {
      checkBins(argument.bins, `${field}.${name}.bins`);
      rankOf(argument, `${field}.${name}`);
    },
    prepare(argument, dataset, field) {
      const { of } = argument;
      const edges = edgesOf(argument.bins, `${field}.${name}.bins`);
      const rank = rankOf(argument, `${field}.${name}`);
      const where = present(dataset, [of]);
      const { bins, below, above } = binConditions(of, scaleOf(dataset, of), edges, where);
      return {
        statistics: [below, ...bins, above].map(countOf),
        tested: [where],
        finish: whole((counts) => locate(counts, edges, rank)),
      };
    },
  };
}

/** `counts`: below, each bin, above. */
function locate(counts: readonly bigint[], edges: readonly Rational[], rank: Rational): QuantileValue {
  const shown = shownEdges(edges);
  const n = counts.reduce((total, count) => total + count, 0n);
  if (n === 0n) return { ...none, from: null, to: null };
  const target = mul(rank, rational(n));
  let before = counts[0]!;
  if (before > 0n && cmp(rational(before), target) >= 0) return { ...none, from: null, to: shown[0]! };
  for (const [at, count] of counts.slice(1, -1).entries()) {
    if (count > 0n && cmp(rational(before + count), target) >= 0) {
      const [from, to] = [edges[at]!, edges[at + 1]!];
      const part = div(sub(target, rational(before)), rational(count));
      return { ...scalar(add(from, mul(sub(to, from), part))), from: shown[at]!, to: shown[at + 1]! };
    }
    before += count;
  }
  return { ...none, from: shown.at(-1)!, to: null };
}
