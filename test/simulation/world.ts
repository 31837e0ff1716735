/**
 * What all processes of one seed share: time, chance, faults, and the account of what happened.
 * @module
 */
import { createHash, type Hash } from 'node:crypto';
import type { Chance } from './chance.ts';
import type { Faults, Focus } from './faults.ts';
import { untilEnd } from './process.ts';
import { Timeline } from './timeline.ts';

export class World {
  readonly chance: Chance;
  readonly #faults: Faults;
  readonly #focus: Focus | undefined;
  readonly #timeline: Timeline;
  readonly #startMs: number;
  readonly #offsets = new Map<string, number>();
  readonly #print: ((line: string) => void) | undefined;
  readonly #hash: Hash | undefined;
  /** How often each thing happened: faults, states, ends. */
  readonly tally = new Map<string, number>();
  /** The first promise that was broken. */
  violation: string | undefined;
  #isCalm = false;

  constructor(
    chance: Chance,
    { faults, focus }: { readonly faults: Faults; readonly focus: Focus | undefined },
    startMs: number,
    how: { readonly print?: ((line: string) => void) | undefined; readonly hash?: boolean | undefined },
  ) {
    this.chance = chance;
    this.#faults = faults;
    this.#focus = focus;
    this.#startMs = startMs;
    this.#timeline = new Timeline(startMs);
    this.#print = how.print;
    this.#hash = how.hash === true ? createHash('sha256') : undefined;
  }

  get nowMs(): number {
    return this.#timeline.nowMs;
  }

  /** Since the beginning of the seed. */
  get passedMs(): number {
    return this.nowMs - this.#startMs;
  }

  after(delayMs: number, action: () => void): () => void {
    return this.#timeline.after(delayMs, () => untilEnd(action));
  }

  /** Again and again, as long as the seed runs. */
  every(ms: number, action: () => void): void {
    this.after(ms, () => {
      action();
      this.every(ms, action);
    });
  }

  run(untilMs: number, isOver: () => boolean): Promise<void> {
    return this.#timeline.run(this.#startMs + untilMs, () => this.violation !== undefined || isOver());
  }

  /** Whether this fault strikes now. */
  hits(fault: keyof Faults, moment = ''): boolean {
    if (this.#isCalm) return false;
    const focus = this.#focus;
    const isThere = focus?.fault === fault && moment.endsWith(focus.moment);
    return this.chance.hits(isThere ? focus.often : this.#faults[fault]);
  }

  has(fault: keyof Faults): boolean {
    return this.#faults[fault] > 0 || this.#focus?.fault === fault;
  }

  get isCalm(): boolean {
    return this.#isCalm;
  }

  /** From here on nothing fails any more. */
  calm(): void {
    this.#isCalm = true;
    this.note('calm', 'from here on nothing fails');
    for (const name of this.#offsets.keys()) if (this.isFarOff(name)) this.#offsets.set(name, 0);
  }

  clockOffset(process: string): number {
    return this.#offsets.get(process) ?? 0;
  }

  /** By more than clocks may differ. */
  isFarOff(process: string): boolean {
    return Math.abs(this.clockOffset(process)) > 60_000;
  }

  jump(process: string): void {
    const sizes = [-3_600_000, -90_000, -50_000, 0, 50_000, 90_000, 3_600_000];
    const offset = this.chance.pick(sizes);
    this.#offsets.set(process, offset);
    this.note('clockJump', `the clock of ${process} is ${offset} ms off`);
  }

  /** Counts what happened and, where somebody reads it, writes it down. */
  note(what: string, text?: string): void {
    this.count(what);
    if (text !== undefined) this.trace(text);
  }

  count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  get isTraced(): boolean {
    return this.#print !== undefined || this.#hash !== undefined;
  }

  trace(text: string): void {
    if (!this.isTraced) return;
    const line = `${String(this.passedMs).padStart(7)}  ${text}`;
    this.#print?.(line);
    this.#hash?.update(`${line}\n`);
  }

  /** Of all that was traced. */
  traceHash(): string | undefined {
    return this.#hash?.copy().digest('hex');
  }

  /** A promise is broken. */
  broken(text: string): void {
    this.trace(`BROKEN ${text}`);
    this.violation ??= `at ${this.passedMs} ms: ${text}`;
  }

  /** What is promised at this moment. */
  expect(holds: boolean, text: () => string): void {
    if (!holds) this.broken(text());
  }
}
