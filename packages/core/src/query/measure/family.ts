/**
 * What the measures have in common: the sums each needs, the sets of people the threshold looks at, and the way from
 * exact sums to a value.
 *
 * Everything up to the last division or square root is done in integers and fractions, so a value is as exact as a
 * decimal or a double can be, whatever the size of the numbers and however small their spread.
 * @module
 */
import { mul, type Rational, rational, sqrtDecimal, sqrtNumber, toDecimal, toNumber } from '../../algebra/rational.ts';
import { InputError } from '../../channel/errors.ts';
import type { Condition } from '../condition.ts';
import { columnOf, type Dataset } from '../dictionary.ts';
import type { Statistic } from '../statistic.ts';

/** One number of an answer; `value` and `exact` are null where there is none, or none may be shown. */
export interface Scalar {
  readonly value: number | null;
  readonly exact: string | null;
  readonly ci95?: readonly [number, number];
  readonly suppressed?: true;
  /** Of a protected number: why it says little. */
  readonly warning?: string;
}

/** A quantile with the bin it was found in, which is its error. */
export interface QuantileValue extends Scalar {
  readonly from: number | null;
  readonly to: number | null;
}

interface HistogramBin extends Scalar {
  readonly from: number;
  readonly to: number;
}

interface HistogramValue {
  readonly bins: readonly HistogramBin[];
  readonly below: Scalar;
  readonly above: Scalar;
}

/** Where the columns do not determine a line, all but n is null, and so is `value`. */
export interface RegressionValue {
  readonly coefficients: Readonly<Record<string, number>> | null;
  readonly standard_errors: Readonly<Record<string, number>> | null;
  readonly r2: number | null;
  readonly n: number;
  readonly value?: null;
  readonly exact?: null;
  /** Of a protected line: what the noise alone leaves open of each coefficient, and of `r2`. */
  readonly ci95?: Readonly<Record<string, readonly [number, number] | null>>;
  readonly warning?: string;
}

/** Where the test is not defined, all is null, and so is `value`. */
export interface TestValue {
  readonly statistic: number | null;
  readonly df: number | null;
  readonly p: number | null;
  readonly value?: null;
  readonly exact?: null;
  /** Of a protected test: what the noise alone leaves open. */
  readonly ci95?: { readonly statistic: readonly [number, number]; readonly p: readonly [number, number] };
  readonly warning?: string;
}

export type MeasureValue = Scalar | QuantileValue | HistogramValue | RegressionValue | TestValue;

/** A column that a measure reads, and where the job names it. */
export interface Use {
  readonly column: string;
  /** Within the measure: `regression.x[0]`. */
  readonly path: string;
}

/** What is opened of a measure: one of its sums, or what is computed from several of them before anyone sees it. */
export type Figure =
  /** Opens the sum. `of` is an index into the measure's statistics, here and below. */
  | { readonly kind: 'sum'; readonly of: number }
  /** Opens ⌊factor · numerator / denominator + 1/2⌋, and whether there is one: 0 where the denominator is 0. */
  | {
      readonly kind: 'quotient';
      readonly numerator: number;
      readonly denominator: number;
      readonly factor: bigint;
      /** The power of ten that makes the quotient of the two sums one of their columns' own units. */
      readonly exponent: number;
    }
  /** Opens the bin that holds the quantile, and the millionths of it that lie below; `counts` are below, bins…, above. */
  | { readonly kind: 'quantile'; readonly counts: readonly number[]; readonly rank: Rational };

/** What opens together or not at all. */
export interface Part {
  /** Sets of people; each has to reach the threshold. */
  readonly tested: readonly Condition[];
  readonly figures: readonly Figure[];
  /** The rows that the sums it opens are over, as sets that another measure's sums may be a part of, or the whole. */
  readonly rows: readonly Condition[];
}

/** A measure against a dataset. */
export interface Prepared {
  readonly statistics: readonly Statistic[];
  readonly parts: readonly Part[];
  /** From the numbers that each part opened, in the order of `parts` and their figures; null for a part withheld. */
  finish(opened: readonly (readonly bigint[] | null)[]): MeasureValue;
  /** The integers that 1 is in each of the statistics, where these may be rounded. */
  readonly units?: readonly bigint[];
  /** The same measure where only the quotient of its sums may be opened, if it is one. */
  readonly ratio?: Prepared;
}

/** One kind of measure, by its argument in a job. */
export interface Family<Argument> {
  /** Columns computed with: numbers and booleans. */
  measured(argument: Argument): readonly Use[];
  /** Columns that only split people into groups: categories and booleans. */
  grouping(argument: Argument): readonly Use[];
  /** How many statistics `prepare` makes, in arithmetic alone: nothing is built for a job that asks for too many. */
  sums(argument: Argument, dataset: Dataset): number;
  /** @throws InputError where the argument does not fit the dataset; `field` is the measure's own path. */
  check?(argument: Argument, dataset: Dataset, field: string): void;
  /** Of an argument that was checked. */
  prepare(argument: Argument, dataset: Dataset, field: string): Prepared;
}

export const suppressed: Scalar = { value: null, exact: null, suppressed: true };
export const none: Scalar = { value: null, exact: null };

/** The digits of what does not end by itself; 12 are promised. */
const significant = 20;
/** More digits than any fraction with a denominator of twos and fives can have here. */
const endless = 10_000;

export function scalar(r: Rational): Scalar {
  return { value: toNumber(r), exact: toDecimal(r, { significant: ends(r) ? endless : significant }) };
}

/** The root of r, with a sign of its own. */
export function rootScalar(r: Rational, sign: -1 | 1 = 1): Scalar {
  const exact = sqrtDecimal(r, { significant });
  return { value: sign * sqrtNumber(r), exact: sign < 0 && r.n !== 0n ? `-${exact}` : exact };
}

/** Whether the decimal of r ends. */
function ends(r: Rational): boolean {
  let d = r.d;
  while (d % 10n === 0n) d /= 10n;
  while (d % 5n === 0n) d /= 5n;
  while (d % 2n === 0n) d /= 2n;
  return d === 1n;
}

/**
 * A measure of one part: all its sums are opened, where every set of people that stands behind them is large enough.
 * `rows` are those that the sums are over, all together: by default the first of the sets.
 */
export function whole(
  statistics: readonly Statistic[],
  tested: readonly Condition[],
  finish: (sums: readonly bigint[]) => MeasureValue,
  rows: Condition = tested[0]!,
): Prepared {
  const figures = statistics.map((_, of): Figure => ({ kind: 'sum', of }));
  return { statistics, ...onePart({ tested, figures, rows: [rows] }, finish) };
}

/** The part and the way to its value of a measure that has one part. */
export function onePart(
  part: Part,
  finish: (numbers: readonly bigint[]) => MeasureValue,
): Pick<Prepared, 'parts' | 'finish'> {
  return { parts: [part], finish: ([opened]) => (opened == null ? suppressed : finish(opened)) };
}

/**
 * Of two sums only the quotient, as a whole number of units of 10^−digits: so coarse that it does not tell its parts.
 * `exponent` is what the quotient of the sums has to be multiplied by, as a power of ten.
 */
export function quotientOf(
  statistics: readonly [numerator: Statistic, denominator: Statistic],
  tested: readonly Condition[],
  {
    digits,
    exponent,
    units,
  }: { readonly digits: number; readonly exponent: number; readonly units: readonly [bigint, bigint] },
): Prepared {
  const places = Math.max(0, digits + exponent);
  const figure: Figure = { kind: 'quotient', numerator: 0, denominator: 1, factor: 10n ** BigInt(places), exponent };
  return {
    statistics,
    units,
    // With the number of rows, which other figures may tell, a quotient of few digits can still tell its sum.
    ...onePart({ tested, figures: [figure], rows: [tested[0]!] }, ([quotient, defined]) =>
      defined === 0n ? none : scalar(shift(rational(quotient!), exponent - places)),
    ),
  };
}

/** The digits after the point that an encoded value of the column holds. */
export function scaleOf(dataset: Dataset, name: string): number {
  const column = dataset.columns[name]!;
  return column.type === 'decimal' ? column.scale : 0;
}

/** r × 10^exponent. */
export function shift(r: Rational, exponent: number): Rational {
  const power = 10n ** BigInt(Math.abs(exponent));
  return mul(r, exponent < 0 ? rational(1n, power) : rational(power));
}

export const always: Condition = { kind: 'true' };

/** All of them, in one form whatever their order, so that equal statistics of two measures are one. */
export function both(...conditions: readonly Condition[]): Condition {
  const parts = new Map<string, Condition>();
  for (const condition of conditions) {
    const of = condition.kind === 'and' ? condition.of : condition.kind === 'true' ? [] : [condition];
    for (const part of of) parts.set(keyOf(part), part);
  }
  const of = [...parts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, part]) => part);
  return of.length === 0 ? always : of.length === 1 ? of[0]! : { kind: 'and', of };
}

/** A text that two conditions or statistics share only where they are alike. */
export function keyOf(value: Condition | Statistic): string {
  return JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part));
}

/** The rows that a measure over these columns counts: where nulls are dropped, those that have every value. */
export function present(dataset: Dataset, columns: readonly string[]): Condition {
  const mayLack = columns.filter((name) => {
    const column = dataset.columns[name]!;
    return column.type !== 'identifier' && column.nulls === 'drop';
  });
  return both(...mayLack.map((column): Condition => ({ kind: 'present', column })));
}

export function compare(column: string, op: 'eq' | 'gte' | 'gt' | 'lt' | 'lte', value: bigint): Condition {
  return { kind: 'compare', column, op, value };
}

export function sumOf(product: readonly string[], where: Condition): Statistic {
  return { of: 'rows', product: [...product].sort(), where };
}

export function countOf(where: Condition): Statistic {
  return sumOf([], where);
}

/**
 * Both levels of every boolean among the columns: a sum over one counts them, so each is tested like a count. Of two
 * booleans the sum of the product makes all four combinations known.
 */
export function levelsOf(dataset: Dataset, columns: readonly string[], where: Condition): Condition[] {
  const booleans = [...new Set(columns)].filter((name) => dataset.columns[name]!.type === 'boolean');
  const levels = (name: string) => [0n, 1n].map((level) => compare(name, 'eq', level));
  if (booleans.length < 2) return booleans.flatMap(levels).map((level) => both(where, level));
  const pairs = booleans.flatMap((a, at) => booleans.slice(at + 1).map((b) => [a, b] as const));
  return pairs.flatMap(([a, b]) => levels(a).flatMap((first) => levels(b).map((second) => both(where, first, second))));
}

/** @throws InputError UNKNOWN_COLUMN, or WRONG_TYPE for a column that holds no numbers */
export function checkMeasured(dataset: Dataset, { column, path }: Use, field: string): void {
  const at = `${field}.${path}`;
  const { type } = columnOf(dataset, column, at);
  if (type === 'integer' || type === 'decimal' || type === 'boolean') return;
  throw new InputError('WRONG_TYPE', {
    field: at,
    detail: `\`${column}\` is of type ${type}; a number or a boolean is expected`,
  });
}

/** @throws InputError UNKNOWN_COLUMN, or WRONG_TYPE for a column without a list of values */
export function checkGrouping(dataset: Dataset, { column, path }: Use, field: string): void {
  const at = `${field}.${path}`;
  const { type } = columnOf(dataset, column, at);
  if (type === 'category' || type === 'boolean') return;
  throw new InputError('WRONG_TYPE', {
    field: at,
    detail: `\`${column}\` is of type ${type}; a category or a boolean is expected`,
  });
}
