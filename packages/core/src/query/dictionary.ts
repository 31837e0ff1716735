/**
 * The data dictionary of a charter: logical datasets, their columns, and the integers that stand for column values.
 *
 * Every value that enters a computation is an integer: an integer itself; a decimal times 10^scale; a boolean 0 or 1; a
 * category its index in `values`; a date yyyymmdd. An identifier is never a value. Everything that bounds and privacy
 * depend on stands here, never in a job.
 * @module
 */
import { z } from 'zod';
import { encodeDecimal } from '../algebra/fixed-point.ts';
import { parseRational, type Rational } from '../algebra/rational.ts';
import { InputError } from '../channel/errors.ts';
import { decimalText } from './document.ts';
import { lookUp, memberSchema, nameSchema } from './name.ts';

/** 10^18 still leaves bounds of ±9 in one 64-bit word; finer scales are no one's records. */
const scaleMax = 18;
/** More values make a grouping of more cells than a job may have. */
const categoryValuesMax = 10_000;
/** A public bound on one party's rows; 10^12 rows outgrow every source we read. */
export const rowsMax = 1_000_000_000_000;

/** More rows of one person in one dataset are no statistic's material. */
const rowsPerPersonMax = 1_000_000;

const decimalForm = /^-?(0|[1-9]\d*)(\.\d+)?$/;

/** A number, or the text of a decimal that no double holds exactly (see document.ts). */
export const numericSchema = z.union([z.number(), z.string().max(60).regex(decimalForm, 'expected a number')], {
  error: 'expected a number',
});

/** The exact number that was written. */
export function fractionOf(value: number | string): Rational {
  return parseRational(typeof value === 'number' ? decimalText(value) : value);
}

/** `2026-12-31`, a day that exists. */
export const dateSchema = z.iso.date('expected a date such as 2026-12-31');

const nulls = z.enum(['drop', 'zero', 'refuse']).default('refuse');
const outside = z.enum(['clamp', 'refuse']).default('clamp');
const max_groups_per_unit = z.int().min(1).optional();

const columnSchema = z.discriminatedUnion(
  'type',
  [
    z.strictObject({
      type: z.literal('integer'),
      min: numericSchema,
      max: numericSchema,
      nulls,
      outside,
      max_groups_per_unit,
    }),
    z.strictObject({
      type: z.literal('decimal'),
      scale: z.int().min(0).max(scaleMax),
      min: numericSchema,
      max: numericSchema,
      nulls,
      outside,
      max_groups_per_unit,
    }),
    z.strictObject({ type: z.literal('boolean'), nulls, max_groups_per_unit }),
    z.strictObject({
      type: z.literal('category'),
      values: z.array(z.string().min(1).max(200)).min(1).max(categoryValuesMax),
      nulls: z.enum(['drop', 'refuse'], { error: 'expected drop or refuse: a category has no zero' }).default('refuse'),
      max_groups_per_unit,
    }),
    z.strictObject({
      type: z.literal('date'),
      min: dateSchema,
      max: dateSchema,
      nulls: z.enum(['drop', 'refuse'], { error: 'expected drop or refuse: a date has no zero' }).default('refuse'),
      outside,
      max_groups_per_unit,
    }),
    z.strictObject({
      type: z.literal('identifier'),
      normalise: z.enum(['digits', 'upper-alnum', 'nfkc-lower', 'date']).optional(),
      /** Which numbers can be identifiers at all (see identifier.ts); only with `normalise: digits`. */
      check: z.enum(['nhs', 'uprn']).optional(),
      /** Rows of one identifier that count in a join; 1 where nothing is said, and `max_rows_per_unit` for the unit. */
      max_rows_per_key: z.int().min(1).max(rowsPerPersonMax).optional(),
    }),
  ],
  { error: 'expected a type: integer, decimal, boolean, category, date or identifier' },
);

/** A dataset as a charter writes it; the defaults are filled in, but for `max_parties_per_unit`. */
export const datasetSchema = z.strictObject({
  held_by: z.array(memberSchema).min(1),
  unit: nameSchema,
  max_rows_per_unit: z.int().min(1).max(rowsPerPersonMax).default(1),
  extra_rows: z.enum(['refuse', 'keep_first']).default('refuse'),
  max_parties_per_unit: z.int().min(1).optional(),
  max_rows: z.int().min(1).max(rowsMax),
  columns: z.record(nameSchema, columnSchema),
});

export type Column = Readonly<z.infer<typeof columnSchema>>;
export type ColumnType = Column['type'];
/** Columns whose values are compared, grouped or computed with. */
export type ValueColumn = Exclude<Column, { type: 'identifier' }>;
export type IdentifierColumn = Extract<Column, { type: 'identifier' }>;

export interface Dataset {
  readonly name: string;
  readonly held_by: readonly string[];
  /** The identifier column of a person, or `row`. */
  readonly unit: string;
  readonly max_rows_per_unit: number;
  readonly extra_rows: 'refuse' | 'keep_first';
  readonly max_parties_per_unit: number;
  readonly max_rows: number;
  readonly columns: Readonly<Record<string, Column>>;
  /** Set for protected jobs, never by a charter: nothing is refused because of a record (`protectedDataset`). */
  readonly lenient?: true;
}

/** A value of a record or a filter, before it is an integer. Numbers that no double holds are texts of their digits. */
export type Value = string | number | boolean;

/** Where a charter declares a column: of a join's pairs, which no charter declares, the column as the job writes it. */
export function columnPath(dataset: string, column: string): string {
  return column.includes('.') ? column : `datasets.${dataset}.columns.${column}`;
}

/** @throws InputError UNKNOWN_COLUMN */
export function columnOf(dataset: Dataset, name: string, field: string): Column {
  const column = lookUp(dataset.columns, name);
  if (column !== undefined) return column;
  // In a join the same name may stand at both sides, so each column is written with its own.
  const sided = ['left', 'right'].map((side) => `${side}.${name}`).filter((own) => lookUp(dataset.columns, own));
  const remedy = sided.length === 0 ? undefined : `write the column with its side: ${sided.join(' or ')}`;
  throw new InputError('UNKNOWN_COLUMN', { field, detail: `\`${name}\` is not in \`${dataset.name}\``, remedy });
}

function wrongType(field: string, detail: string): InputError {
  return new InputError('WRONG_TYPE', { field, detail });
}

/** The decimal that was written, or undefined where the value is no number (a quoted `"18"` is a text). */
function numberText(value: Value): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? decimalText(value) : undefined;
  if (typeof value !== 'string' || !decimalForm.test(value)) return undefined;
  return decimalText(Number(value)) === value ? undefined : value;
}

/** `2026-12-31` as 20261231. */
export function encodeDate(text: string): bigint {
  return BigInt(text.replaceAll('-', ''));
}

/**
 * The integer that stands for a filter's value in this column.
 * @throws InputError WRONG_TYPE, naming the field
 */
export function encodeValue(column: Column, value: Value, field: string): bigint {
  switch (column.type) {
    case 'integer': {
      const text = numberText(value);
      if (text === undefined || text.includes('.')) throw wrongType(field, 'a whole number is expected');
      return BigInt(text);
    }
    case 'decimal': {
      const text = numberText(value);
      if (text === undefined) throw wrongType(field, 'a number is expected');
      if ((text.split('.')[1] ?? '').length > column.scale) {
        throw wrongType(field, `the column has ${column.scale} decimal places, and more are given`);
      }
      return encodeDecimal(text, column.scale);
    }
    case 'boolean':
      if (typeof value !== 'boolean') throw wrongType(field, 'true or false is expected');
      return value ? 1n : 0n;
    case 'category': {
      const index = typeof value === 'string' ? column.values.indexOf(value) : -1;
      if (index < 0) throw wrongType(field, `one of the column’s values is expected: ${shown(column.values)}`);
      return BigInt(index);
    }
    case 'date':
      if (!dateSchema.safeParse(value).success) throw wrongType(field, 'a date such as 2026-12-31 is expected');
      return encodeDate(value as string);
    case 'identifier':
      throw wrongType(field, 'an identifier serves only to match people');
  }
}

/** The first few of a long list. */
function shown(values: readonly string[]): string {
  const few = values.slice(0, 12);
  return few.join(', ') + (values.length > few.length ? ', …' : '');
}

/** The least and the greatest encoded value; nothing outside ever leaves a party. */
export function boundsOf(column: Column): { min: bigint; max: bigint } {
  switch (column.type) {
    case 'integer':
    case 'decimal': {
      const scale = column.type === 'decimal' ? column.scale : 0;
      const bound = (value: number | string) =>
        encodeDecimal(typeof value === 'number' ? decimalText(value) : value, scale);
      return { min: bound(column.min), max: bound(column.max) };
    }
    case 'boolean':
      return { min: 0n, max: 1n };
    case 'category':
      return { min: 0n, max: BigInt(column.values.length - 1) };
    case 'date':
      return { min: encodeDate(column.min), max: encodeDate(column.max) };
    case 'identifier':
      throw new RangeError('an identifier has no bounds');
  }
}

/** What a group key shows for each of its cells, in order; undefined where the column cannot be grouped by. */
export function labelsOf(column: Column, transform: 'value' | 'year'): readonly Value[] | undefined {
  if (transform === 'year') {
    if (column.type !== 'date') return undefined;
    const first = Number(column.min.slice(0, 4));
    const last = Number(column.max.slice(0, 4));
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  }
  switch (column.type) {
    case 'boolean':
      return [false, true];
    case 'category':
      return column.values;
    case 'integer': {
      const { min, max } = boundsOf(column);
      // Beyond the limit of cells the labels are not needed: the job is refused by their number.
      if (max - min >= BigInt(categoryValuesMax)) return undefined;
      return Array.from({ length: Number(max - min) + 1 }, (_, index) => Number(min) + index);
    }
    default:
      return undefined;
  }
}

/**
 * What a schema cannot say of a dataset: names that refer to each other, bounds in order, numbers that fit their scale.
 * @throws InputError naming the field
 */
export function completeDataset(name: string, given: z.infer<typeof datasetSchema>): Dataset {
  const at = `datasets.${name}`;
  const held = new Set(given.held_by);
  if (held.size !== given.held_by.length) throw new InputError('DUPLICATE_PARTY', { field: `${at}.held_by` });
  const dataset: Dataset = { ...given, name, max_parties_per_unit: given.max_parties_per_unit ?? held.size };
  if (dataset.max_parties_per_unit > held.size) {
    throw new InputError('BAD_VALUE', { field: `${at}.max_parties_per_unit`, detail: `${held.size} parties hold it` });
  }
  if (dataset.unit === 'row') {
    if (dataset.max_rows_per_unit !== 1) {
      throw new InputError('BAD_VALUE', { field: `${at}.max_rows_per_unit`, detail: 'a unit of one row has one row' });
    }
  } else if (columnOf(dataset, dataset.unit, `${at}.unit`).type !== 'identifier') {
    throw wrongType(`${at}.unit`, 'the unit is an identifier column, or `row`');
  }
  for (const [key, column] of Object.entries(dataset.columns)) {
    checkColumn(column, `${at}.columns.${key}`, key);
    if (key !== dataset.unit || column.type !== 'identifier' || column.max_rows_per_key === undefined) continue;
    throw new InputError('BAD_VALUE', {
      field: `${at}.columns.${key}.max_rows_per_key`,
      detail: 'the unit has `max_rows_per_unit`',
    });
  }
  return dataset;
}

/** Words of the job's own language cannot be columns: `where: { any: … }` would be ambiguous. */
const reserved = ['any', 'not', 'row'];

function checkColumn(column: Column, at: string, name: string): void {
  if (reserved.includes(name)) throw new InputError('BAD_VALUE', { field: at, detail: 'this name is reserved' });
  if (column.type === 'category' && new Set(column.values).size !== column.values.length) {
    throw new InputError('BAD_VALUE', { field: `${at}.values`, detail: 'a value stands twice' });
  }
  if (column.type === 'identifier' && column.check !== undefined && column.normalise !== 'digits') {
    throw new InputError('BAD_VALUE', { field: `${at}.check`, detail: 'only `normalise: digits` has a check' });
  }
  if (column.type !== 'integer' && column.type !== 'decimal' && column.type !== 'date') return;
  let bounds: { min: bigint; max: bigint };
  try {
    bounds = boundsOf(column);
  } catch {
    throw new InputError('BAD_VALUE', { field: at, detail: 'min and max have more decimal places than the column' });
  }
  if (bounds.min > bounds.max) throw new InputError('BAD_VALUE', { field: `${at}.max`, detail: 'max is below min' });
}
