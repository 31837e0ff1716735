/**
 * `folkmoot keygen`: the keys of one party, of one analyst, or of one approver at a party, in a folder of their own.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { InputError } from '@folkmoot/core/errors.js';
import { type Keys, makeKeys, writeKeys } from '@folkmoot/transport/keyring.js';
import type { CommandSpec } from '../command.ts';
import { readPassphrase } from '../files.ts';

interface Options {
  readonly out: string;
  readonly analyst?: boolean;
  readonly approver?: boolean;
  readonly passphraseFile?: string;
}

const owners = { party: 'a party', analyst: 'an analyst', approver: 'an approver' } as const;

export const keygen: CommandSpec<Options> = {
  summary: 'make the keys of a party, of an analyst, or of a person who approves jobs',
  options: [
    { flags: '--out <folder>', text: 'where the keys go; made if it is not there', isRequired: true },
    { flags: '--analyst', text: 'an analyst’s keys instead of a party’s' },
    { flags: '--approver', text: 'the key of a person who approves jobs at a party' },
    { flags: '--passphrase-file <file>', text: 'wrap the secret keys with the first line of this file' },
  ],
  examples: [
    'folkmoot keygen --out camden/keys',
    'folkmoot keygen --approver --out ada/keys --passphrase-file ~/.folkmoot-passphrase',
    'folkmoot keygen --analyst --out housing-analytics/keys --passphrase-file ~/.folkmoot-passphrase',
  ],
  async run({ output, cwd }, _args, options) {
    const folder = resolve(cwd, options.out);
    const taken = ['secret.json', 'public.json'].map((name) => join(folder, name)).find(existsSync);
    if (taken !== undefined) throw new InputError('FILE_EXISTS', { field: taken });
    const passphrase = await readPassphrase(options.passphraseFile);
    const keys = await makeKeys(kindOf(options), randomBytes);
    await writeKeys(folder, keys, passphrase === undefined ? undefined : { passphrase, randomBytes });
    output.result(
      { folder, kind: keys.kind, wrapped: passphrase !== undefined, public: keys.public },
      [
        `Keys of ${owners[keys.kind]} are in ${folder}`,
        keys.kind === 'approver'
          ? `  public.json  goes into the party’s node.yaml, under \`approvers\` (identity ${keys.public.identity})`
          : `  public.json  goes into the charter (identity ${keys.public.identity.slice(0, 16)}…)`,
        '  secret.json  stays on this machine (mode 0600)',
        ...(passphrase === undefined ? ['  No passphrase: whoever copies this disk has the keys.'] : []),
      ].join('\n'),
    );
    return undefined;
  },
};

function kindOf({ analyst, approver }: Options): Keys['kind'] {
  if (analyst === true && approver === true) {
    throw new InputError('BAD_USAGE', { detail: 'give either --analyst or --approver' });
  }
  if (analyst === true) return 'analyst';
  return approver === true ? 'approver' : 'party';
}
