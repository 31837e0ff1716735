import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCharter } from '@folkmoot/core/charter.js';
import { checkJob } from '@folkmoot/core/check-job.js';
import { type Job, parseJob } from '@folkmoot/core/job.js';
import { compile } from '@folkmoot/core/local.js';
import { judge, usesOf } from '@folkmoot/core/policy.js';
import { plainAnswer } from '@folkmoot/testkit/plain-evaluation.js';
import { describe, expect, it } from 'vitest';
import { generate } from '../nodes/generate.ts';
import { agrees, compareFigures } from '../packages/cli/src/agreement.ts';
import { pooledAnswer } from '../packages/cli/src/pooled.ts';
import { readNodeConfig } from '../packages/node/src/config.ts';
import { inMemory } from '../packages/node/src/sources/in-memory.ts';
import { openSource } from '../packages/node/src/sources/source-binding.ts';

const folder = join(import.meta.dirname, '..', 'nodes');
const charter = parseCharter(await readFile(join(folder, 'charter.yaml'), 'utf8'), 'charter.yaml');
const analyst = 'housing-analytics';
const files = (await readdir(join(folder, 'jobs'))).sort();
const jobs = await Promise.all(
  files.map(async (name) => ({ name, job: parseJob(await readFile(join(folder, 'jobs', name), 'utf8'), name) })),
);
const nodes = await Promise.all(
  Object.keys(charter.parties).map(async (party) => ({
    party,
    config: await readNodeConfig(join(folder, party, 'node.yaml')),
  })),
);
const data = [
  'camden/data/residents.csv',
  'hackney/data/residents.parquet',
  'islington/data/residents.csv',
  'ncl-health/data/patients.parquet',
];

describe('the demo consortium', () => {
  it('has records that its generator makes again, row by row', async () => {
    const again = await mkdtemp(join(tmpdir(), 'folkmoot-generate-'));
    try {
      await generate(again);
      for (const file of data) {
        const [kept, made] = await inMemory(async (run) => [
          await run(`SELECT * FROM '${join(folder, file)}'`),
          await run(`SELECT * FROM '${join(again, file)}'`),
        ]);
        expect(made!.length).toBeGreaterThan(3_000);
        expect(made).toEqual(kept);
      }
    } finally {
      await rm(again, { recursive: true });
    }
  });

  it('is small enough to keep', async () => {
    const sizes = await Promise.all(data.map(async (file) => (await stat(join(folder, file))).size));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_500_000);
  });

  it('has a node.yaml for a database too', async () => {
    const config = await readNodeConfig(join(folder, 'islington', 'node.postgres.yaml'));
    const { source, ...rest } = config.datasets.residents!;
    expect(source).toEqual({ postgres: { url_env: 'ISLINGTON_DATABASE_URL', table: 'housing.residents' } });
    const { source: file, ...same } = nodes.find(({ party }) => party === 'islington')!.config.datasets.residents!;
    expect(file).toEqual({ file: './data/residents.csv' });
    expect(rest).toEqual(same);
  });

  it.each(jobs)('allows $name by the rules of all who take part', ({ job }) => {
    const checked = checkJob(job, charter);
    const sides = job.join && [job.join.left.party, job.join.right.party];
    expect(checked.parties).toEqual(sides?.toSorted() ?? ['camden', 'hackney', 'islington']);
    for (const { party, config } of nodes) {
      if (!checked.parties.includes(party)) continue;
      const rule = sides && (party === 'ncl-health' ? 'link with housing' : 'link with health');
      const verdict = judge(checked, usesOf(checked, party), party, config.policy, analyst, 0);
      const expected = { verdict: 'allow', rule: rule ?? 'prevention statistics', approval: 'automatic' };
      expect(verdict).toMatchObject(expected);
    }
  });

  async function expectAgreement(job: Job, thresholds: readonly number[]): Promise<number[]> {
    const checked = checkJob(job, charter);
    const dataset = checked.dataset;
    const rows: number[] = [];
    for (const threshold of thresholds) {
      const strictness = { minGroup: threshold, round: job.round ?? 1, dominance: [] };
      const query = compile(checked, null, strictness);
      const results = new Map(
        await Promise.all(
          nodes
            .filter(({ party }) => checked.parties.includes(party))
            .map(async ({ party, config }) => {
              const source = openSource(config.datasets.residents!, { folder: config.folder, env: {}, dataset });
              return [party, await source.query(query, dataset, false)] as const;
            }),
        ),
      );
      const answer = plainAnswer(checked, (_, party) => results.get(party)!, { strictness });
      const { round } = strictness;
      const pooled = await pooledAnswer({
        job,
        charter,
        analyst,
        folder,
        threshold: threshold > 1 ? threshold : 0,
        round,
      });
      const agreement = compareFigures(answer.rows, pooled.rows);
      expect({ ...agreement, agrees: agrees(agreement) }).toMatchObject({ agrees: true });
      expect(answer.rows.length === 0 || agreement.figures > 3).toBe(true);
      rows.push(answer.rows.length);
    }
    return rows;
  }

  // A protected job's groups are chosen by noise; here it is answered without any. What joins come to is compared with the
  // pooled records where they run: in the tests of the demo, and in those of a town and its clinic.
  const ofOneDataset = jobs.filter(({ job }) => job.join === undefined);
  it.each(ofOneDataset)('answers $name as plain SQL over the pooled records does', async ({ job }) => {
    await expectAgreement(job, [200]);
  });

  it.each<[string, string, Readonly<Record<number, number>>]>([
    [
      'having',
      'having: { people: { gte: 300 }, rate: { of: { mean: arrears }, between: [50, 1500.5] } }',
      { 1: 4, 200: 4 },
    ],
    ['having that nothing meets', 'having: { people: { gte: 30000 } }', { 10: 0 }],
    [
      'having on a few',
      'having: { of_old: { of: { count: { where: { age: { gte: 90 } } } }, gte: 1 } }',
      { 1: 5, 10: 1, 200: 0 },
    ],
    ['top', 'top: { by: total, count: 3 }', { 1: 3, 200: 3 }],
    [
      'top by a mean, of those that meet a condition',
      'having: { people: { lt: 2000 } }\ntop: { by: m, count: 2 }',
      { 10: 2, 200: 2 },
    ],
    ['quotients alone', 'open: ratio', { 1: 8, 200: 8 }],
    ['rounding', 'round: 25\nhaving: { people: { lte: 625 } }', { 10: 3, 200: 2 }],
    ['rounded quotients alone', 'round: 25\nopen: ratio\nhaving: { m: { gte: 200 } }', { 10: 5, 200: 4 }],
    ['a total', 'total: true', { 1: 9, 200: 9 }],
    ['a rounded total', 'total: true\nround: 10', { 10: 9, 200: 9 }],
  ])('agrees with plain SQL about %s', async (_, lines, rows) => {
    const text = `folkmoot: 1
purpose: homelessness-prevention
from: residents
where: { age: { gte: 18 } }
group_by: [tenure, employed]
measures:
  people: count
  total:  { sum: arrears }
  m:      { mean: arrears }
  years:  { mean: age }
${lines}`;
    const found = await expectAgreement(parseJob(text, 'job.yaml'), Object.keys(rows).map(Number));
    expect(found).toEqual(Object.values(rows));
  });
});
