/** Joins over real processes: the answer, and what each side's owner finds of it afterwards, and what nobody does. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCharter } from '@folkmoot/core/charter.js';
import { parseJob } from '@folkmoot/core/job.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pooledAnswer } from '../src/pooled.ts';
import { type Finished, folkmoot, type Started, start } from './command-line.ts';
import { writeAgencies } from './two-agencies.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
const services = new Map<string, Started>();
const run = (...args: string[]): Promise<Finished> => folkmoot([...args, '--json'], { cwd: folder });
const json = ({ stdout }: Finished) => JSON.parse(stdout);

async function serve(name: string, ...args: string[]): Promise<{ url?: string }> {
  const service = start([...args, '--json'], { cwd: folder });
  services.set(name, service);
  const ready = await new Promise<string>((resolve, reject) => {
    service.child.stdout!.once('data', resolve);
    service.finished.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  return JSON.parse(ready);
}
async function stop(name: string): Promise<void> {
  const { child, finished } = services.get(name)!;
  child.kill('SIGTERM');
  await finished;
}

const sides = '{ left: { party: ash, dataset: tenants }, right: { party: clinic, dataset: patients }, on: number }';
const hidden = `folkmoot: 1\ntitle: Cost\npurpose: planning\njoin: ${sides}\nmeasures: { n: count, cost: { sum: right.cost }, owed: { sum: left.owed } }\n`;
const revealing = `folkmoot: 1\ntitle: Whom\npurpose: planning\njoin: ${sides}\nmeasures: { n: count }\nreveal: matches\n`;
async function ask(text: string) {
  writeFileSync(join(folder, 'job.yaml'), text);
  return run('submit', 'job.yaml', '--wait', '--config', 'ann.yaml');
}
const joins = async (party: string, ...args: string[]) =>
  json(await run('node', 'joins', ...args, '--config', `${party}/node.yaml`));

/** Every file of a folder, with its bytes. */
function files(path: string): { name: string; bytes: Buffer }[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => ({ name, path: join(path, name) }))
    .filter((file) => statSync(file.path).isFile())
    .map((file) => ({ name: file.name, bytes: readFileSync(file.path) }));
}

beforeAll(async () => {
  writeAgencies(folder);
  const members = [
    ['--out', 'ash/keys'],
    ['--out', 'clinic/keys'],
    ['--analyst', '--out', 'ann/keys'],
  ];
  await Promise.all(members.map((where) => run('keygen', ...where)));
  expect((await run('charter', 'seal', 'charter.yaml')).code).toBe(0);
  writeFileSync(
    join(folder, 'coordinator.yaml'),
    'charter: ./charter.json\nlisten: 127.0.0.1:0\nstate: ./coordinator\n',
  );
  const { url } = await serve('coordinator', 'coordinator', 'coordinator.yaml');
  const settings = { analyst: 'ann', charter: './charter.json', coordinator: url, keys: './ann/keys', state: './ann' };
  writeFileSync(join(folder, 'ann.yaml'), JSON.stringify(settings));
  await Promise.all(
    ['ash', 'clinic'].map((party) => serve(party, 'node', `${party}/node.yaml`, '--coordinator', url!)),
  );
}, 120_000);
afterAll(async () => {
  await Promise.all([...services.keys()].map(stop));
  rmSync(folder, { recursive: true, force: true });
});

describe('a join between two nodes', () => {
  it('gives the figures of SQL’s own join, and tells each owner how many of its identifiers were no use', async () => {
    const asked = await ask(hidden);
    expect(asked).toMatchObject({ code: 0 });
    const answer = json(asked);
    const charter = parseCharter(readFileSync(join(folder, 'charter.json'), 'utf8'), 'charter.json');
    const { rows } = await pooledAnswer({
      job: parseJob(hidden, 'job'),
      charter,
      analyst: 'ann',
      folder,
      threshold: 0,
    });
    expect(answer.rows).toEqual(rows);
    // By the sizes that the parties stated, not by the largest that the charter allows.
    expect(answer.cost.bytesSent).toBeLessThan(8_000_000);
    const about = { job: answer.job, title: 'Cost', purpose: 'planning', analyst: 'ann', key: 'number', matches: null };
    const [left, right] = [await joins('ash'), await joins('clinic')];
    expect(left).toMatchObject({
      party: 'ash',
      joins: [{ ...about, side: 'left', counterpart: 'clinic', dataset: 'tenants', rows: 6 }],
    });
    expect(left.joins[0].unusable).toEqual({ empty: 1, malformed: 0, failed_check: 1 });
    expect(right).toMatchObject({
      party: 'clinic',
      joins: [{ ...about, side: 'right', counterpart: 'ash', dataset: 'patients', rows: 7 }],
    });
    expect(right.joins[0].unusable).toEqual({ empty: 1, malformed: 0, failed_check: 1 });
  }, 60_000);

  it('that reveals its matches tells the left side which of its own people they are, and nobody else', async () => {
    const asked = await ask(revealing);
    const answer = json(asked);
    expect(answer.rows).toEqual([{ n: { value: 3, exact: '3' } }]);
    // As they stand in the records of the left side, which writes them otherwise than the right one.
    const told = await joins('ash', answer.job.slice(0, 16), '--matches');
    expect(told.matches.toSorted()).toEqual(['999 000 0018', '999-000-0034', '9990000026']);
    const text = await folkmoot(['node', 'joins', '--config', 'ash/node.yaml'], { cwd: folder });
    expect(text.stdout).toContain('`folkmoot node joins JOB --matches` lists them.');
    const refused = await joins('clinic', answer.job, '--matches');
    expect(refused.error).toMatchObject({ code: 'BAD_VALUE', field: 'job' });
    expect((await joins('clinic')).joins.map(({ matches }: { matches: unknown }) => matches)).toEqual([null, null]);
  }, 60_000);

  it('leaves no identifier anywhere but there, and nobody can read that who is not the owner', async () => {
    await stop('ash');
    await stop('clinic');
    expect((await joins('ash')).joins).toHaveLength(2);
    const kept = ['ash/state', 'clinic/state', 'coordinator'].flatMap((path) =>
      files(join(folder, path)).map(({ name, bytes }) => ({ name: join(path, name), bytes })),
    );
    const identifiers = ['999 000 0018', '999-000-0034', '9990000018', '9990000026', '9990000034', '9990000107'];
    const holders = kept.filter(({ bytes }) => identifiers.some((identifier) => bytes.includes(identifier)));
    expect(holders.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^ash\/state\/matches\/[0-9a-f]{64}\.jsonl$/),
    ]);
    expect(statSync(join(folder, holders[0]!.name)).mode & 0o777).toBe(0o600);
    for (const { finished } of [services.get('ash')!, services.get('clinic')!]) {
      const { stdout, stderr } = await finished;
      for (const identifier of identifiers) expect(stdout + stderr).not.toContain(identifier);
    }
  }, 60_000);
});
