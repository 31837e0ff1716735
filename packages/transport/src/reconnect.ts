/**
 * Keeps a link up: connects, and after a loss connects again with growing, random pauses, so that the nodes of a
 * coordinator that comes back do not all arrive at once ("full jitter", Brooker, AWS Architecture Blog, 2015).
 * @module
 */
import type { Clock } from './clock.ts';
import { connect, type FrameLink, requireSecure } from './link.ts';

const pauseMsFirst = 250;
/** A coordinator that returns waits for its nodes no longer than this. */
export const pauseMsMax = 30_000;
/** A link that held this long was a good one: the pauses start small again. */
const steadyMs = 10_000;

export interface ReconnectOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly randomBytes: (n: number) => Uint8Array;
  /** A new link is up. */
  onLink(link: FrameLink): void;
  /** An attempt to connect failed, or the link was lost; the next attempt follows after `pauseMs`. */
  onLost(reason: Error | undefined, pauseMs: number): void;
  readonly open?: (url: string, clock: Clock) => Promise<FrameLink>;
}

/** Between nothing and 250 ms · 2^failures, evenly; 30 s at most. */
export function pauseMs(failures: number, randomBytes: (n: number) => Uint8Array): number {
  const most = Math.min(pauseMsMax, pauseMsFirst * 2 ** Math.min(failures, 30));
  const [low, high] = randomBytes(2);
  return Math.floor((most * (low! | (high! << 8))) / 0x10000);
}

/**
 * Begins at once and goes on until stopped.
 * @throws TransportError INSECURE_URL
 */
export function keepConnected(options: ReconnectOptions): { stop(): void } {
  const { url, clock, randomBytes, open = connect } = options;
  requireSecure(url);
  let stopped = false;
  let link: FrameLink | undefined;
  let cancelPause = () => {};
  let failures = 0;

  const again = (reason: Error | undefined) => {
    link = undefined;
    if (stopped) return;
    const pause = pauseMs(failures++, randomBytes);
    options.onLost(reason, pause);
    cancelPause = clock.after(pause, dial);
  };
  const dial = () => {
    open(url, clock).then((opened) => {
      if (stopped) return opened.close();
      link = opened;
      const since = clock.now();
      opened.onClose((reason) => {
        if (clock.now() - since >= steadyMs) failures = 0;
        again(reason);
      });
      options.onLink(opened);
    }, again);
  };

  dial();
  return {
    stop() {
      stopped = true;
      cancelPause();
      link?.close();
    },
  };
}
