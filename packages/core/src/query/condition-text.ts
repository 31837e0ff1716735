/**
 * Conditions and sums in plain words, for plans that people approve.
 *
 * What is named is exactly what is computed: the words are made from the compiled tree, not from the job's own text.
 * @module
 */
import { decodeDecimal } from '../algebra/fixed-point.ts';
import type { Comparison, Condition } from './condition.ts';
import type { Column, Dataset } from './dictionary.ts';
import type { GroupKey } from './group-key.ts';
import { sideColumn } from './join-dataset.ts';
import type { SideName } from './join-query.ts';
import { listed } from './name.ts';
import type { Statistic } from './statistic.ts';

/** A longer list of values is cut; the job itself shows it whole. */
const valuesShown = 20;

const comparisons: { readonly [op in Comparison]: string } = {
  eq: 'is',
  ne: 'is not',
  gt: 'is above',
  gte: 'is at least',
  lt: 'is below',
  lte: 'is at most',
};
const dateComparisons: { readonly [op in Comparison]: string } = {
  ...comparisons,
  gt: 'is after',
  gte: 'is on or after',
  lt: 'is before',
  lte: 'is on or before',
};

/** A dataset whose columns are put into words; of a join with the parties that its two sides belong to. */
export interface Worded extends Dataset {
  readonly sides?: Readonly<Record<SideName, string>>;
}

/** `age`; in a join `camden’s age`. */
export function columnText(name: string, { sides }: Pick<Worded, 'sides'>): string {
  const own = sides === undefined ? undefined : sideColumn(name);
  return own === undefined ? name : `${sides![own.side]}’s ${own.column}`;
}

/** A text with the columns of a join in it, as it calls them: `sum of left.arrears`. */
export function inWords(text: string, dataset: Pick<Worded, 'sides'>): string {
  return text.replace(/\b(left|right)\.[\p{L}_][\p{L}\p{N}_-]*/gu, (name) => columnText(name, dataset));
}

/** An encoded value as people write it. */
function valueText(column: Column, value: bigint): string {
  switch (column.type) {
    case 'boolean':
      return value === 0n ? 'no' : 'yes';
    case 'category':
      return column.values[Number(value)] ?? '?';
    case 'decimal':
      return decodeDecimal(value, column.scale).replace(/\.0+$/, '');
    case 'date': {
      const digits = value.toString().padStart(8, '0');
      return `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`;
    }
    default:
      return value.toString();
  }
}

/** `age is at least 18 and tenure is one of private, social`; the empty text for no condition. */
export function conditionText(condition: Condition, dataset: Worded): string {
  switch (condition.kind) {
    case 'true':
      return '';
    case 'compare':
      return comparisonText(condition, dataset);
    case 'in': {
      const column = dataset.columns[condition.column]!;
      const name = columnText(condition.column, dataset);
      const values = condition.values.slice(0, valuesShown).map((value) => valueText(column, value));
      const rest = condition.values.length - values.length;
      const all = rest > 0 ? [...values, `${rest} more`] : values;
      return all.length === 1 ? `${name} is ${all[0]}` : `${name} is one of ${all.join(', ')}`;
    }
    case 'is_null':
      return `${columnText(condition.column, dataset)} is missing`;
    case 'present':
      return `${columnText(condition.column, dataset)} is known`;
    case 'not':
      return condition.of.kind === 'is_null'
        ? `${columnText(condition.of.column, dataset)} is not missing`
        : `it is not so that ${nested(condition.of, dataset)}`;
    case 'and':
      return merged(condition.of, dataset).join(' and ');
    case 'or':
      return condition.of.map((part) => nested(part, dataset)).join(' or ');
  }
}

type Compare = Extract<Condition, { kind: 'compare' }>;

/** The parts of an AND: a lower and an upper end of one column become a range, and what a comparison implies is left out. */
function merged(parts: readonly Condition[], dataset: Worded): string[] {
  const compared = new Set(
    parts.flatMap((part) => (part.kind === 'compare' || part.kind === 'in' ? [part.column] : [])),
  );
  const told = new Set<Condition>();
  const texts: string[] = [];
  for (const part of parts) {
    if (told.has(part) || (part.kind === 'present' && compared.has(part.column))) continue;
    const upper = part.kind === 'compare' && part.op === 'gte' ? upperOf(part, parts) : undefined;
    if (upper !== undefined) told.add(upper);
    texts.push(upper === undefined ? nested(part, dataset) : rangeText(part as Compare, upper, dataset));
  }
  return texts;
}

function upperOf(lower: Compare, parts: readonly Condition[]): Compare | undefined {
  return parts.find(
    (part): part is Compare =>
      part.kind === 'compare' &&
      part.column === lower.column &&
      part.transform === lower.transform &&
      (part.op === 'lt' || part.op === 'lte'),
  );
}

function rangeText(lower: Compare, upper: Compare, dataset: Worded): string {
  const column = dataset.columns[lower.column]!;
  const text = (value: bigint) => (lower.transform === 'year' ? value.toString() : valueText(column, value));
  const name = columnText(lower.column, dataset);
  const what = lower.transform === 'year' ? `the year of ${name}` : name;
  return `${what} is from ${text(lower.value)} to ${upper.op === 'lt' ? 'below ' : ''}${text(upper.value)}`;
}

function nested(condition: Condition, dataset: Worded): string {
  const text = conditionText(condition, dataset);
  return condition.kind === 'and' || condition.kind === 'or' ? `(${text})` : text === '' ? 'any row counts' : text;
}

function comparisonText(condition: Extract<Condition, { kind: 'compare' }>, dataset: Worded): string {
  const column = dataset.columns[condition.column]!;
  const name = columnText(condition.column, dataset);
  if (condition.transform === 'year') {
    return `the year of ${name} ${comparisons[condition.op]} ${condition.value}`;
  }
  const words = column.type === 'date' ? dateComparisons : comparisons;
  return `${name} ${words[condition.op]} ${valueText(column, condition.value)}`;
}

/** `the sum of arrears` */
function sumText(statistic: Statistic, dataset: Worded): string {
  const { of, product } = statistic;
  if (of === 'magnitude' || of === 'top') return totalText(statistic, dataset);
  const isPerson = dataset.unit !== 'row' && dataset.max_rows_per_unit === 1;
  const [people, rows] = dataset.sides === undefined ? ['people', 'rows'] : ['people in both', 'pairs of rows in both'];
  if (product.length === 0) return `the number of ${of === 'people' || isPerson ? people : rows}`;
  return `the sum of ${productText(product, dataset)}`;
}

/** `arrears`; of two columns in the order of their names. */
function productText(product: readonly string[], dataset: Worded): string {
  const [first, second] = product.map((name) => columnText(name, dataset));
  if (first === undefined) return 'rows';
  if (second === undefined) return first;
  return first === second ? `the squares of ${first}` : [first, second].sort().join(' times ');
}

const ordinals = ['', 'second ', 'third ', 'fourth ', 'fifth '];

/** `the second largest total of one person of arrears`; where the unit is a row, no person is known. */
function totalText({ of, product, rank = 1 }: Statistic, dataset: Worded): string {
  const whose = dataset.unit === 'row' ? 'row' : 'person';
  if (of === 'magnitude')
    return `the totals of ${productText(product, dataset)} ${whose} by ${whose}, without their signs`;
  return `the ${ordinals[rank - 1] ?? `${rank}th `}largest total of one ${whose} of ${productText(product, dataset)}`;
}

/** More sums of one kind than this are named by the first, the last and their number. */
const kindsShown = 6;

/**
 * Sums in words, those with the same condition together: `the number of people and the sum of arrears, where employed
 * is yes`. A long list of counts (the bins of a histogram) is cut to its ends.
 */
export function statisticTexts(statistics: readonly Statistic[], dataset: Worded): string[] {
  const byCondition = new Map<string, Set<string>>();
  for (const statistic of statistics) {
    const condition = conditionText(statistic.where, dataset);
    const sums = byCondition.get(condition) ?? new Set();
    byCondition.set(condition, sums.add(sumText(statistic, dataset)));
  }
  const texts = [...byCondition].map(([condition, sums]) => {
    const all = listed([...sums]);
    return condition === '' ? all : `${all}, where ${condition}`;
  });
  if (texts.length <= kindsShown) return texts;
  return [`${texts.length} totals, the first being ${texts[0]}`, `the last being ${texts.at(-1)}`];
}

/** `tenure (4 values)`, for the cells of a table. */
export function groupsText(groups: readonly Key[], dataset: Pick<Worded, 'sides'> = {}): string {
  return listed(
    groups.map(({ name, column, labels }) => {
      const own = name.replace(column, () => columnText(column, dataset));
      return `${own} (${labels.length} values)`;
    }),
  );
}

type Key = Pick<GroupKey, 'name' | 'column' | 'labels'>;
