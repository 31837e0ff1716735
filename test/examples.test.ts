/**
 * The examples are programs: each runs, prints what its reader expects, and stays short enough to read.
 * @module
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

/** Lines of an example; a join takes more, since both sides say what they bring, and what may open. */
const linesMax: Record<string, number> = { 'hidden-join.ts': 60 };
const linesMaxOfOthers = 40;

const expected: Record<string, RegExp[]> = {
  'three-parties.ts': [
    /^camden: 6 wages, total 14025\.84, mean 2337\.64$/m,
    /^hackney: 6 wages, total 14025\.84, mean 2337\.64$/m,
    /^islington: 6 wages, total 14025\.84, mean 2337\.64$/m,
    /^2 rounds, 160 bytes sent by each party$/m,
  ],
  'own-transport.ts': [
    /^camden: 6 wages, total 1402584 pence, mean 233764 pence$/m,
    /^hackney: 6 wages, total 1402584 pence, mean 233764 pence$/m,
    /^islington: 6 wages, total 1402584 pence, mean 233764 pence$/m,
  ],
  'hidden-join.ts': [
    /^camden: left\.tenure temporary, people 5, mean_cost 3400\.1, arrears 1502\.50$/m,
    /^camden: left\.tenure owner, people withheld, mean_cost withheld, arrears withheld$/m,
    /^ncl-health: left\.tenure temporary, people 5, mean_cost 3400\.1, arrears 1502\.50$/m,
    /^ncl-health: left\.tenure owner, people withheld, mean_cost withheld, arrears withheld$/m,
    /^\d+ rounds, \d+ bytes sent by camden and \d+ by health$/m,
  ],
};

for (const [name, lines] of Object.entries(expected)) {
  const most = linesMax[name] ?? linesMaxOfOthers;
  const file = fileURLToPath(new URL(`../examples/${name}`, import.meta.url));

  describe(`examples/${name}`, () => {
    it('runs and prints the right answer', async () => {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--conditions=source', file]);
      for (const line of lines) expect(stdout).toMatch(line);
      expect(stderr).toBe('');
    });

    it(`has ${most} lines at most`, async () => {
      const text = await readFile(file, 'utf8');
      expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(most);
    });
  });
}
