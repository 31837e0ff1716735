import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../src/algebra/bytes.ts';
import { sha256 } from '../src/algebra/hash.ts';
import { platform } from '../src/algebra/platform-portable.ts';
import { seededRng } from '../src/algebra/prg.ts';
import { ProtocolError } from '../src/channel/errors.ts';
import { binsFor, type CuckooTable, cuckooTable, type SimpleTable, simpleTable } from '../src/protocols/cuckoo.ts';
import { refusalOf } from './refusal.ts';

const seed = seededRng(1)(16).slice();
const elementsOf = (n: number, from: number) => seededRng(from)(16 * n).slice();
const entriesIn = ({ starts, entries }: SimpleTable, bin: number) => entries.subarray(starts[bin]!, starts[bin + 1]!);

/** The three bins of each element as the specification has them: whole numbers, the remaining bins written out. */
function plainBins(elements: Uint8Array, bins: number): number[][] {
  const ciphered = platform.aesEcb(sha256(utf8('folkmoot cuckoo v1'), seed).slice(0, 16), elements);
  const view = new DataView(ciphered.buffer);
  return Array.from({ length: elements.length / 16 }, (_, i) => {
    const left = Array.from({ length: bins }, (_, bin) => bin);
    return [0, 4, 8].map((offset) => {
      const word = BigInt(view.getUint32(16 * i + offset, true));
      return left.splice(Number((word * BigInt(left.length)) >> 32n), 1)[0]!;
    });
  });
}

/** Whether each element can have a bin of its own, by augmenting paths in depth (Kuhn). */
function isPlaceable(choices: readonly (readonly number[])[]): boolean {
  const holder = new Map<number, number>();
  const place = (i: number, tried: Set<number>): boolean =>
    choices[i]!.some((bin) => {
      if (tried.has(bin)) return false;
      tried.add(bin);
      const other = holder.get(bin);
      if (other !== undefined && !place(other, tried)) return false;
      holder.set(bin, i);
      return true;
    });
  return choices.every((_, i) => place(i, new Set()));
}

/**
 * How many things are wrong with a pair of tables over the same elements: an element of the cuckoo table not in one bin
 * alone or not among the other's entries there, and one that has not three bins.
 */
function faults(n: number, cuckoo: CuckooTable, simple: SimpleTable): number {
  const timesPlaced = new Uint8Array(n);
  const timesEntered = new Uint8Array(n);
  let wrong = 0;
  for (const [bin, element] of cuckoo.bins.entries()) {
    const entries = entriesIn(simple, bin);
    for (const [at, entry] of entries.entries()) {
      timesEntered[entry]!++;
      if (at > 0 && entries[at - 1]! >= entry) wrong++;
    }
    if (element < 0) continue;
    timesPlaced[element]!++;
    if (!entries.includes(element)) wrong++;
  }
  for (let i = 0; i < n; i++) if (timesPlaced[i] !== 1 || timesEntered[i] !== 3) wrong++;
  return wrong;
}

describe('the number of bins', () => {
  it('is that of the published parameters, and of 512 elements for fewer', () => {
    const bins = [0, 1, 512, 2 ** 12, 2 ** 16, 2 ** 20].map(binsFor);
    expect(bins).toEqual([651, 651, 651, 5_257, 85_197, 1_380_626]);
  });

  it('is never below n·(296 + log₂ n)/240, and never 0.3 % and one bin above', () => {
    fc.assert(
      fc.property(fc.integer({ min: 512, max: 2 ** 22 }), (n) => {
        const exact = (n * (296 + Math.log2(n))) / 240;
        expect(binsFor(n)).toBeGreaterThan(exact - 1e-6);
        expect(binsFor(n)).toBeLessThan(exact * 1.0033 + 1);
      }),
    );
  });

  it('is not given for more elements than a join may have', () => {
    expect(binsFor(2 ** 22)).toBe(5_557_453);
    for (const n of [2 ** 22 + 1, -1, 1.5]) expect(() => binsFor(n)).toThrow('assertion failed');
  });

  /*
   * By Hall's theorem there is no table only where some k bins K have all the bins of e > k elements. Of all such K take
   * one with the greatest e − k, and of those a largest: then its elements cover it (a bin of K without any could be left
   * out), and no other element has two or three bins in it (its bins could be taken in). The sum of the chances of that,
   * over all K and all sets of e elements, bounds the chance of a failure.
   */
  it('leaves 512 elements without a table with a chance under 2^-41', () => {
    const n = 512;
    const bins = binsFor(n);
    const triples = (m: number) => m * (m - 1) * (m - 2);
    const logs = Float64Array.from({ length: bins + 1 }, (_, i) => Math.log2(Math.max(i, 1)));
    const factorials = logs.map((_, i) => logs.subarray(0, i + 1).reduce((sum, log) => sum + log, 0));
    const choose = (m: number, k: number) => factorials[m]! - factorials[k]! - factorials[m - k]!;
    let chance = 0;
    for (let k = 3; k < n; k++) {
      const inside = triples(k);
      const two = 3 * k * (k - 1) * (bins - k);
      const [within, without] = [Math.log2(inside / triples(bins)), Math.log2(1 - (inside + two) / triples(bins))];
      // covered[c]: the chance that e triples within K have c of its bins between them.
      const covered = Float64Array.from({ length: k + 1 }, (_, c) => (c === 0 ? 1 : 0));
      for (let e = 1; e <= n; e++) {
        for (let c = k; c >= 0; c--) {
          const old = (fewer: number) => (c < fewer ? 0 : covered[c - fewer]!);
          const sum =
            old(0) * triples(c) +
            old(1) * 3 * (c - 1) * (c - 2) * (k - c + 1) +
            old(2) * 3 * (c - 2) * (k - c + 2) * (k - c + 1) +
            old(3) * triples(k - c + 3);
          covered[c] = sum / inside;
        }
        if (e <= k) continue;
        chance += 2 ** (choose(n, e) + choose(bins, k) + e * within + (n - e) * without) * covered[k]!;
      }
    }
    expect(Math.log2(chance)).toBeLessThan(-41);
    expect(Math.log2(chance)).toBeGreaterThan(-42);
  });
});

describe('the two tables', () => {
  it('put elements where a plain version puts them', () => {
    const elements = elementsOf(200, 2);
    const bins = 260;
    const expected = plainBins(elements, bins);
    const simple = simpleTable(elements, seed, bins);
    const found = expected.map((): number[] => []);
    for (let bin = 0; bin < bins; bin++) for (const i of entriesIn(simple, bin)) found[i]!.push(bin);
    expect(found).toEqual(expected.map((each) => each.toSorted((a, b) => a - b)));
    const { bins: held, which } = cuckooTable(elements, seed, bins);
    for (const [bin, i] of held.entries()) expect(i < 0 ? which[bin] : expected[i]![which[bin]!]).toBe(i < 0 ? 0 : bin);
  });

  it('agree over a thousand random sets of 1 to 5,000 elements, none of which lacks a table', () => {
    const sizes = new DataView(seededRng(3)(4 * 1_000).slice().buffer);
    let wrong = 0;
    for (let run = 0; run < 1_000; run++) {
      const n = run < 3 ? [1, 2, 5_000][run]! : 1 + (sizes.getUint32(4 * run) % 5_000);
      const elements = elementsOf(n, 1_000 + run);
      const coin = elementsOf(1, 5_000 + run);
      const cuckoo = cuckooTable(elements, coin);
      wrong += faults(n, cuckoo, simpleTable(elements, coin, cuckoo.bins.length));
    }
    expect(wrong).toBe(0);
  });

  it('bring what both sides hold together, wherever it stands in their sets', () => {
    const shared = elementsOf(300, 4);
    const left = new Uint8Array([...elementsOf(500, 5), ...shared]);
    const right = new Uint8Array([...shared, ...elementsOf(2_000, 6)]);
    const { bins } = cuckooTable(left, seed);
    const simple = simpleTable(right, seed, bins.length);
    const met = [...bins].flatMap((i, bin) => (i >= 500 && entriesIn(simple, bin).includes(i - 500) ? [i] : []));
    expect(met.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => 500 + i));
  });

  it('have three entries for each element, in three bins even where there are no more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 9 }), fc.integer({ min: 0, max: 40 }), fc.nat(), (bins, n, from) => {
        const simple = simpleTable(elementsOf(n, from), seed, bins);
        expect(simple.entries.length).toBe(3 * n);
        expect([simple.starts.length, simple.starts[0], simple.starts[bins]]).toEqual([bins + 1, 0, 3 * n]);
        for (let bin = 0; bin < bins; bin++) {
          const entries = [...entriesIn(simple, bin)];
          expect(entries).toEqual([...new Set(entries)].sort((a, b) => a - b));
        }
        if (bins === 3) expect([...simple.starts]).toEqual([0, n, 2 * n, 3 * n]);
      }),
    );
  });

  it('are the same in every call, and others under another seed', () => {
    const elements = elementsOf(1_000, 7);
    const other = seededRng(8)(16).slice();
    const bins = binsFor(1_000);
    expect(cuckooTable(elements, seed)).toEqual(cuckooTable(elements.slice(), seed.slice()));
    expect(simpleTable(elements, seed, bins)).toEqual(simpleTable(elements.slice(), seed.slice(), bins));
    expect(cuckooTable(elements, seed)).not.toEqual(cuckooTable(elements, other));
    expect(simpleTable(elements, seed, bins)).not.toEqual(simpleTable(elements, other, bins));
  });

  it('hash every bin as often, first, second or third', () => {
    const [n, bins] = [60_000, 50];
    const { starts } = simpleTable(elementsOf(n, 9), seed, bins);
    const expected = (3 * n) / bins;
    const chiSquare = Array.from({ length: bins }, (_, bin) => (starts[bin + 1]! - starts[bin]! - expected) ** 2);
    // Three distinct bins vary a little less than three independent ones. 49 degrees of freedom: 102 has a chance of 1e-5.
    expect(chiSquare.reduce((sum, square) => sum + square / expected, 0)).toBeLessThan(102);
  });

  it('hold a set of nobody', () => {
    const { bins, which } = cuckooTable(new Uint8Array(0), seed);
    expect([bins.length, bins.every((i) => i === -1), which.every((j) => j === 0)]).toEqual([651, true, true]);
    expect(simpleTable(new Uint8Array(0), seed, 651).entries.length).toBe(0);
  });

  it('take whole elements, a seed of 16 bytes and a number of bins', () => {
    const elements = elementsOf(2, 10);
    for (const table of [cuckooTable, simpleTable]) {
      expect(() => table(elements.subarray(1), seed, 651)).toThrow('assertion failed');
      expect(() => table(elements, seed.subarray(1), 651)).toThrow('assertion failed');
      for (const bins of [2, 3.5, 2 ** 23]) expect(() => table(elements, seed, bins)).toThrow('assertion failed');
    }
  });
});

describe('a table that is too small', () => {
  it('ends the join, with an error that says nothing of the set', () => {
    const full = new ProtocolError('CUCKOO_FULL');
    for (const [n, bins] of [
      [4, 3],
      [652, 651],
      [5_000, 5_100],
    ] as const) {
      const error = refusalOf(() => cuckooTable(elementsOf(n, 11), seed, bins));
      expect(error).toMatchObject({ code: 'CUCKOO_FULL', message: full.message, field: undefined, party: undefined });
    }
  });

  it('is full exactly where a plain search finds no arrangement', () => {
    const full = { yes: 0, no: 0 };
    for (let run = 0; run < 400; run++) {
      const bins = 3 + (run % 38);
      const elements = elementsOf(Math.max(1, Math.floor(bins * (0.8 + (run % 5) / 20))), 100 + run);
      const fits = isPlaceable(plainBins(elements, bins));
      full[fits ? 'no' : 'yes']++;
      if (fits) expect(cuckooTable(elements, seed, bins).bins.length).toBe(bins);
      else expect(refusalOf(() => cuckooTable(elements, seed, bins)).code).toBe('CUCKOO_FULL');
    }
    expect(Math.min(full.yes, full.no)).toBeGreaterThan(50);
  });

  it('is filled to nine tenths, well beyond what is asked of it', () => {
    const n = 20_000;
    const elements = elementsOf(n, 12);
    const cuckoo = cuckooTable(elements, seed, Math.ceil(n / 0.9));
    expect(faults(n, cuckoo, simpleTable(elements, seed, cuckoo.bins.length))).toBe(0);
  });
});
