/**
 * The file of a snapshot (snapshot.ts): its columns, and how it is made of a source's records.
 *
 *   texts ─▶ parsed ─▶ null rule, clamp ─▶ rows per person ─▶ file
 *
 * Columns are `v:age`, its integers, and `n:age`, whether its text was missing; `k:nhs_number`, an identifier in canonical
 * form; `u`, a number in the place of the person; and `kept`, whether the row counts in a pooled job: it is somebody's, and
 * among the first of that person. Where an identifier is kept all rows are, since a join goes by that identifier and not by
 * the unit: whether a row is there may not depend on rows of other identifiers.
 * @module
 */
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DuckDBScalarFunction, VARCHAR } from '@duckdb/node-api';
import { boundsOf, type Dataset, type IdentifierColumn, type ValueColumn } from '@folkmoot/core/dictionary.js';
import { isFolkmootError, SourceError, StateError } from '@folkmoot/core/errors.js';
import { keptIdentifier } from '@folkmoot/core/identifier.js';
import { sql } from 'kysely';
import { columnSql } from './sources/column-sql.ts';
import { compileSql, duckdbDialect, type Sql } from './sources/dialect.ts';
import { readState } from './sources/file-state.ts';
import { inMemory, type RunSql } from './sources/in-memory.ts';
import type { ResultRow } from './sources/local-sql.ts';
import type { Original } from './sources/source.ts';
import { unitSql } from './sources/unit-sql.ts';

export const valueName = (column: string): string => `v:${column}`;
export const nullName = (column: string): string => `n:${column}`;
export const keyName = (column: string): string => `k:${column}`;
/** Absent from files that hold no other rows than those that count. */
export const keptName = 'kept';
/** Parquet has no integers of 128 bits: the wider ones are texts of their digits. */
const isWide = (column: ValueColumn): boolean => {
  const { min, max } = boundsOf(column);
  return [min, max].some((bound) => bound.toString().replace('-', '').length > 18);
};
export const integerType = (column: ValueColumn): Sql => duckdbDialect.integerType(isWide(column) ? 38 : 18)!;

/** Reads the whole source and puts the file in its place, durably. Gives the hash of its bytes. */
export async function writeSnapshot(
  original: Original,
  dataset: Dataset,
  matched: readonly string[],
  key: string,
  path: string,
): Promise<string> {
  const beside = `${path}.new`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // Nobody else ever sees it, not even while it is written.
    await (await open(beside, 'w', 0o600)).close();
    await inMemory(async (runSql, database) => {
      const names = Object.keys(dataset.columns).filter((name) => dataset.columns[name]!.type !== 'identifier');
      const identifiers = dataset.unit === 'row' ? matched : [dataset.unit, ...matched];
      const wanted = [...names, ...new Set(identifiers)];
      const present = await original.copy(wanted, { run: runSql, database });
      if (dataset.unit !== 'row' && !present.includes(dataset.unit)) {
        throw new SourceError('SOURCE_COLUMN_MISSING', { field: dataset.unit });
      }
      const run = runner(runSql);
      const kept = matched.filter((name) => present.includes(name));
      for (const [index, name] of kept.entries()) {
        database.registerScalarFunction(keptForm(`kept${index}`, dataset.columns[name] as IdentifierColumn));
      }
      for (const statement of snapshotSql(present, dataset, kept, key, beside)) await run(statement);
    });
    await chmod(beside, 0o600);
    await flush(beside);
    const { sha256 } = await readState(beside, 'snapshot');
    await rename(beside, path);
    await flush(dirname(path));
    return sha256;
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined);
    if (isFolkmootError(error)) throw error;
    // The engine's own text may quote a record.
    throw new StateError('STATE_FAILED', { field: 'snapshots', detail: 'the snapshot could not be written' });
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What is kept of an identifier, as a function of the engine's: no engine knows its forms and checks. */
function keptForm(name: string, column: IdentifierColumn): DuckDBScalarFunction {
  return DuckDBScalarFunction.create({
    name,
    parameterTypes: [VARCHAR],
    returnType: VARCHAR,
    mainFunction: (_, input, output) => {
      const texts = input.getColumnVector(0);
      for (let row = 0; row < input.rowCount; row++) {
        const text = texts.getItem(row);
        output.setItem(row, typeof text === 'string' ? keptIdentifier(text, column) : null);
      }
      output.flush();
    },
  });
}

/** From the table `texts` to the file. */
function snapshotSql(
  present: readonly string[],
  dataset: Dataset,
  matched: readonly string[],
  key: string,
  path: string,
): readonly Sql[] {
  const { unit, max_rows_per_unit } = dataset;
  const columns = present.flatMap((name, index) => {
    const rules = dataset.columns[name]!;
    const ref = (letter: string): Sql => sql.ref(`${letter}${index}`);
    return rules.type === 'identifier' ? [] : [{ name, rules, text: ref('t'), x: ref('x'), missing: ref('n') }];
  });
  const keys = matched.map((name, index) => ({
    name: sql.id(keyName(name)),
    form: sql`${sql.ref(`kept${index}`)}(${sql.ref(`t${present.indexOf(name)}`)})`,
  }));
  const person = unit === 'row' ? sql`''` : personSql(unit, dataset, present, matched);
  const parsed = columns.flatMap(({ name, rules, text, x, missing }) => [
    sql`${columnSql(name, rules, text, duckdbDialect).parsed} AS ${x}`,
    sql`(${text} IS NULL) AS ${missing}`,
  ]);
  const settled = columns.flatMap(({ name, rules, text, x, missing }) => [
    sql`CAST(${columnSql(name, rules, text, duckdbDialect).settled(x)} AS ${integerType(rules)}) AS ${sql.id(valueName(name))}`,
    sql`${missing} AS ${sql.id(nullName(name))}`,
  ]);
  const words = columns.map(({ x, missing }) => {
    return sql`coalesce(CAST(${x} AS VARCHAR), CASE WHEN ${missing} THEN '-' ELSE '?' END)`;
  });
  const kept = columns.flatMap(({ name, rules }) => {
    const value = sql.id(valueName(name));
    return [isWide(rules) ? sql`CAST(${value} AS VARCHAR) AS ${value}` : value, sql.id(nullName(name))];
  });
  const isKept =
    unit === 'row'
      ? sql`TRUE`
      : sql`(u IS NOT NULL AND row_number() OVER (PARTITION BY u ORDER BY h) <= ${sql.lit(max_rows_per_unit)})`;
  const inOrder = unit === 'row' ? sql`h` : sql`p, h`;
  return [
    sql`CREATE TEMP TABLE parsed AS SELECT ${sql.join([...parsed, ...keys.map(({ name, form }) => sql`${form} AS ${name}`), sql`${person} AS u`])} FROM texts`,
    sql`DROP TABLE texts`,
    sql`CREATE TEMP TABLE settled AS SELECT ${sql.join([...settled, ...keys.map(({ name }) => name), sql`u`])},
      sha256(concat(CAST(${key} AS VARCHAR), 'person', u)) AS p,
      sha256(concat_ws('|', CAST(${key} AS VARCHAR), 'row', u, ${sql.join([...words, sql`''`])})) AS h
      FROM parsed`,
    sql`CREATE TEMP TABLE ranked AS SELECT *, ${isKept} AS ${sql.id(keptName)} FROM settled`,
    sql`DROP TABLE settled`,
    sql`COPY (SELECT ${sql.join([...kept, ...keys.map(({ name }) => name), sql`CASE WHEN u IS NOT NULL THEN dense_rank() OVER (ORDER BY p) END AS u`, sql.id(keptName)])}
      FROM ranked ${keys.length === 0 ? sql`WHERE ${sql.id(keptName)}` : sql``} ORDER BY ${inOrder})
      TO ${sql.lit(path)} (FORMAT parquet)`,
  ];
}

/** Half a character, which no rule takes. */
const noText = '\ud800';

/**
 * What tells persons apart. Where a join may go by the same column, that is the identifier in the join's own form: one person
 * here is then one there. What has no such form is told apart by the form of pooled jobs, and is no person of the others.
 */
function personSql(unit: string, dataset: Dataset, present: readonly string[], matched: readonly string[]): Sql {
  const column = dataset.columns[unit]!;
  const text = unitSql(column, sql.ref(`t${present.indexOf(unit)}`), duckdbDialect);
  if (!matched.includes(unit)) return text;
  const malformed = keptIdentifier(noText, column as IdentifierColumn);
  const form = sql`${sql.ref(`kept${matched.indexOf(unit)}`)}(${sql.ref(`t${present.indexOf(unit)}`)})`;
  const known = malformed === null ? form : sql`nullif(${form}, ${sql.lit(malformed)})`;
  return sql`coalesce('k' || ${known}, 'm' || ${text})`;
}

export type Run = (statement: Sql) => Promise<readonly ResultRow[]>;

export function runner(runSql: RunSql): Run {
  return (statement) => {
    const { text, parameters } = compileSql(statement);
    return runSql(text, parameters);
  };
}
