import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  add,
  cmp,
  div,
  mul,
  neg,
  parseRational,
  type Rational,
  rational,
  sqrtDecimal,
  sqrtNumber,
  sub,
  toDecimal,
  toNumber,
} from '../src/algebra/rational.ts';

const integer = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
const positive = fc.bigInt({ min: 1n, max: 10n ** 30n });
const anyRational = fc.tuple(integer, positive).map(([n, d]) => rational(n, d));
const nonNegative = fc.tuple(positive, positive).map(([n, d]) => rational(n - 1n, d));

it('is a field, always reduced', () => {
  fc.assert(
    fc.property(anyRational, anyRational, anyRational, (a, b, c) => {
      expect(add(add(a, b), c)).toEqual(add(a, add(b, c)));
      expect(mul(a, add(b, c))).toEqual(add(mul(a, b), mul(a, c)));
      expect(sub(a, b)).toEqual(add(a, neg(b)));
      if (b.n !== 0n) expect(mul(div(a, b), b)).toEqual(a);
      expect(cmp(a, b)).toBe(-cmp(b, a) + 0);
      expect(cmp(add(a, rational(1n)), a)).toBe(1);
    }),
  );
  expect(rational(6n, -4n)).toEqual({ n: -3n, d: 2n });
  expect(rational(0n, -7n)).toEqual({ n: 0n, d: 1n });
  expect(() => rational(1n, 0n)).toThrow('assertion failed');
});

it('reads decimals and fractions exactly, so that 0.1 + 0.2 is 0.3', () => {
  expect(add(parseRational('0.1'), parseRational('0.2'))).toEqual(parseRational('0.3'));
  expect(parseRational('-0.5')).toEqual({ n: -1n, d: 2n });
  expect(parseRational('2/6')).toEqual({ n: 1n, d: 3n });
  for (const text of ['', '1/0', '1e3', '.5', '1.', '1/-2', '1.5/2', 'NaN', '9'.repeat(500)]) {
    expect(() => parseRational(text), text).toThrow(RangeError);
  }
});

it('prints what ends exactly, and rounds the rest half to even to the digits asked for', () => {
  const print = (n: bigint, d: bigint, significant = 12) => toDecimal(rational(n, d), { significant });
  expect(print(1n, 8n)).toBe('0.125');
  expect(print(-5n, 2n)).toBe('-2.5');
  expect(print(7n, 1n)).toBe('7');
  expect(print(0n, 1n)).toBe('0');
  expect(print(10n ** 40n + 1n, 1n)).toBe('10000000000000000000000000000000000000001');
  expect(print(1n, 3n)).toBe('0.333333333333');
  expect(print(2n, 3n, 3)).toBe('0.667');
  expect(print(1n, 3000n, 3)).toBe('0.000333');
  expect(print(1000n, 3n, 3)).toBe('333');
  expect(print(29_999n, 3n, 3)).toBe('10000');
  expect(print(2999n, 300n, 3)).toBe('10.0');
  expect(print(29_999n, 30_000n, 3)).toBe('1.00');
  expect(print(1n, 8n, 2)).toBe('0.12');
  expect(print(3n, 8n, 2)).toBe('0.38');
});

it('prints within half a unit of its last digit', () => {
  fc.assert(
    fc.property(anyRational, fc.integer({ min: 1, max: 40 }), (r, significant) => {
      const text = toDecimal(r, { significant });
      expect(text).toMatch(/^-?(0|[1-9]\d*)(\.\d+)?$/);
      const places = text.split('.')[1]?.length ?? 0;
      const error = sub(parseRational(text), r);
      const size = error.n < 0n ? neg(error) : error;
      if (size.n !== 0n) {
        expect(cmp(size, rational(1n, 2n * 10n ** BigInt(places)))).toBeLessThanOrEqual(0);
        expect(text.replace(/^-?(0\.0*)?/, '').replace('.', '').length).toBeGreaterThanOrEqual(significant);
      }
    }),
  );
});

it('becomes the nearest double, from the smallest to the largest', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => {
      expect(toNumber(exactly(x))).toBe(x === 0 ? 0 : x);
    }),
  );
  fc.assert(
    fc.property(fc.double({ noNaN: true, min: 1e-320, max: 1e300 }), fc.constantFrom(1n, 2n, 3n), (x, quarters) => {
      // Between two neighbours, at a quarter, half and three quarters of the way: half goes to the even one.
      const [below, above] = [exactly(x), exactly(next(x))];
      const between = add(below, mul(sub(above, below), rational(quarters, 4n)));
      const isAboveEven = ((above.n * 2n ** 1074n) / above.d) % (2n * gapUnits(below, above)) === 0n;
      const expected = quarters === 1n ? x : quarters === 3n ? next(x) : isAboveEven ? next(x) : x;
      expect(toNumber(between)).toBe(expected);
      expect(toNumber(neg(between))).toBe(-expected);
    }),
  );
  expect(toNumber(rational(1n, 3n))).toBe(1 / 3);
  expect(toNumber(rational(10n ** 400n))).toBe(Infinity);
  expect(toNumber(rational(1n, 10n ** 400n))).toBe(0);
});

it('takes square roots exactly where they are rational, else rounds as the true root would', () => {
  expect(sqrtDecimal(rational(9n, 16n), { significant: 12 })).toBe('0.75');
  expect(sqrtDecimal(rational(2n), { significant: 30 })).toBe('1.41421356237309504880168872421');
  expect(sqrtDecimal(rational(2n, 10n ** 20n), { significant: 5 })).toBe('0.00000000014142');
  expect(sqrtDecimal(rational(0n), { significant: 5 })).toBe('0');
  fc.assert(
    fc.property(nonNegative, fc.integer({ min: 1, max: 30 }), (r, significant) => {
      const text = sqrtDecimal(r, { significant });
      const places = text.split('.')[1]?.length ?? 0;
      const half = rational(1n, 2n * 10n ** BigInt(places));
      const [low, high] = [sub(parseRational(text), half), add(parseRational(text), half)];
      expect(cmp(low, rational(0n)) < 0 || cmp(mul(low, low), r) <= 0).toBe(true);
      expect(cmp(mul(high, high), r)).toBeGreaterThanOrEqual(0);
    }),
  );
});

it('takes square roots as doubles, the nearest ones', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, min: 1e-300, max: 1e300 }), (x) => {
      // IEEE 754 asks Math.sqrt for the nearest double.
      expect(sqrtNumber(exactly(x))).toBe(Math.sqrt(x));
    }),
  );
  expect(sqrtNumber(rational(0n))).toBe(0);
  expect(() => sqrtNumber(rational(-1n))).toThrow('assertion failed');
});

function exactly(x: number): Rational {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  const m = exponent === 0 ? fraction : fraction | (1n << 52n);
  const e = Math.max(exponent, 1) - 1075;
  const magnitude = e < 0 ? rational(m, 1n << BigInt(-e)) : rational(m << BigInt(e));
  return bits >> 63n === 1n ? neg(magnitude) : magnitude;
}

function next(x: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  view.setBigUint64(0, view.getBigUint64(0) + 1n);
  return view.getFloat64(0);
}

/** The distance of two neighbours, in units of 2^-1074. */
function gapUnits(below: Rational, above: Rational): bigint {
  const gap = sub(above, below);
  return (gap.n << 1074n) / gap.d;
}
