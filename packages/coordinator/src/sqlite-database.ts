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
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import type { OpenDatabase, Schema } from './schema.ts';

/** Rises with every change of the tables. */
const schemaVersion = 4;

const tables = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, analyst TEXT NOT NULL, title TEXT NOT NULL, signed_json TEXT NOT NULL, phase TEXT NOT NULL,
    attempt INTEGER NOT NULL, roster_json TEXT NOT NULL, error_json TEXT, expires_ms INTEGER NOT NULL,
    submitted_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, releasing INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX IF NOT EXISTS jobs_by_analyst ON jobs (analyst, submitted_ms);
  CREATE INDEX IF NOT EXISTS jobs_by_phase ON jobs (phase, expires_ms);
  CREATE TABLE IF NOT EXISTS verdicts (
    job TEXT NOT NULL REFERENCES jobs (id), attempt INTEGER NOT NULL, party TEXT NOT NULL, verdict TEXT NOT NULL,
    report_json TEXT, at_ms INTEGER NOT NULL
  );
  CREATE INDEX IF NOT EXISTS verdicts_by_job ON verdicts (job, at_ms);
  CREATE TABLE IF NOT EXISTS acceptances (
    job TEXT NOT NULL REFERENCES jobs (id), attempt INTEGER NOT NULL, party TEXT NOT NULL, acceptance_json TEXT NOT NULL,
    PRIMARY KEY (job, attempt, party)
  );
  CREATE TABLE IF NOT EXISTS renunciations (
    job TEXT NOT NULL REFERENCES jobs (id), attempt INTEGER NOT NULL, party TEXT NOT NULL,
    renunciation_json TEXT NOT NULL, PRIMARY KEY (job, attempt, party)
  );
  CREATE TABLE IF NOT EXISTS setbacks (
    job TEXT NOT NULL REFERENCES jobs (id), attempt INTEGER NOT NULL, report_json TEXT NOT NULL,
    PRIMARY KEY (job, attempt)
  );
  CREATE TABLE IF NOT EXISTS entries (
    job TEXT NOT NULL REFERENCES jobs (id), sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL, entry_json TEXT NOT NULL,
    PRIMARY KEY (job, sequence)
  );
  CREATE TABLE IF NOT EXISTS questions (
    job TEXT PRIMARY KEY REFERENCES jobs (id), key TEXT NOT NULL, same_as TEXT REFERENCES jobs (id)
  );
  CREATE INDEX IF NOT EXISTS questions_by_key ON questions (key);
  CREATE TABLE IF NOT EXISTS openings (
    job TEXT NOT NULL REFERENCES jobs (id), attempt INTEGER NOT NULL, party TEXT NOT NULL,
    commitments_json TEXT NOT NULL, signatures_json TEXT NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (job, attempt, party)
  );
`;

/**
 * Opens, or makes, `coordinator.sqlite` in this folder.
 * @throws StateError STATE_IN_USE, STATE_NEWER, STATE_FAILED
 */
export function openDatabase(folder: string): OpenDatabase {
  let database: Database.Database | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // A short wait: a process that was told to stop may be on its last page.
    database = new Database(join(folder, 'coordinator.sqlite'), { timeout: 500 });
    return prepareDatabase(database);
  } catch (cause) {
    database?.close();
    if (cause instanceof StateError) throw cause;
    const busy = (cause as { code?: string }).code?.startsWith('SQLITE_BUSY') === true;
    throw new StateError(busy ? 'STATE_IN_USE' : 'STATE_FAILED', { field: 'state', cause });
  }
}

/** Locks a database, brings its tables up to date, and has every write in it wait for the disk. */
export function prepareDatabase(database: Database.Database): OpenDatabase {
  database.pragma('locking_mode = EXCLUSIVE');
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma('foreign_keys = ON');
  prepare(database);
  const queries = new Kysely<Schema>({ dialect: new SqliteDialect({ database }) });
  // Kysely closes only a database that it has used.
  return { queries, close: () => queries.destroy().then(() => void database.close()) };
}

function prepare(database: Database.Database): void {
  database.exec(
    'BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL); COMMIT;',
  );
  const found = database.prepare("SELECT value FROM meta WHERE key = 'schema'").get() as { value: string } | undefined;
  if (Number(found?.value ?? 0) > schemaVersion) throw new StateError('STATE_NEWER', { field: 'state' });
  database.transaction(() => {
    database.exec(tables);
    // Before version 3 it was not written down; a job with an opening counts as releasing by that.
    const columns = database.pragma('table_info(jobs)') as readonly { name: string }[];
    if (!columns.some(({ name }) => name === 'releasing')) {
      database.exec('ALTER TABLE jobs ADD COLUMN releasing INTEGER NOT NULL DEFAULT 0');
    }
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
