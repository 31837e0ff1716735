import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { length, type Vector, vector, Z2_64 } from '../src/algebra/ring.ts';
import { noCost } from '../src/protocols/cost.ts';
import { dividendsMax } from '../src/protocols/divide.ts';
import { canQuote, type QuotientBounds, type Quotients, quotientCost, quotientOf } from '../src/protocols/quotient.ts';
import { canRound, roundTo, roundToCost } from '../src/protocols/round.ts';
import { elementsOf, expectRightOrTyped, onShares, opened, openedBits, type Program, partyCounts } from './circuits.ts';

const partiesUnderTest = fc.constantFrom(...partyCounts);
const floorDivide = (a: bigint, b: bigint): bigint => (a - (((a % b) + b) % b)) / b;
const nearest = (a: bigint, b: bigint): bigint => floorDivide(2n * a + b, 2n * b);
const upTo = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** Anything of so many bits, and what lies next to a half of the step, on both sides of 0. */
function around(step: bigint, bits: number): fc.Arbitrary<bigint> {
  const max = upTo(bits);
  const clamp = (x: bigint): bigint => (x > max ? max : x < -max ? -max : x);
  const beside = fc.tuple(fc.bigInt({ min: -max, max }), fc.bigInt({ min: -1n, max: 1n }), fc.boolean());
  return fc.oneof(
    fc.constantFrom(0n, 1n, -1n, max, -max),
    fc.bigInt({ min: -max, max }),
    beside.map(([x, d, half]) => clamp((x / step) * step + (half ? step / 2n : 0n) + d)),
  );
}

describe('rounding to a base', () => {
  const bases = fc.oneof(
    fc.constantFrom(1n, 2n, 3n, 4n, 5n, 7n, 10n, 100n, 1_000_000n, 1n << 28n, upTo(29), 1n << 59n, upTo(60)),
    fc.bigInt({ min: 1n, max: upTo(29) }),
  );

  it('takes the nearest multiple and halves up, at its cost', async () => {
    const rows = fc.tuple(bases, fc.constantFrom(1, 8, 20, 40, 61)).chain(([base, bits]) => {
      return fc.tuple(fc.constant(base), fc.constant(bits), fc.array(around(base, bits), { maxLength: 60 }));
    });
    await fc.assert(
      fc.asyncProperty(rows, partiesUnderTest, fc.nat({ max: 1000 }), async ([base, bits, x], parties, seed) => {
        const program: Program<Vector> = (ch, source, [v]) => roundTo(ch, source, v!, base, bits);
        const shares = await onShares(
          [elementsOf(x)],
          program,
          { parties, seed },
          roundToCost(parties, x.length, base, bits),
        );
        expect(opened(shares)).toEqual(x.map((each) => nearest(each, base) * base));
      }),
      { numRuns: 60 },
    );
  });

  it('rounds what counts are rounded to', async () => {
    const program: Program<Vector> = (ch, source, [v]) => roundTo(ch, source, v!, 5n, 10);
    const shares = await onShares([elementsOf([0n, 2n, 3n, 7n, 8n, -2n, -3n, 1023n])], program);
    expect(opened(shares)).toEqual([0n, 0n, 5n, 5n, 10n, 0n, -5n, 1025n]);
    const even: Program<Vector> = (ch, source, [v]) => roundTo(ch, source, v!, 10n, 10);
    expect(opened(await onShares([elementsOf([4n, 5n, -5n, -6n, 15n])], even))).toEqual([0n, 10n, 0n, -10n, 20n]);
  });

  it('costs nothing to the base 1, and a second batch past the limit of a division', () => {
    expect(roundToCost(3, 100, 1n, 62)).toEqual(noCost);
    const [one, two] = [dividendsMax, 2 * dividendsMax].map((count) => roundToCost(3, count, 5n, 40));
    expect(two!.rounds).toBe(2 * one!.rounds);
    expect(two!.bytes).toBe(2 * one!.bytes);
  });

  it('takes values over the limit of a division', async () => {
    const x = elementsOf(Array.from({ length: dividendsMax + 3 }, (_, i) => BigInt(i)));
    const program: Program<Vector> = (ch, source, [v]) => roundTo(ch, source, v!, 3n, 20);
    const values = opened(await onShares([x], program, { parties: 2 }, roundToCost(2, length(x), 3n, 20)));
    expect(values.slice(-4)).toEqual([262_143n, 262_143n, 262_146n, 262_146n]);
  }, 60_000);

  it('knows its domain', async () => {
    expect([canRound(1n, 62), canRound(2n, 61), canRound(upTo(60), 61), canRound(5n, 40)]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    const outside = [canRound(1n, 63), canRound(2n, 62), canRound(0n, 5), canRound(1n << 60n, 5), canRound(5n, 0)];
    expect(outside).toEqual([false, false, false, false, false]);
    const program: Program<Vector> = (ch, source, [v]) => roundTo(ch, source, v!, 2n, 62);
    await expect(onShares([elementsOf([1n])], program)).rejects.toThrow('assertion failed');
  });
});

describe('quotients', () => {
  const plain = (a: bigint, b: bigint, factor: bigint): bigint =>
    b === 0n ? 0n : BigInt.asIntN(64, nearest(factor * a, b));

  const programOf =
    (bounds: QuotientBounds): Program<Quotients> =>
    (ch, source, [a, b]) =>
      quotientOf(ch, source, a!, b!, bounds);

  async function expectQuotients(rows: [bigint, bigint][], bounds: QuotientBounds, parties: number, seed: number) {
    const inputs = [elementsOf(rows.map(([a]) => a)), elementsOf(rows.map(([, b]) => b))];
    const cost = quotientCost(parties, rows.length, bounds);
    const shares = await onShares(inputs, programOf(bounds), { parties, seed }, cost);
    expect(opened(shares.map(({ value }) => value))).toEqual(rows.map(([a, b]) => plain(a, b, bounds.factor ?? 1n)));
    expect(openedBits(shares.map(({ defined }) => defined))).toEqual(rows.map(([, b]) => (b > 0n ? 1 : 0)));
  }

  it('are exact to the nearest at the ends of their domain, for 2, 3 and 5 parties, at their cost', async () => {
    const domains: QuotientBounds[] = [
      { numeratorBits: 62, denominatorBits: 40 },
      { numeratorBits: 62, denominatorBits: 40, factor: 1_000_000n },
      { numeratorBits: 62, denominatorBits: 30, factor: 10n },
      { numeratorBits: 42, denominatorBits: 20, factor: 1_000_000n },
      { numeratorBits: 20, denominatorBits: 40, factor: 1_000_000_000_000n },
      { numeratorBits: 1, denominatorBits: 1, factor: 100n },
      { numeratorBits: 30, denominatorBits: 4, factor: 999_983n },
    ];
    for (const bounds of domains) {
      const [top, last] = [upTo(bounds.numeratorBits), upTo(bounds.denominatorBits)];
      const denominators = [0n, 1n, 2n, 3n, 7n, last / 2n, last / 2n + 1n, last - 1n, last].filter(
        (b) => b >= 0n && b <= last,
      );
      const rows = denominators.flatMap((b) =>
        [0n, 1n, -1n, top, -top, top - b, b / 2n, -(b / 2n), (b + 1n) / 2n, b * b + b / 2n]
          .filter((a) => a <= top && a >= -top)
          .map((a): [bigint, bigint] => [a, b]),
      );
      for (const parties of partyCounts) await expectQuotients(rows, bounds, parties, parties);
    }
  });

  it('are exact for bounds and values of any size', async () => {
    const bounds = fc.record({
      numeratorBits: fc.integer({ min: 1, max: 62 }),
      denominatorBits: fc.integer({ min: 1, max: 40 }),
      factor: fc.constantFrom(1n, 10n, 100n, 10_000n, 1_000_000n, 1_000_000_000n),
    });
    const cases = bounds.chain((each) => {
      const last = upTo(each.denominatorBits);
      const row = fc.bigInt({ min: 0n, max: last }).chain((b) => {
        return around(b < 1n ? 1n : b, each.numeratorBits).map((a): [bigint, bigint] => [a, b]);
      });
      return fc.tuple(fc.constant(each), fc.array(row, { maxLength: 40 }));
    });
    await fc.assert(
      fc.asyncProperty(cases, partiesUnderTest, fc.nat({ max: 1000 }), async ([each, rows], parties, seed) => {
        expect(canQuote(each, 63)).toBe(true);
        await expectQuotients(rows, each, parties, seed);
      }),
      { numRuns: 60 },
    );
  });

  it('know their domain', async () => {
    const of = (numeratorBits: number, denominatorBits: number, factor = 1n) => ({
      numeratorBits,
      denominatorBits,
      factor,
    });
    expect([canQuote(of(62, 40)), canQuote(of(43, 40, 1_000_000n)), canQuote(of(62, 40, 1_000_000n), 50)]).toEqual([
      true,
      true,
      true,
    ]);
    const outside = [of(63, 20), of(62, 41), of(0, 20), of(20, 0), of(20, 61), of(20, 20, 0n), of(44, 40, 1_000_000n)];
    expect(outside.map((each) => canQuote(each))).toEqual(outside.map(() => false));
    expect(canQuote(of(20, 20), 64)).toBe(false);
    await expect(onShares([elementsOf([1n]), elementsOf([1n])], programOf(of(62, 41)))).rejects.toThrow(
      'assertion failed',
    );
  });

  it('end right or in a typed error on a network with faults', async () => {
    const program = programOf({ numeratorBits: 20, denominatorBits: 10, factor: 10n });
    const inputs = [elementsOf([1000n, -7n, 5n]), elementsOf([3n, 2n, 0n])];
    await expectRightOrTyped(inputs, program, (shares) => {
      expect(opened(shares.map(({ value }) => value))).toEqual([3333n, -35n, 0n]);
    });
  });

  it('take nothing for empty vectors and refuse lengths that differ', async () => {
    const bounds = { numeratorBits: 20, denominatorBits: 10 };
    expect(length((await onShares([elementsOf([]), elementsOf([])], programOf(bounds), {}, noCost))[0]!.value)).toBe(0);
    const shares = onShares([vector(Z2_64, 2), vector(Z2_64, 1)], programOf(bounds), { parties: 2 });
    await expect(shares).rejects.toEqual(expect.objectContaining({ code: 'LENGTHS_DIFFER' }));
  });
});
