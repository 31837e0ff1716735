import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folkmoot } from './command-line.ts';
import { job, towns, writeConsortium } from './small-consortium.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
beforeAll(() => writeConsortium(folder));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const explain = async (...options: string[]) => {
  const { code, stdout } = await folkmoot(['explain', 'job.yaml', ...options, '--json'], { cwd: folder });
  return { code, document: JSON.parse(stdout) };
};

describe('folkmoot explain', () => {
  it('shows the plan with every party’s rule, offline', async () => {
    const { code, document } = await explain('--consortium', '.');
    expect(code).toBe(0);
    expect(document).toMatchObject({ cells: 2, threshold: 2, thresholdIsFinal: true, helper: null });
    expect(document.parties.map(({ rule }: { rule: string }) => rule)).toEqual(['planning', 'planning', 'planning']);
    const { stdout } = await folkmoot(['explain', 'job.yaml', '--consortium', '.'], { cwd: folder });
    expect(stdout).toMatch(/fewer than 2 people stand is multiplied by zero/);
  });

  it('makes do with a charter alone, and with some of the rules', async () => {
    expect((await explain('--charter', 'charter.yaml')).document.thresholdIsFinal).toBe(false);
    const some = await explain('--charter', 'charter.yaml', '--policy', `${towns[0]}/node.yaml`);
    expect(some.document.parties.map(({ rule }: { rule: string | null }) => rule)).toEqual(['planning', null, null]);
  });

  it('names the refusal and what would help, with exit code 3', async () => {
    writeFileSync(join(folder, 'job.yaml'), job.replace('{ sum: arrears }', '{ variance: arrears }'));
    const { code, document } = await explain('--consortium', '.');
    expect(code).toBe(3);
    expect(document.parties[0].refusal.change).toContain('variance');
    writeFileSync(join(folder, 'job.yaml'), job);
  });

  it('wants either a consortium or a charter', async () => {
    expect(await explain()).toMatchObject({ code: 2, document: { error: { code: 'BAD_USAGE' } } });
    const both = await explain('--charter', 'charter.yaml', '--consortium', '.');
    expect(both).toMatchObject({ code: 2, document: { error: { code: 'BAD_USAGE' } } });
  });
});
