import fc from 'fast-check';
import { expect, it } from 'vitest';
import { toHex } from '../src/algebra/bytes.ts';
import { bytes, struct, u8, u16, u32, u64, words } from '../src/algebra/codec.ts';

const form = struct({ kind: u8, port: u16, index: u32, total: u64, hash: bytes(3), shares: words(2) });

it('writes the fields in order, little-endian', () => {
  const value = {
    kind: 1,
    port: 0x0203,
    index: 0x04050607,
    total: 0x08090a0b0c0d0e0fn,
    hash: new Uint8Array([1, 2, 3]),
    shares: new BigUint64Array([1n, 2n ** 64n - 1n]),
  };
  expect(toHex(form.encode(value))).toBe(
    ['01', '0302', '07060504', '0f0e0d0c0b0a0908', '010203', '0100000000000000', 'f'.repeat(16)].join(''),
  );
  expect(form.size).toBe(34);
});

it('gives back what it wrote, from any place in memory', () => {
  const values = fc.record({
    kind: fc.nat(255),
    port: fc.nat(65_535),
    index: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    total: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    hash: fc.uint8Array({ minLength: 3, maxLength: 3 }).map((each) => new Uint8Array(each)),
    shares: fc.bigUint64Array({ minLength: 2, maxLength: 2 }).map((each) => new BigUint64Array(each)),
  });
  fc.assert(
    fc.property(values, fc.nat(9), (value, shift) => {
      const memory = new Uint8Array(form.size + shift);
      memory.set(form.encode(value), shift);
      const decoded = form.decode(memory.subarray(shift));
      memory.fill(0);
      expect({ ...decoded }).toEqual({ ...value });
    }),
  );
});

it('refuses every other length with BAD_MESSAGE', () => {
  for (const length of [0, form.size - 1, form.size + 1]) {
    expect(() => form.decode(new Uint8Array(length))).toThrow(expect.objectContaining({ code: 'BAD_MESSAGE' }));
  }
});

it('takes a value that does not fit its field for our own mistake', () => {
  expect(() => struct({ a: u8 }).encode({ a: 256 })).toThrow('assertion failed');
  expect(() => struct({ a: u16 }).encode({ a: -1 })).toThrow('assertion failed');
  expect(() => struct({ a: u64 }).encode({ a: 1n << 64n })).toThrow('assertion failed');
  expect(() => struct({ a: bytes(2) }).encode({ a: new Uint8Array(3) })).toThrow('assertion failed');
  expect(() => struct({ a: words(2) }).encode({ a: new BigUint64Array(1) })).toThrow('assertion failed');
});
