import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeDecimal, encodeDecimal } from '../src/algebra/fixed-point.ts';

it('is exact both ways', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }), fc.nat(18), (value, scale) => {
      expect(encodeDecimal(decodeDecimal(value, scale), scale)).toBe(value);
    }),
  );
});

it('reads and prints the digits as they stand', () => {
  expect(encodeDecimal('12.3', 2)).toBe(1230n);
  expect(encodeDecimal('-0.05', 2)).toBe(-5n);
  expect(encodeDecimal('-0', 2)).toBe(0n);
  expect(encodeDecimal('007', 0)).toBe(7n);
  expect(encodeDecimal('9007199254740993', 0)).toBe(9007199254740993n);
  expect(decodeDecimal(1230n, 2)).toBe('12.30');
  expect(decodeDecimal(-5n, 2)).toBe('-0.05');
  expect(decodeDecimal(-5n, 0)).toBe('-5');
  expect(decodeDecimal(0n, 3)).toBe('0.000');
});

it('refuses every other form', () => {
  const bad = [
    '',
    '-',
    '.5',
    '5.',
    '+5',
    ' 5',
    '5 ',
    '1,234',
    '1_000',
    '0x10',
    '1e3',
    'NaN',
    'Infinity',
    '1.2.3',
    '--1',
  ];
  for (const text of bad) expect(() => encodeDecimal(text, 2), text).toThrow(RangeError);
  expect(() => encodeDecimal('١', 0)).toThrow(RangeError);
});

it('refuses one digit more than the scale, were it a zero', () => {
  expect(encodeDecimal('1.23', 2)).toBe(123n);
  for (const text of ['1.239', '1.230']) expect(() => encodeDecimal(text, 2)).toThrow(RangeError);
  expect(() => encodeDecimal('1.0', 0)).toThrow(RangeError);
});

it('refuses texts that are longer than any column needs', () => {
  expect(encodeDecimal('9'.repeat(80), 0)).toBe(10n ** 80n - 1n);
  expect(() => encodeDecimal('9'.repeat(1000), 0)).toThrow(RangeError);
});
