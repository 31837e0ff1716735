/**
 * Rounding of shared values to multiples of a public base, halves up: ⌊x / base + 1/2⌋ · base, exactly.
 *
 * That is ⌊(x + h) / base⌋ · base with h = ⌊base / 2⌋, as an odd base leaves no halves: for whole x and h,
 * ⌊(x + h + 1/2) / base⌋ = ⌊(x + h) / base⌋.
 *
 * Domain    |x| < 2^bits and 1 ≤ base < 2^60, where 2^bits + base / 2 ≤ 2^62
 * Rounds    those of a division by a public divisor, none by 1; as many again for each further 2^18 values, as memory is
 *           bounded by computing them one batch after the other
 * Sends     what the division does        Takes    its correlations
 * Security  that of the division: semi-honest, N−1 colluding; nothing is opened but masked values. An active party can
 *           shift the result.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { bitLength } from '../algebra/integer-root.ts';
import { length, scale, slice, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { constant } from './compare.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, inSequence, noCost } from './cost.ts';
import { dividendsMax } from './divide.ts';
import { divideByConstant, divideByConstantCost } from './divide-by-constant.ts';

/** Each x as the multiple of the base that is nearest to it. */
export async function roundTo(
  ch: Channel,
  source: Correlations,
  x: Vector,
  base: bigint,
  bits: number,
): Promise<Vector> {
  const dividendBits = raisedBits(base, bits);
  if (base === 1n) return x;
  const raised = addConstant(ch, x, constant(length(x), base / 2n));
  const rounded = vector(Z2_64, length(x));
  for (let start = 0; start < length(x); start += dividendsMax) {
    const batch = slice(raised, start, Math.min(start + dividendsMax, length(x)));
    const quotients = await divideByConstant(ch, source, batch, base, dividendBits);
    rounded.words.set(scale(quotients, base).words, start);
  }
  return rounded;
}

/** Whether values of so many bits may be rounded to this base. */
export function canRound(base: bigint, bits: number): boolean {
  const known = Number.isInteger(bits) && bits >= 1 && base >= 1n && base < 1n << 60n;
  return known && (1n << BigInt(bits)) + base / 2n <= 1n << 62n;
}

/** Bits of |x + ⌊base / 2⌋|. */
function raisedBits(base: bigint, bits: number): number {
  assert(canRound(base, bits), 'a value and the base that it is rounded to lie within their domain');
  return bitLength((1n << BigInt(bits)) - 1n + base / 2n);
}

export function roundToCost(parties: number, count: number, base: bigint, bits: number): Cost {
  const dividendBits = raisedBits(base, bits);
  if (base === 1n) return noCost;
  const costs: Cost[] = [];
  for (let start = 0; start < count; start += dividendsMax) {
    costs.push(divideByConstantCost(parties, Math.min(dividendsMax, count - start), base, dividendBits));
  }
  return inSequence(...costs);
}
