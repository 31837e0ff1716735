/**
 * From a column's text to its encoded integer: pattern, cast, null rule, clamp.
 *
 * Every source delivers text, so that no engine's own idea of a number comes in between: `1_000`, `0x10`, `1,234`,
 * `1e400` and `NaN` are errors everywhere, and 9007199254740993 is itself. Digits are counted before they are cast, and
 * what is too long for the column's bounds is clamped by its sign alone; so a number of 400 digits is only large.
 * @module
 */
import { boundsOf, type Column } from '@folkmoot/core/dictionary.js';
import { InputError } from '@folkmoot/core/errors.js';
import { sql } from 'kysely';
import type { Dialect, Sql } from './dialect.ts';

/** A day that exists, by pattern alone: 31, 30, 28 days, and 29 February of a leap year. */
const day =
  '[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))' +
  '|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29';
/** A timestamp is a date where it is midnight. */
const midnight = '(?:[ T]00:00:00(?:\\.0+)?)?';

export interface ColumnSql {
  /** The integer of the text, null where it is not well formed; what is beyond all bounds is one below or above them. */
  readonly parsed: Sql;
  /** Null rule and clamp. `integer` is null where the text was. */
  readonly settled: (integer: Sql) => Sql;
  /** Whether the integer lies outside bounds that refuse. */
  readonly outside?: (integer: Sql) => Sql;
  /** What a person reads when a value is of another form. */
  readonly form: string;
}

const digitsIn = (n: bigint): number => (n < 0n ? -n : n).toString().length;

/** The expressions of one column over its text. */
export function columnSql(name: string, column: Column, text: Sql, dialect: Dialect): ColumnSql {
  switch (column.type) {
    case 'boolean':
      return {
        parsed: sql`CASE WHEN lower(${text}) IN ('true', 't', '1') THEN CAST(1 AS bigint)
          WHEN lower(${text}) IN ('false', 'f', '0') THEN CAST(0 AS bigint) END`,
        settled: (integer) => withNulls(column.nulls, integer, sql`0`),
        form: 'true or false',
      };
    case 'category':
      return {
        parsed: sql`CAST(${dialect.placeIn(text, column.values)} - 1 AS bigint)`,
        settled: (integer) => integer,
        form: 'one of the values that the dictionary lists',
      };
    case 'date': {
      const bounds = boundsSql(name, column, 8, dialect);
      return {
        parsed: sql`CASE WHEN ${dialect.matches(text, `(?:${day})${midnight}`)}
          THEN CAST(replace(substr(${text}, 1, 10), '-', '') AS ${bounds.type}) END`,
        ...bounds.rules,
        form: 'a date such as 2026-12-31',
      };
    }
    case 'integer':
    case 'decimal': {
      const scale = column.type === 'decimal' ? column.scale : 0;
      const { min, max } = boundsOf(column);
      const digits = Math.max(digitsIn(min), digitsIn(max), scale + 1);
      const bounds = boundsSql(name, column, digits, dialect);
      // The pattern stands for one sign and one point, so these cut the text without looking again.
      const whole = sql`ltrim(split_part(${text}, '.', 1), '+-0')`;
      const fraction = scale === 0 ? sql`''` : sql`rpad(split_part(${text}, '.', 2), ${sql.lit(scale)}, '0')`;
      const negative = sql`substr(${text}, 1, 1) = '-'`;
      const magnitude = sql`CAST('0' || ${whole} || ${fraction} AS ${bounds.type})`;
      const pattern = scale === 0 ? '[+-]?[0-9]+(?:\\.0+)?' : `[+-]?[0-9]+(?:\\.[0-9]{1,${scale}}0*)?`;
      return {
        parsed: sql`CASE WHEN NOT ${dialect.matches(text, pattern)} THEN NULL
          WHEN length(${whole}) > ${sql.lit(digits - scale)} THEN CASE WHEN ${negative} THEN ${bounds.min} - 1 ELSE ${bounds.max} + 1 END
          WHEN ${negative} THEN -${magnitude} ELSE ${magnitude} END`,
        ...bounds.rules,
        form:
          scale === 0 ? 'a whole number such as 1234' : `a number such as 1234.5 with at most ${scale} decimal places`,
      };
    }
    case 'identifier':
      throw new RangeError('an identifier is never a value');
  }
}

type Bounded = Extract<Column, { type: 'integer' | 'decimal' | 'date' }>;

function boundsSql(name: string, column: Bounded, digits: number, dialect: Dialect) {
  const type = dialect.integerType(digits);
  if (type === undefined) {
    throw new InputError('NOT_SUPPORTED', { field: name, detail: 'bounds of more than 38 digits over a file' });
  }
  const { min: least, max: greatest } = boundsOf(column);
  const min = integerSql(least, type);
  const max = integerSql(greatest, type);
  const settled = (integer: Sql): Sql => {
    const known = withNulls(column.nulls, integer, integerSql(0n, type));
    return sql`CASE WHEN ${known} < ${min} THEN ${min} WHEN ${known} > ${max} THEN ${max} ELSE ${known} END`;
  };
  const outside = (integer: Sql): Sql => sql`(${integer} < ${min} OR ${integer} > ${max})`;
  return { type, min, max, rules: { settled, ...(column.outside === 'refuse' ? { outside } : {}) } };
}

function withNulls(nulls: 'drop' | 'zero' | 'refuse', integer: Sql, zero: Sql): Sql {
  return nulls === 'zero' ? sql`coalesce(${integer}, ${zero})` : integer;
}

export function integerSql(value: bigint, type: Sql): Sql {
  return sql`CAST(${value.toString()} AS ${type})`;
}
