/** How far one identifier moves the figures of a protected join: no further than the noise is made for. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { personSensitivity } from '../src/privacy/sensitivity.ts';
import type { Charter } from '../src/query/charter.ts';
import { type CheckedJob, checkJob } from '../src/query/check-job.ts';
import { parseJob } from '../src/query/job.ts';
import type { SideName } from '../src/query/join-query.ts';
import { joinQueryOf } from '../src/query/join-terms.ts';
import { compile } from '../src/query/local.ts';
import { protect } from '../src/query/protection.ts';
import type { Row } from '../src/query/record.ts';
import { sideRecords } from '../src/query/side-records.ts';
import { type SideSet, sideSet } from '../src/query/side-set.ts';
import type { LocalQuery } from '../src/query/statistic.ts';
import { charterFor, jobOf, type Sides } from './join-run.ts';

/** The key is one identifier among others at the left, and the unit at the right. */
const charterOf = (left: number, right: number, unitRows: number): Charter =>
  charterFor(
    ['nhs_number: { type: identifier, ', `nhs_number: { type: identifier, max_rows_per_key: ${left}, `],
    ['max_rows_per_unit: 1\n    max_parties', `max_rows_per_unit: ${unitRows}\n    max_parties`],
    ['unit: nhs_number\n    max_rows_per_unit: 1', `unit: nhs_number\n    max_rows_per_unit: ${right}`],
  );
const bounds = [
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 1, max: 2 }),
] as const;

const jobs = [
  'measures: { n: count, costs: { sum: right.annual_cost }, mean: { mean: left.arrears } }',
  `group_by: [left.tenure, right.sex]
where: { left.age: { gte: 20 }, right.conditions: { lte: 15 } }
measures: { n: count, r: { correlation: [left.income, right.annual_cost] } }`,
  'measures: { ages: { histogram: { of: left.age, bins: [0, 30, 60] } }, half: { median: { of: right.conditions, bins: [0, 5, 10, 15, 20] } } }',
  'measures: { fit: { regression: { y: right.annual_cost, x: [left.income, left.age] } } }',
  `where: { any: [{ left.age: { gte: 50 } }, { right.conditions: { gte: 10 } }] }
measures: { n: { count: { where: { left.employed: { eq: true } } } }, rate: { ratio: [left.arrears, right.annual_cost] } }`,
].map((lines) => jobOf(`${lines}\nprivacy: { epsilon: 1 }`));

const money = (most: number) => fc.integer({ min: -5, max: most + 5 }).map((pounds) => `${pounds}.25`);
const value = {
  age: fc.integer({ min: 0, max: 110 }),
  tenure: fc.constantFrom('owner', 'social', 'none'),
  arrears: fc.option(money(20_000)),
  income: fc.option(money(250_000)),
  employed: fc.boolean(),
  moved_in: fc.constant('2020-01-01'),
};
/** Written in two ways. */
const own = (person: number) => fc.constantFrom(`${person}`, ` ${person}.`);
/** What stands where an identifier is not known, and is one all the same. */
const junk = '999';
const everyone = fc.integer({ min: 1, max: 8 });
/** Persons with an identifier of their own, with somebody else's, with none, and very often with the one that many have. */
const left: fc.Arbitrary<Row> = everyone.chain((person) =>
  fc.record({
    person: fc.oneof({ weight: 9, arbitrary: fc.constant(`p${person}`) }, fc.constant('')),
    nhs_number: fc.oneof(
      { weight: 4, arbitrary: fc.constant(junk) },
      { weight: 4, arbitrary: own(person) },
      everyone.chain(own),
      fc.constantFrom('', null),
    ),
    ...value,
  }),
);
const right: fc.Arbitrary<Row> = fc.record({
  nhs_number: fc.oneof({ weight: 8, arbitrary: everyone.chain(own) }, fc.constantFrom(junk, '', null)),
  annual_cost: money(100_000),
  conditions: fc.integer({ min: 0, max: 20 }),
  sex: fc.constantFrom('female', 'male'),
});
const rowsOf = fc.record({
  left: fc.array(left, { maxLength: 30, size: 'max' }),
  right: fc.array(right, { maxLength: 24, size: 'max' }),
});

/** The sums that the two compute on shares, from what each brings. */
function sumsOf(checked: CheckedJob, query: LocalQuery, rows: Sides): bigint[][] {
  const asked = joinQueryOf(checked, query);
  const rng = seededRng(1);
  const setOf = (side: SideName) => {
    return sideSet(asked[side], sideRecords(asked[side], rows[side]), new Uint8Array(16), 18, rng);
  };
  const [a, b] = [setOf('left'), setOf('right')];
  const sums = query.statistics.map(() => new Array<bigint>(query.cells).fill(0n));
  const places = new Map(Array.from({ length: b.keys }, (_, at) => [elementOf(b, at), at]));
  for (let own = 0; own < a.keys; own++) {
    const match = places.get(elementOf(a, own));
    if (match === undefined) continue;
    for (const x of slotsOf(a, own)) {
      for (const y of slotsOf(b, match)) {
        const cell = asked.cellOf[a.cells[x]! * asked.right.cells + b.cells[y]!]!;
        for (const { statistic, left, right } of asked.terms) {
          sums[statistic]![cell]! += a.features[left]![x]! * b.features[right]![y]!;
        }
      }
    }
  }
  return sums;
}

const elementOf = ({ elements }: SideSet, at: number) => elements.subarray(16 * at, 16 * at + 16).join();
const slotsOf = ({ slots, rows, cells }: SideSet, at: number) =>
  Array.from({ length: slots }, (_, slot) => slot * rows.length + at).filter((place) => cells[place]! >= 0);
const isOf = (key: string) => (row: Row) => String(row.nhs_number ?? '').replace(/[^0-9]/g, '') === key;

describe('the sensitivity of a join', () => {
  it('bounds what all rows of one identifier add to any release, at one side or at both', () => {
    const gone = fc.constantFrom(junk, junk, '1', '2');
    const where = fc.constantFrom<readonly SideName[]>(['left'], ['right'], ['left', 'right']);
    fc.assert(
      fc.property(
        rowsOf,
        fc.tuple(...bounds),
        fc.constantFrom(...jobs),
        gone,
        where,
        (rows, [k, m, u], job, id, at) => {
          const checked = checkJob(parseJob(job, 'job.yaml'), charterOf(k, m, u));
          const query = compile(checked);
          const { releases, person } = protect(checked, query, 2, []);
          const totalsOf = (sides: Sides) => {
            const sums = sumsOf(checked, query, sides);
            return releases.map(({ parts }) =>
              parts.flatMap((part) =>
                sums[0]!.map((_, cell) => part.reduce((all, [place, times]) => all + times * sums[place]![cell]!, 0n)),
              ),
            );
          };
          const without = { ...rows };
          for (const side of at) without[side] = rows[side].filter((row) => !isOf(id)(row));
          const [before, after] = [totalsOf(rows), totalsOf(without)];
          for (const [place, release] of releases.entries()) {
            const moved = before[place]!.map((total, cell) => total - after[place]![cell]!);
            const { l1, l2Squared } = personSensitivity(release, person);
            expect(moved.reduce((all, by) => all + (by < 0n ? -by : by), 0n)).toBeLessThanOrEqual(l1);
            expect(moved.reduce((all, by) => all + by * by, 0n)).toBeLessThanOrEqual(l2Squared);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
