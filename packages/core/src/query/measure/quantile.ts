/**
 * Median and quantiles over declared bins, interpolated within the bin that holds them; the bin is the error.
 *
 * With c_k values in bin k = [a, b) and C of them before it (those below all bins included), the q-quantile of n values
 * lies in the first bin with C + c_k ≥ q n, at a + (b − a)(q n − C) / c_k, whose fraction is rounded down to millionths.
 * Bin and fraction are found on shares, so that no count is opened. Where the quantile falls outside all bins there is
 * no value, and `from` or `to` is the edge beyond which it lies.
 * @module
 */
import { add, mul, type Rational, rational, sub } from '../../algebra/rational.ts';
import { InputError } from '../../channel/errors.ts';
import type { Bins } from '../job.ts';
import { binConditions, checkBins, countBins, edgesOf, exactly, shownEdges } from './bins.ts';
import {
  countOf,
  type Family,
  type Figure,
  none,
  onePart,
  present,
  type QuantileValue,
  scalar,
  scaleOf,
} from './family.ts';

interface Argument {
  readonly of: string;
  readonly bins: Bins;
}

export const median = over<Argument>('median', () => rational(1n, 2n));

export const quantile = over<Argument & { readonly q: number | string }>('quantile', ({ q }, field) => {
  const exact = exactly(q);
  if (100n * exact.n >= exact.d && 100n * exact.n <= 99n * exact.d) return exact;
  throw new InputError('BAD_VALUE', {
    field: `${field}.q`,
    detail: 'a quantile lies between 0.01 and 0.99, since the ends are single people’s values',
    remedy: 'ask for the 1st or the 99th percentile',
  });
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
      const statistics = [below, ...bins, above].map(countOf);
      const figure: Figure = { kind: 'quantile', counts: statistics.map((_, at) => at), rank };
      return {
        statistics,
        // No count of a bin opens, so that nothing can be taken off it.
        ...onePart({ tested: [where], figures: [figure], rows: [] }, ([place, millionths]) =>
          located(Number(place), millionths!, edges),
        ),
      };
    },
  };
}

/**
 * Where the quantile was found: 0 below all bins, 1 … in a bin, then above them, then nowhere, as nobody has a value.
 */
function located(place: number, millionths: bigint, edges: readonly Rational[]): QuantileValue {
  const shown = shownEdges(edges);
  const bins = edges.length - 1;
  if (place === 0) return { ...none, from: null, to: shown[0]! };
  if (place === bins + 1) return { ...none, from: shown.at(-1)!, to: null };
  if (place > bins) return { ...none, from: null, to: null };
  const [from, to] = [edges[place - 1]!, edges[place]!];
  const value = add(from, mul(sub(to, from), rational(millionths, 1_000_000n)));
  return { ...scalar(value), from: shown[place - 1]!, to: shown[place]! };
}
