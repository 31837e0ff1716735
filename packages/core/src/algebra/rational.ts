/**
 * Exact fractions of integers, always reduced, with a positive denominator; and their way out into decimals.
 *
 * Statistics stay exact to the last step, which is one correctly rounded decimal (half to even) or one correctly rounded
 * double. Square roots are taken of integers, with as many digits as are asked for.
 * @module
 */
import { assert } from './assert.ts';
import { bitLength, floorSqrt } from './integer-root.ts';

export interface Rational {
  readonly n: bigint;
  /** Positive; no common factor with n. */
  readonly d: bigint;
}

/** Long enough for any number in a document, short enough that parsing costs nothing. */
const textCharsMax = 400;

export function rational(n: bigint, d: bigint = 1n): Rational {
  assert(d !== 0n, 'a denominator is not zero');
  const factor = gcd(abs(n), abs(d));
  const sign = d < 0n ? -1n : 1n;
  return { n: (sign * n) / factor, d: (sign * d) / factor };
}

/** @throws RangeError unless the text is `-12`, `0.1` or `1/3`. */
export function parseRational(text: string): Rational {
  const match = text.length <= textCharsMax ? /^(-?\d+)(?:\.(\d+)|\/(\d+))?$/.exec(text) : null;
  if (match === null) throw new RangeError('not a decimal number or a fraction');
  const [, whole, decimals = '', denominator = '1'] = match;
  const d = BigInt(denominator);
  if (d === 0n) throw new RangeError('a denominator is zero');
  return rational(BigInt(whole! + decimals), d * 10n ** BigInt(decimals.length));
}

export function add(a: Rational, b: Rational): Rational {
  return rational(a.n * b.d + b.n * a.d, a.d * b.d);
}

export function sub(a: Rational, b: Rational): Rational {
  return rational(a.n * b.d - b.n * a.d, a.d * b.d);
}

export function mul(a: Rational, b: Rational): Rational {
  return rational(a.n * b.n, a.d * b.d);
}

export function div(a: Rational, b: Rational): Rational {
  assert(b.n !== 0n, 'nothing is divided by zero');
  return rational(a.n * b.d, a.d * b.n);
}

export function neg(a: Rational): Rational {
  return { n: -a.n, d: a.d };
}

/** −1, 0 or 1. */
export function cmp(a: Rational, b: Rational): -1 | 0 | 1 {
  const difference = a.n * b.d - b.n * a.d;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** How many significant digits a decimal is to have where it does not end by itself. */
export interface Precision {
  readonly significant: number;
}

/**
 * Exact where it ends within so many digits, else rounded half to even to exactly so many; never an exponent. An
 * integer is always exact, however many digits it has.
 */
export function toDecimal(r: Rational, { significant }: Precision): string {
  assert(Number.isInteger(significant) && significant >= 1, 'at least one digit is wanted');
  if (r.d === 1n) return r.n.toString();
  const magnitude: Rational = { n: abs(r.n), d: r.d };
  // The digits after the point that leave `significant` ones in all.
  const places = Math.max(significant - 1 - exponentOf(magnitude), 0);
  const scaled = roundedQuotient(magnitude.n * 10n ** BigInt(places), magnitude.d);
  const exact = scaled * magnitude.d === magnitude.n * 10n ** BigInt(places);
  return placePoint(scaled, places, r.n < 0n, exact, significant);
}

/** The nearest double (half to even); ±Infinity beyond the largest. */
export function toNumber(r: Rational): number {
  if (r.n === 0n) return 0;
  const n = abs(r.n);
  // |r| = m × 2^e with m rounded to 53 bits, or to fewer where doubles are evenly spaced near zero: the product is exact.
  const e = Math.max(floorLog2({ n, d: r.d }) - 52, -1074);
  const m = e < 0 ? roundedQuotient(n << BigInt(-e), r.d) : roundedQuotient(n, r.d << BigInt(e));
  const magnitude = Number(m) * 2 ** e;
  return r.n < 0n ? -magnitude : magnitude;
}

/** √r as a decimal: exact where it ends within so many digits, else rounded to so many. */
export function sqrtDecimal(r: Rational, { significant }: Precision): string {
  assert(r.n >= 0n, 'a square root is taken of what is not negative');
  if (r.n === 0n) return '0';
  const n = floorSqrt(r.n);
  const d = floorSqrt(r.d);
  if (n * n === r.n && d * d === r.d) return toDecimal(rational(n, d), { significant });
  // √r is irrational: it never lies half-way, and a last digit 1 stands for all that follow, so it rounds as √r does.
  const places = Math.max(significant + 2 - Math.floor(exponentOf(r) / 2), 1);
  const root = floorSqrt((r.n * 100n ** BigInt(places)) / r.d);
  return toDecimal(rational(root * 10n + 1n, 10n ** BigInt(places + 1)), { significant });
}

/** The nearest double to √r. */
export function sqrtNumber(r: Rational): number {
  assert(r.n >= 0n, 'a square root is taken of what is not negative');
  if (r.n === 0n) return 0;
  // A root of 64 bits or more, its last bit standing for all that follow, rounds to 53 as √r does.
  const s = Math.max(Math.ceil((130 - floorLog2(r)) / 2), 0);
  const scaled = r.n << BigInt(2 * s);
  const root = floorSqrt(scaled / r.d);
  const sticky = root * root * r.d === scaled ? 0n : 1n;
  return toNumber(rational(2n * root + sticky, 2n << BigInt(s)));
}

function abs(n: bigint): bigint {
  return n < 0n ? -n : n;
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

/** The e with 2^e ≤ r < 2^(e+1), for a positive r. */
function floorLog2(r: Rational): number {
  const guess = bitLength(r.n) - bitLength(r.d);
  const isBelow = guess >= 0 ? r.n < r.d << BigInt(guess) : r.n << BigInt(-guess) < r.d;
  return isBelow ? guess - 1 : guess;
}

/** The e with 10^e ≤ r < 10^(e+1), for a positive r. */
function exponentOf(r: Rational): number {
  const guess = r.n.toString().length - r.d.toString().length;
  const isBelow = guess >= 0 ? r.n < r.d * 10n ** BigInt(guess) : r.n * 10n ** BigInt(-guess) < r.d;
  return isBelow ? guess - 1 : guess;
}

/** The nearest integer to n/d, half to even, for what is not negative. */
function roundedQuotient(n: bigint, d: bigint): bigint {
  const quotient = n / d;
  const twice = 2n * (n - quotient * d);
  return twice > d || (twice === d && quotient % 2n === 1n) ? quotient + 1n : quotient;
}

function placePoint(scaled: bigint, places: number, isNegative: boolean, exact: boolean, significant: number): string {
  const digits = scaled.toString().padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  let fraction = digits.slice(digits.length - places);
  if (exact) fraction = fraction.replace(/0+$/, '');
  // Rounding 9.99… up to 10.00… gives one digit more than was asked for.
  else if (scaled.toString().length > significant && fraction !== '') fraction = fraction.slice(0, -1);
  return `${isNegative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}
