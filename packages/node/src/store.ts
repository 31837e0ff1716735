/**
 * What a node must not forget: jobs, acceptances, attempts, sealed bytes, openings, what was released, and what it cost.
 *
 * A state is on the disk, whole, when `save` returns, and with it what the ledger says of it. Attempts, sealed bytes and
 * openings are only added, never written over. No share, mask or session key is ever written: sealed bytes are encrypted to
 * the analyst.
 * @module
 */
import { createHash } from 'node:crypto';
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import type { SignedApproval } from '@folkmoot/core/approval.js';
import { toHex } from '@folkmoot/core/bytes.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { type ErrorReport, StateError } from '@folkmoot/core/errors.js';
import { hashJson } from '@folkmoot/core/hash.js';
import type { Finding } from '@folkmoot/transport/finding.js';
import type Database from 'better-sqlite3';
import { ApprovalRecords } from './approval-record.ts';
import { AuditExchange } from './audit-exchange.ts';
import { AuditLog, eventsOf } from './audit-log.ts';
import type { NodeConfig } from './config.ts';
import { assertDurable, openDatabase, stateError } from './database.ts';
import { integrityFindings } from './integrity.ts';
import { type JoinRecord, JoinRecords } from './join-record.ts';
import { type Claim, Ledger } from './ledger.ts';
import { type Hold, isTerminal, type JobState, type Status } from './lifecycle.ts';
import type { Counts } from './metrics.ts';
import { Periods, type SnapshotRecord } from './period.ts';

/** How the job's own words are found in a signed job, for the list of what was released. */
export interface Released {
  readonly job: string;
  readonly attempt: number;
  readonly releasedMs: number;
  readonly analyst: string;
  readonly title: string;
  readonly purpose: string;
  readonly rule: string;
  readonly minGroup: number;
  readonly bytes: number;
  readonly deliveredMs: number | null;
}

export interface JobSummary {
  readonly job: string;
  readonly status: Status;
  readonly attempt: number;
  readonly report: ErrorReport | null;
  /** For the node's owner only. */
  readonly detail: string | null;
  readonly changedMs: number;
}

type Opening = Extract<JobState, { status: 'OPENING' }>;

interface JobRow {
  job: string;
  status: Status;
  attempt: number;
  expires_ms: number;
  signed: string;
  report: string | null;
  detail: string | null;
  changed_ms: number;
  claim: string | null;
  hold: string | null;
  epoch: number;
}

/** @throws StateError STATE_IN_USE, STATE_NEWER, STATE_FAILED */
export function openStore(folder: string, nowMs: () => number): Store {
  return new Store(openDatabase(folder), nowMs);
}

export class Store {
  readonly #db: Database.Database;
  readonly #nowMs: () => number;
  readonly #statements = new Map<string, Database.Statement>();
  /** For reading; `save` alone writes in it. */
  readonly ledger: Pick<Ledger, 'afford' | 'standing' | 'analysts' | 'entries' | 'totals'>;
  readonly #ledger: Ledger;
  readonly #periods: Periods;
  /** For reading, like the ledger. */
  readonly joins: Pick<JoinRecords, 'list'>;
  readonly #joins: JoinRecords;
  /** For reading; what is entered in it goes with the state that it is about. */
  readonly audit: Pick<AuditLog, 'size' | 'root' | 'rows' | 'job' | 'inclusion' | 'consistency' | 'storedNode'>;
  readonly #audit: AuditLog;
  readonly #approvals: ApprovalRecords;
  /** For reading, like the log. */
  readonly heads: Pick<
    AuditExchange,
    'head' | 'heads' | 'countersignatures' | 'last' | 'witnessed' | 'lost' | 'checkWhole'
  >;
  readonly #heads: AuditExchange;

  /** `random` makes what the audit log salts its entries with. */
  constructor(db: Database.Database, nowMs: () => number, random?: (n: number) => Uint8Array) {
    this.#db = db;
    this.#nowMs = nowMs;
    this.#ledger = new Ledger(db);
    this.ledger = this.#ledger;
    this.#periods = new Periods(db);
    this.#joins = new JoinRecords(db);
    this.joins = this.#joins;
    this.#audit = new AuditLog(db, () => this.#ledger.totals(), random);
    this.audit = this.#audit;
    this.#approvals = new ApprovalRecords(db);
    this.#heads = new AuditExchange(db, this.#audit, this.#ledger);
    this.heads = this.#heads;
  }

  /**
   * Makes a state durable, with all that it holds, in one transaction. What stands already is never written over:
   * attempts, sealed bytes and openings are only added. What a protected job costs is entered in the same transaction.
   * @throws StateError STATE_FAILED, PolicyError BUDGET_EXCEEDED or BUDGET_UNIT, and nothing was changed
   */
  save(state: JobState, detail?: string): void {
    this.#durably(() => this.#write(state, detail));
  }

  /** A coordinator has spoken of the job with this epoch. It never falls. @throws StateError STATE_FAILED */
  raiseEpoch(job: string, epoch: number): void {
    this.#durably(() => this.#prepare('UPDATE jobs SET epoch = max(epoch, ?) WHERE job = ?').run(epoch, job));
  }

  /** The period of a dataset after the word of node.yaml. @throws StateError PERIOD_ENDED, STATE_FAILED */
  periodFromFile(dataset: string, period: string): string {
    return this.#durably(() => {
      const before = this.#periods.current(dataset);
      const now = this.#periods.fromFile(dataset, period, this.#nowMs());
      if (now !== before) this.#audit.enter({ kind: 'period', dataset, period: now }, this.#nowMs());
      return now;
    });
  }

  /** Ends the period of a dataset and begins the next one. @throws StateError PERIOD_ENDED, STATE_FAILED */
  declarePeriod(dataset: string, period: string): void {
    this.#durably(() => {
      this.#periods.declare(dataset, period, this.#nowMs());
      this.#audit.enter({ kind: 'period', dataset, period }, this.#nowMs());
    });
  }

  /** The period that runs now, where one was ever declared. */
  period(dataset: string): string | undefined {
    return this.#periods.current(dataset);
  }

  snapshot(dataset: string, period: string): SnapshotRecord | undefined {
    return this.#periods.snapshot(dataset, period);
  }

  /** Enters the one reading of a period. @throws SourceError SNAPSHOT_OTHER; StateError STATE_FAILED */
  enterSnapshot(dataset: string, period: string, record: Omit<SnapshotRecord, 'readMs'>): void {
    this.#durably(() => this.#periods.enter(dataset, period, { ...record, readMs: this.#nowMs() }));
  }

  /** What the owner is told of a join. @throws StateError STATE_FAILED */
  enterJoin(record: JoinRecord): void {
    this.#durably(() => this.#joins.enter(record, this.#nowMs()));
  }

  /** How many matches the party was told of. @throws StateError STATE_FAILED */
  enterMatches(job: string, matches: number): void {
    this.#durably(() => this.#joins.enterMatches(job, matches));
  }

  /** What is entered in the audit log beside the lives of jobs, in one transaction. @throws StateError STATE_FAILED */
  audited<T>(work: (log: AuditLog, nowMs: number, heads: AuditExchange) => T): T {
    return this.#durably(() => work(this.#audit, this.#nowMs(), this.#heads));
  }

  /**
   * A person's decision on a job: who, what, why and when are in the document. Those of a job are only added, and nothing
   * is opened after one that ends it. @throws StateError STATE_FAILED
   */
  enterApproval(signed: SignedApproval): void {
    const { job, decision, by, reason } = signed.approval;
    this.#durably(() => {
      const now = this.#nowMs();
      this.#approvals.enter(signed, now);
      const approval = toHex(hashJson(signed));
      this.#audit.enter({ kind: 'approval', job, decision, by, reason, approval }, now);
    });
  }

  /** The decisions on a job, in the order in which they came. */
  approvals(job: string): SignedApproval[] {
    return this.#approvals.of(job);
  }

  /** The hashes of all decisions, as the audit log has them. One that is no document has another than any entry. */
  approvalHashes(): Set<string> {
    return new Set(this.#approvals.texts().map(hashOfText));
  }

  /** The ids that begin so, at most two: enough to tell one from none and from several. */
  beginning(prefix: string): string[] {
    const rows = this.#prepare('SELECT job FROM jobs WHERE substr(job, 1, ?) = ? ORDER BY job LIMIT 2');
    return (rows.all(prefix.length, prefix) as { job: string }[]).map(({ job }) => job);
  }

  /** The state of a job, with the bytes that it holds. */
  load(job: string): JobState | undefined {
    const row = this.#prepare('SELECT * FROM jobs WHERE job = ?').get(job) as JobRow | undefined;
    return row === undefined ? undefined : this.#read(row);
  }

  /** What a job calls itself, in the words of its analyst. */
  asked(job: string): { readonly title: string; readonly purpose: string } {
    const row = this.#prepare('SELECT signed FROM jobs WHERE job = ?').get(job) as { signed: string } | undefined;
    const asked = row === undefined ? undefined : (JSON.parse(row.signed) as SignedJob).envelope.job;
    return { title: asked?.title ?? '', purpose: asked?.purpose ?? '' };
  }

  /** Which jobs have not ended, oldest first. Each is read by itself: one that is damaged keeps back no other. */
  open(): string[] {
    const rows = this.#prepare('SELECT job FROM jobs WHERE ended = 0 ORDER BY received_ms, job');
    return (rows.all() as { job: string }[]).map(({ job }) => job);
  }

  /** The jobs that wait for people here, oldest first. */
  waiting(): JobState[] {
    const rows = this.#prepare(`SELECT * FROM jobs WHERE status = 'AWAITING_APPROVAL' ORDER BY received_ms, job`);
    return (rows.all() as JobRow[]).map((row) => this.#read(row));
  }

  /** A job as it was before its opening was delivered, with the bytes; undefined where none was. */
  delivered(job: string): Opening | undefined {
    const row = this.#prepare(`SELECT * FROM jobs WHERE job = ? AND status = 'RESULT'`).get(job) as JobRow | undefined;
    return row === undefined ? undefined : (this.#read({ ...row, status: 'OPENING' }) as Opening);
  }

  /** The jobs changed last, newest first. */
  list(limit = 100): JobSummary[] {
    const rows = this.#prepare('SELECT * FROM jobs ORDER BY changed_ms DESC, job LIMIT ?').all(limit) as JobRow[];
    return rows.map((row) => ({
      job: row.job,
      status: row.status,
      attempt: row.attempt,
      report: row.report === null ? null : (JSON.parse(row.report) as ErrorReport),
      detail: row.detail,
      changedMs: row.changed_ms,
    }));
  }

  /** What the metrics tell of it. */
  counts(): Counts {
    const rows = this.#prepare('SELECT status, count(*) AS count FROM jobs GROUP BY status').all() as {
      status: string;
      count: number;
    }[];
    const [ledgerEntries, auditEntries, released] = ['ledger', 'audit', 'released'].map(
      (table) => this.#prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number,
    ) as [number, number, number];
    const jobs = Object.fromEntries(rows.map(({ status, count }) => [status, count]));
    return { jobs, ledgerEntries, auditEntries, released };
  }

  /** Writes what stands there already: whatever stands in the way of a write shows. @throws StateError STATE_FAILED */
  probe(): void {
    this.#durably(() => this.#db.pragma(`user_version = ${this.#db.pragma('user_version', { simple: true })}`));
  }

  /** Whether the database is what it says it is; for the doctor. */
  integrity(datasets: NodeConfig['datasets']): Finding[] {
    return integrityFindings(this.#db, datasets, this.#periods, true);
  }

  /** Everything that this party let out, oldest first: entered in the transaction before the first byte left. */
  released(): Released[] {
    return this.#prepare(
      `SELECT job, attempt, released_ms AS releasedMs, analyst, title, purpose, rule, min_group AS minGroup, bytes,
         delivered_ms AS deliveredMs FROM released ORDER BY released_ms, job`,
    ).all() as Released[];
  }

  close(): void {
    this.#db.close();
  }

  #durably<T>(work: () => T): T {
    try {
      const result = this.#db.transaction(work)();
      assertDurable(this.#db);
      return result;
    } catch (error) {
      throw stateError(error);
    }
  }

  #write(state: JobState, detail: string | undefined): void {
    const now = this.#nowMs();
    const { job, attempt, status, claim } = state;
    const before = this.#prepare('SELECT status, attempt FROM jobs WHERE job = ?').get(job) as JobRow | undefined;
    this.#prepare(
      `INSERT INTO jobs (job, status, attempt, expires_ms, signed, report, detail, received_ms, changed_ms, ended, claim,
         hold, epoch)
       VALUES (@job, @status, @attempt, @expires, @signed, @report, @detail, @now, @now, @ended, @claim, @hold, @epoch)
       ON CONFLICT (job) DO UPDATE SET status = @status, attempt = @attempt, report = @report,
         detail = coalesce(@detail, detail), changed_ms = @now, ended = @ended, claim = @claim, hold = @hold,
         epoch = max(epoch, @epoch)`,
    ).run({
      job,
      status,
      attempt,
      expires: state.expiresMs,
      signed: JSON.stringify(state.signed),
      epoch: state.epoch ?? 0,
      report: 'report' in state ? JSON.stringify(state.report) : null,
      detail: detail ?? null,
      now,
      ended: isTerminal(status) ? 1 : 0,
      claim: claim === undefined ? null : claimText(claim),
      hold: status === 'AWAITING_APPROVAL' ? JSON.stringify(state.hold) : null,
    });
    if (claim !== undefined) this.#settle(state, claim, now);
    if (status === 'ACCEPTED') {
      if (attempt > 1) this.#renounce(job, attempt - 1, now);
      this.#accept(job, attempt, state.acceptance, 1);
    }
    if (status === 'RUNNING') {
      this.#prepare('INSERT INTO attempts (job, attempt, started_ms) VALUES (?, ?, ?)').run(job, attempt, now);
      for (const acceptance of state.acceptances) this.#accept(job, attempt, acceptance, 0);
    }
    if (status === 'COMMITTED') {
      this.#prepare('INSERT INTO sealed (job, attempt, sha256, bytes) VALUES (?, ?, ?, ?)').run(
        job,
        attempt,
        sha256(state.sealed),
        state.sealed,
      );
    }
    if (status === 'OPENING') this.#release(state, now);
    if (status === 'RESULT') this.#prepare('UPDATE released SET delivered_ms = ? WHERE job = ?').run(now, job);
    const charged = status === 'OPENING' ? this.#ledger.charged(job) : undefined;
    for (const event of eventsOf(before, state, charged)) this.#audit.enter(event, now);
  }

  /** Within the transaction of the state: a charge is as durable as the opening that it pays for. */
  #settle({ job, status, attempt }: JobState, claim: Claim, now: number): void {
    // What the first attempt held back stays so for the next one.
    if (status === 'ACCEPTED' && attempt === 1) this.#ledger.reserve(job, claim, now);
    else if (status === 'RUNNING') this.#ledger.begin(job, claim, now);
    else if (status === 'OPENING') this.#ledger.charge(job, claim, now);
    else if (isTerminal(status)) this.#ledger.release(job, now);
  }

  /** The tables refuse an opening of this attempt, or of one before it, from here on; see database.ts. */
  #renounce(job: string, attempt: number, now: number): void {
    this.#prepare('INSERT INTO renounced (job, attempt, renounced_ms) VALUES (?, ?, ?)').run(job, attempt, now);
  }

  #accept(job: string, attempt: number, acceptance: SignedAcceptance, own: 0 | 1): void {
    this.#prepare('INSERT INTO acceptances (job, attempt, party, own, acceptance) VALUES (?, ?, ?, ?, ?)').run(
      job,
      attempt,
      acceptance.acceptance.party,
      own,
      JSON.stringify(acceptance),
    );
  }

  #release(state: Extract<JobState, { status: 'OPENING' }>, now: number): void {
    const { job, attempt, acceptance, opening, signed } = state;
    this.#prepare('INSERT INTO openings (job, attempt, commitments, signatures) VALUES (?, ?, ?, ?)').run(
      job,
      attempt,
      JSON.stringify(opening.commitments),
      JSON.stringify(opening.signatures),
    );
    const { envelope } = signed;
    this.#prepare(
      `INSERT INTO released (job, attempt, released_ms, analyst, title, purpose, rule, min_group, bytes, sha256)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      job,
      attempt,
      now,
      envelope.analyst,
      envelope.job.title ?? '',
      envelope.job.purpose,
      acceptance.acceptance.rule,
      acceptance.acceptance.min_group,
      opening.sealed.length,
      sha256(opening.sealed),
    );
  }

  #read(row: JobRow): JobState {
    const { job, attempt } = row;
    const common = {
      job,
      attempt,
      signed: JSON.parse(row.signed) as SignedJob,
      expiresMs: row.expires_ms,
      ...(row.epoch === 0 ? {} : { epoch: row.epoch }),
      ...(row.claim === null ? {} : { claim: claimFrom(row.claim) }),
    };
    switch (row.status) {
      case 'DENIED':
      case 'ABORTED':
        return { ...common, status: row.status, report: JSON.parse(row.report ?? 'null') as ErrorReport };
      case 'AWAITING_APPROVAL':
        return { ...common, status: 'AWAITING_APPROVAL', hold: JSON.parse(row.hold!) as Hold };
      case 'ACCEPTED':
        return { ...common, status: 'ACCEPTED', acceptance: this.#own(job, attempt) };
      case 'RUNNING':
        return {
          ...common,
          status: 'RUNNING',
          acceptance: this.#own(job, attempt),
          acceptances: this.#acceptances(job, attempt, 0),
        };
      case 'COMMITTED':
      case 'HALTED':
        return {
          ...common,
          status: row.status,
          acceptance: this.#own(job, attempt),
          acceptances: this.#acceptances(job, attempt, 0),
          sealed: this.#sealed(job, attempt),
          ...(row.report === null ? {} : { report: JSON.parse(row.report) as ErrorReport }),
        };
      case 'OPENING': {
        const opening = this.#prepare('SELECT commitments, signatures FROM openings WHERE job = ? AND attempt = ?').get(
          job,
          attempt,
        ) as { commitments: string; signatures: string };
        return {
          ...common,
          status: 'OPENING',
          acceptance: this.#own(job, attempt),
          opening: {
            sealed: this.#sealed(job, attempt),
            commitments: JSON.parse(opening.commitments) as Record<string, string>,
            signatures: JSON.parse(opening.signatures) as Record<string, string>,
          },
        };
      }
      default:
        return { ...common, status: row.status };
    }
  }

  #own(job: string, attempt: number): SignedAcceptance {
    return this.#acceptances(job, attempt, 1)[0]!;
  }

  #acceptances(job: string, attempt: number, own: 0 | 1): SignedAcceptance[] {
    const rows = this.#prepare(
      'SELECT acceptance FROM acceptances WHERE job = ? AND attempt = ? AND own = ? ORDER BY party',
    ).all(job, attempt, own) as { acceptance: string }[];
    return rows.map((row) => JSON.parse(row.acceptance) as SignedAcceptance);
  }

  #sealed(job: string, attempt: number): Uint8Array {
    const row = this.#prepare('SELECT sha256, bytes FROM sealed WHERE job = ? AND attempt = ?').get(job, attempt) as {
      sha256: Buffer;
      bytes: Buffer;
    };
    // A disk that gives back other bytes must not make two openings of one attempt.
    if (!sha256(row.bytes).equals(row.sha256)) throw new StateError('STATE_FAILED', { field: 'sealed' });
    return new Uint8Array(row.bytes.buffer, row.bytes.byteOffset, row.bytes.byteLength);
  }

  #prepare(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Amounts as text: they are no numbers of JSON. */
function claimText(claim: Claim): string {
  return JSON.stringify(claim, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}

function claimFrom(text: string): Claim {
  return JSON.parse(text, (key, value: unknown) =>
    key === 'micro' || key === 'pico' ? BigInt(value as string) : value,
  ) as Claim;
}

function hashOfText(text: string): string {
  try {
    return toHex(hashJson(JSON.parse(text)));
  } catch {
    return toHex(hashJson(text));
  }
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
