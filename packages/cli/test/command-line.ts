/** Runs the real bin as a process of its own, as a user's shell does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const bin = fileURLToPath(new URL('../bin/folkmoot.js', import.meta.url));
/** What one process has compiled, the next ones need not: a third of the time of a short job among real processes. */
export const NODE_COMPILE_CACHE = fileURLToPath(
  new URL('../../../node_modules/.cache/folkmoot-tests', import.meta.url),
);

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  readonly stderr: () => string;
}

interface How {
  /** The Node that starts the bin; the one that runs this test unless said otherwise. */
  readonly node?: string;
  readonly bin?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export function start(args: readonly string[], how: How = {}): Started {
  const child = spawn(how.node ?? process.execPath, [how.bin ?? bin, ...args], {
    cwd: how.cwd,
    env: { ...process.env, NODE_OPTIONS: undefined, FOLKMOOT_CONFIG: undefined, NODE_COMPILE_CACHE, ...how.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, finished, stderr: () => stderr };
}

export function folkmoot(args: readonly string[], how: How = {}): Promise<Finished> {
  return start(args, how).finished;
}
