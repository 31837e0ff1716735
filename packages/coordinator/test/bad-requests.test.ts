/** Requests that no client of ours sends: each is refused by a code, nothing of it is kept, and the next one is served. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { jobId } from '@folkmoot/core/envelope.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../src/limits.ts';
import type { RunningCoordinator } from '../src/server.ts';
import { type Api, api, type Consortium, consortium, signedJob } from './consortium.ts';

let moot: Consortium;
let running: RunningCoordinator;
let owl: Api;
beforeAll(async () => {
  moot = await consortium();
  running = await moot.start();
  owl = await api(moot, running.url);
});
afterAll(async () => {
  await running.stop();
  moot.remove();
});
afterEach(async () => {
  const { jobs } = (await owl.get('/v1/jobs')).body as unknown as { jobs: { state: string }[] };
  expect(jobs.filter(({ state }) => state !== 'CANCELLED')).toEqual([]);
  expect((await fetch(`${owl.base}/health`)).status).toBe(200);
});

interface Raw {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly pieces?: readonly (string | Buffer)[];
}

/** A request written by hand: chunked, unless its headers say how long it is. */
function send({
  path = '/v1/jobs',
  method = 'POST',
  headers = {},
  pieces = [],
}: Raw): Promise<{ status: number; code: string }> {
  return new Promise((resolve, reject) => {
    const given = { authorization: `Bearer ${owl.token}`, 'content-type': 'application/json', ...headers };
    const asked = request(`${owl.base}${path}`, { method, headers: given }, (response) => {
      let text = '';
      response.on('data', (data) => {
        text += data;
      });
      response.on('end', () => resolve({ status: response.statusCode!, code: JSON.parse(text).error?.code }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    for (const piece of pieces) asked.write(piece);
    asked.end();
  });
}

describe('a body', () => {
  it('that is too large is refused as soon as that is known, with and without a length', async () => {
    const half = ' '.repeat(limits.requestBytesMax / 2);
    expect(await send({ pieces: [half, half, half] })).toEqual({ status: 413, code: 'REQUEST_TOO_LARGE' });
    const { hostname, port } = new URL(owl.base);
    const reply = await new Promise<string>((resolve) => {
      // Only the length is said: nothing of the body is waited for.
      const socket = connect(Number(port), hostname, () =>
        socket.write(
          `POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${owl.token}\r\n` +
            `Content-Type: application/json\r\nContent-Length: ${limits.requestBytesMax + 1}\r\n\r\n`,
        ),
      );
      socket.on('data', (data) => {
        socket.destroy();
        resolve(data.toString());
      });
    });
    expect(reply).toMatch(/^HTTP\/1.1 413/);
    expect(await send({ path: '/v1/budget', pieces: ['x'.repeat(limits.loginBytesMax + 1)] })).toEqual({
      status: 413,
      code: 'REQUEST_TOO_LARGE',
    });
  });

  it('of another type, or none, or no text at all, is refused', async () => {
    const good = JSON.stringify(signedJob(moot));
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '']) {
      const answer = await send({ headers: { 'content-type': type }, pieces: [good] });
      expect({ type, ...answer }).toEqual({ type, status: 422, code: 'BAD_VALUE' });
    }
    expect(await send({ headers: { 'content-encoding': 'gzip' }, pieces: [Buffer.from('1f8b0800', 'hex')] })).toEqual({
      status: 400,
      code: 'BAD_SYNTAX',
    });
    expect(await send({ pieces: [Buffer.from([0xff, 0xfe, 0x00])] })).toEqual({ status: 400, code: 'BAD_SYNTAX' });
    expect(await send({})).toEqual({ status: 400, code: 'BAD_SYNTAX' });
    expect((await send({ pieces: ['[]'] })).status).toBe(422);
    expect((await send({ pieces: ['{"__proto__":{"analyst":"owl"}}'] })).status).toBe(422);
  });

  it('is not looked at under another method, or at another place', async () => {
    const good = JSON.stringify(signedJob(moot));
    expect(await send({ method: 'PUT', pieces: [good] })).toEqual({ status: 404, code: 'BAD_VALUE' });
    expect(await send({ path: '/v1/jobs/../jobs%00', pieces: [good] })).toMatchObject({ status: 404 });
    expect(await send({ path: '/health', pieces: [good] })).toEqual({ status: 404, code: 'BAD_VALUE' });
  });
});

describe('a body in chunks', () => {
  it('is as good as one whose length is said: a proxy may have cut it', async () => {
    const signed = signedJob(moot);
    const text = JSON.stringify(signed);
    const taken = await send({ pieces: [text.slice(0, 100), text.slice(100)] });
    expect(taken).toEqual({ status: 201, code: undefined });
    await owl.post(`/v1/jobs/${jobId(signed.envelope)}/cancel`);
  });
});

describe('a job of an analyst whose clock is an hour off', () => {
  it('is refused by name, and the remedy names the clock', async () => {
    const hour = 3_600_000;
    const at = (ms: number) => new Date(Date.now() + ms).toISOString();
    const ahead = signedJob(moot, { issued: at(hour), expires: at(2 * hour) });
    const refused = (code: string) => ({
      status: 422,
      body: { error: { code, remedy: expect.stringContaining('NTP') } },
    });
    expect(await owl.post('/v1/jobs', ahead)).toMatchObject(refused('NOT_YET_VALID'));
    const behind = signedJob(moot, { issued: at(-hour), expires: at(-hour / 2) });
    expect(await owl.post('/v1/jobs', behind)).toMatchObject(refused('JOB_EXPIRED'));
    expect((await owl.get(`/v1/jobs/${jobId(ahead.envelope)}`)).status).toBe(404);
  });
});
