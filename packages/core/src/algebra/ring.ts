/**
 * Vectors over Z_2^64, Z_2^128 and Z_2^192: little-endian 64-bit limbs, element by element, in one array.
 *
 * The loops over Z_2^64 are written `a[i] = BigInt.asUintN(64, a[i] + b[i])`, which V8 turns into machine additions
 * without an allocation (10^7 of them in about 10 ms). The wide rings carry between 32-bit halves in plain numbers,
 * which never box.
 * @module
 */
import { assert } from './assert.ts';

export interface Ring {
  readonly name: 'Z2_64' | 'Z2_128' | 'Z2_192';
  readonly bits: 64 | 128 | 192;
  /** 64-bit limbs an element. */
  readonly limbs: 1 | 2 | 3;
}

export const Z2_64: Ring = { name: 'Z2_64', bits: 64, limbs: 1 };
export const Z2_128: Ring = { name: 'Z2_128', bits: 128, limbs: 2 };
export const Z2_192: Ring = { name: 'Z2_192', bits: 192, limbs: 3 };

/** From the smallest to the largest. */
export const rings: readonly Ring[] = [Z2_64, Z2_128, Z2_192];

export interface Vector {
  readonly ring: Ring;
  readonly words: BigUint64Array;
}

/** Shares travel and masks are made as memory lies; a big-endian machine would need a copy at each border. */
const isLittleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Zeros. */
export function vector(ring: Ring, length: number): Vector {
  return { ring, words: new BigUint64Array(length * ring.limbs) };
}

/** The number of elements. */
export function length(v: Vector): number {
  return v.words.length / v.ring.limbs;
}

/**
 * Negatives wrap.
 * @throws RangeError for what does not lie strictly between −2^(bits−1) and 2^(bits−1).
 */
export function fromIntegers(ring: Ring, integers: readonly bigint[]): Vector {
  const bound = 1n << BigInt(ring.bits - 1);
  const v = vector(ring, integers.length);
  let at = 0;
  for (const integer of integers) {
    if (integer <= -bound || integer >= bound) throw new RangeError(`an integer does not fit ${ring.bits} bits`);
    for (let limb = 0; limb < ring.limbs; limb++) v.words[at++] = BigInt.asUintN(64, integer >> BigInt(64 * limb));
  }
  return v;
}

/** The representatives in [−2^(bits−1), 2^(bits−1)). */
export function toIntegers(v: Vector): bigint[] {
  const { bits, limbs } = v.ring;
  return Array.from({ length: length(v) }, (_, i) => {
    let element = 0n;
    for (let limb = limbs - 1; limb >= 0; limb--) element = (element << 64n) | v.words[i * limbs + limb]!;
    return BigInt.asIntN(bits, element);
  });
}

export function add(a: Vector, b: Vector): Vector {
  const sum = copy(a);
  addInto(sum, b);
  return sum;
}

export function sub(a: Vector, b: Vector): Vector {
  const difference = copy(a);
  subInto(difference, b);
  return difference;
}

export function neg(a: Vector): Vector {
  return sub(vector(a.ring, length(a)), a);
}

/** Each element times one integer, which may be negative or large. */
export function scale(a: Vector, k: bigint): Vector {
  const product = copy(a);
  if (a.ring.limbs === 1) scaleWords(product.words, BigInt.asUintN(64, k));
  else scaleWide(product.words, a.ring, k);
  return product;
}

/** Each element times its own whole number below 2^64. */
export function scaleEach(a: Vector, by: BigUint64Array): Vector {
  assert(length(a) === by.length, 'there is a number for each element');
  const product = copy(a);
  if (a.ring.limbs === 1)
    for (let i = 0; i < by.length; i++) product.words[i] = BigInt.asUintN(64, by[i]! * a.words[i]!);
  else scaleWideEach(quartersOf(product.words), quartersOf(by.slice()), 4 * a.ring.limbs);
  return product;
}

/** target += b. */
export function addInto(target: Vector, b: Vector): void {
  assertLike(target, b);
  if (target.ring.limbs === 1) addWords(target.words, b.words);
  else addWide(halvesOf(target), halvesOf(b), 2 * target.ring.limbs);
}

/** target −= b. */
export function subInto(target: Vector, b: Vector): void {
  assertLike(target, b);
  if (target.ring.limbs === 1) subWords(target.words, b.words);
  else subWide(halvesOf(target), halvesOf(b), 2 * target.ring.limbs);
}

export function equal(a: Vector, b: Vector): boolean {
  return a.ring === b.ring && a.words.length === b.words.length && a.words.every((word, i) => word === b.words[i]);
}

export function copy(a: Vector): Vector {
  return { ring: a.ring, words: new BigUint64Array(a.words) };
}

/** The elements from `start` to before `end`, as a view of the same memory. */
export function slice(v: Vector, start: number, end: number): Vector {
  return { ring: v.ring, words: v.words.subarray(start * v.ring.limbs, end * v.ring.limbs) };
}

/** A view of the same memory: the elements one after the other, little-endian. */
export function bytesOf(v: Vector): Uint8Array {
  assert(isLittleEndian, 'this needs a little-endian machine');
  return new Uint8Array(v.words.buffer, v.words.byteOffset, v.words.byteLength);
}

/**
 * A view of the same memory where it is aligned to 8 bytes, else a copy.
 * @throws RangeError unless there are exactly `count` elements.
 */
export function fromBytes(ring: Ring, bytes: Uint8Array, count: number): Vector {
  assert(isLittleEndian, 'this needs a little-endian machine');
  if (bytes.length !== count * ring.limbs * 8) throw new RangeError(`expected ${count} elements of ${ring.bits} bits`);
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
  return { ring, words: new BigUint64Array(aligned.buffer, aligned.byteOffset, count * ring.limbs) };
}

function assertLike(a: Vector, b: Vector): void {
  assert(a.ring === b.ring, 'the vectors are over one ring');
  assert(a.words.length === b.words.length, 'the vectors have one length');
}

// The two loops below are unrolled for more than the usual reason. V8's middle tier would inline a short loop into its
// caller and run it there with an allocation for each element, thirty times slower, for as long as the caller is hot; a
// function over 460 bytes of bytecode is called, and so reaches the top tier by itself.

function addWords(a: BigUint64Array, b: BigUint64Array): void {
  const n = a.length;
  const unrolled = n - (n % 8);
  let i = 0;
  for (; i < unrolled; i += 8) {
    a[i] = BigInt.asUintN(64, a[i]! + b[i]!);
    a[i + 1] = BigInt.asUintN(64, a[i + 1]! + b[i + 1]!);
    a[i + 2] = BigInt.asUintN(64, a[i + 2]! + b[i + 2]!);
    a[i + 3] = BigInt.asUintN(64, a[i + 3]! + b[i + 3]!);
    a[i + 4] = BigInt.asUintN(64, a[i + 4]! + b[i + 4]!);
    a[i + 5] = BigInt.asUintN(64, a[i + 5]! + b[i + 5]!);
    a[i + 6] = BigInt.asUintN(64, a[i + 6]! + b[i + 6]!);
    a[i + 7] = BigInt.asUintN(64, a[i + 7]! + b[i + 7]!);
  }
  for (; i < n; i++) a[i] = BigInt.asUintN(64, a[i]! + b[i]!);
}

function subWords(a: BigUint64Array, b: BigUint64Array): void {
  const n = a.length;
  const unrolled = n - (n % 8);
  let i = 0;
  for (; i < unrolled; i += 8) {
    a[i] = BigInt.asUintN(64, a[i]! - b[i]!);
    a[i + 1] = BigInt.asUintN(64, a[i + 1]! - b[i + 1]!);
    a[i + 2] = BigInt.asUintN(64, a[i + 2]! - b[i + 2]!);
    a[i + 3] = BigInt.asUintN(64, a[i + 3]! - b[i + 3]!);
    a[i + 4] = BigInt.asUintN(64, a[i + 4]! - b[i + 4]!);
    a[i + 5] = BigInt.asUintN(64, a[i + 5]! - b[i + 5]!);
    a[i + 6] = BigInt.asUintN(64, a[i + 6]! - b[i + 6]!);
    a[i + 7] = BigInt.asUintN(64, a[i + 7]! - b[i + 7]!);
  }
  for (; i < n; i++) a[i] = BigInt.asUintN(64, a[i]! - b[i]!);
}

function scaleWords(a: BigUint64Array, k: bigint): void {
  const n = a.length;
  for (let i = 0; i < n; i++) a[i] = BigInt.asUintN(64, a[i]! * k);
}

function scaleWide(words: BigUint64Array, ring: Ring, k: bigint): void {
  const { bits, limbs } = ring;
  for (let at = 0; at < words.length; at += limbs) {
    let element = 0n;
    for (let limb = limbs - 1; limb >= 0; limb--) element = (element << 64n) | words[at + limb]!;
    const product = BigInt.asUintN(bits, element * k);
    for (let limb = 0; limb < limbs; limb++) words[at + limb] = BigInt.asUintN(64, product >> BigInt(64 * limb));
  }
}

/** Quarters of words, whose products and sums of four of these are exact in plain numbers. */
function scaleWideEach(elements: Uint16Array, by: Uint16Array, quarters: number): void {
  const product = new Uint16Array(quarters);
  for (let start = 0, at = 0; start < elements.length; start += quarters, at += 4) {
    let carry = 0;
    for (let place = 0; place < quarters; place++) {
      let sum = carry;
      for (let k = Math.min(place, 3); k >= 0; k--) sum += elements[start + place - k]! * by[at + k]!;
      product[place] = sum;
      carry = Math.floor(sum / 2 ** 16);
    }
    elements.set(product, start);
  }
}

function quartersOf(words: BigUint64Array): Uint16Array {
  assert(isLittleEndian, 'this needs a little-endian machine');
  return new Uint16Array(words.buffer, words.byteOffset, words.length * 4);
}

function halvesOf(v: Vector): Uint32Array {
  assert(isLittleEndian, 'this needs a little-endian machine');
  return new Uint32Array(v.words.buffer, v.words.byteOffset, v.words.length * 2);
}

// A carry is computed from the top bits, without a branch: on shares it would be mispredicted half of the time.

function addWide(a: Uint32Array, b: Uint32Array, halves: number): void {
  for (let start = 0; start < a.length; start += halves) {
    let carry = 0;
    for (let i = start; i < start + halves; i++) {
      const x = a[i]!;
      const y = b[i]!;
      const sum = (x + y + carry) | 0;
      a[i] = sum;
      carry = ((x & y) | ((x | y) & ~sum)) >>> 31;
    }
  }
}

function subWide(a: Uint32Array, b: Uint32Array, halves: number): void {
  for (let start = 0; start < a.length; start += halves) {
    let borrow = 0;
    for (let i = start; i < start + halves; i++) {
      const x = a[i]!;
      const y = b[i]!;
      const difference = (x - y - borrow) | 0;
      a[i] = difference;
      borrow = ((~x & y) | ((~x | y) & difference)) >>> 31;
    }
  }
}
