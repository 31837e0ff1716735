/**
 * Normalisation and reciprocal of shared divisors by Goldschmidt's iteration (as in Catrina, Saxena, FC 2010).
 *
 * For b in [1, 2^bits), v is the power of two that brings v b into [2^(bits−1), 2^bits); b' = v b 2^(30−bits), rounded to
 * a whole number where bits > 30; and y = 2^60 / b' (1 − E) with |E| < 2^−26. In units of 2^−30: the first approximation,
 * 2.9142 − 2 b' 2^−30, is off by 0.0858 at most, of which three squarings make 4; the truncations on the way add up to
 * 8, and the rounding of b' is 2. A b of 0 has v = 0 and a y of no meaning.
 *
 * Rounds    ⌈log₂ bits⌉ and those of the conversion to bits, 2 for v and v b, 8 for y; 1 more where bits > 30
 * Sends     what its parts do        Takes    their correlations: for 30 bits and two parties 206 bit triples, 7 triples
 *           and 414 shared bits a value
 * Security  that of its parts: semi-honest, N−1 colluding; nothing is opened but masked values. An active party can
 *           shift both results.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { add, length, neg, scale, slice, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { type Bits, type Planes, plane, planes, wordsFor, xorInto } from '../sharing/bit-share.ts';
import { upperPositions } from './add-circuit.ts';
import { andCost, or } from './and.ts';
import { constant } from './compare.ts';
import { toBits, toBitsCost, toInteger, toIntegerCost } from './convert.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, inSequence, noCost } from './cost.ts';
import { multiply, multiplyCost } from './multiply.ts';
import { truncate, truncateCost } from './truncate.ts';

/** Bits of b', and fraction bits of its reciprocal. */
export const fractionBits = 30;
const iterations = 3;

/** Divisors with what a division needs to know of them. */
export interface Divisor {
  readonly b: Vector;
  readonly v: Vector;
  readonly y: Vector;
  /** Whether b is over 0. */
  readonly positive: Bits;
}

/**
 * Of b in [0, 2^bits).
 * @throws ProtocolError OVER_LIMIT
 */
export async function divisorOf(ch: Channel, source: Correlations, b: Vector, bits: number): Promise<Divisor> {
  assert(Number.isInteger(bits) && bits >= 1 && bits <= 60, 'a divisor has 1 to 60 bits');
  const { v, positive } = await normalisation(ch, source, b, bits);
  const normal = await multiply(ch, source, b, v);
  const mantissa =
    bits > fractionBits
      ? await truncate(ch, source, normal, bits - fractionBits)
      : scale(normal, 1n << BigInt(fractionBits - bits));
  return { b, v, y: await reciprocal(ch, source, mantissa), positive };
}

/** v is the highest bit of b, read backwards. */
async function normalisation(
  ch: Channel,
  source: Correlations,
  b: Vector,
  bits: number,
): Promise<{ readonly v: Vector; readonly positive: Bits }> {
  const forwards = await toBits(ch, source, b, bits);
  const { count, width } = forwards;
  const stride = wordsFor(count);
  const backwards: Planes = { count, width, words: new Uint32Array(width * stride) };
  for (let j = 0; j < width; j++) plane(backwards, j).set(plane(forwards, width - 1 - j));

  // One round a level, as in Sklansky's adder: each position of an upper half-block takes in the last of the lower
  // half-block. At the end it tells of all before it.
  for (let step = 1; step < width; step *= 2) {
    const upper = upperPositions(width, step);
    const [own, before] = [new Uint32Array(upper.length * stride), new Uint32Array(upper.length * stride)];
    for (const [at, i] of upper.entries()) {
      own.set(plane(backwards, i), at * stride);
      before.set(plane(backwards, i - (i % step) - 1), at * stride);
    }
    const either = await or(ch, source, own, before);
    for (const [at, i] of upper.entries()) {
      plane(backwards, i).set(either.subarray(at * stride, (at + 1) * stride));
    }
  }

  // The last position tells of all bits. The first that is set differs from the one before it, and is the only one.
  const positive = { count, words: plane(backwards, width - 1).slice() };
  const above = planes(backwards, 0, width - 1).slice();
  xorInto(planes(backwards, 1, width), above);
  return { v: await toInteger(ch, source, backwards), positive };
}

/** y = 2^60 / b', for b' in [2^29, 2^30]. */
async function reciprocal(ch: Channel, source: Correlations, b: Vector): Promise<Vector> {
  const n = length(b);
  // y = 2.9142 − 2β and e = 1 − β y, with β = b' 2^−30 and 30 fraction bits.
  let y = addConstant(ch, scale(b, -2n), constant(n, (29_142n << BigInt(fractionBits)) / 10_000n));
  const product = await truncate(ch, source, await multiply(ch, source, b, y), fractionBits);
  let e = addConstant(ch, neg(product), constant(n, 1n << BigInt(fractionBits)));

  // Two rounds an iteration. y ← y + y e, whose error is e²; the last e is not wanted.
  for (let i = 1; i <= iterations; i++) {
    const factors = i < iterations ? joined([y, e]) : y;
    const others = i < iterations ? joined([e, e]) : e;
    const products = await truncate(ch, source, await multiply(ch, source, factors, others), fractionBits);
    y = add(y, slice(products, 0, n));
    e = slice(products, n, length(products));
  }
  return y;
}

function joined(vectors: readonly Vector[]): Vector {
  const all = vector(
    Z2_64,
    vectors.reduce((sum, each) => sum + length(each), 0),
  );
  let start = 0;
  for (const each of vectors) {
    all.words.set(each.words, start);
    start += length(each);
  }
  return all;
}

export function divisorCost(parties: number, count: number, bits: number): Cost {
  const costs = [toBitsCost(parties, count, bits)];
  for (let step = 1; step < bits; step *= 2) {
    costs.push(andCost(parties, upperPositions(bits, step).length * wordsFor(count)));
  }
  costs.push(toIntegerCost(parties, count, bits), multiplyCost(parties, count));
  costs.push(bits > fractionBits ? truncateCost(parties, count) : noCost);
  costs.push(multiplyCost(parties, count), truncateCost(parties, count));
  for (let i = 1; i <= iterations; i++) {
    const products = i < iterations ? 2 * count : count;
    costs.push(multiplyCost(parties, products), truncateCost(parties, products));
  }
  return inSequence(...costs);
}
