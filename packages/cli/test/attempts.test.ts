/** What breaks in the middle of a job: a node that is killed, a link that is cut. */
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
  breaking = await startBreaking({ folder, analyst: 'ann', own: 'cedar', behindLine: 'ash', others: ['birch'] });
});
afterAll(() => breaking.close());

describe('a job whose attempts break', () => {
  it('is answered at the third, after a node was killed and started again, and a link was cut', async () => {
    const { client, kill, cut } = breaking;
    const { id, states } = await followed(client, job, [
      { party: 'cedar', phase: 'prepare', broken: kill },
      { party: 'ash', phase: 'prepare', broken: cut },
    ]);
    const attempt = (number: number) => ['INVITING', 'READY', 'RUNNING'].map((state) => `${state} ${number}`);
    expect(states).toEqual(['QUEUED 0', ...attempt(1), ...attempt(2), ...attempt(3), 'DONE 3']);
    expect(await client.answer(id)).toMatchObject({ rows: expectedRows });
    expect(await client.state(id)).toMatchObject({
      attempt: 3,
      setbacks: [
        { code: 'LINK_LOST', party: 'cedar' },
        { code: 'LINK_LOST', party: 'ash' },
      ],
    });
  });
});
