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
const pieceBytes = 64 * 1024;

/** A mask of 16 bytes for each row: block c of H(row ⊕ offset). */
export function maskRows(pi: AesPermutation, rows: Uint8Array, offset: Uint8Array, c: number, masks: Uint8Array): void {
  eachPiece(pi, rows, offset, c, (hashed, ciphered, first) => {
    kernels().xorInto(hashed, ciphered);
    masks.set(hashed, 16 * first);
  });
}

/** The first word of each row's mask. */
export function firstWords(pi: AesPermutation, rows: Uint8Array, offset: Uint8Array, words: BigUint64Array): void {
  eachPiece(pi, rows, offset, 0, (hashed, ciphered, first) => {
    kernels().maskWords(hashed, ciphered, words.subarray(first, first + hashed.length / 16));
  });
}

/** The first bit of each row's mask, packed. */
export function firstBits(pi: AesPermutation, rows: Uint8Array, offset: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(rows.length / 128));
  eachPiece(pi, rows, offset, 0, (hashed, ciphered, first) => {
    const octets = Math.floor(hashed.length / 128);
    const whole = bits.subarray(first / 8, first / 8 + octets);
    kernels().maskBits(hashed.subarray(0, 128 * octets), ciphered.subarray(0, 128 * octets), whole);
    for (let at = 128 * octets; at < hashed.length; at += 16) {
      bits[(first >> 3) + octets]! |= ((hashed[at]! ^ ciphered[at]!) & 1) << ((at >> 4) & 7);
    }
  });
  return bits;
}

/** y and π(y) of the rows from `first` on; y lies in reserved memory. */
function eachPiece(
  pi: AesPermutation,
  rows: Uint8Array,
  offset: Uint8Array,
  c: number,
  f: (hashed: Uint8Array, ciphered: Uint8Array, first: number) => void,
): void {
  for (let start = 0; start < rows.length; start += pieceBytes) {
    const piece = rows.subarray(start, start + pieceBytes);
    const [y] = kernels().reserve(piece.length);
    kernels().sigma(piece, y!, offset, c);
    f(y!, pi(y!), start / 16);
  }
}
