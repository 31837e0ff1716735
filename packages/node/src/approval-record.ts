/**
 * The decisions of people on a party's jobs, as they stand in its database: only added, never changed or cut. After a
 * denial or a revocation the tables refuse an opening of the job.
 * @module
 */
import type { SignedApproval } from '@folkmoot/core/approval.js';
import type Database from 'better-sqlite3';

export const approvalTables = `
  ALTER TABLE jobs ADD COLUMN hold TEXT;
  CREATE TABLE approvals (
    sequence INTEGER PRIMARY KEY, job TEXT NOT NULL REFERENCES jobs, by TEXT NOT NULL, decision TEXT NOT NULL,
    reason TEXT NOT NULL, at TEXT NOT NULL, signed TEXT NOT NULL, entered_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX approvals_of_job ON approvals (job);
  CREATE TRIGGER denied_is_not_opened BEFORE INSERT ON openings
    WHEN EXISTS (SELECT 1 FROM approvals WHERE job = new.job AND decision <> 'approve')
    BEGIN SELECT RAISE(ABORT, 'a person denied the job or took the approval back'); END;
  CREATE TRIGGER opened_is_not_decided_on BEFORE INSERT ON approvals
    WHEN EXISTS (SELECT 1 FROM openings WHERE job = new.job)
    BEGIN SELECT RAISE(ABORT, 'the job was opened'); END;
  CREATE TRIGGER approvals_are_not_changed BEFORE UPDATE ON approvals
    BEGIN SELECT RAISE(ABORT, 'what a person decided stays so'); END;
  CREATE TRIGGER approvals_are_not_cut BEFORE DELETE ON approvals
    BEGIN SELECT RAISE(ABORT, 'what a person decided stays so'); END;`;

export class ApprovalRecords {
  readonly #enter: Database.Statement;
  readonly #of: Database.Statement;
  readonly #texts: Database.Statement;

  constructor(db: Database.Database) {
    this.#enter = db.prepare(
      `INSERT INTO approvals (job, by, decision, reason, at, signed, entered_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#texts = db.prepare('SELECT signed FROM approvals ORDER BY sequence');
    this.#of = db.prepare('SELECT signed FROM approvals WHERE job = ? ORDER BY sequence');
  }

  enter(signed: SignedApproval, nowMs: number): void {
    const { job, by, decision, reason, at } = signed.approval;
    this.#enter.run(job, by, decision, reason, at, JSON.stringify(signed), nowMs);
  }

  /** Of all jobs, as they were signed. */
  texts(): string[] {
    return this.#texts.pluck().all() as string[];
  }

  of(job: string): SignedApproval[] {
    return (this.#of.all(job) as { signed: string }[]).map(({ signed }) => JSON.parse(signed) as SignedApproval);
  }
}
