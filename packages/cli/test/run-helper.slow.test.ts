import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { folkmoot } from './command-line.ts';
import { expectedRows, job, towns, village, writeConsortium } from './small-consortium.ts';

let folder: string;
let consortium: string;
/** Where the program makes its temporary folders. */
let temporary: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
  consortium = join(folder, 'towns');
  temporary = join(folder, 'tmp');
  for (const path of [consortium, temporary]) mkdirSync(path);
  writeConsortium(consortium, { village: true });
  writeFileSync(join(consortium, 'job.yaml'), `${job}join_helper: ${village}\n`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(command = 'run') {
  const args = [command, join(consortium, 'job.yaml'), '--consortium', consortium, '--json'];
  const { code, stdout } = await folkmoot(args, { env: { TMPDIR: temporary } });
  return { code, document: JSON.parse(stdout) };
}

describe('folkmoot run with a job that has a helper', () => {
  it('starts the helper too, and gives the parties’ answer', async () => {
    const { code, document } = await run();
    expect(code).toBe(0);
    expect(document).toMatchObject({ rows: expectedRows, parties: [...towns], helper: village });
    expect(document.receipts).toHaveLength(4);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('needs a folder of the helper', async () => {
    rmSync(join(consortium, village), { recursive: true });
    const { code, document } = await run();
    expect({ code, error: document.error.code }).toEqual({ code: 2, error: 'FILE_UNREADABLE' });
    expect(document.error.message).toContain(village);
  });

  it('says why the helper’s node did not start', async () => {
    const file = join(consortium, village, 'node.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('state:', 'stat:'));
    const { code, document } = await run();
    expect(code).toBe(2);
    expect(document.error).toMatchObject({ code: 'UNKNOWN_KEY', party: village });
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('shows the refusal of a party that does not permit the helper, before and after it is asked', async () => {
    const file = join(consortium, 'birch', 'node.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(`helpers: [${village}]`, 'helpers: []'));
    const planned = await run('explain');
    expect(planned.code).toBe(3);
    const refusals = planned.document.parties.filter(({ refusal }: { refusal: unknown }) => refusal !== null);
    expect(refusals).toMatchObject([{ id: 'birch', refusal: { change: expect.stringContaining('join_helper') } }]);
    const { code, document } = await run();
    expect(code).toBe(3);
    expect(document.error).toMatchObject({ code: 'REFUSED', party: 'birch' });
    expect(document.error.message).toContain('dale as a helper');
  });

  it('refuses a helper that takes part, before it starts anything', async () => {
    writeFileSync(join(consortium, 'job.yaml'), `${job}join_helper: ash\n`);
    const { code, document } = await run();
    expect({ code, error: document.error.code }).toEqual({ code: 2, error: 'HELPER_TAKES_PART' });
  });
});
