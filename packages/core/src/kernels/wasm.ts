/**
 * The kernels in WebAssembly: an instance with one memory, and the copies into it and out of it.
 *
 * The memory begins with room for operands that lie elsewhere, which pass through it piece by piece; behind it lies what
 * `reserve` gave, where no copy is needed. Only `reserve` makes the memory grow, since that takes its views away.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { fromBase64 } from '../algebra/bytes.ts';
import type { Kernels } from './kernels.ts';
import { moduleBase64 } from './module.generated.ts';

/** As `assembly/kernels.ts` declares them. The memory has one page at first. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  transpose(columns: number, stride: number, rows: number): void;
  fold(leaves: number, stride: number, count: number): void;
  xorInto(target: number, other: number, bytes: number): void;
  andInto(target: number, other: number, bytes: number): void;
  addInto(target: number, other: number, words: number): void;
  subInto(target: number, other: number, words: number): void;
  mulInto(target: number, other: number, words: number): void;
  addShiftedInto(target: number, other: number, words: number, shift: bigint): void;
  selectInto(target: number, other: number, bits: number, octets: number): void;
  sigma(rows: number, out: number, count: number, offset: number, tweak: bigint): void;
  lowBits(rows: number, out: number, octets: number): void;
  maskWords(hashed: number, ciphered: number, out: number, count: number): void;
  maskBits(hashed: number, ciphered: number, out: number, octets: number): void;
  narrow(words: number, out: number, octets: number, bits: bigint): void;
  widen(bytes: number, out: number, octets: number, bits: bigint): void;
  xorWhere(rows: number, out: number, bits: number, octets: number, term: number): void;
  clearLowBits(rows: number, count: number): void;
  grow(nodes: number, right: number, ciphered: number, count: number, sums: number, period: number): void;
  convolve(rows: number, taps: number, count: number, tables: number): void;
  gather(rows: number, count: number, places: number, out: number, outs: number): void;
  multiply128(elements: number, table: number, count: number): void;
  addProducts(elements: number, table: number, count: number, out: number, rowBytes: number): void;
  threePlaces(hashes: number, count: number, rows: number, places: number): void;
  sumThree(rows: number, places: number, count: number, out: number, rowBytes: number): void;
  peel(
    places: number,
    count: number,
    columns: number,
    asideMax: number,
    rows: number,
    pivots: number,
    scratch: number,
  ): number;
  substitute(
    sparse: number,
    places: number,
    rows: number,
    pivots: number,
    count: number,
    values: number,
    rowBytes: number,
  ): void;
}

/** What core uses of the runtime's own; a runtime may lack it. */
declare const WebAssembly:
  | undefined
  | {
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (module: object) => { readonly exports: unknown };
    };

const pageBytes = 65_536;

/** Tables and offsets, which stay for a whole call: one table of 64 KiB. */
const fixedBytes = pageBytes;

/** Each of up to four operands passes in pieces of so many bytes, which a core's cache holds. */
const pieceBytes = 32 * 1024;

/** What `narrow` may write, and `widen` read, behind its last element. */
const slackBytes = 16;

const stagingEnd = fixedBytes + 4 * (pieceBytes + slackBytes);

type View = Uint8Array | Uint32Array | BigUint64Array;

/** An operand: its memory, the bytes of each item in it, and whether it is read, written, or both. */
type Operand = readonly [view: View, itemBytes: number, mode: 'in' | 'out' | 'both'];

/** Undefined where the runtime has no WebAssembly with SIMD. */
export function wasmKernels(): Kernels | undefined {
  const instance = instantiate();
  if (instance === undefined) return undefined;
  const { memory } = instance;
  memory.grow(Math.ceil(stagingEnd / pageBytes) - 1);

  const isHere = (view: View): boolean => view.buffer === memory.buffer;
  const bytesOf = (view: View) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const fixed = (bytes: Uint8Array): number => {
    assert(bytes.length <= fixedBytes, 'what stays for a call fits its room');
    new Uint8Array(memory.buffer).set(bytes);
    return 0;
  };

  /** Runs a kernel over so many items, in pieces where an operand has to be copied. */
  const run = (items: number, operands: readonly Operand[], f: (pointers: number[], items: number) => void): void => {
    for (const [view, itemBytes] of operands) assert(view.byteLength === items * itemBytes, 'operands fit each other');
    const widest = Math.max(...operands.map(([, itemBytes]) => itemBytes));
    const pieceItems = operands.every(([view]) => isHere(view)) ? items : Math.floor(pieceBytes / widest);
    const here = new Uint8Array(memory.buffer);
    for (let start = 0; start < items; start += pieceItems) {
      const count = Math.min(pieceItems, items - start);
      const parts = operands.map(([view, itemBytes, mode], place) => {
        const part = bytesOf(view).subarray(start * itemBytes, (start + count) * itemBytes);
        if (isHere(view)) return { pointer: part.byteOffset, part: undefined };
        const pointer = fixedBytes + place * (pieceBytes + slackBytes);
        if (mode !== 'out') here.set(part, pointer);
        return { pointer, part: mode === 'in' ? undefined : part };
      });
      f(
        parts.map(({ pointer }) => pointer),
        count,
      );
      for (const { pointer, part } of parts) part?.set(here.subarray(pointer, pointer + part.length));
    }
  };

  const wordwise =
    (f: (target: number, other: number, words: number) => void) =>
    (target: BigUint64Array, other: BigUint64Array): void =>
      run(target.length, both(target, other, 8), ([a, b], count) => f(a!, b!, count));

  return {
    name: 'wasm',

    reserve(...sizes) {
      const offsets: number[] = [];
      let end = stagingEnd;
      for (const size of sizes) {
        offsets.push(end);
        end += Math.ceil((size + slackBytes) / 16) * 16;
      }
      const missing = Math.ceil((end - memory.buffer.byteLength) / pageBytes);
      if (missing > 0) memory.grow(missing);
      return sizes.map((size, i) => new Uint8Array(memory.buffer, offsets[i]!, size));
    },

    transpose(columns, rows) {
      assert(isHere(columns) && isHere(rows), 'it works on reserved memory');
      assert(columns.length % (128 * 16) === 0 && rows.length === columns.length, 'columns are whole blocks');
      instance.transpose(columns.byteOffset, columns.length / 128, rows.byteOffset);
    },

    fold(leaves, count) {
      assert(isHere(leaves) && leaves.length % count === 0, 'it works on reserved memory');
      instance.fold(leaves.byteOffset, leaves.length / count, count);
    },

    xorInto(target, other) {
      run(target.length, both(target, other, 1), ([a, b], count) => instance.xorInto(a!, b!, count));
    },

    andInto(target, other) {
      run(target.length, both(target, other, 1), ([a, b], count) => instance.andInto(a!, b!, count));
    },

    addInto: wordwise(instance.addInto),
    subInto: wordwise(instance.subInto),
    mulInto: wordwise(instance.mulInto),

    addShiftedInto(target, other, shift) {
      const k = BigInt(shift);
      run(target.length, both(target, other, 8), ([a, b], count) => instance.addShiftedInto(a!, b!, count, k));
    },

    selectInto(target, other, bits) {
      const operands: Operand[] = [...both(target, other, 64), [bits, 1, 'in']];
      run(target.length / 8, operands, ([a, b, c], octets) => instance.selectInto(a!, b!, c!, octets));
    },

    sigma(rows, out, offset, tweak) {
      const at = fixed(offset);
      const k = BigInt(tweak);
      run(
        rows.length / 16,
        [
          [rows, 16, 'in'],
          [out, 16, 'out'],
        ],
        ([a, b], count) => instance.sigma(a!, b!, count, at, k),
      );
    },

    lowBits(rows, out) {
      run(
        out.length,
        [
          [rows, 128, 'in'],
          [out, 1, 'out'],
        ],
        ([a, b], octets) => instance.lowBits(a!, b!, octets),
      );
    },

    maskWords(hashed, ciphered, out) {
      run(
        out.length,
        [
          [hashed, 16, 'in'],
          [ciphered, 16, 'in'],
          [out, 8, 'out'],
        ],
        ([a, b, c], count) => instance.maskWords(a!, b!, c!, count),
      );
    },

    maskBits(hashed, ciphered, out) {
      run(
        out.length,
        [
          [hashed, 128, 'in'],
          [ciphered, 128, 'in'],
          [out, 1, 'out'],
        ],
        ([a, b, c], octets) => instance.maskBits(a!, b!, c!, octets),
      );
    },

    narrow(words, out, bits) {
      assert(!isHere(out), 'the last word is written with room behind it');
      run(
        words.length / 8,
        [
          [words, 64, 'in'],
          [out, bits, 'out'],
        ],
        ([a, b], octets) => instance.narrow(a!, b!, octets, BigInt(bits)),
      );
    },

    widen(bytes, out, bits) {
      run(
        out.length / 8,
        [
          [bytes, bits, 'in'],
          [out, 64, 'out'],
        ],
        ([a, b], octets) => instance.widen(a!, b!, octets, BigInt(bits)),
      );
    },

    xorWhere(rows, out, bits, term) {
      const at = fixed(term);
      run(
        bits.length,
        [
          [rows, 128, 'in'],
          [out, 128, 'out'],
          [bits, 1, 'in'],
        ],
        ([a, b, c], octets) => instance.xorWhere(a!, b!, c!, octets, at),
      );
    },

    clearLowBits(rows) {
      run(rows.length / 16, [[rows, 16, 'both']], ([a], count) => instance.clearLowBits(a!, count));
    },

    grow(nodes, right, ciphered, sums) {
      assert([nodes, right, ciphered, sums].every(isHere), 'it works on reserved memory');
      const fits = right.length === nodes.length && ciphered.length === nodes.length;
      assert(fits && nodes.length % sums.length === 0, 'operands fit each other');
      const [count, period] = [nodes.length / 16, sums.length / 16];
      instance.grow(nodes.byteOffset, right.byteOffset, ciphered.byteOffset, count, sums.byteOffset, period);
    },

    convolve(rows, taps) {
      assert(isHere(rows) && isHere(taps), 'it works on reserved memory');
      assert(rows.length % 64 === 0 && 4 * taps.length === rows.length, 'rows come in fours, each with its taps');
      instance.convolve(rows.byteOffset, taps.byteOffset, rows.length / 16, 0);
    },

    gather(rows, places, out) {
      assert([rows, places, out].every(isHere), 'it works on reserved memory');
      assert(places.length === 14 * (out.length / 16), 'each row has its places');
      instance.gather(rows.byteOffset, rows.length / 16, places.byteOffset, out.byteOffset, out.length / 16);
    },

    multiply128(elements, table) {
      const at = fixed(table);
      run(elements.length / 16, [[elements, 16, 'both']], ([a], count) => instance.multiply128(a!, at, count));
    },

    addProducts(elements, table, out, rowBytes) {
      const count = elements.length / 16;
      assert(isHere(elements) && isHere(out), 'it works on reserved memory');
      assert(rowBytes % 16 === 0 && out.length >= (count - 1) * rowBytes + 16, 'each element has its row');
      instance.addProducts(elements.byteOffset, fixed(table), count, out.byteOffset, rowBytes);
    },

    threePlaces(hashes, places, rows) {
      assert(isHere(hashes) && isHere(places), 'it works on reserved memory');
      assert(rows >= 3 && 3 * hashes.length === 16 * places.length, 'each hash has its places');
      instance.threePlaces(hashes.byteOffset, hashes.length / 16, rows, places.byteOffset);
    },

    sumThree(rows, places, out, rowBytes) {
      const count = places.length / 3;
      assert([rows, places, out].every(isHere), 'it works on reserved memory');
      assert(rowBytes % 16 === 0 && out.length === count * rowBytes, 'each row has its places');
      instance.sumThree(rows.byteOffset, places.byteOffset, count, out.byteOffset, rowBytes);
    },

    peel(places, columns, asideMax, rows, pivots, scratch) {
      const count = rows.length;
      assert([places, rows, pivots, scratch].every(isHere), 'it works on reserved memory');
      assert(places.length === 3 * count && pivots.length === count, 'each row has its places');
      assert(scratch.length === count + 12 * columns + 4, 'there is room to work in');
      const pointers = [rows.byteOffset, pivots.byteOffset, scratch.byteOffset] as const;
      return instance.peel(places.byteOffset, count, columns, asideMax, ...pointers);
    },

    substitute(sparse, places, rows, pivots, values, rowBytes) {
      assert([sparse, places, rows, pivots, values].every(isHere), 'it works on reserved memory');
      assert(rowBytes % 16 === 0 && 3 * values.length === places.length * rowBytes, 'each row has its places');
      assert(rows.length === pivots.length, 'each row that went has its pivot');
      const pointers = [places.byteOffset, rows.byteOffset, pivots.byteOffset] as const;
      instance.substitute(sparse.byteOffset, ...pointers, rows.length, values.byteOffset, rowBytes);
    },
  };
}

function both(target: View, other: View, itemBytes: number): Operand[] {
  return [
    [target, itemBytes, 'both'],
    [other, itemBytes, 'in'],
  ];
}

function instantiate(): Exports | undefined {
  if (typeof WebAssembly === 'undefined') return undefined;
  try {
    const module = new WebAssembly.Module(fromBase64(moduleBase64));
    return new WebAssembly.Instance(module).exports as Exports;
  } catch {
    // No SIMD here, or a page whose content security policy forbids WebAssembly.
    return undefined;
  }
}
