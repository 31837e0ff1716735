/**
 * What `run` and `demo` need and leave nothing of: a private folder with fresh keys, a charter sealed with them, and
 * room for state. It goes away with the process, however that ends.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Charter, charterText, signCharter, withKeys } from '@folkmoot/core/charter.js';
import { signer } from '@folkmoot/core/identity.js';
import { type AnalystKeys, makeKeys, writeKeys } from '@folkmoot/transport/keyring.js';

export interface TemporaryFolder {
  readonly path: string;
  remove(): void;
}

/** A new folder that only this user can enter. Removed by `remove`, and in any case when this process exits. */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), 'folkmoot-'));
  const remove = () => {
    process.off('exit', remove);
    // A process that was just ended may still be letting go of its files.
    rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  };
  process.on('exit', remove);
  return { path, remove };
}

export interface SealedForOnce {
  readonly charter: Charter;
  readonly charterFile: string;
  readonly analystKeys: ReadonlyMap<string, AnalystKeys>;
  keyFolder(party: string): string;
}

/** Seals the charter with keys of its own for every member; those that stood in it, and all signatures, are replaced. */
export async function sealForOnce(given: Charter, folder: string): Promise<SealedForOnce> {
  const { signatures: _, ...unsigned } = given;
  let charter: Charter = unsigned;
  const keyFolder = (party: string) => join(folder, 'parties', party, 'keys');
  const analystKeys = new Map<string, AnalystKeys>();
  const sign: ((charter: Charter) => Charter)[] = [];
  for (const id of Object.keys(given.parties)) {
    const keys = await makeKeys('party', randomBytes);
    await writeKeys(keyFolder(id), keys);
    charter = withKeys(charter, id, keys.public);
    const signHash = signer(keys.secret.identity);
    sign.push((all) => signCharter(all, id, signHash));
  }
  for (const id of Object.keys(given.analysts)) {
    const keys = await makeKeys('analyst', randomBytes);
    analystKeys.set(id, keys);
    charter = withKeys(charter, id, keys.public);
  }
  for (const add of sign) charter = add(charter);
  const charterFile = join(folder, 'charter.json');
  await writeFile(charterFile, charterText(charter), { mode: 0o600 });
  return { charter, charterFile, analystKeys, keyFolder };
}
