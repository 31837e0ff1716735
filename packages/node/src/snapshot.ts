/**
 * The one reading of a protected dataset in a period, kept as a Parquet file in the node's state folder.
 *
 * Whatever becomes of the source afterwards, every protected job of the period answers from this file; so the same
 * question has the same answer, and the difference of two answers says nothing of what changed in between.
 *
 * Nothing is refused because of a record: what has another form is treated as a null, a null is dropped by the measures
 * over its column (or 0 by `nulls: zero`), values are clamped, and rows of nobody do not count. Beside each value stands
 * whether its text was missing, which is what `is_null` asks: a text of another form is not. Where a person has more rows than
 * `max_rows_per_unit`, those count that come first by a hash under a key of the node: an order that nobody can aim at. No
 * row is left out for those of others, so there is no limit on all rows together: what leaves is clamped instead
 * (`combine`). The file holds integers (wide ones as their digits), and in the place of the person a number. Of the texts of
 * records only the identifiers that the charter permits this party to be matched on stand in it, in canonical form: a join
 * has no other way to its rows. It takes all rows, those of nobody and those beyond a person's too, and as many of one
 * identifier as the charter lets count, in the same order.
 * @module
 */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { toHex, utf8 } from '@folkmoot/core/bytes.js';
import { type Dataset, rowsMax, type ValueColumn } from '@folkmoot/core/dictionary.js';
import { SourceError } from '@folkmoot/core/errors.js';
import { hashJson, hkdf } from '@folkmoot/core/hash.js';
import type { LocalQuery } from '@folkmoot/core/statistic.js';
import { sql } from 'kysely';
import {
  integerType,
  keptName,
  keyName,
  nullName,
  type Run,
  runner,
  valueName,
  writeSnapshot,
} from './snapshot-file.ts';
import { duckdbDialect, type Sql } from './sources/dialect.ts';
import { readState } from './sources/file-state.ts';
import { inMemory, plainPath, type RunSql } from './sources/in-memory.ts';
import { localSql, type ResultRow } from './sources/local-sql.ts';
import type { RecordSql } from './sources/record-sql.ts';
import { readColumns, SideRows } from './sources/side-rows.ts';
import { sideSql } from './sources/side-sql.ts';
import type { Original, Source } from './sources/source.ts';
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
  /** The identifiers of a dataset that this party may be matched on. */
  readonly matchedColumns: (dataset: Dataset) => readonly string[];
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
    const known = store.snapshot(dataset.name, period);
    if (known === undefined) {
      // A file without an entry is one that nothing was answered from.
      const original = openOriginal();
      try {
        const sha256 = await writeSnapshot(original, dataset, this.#options.matchedColumns(dataset), this.#key, path);
        store.enterSnapshot(dataset.name, period, { dictionary: readingHash(dataset, formatVersion), sha256 });
        return { path, sha256 };
      } finally {
        await original.close();
      }
    }
    const isSame = versionsRead.some((version) => known.dictionary === readingHash(dataset, version));
    if (!isSame) throw new SourceError('SNAPSHOT_OTHER', { field: dataset.name });
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
    query: (query, dataset, ownParty) =>
      unchanged(file, name, async (runSql) => {
        const run = runner(runSql);
        const present = await columnsIn(run, file);
        // All rows count, however many, so the sums must be exact for any number of them.
        const sized = { ...dataset, max_rows: rowsMax };
        const local = localSql(query, sized, ownParty, duckdbDialect, settledRecords(query, dataset, present));
        await run(sql`CREATE TEMP TABLE records AS ${local.records(rowsIn(file), sql`1`)}`);
        const results: (readonly ResultRow[])[] = [];
        for (const statement of local.sums) results.push(await run(statement));
        return local.collect(results);
      }),
    sideRecords: (side) =>
      unchanged(file, name, async (runSql, database) => {
        const run = runner(runSql);
        const { dataset, key } = side;
        const present = await refuseUnkept(run, file, name, key);
        const asked = sideSql(side, duckdbDialect, settledRecords(side, dataset, present, key));
        await run(sql`CREATE TEMP TABLE records AS ${asked.records(rowsIn(file), sql`1`)}`);
        const [count] = await run(sql`SELECT count(*) FROM records`);
        const rows = new SideRows(side, Number(count![0]));
        await readColumns(database, asked.columns, rows);
        return rows.records();
      }),
    rows: (key) =>
      unchanged(file, name, async (runSql) => {
        const run = runner(runSql);
        if (key !== undefined) await refuseUnkept(run, file, name, key);
        const [row] = await run(sql`SELECT count(*) FROM ${rowsIn(file)}`);
        return Number(row![0]);
      }),
    close: async () => {},
  };
}

/** Work over a file that is the one of the period before and after. */
async function unchanged<T>(
  file: SnapshotFile,
  name: string,
  work: (run: RunSql, database: DuckDBConnection) => Promise<T>,
): Promise<T> {
  await checkFile(file, name);
  const result = await inMemory(work);
  await checkFile(file, name);
  return result;
}

function rowsIn({ path }: SnapshotFile): Sql {
  return sql`read_parquet(${plainPath(path)}, file_row_number = true)`;
}

async function columnsIn(run: Run, file: SnapshotFile): Promise<readonly string[]> {
  return (await run(sql`DESCRIBE SELECT * FROM ${rowsIn(file)}`)).map(([column]) => String(column));
}

/** The columns of a snapshot that was read when this key could be matched on, and holds all rows. */
async function refuseUnkept(run: Run, file: SnapshotFile, name: string, key: string): Promise<readonly string[]> {
  const present = await columnsIn(run, file);
  const other = (detail: string) => new SourceError('SNAPSHOT_OTHER', { field: name, detail });
  if (!present.includes(keyName(key))) throw other(`it does not hold \`${key}\``);
  if (!present.includes(keptName)) throw other('it does not hold all rows that a join needs');
  return present;
}

/** @throws SourceError SNAPSHOT_LOST */
async function checkFile({ path, sha256 }: SnapshotFile, name: string): Promise<void> {
  const state = await readState(path, 'snapshot').catch(() => undefined);
  if (state?.sha256 !== sha256) throw new SourceError('SNAPSHOT_LOST', { field: name });
}

/** Goes up whenever the same records would give another file. */
const formatVersion = 4;
/**
 * To a pooled job the versions before say the same. Rows that count in none were not kept in 3, nor any identifiers in 2, so
 * that a join finds in neither what it needs.
 */
const versionsRead = [formatVersion, 3, 2];

/** All that decides how records are read; names and other parties do not. */
function readingHash({ unit, max_rows_per_unit, columns }: Dataset, format: number): string {
  const notRead = { max_groups_per_unit: undefined, max_rows_per_key: undefined };
  const read = Object.entries(columns).map(([name, column]) => {
    const { max_groups_per_unit: _, max_rows_per_key: __, ...rest } = { ...notRead, ...column };
    if (column.type === 'identifier') return [name, rest];
    return [name, { ...rest, nulls: column.nulls === 'zero' ? 'zero' : 'drop', outside: 'clamp' }];
  });
  return toHex(hashJson({ format, unit, max_rows_per_unit, columns: Object.fromEntries(read) }));
}

/**
 * The columns of a query over a snapshot: nothing is left to check. Where a key is asked for it is `i`, and the place of the
 * row in the file `o`, and all rows are there; otherwise those that count for a person.
 */
function settledRecords(
  query: Pick<LocalQuery, 'columns'>,
  dataset: Dataset,
  present: readonly string[],
  key?: string,
): RecordSql {
  const columns = query.columns.map((name, index) => {
    if (!present.includes(valueName(name))) throw new SourceError('SOURCE_COLUMN_MISSING', { field: name });
    return { name, value: sql.ref(`v${index}`), wasNull: sql.ref(`n${index}`) };
  });
  const selected = columns.flatMap(({ name, value, wasNull }) => [
    sql`CAST(${sql.id(valueName(name))} AS ${integerType(dataset.columns[name] as ValueColumn)}) AS ${value}`,
    sql`${sql.id(nullName(name))} AS ${wasNull}`,
  ]);
  const counting = present.includes(keptName) ? sql.id(keptName) : sql`u IS NOT NULL`;
  const those = key === undefined ? sql`WHERE ${counting}` : sql``;
  const identified = key === undefined ? [] : [sql`${sql.id(keyName(key))} AS i, file_row_number AS o`];
  return {
    columns,
    records: (rows) => sql`SELECT ${sql.join([...selected, ...identified, sql`u`])} FROM ${rows} ${those}`,
    checks: [],
    kept: sql`TRUE`,
  };
}
