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
import { compileSql, type Dialect, type Sql } from './dialect.ts';
import { productSum } from './exact-sum.ts';
import { peopleCounts, peopleTotals, type StatisticPart, type Totals, widthOf } from './people-sql.ts';
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
  const { ofRows, ofPeople, ofTotals } = partsOf(query, dataset, ownParty, dialect, place);
  const grouped = sql`(SELECT *, ${cellSql(query, place)} AS cell FROM records
    WHERE ${conditionSql(query.where, place)} AND ${kept}) AS grouped WHERE cell IS NOT NULL`;
  const batches: readonly { readonly statement: Sql; readonly parts: readonly StatisticPart[] }[] = [
    ...batched(ofRows, dialect).map((parts) => ({ statement: rowSums(parts, grouped), parts })),
    ...batched(ofPeople, dialect).map((parts) => ({ statement: peopleCounts(parts, grouped), parts })),
    ...batched(ofTotals, dialect, widthOf).map((some) => peopleTotals(some, grouped, hasOneRowEach(dataset), dialect)),
  ];
  return {
    records,
    ...checked(checks),
    sums: batches.map(({ statement }) => statement),
    collect: (results) => {
      const answer = query.statistics.map(() => new Array<bigint>(query.cells).fill(0n));
      for (const [batch, { parts }] of batches.entries()) {
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

/** One statement for all counts, and what follows from its row. */
export function checked(checks: RecordSql['checks']): Pick<LocalSql, 'check' | 'judge'> {
  return {
    check: sql`SELECT ${sql.join(checks.map(({ count }) => count))} FROM records`,
    judge: (counts) => {
      for (const [index, { refuse }] of checks.entries()) {
        const error = refuse(integerOf(counts[index]));
        if (error !== undefined) throw error;
      }
    },
  };
}

export type PlaceOf = (column: string) => Place;

export function placesOf(columns: readonly RecordColumn[], dataset: Dataset, dialect: Dialect): PlaceOf {
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

/**
 * What each statistic is made of: aggregates of rows, conditions that one of a person's rows has to meet, and people's
 * totals.
 */
function partsOf(query: LocalQuery, dataset: Dataset, ownParty: boolean, dialect: Dialect, place: PlaceOf) {
  const ofRows: StatisticPart[] = [];
  const ofPeople: StatisticPart[] = [];
  const totals = new Map<string, Totals & { readonly asked: Totals['asked'][number][] }>();
  for (const [statistic, { of, product, where, rank }] of query.statistics.entries()) {
    if (of === 'people' && ownParty) continue;
    const condition = conditionSql(where, place);
    const filter = where.kind === 'true' ? sql`` : sql` FILTER (WHERE ${condition})`;
    const factors = product.map((name) => ({ value: place(name).value, bound: magnitudeOf(dataset, name) }));
    const parts = () => productSum(factors, BigInt(dataset.max_rows), dialect);
    if (of === 'magnitude' || of === 'top') {
      const key = JSON.stringify(compileSql(sql`${sql.join([condition, ...factors.map(({ value }) => value)])}`));
      const known = totals.get(key) ?? { parts: parts(), condition, asked: [] };
      known.asked.push({ statistic, rank: of === 'top' ? rank! : null });
      totals.set(key, known);
    } else if (of === 'people' && !hasOneRowEach(dataset)) ofPeople.push({ statistic, of: condition, weight: 1n });
    else if (product.length === 0) ofRows.push({ statistic, of: sql`count(*)${filter}`, weight: 1n });
    else for (const part of parts()) ofRows.push({ statistic, of: sql`sum(${part.of})${filter}`, weight: part.weight });
  }
  return { ofRows, ofPeople, ofTotals: [...totals.values()] };
}

/** Whether no two of the rows that count are of one person. */
function hasOneRowEach({ unit, max_rows_per_unit }: Dataset): boolean {
  return unit === 'row' || max_rows_per_unit === 1;
}

function magnitudeOf(dataset: Dataset, name: string): bigint {
  const { min, max } = boundsOf(dataset.columns[name]!);
  return -min > max ? -min : max;
}

/** In order, as many together as a statement takes; `width` is the number of columns that each needs. */
function batched<T>(items: readonly T[], { sumsPerStatement }: Dialect, width = (_: T): number => 1): T[][] {
  const batches: T[][] = [];
  let room = 0;
  for (const item of items) {
    room -= width(item);
    if (batches.length === 0 || room < 0) {
      batches.push([]);
      room = sumsPerStatement - width(item);
    }
    batches.at(-1)!.push(item);
  }
  return batches;
}

/** The combination's index: the last key varies fastest; null where a key is null. */
export function cellSql({ groups }: Pick<LocalQuery, 'groups'>, place: PlaceOf): Sql {
  return groups.reduce<Sql>((cell, { column, transform, first, labels }) => {
    const { value } = place(column);
    const key = transform === 'year' ? yearSql(value) : value;
    return sql`(${cell} * ${sql.lit(labels.length)} + ${key} - CAST(${first.toString()} AS bigint))`;
  }, sql`CAST(0 AS bigint)`);
}

function rowSums(parts: readonly StatisticPart[], grouped: Sql): Sql {
  return sql`SELECT cell, ${sql.join(parts.map(({ of }) => of))} FROM ${grouped} GROUP BY cell`;
}

/** A sum over no rows is null to SQL and 0 to us. */
function integerOf(cell: unknown): bigint {
  if (cell === null || cell === undefined) return 0n;
  if (typeof cell === 'bigint') return cell;
  if (typeof cell === 'string') return BigInt(cell);
  throw new TypeError('an engine must deliver integers as text or bigint');
}
