/**
 * What one side of a join brings as parameterised SQL: a row for each record, with its identifier as it stands there, its
 * cell and its features.
 *
 *     text ─▶ parsed ─▶ null rule, clamp ─▶ rows per person ─▶ cell, features
 *
 * The records are those of a local query (record-sql.ts), all of them checked, whatever the filter. Where the unit is what
 * is matched on, its rule is that of keys, which core looks at itself: two texts that are one identifier there need not be
 * one text here.
 * @module
 */
import type { Feature, SideQuery } from '@folkmoot/core/join-query.js';
import { readingOf } from '@folkmoot/core/side-records.js';
import { sql } from 'kysely';
import { conditionSql } from './condition-sql.ts';
import type { Dialect, Sql } from './dialect.ts';
import { cellSql, checked, type PlaceOf, placesOf, type ResultRow } from './local-sql.ts';
import { type RecordSql, recordSql } from './record-sql.ts';
import { columnsRead } from './source.ts';

/** Some of the columns of all rows. */
export interface SideColumns {
  /** A row of the first of all has identifier and cell, and then features; of any other, features alone. */
  readonly statement: Sql;
  readonly features: readonly number[];
}

export interface SideSql {
  /** What `records` must stand for in the statements below; see `RecordSql`. */
  readonly records: RecordSql['records'];
  /** One row of counts over `records`, of which the first is that of rows. */
  readonly check: Sql;
  /** @throws SourceError for what `check` found */
  readonly judge: (counts: ResultRow) => void;
  /** All of them give the same rows in the same order. */
  readonly columns: readonly SideColumns[];
}

/** The columns whose texts a side is read from: `t0`, `t1`…, the last of which is the identifier. */
export function textsRead(side: SideQuery): readonly string[] {
  return [...columnsRead(side, readingOf(side)), side.key];
}

/** `from` is the source's own records, to be parsed and checked, unless it says otherwise. */
export function sideSql(side: SideQuery, dialect: Dialect, from: RecordSql = sourceRecords(side, dialect)): SideSql {
  const { columns, records, checks, kept } = from;
  const place = placesOf(columns, side.dataset, dialect);
  const cell = sql`CAST(CASE WHEN ${conditionSql(side.where, place)} THEN coalesce(${cellSql(side, place)}, -1) ELSE -1 END AS integer)`;
  const parts: Sql[][] = [[sql`i`, cell]];
  const features: number[][] = [[]];
  for (const [at, feature] of side.features.entries()) {
    if (parts.at(-1)!.length >= dialect.sumsPerStatement) {
      parts.push([]);
      features.push([]);
    }
    parts.at(-1)!.push(featureSql(feature, place));
    features.at(-1)!.push(at);
  }
  // The first rows of a key are those of the records' own order; and two readings of a table need have none in common.
  const order = side.dataset.extra_rows === 'keep_first' || parts.length > 1 ? sql`ORDER BY o` : sql``;
  return {
    records,
    ...checked(checks),
    columns: parts.map((some, at) => ({
      statement: sql`SELECT ${sql.join(some)} FROM records WHERE ${kept} ${order}`,
      features: features[at]!,
    })),
  };
}

function sourceRecords(side: SideQuery, dialect: Dialect): RecordSql {
  const identifier = sql.ref(`t${textsRead(side).length - 1}`);
  return recordSql(side, readingOf(side), dialect, identifier);
}

/** Within 64 bits whatever the row: its bounds are. A row that meets the condition has all the values. */
function featureSql({ product, where }: Feature, place: PlaceOf): Sql {
  const factors = product.map((column) => place(column).value);
  const value = factors.length === 0 ? sql`1` : sql.join(factors, sql` * `);
  return sql`CAST(CASE WHEN ${conditionSql(where, place)} THEN ${value} ELSE 0 END AS bigint)`;
}
