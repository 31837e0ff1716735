/**
 * Quotients of shared sums to so many digits, ⌊factor · numerator / denominator + 1/2⌋ exactly, for a public factor (a
 * power of ten); and 0 where the denominator is 0, with a shared bit that tells of it.
 *
 * Domain    |numerator| < 2^numeratorBits and 0 ≤ denominator < 2^denominatorBits, where `canQuote` says so: numerators
 *           up to 62 bits, denominators up to 40, and any power of ten that leaves the quotients under 2^63. They are
 *           right modulo 2^64, so that a larger one is wrong, and harmless unless it is opened.
 *
 * Rounds    those of a division and 1; as many again for each further 2^18 values, as memory is bounded by computing them
 *           one batch after the other
 * Sends     what division and selection do        Takes    their correlations
 * Security  that of its parts: semi-honest, N−1 colluding; nothing is opened but masked values, and not whether a
 *           denominator is 0. An active party can shift the quotient.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { length, slice, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { type Bits, wordsFor } from '../sharing/bit-share.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, inSequence } from './cost.ts';
import { canDivide, type Division, divideBy, divideByCost, dividendsMax } from './divide.ts';
import { divisorCost, divisorOf } from './reciprocal.ts';
import { select, selectCost } from './select.ts';

/** What is public about quotients. */
export interface QuotientBounds {
  /** |numerator| < 2^numeratorBits, at most 62 of them. */
  readonly numeratorBits: number;
  /** denominator < 2^denominatorBits. */
  readonly denominatorBits: number;
  /** 1 if absent. */
  readonly factor?: bigint;
}

export interface Quotients {
  /** 0 where it is not defined. */
  readonly value: Vector;
  /** Whether the denominator is over 0. */
  readonly defined: Bits;
}

/** @throws ProtocolError LENGTHS_DIFFER */
export async function quotientOf(
  ch: Channel,
  source: Correlations,
  numerator: Vector,
  denominator: Vector,
  bounds: QuotientBounds,
): Promise<Quotients> {
  const count = length(numerator);
  checkLengths('quotient', Number.MAX_SAFE_INTEGER, count, length(denominator));
  const division = divisionOf(bounds);
  assert(canDivide(division), 'a quotient lies within its domain');
  const value = vector(Z2_64, count);
  const defined = { count, words: new Uint32Array(wordsFor(count)) };
  for (let start = 0; start < count; start += dividendsMax) {
    const end = Math.min(start + dividendsMax, count);
    const divisor = await divisorOf(ch, source, slice(denominator, start, end), division.divisorBits);
    const quotients = await divideBy(ch, source, slice(numerator, start, end), divisor, division);
    value.words.set((await select(ch, source, divisor.positive, quotients)).words, start);
    // A batch is whole words.
    defined.words.set(divisor.positive.words, start / 32);
  }
  return { value, defined };
}

/**
 * Whether `quotientOf` is exact with such bounds. `valueBits` bounds the quotients that are opened, |value| <
 * 2^valueBits, if anything is known of them; else they are taken for as large as a denominator of 1 makes them.
 */
export function canQuote(bounds: QuotientBounds, valueBits?: number): boolean {
  const { numeratorBits, denominatorBits, factor = 1n } = bounds;
  const within = (bits: number, max: number) => Number.isInteger(bits) && bits >= 1 && bits <= max;
  if (factor < 1n || !within(numeratorBits, 62) || !within(denominatorBits, 60)) return false;
  const isRead = valueBits === undefined ? factor << BigInt(numeratorBits) <= 1n << 63n : valueBits <= 63;
  return isRead && canDivide(divisionOf(bounds));
}

function divisionOf({ numeratorBits, denominatorBits, factor = 1n }: QuotientBounds): Division {
  return { factor, dividendBits: numeratorBits, divisorBits: Math.max(4, denominatorBits), rounding: 'nearest' };
}

export function quotientCost(parties: number, count: number, bounds: QuotientBounds): Cost {
  const division = divisionOf(bounds);
  const costs: Cost[] = [];
  for (let start = 0; start < count; start += dividendsMax) {
    const batch = Math.min(dividendsMax, count - start);
    costs.push(divisorCost(parties, batch, division.divisorBits), divideByCost(parties, batch, division));
    costs.push(selectCost(parties, batch));
  }
  return inSequence(...costs);
}
