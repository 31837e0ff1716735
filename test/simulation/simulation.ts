/**
 * Runs `simulate.ts` in a process of its own, as `npm run simulate` does: what a test finds replays outside of it.
 * @module
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';

export interface Run {
  readonly status: number;
  readonly lines: readonly string[];
}

export function simulate(...args: string[]): Promise<Run> {
  const file = join(import.meta.dirname, 'simulate.ts');
  return new Promise((resolve) => {
    const options = { maxBuffer: 64 * 1024 * 1024 };
    const child = execFile(process.execPath, ['--conditions=source', file, ...args], options, (_, stdout, stderr) => {
      const lines = `${stdout}${child.exitCode === 0 || child.exitCode === 1 ? '' : stderr}`.trimEnd().split('\n');
      resolve({ status: child.exitCode ?? -1, lines });
    });
  });
}

/** How often something happened, by the summary of a run. */
export function counted({ lines }: Run, what: string): number {
  return Number(
    lines
      .find((line) => line.trim().endsWith(` ${what}`))
      ?.trim()
      .split(' ')[0] ?? 0,
  );
}
