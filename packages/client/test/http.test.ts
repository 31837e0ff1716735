import { randomBytes } from 'node:crypto';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseJob } from '@folkmoot/core/job.js';
import { type Clock, systemClock } from '@folkmoot/transport/clock.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunningCoordinator } from '../../coordinator/src/server.ts';
import { type Consortium, consortium, jobYaml } from '../../coordinator/test/consortium.ts';
import { createClient } from '../src/client.ts';
import type { JobEvent } from '../src/events.ts';

let moot: Consortium;
let running: RunningCoordinator;
let proxy: Server;
/** What the proxy before the coordinator does: passes on, hangs, or answers by itself. */
let mode: 'pass' | 'hang' | { readonly status: number; readonly body: string };
let asked: string[];

beforeAll(async () => {
  moot = await consortium();
  running = await moot.start();
});
afterAll(async () => {
  await running.stop();
  moot.remove();
});
beforeEach(async () => {
  mode = 'pass';
  asked = [];
  proxy = createServer((incoming, outgoing) => {
    const { method, headers, url = '' } = incoming;
    asked.push(url);
    if (mode === 'hang') return;
    if (mode !== 'pass') {
      outgoing.writeHead(mode.status).end(mode.body);
      return;
    }
    const passed = request(running.url.replace(/^ws/, 'http') + url, { method, headers }, (reply) => {
      outgoing.writeHead(reply.statusCode!, reply.headers);
      reply.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  proxy.closeAllConnections();
  proxy.close();
});

/** A minute passes in a second and a half. */
const fast: Clock = { ...systemClock, after: (ms, action) => systemClock.after(ms / 40, action) };
const before = () => `ws://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
const behindNothing = { status: 502, body: '<html><h1>502 Bad Gateway</h1></html>' };
const job = parseJob(jobYaml, 'job');

function clientOf(...url: string[]) {
  const { charter, analysts } = moot;
  return createClient({ charter, analyst: 'owl', keys: analysts.owl, url, clock: fast, randomBytes });
}

describe('an analyst before a proxy', () => {
  it('goes on to the next coordinator where nothing answers behind it', async () => {
    for (const status of [502, 503, 504]) {
      for (const body of [behindNothing.body, '', 'null', '{"error":"away"}']) {
        mode = { status, body };
        expect(await clientOf(before(), running.url).list()).toEqual([]);
        await expect(clientOf(before()).list()).rejects.toMatchObject({
          code: 'UNREACHABLE',
          message: expect.stringContaining(`status ${status}`),
        });
      }
    }
  });

  it('hears what the coordinator itself says with the same status', async () => {
    mode = { status: 503, body: JSON.stringify({ error: { code: 'BUSY', message: 'full', remedy: 'wait' } }) };
    await expect(clientOf(before(), running.url).list()).rejects.toMatchObject({ code: 'BUSY' });
  });

  it('follows a job over the coordinator’s restart behind it', async () => {
    const client = clientOf(before());
    const { job: id } = await client.submit(job);
    const events = client.events(id)[Symbol.asyncIterator]();
    const seen: JobEvent[] = [(await events.next()).value as JobEvent];
    mode = behindNothing;
    const { length } = asked;
    proxy.closeAllConnections();
    const next = events.next();
    await expect.poll(() => asked.length).toBeGreaterThan(length + 2);
    mode = 'pass';
    await clientOf(running.url).cancel(id);
    seen.push((await next).value as JobEvent);
    expect(seen).toMatchObject([{ state: 'QUEUED' }, { state: 'CANCELLED' }]);
  });
});

describe('a coordinator that hangs', () => {
  it('is passed over for one that lives', async () => {
    mode = 'hang';
    expect(await clientOf(before(), running.url).list()).toEqual(expect.any(Array));
    expect(asked).toEqual(['/v1/login/nonce']);
    await expect(clientOf(before()).list()).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('no answer in time'),
    });
  });

  it('is passed over by who was logged in there', async () => {
    const client = clientOf(before(), running.url);
    await client.list();
    mode = 'hang';
    expect(await client.list()).toEqual(expect.any(Array));
    const { length } = asked;
    expect(await client.list()).toEqual(expect.any(Array));
    expect(asked).toHaveLength(length);
  });

  it('does not keep an analyst who gives up while logging in', async () => {
    mode = 'hang';
    const giving = new AbortController();
    const { charter, analysts } = moot;
    // Its own clock stands: nothing but the signal ends the wait.
    const clock: Clock = { now: () => Date.now(), after: () => () => {} };
    const client = createClient({ charter, analyst: 'owl', keys: analysts.owl, url: before(), clock, randomBytes });
    const next = client.events('a'.repeat(64), { signal: giving.signal })[Symbol.asyncIterator]().next();
    await expect.poll(() => asked).toEqual(['/v1/login/nonce']);
    giving.abort();
    await expect(next).rejects.toMatchObject({ code: 'UNREACHABLE', message: expect.stringContaining('given up') });
  });
});
