/**
 * Sums and powers of x in GF(2^128), for rows of 16 bytes in the form of `table128`: bit j of byte i is the coefficient
 * of x^(8i+j), and x^128 = x^7 + x^2 + x + 1.
 *
 * Neither has a table or a branch that depends on an element; the powers are public.
 * @module
 */
import { assert } from './assert.ts';

/** Each row times x to its power, which is below 32. */
export function timesPowers(rows: Uint8Array, powers: Uint8Array): void {
  assert(rows.length === 16 * powers.length, 'there is a power for each row');
  const w = new Uint32Array(rows.buffer, rows.byteOffset, rows.length / 4);
  for (let i = 0, at = 0; i < powers.length; i++, at += 4) {
    const k = powers[i]! & 31;
    // A shift by 32 would be one by 0.
    if (k === 0) continue;
    const r = 32 - k;
    const over = w[at + 3]! >>> r;
    w[at + 3] = (w[at + 3]! << k) | (w[at + 2]! >>> r);
    w[at + 2] = (w[at + 2]! << k) | (w[at + 1]! >>> r);
    w[at + 1] = ((w[at + 1]! << k) | (w[at]! >>> r)) ^ (over >>> 31) ^ (over >>> 30) ^ (over >>> 25);
    w[at] = (w[at]! << k) ^ over ^ (over << 1) ^ (over << 2) ^ (over << 7);
  }
}

/** Of each 128 rows r_0, r_1, … the sum of r_i·x^i, by Horner's rule. */
export function packRows(rows: Uint8Array): Uint8Array {
  assert(rows.length % (128 * 16) === 0 && rows.byteOffset % 4 === 0, 'rows are packed by 128');
  const w = new Uint32Array(rows.buffer, rows.byteOffset, rows.length / 4);
  const packed = new Uint32Array(w.length / 128);
  for (let at = 0; at < packed.length; at += 4) {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let from = 128 * at + 4 * 127; from >= 128 * at; from -= 4) {
      const over = d >>> 31;
      d = ((d << 1) | (c >>> 31)) ^ w[from + 3]!;
      c = ((c << 1) | (b >>> 31)) ^ w[from + 2]!;
      b = ((b << 1) | (a >>> 31)) ^ w[from + 1]!;
      a = (a << 1) ^ (0x87 & -over) ^ w[from]!;
    }
    packed[at] = a;
    packed[at + 1] = b;
    packed[at + 2] = c;
    packed[at + 3] = d;
  }
  return new Uint8Array(packed.buffer);
}
