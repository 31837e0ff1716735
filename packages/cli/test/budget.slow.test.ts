/** Budgets over real processes: what is charged once, what is refused, and what each side can read of it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finished, folkmoot, type Started, start } from './command-line.ts';
import { towns, writeConsortium } from './small-consortium.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
const nodes = new Map<string, Started>();
let coordinator: Started;
let url: string;

const run = (...args: string[]): Promise<Finished> => folkmoot([...args, '--json'], { cwd: folder });
const json = ({ stdout }: Finished) => JSON.parse(stdout);

async function serve(...args: string[]): Promise<{ readonly service: Started; readonly ready: { url?: string } }> {
  const service = start([...args, '--json'], { cwd: folder });
  const ready = await new Promise<string>((resolve, reject) => {
    service.child.stdout!.once('data', resolve);
    service.finished.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  return { service, ready: JSON.parse(ready) };
}
async function startNode(town: string): Promise<void> {
  const { service } = await serve('node', `${town}/node.yaml`, '--coordinator', url);
  nodes.set(town, service);
}
async function stopNode(town: string): Promise<void> {
  const { child, finished } = nodes.get(town)!;
  child.kill('SIGTERM');
  await finished;
}

const job = (epsilon: string, more = '') => `
folkmoot: 1
title: People
purpose: planning
from: people
${more}
measures: { people: count }
privacy: { epsilon: ${epsilon} }
`;
function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}
const ask = (file: string, analyst = 'ann') => run('submit', file, '--wait', '--config', `${analyst}.yaml`);
/** What the first party says of an analyst’s own part, and of all. */
async function left(analyst = 'ann') {
  const { statements, missing } = json(await run('budget', '--config', `${analyst}.yaml`));
  expect(missing).toEqual([]);
  const { own, total } = statements[0].datasets[0];
  return { own: own.remaining.amount, spent: total.spent.amount, reserved: total.reserved.amount };
}

beforeAll(async () => {
  writeConsortium(folder);
  const charter = readFileSync(join(folder, 'charter.yaml'), 'utf8');
  write(
    'charter.yaml',
    charter.replace('ann: { roles: [analyst] }', 'ann: { roles: [analyst] }\n  bob: { roles: [analyst] }'),
  );
  for (const town of towns) {
    const file = join(town, 'node.yaml');
    const text = readFileSync(join(folder, file), 'utf8');
    const budget = '    budget: { epsilon: 3.5, per_analyst: { epsilon: 2.5 } }';
    write(file, text.replace('    period: 2026-Q4', `    period: 2026-Q4\n${budget}`));
  }
  write('coordinator.yaml', 'charter: ./charter.json\nlisten: 127.0.0.1:0\nstate: ./coordinator\n');
  await Promise.all([
    ...towns.map((town) => run('keygen', '--out', `${town}/keys`)),
    ...['ann', 'bob'].map((analyst) => run('keygen', '--analyst', '--out', `${analyst}/keys`)),
  ]);
  expect((await run('charter', 'seal', 'charter.yaml')).code).toBe(0);
  const served = await serve('coordinator', 'coordinator.yaml');
  coordinator = served.service;
  url = served.ready.url!;
  for (const analyst of ['ann', 'bob']) {
    const settings = {
      analyst,
      charter: './charter.json',
      coordinator: url,
      keys: `./${analyst}/keys`,
      state: `./${analyst}`,
    };
    write(`${analyst}.yaml`, JSON.stringify(settings));
  }
  await Promise.all(towns.map(startNode));
}, 180_000);
afterAll(async () => {
  for (const { child } of [coordinator, ...nodes.values()]) child.kill('SIGTERM');
  await Promise.all([coordinator, ...nodes.values()].map(({ finished }) => finished));
  rmSync(folder, { recursive: true, force: true });
});

describe('budgets among real nodes', () => {
  it('are charged once for a question: the same answer again, byte for byte, is free', async () => {
    expect(await left()).toEqual({ own: '2.5', spent: '0', reserved: '0' });
    const first = await ask(write('one.yaml', job('1')));
    expect(first).toMatchObject({ code: 0 });
    expect(first.stderr).toContain('left of your budget for people: ε 1.5 at ash, ε 1.5 at birch, ε 1.5 at cedar');
    expect(await left()).toEqual({ own: '1.5', spent: '1', reserved: '0' });
    const again = await ask(write('again.yaml', job('1.0').replace('People', 'Another title')));
    expect(again.stdout).toBe(first.stdout);
    expect(await left()).toEqual({ own: '1.5', spent: '1', reserved: '0' });
    const { jobs } = json(await run('watch', '--config', 'ann.yaml'));
    expect(jobs[0]).toMatchObject({ state: 'DONE', same_as: jobs[1].job });
  }, 180_000);

  it('are charged to another analyst for the same noise', async () => {
    const [mine, other] = [json(await ask('one.yaml')), json(await ask('one.yaml', 'bob'))];
    expect(other.rows).toEqual(mine.rows);
    expect(other.job).not.toBe(mine.job);
    expect(await left('bob')).toEqual({ own: '1.5', spent: '2', reserved: '0' });
    const { statements } = json(await run('budget', '--config', 'bob.yaml'));
    expect(statements[0].jobs.map((one: { job: string }) => one.job)).toEqual([other.job]);
  }, 180_000);

  it('are never overspent by two jobs at once', async () => {
    const files = ['a', 'b'].map((name, at) => write(`${name}.yaml`, job('0.8', `where: { age: { gte: ${at} } }`)));
    const answers = await Promise.all(files.map((file) => ask(file)));
    const done = answers.filter(({ code }) => code === 0).length;
    expect(done).toBeLessThanOrEqual(1);
    for (const answer of answers.filter(({ code }) => code !== 0)) {
      expect(json(answer).error).toMatchObject({ message: expect.stringContaining('costs more than is left') });
      expect(answer.code).toBe(3);
    }
    expect(await left()).toEqual({ own: done === 1 ? '0.7' : '1.5', spent: done === 1 ? '2.8' : '2', reserved: '0' });
  }, 180_000);

  it('may be spent to the last millionth, and not one more', async () => {
    const { own, spent } = await left();
    // Of all analysts together no more is left than this.
    const rest = Math.min(Number(own), 3.5 - Number(spent)).toFixed(6);
    const more = (Number(rest) + 0.000001).toFixed(6);
    const refused = await ask(write('more.yaml', job(more, 'where: { age: { gte: 20 } }')));
    expect(refused.code).toBe(3);
    expect(json(refused).error).toMatchObject({
      field: 'datasets.people.budget',
      message: expect.stringMatching(/left/),
    });
    expect((await ask(write('rest.yaml', job(rest, 'where: { age: { gte: 20 } }')))).code).toBe(0);
    const least = await ask(write('least.yaml', job('0.000001', 'where: { age: { gte: 21 } }')));
    expect(json(least).error.message).toContain('costs more than is left');
    const { privacy } = json(await run('explain', 'more.yaml', '--config', 'ann.yaml'));
    expect(privacy.charges).toHaveLength(3);
    expect(privacy.charges[0]).toMatchObject({ party: 'ash', unit: 'epsilon', epsilon: more, isRefused: true });
    expect((await run('explain', 'more.yaml', '--config', 'ann.yaml', '--as', 'bob')).code).toBe(2);
    // What was paid for stays free.
    expect((await ask('one.yaml')).code).toBe(0);
  }, 180_000);

  it('stand in the ledger of each party, while its node runs too', async () => {
    const live = json(await run('ledger', 'ash/node.yaml'));
    expect(live).toMatchObject({ party: 'ash', datasets: [{ dataset: 'people', unit: 'epsilon', exact_too: true }] });
    expect(live.entries.at(-1)).toMatchObject({
      kind: 'reserve',
      analyst: 'ann',
      title: 'People',
      cost: { amount: '1' },
    });
    expect(live.datasets[0].analysts.map(({ analyst }: { analyst: string }) => analyst)).toEqual(['ann', 'bob']);
    const busy = await run('node', 'period', 'ash/node.yaml', 'people', '2027-Q1');
    expect(json(busy).error).toMatchObject({ code: 'STATE_IN_USE', party: 'ash' });
    await stopNode('ash');
    expect(json(await run('ledger', 'ash/node.yaml'))).toEqual(live);
    const shown = await folkmoot(['ledger', 'ash/node.yaml'], { cwd: folder });
    expect(shown.stdout).toMatch(/ash: people in 2026-Q4[\s\S]*all analysts[\s\S]*protected answers only[\s\S]*charge/);
    const budget = await folkmoot(['budget', '--config', 'ann.yaml'], { cwd: folder });
    expect(budget.stdout).toMatch(/birch +people +2026-Q4 +yours[\s\S]*Not connected, so not known: ash/);
  }, 180_000);

  it('are renewed by the next period alone, where the same question is a new one', async () => {
    for (const town of towns.slice(1)) await stopNode(town);
    for (const town of towns) {
      const declared = await run('node', 'period', `${town}/node.yaml`, 'people', '2027-Q1');
      expect(json(declared)).toEqual({ party: town, dataset: 'people', ended: '2026-Q4', period: '2027-Q1' });
      expect(json(await run('node', 'period', `${town}/node.yaml`, 'people', '2026-Q4')).error.code).toBe(
        'PERIOD_ENDED',
      );
    }
    await Promise.all(towns.map(startNode));
    expect(await left()).toEqual({ own: '2.5', spent: '0', reserved: '0' });
    const answer = await ask('one.yaml');
    expect(answer.code).toBe(0);
    expect(await left()).toEqual({ own: '1.5', spent: '1', reserved: '0' });
  }, 180_000);
});
