import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { length, type Vector, vector, Z2_64 } from '../src/algebra/ring.ts';
import { argmax, argmin, argminCost, type Extreme } from '../src/protocols/argmin.ts';
import { type Cost, elementsMax, noCost } from '../src/protocols/cost.ts';
import { canDivide, divide, divideCost } from '../src/protocols/divide.ts';
import { divideByConstant, divideByConstantCost } from '../src/protocols/divide-by-constant.ts';
import { type Divisor, divisorCost, divisorOf } from '../src/protocols/reciprocal.ts';
import { truncate, truncateCost } from '../src/protocols/truncate.ts';
import { elementsOf, expectRightOrTyped, onShares, opened, type Program, partyCounts, signed } from './circuits.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const partiesUnderTest = fc.constantFrom(...partyCounts);
const floorDivide = (a: bigint, b: bigint): bigint => (a - (((a % b) + b) % b)) / b;

describe('truncation', () => {
  it('gives the floor or the integer above it, at its cost', async () => {
    const half = 1n << 62n;
    const values = fc.oneof(
      fc.constantFrom(0n, 1n, -1n, half - 1n, -half, 1n << 40n, -(1n << 40n)),
      fc.bigInt({ min: -half, max: half - 1n }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(values, { maxLength: 50 }),
        fc.integer({ min: 1, max: 62 }),
        partiesUnderTest,
        fc.nat({ max: 1000 }),
        async (x, m, parties, seed) => {
          const program: Program<Vector> = (ch, source, [v]) => truncate(ch, source, v!, m);
          const cost = truncateCost(parties, x.length);
          const shares = await onShares([elementsOf(x)], program, { parties, seed }, cost);
          for (const [i, z] of opened(shares).entries()) expect([0n, 1n]).toContain(z - (x[i]! >> BigInt(m)));
        },
      ),
      { numRuns: 60 },
    );
  });
});

const divisorEnds = [
  1n,
  2n,
  3n,
  4n,
  5n,
  7n,
  1n << 15n,
  (1n << 29n) - 1n,
  1n << 29n,
  (1n << 29n) + 1n,
  (1n << 30n) - 1n,
];
const divisors = fc.oneof(
  fc.constantFrom(...divisorEnds),
  fc.bigInt({ min: 1n, max: 100n }),
  fc.bigInt({ min: 1n, max: (1n << 30n) - 1n }),
);

/** Whole multiples of the divisor and their neighbours, and anything of so many bits, on both sides of 0. */
function dividends(b: bigint, bits: number): fc.Arbitrary<bigint> {
  const max = (1n << BigInt(bits)) - 1n;
  const clamp = (a: bigint): bigint => (a > max ? max : a < -max ? -max : a);
  return fc.oneof(
    fc.constantFrom(0n, 1n, -1n, max, -max),
    fc.bigInt({ min: -max, max }),
    fc.tuple(fc.bigInt({ min: -max, max }), fc.bigInt({ min: -1n, max: 1n })).map(([a, d]) => clamp((a / b) * b + d)),
    fc.bigInt({ min: -1000n, max: 1000n }).map(clamp),
  );
}

describe('division', () => {
  it('is exact at the ends of its domain, for 2, 3 and 5 parties, at its cost', async () => {
    const max = (1n << 62n) - 1n;
    const rows = divisorEnds.flatMap((b) => {
      return [0n, 1n, -1n, max, -max, max - b, b - 1n, b, -b, b * b - 1n, (max / b) * b, (max / b) * b - 1n].map(
        (a): [bigint, bigint] => [a, b],
      );
    });
    const inputs = [elementsOf(rows.map(([a]) => a)), elementsOf(rows.map(([, b]) => b))];
    for (const parties of partyCounts) {
      for (const seed of [1, 2, 3]) {
        const cost = divideCost(parties, rows.length);
        const program: Program<Vector> = (ch, source, [a, b]) => divide(ch, source, a!, b!);
        const shares = await onShares(inputs, program, { parties, seed }, cost);
        expect(opened(shares)).toEqual(rows.map(([a, b]) => floorDivide(a, b)));
      }
    }
  });

  it('is exact by shared divisors and dividends of any size', async () => {
    const rows = fc.constantFrom(1, 20, 31, 32, 40, 62).chain((bits) => {
      const row = divisors.chain((b) => dividends(b, bits).map((a): [bigint, bigint] => [a, b]));
      return fc.tuple(fc.constant(bits), fc.array(row, { maxLength: 60 }));
    });
    await fc.assert(
      fc.asyncProperty(rows, partiesUnderTest, fc.nat({ max: 1000 }), async ([bits, pairs], parties, seed) => {
        const inputs = [elementsOf(pairs.map(([a]) => a)), elementsOf(pairs.map(([, b]) => b))];
        const program: Program<Vector> = (ch, source, [a, b]) => divide(ch, source, a!, b!, bits);
        const shares = await onShares(inputs, program, { parties, seed }, divideCost(parties, pairs.length, bits));
        expect(opened(shares)).toEqual(pairs.map(([a, b]) => floorDivide(a, b)));
      }),
      { numRuns: 60 },
    );
  });

  it('is exact by public divisors', async () => {
    const large = fc.constantFrom(1n << 30n, (1n << 45n) - 1n, (1n << 59n) + 1n, (1n << 60n) - 1n);
    const either = fc.oneof({ weight: 4, arbitrary: divisors }, { weight: 1, arbitrary: large });
    const rows = fc.tuple(either, fc.constantFrom(1, 20, 31, 32, 40, 62)).chain(([b, bits]) => {
      return fc.tuple(fc.constant(b), fc.constant(bits), fc.array(dividends(b, bits), { maxLength: 60 }));
    });
    await fc.assert(
      fc.asyncProperty(rows, partiesUnderTest, fc.nat({ max: 1000 }), async ([b, bits, a], parties, seed) => {
        const program: Program<Vector> = (ch, source, [x]) => divideByConstant(ch, source, x!, b, bits);
        const cost = divideByConstantCost(parties, a.length, b, bits);
        const shares = await onShares([elementsOf(a)], program, { parties, seed }, cost);
        expect(opened(shares)).toEqual(a.map((each) => floorDivide(each, b)));
      }),
      { numRuns: 60 },
    );
  });

  it('is exact by shared divisors of any width', async () => {
    const rows = fc.tuple(fc.integer({ min: 4, max: 40 }), fc.constantFrom(1, 20, 40, 62)).chain(([width, bits]) => {
      const max = (1n << BigInt(width)) - 1n;
      const divisor = fc.oneof(fc.constantFrom(1n, 2n, 3n, max, max / 2n + 1n), fc.bigInt({ min: 1n, max }));
      const row = divisor.chain((b) => dividends(b, bits).map((a): [bigint, bigint] => [a, b]));
      return fc.tuple(fc.constant(width), fc.constant(bits), fc.array(row, { maxLength: 60 }));
    });
    await fc.assert(
      fc.asyncProperty(rows, partiesUnderTest, fc.nat({ max: 1000 }), async ([width, bits, pairs], parties, seed) => {
        const inputs = [elementsOf(pairs.map(([a]) => a)), elementsOf(pairs.map(([, b]) => b))];
        const program: Program<Vector> = (ch, source, [a, b]) => divide(ch, source, a!, b!, bits, width);
        const cost = divideCost(parties, pairs.length, bits, width);
        const shares = await onShares(inputs, program, { parties, seed }, cost);
        expect(opened(shares)).toEqual(pairs.map(([a, b]) => floorDivide(a, b)));
      }),
      { numRuns: 100 },
    );
  });

  it('has reciprocals within their stated error', async () => {
    const seeds = fc.tuple(fc.integer({ min: 4, max: 58 }), fc.nat({ max: 1000 }));
    await fc.assert(
      fc.asyncProperty(seeds, fc.array(fc.bigInt({ min: 1n, max: (1n << 58n) - 1n })), async ([bits, seed], some) => {
        const max = (1n << BigInt(bits)) - 1n;
        const b = [1n, 2n, 3n, max, max - 1n, (max + 1n) / 2n, ...some.map((each) => (each % max) + 1n)];
        const program: Program<Divisor> = (ch, source, [v]) => divisorOf(ch, source, v!, bits);
        const cost = divisorCost(3, b.length, bits);
        const shares = await onShares([elementsOf(b)], program, { seed }, cost);
        const [v, y] = [opened(shares.map((each) => each.v)), opened(shares.map((each) => each.y))];
        for (const [i, each] of b.entries()) {
          const normal = each * v[i]!;
          expect(normal >= 1n << BigInt(bits - 1) && normal <= max).toBe(true);
          // y is 2^(30 + bits) / (v b) but for 2^−26 of it.
          const whole = 1n << BigInt(30 + bits);
          const error = y[i]! * normal - whole;
          expect((error < 0n ? -error : error) << 26n < whole).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('by a shared zero ends like any other', async () => {
    const program: Program<Vector> = (ch, source, [a, b]) => divide(ch, source, a!, b!);
    const shares = await onShares([elementsOf([5n, 6n]), elementsOf([0n, 2n])], program, {}, divideCost(3, 2));
    expect(opened(shares)[1]).toBe(3n);
  });

  it('takes the rounds and correlations that the heads state', () => {
    const taken = (cost: Cost) => [cost.rounds, cost.bitTriples / 32, cost.triples / 32, cost.sharedBits / 32];
    expect(taken(divideCost(2, 32))).toEqual([44, 378, 16, 864]);
    expect(taken(divideCost(3, 32))).toEqual([46, 469, 16, 864]);
    expect(divideCost(2, 32, 31).rounds).toBe(38);
    expect(taken(divideByConstantCost(2, 32, 5n))).toEqual([9, 16, 0, 322]);
    expect(taken(divideByConstantCost(3, 32, 5n))).toEqual([10, 24, 0, 322]);
    expect(taken(divideByConstantCost(2, 32, 1_000_000n))).toEqual([11, 112, 0, 258]);
    expect(taken(divideByConstantCost(3, 32, 1_000_000n))).toEqual([12, 154, 0, 258]);
    expect(divideByConstantCost(3, 32, 1n)).toEqual(noCost);
    expect(taken(divisorCost(2, 32, 30)).slice(1)).toEqual([206, 7, 414]);
    const costs = [divideCost(2, 32), divideByConstantCost(2, 32, 5n), divideByConstantCost(2, 32, 1_000_000n)];
    expect(costs.map((cost) => Math.round(cost.bytes / 32))).toEqual([459, 44, 60]);
  });

  it('offers the divisors that its head states', () => {
    const widths = Array.from({ length: 57 }, (_, i) => i + 4);
    const widest = (fits: (bits: number) => boolean) =>
      widths.findLast((bits, i) => fits(bits) && widths.slice(0, i).every(fits));
    expect(widest((divisorBits) => canDivide({ dividendBits: 62, divisorBits }))).toBe(40);
    for (const factor of [10n, 10n ** 6n, 10n ** 12n]) {
      expect(widest((divisorBits) => canDivide({ dividendBits: 62, divisorBits, factor }))).toBe(40);
      const within = { dividendBits: 62, factor, ratioMax: 1n };
      expect(widest((divisorBits) => canDivide({ ...within, divisorBits }))).toBeGreaterThanOrEqual(55);
    }
  });
});

describe('the least and the greatest', () => {
  const tables = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat({ max: 12 })).chain(([columns, rows]) => {
    const row = fc.array(signed, { minLength: columns, maxLength: columns });
    return fc.tuple(fc.constant(columns), fc.array(row, { minLength: rows, maxLength: rows }));
  });

  it('are found with their first index, at their cost', async () => {
    await fc.assert(
      fc.asyncProperty(tables, partiesUnderTest, async ([columns, rows], parties) => {
        for (const [find, better] of [
          [argmin, (x: bigint, y: bigint) => x < y],
          [argmax, (x: bigint, y: bigint) => x > y],
        ] as const) {
          const program: Program<Extreme> = (ch, source, [x]) => find(ch, source, x!, rows.length);
          const cost = rows.length === 0 ? noCost : argminCost(parties, rows.length, columns);
          const shares = await onShares([elementsOf(rows.flat())], program, { parties }, cost);
          const best = rows.map((row) => row.reduce((at, each, i) => (better(each, row[at]!) ? i : at), 0));
          expect(opened(shares.map((each) => each.index))).toEqual(best.map(BigInt));
          expect(opened(shares.map((each) => each.value))).toEqual(best.map((at, i) => rows[i]![at]));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('cost less for narrower values', async () => {
    const rows = [3n, 1n, 1n, 2n, -8n, 7n, 0n];
    const program: Program<Extreme> = (ch, source, [x]) => argmin(ch, source, x!, 1, 4);
    const shares = await onShares([elementsOf(rows)], program, {}, argminCost(3, 1, 7, 4));
    expect(opened(shares.map((each) => each.index))).toEqual([4n]);
    expect(argminCost(3, 1, 7, 4).bytes).toBeLessThan(argminCost(3, 1, 7).bytes);
  });
});

describe('longer circuits', () => {
  it('end right or in a typed error on a network with faults', async () => {
    const rows: [bigint, bigint][] = [
      [1000n, 7n],
      [-5n, 2n],
      [1n << 61n, 12_345n],
    ];
    const inputs = [elementsOf(rows.map(([a]) => a)), elementsOf(rows.map(([, b]) => b))];
    const program: Program<Vector> = async (ch, source, [a, b]) => {
      return (await argmin(ch, source, await divide(ch, source, a!, b!), 1)).index;
    };
    await expectRightOrTyped(inputs, program, (shares) => expect(opened(shares)).toEqual([1n]));
  });

  it('take nothing for empty vectors', async () => {
    const program: Program<number> = async (ch, source, [x]) => {
      const quotients = [await divide(ch, source, x!, x!), await divideByConstant(ch, source, x!, 5n)];
      return quotients.reduce((sum, each) => sum + length(each), length((await argmin(ch, source, x!, 0)).value));
    };
    expect(await onShares([elementsOf([])], program, {}, noCost)).toEqual([0, 0, 0]);
  });

  it('refuse lengths that differ and what is over their limits', async () => {
    const [two, one] = [elementsOf([1n, 2n]), elementsOf([1n])];
    const many = vector(Z2_64, elementsMax + 1);
    const refused = async (program: Program<unknown>, name: string) => {
      await expect(onShares([], program, { parties: 2 })).rejects.toEqual(code(name));
    };
    await refused((ch, source) => divide(ch, source, two, one), 'LENGTHS_DIFFER');
    await refused((ch, source) => argmin(ch, source, elementsOf([1n, 2n, 3n]), 2), 'LENGTHS_DIFFER');
    await refused((ch, source) => divide(ch, source, many, many), 'OVER_LIMIT');
    await refused((ch, source) => divideByConstant(ch, source, many, 3n), 'OVER_LIMIT');
    await refused((ch, source) => truncate(ch, source, many, 3), 'OVER_LIMIT');
    await refused((ch, source) => argmax(ch, source, many, 1), 'OVER_LIMIT');
  });

  it('refuse divisors, shifts and widths outside their bounds as our own mistake', async () => {
    const x = elementsOf([1n]);
    const programs: Program<unknown>[] = [
      (ch, source) => divideByConstant(ch, source, x, 0n),
      (ch, source) => divideByConstant(ch, source, x, 1n << 60n),
      (ch, source) => divide(ch, source, x, x, 62, 41),
      (ch, source) => divide(ch, source, x, x, 62, 3),
      (ch, source) => divideByConstant(ch, source, x, 1n, 63),
      (ch, source) => truncate(ch, source, x, 0),
      (ch, source) => truncate(ch, source, x, 63),
    ];
    for (const program of programs) await expect(onShares([], program)).rejects.toThrow('assertion failed');
  });
});
