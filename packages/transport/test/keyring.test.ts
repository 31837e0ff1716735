import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '@folkmoot/core/bytes.js';
import type { CharterError } from '@folkmoot/core/errors.js';
import { afterAll, describe, expect, it } from 'vitest';
import { makeKeys, needsPassphrase, readKeys, writeKeys } from '../src/keyring.ts';

const root = mkdtempSync(join(tmpdir(), 'folkmoot-keyring-'));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;
const newFolder = () => join(root, String(folders++));

async function refusal(step: Promise<unknown>): Promise<string> {
  return step.then(
    () => 'ok',
    (error: CharterError) => `${error.code} ${error.message}`,
  );
}

describe('the keyring', () => {
  it('reads back what it wrote, for a party, an analyst and an approver', async () => {
    for (const kind of ['party', 'analyst', 'approver'] as const) {
      const folder = newFolder();
      const keys = await makeKeys(kind, randomBytes);
      await writeKeys(folder, keys);
      const { secret, public: publicKeys } = await readKeys(folder);
      expect(publicKeys).toEqual(keys.public);
      expect(Object.entries(secret).map(([name, seed]) => [name, toHex(seed)])).toEqual(
        Object.entries(keys.secret).map(([name, seed]) => [name, toHex(seed)]),
      );
      const file = JSON.parse(readFileSync(join(folder, 'public.json'), 'utf8')) as object;
      expect(file).toEqual({ folkmoot: 1, kind, ...keys.public });
    }
  });

  it('writes the secret file for its owner alone, and never over another', async () => {
    const folder = newFolder();
    await writeKeys(folder, await makeKeys('party', randomBytes));
    expect(statSync(join(folder, 'secret.json')).mode & 0o777).toBe(0o600);
    const before = readFileSync(join(folder, 'secret.json'), 'utf8');
    expect(await refusal(writeKeys(folder, await makeKeys('party', randomBytes)))).toMatch(/^KEY_FILE_INVALID/);
    expect(readFileSync(join(folder, 'secret.json'), 'utf8')).toBe(before);
  });

  it('refuses a secret file that others can read', async () => {
    const folder = newFolder();
    await writeKeys(folder, await makeKeys('party', randomBytes));
    for (const mode of [0o640, 0o604, 0o620, 0o601]) {
      chmodSync(join(folder, 'secret.json'), mode);
      expect(await refusal(readKeys(folder))).toMatch(/^KEY_FILE_EXPOSED/);
    }
    chmodSync(join(folder, 'secret.json'), 0o400);
    expect(await refusal(readKeys(folder))).toBe('ok');
  });

  it('refuses a file that is missing or of another form, and quotes nothing of it', async () => {
    const folder = newFolder();
    expect(await refusal(readKeys(folder))).toMatch(/^KEY_FILE_INVALID/);
    await writeKeys(folder, await makeKeys('party', randomBytes));
    const good = JSON.parse(readFileSync(join(folder, 'secret.json'), 'utf8')) as { seeds: Record<string, string> };
    const { identity, ...others } = good.seeds;
    const wrong = [
      `{"seeds": "${identity}`,
      '[]',
      JSON.stringify({ ...good, folkmoot: 2 }),
      JSON.stringify({ ...good, more: 1 }),
      JSON.stringify({ ...good, kind: 'analyst' }),
      JSON.stringify({ ...good, seeds: others }),
      JSON.stringify({ ...good, seeds: { ...others, identity: identity!.toUpperCase() } }),
      JSON.stringify({ ...good, seeds: { ...good.seeds, more: identity } }),
    ];
    for (const text of wrong) {
      writeFileSync(join(folder, 'secret.json'), text, { mode: 0o600 });
      const said = await refusal(readKeys(folder));
      expect(said).toMatch(/^KEY_FILE_INVALID/);
      expect(said).not.toContain(identity!.slice(0, 8));
    }
    expect(existsSync(join(folder, 'public.json'))).toBe(true);
  });

  it('wraps the seeds by a passphrase, without which nothing opens', async () => {
    const folder = newFolder();
    const keys = await makeKeys('party', randomBytes);
    await writeKeys(folder, keys, { passphrase: 'correct horse', randomBytes });
    expect(readFileSync(join(folder, 'secret.json'), 'utf8')).not.toContain(toHex(keys.secret.identity));
    expect(await needsPassphrase(folder)).toBe(true);
    expect((await readKeys(folder, 'correct horse')).public).toEqual(keys.public);
    expect(await refusal(readKeys(folder, 'wrong'))).toMatch(/^KEY_FILE_INVALID.*passphrase does not fit/);
    expect(await refusal(readKeys(folder))).toMatch(/^KEY_FILE_INVALID.*needs a passphrase/);
  });

  it('gives each member keys of its own', async () => {
    const [a, b] = [await makeKeys('party', randomBytes), await makeKeys('party', randomBytes)];
    expect(a.public.identity).not.toBe(b.public.identity);
    expect(a.public.static).not.toBe(b.public.static);
    expect(toHex(a.secret.identity)).not.toBe(toHex(a.secret.static));
  });
});
