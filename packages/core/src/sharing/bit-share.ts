/**
 * Sharing of bits by xor among N ≥ 2 parties, and the bit-sliced layout in which circuits compute.
 *
 * Bits are packed 32 to a word: bit i is bit i mod 32 of word ⌊i / 32⌋. Values of several bits lie in planes, plane j
 * with bit j of all values, so that a gate on one bit position of n values is ⌈n / 32⌉ word operations. What stands past
 * the count in a last word is a shared bit like the others, of no meaning.
 *
 * Rounds    0                Sends    0 bytes
 * Security  Perfect for `shareBits`: any N−1 shares of a bit are uniform.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Rng } from '../algebra/prg.ts';
import { length, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';

/** One bit of each of `count` values. */
export interface Bits {
  readonly count: number;
  /** ⌈count / 32⌉ of them. */
  readonly words: Uint32Array;
}

/** `width` bits of each of `count` values. */
export interface Planes {
  readonly count: number;
  readonly width: number;
  /** Plane after plane, the lowest bit first. */
  readonly words: Uint32Array;
}

/** Words that hold so many bits. */
export function wordsFor(count: number): number {
  return Math.ceil(count / 32);
}

/** From 0 and 1. */
export function packBits(values: ArrayLike<number>): Bits {
  const words = new Uint32Array(wordsFor(values.length));
  for (let i = 0; i < values.length; i++) words[i >>> 5]! |= (values[i]! & 1) << (i & 31);
  return { count: values.length, words };
}

export function unpackBits({ count, words }: Bits): Uint8Array {
  const values = new Uint8Array(count);
  for (let i = 0; i < count; i++) values[i] = (words[i >>> 5]! >>> (i & 31)) & 1;
  return values;
}

/** All shares but the last are uniform, and the last is what is missing to x. */
export function shareBits({ count, words }: Bits, parties: number, rng: Rng): Bits[] {
  assert(Number.isInteger(parties) && parties >= 2, 'shares are for two parties or more');
  const last = words.slice();
  const shares: Bits[] = [];
  for (let i = 1; i < parties; i++) {
    const mask = new Uint32Array(rng(words.byteLength).slice().buffer);
    xorInto(last, mask);
    shares.push({ count, words: mask });
  }
  return [...shares, { count, words: last }];
}

/** The xor of all shares, which is what was shared. */
export function openBits(shares: readonly Bits[]): Bits {
  const [first, ...others] = shares;
  assert(first !== undefined, 'there are shares to open');
  const words = first.words.slice();
  for (const other of others) xorInto(words, other.words);
  return { count: first.count, words };
}

/** target ⊕= b. */
export function xorInto(target: Uint32Array, b: Uint32Array): void {
  assert(target.length === b.length, 'the packed bits have one length');
  for (let i = 0; i < target.length; i++) target[i]! ^= b[i]!;
}

export function xor(a: Uint32Array, b: Uint32Array): Uint32Array {
  const sum = a.slice();
  xorInto(sum, b);
  return sum;
}

/** My share of ¬x: the first party of the roster flips its own, the others keep what they have. */
export function not<T extends Bits>(ch: Channel, x: T): T {
  const isFirst = ch.self === ch.context.roster[0];
  return isFirst ? { ...x, words: x.words.map((word) => ~word) } : x;
}

/** Plane j, as a view of the same memory. */
export function plane({ count, words }: Planes, j: number): Uint32Array {
  const stride = wordsFor(count);
  return words.subarray(j * stride, (j + 1) * stride);
}

/** The planes from `start` to before `end`, as a view of the same memory. */
export function planes({ count, words }: Planes, start: number, end: number): Uint32Array {
  const stride = wordsFor(count);
  return words.subarray(start * stride, end * stride);
}

/** The values at these places, in this order, and 0 where a place is −1. What stands past the count is 0. */
export function gather({ count, width, words }: Planes, places: Int32Array): Planes {
  const stride = wordsFor(count);
  const gathered = new Uint32Array(width * wordsFor(places.length));
  for (let j = 0; j < width; j++) {
    const target = gathered.subarray(j * wordsFor(places.length));
    for (let i = 0; i < places.length; i++) {
      const place = places[i]!;
      if (place < 0) continue;
      target[i >>> 5]! |= ((words[j * stride + (place >>> 5)]! >>> (place & 31)) & 1) << (i & 31);
    }
  }
  return { count: places.length, width, words: gathered };
}

/** The lowest `width` bits of each element, bit-sliced. */
export function planesOf(x: Vector, width: number): Planes {
  assert(x.ring.limbs === 1 && width >= 1 && width <= 64, 'planes hold up to 64 bits of elements of Z_2^64');
  const count = length(x);
  const stride = wordsFor(count);
  const halves = new Uint32Array(x.words.buffer, x.words.byteOffset, 2 * count);
  const words = new Uint32Array(width * stride);
  const block = new Uint32Array(32);
  for (let half = 0; 32 * half < width; half++) {
    const rows = Math.min(32, width - 32 * half);
    for (let at = 0; at < stride; at++) {
      const filled = Math.min(32, count - 32 * at);
      for (let i = 0; i < filled; i++) block[i] = halves[2 * (32 * at + i) + half]!;
      block.fill(0, filled);
      transpose(block);
      for (let j = 0; j < rows; j++) words[(32 * half + j) * stride + at] = block[j]!;
    }
  }
  return { count, width, words };
}

/** The inverse, with zeros above the width: what one party's planes would be as integers. */
export function vectorOf({ count, width, words }: Planes): Vector {
  const stride = wordsFor(count);
  const x = vector(Z2_64, count);
  const halves = new Uint32Array(x.words.buffer, 0, 2 * count);
  const block = new Uint32Array(32);
  for (let half = 0; 32 * half < width; half++) {
    const rows = Math.min(32, width - 32 * half);
    for (let at = 0; at < stride; at++) {
      for (let j = 0; j < rows; j++) block[j] = words[(32 * half + j) * stride + at]!;
      block.fill(0, rows);
      transpose(block);
      const filled = Math.min(32, count - 32 * at);
      for (let i = 0; i < filled; i++) halves[2 * (32 * at + i) + half] = block[i]!;
    }
  }
  return x;
}

/** Bit i of word j changes places with bit j of word i (Warren, Hacker's Delight, §7-3). */
function transpose(block: Uint32Array): void {
  let mask = 0xffff;
  for (let step = 16; step !== 0; step >>>= 1) {
    for (let k = 0; k < 32; k = ((k | step) + 1) & ~step) {
      const swapped = ((block[k]! >>> step) ^ block[k | step]!) & mask;
      block[k]! ^= swapped << step;
      block[k | step]! ^= swapped;
    }
    mask ^= mask << (step >>> 1);
  }
}
