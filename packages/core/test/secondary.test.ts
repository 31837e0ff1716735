import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { vector, Z2_64 } from '../src/algebra/ring.ts';
import { simulate } from '../src/channel/simulate.ts';
import { elementsMax, inSequence, noCost } from '../src/protocols/cost.ts';
import { otCorrelations } from '../src/protocols/ot-correlations.ts';
import { type PartitionSizes, secondary, secondaryCost } from '../src/protocols/secondary.ts';
import { share } from '../src/sharing/additive.ts';
import { type Bits, openBits, packBits, shareBits, unpackBits } from '../src/sharing/bit-share.ts';
import { partyNames } from './channels.ts';
import {
  chiSquare,
  elementsOf,
  expectRightOrTyped,
  onShares,
  openedBits,
  type Program,
  partyCounts,
  viewOf,
} from './circuits.ts';
import { idealBaseOts } from './relations.ts';

const code = (name: string) => expect.objectContaining({ code: name });

/** In clear: what `secondary` takes on shares. */
interface Question {
  readonly rows: number;
  readonly columns: number;
  readonly peopleMax: bigint;
  readonly groups: readonly {
    readonly shown: readonly number[];
    readonly crowd: readonly (readonly bigint[])[];
    readonly needed: readonly bigint[];
    readonly counted?: readonly number[];
  }[];
}

/** The rule as it is told, row by row. */
function plainly({ rows, columns, groups }: Question): number[][] {
  const changed = groups.map(({ shown }) => [...shown]);
  for (let row = 0; row < rows; row++) {
    const parts = Array.from({ length: columns }, (_, i) => row * columns + i);
    const need = groups.some(({ shown, crowd, needed, counted }) => {
      const withheld = parts.filter((part) => shown[part] === 0);
      const people = crowd.map((counts) =>
        withheld.filter((part) => counted?.[part] !== 0).reduce((sum, part) => sum + counts[part]!, 0n),
      );
      return withheld.length > 0 && people.some((sum, t) => sum < needed[t]!);
    });
    if (!need) continue;
    const left = parts.filter((part) => groups.every(({ shown }) => shown[part] === 1));
    const sizes = groups[0]!.crowd[0]!;
    const [smallest] = left.toSorted((a, b) => Number(sizes[a]! - sizes[b]!));
    for (const bits of changed) for (const part of smallest === undefined ? parts : [smallest]) bits[part] = 0;
  }
  return changed;
}

function inputsOf({ groups }: Question) {
  return groups.flatMap(({ crowd }) => crowd.map(elementsOf));
}

function programOf({ rows, columns, peopleMax, groups }: Question, parties: number): Program<Bits[]> {
  const rng = seededRng(33);
  const sharedBits = groups.map(({ shown, counted }) => ({
    shown: shareBits(packBits(shown), parties, rng),
    counted: counted === undefined ? undefined : shareBits(packBits(counted), parties, rng),
  }));
  return (ch, source, shares) => {
    const me = ch.context.roster.indexOf(ch.self);
    let start = 0;
    const ours = groups.map(({ crowd, needed }, i) => {
      const { shown, counted } = sharedBits[i]!;
      start += crowd.length;
      return {
        shown: shown[me]!,
        crowd: shares.slice(start - crowd.length, start),
        needed,
        ...(counted === undefined ? {} : { counted: counted[me]! }),
      };
    });
    return secondary(ch, source, { rows, columns, groups: ours, peopleMax });
  };
}

function sizesOf({ rows, columns, peopleMax, groups }: Question): PartitionSizes {
  const sizes = groups.map(({ needed, counted }) => ({ needed, counted: counted !== undefined }));
  return { rows, columns, peopleMax, groups: sizes };
}

async function found(question: Question, parties = 3): Promise<number[][]> {
  const cost = secondaryCost(parties, sizesOf(question));
  const results = await onShares(inputsOf(question), programOf(question, parties), { parties }, cost);
  return question.groups.map((_, i) => openedBits(results.map((each) => each[i]!)));
}

const questions = fc
  .record({
    rows: fc.nat({ max: 12 }),
    columns: fc.integer({ min: 1, max: 13 }),
    peopleMax: fc.constantFrom(3n, 20n, 65_535n),
    groups: fc.array(fc.record({ tests: fc.integer({ min: 1, max: 3 }), counts: fc.boolean() }), {
      minLength: 1,
      maxLength: 3,
    }),
  })
  .chain(({ rows, columns, peopleMax, groups }) => {
    const size = { minLength: rows * columns, maxLength: rows * columns };
    const people = fc.oneof(
      fc.bigInt({ min: 0n, max: peopleMax < 9n ? peopleMax : 9n }),
      fc.bigInt({ min: 0n, max: peopleMax }),
    );
    // Mostly shown, often all of it.
    const bit = fc.nat({ max: 4 }).map((n) => (n === 0 ? 0 : 1));
    const group = ({ tests, counts }: { tests: number; counts: boolean }) => {
      const clear = fc.record({
        shown: fc.oneof(fc.array(bit, size), fc.array(fc.nat({ max: 1 }), size)),
        crowd: fc.array(fc.array(people, size), { minLength: tests, maxLength: tests }),
        needed: fc.array(fc.constantFrom(0n, 1n, 5n, 10n), { minLength: tests, maxLength: tests }),
      });
      return counts ? fc.tuple(clear, fc.array(bit, size)).map(([each, counted]) => ({ ...each, counted })) : clear;
    };
    return fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      peopleMax: fc.constant(peopleMax),
      groups: fc.tuple(...groups.map(group)),
    });
  });

/** Rows of one group and one test, in which a part is shown where it has five people or more. */
function tableOf(counts: bigint[][], needed = 5n): Question {
  const crowd = counts.flat();
  const shown = crowd.map((each) => (each >= needed ? 1 : 0));
  return {
    rows: counts.length,
    columns: counts[0]!.length,
    peopleMax: 1000n,
    groups: [{ shown, crowd: [crowd], needed: [needed] }],
  };
}

describe('secondary suppression', () => {
  it('withholds what the rule says, for any groups, tests and rows, at its cost', async () => {
    await fc.assert(
      fc.asyncProperty(questions, fc.constantFrom(...partyCounts), async (question, parties) => {
        expect(await found(question, parties)).toEqual(plainly(question));
      }),
      { numRuns: 80 },
    );
  });

  it('takes the smallest part that is shown, the first of equal ones, and only where it must', async () => {
    const table = tableOf([
      [9n, 3n, 7n, 8n],
      [9n, 3n, 7n, 7n],
      [9n, 3n, 2n, 8n],
      [9n, 8n, 7n, 6n],
      [9n, 0n, 0n, 8n],
      [1n, 1n, 1n, 1n],
    ]);
    expect(await found(table)).toEqual([
      [
        [1, 0, 0, 1],
        [1, 0, 0, 1],
        [1, 0, 0, 1],
        [1, 1, 1, 1],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
      ].flat(),
    ]);
  });

  it('leaves withheld parts that have the people needed together, if any, once it is done', async () => {
    const counts = fc.integer({ min: 1, max: 9 }).chain((columns) => {
      const part = fc.bigInt({ min: 0n, max: 14n });
      return fc.array(fc.array(part, { minLength: columns, maxLength: columns }), { minLength: 1, maxLength: 6 });
    });
    await fc.assert(
      fc.asyncProperty(counts, async (rows) => {
        const [bits] = await found(tableOf(rows), 2);
        for (const [row, parts] of rows.entries()) {
          const withheld = parts.filter((_, i) => bits![row * parts.length + i] === 0);
          const people = withheld.reduce((sum, each) => sum + each, 0n);
          expect(withheld.length === 0 || people >= 5n || withheld.length === parts.length).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('does not count who is withheld for another reason', async () => {
    const question = tableOf([[9n, 60n, 7n, 8n]]);
    const dominated = { ...question.groups[0]!, shown: [1, 0, 1, 1] };
    expect(await found({ ...question, groups: [dominated] })).toEqual([[1, 0, 1, 1]]);
    expect(await found({ ...question, groups: [{ ...dominated, counted: [1, 0, 1, 1] }] })).toEqual([[1, 0, 0, 1]]);
  });

  it('withholds one part in all groups, and all where no part is shown by all', async () => {
    const [first] = tableOf([[9n, 3n, 7n, 8n]]).groups;
    const other = { shown: [1, 1, 1, 1], crowd: [[40n, 40n, 40n, 5n]], needed: [5n] };
    const question = { ...tableOf([[9n, 3n, 7n, 8n]]), groups: [first!, other] };
    expect(await found(question)).toEqual([
      [1, 0, 0, 1],
      [1, 1, 0, 1],
    ]);
    const apart = { ...other, shown: [0, 1, 0, 0], crowd: [[4n, 40n, 4n, 4n]] };
    expect(await found({ ...question, groups: [first!, apart] })).toEqual([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ]);
  });

  it('takes the rounds and bytes that its head states', () => {
    const sizes = { rows: 1000, columns: 8, peopleMax: 65_535n, groups: [{ needed: [5n], counted: false }] };
    expect([2, 3].map((parties) => secondaryCost(parties, sizes).rounds)).toEqual([43, 45]);
    expect([2, 3].map((parties) => Math.round(secondaryCost(parties, sizes).bytes / (parties - 1) / 8000))).toEqual([
      67, 73,
    ]);
    const partial = { ...sizes, groups: [{ needed: [5n], counted: true }] };
    expect(secondaryCost(2, partial).rounds).toBe(44);
    expect(secondaryCost(2, { ...sizes, rows: 0 })).toEqual(noCost);
  });

  it('computes rows in batches where they have more parts than one run takes', async () => {
    const columns = elementsMax / 2 + 1;
    const rows = 2;
    const sizes = { rows, columns, peopleMax: 3n, groups: [{ needed: [2n], counted: false }] };
    const cost = secondaryCost(2, sizes);
    const ofOne = secondaryCost(2, { ...sizes, rows: 1 });
    expect(cost).toEqual(inSequence(ofOne, ofOne));
    // In each row the last part is withheld: the first row has enough people there, the other needs its smallest part.
    const crowd = vector(Z2_64, rows * columns);
    crowd.words.fill(3n);
    const shown = new Uint8Array(rows * columns).fill(1);
    for (const [row, people] of [2n, 1n].entries()) {
      shown[(row + 1) * columns - 1] = 0;
      crowd.words[(row + 1) * columns - 1] = people;
      crowd.words[row * columns + 1007] = 2n;
    }
    const bits = shareBits(packBits(shown), 2, seededRng(2));
    const program: Program<Bits[]> = (ch, source, [people]) => {
      const group = { shown: bits[ch.context.roster.indexOf(ch.self)]!, crowd: [people!], needed: [2n] };
      return secondary(ch, source, { rows, columns, groups: [group], peopleMax: 3n });
    };
    const results = await onShares([crowd], program, { parties: 2 }, cost);
    const changed = unpackBits(openBits(results.map((each) => each[0]!)));
    const withheld = [...changed.keys()].filter((part) => changed[part] === 0);
    expect(withheld).toEqual([columns - 1, columns + 1007, 2 * columns - 1]);
  });

  it('is right on oblivious transfer', async () => {
    const question = tableOf([
      [9n, 3n, 7n],
      [6n, 8n, 9n],
      [2n, 1n, 6n],
    ]);
    const shared = inputsOf(question).map((each) => share(each, 3, seededRng(4)));
    const program = programOf(question, 3);
    const { outcomes } = await simulate({ parties: partyNames(3), seed: 6 }, async (ch) => {
      const me = ch.context.roster.indexOf(ch.self);
      const source = await otCorrelations(ch, seededRng(me), { base: idealBaseOts });
      return program(
        ch,
        source,
        shared.map((each) => each[me]!),
      );
    });
    const results = [...outcomes.values()].map((outcome) => {
      if ('error' in outcome) throw outcome.error;
      return outcome.value;
    });
    expect(openedBits(results.map((each) => each[0]!))).toEqual(plainly(question)[0]);
  });

  it('leaves each party with uniform bytes, and the same of them whether a row needed more or not', async () => {
    const tables = [
      [9n, 8n, 7n, 9n],
      [9n, 3n, 7n, 9n],
      [0n, 0n, 0n, 0n],
    ].map((row) => tableOf(new Array(64).fill(row)));
    const views = [];
    for (const table of tables) views.push(await viewOf(inputsOf(table), programOf(table, 3), { seed: 12 }));
    for (const { messages, bytes } of views) {
      expect(messages).toEqual(views[0]!.messages);
      expect(chiSquare(bytes)).toBeLessThan(350);
    }
  });

  it('ends right or in a typed error on a network with faults', async () => {
    const question = tableOf([[9n, 3n, 7n]]);
    await expectRightOrTyped(inputsOf(question), programOf(question, 3), (results) => {
      expect(openedBits(results.map((each) => each[0]!))).toEqual([1, 0, 0]);
    });
  });

  it('refuses lengths that differ, and rows over the limit', async () => {
    const run = (rows: number, columns: number, bits: number, people: number, counted?: number) => {
      const zeros = (count: number): Bits => ({ count, words: new Uint32Array(Math.ceil(count / 32)) });
      const group = { shown: zeros(bits), crowd: [vector(Z2_64, people)], needed: [5n] };
      const groups = [counted === undefined ? group : { ...group, counted: zeros(counted) }];
      return onShares([], (ch, source) => secondary(ch, source, { rows, columns, groups, peopleMax: 9n }), {
        parties: 2,
      });
    };
    await expect(run(2, 3, 5, 6)).rejects.toEqual(code('LENGTHS_DIFFER'));
    await expect(run(2, 3, 6, 5)).rejects.toEqual(code('LENGTHS_DIFFER'));
    await expect(run(2, 3, 6, 6, 7)).rejects.toEqual(code('LENGTHS_DIFFER'));
    const over = elementsMax + 1;
    await expect(run(1, over, over, over)).rejects.toEqual(code('OVER_LIMIT'));
  });
});
