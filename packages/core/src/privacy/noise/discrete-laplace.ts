/**
 * The geometric and the discrete Laplace distribution, exactly, in a time that does not depend on the scale.
 *
 * Canonne, Kamath, Steinke (2020), Algorithm 2. Geometric: P(k) = (1 − q)·q^k for k ≥ 0, q = e^(−a). Discrete Laplace
 * of scale b: P(k) = (1 − q)/(1 + q)·q^|k|, q = e^(−1/b).
 * @module
 */
import { assert } from '../../algebra/assert.ts';
import type { Rational } from '../../algebra/rational.ts';
import type { Coins } from './coins.ts';
import { fitsNumbers, type Sampler, scaleMax } from './sampler.ts';

/** Failures before the first success, where each trial fails with probability e^(−a), for a rational a > 0. */
export function geometric(a: Rational): Sampler {
  assert(a.n > 0n && a.d <= a.n * scaleMax, 'the scale of a geometric is positive and at most 2^40');
  if (!fitsNumbers(a)) return (coins) => drawBig(coins, a.n, a.d);
  const s = Number(a.n);
  const t = Number(a.d);
  return (coins) => draw(coins, s, t);
}

/** The discrete Laplace distribution of a rational scale > 0. */
export function discreteLaplace(scale: Rational): Sampler {
  assert(scale.n > 0n, 'a scale is positive');
  const magnitude = geometric({ n: scale.d, d: scale.n });
  return (coins) => {
    while (true) {
      const isNegative = coins.bit();
      const drawn = magnitude(coins);
      // Zero has one sign: taken with both it would come twice as often.
      if (!isNegative || drawn !== 0) return isNegative ? -drawn : drawn;
    }
  };
}

/** a = s/t. X = U + t·V is geometric of scale t, by its remainder and its quotient; ⌊X/s⌋ has scale t/s. */
function draw(coins: Coins, s: number, t: number): number {
  while (true) {
    const u = coins.below(t);
    if (!coins.bernoulliExp(u, t)) continue;
    let v = 0;
    while (coins.bernoulliExp(1, 1)) v++;
    const x = u + t * v;
    return (x - (x % s)) / s;
  }
}

function drawBig(coins: Coins, s: bigint, t: bigint): number {
  while (true) {
    const u = coins.belowBig(t);
    if (!coins.bernoulliExpBig(u, t)) continue;
    let v = 0n;
    while (coins.bernoulliExp(1, 1)) v++;
    return Number((u + t * v) / s);
  }
}
