/**
 * The SQLite database of a coordinator: one file, one process.
 *
 * WAL with `synchronous=FULL`, so that what is acknowledged survives a loss of power; the setting is asserted after a
 * write, because the driver lowers it otherwise. The lock is exclusive and held to the end: a second process is told so.
 * @module
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { StateError } from '@folkmoot/core/errors.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { refuseLinks } from '@folkmoot/transport/state-file.js';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { laterColumns, type OpenDatabase, type Schema, schemaVersion, tablesIn } from './schema.ts';

/**
 * Opens, or makes, `coordinator.sqlite` in this folder.
 * @throws StateError STATE_IN_USE, STATE_LINKED, STATE_NEWER, STATE_FAILED
 */
export function openSqlite(folder: string, now?: () => number): OpenDatabase {
  let database: Database.Database | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    refuseLinks(folder, 'coordinator.sqlite');
    // A short wait: a process that was told to stop may be on its last page.
    database = new Database(join(folder, 'coordinator.sqlite'), { timeout: 500 });
    return prepareDatabase(database, now);
  } catch (cause) {
    database?.close();
    if (cause instanceof StateError) throw cause;
    const busy = (cause as { code?: string }).code?.startsWith('SQLITE_BUSY') === true;
    throw new StateError(busy ? 'STATE_IN_USE' : 'STATE_FAILED', { field: 'state', cause });
  }
}

/** Locks a database, brings its tables up to date, and has every write in it wait for the disk. Its clock is the process's. */
export function prepareDatabase(
  database: Database.Database,
  now: () => number = () => systemClock.now(),
): OpenDatabase {
  database.pragma('locking_mode = EXCLUSIVE');
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma('foreign_keys = ON');
  prepare(database);
  const queries = new Kysely<Schema>({ dialect: new SqliteDialect({ database }) });
  // Kysely closes only a database that it has used.
  const close = () => queries.destroy().then(() => void database.close());
  return { queries, nowMs: () => sql<number>`${now()}`, shared: false, close };
}

function prepare(database: Database.Database): void {
  database.exec(
    'BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL); COMMIT;',
  );
  const found = database.prepare("SELECT value FROM meta WHERE key = 'schema'").get() as { value: string } | undefined;
  if (Number(found?.value ?? 0) > schemaVersion) throw new StateError('STATE_NEWER', { field: 'state' });
  database.transaction(() => {
    database.exec(tablesIn({ integer: 'INTEGER', bytes: 'BLOB' }));
    // Before version 3 it was not written down; a job with an opening counts as releasing by that.
    for (const [table, column] of laterColumns) {
      const present = database.pragma(`table_info(${table})`) as readonly { name: string }[];
      const isThere = present.some(({ name }) => name === column.split(' ')[0]);
      if (!isThere) database.exec(`ALTER TABLE ${table} ADD COLUMN ${column}`);
    }
    // Whoever led a job has let go of the file.
    database.exec('UPDATE jobs SET lease_holder = NULL, lease_token = NULL, lease_until_ms = NULL');
    database.prepare("INSERT OR REPLACE INTO meta VALUES ('schema', ?)").run(String(schemaVersion));
  })();
  // One in memory ends with its process, and has no disk to wait for.
  if (database.memory) return;
  const synchronous = database.pragma('synchronous', { simple: true });
  const journal = database.pragma('journal_mode', { simple: true });
  if (synchronous !== 2 || journal !== 'wal') {
    throw new StateError('STATE_FAILED', {
      field: 'state',
      detail: 'the disk does not allow WAL with synchronous=FULL',
    });
  }
}
