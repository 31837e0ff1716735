/**
 * A job's history as server-sent events: what is there after `Last-Event-ID`, then what comes, until the job ends.
 * In between, how far the slowest party is: that has no number, is not kept and is not sent again.
 *
 * The stream is pulled: entries are read from the store when the client has taken those before, so that a slow client
 * costs a connection and no memory.
 * @module
 */
import type { Clock } from '@folkmoot/transport/clock.js';
import type { Coordinator } from './coordinator.ts';
import { hasEnded } from './lifecycle.ts';
import { limits } from './limits.ts';
import type { Progress } from './progress.ts';
import type { NumberedEntry } from './store.ts';

export interface Following {
  readonly coordinator: Pick<Coordinator, 'entries' | 'follow' | 'progress' | 'view'>;
  readonly clock: Clock;
  readonly analyst: string;
  readonly job: string;
  /** The sequence number of the last entry the client has seen. */
  readonly after: number;
  readonly onEnd: () => void;
}

const encoder = new TextEncoder();

export function eventStream(following: Following): ReadableStream<Uint8Array> {
  const { coordinator, clock, analyst, job } = following;
  let { after } = following;
  /** Entries may have come that were not read. */
  let changed = true;
  /** There is progress that was not told. */
  let further = false;
  /** The job has ended: what its history holds from here on is all. */
  let isOver = false;
  let wake: (() => void) | undefined;
  const unfollow = coordinator.follow(job, (what) => {
    if (what === 'entry') changed = true;
    else further = true;
    wake?.();
  });
  const end = () => {
    unfollow();
    wake?.();
    following.onEnd();
  };
  /** Resolves to false when nothing has changed for a while. */
  const nextChange = (): Promise<boolean> =>
    new Promise((resolve) => {
      if (changed || further) return resolve(true);
      const stop = clock.after(limits.keepAliveMs, () => resolve(false));
      wake = () => {
        stop();
        resolve(true);
      };
    });
  /** The next piece of the stream: entries, a comment when there are none for a while, undefined after the last. */
  const next = async (): Promise<string | undefined> => {
    for (;;) {
      if (changed) {
        changed = false;
        const entries = await coordinator.entries(analyst, job, after);
        after = entries.at(-1)?.sequence ?? after;
        // There may be more than come at once.
        changed ||= entries.length > 0;
        if (entries.length > 0) return entries.map(textOf).join('');
        if (isOver) return undefined;
        isOver = hasEnded({ phase: (await coordinator.view(analyst, job)).state });
        // The last entry may have come since they were read.
        changed ||= isOver;
        if (isOver) continue;
      }
      const progress = further ? coordinator.progress(job) : undefined;
      further = false;
      if (progress !== undefined) return progressText(progress, clock.now());
      if (!(await nextChange())) return ': still here\n\n';
    }
  };

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const text = await next();
          if (text !== undefined) return controller.enqueue(encoder.encode(text));
          end();
          return controller.close();
        } catch (error) {
          end();
          return controller.error(error);
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}

function progressText(progress: Progress, nowMs: number): string {
  const data = JSON.stringify({ at: new Date(nowMs).toISOString(), type: 'progress', ...progress });
  return `event: progress\ndata: ${data}\n\n`;
}

function textOf({ sequence, atMs, entry }: NumberedEntry): string {
  const data = JSON.stringify({ sequence, at: new Date(atMs).toISOString(), ...entry });
  return `id: ${sequence}\nevent: ${entry.type}\ndata: ${data}\n\n`;
}
