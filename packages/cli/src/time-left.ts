/**
 * How far a phase of the slowest party is, in words: `matching 42 %, about 12 s left`.
 *
 * The time left goes on in a straight line from what was first heard of the phase. A guess that rests on less than two
 * seconds, or on a twentieth of the work, is none.
 * @module
 */
import type { JobProgress } from '@folkmoot/client/events.js';

const elapsedMsMin = 2_000;
const doneMin = 0.05;

/** What the phases of a run are called; one that a later version may have is called by its own name. */
const doing: Readonly<Record<string, string>> = {
  agree: 'comparing the terms',
  query: 'reading the records',
  share: 'sharing',
  prepare: 'preparing',
  match: 'matching',
  evaluate: 'computing',
  noise: 'adding noise',
  commit: 'sealing',
  open: 'opening',
  release: 'releasing',
};

export function phaseInWords(phase: string): string {
  return Object.hasOwn(doing, phase) ? doing[phase]! : phase;
}

/** Takes what is heard of one job, and says it. */
export class TimeLeft {
  #first: JobProgress | undefined;

  inWords(now: JobProgress): string {
    const first = this.#first;
    if (first?.phase !== now.phase || first.attempt !== now.attempt || now.done < first.done) this.#first = now;
    const percent = `${phaseInWords(now.phase)} ${Math.floor(now.done * 100)} %`;
    const leftMs = this.#leftMs(now);
    return leftMs === undefined ? percent : `${percent}, about ${lasting(leftMs)} left`;
  }

  #leftMs({ at, done }: JobProgress): number | undefined {
    const elapsedMs = Date.parse(at) - Date.parse(this.#first!.at);
    const since = done - this.#first!.done;
    const tells = elapsedMs >= elapsedMsMin && done > doneMin && since > 0;
    return tells ? (elapsedMs / since) * (1 - done) : undefined;
  }
}

function lasting(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1_000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
