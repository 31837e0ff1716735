import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { length, vector, Z2_64 } from '../src/algebra/ring.ts';
import { allOf, allOfCost } from '../src/protocols/and.ts';
import { atLeastZero, atLeastZeroCost } from '../src/protocols/at-least-zero.ts';
import { isNegativeCost } from '../src/protocols/compare.ts';
import { elementsMax, inSequence, noCost } from '../src/protocols/cost.ts';
import { type Bits, openBits, packBits, shareBits, unpackBits } from '../src/sharing/bit-share.ts';
import { elementsOf, onShares, openedBits, type Program, partyCounts } from './circuits.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const partiesUnderTest = fc.constantFrom(...partyCounts);

describe('conditions', () => {
  it('hold where a value is zero or more, for vectors of any lengths and widths', async () => {
    const questions = fc.integer({ min: 1, max: 64 }).chain((width) => {
      const bound = 1n << BigInt(width - 1);
      const value = fc.oneof(fc.bigInt({ min: -bound, max: bound - 1n }), fc.constantFrom(0n, -1n, -bound, bound - 1n));
      return fc.record({
        width: fc.constant(width),
        vectors: fc.array(fc.array(value, { maxLength: 70 }), { maxLength: 5 }),
      });
    });
    await fc.assert(
      fc.asyncProperty(questions, partiesUnderTest, async ({ width, vectors }, parties) => {
        const program: Program<Bits[]> = (ch, source, shares) => atLeastZero(ch, source, shares, width);
        const cost = atLeastZeroCost(
          parties,
          vectors.map((each) => each.length),
          width,
        );
        const results = await onShares(vectors.map(elementsOf), program, { parties }, cost);
        const found = vectors.map((_, i) => openedBits(results.map((each) => each[i]!)));
        expect(found).toEqual(vectors.map((each) => each.map((value) => (value >= 0n ? 1 : 0))));
      }),
      { numRuns: 60 },
    );
  });

  it('are found in batches where they are more than one run of the comparison takes', async () => {
    const [small, large] = [elementsOf([1n, -1n]), vector(Z2_64, elementsMax)];
    // Around the first cut, which falls a word before the end of the large vector, and at the very end.
    const places = [0, elementsMax - 33, elementsMax - 32, elementsMax - 1];
    for (const place of places) large.words[place] = 2n ** 64n - 1n;
    const vectors = [small, large, small];
    const cost = atLeastZeroCost(2, vectors.map(length), 2);
    expect(cost).toEqual(inSequence(isNegativeCost(2, elementsMax, 2), isNegativeCost(2, 64, 2)));
    const program: Program<Bits[]> = (ch, source, shares) => atLeastZero(ch, source, shares, 2);
    const results = await onShares(vectors, program, { parties: 2 }, cost);
    expect(openedBits(results.map((each) => each[0]!))).toEqual([1, 0]);
    expect(openedBits(results.map((each) => each[2]!))).toEqual([1, 0]);
    const found = unpackBits(openBits(results.map((each) => each[1]!)));
    expect(found.reduce((sum, each) => sum + each, 0)).toBe(elementsMax - places.length);
    for (const place of places) expect(found[place]).toBe(0);
  });
});

describe('the AND of lists', () => {
  const lists = fc.array(
    fc.nat({ max: 70 }).chain((count) => {
      // Mostly ones, so that some places hold through a whole list.
      const bit = fc.nat({ max: 5 }).map((n) => (n === 0 ? 0 : 1));
      return fc.array(fc.array(bit, { minLength: count, maxLength: count }), { minLength: 1, maxLength: 9 });
    }),
    { maxLength: 4 },
  );

  it('is one where all entries are, for lists of any sizes, in ⌈log₂⌉ rounds of the longest', async () => {
    await fc.assert(
      fc.asyncProperty(lists, partiesUnderTest, async (clear, parties) => {
        const rng = seededRng(7);
        const shared = clear.map((list) => list.map((bits) => shareBits(packBits(bits), parties, rng)));
        const program: Program<Bits[]> = (ch, source) => {
          const me = ch.context.roster.indexOf(ch.self);
          return allOf(
            ch,
            source,
            shared.map((list) => list.map((each) => each[me]!)),
          );
        };
        const sizes = clear.map((list) => ({ entries: list.length, count: list[0]!.length }));
        const results = await onShares([], program, { parties }, allOfCost(parties, sizes));
        const found = clear.map((_, i) => openedBits(results.map((each) => each[i]!)));
        expect(found).toEqual(
          clear.map((list) => list[0]!.map((_, at) => Number(list.every((bits) => bits[at] === 1)))),
        );
      }),
      { numRuns: 60 },
    );
    expect([1, 2, 3, 5, 8, 9].map((entries) => allOfCost(2, [{ entries, count: 1 }]).rounds)).toEqual([
      0, 1, 2, 3, 3, 4,
    ]);
    expect(allOfCost(3, [])).toEqual(noCost);
  });

  it('refuses an empty list, and bits whose lengths differ', async () => {
    const run = (...list: Bits[]) => onShares([], (ch, source) => allOf(ch, source, [list]));
    await expect(run()).rejects.toThrow('assertion failed');
    await expect(run(packBits([1]), packBits([1, 1]))).rejects.toEqual(code('LENGTHS_DIFFER'));
  });
});
