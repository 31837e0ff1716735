import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { fromIntegers, length, rings, toIntegers, type Vector, vector, Z2_64, Z2_192 } from '../src/algebra/ring.ts';
import { elementsMax, noCost } from '../src/protocols/cost.ts';
import { type Guarded, type Suppressed, suppress, suppressCost } from '../src/protocols/suppress.ts';
import { open, share } from '../src/sharing/additive.ts';
import { join, piecesOf, split } from '../src/sharing/wide-share.ts';
import { elementsOf, expectRightOrTyped, onShares, opened, type Program, partyCounts } from './circuits.ts';
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

/** Counts, and values guarded by some of them, in clear. */
interface Question {
  readonly counts: Vector[];
  readonly guarded: Guarded[];
}

/** Runs the suppression on shares, and opens what it lets through: of each group its bits, then its values. */
async function suppressed(question: Question, threshold: bigint, peopleMax: bigint, parties = 3) {
  const { counts, guarded } = question;
  const sizes = {
    counts: counts.map(length),
    threshold,
    peopleMax,
    guarded: guarded.map(({ tests, values }) => ({
      tests,
      pieces: values.reduce((sum, { ring }) => sum + piecesOf(ring), 0),
    })),
  };
  const inputs = [...counts, ...guarded.flatMap(({ values }) => values)];
  const program: Program<Suppressed[]> = (ch, source, shares) => {
    const people = shares.slice(0, counts.length);
    let start = counts.length;
    const ours = guarded.map(({ tests, values }) => {
      start += values.length;
      return { tests, values: shares.slice(start - values.length, start) };
    });
    return suppress(ch, source, { people, threshold, peopleMax }, ours);
  };
  const results = await onShares(inputs, program, { parties }, suppressCost(parties, sizes));
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

  it('takes the rounds and bytes that its head states', () => {
    const sizes = { counts: [32], threshold: 5n, peopleMax: 65_535n, guarded: [{ tests: [0], pieces: 1 }] };
    const [two, three] = [suppressCost(2, sizes), suppressCost(3, sizes)];
    expect([two.rounds, two.bitTriples / 32, two.sharedBits / 32, two.triples / 32]).toEqual([6, 42, 1, 1]);
    expect([three.rounds, three.bitTriples / 32]).toEqual([7, 58]);
    expect([two.bytes / 32, three.bytes / 32]).toEqual([26.625, 2 * 30.625]);
    expect(suppressCost(3, { ...sizes, counts: [], guarded: [] })).toEqual(noCost);
  });

  it('ends right or in a typed error on a network with faults', async () => {
    const inputs = [elementsOf([0n, 4n, 5n]), elementsOf([9n, 9n, 9n]), elementsOf([11n, 12n, 13n])];
    const program: Program<Suppressed[]> = (ch, source, [a, b, value]) => {
      const counts = { people: [a!, b!], threshold: 5n, peopleMax: 100n };
      return suppress(ch, source, counts, [{ tests: [0, 1], values: [value!] }]);
    };
    await expectRightOrTyped(inputs, program, (results) => {
      expect(opened(results.map((each) => each[0]!.values[0]![0]!))).toEqual([0n, 0n, 13n]);
    });
  });

  it('gives the analyst and the parties nothing to tell an empty cell from a small one', async () => {
    // Every byte that one party receives, and every share that is opened, over 640 cells with the same people in them.
    for (const people of [0n, 4n]) {
      const received = new Float64Array(256);
      const shares = new Float64Array(256);
      const cells = 640;
      const same = (value: bigint) => elementsOf(new Array(cells).fill(value));
      const program: Program<Suppressed[]> = (ch, source, [count, value]) => {
        const spied = {
          ...ch,
          recv: async (from: string, label: string, bytesMax: number) => {
            const message = await ch.recv(from, label, bytesMax);
            if (ch.self === 'party-00') for (const byte of message) received[byte]! += 1;
            return message;
          },
        };
        const counts = { people: [count!], threshold: 5n, peopleMax: 1000n };
        return suppress(spied, source, counts, [{ tests: [0], values: [value!] }]);
      };
      const results = await onShares([same(people), same(100n * people)], program, { seed: 5 });
      const [values, bits] = [results.map((each) => each[0]!.values[0]![0]!), results.map((each) => each[0]!.shown)];
      expect(new Set([...opened(values), ...opened(bits)])).toEqual(new Set([0n]));
      // All but the first party's shares are uniform by themselves; the last is what is missing to zero.
      for (const share of [...values.slice(1), ...bits.slice(1)]) {
        for (const byte of new Uint8Array(share.words.buffer, share.words.byteOffset, 8 * cells)) shares[byte]! += 1;
      }
      for (const counts of [received, shares]) expect(chiSquare(counts)).toBeLessThan(350);
    }
  });

  it('refuses lengths that differ and what is over the limit', async () => {
    const run = (question: Question) =>
      onShares([], (ch, source) => {
        const counts = { people: question.counts, threshold: 5n, peopleMax: 100n };
        return suppress(ch, source, counts, question.guarded);
      });
    const [one, two] = [elementsOf([1n]), elementsOf([1n, 2n])];
    const many = vector(Z2_64, elementsMax);
    const guard = (tests: number[], ...values: Vector[]): Guarded => ({ tests, values });
    await expect(run({ counts: [two], guarded: [guard([0], one)] })).rejects.toEqual(code('LENGTHS_DIFFER'));
    await expect(run({ counts: [one, two], guarded: [guard([0, 1])] })).rejects.toEqual(code('LENGTHS_DIFFER'));
    await expect(run({ counts: [many, one], guarded: [] })).rejects.toEqual(code('OVER_LIMIT'));
    await expect(run({ counts: [one], guarded: [guard([])] })).rejects.toThrow('assertion failed');
  });
});

/** Of bytes against the uniform distribution: 255 degrees of freedom, above 350 once in 15,000 fair runs. */
function chiSquare(counts: Float64Array): number {
  const total = counts.reduce((sum, each) => sum + each, 0);
  expect(total).toBeGreaterThan(10_000);
  return counts.reduce((sum, each) => sum + (each - total / 256) ** 2 / (total / 256), 0);
}
