/**
 * The loops that oblivious transfer and key-value stores live in, over packed memory: a WebAssembly form, and a plain
 * one of the same bytes.
 *
 * `kernels()` makes the WebAssembly form at the first call and keeps it; where there is no WebAssembly, or none with
 * SIMD, it is the plain one. Nothing here is secret-dependent in time but for what names places in memory:
 *
 *  - Tables, by the bytes of the elements that they multiply. Where `multiply128` multiplies by a party's Δ, the elements are
 *    public or masked, or hashes of the party's own keys. Δ is in the tables and not in the indices. A dealer's are the
 *    stream of another party (`dealt-pair.ts`), and those of `linear128.ts` the few equations that it solves.
 *  - Rows of a key-value store and its tables in `addProducts`, by hashes of the caller's own keys: see `okvs.ts`.
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
  /**
   * To each row of so many bytes comes the product of an element and the table's: `out` begins at the first row's 16 bytes
   * that it is added to. In reserved memory alone, but for the table.
   */
  addProducts(elements: Uint8Array, table: Uint8Array, out: Uint8Array, rowBytes: number): void;
  /**
   * Three different numbers below `rows` from the last three words w of each 16-byte hash, each such triple as likely as
   * another: ⌊w · rows / 2^32⌋ for the first, of the rows that are left for the second, and then for the third. In
   * reserved memory alone, as are the next three.
   */
  threePlaces(hashes: Uint8Array, places: Uint32Array, rows: number): void;
  /** Each row of `out` becomes the sum of the three of `rows` that its places name. */
  sumThree(rows: Uint8Array, places: Uint32Array, out: Uint8Array, rowBytes: number): void;
  /**
   * The order in which rows of three places go (`protocols/peel.ts`); returns how many went. `rows` and `pivots` have room
   * for every row: those that went stand at the beginning, and those set aside, up to one more than `asideMax`, at the end
   * of `rows`, from there backwards. `scratch` has a byte for each row, 12 for each column, and 4 more.
   */
  peel(
    places: Uint32Array,
    columns: number,
    asideMax: number,
    rows: Uint32Array,
    pivots: Uint32Array,
    scratch: Uint8Array,
  ): number;
  /**
   * Sets the pivot of each row, those first that went last, so that the sum of its three rows of `sparse` is its value. The
   * other two are settled by then, or free.
   */
  substitute(
    sparse: Uint8Array,
    places: Uint32Array,
    rows: Uint32Array,
    pivots: Uint32Array,
    values: Uint8Array,
    rowBytes: number,
  ): void;
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
  const table = new Uint32Array(16 * 256 * 4);
  const power = new Uint8Array(factor);
  const words = new Uint32Array(power.buffer);
  for (let place = 0; place < 16; place++) {
    for (let bit = 0; bit < 8; bit++) {
      // What is known of the lower bits, each once more with this bit.
      const span = 4 << bit;
      const start = place * 1024;
      for (let from = start, to = start + span; from < start + span; from += 4, to += 4) {
        table[to] = table[from]! ^ words[0]!;
        table[to + 1] = table[from + 1]! ^ words[1]!;
        table[to + 2] = table[from + 2]! ^ words[2]!;
        table[to + 3] = table[from + 3]! ^ words[3]!;
      }
      double128(power);
    }
  }
  return new Uint8Array(table.buffer);
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
