/** Two consortia for one job each, at one time and in one folder, without anybody asked to approve. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { folkmoot } from './command-line.ts';
import { expectedRows, writeConsortium } from './small-consortium.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('folkmoot run', () => {
  it('may run twice at once', async () => {
    const consortium = join(folder, 'towns');
    const temporary = join(folder, 'tmp');
    for (const path of [consortium, temporary]) mkdirSync(path);
    writeConsortium(consortium);
    const run = () =>
      folkmoot(['run', join(consortium, 'job.yaml'), '--consortium', consortium, '--json'], {
        env: { TMPDIR: temporary },
      });
    const [one, two] = await Promise.all([run(), run()]);
    expect(JSON.parse(one!.stdout).rows).toEqual(expectedRows);
    expect(JSON.parse(two!.stdout).rows).toEqual(expectedRows);
    expect(JSON.parse(one!.stdout).job).not.toBe(JSON.parse(two!.stdout).job);
    expect(readdirSync(temporary)).toEqual([]);
  });
});
