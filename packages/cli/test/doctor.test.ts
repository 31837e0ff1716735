/** Each line of the doctor, reached both ways, on real files, a real coordinator and a real node. */
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { examineCoordinator } from '@folkmoot/coordinator/doctor.js';
import { examineNode } from '@folkmoot/node/doctor.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import type { Finding } from '@folkmoot/transport/finding.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folkmoot, type Started, start } from './command-line.ts';
import { towns, writeConsortium } from './small-consortium.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-doctor-'));
const services: Started[] = [];
const at = (...parts: string[]) => join(folder, ...parts);
let url: string;

async function serve(...args: string[]): Promise<{ readonly url?: string; readonly metrics?: string }> {
  const service = start([...args, '--json'], { cwd: folder });
  services.push(service);
  const ready = await new Promise<string>((resolve, reject) => {
    service.child.stdout!.once('data', resolve);
    service.finished.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  return JSON.parse(ready);
}

beforeAll(async () => {
  writeConsortium(folder);
  writeFileSync(at('passphrase'), 'correct horse\n', { mode: 0o600 });
  await Promise.all([
    ...towns.map((town) => folkmoot(['keygen', '--out', `${town}/keys`], { cwd: folder })),
    folkmoot(['keygen', '--out', 'wrapped-keys', '--passphrase-file', 'passphrase'], { cwd: folder }),
    folkmoot(['keygen', '--analyst', '--out', 'ann/keys'], { cwd: folder }),
  ]);
  await folkmoot(['charter', 'seal', 'charter.yaml'], { cwd: folder });
  writeFileSync(at('coordinator.yaml'), 'charter: ./charter.json\nlisten: 127.0.0.1:0\nstate: ./coordinator\n');
  url = (await serve('coordinator', 'coordinator.yaml')).url!;
});
afterAll(async () => {
  for (const { child } of services) child.kill('SIGTERM');
  await Promise.all(services.map(({ finished }) => finished));
  rmSync(folder, { recursive: true, force: true });
});

interface Changes {
  readonly keys?: string;
  readonly state?: string;
  readonly charter?: string;
  readonly coordinator?: string;
  readonly passphrase?: string;
  readonly clock?: typeof systemClock;
}

async function examine(changes: Changes = {}, configFile = at('ash/node.yaml')) {
  const { clock = systemClock, passphrase, ...overrides } = changes;
  const given = { overrides: { coordinator: url, ...overrides }, clock, env: {} };
  return examineNode({ configFile, ...given, ...(passphrase === undefined ? {} : { passphrase }) });
}
const line = (findings: readonly Finding[], check: string) => findings.find((one) => one.check === check);
/** These keys are made for the test, and have no passphrase. */
const bad = (findings: readonly Finding[]) =>
  findings.filter(({ check, level }) => level !== 'ok' && check !== 'secret keys');

describe('the doctor of a node', () => {
  it('finds all in order before the first start', async () => {
    const findings = await examine();
    expect(bad(findings)).toEqual([]);
    const about = await fetch(`${url.replace(/^ws/, 'http')}/v1/health`);
    // Its login was looked at, and nobody came by that.
    expect(await about.json()).toMatchObject({ connected: [] });
    expect(findings.map(({ check }) => check)).toEqual([
      ...['node.yaml', 'key folder', 'secret keys', 'charter', 'membership', 'state folder', 'disk', 'database'],
      ...['certificate', 'coordinator', 'clock', 'coordinator charter', 'versions', 'login', 'source people'],
      ...['column people.age', 'column people.arrears', 'column people.id', 'column people.tenure'],
      'source people rows',
    ]);
    expect(line(findings, 'charter')?.text).toMatch(/signed by all 3 parties; compare by telephone: [0-9a-f]{4} /);
    expect(existsSync(at('ash/state'))).toBe(false);
  });

  it('names a node.yaml, a charter and keys that are of no use', async () => {
    writeFileSync(at('broken.yaml'), 'party: ash\nextra: 1\n');
    expect(await examine({}, at('broken.yaml'))).toMatchObject([{ check: 'node.yaml', level: 'fail' }]);
    const unsigned = await examine({ charter: at('charter.yaml') });
    expect(line(unsigned, 'charter')).toMatchObject({
      level: 'fail',
      text: expect.stringContaining('CHARTER_UNSIGNED'),
    });
    const foreign = await examine({ keys: at('birch/keys') });
    expect(line(foreign, 'membership')).toMatchObject({ level: 'fail', text: expect.stringContaining('KEY_MISMATCH') });
    expect(line(foreign, 'login')).toBeUndefined();
  });

  it('looks at who can read the keys, and whether a passphrase keeps them', async () => {
    cpSync(at('ash/keys'), at('open-keys'), { recursive: true });
    chmodSync(at('open-keys/secret.json'), 0o644);
    chmodSync(at('open-keys'), 0o755);
    const exposed = await examine({ keys: at('open-keys') });
    expect(line(exposed, 'key folder')).toMatchObject({ level: 'warn', remedy: expect.stringContaining('chmod') });
    expect(line(exposed, 'secret keys')).toMatchObject({
      level: 'fail',
      text: expect.stringContaining('KEY_FILE_EXPOSED'),
      remedy: expect.stringContaining('chmod 600'),
    });
    const bare = line(await examine(), 'secret keys');
    expect(bare).toMatchObject({ level: 'warn', text: expect.stringContaining('0600 alone protects nothing offline') });
    const keys = at('wrapped-keys');
    expect(line(await examine({ keys }), 'secret keys')).toMatchObject({ level: 'warn' });
    const wrapped = await examine({ keys, passphrase: 'correct horse' });
    expect(line(wrapped, 'secret keys')).toMatchObject({ level: 'ok' });
    const wrong = await examine({ keys, passphrase: 'wrong battery' });
    expect(line(wrong, 'membership')).toMatchObject({ level: 'fail', text: expect.stringContaining('passphrase') });
  });

  it('compares clocks, versions and charters with the coordinator’s, and says where it is away', async () => {
    const off = (ms: number) => ({ ...systemClock, now: () => Date.now() + ms });
    expect(line(await examine({ clock: off(-3_600_000) }), 'clock')).toMatchObject({
      level: 'fail',
      text: 'this clock is 3600 s behind the coordinator’s',
    });
    const away = await examine({ coordinator: 'ws://127.0.0.1:9' });
    expect(line(away, 'coordinator')).toMatchObject({ level: 'fail', text: expect.stringContaining('UNREACHABLE') });
    expect(line(away, 'login')).toBeUndefined();
    const changed = readFileSync(at('charter.yaml'), 'utf8').replace('Three towns', 'Four towns');
    writeFileSync(at('other.yaml'), changed);
    await folkmoot(['charter', 'seal', 'other.yaml', '--out', 'other.json'], { cwd: folder });
    const other = await examine({ charter: at('other.json') });
    expect(line(other, 'coordinator charter')).toMatchObject({ level: 'fail' });
    expect(line(other, 'login')).toMatchObject({ level: 'fail', text: expect.stringContaining('LOGIN_REFUSED') });
  });

  it('holds every column against the dictionary, and tells no value', async () => {
    const yaml = readFileSync(at('ash/node.yaml'), 'utf8');
    const people = async (name: string, rows: readonly string[]) => {
      writeFileSync(at('ash', name), [...rows, ''].join('\n'));
      writeFileSync(at('ash', `${name}.yaml`), yaml.replace('people.csv', name));
      return examine({}, at('ash', `${name}.yaml`));
    };
    const header = 'id,age,tenure,arrears';
    const wrong = await people('wrong.csv', [
      header,
      'a,PLANTED-1,owner,1.00',
      'b,30,PLANTED-2,2.00',
      'c,,tenant,3.00',
    ]);
    expect(line(wrong, 'column people.age')).toMatchObject({
      level: 'fail',
      text: expect.stringContaining('SOURCE_VALUE'),
    });
    expect(line(wrong, 'column people.tenure')).toMatchObject({ level: 'fail' });
    expect(line(wrong, 'column people.arrears')).toMatchObject({ level: 'ok', text: 'decimal, nulls: zero' });
    expect(JSON.stringify(wrong)).not.toContain('PLANTED');
    const empty = await people('empty.csv', [header, 'a,,owner,1.00', 'b,30,owner,1.00']);
    expect(line(empty, 'column people.age')).toMatchObject({
      level: 'fail',
      text: expect.stringContaining('SOURCE_NULL'),
    });
    const missing = await people('missing.csv', ['id,age,tenure', 'a,30,owner']);
    expect(line(missing, 'column people.arrears')).toMatchObject({
      level: 'fail',
      text: expect.stringContaining('SOURCE_COLUMN_MISSING'),
    });
    const twice = await people('twice.csv', [header, 'a,30,owner,1.00', 'a,31,owner,1.00']);
    expect(line(twice, 'source people rows')).toMatchObject({
      level: 'fail',
      text: expect.stringContaining('SOURCE_EXTRA_ROWS'),
    });
    rmSync(at('ash/twice.csv'));
    const gone = await examine({}, at('ash/twice.csv.yaml'));
    expect(line(gone, 'source people')).toMatchObject({
      level: 'fail',
      text: expect.stringContaining('SOURCE_UNREACHABLE'),
    });
    expect(line(gone, 'column people.age')).toBeUndefined();
  });

  it('asks a running node for its own word, and looks at its database once it has stopped', async () => {
    await serve('node', 'ash/node.yaml', '--coordinator', url, '--passphrase-file', 'passphrase');
    await expect.poll(async () => line(await examine(), 'link')?.level, { timeout: 20_000, interval: 200 }).toBe('ok');
    const running = await examine();
    expect(bad(running)).toEqual([]);
    expect(line(running, 'node')?.text).toContain('it runs');
    expect(line(running, 'durability')?.text).toBe('WAL, and every write waits for the disk');
    expect(line(running, 'login')).toBeUndefined();
    expect(line(running, 'versions')?.text).toContain('at 1 connected node');
    // A second node with the same keys: a copy on another machine, or a unit that was started twice.
    const twin = (
      await serve('node', 'ash/node.yaml', '--coordinator', url, '--state', 'twin', '--metrics', '127.0.0.1:0')
    ).metrics!;
    const twinHealth = async () => (await fetch(`${twin}/health`)).text();
    await expect.poll(twinHealth, { timeout: 20_000, interval: 500 }).toContain('"code":"IDENTITY_IN_USE"');
    expect(line(await examine({ state: at('twin') }), 'link')).toMatchObject({
      level: 'fail',
      remedy: expect.stringContaining('stop one of the two nodes'),
    });
    expect(line(await examine({ state: at('third') }), 'login')?.text).toContain('IDENTITY_IN_USE');
    expect(line(await examine(), 'link')?.level).toBe('ok');
    const { child: other, finished: ended } = services.pop()!;
    other.kill('SIGTERM');
    expect((await ended).stderr).toContain('"code":"IDENTITY_IN_USE"');

    rmSync(at('ash/state/owner.json'));
    expect(line(await examine(), 'node')).toMatchObject({
      level: 'fail',
      text: expect.stringContaining('UNREACHABLE'),
    });

    const { child, finished } = services.pop()!;
    child.kill('SIGKILL');
    await finished;
    const stopped = await examine();
    expect(bad(stopped)).toEqual([]);
    expect(line(stopped, 'database')?.text).toBe('whole; 0 jobs');
    expect(line(stopped, 'ledger')?.text).toBe('0 entries, and nothing opened without its charge');
  });

  it('tells of each coordinator apart, where there are several', async () => {
    const yaml = readFileSync(at('birch/node.yaml'), 'utf8');
    const away = 'ws://127.0.0.1:9';
    const other = (await serve('coordinator', 'coordinator.yaml', '--state', 'other-coordinator')).url!;
    const begin = async (name: string, urls: readonly string[]) => {
      writeFileSync(at('birch', name), yaml.replace('ws://127.0.0.1:7700', JSON.stringify(urls)));
      await serve('node', `birch/${name}`, '--state', `state-of-${name}`);
    };
    const told = (name: string) => {
      const overrides = { state: at(`state-of-${name}`) };
      return examineNode({ configFile: at('birch', name), overrides, clock: systemClock, env: {} });
    };
    const links = async (name: string) => (await told(name)).filter(({ check }) => check === 'link');
    const often = { timeout: 20_000, interval: 500 };
    await begin('half.yaml', [url, away]);
    await expect
      .poll(() => links('half.yaml'), often)
      .toMatchObject([
        { level: 'ok', text: `logged in at ${url}` },
        { level: 'warn', text: `the one to ${away} is down [UNREACHABLE]` },
      ]);
    const findings = await told('half.yaml');
    expect(line(findings, `coordinator at ${url}`)).toMatchObject({ level: 'ok' });
    expect(line(findings, `coordinator at ${away}`)).toMatchObject({ level: 'fail' });
    // A twin is told of where it is refused, though it has a link elsewhere.
    await begin('twin.yaml', [url, other]);
    await expect
      .poll(() => links('twin.yaml'), often)
      .toMatchObject([
        { level: 'fail', text: `the one to ${url} is down [IDENTITY_IN_USE]` },
        { level: 'ok', text: `logged in at ${other}` },
      ]);
    for (const { child, finished } of services.splice(-3)) {
      child.kill('SIGTERM');
      await finished;
    }
  });

  it('finds a database that is damaged, or newer', async () => {
    const copy = (name: string) => {
      cpSync(at('ash/state'), at(name), { recursive: true });
      return at(name, 'node.sqlite');
    };
    writeFileSync(copy('garbage'), 'not a database, but long enough to be looked at as one'.repeat(200));
    expect(line(await examine({ state: at('garbage') }), 'database')).toMatchObject({
      level: 'fail',
      remedy: expect.stringContaining('restore'),
    });
    const newer = new DatabaseSync(copy('newer'));
    newer.exec('PRAGMA user_version = 9999');
    newer.close();
    expect(line(await examine({ state: at('newer') }), 'database')?.text).toContain('STATE_NEWER');
  });
});

describe('the doctor of a coordinator', () => {
  const examined = (listen: string, state = at('coordinator'), more: object = {}) =>
    examineCoordinator({
      configFile: at('coordinator.yaml'),
      overrides: { listen, state },
      env: {},
      clock: systemClock,
      ...more,
    });

  it('finds all in order while it runs', async () => {
    const findings = await examined(new URL(url).host);
    expect(bad(findings)).toEqual([]);
    expect(findings.map(({ check }) => check)).toEqual([
      ...['coordinator.yaml', 'charter', 'state folder', 'disk', 'database', 'coordinator', 'clock'],
      ...['coordinator charter', 'versions'],
    ]);
    expect(line(findings, 'database')?.text).toContain('in use by the coordinator');
  });

  it('says where it does not run, where the address is taken, and where another process has its state', async () => {
    expect(line(await examined('127.0.0.1:0', at('none')), 'address')).toMatchObject({ level: 'warn' });
    expect(line(await examined('127.0.0.1:0'), 'database')).toMatchObject({ level: 'fail' });
    const off = { clock: { ...systemClock, now: () => Date.now() + 3_600_000 } };
    expect(line(await examined(new URL(url).host, at('coordinator'), off), 'clock')).toMatchObject({ level: 'fail' });
  });

  it('names settings, a charter and a database that are of no use', async () => {
    const file = at('bad-coordinator.yaml');
    writeFileSync(file, 'charter: ./charter.yaml\nlisten: 127.0.0.1:1\nstate: ./bad-state\n');
    const common = { env: {}, clock: systemClock };
    const unsealed = await examineCoordinator({ configFile: file, ...common });
    expect(line(unsealed, 'charter')).toMatchObject({ level: 'fail' });
    writeFileSync(file, 'charter: ./charter.json\nlisten: 0.0.0.0:1\nstate: ./bad-state\n');
    expect(await examineCoordinator({ configFile: file, ...common })).toMatchObject([{ level: 'fail' }]);
    writeFileSync(
      file,
      'charter: ./charter.json\nlisten: 127.0.0.1:0\nstate: { postgres: { url_env: NO_SUCH_URL } }\n',
    );
    const unset = line(await examineCoordinator({ configFile: file, ...common }), 'database');
    expect(unset).toMatchObject({ level: 'fail', text: '`NO_SUCH_URL` is not set' });
    const env = { NO_SUCH_URL: 'postgres://folkmoot:PLANTED@127.0.0.1:9/folkmoot' };
    const away = line(await examineCoordinator({ configFile: file, ...common, env }), 'database');
    expect(away).toMatchObject({ level: 'fail' });
    expect(JSON.stringify(away)).not.toContain('PLANTED');
  });
});

describe('folkmoot doctor', () => {
  it('exits by the worst line, and shows lines with their remedies or one document', async () => {
    const asked = ['doctor', '--config', 'birch/node.yaml', '--coordinator', url, '--json'];
    const bare = await folkmoot(asked, { cwd: folder });
    expect(JSON.parse(bare.stdout)).toMatchObject({ level: 'warn', findings: expect.any(Array) });
    expect(bare.code).toBe(6);
    const foreign = await folkmoot(['doctor', '--coordinator', url, '--keys', '../ash/keys'], { cwd: at('birch') });
    expect(foreign.stdout).toMatch(/FAIL {2}membership .*\n +→ /);
    expect(foreign.stdout).toMatch(/\d+ ok, \d+ to look at, \d+ to mend\n$/);
    expect(foreign.code).toBe(1);
    expect((await folkmoot(['doctor', '--state', 'none'], { cwd: folder })).stdout).toContain('WARN  address');
    expect((await folkmoot(['doctor', '--config', 'job.yaml'], { cwd: folder })).code).toBe(2);
    for (const option of ['--keys', '--coordinator']) {
      const given = await folkmoot(['doctor', option, 'ash/keys'], { cwd: folder });
      expect(given).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(new RegExp(`${option}: .*a coordinator has no such`)),
      });
    }
  });
});
