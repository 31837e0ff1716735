/**
 * A party's audit log: everything that matters, in the order in which it happened, as a Merkle tree (RFC 6962 hashing).
 *
 * An entry is written in the transaction of the state that it is about: neither is on the disk without the other. Rows are
 * only added; the tables refuse anything else, but for one thing: what is older than the charter keeps loses its text and
 * its salt, while its commitment and the tree stay. Whoever opens the file without these triggers can change it all, and
 * is found out by the signatures of others (audit-exchange.ts).
 *
 * Costs  about three rows an entry; a root or a proof reads (log₂ n)² of them at most
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import {
  type AuditEvent,
  type AuditPayload,
  commitmentOf,
  type LedgerTotal,
  leafOf,
  saltBytes,
} from '@folkmoot/core/audit-entry.js';
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import { StateError } from '@folkmoot/core/errors.js';
import { canonicalJson, hashJson, sha256 } from '@folkmoot/core/hash.js';
import { append, consistencyProof, inclusionProof, type NodeAt, rootOf } from '@folkmoot/core/merkle-tree.js';
import type Database from 'better-sqlite3';
import type { LedgerEntry } from './ledger.ts';
import { isTerminal, type JobState } from './lifecycle.ts';

/** The tables; see database.ts. */
export const auditTables = `
  CREATE TABLE audit (
    entry INTEGER PRIMARY KEY, commitment TEXT NOT NULL, salt TEXT, payload TEXT,
    kind TEXT GENERATED ALWAYS AS (payload ->> '$.kind') VIRTUAL,
    job TEXT GENERATED ALWAYS AS (payload ->> '$.job') VIRTUAL,
    CHECK ((salt IS NULL) = (payload IS NULL))
  ) STRICT;
  CREATE INDEX audit_by_kind ON audit (kind, entry);
  CREATE INDEX audit_by_job ON audit (job, entry);
  CREATE TABLE audit_nodes (
    level INTEGER NOT NULL, place INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (level, place)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER audit_is_in_order BEFORE INSERT ON audit
    WHEN new.entry IS NOT (SELECT coalesce(max(entry) + 1, 0) FROM audit)
    BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
  CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    WHEN new.entry <> old.entry OR new.commitment <> old.commitment OR new.payload IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
  CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
  CREATE TRIGGER audit_nodes_are_not_changed BEFORE UPDATE ON audit_nodes
    BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
  CREATE TRIGGER audit_nodes_are_not_cut BEFORE DELETE ON audit_nodes
    BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;`;

const dayMs = 24 * 3600 * 1000;

/** An entry as it stands in the table; text and salt are null once they were dropped. */
export interface AuditRow {
  readonly entry: number;
  readonly commitment: string;
  readonly salt: string | null;
  readonly payload: string | null;
}

/** What a node runs, as its log says it. */
export interface Running {
  readonly charter: string;
  readonly version: number;
  /** Hashes of the policy and of node.yaml. */
  readonly policy: string;
  readonly file: string;
  readonly build: string;
}

/** The log within a node's database. What writes belongs into the caller's transaction. */
export class AuditLog {
  readonly #db: Database.Database;
  readonly #totals: () => readonly LedgerTotal[];
  readonly #randomBytes: (n: number) => Uint8Array;
  readonly #statements = new Map<string, Database.Statement>();

  /** `totals` is what the ledger beside it has spent. */
  constructor(
    db: Database.Database,
    totals: () => readonly LedgerTotal[],
    random: (n: number) => Uint8Array = randomBytes,
  ) {
    this.#db = db;
    this.#totals = totals;
    this.#randomBytes = random;
  }

  size(): number {
    return this.#prepare('SELECT coalesce(max(entry) + 1, 0) FROM audit').pluck().get() as number;
  }

  /** Of the first so many entries, in hexadecimal digits. */
  root(size: number = this.size()): string {
    return toHex(rootOf(size, this.nodeAt));
  }

  /** That the log of size `to` begins with that of size `from`. */
  consistency(from: number, to: number): string[] {
    return consistencyProof(from, to, this.nodeAt).map(toHex);
  }

  inclusion(entry: number, size: number): string[] {
    return inclusionProof(entry, size, this.nodeAt).map(toHex);
  }

  /** A whole node, in hexadecimal digits; undefined where it is not there. */
  storedNode(level: number, index: number): string | undefined {
    const statement = this.#prepare('SELECT hash FROM audit_nodes WHERE level = ? AND place = ?');
    return statement.pluck().get(level, index) as string | undefined;
  }

  readonly nodeAt: NodeAt = (level, index) => {
    const hash = this.storedNode(level, index);
    // A tree that was cut or overwritten proves nothing; `folkmoot audit verify` says where.
    if (hash === undefined || !/^[0-9a-f]{64}$/.test(hash)) throw new StateError('AUDIT_BROKEN');
    return fromHex(hash);
  };

  /** All entries, or those of a job, in their order. */
  rows(job?: string): AuditRow[] {
    return this.#prepare(
      'SELECT entry, commitment, salt, payload FROM audit WHERE @job IS NULL OR job = @job ORDER BY entry',
    ).all({ job: job ?? null }) as AuditRow[];
  }

  /** The job whose id begins so; undefined where there is none, or several. */
  job(begins: string): string | undefined {
    const found = this.#prepare(
      `SELECT DISTINCT job FROM audit WHERE kind = 'job' AND substr(job, 1, length(@begins)) = @begins LIMIT 2`,
    )
      .pluck()
      .all({ begins }) as string[];
    return found.length === 1 ? found[0] : undefined;
  }

  /** Adds an entry. The first one says what a ledger that is older than the log had spent. */
  enter(event: AuditEvent, nowMs: number): void {
    const size = this.size();
    if (size === 0 && event.kind !== 'begun') {
      this.enter({ kind: 'begun', totals: this.#totals() }, nowMs);
      this.enter(event, nowMs);
      return;
    }
    const payload = canonicalJson({ at: new Date(nowMs).toISOString(), ...event } satisfies AuditPayload);
    const salt = this.#randomBytes(saltBytes);
    const commitment = toHex(commitmentOf(salt, payload));
    this.#prepare('INSERT INTO audit (entry, commitment, salt, payload) VALUES (?, ?, ?, ?)').run(
      size,
      commitment,
      toHex(salt),
      payload,
    );
    const insert = this.#prepare('INSERT INTO audit_nodes (level, place, hash) VALUES (?, ?, ?)');
    for (const { level, index, hash } of append(size, leafOf(commitment), this.nodeAt)) {
      insert.run(level, index, toHex(hash));
    }
  }

  /** At a start: the charter and the configuration, where they are not those of the start before. */
  enterStart({ charter, version, ...configuration }: Running, nowMs: number): void {
    this.#enterIfNew({ kind: 'charter', charter, version }, nowMs);
    this.#enterIfNew({ kind: 'configuration', ...configuration }, nowMs);
  }

  #enterIfNew(event: AuditEvent, nowMs: number): void {
    const last = this.#prepare('SELECT payload FROM audit WHERE kind = ? ORDER BY entry DESC LIMIT 1')
      .pluck()
      .get(event.kind) as string | undefined;
    const { at: _, ...before } = last === undefined ? { at: '' } : (JSON.parse(last) as AuditPayload);
    if (canonicalJson(before) !== canonicalJson(event)) this.enter(event, nowMs);
  }

  /** Drops the texts and salts of the oldest entries, up to the first that is younger than so many days. */
  drop(days: number, nowMs: number): void {
    const until = new Date(nowMs - days * dayMs).toISOString();
    const below = this.#prepare(
      `SELECT coalesce(min(entry), @size) FROM audit WHERE payload IS NOT NULL AND payload ->> '$.at' >= @until`,
    )
      .pluck()
      .get({ size: this.size(), until }) as number;
    const old = this.#prepare('SELECT 1 FROM audit WHERE entry < ? AND payload IS NOT NULL LIMIT 1').get(below);
    if (old === undefined) return;
    this.enter({ kind: 'retention', below, days, totals: this.#totals() }, nowMs);
    this.#prepare('UPDATE audit SET salt = NULL, payload = NULL WHERE entry < ? AND payload IS NOT NULL').run(below);
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

/** What a job's new state says in the log. `before` is what stood there, `charged` what the ledger has entered for its opening. */
export function eventsOf(
  before: Pick<JobState, 'status' | 'attempt'> | undefined,
  state: JobState,
  charged: LedgerEntry | undefined,
): AuditEvent[] {
  const { job, attempt, status } = state;
  // What people are asked to approve may become another thing while they are waited for.
  const isNew = before?.status !== status || before.attempt !== attempt || status === 'AWAITING_APPROVAL';
  if (!isNew) return [];
  if (isTerminal(status) && status !== 'DENIED') return [endOf(state)];
  switch (state.status) {
    case 'RECEIVED': {
      const { analyst, job: asked } = state.signed.envelope;
      return [{ kind: 'job', job, analyst, title: asked.title ?? '', purpose: asked.purpose }];
    }
    case 'DENIED':
      return [{ kind: 'verdict', job, verdict: 'denied', code: state.report.code }];
    case 'AWAITING_APPROVAL':
      return [{ kind: 'verdict', job, verdict: 'waits', rule: state.hold.rule }];
    case 'ACCEPTED':
      if (attempt > 1) return [{ kind: 'renunciation', job, attempt: attempt - 1 }];
      return [{ kind: 'verdict', job, verdict: 'accepted', ...accepted(state.acceptance) }];
    case 'RUNNING': {
      const parties = state.acceptances.map(({ acceptance }) => acceptance.party).sort();
      return [{ kind: 'attempt', job, attempt, parties }];
    }
    case 'COMMITTED':
      return [{ kind: 'commitment', job, attempt, ...bytesOf(state.sealed) }];
    case 'HALTED':
      return [{ kind: 'halted', job, attempt }];
    case 'OPENING':
      return [...chargeOf(job, charged), { kind: 'opening', job, attempt, ...bytesOf(state.opening.sealed) }];
    default:
      return [];
  }
}

function endOf(state: JobState): AuditEvent {
  const code = 'report' in state ? { code: state.report.code } : {};
  return { kind: 'end', job: state.job, end: state.status, ...code };
}

function accepted(signed: SignedAcceptance) {
  return { rule: signed.acceptance.rule, acceptance: toHex(hashJson(signed)) };
}

function bytesOf(sealed: Uint8Array) {
  return { sha256: toHex(sha256(sealed)), bytes: sealed.length };
}

function chargeOf(job: string, charged: LedgerEntry | undefined): AuditEvent[] {
  if (charged === undefined) return [];
  const { dataset, period, unit, cost } = charged;
  const kind = charged.kind === 'repeat' ? 'repeat' : 'charge';
  return [{ kind, job, dataset, period, unit, micro: cost.micro.toString(), pico: cost.pico.toString() }];
}
