import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { vector, Z2_64 } from '../src/algebra/ring.ts';
import { simulate } from '../src/channel/simulate.ts';
import { elementsMax, noCost } from '../src/protocols/cost.ts';
import { otCorrelations } from '../src/protocols/ot-correlations.ts';
import { topOf, topOfCost } from '../src/protocols/top.ts';
import { share } from '../src/sharing/additive.ts';
import { type Bits, packBits, shareBits } from '../src/sharing/bit-share.ts';
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

interface Question {
  readonly values: bigint[];
  readonly eligible: number[];
  readonly rows: number;
  readonly count: number;
  readonly width: number;
}

/** Sorts each row, as no circuit does. */
function plainTop({ values, eligible, rows, count }: Question): number[] {
  const columns = rows === 0 ? 0 : values.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    const places = Array.from({ length: columns }, (_, i) => row * columns + i);
    const won = places
      .filter((place) => eligible[place] === 1)
      .sort((a, b) => (values[a]! === values[b]! ? a - b : values[a]! > values[b]! ? -1 : 1))
      .slice(0, count);
    return places.map((place) => (won.includes(place) ? 1 : 0));
  }).flat();
}

function programOf({ eligible, rows, count, width }: Question, parties: number): Program<Bits> {
  const bits = shareBits(packBits(eligible), parties, seededRng(21));
  return (ch, source, [values]) => {
    return topOf(ch, source, values!, bits[ch.context.roster.indexOf(ch.self)]!, count, width, rows);
  };
}

async function found(question: Question, parties = 3): Promise<number[]> {
  const { values, rows, count, width } = question;
  const cost = topOfCost(parties, rows === 0 ? 0 : values.length / rows, count, width, rows);
  return openedBits(await onShares([elementsOf(values)], programOf(question, parties), { parties }, cost));
}

/** Values of which many are equal, or lie at the ends of their width. */
const questions = fc
  .record({
    rows: fc.nat({ max: 4 }),
    columns: fc.nat({ max: 45 }),
    count: fc.integer({ min: 1, max: 20 }),
    width: fc.constantFrom(1, 2, 5, 17, 63, 64),
  })
  .chain(({ rows, columns, count, width }) => {
    const bound = 1n << BigInt(width - 1);
    const small = bound < 3n ? bound : 3n;
    const value = fc.oneof(
      fc.bigInt({ min: -bound, max: bound - 1n }),
      fc.bigInt({ min: -small, max: small - 1n }),
      fc.constantFrom(-bound, bound - 1n),
    );
    const size = { minLength: rows * columns, maxLength: rows * columns };
    return fc.record({
      rows: fc.constant(rows),
      count: fc.constant(count),
      width: fc.constant(width),
      values: fc.array(value, size),
      eligible: fc.oneof(fc.array(fc.nat({ max: 1 }), size), fc.constant(new Array<number>(rows * columns).fill(1))),
    });
  });

describe('the greatest values of rows', () => {
  it('are those that a sort finds, of equal ones the first, at their cost', async () => {
    await fc.assert(
      fc.asyncProperty(questions, fc.constantFrom(...partyCounts), async (question, parties) => {
        expect(await found(question, parties)).toEqual(plainTop(question));
      }),
      { numRuns: 80 },
    );
  });

  it('are right for each number of elements around powers of two', async () => {
    for (const columns of [2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33]) {
      for (const count of [1, 2, 3, 5, 8]) {
        const values = Array.from({ length: columns }, (_, i) => BigInt((i * 7) % 11) - 5n);
        const question = { values, eligible: values.map((_, i) => (i % 4 === 1 ? 0 : 1)), rows: 1, count, width: 5 };
        expect(await found(question, 2)).toEqual(plainTop(question));
      }
    }
  });

  it('are all that are eligible where they are fewer, and none where none is', async () => {
    const values = [5n, 9n, -4n, 9n, 0n, 2n, 7n];
    const question = { values, rows: 1, count: 3, width: 6 };
    expect(await found({ ...question, eligible: [0, 0, 1, 0, 1, 0, 0] })).toEqual([0, 0, 1, 0, 1, 0, 0]);
    expect(await found({ ...question, eligible: new Array(7).fill(0) })).toEqual(new Array(7).fill(0));
    expect(await found({ ...question, eligible: [1, 0, 1, 1, 1, 1, 1] })).toEqual([1, 0, 0, 1, 0, 0, 1]);
  });

  it('take no round where no row has more than are wanted', () => {
    expect(topOfCost(3, 4, 4, 64, 5)).toEqual(noCost);
    expect(topOfCost(3, 0, 1)).toEqual(noCost);
  });

  it('take the rounds of one tournament, however many are wanted', () => {
    const rounds = [1, 5, 20].map((count) => topOfCost(2, 100, count, 40).rounds);
    // Keys of 48 bits: 7 for the bits of the values, 8 for each of 7 levels, 8 at last.
    expect(rounds).toEqual([71, 71, 71]);
    // Bit triples for each bit of 1,000 keys of 51 bits: toBits has 4 of them.
    const triples = [1, 5, 20].map((count) => Math.round(topOfCost(2, 1000, count, 40).bitTriples / (1000 * 51)));
    expect(triples).toEqual([11, 31, 103]);
  });

  it('are right on oblivious transfer', async () => {
    const values = [40n, -3n, 77n, 12n, 77n, 50n, 0n, 61n];
    const question: Question = { values, eligible: [1, 1, 1, 1, 1, 0, 1, 1], rows: 1, count: 3, width: 8 };
    const shared = share(elementsOf(values), 3, seededRng(4));
    const program = programOf(question, 3);
    const { outcomes } = await simulate({ parties: partyNames(3), seed: 6 }, async (ch) => {
      const me = ch.context.roster.indexOf(ch.self);
      return program(ch, await otCorrelations(ch, seededRng(me), { base: idealBaseOts }), [shared[me]!]);
    });
    const shares = [...outcomes.values()].map((outcome) => {
      if ('error' in outcome) throw outcome.error;
      return outcome.value;
    });
    expect(openedBits(shares)).toEqual(plainTop(question));
  });

  it('end right or in a typed error on a network with faults', async () => {
    const values = [4n, 1n, 9n, 9n, 3n];
    const question: Question = { values, eligible: [1, 1, 0, 1, 1], rows: 1, count: 2, width: 5 };
    await expectRightOrTyped([elementsOf(values)], programOf(question, 3), (shares) => {
      expect(openedBits(shares)).toEqual([1, 0, 0, 1, 0]);
    });
  });

  it('leave each party with uniform bytes, and the same of them whatever the values', async () => {
    const n = 320;
    const inputs: Question[] = [
      { values: new Array(n).fill(0n), eligible: new Array(n).fill(0), rows: 1, count: 3, width: 20 },
      {
        values: Array.from({ length: n }, (_, i) => BigInt(i * 99)),
        eligible: new Array(n).fill(1),
        rows: 1,
        count: 3,
        width: 20,
      },
    ];
    const views = [];
    for (const question of inputs) {
      views.push(await viewOf([elementsOf(question.values)], programOf(question, 3)));
    }
    expect(views[0]!.messages).toEqual(views[1]!.messages);
    for (const { bytes } of views) expect(chiSquare(bytes)).toBeLessThan(350);
  });

  it('refuse lengths that differ, and more than the limit', async () => {
    const run = (n: number, bits: number, count: number, rows = 1) => {
      const eligible = { count: bits, words: new Uint32Array(Math.ceil(bits / 32)) };
      return onShares([], (ch, source) => topOf(ch, source, vector(Z2_64, n), eligible, count, 8, rows), {
        parties: 2,
      });
    };
    await expect(run(3, 4, 1)).rejects.toEqual(code('LENGTHS_DIFFER'));
    await expect(run(3, 3, 1, 2)).rejects.toEqual(code('LENGTHS_DIFFER'));
    await expect(run(elementsMax + 1, elementsMax + 1, 1)).rejects.toEqual(code('OVER_LIMIT'));
    await expect(run(elementsMax / 4, elementsMax / 4, 5)).rejects.toEqual(code('OVER_LIMIT'));
    await expect(run(3, 3, 0)).rejects.toThrow('assertion failed');
  });
});
