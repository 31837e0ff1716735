/**
 * The keys of a charter's members as folders hold them: secrets where they can be read, public keys otherwise.
 * @module
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Charter, type PublicKeys, signCharter } from '@folkmoot/core/charter.js';
import { parseDocument } from '@folkmoot/core/document.js';
import { InputError } from '@folkmoot/core/errors.js';
import { signer } from '@folkmoot/core/identity.js';
import { needsPassphrase, readKeys } from '@folkmoot/transport/keyring.js';
import { z } from 'zod';
import { readText } from './files.ts';

export interface MemberKeys {
  readonly folder: string;
  readonly public: PublicKeys;
  /** Signs the charter for this member; absent where the secret is not here or its passphrase is not known. */
  readonly signCharter?: (charter: Charter) => Charter;
  /** Set where there is a secret that cannot be used for want of a passphrase. */
  readonly isLocked?: boolean;
}

const hexText = z.string().regex(/^[0-9a-f]+$/, 'expected small hexadecimal digits');
const publicFile = z.strictObject({
  folkmoot: z.literal(1),
  kind: z.enum(['party', 'analyst']),
  identity: hexText,
  static: hexText.optional(),
  recipient: hexText.optional(),
});

/**
 * The keys in this folder. Where the secret is, the public keys are computed from it.
 * @throws CharterError KEY_FILE_EXPOSED, KEY_FILE_INVALID
 * @throws InputError for a public.json that is not one
 */
export async function readMemberKeys(member: string, folder: string, passphrase?: string): Promise<MemberKeys> {
  if (!existsSync(join(folder, 'secret.json'))) return { folder, public: await readPublic(folder) };
  if (passphrase === undefined && (await needsPassphrase(folder))) {
    return { folder, public: await readPublic(folder), isLocked: true };
  }
  const keys = await readKeys(folder, passphrase);
  const sign = signer(keys.secret.identity);
  return { folder, public: keys.public, signCharter: (charter) => signCharter(charter, member, sign) };
}

async function readPublic(folder: string): Promise<PublicKeys> {
  const path = join(folder, 'public.json');
  const { folkmoot: _, kind: __, ...keys } = parseDocument(await readText(path), publicFile, { name: path });
  return keys;
}

/**
 * Folders named as `id=DIR`, and for the other members `<beside>/<id>/keys` where that holds keys.
 * @throws InputError BAD_VALUE, UNKNOWN_PARTY
 */
export function keyFolders(options: {
  readonly charter: Charter;
  readonly beside: string;
  readonly cwd: string;
  readonly parties: readonly string[];
  readonly analysts: readonly string[];
}): Map<string, string> {
  const { charter, beside, cwd } = options;
  const folders = new Map<string, string>();
  for (const id of [...Object.keys(charter.parties), ...Object.keys(charter.analysts)]) {
    const folder = join(beside, id, 'keys');
    if (['secret.json', 'public.json'].some((name) => existsSync(join(folder, name)))) folders.set(id, folder);
  }
  const name = (given: readonly string[], members: Readonly<Record<string, unknown>>, option: string) => {
    for (const text of given) {
      const at = text.indexOf('=');
      const id = text.slice(0, at);
      if (at < 1 || at === text.length - 1)
        throw new InputError('BAD_VALUE', { field: option, detail: 'expected id=FOLDER' });
      if (!Object.hasOwn(members, id)) throw new InputError('UNKNOWN_PARTY', { field: option, detail: id });
      folders.set(id, resolve(cwd, text.slice(at + 1)));
    }
  };
  name(options.parties, charter.parties, '--party');
  name(options.analysts, charter.analysts, '--analyst');
  return folders;
}
