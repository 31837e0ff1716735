import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joinsText } from '../src/joins-text.ts';
import { folkmoot } from './command-line.ts';
import { writeAgencies } from './two-agencies.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
beforeAll(() => {
  const text = 'party: ash\ncharter: c\ncoordinator: ws://127.0.0.1:1\nkeys: k\nstate: ./state\ndatasets: {}\n';
  writeFileSync(join(folder, 'node.yaml'), `${text}policy: { rules: [] }\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('folkmoot node joins', () => {
  const run = (...args: string[]) => folkmoot(['node', 'joins', ...args, '--json'], { cwd: folder });

  it('reads the party’s own state, and starts nothing', async () => {
    const { code, stdout } = await run();
    expect({ code, document: JSON.parse(stdout) }).toEqual({ code: 0, document: { party: 'ash', joins: [] } });
    const named = await run('--config', 'node.yaml', '--state', 'elsewhere');
    expect(JSON.parse(named.stdout)).toEqual({ party: 'ash', joins: [] });
  });

  it('wants a job to list the matches of, and one that there is', async () => {
    expect(JSON.parse((await run('--matches')).stdout).error.code).toBe('BAD_USAGE');
    const unknown = await run('3f', '--matches');
    expect(unknown.code).toBe(2);
    expect(JSON.parse(unknown.stdout).error).toMatchObject({ code: 'BAD_VALUE', field: 'job' });
  });
});

describe('folkmoot explain with a join', () => {
  it('names both sides, the rule of each, and what it is not allowed', async () => {
    const consortium = join(folder, 'agencies');
    mkdirSync(consortium);
    writeAgencies(consortium);
    const sides = '{ left: { party: ash, dataset: tenants }, right: { party: clinic, dataset: patients }, on: number }';
    const asked = (measures: string) => `folkmoot: 1\npurpose: planning\njoin: ${sides}\nmeasures: ${measures}\n`;
    const explain = async (measures: string) => {
      writeFileSync(join(folder, 'job.yaml'), asked(measures));
      return folkmoot(['explain', 'job.yaml', '--consortium', 'agencies', '--json'], { cwd: folder });
    };
    const allowed = await explain('{ n: count, cost: { sum: right.cost } }');
    expect(allowed.code).toBe(0);
    expect(JSON.parse(allowed.stdout)).toMatchObject({
      join: { left: { party: 'ash', setSize: null }, right: { party: 'clinic', rowsPerPerson: 2 }, on: 'number' },
      parties: [{ rule: 'link' }, { rule: 'link' }],
    });
    const refused = await explain('{ n: count, cost: { mean: right.cost } }');
    expect(refused.code).toBe(3);
    expect(JSON.parse(refused.stdout).parties[1].refusal.change).toContain('mean');
  });
});

describe('joins as text', () => {
  const one = {
    job: '3f29c1'.padEnd(64, '0'),
    title: 'Who is known',
    analyst: 'ann',
    at: '2026-11-22T08:00:00.000Z',
    side: 'left',
    counterpart: 'clinic',
    dataset: 'people',
    key: 'nhs_number',
    rows: 12_000,
    unusable: { empty: 100, malformed: 20, failed_check: 0 },
    matches: null,
  };
  const flat = (...args: Parameters<typeof joinsText>) => joinsText(...args).replace(/ +/g, ' ');

  it('say when, with whom, on what, and how many identifiers were no use', () => {
    const text = flat({ party: 'ash', joins: [one] });
    expect(text).toContain(
      '2026-11-22 08:00 3f29c1000000 clinic people nhs_number ann 12,000 100 20 0 1.0 % Who is known',
    );
    expect(text).not.toContain('matches');
    expect(joinsText({ party: 'ash', joins: [] })).toBe('ash has taken part in no join.');
  });

  it('list matches on demand, as text that moves no cursor', () => {
    const told = { party: 'ash', joins: [{ ...one, rows: 0, matches: 2 }] };
    expect(flat(told)).toContain('folkmoot node joins JOB --matches');
    const text = flat(told, ['943 476 5919', 'x\u001b[2J']);
    expect(text).toContain('2 of your people are known to clinic too');
    expect(text).toMatch(/\n943 476 5919\n"x\\u001b\[2J"$/);
    expect(flat(told, [])).toContain('clinic has none of your people.');
  });
});
