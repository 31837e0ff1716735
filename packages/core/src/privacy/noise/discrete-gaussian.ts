/**
 * The discrete Gaussian distribution, exactly: P(k) ∝ e^(−k²/(2σ²)) on the integers, for a rational σ².
 *
 * Canonne, Kamath, Steinke (2020), Algorithm 3: a discrete Laplace draw Y of scale t = ⌊σ⌋ + 1 is kept with probability
 * exp(−(|Y| − σ²/t)²/(2σ²)). Between 1.2 and 2.5 of them are drawn for one that is kept, at any scale.
 * @module
 */
import { assert } from '../../algebra/assert.ts';
import { floorSqrt } from '../../algebra/integer-root.ts';
import { type Rational, rational } from '../../algebra/rational.ts';
import type { Coins } from './coins.ts';
import { discreteLaplace } from './discrete-laplace.ts';
import { type Sampler, scaleMax } from './sampler.ts';

/** The largest number whose square is an exact number. */
const rootMax = 94_906_265;

/** The discrete Gaussian of a rational parameter σ² > 0 (its variance, but for a hair: CKS Section 2). */
export function discreteGaussian(variance: Rational): Sampler {
  const { n, d } = variance;
  assert(n > 0n && n < d * scaleMax * scaleMax, 'σ² is positive, and σ below 2^40');
  // ⌊√(n/d)⌋ = ⌊√⌊n/d⌋⌋, since a whole square is at most n/d exactly when it is at most ⌊n/d⌋.
  const t = floorSqrt(n / d) + 1n;
  const laplace = discreteLaplace(rational(t));
  // (|Y| − σ²/t)²/(2σ²) = (|Y|·d·t − n)² / (2·n·d·t²)
  const step = d * t;
  const denominator = 2n * n * step * t;
  const keeps = denominator <= BigInt(Number.MAX_SAFE_INTEGER) ? keepsByNumbers(n, step, denominator) : undefined;
  return (coins) => {
    while (true) {
      const y = laplace(coins);
      const magnitude = Math.abs(y);
      const kept = keeps?.(coins, magnitude) ?? keepsBig(coins, BigInt(magnitude) * step - n, denominator);
      if (kept) return y;
    }
  };
}

/** The coin of the acceptance in plain numbers; undefined where they would not be exact. */
function keepsByNumbers(n: bigint, step: bigint, denominator: bigint) {
  const [a, b, c] = [Number(n), Number(step), Number(denominator)];
  return (coins: Coins, magnitude: number): boolean | undefined => {
    // A product that is rounded is beyond 2^53, and so far beyond the bound even after it is rounded.
    const root = magnitude * b - a;
    return Math.abs(root) <= rootMax ? coins.bernoulliExp(root * root, c) : undefined;
  };
}

function keepsBig(coins: Coins, root: bigint, denominator: bigint): boolean {
  return coins.bernoulliExpBig(root * root, denominator);
}
