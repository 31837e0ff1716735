/**
 * Files that the command line reads and writes; a fault names the path.
 * @module
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { InputError } from '@folkmoot/core/errors.js';

/** @throws InputError FILE_UNREADABLE */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new InputError('FILE_UNREADABLE', { field: path, detail: reasonOf(cause), cause });
  }
}

/** The text, or undefined where there is no such file. @throws InputError FILE_UNREADABLE */
export async function readTextIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new InputError('FILE_UNREADABLE', { field: path, detail: reasonOf(cause), cause });
  }
}

/** Writes the whole file or leaves the old one. @throws InputError FILE_UNREADABLE */
export async function writeWhole(path: string, text: string, mode = 0o644): Promise<void> {
  const beside = `${path}.new`;
  try {
    await writeFile(beside, text, { mode });
    await rename(beside, path);
  } catch (cause) {
    throw new InputError('FILE_UNREADABLE', { field: path, detail: `it cannot be written: ${reasonOf(cause)}`, cause });
  }
}

/** A passphrase from its file: the first line, without its end. Never an argument, where every process could see it. */
export async function readPassphrase(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const passphrase = (await readText(path)).split(/\r?\n/)[0]!;
  if (passphrase === '') throw new InputError('BAD_VALUE', { field: path, detail: 'its first line is empty' });
  return passphrase;
}

function reasonOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? 'it cannot be used';
}
