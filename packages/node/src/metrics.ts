/**
 * What a node counts, for Prometheus.
 *
 * Labels are names of the program's own (states, codes) and the party's datasets: never a job, an analyst, a title, or
 * anything else that a job or a record brought, so that whoever reads the series learns when jobs ran and how they ended.
 * @module
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';
import { isTerminal, type JobState } from './lifecycle.ts';

/** From a count over a small file to a join of millions. */
const attemptSeconds = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200];

/** Is told what happens; all else is asked when somebody reads. */
export interface NodeMetrics {
  /** After the state is durable. */
  moved(state: JobState, nowMs: number): void;
  /**
   * An attempt has ended and another one may follow; the code of what ended it here, or RENOUNCED where it ended
   * elsewhere. What is said again of it is not counted.
   */
  attemptEnded(job: string, code: string, nowMs: number): void;
  linkUp(isUp: boolean): void;
  linkLost(code: string): void;
}

/** What the store knows. */
export interface Counts {
  /** By state. */
  readonly jobs: Readonly<Record<string, number>>;
  readonly ledgerEntries: number;
  readonly auditEntries: number;
  readonly released: number;
}

export interface Subject {
  readonly party: string;
  readonly version: string;
  readonly charterHash: string;
  readonly counts: () => Counts;
  /** Free bytes where the state is; undefined where that cannot be told. */
  readonly freeBytes: () => number | undefined;
}

export function createMetrics(registry: Registry, subject: Subject): NodeMetrics {
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  watch(registry, subject);
  const started = new Counter({
    name: 'folkmoot_attempts_started_total',
    help: 'Attempts whose number was made durable',
    registers,
  });
  const ended = new Counter({
    name: 'folkmoot_attempts_ended_total',
    help: 'Attempts that ended here, by OPENING, RENOUNCED or the code of what ended them',
    labelNames: ['code'],
    registers,
  });
  const attempts = new Histogram({
    name: 'folkmoot_attempt_duration_seconds',
    help: 'From the start of an attempt to its opening or its end',
    buckets: attemptSeconds,
    registers,
  });
  const lastMove = new Gauge({
    name: 'folkmoot_last_transition_timestamp_seconds',
    help: 'When a job last went from one state to another; 0 before the first',
    registers,
  });
  const link = new Gauge({
    name: 'folkmoot_link_up',
    help: '1 while the node is logged in at the coordinator',
    registers,
  });
  const lost = new Counter({
    name: 'folkmoot_links_lost_total',
    help: 'Links that were lost or could not be made, by code',
    labelNames: ['code'],
    registers,
  });
  const startedMs = new Map<string, number>();

  const attemptEnded = (job: string, code: string, nowMs: number) => {
    const sinceMs = startedMs.get(job);
    if (sinceMs === undefined) return;
    startedMs.delete(job);
    ended.inc({ code });
    attempts.observe(Math.max(0, nowMs - sinceMs) / 1_000);
  };
  return {
    moved(state, nowMs) {
      lastMove.set(nowMs / 1_000);
      if (state.status === 'RUNNING') {
        started.inc();
        startedMs.set(state.job, nowMs);
      }
      if (state.status === 'OPENING') attemptEnded(state.job, 'OPENING', nowMs);
      else if (isTerminal(state.status)) {
        attemptEnded(state.job, 'report' in state ? state.report.code : state.status, nowMs);
      }
    },
    attemptEnded,
    linkUp: (isUp) => link.set(isUp ? 1 : 0),
    linkLost: (code) => lost.inc({ code }),
  };
}

/** What is looked at only when somebody reads. */
function watch(registry: Registry, { party, version, charterHash, counts, freeBytes }: Subject): void {
  const registers = [registry];
  new Gauge({
    name: 'folkmoot_build_info',
    help: 'Always 1; the labels say what runs',
    labelNames: ['role', 'party', 'version', 'charter'],
    registers,
  }).set({ role: 'node', party, version, charter: charterHash.slice(0, 12) }, 1);
  new Gauge({
    name: 'folkmoot_jobs',
    help: 'Jobs in the store, by state',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset();
      for (const [state, count] of Object.entries(counts().jobs)) this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'folkmoot_ledger_entries',
    help: 'Entries of the ledger; it never falls',
    registers,
    collect() {
      this.set(counts().ledgerEntries);
    },
  });
  new Gauge({
    name: 'folkmoot_audit_entries',
    help: 'Entries of the audit log; it never falls',
    registers,
    collect() {
      this.set(counts().auditEntries);
    },
  });
  new Gauge({
    name: 'folkmoot_openings_released',
    help: 'Answers that this party has opened its share of; it never falls',
    registers,
    collect() {
      this.set(counts().released);
    },
  });
  new Gauge({
    name: 'folkmoot_state_free_bytes',
    help: 'Free bytes where the state is kept',
    registers,
    collect() {
      const free = freeBytes();
      if (free !== undefined) this.set(free);
    },
  });
}
