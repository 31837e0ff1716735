/**
 * Joins as their members would run them: a coordinator and the nodes of a town and of its clinic, a process each, with
 * somebody listening on both nodes' connections. Records are few enough to be looked for in all that was sent or stored.
 */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
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
import type { Answer } from '@folkmoot/core/answer.js';
import { parseCharter } from '@folkmoot/core/charter.js';
import { type Job, parseJob } from '@folkmoot/core/job.js';
import { found, word } from '@folkmoot/testkit/guises.js';
import { type Tap, tap } from '@folkmoot/testkit/tap.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agrees, compareFigures } from '../packages/cli/src/agreement.ts';
import { pooledAnswer } from '../packages/cli/src/pooled.ts';
import { type SealedForOnce, sealForOnce } from '../packages/cli/src/throw-away.ts';
import { folkmoot, type Started, start } from '../packages/cli/test/command-line.ts';
import { type Client, createClient } from '../packages/client/src/client.ts';

const charter = `
folkmoot: 1
charter: A town and its clinic
version: 1
parties: { ash: { name: Ash, owner: Clerk }, clinic: { name: Clinic, owner: Doctor } }
analysts: { ann: { roles: [analyst] } }
purposes: { planning: Plan }
datasets:
  tenants:
    held_by: [ash]
    unit: id
    max_rows: 1000
    columns:
      id: { type: identifier }
      number: { type: identifier, normalise: digits, check: nhs }
      age: { type: integer, min: 0, max: 110 }
      tenure: { type: category, values: [owner, tenant, lodger] }
      owed: { type: decimal, scale: 6, min: 0, max: 99999999 }
  patients:
    held_by: [clinic]
    unit: number
    max_rows_per_unit: 2
    max_rows: 1000
    columns:
      number: { type: identifier, normalise: digits, check: nhs }
      cost: { type: decimal, scale: 6, min: 0, max: 99999999 }
      visits: { type: integer, min: 0, max: 100 }
matching: [{ on: number, pairs: [[ash, clinic]], permitted_by: Guardian }]
policy_floor: { min_parties: 2, min_group: 3 }
`;
const node = (party: string, dataset: string, rule: string) => `
party: ${party}
charter: ../charter.json
coordinator: ws://127.0.0.1:1
keys: ./keys
state: ./state
datasets: { ${dataset}: { period: 2026-Q4, source: { file: ./${dataset}.csv } } }
policy:
  rules:
    - name: linking
      datasets: [${dataset}]
      operations: [join, count, sum, mean, covariance, reveal_matches]
      match_on: [number]
      ${rule}
      purposes: [planning]
      analysts: [role:analyst]
      approval: automatic
`;

/** A right NHS number for each of the first thousands: nine digits, and the check digit. */
function nhs(person: number): string {
  const digits = String(943_476_000 + person);
  const weighted = [...digits].reduce((sum, digit, at) => sum + Number(digit) * (10 - at), 0);
  const check = (11 - (weighted % 11)) % 11;
  return check === 10 ? nhs(person + 500) : digits + check;
}
const spaced = (number: string) => `${number.slice(0, 3)} ${number.slice(3, 6)} ${number.slice(6)}`;
/** Amounts of so many digits that no hash or key holds them by chance. */
const amount = (seed: number) => `${10_000_000 + 137_931 * seed}.${100_003 + 71_993 * (seed % 12)}`;

const people = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
/** Of forty tenants the last thirty are patients too; three more have a number that is no use. */
const tenants = [
  ...people(0, 40).map((i) => [`t${i}`, spaced(nhs(i)), 20 + i, ['owner', 'owner', 'tenant'][i % 3], amount(i)]),
  ['t40', '', 30, 'lodger', amount(40)],
  ['t41', `${nhs(41)}.0`, 30, 'lodger', amount(41)],
  ['t42', nhs(42).replace(/.$/, (last) => String((Number(last) + 1) % 10)), 30, 'lodger', amount(42)],
];
/** Every fourth of them has come twice. */
const patients = [...people(10, 60), ...people(10, 60).filter((i) => i % 4 === 0)].map((i, row) => [
  nhs(i),
  amount(100 + row),
  row % 17,
]);
const matched = people(10, 40).map((i) => spaced(nhs(i)));

let folder: string;
let sealed: SealedForOnce;
let wire: Tap;
let client: Client;
const services: Started[] = [];

/** A service of its own process; resolves with its ready line. */
async function serve(...args: string[]): Promise<{ url?: string }> {
  const service = start([...args, '--json'], { env: { FOLKMOOT_LOG: 'debug' } });
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
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-joins-'));
  for (const [party, dataset, rule, header, rows] of [
    [
      'ash',
      'tenants',
      'counterparts: [clinic]\n      measure: [owed]\n      group_by: [tenure]\n      filter: [age]',
      'id,number,age,tenure,owed',
      tenants,
    ],
    [
      'clinic',
      'patients',
      'counterparts: [ash]\n      measure: [cost]\n      filter: [visits]',
      'number,cost,visits',
      patients,
    ],
  ] as const) {
    mkdirSync(join(folder, party));
    writeFileSync(join(folder, party, 'node.yaml'), node(party, dataset, rule));
    writeFileSync(join(folder, party, `${dataset}.csv`), `${[header, ...rows].join('\n')}\n`);
  }
  sealed = await sealForOnce(parseCharter(charter, 'charter.yaml'), folder);
  const configFile = join(folder, 'coordinator.yaml');
  writeFileSync(configFile, JSON.stringify({ charter: sealed.charterFile, listen: '127.0.0.1:0', state: './moot' }));
  const { url } = await serve('coordinator', configFile);
  wire = await tap(Number(new URL(url!).port));
  const common = ['--charter', sealed.charterFile, '--coordinator', `ws://127.0.0.1:${wire.port}`];
  await Promise.all(
    ['ash', 'clinic'].map((party) => {
      const own = ['--keys', sealed.keyFolder(party), '--state', join(folder, party, 'state')];
      return serve('node', join(folder, party, 'node.yaml'), ...own, ...common);
    }),
  );
  const keys = sealed.analystKeys.get('ann')!;
  client = createClient({ charter: sealed.charter, analyst: 'ann', keys, url: url!, clock: systemClock, randomBytes });
});
afterAll(async () => {
  for (const { child } of services) child.kill('SIGTERM');
  await Promise.all(services.map(({ finished }) => finished));
  await wire?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const jobOf = (lines: string): Job =>
  parseJob(
    `folkmoot: 1\ntitle: Who is known\npurpose: planning\njoin: { left: { party: ash, dataset: tenants }, right: { party: clinic, dataset: patients }, on: number }\n${lines}`,
    'job.yaml',
  );

async function ask(job: Job): Promise<Answer> {
  const { job: id } = await client.submit(job);
  for await (const event of client.events(id)) {
    if (event.type === 'state') expect(JSON.stringify(event)).not.toContain('FAILED');
  }
  return client.answer(id);
}

/** What `folkmoot node joins` says at a party, while its node runs. */
async function joinsOf(party: string, ...args: string[]) {
  const at = ['--config', join(folder, party, 'node.yaml'), '--state', join(folder, party, 'state')];
  const { code, stdout, stderr } = await folkmoot(['node', 'joins', ...args, ...at, '--json']);
  expect(`${code} ${stderr}`).toMatch(/^0 /);
  return JSON.parse(stdout);
}

/** All files below a party's or the coordinator's folder, but those of matches. */
function stored(place: string): Buffer {
  const files = readdirSync(join(folder, place), { recursive: true, withFileTypes: true });
  const read = files.filter((file) => file.isFile() && !file.parentPath.endsWith('matches'));
  return Buffer.concat(read.map((file) => readFileSync(join(file.parentPath, file.name))));
}

const inMillionths = (text: unknown) => BigInt(String(text).replace('.', ''));
/** Some of both, some of one side alone, and those of no use. */
const sought = [...[3, 9, 12, 20, 39, 41, 42].map((at) => tenants[at]!), ...[2, 29, 30, 52].map((at) => patients[at]!)];
const numberOf = (row: readonly unknown[]) => String(row.length === 3 ? row[0] : row[1]);
const amountOf = (row: readonly unknown[]) => (row.length === 3 ? row[1] : row[4]);
const total = (rows: readonly (readonly unknown[])[]) =>
  rows.reduce((sum, row) => sum + inMillionths(amountOf(row)), 0n);
/** What nobody but its owner may see in any form. */
const secrets: [string, Buffer][] = [
  ...sought.flatMap((row): [string, Buffer][] => [
    [`number ${numberOf(row)}`, Buffer.from(numberOf(row))],
    [`digits of ${numberOf(row)}`, Buffer.from(numberOf(row).replaceAll(' ', ''))],
    [`amount ${amountOf(row)}`, Buffer.from(String(amountOf(row)))],
    [`amount ${amountOf(row)} in millionths`, Buffer.from(String(inMillionths(amountOf(row))))],
    [`amount ${amountOf(row)} as a word`, word(inMillionths(amountOf(row)))],
  ]),
  ...[tenants, tenants.slice(10, 40), patients].map((rows): [string, Buffer] => [
    `total ${total(rows)}`,
    word(total(rows)),
  ]),
];

const asked = { analyst: 'ann', title: 'Who is known', key: 'number', matches: null };

describe('a join of a town and its clinic', () => {
  it('gives the figures of the pooled records, and tells each owner alone how many numbers were no use', async () => {
    const job = jobOf(`where: { left.age: { gte: 21 }, right.visits: { lte: 14 } }
group_by: [left.tenure]
measures: { pairs: count, owed: { sum: left.owed }, cost: { mean: right.cost }, together: { covariance: [left.owed, right.cost] } }
`);
    const answer = await ask(job);
    const common = { job, charter: sealed.charter, analyst: 'ann', folder };
    const pooled = await pooledAnswer({ ...common, threshold: answer.threshold });
    const agreement = compareFigures(answer.rows, pooled.rows);
    expect({ ...agreement, agrees: agrees(agreement) }).toMatchObject({ agrees: true });
    const none = { value: null, exact: null, suppressed: true };
    expect(answer).toMatchObject({
      threshold: 3,
      parties: ['ash', 'clinic'],
      rows: [{}, {}, { pairs: none, owed: none }],
    });
    expect(answer.receipts).toHaveLength(2);

    expect(await joinsOf('ash')).toMatchObject({
      party: 'ash',
      joins: [
        {
          job: answer.job,
          ...asked,
          side: 'left',
          counterpart: 'clinic',
          rows: 43,
          unusable: { empty: 1, malformed: 1, failed_check: 1 },
        },
      ],
    });
  });

  it('reveals matches to the left party alone, in a file for its owner', async () => {
    const answer = await ask(jobOf('reveal: matches\nmeasures: { known: count }\n'));
    expect(answer.rows).toEqual([{ known: { value: 30, exact: '30' } }]);
    const { joins, matches } = await joinsOf('ash', answer.job, '--matches');
    expect(joins).toMatchObject([{ job: answer.job, matches: 30 }]);
    expect(matches.toSorted()).toEqual(matched.toSorted());
    const file = join(folder, 'ash/state/matches', `${answer.job}.jsonl`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(join(folder, 'clinic/state/matches'))).toBe(false);
    const theirs = { ...asked, side: 'right', counterpart: 'ash', rows: 62 };
    const unusable = { empty: 0, malformed: 0, failed_check: 0 };
    expect(await joinsOf('clinic')).toMatchObject({
      party: 'clinic',
      joins: [
        { job: answer.job, ...theirs, unusable },
        { ...theirs, unusable },
      ],
    });
  });

  it('shows none of the records on any connection, and leaves none with the coordinator, in a node’s state or a log', () => {
    const own = Buffer.concat(
      ['ash/tenants.csv', 'clinic/patients.csv'].map((file) => readFileSync(join(folder, file))),
    );
    const places = {
      wire: wire.heard(),
      coordinator: stored('moot'),
      ash: stored('ash/state'),
      clinic: stored('clinic/state'),
      logs: Buffer.from(services.map((service) => service.stderr()).join('\n')),
    };
    for (const [place, bytes] of Object.entries(places)) {
      expect(bytes.length, place).toBeGreaterThan(1_000);
      expect(found(bytes, secrets), place).toEqual([]);
    }
    expect(places.wire.length).toBeGreaterThan(300_000);
    expect(found(own, secrets).length).toBeGreaterThan(2 * sought.length);
  });
});
