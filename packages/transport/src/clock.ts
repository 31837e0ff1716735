/**
 * Time as an argument, so that tests decide it.
 * @module
 */

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs the action after this long, unless the function returned is called before. */
  after(delayMs: number, action: () => void): () => void;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};
