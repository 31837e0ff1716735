/** What breaks in the middle of a job: a node that is killed, links that are cut, a coordinator that is started again. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseJob } from '@folkmoot/core/job.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Breaking, followed, startBreaking } from './breaking.ts';
import { expectedRows, job as jobText, writeConsortium } from './small-consortium.ts';

/** Its threshold is decided on shares, in many rounds. */
const job = parseJob(jobText, 'job.yaml');

let breaking: Breaking;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'folkmoot-attempts-'));
  writeConsortium(folder);
  breaking = await startBreaking({ folder, analyst: 'ann', own: 'cedar', others: ['ash', 'birch'] });
});
afterAll(() => breaking.close());

const attempt = (number: number) => ['INVITING', 'READY', 'RUNNING'].map((state) => `${state} ${number}`);

describe('a job whose links break', () => {
  it('is answered at its first attempt, however often they do, and a restart of the coordinator besides', async () => {
    const { client, cut, restart, line } = breaking;
    const before = line.connections.made;
    const { id, states } = await followed(client, job, [
      { attempt: 1, word: 1, broken: cut },
      { attempt: 1, word: 4, broken: cut },
      { attempt: 1, word: 7, broken: restart },
      { attempt: 1, word: 10, broken: cut },
    ]);
    expect(states).toEqual(['QUEUED 0', ...attempt(1), 'DONE 1']);
    expect(await client.answer(id)).toMatchObject({ rows: expectedRows });
    expect(line.connections.made - before).toBeGreaterThanOrEqual(3 * 4);
  });
});

describe('a job whose node is killed', () => {
  it('is answered at the second attempt, which links that are cut do not end', async () => {
    const { client, kill, cut } = breaking;
    const { id, states } = await followed(client, job, [
      { attempt: 1, word: 8, broken: kill },
      { attempt: 2, word: 2, broken: cut },
      { attempt: 2, word: 6, broken: cut },
    ]);
    expect(states).toEqual(['QUEUED 0', ...attempt(1), ...attempt(2), 'DONE 2']);
    expect(await client.answer(id)).toMatchObject({ rows: expectedRows });
    expect(await client.state(id)).toMatchObject({ attempt: 2, setbacks: [{ code: 'LINK_LOST', party: 'cedar' }] });
  });
});
