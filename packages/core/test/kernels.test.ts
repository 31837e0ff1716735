import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generatedModule } from '../assembly/build.ts';
import { seededRng } from '../src/algebra/prg.ts';
import { type Kernels, kernels, table128 } from '../src/kernels/kernels.ts';
import { plainKernels } from '../src/kernels/plain.ts';
import { wasmKernels } from '../src/kernels/wasm.ts';

const wasm = wasmKernels()!;

/** Bytes that lie where the kernels have them at once, or that have to be copied, as a caller's memory may be. */
type Place = (k: Kernels, ...parts: readonly Uint8Array[]) => Uint8Array[];
const reserved: Place = (k, ...parts) => {
  const views = k.reserve(...parts.map((part) => part.length));
  for (const [i, view] of views.entries()) view.set(parts[i]!);
  return views;
};
const elsewhere: Place = (_, ...parts) => parts.map((part) => new Uint8Array(part));

/** Random parts of these sizes, the kernel on them in each form and place: all must end alike. */
function expectTwins(sizes: readonly number[], seed: number, f: (k: Kernels, parts: Uint8Array[]) => void): void {
  const rng = seededRng(seed);
  const parts = sizes.map((size) => rng(size));
  const results = [wasm, plainKernels].flatMap((k) =>
    [reserved, elsewhere].map((place) => {
      const views = place(k, ...parts);
      f(k, views);
      return views.map((view) => Buffer.from(view).toString('hex'));
    }),
  );
  for (const result of results) expect(result).toEqual(results[0]);
}

const wordsOf = (bytes: Uint8Array) => new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);

describe('each kernel is equal to its plain twin', () => {
  // Sizes beyond a piece of the copies, and such as leave a remainder.
  const counts = fc.oneof(fc.integer({ min: 0, max: 70 }), fc.constantFrom(513, 4096, 4097, 33_000));
  const seeds = fc.nat();
  const holds = (f: (n: number, seed: number) => void) => fc.assert(fc.property(counts, seeds, f), { numRuns: 25 });

  it('xor and and, of any length', () => {
    holds((n, seed) => expectTwins([n, n], seed, (k, [a, b]) => k.xorInto(a!, b!)));
    holds((n, seed) => expectTwins([n, n], seed, (k, [a, b]) => k.andInto(a!, b!)));
  });

  it('addition, subtraction, multiplication and shifted addition in Z_2^64', () => {
    for (const name of ['addInto', 'subInto', 'mulInto'] as const) {
      holds((n, seed) => expectTwins([8 * n, 8 * n], seed, (k, [a, b]) => k[name](wordsOf(a!), wordsOf(b!))));
    }
    holds((n, seed) =>
      expectTwins([8 * n, 8 * n], seed, (k, [a, b]) => k.addShiftedInto(wordsOf(a!), wordsOf(b!), seed % 64)),
    );
    holds((n, seed) =>
      expectTwins([64 * n, 64 * n, n], seed, (k, [a, b, c]) => k.selectInto(wordsOf(a!), wordsOf(b!), c!)),
    );
  });

  it('the hash’s permutation of rows, their low bits, and words and bits of masks', () => {
    holds((n, seed) =>
      expectTwins([16 * n, 16 * n], seed, (k, [rows, out]) => k.sigma(rows!, out!, seededRng(seed)(16), seed)),
    );
    holds((n, seed) => expectTwins([128 * n, n], seed, (k, [rows, out]) => k.lowBits(rows!, out!)));
    holds((n, seed) =>
      expectTwins([16 * n, 16 * n, 8 * n], seed, (k, [y, z, out]) => k.maskWords(y!, z!, wordsOf(out!))),
    );
    holds((n, seed) => expectTwins([128 * n, 128 * n, n], seed, (k, [y, z, out]) => k.maskBits(y!, z!, out!)));
  });

  it('a term for chosen rows, and rows without their low bits', () => {
    holds((n, seed) =>
      expectTwins([128 * n, 128 * n, n], seed, (k, [rows, out, bits]) =>
        k.xorWhere(rows!, out!, bits!, seededRng(seed)(16)),
      ),
    );
    holds((n, seed) => expectTwins([16 * n], seed, (k, [rows]) => k.clearLowBits(rows!)));
  });

  it('a level of correlated trees, whose children add up to their nodes', () => {
    for (const [trees, nodes] of [
      [1, 1],
      [3, 1],
      [3, 4],
      [176, 8],
    ] as const) {
      const size = 16 * trees * nodes;
      const parts = [size, size, size, 16 * trees].map((each, i) => seededRng(trees + i)(each));
      const results = [wasm, plainKernels].map((k) => {
        const [left, right, ciphered, sums] = reserved(k, ...parts);
        k.grow(left!, right!, ciphered!, sums!);
        return [left!, right!, sums!].map((view) => new Uint8Array(view));
      });
      expect(results[0]).toEqual(results[1]);
      const [left, right, sums] = results[0]!;
      for (let i = 0; i < size; i++) expect(left![i]! ^ right![i]!).toBe(parts[0]![i]);
      for (let i = 0; i < 16 * trees; i++) {
        let sum = parts[3]![i]!;
        for (let at = i; at < size; at += 16 * trees) sum ^= left![at]!;
        expect(sums![i]).toBe(sum);
      }
    }
  });

  it('convolution, and the gathering of one row from each seventh', () => {
    for (const rows of [4, 8, 24, 28, 100, 1000]) {
      const [noise, taps] = [seededRng(rows)(16 * rows), seededRng(rows + 1)(4 * rows)];
      const results = [wasm, plainKernels].map((k) => {
        const [target, by] = reserved(k, noise, taps);
        k.convolve(target!, by!);
        return new Uint8Array(target!);
      });
      expect(results[0]).toEqual(results[1]);
    }
    for (const [rows, outs] of [
      [7, 3],
      [30, 0],
      [1000, 77],
    ] as const) {
      const places = Uint16Array.from({ length: 7 * outs }, (_, i) => (i * 31) % Math.floor(rows / 7));
      const parts = [seededRng(rows)(16 * rows), new Uint8Array(places.buffer), seededRng(outs)(16 * outs)];
      const results = [wasm, plainKernels].map((k) => {
        const [from, by, out] = reserved(k, ...parts);
        k.gather(from!, by!, out!);
        return new Uint8Array(out!);
      });
      expect(results[0]).toEqual(results[1]);
    }
  });

  it('words to fewer bits and back, for each width', () => {
    for (let bits = 1; bits <= 64; bits++) {
      const f = (n: number, seed: number) => {
        const words = wordsOf(seededRng(seed)(64 * n));
        const [narrow, again] = [wasm, plainKernels].map((k) => {
          const out = new Uint8Array(n * bits);
          k.narrow(words, out, bits);
          const back = new BigUint64Array(8 * n);
          k.widen(out, back, bits);
          expect(back).toEqual(words.map((word) => BigInt.asUintN(bits, word)));
          return out;
        });
        expect(narrow).toEqual(again);
      };
      fc.assert(fc.property(fc.constantFrom(0, 1, 2, 7, 70, 513), seeds, f), { numRuns: 3 });
    }
  });

  it('transposition', () => {
    for (const blocks of [1, 2, 3, 17]) {
      const columns = seededRng(blocks)(128 * 16 * blocks);
      const results = [wasm, plainKernels].map((k) => {
        const [from, to] = reserved(k, columns, new Uint8Array(columns.length));
        k.transpose(from!, to!);
        return new Uint8Array(to!);
      });
      expect(results[0]).toEqual(results[1]);
      const bit = (bytes: Uint8Array, i: number) => (bytes[i >> 3]! >> (i & 7)) & 1;
      const stride = 128 * blocks;
      for (let row = 0; row < stride; row += 5) {
        for (let column = 0; column < 128; column++) {
          expect(bit(results[0]!, row * 128 + column)).toBe(bit(columns, column * stride + row));
        }
      }
    }
  });

  it('the folding of leaves, which is the sums by the bits of their numbers', () => {
    for (const count of [2, 4, 8, 16, 256]) {
      const leaves = seededRng(count)(count * 33);
      const leaf = (bytes: Uint8Array, x: number) => bytes.slice(x * 33, (x + 1) * 33);
      for (const k of [wasm, plainKernels]) {
        const [folded] = reserved(k, leaves);
        k.fold(folded!, count);
        for (let sum = 0; sum < count; sum = sum === 0 ? 1 : sum * 2) {
          const expected = new Uint8Array(33);
          for (let x = 0; x < count; x++) {
            if (sum === 0 || (x & sum) !== 0) for (let i = 0; i < 33; i++) expected[i]! ^= leaf(leaves, x)[i]!;
          }
          expect(leaf(folded!, sum)).toEqual(expected);
        }
      }
    }
  });

  it('the loops of a key-value store: places, their sums, peeling, substitution and products that are added', () => {
    const widths = fc.constantFrom(16, 32, 48);
    // Few columns too, where many rows are set aside.
    const shapes = fc.constantFrom([1, 3], [10, 14], [300, 400], [300, 320], [50, 20]);
    fc.assert(
      fc.property(shapes, widths, seeds, ([count, columns], width, seed) => {
        const rng = seededRng(seed);
        const [noise, rows, values] = [rng(16 * count!), rng(width * columns!), rng(width * count!)].map((b) =>
          b.slice(),
        );
        const table = table128(rng(16));
        const results = [wasm, plainKernels].map((k) => {
          const sizes = [12 * count!, 4 * count!, 4 * count!, count! + 12 * columns! + 4, width * count!];
          const room = k.reserve(16 * count!, width * columns!, width * count!, ...sizes);
          const [hashes, sparse, own] = room;
          for (const [i, bytes] of [noise!, rows!, values!].entries()) room[i]!.set(bytes);
          const [places, order, pivots] = room
            .slice(3, 6)
            .map((b) => new Uint32Array(b.buffer, b.byteOffset, b.length / 4));
          k.threePlaces(hashes!, places!, columns!);
          const gone = k.peel(places!, columns!, 4, order!, pivots!, room[6]!);
          const aside = Math.min(count! - gone, 5);
          const went = order!.slice(0, gone);
          const last = order!.slice(count! - aside);
          for (let block = 0; block < width; block += 16) k.addProducts(hashes!, table, own!.subarray(block), width);
          k.substitute(sparse!, places!, order!.subarray(0, gone), pivots!.subarray(0, gone), own!, width);
          const sums = room[7]!;
          k.sumThree(sparse!, places!, sums, width);
          // What substitution has set holds.
          for (const row of went) {
            expect(sums.slice(row * width, (row + 1) * width)).toEqual(own!.slice(row * width, (row + 1) * width));
          }
          const views = [
            places!.slice(),
            went,
            last,
            pivots!.slice(0, gone),
            own!.slice(),
            sparse!.slice(),
            sums.slice(),
          ];
          return views.map((view) => [...view]);
        });
        expect(results[0]).toEqual(results[1]);
      }),
    );
  });

  it('multiplication by one element of GF(2^128), which is that of polynomials', () => {
    const element = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
    fc.assert(
      fc.property(element, fc.array(element, { maxLength: 20 }), (factor, others) => {
        const table = table128(bytesOf(factor));
        const results = [wasm, plainKernels].map((k) => {
          const elements = new Uint8Array(Buffer.concat(others.map(bytesOf)));
          k.multiply128(elements, table);
          return elements;
        });
        const expected = new Uint8Array(Buffer.concat(others.map((other) => bytesOf(product(factor, other)))));
        expect(results).toEqual([expected, expected]);
      }),
    );
  });
});

describe('the module', () => {
  it('is what its source compiles to, byte for byte', async () => {
    const committed = readFileSync(join(import.meta.dirname, '../src/kernels/module.generated.ts'), 'utf8');
    expect(await generatedModule()).toBe(committed);
  });

  it('is used where it runs, and its twin where it does not', () => {
    expect(kernels().name).toBe('wasm');
    expect(kernels()).toBe(kernels());
    const { WebAssembly } = globalThis as { WebAssembly?: unknown };
    try {
      Object.assign(globalThis, { WebAssembly: undefined });
      expect(wasmKernels()).toBeUndefined();
      const without = { Module: class {}, Instance: class {} };
      without.Module = class {
        constructor() {
          throw new Error('no SIMD');
        }
      };
      Object.assign(globalThis, { WebAssembly: without });
      expect(wasmKernels()).toBeUndefined();
    } finally {
      Object.assign(globalThis, { WebAssembly });
    }
  });

  it('has room for every operand from its first call on', () => {
    const words = () => new BigUint64Array(10_000).fill(3n);
    const target = words();
    wasmKernels()!.mulInto(target, words());
    expect(target.every((word) => word === 9n)).toBe(true);
    const bits = new Uint8Array(1250).fill(0xff);
    wasmKernels()!.selectInto(target, words(), bits);
    expect(target.every((word) => word === 12n)).toBe(true);
  });

  it('refuses operands that do not fit each other', () => {
    expect(() => wasm.xorInto(new Uint8Array(2), new Uint8Array(3))).toThrow('assertion failed');
    expect(() => wasm.transpose(new Uint8Array(2048), new Uint8Array(2048))).toThrow('assertion failed');
    expect(() => wasm.fold(new Uint8Array(4), 2)).toThrow('assertion failed');
  });
});

function bytesOf(element: bigint): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => Number((element >> BigInt(8 * i)) & 255n));
}

/** Schoolbook, one bit at a time. */
function product(a: bigint, b: bigint): bigint {
  let sum = 0n;
  for (let i = 127; i >= 0; i--) {
    sum <<= 1n;
    if (sum >> 128n === 1n) sum ^= (1n << 128n) | 0x87n;
    if ((b >> BigInt(i)) & 1n) sum ^= a;
  }
  return sum;
}
