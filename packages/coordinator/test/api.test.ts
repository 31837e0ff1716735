import { connect as connectSocket } from 'node:net';
import { jobId } from '@folkmoot/core/envelope.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../src/limits.ts';
import type { RunningCoordinator } from '../src/server.ts';
import { type Api, acceptanceOf, api, type Consortium, consortium, jobYaml, signedJob } from './consortium.ts';
import { ScriptedNode } from './scripted-node.ts';

let moot: Consortium;
let running: RunningCoordinator;
let owl: Api;
let fox: Api;

beforeAll(async () => {
  moot = await consortium();
  running = await moot.start();
  owl = await api(moot, running.url, 'owl');
  fox = await api(moot, running.url, 'fox');
});
afterAll(async () => {
  await running.stop();
  moot.remove();
});

const failed = (status: number, code: string) =>
  expect.objectContaining({ status, body: { error: expect.objectContaining({ code }) } });

describe('jobs over HTTP', () => {
  it('are taken in, shown, listed and cancelled', async () => {
    const signed = signedJob(moot);
    const id = jobId(signed.envelope);
    expect(await owl.post('/v1/jobs', signed)).toEqual({ status: 201, body: { job: id, state: 'QUEUED' } });
    const view = await owl.get(`/v1/jobs/${id}`);
    expect(view).toMatchObject({
      status: 200,
      body: {
        job: id,
        title: 'What is in store',
        state: 'QUEUED',
        attempt: 0,
        parties: ['ant', 'bee', 'cat'].map((party) => ({ party, connected: false })),
      },
    });
    const { jobs } = (await owl.get('/v1/jobs')).body as unknown as { jobs: { job: string; submitted: string }[] };
    expect(jobs.map(({ job }) => job)).toContain(id);
    expect(await owl.get('/v1/jobs?before=yesterday')).toEqual(failed(422, 'BAD_VALUE'));
    const before = jobs.find(({ job }) => job === id)!.submitted;
    const earlier = (await owl.get(`/v1/jobs?before=${before}`)).body as unknown as { jobs: { job: string }[] };
    expect(earlier.jobs.map(({ job }) => job)).not.toContain(id);
    expect(await owl.post(`/v1/jobs/${id}/cancel`)).toMatchObject({ status: 200, body: { state: 'CANCELLED' } });
    expect(await owl.post(`/v1/jobs/${id}/cancel`)).toEqual(failed(409, 'ALREADY_ENDED'));
  });

  it('are the same job when they are sent again, also after their end', async () => {
    const signed = signedJob(moot);
    const id = jobId(signed.envelope);
    await owl.post('/v1/jobs', signed, { 'idempotency-key': id });
    expect(await owl.post('/v1/jobs', signed)).toEqual({ status: 200, body: { job: id, state: 'QUEUED' } });
    await owl.post(`/v1/jobs/${id}/cancel`);
    expect(await owl.post('/v1/jobs', signed)).toEqual({ status: 200, body: { job: id, state: 'CANCELLED' } });
  });

  it('are one job when they come twice at once', async () => {
    const signed = signedJob(moot);
    const both = await Promise.all([owl.post('/v1/jobs', signed), owl.post('/v1/jobs', signed)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 201]);
    await owl.post(`/v1/jobs/${jobId(signed.envelope)}/cancel`);
  });

  it('are in conflict when another one stands under the same id', async () => {
    const first = signedJob(moot);
    await owl.post('/v1/jobs', first);
    const id = jobId(first.envelope);
    const forged = { ...first, signature: 'f'.repeat(128) };
    expect(await owl.post('/v1/jobs', forged)).toEqual(failed(409, 'JOB_CONFLICT'));
    expect(await owl.post('/v1/jobs', signedJob(moot), { 'idempotency-key': id })).toEqual(failed(409, 'JOB_CONFLICT'));
    await owl.post(`/v1/jobs/${id}/cancel`);
  });

  it('of another analyst look as if there were none', async () => {
    const signed = signedJob(moot);
    const id = jobId(signed.envelope);
    await owl.post('/v1/jobs', signed);
    for (const path of ['', '/answer', '/events']) {
      const theirs = await fox.get(`/v1/jobs/${id}${path}`);
      expect(theirs).toEqual(failed(404, 'UNKNOWN_JOB'));
      expect(theirs.body).toEqual((await fox.get(`/v1/jobs/${'0'.repeat(64)}${path}`)).body);
    }
    expect(await fox.post(`/v1/jobs/${id}/cancel`)).toEqual(failed(404, 'UNKNOWN_JOB'));
    expect((await fox.get('/v1/jobs')).body).toEqual({ jobs: [] });
    expect(await owl.get('/v1/jobs/not-an-id')).toEqual(failed(404, 'UNKNOWN_JOB'));
    await owl.post(`/v1/jobs/${id}/cancel`);
  });

  it('have no answer before they are DONE, and none after they ended otherwise', async () => {
    const signed = signedJob(moot);
    const id = jobId(signed.envelope);
    await owl.post('/v1/jobs', signed);
    expect(await owl.get(`/v1/jobs/${id}/answer`)).toEqual(failed(409, 'NOT_READY'));
    await owl.post(`/v1/jobs/${id}/cancel`);
    expect(await owl.get(`/v1/jobs/${id}/answer`)).toEqual(failed(409, 'ALREADY_ENDED'));
  });

  it('are refused at once when the nodes would refuse them anyway', async () => {
    const text = (change: (yaml: string) => string) => signedJob(moot, {}, 'owl', change(jobYaml));
    const unsigned = { ...signedJob(moot), signature: '0'.repeat(128) };
    const later = new Date(Date.now() + 600_000).toISOString();
    const past = { issued: '2020-01-01T00:00:00.000Z', expires: '2020-01-02T00:00:00.000Z' };
    const cases: [unknown, number, string][] = [
      [unsigned, 403, 'BAD_SIGNATURE'],
      [signedJob(moot, {}, 'fox'), 403, 'NOT_YOURS'],
      [signedJob(moot, { analyst: 'fox' }), 403, 'NOT_YOURS'],
      [signedJob(moot, { charter: 'e'.repeat(64) }), 409, 'CHARTER_MISMATCH'],
      [signedJob(moot, { recipient: moot.analysts.fox.public.recipient }), 403, 'BAD_SIGNATURE'],
      [signedJob(moot, past), 422, 'JOB_EXPIRED'],
      [signedJob(moot, { issued: later }), 422, 'NOT_YET_VALID'],
      [text((yaml) => yaml.replace('harvest', 'gossip')), 422, 'UNKNOWN_PURPOSE'],
      [text((yaml) => yaml.replace('stores', 'shops')), 422, 'UNKNOWN_DATASET'],
      [text((yaml) => yaml.replace('sum: weight', 'sum: height')), 422, 'UNKNOWN_COLUMN'],
      [text((yaml) => yaml.replace('sum: weight', 'sum: kind')), 422, 'WRONG_TYPE'],
      [text((yaml) => `${yaml}parties: [ant, bee, dog]\n`), 422, 'UNKNOWN_PARTY'],
      [text((yaml) => `${yaml}parties: [ant, bee, bee]\n`), 422, 'DUPLICATE_PARTY'],
      [text((yaml) => `${yaml}parties: [ant, bee]\n`), 403, 'TOO_FEW_PARTIES'],
      [text((yaml) => `${yaml}reveal: matches\n`), 422, 'BAD_VALUE'],
      [{ ...signedJob(moot), colour: 'red' }, 422, 'UNKNOWN_KEY'],
      [{ envelope: 1, signature: '' }, 422, 'BAD_VALUE'],
      ['{"envelope":', 400, 'BAD_SYNTAX'],
      [`{"envelope":${'['.repeat(60_000)}${']'.repeat(60_000)}}`, 400, 'BAD_SYNTAX'],
      [' '.repeat(limits.requestBytesMax + 1), 413, 'REQUEST_TOO_LARGE'],
    ];
    for (const [body, status, code] of cases) expect(await owl.post('/v1/jobs', body)).toEqual(failed(status, code));
  });

  it('are bounded in number for one analyst', async () => {
    const ids: string[] = [];
    for (let count = 0; count < limits.openJobsPerAnalyst; count++) {
      const signed = signedJob(moot, {}, 'fox');
      expect((await fox.post('/v1/jobs', signed)).status).toBe(201);
      ids.push(jobId(signed.envelope));
    }
    expect(await fox.post('/v1/jobs', signedJob(moot, {}, 'fox'))).toEqual(failed(429, 'BUSY'));
    await fox.post(`/v1/jobs/${ids[0]}/cancel`);
    expect((await fox.post('/v1/jobs', signedJob(moot, {}, 'fox'))).status).toBe(201);
    const { jobs } = (await fox.get('/v1/jobs')).body as unknown as { jobs: { job: string; state: string }[] };
    for (const { job, state } of jobs) if (state === 'QUEUED') await fox.post(`/v1/jobs/${job}/cancel`);
  });
});

describe('logins', () => {
  it('are needed for everything about jobs', async () => {
    for (const authorization of ['', 'Bearer x', `Bearer ${'0'.repeat(64)}`, `Basic ${owl.token}`]) {
      expect(await owl.get('/v1/jobs', { authorization })).toEqual(failed(401, 'UNAUTHORISED'));
    }
    expect(await owl.raw('/v1/jobs', signedJob(moot))).toEqual(failed(401, 'UNAUTHORISED'));
  });

  it('fail alike for an unknown analyst, a used nonce and a wrong signature', async () => {
    const nonce = async () => ((await owl.raw('/v1/login/nonce', {})).body as unknown as { nonce: string }).nonce;
    const signature = '0'.repeat(128);
    const answers = [
      await owl.raw('/v1/login', { analyst: 'owl', nonce: await nonce(), signature }),
      await owl.raw('/v1/login', { analyst: 'nobody', nonce: await nonce(), signature }),
      await owl.raw('/v1/login', { analyst: 'constructor', nonce: await nonce(), signature }),
      await owl.raw('/v1/login', { analyst: 'owl', nonce: '1'.repeat(64), signature }),
    ];
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(answers[0]).toEqual(failed(401, 'UNAUTHORISED'));
    expect(await owl.raw('/v1/login', { analyst: 'owl' })).toEqual(failed(422, 'BAD_VALUE'));
    expect(await owl.raw('/v1/login', 'x'.repeat(5_000))).toEqual(failed(413, 'REQUEST_TOO_LARGE'));
    expect(await owl.raw('/v1/login', '{}', { 'content-type': 'text/plain' })).toEqual(failed(422, 'BAD_VALUE'));
  });
});

describe('what anyone may see', () => {
  it('is a page without a script and without a text of a job', async () => {
    const response = await fetch(owl.base);
    const page = await response.text();
    expect(response.headers.get('content-type')).toContain('text/html');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page).toContain('Meadow &lt;counts&gt;');
    expect(page).toContain('Ant Hill');
    expect(page).not.toMatch(/<script|What is in store|owl/);
  });

  it('is the health of the coordinator, and the description of its API', async () => {
    const health = (await owl.get('/v1/health')).body;
    expect(health).toMatchObject({ status: 'ok', charter: { name: 'Meadow <counts>', version: 1 }, connected: [] });
    const { openapi, paths } = (await owl.get('/v1/openapi.json')).body as unknown as {
      openapi: string;
      paths: object;
    };
    expect(openapi).toBe('3.1.0');
    expect(Object.keys(paths)).toContain('/v1/jobs/{job}/answer');
    expect(await owl.get('/v1/nothing')).toMatchObject({ status: 404, body: { error: { code: 'BAD_VALUE' } } });
  });
});

describe('events', () => {
  it('tell a job’s history from where the follower left off, and end with the job', async () => {
    const signed = signedJob(moot);
    const id = jobId(signed.envelope);
    await owl.post('/v1/jobs', signed);
    const stream = owl.stream(`/v1/jobs/${id}/events`).then((response) => response.text());
    const nodes = await Promise.all(
      (['ant', 'bee', 'cat'] as const).map((party) => ScriptedNode.login(moot, running.url, party)),
    );
    for (const node of nodes) await node.next('invite');
    const acceptance = acceptanceOf(moot, 'ant', id);
    await nodes[0]!.send({ type: 'accepted', job: id, attempt: 1, acceptance });
    const report = { code: 'REFUSED', message: 'no rule allows it', remedy: 'ask for less' } as const;
    await nodes[1]!.send({ type: 'denied', job: id, attempt: 1, report });
    const text = await stream;
    const events = text
      .trim()
      .split('\n\n')
      .map((block) => JSON.parse(/^data: (.*)$/m.exec(block)![1]!) as Record<string, unknown>);
    expect(events.map(({ sequence, type, state, did }) => [sequence, type, state ?? did])).toEqual([
      [1, 'state', 'QUEUED'],
      [2, 'state', 'INVITING'],
      [3, 'party', 'accepted'],
      [4, 'party', 'denied'],
      [5, 'state', 'FAILED'],
    ]);
    expect(events.at(-1)).toMatchObject({ error: { code: 'PARTY_DENIED', party: 'bee', remedy: 'ask for less' } });
    expect((await owl.get(`/v1/jobs/${id}`)).body).toMatchObject({
      state: 'FAILED',
      parties: [{ party: 'ant', verdict: 'accepted' }, { party: 'bee', verdict: 'denied', report }, { party: 'cat' }],
    });
    const rest = await (await owl.stream(`/v1/jobs/${id}/events`, { 'last-event-id': '4' })).text();
    expect(rest).toMatch(/^id: 5\n/);
    expect(await (await owl.stream(`/v1/jobs/${id}/events`, { 'last-event-id': '5' })).text()).toBe('');
    expect(await owl.get(`/v1/jobs/${id}/events`, { 'last-event-id': 'x' })).toEqual(failed(422, 'BAD_VALUE'));
    for (const node of nodes) node.link.close();
  });

  it('have only so many followers at once', async () => {
    const signed = signedJob(moot);
    const id = jobId(signed.envelope);
    await owl.post('/v1/jobs', signed);
    const streams: Response[] = [];
    for (let count = 0; count < limits.followersPerAnalyst; count++) {
      streams.push(await owl.stream(`/v1/jobs/${id}/events`));
    }
    expect(await owl.get(`/v1/jobs/${id}/events`)).toEqual(failed(429, 'BUSY'));
    await Promise.all(streams.map((stream) => stream.body?.cancel()));
    const follow = async () => {
      const { status, body } = await owl.stream(`/v1/jobs/${id}/events`);
      await body?.cancel();
      return status;
    };
    await expect.poll(follow).toBe(200);
    await owl.post(`/v1/jobs/${id}/cancel`);
  });
});

describe('the port', () => {
  it('answers a request that is not HTTP, and goes on', async () => {
    const { hostname, port } = new URL(owl.base);
    const reply = await new Promise<string>((resolve, reject) => {
      const socket = connectSocket(Number(port), hostname, () => socket.write('GARBAGE\r\n\r\n'));
      socket.on('data', (data) => resolve(data.toString()));
      socket.on('error', reject);
    });
    expect(reply).toMatch(/^HTTP\/1.1 400/);
    expect((await owl.get('/v1/health')).status).toBe(200);
  });

  it('logs no body, no token and no signature', async () => {
    const signed = signedJob(moot);
    await owl.post('/v1/jobs', signed);
    await owl.post(`/v1/jobs/${jobId(signed.envelope)}/cancel`);
    const logged = moot.logged();
    expect(logged).toContain(jobId(signed.envelope));
    for (const secret of [owl.token, signed.signature, 'What is in store', signed.envelope.recipient]) {
      expect(logged).not.toContain(secret);
    }
  });
});
