/**
 * The folders and files that a process lives in, as a doctor sees them: who else can read them, and how much room is left.
 * @module
 */
import { statfsSync, statSync } from 'node:fs';
import { type Finding, fail, ok, warn } from './finding.ts';

export interface Room {
  readonly warnBytes: number;
  readonly failBytes: number;
}

/** A week of a busy node; and what the next job may need at once. */
export const usualRoom: Room = { warnBytes: 2 * 1024 ** 3, failBytes: 256 * 1024 ** 2 };

/** Free bytes where this folder is, or will be; undefined where that cannot be told. */
export function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** `consequence` of a full disk, in words. */
export function diskFinding(folder: string, consequence: string, { warnBytes, failBytes }: Room = usualRoom): Finding {
  const free = freeBytes(folder);
  if (free === undefined) return ok('disk', 'the state folder is made at the first start');
  const text = `${(free / 1024 ** 3).toFixed(1)} GiB free at ${folder}`;
  const remedy = `make room: ${consequence}`;
  if (free < failBytes) return fail('disk', text, remedy);
  return free < warnBytes ? warn('disk', text, remedy) : ok('disk', text);
}

/** Whether others than its owner can look into a folder or file. Windows has no such bits; there access lists decide. */
export function privacyFinding(check: string, path: string): Finding {
  let mode: number;
  try {
    ({ mode } = statSync(path));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    if (code === 'ENOENT') return ok(check, `${path} is made at the first start`);
    return fail(check, `${path} cannot be looked at (${code})`, 'run the doctor as the user that runs the process');
  }
  const text = `${path} has mode ${(mode & 0o777).toString(8).padStart(4, '0')}`;
  const isOpen = process.platform !== 'win32' && (mode & 0o077) !== 0;
  return isOpen ? warn(check, text, `run \`chmod go-rwx ${path}\``) : ok(check, text);
}
