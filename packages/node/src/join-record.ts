/**
 * What a party keeps of the joins that it took part in, for its owner alone: when and with whom, on which column, how many
 * rows were read, and how many identifiers of them were no use, by reason. That is about the party's own records, and is
 * never told to anyone.
 *
 * Nothing derived from an identifier is kept: no hash, no key, no salt. Where a job says `reveal: matches` and the rules of
 * both sides allow it, the left party is told which of its own people the right one has too. Those of its own identifiers,
 * as they stand in its records, are written to a file beside the database that its owner alone can read.
 * @module
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import type { IdentifierTally } from '@folkmoot/core/identifier.js';
import type { SideName } from '@folkmoot/core/join-query.js';
import type Database from 'better-sqlite3';

/** The table; see database.ts. */
export const joinTables = `
  CREATE TABLE joins (
    job TEXT PRIMARY KEY REFERENCES jobs, attempt INTEGER NOT NULL, read_ms INTEGER NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('left', 'right')), counterpart TEXT NOT NULL, dataset TEXT NOT NULL,
    key TEXT NOT NULL, seen INTEGER NOT NULL, empty INTEGER NOT NULL, malformed INTEGER NOT NULL,
    failed_check INTEGER NOT NULL, matches INTEGER
  ) STRICT;`;

/** What a computation tells of a join: for the party's owner, and nobody else. */
export type JoinWord =
  /** How many identifiers were read, and how many of them are no use. */
  | { readonly word: 'tally'; readonly tally: IdentifierTally }
  /** Which of the party's own people the other side has too, by the identifiers that stand in its records. */
  | { readonly word: 'matches'; readonly identifiers: readonly string[] };

/** One join, at the attempt that read the records last. */
export interface JoinRecord {
  readonly job: string;
  readonly attempt: number;
  readonly side: SideName;
  readonly counterpart: string;
  /** The party's own dataset, and the identifier column that was matched on. */
  readonly dataset: string;
  readonly key: string;
  readonly tally: IdentifierTally;
}

/** A record with what the store knows of its job besides. */
export interface StoredJoin extends JoinRecord {
  readonly readMs: number;
  readonly analyst: string;
  readonly title: string;
  readonly purpose: string;
  /** How many of the party's own people the other side has too; null where nobody was told. */
  readonly matches: number | null;
}

interface Row {
  job: string;
  attempt: number;
  read_ms: number;
  side: SideName;
  counterpart: string;
  dataset: string;
  key: string;
  seen: number;
  empty: number;
  malformed: number;
  failed_check: number;
  matches: number | null;
  signed: string;
}

export class JoinRecords {
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** The latest first, at most so many. */
  list(limit: number): StoredJoin[] {
    const rows = this.#db
      .prepare(
        `SELECT joins.*, jobs.signed FROM joins JOIN jobs USING (job)
         ORDER BY read_ms DESC, job LIMIT ?`,
      )
      .all(limit) as Row[];
    return rows.map((row) => {
      const { envelope } = JSON.parse(row.signed) as SignedJob;
      const { job, attempt, side, counterpart, dataset, key, matches } = row;
      const { seen, empty, malformed, failed_check: failedCheck } = row;
      const tally = { seen, empty, malformed, failedCheck };
      const { title = '', purpose } = envelope.job;
      const asked = { analyst: envelope.analyst, title, purpose };
      return { job, attempt, side, counterpart, dataset, key, tally, readMs: row.read_ms, ...asked, matches };
    });
  }

  /** Enters a join; a later attempt of it takes the place of an earlier one. */
  enter({ tally, ...record }: JoinRecord, nowMs: number): void {
    const { seen, empty, malformed, failedCheck } = tally;
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO joins
           (job, attempt, read_ms, side, counterpart, dataset, key, seen, empty, malformed, failed_check)
         VALUES (@job, @attempt, @nowMs, @side, @counterpart, @dataset, @key, @seen, @empty, @malformed, @failedCheck)`,
      )
      .run({ ...record, nowMs, seen, empty, malformed, failedCheck });
  }

  /** How many matches the party was told of; which stands in the file. */
  enterMatches(job: string, matches: number): void {
    this.#db.prepare('UPDATE joins SET matches = ? WHERE job = ?').run(matches, job);
  }
}

const matchesFile = (state: string, job: string): string => join(state, 'matches', `${job}.jsonl`);

/** Writes which of the party's own identifiers matched, a line each as JSON; the whole file or none. */
export function keepMatches(state: string, job: string, identifiers: readonly string[]): void {
  const file = matchesFile(state, job);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const lines = identifiers.map((identifier) => `${JSON.stringify(identifier)}\n`);
  writeFileSync(`${file}.new`, lines.join(''), { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}

/** Undefined where there is no file. */
export function keptMatches(state: string, job: string): string[] | undefined {
  let text: string;
  try {
    text = readFileSync(matchesFile(state, job), 'utf8');
  } catch {
    return undefined;
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as string);
}
