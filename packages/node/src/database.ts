/**
 * The node's SQLite file: its tables, and what makes a write in it durable.
 *
 * WAL with `synchronous=FULL`, set after WAL on every open and looked at again after every write, since a driver may
 * lower it. One process holds the file, from its opening to its end, by an exclusive lock that the system drops if the
 * process dies. A file that a newer version wrote is not touched.
 * @module
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type FolkmootError, isFolkmootError, StateError } from '@folkmoot/core/errors.js';
import { refuseLinks } from '@folkmoot/transport/state-file.js';
import Database from 'better-sqlite3';
import { approvalTables } from './approval-record.ts';
import { exchangeTables, witnessedWhen } from './audit-exchange.ts';
import { auditTables } from './audit-log.ts';
import { joinTables } from './join-record.ts';
import { ledgerTables, raisedTables } from './ledger.ts';
import { periodTables } from './period.ts';

/** Raised by one with every change of the tables; each step below leads from one version to the next. */
const migrations: readonly string[] = [
  `CREATE TABLE jobs (
     job TEXT PRIMARY KEY, status TEXT NOT NULL, attempt INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
     signed TEXT NOT NULL, report TEXT, detail TEXT, received_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,
     ended INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX jobs_open ON jobs (ended, changed_ms);
   CREATE TABLE acceptances (
     job TEXT NOT NULL REFERENCES jobs, attempt INTEGER NOT NULL, party TEXT NOT NULL, own INTEGER NOT NULL,
     acceptance TEXT NOT NULL, PRIMARY KEY (job, attempt, party, own)
   ) STRICT;
   CREATE TABLE attempts (
     job TEXT NOT NULL REFERENCES jobs, attempt INTEGER NOT NULL, started_ms INTEGER NOT NULL,
     PRIMARY KEY (job, attempt)
   ) STRICT;
   CREATE TABLE sealed (
     job TEXT NOT NULL, attempt INTEGER NOT NULL, sha256 BLOB NOT NULL, bytes BLOB NOT NULL,
     PRIMARY KEY (job, attempt), FOREIGN KEY (job, attempt) REFERENCES attempts
   ) STRICT;
   CREATE TABLE openings (
     job TEXT NOT NULL, attempt INTEGER NOT NULL, commitments TEXT NOT NULL, signatures TEXT NOT NULL,
     PRIMARY KEY (job, attempt), FOREIGN KEY (job, attempt) REFERENCES sealed
   ) STRICT;
   CREATE TABLE released (
     job TEXT PRIMARY KEY REFERENCES jobs, attempt INTEGER NOT NULL, released_ms INTEGER NOT NULL,
     analyst TEXT NOT NULL, title TEXT NOT NULL, purpose TEXT NOT NULL, rule TEXT NOT NULL, min_group INTEGER NOT NULL,
     bytes INTEGER NOT NULL, sha256 BLOB NOT NULL, delivered_ms INTEGER
   ) STRICT;`,
  `ALTER TABLE jobs ADD COLUMN claim TEXT;
   ${ledgerTables}
   ${periodTables}`,
  joinTables,
  `CREATE TABLE renounced (
     job TEXT NOT NULL REFERENCES jobs, attempt INTEGER NOT NULL, renounced_ms INTEGER NOT NULL, PRIMARY KEY (job, attempt)
   ) STRICT;
   CREATE TRIGGER renounced_is_not_opened BEFORE INSERT ON openings
     WHEN EXISTS (SELECT 1 FROM renounced WHERE job = new.job AND attempt >= new.attempt)
     BEGIN SELECT RAISE(ABORT, 'the attempt was renounced'); END;
   CREATE TRIGGER opened_is_not_renounced BEFORE INSERT ON renounced
     WHEN EXISTS (SELECT 1 FROM openings WHERE job = new.job)
     BEGIN SELECT RAISE(ABORT, 'the job was opened'); END;
   CREATE TRIGGER renounced_is_not_changed BEFORE UPDATE ON renounced
     BEGIN SELECT RAISE(ABORT, 'what is renounced stays so'); END;
   CREATE TRIGGER renounced_is_not_cut BEFORE DELETE ON renounced
     BEGIN SELECT RAISE(ABORT, 'what is renounced stays so'); END;`,
  auditTables,
  approvalTables,
  `${exchangeTables}
   ${raisedTables}`,
  'ALTER TABLE jobs ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0',
  witnessedWhen,
];

/** The version that this build reads and writes. */
export const databaseVersion = migrations.length;

export const databaseFile = (folder: string): string => join(folder, 'node.sqlite');

/** @throws StateError STATE_IN_USE, STATE_LINKED, STATE_NEWER, STATE_FAILED */
export function openDatabase(folder: string): Database.Database {
  let db: Database.Database | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    refuseLinks(folder, 'node.sqlite');
    // No waiting: whoever holds the lock holds it for as long as it runs.
    db = new Database(databaseFile(folder), { timeout: 0 });
    return prepareDatabase(db);
  } catch (error) {
    db?.close();
    throw stateError(error);
  }
}

/** Locks a database, brings its tables up to date, and has every write in it wait for the disk. */
export function prepareDatabase(db: Database.Database): Database.Database {
  db.pragma('locking_mode = EXCLUSIVE');
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  // Without it `INSERT OR REPLACE` would pass by the triggers that keep rows.
  db.pragma('recursive_triggers = ON');
  db.exec('BEGIN EXCLUSIVE; COMMIT');
  migrate(db);
  assertDurable(db);
  return db;
}

function migrate(db: Database.Database): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > migrations.length) throw new StateError('STATE_NEWER');
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`user_version = ${index + 1}`);
    })();
  }
}

/** @throws StateError STATE_FAILED where a write would no longer wait for the disk */
export function assertDurable(db: Database.Database): void {
  // One in memory ends with its process, and has no disk to wait for.
  if (db.memory) return;
  const level = db.pragma('synchronous', { simple: true });
  const mode = db.pragma('journal_mode', { simple: true });
  if (level !== 2 || mode !== 'wal') {
    throw new StateError('STATE_FAILED', { detail: 'the database no longer waits for the disk' });
  }
}

/** What SQLite throws, by its code alone; what the program throws stays what it is. */
export function stateError(error: unknown): FolkmootError {
  if (isFolkmootError(error)) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const busy = code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED');
  return new StateError(busy ? 'STATE_IN_USE' : 'STATE_FAILED', {
    detail: code === '' ? undefined : code,
    cause: error,
  });
}
