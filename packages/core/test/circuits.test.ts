import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { length, type Vector, vector, Z2_64 } from '../src/algebra/ring.ts';
import { addPlanes, addPlanesCost, carrySaveCost, highestBit, highestBitCost } from '../src/protocols/add-circuit.ts';
import { and, andCost, or } from '../src/protocols/and.ts';
import {
  isGreater,
  isGreaterCost,
  isNegative,
  isNegativeCost,
  lessThan,
  lessThanConstant,
  lessThanConstantCost,
  lessThanCost,
} from '../src/protocols/compare.ts';
import { bitsAt, toBits, toBitsCost, toInteger, toIntegerCost, toRing, toRingCost } from '../src/protocols/convert.ts';
import type { Correlations } from '../src/protocols/correlations.ts';
import { elementsMax, inSequence, noCost, productsMax } from '../src/protocols/cost.ts';
import { equalCost, equals, equalsConstant, isZero } from '../src/protocols/equal.ts';
import { multiply, multiplyCost } from '../src/protocols/multiply.ts';
import { choose, select, selectCost, selectEach } from '../src/protocols/select.ts';
import {
  type Bits,
  not,
  openBits,
  type Planes,
  packBits,
  planesOf,
  shareBits,
  unpackBits,
  vectorOf,
  wordsFor,
  xor,
} from '../src/sharing/bit-share.ts';
import { channels } from './channels.ts';
import {
  boundaryPairs,
  chiSquare,
  elementsOf,
  expectRightOrTyped,
  onShares,
  opened,
  openedBits,
  type Program,
  partyCounts,
  signed,
  viewOf,
} from './circuits.ts';

const wrap = (value: bigint): bigint => BigInt.asIntN(64, value);
const pairs = fc.array(fc.tuple(signed, signed), { maxLength: 70 });
const partiesUnderTest = fc.constantFrom(...partyCounts);
const columns = (rows: [bigint, bigint][]): [Vector, Vector] => [
  elementsOf(rows.map(([x]) => x)),
  elementsOf(rows.map(([, y]) => y)),
];
const bit = (condition: boolean): number => (condition ? 1 : 0);
const code = (name: string) => expect.objectContaining({ code: name });
const integersOfPlanes = (shares: Planes[]): bigint[] => {
  const words = shares.map((each) => each.words).reduce(xor);
  return [...vectorOf({ ...shares[0]!, words }).words];
};

describe('bits', () => {
  const bitLists = fc.array(fc.nat({ max: 1 }), { maxLength: 100 });

  it('pack and unpack, share and open', () => {
    fc.assert(
      fc.property(bitLists, fc.integer({ min: 2, max: 6 }), fc.nat(), (values, parties, seed) => {
        expect([...unpackBits(packBits(values))]).toEqual(values);
        const shares = shareBits(packBits(values), parties, seededRng(seed));
        expect(shares).toHaveLength(parties);
        expect([...unpackBits(openBits(shares))]).toEqual(values);
        const all = channels(shares.map((_, i) => `p${i}`));
        const flipped = shares.map((each, i) => not(all[i]!, each));
        expect([...unpackBits(openBits(flipped))]).toEqual(values.map((value) => 1 - value));
      }),
    );
  });

  it('have uniform shares', () => {
    const ones = shareBits(packBits(new Uint8Array(32_000)), 2, seededRng(7)).map(
      (each) => unpackBits(each).reduce((sum, value) => sum + value, 0) / 32_000,
    );
    for (const share of ones) expect(Math.abs(share - 0.5)).toBeLessThan(0.02);
  });

  it('lie in planes as the values have them', () => {
    fc.assert(
      fc.property(fc.array(signed, { maxLength: 70 }), fc.integer({ min: 1, max: 64 }), (values, width) => {
        const x = planesOf(elementsOf(values), width);
        for (const j of [0, width >> 1, width - 1]) {
          const expected = values.map((value) => Number((value >> BigInt(j)) & 1n));
          expect([...unpackBits(bitsAt(x, j))]).toEqual(expected);
        }
        expect([...vectorOf(x).words]).toEqual(values.map((value) => BigInt.asUintN(width, value)));
      }),
    );
  });
});

describe('gates', () => {
  it('multiply, at their cost', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, partiesUnderTest, async (rows, parties) => {
        const cost = multiplyCost(parties, rows.length);
        const shares = await onShares(columns(rows), (ch, s, [x, y]) => multiply(ch, s, x!, y!), { parties }, cost);
        expect(opened(shares)).toEqual(rows.map(([x, y]) => wrap(x * y)));
      }),
      { numRuns: 30 },
    );
  });

  it('AND and OR packed bits, at their cost', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, partiesUnderTest, async (rows, parties) => {
        const rng = seededRng(rows.length);
        const [x, y] = columns(rows).map((each) => shareBits(wordsOfVector(each), parties, rng));
        const words = 2 * rows.length;
        for (const [gate, f] of [
          [and, (a: bigint, b: bigint) => a & b],
          [or, (a: bigint, b: bigint) => a | b],
        ] as const) {
          const program: Program<Bits> = async (ch, source) => {
            const me = ch.context.roster.indexOf(ch.self);
            return { count: 64 * rows.length, words: await gate(ch, source, x![me]!.words, y![me]!.words) };
          };
          const shares = await onShares([], program, { parties }, andCost(parties, words));
          const z = new BigInt64Array(openBits(shares).words.buffer);
          expect([...z]).toEqual(rows.map(([a, b]) => f(a, b)));
        }
      }),
      { numRuns: 30 },
    );
  });
});

function wordsOfVector(x: Vector): Bits {
  return { count: 64 * length(x), words: new Uint32Array(x.words.slice().buffer) };
}

describe('conversions', () => {
  it('find all bits of a shared value, at their cost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(signed, { maxLength: 70 }),
        partiesUnderTest,
        fc.constantFrom(1, 2, 3, 17, 32, 33, 63, 64),
        async (values, parties, width) => {
          const cost = toBitsCost(parties, values.length, width);
          const program: Program<Planes> = (ch, source, [x]) => toBits(ch, source, x!, width);
          const shares = await onShares([elementsOf(values)], program, { parties }, cost);
          expect(integersOfPlanes(shares)).toEqual(values.map((value) => BigInt.asUintN(width, value)));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('take 373 ANDs and 7 rounds for an addition of 64 bits, and 181 for its highest bit', () => {
    const adder = addPlanesCost(2, 32, 64);
    expect([adder.rounds, adder.bitTriples / 32]).toEqual([7, 373]);
    const sign = highestBitCost(2, 32, 64);
    expect([sign.rounds, sign.bitTriples / 32]).toEqual([7, 181]);
    const levels = [2, 3, 4, 5, 6, 7, 12].map((operands) => carrySaveCost(2, operands, 32, 64));
    expect(levels.map(({ rounds }) => rounds)).toEqual([0, 1, 2, 3, 3, 4, 5]);
    expect(levels.map(({ bitTriples }) => bitTriples / 32 / 63)).toEqual([0, 1, 2, 3, 4, 5, 10]);
  });

  it('return to the ring: single bits and whole values', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(signed, { maxLength: 50 }),
        partiesUnderTest,
        fc.constantFrom(1, 7, 64),
        async (values, parties, width) => {
          const shared = shareBits(wordsOfVector(elementsOf(values)), parties, seededRng(3)).map(({ words }) =>
            planesOf({ ring: Z2_64, words: new BigUint64Array(words.buffer) }, width),
          );
          const mine = (roster: readonly string[], self: string) => shared[roster.indexOf(self)]!;
          const whole: Program<Vector> = (ch, source) => toInteger(ch, source, mine(ch.context.roster, ch.self));
          const wholeCost = toIntegerCost(parties, values.length, width);
          expect(opened(await onShares([], whole, { parties }, wholeCost))).toEqual(
            values.map((value) => wrap(BigInt.asUintN(width, value))),
          );
          const single: Program<Vector> = (ch, source) => {
            return toRing(ch, source, bitsAt(mine(ch.context.roster, ch.self), width - 1));
          };
          expect(opened(await onShares([], single, { parties }, toRingCost(parties, values.length)))).toEqual(
            values.map((value) => (value >> BigInt(width - 1)) & 1n),
          );
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('comparison', () => {
  it('is right on all pairs of boundary values, for 2, 3 and 5 parties, at its cost', async () => {
    for (const parties of partyCounts) {
      const n = boundaryPairs.length;
      const program: Program<Bits> = (ch, source, [x, y]) => lessThan(ch, source, x!, y!);
      const shares = await onShares(columns(boundaryPairs), program, { parties }, lessThanCost(parties, n));
      expect(openedBits(shares)).toEqual(boundaryPairs.map(([x, y]) => bit(x < y)));
    }
  });

  it('is right for any values and lengths', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, partiesUnderTest, async (rows, parties) => {
        const program: Program<Bits> = (ch, source, [x, y]) => lessThan(ch, source, x!, y!);
        const shares = await onShares(columns(rows), program, { parties }, lessThanCost(parties, rows.length));
        expect(openedBits(shares)).toEqual(rows.map(([x, y]) => bit(x < y)));
      }),
      { numRuns: 30 },
    );
  });

  it('is right and cheaper within narrower bounds, at their ends', async () => {
    for (const width of [1, 2, 8, 33, 63]) {
      const bound = 1n << BigInt(width - 1);
      const ends = [...new Set([-bound, bound - 1n, 0n, -1n, width > 1 ? 1n : 0n])];
      const rows = ends.flatMap((x) => ends.map((y): [bigint, bigint] => [x, y]));
      const cost = lessThanCost(3, rows.length, width);
      expect(cost.bitTriples).toBeLessThan(lessThanCost(3, rows.length).bitTriples);
      const program: Program<Bits> = (ch, source, [x, y]) => lessThan(ch, source, x!, y!, width);
      expect(openedBits(await onShares(columns(rows), program, {}, cost))).toEqual(rows.map(([x, y]) => bit(x < y)));
      for (const c of [-bound, 0n, bound]) {
        const against: Program<Bits> = (ch, source, [x]) => lessThanConstant(ch, source, x!, c, width);
        const expected = ends.map((x) => bit(x < c));
        const costs = lessThanConstantCost(3, ends.length, width);
        expect(openedBits(await onShares([elementsOf(ends)], against, {}, costs))).toEqual(expected);
      }
    }
  });

  it('is right where the bits are shared already, for values that are not negative', async () => {
    const sharesOf = (values: bigint[], parties: number) => {
      const { count, width, words } = planesOf(elementsOf(values), 64);
      const shares = shareBits({ count: 32 * words.length, words }, parties, seededRng(9));
      return shares.map((each): Planes => ({ count, width, words: each.words }));
    };
    for (const parties of partyCounts) {
      const [x, y] = [0, 1].map((side) =>
        sharesOf(
          boundaryPairs.map((pair) => pair[side]!),
          parties,
        ),
      );
      const program: Program<Bits> = (ch, source) => {
        const me = ch.context.roster.indexOf(ch.self);
        return isGreater(ch, source, x![me]!, y![me]!);
      };
      const shares = await onShares([], program, { parties }, isGreaterCost(parties, boundaryPairs.length, 64));
      const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
      expect(openedBits(shares)).toEqual(boundaryPairs.map(([a, b]) => bit(unsigned(a) > unsigned(b))));
    }
  });

  it('finds signs and compares with a constant, over all 64 bits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(signed, { maxLength: 70 }), signed, partiesUnderTest, async (values, c, parties) => {
        const n = values.length;
        const x = [elementsOf(values)];
        const sign: Program<Bits> = (ch, source, [v]) => isNegative(ch, source, v!);
        const signs = await onShares(x, sign, { parties }, isNegativeCost(parties, n));
        expect(openedBits(signs)).toEqual(values.map((value) => bit(value < 0n)));
        const less: Program<Bits> = (ch, source, [v]) => lessThanConstant(ch, source, v!, c);
        const shares = await onShares(x, less, { parties }, lessThanConstantCost(parties, n));
        expect(openedBits(shares)).toEqual(values.map((value) => bit(value < c)));
      }),
      { numRuns: 40 },
    );
  });
});

describe('equality', () => {
  it('is right on boundary values and any others, at its cost', async () => {
    for (const parties of partyCounts) {
      const cost = equalCost(parties, boundaryPairs.length);
      const program: Program<Bits> = (ch, source, [x, y]) => equals(ch, source, x!, y!);
      const shares = await onShares(columns(boundaryPairs), program, { parties }, cost);
      expect(openedBits(shares)).toEqual(boundaryPairs.map(([x, y]) => bit(x === y)));
      expect([cost.rounds, cost.bitTriples]).toEqual([{ 2: 6, 3: 7, 5: 9 }[parties], 63 * (parties - 1) * 160]);
    }
  });

  it('holds against a constant and zero, within narrower bounds too', async () => {
    const widths = fc.integer({ min: 1, max: 64 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(), { maxLength: 70 }),
        widths,
        fc.nat(),
        partiesUnderTest,
        async (raw, width, c, parties) => {
          const reduce = (value: number) => (BigInt(value) * 0x9e37_79b9n) % (1n << BigInt(width));
          const values = [...raw, c].map(reduce);
          const constant = reduce(c);
          const against: Program<Bits> = (ch, source, [x]) => equalsConstant(ch, source, x!, constant, width);
          const cost = equalCost(parties, values.length, width);
          const shares = await onShares([elementsOf(values)], against, { parties }, cost);
          expect(openedBits(shares)).toEqual(values.map((value) => bit(value === constant)));
          const zero: Program<Bits> = (ch, source, [x]) => isZero(ch, source, x!, width);
          const zeros = await onShares([elementsOf(values)], zero, { parties }, cost);
          expect(openedBits(zeros)).toEqual(values.map((value) => bit(value === 0n)));
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('selection', () => {
  it('multiplies bits with values, and chooses, in one round', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, partiesUnderTest, async (rows, parties) => {
        const choices = rows.map(([x]) => bit(x < 0n));
        const bits = shareBits(packBits(choices), parties, seededRng(9));
        const cost = selectCost(parties, rows.length);
        const times: Program<Vector> = (ch, source, [x]) => {
          return select(ch, source, bits[ch.context.roster.indexOf(ch.self)]!, x!);
        };
        expect(opened(await onShares(columns(rows), times, { parties }, cost))).toEqual(
          rows.map(([x], i) => BigInt(choices[i]!) * x),
        );
        const either: Program<Vector> = (ch, source, [x, y]) => {
          return choose(ch, source, bits[ch.context.roster.indexOf(ch.self)]!, x!, y!);
        };
        expect(opened(await onShares(columns(rows), either, { parties }, cost))).toEqual(
          rows.map(([x, y], i) => (choices[i] === 1 ? x : y)),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('gives the bit over the ring and several products of it', async () => {
    const rows = boundaryPairs.slice(0, 50);
    const choices = rows.map((_, i) => bit(i % 3 === 0));
    const bits = shareBits(packBits(choices), 3, seededRng(9));
    const shares = await onShares(
      columns(rows),
      (ch, source, vectors) => selectEach(ch, source, bits[ch.context.roster.indexOf(ch.self)]!, vectors),
      {},
      selectCost(3, 50, 2),
    );
    expect(opened(shares.map((each) => each.bit))).toEqual(choices.map(BigInt));
    for (const column of [0, 1] as const) {
      expect(opened(shares.map((each) => each.products[column]!))).toEqual(
        rows.map((row, i) => BigInt(choices[i]!) * row[column]),
      );
    }
  });
});

describe('circuits', () => {
  it('take no round and nothing else for empty vectors', async () => {
    const none = elementsOf([]);
    const program: Program<number> = async (ch, source, [x]) => {
      const bits = await lessThan(ch, source, x!, x!);
      const planes = await toBits(ch, source, x!);
      const ring = [
        await toRing(ch, source, bits),
        await toInteger(ch, source, planes),
        await select(ch, source, await equals(ch, source, x!, x!), x!),
        await multiply(ch, source, x!, x!),
      ];
      return ring.reduce((sum, each) => sum + length(each), bits.count + planes.words.length);
    };
    expect(await onShares([none], program, {}, noCost)).toEqual([0, 0, 0]);
  });

  it('follow each other on one channel, at the sum of their costs', async () => {
    const rows = boundaryPairs.slice(0, 40);
    const program: Program<Vector> = async (ch, source, [x, y]) => {
      const less = await lessThan(ch, source, x!, y!);
      const minimum = await choose(ch, source, less, x!, y!);
      return multiply(ch, source, minimum, minimum);
    };
    const cost = inSequence(lessThanCost(3, 40), selectCost(3, 40), multiplyCost(3, 40));
    expect(opened(await onShares(columns(rows), program, {}, cost))).toEqual(
      rows.map(([x, y]) => wrap((x < y ? x : y) ** 2n)),
    );
  });

  it('end right or in a typed error on a network with faults', async () => {
    const rows = boundaryPairs.slice(30, 70);
    const program: Program<Vector> = async (ch, source, [x, y]) => {
      return choose(ch, source, await lessThan(ch, source, x!, y!), x!, y!);
    };
    await expectRightOrTyped(columns(rows), program, (shares) => {
      expect(opened(shares)).toEqual(rows.map(([x, y]) => (x < y ? x : y)));
    });
  });

  it('refuse vectors whose lengths differ', async () => {
    const [x, y] = [elementsOf([1n, 2n]), elementsOf([1n])];
    const short = packBits([1]);
    const programs: Program<unknown>[] = [
      (ch, source, [a, b]) => multiply(ch, source, a!, b!),
      (ch, source, [a, b]) => lessThan(ch, source, a!, b!),
      (ch, source, [a, b]) => equals(ch, source, a!, b!),
      (ch, source, [a]) => select(ch, source, short, a!),
      (ch, source, [a, b]) => choose(ch, source, short, a!, b!),
      (ch, source) => and(ch, source, new Uint32Array(1), new Uint32Array(2)),
      (ch, source, [a, b]) => addPlanes(ch, source, planesOf(a!, 8), planesOf(b!, 8)),
      (ch, source, [a, b]) => highestBit(ch, source, planesOf(a!, 8), planesOf(b!, 8)),
      (ch, source, [a]) => addPlanes(ch, source, planesOf(a!, 8), planesOf(a!, 9)),
    ];
    for (const program of programs) await expect(onShares([x, y], program)).rejects.toEqual(code('LENGTHS_DIFFER'));
  });

  it('refuse more values than their limits', async () => {
    const many = vector(Z2_64, elementsMax + 1);
    const words = new Uint32Array(productsMax + 1);
    const bits: Bits = { count: elementsMax + 1, words: words.subarray(0, wordsFor(elementsMax + 1)) };
    const programs: Program<unknown>[] = [
      (ch, source) => isNegative(ch, source, many),
      (ch, source) => lessThan(ch, source, many, many),
      (ch, source) => lessThanConstant(ch, source, many, 1n),
      (ch, source) => equals(ch, source, many, many),
      (ch, source) => toBits(ch, source, many, 1),
      (ch, source) => toInteger(ch, source, { ...bits, width: 1 }),
      (ch, source) => toRing(ch, source, { count: productsMax + 1, words }),
      (ch, source) => and(ch, source, words, words),
      (ch, source) => selectEach(ch, source, { count: productsMax + 1, words }, []),
    ];
    for (const program of programs) {
      await expect(onShares([], program, { parties: 2 })).rejects.toEqual(code('OVER_LIMIT'));
    }
  });
});

describe('a party that takes part in another computation', () => {
  it('is named: it sends too little, too much, or another message', async () => {
    const odd =
      (program: Program<unknown>): Program<unknown> =>
      (ch, source, shares) => {
        return ch.self === 'party-01' ? program(ch, source, shares) : multiply(ch, source, shares[0]!, shares[0]!);
      };
    const other = (count: number) => elementsOf(new Array(count).fill(1n));
    const cases: [string, Program<unknown>][] = [
      ['BAD_MESSAGE', (ch, source) => multiply(ch, source, other(1), other(1))],
      ['TOO_LARGE', (ch, source) => multiply(ch, source, other(3), other(3))],
      ['UNEXPECTED_MESSAGE', (ch, source) => isNegative(ch, source, other(2))],
    ];
    for (const [name, program] of cases) {
      const run = onShares([other(2)], odd(program), { parties: 2 });
      await expect(run).rejects.toEqual(expect.objectContaining({ code: name, party: 'party-01' }));
    }
    const badBits = onShares(
      [],
      (ch, source) => {
        const words = new Uint32Array(ch.self === 'party-01' ? 1 : 2);
        return and(ch, source, words, words);
      },
      { parties: 2 },
    );
    await expect(badBits).rejects.toEqual(expect.objectContaining({ code: 'BAD_MESSAGE', party: 'party-01' }));
  });
});

describe('what a party sees', () => {
  /** Chi-square of the bytes that one party receives while it compares, selects and converts. */
  async function statisticOf(value: bigint, sourceOf = (source: Correlations): Correlations => source) {
    const program: Program<void> = async (ch, given, [x]) => {
      const source = sourceOf(given);
      const less = await lessThan(ch, source, x!, x!);
      await select(ch, source, less, x!);
      await toInteger(ch, source, await toBits(ch, source, x!));
    };
    const { bytes } = await viewOf([elementsOf(new Array(640).fill(value))], program, { seed: 11 });
    expect(bytes.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(100_000);
    return chiSquare(bytes);
  }

  it('is uniform, whatever is computed', async () => {
    // 255 degrees of freedom: above 350 once in 15,000 fair runs, and these are seeded.
    for (const value of [0n, -1n, 12_345n]) expect(await statisticOf(value)).toBeLessThan(350);
  });

  it('would not be without the masks', async () => {
    // The mutant: a source whose triples and bits are all zero. Results stay right, but the test above notices.
    const unmasked = (): Correlations => ({
      bitTriples: async (count) => {
        const zeros = new Uint32Array(wordsFor(count));
        return { a: zeros, b: zeros, c: zeros };
      },
      triples: async (count) => ({ a: vector(Z2_64, count), b: vector(Z2_64, count), c: vector(Z2_64, count) }),
      sharedBits: async (count) => ({ xor: new Uint32Array(wordsFor(count)), ring: vector(Z2_64, count) }),
    });
    expect(await statisticOf(0n, unmasked)).toBeGreaterThan(1000);
  });
});
