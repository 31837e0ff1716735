/**
 * How well draws fit a distribution on the integers: Pearson's chi-square over cells that are full enough, and
 * Kolmogorov–Smirnov, whose p-value is too large on a lattice, never too small.
 * @module
 */
import { chiSquareUpper } from '../src/query/measure/distribution.ts';

export interface Fit {
  readonly chiSquare: number;
  readonly kolmogorov: number;
}

/** Both p-values. `pmf` is asked for `from`…`to`, beyond which there is next to nothing. */
export function fit(draws: readonly number[], pmf: (k: number) => number, from: number, to: number): Fit {
  const counts = new Map<number, number>();
  for (const draw of draws) counts.set(draw, (counts.get(draw) ?? 0) + 1);
  const n = draws.length;
  let [statistic, cells, expected, observed] = [0, 0, 0, 0];
  let [cdf, seen, distance] = [0, 0, 0];
  const close = () => {
    statistic += (observed - expected) ** 2 / expected;
    cells++;
    [expected, observed] = [0, 0];
  };
  for (let k = from; k <= to; k++) {
    const [p, count] = [pmf(k), counts.get(k) ?? 0];
    expected += n * p;
    observed += count;
    if (expected >= 25) close();
    cdf += p;
    seen += count / n;
    distance = Math.max(distance, Math.abs(seen - cdf));
  }
  // What is left of the far end, with every draw that lies outside.
  expected += Math.max(n * (1 - cdf), 0);
  observed += n * (1 - seen);
  if (expected >= 1) close();
  else if (observed > 0.5) statistic += observed ** 2 / Math.max(expected, 1e-3);
  return { chiSquare: chiSquareUpper(statistic, cells - 1), kolmogorov: kolmogorovUpper(distance, n) };
}

/** P(D > d), by Stephens' approximation of the limit. */
function kolmogorovUpper(d: number, n: number): number {
  const x = (Math.sqrt(n) + 0.12 + 0.11 / Math.sqrt(n)) * d;
  if (x < 0.2) return 1;
  let p = 0;
  for (let j = 1; j <= 100; j++) p += 2 * (-1) ** (j - 1) * Math.exp(-2 * j * j * x * x);
  return Math.min(p, 1);
}
