/**
 * What is withheld is opened to nobody: a coordinator and three nodes, a process each, under rules that ask for groups of
 * five, rounding, and no large contributors. Then everything that the analyst's keys open is looked at, number by number.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open as openShares } from '@folkmoot/core/additive.js';
import { agree } from '@folkmoot/core/agree.js';
import type { Answer } from '@folkmoot/core/answer.js';
import { fromBase64 } from '@folkmoot/core/bytes.js';
import { parseCharter } from '@folkmoot/core/charter.js';
import { decode } from '@folkmoot/core/encode.js';
import { parseJob } from '@folkmoot/core/job.js';
import { unpackShares } from '@folkmoot/core/report.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { open } from '@folkmoot/transport/envelope.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SealedForOnce, sealForOnce } from '../packages/cli/src/throw-away.ts';
import { type Started, start } from '../packages/cli/test/command-line.ts';
import { towns, writeConsortium } from '../packages/cli/test/small-consortium.ts';
import { createClient } from '../packages/client/src/client.ts';

/**
 * Of each tenure the pounds that each person owes, person by person over the towns. Lodgers are too few, and one of the
 * squatters owes nearly all; both sums stand in no other number.
 */
const arrears = {
  owner: [100.5, 200.25, 300, 400.75, 150, 250, 350, 450, 50, 120, 130, 140],
  tenant: [900, 800, 700, 600, 500, 650, 750],
  lodger: [1234.56, 2345.67],
  squatter: [4999.99, 1.11, 2.22, 3.33, 4.44, 5.55],
};
type Tenure = keyof typeof arrears;
const tenures = Object.keys(arrears) as Tenure[];
const sumOf = (tenure: Tenure): bigint => arrears[tenure].reduce((sum, x) => sum + BigInt(Math.round(x * 100)), 0n);
/** Numbers that nobody may see: counts, exact sums in pence and rounded ones, of what is withheld. */
const hidden = (['lodger', 'squatter'] as const).flatMap((tenure) => [
  sumOf(tenure),
  ((sumOf(tenure) + 250n) / 500n) * 500n,
]);

let folder: string;
let sealed: SealedForOnce;
let url: string;
const services: Started[] = [];

/** A service of its own process; resolves with its ready line. */
async function serve(...args: string[]): Promise<{ url?: string }> {
  const service = start([...args, '--json'], { env: { FOLKMOOT_LOG: 'info' } });
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
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-withheld-'));
  writeConsortium(folder);
  const charter = readFileSync(join(folder, 'charter.yaml'), 'utf8').replace(
    '[owner, tenant]',
    `[${tenures.join(', ')}]`,
  );
  sealed = await sealForOnce(parseCharter(charter, 'charter.yaml'), folder);
  for (const [at, town] of towns.entries()) {
    const people = tenures.flatMap((tenure) => {
      const own = arrears[tenure].map((pounds, i) => `${tenure}-${i},40,${tenure},${pounds.toFixed(2)}`);
      return own.filter((_, i) => i % 3 === at);
    });
    writeFileSync(join(folder, town, 'people.csv'), ['id,age,tenure,arrears', ...people, ''].join('\n'));
    const file = join(folder, town, 'node.yaml');
    // One town asks for this, another for that; all keep to both.
    const asked = ['min_group: 5', 'round: 5', 'dominance: { n: 1, share: 0.8 }'][at];
    writeFileSync(file, readFileSync(file, 'utf8').replace('      approval:', `      ${asked}\n      approval:`));
  }
  const configFile = join(folder, 'coordinator.yaml');
  writeFileSync(configFile, JSON.stringify({ charter: sealed.charterFile, listen: '127.0.0.1:0', state: './moot' }));
  url = (await serve('coordinator', configFile)).url!;
  const common = ['--charter', sealed.charterFile, '--coordinator', url];
  const nodes = towns.map((town) => [
    '--keys',
    sealed.keyFolder(town),
    '--state',
    join(folder, town, 'state'),
    ...common,
  ]);
  await Promise.all(towns.map((town, at) => serve('node', join(folder, town, 'node.yaml'), ...nodes[at]!)));
});
afterAll(async () => {
  for (const { child } of services) child.kill('SIGTERM');
  await Promise.all(services.map(({ finished }) => finished));
  rmSync(folder, { recursive: true, force: true });
});

interface Asked {
  readonly answer: Answer;
  /** `[column][place]`: every number that the parties' shares add up to. */
  readonly opened: readonly (readonly bigint[])[];
}

/** The answer, and all that it was made from: what the coordinator keeps, opened with the analyst's key. */
async function ask(lines: string): Promise<Asked> {
  const job = parseJob(
    `folkmoot: 1\npurpose: planning\nfrom: people\ngroup_by: [tenure]\nmeasures: { people: count, total: { sum: arrears }, m: { mean: arrears } }\n${lines}`,
    'job.yaml',
  );
  let kept = '';
  const listening: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (!String(input).endsWith('/answer')) return response;
    kept = await response.text();
    return new Response(kept, { headers: { 'content-type': 'application/json' } });
  };
  const { charter } = sealed;
  const keys = sealed.analystKeys.get('ann')!;
  const common = { charter, analyst: 'ann', keys, url, clock: systemClock, randomBytes };
  const client = createClient({ ...common, fetch: listening });
  const { job: id } = await client.submit(job);
  for await (const event of client.events(id)) if (event.type === 'state') expect(event.state).not.toBe('FAILED');
  const answer = await client.answer(id);

  const { signed, acceptances, openings, attempt } = JSON.parse(kept);
  const agreement = agree({ signed, charter, acceptances, nowMs: Date.parse(signed.envelope.issued) });
  const context = agreement.context(attempt);
  const shares = await Promise.all(
    openings.map(async ({ party, sealed: bytes }: { party: string; sealed: string }) => {
      const place = { job: context.job, attempt, sender: party, recipient: 'ann' };
      return unpackShares(agreement.layout, await open(keys.secret.recipient, place, fromBase64(bytes)), party);
    }),
  );
  const sections = agreement.layout.sections.map((_, at) => openShares(shares.map((each) => each[at]!)));
  const opened = decode(agreement.layout, sections);
  return { answer, opened };
}

const figure = (value: number, exact = String(value)) => ({ value, exact });
const withheld = { value: null, exact: null, suppressed: true };
const at = ({ opened }: Asked, place: number): bigint[] => opened.map((column) => column[place]!);
const isZero = (numbers: readonly bigint[]) => numbers.every((number) => number === 0n);

describe('an answer under rules of several towns', () => {
  it('has zeros, and nothing else, where a group is too small or one person owes too much of it', async () => {
    const asked = await ask('');
    const { answer } = asked;
    expect(answer).toMatchObject({ threshold: 5, round: 5 });
    expect(answer.rows).toMatchObject([
      { tenure: 'owner', people: figure(10), total: { value: 2640 } },
      { tenure: 'tenant', people: figure(5), total: { value: 4900 } },
      { tenure: 'lodger', people: withheld, total: withheld, m: withheld },
      { tenure: 'squatter', people: figure(5), total: withheld, m: withheld },
    ]);
    expect(at(asked, tenures.indexOf('lodger')).every((number) => number === 0n)).toBe(true);
    // Of the squatters one bit and one number open: that they are shown, and how many they are.
    expect(at(asked, 3).filter((number) => number !== 0n)).toEqual([1n, 5n]);
    for (const number of asked.opened.flat()) expect(hidden).not.toContain(number);
    // They would be found: what does open is there in the same form.
    expect(asked.opened.flat()).toEqual(expect.arrayContaining([10n, 264_000n, 490_000n]));
  });

  it('has zeros for the groups that do not meet the job’s conditions, and for what is only tested', async () => {
    const asked = await ask('having: { people: { gte: 6 }, least: { of: { sum: arrears }, gt: 1000 } }');
    expect(asked.answer.rows).toMatchObject([{ tenure: 'owner', people: figure(10), total: { value: 2640 } }]);
    expect(asked.answer.left_out).toBe(3);
    // The first numbers say which groups open.
    expect(asked.opened[0]).toEqual([1n, 0n, 0n, 0n]);
    for (const place of [1, 2, 3]) expect(isZero(at(asked, place))).toBe(true);
    for (const number of asked.opened.flat()) expect(hidden).not.toContain(number);
  });

  it('withholds another group, so that a total does not give one away', async () => {
    const asked = await ask('total: true');
    const { rows } = asked.answer;
    expect(rows.at(-1)).toMatchObject({ tenure: null, people: figure(25) });
    const closed = rows.filter(({ people }) => (people as { suppressed?: true }).suppressed === true);
    expect(closed.map(({ tenure }) => tenure)).toContain('lodger');
    expect(closed.length).toBeGreaterThan(1);
    for (const { tenure } of closed) expect(isZero(at(asked, tenures.indexOf(tenure as Tenure)))).toBe(true);
    for (const number of asked.opened.flat()) expect(hidden).not.toContain(number);
  });

  it('leaves none of these numbers with the coordinator', () => {
    const files = readdirSync(join(folder, 'moot'), { recursive: true, withFileTypes: true }).filter((one) =>
      one.isFile(),
    );
    const stored = Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))));
    expect(stored.length).toBeGreaterThan(10_000);
    for (const number of hidden) expect(stored.includes(String(number))).toBe(false);
  });
});
