import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateError } from '@folkmoot/core/errors.js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OwnerChannel, type OwnerRoute, openOwnerChannel } from '../src/owner-channel.ts';
import { askOwner, throughOwner } from '../src/owner-client.ts';
import { openStore } from '../src/store.ts';

const code = (wanted: string) => expect.objectContaining({ code: wanted });
let state: string;
let logged: string[];
let channels: OwnerChannel[];

const routes: readonly OwnerRoute[] = [
  { method: 'GET', path: '/v1/jobs/:job', handle: ({ params, query }) => ({ ...params, limit: query.get('limit') }) },
  { method: 'POST', path: '/v1/jobs/:job/notes', handle: ({ params, body }) => ({ job: params.job, body }) },
  {
    method: 'GET',
    path: '/v1/refused',
    handle: () => {
      throw new StateError('UNKNOWN_JOB', { field: 'job', detail: 'none begins so', remedy: 'look again' });
    },
  },
  {
    method: 'GET',
    path: '/v1/broken',
    handle: () => {
      throw new Error('row 17: 9434765919');
    },
  },
];

async function open(port = 0): Promise<OwnerChannel> {
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const channel = await openOwnerChannel({ state, host: '127.0.0.1', port, routes, randomBytes, log });
  channels.push(channel);
  return channel;
}

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'folkmoot-owner-'));
  [logged, channels] = [[], []];
});
afterEach(async () => {
  for (const channel of channels) await channel.close();
  rmSync(state, { recursive: true, force: true });
});

const access = (): { url: string; token: string } => JSON.parse(readFileSync(join(state, 'owner.json'), 'utf8'));

interface Asked {
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
}

/** As any program could ask, with headers of its own choice. */
function ask({
  headers = {},
  method = 'GET',
  path = '/v1/jobs/ab',
  body,
}: Asked): Promise<{ status: number; text: string }> {
  const { url, token } = access();
  return new Promise((resolve, reject) => {
    const options = { method, headers: { authorization: `Bearer ${token}`, ...headers }, agent: false } as const;
    const asked = request(new URL(path, url), options, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode!, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('the owner’s channel', () => {
  it('answers what its routes give, to whoever can read owner.json', async () => {
    await open();
    expect(await askOwner(state, 'GET', '/v1/jobs/3f9c?limit=2')).toEqual({ job: '3f9c', limit: '2' });
    const body = { reason: 'it’s lawful' };
    expect(await askOwner(state, 'POST', '/v1/jobs/3f9c/notes', body)).toEqual({ job: '3f9c', body });
    expect(await askOwner(state, 'POST', '/v1/jobs/3f9c/notes')).toEqual({ job: '3f9c' });
  });

  it('keeps its address and token for this user alone, and takes them away at its end', async () => {
    const channel = await open();
    expect(statSync(join(state, 'owner.json')).mode & 0o777).toBe(0o600);
    expect(access()).toEqual({ url: channel.url, token: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const first = access().token;
    await channel.close();
    expect(existsSync(join(state, 'owner.json'))).toBe(false);
    await open();
    expect(access().token).not.toBe(first);
    expect(logged.join('')).not.toContain(first);
  });

  it('writes its token through no link that somebody left there', async () => {
    const elsewhere = join(state, 'elsewhere');
    writeFileSync(elsewhere, 'untouched');
    symlinkSync(elsewhere, join(state, 'owner.json.new'));
    symlinkSync(elsewhere, join(state, 'owner.json'));
    await open();
    expect(readFileSync(elsewhere, 'utf8')).toBe('untouched');
    expect(access().token).toHaveLength(64);
  });

  it('refuses a wrong token, one of an earlier start, and none', async () => {
    await open();
    for (const authorization of [`Bearer ${'0'.repeat(64)}`, 'Bearer ', access().token, '']) {
      const { status, text } = await ask({ headers: { authorization } });
      expect([status, JSON.parse(text).error.code]).toEqual([401, 'UNAUTHORISED']);
    }
    writeFileSync(join(state, 'owner.json'), JSON.stringify({ ...access(), token: '0'.repeat(64) }));
    await expect(askOwner(state, 'GET', '/v1/jobs/ab')).rejects.toThrow(code('UNAUTHORISED'));
  });

  it('refuses a name that was made to point to it, though the token fits', async () => {
    const channel = await open();
    const { port } = new URL(channel.url);
    for (const host of ['attacker.example', `attacker.example:${port}`, '127.0.0.1', `127.0.0.1:${Number(port) + 1}`]) {
      const { status, text } = await ask({ headers: { host } });
      expect([status, JSON.parse(text).error.field]).toEqual([401, 'host']);
    }
    expect((await ask({ headers: { host: `localhost:${port}` } })).status).toBe(200);
  });

  it('gives typed errors as they are, and of others nothing but that the program failed', async () => {
    await open();
    await expect(askOwner(state, 'GET', '/v1/refused')).rejects.toThrow(
      expect.objectContaining({ code: 'UNKNOWN_JOB', field: 'job', remedy: 'look again' }),
    );
    await expect(askOwner(state, 'GET', '/v1/broken')).rejects.toThrow(code('INTERNAL'));
    expect(logged.join('')).toContain('owner-request-failed');
    expect(logged.join('')).not.toContain('9434765919');
  });

  it('knows no other path or method', async () => {
    await open();
    for (const path of ['/v1/jobs', '/v1/jobs/ab/', '/v2/jobs/ab', '/']) expect((await ask({ path })).status).toBe(422);
    expect((await ask({ method: 'DELETE' })).status).toBe(422);
  });

  it('takes JSON alone, and no more of it than a decision needs', async () => {
    await open();
    const notes = { method: 'POST', path: '/v1/jobs/ab/notes' };
    const json = { 'content-type': 'application/json' };
    expect((await ask({ ...notes, body: '{"a":', headers: json })).status).toBe(400);
    expect((await ask({ ...notes, body: '{}', headers: { 'content-type': 'text/plain' } })).status).toBe(400);
    const large = JSON.stringify('x'.repeat(64 * 1024));
    expect((await ask({ ...notes, body: large, headers: json })).status).toBe(413);
    expect((await ask({ ...notes, body: JSON.stringify('x'.repeat(64 * 1024 - 2)), headers: json })).status).toBe(200);
  });

  it('closes while somebody is connected and says nothing', async () => {
    const channel = await open();
    const silent = connect(Number(new URL(channel.url).port), '127.0.0.1');
    await new Promise((resolve) => silent.once('connect', resolve));
    const ended = new Promise((resolve) => silent.once('close', resolve));
    silent.on('error', () => {});
    await channel.close();
    await ended;
  });

  it('says which port is taken', async () => {
    const { url } = await open();
    await expect(open(Number(new URL(url).port))).rejects.toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', field: 'owner' }),
    );
  });
});

describe('the owner’s own programs', () => {
  const ways = {
    running: async (askNode: (method: 'GET', path: string) => Promise<unknown>) => askNode('GET', '/v1/jobs/running'),
    stopped: (): unknown => 'stopped',
  };

  it('ask the node while it runs, and open its database while it does not', async () => {
    expect(await throughOwner(state, Date.now, ways)).toBe('stopped');
    const held = openStore(state, Date.now);
    await open();
    expect(await throughOwner(state, Date.now, ways)).toMatchObject({ job: 'running' });
    held.close();
    expect(await throughOwner(state, Date.now, ways)).toBe('stopped');
  });

  it('say so where no node answers: none was started, or it was killed and left its address behind', async () => {
    await expect(askOwner(state, 'GET', '/v1/node')).rejects.toThrow(code('UNREACHABLE'));
    const channel = await open();
    const left = readFileSync(join(state, 'owner.json'));
    await channel.close();
    writeFileSync(join(state, 'owner.json'), left);
    await expect(askOwner(state, 'GET', '/v1/node')).rejects.toThrow(code('UNREACHABLE'));
    writeFileSync(join(state, 'owner.json'), '{');
    await expect(askOwner(state, 'GET', '/v1/node')).rejects.toThrow(code('UNREACHABLE'));
  });
});
