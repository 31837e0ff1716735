/**
 * The tables of a coordinator, whatever the kind of database.
 * @module
 */
import type { Kysely, RawBuilder } from 'kysely';
import type { Phase } from './lifecycle.ts';

/** Texts are JSON where their name says so; times are milliseconds since 1970. */
export interface Schema {
  meta: { key: string; value: string };
  jobs: {
    id: string;
    analyst: string;
    title: string;
    signed_json: string;
    phase: Phase;
    attempt: number;
    /** 1 once all parties of this attempt have said that they open. */
    releasing: number;
    roster_json: string;
    error_json: string | null;
    expires_ms: number;
    submitted_ms: number;
    updated_ms: number;
    /** Counts the takings of its lease. */
    epoch: number;
    /** The start of a coordinator (`meta.epoch`) that leads the job, its random token and when they end; null: nobody. */
    lease_holder: number | null;
    lease_token: string | null;
    lease_until_ms: number | null;
    /** 1 once the analyst has taken the job back, and whoever leads it has not seen to that. */
    cancel_asked: number;
  };
  verdicts: {
    job: string;
    attempt: number;
    party: string;
    verdict: string;
    report_json: string | null;
    at_ms: number;
    /** That of its entry. */
    sequence: number;
  };
  acceptances: {
    job: string;
    attempt: number;
    party: string;
    acceptance_json: string;
    /** What the party showed of its audit log. */
    head_json: string | null;
  };
  renunciations: { job: string; attempt: number; party: string; renunciation_json: string };
  /** Why an attempt failed that another one followed. */
  setbacks: { job: string; attempt: number; report_json: string };
  entries: { job: string; sequence: number; at_ms: number; entry_json: string };
  /** The key of each protected job that was READY; `same_as` is the earlier job that answered it. */
  questions: { job: string; key: string; same_as: string | null };
  openings: {
    job: string;
    attempt: number;
    party: string;
    commitments_json: string;
    signatures_json: string;
    sealed: Uint8Array;
  };
  /** Logins of analysts: the hash of a bearer token, the nonce it was given for, and when it ends. */
  tokens: { hash: string; analyst: string; nonce: string; until_ms: number };
}

export const openPhases = ['QUEUED', 'INVITING', 'READY', 'RUNNING'] as const satisfies readonly Phase[];

/** A database of this schema, whatever its kind. */
export interface OpenDatabase {
  readonly queries: Kysely<Schema>;
  /** The one clock of all who share the database, in milliseconds since 1970, as an expression. */
  readonly nowMs: () => RawBuilder<number>;
  /** Whether several coordinators share it: rows are then locked for each other, and none waits for a lock. */
  readonly shared: boolean;
  close(): Promise<void>;
}

/** Rises with every change of the tables. */
export const schemaVersion = 7;

const leaseColumns = `epoch INTEGER NOT NULL DEFAULT 0, lease_holder INTEGER, lease_token TEXT, lease_until_ms INTEGER,
    cancel_asked INTEGER NOT NULL DEFAULT 0`;

/** What databases of earlier versions lack: by table, as SQLite adds a column. */
export const laterColumns: readonly (readonly [table: string, column: string])[] = [
  ['jobs', 'releasing INTEGER NOT NULL DEFAULT 0'],
  ['verdicts', 'sequence INTEGER NOT NULL DEFAULT 0'],
  ['acceptances', 'head_json TEXT'],
  ...leaseColumns.split(',').map((column) => ['jobs', column.trim()] as const),
];

/** The tables in the words of one kind of database: whole numbers of 64 bits, and bytes. */
export function tablesIn({ integer, bytes }: { readonly integer: string; readonly bytes: string }): string {
  return `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, analyst TEXT NOT NULL, title TEXT NOT NULL, signed_json TEXT NOT NULL, phase TEXT NOT NULL,
    attempt ${integer} NOT NULL, roster_json TEXT NOT NULL, error_json TEXT, expires_ms ${integer} NOT NULL,
    submitted_ms ${integer} NOT NULL, updated_ms ${integer} NOT NULL, releasing ${integer} NOT NULL DEFAULT 0,
    ${leaseColumns.replaceAll('INTEGER', integer)}
  );
  CREATE INDEX IF NOT EXISTS jobs_by_analyst ON jobs (analyst, submitted_ms);
  CREATE INDEX IF NOT EXISTS jobs_by_own ON jobs (analyst, phase);
  CREATE INDEX IF NOT EXISTS jobs_by_phase ON jobs (phase, expires_ms);
  CREATE INDEX IF NOT EXISTS jobs_by_turn ON jobs (phase, submitted_ms, id);
  CREATE TABLE IF NOT EXISTS verdicts (
    job TEXT NOT NULL REFERENCES jobs (id), attempt ${integer} NOT NULL, party TEXT NOT NULL, verdict TEXT NOT NULL,
    report_json TEXT, at_ms ${integer} NOT NULL, sequence ${integer} NOT NULL DEFAULT 0
  );
  CREATE INDEX IF NOT EXISTS verdicts_by_job ON verdicts (job, at_ms);
  CREATE TABLE IF NOT EXISTS acceptances (
    job TEXT NOT NULL REFERENCES jobs (id), attempt ${integer} NOT NULL, party TEXT NOT NULL,
    acceptance_json TEXT NOT NULL, head_json TEXT, PRIMARY KEY (job, attempt, party)
  );
  CREATE TABLE IF NOT EXISTS renunciations (
    job TEXT NOT NULL REFERENCES jobs (id), attempt ${integer} NOT NULL, party TEXT NOT NULL,
    renunciation_json TEXT NOT NULL, PRIMARY KEY (job, attempt, party)
  );
  CREATE TABLE IF NOT EXISTS setbacks (
    job TEXT NOT NULL REFERENCES jobs (id), attempt ${integer} NOT NULL, report_json TEXT NOT NULL,
    PRIMARY KEY (job, attempt)
  );
  CREATE TABLE IF NOT EXISTS entries (
    job TEXT NOT NULL REFERENCES jobs (id), sequence ${integer} NOT NULL, at_ms ${integer} NOT NULL,
    entry_json TEXT NOT NULL, PRIMARY KEY (job, sequence)
  );
  CREATE TABLE IF NOT EXISTS questions (
    job TEXT PRIMARY KEY REFERENCES jobs (id), key TEXT NOT NULL, same_as TEXT REFERENCES jobs (id)
  );
  CREATE INDEX IF NOT EXISTS questions_by_key ON questions (key);
  CREATE TABLE IF NOT EXISTS openings (
    job TEXT NOT NULL REFERENCES jobs (id), attempt ${integer} NOT NULL, party TEXT NOT NULL,
    commitments_json TEXT NOT NULL, signatures_json TEXT NOT NULL, sealed ${bytes} NOT NULL,
    PRIMARY KEY (job, attempt, party)
  );
  CREATE TABLE IF NOT EXISTS tokens (
    hash TEXT PRIMARY KEY, analyst TEXT NOT NULL, nonce TEXT NOT NULL UNIQUE, until_ms ${integer} NOT NULL
  );
  CREATE INDEX IF NOT EXISTS tokens_by_analyst ON tokens (analyst, until_ms);
`;
}
