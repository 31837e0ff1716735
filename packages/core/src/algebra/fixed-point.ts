/**
 * Decimal texts as exact integers: a column of scale s holds v × 10^s.
 *
 * Nothing is rounded: a text with more digits after the point than the scale is refused, zeros included, so that a
 * value has one way into the ring. No exponents, no plus sign, no separators, no floating point.
 * @module
 */
import { assert } from './assert.ts';

/** More than any column's bounds need (192 bits have 58 digits), and short enough that parsing costs nothing. */
const digitsMax = 80;
const scaleMax = 38;

/** @throws RangeError for a text of another form, with too many digits after the point, or over 80 digits. */
export function encodeDecimal(text: string, scale: number): bigint {
  assertScale(scale);
  const match = text.length <= digitsMax + 2 ? /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) : null;
  if (match === null) throw new RangeError('not a decimal number');
  const [, sign, whole, fraction = ''] = match;
  if (fraction.length > scale) throw new RangeError(`more than ${scale} digits after the point`);
  const magnitude = BigInt(whole! + fraction.padEnd(scale, '0'));
  return sign === '-' ? -magnitude : magnitude;
}

/** With exactly `scale` digits after the point, as a SQL engine prints a DECIMAL of that scale. */
export function decodeDecimal(value: bigint, scale: number): string {
  assertScale(scale);
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const sign = value < 0n ? '-' : '';
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function assertScale(scale: number): void {
  assert(Number.isInteger(scale) && scale >= 0 && scale <= scaleMax, 'a scale is an integer from 0 to 38');
}
