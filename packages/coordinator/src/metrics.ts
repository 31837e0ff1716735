/**
 * What the coordinator counts, for Prometheus.
 *
 * Labels are names of the program's own (states, codes, kinds of frames, routes) and the charter's parties: never a job,
 * an analyst, a title, or anything else that a job or a record brought, so that the number of series is fixed by the
 * charter and whoever reads them learns what the status page tells, and when.
 * @module
 */
import { type Charter, charterHash, partiesOf } from '@folkmoot/core/charter.js';
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';
import type { Coordinator } from './coordinator.ts';
import type { Traffic } from './counted-link.ts';
import { hasEnded, type JobState, phases } from './lifecycle.ts';

/** From a count over small files to a join of millions. */
const attemptSeconds = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200];
/** A job may wait days for a person's approval. */
const jobSeconds = [1, 5, 15, 60, 300, 900, 3_600, 6 * 3_600, 24 * 3_600, 72 * 3_600];

/** Is told what happens; all else is asked when somebody reads. */
export interface CoordinatorMetrics {
  moved(job: string, before: JobState, after: JobState, at: { readonly submittedMs: number; nowMs: number }): void;
  /** The job goes on at another coordinator: of its attempt nothing more is heard here. */
  dropped(job: string): void;
  opened(sealedBytes: number): void;
  loggedIn(): void;
  linkEnded(code: string): void;
  answered(method: string, route: string, status: number): void;
}

export interface Subject {
  readonly charter: Charter;
  readonly version: string;
  readonly traffic: Traffic;
  /** There is none before it has taken up its jobs. */
  readonly coordinator: () => Coordinator | undefined;
  /** Free bytes where the state is; undefined where that cannot be told. */
  readonly freeBytes: () => number | undefined;
}

export function createMetrics(registry: Registry, subject: Subject): CoordinatorMetrics {
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  watch(registry, subject);
  const started = new Counter({
    name: 'folkmoot_attempts_started_total',
    help: 'Attempts that all parties were told to start',
    registers,
  });
  const ended = new Counter({
    name: 'folkmoot_attempts_ended_total',
    help: 'Attempts that ended, by DONE or the code of what ended them',
    labelNames: ['code'],
    registers,
  });
  const attempts = new Histogram({
    name: 'folkmoot_attempt_duration_seconds',
    help: 'From the start of an attempt to its end',
    buckets: attemptSeconds,
    registers,
  });
  const jobs = new Histogram({
    name: 'folkmoot_job_duration_seconds',
    help: 'From the submission of a job to its end, by the state it ended in',
    labelNames: ['state'],
    buckets: jobSeconds,
    registers,
  });
  const lastMove = new Gauge({
    name: 'folkmoot_last_transition_timestamp_seconds',
    help: 'When a job last went from one state to another; 0 before the first',
    registers,
  });
  const openings = new Counter({
    name: 'folkmoot_openings_stored_total',
    help: 'Sealed openings that were made durable',
    registers,
  });
  const openingBytes = new Counter({
    name: 'folkmoot_openings_stored_bytes_total',
    help: 'Bytes of sealed openings that were made durable',
    registers,
  });
  const logins = new Counter({ name: 'folkmoot_logins_total', help: 'Good logins of nodes', registers });
  const ends = new Counter({
    name: 'folkmoot_links_ended_total',
    help: 'Links of nodes that ended, by the code of the reason',
    labelNames: ['code'],
    registers,
  });
  const requests = new Counter({
    name: 'folkmoot_http_requests_total',
    help: 'Requests to the API, by route and status',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const startedMs = new Map<string, number>();

  const attemptEnded = (job: string, code: string, nowMs: number) => {
    const sinceMs = startedMs.get(job);
    startedMs.delete(job);
    ended.inc({ code });
    if (sinceMs !== undefined) attempts.observe(Math.max(0, nowMs - sinceMs) / 1_000);
  };
  return {
    moved(job, before, after, { submittedMs, nowMs }) {
      if (after.setbacks.length > before.setbacks.length) attemptEnded(job, after.setbacks.at(-1)!.code, nowMs);
      if (after.phase === before.phase) return;
      lastMove.set(nowMs / 1_000);
      if (after.phase === 'READY') {
        started.inc();
        startedMs.set(job, nowMs);
      }
      if (!hasEnded(after)) return;
      if (startedMs.has(job) || before.phase === 'RUNNING') attemptEnded(job, after.error?.code ?? after.phase, nowMs);
      jobs.observe({ state: after.phase }, Math.max(0, nowMs - submittedMs) / 1_000);
    },
    dropped: (job) => void startedMs.delete(job),
    opened(sealedBytes) {
      openings.inc();
      openingBytes.inc(sealedBytes);
    },
    loggedIn: () => logins.inc(),
    linkEnded: (code) => ends.inc({ code }),
    answered: (method, route, status) => requests.inc({ method, route, status: String(status) }),
  };
}

/** What is looked at only when somebody reads. */
function watch(registry: Registry, { charter, version, traffic, coordinator, freeBytes }: Subject): void {
  const registers = [registry];
  new Gauge({
    name: 'folkmoot_build_info',
    help: 'Always 1; the labels say what runs',
    labelNames: ['role', 'version', 'charter'],
    registers,
  }).set({ role: 'coordinator', version, charter: charterHash(charter).slice(0, 12) }, 1);
  new Gauge({
    name: 'folkmoot_jobs',
    help: 'Jobs in the store, by state',
    labelNames: ['state'],
    registers,
    async collect() {
      this.reset();
      // While the database is away nobody can tell; all else is told.
      const counts = await coordinator()
        ?.counts()
        .catch(() => undefined);
      if (counts === undefined) return;
      for (const state of phases) this.set({ state }, counts[state] ?? 0);
    },
  });
  new Gauge({
    name: 'folkmoot_link_up',
    help: '1 while the node of a party is logged in here',
    labelNames: ['party'],
    registers,
    collect() {
      const here = new Set(coordinator()?.connected());
      for (const party of partiesOf(charter)) this.set({ party }, here.has(party) ? 1 : 0);
    },
  });
  const passed = (what: 'frames' | 'bytes') =>
    new Counter({
      name: `folkmoot_link_${what}_total`,
      help: `${what === 'frames' ? 'Frames' : 'Bytes'} over the links of nodes, by kind and direction`,
      labelNames: ['kind', 'direction'],
      registers,
      collect() {
        this.reset();
        for (const [direction, counts] of [
          ['from_node', traffic.sent],
          ['to_node', traffic.received],
        ] as const) {
          for (const [kind, count] of Object.entries(counts)) this.inc({ kind, direction }, count[what]);
        }
      },
    });
  passed('frames');
  passed('bytes');
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
