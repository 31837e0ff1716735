/** Three towns look at each other's audit logs: real processes for the coordinator and the nodes, and real files. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { perform } from '../src/main.ts';
import { type Finished, type Started, start } from './command-line.ts';
import { towns, writeConsortium } from './small-consortium.ts';

type Town = (typeof towns)[number];
const folder = mkdtempSync(join(tmpdir(), 'folkmoot-audit-'));
const services = new Map<string, Started>();
let url: string;

/** A command in this process: what it asks are the real services all the same. */
async function command(...args: string[]): Promise<Finished> {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) =>
    new Writable({
      write(chunk, _, done) {
        written[name] += String(chunk);
        done();
      },
    });
  const alive = setInterval(() => {}, 1_000);
  const code = await perform(args, { stdout: stream('stdout'), stderr: stream('stderr') });
  clearInterval(alive);
  process.channel?.ref();
  return { code, ...written };
}
const here = async (...args: string[]) => {
  const { code, stdout } = await command(...args, '--json');
  return { code, said: JSON.parse(stdout) };
};

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
async function stopNode(town: Town): Promise<void> {
  const { child, finished } = services.get(town)!;
  child.kill('SIGTERM');
  await finished;
}

const analyst = () => ['--config', join(folder, 'analyst.yaml')];
const own = (town: Town) => ['--config', join(folder, town, 'node.yaml')];
const charter = () => ['--charter', join(folder, 'charter.json')];
const file = (name: string) => join(folder, name);
/** What became of the job: the answer, or the error. */
async function asked() {
  const { said: submitted } = await here('submit', file('job.yaml'), ...analyst());
  await here('watch', submitted.job, ...analyst());
  return { job: submitted.job as string, ...(await here('result', submitted.job, ...analyst())) };
}
const kindsOf = (text: string) =>
  text.split('\n').flatMap((line) => (line.includes('"payload"') ? [JSON.parse(line).payload.kind as string] : []));

beforeAll(async () => {
  writeConsortium(folder);
  writeFileSync(file('coordinator.yaml'), 'charter: ./charter.json\nlisten: 127.0.0.1:0\nstate: ./coordinator\n');
  for (const town of towns) await here('keygen', '--out', join(folder, town, 'keys'));
  await here('keygen', '--out', join(folder, 'ann', 'keys'), '--analyst');
  await here('charter', 'seal', file('charter.yaml'));
  url = (await serve('coordinator', 'coordinator', 'coordinator.yaml')).url!;
  const paths = { charter: './charter.json', keys: './ann/keys', state: './ann/state' };
  writeFileSync(file('analyst.yaml'), JSON.stringify({ analyst: 'ann', coordinator: url, ...paths }));
  await Promise.all(towns.map(startNode));
});
afterAll(async () => {
  for (const { child } of services.values()) child.kill('SIGTERM');
  await Promise.all([...services.values()].map(({ finished }) => finished));
  rmSync(folder, { recursive: true, force: true });
});

describe('audit logs of towns that computed together', () => {
  it('are countersigned at a job, verify while the nodes run, and agree with each other', async () => {
    const { said, job } = await asked();
    expect(said.status).toBe('DONE');
    writeFileSync(file('answer.json'), JSON.stringify(said));
    for (const town of towns) {
      const { code, said: written } = await here('audit', 'export', ...own(town), '--out', file(`${town}.log`));
      expect(code).toBe(0);
      expect(written).toMatchObject({ party: town, file: file(`${town}.log`) });
    }
    const others = [file('birch.log'), file('cedar.log')];
    const { code, said: verified } = await here('audit', 'verify', ...own('ash'), '--with', ...others);
    expect(verified).toMatchObject({ ok: true, findings: [], report: { party: 'ash' } });
    expect(verified.report.countersigned.by).toEqual(['birch', 'cedar']);
    expect(verified.report.tail).toBeGreaterThan(0);
    expect(code).toBe(0);
    const { stdout } = await command('audit', 'verify', file('birch.log'), ...charter(), '--with', file('ash.log'));
    expect(stdout).toContain('Nothing was changed, taken out or taken back.');
    expect(stdout).toContain('It agrees with the log of ash.');
    expect(stdout).toMatch(/After that \d+ entries are this party’s own word still\./);

    const one = await command('audit', 'export', ...own('cedar'), '--job', job.slice(0, 10));
    writeFileSync(file('one.log'), one.stdout);
    expect(kindsOf(one.stdout)).toEqual(['job', 'verdict', 'attempt', 'commitment', 'opening', 'end']);
    expect((await here('audit', 'verify', file('one.log'), ...charter())).said).toMatchObject({
      ok: true,
      report: { job, party: 'cedar', countersigned: { by: ['ash', 'birch'] } },
    });
  });

  it('can be read and printed: a page of its own, with everything in it escaped', async () => {
    const job = readFileSync(file('job.yaml'), 'utf8').replace(
      'title: Arrears',
      'title: "<script>alert(1)</script> & co"',
    );
    writeFileSync(file('other-job.yaml'), job);
    const { said } = await here('submit', file('other-job.yaml'), ...analyst());
    await here('watch', said.job, ...analyst());
    const { stdout } = await command('audit', 'export', ...own('ash'), '--html');
    expect(stdout).toMatch(/^<!doctype html>/);
    expect(stdout).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &amp; co');
    expect(stdout).not.toMatch(/<script|<link|<img|src=|@import|url\(/);
    expect(stdout).toContain('@media print');
    expect(stdout).toContain('Nothing was changed, taken out or taken back.');
  });

  it('are found out where a file that was exported is changed, and the exit code says so', async () => {
    const log = readFileSync(file('ash.log'), 'utf8');
    writeFileSync(file('changed.log'), log.replace('"Arrears"', '"Anything"'));
    const { code, said } = await here('audit', 'verify', file('changed.log'), ...charter());
    expect(code).toBe(1);
    expect(said).toMatchObject({ ok: false, error: { code: 'AUDIT_BROKEN', party: 'ash' } });
    expect(said.findings).toMatchObject([{ code: 'FORKED', party: 'ash', between: [0, expect.any(Number)] }]);
    writeFileSync(file('half.log'), log.slice(0, log.length / 2));
    expect((await here('audit', 'verify', file('half.log'), ...charter())).said.error.code).toBe('BAD_SYNTAX');
    expect((await here('audit', 'verify', file('none.log'), ...charter())).said.error.code).toBe('FILE_UNREADABLE');
    expect((await here('audit', 'export', ...own('ash'), '--job', 'ffff')).said.error).toMatchObject({ field: 'job' });
  });
});

describe('the receipts of an answer', () => {
  it('verify with the charter alone, and say who signed what, and what that does not prove', async () => {
    const { code, said } = await here('verify', file('answer.json'), ...charter());
    expect(code).toBe(0);
    expect(said.receipts.map(({ party }: { party: string }) => party)).toEqual([...towns]);
    expect(said).toMatchObject({ ok: true, receipts: [{ rule: 'planning' }, {}, {}] });
    const { stdout } = await command('verify', file('answer.json'), ...charter());
    expect(stdout).toContain('all have signed one list of what each released');
    expect(stdout).toMatch(/Not proved:\n\s+· the figures/);
  });

  it('are refused where anything in them was changed, by the name of the party', async () => {
    const answer = JSON.parse(readFileSync(file('answer.json'), 'utf8'));
    const verify = async (changed: object) => {
      writeFileSync(file('changed.json'), JSON.stringify({ ...answer, ...changed }));
      return here('verify', file('changed.json'), ...charter());
    };
    const [ash, birch, cedar] = answer.receipts;
    const lenient = { ...birch, acceptance: { ...birch.acceptance, min_group: 1 } };
    const bad = (code: string, party?: string) => ({
      code: 4,
      said: { error: { code, ...(party === undefined ? {} : { party }) } },
    });
    expect(await verify({ receipts: [ash, lenient, cedar] })).toMatchObject(bad('BAD_ACCEPTANCE', 'birch'));
    const other = { ...cedar, signature: ash.signature };
    expect(await verify({ receipts: [ash, birch, other] })).toMatchObject(bad('BAD_OPENING_SIGNATURE', 'cedar'));
    const released = { ...ash, commitment: birch.commitment };
    expect(await verify({ receipts: [released, birch, cedar] })).toMatchObject(bad('BAD_OPENING_SIGNATURE'));
    expect(await verify({ receipts: [ash, birch] })).toMatchObject(bad('BAD_ACCEPTANCE', 'cedar'));
    expect(await verify({ job: 'ab'.repeat(32) })).toMatchObject(bad('BAD_ACCEPTANCE', 'ash'));
    expect(await verify({ receipts: 7 })).toMatchObject({ code: 2, said: { error: { code: 'BAD_VALUE' } } });
    writeFileSync(file('changed.json'), 'Arrears: 7');
    expect(await here('verify', file('changed.json'), ...charter())).toMatchObject({
      code: 2,
      said: { error: { code: 'BAD_SYNTAX' } },
    });
  });
});

describe('a town that runs on yesterday’s copy of its state', () => {
  it('is noticed by its peers, refuses until its owner confirms, and goes on with the loss in every log', async () => {
    await stopNode('ash');
    cpSync(join(folder, 'ash', 'state'), file('yesterday'), { recursive: true });
    await startNode('ash');
    expect((await asked()).said.status).toBe('DONE');
    await here('audit', 'export', ...own('birch'), '--out', file('birch.log'));
    await stopNode('ash');
    rmSync(join(folder, 'ash', 'state'), { recursive: true });
    cpSync(file('yesterday'), join(folder, 'ash', 'state'), { recursive: true });

    // The copy by itself is in order; what others hold shows that it is old.
    expect((await here('audit', 'verify', ...own('ash'))).said).toMatchObject({ ok: true });
    const compared = await here('audit', 'verify', ...own('ash'), '--with', file('birch.log'));
    expect(compared).toMatchObject({ code: 1, said: { findings: [{ code: 'ROLLED_BACK', party: 'ash' }] } });
    expect(await here('audit', 'confirm', ...own('ash'), '--reason', 'too early')).toMatchObject({
      code: 2,
      said: { error: { code: 'BAD_VALUE' } },
    });

    await startNode('ash');
    const refused = await here('submit', file('job.yaml'), ...analyst());
    const watched = await command('watch', refused.said.job, ...analyst(), '--json');
    expect(watched.stdout + watched.stderr).toMatch(/AUDIT_(ROLLED_BACK|FORKED|UNPROVEN)/);
    const denied = async () => {
      const { said } = await here('submit', file('job.yaml'), ...analyst());
      return (await command('watch', said.job, ...analyst(), '--json')).stderr;
    };
    await expect.poll(denied, { timeout: 20_000 }).toContain('STATE_RESTORED');

    const doctor = await here('doctor', ...own('ash'));
    expect(JSON.stringify(doctor.said)).toMatch(/an older copy of itself: (birch|cedar) holds a head of \d+ entries/);
    const confirmed = await here('audit', 'confirm', ...own('ash'), '--reason', 'the disk broke');
    expect(confirmed).toMatchObject({ code: 0, said: { party: 'ash' } });
    expect((await asked()).said.status).toBe('DONE');
    const { stdout } = await command('audit', 'export', ...own('ash'));
    expect(kindsOf(stdout)).toContain('restored');
    for (const town of ['birch', 'cedar'] as const) {
      await here('audit', 'export', ...own(town), '--out', file(`${town}.log`));
      expect(kindsOf(readFileSync(file(`${town}.log`), 'utf8'))).toContain('peer-restored');
    }
    const now = await here('audit', 'verify', ...own('ash'), '--with', file('birch.log'), file('cedar.log'));
    expect(now.said).toMatchObject({ ok: true, findings: [] });
    expect(now.said.compared[0].lost.length).toBe(1);
  });

  it('is found out by itself where somebody edits its database', async () => {
    await stopNode('cedar');
    const db = new DatabaseSync(join(folder, 'cedar', 'state', 'node.sqlite'));
    db.exec('DROP TRIGGER audit_is_not_changed');
    db.exec(`UPDATE audit SET payload = replace(payload, 'Arrears', 'Nothing') WHERE kind = 'job' AND entry < 20`);
    db.close();
    const { code, stdout } = await command('audit', 'verify', ...own('cedar'));
    expect(code).toBe(1);
    const doctor = await here('doctor', ...own('cedar'));
    expect(JSON.stringify(doctor.said)).toMatch(/"check":"audit log","level":"fail","text":"entry \d+ is not what was/);
    expect(stdout).toMatch(/CHANGED {2}cedar, entry \d+: entry \d+ is not what was entered/);
  });
});
