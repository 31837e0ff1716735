/**
 * How far an attempt is: as far as its slowest party. Not durable; it is for those who watch.
 *
 * The phases have the order in which they were first heard of: no party begins one before another can. Of parties in
 * the same phase the one with the least done is the slowest.
 * @module
 */
import type { PartyId } from '@folkmoot/core/channel.js';
import { limits } from './limits.ts';

export interface Progress {
  readonly attempt: number;
  readonly phase: string;
  /** From 0 to 1. */
  readonly done: number;
}

export class AttemptProgress {
  readonly attempt: number;
  readonly #roster: readonly PartyId[];
  readonly #phases: string[] = [];
  readonly #parties = new Map<PartyId, { readonly place: number; readonly done: number | undefined }>();
  #told: Progress | undefined;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(attempt: number, roster: readonly PartyId[]) {
    this.attempt = attempt;
    this.#roster = roster;
  }

  /** A word of one of the attempt's parties. Whether those who watch are to be told. */
  heard(party: PartyId, phase: string, done: number | undefined, nowMs: number): boolean {
    let place = this.#phases.indexOf(phase);
    if (place < 0) {
      if (this.#phases.length >= limits.phasesPerAttempt) return false;
      place = this.#phases.push(phase) - 1;
    }
    this.#parties.set(party, { place, done });
    const now = this.slowest();
    if (now === undefined || nowMs - this.#toldMs < limits.progressMs) return false;
    if (now.phase === this.#told?.phase && now.done === this.#told.done) return false;
    this.#told = now;
    this.#toldMs = nowMs;
    return true;
  }

  /** Undefined where a party has said nothing yet, or the slowest does not say how much it has done. */
  slowest(): Progress | undefined {
    if (this.#parties.size < this.#roster.length) return undefined;
    const all = [...this.#parties.values()];
    const place = Math.min(...all.map((one) => one.place));
    const behind = all.filter((one) => one.place === place).map(({ done }) => done);
    const told = behind.filter((done) => done !== undefined);
    if (told.length < behind.length) return undefined;
    return { attempt: this.attempt, phase: this.#phases[place]!, done: Math.min(...told) };
  }
}
