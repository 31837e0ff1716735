/**
 * What the file of a database must not be.
 *
 * A symbolic link would let one database be opened under two names, past the lock that each holds, and have a backup of
 * the folder keep a link in place of the state. A folder may be reached by a link: its files are where they are.
 * @module
 */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { StateError } from '@folkmoot/core/errors.js';

/** SQLite's own, beside the file. */
const suffixes = ['', '-wal', '-shm', '-journal'];

/** @throws StateError STATE_LINKED */
export function refuseLinks(folder: string, name: string): void {
  for (const suffix of suffixes) {
    const found = lstatSync(join(folder, `${name}${suffix}`), { throwIfNoEntry: false });
    if (found?.isSymbolicLink() === true) throw new StateError('STATE_LINKED', { field: 'state' });
  }
}
