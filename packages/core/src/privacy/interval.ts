/**
 * Real numbers between two bounds, in fixed point over integers: the arithmetic that privacy parameters come from.
 *
 * A number x is held as integers lo ≤ x·2^256 ≤ hi. Every operation rounds lo down and hi up, so the true result lies
 * within, whatever the inputs; floating point has no part. The logarithm is 2·artanh((x−1)/(x+1)) after x is brought
 * into [1, 2), the exponential is Taylor's series after a multiple of ln 2 is taken out; each is run once rounding down
 * and once rounding up, and the rounding-up run adds a bound of what it leaves out.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { bitLength, floorSqrt } from '../algebra/integer-root.ts';
import { type Rational, toNumber } from '../algebra/rational.ts';

/** Bounds in units of 2^−256. */
export interface Interval {
  readonly lo: bigint;
  readonly hi: bigint;
}

type Direction = 'down' | 'up';

export const fractionBits = 256n;
const unit = 1n << fractionBits;

export const zero: Interval = { lo: 0n, hi: 0n };
export const one: Interval = { lo: unit, hi: unit };
/** The digits of π and ln 2, cut; a test computes both again from series of its own. */
export const pi = cut(0x3243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89n);
export const ln2 = cut(0xb17217f7d1cf79abc9e3b39803f2f6af40f343267298b62d8a0d175b8baafa2bn);

function cut(lo: bigint): Interval {
  return { lo, hi: lo + 1n };
}

export function exactly(r: Rational): Interval {
  return { lo: quotient(r.n << fractionBits, r.d, 'down'), hi: quotient(r.n << fractionBits, r.d, 'up') };
}

export function whole(n: bigint): Interval {
  return { lo: n << fractionBits, hi: n << fractionBits };
}

export function plus(a: Interval, b: Interval): Interval {
  return { lo: a.lo + b.lo, hi: a.hi + b.hi };
}

export function minus(a: Interval, b: Interval): Interval {
  return { lo: a.lo - b.hi, hi: a.hi - b.lo };
}

export function times(a: Interval, b: Interval): Interval {
  const products = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
  return { lo: quotient(least(products), unit, 'down'), hi: quotient(greatest(products), unit, 'up') };
}

/** a/b for b > 0. */
export function over(a: Interval, b: Interval): Interval {
  assert(b.lo > 0n, 'nothing is divided by what may be zero');
  const { lo, hi } = { lo: a.lo << fractionBits, hi: a.hi << fractionBits };
  return { lo: quotient(lo, lo < 0n ? b.lo : b.hi, 'down'), hi: quotient(hi, hi < 0n ? b.hi : b.lo, 'up') };
}

/** √a for a ≥ 0. */
export function sqrt(a: Interval): Interval {
  assert(a.lo >= 0n, 'a root is taken of what is not negative');
  const hi = floorSqrt(a.hi << fractionBits);
  return { lo: floorSqrt(a.lo << fractionBits), hi: hi * hi === a.hi << fractionBits ? hi : hi + 1n };
}

/** ln a for a > 0. */
export function ln(a: Interval): Interval {
  assert(a.lo > 0n, 'a logarithm is taken of what is positive');
  return { lo: lnToward(a.lo, 'down'), hi: lnToward(a.hi, 'up') };
}

/** e^a for a below 2^10. */
export function exp(a: Interval): Interval {
  assert(a.hi < unit << 10n, 'an exponent is below 1,024');
  return { lo: expToward(a.lo, 'down'), hi: expToward(a.hi, 'up') };
}

/** The double in the middle, for display. */
export function middle(a: Interval): number {
  return toNumber({ n: a.lo + a.hi, d: 2n << fractionBits });
}

/** e^(the middle) as a double, for display: exact to a few units in its last place, far below 2^−256 too. */
export function expMiddle(a: Interval): number {
  const twos = Math.round(middle(a) / Math.LN2);
  return Math.exp(middle(minus(a, times(whole(BigInt(twos)), ln2)))) * 2 ** twos;
}

/** n/d rounded toward −∞ or +∞, for d > 0. */
export function quotient(n: bigint, d: bigint, toward: Direction): bigint {
  const cutOff = n / d;
  const rest = n - cutOff * d;
  if (toward === 'down') return rest < 0n ? cutOff - 1n : cutOff;
  return rest > 0n ? cutOff + 1n : cutOff;
}

/** x = m·2^e with m in [1, 2), so that ln x = e·ln 2 + 2·artanh(z) with z = (m−1)/(m+1) in [0, 1/3). */
function lnToward(x: bigint, toward: Direction): bigint {
  const top = bitLength(x) - 1;
  const power = 1n << BigInt(top);
  const z = quotient((x - power) << fractionBits, x + power, toward);
  const e = BigInt(top) - fractionBits;
  const twos = e >= 0n === (toward === 'up') ? e * ln2.hi : e * ln2.lo;
  return twos + 2n * artanhToward(z, toward);
}

/** z + z³/3 + z⁵/5 + … for 0 ≤ z ≤ 1/3. */
function artanhToward(z: bigint, toward: Direction): bigint {
  const square = quotient(z * z, unit, toward);
  // Rounded up, a power never falls below one unit.
  const least = toward === 'up' && z > 0n ? 1n : 0n;
  let power = z;
  let sum = z;
  for (let odd = 3n; power > least; odd += 2n) {
    power = quotient(power * square, unit, toward);
    sum += quotient(power, odd, toward);
  }
  // All terms are positive, so a sum cut short is a lower bound; what follows a power of one unit is below
  // 1/9 + 1/81 + … < 1 unit.
  return toward === 'up' ? sum + least : sum;
}

/** x = k·ln 2 + f with f in [0, 2·ln 2), so that e^x = 2^k·e^f. */
function expToward(x: bigint, toward: Direction): bigint {
  // One less than the quotient, so that f is positive however ln 2 is rounded.
  const k = quotient(x, ln2.hi, 'down') - 1n;
  // Far below one unit the bounds are 0 and 1, without the work.
  if (k < -2n * fractionBits) return toward === 'up' ? 1n : 0n;
  const f = x - k * (k >= 0n === (toward === 'up') ? ln2.lo : ln2.hi);
  const power = taylorToward(f, toward);
  if (k >= 0n) return power << k;
  return quotient(power, 1n << -k, toward);
}

/** 1 + f + f²/2! + … for 0 ≤ f ≤ 2. */
function taylorToward(f: bigint, toward: Direction): bigint {
  assert(f >= 0n && f <= 2n * unit, 'the argument is reduced');
  let sum = unit;
  let term = unit;
  for (let n = 1n; term > 1n || n < 8n; n++) {
    term = quotient(term * f, unit * n, toward);
    sum += term;
  }
  // What follows a term of at most one unit, n ≥ 8, is below 2/8 + (2/8)² + … < 1 unit.
  return toward === 'up' ? sum + 1n : sum;
}

function least(values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (b < a ? b : a));
}

function greatest(values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (b > a ? b : a));
}
