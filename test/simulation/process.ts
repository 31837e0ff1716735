/**
 * A process of the simulation: it has a clock of its own that may jump, and it may end between any two of its effects.
 * What it holds in memory goes with it; its database stays.
 * @module
 */
import type { Clock } from '@folkmoot/transport/clock.js';
import type { World } from './world.ts';

/** Whatever was under way in a process that has ended. It is caught by the code under test, and comes to nothing. */
export class Ended extends Error {}

export class Process {
  readonly name: string;
  readonly #world: World;
  #alive = true;
  #asleepUntilMs = 0;
  readonly #onEnd: () => void;

  /** `onEnd` is called when it ends by a fault. */
  constructor(name: string, world: World, onEnd: () => void) {
    this.name = name;
    this.#world = world;
    this.#onEnd = onEnd;
  }

  get alive(): boolean {
    return this.#alive;
  }

  readonly clock: Clock = {
    now: () => this.#world.nowMs + this.#world.clockOffset(this.name),
    after: (delayMs, action) => this.#world.after(delayMs, () => this.whenAwake(action)),
  };

  /** Does not run for so long, and goes on as if nothing had been: as SIGSTOP and SIGCONT have it. */
  pause(ms: number): void {
    this.#world.note('pause', `${this.name} sleeps for ${ms} ms`);
    this.#asleepUntilMs = this.#world.nowMs + ms;
  }

  /** Now, or when it has slept; in the order asked. */
  whenAwake(action: () => void): void {
    if (!this.#alive) return;
    const sleepMs = this.#asleepUntilMs - this.#world.nowMs;
    if (sleepMs > 0) this.#world.after(sleepMs, () => this.whenAwake(action));
    else action();
  }

  /**
   * Between two effects: the process may end here.
   * @throws Ended, also where it had ended before
   */
  point(what: string): void {
    if (this.#alive && this.#world.hits('crash', what)) {
      this.#world.note('crash', `${this.name} ends at ${what}`);
      this.end();
    }
    if (!this.#alive) throw new Ended();
  }

  end(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#onEnd();
  }
}

/** What a process that ended had begun is not gone on with. */
export function untilEnd(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
  }
}
