/**
 * The exact δ of one discrete Gaussian: Canonne, Kamath, Steinke (2020), Theorem 7.
 *
 *   δ = P[X > εσ²/Δ − Δ/2] − e^ε·P[X > εσ²/Δ + Δ/2]
 *
 * Tails are summed in intervals, each term from the one before: e^(−(k+1)²/2σ²) = e^(−k²/2σ²)·e^(−(2k+1)/2σ²).
 * The cost is about 20·σ terms.
 * @module
 */

import { assert } from '../algebra/assert.ts';
import { floorSqrt } from '../algebra/integer-root.ts';
import { add, div, mul, type Rational, rational, sub } from '../algebra/rational.ts';
import { exactly, exp, type Interval, minus, one, over, plus, quotient, times, zero } from './interval.ts';

/** So far the sums run: a larger σ would take seconds, and wants a coarser lattice instead. */
const varianceMax = 2n ** 26n;

/** The least δ for which adding one discrete Gaussian to an answer of sensitivity Δ is (ε, δ)-private. */
export function discreteGaussianDelta(variance: Rational, epsilon: Rational, sensitivity: bigint): Interval {
  assert(variance.n > 0n && variance.n <= varianceMax * variance.d, 'σ² is positive, and at most 2^26');
  assert(epsilon.n >= 0n && sensitivity > 0n, 'ε is not negative and Δ positive');
  const centre = div(mul(epsilon, variance), rational(sensitivity));
  const half = rational(sensitivity, 2n);
  const weights = halfWeights(variance);
  const delta = minus(tail(weights, sub(centre, half)), times(exp(exactly(epsilon)), tail(weights, add(centre, half))));
  return { lo: delta.lo < 0n ? 0n : delta.lo, hi: delta.hi < 0n ? 0n : delta.hi };
}

interface Weights {
  /** e^(−k²/2σ²) for k = 0, 1, … until nothing is left but `rest`. */
  readonly terms: readonly Interval[];
  /** The sum of all that follow. */
  readonly rest: Interval;
}

function halfWeights(variance: Rational): Weights {
  const step = exp(exactly(rational(-variance.d, variance.n)));
  let ratio = exp(exactly(rational(-variance.d, 2n * variance.n)));
  let term = one;
  const terms: Interval[] = [];
  while (term.lo > 0n) {
    terms.push(term);
    term = times(term, ratio);
    ratio = times(ratio, step);
  }
  // By now k > σ, so each further step multiplies by less than e^(−1/σ): the rest is below (1 + σ) terms.
  const sigma = floorSqrt(variance.n / variance.d) + 1n;
  return { terms, rest: { lo: 0n, hi: term.hi * (sigma + 1n) } };
}

/** P[X > x]. */
function tail({ terms, rest }: Weights, x: Rational): Interval {
  // P[X ≥ k] with k = ⌊x⌋ + 1; for k ≤ 0 it is 1 − P[X ≥ 1 − k], by symmetry.
  const k = quotient(x.n, x.d, 'down') + 1n;
  const from = Number(k > 0n ? k : 1n - k);
  const above = plus(sum(terms.slice(from)), rest);
  const positive = plus(sum(terms.slice(1)), rest);
  const share = over(above, plus(one, plus(positive, positive)));
  return k > 0n ? share : minus(one, share);
}

function sum(terms: readonly Interval[]): Interval {
  return terms.reduce(plus, zero);
}
