/**
 * The measures over pooled records, the plain way: SQL's own aggregates in doubles, and the textbook's last step.
 *
 * This is a second version, to compare with. It shares no arithmetic with the one over shares: no exact integers, no sums
 * of squares, and tails of distributions by quadrature.
 * @module
 */
import type { Dataset } from '@folkmoot/core/dictionary.js';
import type { Bins, Measure } from '@folkmoot/core/job.js';
import { type Cell, none, quotient, rounded, scalar } from './pooled-numbers.ts';

export interface Figure {
  /** Aggregates over a group's rows. */
  readonly aggregates: readonly string[];
  /** Conditions on rows: the people who meet each must reach the threshold. */
  readonly people: readonly string[];
  /** Where the sets of people are parts of one whole, shown or not one by one: the values from … to below … of each. */
  readonly ranges?: { readonly of: string; readonly parts: readonly (readonly [start: number, end: number])[] };
  finish(cells: readonly Cell[], shown: readonly boolean[]): unknown;
}

export const column = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const withheld = { value: null, exact: null, suppressed: true };
const everyone = 'TRUE';

const present = (...names: readonly string[]): string =>
  names.map((name) => `${column(name)} IS NOT NULL`).join(' AND ');
const real = (name: string): string => `CAST(CAST(${column(name)} AS VARCHAR) AS DOUBLE)`;
const over = (aggregate: string, condition: string): string => `${aggregate} FILTER (WHERE ${condition})`;
const numbers = (cells: readonly Cell[]): number[] => cells.map((cell) => (cell === null ? Number.NaN : Number(cell)));

const digitsOf = (dataset: Dataset, name: string): number => {
  const rules = dataset.columns[name]!;
  return rules.type === 'decimal' ? rules.scale : 0;
};

/** How a job has figures shown. */
export interface Form {
  /** Means and ratios as one number, to a few digits. */
  readonly alone: boolean;
  /** What counts, sums and bins are rounded to, and what is divided; 1 for nothing. */
  readonly round: number;
}

/** All of a figure is shown, or none. */
function whole(finish: (cells: readonly Cell[]) => unknown): Figure['finish'] {
  return (cells, shown) => (shown.every(Boolean) ? finish(cells) : withheld);
}

function levelsOf(dataset: Dataset, names: readonly string[], where: string): string[] {
  const booleans = [...new Set(names)].filter((name) => dataset.columns[name]!.type === 'boolean');
  return booleans.flatMap((name) => [`${where} AND NOT ${truth(name)}`, `${where} AND ${truth(name)}`]);
}

/** Booleans are kept as 0 and 1, so that they are numbers too. */
const truth = (name: string): string => `(${column(name)} = 1)`;

/** `whereSql` turns a condition of the job into SQL. */
export function figureOf(
  measure: Measure,
  dataset: Dataset,
  whereSql: (where: never) => string,
  { alone, round }: Form = { alone: false, round: 1 },
): Figure {
  const counted = whole(([n]) => rounded(n, round));
  if (measure === 'count') return { aggregates: ['count(*)'], people: [everyone], finish: counted };
  if ('count' in measure) {
    const met = whereSql(measure.count.where as never);
    const people = [met, `(${met}) IS NOT TRUE`];
    return { aggregates: [over('count(*)', met)], people, finish: counted };
  }
  for (const [operation, aggregate] of Object.entries(ofOne)) {
    if (!(operation in measure)) continue;
    const name = (measure as Readonly<Record<string, string>>)[operation]!;
    const people = [present(name), ...levelsOf(dataset, [name], present(name))];
    if (operation === 'mean' && (alone || round > 1)) {
      const aggregates = [`sum(${column(name)})`, `count(${column(name)})`];
      // Two digits more than the column has.
      const places = alone ? digitsOf(dataset, name) + 2 : undefined;
      return { aggregates, people, finish: whole((cells) => quotient(cells, round, places)) };
    }
    const finish = whole(([value]) => rounded(value, operation === 'sum' ? round : 1));
    return { aggregates: [aggregate(name)], people, finish };
  }
  for (const [operation, aggregate] of Object.entries(ofTwo)) {
    if (!(operation in measure)) continue;
    const pair = (measure as unknown as Readonly<Record<string, readonly [string, string]>>)[operation]!;
    const both = present(...pair);
    const value = over(`${aggregate}(${pair.map(real).join(', ')})`, both);
    return {
      aggregates: [value],
      people: [both, ...levelsOf(dataset, pair, both)],
      finish: whole(([cell]) => scalar(cell)),
    };
  }
  if ('ratio' in measure) {
    const { ratio } = measure;
    const [above, below] = 'numerator' in ratio ? [ratio.numerator, ratio.denominator] : ratio;
    const both = present(above, below);
    const totals = [above, below].map((name) => over(`sum(${column(name)})`, both));
    const finish = whole((cells) => quotient(cells, round, alone ? 4 : undefined));
    return { aggregates: totals, people: [both, ...levelsOf(dataset, [above, below], both)], finish };
  }
  if ('histogram' in measure) return histogram(measure.histogram.of, measure.histogram.bins, round);
  if ('median' in measure) return quantile(measure.median.of, 0.5, measure.median.bins);
  if ('quantile' in measure) return quantile(measure.quantile.of, Number(measure.quantile.q), measure.quantile.bins);
  if ('t_test' in measure) return welch(measure.t_test, dataset);
  if ('chi_square' in measure) return chiSquare(measure.chi_square, dataset);
  if ('regression' in measure) return regression(measure.regression, dataset);
  throw new RangeError('there is no such measure');
}

const ofOne: Readonly<Record<string, (name: string) => string>> = {
  sum: (name) => `coalesce(sum(${column(name)}), 0 * any_value(${column(name)}))`,
  mean: (name) => `avg(${real(name)})`,
  variance: (name) => `var_samp(${real(name)})`,
  stddev: (name) => `stddev_samp(${real(name)})`,
};
const ofTwo: Readonly<Record<string, string>> = { covariance: 'covar_samp', correlation: 'corr' };

function edgesOf(bins: Bins): number[] {
  if (!('width' in bins)) return bins.map(Number);
  const [from, to, width] = [Number(bins.from), Number(bins.to), Number(bins.width)];
  const edges = Array.from({ length: Math.ceil((to - from) / width) }, (_, at) => from + at * width);
  return [...edges, to];
}

/** Below, each bin, above. */
function binsOf(name: string, edges: readonly number[]): string[] {
  const value = column(name);
  const last = edges.length - 1;
  const within = edges
    .slice(1)
    .map((edge, at) => `${value} >= ${edges[at]} AND ${value} ${at + 1 === last ? '<=' : '<'} ${edge}`);
  return [`${value} < ${edges[0]}`, ...within, `${value} > ${edges[last]}`];
}

function histogram(name: string, bins: Bins, round: number): Figure {
  const edges = edgesOf(bins);
  const people = binsOf(name, edges);
  const aggregates = people.map((condition) => over('count(*)', condition));
  const finish: Figure['finish'] = (cells, shown) => {
    const counts = cells.map((cell, at) => (shown[at] ? (rounded(cell, round) as object) : withheld));
    const inner = counts.slice(1, -1).map((count, at) => ({ from: edges[at], to: edges[at + 1], ...count }));
    return { bins: inner, below: counts[0], above: counts.at(-1) };
  };
  const ends = [-Infinity, ...edges, Infinity];
  const parts = ends.slice(1).map((end, at) => [ends[at]!, end] as const);
  return { aggregates, people, ranges: { of: name, parts }, finish };
}

/** The place of the q n-th value within its bin, as if a bin's values were spread evenly. */
function quantile(name: string, q: number, bins: Bins): Figure {
  const edges = edgesOf(bins);
  const finish = whole((cells) => {
    const counts = numbers(cells);
    const target = q * counts.reduce((sum, count) => sum + count, 0);
    let before = counts[0]!;
    if (counts.every((count) => count === 0)) return { ...none, from: null, to: null };
    if (before > 0 && before >= target) return { ...none, from: null, to: edges[0] };
    for (const [at, count] of counts.slice(1, -1).entries()) {
      const [from, to] = [edges[at]!, edges[at + 1]!];
      if (count > 0 && before + count >= target) {
        // Rounded down to millionths of the bin; what is whole must not fall short by the error of a double.
        const millionths = Math.floor((1e6 * (target - before)) / count + 1e-6);
        const value = from + ((to - from) * millionths) / 1e6;
        return { ...(scalar(String(value)) as object), from, to };
      }
      before += count;
    }
    return { ...none, from: edges.at(-1), to: null };
  });
  return { aggregates: binsOf(name, edges).map((bin) => over('count(*)', bin)), people: [present(name)], finish };
}

interface TTest {
  readonly of: string;
  readonly by: string;
  readonly levels?: readonly [string, string] | undefined;
}

const undefinedTest = { ...none, statistic: null, df: null, p: null };

function levelSql(name: string, level: string | boolean): string {
  return typeof level === 'boolean'
    ? `${truth(name)} = ${level}`
    : `${column(name)} = '${level.replaceAll("'", "''")}'`;
}

function welch({ of, by, levels }: TTest, dataset: Dataset): Figure {
  const declared = dataset.columns[by]!;
  const all = declared.type === 'category' ? declared.values : [false, true];
  const groups = (levels ?? all).map((level) => `${present(of)} AND ${levelSql(by, level)}`);
  const aggregates = groups.flatMap((group) =>
    ['count(*)', `avg(${real(of)})`, `var_samp(${real(of)})`].map((aggregate) => over(aggregate, group)),
  );
  const finish = whole((cells) => {
    const [n1, m1, v1, n2, m2, v2] = numbers(cells) as [number, number, number, number, number, number];
    const [e1, e2] = [v1 / n1, v2 / n2];
    const df = (e1 + e2) ** 2 / (e1 ** 2 / (n1 - 1) + e2 ** 2 / (n2 - 1));
    const statistic = (m1 - m2) / Math.sqrt(e1 + e2);
    if (!Number.isFinite(statistic) || !Number.isFinite(df)) return undefinedTest;
    const log = (t: number): number => (-(df + 1) / 2) * Math.log1p(t ** 2 / df);
    return { statistic, df, p: upperTail(log, Math.abs(statistic)) };
  });
  const people = groups.flatMap((group) => [group, ...levelsOf(dataset, [of], group)]);
  return { aggregates, people, finish };
}

function chiSquare([a, b]: readonly [string, string], dataset: Dataset): Figure {
  const levels = (name: string): readonly (string | boolean)[] => {
    const declared = dataset.columns[name]!;
    return declared.type === 'category' ? declared.values : [false, true];
  };
  const cells = levels(a).flatMap((row) => levels(b).map((col) => `${levelSql(a, row)} AND ${levelSql(b, col)}`));
  const width = levels(b).length;
  const finish = whole((texts) => {
    const counts = numbers(texts);
    const n = counts.reduce((sum, count) => sum + count, 0);
    const rows = levels(a).map((_, row) => counts.slice(row * width, (row + 1) * width).reduce((sum, c) => sum + c, 0));
    const cols = levels(b).map((_, col) => rows.reduce((sum, _row, row) => sum + counts[row * width + col]!, 0));
    const filled = (totals: number[]): number => totals.filter((total) => total > 0).length;
    if (filled(rows) < 2 || filled(cols) < 2) return undefinedTest;
    const df = (filled(rows) - 1) * (filled(cols) - 1);
    let statistic = 0;
    for (const [at, count] of counts.entries()) {
      const expected = (rows[Math.floor(at / width)]! * cols[at % width]!) / n;
      if (expected > 0) statistic += (count - expected) ** 2 / expected;
    }
    return { statistic, df, p: upperTail((x) => (df / 2 - 1) * Math.log(x) - x / 2, statistic) };
  });
  return { aggregates: cells.map((cell) => over('count(*)', cell)), people: cells, finish };
}

/** ∫ from `from` over ∫ from 0 of exp(log), by the double exponential rule for half-lines (Takahasi, Mori 1974). */
function upperTail(log: (x: number) => number, from: number): number {
  const step = 1 / 128;
  const area = (start: number, shift: number): number => {
    let sum = 0;
    for (let y = -6; y <= 6; y += step) {
      const reach = Math.exp((Math.PI / 2) * Math.sinh(y));
      const weight = reach * (Math.PI / 2) * Math.cosh(y);
      const part = weight * Math.exp(log(start + reach) - shift);
      if (Number.isFinite(part)) sum += part * step;
    }
    return sum;
  };
  if (from === 0) return 1;
  // The tail is taken in units of its own height, so that it does not vanish before it is divided.
  const height = log(from);
  return Math.min(1, (area(from, height) / area(0, 0)) * Math.exp(height));
}

/** By the matrix of sample covariances of the rows that have all values. */
function regression({ y, x }: { readonly y: string; readonly x: readonly string[] }, dataset: Dataset): Figure {
  const all = [y, ...x];
  const complete = present(...all);
  const moments = [
    'count(*)',
    ...all.map((name) => `avg(${real(name)})`),
    ...all.flatMap((a) => all.map((b) => `covar_samp(${real(a)}, ${real(b)})`)),
  ];
  const finish = whole((cells) => {
    const values = numbers(cells);
    const n = values[0]!;
    const mean = values.slice(1, all.length + 1);
    const covariance = (i: number, j: number): number => values[1 + all.length + i * all.length + j]!;
    const k = x.length;
    const inverse = inverted(x.map((_, i) => x.map((__, j) => covariance(i + 1, j + 1))));
    if (inverse === undefined) return { ...none, coefficients: null, standard_errors: null, r2: null, n };
    const slopes = inverse.map((row) => row.reduce((sum, entry, j) => sum + entry * covariance(j + 1, 0), 0));
    const explained = slopes.reduce((sum, slope, j) => sum + slope * covariance(j + 1, 0), 0);
    const spread = ((covariance(0, 0) - explained) * (n - 1)) / (n - k - 1);
    const crossed = inverse.reduce(
      (sum, row, i) => sum + row.reduce((inner, entry, j) => inner + entry * mean[i + 1]! * mean[j + 1]!, 0),
      0,
    );
    const named = (constant: number, others: readonly number[]) =>
      Object.fromEntries([['intercept', constant], ...x.map((name, at) => [name, others[at]!])]);
    return {
      coefficients: named(mean[0]! - slopes.reduce((sum, slope, j) => sum + slope * mean[j + 1]!, 0), slopes),
      standard_errors: named(
        Math.sqrt(spread * (1 / n + crossed / (n - 1))),
        inverse.map((row, i) => Math.sqrt((spread * row[i]!) / (n - 1))),
      ),
      r2: explained / covariance(0, 0),
      n,
    };
  });
  const aggregates = moments.map((aggregate) => over(aggregate, complete));
  return { aggregates, people: [complete, ...levelsOf(dataset, all, complete)], finish };
}

/** Gauss–Jordan with the largest pivot; undefined where there is none. */
function inverted(matrix: readonly (readonly number[])[]): number[][] | undefined {
  const size = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let at = 0; at < size; at++) {
    const best = rows.reduce((top, row, i) => (i > at && Math.abs(row[at]!) > Math.abs(rows[top]![at]!) ? i : top), at);
    [rows[at], rows[best]] = [rows[best]!, rows[at]!];
    const pivot = rows[at]![at]!;
    if (!(Math.abs(pivot) > 0)) return undefined;
    rows[at] = rows[at]!.map((entry) => entry / pivot);
    for (let i = 0; i < size; i++) {
      const factor = rows[i]![at]!;
      if (i !== at) rows[i] = rows[i]!.map((entry, j) => entry - factor * rows[at]![j]!);
    }
  }
  return rows.map((row) => row.slice(size));
}
