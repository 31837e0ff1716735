/**
 * What a process says of its own health to those who watch it: one word for each thing it needs, with the code of what is
 * wrong. Nothing in it comes from a record or a job.
 *
 * Whoever can reach the port may ask, and a check may write to a disk: so the checks are made once in `everyMs` at most,
 * and those who ask in between are told the same.
 * @module
 */
import { type ErrorCode, reportOf } from '@folkmoot/core/errors.js';
import type { Clock } from './clock.ts';

/** Supervisors ask every ten seconds or more. */
const everyMs = 5_000;

/** Throws what is wrong. */
export type Checks = Readonly<Record<string, () => void | Promise<void>>>;

export interface CheckResult {
  readonly check: string;
  readonly ok: boolean;
  readonly code?: ErrorCode;
  readonly remedy?: string;
}

export interface HealthReport {
  readonly status: 'ok' | 'failing' | 'stopping';
  readonly version: string;
  /** The process’s own clock, in ISO 8601. */
  readonly time: string;
  readonly checks: readonly CheckResult[];
}

export interface Health {
  look(): Promise<HealthReport>;
  /** From now on the process takes no more work: it says so until its end. */
  stopping(): void;
}

export function createHealth(options: { version: string; clock: Clock; checks: Checks }): Health {
  const { version, clock, checks } = options;
  let looked: { readonly atMs: number; readonly results: Promise<readonly CheckResult[]> } | undefined;
  let isStopping = false;
  return {
    async look() {
      const nowMs = clock.now();
      // A clock that was set back must not keep an old word alive.
      if (looked === undefined || Math.abs(nowMs - looked.atMs) >= everyMs) {
        looked = { atMs: nowMs, results: Promise.all(Object.entries(checks).map(resultOf)) };
      }
      const results = await looked.results;
      const status = results.every(({ ok }) => ok) ? 'ok' : 'failing';
      return {
        status: isStopping ? 'stopping' : status,
        version,
        time: new Date(nowMs).toISOString(),
        checks: results,
      };
    },
    stopping() {
      isStopping = true;
    },
  };
}

async function resultOf([check, look]: [string, Checks[string]]): Promise<CheckResult> {
  try {
    await look();
    return { check, ok: true };
  } catch (error) {
    const { code, remedy } = reportOf(error);
    return { check, ok: false, code, remedy };
  }
}

/** What a supervisor reads of an answer: 200 while all is well. */
export function httpStatusOf({ status }: HealthReport): 200 | 503 {
  return status === 'ok' ? 200 : 503;
}
