/**
 * One row of a source as encoded integers: form, null rule and bounds, in this order.
 *
 * The null rule of a column says what an empty value is: `drop` leaves it null (it compares as unknown and is left out of
 * measures over the column), `zero` makes it 0, `refuse` stops. Then what lies outside the bounds is moved to the nearer
 * one, or refused; a zero in the place of a null is only ever moved. A value of the wrong form is always refused: it is an
 * error of the source, not a number. Only in a lenient dataset, where nothing is refused because of a record, it is null.
 * @module
 */
import { SourceError } from '../channel/errors.ts';
import { boundsOf, type Column, type Dataset, dateSchema, encodeDate, type ValueColumn } from './dictionary.ts';
import { decimalText } from './document.ts';

/** A value as a source gives it. A number that no double holds comes as a bigint or as a text of its digits. */
export type Raw = string | number | bigint | boolean | null;
/** By the dictionary's names. */
export type Row = Readonly<Record<string, Raw>>;

export interface Reading {
  readonly values: ReadonlyMap<string, bigint | null>;
  /** The columns whose raw value is null. */
  readonly nulls: ReadonlySet<string>;
  /** The person; the row itself where the unit is a row; null for a row of nobody, which only a lenient reading passes. */
  readonly unit: Raw;
}

/** No export writes longer numbers; reading this many digits costs nothing. */
const numberCharsMax = 1_000;
/** Midnight may stand behind a day, since exports of dates often have it. */
const midnight = /[ T]00:00:00(\.0+)?$/;

/**
 * The columns of a row, and whose row it is.
 * @throws SourceError SOURCE_COLUMN_MISSING, SOURCE_NULL, SOURCE_VALUE, SOURCE_OUT_OF_BOUNDS, naming the column
 */
export function readRow(row: Row, columns: readonly string[], dataset: Dataset, index: number): Reading {
  const values = new Map<string, bigint | null>();
  const nulls = new Set<string>();
  for (const name of columns) {
    const raw = rawOf(row, name);
    if (raw === null) nulls.add(name);
    values.set(name, readValue(raw, dataset.columns[name] as ValueColumn, name, dataset.lenient === true));
  }
  if (dataset.unit === 'row') return { values, nulls, unit: index };
  const unit = rawOf(row, dataset.unit);
  const person = unit === null ? '' : normalised(String(unit), dataset.columns[dataset.unit]!);
  if (person !== '') return { values, nulls, unit: person };
  if (dataset.lenient) return { values, nulls, unit: null };
  throw new SourceError('SOURCE_NULL', { field: dataset.unit });
}

/** The form in which two writings of one identifier are alike; nothing is left of what holds no identifier. */
function normalised(text: string, column: Column): string {
  switch (column.type === 'identifier' ? column.normalise : undefined) {
    case 'digits':
      return text.replace(/[^0-9]/g, '');
    case 'upper-alnum':
      return text.toUpperCase().replace(/[^A-Z0-9]/g, '');
    case 'nfkc-lower':
      return text.normalize('NFKC').toLowerCase();
    default:
      return text;
  }
}

/** The identifier as it stands in the row; null where there is none. */
export function identifierOf(row: Row, name: string): string | null {
  const raw = rawOf(row, name);
  return raw === null ? null : typeof raw === 'number' ? decimalText(raw) : String(raw);
}

function rawOf(row: Row, name: string): Raw {
  const raw = Object.hasOwn(row, name) ? row[name] : undefined;
  if (raw === undefined) throw new SourceError('SOURCE_COLUMN_MISSING', { field: name });
  return raw;
}

function readValue(given: Raw, column: ValueColumn, name: string, isLenient: boolean): bigint | null {
  // What has the wrong form is no value, where a refusal would tell of it.
  const raw = isLenient && given !== null && encode(given, column) === null ? null : given;
  if (raw === null && column.nulls === 'refuse') throw new SourceError('SOURCE_NULL', { field: name });
  if (raw === null && column.nulls === 'drop') return null;
  const value = raw === null ? 0n : encode(raw, column);
  if (value === null) throw new SourceError('SOURCE_VALUE', { field: name, detail: `${formOf(column)} is expected` });
  const { min, max } = boundsOf(column);
  if (value >= min && value <= max) return value;
  if (raw !== null && 'outside' in column && column.outside === 'refuse')
    throw new SourceError('SOURCE_OUT_OF_BOUNDS', { field: name });
  return value < min ? min : max;
}

/** Null for a value of the wrong form. */
function encode(raw: Exclude<Raw, null>, column: ValueColumn): bigint | null {
  switch (column.type) {
    case 'integer':
      return encodeNumber(raw, 0);
    case 'decimal':
      return encodeNumber(raw, column.scale);
    case 'boolean': {
      const text = String(raw).toLowerCase();
      return ['true', 't', '1'].includes(text) ? 1n : ['false', 'f', '0'].includes(text) ? 0n : null;
    }
    case 'category': {
      const place = typeof raw === 'string' ? column.values.indexOf(raw) : -1;
      return place < 0 ? null : BigInt(place);
    }
    case 'date': {
      const day = typeof raw === 'string' ? raw.replace(midnight, '') : '';
      return dateSchema.safeParse(day).success ? encodeDate(day) : null;
    }
  }
}

function encodeNumber(raw: Exclude<Raw, null>, scale: number): bigint | null {
  if (typeof raw === 'bigint') return raw * 10n ** BigInt(scale);
  if (typeof raw === 'boolean') return null;
  // A whole double beyond 2^53 may stand for several integers: it is not the value that was meant.
  if (typeof raw === 'number' && (!Number.isFinite(raw) || Math.abs(raw) > Number.MAX_SAFE_INTEGER)) return null;
  const text = typeof raw === 'number' ? decimalText(raw) : raw;
  // Zeros at the end say nothing; any other digit beyond the scale would be lost.
  const match = text.length <= numberCharsMax ? /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text) : null;
  if (match === null) return null;
  const [, sign, whole, decimals = ''] = match;
  const fraction = decimals.slice(0, scale).padEnd(scale, '0');
  if (/[1-9]/.test(decimals.slice(scale))) return null;
  const magnitude = BigInt(whole! + fraction);
  return sign === '-' ? -magnitude : magnitude;
}

function formOf(column: ValueColumn): string {
  switch (column.type) {
    case 'integer':
      return 'a whole number';
    case 'decimal':
      return `a number with at most ${column.scale} digits after the point`;
    case 'boolean':
      return 'true or false';
    case 'category':
      return 'one of the values of the dictionary';
    case 'date':
      return 'a date such as 2026-12-31';
  }
}
