/**
 * The negative binomial distribution with a rational r, exactly: P(k) = C(k+r−1, k)·(1−q)^r·q^k, q = e^(−a).
 *
 * For r < 1: a geometric draw k is kept when every coin Bernoulli((r+i−1)/i), i = 1…k, succeeds; their product is
 * C(k+r−1, k), so what is kept has the shape wanted. One draw costs (1−q)^(r−1) trials, most of which are rejected by
 * their first coins. For r > 1: a sum of geometric draws, and one of the fraction that is left.
 * @module
 */
import { assert } from '../../algebra/assert.ts';
import type { Rational } from '../../algebra/rational.ts';
import type { Coins } from './coins.ts';
import { geometric } from './discrete-laplace.ts';
import { fitsNumbers, type Sampler } from './sampler.ts';

/** A share counts parties: numerators and denominators are small. */
const shareMax = 2n ** 20n;

/** The negative binomial of rational r > 0 and a > 0. */
export function negativeBinomial(r: Rational, a: Rational): Sampler {
  assert(r.n > 0n && r.n <= shareMax && r.d <= shareMax, 'r is positive, and a fraction of small integers');
  const whole = Number(r.n / r.d);
  const rest = Number(r.n % r.d);
  const ones = geometric(a);
  if (rest === 0 && whole === 1) return ones;
  const fraction = rest === 0 ? () => 0 : belowOne(rest, Number(r.d), a, ones);
  if (whole === 0) return fraction;
  return (coins) => {
    let sum = fraction(coins);
    for (let i = 0; i < whole; i++) sum += ones(coins);
    return sum;
  };
}

/** r = n/d < 1. */
function belowOne(n: number, d: number, a: Rational, ones: Sampler): Sampler {
  const isZero = zeroCoin(a);
  return (coins) => {
    while (true) {
      // The coins do not depend on k, so the first is thrown before k is drawn. Where it fails only k = 0 is kept, and
      // one cheap coin tells whether k is that: most draws that are rejected are never made.
      if (!coins.bernoulli(n, d)) {
        if (isZero(coins)) return 0;
        continue;
      }
      const k = ones(coins);
      if (survives(coins, k, d - n, d)) return k;
    }
  };
}

/** Whether a geometric draw is 0: probability 1 − e^(−a). */
function zeroCoin(a: Rational): (coins: Coins) => boolean {
  if (!fitsNumbers(a)) return (coins) => !coins.bernoulliExpBig(a.n, a.d);
  const [s, t] = [Number(a.n), Number(a.d)];
  return (coins) => !coins.bernoulliExp(s, t);
}

/**
 * Whether the coins i = 2…k all succeed, each with probability 1 − (1−r)/i, where 1−r = n/d: it fails when a coin of 1/i
 * and one of 1−r both show heads. Of the coins 1/i, i = 1…k, the last to show heads is uniform on 1…k, since none of
 * j+1…k does with probability j/(j+1)·…·(k−1)/k = j/k; and those before it are as they were. So the walk steps from one
 * to the one before (the Feller coupling), about ln k of them, and ends at 1, whose coin is thrown already.
 */
function survives(coins: Coins, k: number, n: number, d: number): boolean {
  let before = k;
  while (before > 0) {
    before = coins.below(before);
    if (before > 0 && coins.bernoulli(n, d)) return false;
  }
  return true;
}
