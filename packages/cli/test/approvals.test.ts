/** People at two of three towns decide on jobs: real processes for the coordinator, the nodes, the analyst and the people. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { type JobToDecide, readWaiting } from '@folkmoot/node/owner-approvals.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { perform } from '../src/main.ts';
import { bin, type Finished, folkmoot, type Started, start } from './command-line.ts';
import { expectedRows, towns, writeConsortium } from './small-consortium.ts';

type Town = (typeof towns)[number];
const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
const services = new Map<string, Started>();
let url: string;

/** In a process of its own, as at a shell. */
const run = (...args: string[]): Promise<Finished> => folkmoot([...args, '--json'], { cwd: folder });
/** The same command in this process: what it asks are the real services all the same. */
async function here(...args: string[]): Promise<Finished> {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) =>
    new Writable({
      write(chunk, _, done) {
        written[name] += String(chunk);
        done();
      },
    });
  // A command lets go of the channel to the process above, which here is that of the tests.
  const alive = setInterval(() => {}, 1_000);
  const code = await perform([...args, '--json'], { stdout: stream('stdout'), stderr: stream('stderr') });
  clearInterval(alive);
  process.channel?.ref();
  return { code, ...written };
}
const analyst = () => ['--config', join(folder, 'analyst.yaml')];
const json = ({ stdout }: Finished) => JSON.parse(stdout);
const codeOf = (finished: Finished): string => json(finished).error.code;

async function serve(name: string, ...args: string[]): Promise<{ url?: string }> {
  const service = start([...args, '--json'], { cwd: folder });
  services.set(name, service);
  const ready = await new Promise<string>((resolve, reject) => {
    service.child.stdout!.once('data', resolve);
    service.finished.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  return JSON.parse(ready);
}
const startNode = (town: Town) => serve(town, 'node', `${town}/node.yaml`, '--coordinator', url);
async function stopNode(town: Town, signal: NodeJS.Signals): Promise<void> {
  const { child, finished } = services.get(town)!;
  child.kill(signal);
  await finished;
}

/** What a person at a town says; ash lists two people, and birch leaves it to whoever has its own key. */
const words = (verb: string, job: string, town: Town, more: readonly string[]) => {
  const config = join(folder, town, 'node.yaml');
  return [verb, job.slice(0, 12), '--config', config, '--reason', 'file 2026/14', ...more];
};
const decide = (verb: string, job: string, town: Town, ...more: string[]) => run(...words(verb, job, town, more));
const decideHere = (verb: string, job: string, town: Town, ...more: string[]) => here(...words(verb, job, town, more));
/** Gives a program a terminal; part of util-linux. */
const terminal = '/usr/bin/script';
/** Types what is asked for, as a person does. */
async function atTerminal(args: readonly string[], answers: readonly (readonly [asked: string, answer: string])[]) {
  const line = [process.execPath, bin, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const child = spawn(terminal, ['-qefc', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'], cwd: folder });
  let shown = '';
  const left = [...answers];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    const [asked, answer] = left[0] ?? [];
    if (asked === undefined || !shown.includes(asked)) return;
    left.shift();
    child.stdin.write(`${answer}\n`);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, shown };
}
const keysOf = (who: string) => ['--keys', join(folder, who, 'keys')];
const passphrase = 'as long as it is secret';
const passphraseFile = () => join(folder, 'passphrase');
const yesBy = (who: string) => ['--yes', '--as', who, ...keysOf(who), '--passphrase-file', passphraseFile()];

const waitingAt = async (town: Town): Promise<readonly JobToDecide[]> => {
  const options = { configFile: join(folder, town, 'node.yaml'), nowMs: () => Date.now() };
  return (await readWaiting(options)).waiting;
};
async function untilItWaits(job: string, ...at: Town[]): Promise<void> {
  for (const town of at) {
    await expect.poll(async () => (await waitingAt(town)).map((one) => one.job), { timeout: 30_000 }).toContain(job);
  }
}
async function submitted(...at: Town[]): Promise<string> {
  const { job } = json(await here('submit', join(folder, 'job.yaml'), ...analyst()));
  await untilItWaits(job, ...at);
  return job;
}

beforeAll(async () => {
  writeConsortium(folder, { approval: 'manual' });
  writeFileSync(
    join(folder, 'coordinator.yaml'),
    'charter: ./charter.json\nlisten: 127.0.0.1:0\nstate: ./coordinator\n',
  );
  const keygen = (who: string, ...kind: string[]) => here('keygen', '--out', join(folder, who, 'keys'), ...kind);
  writeFileSync(passphraseFile(), passphrase);
  const ada = await keygen('ada', '--approver');
  const ben = await keygen('ben', '--approver', '--passphrase-file', passphraseFile());
  for (const town of towns) await keygen(town);
  await keygen('ann', '--analyst');
  const change = (town: Town, edit: (text: string) => string) => {
    const file = join(folder, town, 'node.yaml');
    writeFileSync(file, edit(readFileSync(file, 'utf8')));
  };
  const listed = [ada, ben].map((made, at) => {
    const [id, name] = [['ada', 'Ada Example'] as const, ['ben', 'Ben Example'] as const][at]!;
    return `  ${id}: { name: ${name}, identity: "${json(made).public.identity}" }\n`;
  });
  change(
    'ash',
    (text) =>
      `${text.replace('approval: manual', 'approval: manual\n      approvers: 2')}approvers:\n${listed.join('')}`,
  );
  change('cedar', (text) => text.replace('approval: manual', 'approval: automatic'));
  await here('charter', 'seal', join(folder, 'charter.yaml'));
  url = (await serve('coordinator', 'coordinator', 'coordinator.yaml')).url!;
  const settings = {
    analyst: 'ann',
    charter: './charter.json',
    coordinator: url,
    keys: './ann/keys',
    state: './ann/state',
  };
  writeFileSync(join(folder, 'analyst.yaml'), JSON.stringify(settings));
  await Promise.all(towns.map(startNode));
});
afterAll(async () => {
  for (const { child } of services.values()) child.kill('SIGTERM');
  await Promise.all([...services.values()].map(({ finished }) => finished));
  rmSync(folder, { recursive: true, force: true });
});

describe('a job that people decide on', () => {
  it('is answered once they have approved, over restarts of their nodes', async () => {
    const job = await submitted('ash', 'birch');
    const watched = start(['watch', job, '--json'], { cwd: folder });
    const [shown, first] = await Promise.all([
      folkmoot(['node', 'waiting', '--config', 'ash/node.yaml'], { cwd: folder }),
      decide('approve', job, 'ash', ...yesBy('ada')),
    ]);
    const text = shown.stdout.replace(/\s+/g, ' ');
    expect(text).toContain('The rule “planning” asks for the approval of 2 different people.');
    expect(text).toContain('Who learns what');
    expect(text).toContain('ann learns the figures named above');
    expect(json(first)).toMatchObject({ job, by: 'ada', decision: 'approve', state: 'AWAITING_APPROVAL', missing: 1 });

    await Promise.all([stopNode('ash', 'SIGKILL'), stopNode('birch', 'SIGTERM')]);
    const [again, stopped] = await Promise.all([
      startNode('ash').then(() => decide('approve', job, 'ash', ...yesBy('ada'))),
      decide('approve', job, 'birch', '--yes').finally(() => startNode('birch')),
    ]);
    expect(codeOf(again)).toBe('ALREADY_APPROVED');
    expect(json(stopped)).toMatchObject({ by: 'owner', state: 'AWAITING_APPROVAL', missing: 0 });
    expect(json(await decide('approve', job, 'ash', ...yesBy('ben')))).toMatchObject({ by: 'ben', missing: 0 });

    const { code, stderr } = await watched.finished;
    expect(code).toBe(0);
    for (const town of ['ash', 'birch']) expect(stderr).toMatch(new RegExp(`"party":"${town}".*"did":"awaiting"`));
    const late = await decideHere('approve', job, 'birch', '--yes');
    const revoked = await decideHere('revoke', job, 'ash', ...yesBy('ben'));
    expect(json(await here('result', job, ...analyst())).rows).toEqual(expectedRows);
    expect([codeOf(late), codeOf(revoked)]).toEqual(['ALREADY_OPENED', 'ALREADY_OPENED']);
  });

  it('ends where one person denies it, and the analyst is not told why', async () => {
    const job = await submitted('ash', 'birch');
    await decideHere('approve', job, 'ash', ...yesBy('ada'));
    const denied = await decideHere('deny', job, 'ash', ...yesBy('ben'));
    expect(json(denied)).toMatchObject({ by: 'ben', decision: 'deny', state: 'DENIED' });
    const watched = await here('watch', job, ...analyst());
    expect(json(watched).error).toMatchObject({ code: 'PARTY_DENIED', party: 'ash' });
    expect(json(watched).error.message).toContain('a person at the party denied the job');
    expect(watched.stdout + watched.stderr).not.toMatch(/2026\/14|ben/);
    await expect.poll(() => waitingAt('birch'), { timeout: 30_000 }).toEqual([]);
    expect(codeOf(await decideHere('approve', job, 'birch', '--yes'))).toBe('ALREADY_ENDED');
  });

  it.runIf(existsSync(terminal))('is shown to who decides at a terminal, who is asked twice', async () => {
    const job = await submitted('ash');
    const asked = ['deny', job.slice(0, 8), '--reason', 'it’s over', '--config', 'ash/node.yaml', ...keysOf('ben')];
    const no = await atTerminal(asked, [['Deny this job? [yes/no]', 'no']]);
    expect({ code: no.code, shown: no.shown }).toEqual({ code: 4, shown: expect.stringContaining('CANCELLED') });
    expect((await waitingAt('ash'))[0]).toMatchObject({ job, decisions: [] });
    const yes = await atTerminal(asked, [
      ['Deny this job? [yes/no]', 'yes'],
      ['Passphrase of', passphrase],
    ]);
    expect(yes.shown.replace(/\s+/g, ' ')).toContain('Who learns what');
    expect(yes.shown).not.toContain(passphrase);
    expect({ code: yes.code, shown: yes.shown }).toEqual({
      code: 0,
      shown: expect.stringContaining('is denied by ben'),
    });
  });

  it('ends where an approval is taken back before anything is opened', async () => {
    const job = await submitted('ash', 'birch');
    expect(json(await decideHere('approve', job, 'birch', '--yes')).missing).toBe(0);
    await expect.poll(() => waitingAt('birch'), { timeout: 30_000 }).toEqual([]);
    expect(json(await decideHere('revoke', job, 'birch', '--yes'))).toMatchObject({
      decision: 'revoke',
      state: 'ABORTED',
    });
    expect(json(await here('watch', job, ...analyst())).error).toMatchObject({
      code: 'APPROVAL_REVOKED',
      party: 'birch',
    });
  });

  it('waits on where what was said about it is no good', async () => {
    const job = await submitted('ash', 'birch');
    const ada = ['--as', 'ada', ...keysOf('ada')];
    const no: [string, Promise<Finished>][] = [
      ['BAD_USAGE', decideHere('approve', job, 'ash', ...ada)],
      ['KEY_MISMATCH', decideHere('approve', job, 'ash', '--yes', '--as', 'ben', ...keysOf('ada'))],
      ['NOT_AN_APPROVER', decideHere('approve', job, 'ash', '--yes', '--as', 'cleo', ...keysOf('ada'))],
      ['NOT_AN_APPROVER', decideHere('approve', job, 'ash', '--yes')],
      ['UNKNOWN_JOB', decideHere('approve', 'ab'.repeat(32), 'ash', ...yesBy('ada'))],
      ['NOT_WAITING', decideHere('approve', job, 'cedar', '--yes')],
      ['NOT_WAITING', decideHere('revoke', job, 'ash', ...yesBy('ada'))],
      ['BAD_USAGE', here('approve', job, '--config', join(folder, 'ash/node.yaml'), '--yes')],
    ];
    for (const [code, finished] of no) expect(codeOf(await finished)).toBe(code);
    expect((await waitingAt('ash'))[0]).toMatchObject({ job, decisions: [] });
    expect(json(await here('cancel', job, ...analyst()))).toMatchObject({ state: 'CANCELLED' });
    await expect.poll(() => waitingAt('ash'), { timeout: 30_000 }).toEqual([]);
  });
});
