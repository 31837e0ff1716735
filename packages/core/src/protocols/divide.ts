/**
 * Integer division of shared values, ⌊a / b⌋ exactly, by a shared or a public divisor: the reciprocal by Goldschmidt's
 * iteration (as in Catrina, Saxena, FC 2010), then a quotient by remainders, and at last three comparisons.
 *
 * Domain    |a| < 2^dividendBits, at most 62 of them; 1 ≤ b < 2^30. A shared b of 0 gives an arbitrary value and no
 *           error, since an error would tell of it: mask the result with the sign of b where that can be.
 * Error     0; ⌊a / b⌋ is rounded down, for negative a too
 *
 * b is brought to b' = v b in [2^29, 2^30), v a power of two, and y = 2^60 / b' (1 − E) with |E| < 2^−26: the first
 * approximation, 2.9142 − 2 b' 2^−30, is off by 0.0858 at most; three squarings make that 2^−28, and the truncations on
 * the way add up to 2^−27. A step takes q̂ near r / b off the remainder r. It reads all but the lowest t bits of r, so
 * many that r / 2^t < 2^31, and leaves |r'| < 2^(t+1) + 2^−26 |r| + b. The last one has t = 0 and |r| < 2^24 b, so that
 * q̂ is off by 1/4 + 1/2 + 1 at most; then comparisons of r with −b, 0 and b find what is missing.
 *
 * Rounds    44 for 62 bits, 39 for 31, for two parties and a shared b; 14 and 12 for a public one
 * Sends     for 62 bits and two parties 482 bytes a value to each peer, by a public b 123
 * Takes     for 62 bits 473 + 125 (N − 2) bit triples, 16 triples and 865 shared bits a value; by a public b
 *           267 + 96 (N − 2), 0 and 451
 * Security  that of its parts: semi-honest, N−1 colluding; nothing is opened but masked values. An active party can
 *           shift the quotient.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { addInto, length, neg, scale, slice, sub, subInto, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { type Planes, plane, planes, wordsFor, xorInto } from '../sharing/bit-share.ts';
import { upperPositions } from './add-circuit.ts';
import { andCost, or } from './and.ts';
import { constant, isNegative, isNegativeCost } from './compare.ts';
import { toBits, toBitsCost, toInteger, toIntegerCost, toRing, toRingCost } from './convert.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence, noCost } from './cost.ts';
import { multiply, multiplyCost } from './multiply.ts';
import { truncate, truncateCost } from './truncate.ts';

/** Bits of a divisor, and fraction bits of its reciprocal. */
const divisorBits = 30;
const fractionBits = 30;
/** −3b < r − b and r + b < 3b. */
const comparedBits = divisorBits + 3;
const iterations = 3;

/** Values in one call: the comparisons at the end are one run of their circuit. */
const countMax = elementsMax / 4;

/** b with its normalisation v and the reciprocal y of v b: shared, or public. */
interface Divisor<T extends Vector | bigint> {
  readonly b: T;
  readonly v: T;
  readonly y: T;
}

/**
 * ⌊a / b⌋ for a shared divisor.
 * @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT
 */
export async function divide(
  ch: Channel,
  source: Correlations,
  a: Vector,
  b: Vector,
  dividendBits = 62,
): Promise<Vector> {
  checkLengths('divide', countMax, length(a), length(b));
  const v = await normalisation(ch, source, b);
  const y = await reciprocal(ch, source, await multiply(ch, source, b, v));
  return quotient(ch, source, a, { b, v, y }, dividendBits);
}

/**
 * ⌊a / b⌋ for a public divisor.
 * @throws ProtocolError OVER_LIMIT
 */
export async function divideByConstant(
  ch: Channel,
  source: Correlations,
  a: Vector,
  b: bigint,
  dividendBits = 62,
): Promise<Vector> {
  checkLengths('divide', countMax, length(a));
  assert(b >= 1n && b < 1n << BigInt(divisorBits), 'a divisor lies from 1 to 2^30 − 1');
  const v = 1n << BigInt(divisorBits - b.toString(2).length);
  return quotient(ch, source, a, { b, v, y: (1n << BigInt(divisorBits + fractionBits)) / (b * v) }, dividendBits);
}

/** v = 2^j so that v b lies in [2^29, 2^30): the highest bit of b, read backwards. */
async function normalisation(ch: Channel, source: Correlations, b: Vector): Promise<Vector> {
  const bits = await toBits(ch, source, b, divisorBits);
  const { count, width } = bits;
  const stride = wordsFor(count);
  const backwards: Planes = { count, width, words: new Uint32Array(width * stride) };
  for (let j = 0; j < width; j++) plane(backwards, j).set(plane(bits, width - 1 - j));

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

  // The first position that is set differs from the one before it, and is the only one.
  const above = planes(backwards, 0, width - 1).slice();
  xorInto(planes(backwards, 1, width), above);
  return toInteger(ch, source, backwards);
}

/** y = 2^60 / b', for b' in [2^29, 2^30). */
async function reciprocal(ch: Channel, source: Correlations, b: Vector): Promise<Vector> {
  const n = length(b);
  // y = 2.9142 − 2β and e = 1 − β y, with β = b' 2^−30 and 30 fraction bits.
  let y = addConstant(ch, scale(b, -2n), constant(n, (29_142n << BigInt(fractionBits)) / 10_000n));
  const product = await truncate(ch, source, await multiply(ch, source, b, y), divisorBits);
  let e = addConstant(ch, neg(product), constant(n, 1n << BigInt(fractionBits)));

  // Two rounds an iteration. y ← y + y e, whose error is e²; the last e is not wanted.
  for (let i = 1; i <= iterations; i++) {
    const factors = i < iterations ? joined([y, e]) : y;
    const others = i < iterations ? joined([e, e]) : e;
    const products = await truncate(ch, source, await multiply(ch, source, factors, others), fractionBits);
    y = sub(y, neg(slice(products, 0, n)));
    e = slice(products, n, length(products));
  }
  return y;
}

async function quotient(
  ch: Channel,
  source: Correlations,
  a: Vector,
  { b, v, y }: Divisor<Vector> | Divisor<bigint>,
  dividendBits: number,
): Promise<Vector> {
  const n = length(a);
  const q = vector(Z2_64, n);
  let r = a;
  for (const t of droppedBits(dividendBits)) {
    // Up to six rounds. q̂ = r / 2^t · y / 2^30 · v · 2^t / 2^30, no factor of which is over 31 bits beside the other.
    const read = t === 0 ? r : await truncate(ch, source, r, t);
    const scaled = await truncate(ch, source, await times(ch, source, read, y), divisorBits);
    const wide = await times(ch, source, scaled, v);
    const estimate =
      t < fractionBits
        ? await truncate(ch, source, wide, fractionBits - t)
        : scale(wide, 1n << BigInt(t - fractionBits));
    addInto(q, estimate);
    r = sub(r, await times(ch, source, estimate, b));
  }

  // What is missing to the quotient is 1 less the number of −b, 0 and b that r lies below.
  const divisor = typeof b === 'bigint' ? addConstant(ch, vector(Z2_64, n), constant(n, b)) : b;
  const padded = 32 * wordsFor(n);
  const differences = vector(Z2_64, 3 * padded);
  for (const [i, k] of [1n, 0n, -1n].entries()) {
    differences.words.set(r.words, i * padded);
    addInto(slice(differences, i * padded, i * padded + n), scale(divisor, k));
  }
  const below = await toRing(ch, source, await isNegative(ch, source, differences, comparedBits));
  for (let i = 0; i < 3; i++) subInto(q, slice(below, i * padded, i * padded + n));
  return addConstant(ch, q, constant(n, 1n));
}

/** The lowest bits of the remainder that each step leaves out.  */
function droppedBits(dividendBits: number): number[] {
  assert(Number.isInteger(dividendBits) && dividendBits >= 1 && dividendBits <= 62, 'a dividend has 1 to 62 bits');
  const dropped: number[] = [];
  // Bounds of |r|, and of |r / b| for the smallest b.
  let [size, ratio] = [2 ** dividendBits, 2 ** dividendBits];
  for (;;) {
    // Below 2^31 by so much that neither the error of the truncation nor that of y makes a product of 2^62.
    const t = Math.max(0, Math.ceil(Math.log2(size / (2 ** 31 - 2 ** 24))));
    dropped.push(t);
    if (t === 0 && ratio <= 2 ** 24) return dropped;
    const error = 2 * 2 ** t + size / 2 ** 26;
    [size, ratio] = [error + 2 ** divisorBits, error + 1];
  }
}

async function times(ch: Channel, source: Correlations, x: Vector, factor: Vector | bigint): Promise<Vector> {
  return typeof factor === 'bigint' ? scale(x, factor) : multiply(ch, source, x, factor);
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

export function divideCost(parties: number, count: number, dividendBits = 62): Cost {
  const costs = [toBitsCost(parties, count, divisorBits)];
  for (let step = 1; step < divisorBits; step *= 2) {
    costs.push(andCost(parties, upperPositions(divisorBits, step).length * wordsFor(count)));
  }

  costs.push(toIntegerCost(parties, count, divisorBits), multiplyCost(parties, count));
  costs.push(multiplyCost(parties, count), truncateCost(parties, count));
  for (let i = 1; i <= iterations; i++) {
    const products = i < iterations ? 2 * count : count;
    costs.push(multiplyCost(parties, products), truncateCost(parties, products));
  }
  return inSequence(...costs, quotientCost(parties, count, dividendBits, multiplyCost(parties, count)));
}

export function divideByConstantCost(parties: number, count: number, dividendBits = 62): Cost {
  return quotientCost(parties, count, dividendBits, noCost);
}

function quotientCost(parties: number, count: number, dividendBits: number, product: Cost): Cost {
  const shift = truncateCost(parties, count);
  const steps = droppedBits(dividendBits).flatMap((t) => [
    ...(t === 0 ? [] : [shift]),
    product,
    shift,
    product,
    ...(t < fractionBits ? [shift] : []),
    product,
  ]);
  const compared = 3 * 32 * wordsFor(count);
  return inSequence(...steps, isNegativeCost(parties, compared, comparedBits), toRingCost(parties, compared));
}
