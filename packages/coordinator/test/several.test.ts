import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { jobId } from '@folkmoot/core/envelope.js';
import { startPostgres, type TestPostgres } from '@folkmoot/testkit/postgres.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../src/limits.ts';
import { type RunningCoordinator, startCoordinator } from '../src/server.ts';
import { type Api, acceptanceOf, api, type Consortium, consortium, parties, signedJob } from './consortium.ts';
import { ScriptedNode } from './scripted-node.ts';

let moot: Consortium;
let postgres: TestPostgres;
let client: pg.Client;
let both: RunningCoordinator[];
let [here, there]: Api[] = [];
let opened: ScriptedNode[];
let logged: string[];
/** The clocks of both stand so far before that of the database. */
let aheadMs: number;

beforeAll(async () => {
  postgres = await startPostgres();
  client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await postgres?.stop();
});
beforeEach(async () => {
  await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  moot = await consortium();
  [opened, logged, aheadMs] = [[], [], 0];
  const settings = 'charter: ./charter.json\nlisten: 127.0.0.1:0\nstate: { postgres: { url_env: MOOT_DATABASE } }\n';
  writeFileSync(moot.configFile, settings);
  both = [await start(), await start()];
  [here, there] = [await api(moot, both[0]!.url), await api(moot, both[1]!.url)];
});
afterEach(async () => {
  for (const node of opened) node.link.close();
  await Promise.all(both.map((one) => one.stop()));
  rmSync(moot.folder, { recursive: true, force: true });
});

function start(): Promise<RunningCoordinator> {
  const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  return startCoordinator({ configFile: moot.configFile, log, clock, env: { MOOT_DATABASE: postgres.url } });
}

/** Every party at one of them, or at both. */
async function nodesAt(...some: readonly RunningCoordinator[]): Promise<ScriptedNode[][]> {
  const nodes = await Promise.all(
    some.map(({ url }) => Promise.all(parties.map((party) => ScriptedNode.login(moot, url, party)))),
  );
  opened.push(...nodes.flat());
  return nodes;
}

const submit = async (at: Api) => {
  const signed = signedJob(moot);
  const { body } = await at.post('/v1/jobs', signed);
  expect(body).toEqual({ job: jobId(signed.envelope), state: 'QUEUED' });
  return jobId(signed.envelope);
};
const state = async (at: Api, job: string) => (await at.get(`/v1/jobs/${job}`)).body;
const becomes = (at: Api, job: string, expected: object) =>
  expect.poll(() => state(at, job), { timeout: 20_000 }).toMatchObject(expected);
/** Each looks after its jobs every second. */
const pastTicks = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1_000));
const events = async (at: Api, job: string) => (await at.stream(`/v1/jobs/${job}/events`)).text();

describe('two coordinators on one PostgreSQL', () => {
  it('know each other’s logins, and each other’s nonces once', async () => {
    const header = { authorization: `Bearer ${here!.token}` };
    const elsewhere = await fetch(`${both[1]!.url.replace(/^ws/, 'http')}/v1/jobs`, { headers: header });
    expect(elsewhere.status).toBe(200);
    const wrong = { authorization: `Bearer ${'0'.repeat(64)}` };
    expect((await fetch(`${both[1]!.url.replace(/^ws/, 'http')}/v1/jobs`, { headers: wrong })).status).toBe(401);
  });

  it('take one job in once that comes to both at the same moment, and no other under its id', async () => {
    const signed = signedJob(moot);
    const answers = await Promise.all([here!, there!, here!, there!].map((at) => at.post('/v1/jobs', signed)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201]);
    const key = jobId(signed.envelope);
    const other = signedJob(moot);
    const refused = await Promise.all(
      [here!, there!].map((at) => at.post('/v1/jobs', other, { 'idempotency-key': key })),
    );
    expect(refused.map(({ status }) => status)).toEqual([409, 409]);
    const changed = {
      ...signed,
      signature: `${signed.signature.slice(0, -1)}${signed.signature.endsWith('0') ? 1 : 0}`,
    };
    for (const at of [here!, there!]) {
      const answer = await at.post('/v1/jobs', changed);
      expect([answer.status, (answer.body.error as { code: string }).code]).toEqual([409, 'JOB_CONFLICT']);
    }
  });

  it('show, end and follow a job wherever it is asked for', async () => {
    await nodesAt(both[0]!);
    const job = await submit(there!);
    // Only the first one has the parties.
    await becomes(there!, job, { state: 'INVITING' });
    const told = events(there!, job);
    const cancelled = await there!.post(`/v1/jobs/${job}/cancel`, {});
    expect(cancelled).toMatchObject({ status: 200, body: { state: 'CANCELLED' } });
    expect(await told).toContain('"state":"CANCELLED"');
    expect((await here!.post(`/v1/jobs/${job}/cancel`, {})).status).toBe(409);
    const waiting = await submit(there!);
    for (const node of opened) node.link.close();
    expect(await here!.post(`/v1/jobs/${waiting}/cancel`, {})).toMatchObject({ body: { state: 'CANCELLED' } });
    const { jobs } = (await there!.get('/v1/jobs')).body as unknown as { jobs: { job: string }[] };
    expect(jobs.map((one) => one.job).sort()).toEqual([job, waiting].sort());
  });

  it('refuse at either to take a job back whose answer is being released', async () => {
    const [nodes] = await nodesAt(both[0]!);
    const job = await submit(here!);
    for (const node of nodes!) {
      await node.next('invite');
      await node.send({ type: 'accepted', job, attempt: 1, acceptance: acceptanceOf(moot, node.party, job) });
    }
    for (const node of nodes!) {
      await node.next('start');
      await node.send({ type: 'phase', job, attempt: 1, phase: 'open' });
    }
    await expect
      .poll(async () => (await client.query('SELECT releasing FROM jobs')).rows)
      .toEqual([{ releasing: '1' }]);
    for (const at of [there!, here!]) {
      const refused = await at.post(`/v1/jobs/${job}/cancel`, {});
      expect([refused.status, (refused.body.error as { code: string }).code]).toEqual([409, 'ALREADY_ENDED']);
    }
    expect(await state(there!, job)).toMatchObject({ state: 'RUNNING' });
    // One that has no party of it does not keep what it took for that.
    for (const node of nodes!) node.link.close();
    await expect.poll(() => logged.filter((line) => line.includes('"link-ended"')).length).toBe(parties.length);
    await client.query('UPDATE jobs SET lease_token = NULL, lease_until_ms = 0');
    const refused = await there!.post(`/v1/jobs/${job}/cancel`, {});
    expect((refused.body.error as { code: string }).code).toBe('ALREADY_ENDED');
    const { rows } = await client.query('SELECT lease_token, epoch, cancel_asked FROM jobs');
    expect(rows).toEqual([{ lease_token: null, epoch: '2', cancel_asked: '0' }]);
  });

  it('hand over at once what one of them leads when it is told to stop, with a higher epoch', async () => {
    const [first] = await nodesAt(both[0]!);
    const job = await submit(here!);
    for (const node of first!) expect(await node.next('invite')).toMatchObject({ epoch: 1 });
    const [second] = await nodesAt(both[1]!);
    const acceptance = (node: ScriptedNode) => acceptanceOf(moot, node.party, job);
    for (const node of first!) await node.send({ type: 'accepted', job, attempt: 1, acceptance: acceptance(node) });
    for (const node of first!) await node.next('start');
    await both.shift()!.stop();
    // The parties go on with the same attempt.
    for (const node of second!) expect(await node.next('start')).toMatchObject({ job, epoch: 2, attempt: 1 });
    for (const node of second!) {
      await node.sendOpening(job, randomBytes(10), {}, {});
      await node.next('stored');
    }
    await becomes(there!, job, { state: 'DONE', attempt: 1 });
  });

  it('leave a job to whoever its parties are linked to, though the one that leads it lives', async () => {
    const [first] = await nodesAt(both[0]!);
    const job = await submit(here!);
    for (const node of first!) expect(await node.next('invite')).toMatchObject({ epoch: 1 });
    const [second] = await nodesAt(both[1]!);
    for (const node of first!) node.link.close();
    await pastTicks(2);
    aheadMs += 2 * limits.takeoverMs;
    for (const node of second!) expect(await node.next('invite')).toMatchObject({ job, epoch: 2 });
    await expect.poll(() => logged.join('')).toMatch(/"event":"job-dropped".*"code":"UNREACHABLE"/);
    // The other one knows of it, and takes nothing whose parties it has not.
    await pastTicks(2);
    expect((await client.query('SELECT epoch FROM jobs')).rows).toEqual([{ epoch: '2' }]);
  });

  it('take a job back that one of them lets go of while it is asked to', async () => {
    const [nodes] = await nodesAt(both[0]!);
    const job = await submit(here!);
    for (const node of nodes!) await node.next('invite');
    const [ant, bee] = nodes!;
    await client.query('BEGIN');
    await client.query('SELECT id FROM jobs FOR UPDATE');
    // Its step waits for the row, the cancel for its step; then the job goes.
    await ant!.send({ type: 'accepted', job, attempt: 1, acceptance: acceptanceOf(moot, 'ant', job) });
    await pastTicks(0.3);
    const cancelled = here!.post(`/v1/jobs/${job}/cancel`, {});
    await pastTicks(0.3);
    await bee!.send({ type: 'stale', job, epoch: 7 });
    await expect.poll(() => logged.join('')).toMatch(/"event":"job-dropped".*"code":"STALE_COORDINATOR"/);
    await client.query('COMMIT');
    expect(await cancelled).toMatchObject({ status: 200, body: { state: 'CANCELLED' } });
  });

  it('do nothing more for a job whose lease has gone to another one', async () => {
    await nodesAt(both[0]!);
    const job = await submit(here!);
    await becomes(here!, job, { state: 'INVITING' });
    await client.query('UPDATE jobs SET lease_token = $1, lease_holder = 99, epoch = epoch + 1', ['f'.repeat(32)]);
    await opened[0]!.send({ type: 'accepted', job, attempt: 1, acceptance: acceptanceOf(moot, 'ant', job) });
    await expect.poll(() => logged.join('')).toMatch(/"event":"job-dropped".*"code":"LEASE_LOST"/);
    expect((await client.query('SELECT count(*) FROM acceptances')).rows).toEqual([{ count: '0' }]);
    expect((await client.query('SELECT lease_holder FROM jobs')).rows).toEqual([{ lease_holder: '99' }]);
    // Whoever has it by now is lost too: its lease runs out, and one of the two goes on with a higher epoch.
    await client.query(`UPDATE jobs SET lease_until_ms = lease_until_ms - ${limits.leaseMs}`);
    expect(await opened[1]!.next('invite')).toMatchObject({ epoch: 1 });
    expect(await opened[1]!.next('invite')).toMatchObject({ epoch: 3 });
  });

  it('believe a node that has heard of a later epoch', async () => {
    await nodesAt(both[0]!);
    const job = await submit(here!);
    await opened[0]!.next('invite');
    await opened[0]!.send({ type: 'stale', job, epoch: 1 });
    await opened[0]!.send({ type: 'stale', job, epoch: 7 });
    await expect.poll(() => logged.join('')).toMatch(/"event":"job-dropped".*"code":"STALE_COORDINATOR"/);
    expect(await opened[0]!.next('invite')).toMatchObject({ epoch: 2 });
  });

  it('go on when the server has ended their connections, and take up again what could not be written', async () => {
    const [nodes] = await nodesAt(both[0]!);
    const job = await submit(here!);
    for (const node of nodes!) await node.next('invite');
    const ended = await client.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'folkmoot-coordinator'",
    );
    expect(ended.rowCount).toBeGreaterThan(1);
    const accept = (node: ScriptedNode) =>
      node.send({ type: 'accepted', job, attempt: 1, acceptance: acceptanceOf(moot, node.party, job) });
    for (const node of nodes!) await accept(node);
    // Whatever was lost by that is asked for again, once the lease is over.
    await client.query('UPDATE jobs SET lease_until_ms = 0 WHERE phase = $1', ['INVITING']);
    const asked = (node: ScriptedNode) => (message: { readonly type: string }) => {
      if (message.type === 'invite') void accept(node);
      return message.type === 'invite';
    };
    await Promise.all(nodes!.map((node) => node.next('start', asked(node))));
    await becomes(there!, job, { state: 'RUNNING' });
  });
});
