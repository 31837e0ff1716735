/**
 * A second, plain version of every rule and every measure: it pools the raw rows, keeps them as fractions, filters by the
 * job's own text and computes each statistic from its definition. It shares no code with what it is compared with.
 * @module
 */
import type { Bins, Job, Measure } from '../src/query/job.ts';

/** n/d, not reduced; d is positive. */
export type Fraction = readonly [bigint, bigint];
type Cell = string | number | boolean | null;
export type PlainRow = Readonly<Record<string, Cell>>;

export const fraction = (text: string | number | bigint): Fraction => {
  const [whole = '', decimals = ''] = String(text).split('.');
  return [BigInt(whole + decimals), 10n ** BigInt(decimals.length)];
};
const plus = ([a, b]: Fraction, [c, d]: Fraction): Fraction => small(a * d + c * b, b * d);
export const times = ([a, b]: Fraction, [c, d]: Fraction): Fraction => small(a * c, b * d);
const over = (x: Fraction, [c, d]: Fraction): Fraction => times(x, c < 0n ? [-d, -c] : [d, c]);
export const minus = (x: Fraction, [c, d]: Fraction): Fraction => plus(x, [-c, d]);
const less = (x: Fraction, y: Fraction): boolean => minus(x, y)[0] < 0n;
const zero: Fraction = [0n, 1n];
const one: Fraction = [1n, 1n];
const isZero = ([n]: Fraction): boolean => n === 0n;

function small(n: bigint, d: bigint): Fraction {
  let [a, b] = [n < 0n ? -n : n, d];
  while (b !== 0n) [a, b] = [b, a % b];
  return a === 0n ? [0n, 1n] : [n / a, d / a];
}

/** To about 30 digits, then to a double. */
export function approximate([n, d]: Fraction): number {
  if (n === 0n) return 0;
  const digits = 30 + d.toString().length;
  return Number(`${(n * 10n ** BigInt(digits)) / d}e-${digits}`);
}

interface PlainColumn {
  readonly kind: 'number' | 'boolean' | 'category' | 'date';
  readonly nulls: 'drop' | 'zero' | 'refuse';
  readonly min?: string;
  readonly max?: string;
}

export interface PlainDataset {
  readonly columns: Readonly<Record<string, PlainColumn>>;
  /** null: each row is a unit. */
  readonly unit: string | null;
  readonly rowsPerUnit: number;
}

/** A row after null rule and clamp, with its raw form and whose it is. */
export interface Settled {
  readonly raw: PlainRow;
  readonly values: Readonly<Record<string, Fraction | string | null>>;
  readonly unit: string;
  readonly party: string;
}

/** All parties' rows, after null rule, clamp and unit rule. */
export function pool(parties: Readonly<Record<string, readonly PlainRow[]>>, dataset: PlainDataset): Settled[] {
  const pooled: Settled[] = [];
  for (const [party, rows] of Object.entries(parties)) {
    const kept = new Map<string, number>();
    rows.forEach((raw, index) => {
      const unit = dataset.unit === null ? `${party}/${index}` : `${party}/${raw[dataset.unit]}`;
      kept.set(unit, (kept.get(unit) ?? 0) + 1);
      if (kept.get(unit)! > dataset.rowsPerUnit) return;
      const values: Record<string, Fraction | string | null> = {};
      for (const [name, column] of Object.entries(dataset.columns)) values[name] = settle(raw[name] ?? null, column);
      pooled.push({ raw, values, unit, party });
    });
  }
  return pooled;
}

function settle(raw: Cell, { kind, nulls, min, max }: PlainColumn): Fraction | string | null {
  if (raw === null && nulls !== 'zero') return null;
  if (kind === 'boolean') return raw === true ? one : zero;
  if (kind === 'category') return raw as string;
  if (kind === 'date') return (raw as string) < min! ? min! : (raw as string) > max! ? max! : (raw as string);
  const value = raw === null ? zero : fraction(raw as string | number);
  return less(value, fraction(min!)) ? fraction(min!) : less(fraction(max!), value) ? fraction(max!) : value;
}

type Truth = boolean | null;
type Where = NonNullable<Job['where']>;

/** The job's `where`, read as SQL would. */
export function accepts(where: Where | undefined, row: Settled): Truth {
  const parts = Object.entries(where ?? {}).map(([key, test]): Truth => {
    if (key === 'any') return someTrue((test as Where[]).map((branch) => accepts(branch, row)));
    if (key === 'not') return opposite(accepts(test as Where, row));
    return allTrue(
      Object.entries(test as object).map(([operator, wanted]) => fieldAccepts(key, operator, wanted, row)),
    );
  });
  return allTrue(parts);
}

const opposite = (truth: Truth): Truth => (truth === null ? null : !truth);
const allTrue = (truths: Truth[]): Truth => (truths.includes(false) ? false : truths.includes(null) ? null : true);
const someTrue = (truths: Truth[]): Truth => (truths.includes(true) ? true : truths.includes(null) ? null : false);

function fieldAccepts(key: string, operator: string, wanted: unknown, row: Settled): Truth {
  const name = key.replace(/^year\((.*)\)$/, '$1');
  if (operator === 'is_null') return (row.raw[name] === null) === wanted;
  const settled = row.values[name]!;
  if (settled === null) return null;
  const value = name === key ? settled : fraction((settled as string).slice(0, 4));
  const order = (other: unknown): number => {
    if (typeof value === 'string') return value === other ? 0 : value < (other as string) ? -1 : 1;
    const number = typeof other === 'boolean' ? (other ? one : zero) : fraction(other as number | string);
    return less(value, number) ? -1 : less(number, value) ? 1 : 0;
  };
  const [low, high] = Array.isArray(wanted) ? wanted : [];
  const readings: Record<string, () => boolean> = {
    eq: () => order(wanted) === 0,
    ne: () => order(wanted) !== 0,
    gt: () => order(wanted) > 0,
    gte: () => order(wanted) >= 0,
    lt: () => order(wanted) < 0,
    lte: () => order(wanted) <= 0,
    between: () => order(low) >= 0 && order(high) <= 0,
    in: () => (wanted as unknown[]).some((each) => order(each) === 0),
  };
  return readings[operator]!();
}

/** What a measure must come to, in the oracle's own words. `people` are the sets that have to be large enough. */
export type Expected =
  | { readonly kind: 'number'; readonly value: Fraction | null; readonly people: Settled[][] }
  | {
      readonly kind: 'root';
      readonly square: Fraction | null;
      readonly negative: boolean;
      readonly people: Settled[][];
    }
  | {
      readonly kind: 'test';
      readonly squared: boolean;
      readonly statistic: Fraction | null;
      readonly df: Fraction;
      readonly negative: boolean;
      readonly people: Settled[][];
    }
  | {
      readonly kind: 'bins';
      readonly bins: Settled[][];
      readonly below: Settled[];
      readonly above: Settled[];
      readonly edges: Fraction[];
    }
  | {
      readonly kind: 'quantile';
      readonly value: Fraction | null;
      readonly from: Fraction | null;
      readonly to: Fraction | null;
      readonly people: Settled[][];
    }
  | { readonly kind: 'line'; readonly line: Line | null; readonly n: number; readonly people: Settled[][] };

interface Line {
  readonly coefficients: Fraction[];
  /** The squares of the standard errors; null without degrees of freedom. */
  readonly variances: Fraction[] | null;
  readonly r2: Fraction | null;
}

/** A measure over the rows of one cell. */
export function expectedOf(measure: Measure, cell: Settled[], dataset: PlainDataset, levels: Levels): Expected {
  if (measure === 'count') return { kind: 'number', value: count(cell), people: [cell] };
  const [operation, argument] = Object.entries(measure)[0]! as [string, never];
  return definitions[operation]!(argument, cell, dataset, levels);
}

export type Levels = Readonly<Record<string, readonly string[]>>;
type Definition = (argument: never, cell: Settled[], dataset: PlainDataset, levels: Levels) => Expected;

const count = (rows: readonly unknown[]): Fraction => [BigInt(rows.length), 1n];
const having = (cell: Settled[], ...names: string[]) =>
  cell.filter((row) => names.every((name) => row.values[name] !== null));
const column = (rows: Settled[], name: string) => rows.map((row) => row.values[name] as Fraction);
const total = (values: Fraction[]) => values.reduce(plus, zero);
const average = (values: Fraction[]) => over(total(values), count(values));
const around = (values: Fraction[]) => values.map((value) => minus(value, average(values)));
const dot = (a: Fraction[], b: Fraction[]) => a.reduce((sum, value, at) => plus(sum, times(value, b[at]!)), zero);
const joint = (a: Fraction[], b: Fraction[]) => dot(around(a), around(b));
const spread = (values: Fraction[]) => over(joint(values, values), [BigInt(values.length - 1), 1n]);

function bothLevels(rows: Settled[], names: string[], dataset: PlainDataset): Settled[][] {
  const booleans = names.filter((name) => dataset.columns[name]!.kind === 'boolean');
  return booleans.flatMap((name) =>
    [0n, 1n].map((level) => rows.filter((row) => (row.values[name] as Fraction)[0] === level)),
  );
}

function withLevels(rows: Settled[], names: string[], dataset: PlainDataset): Settled[][] {
  return [rows, ...bothLevels(rows, names, dataset)];
}

function edgesOf(bins: Bins): Fraction[] {
  if (!('width' in bins)) return bins.map(fraction);
  const edges: Fraction[] = [];
  for (let at = fraction(bins.from); less(at, fraction(bins.to)); at = plus(at, fraction(bins.width))) edges.push(at);
  return [...edges, fraction(bins.to)];
}

/** Half-open but the last. */
function binned(
  rows: Settled[],
  name: string,
  edges: Fraction[],
): { below: Settled[]; bins: Settled[][]; above: Settled[] } {
  const value = (row: Settled) => row.values[name] as Fraction;
  const last = edges.length - 2;
  return {
    below: rows.filter((row) => less(value(row), edges[0]!)),
    bins: edges.slice(1).map((end, at) =>
      rows.filter((row) => {
        const isBefore = less(value(row), end) || (at === last && !less(end, value(row)));
        return !less(value(row), edges[at]!) && isBefore;
      }),
    ),
    above: rows.filter((row) => less(edges.at(-1)!, value(row))),
  };
}

function quantileOf({ of, q, bins }: { of: string; q: string | number; bins: Bins }, cell: Settled[]): Expected {
  const rows = having(cell, of);
  const edges = edgesOf(bins);
  const parts = binned(rows, of, edges);
  const target = times(fraction(q), count(rows));
  const nothing = { kind: 'quantile' as const, value: null, people: [rows] };
  if (rows.length === 0) return { ...nothing, from: null, to: null };
  let before = count(parts.below);
  if (parts.below.length > 0 && !less(before, target)) return { ...nothing, from: null, to: edges[0]! };
  for (const [at, bin] of parts.bins.entries()) {
    const [from, to] = [edges[at]!, edges[at + 1]!];
    if (bin.length > 0 && !less(plus(before, count(bin)), target)) {
      // What is found on shares is rounded down to millionths of the bin.
      const [n, d] = times(over(minus(target, before), count(bin)), [1_000_000n, 1n]);
      const value = plus(from, times(minus(to, from), [n / d, 1_000_000n]));
      return { kind: 'quantile', value, from, to, people: [rows] };
    }
    before = plus(before, count(bin));
  }
  return { ...nothing, from: edges.at(-1)!, to: null };
}

/** (XᵀX)⁻¹ Xᵀy with a column of ones, by Gauss's elimination with a search for pivots. */
function leastSquares(y: Fraction[], columns: Fraction[][]): Line | null {
  const x = [y.map(() => one), ...columns];
  const k = x.length;
  const rows = x.map((a, i) => [...x.map((b) => dot(a, b)), ...x.map((_, j) => (i === j ? one : zero))]);
  for (let at = 0; at < k; at++) {
    const found = rows.findIndex((row, i) => i >= at && !isZero(row[at]!));
    if (found < 0) return null;
    [rows[at], rows[found]] = [rows[found]!, rows[at]!];
    const pivot = rows[at]![at]!;
    rows[at] = rows[at]!.map((value) => over(value, pivot));
    for (const [i, row] of rows.entries()) {
      if (i !== at) rows[i] = row.map((value, j) => minus(value, times(row[at]!, rows[at]![j]!)));
    }
  }
  const inverse = rows.map((row) => row.slice(k));
  const moments = x.map((a) => dot(a, y));
  const coefficients = inverse.map((row) => dot(row, moments));
  const residuals = y.map((value, at) =>
    minus(
      value,
      dot(
        coefficients,
        x.map((a) => a[at]!),
      ),
    ),
  );
  const left = dot(residuals, residuals);
  const freedom = BigInt(y.length - k);
  const all = joint(y, y);
  return {
    coefficients,
    variances: freedom <= 0n ? null : inverse.map((row, at) => times(over(left, [freedom, 1n]), row[at]!)),
    r2: isZero(all) ? null : minus(one, over(left, all)),
  };
}

const definitions: Readonly<Record<string, Definition>> = {
  count: (({ where }: { where: Where }, cell: Settled[]) => {
    const met = cell.filter((row) => accepts(where, row) === true);
    const isEmpty = Object.keys(where).length === 0;
    return {
      kind: 'number',
      value: count(met),
      people: isEmpty ? [met] : [met, cell.filter((row) => !met.includes(row))],
    };
  }) as Definition,
  sum: ((name: string, cell: Settled[], dataset: PlainDataset) => {
    const rows = having(cell, name);
    return { kind: 'number', value: total(column(rows, name)), people: withLevels(rows, [name], dataset) };
  }) as Definition,
  mean: ((name: string, cell: Settled[], dataset: PlainDataset) => {
    const rows = having(cell, name);
    const value = rows.length === 0 ? null : average(column(rows, name));
    return { kind: 'number', value, people: withLevels(rows, [name], dataset) };
  }) as Definition,
  variance: ((name: string, cell: Settled[], dataset: PlainDataset) => {
    const rows = having(cell, name);
    const value = rows.length < 2 ? null : spread(column(rows, name));
    return { kind: 'number', value, people: withLevels(rows, [name], dataset) };
  }) as Definition,
  stddev: ((name: string, cell: Settled[], dataset: PlainDataset) => {
    const rows = having(cell, name);
    return {
      kind: 'root',
      square: rows.length < 2 ? null : spread(column(rows, name)),
      negative: false,
      people: withLevels(rows, [name], dataset),
    };
  }) as Definition,
  covariance: (([a, b]: [string, string], cell: Settled[], dataset: PlainDataset) => {
    const rows = having(cell, a, b);
    const value = rows.length < 2 ? null : over(joint(column(rows, a), column(rows, b)), [BigInt(rows.length - 1), 1n]);
    return { kind: 'number', value, people: withLevels(rows, [a, b], dataset) };
  }) as Definition,
  correlation: (([a, b]: [string, string], cell: Settled[], dataset: PlainDataset) => {
    const rows = having(cell, a, b);
    const [x, y] = [column(rows, a), column(rows, b)];
    const people = withLevels(rows, [a, b], dataset);
    const apart = rows.length === 0 ? zero : times(joint(x, x), joint(y, y));
    if (isZero(apart)) return { kind: 'root', square: null, negative: false, people };
    const together = joint(x, y);
    return { kind: 'root', square: over(times(together, together), apart), negative: together[0] < 0n, people };
  }) as Definition,
  regression: (({ y, x }: { y: string; x: string[] }, cell: Settled[], dataset: PlainDataset) => {
    const rows = having(cell, y, ...x);
    const line =
      rows.length === 0
        ? null
        : leastSquares(
            column(rows, y),
            x.map((name) => column(rows, name)),
          );
    return { kind: 'line', line, n: rows.length, people: withLevels(rows, [y, ...x], dataset) };
  }) as Definition,
  ratio: ((
    argument: [string, string] | { numerator: string; denominator: string },
    cell: Settled[],
    dataset: PlainDataset,
  ) => {
    const [a, b] = Array.isArray(argument) ? argument : [argument.numerator, argument.denominator];
    const rows = having(cell, a, b);
    const below = total(column(rows, b));
    const value = isZero(below) ? null : over(total(column(rows, a)), below);
    return { kind: 'number', value, people: withLevels(rows, [a, b], dataset) };
  }) as Definition,
  histogram: (({ of, bins }: { of: string; bins: Bins }, cell: Settled[]) => {
    const edges = edgesOf(bins);
    return { kind: 'bins', ...binned(having(cell, of), of, edges), edges };
  }) as Definition,
  median: ((argument: { of: string; bins: Bins }, cell: Settled[]) =>
    quantileOf({ ...argument, q: '0.5' }, cell)) as Definition,
  quantile: quantileOf as Definition,
  t_test: ((
    { of, by, levels }: { of: string; by: string; levels?: string[] },
    cell: Settled[],
    dataset: PlainDataset,
    all: Levels,
  ) => {
    const rows = having(cell, of, by);
    const named = levels ?? all[by] ?? [zero, one];
    const groups = named.map((level) => rows.filter((row) => String(row.values[by]) === String(level)));
    const [a, b] = groups.map((group) => column(group, of)) as [Fraction[], Fraction[]];
    const nothing = {
      kind: 'test',
      squared: true,
      statistic: null,
      df: zero,
      negative: false,
      people: groups.flatMap((group) => withLevels(group, [of], dataset)),
    } as const;
    if (a.length < 2 || b.length < 2) return nothing;
    const [ea, eb] = [over(spread(a), count(a)), over(spread(b), count(b))];
    if (isZero(plus(ea, eb))) return nothing;
    const gap = minus(average(a), average(b));
    const both = plus(ea, eb);
    const parts = plus(
      over(times(ea, ea), [BigInt(a.length - 1), 1n]),
      over(times(eb, eb), [BigInt(b.length - 1), 1n]),
    );
    return {
      ...nothing,
      statistic: over(times(gap, gap), both),
      df: over(times(both, both), parts),
      negative: gap[0] < 0n,
    };
  }) as Definition,
  chi_square: (([a, b]: [string, string], cell: Settled[], _: PlainDataset, all: Levels) => {
    const rows = having(cell, a, b);
    const of = (name: string, level: unknown) => rows.filter((row) => String(row.values[name]) === String(level));
    const [as, bs] = [all[a] ?? [zero, one], all[b] ?? [zero, one]];
    const table = as.map((x) => bs.map((y) => of(a, x).filter((row) => of(b, y).includes(row))));
    const [seenA, seenB] = [as.filter((x) => of(a, x).length > 0), bs.filter((y) => of(b, y).length > 0)];
    let statistic: Fraction = zero;
    for (const x of seenA) {
      for (const y of seenB) {
        const expected = over(times(count(of(a, x)), count(of(b, y))), count(rows));
        const gap = minus(count(table[as.indexOf(x as never)]![bs.indexOf(y as never)]!), expected);
        statistic = plus(statistic, over(times(gap, gap), expected));
      }
    }
    const df = (seenA.length - 1) * (seenB.length - 1);
    const isDefined = seenA.length > 1 && seenB.length > 1;
    return {
      kind: 'test',
      squared: false,
      statistic: isDefined ? statistic : null,
      df: [BigInt(df), 1n],
      negative: false,
      people: table.flat(),
    };
  }) as Definition,
};
