/**
 * The hash that breaks correlated rows into independent masks: MMO with σ, after Guo, Katz, Wang and Yu (IEEE S&P 2020).
 *
 * H_c(x) = π(y) ⊕ y with y = σ(x) ⊕ c, σ(l ‖ r) = (l ⊕ r) ‖ l, and π AES-128 under a public key that is another one in
 * each session. It is circular correlation robust where π is an ideal permutation and the rows are not of an adversary's
 * making: the rows here come from a pseudorandom generator and repeat with probability 2^-128 a pair. c counts the
 * blocks of a longer mask.
 * @module
 */
import type { AesPermutation } from '../algebra/platform.ts';
import { kernels } from '../kernels/kernels.ts';

/** Rows go through AES in pieces of so many bytes, which stay in a core's cache. */
const pieceBytes = 128 * 1024;

/** A mask of 16 bytes for each row: block c of H(row ⊕ offset). */
export function correlationHash(pi: AesPermutation, rows: Uint8Array, offset: Uint8Array, c: number): Uint8Array {
  const masks = new Uint8Array(rows.length);
  for (let start = 0; start < rows.length; start += pieceBytes) {
    const piece = rows.subarray(start, start + pieceBytes);
    const [y] = kernels().reserve(piece.length);
    kernels().sigma(piece, y!, offset, c);
    const mask = masks.subarray(start, start + piece.length);
    mask.set(pi(y!));
    kernels().xorInto(mask, y!);
  }
  return masks;
}
