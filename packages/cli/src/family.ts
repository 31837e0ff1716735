/**
 * Processes of our own: the coordinator and the nodes that `run` and `demo` start, each this same command line.
 *
 * A child prints one JSON line on stdout once it is ready, and its log as JSON lines on stderr. It ends when told to, by
 * force if it does not, and by itself when this process is gone (the channel between them closes).
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { errorOf, StateError } from '@folkmoot/core/errors.js';
import { reportIn } from './reported.ts';

/** Closing databases and sockets takes far less; then comes SIGKILL. */
const graceMs = 4_000;
/** A child that is not ready by then will not be: loading, opening state and dialling take two seconds on a slow machine. */
const readyMsMax = 30_000;
/** The last lines of a child's stderr that are no log lines, to show why it fell over. */
const remarksMax = 20;
/** What a child prints before it is ready is one short document. */
const stdoutCharsMax = 64 * 1024;

/** A child's log is read here, whatever the user's own level; its keys are made for it and have no passphrase. */
const ownEnv = {
  FOLKMOOT_LOG: process.env.FOLKMOOT_LOG === 'debug' ? 'debug' : 'info',
  FOLKMOOT_PASSPHRASE_FILE: undefined,
};

export type LogLine = Readonly<Record<string, unknown>>;

export interface Child {
  readonly name: string;
  /** The ready line. Rejects with the child's own error where it ends before it is ready. */
  readonly ready: Promise<LogLine>;
  /** Rejects when the child ends without having been told to; never resolves. */
  readonly lost: Promise<never>;
}

export interface Family {
  start(name: string, args: readonly string[], onLog: (line: LogLine) => void): Child;
  /** Ends every child and waits until they are gone. */
  stop(): Promise<void>;
  /** Ends every child at once, without waiting: for a process that is going down. */
  kill(): void;
}

const bin = fileURLToPath(new URL('../bin/folkmoot.js', import.meta.url));

export function createFamily(): Family {
  const children = new Set<ChildProcess>();
  let isStopping = false;

  const start: Family['start'] = (name, args, onLog) => {
    const child = spawn(process.execPath, [...process.execArgv, bin, ...args, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...ownEnv },
    });
    children.add(child);
    const ready = Promise.withResolvers<LogLine>();
    const lost = Promise.withResolvers<never>();
    // Whoever waits for them hears of a failure; that nobody waits any more is no failure of its own.
    ready.promise.catch(() => {});
    lost.promise.catch(() => {});
    const remarks: string[] = [];
    let printed = '';
    createInterface({ input: child.stdout! }).on('line', (line) => {
      printed = `${printed}${line}\n`.slice(-stdoutCharsMax);
      const document = parseLine(line);
      if (document?.event === 'ready') ready.resolve(document);
    });
    createInterface({ input: child.stderr! }).on('line', (line) => {
      const entry = parseLine(line);
      if (entry !== undefined) return onLog(entry);
      remarks.push(line);
      if (remarks.length > remarksMax) remarks.shift();
    });
    const timer = setTimeout(() => {
      ready.reject(new StateError('INTERNAL', { party: name, detail: 'the process was not ready in time' }));
    }, readyMsMax);
    const end = (failure: Error) => {
      clearTimeout(timer);
      children.delete(child);
      // Whoever stops the family no longer waits for any of it.
      if (isStopping) return;
      ready.reject(failure);
      lost.reject(failure);
    };
    child.on('error', (cause) =>
      end(new StateError('INTERNAL', { party: name, detail: 'it cannot be started', cause })),
    );
    // `close` comes after the last of stdout and stderr, `exit` may come before it.
    child.on('close', (code, signal) => {
      const report = reportIn((parseLine(printed)?.error ?? undefined) as unknown);
      if (report !== undefined && report.code !== 'INTERNAL')
        return end(errorOf({ ...report, party: report.party ?? name }));
      const detail = [`the process ended (${signal ?? `exit code ${code}`})`, ...remarks].join('\n');
      return end(new StateError('INTERNAL', { party: name, detail }));
    });
    void ready.promise.finally(() => clearTimeout(timer)).catch(() => {});
    return { name, ready: ready.promise, lost: lost.promise };
  };

  const kill = () => {
    isStopping = true;
    for (const child of children) child.kill('SIGKILL');
  };

  const stop = async () => {
    isStopping = true;
    const gone = [...children].map((child) => new Promise<void>((resolve) => child.once('close', () => resolve())));
    for (const child of children) child.kill('SIGTERM');
    const timer = setTimeout(kill, graceMs);
    await Promise.all(gone);
    clearTimeout(timer);
  };

  return { start, stop, kill };
}

function parseLine(text: string): LogLine | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return undefined;
  }
}
