/**
 * Calls that run one after the other, in the order in which they were made.
 *
 * The messages of a session have an order that both ends must share; a caller who does not wait for one call before it
 * makes the next would mix them. A session that has failed has ended: the calls behind a failed one fail with it.
 * @module
 */

export type Turns = <T>(f: () => Promise<T>) => Promise<T>;

/** A queue of its own. */
export function turns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (f) => {
    const next = last.then(f);
    last = next;
    // Who made the call hears of its failure, whether another call is made or not.
    last.catch(() => undefined);
    return next;
  };
}
