/** Every package as its users get it: built, packed, installed in an empty folder, run there from dist. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const published = ['core', 'transport', 'node', 'coordinator', 'client', 'cli'];

let folder: string;
/** The Node that runs this test comes first, as for anyone who has it installed. */
const env = { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter), NODE_OPTIONS: '' };
const run = (command: string, args: readonly string[], cwd: string) =>
  execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-packed-'));
  run('npm', ['run', 'build'], root);
  for (const name of published) run('npm', ['pack', '--pack-destination', folder], join(root, 'packages', name));
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({
      private: true,
      type: 'module',
      overrides: { 'msgpackr-extract': '3.0.4' },
      allowScripts: { 'msgpackr-extract': false, 'better-sqlite3': true },
    }),
  );
  const tarballs = readdirSync(folder).filter((file) => file.endsWith('.tgz'));
  run('npm', ['install', '--no-audit', '--no-fund', ...tarballs.map((file) => `./${file}`)], folder);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the packages, packed and installed', () => {
  it('carry no source and no test', () => {
    for (const name of readdirSync(join(folder, 'node_modules/@folkmoot'))) {
      expect(readdirSync(join(folder, 'node_modules/@folkmoot', name))).not.toContain('src');
    }
    expect(existsSync(join(folder, 'node_modules/folkmoot/src'))).toBe(false);
  });

  it('let a program embed core', () => {
    const program = `
      import { open, share } from '@folkmoot/core/additive.js';
      import { seededRng } from '@folkmoot/core/prg.js';
      import { add, fromIntegers, toIntegers, Z2_128 } from '@folkmoot/core/ring.js';
      const [a, b] = [share(fromIntegers(Z2_128, [7n]), 3, seededRng(1)), share(fromIntegers(Z2_128, [-9n]), 3, seededRng(2))];
      console.log(String(toIntegers(open(a.map((each, i) => add(each, b[i]))))));
    `;
    writeFileSync(join(folder, 'embed.js'), program);
    expect(run('node', ['embed.js'], folder)).toBe('-2\n');
  });

  it('export only what they hold', () => {
    const program = `
      import { readFileSync } from 'node:fs';
      for (const name of ${JSON.stringify(published.filter((each) => each !== 'cli'))}) {
        const { exports } = JSON.parse(readFileSync('node_modules/@folkmoot/' + name + '/package.json', 'utf8'));
        for (const path of Object.keys(exports)) await import('@folkmoot/' + name + path.slice(1));
      }
      console.log('all there');
      process.exit(0);
    `;
    writeFileSync(join(folder, 'exports.js'), program);
    expect(run('node', ['exports.js'], folder)).toBe('all there\n');
  });

  it('run a job over the sample consortium from dist', () => {
    const job = join(root, 'nodes/jobs', readdirSync(join(root, 'nodes/jobs')).sort()[0]!);
    const options = ['folkmoot', 'run', job, '--consortium', join(root, 'nodes'), '--json'];
    const answer = JSON.parse(run('npx', options, folder));
    expect(answer.status).toBe('DONE');
    expect(answer.receipts).toHaveLength(answer.parties.length);
  });
});
