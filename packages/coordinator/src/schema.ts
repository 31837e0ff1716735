/**
 * The tables of a coordinator, whatever the kind of database.
 * @module
 */
import type { Kysely } from 'kysely';
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
  };
  verdicts: {
    job: string;
    attempt: number;
    party: string;
    verdict: string;
    report_json: string | null;
    at_ms: number;
  };
  acceptances: { job: string; attempt: number; party: string; acceptance_json: string };
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
}

/** A database of this schema, whatever its kind. */
export interface OpenDatabase {
  readonly queries: Kysely<Schema>;
  close(): Promise<void>;
}
