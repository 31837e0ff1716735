/**
 * From the texts of a source to checked records: the part of a local query that does not depend on what is asked.
 *
 * Every row is checked, whatever the filter, and only counts of what is wrong come back: a refusal can name the column
 * and the form, and has no value to echo.
 * @module
 */
import type { Dataset, ValueColumn } from '@folkmoot/core/dictionary.js';
import { type CodeOf, SourceError } from '@folkmoot/core/errors.js';
import type { LocalQuery } from '@folkmoot/core/statistic.js';
import { sql } from 'kysely';
import { type ColumnSql, columnSql } from './column-sql.ts';
import type { Dialect, Sql } from './dialect.ts';
import { columnsRead } from './source.ts';
import { unitSql } from './unit-sql.ts';

export interface RecordSql {
  readonly columns: readonly RecordColumn[];
  /**
   * The texts `t0`, `t1`… of `columnsRead` turned into settled columns: what `records` must stand for in all other
   * statements. `order` is the order of rows.
   */
  readonly records: (rows: Sql, order: Sql) => Sql;
  readonly checks: readonly Check[];
  /** The rows of a person that the dictionary keeps. */
  readonly kept: Sql;
}

/** A column of the query, and what it is called in `records`. */
export interface RecordColumn {
  readonly name: string;
  /** Encoded, after null rule and clamp. */
  readonly value: Sql;
  readonly wasNull: Sql;
}

/** A count over `records`, and the error that it stands for. */
interface Check {
  readonly count: Sql;
  readonly refuse: (count: bigint) => SourceError | undefined;
}

interface WorkingColumn extends RecordColumn {
  readonly rules: ValueColumn;
  readonly sql: ColumnSql;
  readonly text: Sql;
  /** Before null rule and clamp; null where the text was null or malformed. */
  readonly integer: Sql;
  readonly malformed: Sql;
  readonly outside: Sql;
}

/** With a text of its own of each record as `i`, and their order as `o`, where that is asked for. */
export function recordSql(
  query: Pick<LocalQuery, 'columns'>,
  dataset: Dataset,
  dialect: Dialect,
  identifier?: Sql,
): RecordSql {
  const columns = query.columns.map((name, index): WorkingColumn => {
    const ref = (letter: string): Sql => sql.ref(`${letter}${index}`);
    const rules = dataset.columns[name] as ValueColumn;
    return {
      name,
      rules,
      sql: columnSql(name, rules, ref('t'), dialect),
      text: ref('t'),
      integer: ref('x'),
      value: ref('v'),
      wasNull: ref('n'),
      malformed: ref('b'),
      outside: ref('r'),
    };
  });
  const byUnit = dataset.unit !== 'row';
  const keepsFirst = byUnit && dataset.extra_rows === 'keep_first';
  const isOrdered = keepsFirst || identifier !== undefined;
  const unitText = sql.ref(`t${columnsRead(query, dataset).indexOf(dataset.unit)}`);

  const records = (rows: Sql, order: Sql): Sql => {
    const parsed = [
      ...columns.flatMap(({ sql: { parsed: integer }, text, integer: name, wasNull }) => [
        sql`${integer} AS ${name}`,
        sql`(${text} IS NULL) AS ${wasNull}`,
      ]),
      ...(byUnit ? [sql`${unitSql(dataset.columns[dataset.unit]!, unitText, dialect)} AS u`] : []),
      ...(isOrdered ? [sql`${order} AS o`] : []),
      ...(identifier === undefined ? [] : [sql`${identifier} AS i`]),
    ];
    const settled = [
      ...columns.flatMap(settledSql),
      ...(byUnit ? [sql`u`] : []),
      ...(identifier === undefined ? [] : [sql`i, o`]),
      ...(keepsFirst ? [sql`row_number() OVER (PARTITION BY u ORDER BY o) AS k`] : []),
    ];
    // One row more than is allowed tells that there are too many. The limit also keeps an engine from writing the
    // parsing out again for every use of its columns. A select list is never empty: there may be no column at all.
    return sql`SELECT ${sql.join([...settled, sql`1 AS one`])}
      FROM (SELECT ${sql.join([...parsed, sql`1 AS one`])} FROM ${rows} LIMIT ${sql.lit(dataset.max_rows + 1)}) AS parsed`;
  };
  return {
    columns,
    records,
    checks: [rowCheck(dataset), ...columns.flatMap(columnChecks), ...(byUnit ? unitChecks(dataset, keepsFirst) : [])],
    kept: keepsFirst ? sql`k <= ${sql.lit(dataset.max_rows_per_unit)}` : sql`TRUE`,
  };
}

function settledSql({ sql: column, integer, wasNull, value, malformed, outside }: WorkingColumn): Sql[] {
  return [
    sql`${column.settled(integer)} AS ${value}`,
    wasNull,
    sql`(${integer} IS NULL AND NOT ${wasNull}) AS ${malformed}`,
    ...(column.outside === undefined ? [] : [sql`coalesce(${column.outside(integer)}, FALSE) AS ${outside}`]),
  ];
}

function rowCheck({ name, max_rows }: Dataset): Check {
  const refuse = (count: bigint): SourceError | undefined => {
    if (count === 0n) return new SourceError('SOURCE_EMPTY', { field: name });
    return count > BigInt(max_rows) ? new SourceError('SOURCE_TOO_MANY_ROWS', { field: name }) : undefined;
  };
  return { count: sql`count(*)`, refuse };
}

/** Refuses where the count is over the limit. */
function atMost(limit: number, count: Sql, code: CodeOf<'source'>, field: string, detail?: string): Check {
  return { count, refuse: (found) => (found > BigInt(limit) ? new SourceError(code, { field, detail }) : undefined) };
}

function columnChecks({ name, rules, sql: column, malformed, wasNull, outside }: WorkingColumn): Check[] {
  const none = (flag: Sql, code: CodeOf<'source'>, detail?: string): Check =>
    atMost(0, sql`count(*) FILTER (WHERE ${flag})`, code, name, detail);
  return [
    none(malformed, 'SOURCE_VALUE', `expected ${column.form}`),
    ...(rules.nulls === 'refuse' ? [none(wasNull, 'SOURCE_NULL')] : []),
    ...(column.outside === undefined ? [] : [none(outside, 'SOURCE_OUT_OF_BOUNDS')]),
  ];
}

function unitChecks({ unit, max_rows_per_unit }: Dataset, keepsFirst: boolean): Check[] {
  const unknown = atMost(0, sql`count(*) FILTER (WHERE u IS NULL)`, 'SOURCE_NULL', unit);
  const most = sql`(SELECT max(rows) FROM (SELECT count(*) AS rows FROM records WHERE u IS NOT NULL GROUP BY u) AS units)`;
  return keepsFirst ? [unknown] : [unknown, atMost(max_rows_per_unit, most, 'SOURCE_EXTRA_ROWS', unit)];
}
