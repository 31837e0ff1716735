/** What breaks in the middle of a join: a side that is killed while it prepares, links that are cut while it matches. */
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseJob } from '@folkmoot/core/job.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Breaking, followed, startBreaking } from './breaking.ts';
import { writeAgencies } from './two-agencies.ts';

const job = parseJob(
  `folkmoot: 1
purpose: planning
join: { left: { party: ash, dataset: tenants }, right: { party: clinic, dataset: patients }, on: number }
measures: { n: count, cost: { sum: right.cost }, owed: { sum: left.owed } }
`,
  'job.yaml',
);

let breaking: Breaking;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'folkmoot-attempts-'));
  writeAgencies(folder);
  // Rows of nobody make the sets large, so that there is something to break.
  const charter = join(folder, 'charter.yaml');
  writeFileSync(charter, readFileSync(charter, 'utf8').replaceAll('max_rows: 1000', 'max_rows: 100000'));
  for (const [party, dataset, row] of [
    ['ash', 'tenants', ',tenant,1.00,2021-05-05\n'],
    ['clinic', 'patients', ',8,male\n'],
  ] as const) {
    appendFileSync(join(folder, party, `${dataset}.csv`), `\n${row.repeat(60_000)}`);
  }
  breaking = await startBreaking({ folder, analyst: 'ann', own: 'clinic', others: ['ash'] });
});
afterAll(() => breaking.close());

it('a join is answered at the second attempt after a side was killed, and no cut link costs another one', async () => {
  const { client, kill, cut } = breaking;
  const { id, states } = await followed(client, job, [
    { attempt: 1, word: 6, broken: kill },
    { attempt: 2, word: 4, broken: cut },
    { attempt: 2, word: 7, broken: cut },
  ]);
  const attempt = (number: number) => ['INVITING', 'READY', 'RUNNING'].map((state) => `${state} ${number}`);
  expect(states).toEqual(['QUEUED 0', ...attempt(1), ...attempt(2), 'DONE 2']);
  const { rows } = await client.answer(id);
  // Three tenants are patients, one of them in two rows; the fourth number that both have is none.
  expect(rows).toMatchObject([{ n: { exact: '4' }, cost: { exact: '151' }, owed: { exact: '30.50' } }]);
  expect(await client.state(id)).toMatchObject({ attempt: 2, setbacks: [{ code: 'LINK_LOST', party: 'clinic' }] });
});
