/**
 * Joins on the whole road of a job, between two sides with rows in memory: what opens is what a loop over all pairs gives.
 *
 * A helper deals in most of them, since base transfers take longer than all the rest; the first goes without.
 */
import { describe, expect, it } from 'vitest';
import type { Row } from '../src/query/record.ts';
import {
  ask,
  charterFor,
  type JoinRun,
  jobOf,
  nhs,
  pairsOf,
  patient,
  people,
  plain,
  resident,
  type Sides,
  several,
  town,
} from './join-run.ts';

const helped = (lines: string): string => jobOf(`join_helper: hackney\n${lines}`);

const few = `
  people: count
  owed: { sum: left.arrears }
  cost: { mean: right.annual_cost }
  together: { covariance: [left.arrears, right.annual_cost] }`;
/** Of all other kinds, on either side and across the two. */
const kinds = `
  spread: { variance: right.annual_cost }
  deviation: { stddev: left.income }
  earning: { count: { where: { left.income: { gte: 40000 } } } }
  r: { correlation: [left.income, right.annual_cost] }
  fit: { regression: { y: right.annual_cost, x: [left.age, right.conditions, left.employed] } }
  at_work: { mean: left.employed }
  rate: { ratio: [right.annual_cost, left.income] }
  ages: { histogram: { of: left.age, bins: [0, 30, 60, 90] } }
  ill: { histogram: { of: right.conditions, bins: [0, 5, 10] } }
  typical: { median: { of: right.annual_cost, bins: { from: 0, to: 100000, width: 20000 } } }
  by_work: { t_test: { of: right.annual_cost, by: left.employed } }
  split: { chi_square: [left.employed, right.sex] }`;
/** A condition on both rows at once. */
const both = '  both: { count: { where: { any: [{ left.age: { gte: 60 } }, { right.conditions: { gte: 10 } }] } } }';

type Pair = { readonly left: Row; readonly right: Row };
type Figure = { readonly value: number };
const number = (value: unknown): number => Number(value);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const figure = (row: unknown, name: string): number => (row as Record<string, Figure>)[name]!.value;

/** Runs a join, and holds all that it answers against all pairs. */
async function compared(options: JoinRun) {
  const outcome = await ask(options);
  const { rows, suppressed, left_out, threshold } = plain(options);
  expect(outcome.answer).toMatchObject({ suppressed, threshold });
  expect(outcome.answer.left_out).toBe(left_out);
  expect(outcome.answer.rows).toEqual(rows);
  return outcome;
}

describe('a join', () => {
  it('answers over the people on both sides, across the two', async () => {
    const { answer, told } = await compared({ job: jobOf(`measures:${few}`) });
    const pairs = pairsOf(town);
    const x = pairs.map(({ left }) => number(left.arrears));
    const y = pairs.map(({ right }) => number(right.annual_cost));
    const n = pairs.length;
    const [mx, my] = [sum(x) / n, sum(y) / n];
    const [row] = answer.rows;
    expect(n).toBe(40);
    expect(figure(row, 'people')).toBe(n);
    expect(figure(row, 'owed')).toBeCloseTo(sum(x), 6);
    expect(figure(row, 'cost')).toBeCloseTo(my, 6);
    expect(figure(row, 'together')).toBeCloseTo(sum(x.map((each, i) => (each - mx) * (y[i]! - my))) / (n - 1), 2);
    expect(told.camden!.tallies).toEqual([{ seen: 60, empty: 0, malformed: 0, failedCheck: 0 }]);
    expect(told['ncl-health']!.tallies).toEqual([{ seen: 80, empty: 0, malformed: 0, failedCheck: 0 }]);

    // A helper changes nothing but who makes the randomness, and it reads nothing.
    const withHelp = await ask({ job: helped(`measures:${few}`) });
    expect(withHelp.answer.rows).toEqual(answer.rows);
    expect(withHelp.answer).toMatchObject({ helper: 'hackney', parties: ['camden', 'ncl-health'] });
    expect(withHelp.told.hackney).toMatchObject({
      tallies: [],
      phases: expect.not.arrayContaining(['query', 'match']),
    });
  });

  it('has measures of every kind, and counts by conditions on both rows at once', async () => {
    const { answer } = await compared({ job: helped(`measures:${few}${kinds}\n${both}`) });
    const isCounted = ({ left, right }: Pair) => number(left.age) >= 60 || number(right.conditions) >= 10;
    expect(figure(answer.rows[0], 'both')).toBe(pairsOf(town).filter(isCounted).length);
    const isEarning = ({ left }: Pair) => left.income !== null && number(left.income) >= 40_000;
    expect(figure(answer.rows[0], 'earning')).toBe(pairsOf(town).filter(isEarning).length);
  });

  const over = (value: unknown, least: number) => value !== null && number(value) >= least;
  it.each([
    ['the left rows', '{ left.age: { between: [20, 70] } }', ({ left }) => over(left.age, 20) && !over(left.age, 71)],
    ['the right rows', '{ right.sex: { eq: male } }', ({ right }) => right.sex === 'male'],
    [
      'each side by itself',
      '{ left.employed: { eq: true }, right.conditions: { lt: 10 } }',
      ({ left, right }) => left.employed === true && number(right.conditions) < 10,
    ],
    [
      'either of two rows',
      '{ any: [{ left.tenure: { in: [social, temporary] } }, { right.sex: { eq: female } }] }',
      ({ left, right }) => ['social', 'temporary'].includes(String(left.tenure)) || right.sex === 'female',
    ],
    [
      'two rows of which not both are so',
      '{ not: { left.employed: { eq: true }, right.annual_cost: { gte: 50000 } } }',
      ({ left, right }) => !(left.employed === true && over(right.annual_cost, 50_000)),
    ],
    ['what is not known', '{ left.income: { is_null: true } }', ({ left }) => left.income === null],
    [
      'what is not known, or a year',
      '{ any: [{ left.income: { is_null: true } }, { year(left.moved_in): { gte: 2020 }, right.conditions: { gte: 3 } }] }',
      ({ left, right }) => left.income === null || (String(left.moved_in) >= '2020' && over(right.conditions, 3)),
    ],
    [
      'what is known not to be',
      '{ not: { left.income: { gte: 40000 } } }',
      ({ left }) => left.income !== null && !over(left.income, 40_000),
    ],
    [
      'two rows of which neither is so, as far as is known',
      '{ not: { any: [{ left.income: { gte: 40000 } }, { right.conditions: { gte: 15 } }] } }',
      ({ left, right }) => left.income !== null && !over(left.income, 40_000) && number(right.conditions) < 15,
    ],
    ['nobody', '{ left.age: { gt: 105 }, right.sex: { eq: male } }', () => false],
  ] as [string, string, (pair: Pair) => boolean][])('takes conditions on %s', async (_, where, isMet) => {
    const job = helped(
      `where: ${where}\nmeasures: { people: count, cost: { sum: right.annual_cost }, earned: { mean: left.income }, known: { correlation: [left.income, right.conditions] } }`,
    );
    const { answer } = await compared({ job });
    const met = pairsOf(town).filter(isMet);
    expect(met.length).toBeLessThan(40);
    expect(figure(answer.rows[0], 'people')).toBe(met.length);
    expect(figure(answer.rows[0], 'cost')).toBeCloseTo(sum(met.map(({ right }) => number(right.annual_cost))), 6);
    const earned = met.flatMap(({ left }) => (left.income === null ? [] : [number(left.income)]));
    if (earned.length > 0) expect(figure(answer.rows[0], 'earned')).toBeCloseTo(sum(earned) / earned.length, 6);
  });

  it.each([
    ['left', '[left.tenure]', 4],
    ['right', '[right.sex]', 2],
    ['left and right', '[left.tenure, right.sex]', 8],
    ['right and left, and a year', '[right.sex, left.employed, year(left.moved_in)]', 308],
  ])('takes groups of the %s', async (_, groups, cells) => {
    const job = helped(
      `group_by: ${groups}\nmeasures: { people: count, owed: { sum: left.arrears }, cost: { mean: right.annual_cost }, r: { covariance: [left.age, right.conditions] } }`,
    );
    const { answer } = await compared({ job });
    expect(answer.rows).toHaveLength(cells);
    expect(sum(answer.rows.map((row) => figure(row, 'people')))).toBe(40);
    const pairs = pairsOf(town);
    for (const row of answer.rows.slice(0, 20)) {
      const keys = Object.entries(row).filter(([name]) => /^(left|right)\./.test(name));
      const own = pairs.filter((pair) =>
        keys.every(([name, value]) => {
          const [side, column] = name.split('.') as ['left' | 'right', string];
          return pair[side][column] === value;
        }),
      );
      if (groups.includes('year')) continue;
      expect(figure(row, 'people')).toBe(own.length);
      expect(figure(row, 'owed')).toBeCloseTo(sum(own.map(({ left }) => number(left.arrears))), 6);
    }
  });

  it.each([
    ['having', 'having: { people: { gte: 5 }, cost: { gt: 1000 } }', 1],
    ['top', 'top: { by: owed, count: 3 }', 1],
    ['top of those that meet a condition', 'having: { people: { lt: 8 } }\ntop: { by: people, count: 2 }', 1],
    ['rounding', 'round: 5', 1],
    ['a total', 'total: true', 1],
    ['quotients alone', 'open: ratio', 1],
    ['a threshold', '', 5],
    ['a threshold, a total and rounding', 'total: true\nround: 10', 5],
    ['a threshold that nobody reaches', '', 41],
  ])('opens no more than is asked, by %s', async (_, lines, minGroup) => {
    const job = helped(
      `group_by: [left.tenure, right.sex]\nmeasures: { people: count, owed: { sum: left.arrears }, cost: { mean: right.annual_cost } }\n${lines}`,
    );
    const { answer } = await compared({ job, minGroup });
    if (minGroup > 40) expect(answer.suppressed).toBe(3 * 8);
  });

  it('withholds a small group as it does an empty one', async () => {
    const left = people(0, 60).map((person) =>
      resident(person, 1, { tenure: person < 20 || person > 23 ? 'owner' : 'social', arrears: '10.00' }),
    );
    const job = helped('group_by: [left.tenure]\nmeasures: { people: count, owed: { sum: left.arrears } }');
    const { answer } = await compared({ job, minGroup: 5, rows: { left, right: town.right } });
    const none = { value: null, exact: null, suppressed: true };
    expect(answer.rows).toEqual([
      { 'left.tenure': 'owner', people: { value: 36, exact: '36' }, owed: { value: 360, exact: '360.00' } },
      { 'left.tenure': 'private', people: none, owed: none },
      { 'left.tenure': 'social', people: none, owed: none },
      { 'left.tenure': 'temporary', people: none, owed: none },
    ]);
  });
});

describe('people with several rows', () => {
  /** Up to two rows at the left and three at the right, out of order, of whom the left has people that the right has not. */
  const rows: Sides = {
    left: [1, 2].flatMap((row) =>
      people(0, 40)
        .filter((person) => person % row === 0)
        .map((person) => resident(person, row)),
    ),
    right: [1, 2, 3].flatMap((row) =>
      people(15, 50)
        .filter((person) => person % row === 0)
        .map((person) => patient(person, row)),
    ),
  };

  it('are a pair for every two of them, and one person', async () => {
    const { answer } = await compared({ job: helped(`measures:${few}${kinds}`), rows, charter: several });
    const pairs = pairsOf(rows);
    expect(pairs.length).toBeGreaterThan(50);
    expect(figure(answer.rows[0], 'people')).toBe(pairs.length);
    expect(figure(answer.rows[0], 'owed')).toBeCloseTo(sum(pairs.map(({ left }) => number(left.arrears))), 6);
    expect(figure(answer.rows[0], 'cost')).toBeCloseTo(
      sum(pairs.map(({ right }) => number(right.annual_cost))) / pairs.length,
      6,
    );
  });

  it.each(['[left.tenure, right.sex]', '[right.sex]', '[left.employed]'])('stand in groups by %s', async (groups) => {
    const job = helped(
      `where: { left.age: { gte: 10 }, right.conditions: { gte: 1 } }\ngroup_by: ${groups}\nmeasures: { people: count, owed: { sum: left.arrears }, old: { count: { where: { left.age: { gte: 50 } } } }, r: { covariance: [left.arrears, right.annual_cost] } }`,
    );
    const { answer } = await compared({ job, rows, charter: several, minGroup: 4 });
    const open = answer.rows.filter((row) => figure(row, 'people') !== null);
    expect(open.length).toBeGreaterThan(0);
  });

  it('count once toward a threshold, however many pairs they make', async () => {
    const person = (count: number, make: (row: number) => Row) => people(0, count).map(make);
    const crowd: Sides = {
      left: [0, 1, 2].flatMap((each) => person(2, (row) => resident(each, row))),
      right: [0, 1, 2].flatMap((each) => person(3, (row) => patient(each, row))),
    };
    const job = helped('measures: { pairs: count }');
    const enough = await compared({ job, rows: crowd, charter: several, minGroup: 3 });
    expect(figure(enough.answer.rows[0], 'pairs')).toBe(18);
    const short = await compared({ job, rows: crowd, charter: several, minGroup: 4 });
    expect(figure(short.answer.rows[0], 'pairs')).toBeNull();
  });

  it('are cut to the first ones where the charter keeps these', async () => {
    const keeps = charterFor(['max_rows: 2000000', 'max_rows: 2000000\n    extra_rows: keep_first']);
    const given: Sides = { left: rows.left.slice(0, 40), right: rows.right };
    const job = helped('group_by: [right.sex]\nmeasures: { people: count, cost: { sum: right.annual_cost } }');
    const { answer } = await compared({ job, rows: given, charter: keeps });
    expect(sum(answer.rows.map((row) => figure(row, 'people')))).toBe(25);
  });
});

describe('two sets', () => {
  const measures = 'measures: { people: count, cost: { mean: right.annual_cost }, owed: { sum: left.arrears } }';
  const residents = (from: number, to: number) => people(from, to).map((person) => resident(person, 1));
  const patients = (from: number, to: number) => people(from, to).map((person) => patient(person, 1));

  it.each([
    ['of which one is all in the other', residents(10, 20), patients(0, 60), 10],
    ['of which the other is all in the one', residents(0, 60), patients(10, 20), 10],
    ['of the same people', residents(0, 30), patients(0, 30), 30],
    ['that have nobody in common', residents(0, 30), patients(30, 60), 0],
    ['of one person each', residents(7, 8), patients(7, 8), 1],
    ['of which one is a hundred times as large', residents(300, 308), patients(0, 800), 8],
    ['of which the other is a hundred times as large', residents(0, 800), patients(300, 308), 8],
  ] as [string, Row[], Row[], number][])('%s are matched', async (_, left, right, count) => {
    const { answer } = await compared({ job: helped(measures), rows: { left, right } });
    expect(figure(answer.rows[0], 'people')).toBe(count);
  });

  it('fill their class to the last', async () => {
    const rows = { left: residents(0, 512), right: patients(12, 524) };
    const { answer } = await compared({ job: helped(measures), rows, setClass: 18 });
    expect(figure(answer.rows[0], 'people')).toBe(500);
  });

  it('are matched however identifiers are written, and each owner is told how many were no use', async () => {
    const written: ((id: string) => string | number | null)[] = [
      (id) => `${id.slice(0, 3)} ${id.slice(3, 6)} ${id.slice(6)}`,
      (id) => `${id.slice(0, 3)}-${id.slice(3)}`,
      (id) => ` ${id}\u00a0`,
      (id) => id.replace(/[0-9]/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
      (id) => Number(id),
      () => null,
      () => ' - ',
      (id) => `${id}.0`,
      (id) => `${id.slice(0, 9)}\u0663`,
    ];
    const left = people(0, 45).map((person) => resident(person, 1, { nhs_number: written[person % 9]!(nhs(person)) }));
    const rows = { left, right: patients(0, 45).map((row, i) => (i % 15 === 0 ? { ...row, nhs_number: null } : row)) };
    const { answer, told } = await ask({ job: helped(measures), rows });
    expect(told.camden!.tallies).toEqual([{ seen: 45, empty: 10, malformed: 10, failedCheck: 0 }]);
    expect(told['ncl-health']!.tallies).toEqual([{ seen: 45, empty: 3, malformed: 0, failedCheck: 0 }]);
    const matched = people(0, 45).filter((person) => person % 9 < 5 && person % 15 !== 0);
    expect(figure(answer.rows[0], 'people')).toBe(matched.length);
    expect(figure(answer.rows[0], 'owed')).toBeCloseTo(sum(matched.map((person) => number(left[person]!.arrears))), 6);
  });
});
