import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import {
  equal,
  fromIntegers,
  length,
  rings,
  toIntegers,
  type Vector,
  vector,
  Z2_64,
  Z2_192,
} from '../src/algebra/ring.ts';
import type { Channel } from '../src/channel/channel.ts';
import { allOf, allOfCost } from '../src/protocols/and.ts';
import { atLeastZero, atLeastZeroCost } from '../src/protocols/at-least-zero.ts';
import { constant } from '../src/protocols/compare.ts';
import type { Correlations } from '../src/protocols/correlations.ts';
import { type Cost, inSequence, noCost, productsMax } from '../src/protocols/cost.ts';
import { type Suppressed, suppress, suppressCost } from '../src/protocols/suppress.ts';
import { addConstant, open, share } from '../src/sharing/additive.ts';
import { type Bits, packBits, wordsFor } from '../src/sharing/bit-share.ts';
import { join, piecesOf, split } from '../src/sharing/wide-share.ts';
import {
  chiSquare,
  elementsOf,
  expectRightOrTyped,
  onShares,
  opened,
  type Program,
  partyCounts,
  viewOf,
} from './circuits.ts';
import { integers } from './laws.ts';

const code = (name: string) => expect.objectContaining({ code: name });

describe('a wide share', () => {
  it('opens by its pieces, in each ring', () => {
    for (const ring of rings) {
      const inputs = fc.tuple(fc.array(integers(ring), { maxLength: 20 }), fc.integer({ min: 2, max: 6 }), fc.nat());
      fc.assert(
        fc.property(inputs, ([x, parties, seed]) => {
          const shares = share(fromIntegers(ring, x), parties, seededRng(seed)).map(split);
          const pieces = Array.from({ length: piecesOf(ring) }, (_, j) => open(shares.map((each) => each[j]!)));
          expect(toIntegers(join(ring, pieces))).toEqual(x);
        }),
        { numRuns: 40 },
      );
    }
  });
});

/** People in each cell, and values that show where all counts under `tests` reach a threshold; all in clear. */
interface Question {
  readonly counts: Vector[];
  readonly guarded: { readonly tests: number[]; readonly values: Vector[] }[];
}

/** The road of small groups: conditions, the bits of what opens together, and the values times them. */
async function withheld(
  ch: Channel,
  source: Correlations,
  { counts, guarded }: Question,
  threshold: bigint,
  width: number,
): Promise<Suppressed[]> {
  const differences = counts.map((each) => addConstant(ch, each, constant(length(each), -threshold)));
  const enough = await atLeastZero(ch, source, differences, width);
  const shown = await allOf(
    ch,
    source,
    guarded.map(({ tests }) => tests.map((test) => enough[test]!)),
  );
  return suppress(
    ch,
    source,
    guarded.map(({ values }, i) => ({ bits: shown[i]!, vectors: values })),
  );
}

function costOf({ counts, guarded }: Question, width: number, parties: number): Cost {
  const cells = guarded.map(({ tests }) => length(counts[tests[0]!]!));
  return inSequence(
    atLeastZeroCost(parties, counts.map(length), width),
    allOfCost(
      parties,
      guarded.map(({ tests }, i) => ({ entries: tests.length, count: cells[i]! })),
    ),
    suppressCost(
      parties,
      guarded.map(({ values }, i) => ({
        count: cells[i]!,
        pieces: values.reduce((sum, { ring }) => sum + piecesOf(ring), 0),
      })),
    ),
  );
}

/** Runs the suppression on shares, and opens what it lets through: of each group its bits, then its values. */
async function suppressed(question: Question, threshold: bigint, peopleMax: bigint, parties = 3) {
  const { counts, guarded } = question;
  const width = (threshold > peopleMax ? threshold : peopleMax).toString(2).length + 1;
  const inputs = [...counts, ...guarded.flatMap(({ values }) => values)];
  const program: Program<Suppressed[]> = (ch, source, shares) => {
    let start = counts.length;
    const ours = guarded.map(({ tests, values }) => {
      start += values.length;
      return { tests, values: shares.slice(start - values.length, start) };
    });
    return withheld(ch, source, { counts: shares.slice(0, counts.length), guarded: ours }, threshold, width);
  };
  const results = await onShares(inputs, program, { parties }, costOf(question, width, parties));
  return guarded.map(({ values }, group) => ({
    shown: opened(results.map((each) => each[group]!.shown)),
    values: values.map(({ ring }, i) => {
      const pieces = Array.from({ length: piecesOf(ring) }, (_, j) =>
        open(results.map((each) => each[group]!.values[i]![j]!)),
      );
      return toIntegers(join(ring, pieces));
    }),
  }));
}

function expected({ counts, guarded }: Question, threshold: bigint) {
  const people = counts.map(toIntegers);
  return guarded.map(({ tests, values }) => {
    const shown = people[tests[0]!]!.map((_, i) => tests.every((test) => people[test]![i]! >= threshold));
    return {
      shown: shown.map((each) => (each ? 1n : 0n)),
      values: values.map((value) => toIntegers(value).map((each, i) => (shown[i] ? each : 0n))),
    };
  });
}

describe('suppression', () => {
  const questions = fc
    .tuple(fc.nat({ max: 40 }), fc.integer({ min: 1, max: 5 }), fc.constantFrom(4n, 100n, 65_535n, 1_500_000n))
    .chain(([cells, counts, peopleMax]) => {
      const number = fc.oneof(
        fc.bigInt({ min: 0n, max: peopleMax < 8n ? peopleMax : 8n }),
        fc.bigInt({ min: 0n, max: peopleMax }),
        fc.constant(peopleMax),
      );
      const vectorOf = (element: fc.Arbitrary<bigint>) => fc.array(element, { minLength: cells, maxLength: cells });
      const value = fc
        .constantFrom(...rings)
        .chain((ring) => vectorOf(integers(ring)).map((each) => fromIntegers(ring, each)));
      const guarded = fc.record({
        tests: fc.array(fc.nat({ max: counts - 1 }), { minLength: 1, maxLength: 5 }),
        values: fc.array(value, { maxLength: 3 }),
      });
      return fc.record({
        peopleMax: fc.constant(peopleMax),
        counts: fc.array(vectorOf(number).map(elementsOf), { minLength: counts, maxLength: counts }),
        guarded: fc.array(guarded, { maxLength: 4 }),
      });
    });

  it('opens a value where all its counts reach the threshold, and zeros elsewhere, at its cost', async () => {
    await fc.assert(
      fc.asyncProperty(
        questions,
        fc.constantFrom(0n, 1n, 5n, 10n),
        fc.constantFrom(...partyCounts),
        async ({ counts, guarded, peopleMax }, threshold, parties) => {
          const question = { counts, guarded };
          expect(await suppressed(question, threshold, peopleMax, parties)).toEqual(expected(question, threshold));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('shows a cell with exactly the threshold and withholds one with one person less', async () => {
    const question = {
      counts: [elementsOf([0n, 1n, 4n, 5n, 6n, 65_535n])],
      guarded: [{ tests: [0], values: [elementsOf([7n, 7n, 7n, 7n, 7n, 7n])] }],
    };
    const [result] = await suppressed(question, 5n, 65_535n);
    expect(result).toEqual({ shown: [0n, 0n, 0n, 1n, 1n, 1n], values: [[0n, 0n, 0n, 7n, 7n, 7n]] });
  });

  it('takes vectors of different lengths: a table and its total', async () => {
    const question = {
      counts: [elementsOf([2n, 9n, 3n]), elementsOf([14n])],
      guarded: [
        { tests: [0], values: [elementsOf([20n, 90n, 30n])] },
        { tests: [1], values: [elementsOf([140n]), fromIntegers(Z2_192, [-(1n << 150n)])] },
      ],
    };
    expect(await suppressed(question, 5n, 1000n)).toEqual([
      { shown: [0n, 1n, 0n], values: [[0n, 90n, 0n]] },
      { shown: [1n], values: [[140n], [-(1n << 150n)]] },
    ]);
  });

  it('takes 6 rounds and 27 bytes a cell for two parties and people below 2^16, 7 and 31 for three', () => {
    const question = {
      counts: [vector(Z2_64, 32)],
      guarded: [{ tests: [0], values: [vector(Z2_64, 32)] }],
    };
    const [two, three] = [costOf(question, 17, 2), costOf(question, 17, 3)];
    expect([two.rounds, two.bitTriples / 32, two.sharedBits / 32, two.triples / 32]).toEqual([6, 42, 1, 1]);
    expect([three.rounds, three.bitTriples / 32]).toEqual([7, 58]);
    expect([two.bytes / 32, three.bytes / 32]).toEqual([26.625, 2 * 30.625]);
    expect(costOf({ counts: [], guarded: [] }, 17, 3)).toEqual(noCost);
  });

  it('multiplies more than one round holds in batches, each bit converted once', async () => {
    // 6 pieces a cell: 2^20 products are 174,762 cells, in whole words 174,752.
    const cells = 174_752;
    const wide = vector(Z2_192, cells + 5);
    wide.words[3 * 7] = 9n;
    wide.words[3 * (cells + 4) + 2] = 1n;
    const inputs = [wide, elementsOf([4n, 5n]), elementsOf([6n])];
    const shownBits = [1, 1, 0];
    const sizes = [
      { count: cells + 5, pieces: 6 },
      { count: 2, pieces: 1 },
      { count: 1, pieces: 1 },
    ];
    const cost = suppressCost(2, sizes);
    expect([cost.rounds, cost.sharedBits, cost.triples]).toEqual([2, cells + 96, 6 * (cells + 5) + 3]);
    const program: Program<Suppressed[]> = (ch, source, shares) => {
      const isFirst = ch.self === ch.context.roster[0];
      const guarded = shares.map((share, i) => {
        const count = length(share);
        const words = new Uint32Array(wordsFor(count)).fill(shownBits[i] === 1 && isFirst ? 0xffff_ffff : 0);
        return { bits: { count, words }, vectors: [share] };
      });
      return suppress(ch, source, guarded);
    };
    const results = await onShares(inputs, program, { parties: 2 }, cost);
    const pieces = inputs.map(({ ring }, group) =>
      Array.from({ length: piecesOf(ring) }, (_, j) => open(results.map((each) => each[group]!.values[0]![j]!))),
    );
    expect(equal(join(Z2_192, pieces[0]!), wide)).toBe(true);
    expect([...toIntegers(pieces[1]![0]!), ...toIntegers(pieces[2]![0]!)]).toEqual([4n, 5n, 0n]);
    expect(opened(results.map((each) => each[0]!.shown)).every((each) => each === 1n)).toBe(true);
    expect(opened(results.map((each) => each[2]!.shown))).toEqual([0n]);
  });

  it('ends right or in a typed error on a network with faults', async () => {
    const inputs = [elementsOf([0n, 4n, 5n]), elementsOf([9n, 9n, 9n]), elementsOf([11n, 12n, 13n])];
    const program: Program<Suppressed[]> = (ch, source, [a, b, value]) => {
      return withheld(ch, source, { counts: [a!, b!], guarded: [{ tests: [0, 1], values: [value!] }] }, 5n, 8);
    };
    await expectRightOrTyped(inputs, program, (results) => {
      expect(opened(results.map((each) => each[0]!.values[0]![0]!))).toEqual([0n, 0n, 13n]);
    });
  });

  it('gives the analyst and the parties nothing to tell an empty cell from a small one', async () => {
    // Every byte that one party receives, and every share that is opened, over 640 cells with the same people in them.
    for (const people of [0n, 4n]) {
      const shares = new Float64Array(256);
      const cells = 640;
      const same = (value: bigint) => elementsOf(new Array(cells).fill(value));
      const inputs = [same(people), same(100n * people)];
      const program: Program<Suppressed[]> = (ch, source, [count, value]) => {
        return withheld(ch, source, { counts: [count!], guarded: [{ tests: [0], values: [value!] }] }, 5n, 11);
      };
      const { bytes: received } = await viewOf(inputs, program, { seed: 5 });
      const results = await onShares(inputs, program, { seed: 5 });
      const [values, bits] = [results.map((each) => each[0]!.values[0]![0]!), results.map((each) => each[0]!.shown)];
      expect(new Set([...opened(values), ...opened(bits)])).toEqual(new Set([0n]));
      // All but the first party's shares are uniform by themselves; the last is what is missing to zero.
      for (const share of [...values.slice(1), ...bits.slice(1)]) {
        for (const byte of new Uint8Array(share.words.buffer, share.words.byteOffset, 8 * cells)) shares[byte]! += 1;
      }
      for (const counts of [received, shares]) expect(chiSquare(counts)).toBeLessThan(350);
    }
  });

  it('refuses lengths that differ and more cells than the limit', async () => {
    const run = (bits: Bits, ...vectors: Vector[]) =>
      onShares([], (ch, source) => suppress(ch, source, [{ bits, vectors }]), { parties: 2 });
    const two = packBits([1, 1]);
    await expect(run(two, elementsOf([1n]))).rejects.toEqual(code('LENGTHS_DIFFER'));
    await expect(run(two, elementsOf([1n, 2n]), vector(Z2_192, 3))).rejects.toEqual(code('LENGTHS_DIFFER'));
    const count = productsMax + 1;
    await expect(run({ count, words: new Uint32Array(wordsFor(count)) })).rejects.toEqual(code('OVER_LIMIT'));
  });
});
