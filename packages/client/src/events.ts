/**
 * A job's events, followed to its end: server-sent events that are taken up again where a connection broke.
 *
 * After a break the stream goes on after the last event that was seen (`Last-Event-ID`), with growing pauses and some
 * chance in them, so that many followers do not come back at once. It gives up when nothing can be reached for long.
 * @module
 */
import { type ErrorReport, isFolkmootError, TransportError } from '@folkmoot/core/errors.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import { type Http, harmless, reportFrom } from './http.ts';

const endings = ['DONE', 'FAILED', 'CANCELLED', 'EXPIRED', 'POISONED'] as const;
export const jobStates = ['QUEUED', 'INVITING', 'READY', 'RUNNING', ...endings] as const;
export type JobStateName = (typeof jobStates)[number];

const verdicts = ['awaiting', 'accepted', 'denied', 'failed', 'opened'] as const;
/** What a party did last: `awaiting` says that a person there has to approve the job. */
export type Verdict = (typeof verdicts)[number];

export function isVerdict(value: unknown): value is Verdict {
  return (verdicts as readonly unknown[]).includes(value);
}

interface Common {
  /** Counts what is kept of a job's history. */
  readonly sequence: number;
  /** By the coordinator's clock. */
  readonly at: string;
  readonly attempt: number;
}

/** How far the slowest party is. It is not kept: who comes later does not get it again. */
export interface JobProgress extends Omit<Common, 'sequence'> {
  readonly type: 'progress';
  readonly phase: string;
  /** The part of the phase that is done, from 0 to 1. */
  readonly done: number;
}

export type JobEvent = JobProgress | JobEntry;

type JobEntry = Common &
  (
    | {
        readonly type: 'state';
        readonly state: JobStateName;
        readonly error?: ErrorReport;
        /** The attempt before failed of this, and this is another one. */
        readonly setback?: ErrorReport;
        /** An earlier job put the same question, and its answer is this one's too. */
        readonly same_as?: string;
      }
    | {
        readonly type: 'party';
        readonly party: string;
        /** It is the job's helper. */
        readonly helper?: true;
        readonly did: Verdict;
        readonly report?: ErrorReport;
      }
    | { readonly type: 'phase'; readonly party: string; readonly helper?: true; readonly phase: string }
  );

/** No event of the coordinator comes near: the longest holds one report. */
const eventLengthMax = 64 * 1024;
/** Pauses of 0.5 s, 1 s, 2 s … 30 s: about ten minutes in all. */
const pauseFirstMs = 500;
const pauseMaxMs = 30_000;
const failuresMax = 24;
/** The coordinator says that it is there every 15 s. */
const silenceMs = 60_000;

export interface Following {
  readonly http: Http;
  readonly job: string;
  readonly clock: Clock;
  readonly randomBytes: (n: number) => Uint8Array;
  readonly signal?: AbortSignal | undefined;
}

export function hasEnded(state: JobStateName): boolean {
  return (endings as readonly JobStateName[]).includes(state);
}

/** @throws StateError UNKNOWN_JOB, TransportError UNREACHABLE */
export async function* follow(following: Following): AsyncGenerator<JobEvent, void> {
  const { http, job, clock, signal } = following;
  let last = 0;
  let failures = 0;
  for (;;) {
    const silence = new AbortController();
    const watch = () => clock.after(silenceMs, () => silence.abort());
    let stop = watch();
    try {
      const headers = { accept: 'text/event-stream', 'last-event-id': String(last) };
      const both = signal === undefined ? silence.signal : AbortSignal.any([silence.signal, signal]);
      const response = await http.open(`/v1/jobs/${job}/events`, { headers, signal: both });
      for await (const event of eventsOf(response, () => {
        stop();
        stop = watch();
      })) {
        failures = 0;
        if (event.type !== 'progress') {
          if (event.sequence <= last) continue;
          last = event.sequence;
        }
        yield event;
        if (event.type === 'state' && hasEnded(event.state)) return;
      }
    } catch (error) {
      if (signal?.aborted === true || !isPassing(error)) throw error;
      if (++failures > failuresMax) throw error;
    } finally {
      stop();
      silence.abort();
    }
    await pause(following, failures);
  }
}

/** Whether trying again may help. */
function isPassing(error: unknown): boolean {
  if (!isFolkmootError(error)) return true;
  return ['UNREACHABLE', 'LINK_LOST', 'BUSY', 'STATE_FAILED', 'INTERNAL'].includes(error.code);
}

async function pause({ clock, randomBytes, signal }: Following, failures: number): Promise<void> {
  const longest = Math.min(pauseMaxMs, pauseFirstMs * 2 ** failures);
  const delayMs = longest / 2 + (longest / 2) * (randomBytes(1)[0]! / 256);
  await new Promise<void>((resolve, reject) => {
    const stop = clock.after(delayMs, resolve);
    const onAbort = () => {
      stop();
      reject(new TransportError('UNREACHABLE', { detail: 'the request was given up' }));
    };
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The events of one response; `onSign` is called for every sign of life. */
async function* eventsOf(response: Response, onSign: () => void): AsyncGenerator<JobEvent, void> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const piece of response.body ?? []) {
      onSign();
      const blocks = (rest + decoder.decode(piece, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      if (rest.length > eventLengthMax) throw new TransportError('FRAME_TOO_LARGE', { detail: 'an event' });
      for (const block of blocks) {
        const event = eventFrom(block);
        if (event !== undefined) yield event;
      }
    }
  } catch (cause) {
    throw isFolkmootError(cause) ? cause : new TransportError('LINK_LOST', { cause });
  }
}

/** The event in a block of lines; undefined for comments and for what a later version may send. */
function eventFrom(block: string): JobEvent | undefined {
  const data = block
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => line.slice('data: '.length))
    .join('\n');
  if (data === '') return undefined;
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(data) as Record<string, unknown>;
  } catch {
    throw new TransportError('BAD_CONTROL', { detail: 'an event is not JSON' });
  }
  const { type, sequence, at, attempt, party, state, did, phase } = value;
  if (!Number.isSafeInteger(attempt) || typeof at !== 'string') return undefined;
  const when = { at: harmless(at), attempt: attempt as number };
  if (type === 'progress') return progressFrom(value, when);
  if (!Number.isSafeInteger(sequence)) return undefined;
  const common = { sequence: sequence as number, ...when };
  if (type === 'state' && jobStates.includes(state as JobStateName)) {
    const error = reportFrom(value.error);
    const setback = reportFrom(value.setback);
    const { same_as } = value;
    return {
      ...common,
      type,
      state: state as JobStateName,
      ...(error === undefined ? {} : { error }),
      ...(setback === undefined ? {} : { setback }),
      ...(typeof same_as === 'string' ? { same_as: harmless(same_as) } : {}),
    };
  }
  if (typeof party !== 'string') return undefined;
  const by = { party: harmless(party), ...(value.helper === true ? { helper: true as const } : {}) };
  if (type === 'phase' && typeof phase === 'string') return { ...common, type, ...by, phase: harmless(phase) };
  if (type === 'party' && isVerdict(did)) {
    const report = reportFrom(value.report);
    return { ...common, type, ...by, did, ...(report === undefined ? {} : { report }) };
  }
  return undefined;
}

function progressFrom(
  { phase, done }: Record<string, unknown>,
  when: Pick<JobProgress, 'at' | 'attempt'>,
): JobProgress | undefined {
  const fits = typeof phase === 'string' && typeof done === 'number' && done >= 0 && done <= 1;
  return fits ? { ...when, type: 'progress', phase: harmless(phase), done } : undefined;
}
