/**
 * A sampler: one distribution on the integers, prepared, which turns coins into draws.
 *
 * Draws are numbers, and exact: a scale of 2^40 at most leaves every draw below 2^53 but with a probability under
 * e^(−4096), which an assertion catches.
 * @module
 */
import { assert } from '../../algebra/assert.ts';
import type { Rational } from '../../algebra/rational.ts';
import type { Coins } from './coins.ts';

export type Sampler = (coins: Coins) => number;

/** The largest scale (of a Laplace or geometric) and σ (of a Gaussian) that is drawn. */
export const scaleMax = 2n ** 40n;

/** Numerators and denominators below this are held in numbers: they are multiplied by 2^11 at most. */
const numberMax = 2n ** 42n;

/** Whether sums and products with n and d stay exact in numbers. */
export function fitsNumbers(r: Rational): boolean {
  return r.n <= numberMax && r.d <= numberMax;
}

/** Overwrites `out` with draws, first to last. */
export function fillDraws(sampler: Sampler, coins: Coins, out: BigInt64Array): void {
  for (let i = 0; i < out.length; i++) {
    const drawn = sampler(coins);
    assert(Number.isSafeInteger(drawn), 'a draw is below 2^53');
    out[i] = BigInt(drawn);
  }
}
