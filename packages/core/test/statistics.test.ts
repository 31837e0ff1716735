/**
 * Every measure against the oracle: random rows, split among parties, through local query, rings and finish.
 * @module
 */
import { plainAnswer } from '@folkmoot/testkit/plain-evaluation.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Answer } from '../src/query/answer.ts';
import { parseCharter } from '../src/query/charter.ts';
import { checkJob } from '../src/query/check-job.ts';
import type { Job, Measure } from '../src/query/job.ts';
import { evaluate } from '../src/query/local.ts';
import {
  accepts,
  approximate,
  type Expected,
  expectedOf,
  type Fraction,
  fraction,
  minus,
  type PlainDataset,
  type PlainRow,
  pool,
  type Settled,
  times,
} from './pooled-oracle.ts';

const parties = ['east', 'north', 'west'];

function charterText(unit: 'person' | 'row', rowsPerUnit: number): string {
  return `
folkmoot: 1
charter: A survey
version: 1
parties: { east: { name: East, owner: A }, north: { name: North, owner: B }, west: { name: West, owner: C } }
analysts: { someone: { roles: [analyst] } }
purposes: { research: To see }
datasets:
  survey:
    held_by: [east, north, west]
    unit: ${unit}
    max_rows_per_unit: ${rowsPerUnit}
    extra_rows: keep_first
    max_parties_per_unit: 1
    max_rows: 1000
    columns:
      person: { type: identifier }
      age:    { type: integer, min: -5, max: 110, nulls: drop }
      cost:   { type: decimal, scale: 2, min: -1000, max: 1000, nulls: zero }
      pay:    { type: decimal, scale: 3, min: 0, max: 50000, nulls: drop }
      works:  { type: boolean, nulls: drop }
      home:   { type: boolean }
      tenure: { type: category, values: [owner, private, social] }
      sex:    { type: category, values: [female, male], nulls: drop }
      since:  { type: date, min: 2018-01-01, max: 2021-12-31, nulls: drop }
policy_floor: { min_parties: 3, min_group: 1 }
`;
}

const levels = { tenure: ['owner', 'private', 'social'], sex: ['female', 'male'] };
const columns: PlainDataset['columns'] = {
  age: { kind: 'number', nulls: 'drop', min: '-5', max: '110' },
  cost: { kind: 'number', nulls: 'zero', min: '-1000', max: '1000' },
  pay: { kind: 'number', nulls: 'drop', min: '0', max: '50000' },
  works: { kind: 'boolean', nulls: 'drop' },
  home: { kind: 'boolean', nulls: 'refuse' },
  tenure: { kind: 'category', nulls: 'refuse' },
  sex: { kind: 'category', nulls: 'drop' },
  since: { kind: 'date', nulls: 'drop', min: '2018-01-01', max: '2021-12-31' },
};

/** Few distinct values, so that groups, ties and columns without spread come about; some lie outside their bounds. */
const decimals = (scale: number, min: number, max: number) =>
  fc.oneof(
    fc.integer({ min: -2, max: 2 }).map(String),
    fc.integer({ min: min * 10 ** scale, max: max * 10 ** scale }).map((n) => (n / 10 ** scale).toFixed(scale)),
  );
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 6 });

const row: fc.Arbitrary<PlainRow> = fc.record({
  person: fc.integer({ min: 1, max: 30 }).map((n) => `p${n}`),
  age: orNull(fc.integer({ min: -10, max: 120 })),
  cost: orNull(decimals(2, -1200, 1200)),
  pay: orNull(decimals(3, -10, 60000)),
  works: orNull(fc.boolean()),
  home: fc.boolean(),
  tenure: fc.constantFrom(...levels.tenure),
  sex: orNull(fc.constantFrom(...levels.sex)),
  since: orNull(fc.constantFrom('2017-05-05', '2018-01-01', '2019-12-31', '2020-02-29', '2021-06-01', '2022-01-01')),
});

type Where = NonNullable<Job['where']>;
const field: fc.Arbitrary<Where> = fc.oneof(
  fc.integer({ min: -5, max: 110 }).map((value) => ({ age: { gte: value } })),
  fc.integer({ min: -5, max: 60 }).map((value) => ({ age: { between: [value, value + 40] as const } })),
  fc.integer({ min: -100, max: 100 }).map((value) => ({ cost: { lt: value / 4 } })),
  fc.constantFrom('gt', 'lte', 'ne').map((operator) => ({ pay: { [operator]: 0 } })),
  fc.constantFrom('female', 'male').map((value) => ({ sex: { ne: value } })),
  fc.subarray(levels.tenure, { minLength: 1 }).map((values) => ({ tenure: { in: values } })),
  fc.boolean().map((value) => ({ works: { eq: value }, home: { ne: !value } })),
  fc.constantFrom('2019-12-31', '2020-06-01').map((value) => ({ since: { lt: value } })),
  fc.integer({ min: 2018, max: 2021 }).map((value) => ({ 'year(since)': { gte: value } })),
  fc.boolean().map((value) => ({ pay: { is_null: value } })),
  fc.boolean().map((value) => ({ cost: { is_null: value } })),
);
const where: fc.Arbitrary<Where> = fc.letrec<{ tree: Where }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    field,
    fc.tuple(field, field).map(([a, b]) => ({ ...a, ...b })),
    fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map((any) => ({ any })),
    fc.tuple(tie('tree'), field).map(([not, also]) => ({ ...also, not })),
  ),
})).tree;

const measuresOf = (own: Where): Record<string, Measure> => ({
  n: 'count',
  own: { count: { where: own } },
  working: { count: { where: { works: { eq: true } } } },
  total: { sum: 'cost' },
  ages: { sum: 'age' },
  at_home: { sum: 'home' },
  mean_pay: { mean: 'pay' },
  share: { mean: 'works' },
  var_age: { variance: 'age' },
  sd_pay: { stddev: 'pay' },
  cov: { covariance: ['age', 'pay'] },
  cov_levels: { covariance: ['works', 'cost'] },
  r: { correlation: ['cost', 'age'] },
  fit: { regression: { y: 'cost', x: ['age', 'pay'] } },
  fit_levels: { regression: { y: 'pay', x: ['home', 'cost', 'age'] } },
  per_pay: { ratio: { numerator: 'cost', denominator: 'pay' } },
  per_head: { ratio: ['pay', 'home'] },
  by_age: { histogram: { of: 'age', bins: [0, 17.5, 40, 65] } },
  by_cost: { histogram: { of: 'cost', bins: { from: -100, to: 100, width: 30.5 } } },
  median_pay: { median: { of: 'pay', bins: { from: 0, to: 50000, width: 2500 } } },
  top_cost: { quantile: { of: 'cost', q: 0.9, bins: [-500, 0, 0.05, 700] } },
  t_sex: { t_test: { of: 'pay', by: 'sex' } },
  t_works: { t_test: { of: 'cost', by: 'works' } },
  t_tenure: { t_test: { of: 'age', by: 'tenure', levels: ['social', 'owner'] } },
  chi: { chi_square: ['tenure', 'works'] },
  chi_sex: { chi_square: ['home', 'sex'] },
});

/** Columns that a condition names, wherever in it. */
function namesIn(condition: unknown): string[] {
  if (Array.isArray(condition)) return condition.flatMap(namesIn);
  return Object.entries(condition as object).flatMap(([key, value]) =>
    key === 'any' || key === 'not' ? namesIn(value) : [key],
  );
}

/** Whether a count of this condition and other counts of the job are parts of one whole, which has tests of its own. */
function isCounted(condition: Where): boolean {
  const names = new Set(namesIn(condition));
  return names.has('works') || (names.size === 1 && (names.has('age') || names.has('cost')));
}

/** The sums that a measure opens, and the columns without which a row is not in them. */
const sumsIn: Readonly<Record<string, readonly [sums: readonly string[], needs: readonly string[]]>> = {
  total: [['cost'], []],
  ages: [['age'], ['age']],
  at_home: [['home'], []],
  mean_pay: [['pay'], ['pay']],
  share: [['works'], ['works']],
  var_age: [['age', 'age age'], ['age']],
  sd_pay: [['pay', 'pay pay'], ['pay']],
  cov: [
    ['age', 'pay', 'age pay'],
    ['age', 'pay'],
  ],
  cov_levels: [['works', 'cost', 'cost works'], ['works']],
  r: [['age', 'cost', 'age age', 'age cost', 'cost cost'], ['age']],
  fit: [
    ['cost', 'cost cost', 'age', 'pay', 'age cost', 'cost pay', 'age age', 'age pay', 'pay pay'],
    ['age', 'pay'],
  ],
  fit_levels: [
    [
      'pay',
      'pay pay',
      'home',
      'cost',
      'age',
      'home home',
      'cost cost',
      'age age',
      'age home',
      'age cost',
      'cost home',
      'home pay',
      'cost pay',
      'age pay',
    ],
    ['age', 'pay'],
  ],
  per_pay: [['cost', 'pay'], ['pay']],
  per_head: [['pay', 'home'], ['pay']],
  t_sex: [
    ['pay', 'pay pay'],
    ['pay', 'sex'],
  ],
  t_works: [['cost', 'cost cost'], ['works']],
  t_tenure: [
    ['age', 'age age'],
    ['age', 'tenure'],
  ],
};

/**
 * Rows in another measure's sums and not in this one's, for each such measure whose sums are over more rows by their text;
 * and rows that no measure within that one has.
 */
function gapsOf(name: string, rows: Settled[]): Settled[][] {
  const [own, needs] = sumsIn[name] ?? [[], []];
  const has = (row: Settled, column: string) =>
    column === 'tenure' ? row.values.tenure !== 'private' : row.values[column] !== null;
  const isIn = (row: Settled, columns: readonly string[]) => columns.every((column) => has(row, column));
  const isWithin = (more: readonly string[], less: readonly string[]) =>
    more.length > less.length && less.every((column) => more.includes(column));
  return own.flatMap((sum) => {
    const others = Object.values(sumsIn).filter(([sums]) => sums.includes(sum));
    return others
      .filter(([, less]) => isWithin(needs, less))
      .flatMap(([, less]) => {
        const within = others.filter(([, more]) => isWithin(more, less));
        const whole = rows.filter((row) => isIn(row, less));
        return [
          whole.filter((row) => !isIn(row, needs)),
          whole.filter((row) => !within.some(([, more]) => isIn(row, more))),
        ];
      });
  });
}

interface Case {
  readonly rows: Record<string, PlainRow[]>;
  readonly job: Job;
  readonly unit: 'person' | 'row';
  readonly rowsPerUnit: number;
  readonly ownParty: string | null;
  readonly threshold: number;
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    rows: fc.record(Object.fromEntries(parties.map((name) => [name, fc.array(row, { minLength: 1, maxLength: 25 })]))),
    filter: fc.option(where, { nil: undefined }),
    own: where.filter((condition) => !isCounted(condition)),
    groups: fc.subarray(['tenure', 'sex', 'works', 'year(since)'], { maxLength: 3 }),
    units: fc.constantFrom(['row', 1], ['person', 1], ['person', 2]),
    ownParty: fc.constantFrom(null, 'north'),
    threshold: fc.constantFrom(0, 0, 2, 3, 5),
  })
  .map(({ rows, filter, own, groups, units, ownParty, threshold }) => ({
    rows,
    job: {
      folkmoot: 1,
      title: 'All measures',
      purpose: 'research',
      from: 'survey',
      ...(filter === undefined ? {} : { where: filter }),
      group_by: groups,
      measures: measuresOf(own),
    },
    unit: units[0] as 'person' | 'row',
    rowsPerUnit: units[1] as number,
    ownParty,
    threshold,
  }));

function computed({ rows, job, unit, rowsPerUnit, ownParty, threshold }: Case): Answer {
  const charter = parseCharter(charterText(unit, rowsPerUnit), 'charter');
  const checked = checkJob(job, charter);
  return plainAnswer(checked, (query, party) => evaluate(query, checked.dataset, rows[party]!, party === ownParty), {
    ownParty,
    strictness: { minGroup: threshold },
  });
}

/** The cells in order, with the settled rows of each. */
function expectedCells({ rows, job, unit, rowsPerUnit }: Case): { labels: Record<string, unknown>; rows: Settled[] }[] {
  const pooled = pool(rows, { columns, unit: unit === 'row' ? null : 'person', rowsPerUnit });
  const met = pooled.filter((each) => accepts(job.where, each) === true);
  let cells: { labels: Record<string, unknown>; rows: Settled[] }[] = [{ labels: {}, rows: met }];
  const choices: Record<string, unknown[]> = {
    ...levels,
    works: [false, true],
    'year(since)': [2018, 2019, 2020, 2021],
  };
  for (const key of job.group_by ?? []) {
    const read = ({ values }: Settled): unknown => {
      if (key === 'works') return values.works === null ? null : (values.works as Fraction)[0] === 1n;
      if (key === 'year(since)') return values.since === null ? null : Number((values.since as string).slice(0, 4));
      return values[key];
    };
    cells = cells.flatMap((cell) =>
      choices[key]!.map((label) => ({
        labels: { ...cell.labels, [key]: label },
        rows: cell.rows.filter((each) => read(each) === label),
      })),
    );
  }
  return cells;
}

const withheld = { value: null, exact: null, suppressed: true };

function expectClose(actual: number, expected: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-13 * Math.abs(expected));
}

/** The text equals the fraction where it ends, and to 12 digits where it does not. */
function expectExact(exact: string, expected: Fraction): void {
  const gap = minus(fraction(exact), expected);
  let rest = expected[1];
  for (const prime of [2n, 5n]) while (rest % prime === 0n) rest /= prime;
  if (rest === 1n) expect(gap[0]).toBe(0n);
  else expect(Math.abs(approximate(gap))).toBeLessThanOrEqual(1e-12 * Math.abs(approximate(expected)));
}

// biome-ignore lint/suspicious/noExplicitAny: the answer is read as its JSON is.
function expectMeasure(actual: any, expected: Expected, crowd: Crowd): void {
  const { isEnough, people, needed, mayHold, gaps, rest } = crowd;
  if (expected.kind === 'bins') {
    const parts = [...expected.bins, expected.below, expected.above];
    const shown = [...actual.bins, actual.below, actual.above];
    expect(shown).toHaveLength(parts.length);
    // Other measures tell the whole, so that what is withheld has to be enough together.
    const isShown = parts.map(isEnough);
    const left = parts.filter((_, at) => !isShown[at] && mayHold(at));
    const others = parts.filter((_, at) => isShown[at]);
    if (rest !== null) left.push(rest);
    if (left.length > 0 && others.length > 0 && left.reduce((sum, rows) => sum + people(rows), 0) < needed) {
      const smallest = others.reduce((best, rows) => (people(rows) < people(best) ? rows : best));
      isShown[parts.indexOf(smallest)] = false;
    }
    parts.forEach((rows, at) => {
      const cell = isShown[at] ? { value: rows.length, exact: String(rows.length) } : withheld;
      expect(shown[at]).toEqual(at < expected.bins.length ? { ...cell, from: shown[at].from, to: shown[at].to } : cell);
    });
    expect(actual.bins.map((bin: { from: number }) => bin.from)).toEqual(expected.edges.slice(0, -1).map(approximate));
    expect(actual.bins.map((bin: { to: number }) => bin.to)).toEqual(expected.edges.slice(1).map(approximate));
    return;
  }
  const isGap = (rows: Settled[]) => people(rows) > 0 && !isEnough(rows);
  if (!expected.people.every(isEnough) || (needed > 0 && gaps.some(isGap))) {
    expect(actual).toEqual(withheld);
    return;
  }
  expect(actual).not.toHaveProperty('suppressed');
  switch (expected.kind) {
    case 'number':
      if (expected.value === null) expect(actual).toEqual({ value: null, exact: null });
      else {
        expectClose(actual.value, approximate(expected.value));
        expectExact(actual.exact, expected.value);
      }
      break;
    case 'root':
      if (expected.square === null) expect(actual).toEqual({ value: null, exact: null });
      else {
        expectClose(actual.value, (expected.negative ? -1 : 1) * Math.sqrt(approximate(expected.square)));
        const exact = fraction(actual.exact);
        expectClose(approximate(times(exact, exact)), approximate(expected.square));
        expect(actual.exact.startsWith('-')).toBe(expected.negative);
      }
      break;
    case 'quantile':
      expect([actual.from, actual.to]).toEqual([expected.from, expected.to].map((edge) => edge && approximate(edge)));
      if (expected.value === null) expect([actual.value, actual.exact]).toEqual([null, null]);
      else {
        expectClose(actual.value, approximate(expected.value));
        expectExact(actual.exact, expected.value);
      }
      break;
    case 'test':
      if (expected.statistic === null) {
        expect(actual).toEqual({ value: null, exact: null, statistic: null, df: null, p: null });
        break;
      }
      expectClose(
        expected.squared ? actual.statistic ** 2 * (actual.statistic < 0 ? -1 : 1) : actual.statistic,
        approximate(expected.statistic) * (expected.negative ? -1 : 1),
      );
      expectClose(actual.df, approximate(expected.df));
      expect(actual.p >= 0 && actual.p <= 1).toBe(true);
      break;
    case 'line': {
      expect(actual.n).toBe(expected.n);
      const { line } = expected;
      if (line === null) {
        expect(actual).toEqual({
          value: null,
          exact: null,
          coefficients: null,
          standard_errors: null,
          r2: null,
          n: expected.n,
        });
        break;
      }
      expect(Object.values(actual.coefficients)).toHaveLength(line.coefficients.length);
      line.coefficients.forEach((coefficient, at) => {
        expectClose(Object.values<number>(actual.coefficients)[at]!, approximate(coefficient));
      });
      if (line.variances === null) expect(actual.standard_errors).toBeNull();
      else {
        line.variances.forEach((variance, at) => {
          expectClose(Object.values<number>(actual.standard_errors)[at]!, Math.sqrt(approximate(variance)));
        });
      }
      if (line.r2 === null) expect(actual.r2).toBeNull();
      else expectClose(actual.r2, approximate(line.r2));
    }
  }
}

/** Whether a bin (then below, then above) has no value that the outermost tests of a filter let through. */
function isOutside(filter: Where, { of, bins }: { of: string; bins: unknown }, bin: number): boolean {
  const step = of === 'age' ? 1 : 0.01;
  const bounds = columns[of] as { min: string; max: string };
  const tests = (filter[of] ?? {}) as { gte?: number; lt?: number; between?: [number, number] };
  const low = Math.max(Number(bounds.min), tests.gte ?? -Infinity, tests.between?.[0] ?? -Infinity);
  const high = Math.min(Number(bounds.max), (tests.lt ?? Infinity) - step / 2, tests.between?.[1] ?? Infinity);
  const { from, to, width } = bins as { from: number; to: number; width: number };
  const edges = Array.isArray(bins)
    ? (bins as number[])
    : [...Array.from({ length: Math.ceil((to - from) / width) }, (_, at) => from + at * width), to];
  const last = edges.length - 2;
  const ends: [number, number][] = edges.slice(1).map((end, at) => [edges[at]!, at === last ? end : end - step / 2]);
  const [start, end] = [...ends, [-Infinity, edges[0]! - step / 2], [edges.at(-1)! + step / 2, Infinity]][bin]!;
  const first = Math.ceil(Math.max(low, start as number) / step - 1e-6) * step;
  return first > Math.min(high, end as number) + 1e-6;
}

interface Crowd {
  people(rows: Settled[]): number;
  isEnough(rows: Settled[]): boolean;
  /** What withheld bins need together. */
  readonly needed: number;
  /** Rows that are told by other measures too, less this one's. */
  readonly gaps: Settled[][];
  /** Rows in no bin for want of a value; null where the job's own words leave none. */
  readonly rest: Settled[] | null;
  /** Whether somebody may be in a bin, as far as the job's own words go. */
  mayHold(bin: number): boolean;
}

function countSuppressed(value: unknown): number {
  return JSON.stringify(value).split('"suppressed":true').length - 1;
}

describe('all measures over pooled rows', () => {
  it('equal their definitions, whatever the rows, filters, groups, units and threshold', () => {
    fc.assert(
      fc.property(cases, (example) => {
        const answer = computed(example);
        const cells = expectedCells(example);
        expect(answer.rows).toHaveLength(cells.length);
        const people = (rows: Settled[]) =>
          new Set(rows.filter(({ party }) => party !== example.ownParty).map(({ unit }) => unit)).size;
        // Someone may be counted in as many bins as there are rows.
        const needed = example.threshold * (example.unit === 'row' ? 1 : example.rowsPerUnit);
        const isEnough = (rows: Settled[]) => people(rows) >= example.threshold;
        const filter = example.job.where ?? {};
        cells.forEach((cell, at) => {
          const shown = answer.rows[at]!;
          expect(shown).toMatchObject(cell.labels);
          expect(Object.keys(shown)).toEqual([...Object.keys(cell.labels), ...Object.keys(example.job.measures)]);
          for (const [name, measure] of Object.entries(example.job.measures)) {
            const dataset = { columns, unit: 'person', rowsPerUnit: 1 };
            const expected = expectedOf(measure, cell.rows, dataset, levels);
            const ages = cell.rows.filter(({ values }) => values.age === null);
            const rest = name === 'by_age' && filter.age === undefined ? ages : null;
            const mayHold = (bin: number) =>
              typeof measure !== 'object' || !('histogram' in measure) || !isOutside(filter, measure.histogram, bin);
            expectMeasure(shown[name], expected, {
              people,
              needed,
              isEnough,
              mayHold,
              gaps: gapsOf(name, cell.rows),
              rest,
            });
          }
        });
        expect(answer.suppressed).toBe(countSuppressed(answer.rows));
      }),
      { numRuns: 250, seed: 20261 },
    );
  });

  it('do not depend on which party holds which row', () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 6, maxLength: 40 }), fc.nat(), (rows, turn) => {
        const cut = 1 + (turn % (rows.length - 2));
        const base = { unit: 'row', rowsPerUnit: 1, ownParty: null, threshold: 0 } as const;
        const job: Job = {
          folkmoot: 1,
          title: '',
          purpose: 'research',
          from: 'survey',
          measures: measuresOf({ age: { gt: 18 } }),
        };
        const [first, last] = [rows.slice(0, cut), rows.slice(cut + 1)];
        const one = computed({ ...base, job, rows: { east: first, north: [rows[cut]!], west: last } });
        const other = computed({ ...base, job, rows: { east: last, north: first, west: [rows[cut]!] } });
        expect(other).toEqual(one);
      }),
      { numRuns: 30, seed: 20262 },
    );
  });
});
