/**
 * Signals as an AbortSignal: Ctrl-C, SIGTERM, SIGHUP, and the end of the process that started this one.
 *
 * A second signal is taken for the first one's echo (a terminal signals the whole group, and the launcher forwards):
 * what is being stopped has its own limit of time.
 * @module
 */
import { constants } from 'node:os';
import { StateError } from '@folkmoot/core/errors.js';

export interface Interrupt {
  readonly signal: AbortSignal;
  /** 128 + the signal's number, once there was one. */
  readonly exitCode: number | undefined;
  release(): void;
}

/** Listens from now until `release`. */
export function onInterrupt(): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const stop = (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') => {
    if (exitCode !== undefined) return;
    exitCode = 128 + constants.signals[signal];
    controller.abort(new StateError('INTERRUPTED', { detail: signal }));
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const orphaned = () => stop('SIGHUP');
  for (const name of names) process.on(name, stop);
  if (process.channel !== undefined) {
    process.on('disconnect', orphaned);
    process.channel.unref();
  }
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    release() {
      for (const name of names) process.off(name, stop);
      process.off('disconnect', orphaned);
    },
  };
}

/** Waits for the promise, or rejects with INTERRUPTED as soon as there is a signal. */
export async function orInterrupted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
