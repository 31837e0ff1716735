/** docs/OPERATING.md says only what is so: its commands and options exist, and so do the series it alerts on. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Finished, folkmoot } from '../packages/cli/test/command-line.ts';

const root = join(import.meta.dirname, '..');
const guide = readFileSync(join(root, 'docs/OPERATING.md'), 'utf8');
const block = (language: string) =>
  [...guide.matchAll(new RegExp(`^ *\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\``, 'gm'))].map(([, code]) => code!);

/** Every use of the command line, in blocks and in sentences. */
const commands = [...guide.matchAll(/(?:npx |\/usr\/local\/bin\/|`)folkmoot ([a-z][^`;|)\n]*)/g)].map(
  ([whole, words]) => ({
    whole,
    words: words!.trim().split(/\s+/),
  }),
);

const helps = new Map<string, Promise<Finished>>();
const helpOf = (name: string) => helps.get(name) ?? folkmoot([...name.split(' '), '--help']);

describe('docs/OPERATING.md', () => {
  it('names commands and options that exist', async () => {
    expect(commands.length).toBeGreaterThan(10);
    const groups = ['charter', 'node', 'audit'];
    for (const { whole, words } of commands) {
      const [first = '', second = ''] = words;
      const name = groups.includes(first) && /^[a-z]+$/.test(second) ? `${first} ${second}` : first;
      const help = helpOf(name);
      helps.set(name, help);
      const { code, stdout } = await help;
      expect({ whole, code }).toEqual({ whole, code: 0 });
      expect(stdout).toContain(`folkmoot ${name}`);
      for (const option of words.filter((word) => word.startsWith('--'))) expect(stdout).toContain(option);
    }
  });

  it('alerts on series that are there', () => {
    const sources = ['packages/node/src/metrics.ts', 'packages/coordinator/src/metrics.ts'].map((file) =>
      readFileSync(join(root, file), 'utf8'),
    );
    const [rules] = block('yaml').map((code) => parse(code) as { groups: { rules: { expr: string }[] }[] });
    const series = rules!.groups.flatMap(({ rules: all }) => all.flatMap(({ expr }) => expr.match(/folkmoot_\w+/g)!));
    expect(series.length).toBeGreaterThan(6);
    for (const name of series) expect(sources.join('')).toContain(`'${name}'`);
  });

  it('makes the folders that the units of systemd need before they start', () => {
    const paths = block('ini').flatMap((unit) =>
      [...unit.matchAll(/^ReadWritePaths=(.+)$/gm)].map(([, path]) => path!),
    );
    expect(paths).not.toEqual([]);
    for (const path of paths) expect(block('sh').join('')).toMatch(new RegExp(`^install -d -m 700 .*${path}$`, 'm'));
  });

  it('links to files that are there, and is linked from the README', () => {
    const links = [...guide.matchAll(/\]\(([^)#]+)/g)].map(([, link]) => link!);
    for (const link of links) expect(readdirSync(join(root, 'docs', link, '..'))).toContain(link.split('/').at(-1));
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain('(docs/OPERATING.md)');
  });
});
