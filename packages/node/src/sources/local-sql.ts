/**
 * A local query as parameterised SQL, the same for DuckDB and PostgreSQL but for their dialect.
 *
 *     text ─▶ parsed ─▶ null rule, clamp ─▶ rows per person ─▶ where ─▶ group ─▶ exact sums
 *
 * Columns stand in statements under names of our own (`v0`, `n0`…), values only as parameters: no text of a job ever
 * becomes SQL text. One statement checks all rows and one (or few, by the engines' limits) sums them: one pass each.
 * @module
 */
import { boundsOf, type Dataset } from '@folkmoot/core/dictionary.js';
import { SourceError } from '@folkmoot/core/errors.js';
import type { LocalQuery, LocalResult } from '@folkmoot/core/statistic.js';
import { sql } from 'kysely';
import { type ColumnSql, columnSql, integerSql } from './column-sql.ts';
import { conditionSql, type Place, yearSql } from './condition-sql.ts';
import type { Dialect, Sql } from './dialect.ts';
import { type Part, productSum } from './exact-sum.ts';
import { columnsRead } from './source.ts';
import { unitSql } from './unit-sql.ts';

/** A row of a result: texts or integers as the engine's driver gives them, by position. */
export type ResultRow = readonly unknown[];

export interface LocalSql {
  /**
   * The texts `t0`, `t1`… of `columnsRead` turned into checked, settled columns: what `records` must stand for in the
   * other statements. `order` is the order of rows.
   */
  readonly records: (rows: Sql, order: Sql) => Sql;
  /** One row of counts over `records`. */
  readonly check: Sql;
  /** @throws SourceError for what `check` found */
  readonly judge: (counts: ResultRow) => void;
  /** The statements that sum `records`, each row of a result being a cell and its sums. */
  readonly sums: readonly Sql[];
  /** The statistics from those statements' rows, in the same order. */
  readonly collect: (results: readonly (readonly ResultRow[])[]) => LocalResult;
}

export function localSql(query: LocalQuery, dataset: Dataset, ownParty: boolean, dialect: Dialect): LocalSql {
  const read = columnsRead(query, dataset);
  const byUnit = dataset.unit !== 'row';
  const columns = query.columns.map((name, index) => ({
    name,
    rules: rulesOf(dataset, name),
    sql: columnSql(name, dataset.columns[name]!, sql.ref(`t${index}`), dialect),
    ...named(index),
  }));
  const keepsFirst = byUnit && dataset.extra_rows === 'keep_first';

  const records = (rows: Sql, order: Sql): Sql => {
    const parsed = columns.flatMap(({ sql: column, text, integer, wasNull }) => [
      sql`${column.parsed} AS ${integer}`,
      sql`(${text} IS NULL) AS ${wasNull}`,
    ]);
    const settled = columns.flatMap(({ sql: column, integer, wasNull, value, malformed, outside }) => [
      sql`${column.settled(integer)} AS ${value}`,
      wasNull,
      sql`(${integer} IS NULL AND NOT ${wasNull}) AS ${malformed}`,
      ...(column.outside === undefined ? [] : [sql`coalesce(${column.outside(integer)}, FALSE) AS ${outside}`]),
    ]);
    const unit = byUnit
      ? [sql`${unitSql(dataset.columns[dataset.unit]!, sql.ref(`t${read.indexOf(dataset.unit)}`), dialect)} AS u`]
      : [];
    const place = keepsFirst ? [sql`row_number() OVER (PARTITION BY u ORDER BY o) AS k`] : [];
    const ordered = keepsFirst ? [sql`${order} AS o`] : [];
    // One row more than is allowed tells that there are too many. The limit also keeps the engines from writing the
    // parsing out again for every use of its columns.
    return sql`SELECT ${sql.join([...settled, ...(byUnit ? [sql`u`] : []), ...place, sql`1 AS one`])}
      FROM (SELECT ${sql.join([...parsed, ...unit, ...ordered, sql`1 AS one`])} FROM ${rows} LIMIT ${sql.lit(dataset.max_rows + 1)}) AS parsed`;
  };

  const checks: { readonly count: Sql; readonly refuse: (count: bigint) => SourceError | undefined }[] = [
    { count: sql`count(*)`, refuse: (count) => refuseRows(count, dataset) },
    ...columns.flatMap((column) => columnChecks(column)),
  ];
  if (byUnit) {
    const found = (code: 'SOURCE_NULL' | 'SOURCE_EXTRA_ROWS', limit: bigint) => (count: bigint) =>
      count > limit ? new SourceError(code, { field: dataset.unit }) : undefined;
    checks.push({ count: sql`count(*) FILTER (WHERE u IS NULL)`, refuse: found('SOURCE_NULL', 0n) });
    if (!keepsFirst) {
      const most = sql`(SELECT max(rows) FROM (SELECT count(*) AS rows FROM records WHERE u IS NOT NULL GROUP BY u) AS units)`;
      checks.push({ count: most, refuse: found('SOURCE_EXTRA_ROWS', BigInt(dataset.max_rows_per_unit)) });
    }
  }

  const place = (name: string): Place => {
    const column = columns.find((candidate) => candidate.name === name);
    if (column === undefined) throw new RangeError(`the query does not list the column ${name}`);
    const { min, max } = boundsOf(dataset.columns[name]!);
    const digits = (n: bigint): number => n.toString().replace('-', '').length;
    const type = dialect.integerType(Math.max(digits(min), digits(max)))!;
    return {
      value: column.value,
      wasNull: column.wasNull,
      // No value lies beyond its bounds, so a constant beyond them compares like the next integer after them.
      constant: (value) => integerSql(value < min ? min - 1n : value > max ? max + 1n : value, type),
    };
  };
  const { rowParts, peopleParts } = partsOf(query, dataset, ownParty, dialect, place);
  const rowBatches = batched(rowParts, dialect.sumsPerStatement);
  const peopleBatches = batched(peopleParts, dialect.sumsPerStatement);
  const batches = [...rowBatches, ...peopleBatches];

  const cell = cellSql(query, place);
  const within = sql`${conditionSql(query.where, place)}${keepsFirst ? sql` AND k <= ${sql.lit(dataset.max_rows_per_unit)}` : sql``}`;
  const grouped = sql`(SELECT *, ${cell} AS cell FROM records WHERE ${within}) AS grouped WHERE cell IS NOT NULL`;
  const sums = [
    ...rowBatches.map(
      (parts) => sql`SELECT cell, ${sql.join(parts.map(({ of }) => of))} FROM ${grouped} GROUP BY cell`,
    ),
    ...peopleBatches.map((parts) => {
      const met = parts.map(({ of }, index) => sql`coalesce(bool_or(${of}), FALSE) AS ${sql.ref(`p${index}`)}`);
      const counts = parts.map((_, index) => sql`count(*) FILTER (WHERE ${sql.ref(`p${index}`)})`);
      return sql`SELECT cell, ${sql.join(counts)} FROM
          (SELECT cell, ${sql.join(met)} FROM ${grouped} GROUP BY cell, u) AS people GROUP BY cell`;
    }),
  ];

  return {
    records,
    check: sql`SELECT ${sql.join(checks.map(({ count }) => count))} FROM records`,
    judge: (counts) => {
      for (const [index, { refuse }] of checks.entries()) {
        const error = refuse(integerOf(counts[index]));
        if (error !== undefined) throw error;
      }
    },
    sums,
    collect: (results) => {
      const answer = query.statistics.map(() => new Array<bigint>(query.cells).fill(0n));
      for (const [batch, parts] of batches.entries()) {
        for (const row of results[batch]!) {
          const at = Number(integerOf(row[0]));
          for (const [index, { statistic, weight }] of parts.entries()) {
            answer[statistic]![at]! += weight * integerOf(row[index + 1]);
          }
        }
      }
      return answer;
    },
  };
}

interface Named {
  readonly text: Sql;
  readonly integer: Sql;
  readonly wasNull: Sql;
  readonly value: Sql;
  readonly malformed: Sql;
  readonly outside: Sql;
}

function named(index: number): Named {
  const ref = (letter: string): Sql => sql.ref(`${letter}${index}`);
  return {
    text: ref('t'),
    integer: ref('x'),
    wasNull: ref('n'),
    value: ref('v'),
    malformed: ref('b'),
    outside: ref('r'),
  };
}

function rulesOf(dataset: Dataset, name: string): { readonly refusesNull: boolean } {
  const column = dataset.columns[name]!;
  return { refusesNull: column.type !== 'identifier' && column.nulls === 'refuse' };
}

function refuseRows(count: bigint, dataset: Dataset): SourceError | undefined {
  if (count === 0n) return new SourceError('SOURCE_EMPTY', { field: dataset.name });
  if (count > BigInt(dataset.max_rows)) return new SourceError('SOURCE_TOO_MANY_ROWS', { field: dataset.name });
  return undefined;
}

function columnChecks(column: Named & { name: string; sql: ColumnSql; rules: { refusesNull: boolean } }) {
  const check = (flag: Sql, code: 'SOURCE_VALUE' | 'SOURCE_NULL' | 'SOURCE_OUT_OF_BOUNDS', detail?: string) => ({
    count: sql`count(*) FILTER (WHERE ${flag})`,
    refuse: (count: bigint) => (count === 0n ? undefined : new SourceError(code, { field: column.name, detail })),
  });
  return [
    check(column.malformed, 'SOURCE_VALUE', `expected ${column.sql.form}`),
    ...(column.rules.refusesNull ? [check(column.wasNull, 'SOURCE_NULL')] : []),
    ...(column.sql.outside === undefined ? [] : [check(column.outside, 'SOURCE_OUT_OF_BOUNDS')]),
  ];
}

type StatisticPart = Part & { readonly statistic: number };

/** The aggregates of all statistics: sums over rows, and for people the condition that one of a person's rows meets. */
function partsOf(
  query: LocalQuery,
  dataset: Dataset,
  ownParty: boolean,
  dialect: Dialect,
  place: (column: string) => Place,
): { rowParts: StatisticPart[]; peopleParts: StatisticPart[] } {
  const rowParts: StatisticPart[] = [];
  const peopleParts: StatisticPart[] = [];
  const oneRowEach = dataset.unit === 'row' || dataset.max_rows_per_unit === 1;
  for (const [statistic, { of, product, where }] of query.statistics.entries()) {
    if (of === 'people' && ownParty) continue;
    const condition = conditionSql(where, place);
    const filter = where.kind === 'true' ? sql`` : sql` FILTER (WHERE ${condition})`;
    if (of === 'people' && !oneRowEach) peopleParts.push({ statistic, of: condition, weight: 1n });
    else if (product.length === 0) rowParts.push({ statistic, of: sql`count(*)${filter}`, weight: 1n });
    else {
      const factors = product.map((name) => ({ value: place(name).value, bound: magnitudeOf(dataset, name) }));
      for (const part of productSum(factors, BigInt(dataset.max_rows), dialect)) {
        rowParts.push({ statistic, of: sql`sum(${part.of})${filter}`, weight: part.weight });
      }
    }
  }
  return { rowParts, peopleParts };
}

function magnitudeOf(dataset: Dataset, name: string): bigint {
  const { min, max } = boundsOf(dataset.columns[name]!);
  return -min > max ? -min : max;
}

/** The combination's index: the last key varies fastest; null where a key is null. */
function cellSql(query: LocalQuery, place: (column: string) => Place): Sql {
  let cell = sql`CAST(0 AS bigint)` as Sql;
  for (const { column, transform, first, labels } of query.groups) {
    const { value } = place(column);
    const key = transform === 'year' ? yearSql(value) : value;
    cell = sql`(${cell} * ${sql.lit(labels.length)} + ${key} - CAST(${first.toString()} AS bigint))`;
  }
  return cell;
}

function batched(parts: readonly StatisticPart[], size: number): readonly (readonly StatisticPart[])[] {
  const batches: StatisticPart[][] = [];
  for (let from = 0; from < parts.length; from += size) {
    batches.push(parts.slice(from, from + size));
  }
  return batches;
}

/** A sum over no rows is null to SQL and 0 to us. */
function integerOf(cell: unknown): bigint {
  if (cell === null || cell === undefined) return 0n;
  if (typeof cell === 'bigint') return cell;
  if (typeof cell === 'string') return BigInt(cell);
  throw new TypeError('an engine must deliver integers as text or bigint');
}
