/**
 * Sensitivities, against brute force: one person's rows put in anywhere never move a release further than is stated.
 * @module
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { personSensitivity } from '../src/privacy/sensitivity.ts';
import { compile, evaluate } from '../src/query/local.ts';
import { combine, protect } from '../src/query/protection.ts';
import type { Row } from '../src/query/record.ts';
import { type Changes, everything, protectedJob } from './noisy-road.ts';

/** Negative values, several rows a person, people at several parties. */
const several: Changes = [
  ['max_rows_per_unit: 1\n    max_parties_per_unit: 1 ', 'max_rows_per_unit: 2\n    max_parties_per_unit: 2 '],
  [
    'arrears:    { type: decimal, scale: 2, min: 0, max: 20000',
    'arrears:    { type: decimal, scale: 2, min: -500, max: 300',
  ],
  [
    'income:     { type: decimal, scale: 2, min: 0, max: 250000',
    'income:     { type: decimal, scale: 2, min: 7, max: 90',
  ],
];

const tenures = ['owner', 'private', 'social', 'temporary'];
const rowOf = (person: string) =>
  fc.record({
    person: fc.constant(person),
    age: fc.option(fc.integer({ min: -5, max: 130 })),
    tenure: fc.constantFrom(...tenures),
    arrears: fc.option(fc.constantFrom('-500.00', '300.00', '-99.99', '0.01', '1000.00', '-100.00')),
    income: fc.option(fc.constantFrom('7.00', '90.00', '48.50', '1000.00', '0.00', '30.01')),
    employed: fc.option(fc.boolean()),
    moved_in: fc.constant('2020-01-01'),
  });
const crowd = fc.array(
  fc.integer({ min: 0, max: 9 }).chain((person) => rowOf(`p${person}`)),
  { maxLength: 12 },
);
/** All rows of one person: more at a party than are kept, at two parties of three. */
const someone = fc.tuple(fc.array(rowOf('someone'), { maxLength: 3 }), fc.array(rowOf('someone'), { maxLength: 3 }));

describe('the sensitivity of every release', () => {
  it.each([
    ['1000', '500000'],
    ['1', '500000'],
    ['0.01', '500000'],
    ['0.00002', '500000'],
    ['1000', '4'],
    ['0.01', '4'],
  ])('is never exceeded by one person, at ε = %s and its lattices, with max_rows: %s', (epsilon, maxRows) => {
    const checked = protectedJob(everything, epsilon, [...several, ['max_rows: 500000 ', `max_rows: ${maxRows} `]]);
    const query = compile(checked);
    const protection = protect(checked, query, 3, []);
    const partsOf = (rows: readonly Row[]) => combine(protection, evaluate(query, checked.dataset, rows));
    fc.assert(
      fc.property(fc.tuple(crowd, crowd, crowd), someone, fc.nat(12), (others, own, at) => {
        const changes = protection.releases.map(({ parts }) => parts.map(() => [0n, 0n, 0n, 0n]));
        for (const [party, rows] of [others[0]!, others[1]!].entries()) {
          const place = Math.min(at, rows.length);
          const without = partsOf(rows);
          const withThem = partsOf([...rows.slice(0, place), ...own[party]!, ...rows.slice(place)]);
          protection.releases.forEach(({ parts, first }, release) => {
            parts.forEach((_, part) => {
              for (let cell = 0; cell < 4; cell++) {
                changes[release]![part]![cell]! += withThem[first + part]![cell]! - without[first + part]![cell]!;
              }
            });
          });
        }
        protection.releases.forEach((release, index) => {
          const all = changes[index]!.flat();
          const sum = all.reduce((total, change) => total + (change < 0n ? -change : change), 0n);
          const squares = all.reduce((total, change) => total + change * change, 0n);
          if (sum > release.l1 || squares > release.l2Squared) throw new Error(`${release.label}: ${sum}, ${squares}`);
        });
      }),
      { numRuns: 150, seed: 7 },
    );
  });

  it('is reached: no release could state a smaller one', () => {
    const checked = protectedJob(
      'measures: { c: count, s: { sum: arrears }, v: { variance: income } }',
      '1000000000',
      several,
    );
    const query = compile(checked);
    const protection = protect(checked, query, 3, []);
    const rows = (income: string): Row[] =>
      [0, 1].map(() => ({
        person: 'x',
        age: 1,
        tenure: 'owner',
        arrears: '-500.00',
        income,
        employed: true,
        moved_in: '2020-01-01',
      }));
    const parts = combine(protection, evaluate(query, checked.dataset, rows('90.00')));
    // Both rows at both parties.
    expect(protection.releases.map(({ l1 }) => l1)).toEqual(
      parts.map(([value]) => 2n * (value! < 0n ? -value! : value!)),
    );
  });

  const { vectors } = JSON.parse(readFileSync(new URL('./vectors/sensitivity.json', import.meta.url), 'utf8')) as {
    vectors: { id: string; input: Record<string, number>; expected: Record<string, number> }[];
  };
  const vector = (id: string) => vectors.find((each) => each.id === id)!;
  const bySum = (reach: number, rows: number) =>
    personSensitivity({ rowMax: BigInt(reach), rowParts: 1 }, { rows: BigInt(rows), parties: 1n });

  it('is the known one where a person is added or removed', () => {
    const sum = vector('sens-sum-addremove');
    const reach = Math.max(-sum.input.lower!, sum.input.upper!);
    expect(bySum(reach, sum.input.max_rows_per_id!).l1).toBe(BigInt(sum.expected.l1!));
    // One person on both sides of a join is in as many rows as the two sides allow together.
    const join = vector('sens-join-person');
    const rows = join.input.k_left! * join.input.k_right!;
    expect(bySum(1, rows).l1).toBe(BigInt(join.expected.l1_count!));
    expect(bySum(join.input.value_abs_bound!, rows).l1).toBe(BigInt(join.expected.l1_sum!));
  });

  it('covers the known ones under other neighbours', () => {
    // To exchange a person is to remove one and add one.
    const exchanged = vector('sens-sum-substitute');
    const { lower, upper } = exchanged.input as { lower: number; upper: number };
    expect(2n * bySum(Math.max(-lower, upper), 1).l1).toBeGreaterThanOrEqual(BigInt(exchanged.expected.l1!));
    const bins = vector('sens-hist-sub');
    expect(2n * bySum(1, 1).l1).toBe(BigInt(bins.expected.l1!));
    // A person with three rows in each of four groups has twelve: with no bound on each group, all may be in one.
    const groups = vector('sens-group-l0linf');
    const rows = groups.input.max_groups_per_id! * groups.input.max_rows_per_group_per_id!;
    expect(bySum(1, rows).l1).toBe(BigInt(groups.expected.l1!));
    expect(bySum(1, rows).l2Squared).toBeGreaterThanOrEqual(BigInt(groups.expected.l2_squared!));
  });

  it('grows with rows, parties and levels, and is rounded up on a lattice', () => {
    expect(personSensitivity({ rowMax: 1n, rowParts: 3 }, { rows: 2n, parties: 5n })).toEqual({
      l1: 30n,
      l2Squared: 300n,
    });
    expect(personSensitivity({ rowMax: 9n, rowParts: 1 }, { rows: 2n, parties: 3n }, 4n)).toEqual({
      l1: 18n,
      l2Squared: 324n,
    });
  });

  it('is the same under dither, whatever number below the lattice was added', () => {
    const integer = fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n });
    const step = fc.integer({ min: 0, max: 30 }).map((bits) => 1n << BigInt(bits));
    const mod = (value: bigint, g: bigint) => ((value % g) + g) % g;
    fc.assert(
      fc.property(integer, fc.bigInt({ min: 0n, max: 10n ** 10n }), step, integer, (v, c, g, any) => {
        const ceiling = (value: bigint) => (value + mod(-value, g)) / g;
        const added = mod(any, g);
        // What opens tells the remainder, which is uniform whatever v is, and this many multiples.
        const r = mod(v + added, g);
        expect(v + added).toBe(r + g * ceiling(v - r));
        expect(ceiling(v + c - r) - ceiling(v - r)).toBeLessThanOrEqual((c + g - 1n) / g);
      }),
    );
  });
});
