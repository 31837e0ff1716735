import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCharter } from '@folkmoot/core/charter.js';
import { parseJob } from '@folkmoot/core/job.js';
import { startPostgres, type TestPostgres } from '@folkmoot/testkit/postgres.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../client/src/client.ts';
import { type RunningNode, startNode } from '../../node/src/node.ts';
import { sealForOnce } from '../src/throw-away.ts';
import { bin, type Started, start } from './command-line.ts';
import { expectedRows, job as jobText, towns, writeConsortium } from './small-consortium.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
const job = parseJob(jobText, 'job.yaml');
let postgres: TestPostgres;
let database: pg.Client;
let coordinators: Started[];
let nodes: RunningNode[];
let urls: string[];
let clientOf: (...at: readonly string[]) => Client;

beforeAll(async () => {
  postgres = await startPostgres();
  database = new pg.Client({ connectionString: postgres.url });
  await database.connect();
  writeConsortium(folder);
  const charter = parseCharter(readFileSync(join(folder, 'charter.yaml'), 'utf8'), 'charter.yaml');
  const sealed = await sealForOnce(charter, folder);
  const settings = { charter: sealed.charterFile, listen: '127.0.0.1:0', state: { postgres: { url_env: 'MOOT' } } };
  writeFileSync(join(folder, 'coordinator.yaml'), JSON.stringify(settings));
  // The bin would hand over to a second process, and only the first one would be killed.
  const run = { bin: '--conditions=source', cwd: folder, env: { MOOT: postgres.url } };
  coordinators = [];
  urls = [];
  for (let count = 0; count < 2; count++) {
    const started = start([bin, 'coordinator', 'coordinator.yaml', '--json'], run);
    coordinators.push(started);
    urls.push(await urlOf(started));
  }
  nodes = await Promise.all(
    towns.map((town) => {
      const configFile = join(folder, town, 'node.yaml');
      const text = readFileSync(configFile, 'utf8').replace('ws://127.0.0.1:7700', JSON.stringify(urls));
      writeFileSync(configFile, text);
      const overrides = { charter: sealed.charterFile, keys: sealed.keyFolder(town) };
      return startNode({ configFile, overrides, log: pino({ level: 'silent' }), env: {} });
    }),
  );
  const keys = sealed.analystKeys.get('ann')!;
  clientOf = (...url) =>
    createClient({ charter: sealed.charter, analyst: 'ann', keys, url, clock: systemClock, randomBytes });
});
afterAll(async () => {
  for (const { child } of coordinators) child.kill('SIGTERM');
  await Promise.all([...nodes.map((node) => node.stop()), ...coordinators.map(({ finished }) => finished)]);
  await database.end();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Where a coordinator says that it is. */
function urlOf({ child, finished }: Started): Promise<string> {
  const said = new Promise<string>((resolve) => {
    child.stdout!.on('data', (text: string) => {
      const url = /"url":"([^"]+)"/.exec(text)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
  return Promise.race([said, finished.then(({ stderr }) => Promise.reject(new Error(stderr)))]);
}

/** The numbers of their starts: which of the coordinators leads it, and how often it was led. */
async function leaderOf(id: string) {
  const { rows } = await database.query('SELECT lease_holder, epoch, attempt FROM jobs WHERE id = $1', [id]);
  return rows[0] as { lease_holder: string; epoch: string; attempt: string };
}

describe('two coordinators that share the work', () => {
  it('lose no job when one of them is killed: the other one brings it to its answer', async () => {
    const [first, second] = urls as [string, string];
    const doomed = await clientOf(first).submit(job);
    const other = await clientOf(second).submit(job);
    const client = clientOf(first, second);
    const states: string[] = [];
    let isKilled = false;
    for await (const event of client.events(doomed.job)) {
      if (event.type === 'state') states.push(`${event.state} ${event.attempt}`);
      if (event.type !== 'phase' || event.phase !== 'prepare' || isKilled) continue;
      isKilled = true;
      expect(await leaderOf(doomed.job)).toMatchObject({ lease_holder: '1', epoch: '1', attempt: '1' });
      coordinators[0]!.child.kill('SIGKILL');
    }
    // Its streams may outlive their links, and then the same attempt goes on under the other one.
    expect(states.at(-1)).toMatch(/^DONE [12]$/);
    expect(await leaderOf(doomed.job)).toMatchObject({ lease_holder: null, epoch: '2' });
    for (const { job: id } of [doomed, other]) {
      for await (const event of client.events(id)) if (event.type === 'state') expect(event.state).not.toBe('FAILED');
      expect((await client.answer(id)).rows).toMatchObject(expectedRows);
    }
  });
});
