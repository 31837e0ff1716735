/**
 * The code that turns sparse noise into pseudorandom rows: expand–convolute, after Raghuraman, Rindal and Tanguy
 * (CRYPTO 2023), in the dual form of learning parity with noise, as Boyle et al. (CRYPTO 2019) use it.
 *
 * Of n = 2N rows e it makes the N rows B·(A·e). A is a convolution of memory 24: y_i = e_i ⊕ Σ a_ij·y_{i−j}, with random
 * bits a_ij, 1 ≤ j ≤ 24. B adds up 21 of the rows for each row of the result, one out of each of 21 equal parts, so
 * that none of its rows begins late in the convolution. A and B are public, and the same in every session: they are
 * AES's keystream under a key that is hashed from a fixed name.
 *
 * Where the noise is of elements of GF(2^128) and not of bits, the code is B·D·A, with D a random power of x, from x^0 to
 * x^31, for each row. A and B alone are of bits: what they make of t elements is 128 words of a binary code whose errors
 * are at the same places. Then Gauss's algorithm finds parity checks that are all zero at half of the places (Metzner
 * and Kapturowski, 1990), and under them every row is a sum of the t/2 elements at the others: where t/2 < 128 that is
 * a space that random rows do not lie in, and the noise falls with it. D ends that: behind it an element comes with many
 * powers of x, so that a few of them span all 128 dimensions, under whatever checks of bits.
 *
 * Security  That code words of low weight cannot be found (relative weight under 0.2 for 21 × 24, by the paper's
 *           experiments; 0.15 for 7 × 24, which costs a third of the sums). Then no linear test tells N rows with t
 *           noisy places, one at random in each of t parts of n, from random ones with more than (1 − 2·0.2)^t: 2^-129
 *           for t = 176. Where the noisy places hold elements of a large field, a test that meets one of them is as
 *           even as can be and one that meets none sees nothing: (1 − 0.2)^t, which is 2^-128 for t = 400. That D takes
 *           nothing from the distance is part of the assumption: a sum of rows that A and B keep sparse would have to be
 *           zero in 32 classes of rows at once.
 * Memory    9 MB a thread and length: the tables, and room for the rows, are made once and stay.
 * @module
 */
import { platform } from '#platform';
import { assert } from '../algebra/assert.ts';
import { utf8 } from '../algebra/bytes.ts';
import { timesPowers } from '../algebra/gf128.ts';
import { sha256 } from '../algebra/hash.ts';
import { type Kernels, newKernels } from '../kernels/kernels.ts';

/** Rows that one row of the result sums up, in passes of 7: a pass reads a third of the rows, which a cache holds. */
const passes = 3;
const weight = 7 * passes;

/** Bits of the taps of row 4g + r: of the 24 rows before it, those of its own four are counted apart. */
const tapMasks = Uint32Array.from({ length: 4 }, (_, r) => {
  const oldest = (0b1111 << r) & 0b1111;
  const own = 2 ** r - 1;
  return 0x000f_ffff | (oldest << 20) | (own << 24);
});

/** The code of one length, and the memory that it works in. */
export interface ExpandConvolute {
  /** Its kernels; what they reserve is here for good. */
  readonly kernels: Kernels;
  /** n rows: the noise, which `encode` spends. */
  readonly noise: Uint8Array;
  /** Room for one piece of what is ciphered, and for the sums of trees. */
  readonly scratch: Uint8Array;
  /** N rows, until the next call. */
  encode(): Uint8Array;
}

/** What the noise is of: the code of bits serves no larger field, and that of elements more than bits need. */
export type CodeOver = 'bits' | 'elements';

/** The tables of the code for n rows, by its name alone. */
export function codeTables(n: number): { taps: Uint8Array; places: Uint8Array; powers: Uint8Array } {
  assert(n % 8 === 0 && n / weight < 65_536, 'rows come in eights, and places have 16 bits');
  const stream = platform.aesStream(sha256(utf8(`folkmoot expand-convolute ${weight}x24 v1`)).slice(0, 16));
  const taps = new Uint32Array(n);
  stream.fill(bytesOf(taps));
  for (let i = 0; i < n; i++) taps[i]! &= tapMasks[i % 4]!;
  const outs = n / 2;
  const places = new Uint16Array(outs * weight);
  const random = new Uint32Array(outs * weight);
  stream.fill(bytesOf(random));
  let at = 0;
  for (const { rows } of parts(n)) {
    for (let i = 0; i < outs; i++) {
      for (let j = 0; j < 7; j++, at++) {
        const length = Math.floor(((j + 1) * rows) / 7) - Math.floor((j * rows) / 7);
        places[at] = Math.floor((random[at]! * length) / 2 ** 32);
      }
    }
  }
  const powers = new Uint8Array(16 * Math.ceil(n / 16));
  stream.fill(powers);
  for (let i = 0; i < n; i++) powers[i]! &= 31;
  return { taps: bytesOf(taps), places: bytesOf(places), powers: powers.subarray(0, n) };
}

/** A code of n rows, whose scratch has so many bytes. */
export function expandConvolute(
  n: number,
  scratchBytes: number,
  k: Kernels = newKernels(),
  over: CodeOver = 'bits',
): ExpandConvolute {
  const tables = codeTables(n);
  const sizes = [16 * n, tables.taps.length, tables.places.length, 8 * n, scratchBytes];
  const [noise, taps, places, out, scratch] = k.reserve(...sizes) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  taps.set(tables.taps);
  places.set(tables.places);
  const pass = places.length / passes;
  return {
    kernels: k,
    noise,
    scratch,
    encode() {
      k.convolve(noise, taps);
      if (over === 'elements') timesPowers(noise, tables.powers);
      out.fill(0);
      for (const [i, { from, rows }] of parts(n).entries()) {
        k.gather(noise.subarray(16 * from, 16 * (from + rows)), places.subarray(i * pass, (i + 1) * pass), out);
      }
      return out;
    },
  };
}

/** The part of the rows that each pass reads. */
function parts(n: number): { from: number; rows: number }[] {
  return Array.from({ length: passes }, (_, i) => {
    const from = Math.floor((i * n) / passes);
    return { from, rows: Math.floor(((i + 1) * n) / passes) - from };
  });
}

function bytesOf(words: Uint16Array | Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
