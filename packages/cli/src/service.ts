/**
 * A command that runs until it is told to stop: says when it is ready, then waits, then closes in good order.
 * @module
 */
import type { Invocation } from './command.ts';

interface Running {
  stop(): Promise<void>;
}

interface Announcement {
  /** One line of JSON on stdout with `--json`: whoever started this process waits for it. */
  readonly ready: object;
  readonly text: string;
}

/** SIGTERM and Ctrl-C are how a service ends, so that is no failure. */
export async function untilStopped<R extends Running>(
  { output, signal }: Invocation,
  start: () => Promise<R>,
  announce: (running: R) => Announcement,
): Promise<undefined> {
  const running = await start();
  try {
    const { ready, text } = announce(running);
    if (output.json) output.line(ready);
    else output.note(text);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  } finally {
    await running.stop();
  }
  return undefined;
}
