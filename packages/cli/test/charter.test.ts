import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Finished, folkmoot } from './command-line.ts';

const charterYaml = `
folkmoot: 1
charter: Three towns
version: 1
parties:
  ash: { name: Ash, owner: Clerk }
  birch: { name: Birch, owner: Clerk }
  cedar: { name: Cedar, owner: Clerk }
analysts:
  ann: { roles: [analyst] }
purposes: { planning: Plan }
datasets:
  people:
    held_by: [ash, birch, cedar]
    unit: row
    max_rows: 1000
    columns: { age: { type: integer, min: 0, max: 110 } }
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
  writeFileSync(join(folder, 'charter.yaml'), charterYaml);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]): Promise<Finished> => folkmoot([...args, '--json'], { cwd: folder });
const json = ({ stdout }: Finished) => JSON.parse(stdout);
const keygen = (...ids: string[]) =>
  Promise.all(ids.map((id) => run('keygen', '--out', `${id}/keys`, ...(id === 'ann' ? ['--analyst'] : []))));

describe('folkmoot keygen', () => {
  it('writes a secret that only its owner can read, and never writes over it', async () => {
    const [made] = await keygen('ash');
    expect(made!.code).toBe(0);
    const secret = join(folder, 'ash/keys/secret.json');
    expect(statSync(secret).mode & 0o777).toBe(0o600);
    expect(json(made!).public).toEqual(
      expect.objectContaining({ identity: expect.stringMatching(/^[0-9a-f]{64}$/), static: expect.any(String) }),
    );
    const before = readFileSync(secret, 'utf8');
    const [again] = await keygen('ash');
    expect(again!.code).toBe(2);
    expect(json(again!).error).toMatchObject({ code: 'FILE_EXISTS' });
    expect(readFileSync(secret, 'utf8')).toBe(before);
  });
});

describe('folkmoot charter', () => {
  it('seals in one run where all secrets are at hand', async () => {
    await keygen('ash', 'birch', 'cedar', 'ann');
    const sealed = await run('charter', 'seal', 'charter.yaml');
    expect(json(sealed)).toMatchObject({ isSealed: true, signed: ['ash', 'birch', 'cedar'], analystsWithoutKeys: [] });
    const verified = await run('charter', 'verify', 'charter.json');
    expect(verified.code).toBe(0);
    expect(json(verified).fingerprint).toBe(json(sealed).fingerprint);
    expect(json(verified).fingerprint).toMatch(/^([0-9a-f]{4} ){9}[0-9a-f]{4}$/);
  });

  it('gathers keys first and then one signature after another', async () => {
    await keygen('ash', 'birch');
    const first = json(await run('charter', 'seal', 'charter.yaml'));
    expect(first).toMatchObject({ isSealed: false, signed: [], partiesWithoutKeys: ['cedar'] });
    // Cedar's secret is on a machine of its own, with the file that was sent there.
    mkdirSync(join(folder, 'away'));
    await run('keygen', '--out', 'away/keys');
    const away = await run(
      'charter',
      'seal',
      'charter.json',
      '--party',
      'cedar=away/keys',
      '--out',
      'away/charter.json',
    );
    expect(json(away)).toMatchObject({ isSealed: true, signed: ['ash', 'birch', 'cedar'] });
  });

  it('keeps the signatures of others and says which are missing', async () => {
    await keygen('ash', 'birch', 'cedar');
    for (const id of ['birch', 'cedar']) {
      mkdirSync(join(folder, `${id}-private`));
      const secret = readFileSync(join(folder, id, 'keys/secret.json'));
      writeFileSync(join(folder, `${id}-private/secret.json`), secret, { mode: 0o600 });
      rmSync(join(folder, id, 'keys/secret.json'));
    }
    const first = await run('charter', 'seal', 'charter.yaml');
    expect(json(first)).toMatchObject({ isSealed: false, signed: ['ash'], missing: ['birch', 'cedar'] });
    const unfinished = await run('charter', 'verify', 'charter.json');
    expect(unfinished.code).toBe(2);
    expect(json(unfinished).error).toMatchObject({ code: 'CHARTER_UNSIGNED', party: 'birch' });
    await run('charter', 'seal', 'charter.json', '--party', 'birch=birch-private');
    const last = await run('charter', 'seal', 'charter.json', '--party', 'cedar=cedar-private');
    expect(json(last)).toMatchObject({ isSealed: true });
    expect((await run('charter', 'verify', 'charter.json')).code).toBe(0);
  });

  it('refuses a charter that was changed after sealing', async () => {
    await keygen('ash', 'birch', 'cedar');
    await run('charter', 'seal', 'charter.yaml');
    const file = join(folder, 'charter.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"max":110', '"max":111'));
    const verified = await run('charter', 'verify', 'charter.json');
    expect(verified.code).toBe(2);
    expect(json(verified)).toMatchObject({ bad: ['ash', 'birch', 'cedar'], error: { code: 'CHARTER_CHANGED' } });
  });

  it('refuses a key file that others can read', async () => {
    await keygen('ash');
    chmodSync(join(folder, 'ash/keys/secret.json'), 0o644);
    const sealed = await run('charter', 'seal', 'charter.yaml');
    expect(sealed.code).toBe(2);
    expect(json(sealed).error).toMatchObject({ code: 'KEY_FILE_EXPOSED' });
  });

  it('leaves a wrapped secret alone until its passphrase is given', async () => {
    await keygen('birch', 'cedar');
    writeFileSync(join(folder, 'word'), 'correct horse\n', { mode: 0o600 });
    await run('keygen', '--out', 'ash/keys', '--passphrase-file', 'word');
    const locked = await run('charter', 'seal', 'charter.yaml');
    expect(json(locked)).toMatchObject({ isSealed: false, missing: ['ash'], locked: ['ash'] });
    writeFileSync(join(folder, 'other'), 'wrong horse\n', { mode: 0o600 });
    const refused = await run('charter', 'seal', 'charter.yaml', '--passphrase-file', 'other');
    expect(refused.code).toBe(2);
    expect(json(refused).error).toMatchObject({ code: 'KEY_FILE_INVALID' });
    const opened = await run('charter', 'seal', 'charter.yaml', '--passphrase-file', 'word');
    expect(json(opened)).toMatchObject({ isSealed: true, locked: [] });
  });

  it.each([
    ['an unknown member', 'elm=ash/keys', 'UNKNOWN_PARTY'],
    ['an option without a folder', 'ash', 'BAD_VALUE'],
  ])('refuses %s', async (_, party, code) => {
    const sealed = await run('charter', 'seal', 'charter.yaml', '--party', party);
    expect(sealed.code).toBe(2);
    expect(json(sealed).error).toMatchObject({ code });
  });
});
