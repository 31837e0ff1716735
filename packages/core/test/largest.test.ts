import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Vector, vector, Z2_64 } from '../src/algebra/ring.ts';
import { type Cost, elementsMax, inSequence, noCost } from '../src/protocols/cost.ts';
import { largestSum, largestSumCost } from '../src/protocols/largest.ts';
import { elementsOf, expectRightOrTyped, onShares, opened, type Program, partyCounts } from './circuits.ts';

const descending = (values: readonly bigint[]): bigint[] => values.toSorted((x, y) => (x < y ? 1 : x > y ? -1 : 0));
const plain = (values: readonly bigint[], n: number): bigint =>
  descending(values)
    .slice(0, n)
    .reduce((sum, each) => sum + each, 0n);

/** One row a cell. */
async function expectSums(rows: bigint[][], places: number, n: number, width: number, run: number, parties: number) {
  const lists = Array.from({ length: places }, (_, j) => elementsOf(rows.map((row) => row[j]!)));
  const program: Program<Vector> = (ch, source, shares) => largestSum(ch, source, shares, n, width, run);
  const cost = rows.length === 0 ? noCost : largestSumCost(parties, rows.length, places, n, width, run);
  const shares = await onShares(lists, program, { parties }, cost);
  expect(opened(shares)).toEqual(rows.map((row) => plain(row, n)));
}

/** All rows of zeros and ones that descend in each run: who sorts these rightly sorts all. */
function binaryRows(runs: number, run: number): bigint[][] {
  return Array.from({ length: (run + 1) ** runs }, (_, i) =>
    Array.from({ length: runs * run }, (_, at) => {
      const ones = Math.floor(i / (run + 1) ** Math.floor(at / run)) % (run + 1);
      return at % run < ones ? 1n : 0n;
    }),
  );
}

describe('the sum of the largest', () => {
  it('is right for all zeros and ones, of ordered runs and of values in any order', async () => {
    for (const [runs, n] of [
      [2, 1],
      [3, 1],
      [5, 1],
      [2, 2],
      [3, 2],
      [5, 2],
      [2, 3],
      [3, 3],
      [2, 5],
      [3, 5],
      [4, 5],
      [5, 3],
      [5, 5],
    ] as const) {
      await expectSums(binaryRows(runs, n), runs * n, n, 1, n, 2);
      if (runs * n <= 10) await expectSums(binaryRows(runs * n, 1), runs * n, n, 1, 1, 2);
    }
  }, 60_000);

  it('is right for values of any width, for 2, 3 and 5 parties, at its cost', async () => {
    const cases = fc
      .record({
        n: fc.integer({ min: 1, max: 5 }),
        run: fc.integer({ min: 1, max: 6 }),
        runs: fc.integer({ min: 1, max: 6 }),
        width: fc.constantFrom(1, 7, 20, 40, 60),
      })
      .chain((sizes) => {
        const value = fc.bigInt({ min: 0n, max: (1n << BigInt(sizes.width)) - 1n });
        const part = fc.array(value, { minLength: sizes.run, maxLength: sizes.run }).map(descending);
        const row = fc.array(part, { minLength: sizes.runs, maxLength: sizes.runs }).map((parts) => parts.flat());
        return fc.tuple(fc.constant(sizes), fc.array(row, { maxLength: 12 }));
      });
    await fc.assert(
      fc.asyncProperty(cases, fc.constantFrom(...partyCounts), async ([{ n, run, runs, width }, rows], parties) => {
        await expectSums(rows, run * runs, n, width, run, parties);
      }),
      { numRuns: 60 },
    );
  });

  it('holds up to the widest values', async () => {
    const top = (1n << 63n) - 1n;
    await expectSums(
      [
        [0n, top, 0n],
        [top, 0n, 0n],
        [top, top - 1n, top],
        [0n, 0n, 0n],
      ],
      3,
      1,
      63,
      1,
      3,
    );
  });

  it('takes no gates where all are among the largest, or one run has them', async () => {
    expect(largestSumCost(3, 100, 5, 5, 40)).toEqual(noCost);
    expect(largestSumCost(3, 100, 4, 5, 40)).toEqual(noCost);
    expect(largestSumCost(3, 100, 7, 2, 40, 7)).toEqual(noCost);
    await expectSums([[5n, 7n, 1n]], 3, 5, 10, 1, 3);
    await expectSums([[7n, 5n, 1n]], 3, 2, 10, 3, 3);
  });

  it('takes the gates and levels that its head states', () => {
    const gates = (cost: Cost): number => cost.triples / 32;
    const level = largestSumCost(2, 32, 2, 1, 20).rounds;
    const sizes = [2, 3, 5].map((parties) => largestSumCost(2, 32, 5 * parties, 5, 20, 5));
    expect(sizes.map(gates)).toEqual([5, 15, 35]);
    expect(sizes.map(({ rounds }) => rounds / level)).toEqual([1, 5, 9]);
    expect([2, 3, 8].map((places) => gates(largestSumCost(2, 32, places, 1, 20)))).toEqual([1, 2, 7]);
    expect([2, 3, 8].map((places) => largestSumCost(2, 32, places, 1, 20).rounds / level)).toEqual([1, 2, 3]);
  });

  it('computes cells over the limit of a comparison in batches', async () => {
    const most = elementsMax / 2;
    const [full, one, all] = [most, 1, most + 1].map((cells) => largestSumCost(2, cells, 4, 2, 1, 2));
    expect(all).toEqual(inSequence(full!, one!));
    const rows = Array.from({ length: most + 1 }, (_, i) => [1n, BigInt(i & 1), 0n, 0n]);
    await expectSums(rows, 4, 2, 1, 2, 2);
  }, 60_000);

  it('ends right or in a typed error on a network with faults', async () => {
    const program: Program<Vector> = (ch, source, lists) => largestSum(ch, source, lists, 2, 10);
    const lists = [
      [1n, 9n],
      [8n, 9n],
      [5n, 9n],
      [7n, 0n],
    ].map(elementsOf);
    await expectRightOrTyped(lists, program, (shares) => expect(opened(shares)).toEqual([15n, 18n]));
  });

  it('refuses lists that differ in length, and sizes outside their bounds as our own mistake', async () => {
    const uneven: Program<Vector> = (ch, source, lists) => largestSum(ch, source, lists, 1, 10);
    const refused = onShares([elementsOf([1n]), vector(Z2_64, 2)], uneven);
    await expect(refused).rejects.toEqual(expect.objectContaining({ code: 'LENGTHS_DIFFER' }));
    expect(() => largestSumCost(2, 1, elementsMax + 1, 1, 10)).toThrow(expect.objectContaining({ code: 'OVER_LIMIT' }));
    for (const [n, width, run] of [
      [0, 10, 1],
      [1, 0, 1],
      [1, 64, 1],
      [1, 10, 2],
    ] as const) {
      const program: Program<Vector> = (ch, source, lists) => largestSum(ch, source, lists, n, width, run);
      const lists = [1n, 2n, 3n].map((each) => elementsOf([each]));
      await expect(onShares(lists, program)).rejects.toThrow('assertion failed');
    }
  });
});
