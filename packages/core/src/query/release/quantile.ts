/**
 * Median and quantiles from a noisy tree over the declared bins (with what lies below and above them): the first bin at
 * which the number of values so far reaches q n, and the place within it.
 * @module
 */
import { type Rational, rational, toNumber } from '../../algebra/rational.ts';
import type { Bins, Numeric } from '../job.ts';
import { edgesOf, exactly, shownEdges } from '../measure/bins.ts';
import { none, type QuantileValue, type Scalar } from '../measure/family.ts';
import { undefinedNumbers } from './release.ts';
import type { Shield } from './shield.ts';
import { leafEstimates, leavesBelow, levelsOf } from './tree.ts';

interface Argument {
  readonly of: string;
  readonly bins: Bins;
}

export const median: Shield<Argument> = over(() => rational(1n, 2n));
export const quantile: Shield<Argument & { readonly q: Numeric }> = over(({ q }) => exactly(q));

function over<A extends Argument>(rankOf: (argument: A) => Rational): Shield<A> {
  return (argument, _dataset, counts) => {
    const edges = shownEdges(edgesOf(argument.bins, 'bins'));
    const rank = toNumber(rankOf(argument));
    const sizes = levelsOf(counts.length);
    const parts = sizes.flatMap((size, level) =>
      Array.from({ length: size }, (_, node) =>
        counts.slice(...leavesBelow(level, node, counts.length)).map((count) => [count, 1n] as const),
      ),
    );
    return {
      drafts: [{ what: `tree of ${argument.of}`, parts, rowMax: 1n, rowParts: sizes.length }],
      derive: (nodes) => locate(leafEstimates(nodes, counts.length), edges, rank),
      show: ([value, bin]) => shown(value!, bin!.value, edges),
    };
  };
}

/** What rounding leaves of an estimate; counts are far above, and without noise exactly whole. */
const dust = 1e-6;

/** The quantile, kept within the edges, and the leaf it lies in: 0 is below all bins. */
function locate(leaves: readonly number[], edges: readonly number[], rank: number): number[] {
  const counts = leaves.map((leaf) => Math.round(leaf / dust) * dust);
  const n = counts.reduce((sum, count) => sum + count, 0);
  if (n < 1 - dust) return undefinedNumbers(2);
  let before = 0;
  for (const [leaf, count] of counts.entries()) {
    const missing = rank * n - before;
    if (count > dust && count >= missing - dust) {
      const [from, to] = [edges[leaf - 1], edges[leaf]];
      if (from === undefined || to === undefined) return [from ?? to!, leaf];
      return [from + (to - from) * Math.min(Math.max(missing / count, 0), 1), leaf];
    }
    before += count;
  }
  return [edges.at(-1)!, leaves.length - 1];
}

function shown(value: Scalar, leaf: number | null, edges: readonly number[]): QuantileValue {
  if (leaf === null) return { ...value, from: null, to: null };
  const [from, to] = [edges[leaf - 1] ?? null, edges[leaf] ?? null];
  // Outside all bins there is no value, and the interval is as far as the bins reach.
  return from === null || to === null ? { ...value, ...none, from, to } : { ...value, from, to };
}
