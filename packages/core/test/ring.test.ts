import { expect, it } from 'vitest';
import {
  add,
  addInto,
  fromIntegers,
  length,
  rings,
  scale,
  scaleEach,
  slice,
  subInto,
  toIntegers,
  vector,
  Z2_64,
  Z2_128,
  Z2_192,
} from '../src/algebra/ring.ts';
import { ringLaws } from './laws.ts';

for (const ring of rings) ringLaws(ring);

it('carries through every limb', () => {
  for (const ring of [Z2_128, Z2_192]) {
    const allOnes = fromIntegers(ring, [-1n]);
    expect(toIntegers(add(allOnes, fromIntegers(ring, [1n])))).toEqual([0n]);
    const low = fromIntegers(ring, [(1n << 64n) - 1n]);
    expect(toIntegers(add(low, fromIntegers(ring, [1n])))).toEqual([1n << 64n]);
  }
});

it('scales by integers beyond the ring as by what they are modulo it', () => {
  for (const ring of rings) {
    const v = fromIntegers(ring, [3n]);
    expect(toIntegers(scale(v, (1n << BigInt(ring.bits)) + 2n))).toEqual([6n]);
    expect(toIntegers(scale(v, -2n))).toEqual([-6n]);
  }
});

it('takes it for our own mistake when rings or lengths are mixed', () => {
  expect(() => add(vector(Z2_64, 2), vector(Z2_128, 1))).toThrow('assertion failed');
  expect(() => add(vector(Z2_64, 2), vector(Z2_64, 3))).toThrow('assertion failed');
});

it('undoes in pieces what it added, millions of times over', () => {
  const target = vector(Z2_64, 1_000_000);
  const mask = fromIntegers(Z2_64, new Array(24_000).fill(-12345678901234567n));
  for (let round = 0; round < 6; round++) {
    for (let at = 0; at < length(target); at += 24_000) {
      const piece = slice(target, at, Math.min(at + 24_000, length(target)));
      addInto(piece, slice(mask, 0, length(piece)));
      subInto(piece, slice(mask, 0, length(piece)));
    }
  }
  expect(target.words.every((word) => word === 0n)).toBe(true);
});

it('scales each element by a number of its own, the greatest ones too', () => {
  for (const ring of rings) {
    const most = (1n << 64n) - 1n;
    const integers = [0n, 1n, -1n, 5n, (1n << BigInt(ring.bits - 1)) - 1n, -(1n << BigInt(ring.bits - 1)) + 1n];
    for (const by of [[0n, 1n, most, 7n, most, most], integers.map(() => 2n ** 63n + 12_345n)]) {
      const products = toIntegers(scaleEach(fromIntegers(ring, integers), BigUint64Array.from(by)));
      expect(products).toEqual(integers.map((integer, i) => BigInt.asIntN(ring.bits, integer * by[i]!)));
    }
  }
});
