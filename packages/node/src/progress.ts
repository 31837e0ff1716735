/**
 * How far a computation is, at a pace that a link and a reader can follow: the beginning of every phase at once, and of
 * what is done within it a few words a second, however often the computation says so.
 * @module
 */

/** At least this long between two words about one phase. */
export const paceMs = 250;

export type Tell = (phase: string, done?: number) => void;

/** What a computation calls as often as it likes. */
export function paced(tell: Tell, nowMs: () => number): Tell {
  let current: string | undefined;
  let toldMs = 0;
  return (phase, done) => {
    if (phase !== current) {
      current = phase;
      toldMs = nowMs();
      tell(phase);
    } else if (done !== undefined && done >= 0 && nowMs() - toldMs >= paceMs) {
      toldMs = nowMs();
      tell(phase, Math.min(done, 1));
    }
  };
}
