import { describe, expect, it } from 'vitest';
import { packRows, timesPowers } from '../src/algebra/gf128.ts';
import { seededRng } from '../src/algebra/prg.ts';
import type { Channel } from '../src/channel/channel.ts';
import { simulate } from '../src/channel/simulate.ts';
import { kernels, newKernels, table128 } from '../src/kernels/kernels.ts';
import { type CodeOver, codeTables, expandConvolute } from '../src/protocols/expand-convolute.ts';
import { OtReceiver, OtSender } from '../src/protocols/ot-extension.ts';
import { batchOts } from '../src/protocols/silent-ot.ts';
import { batchVoles, openVoleReceiver, openVoleSender, voleCost } from '../src/protocols/vole.ts';
import { chiSquareUpper } from '../src/query/measure/distribution.ts';
import { channels } from './channels.ts';
import { bit, idealBaseOts } from './relations.ts';

const options = { extension: 'silent', base: idealBaseOts } as const;
const rowOf = (rows: Uint8Array, i: number) => rows.subarray(16 * i, 16 * i + 16);
const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
const code = (name: string) => expect.objectContaining({ code: name });

function xorInto(target: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < target.length; i++) target[i]! ^= other[i]!;
}

/** x^k. */
function power(k: number): Uint8Array {
  const element = new Uint8Array(16);
  element[k >> 3] = 1 << (k & 7);
  return element;
}

function product(elements: Uint8Array, factor: Uint8Array): Uint8Array {
  const products = elements.slice();
  kernels().multiply128(products, table128(factor));
  return products;
}

/** Whether c = b ⊕ a·Δ, row by row. */
function isEvaluation(delta: Uint8Array, b: Uint8Array, { a, c }: { a: Uint8Array; c: Uint8Array }): boolean {
  const expected = product(a, delta);
  kernels().xorInto(expected, b);
  return isSame(expected, c);
}

function repeats(rows: Uint8Array): number {
  const words = new BigUint64Array(rows.slice().buffer);
  return words.length - new Set(words).size;
}

/** p of the bytes being uniform. */
function uniformity(bytes: Uint8Array): number {
  const seen = new Float64Array(256);
  for (const byte of bytes) seen[byte]! += 1;
  const mean = bytes.length / 256;
  return chiSquareUpper(
    seen.reduce((sum, each) => sum + (each - mean) ** 2 / mean, 0),
    255,
  );
}

/** The dimension of the space that the rows span over the field of two elements, of 128 at most. */
function rankOf(rows: readonly Uint8Array[]): number {
  const pivots: { at: number; row: Uint8Array }[] = [];
  for (const each of rows) {
    const row = each.slice();
    for (const pivot of pivots) if (bit(row, pivot.at) === 1) xorInto(row, pivot.row);
    const at = Array.from({ length: 128 }, (_, i) => i).find((i) => bit(row, i) === 1);
    if (at !== undefined) pivots.push({ at, row });
  }
  return pivots.length;
}

describe('elements of GF(2^128)', () => {
  it('are taken times powers of x', () => {
    const elements = seededRng(1)(16 * 64).slice();
    const powers = Uint8Array.from({ length: 64 }, (_, i) => i % 32);
    const turned = elements.slice();
    timesPowers(turned, powers);
    for (const [i, k] of powers.entries()) expect(rowOf(turned, i)).toEqual(product(rowOf(elements, i), power(k)));
  });

  it('are packed, each 128 as the coefficients of one polynomial', () => {
    const rows = seededRng(2)(16 * 256).slice();
    const expected = new Uint8Array(32);
    for (let i = 0; i < 256; i++) xorInto(rowOf(expected, i >> 7), product(rowOf(rows, i), power(i % 128)));
    expect(packRows(rows)).toEqual(expected);
  });
});

describe('the code over elements', () => {
  const n = 1008;

  it('is the one over bits, with a power of x between its steps', () => {
    const noise = seededRng(3)(16 * n).slice();
    const { powers } = codeTables(n);
    expect(new Set(powers).size).toBe(32);
    const [bits, elements] = (['bits', 'elements'] as const).map((over) => expandConvolute(n, 0, newKernels(), over));
    elements!.noise.set(noise);
    const k = newKernels();
    const [rows, taps] = k.reserve(16 * n, 4 * n);
    rows!.set(noise);
    taps!.set(codeTables(n).taps);
    k.convolve(rows!, taps!);
    const turned = rows!.slice();
    timesPowers(turned, powers);
    // The code over bits convolves once more, which is undone here.
    bits!.noise.set(deconvolved(turned, codeTables(n).taps));
    expect(isSame(bits!.encode(), elements!.encode())).toBe(true);
  });

  it('leaves parity checks that the code over bits fails by', () => {
    // Of 40 elements 26 lie behind what the checks cancel, and 24 rows go on from there: few of 128 dimensions.
    const ranks = (['bits', 'elements'] as const).map((over) => rankUnderChecks(n, over));
    expect(ranks[0]).toBeLessThanOrEqual(26 + 24);
    expect(ranks[1]).toBe(128);
  });
});

/** What a convolution of these taps makes the given rows of. */
function deconvolved(rows: Uint8Array, taps: Uint8Array): Uint8Array {
  const noise = rows.slice();
  for (let i = 0; i < rows.length / 16; i++) {
    const four = i - (i % 4);
    for (let place = 0; place < 32; place++) {
      if (bit(taps, 32 * i + place) === 0) continue;
      const from = place < 24 ? four - 4 * (Math.floor(place / 4) + 1) + (place % 4) : four + place - 24;
      if (from >= 0) xorInto(rowOf(noise, i), rowOf(rows, from));
    }
  }
  return noise;
}

/**
 * Encodes noise of 40 elements, and takes sums of its rows in which the first third of what was convolved cancels, as one
 * would who wants to tell it from random rows. Gives the dimension of what is left.
 */
function rankUnderChecks(n: number, over: CodeOver): number {
  const outs = n / 2;
  const checks = 160;
  // What is behind the convolution, as a matrix: 128 columns in each call.
  const { taps } = codeTables(n);
  const bits = expandConvolute(n, 0, newKernels(), 'bits');
  const matrix = Array.from({ length: outs }, () => new Uint8Array(n / 8));
  for (let start = 0; start < n; start += 128) {
    const units = new Uint8Array(16 * n);
    for (let i = start; i < Math.min(start + 128, n); i++) rowOf(units, i)[(i - start) >> 3]! |= 1 << (i & 7);
    bits.noise.set(deconvolved(units, taps));
    const out = bits.encode();
    for (let r = 0; r < outs; r++) {
      matrix[r]!.set(rowOf(out, r).subarray(0, Math.min(16, (n - start) / 8)), start / 8);
    }
  }
  const elements = expandConvolute(n, 0, newKernels(), over);
  const rng = seededRng(5);
  elements.noise.fill(0);
  for (let j = 0; j < 40; j++) rowOf(elements.noise, Math.floor(((j + 0.5) * n) / 40)).set(rng(16));
  const rows = elements.encode();
  // Gauss, on the matrix and the rows at once: what has no pivot among the first columns is zero there.
  const equations = matrix.map((row, r) => ({ row, right: rowOf(rows, r).slice() }));
  let done = 0;
  for (let column = 0; done < outs - checks && column < n; column++) {
    const pivot = equations.findIndex(({ row }, r) => r >= done && bit(row, column) === 1);
    if (pivot < 0) continue;
    [equations[done], equations[pivot]] = [equations[pivot]!, equations[done]!];
    for (const [r, each] of equations.entries()) {
      if (r <= done || bit(each.row, column) === 0) continue;
      xorInto(each.row, equations[done]!.row);
      xorInto(each.right, equations[done]!.right);
    }
    done++;
  }
  return rankOf(equations.slice(done).map(({ right }) => right));
}

describe('a silent evaluation', () => {
  const open = async () => {
    const [a, b] = channels(['a', 'b']);
    const [sender, receiver] = await Promise.all([
      OtSender.open(a!, 'b', seededRng(1), options),
      OtReceiver.open(b!, 'a', seededRng(2), options),
    ]);
    return { sender, receiver };
  };

  it('holds in pieces of any size, across the seams of batches, beside other uses of the session', async () => {
    const { sender, receiver } = await open();
    const [voles, held] = [openVoleSender(sender), openVoleReceiver(receiver)];
    const all: { a: Uint8Array; b: Uint8Array; c: Uint8Array }[] = [];
    for (const count of [0, 1, 7, batchVoles - 100, 500, 30_000]) {
      const [b, { a, c }] = await Promise.all([voles.extend(count), held.extend(count)]);
      expect([a.length, b.length, c.length]).toEqual([16 * count, 16 * count, 16 * count]);
      expect(isEvaluation(voles.delta, b, { a, c }), `${count}`).toBe(true);
      all.push({ a, b, c });
      await Promise.all([sender.extend(8), receiver.extend(8)]);
    }
    expect(voles.delta).toEqual(sender.delta);
    // Uniform, and each once.
    const [first, second] = [all[3]!, all[5]!];
    for (const rows of [first.a, first.b, first.c, second.a, second.b, second.c]) {
      expect(uniformity(rows)).toBeGreaterThan(1e-6);
      expect(repeats(rows)).toBe(0);
    }
    expect(rankOf(Array.from({ length: 140 }, (_, i) => rowOf(second.a, i)))).toBe(128);
  });

  it('costs what is stated: OTs of the session, and bytes of the sender alone', async () => {
    expect([0, 1, batchVoles, batchVoles + 1].map(voleCost)).toEqual([
      { bytes: 0, ots: 0 },
      { bytes: 57_600, ots: 54_800 },
      { bytes: 57_600, ots: 54_800 },
      { bytes: 115_200, ots: 58_400 },
    ]);
    const run = (voles: number) =>
      simulate({ parties: ['a', 'b'], seed: 1 }, async (ch: Channel) => {
        if (ch.self === 'a') {
          const session = await OtSender.open(ch, 'b', seededRng(1), options);
          await session.extend(8);
          await openVoleSender(session).extend(voles);
          await session.extend(batchOts - 8 - voleCost(voles).ots);
        } else {
          const session = await OtReceiver.open(ch, 'a', seededRng(2), options);
          await session.extend(8);
          await openVoleReceiver(session).extend(voles);
          await session.extend(batchOts - 8 - voleCost(voles).ots);
        }
      });
    const [without, one, two] = [await run(0), await run(1), await run(batchVoles + 1)];
    expect(one.bytes).toEqual({ a: without.bytes.a! + 57_600, b: without.bytes.b });
    expect(two.bytes).toEqual({ a: without.bytes.a! + 115_200, b: without.bytes.b });
    expect(two.rounds).toBe(without.rounds);
  });

  it('refuses a batch of another length', async () => {
    for (const [bytes, refusal] of [
      [57_616, 'TOO_LARGE'],
      [57_584, 'BAD_MESSAGE'],
    ] as const) {
      const { sender, receiver } = await open();
      await sender.prepare(voleCost(8).ots);
      await sender.channel.fork('vole').send('b', 'vole/batch', new Uint8Array(bytes));
      await expect(openVoleReceiver(receiver).extend(8)).rejects.toThrow(code(refusal));
    }
  });
});
