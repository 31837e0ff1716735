/**
 * A whole consortium as its members would run it, every command by hand, with somebody listening on every connection: one
 * job is answered, one fails on a record of the wrong form, and in the third a node falls over. Values planted in the
 * records are then looked for in all that was sent, stored, logged, measured or left behind by the fall.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { found, guises, word } from '@folkmoot/testkit/guises.js';
import { type Tap, tap } from '@folkmoot/testkit/tap.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folkmoot, type Started, start } from '../packages/cli/test/command-line.ts';
import { towns, writeConsortium } from '../packages/cli/test/small-consortium.ts';

/**
 * A person and amounts that stand in no other file; the amounts are the last two of five owners' at each town. They are
 * long enough that no hash or key holds their digits by chance.
 */
const planted = {
  ash: { person: 'PLANTED-ash-88213', amounts: ['31415926.535897', '27182818.284590'] },
  birch: { person: 'PLANTED-birch-77124', amounts: ['16180339.887498', '14142135.623730'] },
  cedar: { person: 'PLANTED-cedar-66035', amounts: ['17320508.075688', '22360679.774997'] },
};
const common = ['10000000.000001', '20000000.000002', '30000000.000003'];

function localTotal(town: keyof typeof planted): bigint {
  return [...common, ...planted[town].amounts].reduce((sum, text) => sum + BigInt(text.replace('.', '')), 0n);
}
const total = towns.reduce((sum, town) => sum + localTotal(town), 0n);

let folder: string;
let wire: Tap;
const services: Started[] = [];
let metrics = '';
let exported = '';
let storedMeanwhile: Buffer;
let failure: { error: { code: string; message: string } };
let crash: { code: number | null; stderr: string; reports: Buffer };
let answer: { rows: unknown[]; receipts: unknown[]; job: string };
let logs = '';

const ok = async (...args: string[]) => {
  const { code, stdout, stderr } = await folkmoot([...args, '--json']);
  expect(`${args[0]} ${code} ${stderr}`).toMatch(/^\S+ 0 /);
  return stdout === '' ? undefined : JSON.parse(stdout);
};

/** Makes the main thread of a node throw what nobody catches, once this file is there. */
const falling = (file: string) => `
  import { existsSync } from 'node:fs';
  import { isMainThread } from 'node:worker_threads';
  if (isMainThread && process.env.FOLKMOOT_HANDED_OVER !== undefined) {
    setInterval(() => { if (existsSync(${JSON.stringify(file)})) throw new TypeError('it fell'); }, 5).unref();
  }`;

/** A service of its own process; resolves with its ready line. */
async function serve(...args: string[]): Promise<{ url?: string; metrics?: string }> {
  const dataUrl = `data:text/javascript,${encodeURIComponent(falling(join(folder, 'fall')))}`;
  const options = [
    '--report-uncaught-exception',
    `--report-directory=${join(folder, 'reports')}`,
    `--import=${dataUrl}`,
  ];
  const falls = args.includes(join(folder, 'ash', 'node.yaml'));
  const env = { FOLKMOOT_LOG: 'debug', ...(falls ? { NODE_OPTIONS: options.join(' ') } : {}) };
  const service = start([...args, '--json'], { env });
  services.push(service);
  return new Promise((resolve, reject) => {
    let line = '';
    service.child.stdout!.on('data', (text: string) => {
      line += text;
      if (line.includes('\n')) resolve(JSON.parse(line));
    });
    service.finished.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-privacy-'));
  writeConsortium(folder);
  const charter = join(folder, 'charter.yaml');
  const text = readFileSync(charter, 'utf8');
  writeFileSync(charter, text.replace('scale: 2, min: 0, max: 5000', 'scale: 6, min: 0, max: 99999999'));
  for (const town of towns) {
    const owners = [...common, ...planted[town].amounts].map(
      (amount, k) => `${k === 4 ? planted[town].person : `${town}-${k}`},${30 + k},owner,${amount}`,
    );
    writeFileSync(join(folder, town, 'people.csv'), ['id,age,tenure,arrears', ...owners, ''].join('\n'));
    await ok('keygen', '--out', join(folder, town, 'keys'));
  }
  await ok('keygen', '--analyst', '--out', join(folder, 'ann/keys'));
  await ok('charter', 'seal', join(folder, 'charter.yaml'));
  await ok('charter', 'verify', join(folder, 'charter.json'));
  const coordinator = { charter: './charter.json', listen: '127.0.0.1:0', state: './coordinator' };
  writeFileSync(join(folder, 'coordinator.yaml'), JSON.stringify(coordinator));

  const { url } = await serve('coordinator', join(folder, 'coordinator.yaml'));
  wire = await tap(Number(new URL(url!).port));
  const tapped = `ws://127.0.0.1:${wire.port}`;
  const watched = [url!.replace(/^ws/, 'http')];
  for (const town of towns) {
    const at = ['--coordinator', tapped, '--metrics', '127.0.0.1:0'];
    watched.push((await serve('node', join(folder, town, 'node.yaml'), ...at)).metrics!);
  }
  const analyst = {
    analyst: 'ann',
    charter: './charter.json',
    coordinator: tapped,
    keys: './ann/keys',
    state: './ann/state',
  };
  mkdirSync(join(folder, 'ann/state'));
  writeFileSync(join(folder, 'analyst.yaml'), JSON.stringify(analyst));

  const config = ['--config', join(folder, 'analyst.yaml')];
  const { job } = await ok('submit', join(folder, 'job.yaml'), ...config);
  await ok('watch', job, ...config);
  answer = await ok('result', job, ...config);

  // While all of it runs: databases with what waits beside them, metrics and health.
  storedMeanwhile = stored('coordinator', ...towns.map((town) => join(town, 'state')));
  for (const at of watched) {
    for (const path of ['/metrics', '/health']) metrics += await (await fetch(at + path)).text();
  }

  // A record of the wrong form.
  const people = join(folder, 'birch', 'people.csv');
  writeFileSync(people, readFileSync(people, 'utf8').replace('30,owner', `${planted.birch.person}-as-an-age,owner`));
  const wrong = await ok('submit', join(folder, 'job.yaml'), ...config);
  failure = JSON.parse((await folkmoot(['watch', wrong.job, ...config, '--json'])).stdout);

  // An error that nobody catches, in the midst of a job.
  mkdirSync(join(folder, 'reports'));
  await ok('submit', join(folder, 'job.yaml'), ...config);
  writeFileSync(join(folder, 'fall'), '');
  const fallen = await services[1]!.finished;
  crash = { code: fallen.code, stderr: fallen.stderr, reports: stored('reports') };

  // Of the one that fell from its database, of one that runs through its own word; as lines, and as a page.
  const auditOf = (town: string) => ['audit', 'export', '--config', join(folder, town, 'node.yaml')];
  const written = await Promise.all([folkmoot(auditOf('ash')), folkmoot([...auditOf('birch'), '--html'])]);
  exported = written.map(({ stdout }) => stdout).join('\n');

  for (const { child } of services) child.kill('SIGTERM');
  const ended = await Promise.all(services.map(({ finished }) => finished));
  logs = ended.map(({ stdout, stderr }) => stdout + stderr).join('\n');
  expect(ended.map(({ code }) => code)).toEqual([0, crash.code, 0, 0]);
});
afterAll(async () => {
  for (const { child } of services) child.kill('SIGKILL');
  await wire?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Texts of records, their encoded integers as text, each town's own total in every form, and the answer's as bytes. */
const secrets: [string, Buffer][] = towns.flatMap((town) => [
  [`${town}'s person`, Buffer.from(planted[town].person)],
  ...planted[town].amounts.flatMap((amount): [string, Buffer][] => [
    [`${town}'s amount`, Buffer.from(amount)],
    [`${town}'s amount, scaled`, Buffer.from(amount.replace('.', ''))],
  ]),
  [`${town}'s total`, Buffer.from(String(localTotal(town)))],
  [`${town}'s total, as a ring element`, word(localTotal(town))],
]);
const answers: [string, Buffer][] = [
  ['the answer', Buffer.from(String(total))],
  ['the answer, with its point', Buffer.from(String(total).replace(/(.{6})$/, '.$1'))],
  ['the answer, as a ring element', word(total)],
];

function stored(...places: string[]): Buffer {
  return Buffer.concat(
    places.flatMap((place) =>
      readdirSync(join(folder, place), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name))),
    ),
  );
}

describe('a job of three processes, heard on the wire', () => {
  it('gives the analyst the exact sum and a receipt of each party', () => {
    const text = String(total).replace(/(.{6})$/, '.$1');
    expect(answer.rows).toEqual([
      { tenure: 'owner', people: { value: 15, exact: '15' }, total: { value: Number(text), exact: text } },
      {
        tenure: 'tenant',
        people: { value: null, exact: null, suppressed: true },
        total: { value: null, exact: null, suppressed: true },
      },
    ]);
    expect(answer.receipts).toHaveLength(3);
  });

  it('can find what is planted where it does stand', () => {
    const town = Buffer.concat(towns.map((each) => readFileSync(join(folder, each, 'people.csv'))));
    expect(found(town, secrets).filter((name) => /person|amount$/.test(name))).toHaveLength(9);
    for (const guise of guises(word(total)))
      expect(found(Buffer.concat([Buffer.from('x'), guise]), answers)).not.toEqual([]);
    expect(wire.heard().includes(answer.job)).toBe(true);
    expect(stored('coordinator').includes(answer.job)).toBe(true);
    expect(logs).toContain(answer.job);
  });

  it('shows no record, no local total and no answer on any connection', () => {
    expect(wire.heard().length).toBeGreaterThan(10_000);
    expect(found(wire.heard(), [...secrets, ...answers])).toEqual([]);
  });

  it('leaves none of them in the coordinator’s database, nor in the state of any node, while they run and after', () => {
    expect(storedMeanwhile.includes(answer.job)).toBe(true);
    expect(found(storedMeanwhile, [...secrets, ...answers])).toEqual([]);
    const places = ['coordinator', ...towns.map((town) => join(town, 'state'))];
    expect(found(stored(...places), [...secrets, ...answers])).toEqual([]);
  });

  it('leaves none of them in any log', () => {
    expect(found(Buffer.from(logs), [...secrets, ...answers])).toEqual([]);
  });

  it('shows none of them to those who measure', () => {
    expect(metrics.match(/^folkmoot_build_info/gm)).toHaveLength(4);
    expect(metrics.match(/"status":"ok"/g)).toHaveLength(4);
    expect(found(Buffer.from(metrics), [...secrets, ...answers])).toEqual([]);
  });

  it('tells the analyst which party could not read its records, and nothing of them', () => {
    expect(failure.error).toMatchObject({ code: 'SOURCE_VALUE', party: 'birch' });
    expect(found(Buffer.from(JSON.stringify(failure)), secrets)).toEqual([]);
  });

  it('hands none of them on to an auditor', () => {
    expect(exported.split(answer.job).length).toBeGreaterThan(2);
    expect(exported).toContain('</html>');
    expect(found(Buffer.from(exported), [...secrets, ...answers])).toEqual([]);
  });

  it('leaves none of them behind when a node falls over', () => {
    expect(crash.code).not.toBe(0);
    expect(crash.stderr).toContain('it fell');
    expect(crash.reports.includes('"event": "Exception"')).toBe(true);
    expect(found(Buffer.concat([crash.reports, Buffer.from(crash.stderr)]), [...secrets, ...answers])).toEqual([]);
  });

  it('keeps the records where their owner put them, and in no other file', () => {
    const places = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const holding = places
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => found(readFileSync(path), secrets).length > 0);
    expect(holding.sort()).toEqual(towns.map((town) => join(folder, town, 'people.csv')));
  });
});
