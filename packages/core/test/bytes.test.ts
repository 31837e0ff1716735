import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  concat,
  equal,
  fromBase64,
  fromHex,
  lengthPrefixed,
  toBase64,
  toHex,
  u32,
  utf8,
} from '../src/algebra/bytes.ts';

it('gives back what it wrote as hex and base64, as Node writes them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
      expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
      expect(fromHex(toHex(bytes))).toEqual(new Uint8Array(bytes));
      expect(fromBase64(toBase64(bytes))).toEqual(new Uint8Array(bytes));
    }),
  );
  const long = new Uint8Array(100_000).map((_, i) => i);
  expect(fromBase64(toBase64(long))).toEqual(long);
});

it('takes one spelling of each value only', () => {
  for (const text of ['0', 'AB', '0x', 'g0', ' 00', '00 ']) expect(() => fromHex(text), text).toThrow(RangeError);
  for (const text of ['A', 'AA', 'AAA', 'A===', 'AB==', 'AAB=', 'AA==AAAA', 'AA= ', 'AA-_', '====', 'AAAA\n']) {
    expect(() => fromBase64(text), text).toThrow(RangeError);
  }
  fc.assert(
    fc.property(fc.base64String(), (text) => {
      let bytes: Uint8Array;
      try {
        bytes = fromBase64(text);
      } catch {
        return;
      }
      expect(toBase64(bytes)).toBe(text);
    }),
  );
});

it('never maps two lists of parts to the same bytes', () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 4 });
  const isSame = (a: Uint8Array[], b: Uint8Array[]) =>
    a.length === b.length && a.every((part, i) => equal(part, b[i]!));
  fc.assert(
    fc.property(parts, parts, (a, b) => {
      expect(equal(lengthPrefixed(...a), lengthPrefixed(...b))).toBe(isSame(a, b));
    }),
  );
  expect(lengthPrefixed(utf8('ab'), utf8(''))).toEqual(concat(u32(2), utf8('ab'), u32(0)));
});

it('compares content and length', () => {
  expect(equal(utf8('abc'), utf8('abc'))).toBe(true);
  expect(equal(utf8('abc'), utf8('abd'))).toBe(false);
  expect(equal(utf8('abc'), utf8('ab'))).toBe(false);
});

it('writes a u32 little-endian and nothing beyond it', () => {
  expect(toHex(u32(0x01020304))).toBe('04030201');
  expect(toHex(u32(2 ** 32 - 1))).toBe('ffffffff');
  for (const value of [-1, 2 ** 32, 0.5]) expect(() => u32(value)).toThrow('assertion failed');
});
