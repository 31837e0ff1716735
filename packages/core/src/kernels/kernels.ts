/**
 * The loops that oblivious transfer lives in, over packed memory: a WebAssembly form, and a plain one of the same bytes.
 *
 * `kernels()` makes the WebAssembly form at the first call and keeps it; where there is no WebAssembly, or none with
 * SIMD, it is the plain one. Nothing here is secret-dependent in time but the tables of `multiply128`, which are
 * indexed by bytes of public or masked elements only.
 *
 * Bits are packed: bit i is bit i mod 8 of byte ⌊i / 8⌋. A row has 128 bits; a column has one bit of each row.
 * @module
 */
import { plainKernels } from './plain.ts';
import { wasmKernels } from './wasm.ts';

export interface Kernels {
  readonly name: 'wasm' | 'plain';
  /**
   * Zeroed or not, memory of these sizes in which the kernels work without copies. The next call takes it back, so it is
   * for one synchronous stretch of work; `transpose` and `fold` work there alone.
   */
  reserve(...sizes: readonly number[]): Uint8Array[];
  /** 128 columns, one after the other, into rows of 16 bytes. A column has a multiple of 16 bytes. */
  transpose(columns: Uint8Array, rows: Uint8Array): void;
  /**
   * Of `count` leaves (a power of 2, one after the other), leaf 0 becomes the xor of all, and leaf 2^b the xor of those
   * whose number has bit b. The others are spent.
   */
  fold(leaves: Uint8Array, count: number): void;
  xorInto(target: Uint8Array, other: Uint8Array): void;
  andInto(target: Uint8Array, other: Uint8Array): void;
  /** target += other, in Z_2^64. */
  addInto(target: BigUint64Array, other: BigUint64Array): void;
  subInto(target: BigUint64Array, other: BigUint64Array): void;
  mulInto(target: BigUint64Array, other: BigUint64Array): void;
  /** target += 2^shift · other. */
  addShiftedInto(target: BigUint64Array, other: BigUint64Array, shift: number): void;
  /** target[i] += other[i] where bit i is set. A multiple of 8 words. */
  selectInto(target: BigUint64Array, other: BigUint64Array, bits: Uint8Array): void;
  /** out = σ(row ⊕ offset) ⊕ tweak for each row, with σ(l ‖ r) = (l ⊕ r) ‖ l and the tweak in the first word. */
  sigma(rows: Uint8Array, out: Uint8Array, offset: Uint8Array, tweak: number): void;
  /** The first bit of each row. A multiple of 8 rows. */
  lowBits(rows: Uint8Array, out: Uint8Array): void;
  /** The first 64 bits of each row's mask, which is y ⊕ π(y): `hashed` are the y, `ciphered` the π(y). */
  maskWords(hashed: Uint8Array, ciphered: Uint8Array, out: BigUint64Array): void;
  /** The first bit of each row's mask. A multiple of 8 rows. */
  maskBits(hashed: Uint8Array, ciphered: Uint8Array, out: Uint8Array): void;
  /** The low bits of each word, one after the other. A multiple of 8 words. */
  narrow(words: BigUint64Array, out: Uint8Array, bits: number): void;
  /** Words of so many bits each. */
  widen(bytes: Uint8Array, out: BigUint64Array, bits: number): void;
  /** out = the row, plus the term by xor where bit i is set. A multiple of 8 rows. */
  xorWhere(rows: Uint8Array, out: Uint8Array, bits: Uint8Array, term: Uint8Array): void;
  /** The low bit of each row becomes 0. */
  clearLowBits(rows: Uint8Array): void;
  /**
   * One level of correlated trees: of each node x, with y = σ(x) and `ciphered` that of π(y), the left child is π(y) ⊕ y
   * and the right one the left ⊕ x. The left ones take the nodes' place; each is added to the sum of its tree, and the
   * trees take turns: sums[i mod the number of sums]. In reserved memory alone.
   */
  grow(nodes: Uint8Array, right: Uint8Array, ciphered: Uint8Array, sums: Uint8Array): void;
  /**
   * Rows in fours: each becomes the sum of itself and of those before it that its taps name, as these are by then. Taps
   * have 4 bytes a row: bits 4(m − 1) + r name row r of the four that is m back, bits 24 + r row r of its own four. A
   * multiple of 4 rows, in reserved memory alone.
   */
  convolve(rows: Uint8Array, taps: Uint8Array): void;
  /**
   * To each row of `out` comes one row from each seventh of `rows`; seventh j begins at ⌊j · count / 7⌋. Places have 7
   * numbers of 16 bits for a row of `out`. In reserved memory alone.
   */
  gather(rows: Uint8Array, places: Uint8Array, out: Uint8Array): void;
  /** Each 16-byte element times the one that the table is of. */
  multiply128(elements: Uint8Array, table: Uint8Array): void;
}

let chosen: Kernels | undefined;

/** The fastest form that this runtime has. */
export function kernels(): Kernels {
  chosen ??= newKernels();
  return chosen;
}

/** The same with a memory of its own, for who reserves it once and for good. */
export function newKernels(): Kernels {
  return wasmKernels() ?? plainKernels;
}

/**
 * The products of one element of GF(2^128) with every byte at every place: 16 tables of 256 elements, 64 KiB.
 * Bit j of byte i is the coefficient of x^(8i+j), and x^128 = x^7 + x^2 + x + 1.
 */
export function table128(factor: Uint8Array): Uint8Array<ArrayBuffer> {
  const table = new Uint8Array(16 * 256 * 16);
  const power = new Uint8Array(factor);
  for (let place = 0; place < 16; place++) {
    for (let bit = 0; bit < 8; bit++) {
      // What is known of the lower bits, each once more with this bit.
      const span = 1 << bit;
      for (let low = 0; low < span; low++) {
        const [from, to] = [(place * 256 + low) * 16, (place * 256 + span + low) * 16];
        for (let i = 0; i < 16; i++) table[to + i] = table[from + i]! ^ power[i]!;
      }
      double128(power);
    }
  }
  return table;
}

/** Times x. */
function double128(element: Uint8Array): void {
  let carry = 0;
  for (let i = 0; i < 16; i++) {
    const byte = element[i]!;
    element[i] = (byte << 1) | carry;
    carry = byte >> 7;
  }
  // Without a branch: the factor is secret.
  element[0]! ^= 0x87 & -carry;
}
