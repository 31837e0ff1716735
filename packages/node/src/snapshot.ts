/**
 * The one reading of a protected dataset in a period, kept as a Parquet file in the node's state folder.
 *
 *   texts ─▶ parsed ─▶ null rule, clamp ─▶ rows per person ─▶ file
 *
 * Whatever becomes of the source afterwards, every protected job of the period answers from this file; so the same
 * question has the same answer, and the difference of two answers says nothing of what changed in between.
 *
 * Nothing is refused because of a record: what has another form is treated as a null, a null is dropped by the measures
 * over its column (or 0 by `nulls: zero`), values are clamped, and rows of nobody are left out. Beside each value stands
 * whether its text was missing, which is what `is_null` asks: a text of another form is not. Where a person has more rows than
 * `max_rows_per_unit`, those stay that come first by a hash under a key of the node: an order that nobody can aim at. No
 * row is left out for those of others, so there is no limit on all rows together: what leaves is clamped instead
 * (`combine`). The file holds integers, no texts, and in the place of the person a number.
 * @module
 */
import { createHmac } from 'node:crypto';
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { toHex, utf8 } from '@folkmoot/core/bytes.js';
import { boundsOf, type Dataset, rowsMax, type ValueColumn } from '@folkmoot/core/dictionary.js';
import { isFolkmootError, SourceError, StateError } from '@folkmoot/core/errors.js';
import { hashJson, hkdf } from '@folkmoot/core/hash.js';
import type { LocalQuery } from '@folkmoot/core/statistic.js';
import { sql } from 'kysely';
import { columnSql } from './sources/column-sql.ts';
import { compileSql, duckdbDialect, type Sql } from './sources/dialect.ts';
import { readState } from './sources/file-state.ts';
import { inMemory, plainPath, type RunSql } from './sources/in-memory.ts';
import { localSql, type ResultRow } from './sources/local-sql.ts';
import type { RecordSql } from './sources/record-sql.ts';
import type { Original, Source } from './sources/source.ts';
import { unitSql } from './sources/unit-sql.ts';
import type { Store } from './store.ts';

/** A snapshot on the disk. */
export interface SnapshotFile {
  readonly path: string;
  /** Of its bytes, in hexadecimal digits. */
  readonly sha256: string;
}

export interface SnapshotsOptions {
  readonly store: Pick<Store, 'snapshot' | 'enterSnapshot'>;
  /** The node's state folder. */
  readonly state: string;
  /** The party's own secret, for the order of rows. */
  readonly secret: Uint8Array;
}

/** The snapshots of a node. */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #key: string;
  /** Readings under way: two jobs at once wait for the same one. */
  readonly #reading = new Map<string, Promise<SnapshotFile>>();

  constructor(options: SnapshotsOptions) {
    this.#options = options;
    this.#key = toHex(hkdf(options.secret, new Uint8Array(0), utf8('folkmoot snapshot order v1'), 32));
  }

  /**
   * The snapshot of a dataset in a period: read now where it never was.
   * @throws SourceError SNAPSHOT_LOST, SNAPSHOT_OTHER, and what reading the source throws; StateError STATE_FAILED
   */
  of(dataset: Dataset, period: string, openOriginal: () => Original): Promise<SnapshotFile> {
    const path = this.#path(dataset.name, period);
    const underWay = this.#reading.get(path);
    if (underWay !== undefined) return underWay;
    const reading = this.#find(dataset, period, path, openOriginal).finally(() => this.#reading.delete(path));
    this.#reading.set(path, reading);
    return reading;
  }

  /** Where the snapshot of a period is that a job was accepted on; undefined where the period was never read. */
  file(dataset: string, period: string): SnapshotFile | undefined {
    const known = this.#options.store.snapshot(dataset, period);
    return known === undefined ? undefined : { path: this.#path(dataset, period), sha256: known.sha256 };
  }

  /** Names of periods are no names of files. */
  #path(dataset: string, period: string): string {
    const name = toHex(hashJson([dataset, period])).slice(0, 32);
    return join(this.#options.state, 'snapshots', `${name}.parquet`);
  }

  async #find(dataset: Dataset, period: string, path: string, openOriginal: () => Original): Promise<SnapshotFile> {
    const { store } = this.#options;
    const dictionary = readingHash(dataset);
    const known = store.snapshot(dataset.name, period);
    if (known === undefined) {
      // A file without an entry is one that nothing was answered from.
      const original = openOriginal();
      try {
        const sha256 = await writeSnapshot(original, dataset, this.#key, path);
        store.enterSnapshot(dataset.name, period, { dictionary, sha256 });
        return { path, sha256 };
      } finally {
        await original.close();
      }
    }
    if (known.dictionary !== dictionary) throw new SourceError('SNAPSHOT_OTHER', { field: dataset.name });
    const found = { path, sha256: known.sha256 };
    await checkFile(found, dataset.name);
    return found;
  }
}

/** A snapshot as a source: no row of it is refused, and it is the same for as long as the period lasts. */
export function snapshotSource(file: SnapshotFile, name: string): Source {
  return {
    async fingerprint(key) {
      await checkFile(file, name);
      return createHmac('sha256', key).update('folkmoot snapshot v1').update(file.sha256).digest('hex');
    },
    async query(query, dataset, ownParty) {
      await checkFile(file, name);
      const result = await inMemory(async (runSql) => {
        const run = runner(runSql);
        const relation = sql`read_parquet(${plainPath(file.path)})`;
        const present = (await run(sql`DESCRIBE SELECT * FROM ${relation}`)).map(([column]) => String(column));
        // All rows count, however many, so the sums must be exact for any number of them.
        const sized = { ...dataset, max_rows: rowsMax };
        const local = localSql(query, sized, ownParty, duckdbDialect, settledRecords(query, dataset, present));
        await run(sql`CREATE TEMP TABLE records AS ${local.records(relation, sql`1`)}`);
        const results: (readonly ResultRow[])[] = [];
        for (const statement of local.sums) results.push(await run(statement));
        return local.collect(results);
      });
      await checkFile(file, name);
      return result;
    },
    async rows() {
      await checkFile(file, name);
      return inMemory(async (runSql) => {
        const [row] = await runner(runSql)(sql`SELECT count(*) FROM read_parquet(${plainPath(file.path)})`);
        return Number(row![0]);
      });
    },
    close: async () => {},
  };
}

/** @throws SourceError SNAPSHOT_LOST */
async function checkFile({ path, sha256 }: SnapshotFile, name: string): Promise<void> {
  const state = await readState(path, 'snapshot').catch(() => undefined);
  if (state?.sha256 !== sha256) throw new SourceError('SNAPSHOT_LOST', { field: name });
}

/** Goes up whenever the same records would give another file. */
const formatVersion = 2;

/** All that decides how records are read; names and other parties do not. */
function readingHash({ unit, max_rows_per_unit, columns }: Dataset): string {
  const read = Object.entries(columns).map(([name, column]) => {
    const { max_groups_per_unit: _, ...rest } = { max_groups_per_unit: undefined, ...column };
    if (column.type === 'identifier') return [name, rest];
    return [name, { ...rest, nulls: column.nulls === 'zero' ? 'zero' : 'drop', outside: 'clamp' }];
  });
  return toHex(hashJson({ format: formatVersion, unit, max_rows_per_unit, columns: Object.fromEntries(read) }));
}

const valueName = (column: string): string => `v:${column}`;
const nullName = (column: string): string => `n:${column}`;
/** Parquet has no integers of 128 bits: the wider ones are texts of their digits. */
const isWide = (column: ValueColumn): boolean => {
  const { min, max } = boundsOf(column);
  return [min, max].some((bound) => bound.toString().replace('-', '').length > 18);
};
const integerType = (column: ValueColumn): Sql => duckdbDialect.integerType(isWide(column) ? 38 : 18)!;

/** Reads the whole source and puts the file in its place, durably. Gives the hash of its bytes. */
async function writeSnapshot(original: Original, dataset: Dataset, key: string, path: string): Promise<string> {
  const beside = `${path}.new`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // Nobody else ever sees it, not even while it is written.
    await (await open(beside, 'w', 0o600)).close();
    await inMemory(async (runSql, database) => {
      const names = Object.keys(dataset.columns).filter((name) => dataset.columns[name]!.type !== 'identifier');
      const wanted = dataset.unit === 'row' ? names : [...names, dataset.unit];
      const present = await original.copy(wanted, { run: runSql, database });
      if (dataset.unit !== 'row' && !present.includes(dataset.unit)) {
        throw new SourceError('SOURCE_COLUMN_MISSING', { field: dataset.unit });
      }
      const run = runner(runSql);
      for (const statement of snapshotSql(present, dataset, key, beside)) await run(statement);
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

/** From the table `texts` to the file. */
function snapshotSql(present: readonly string[], dataset: Dataset, key: string, path: string): readonly Sql[] {
  const { unit, max_rows_per_unit } = dataset;
  const columns = present.flatMap((name, index) => {
    const rules = dataset.columns[name]!;
    const ref = (letter: string): Sql => sql.ref(`${letter}${index}`);
    return rules.type === 'identifier' ? [] : [{ name, rules, text: ref('t'), x: ref('x'), missing: ref('n') }];
  });
  const person =
    unit === 'row' ? sql`''` : unitSql(dataset.columns[unit]!, sql.ref(`t${present.indexOf(unit)}`), duckdbDialect);
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
  const inOrder = unit === 'row' ? sql`h` : sql`p, h`;
  return [
    sql`CREATE TEMP TABLE parsed AS SELECT ${sql.join([...parsed, sql`${person} AS u`])} FROM texts`,
    sql`DROP TABLE texts`,
    sql`CREATE TEMP TABLE settled AS SELECT ${sql.join([...settled, sql`u`])},
      sha256(concat(CAST(${key} AS VARCHAR), 'person', u)) AS p,
      sha256(concat_ws('|', CAST(${key} AS VARCHAR), 'row', u, ${sql.join([...words, sql`''`])})) AS h
      FROM parsed WHERE u IS NOT NULL`,
    sql`CREATE TEMP TABLE kept AS SELECT * FROM settled
      ${unit === 'row' ? sql`` : sql`QUALIFY row_number() OVER (PARTITION BY u ORDER BY h) <= ${sql.lit(max_rows_per_unit)}`}`,
    sql`COPY (SELECT ${sql.join([...kept, sql`dense_rank() OVER (ORDER BY p) AS u`])} FROM kept ORDER BY ${inOrder})
      TO ${sql.lit(path)} (FORMAT parquet)`,
  ];
}

/** The columns of a query over a snapshot: nothing is left to check, and every row counts. */
function settledRecords(query: LocalQuery, dataset: Dataset, present: readonly string[]): RecordSql {
  const columns = query.columns.map((name, index) => {
    if (!present.includes(valueName(name))) throw new SourceError('SOURCE_COLUMN_MISSING', { field: name });
    return { name, value: sql.ref(`v${index}`), wasNull: sql.ref(`n${index}`) };
  });
  const selected = columns.flatMap(({ name, value, wasNull }) => [
    sql`CAST(${sql.id(valueName(name))} AS ${integerType(dataset.columns[name] as ValueColumn)}) AS ${value}`,
    sql`${sql.id(nullName(name))} AS ${wasNull}`,
  ]);
  return {
    columns,
    records: (rows) => sql`SELECT ${sql.join([...selected, sql`u`])} FROM ${rows}`,
    checks: [],
    kept: sql`TRUE`,
  };
}

function runner(runSql: RunSql): (statement: Sql) => Promise<readonly ResultRow[]> {
  return (statement) => {
    const { text, parameters } = compileSql(statement);
    return runSql(text, parameters);
  };
}
