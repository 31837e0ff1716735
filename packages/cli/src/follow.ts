/**
 * A job followed to its end, with a line of progress for people.
 * @module
 */
import type { Client } from '@folkmoot/client/client.js';
import { hasEnded, type JobEvent, type JobStateName, type Verdict } from '@folkmoot/client/events.js';
import { errorOf, ProtocolError, StateError, TransportError } from '@folkmoot/core/errors.js';
import type { Progress } from './progress.ts';
import { phaseInWords, TimeLeft } from './time-left.ts';

export interface Following {
  readonly client: Client;
  readonly job: string;
  readonly title: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** How long the parties may take to connect; as long as they like unless given. */
  readonly connectMsMax?: number;
  /** Hears what is kept of the job's history; how far it is in between, is for the line alone. */
  onEvent?(event: JobEvent): void;
}

const words: Readonly<Record<JobStateName, string>> = {
  QUEUED: 'waiting for every party to connect',
  INVITING: 'asking every party',
  READY: 'all parties agree',
  RUNNING: 'computing',
  DONE: 'done',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  EXPIRED: 'expired',
  POISONED: 'broken at every attempt',
};

/** Before the name of the party. */
const didInWords = (did: Verdict): string => (did === 'awaiting' ? 'waiting for a person’s approval at' : did);

/**
 * Resolves when the job is DONE.
 * @throws the error that a job ended with; ProtocolError CANCELLED, StateError NOT_READY
 */
export async function followToEnd({
  client,
  job,
  title,
  progress,
  signal,
  connectMsMax,
  onEvent,
}: Following): Promise<void> {
  /** What each did last. */
  const parties = new Map<string, string>();
  const helpers = new Map<string, string>();
  const timeLeft = new TimeLeft();
  let further: string | undefined;
  let state: JobStateName = 'QUEUED';
  let attempt = 0;
  const show = () => {
    const doing = Map.groupBy([...parties.keys()].sort(), (party) => parties.get(party)!);
    const each = [...doing].map(([phase, who]) => `${phase} ${who.length === 1 ? who[0] : `(${who.length})`}`);
    const helping = [...helpers].map(([helper, phase]) => `${phase} ${helper} (helper)`);
    const doingNow = state === 'INVITING' && attempt > 1 ? 'asking every party once more' : words[state];
    const what = [...(attempt > 1 ? [`attempt ${attempt}`] : []), further ?? doingNow];
    progress.update([title === '' ? job.slice(0, 12) : title, ...what, ...each, ...helping].join(' · '));
  };
  show();
  const late = new AbortController();
  const timer = connectMsMax === undefined ? undefined : setTimeout(() => late.abort(), connectMsMax);
  try {
    for await (const event of client.events(job, { signal: AbortSignal.any([signal, late.signal]) })) {
      if (event.type === 'progress') {
        further = timeLeft.inWords(event);
        show();
        continue;
      }
      onEvent?.(event);
      further = undefined;
      if (event.attempt > attempt) {
        attempt = event.attempt;
        parties.clear();
        helpers.clear();
      }
      if (event.type !== 'state' || event.state !== 'QUEUED') clearTimeout(timer);
      if (event.type !== 'state') {
        const doing = event.helper === true ? helpers : parties;
        doing.set(event.party, event.type === 'phase' ? phaseInWords(event.phase) : didInWords(event.did));
      } else {
        state = event.state;
        if (state === 'DONE') return;
        if (event.error !== undefined) throw errorOf(event.error);
        if (state === 'CANCELLED') throw new ProtocolError('CANCELLED');
        if (hasEnded(state)) throw new StateError('INTERNAL', { detail: words[state] });
      }
      show();
    }
    throw new StateError('NOT_READY', { detail: 'the coordinator ended its report' });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw late.signal.aborted ? new TransportError('UNREACHABLE', { detail: 'a party does not connect' }) : error;
  } finally {
    clearTimeout(timer);
    progress.clear();
  }
}
