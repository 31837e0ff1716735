/**
 * Comparison of signed values that are shared over Z_2^64: the sign of a difference, by a tree of carries.
 *
 * `width` is a public bound: values lie in [−2^(width−1), 2^(width−1)). A smaller one costs less, because shares modulo
 * 2^width share the value modulo 2^width. With 64, the default, all of Z_2^64 is compared rightly: the difference may
 * overflow, so that the signs of both sides are found beside it, for 3 times the ANDs (2 against a constant).
 *
 * Rounds    isNegative: 1 + ⌈log₂ (width−1)⌉ and the carry-save of N operands: 7 for two parties, 8 for three.
 *           lessThan: the same; 1 more where the width is 64. isGreater: 1 + ⌈log₂ width⌉
 * Sends     2 bits an AND, to each peer        Takes    1 bit triple an AND: for 64 bits 181 + 63 (N − 2) a sign
 * Security  that of AND: semi-honest, N−1 colluding; nothing is opened but masked bits. An active party can flip the
 *           result.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { length, sub, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { type Bits, not, type Planes, wordsFor, xor, xorInto } from '../sharing/bit-share.ts';
import { carrySave, carrySaveCost, highestBit, highestBitCost } from './add-circuit.ts';
import { and, andCost, or } from './and.ts';
import { operandsOf } from './convert.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence } from './cost.ts';

/**
 * Whether x < 0.
 * @throws ProtocolError OVER_LIMIT
 */
export async function isNegative(ch: Channel, source: Correlations, x: Vector, width = 64): Promise<Bits> {
  const [y, z] = await carrySave(ch, source, operandsOf(ch, x, width));
  return highestBit(ch, source, y, z);
}

/**
 * Whether x < y.
 * @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT
 */
export async function lessThan(ch: Channel, source: Correlations, x: Vector, y: Vector, width = 64): Promise<Bits> {
  checkLengths('compare', elementsMax, length(x), length(y));
  const difference = sub(x, y);
  if (width < 64) return isNegative(ch, source, difference, width + 1);
  const [signX, signY, sign] = await signs(ch, source, [x, y, difference]);

  // One round. Where the signs of x and y are alike, x − y does not overflow; where they differ, x has the answer.
  const differ = xor(signX!.words, signY!.words);
  const words = await and(ch, source, differ, xor(signX!.words, sign!.words));
  xorInto(words, sign!.words);
  return { count: length(x), words };
}

/**
 * Whether x < c, for a public c in [−2^(width−1), 2^(width−1)].
 * @throws ProtocolError OVER_LIMIT
 */
export async function lessThanConstant(
  ch: Channel,
  source: Correlations,
  x: Vector,
  c: bigint,
  width = 64,
): Promise<Bits> {
  const bound = 1n << BigInt(width - 1);
  assert(c >= -bound && c <= bound, 'a constant lies within the bounds of what it is compared with');
  checkLengths('compare', elementsMax, length(x));
  const difference = addConstant(ch, x, constant(length(x), -c));
  if (width < 64) return isNegative(ch, source, difference, width + 1);
  const [signX, sign] = await signs(ch, source, [x, difference]);

  // One round. Which of the two can be wrong by overflow depends on the sign of c, which is public.
  const gate = c >= 0n ? or : and;
  return { count: length(x), words: await gate(ch, source, signX!.words, sign!.words) };
}

/**
 * Whether x > y, for values ≥ 0 whose bits are shared already: the carry out of x + ¬y.
 * @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT
 */
export async function isGreater(ch: Channel, source: Correlations, x: Planes, y: Planes): Promise<Bits> {
  checkLengths('compare', elementsMax, x.count, y.count);
  // A plane of zeros above, which the carry goes into.
  const [a, b] = [x.words, not(ch, y).words].map((words) => {
    const raised = new Uint32Array(words.length + wordsFor(x.count));
    raised.set(words);
    return { count: x.count, width: x.width + 1, words: raised };
  });
  return highestBit(ch, source, a!, b!);
}

/** The signs of several vectors of one length, in one run of the circuit. */
async function signs(ch: Channel, source: Correlations, vectors: readonly Vector[]): Promise<Bits[]> {
  const count = length(vectors[0]!);
  const stride = wordsFor(count);
  // Each begins at a whole word of the packed result.
  const all = vector(Z2_64, vectors.length * 32 * stride);
  for (const [i, each] of vectors.entries()) all.words.set(each.words, i * 32 * stride);
  const { words } = await isNegative(ch, source, all);
  return vectors.map((_, i) => ({ count, words: words.subarray(i * stride, (i + 1) * stride) }));
}

/** The same public value everywhere. */
export function constant(count: number, value: bigint): Vector {
  const v = vector(Z2_64, count);
  v.words.fill(BigInt.asUintN(64, value));
  return v;
}

export function isNegativeCost(parties: number, count: number, width = 64): Cost {
  return inSequence(carrySaveCost(parties, parties, count, width), highestBitCost(parties, count, width));
}

export function isGreaterCost(parties: number, count: number, width: number): Cost {
  return highestBitCost(parties, count, width + 1);
}

export function lessThanCost(parties: number, count: number, width = 64): Cost {
  if (width < 64) return isNegativeCost(parties, count, width + 1);
  const stride = wordsFor(count);
  return inSequence(isNegativeCost(parties, 3 * 32 * stride), andCost(parties, stride));
}

export function lessThanConstantCost(parties: number, count: number, width = 64): Cost {
  if (width < 64) return isNegativeCost(parties, count, width + 1);
  const stride = wordsFor(count);
  return inSequence(isNegativeCost(parties, 2 * 32 * stride), andCost(parties, stride));
}
