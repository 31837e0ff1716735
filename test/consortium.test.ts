import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCharter } from '@folkmoot/core/charter.js';
import { checkJob } from '@folkmoot/core/check-job.js';
import { parseJob } from '@folkmoot/core/job.js';
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

  it.each(jobs)('allows $name by the rules of every council', ({ job }) => {
    const checked = checkJob(job, charter);
    expect(checked.parties).toEqual(['camden', 'hackney', 'islington']);
    for (const { party, config } of nodes) {
      if (!checked.parties.includes(party)) continue;
      const verdict = judge(checked, usesOf(checked), party, config.policy, analyst, 0);
      expect(verdict).toMatchObject({ verdict: 'allow', rule: 'prevention statistics', approval: 'automatic' });
    }
  });

  it.each(jobs)('answers $name as plain SQL over the pooled records does', async ({ job }) => {
    const checked = checkJob(job, charter);
    const dataset = checked.dataset;
    for (const threshold of [1, 10, 200]) {
      const query = compile(checked, null, { minGroup: threshold, round: 1, dominance: [] });
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
      const answer = plainAnswer(checked, (_, party) => results.get(party)!, { strictness: { minGroup: threshold } });
      const pooled = await pooledAnswer({ job, charter, analyst, folder, threshold: threshold > 1 ? threshold : 0 });
      const agreement = compareFigures(answer.rows, pooled.rows);
      expect(agreement.figures).toBeGreaterThan(3);
      expect({ ...agreement, agrees: agrees(agreement) }).toMatchObject({ agrees: true });
    }
  });
});
