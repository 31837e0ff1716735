/**
 * The periods of a party's protected datasets, and the one snapshot that is read in each.
 *
 * A period is a name that the data owner gives: in node.yaml, or with `folkmoot node period`. It begins when it is
 * declared and ends when the next one is; a name that has ended never comes back, since its budget and its noise belong
 * to one reading of the data. node.yaml counts where it names a period that is new; while it still names the one that it
 * named last, a later period declared by command stands.
 * @module
 */
import { SourceError, StateError } from '@folkmoot/core/errors.js';
import type Database from 'better-sqlite3';

/** The tables; see database.ts. */
export const periodTables = `
  CREATE TABLE periods (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, dataset TEXT NOT NULL, period TEXT NOT NULL,
    declared_by TEXT NOT NULL CHECK (declared_by IN ('file', 'command')), declared_ms INTEGER NOT NULL,
    UNIQUE (dataset, period)
  ) STRICT;
  CREATE TABLE snapshots (
    dataset TEXT NOT NULL, period TEXT NOT NULL, dictionary TEXT NOT NULL, sha256 TEXT NOT NULL,
    read_ms INTEGER NOT NULL, PRIMARY KEY (dataset, period)
  ) STRICT;
  CREATE TRIGGER periods_are_not_changed BEFORE UPDATE ON periods
    BEGIN SELECT RAISE(ABORT, 'periods are only added'); END;
  CREATE TRIGGER periods_are_not_cut BEFORE DELETE ON periods
    BEGIN SELECT RAISE(ABORT, 'periods are only added'); END;
  CREATE TRIGGER snapshots_are_not_changed BEFORE UPDATE ON snapshots
    BEGIN SELECT RAISE(ABORT, 'a period is read once'); END;
  CREATE TRIGGER snapshots_are_not_cut BEFORE DELETE ON snapshots
    BEGIN SELECT RAISE(ABORT, 'a period is read once'); END;`;

/** What is known of the one reading of a period. */
export interface SnapshotRecord {
  /** The hash of all that the dictionary says about how to read the records. */
  readonly dictionary: string;
  /** Of the file's bytes, in hexadecimal digits. */
  readonly sha256: string;
  readonly readMs: number;
}

interface PeriodRow {
  period: string;
  declared_by: 'file' | 'command';
}

export class Periods {
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** The period that runs now, or undefined where none was ever declared. */
  current(dataset: string): string | undefined {
    return this.#rows(dataset).at(-1)?.period;
  }

  /**
   * The period after the word of node.yaml.
   * @throws StateError PERIOD_ENDED where the file goes back to an earlier one
   */
  fromFile(dataset: string, period: string, nowMs: number): string {
    const rows = this.#rows(dataset);
    const isNew = rows.every((row) => row.period !== period);
    if (isNew) {
      this.#add(dataset, period, 'file', nowMs);
      return period;
    }
    const last = rows.at(-1)!.period;
    const lastInFile = rows.findLast((row) => row.declared_by === 'file')?.period;
    if (period !== last && period !== lastInFile) throw ended(dataset, last);
    return last;
  }

  /** @throws StateError PERIOD_ENDED where the name was used before; the one that runs now is no next one either */
  declare(dataset: string, period: string, nowMs: number): void {
    const rows = this.#rows(dataset);
    if (rows.some((row) => row.period === period)) throw ended(dataset, rows.at(-1)!.period);
    this.#add(dataset, period, 'command', nowMs);
  }

  snapshot(dataset: string, period: string): SnapshotRecord | undefined {
    return this.#db
      .prepare('SELECT dictionary, sha256, read_ms AS readMs FROM snapshots WHERE dataset = ? AND period = ?')
      .get(dataset, period) as SnapshotRecord | undefined;
  }

  /** Enters the one reading of a period. @throws SourceError SNAPSHOT_OTHER where there is one already */
  enter(dataset: string, period: string, { dictionary, sha256, readMs }: SnapshotRecord): void {
    if (this.snapshot(dataset, period) !== undefined) throw new SourceError('SNAPSHOT_OTHER', { field: dataset });
    this.#db
      .prepare('INSERT INTO snapshots (dataset, period, dictionary, sha256, read_ms) VALUES (?, ?, ?, ?, ?)')
      .run(dataset, period, dictionary, sha256, readMs);
  }

  #rows(dataset: string): PeriodRow[] {
    return this.#db
      .prepare('SELECT period, declared_by FROM periods WHERE dataset = ? ORDER BY entry')
      .all(dataset) as PeriodRow[];
  }

  #add(dataset: string, period: string, by: PeriodRow['declared_by'], nowMs: number): void {
    this.#db
      .prepare('INSERT INTO periods (dataset, period, declared_by, declared_ms) VALUES (?, ?, ?, ?)')
      .run(dataset, period, by, nowMs);
  }
}

function ended(dataset: string, current: string): StateError {
  return new StateError('PERIOD_ENDED', { field: `datasets.${dataset}.period`, detail: `${current} runs now` });
}
