import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Rational, rational } from '../src/algebra/rational.ts';
import { length } from '../src/algebra/ring.ts';
import { elementsMax, inSequence, noCost } from '../src/protocols/cost.ts';
import {
  canLocate,
  type Located,
  locate,
  locateQuantile,
  locateQuantileCost,
  millionths,
} from '../src/protocols/locate.ts';
import { elementsOf, expectRightOrTyped, onShares, opened, type Program, partyCounts } from './circuits.ts';

const half = rational(1n, 2n);
const programOf =
  (rank: Rational, countMax: bigint): Program<Located> =>
  (ch, source, counts) =>
    locateQuantile(ch, source, counts, rank, countMax);

/** One row a cell, one column a part. */
const columnsOf = (rows: readonly (readonly bigint[])[], parts: number) =>
  Array.from({ length: parts }, (_, j) => elementsOf(rows.map((row) => row[j]!)));

async function expectLocated(rows: bigint[][], parts: number, rank: Rational, countMax: bigint, parties: number) {
  const cost = rows.length === 0 ? noCost : locateQuantileCost(parties, rows.length, parts, rank, countMax);
  const shares = await onShares(columnsOf(rows, parts), programOf(rank, countMax), { parties }, cost);
  const expected = rows.map((row) => locate(row, rank));
  expect(opened(shares.map(({ place }) => place))).toEqual(expected.map(({ place }) => BigInt(place)));
  expect(opened(shares.map(({ fraction }) => fraction))).toEqual(expected.map(({ fraction }) => fraction));
}

describe('a quantile in the clear', () => {
  it('is the value of its rank among sorted values', () => {
    const counts = fc.array(fc.bigInt({ min: 0n, max: 4n }), { minLength: 3, maxLength: 6 });
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 12 }), fc.nat({ max: 12 }), (parts, q, of) => {
        const p = of % (q + 1);
        const places = parts.flatMap((count, place) => Array<number>(Number(count)).fill(place));
        const { place, fraction } = locate(parts, rational(BigInt(p), BigInt(q)));
        const nth = Math.max(1, Math.ceil((p * places.length) / q));
        expect(place).toBe(places.length === 0 ? parts.length : places[nth - 1]);
        expect(fraction >= 0n && fraction <= millionths).toBe(true);
      }),
    );
  });

  it('is interpolated in its bin', () => {
    expect(locate([0n, 4n, 0n], half)).toEqual({ place: 1, fraction: 500_000n });
    expect(locate([1n, 3n, 0n], half)).toEqual({ place: 1, fraction: 333_333n });
    expect(locate([2n, 0n, 1n, 3n], half)).toEqual({ place: 2, fraction: millionths });
    expect(locate([3n, 3n, 0n], half)).toEqual({ place: 0, fraction: 0n });
    expect(locate([0n, 1n, 5n], half)).toEqual({ place: 2, fraction: 0n });
    expect(locate([0n, 0n, 0n], half)).toEqual({ place: 3, fraction: 0n });
    expect(locate([0n, 0n, 2n, 1n], rational(0n))).toEqual({ place: 2, fraction: 0n });
    expect(locate([1n, 2n, 0n], rational(1n))).toEqual({ place: 1, fraction: millionths });
  });
});

describe('a quantile on shares', () => {
  it('is found where it is in the clear, for counts and ranks of any kind, at its cost', async () => {
    const cases = fc
      .tuple(
        fc.integer({ min: 3, max: 9 }),
        fc.constantFrom(0n, 1n, 3n, 100n, 1n << 30n),
        fc.integer({ min: 1, max: 1000 }),
      )
      .chain(([parts, countMax, q]) => {
        const count = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: countMax / BigInt(parts) }));
        const spread = fc.array(count, { minLength: parts, maxLength: parts });
        const single = fc
          .nat({ max: parts - 1 })
          .map((at) => Array.from({ length: parts }, (_, i) => (i === at ? countMax : 0n)));
        const rows = fc.array(fc.oneof({ weight: 3, arbitrary: spread }, { weight: 1, arbitrary: single }), {
          maxLength: 40,
        });
        const p = fc
          .oneof(fc.constantFrom(0, 1, q, q - 1), fc.nat({ max: q }))
          .map((of) => rational(BigInt(of), BigInt(q)));
        return fc.tuple(fc.constant(parts), fc.constant(countMax), p, rows);
      });
    await fc.assert(
      fc.asyncProperty(cases, fc.constantFrom(...partyCounts), async ([parts, countMax, rank, rows], parties) => {
        await expectLocated(rows, parts, rank, countMax, parties);
      }),
      { numRuns: 60 },
    );
  });

  it('is found for every small table', async () => {
    const rows: bigint[][] = [];
    for (let i = 0; i < 81; i++) rows.push([27, 9, 3, 1].map((step) => BigInt(Math.floor(i / step) % 3)));
    for (const rank of [rational(0n), half, rational(1n, 4n), rational(9n, 10n), rational(1n)]) {
      for (const parties of partyCounts) await expectLocated(rows, 4, rank, 8n, parties);
    }
  });

  it('is exact up to the largest counts', async () => {
    const countMax = (1n << 48n) / 100n;
    const rank = rational(99n, 100n);
    expect(canLocate(rank, countMax)).toBe(true);
    const rows = [
      [0n, countMax, 0n, 0n],
      [countMax - 1n, 0n, 1n, 0n],
      [1n, countMax / 2n, countMax / 2n - 2n, 0n],
      [(countMax * 99n) / 100n - 1n, 1n, 1n, 0n],
      [(countMax * 99n) / 100n - 1n, 1n, 0n, countMax / 100n],
      [0n, 0n, 0n, countMax],
    ];
    await expectLocated(rows, 4, rank, countMax, 3);
  });

  it('computes cells over the limit of its circuits in batches', async () => {
    const parts = 2 ** 14;
    const most = elementsMax / parts;
    const [some, one, all] = [most, 1, most + 1].map((cells) => locateQuantileCost(2, cells, parts, half, 10n));
    expect(all).toEqual(inSequence(some!, one!));
    const rows = Array.from({ length: most + 1 }, (_, i) =>
      Array.from({ length: parts }, (_, j) => (j === 3 * i || j === parts - 2 ? 5n : 0n)),
    );
    await expectLocated(rows, parts, half, 10n, 2);
  }, 60_000);

  it('knows its domain', async () => {
    expect([
      canLocate(half, 1n << 53n),
      canLocate(rational(0n), 0n),
      canLocate(rational(1n, 1000n), 1n << 40n),
    ]).toEqual([true, true, true]);
    const outside = [
      canLocate(rational(3n, 2n), 5n),
      canLocate(rational(-1n, 2n), 5n),
      canLocate(half, 1n << 59n),
      canLocate(half, -1n),
    ];
    expect(outside).toEqual([false, false, false, false]);
    const run = onShares(columnsOf([[1n, 0n, 0n]], 3), programOf(rational(3n, 2n), 5n));
    await expect(run).rejects.toThrow('assertion failed');
  });

  it('ends right or in a typed error on a network with faults', async () => {
    const rows = [
      [1n, 3n, 2n, 0n],
      [0n, 0n, 0n, 0n],
    ];
    await expectRightOrTyped(columnsOf(rows, 4), programOf(half, 10n), (shares) => {
      expect(opened(shares.map(({ place }) => place))).toEqual([1n, 4n]);
      expect(opened(shares.map(({ fraction }) => fraction))).toEqual([666_666n, 0n]);
    });
  });

  it('costs what its head states', () => {
    const cells = 3200;
    const cost = locateQuantileCost(2, cells, 12, half, (1n << 19n) - 1n);
    expect(cost.rounds).toBe(40);
    const each = [cost.bytes, cost.bitTriples, cost.triples, cost.sharedBits].map((total) => total / cells);
    expect(each).toEqual([764, 863, 30, 546]);
  });

  it('takes nothing for no cells, and refuses lengths that differ and too many parts', async () => {
    const none = await onShares(columnsOf([], 3), programOf(half, 10n), {}, noCost);
    expect(none.map(({ place }) => length(place))).toEqual([0, 0, 0]);
    const uneven = onShares([elementsOf([1n]), elementsOf([1n, 2n]), elementsOf([1n])], programOf(half, 10n));
    await expect(uneven).rejects.toEqual(expect.objectContaining({ code: 'LENGTHS_DIFFER' }));
    expect(() => locateQuantileCost(2, 1, elementsMax + 1, half, 10n)).toThrow(
      expect.objectContaining({ code: 'OVER_LIMIT' }),
    );
  });
});
