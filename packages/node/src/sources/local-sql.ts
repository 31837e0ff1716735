/**
 * A local query as parameterised SQL, the same for DuckDB and PostgreSQL but for their dialect.
 *
 *     text ─▶ parsed ─▶ null rule, clamp ─▶ rows per person ─▶ where ─▶ group ─▶ exact sums
 *
 * Columns stand in statements under names of our own (`v0`, `n0`…), values only as parameters: no text of a job ever
 * becomes SQL text. One statement checks all rows (record-sql.ts) and one or a few sum them, each in one pass.
 * @module
 */
import { boundsOf, type Dataset } from '@folkmoot/core/dictionary.js';
import type { LocalQuery, LocalResult } from '@folkmoot/core/statistic.js';
import { sql } from 'kysely';
import { integerSql } from './column-sql.ts';
import { conditionSql, type Place, yearSql } from './condition-sql.ts';
import type { Dialect, Sql } from './dialect.ts';
import { type Part, productSum } from './exact-sum.ts';
import { type RecordColumn, type RecordSql, recordSql } from './record-sql.ts';

/** A row of a result: texts or bigints as the engine's driver gives them, by position. */
export type ResultRow = readonly unknown[];

export interface LocalSql {
  /** What `records` must stand for in the statements below; see `RecordSql`. */
  readonly records: RecordSql['records'];
  /** One row of counts over `records`. */
  readonly check: Sql;
  /** @throws SourceError for what `check` found */
  readonly judge: (counts: ResultRow) => void;
  /** The statements that sum `records`, each row of a result being a cell and its sums. */
  readonly sums: readonly Sql[];
  /** The statistics from those statements' rows, in the same order. */
  readonly collect: (results: readonly (readonly ResultRow[])[]) => LocalResult;
}

/** `from` is the source's own records, to be parsed and checked, unless it says otherwise. */
export function localSql(
  query: LocalQuery,
  dataset: Dataset,
  ownParty: boolean,
  dialect: Dialect,
  from: RecordSql = recordSql(query, dataset, dialect),
): LocalSql {
  const { columns, records, checks, kept } = from;
  const place = placesOf(columns, dataset, dialect);
  const { ofRows, ofPeople } = partsOf(query, dataset, ownParty, dialect, place);
  const rowBatches = batched(ofRows, dialect.sumsPerStatement);
  const peopleBatches = batched(ofPeople, dialect.sumsPerStatement);
  const grouped = sql`(SELECT *, ${cellSql(query, place)} AS cell FROM records
    WHERE ${conditionSql(query.where, place)} AND ${kept}) AS grouped WHERE cell IS NOT NULL`;
  return {
    records,
    check: sql`SELECT ${sql.join(checks.map(({ count }) => count))} FROM records`,
    judge: (counts) => {
      for (const [index, { refuse }] of checks.entries()) {
        const error = refuse(integerOf(counts[index]));
        if (error !== undefined) throw error;
      }
    },
    sums: [
      ...rowBatches.map((parts) => rowSums(parts, grouped)),
      ...peopleBatches.map((parts) => peopleCounts(parts, grouped)),
    ],
    collect: (results) => {
      const answer = query.statistics.map(() => new Array<bigint>(query.cells).fill(0n));
      for (const [batch, parts] of [...rowBatches, ...peopleBatches].entries()) {
        for (const row of results[batch]!) {
          const cell = Number(integerOf(row[0]));
          for (const [index, { statistic, weight }] of parts.entries()) {
            answer[statistic]![cell]! += weight * integerOf(row[index + 1]);
          }
        }
      }
      return answer;
    },
  };
}

type PlaceOf = (column: string) => Place;

function placesOf(columns: readonly RecordColumn[], dataset: Dataset, dialect: Dialect): PlaceOf {
  const digits = (n: bigint): number => n.toString().replace('-', '').length;
  const places = new Map(
    columns.map(({ name, value, wasNull }) => {
      const { min, max } = boundsOf(dataset.columns[name]!);
      const type = dialect.integerType(Math.max(digits(min), digits(max)))!;
      // No value lies beyond its bounds, so a constant beyond them compares like the next integer after them.
      const constant = (n: bigint): Sql => integerSql(n < min ? min - 1n : n > max ? max + 1n : n, type);
      return [name, { value, wasNull, constant }];
    }),
  );
  return (column) => {
    const place = places.get(column);
    if (place === undefined) throw new RangeError(`the query does not list the column ${column}`);
    return place;
  };
}

/** A part of a statistic: an aggregate of rows, or the condition that one of a person's rows has to meet. */
type StatisticPart = Part & { readonly statistic: number };

function partsOf(query: LocalQuery, dataset: Dataset, ownParty: boolean, dialect: Dialect, place: PlaceOf) {
  const ofRows: StatisticPart[] = [];
  const ofPeople: StatisticPart[] = [];
  const oneRowEach = dataset.unit === 'row' || dataset.max_rows_per_unit === 1;
  for (const [statistic, { of, product, where }] of query.statistics.entries()) {
    if (of === 'people' && ownParty) continue;
    const condition = conditionSql(where, place);
    const filter = where.kind === 'true' ? sql`` : sql` FILTER (WHERE ${condition})`;
    if (of === 'people' && !oneRowEach) ofPeople.push({ statistic, of: condition, weight: 1n });
    else if (product.length === 0) ofRows.push({ statistic, of: sql`count(*)${filter}`, weight: 1n });
    else {
      const factors = product.map((name) => ({ value: place(name).value, bound: magnitudeOf(dataset, name) }));
      for (const part of productSum(factors, BigInt(dataset.max_rows), dialect)) {
        ofRows.push({ statistic, of: sql`sum(${part.of})${filter}`, weight: part.weight });
      }
    }
  }
  return { ofRows, ofPeople };
}

function magnitudeOf(dataset: Dataset, name: string): bigint {
  const { min, max } = boundsOf(dataset.columns[name]!);
  return -min > max ? -min : max;
}

function batched(parts: readonly StatisticPart[], size: number): readonly (readonly StatisticPart[])[] {
  const batches: StatisticPart[][] = [];
  for (let from = 0; from < parts.length; from += size) batches.push(parts.slice(from, from + size));
  return batches;
}

/** The combination's index: the last key varies fastest; null where a key is null. */
function cellSql(query: LocalQuery, place: PlaceOf): Sql {
  return query.groups.reduce<Sql>((cell, { column, transform, first, labels }) => {
    const { value } = place(column);
    const key = transform === 'year' ? yearSql(value) : value;
    return sql`(${cell} * ${sql.lit(labels.length)} + ${key} - CAST(${first.toString()} AS bigint))`;
  }, sql`CAST(0 AS bigint)`);
}

function rowSums(parts: readonly StatisticPart[], grouped: Sql): Sql {
  return sql`SELECT cell, ${sql.join(parts.map(({ of }) => of))} FROM ${grouped} GROUP BY cell`;
}

/** First whether a person has a row that meets each condition, then how many have: no set of persons a condition. */
function peopleCounts(parts: readonly StatisticPart[], grouped: Sql): Sql {
  const met = parts.map(({ of }, index) => sql`coalesce(bool_or(${of}), FALSE) AS ${sql.ref(`p${index}`)}`);
  const counts = parts.map((_, index) => sql`count(*) FILTER (WHERE ${sql.ref(`p${index}`)})`);
  return sql`SELECT cell, ${sql.join(counts)} FROM
    (SELECT cell, ${sql.join(met)} FROM ${grouped} GROUP BY cell, u) AS people GROUP BY cell`;
}

/** A sum over no rows is null to SQL and 0 to us. */
function integerOf(cell: unknown): bigint {
  if (cell === null || cell === undefined) return 0n;
  if (typeof cell === 'bigint') return cell;
  if (typeof cell === 'string') return BigInt(cell);
  throw new TypeError('an engine must deliver integers as text or bigint');
}
