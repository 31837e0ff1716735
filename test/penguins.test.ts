/**
 * The penguins' demo is a program: it runs over real processes, its exact figures are those of everybody's records, and
 * its noisy ones come with their intervals.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { NODE_COMPILE_CACHE } from '../packages/cli/test/command-line.ts';

const file = fileURLToPath(new URL('../examples/penguins/demo.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('npm run demo:penguins', () => {
  it('answers exactly and with noise over three islands, and leaves nothing behind', async () => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--conditions=source', file], {
      env: { ...process.env, NODE_OPTIONS: undefined, NODE_COMPILE_CACHE, TMPDIR: folder },
    });
    expect(stderr).toBe('');
    for (const [species, count, mean] of [
      ['Adelie', 152, '38.7914'],
      ['Chinstrap', 68, '48.8338'],
      ['Gentoo', 124, '47.5049'],
    ]) {
      expect(stdout).toMatch(new RegExp(`^${species} +folkmoot +${count} +${mean}\n +pooled +${count} +${mean}$`, 'm'));
      expect(stdout).toMatch(new RegExp(`^${species} +folkmoot +[\\d.]+ +(± [\\d.]+|\\[ *[\\d.]+, *[\\d.]+\\])`, 'm'));
    }
    expect(stdout).toContain('All 6 figures equal those over the records of all islands at once.');
    expect(stdout).toMatch(/^[0-3] of 3 intervals hold the exact figure/m);
    expect(stdout).toContain('Protected by Laplace noise: ε = 1 spent.');
    expect(stdout).toMatch(/^ {2}exact {5}43\.92 mm$/m);
    expect(stdout).toMatch(/^ {2}folkmoot {2}[\d.]+ mm, 95% \[[\d.]+, [\d.]+\]; asked at ε = 1, charged 1$/m);
    expect(stdout).toMatch(/^ {2}Lomas {5}43\.52 mm, .*; asked at ε = 0\.5, charged 1\.0$/m);
    expect(readdirSync(folder)).toEqual([]);
  }, 120_000);
});
