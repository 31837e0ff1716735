/**
 * Equality of values that are shared over Z_2^64, without an addition: s + t = −1 exactly where every bit of s differs
 * from that of t. So one party subtracts 1 from its share of the difference, the N shares are brought to two operands by
 * carry-save, and a tree of ANDs asks whether all bits of s ⊕ t are set.
 *
 * Rounds    ⌈log₂ width⌉ and the carry-save of N operands: 6 for two parties and 64 bits, 7 for three
 * Sends     2 bits an AND, to each peer        Takes    1 bit triple an AND: for 64 bits 63 (N − 1) a value
 * Security  that of AND: semi-honest, N−1 colluding; nothing is opened but masked bits. An active party can flip the
 *           result.
 * @module
 */
import { length, neg, sub, type Vector } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { type Bits, wordsFor, xor } from '../sharing/bit-share.ts';
import { carrySave, carrySaveCost } from './add-circuit.ts';
import { and, andCost } from './and.ts';
import { constant } from './compare.ts';
import { operandsOf } from './convert.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence } from './cost.ts';

/**
 * Whether x = 0, for x within (−2^width, 2^width).
 * @throws ProtocolError OVER_LIMIT
 */
export async function isZero(ch: Channel, source: Correlations, x: Vector, width = 64): Promise<Bits> {
  const lowered = addConstant(ch, x, constant(length(x), -1n));
  const [s, t] = await carrySave(ch, source, operandsOf(ch, lowered, width));
  const stride = wordsFor(length(x));
  let words = xor(s.words, t.words);

  // One round a level. The lower half of the planes against the upper half; a middle one waits.
  for (let left = width; left > 1; left -= left >>> 1) {
    const half = (left >>> 1) * stride;
    const both = await and(ch, source, words.subarray(0, half), words.subarray(words.length - half));
    const rest = words.slice(0, words.length - half);
    rest.set(both);
    words = rest;
  }
  return { count: length(x), words };
}

/**
 * Whether x = y, for values of `width` bits, both signed or both not.
 * @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT
 */
export async function equals(ch: Channel, source: Correlations, x: Vector, y: Vector, width = 64): Promise<Bits> {
  checkLengths('equal', elementsMax, length(x), length(y));
  return isZero(ch, source, sub(x, y), width);
}

/**
 * Whether x = c, for a public c.
 * @throws ProtocolError OVER_LIMIT
 */
export async function equalsConstant(
  ch: Channel,
  source: Correlations,
  x: Vector,
  c: bigint,
  width = 64,
): Promise<Bits> {
  return isZero(ch, source, addConstant(ch, x, neg(constant(length(x), c))), width);
}

/** Of `isZero`, `equals` and `equalsConstant` alike. */
export function equalCost(parties: number, count: number, width = 64): Cost {
  const levels = [carrySaveCost(parties, parties, count, width)];
  for (let left = width; left > 1; left -= left >>> 1) levels.push(andCost(parties, (left >>> 1) * wordsFor(count)));
  return inSequence(...levels);
}
