import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Finished, folkmoot, type Started, start } from './command-line.ts';
import { expectedRows, job, writeConsortium } from './small-consortium.ts';

let folder: string;
let consortium: string;
/** Where the program makes its temporary folders. */
let temporary: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
  consortium = join(folder, 'towns');
  temporary = join(folder, 'tmp');
  for (const path of [consortium, temporary]) mkdirSync(path);
  writeConsortium(consortium);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const how = (env: Record<string, string> = {}) => ({ env: { ...env, TMPDIR: temporary } });
const run = (...options: string[]): Promise<Finished> =>
  folkmoot(['run', join(consortium, 'job.yaml'), '--consortium', consortium, '--json', ...options], how());

/** Every file below, with its size and time. */
function listing(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const { size, mtimeMs } = statSync(join(path, name));
      return `${name} ${size} ${mtimeMs}`;
    });
}

/** Processes that were started with a path of this test. */
function processes(): string[] {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(temporary) || line.includes(`--consortium ${consortium}`));
}

async function until(condition: () => boolean, withinMs: number): Promise<boolean> {
  for (const end = Date.now() + withinMs; Date.now() < end; ) {
    if (condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return condition();
}

/** A run whose nodes are up, in the middle of its work. */
async function underWay(): Promise<Started> {
  const started = start(
    ['run', join(consortium, 'job.yaml'), '--consortium', consortium, '--json'],
    how({ FOLKMOOT_LOG: 'info' }),
  );
  expect(await until(() => started.stderr().includes('node-started'), 30_000)).toBe(true);
  return started;
}

describe('folkmoot run', () => {
  it('gives the same figures as the pooled records once its people approve, and leaves nothing behind', async () => {
    rmSync(consortium, { recursive: true });
    mkdirSync(consortium);
    writeConsortium(consortium, { approval: 'manual' });
    const before = listing(consortium);
    const { code, stdout } = await run('--approve');
    expect(code).toBe(0);
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({
      title: 'Arrears',
      status: 'DONE',
      parties: ['ash', 'birch', 'cedar'],
      suppressed: 0,
    });
    expect(answer.rows).toEqual(expectedRows);
    expect(answer.receipts).toHaveLength(3);
    expect(listing(consortium)).toEqual(before);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('ends with 130 on Ctrl-C, and leaves no process and no file', async () => {
    const { child, finished } = await underWay();
    child.kill('SIGINT');
    const { code, stdout } = await finished;
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'INTERRUPTED' } });
    expect(processes()).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('ends with its processes when the one that started it is killed', async () => {
    const { child } = await underWay();
    child.kill('SIGKILL');
    expect(await until(() => processes().length === 0, 15_000)).toBe(true);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('says what is wrong with a source in the node’s own words', async () => {
    appendFileSync(join(consortium, 'birch/people.csv'), 'birch-8,0x10,owner,1.00\n');
    const { code, stdout, stderr } = await run();
    expect(code).toBe(5);
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'SOURCE_VALUE', party: 'birch' });
    expect(JSON.parse(stdout).error.message).toMatch(/^birch: age: /);
    expect(stderr + stdout).not.toContain('0x10');
  });

  it('shows the refusal of a policy', async () => {
    writeFileSync(join(consortium, 'job.yaml'), job.replace('{ sum: arrears }', '{ stddev: arrears }'));
    const { code, stdout } = await run();
    expect(code).toBe(3);
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'REFUSED' });
  });

  it('needs --approve where a rule asks for a person', async () => {
    rmSync(consortium, { recursive: true });
    mkdirSync(consortium);
    writeConsortium(consortium, { approval: 'manual' });
    const refused = await run();
    expect(refused.code).toBe(2);
    expect(JSON.parse(refused.stdout).error).toMatchObject({ code: 'NOT_SUPPORTED', field: 'approval' });
  });

  it('names a node.yaml that cannot be used', async () => {
    const file = join(consortium, 'cedar/node.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('state:', 'stat:'));
    const { code, stdout } = await run();
    expect(code).toBe(2);
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'UNKNOWN_KEY', field: 'stat', party: 'cedar' });
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe('folkmoot run refuses before it starts anything', () => {
  const refusal = async (...options: string[]) => {
    const { code, stdout } = await run(...options);
    return { code, error: JSON.parse(stdout).error.code };
  };

  it('an analyst that the charter does not list', async () => {
    expect(await refusal('--as', 'bob')).toEqual({ code: 3, error: 'UNKNOWN_ANALYST' });
  });

  it.each([
    ['what only a join has', `${job}\nreveal: matches\n`, 'BAD_VALUE'],
    ['an unknown key', `${job}\nlimit: 3\n`, 'UNKNOWN_KEY'],
    ['an unknown column', job.replace('sum: arrears', 'sum: debts'), 'UNKNOWN_COLUMN'],
  ])('%s', async (_, text, error) => {
    writeFileSync(join(consortium, 'job.yaml'), text);
    expect(await refusal()).toEqual({ code: 2, error });
  });

  it('a folder without a charter, and one without a party’s node.yaml', async () => {
    rmSync(join(consortium, 'birch/node.yaml'));
    expect(await refusal()).toEqual({ code: 2, error: 'FILE_UNREADABLE' });
    rmSync(join(consortium, 'charter.yaml'));
    expect(await refusal()).toEqual({ code: 2, error: 'FILE_UNREADABLE' });
  });

  it('a folder of a party that the charter does not know', async () => {
    const file = join(consortium, 'birch/node.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('party: birch', 'party: elm'));
    expect(await refusal()).toEqual({ code: 2, error: 'UNKNOWN_PARTY' });
  });

  it('a missing --consortium', async () => {
    const { code, stdout } = await folkmoot(['run', join(consortium, 'job.yaml'), '--json'], how());
    expect({ code, error: JSON.parse(stdout).error.code }).toEqual({ code: 2, error: 'BAD_USAGE' });
  });
});
