/**
 * Every measure there is in a protected job, and how often the intervals of its noisy figures hold the exact ones.
 * @module
 */
import { expect } from 'vitest';
import type { Row } from '../src/query/record.ts';
import { ask, exactAnswer, noisyAnswer, protectedJob, residents } from './noisy-road.ts';

const bins = '{ from: 0, to: 160000, width: 2500 }';
/** Every measure, each under its operation. */
export const measures: Readonly<Record<string, string>> = {
  count: 'count',
  count_where: '{ count: { where: { employed: { eq: true } } } }',
  sum: '{ sum: arrears }',
  mean: '{ mean: arrears }',
  share: '{ mean: employed }',
  variance: '{ variance: arrears }',
  stddev: '{ stddev: arrears }',
  covariance: '{ covariance: [income, arrears] }',
  correlation: '{ correlation: [income, arrears] }',
  regression: '{ regression: { y: arrears, x: [income, employed] } }',
  ratio: '{ ratio: [arrears, income] }',
  histogram: `{ histogram: { of: income, bins: [20000, 50000, 100000, 120000] } }`,
  median: `{ median: { of: income, bins: ${bins} } }`,
  quantile: `{ quantile: { of: income, q: 0.9, bins: ${bins} } }`,
  t_test: '{ t_test: { of: arrears, by: employed } }',
  chi_square: '{ chi_square: [tenure, employed] }',
};
export const lines = (names: readonly string[], more = '') =>
  `${more}measures:\n${names.map((name) => `  ${name}: ${measures[name]}`).join('\n')}`;
/** All numbers of an answer by their path; intervals and texts apart. */
export function numbersOf(value: unknown, path = ''): Map<string, number | null> {
  if (typeof value === 'number' || value === null) return new Map([[path, value]]);
  if (typeof value !== 'object') return new Map();
  const parts = Object.entries(value as object).filter(([key]) => !['ci95', 'exact', 'warning'].includes(key));
  return new Map(parts.flatMap(([key, part]) => [...numbersOf(part, `${path}/${key}`)]));
}

// 111 groups of one composition, so that every seed gives 111 answers to one question.
const template = residents(300, 7);
const rows: Row[] = Array.from({ length: 111 }, (_, age) =>
  template.map((row, at) => ({ ...row, age, person: `${age}/${at}` })),
).flat();
const parties = [
  rows.filter((_, at) => at % 3 === 0),
  rows.filter((_, at) => at % 3 === 1),
  rows.filter((_, at) => at % 3 === 2),
];

/** The numbers that an interval is stated for, by path. */
function intervals(value: unknown, path = ''): [string, readonly [number, number], number][] {
  if (typeof value !== 'object' || value === null) return [];
  const own = value as Record<string, unknown>;
  const found: [string, readonly [number, number], number][] = [];
  if (Array.isArray(own.ci95)) found.push([path, own.ci95 as [number, number], own.value as number]);
  else if (own.coefficients) {
    const ends = own.ci95 as Record<string, [number, number]>;
    for (const [name, at] of Object.entries({ ...(own.coefficients as object), r2: own.r2 }))
      found.push([`${path}/${name}`, ends[name]!, at as number]);
  } else if (own.ci95) {
    for (const [name, ends] of Object.entries(own.ci95))
      found.push([`${path}/${name}`, ends as [number, number], own[name] as number]);
  }
  return [
    ...found,
    ...Object.entries(own)
      .filter(([key]) => key !== 'ci95')
      .flatMap(([key, part]) => intervals(part, `${path}/${key}`)),
  ];
}

/** By path, the share of noisy figures over these seeds whose interval holds the exact one. */
export function coverageOf(name: string, seeds: readonly number[]): Map<string, number> {
  const isCount = ['count', 'count_where', 'histogram'].includes(name);
  const checked = protectedJob(lines([name], 'group_by: [age]\n'), isCount ? '0.5' : name === 'chi_square' ? '3' : '8');
  const exactRow = exactAnswer(checked, parties).rows[0]![name];
  const exact = numbersOf(exactRow);
  const asked = ask(checked, parties);
  const hits = new Map<string, number>();
  let total = 0;
  for (const seed of seeds) {
    for (const row of noisyAnswer(asked, seed).rows) {
      total += 1;
      for (const [path, [low, high]] of intervals(row[name])) {
        const truth = exact.get(path) ?? exact.get(`${path}/value`) ?? exact.get(path.replace(/^/, '/coefficients'));
        if (truth === undefined) throw new Error(`no exact number at ${path}`);
        const slack = 1e-9 * Math.abs(truth!);
        if (low - slack <= truth! && truth! <= high + slack) hits.set(path, (hits.get(path) ?? 0) + 1);
        else hits.set(path, hits.get(path) ?? 0);
      }
    }
  }
  expect(hits.size).toBeGreaterThan(0);
  return new Map([...hits].map(([path, count]) => [path, count / total]));
}
