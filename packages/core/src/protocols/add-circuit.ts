/**
 * Addition modulo 2^w of values whose bits are shared by xor: carry-save (Wallace 1964) down to two operands, then the
 * parallel prefix of Sklansky (1960), or a plain tree where only the highest bit is wanted.
 *
 * Sklansky's adder takes 373 ANDs for 64 bits in 7 rounds, where Kogge and Stone's takes 628 in the same 7: its large
 * fan-out costs silicon, but nothing on shares. The tree for the highest bit alone takes 181, also in 7.
 *
 * Rounds    carry-save: 1 for 3 operands, 2 for 4, about log_{3/2} N; addition and highest bit: 1 + ⌈log₂ (w−1)⌉
 * Sends     2 bits an AND, to each peer        Takes    1 bit triple an AND; carry-save: (N−2)(w−1) of them a value
 * Security  that of AND: semi-honest, N−1 colluding; an active party can flip bits of the sum
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Channel } from '../channel/channel.ts';
import { type Bits, type Planes, plane, planes, wordsFor, xor, xorInto } from '../sharing/bit-share.ts';
import { and, andCost } from './and.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence } from './cost.ts';

/** A value of 64 bits, and what a key has beside it. */
const tallest = 128;

/** Two operands with the sum of all, modulo 2^w. */
export async function carrySave(
  ch: Channel,
  source: Correlations,
  operands: readonly Planes[],
): Promise<[Planes, Planes]> {
  assert(operands.length >= 2, 'there are two operands or more');
  let left = operands;
  while (left.length > 2) {
    const { count, width } = left[0]!;
    checkLengths('add', elementsMax, ...(left.map((each) => each.count) as [number, ...number[]]));
    const low = (width - 1) * wordsFor(count);
    const triads = Math.floor(left.length / 3);

    // One round. The carry of x + y + z is their majority, (x ⊕ z)(y ⊕ z) ⊕ z; that of the highest bit is dropped.
    const [a, b] = [new Uint32Array(triads * low), new Uint32Array(triads * low)];
    for (let t = 0; t < triads; t++) {
      const [x, y, z] = left.slice(3 * t, 3 * t + 3).map((each) => planes(each, 0, width - 1));
      a.set(xor(x!, z!), t * low);
      b.set(xor(y!, z!), t * low);
    }
    const majority = await and(ch, source, a, b);

    const next: Planes[] = [];
    for (let t = 0; t < triads; t++) {
      const [x, y, z] = left.slice(3 * t, 3 * t + 3);
      const sum = xor(x!.words, y!.words);
      xorInto(sum, z!.words);
      const carry: Planes = { count, width, words: new Uint32Array(sum.length) };
      const shifted = planes(carry, 1, width);
      shifted.set(majority.subarray(t * low, (t + 1) * low));
      xorInto(shifted, planes(z!, 0, width - 1));
      next.push({ count, width, words: sum }, carry);
    }
    left = [...next, ...left.slice(3 * triads)];
  }
  return [left[0]!, left[1]!];
}

/** All bits of x + y modulo 2^w. */
export async function addPlanes(ch: Channel, source: Correlations, x: Planes, y: Planes): Promise<Planes> {
  const { count, width } = x;
  checkLengths('add', elementsMax, count, y.count);
  checkLengths('add', 64, width, y.width);
  const stride = wordsFor(count);
  const sum = xor(x.words, y.words);

  // Round 1. What a position generates: g = xy. What it propagates: p = x ⊕ y.
  const carries = width - 1;
  const g = { count, width: carries, words: await and(ch, source, planes(x, 0, carries), planes(y, 0, carries)) };
  const p = { count, width: carries, words: sum.slice(0, carries * stride) };

  // One round a level. Each position of an upper half-block takes in the highest of the lower half-block, j, which has
  // the carry of its whole block: g ⊕= p g_j and p = p p_j. A p that reaches down to position 0 is not wanted any more.
  for (let step = 1; step < carries; step *= 2) {
    const upper = upperPositions(carries, step);
    const inner = upper.filter((i) => i >= 2 * step);
    const a = new Uint32Array((upper.length + inner.length) * stride);
    const b = new Uint32Array(a.length);
    const below = (i: number): number => i - (i % step) - 1;
    for (const [at, i] of upper.entries()) {
      a.set(plane(p, i), at * stride);
      b.set(plane(g, below(i)), at * stride);
    }
    for (const [at, i] of inner.entries()) {
      a.set(plane(p, i), (upper.length + at) * stride);
      b.set(plane(p, below(i)), (upper.length + at) * stride);
    }
    const products = await and(ch, source, a, b);
    const productOf = (at: number): Uint32Array => products.subarray(at * stride, (at + 1) * stride);
    for (const [at, i] of upper.entries()) xorInto(plane(g, i), productOf(at));
    for (const [at, i] of inner.entries()) plane(p, i).set(productOf(upper.length + at));
  }

  xorInto(sum.subarray(stride), g.words);
  return { count, width, words: sum };
}

/** Bit w−1 of x + y: the sign of the sum, where it is one of w bits; of up to 128, as keys are longer than values. */
export async function highestBit(ch: Channel, source: Correlations, x: Planes, y: Planes): Promise<Bits> {
  const { count, width } = x;
  checkLengths('add', elementsMax, count, y.count);
  checkLengths('add', tallest, width, y.width);
  const stride = wordsFor(count);
  const carries = width - 1;
  const bit = xor(plane(x, carries), plane(y, carries));
  if (carries === 0) return { count, words: bit };

  // Round 1. g = xy and p = x ⊕ y, as above.
  let g = { count, width: carries, words: await and(ch, source, planes(x, 0, carries), planes(y, 0, carries)) };
  let p = { count, width: carries, words: xor(planes(x, 0, carries), planes(y, 0, carries)) };

  // One round a level. Neighbours become one: g = g_hi ⊕ p_hi g_lo and p = p_hi p_lo. The lowest needs no p.
  while (g.width > 1) {
    const pairs = g.width >>> 1;
    const a = new Uint32Array((2 * pairs - 1) * stride);
    const b = new Uint32Array(a.length);
    for (let i = 0; i < pairs; i++) {
      a.set(plane(p, 2 * i + 1), i * stride);
      b.set(plane(g, 2 * i), i * stride);
    }
    for (let i = 1; i < pairs; i++) {
      a.set(plane(p, 2 * i + 1), (pairs + i - 1) * stride);
      b.set(plane(p, 2 * i), (pairs + i - 1) * stride);
    }
    const products = await and(ch, source, a, b);
    const half = pairs + (g.width & 1);
    const next = (): Planes => ({ count, width: half, words: new Uint32Array(half * stride) });
    const [nextG, nextP] = [next(), next()];
    nextG.words.set(products.subarray(0, pairs * stride));
    nextP.words.set(products.subarray(pairs * stride), stride);
    for (let i = 0; i < pairs; i++) xorInto(plane(nextG, i), plane(g, 2 * i + 1));
    if (g.width & 1) {
      plane(nextG, pairs).set(plane(g, g.width - 1));
      plane(nextP, pairs).set(plane(p, p.width - 1));
    }
    [g, p] = [nextG, nextP];
  }
  xorInto(bit, g.words);
  return { count, words: bit };
}

/** Positions below n whose bit `step` is set: the upper halves of the blocks of this level. */
export function upperPositions(n: number, step: number): number[] {
  return Array.from({ length: n }, (_, i) => i).filter((i) => (i & step) !== 0);
}

export function carrySaveCost(parties: number, operands: number, count: number, width: number): Cost {
  const levels: Cost[] = [];
  for (let left = operands; left > 2; left -= Math.floor(left / 3)) {
    levels.push(andCost(parties, Math.floor(left / 3) * (width - 1) * wordsFor(count)));
  }
  return inSequence(...levels);
}

export function addPlanesCost(parties: number, count: number, width: number): Cost {
  const stride = wordsFor(count);
  const levels = [andCost(parties, (width - 1) * stride)];
  for (let step = 1; step < width - 1; step *= 2) {
    const upper = upperPositions(width - 1, step);
    levels.push(andCost(parties, (upper.length + upper.filter((i) => i >= 2 * step).length) * stride));
  }
  return inSequence(...levels);
}

export function highestBitCost(parties: number, count: number, width: number): Cost {
  const stride = wordsFor(count);
  const levels = [andCost(parties, (width - 1) * stride)];
  for (let left = width - 1; left > 1; left -= left >>> 1)
    levels.push(andCost(parties, (2 * (left >>> 1) - 1) * stride));
  return inSequence(...levels);
}
