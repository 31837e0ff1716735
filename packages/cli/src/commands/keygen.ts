/**
 * `folkmoot keygen`: the keys of one party, or of one analyst, in a folder of their own.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { InputError } from '@folkmoot/core/errors.js';
import { makeKeys, writeKeys } from '@folkmoot/transport/keyring.js';
import type { CommandSpec } from '../command.ts';
import { readPassphrase } from '../files.ts';

interface Options {
  readonly out: string;
  readonly analyst?: boolean;
  readonly passphraseFile?: string;
}

export const keygen: CommandSpec<Options> = {
  summary: 'make the keys of a party, or of an analyst',
  options: [
    { flags: '--out <folder>', text: 'where the keys go; made if it is not there', isRequired: true },
    { flags: '--analyst', text: 'an analyst’s keys instead of a party’s' },
    { flags: '--passphrase-file <file>', text: 'wrap the secret keys with the first line of this file' },
  ],
  examples: [
    'folkmoot keygen --out camden/keys',
    'folkmoot keygen --analyst --out housing-analytics/keys --passphrase-file ~/.folkmoot-passphrase',
  ],
  async run({ output, cwd }, _args, options) {
    const folder = resolve(cwd, options.out);
    const taken = ['secret.json', 'public.json'].map((name) => join(folder, name)).find(existsSync);
    if (taken !== undefined) throw new InputError('FILE_EXISTS', { field: taken });
    const passphrase = await readPassphrase(options.passphraseFile);
    const keys = await makeKeys(options.analyst === true ? 'analyst' : 'party', randomBytes);
    await writeKeys(folder, keys, passphrase === undefined ? undefined : { passphrase, randomBytes });
    output.result(
      { folder, kind: keys.kind, wrapped: passphrase !== undefined, public: keys.public },
      [
        `Keys of ${keys.kind === 'party' ? 'a party' : 'an analyst'} are in ${folder}`,
        `  public.json  goes into the charter (identity ${keys.public.identity.slice(0, 16)}…)`,
        '  secret.json  stays on this machine (mode 0600)',
        ...(passphrase === undefined ? ['  No passphrase: whoever copies this disk has the keys.'] : []),
      ].join('\n'),
    );
    return undefined;
  },
};
