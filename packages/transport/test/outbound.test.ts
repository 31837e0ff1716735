import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { selfSigned } from '@folkmoot/testkit/certificate.js';
import { type ConnectProxy, connectProxy } from '@folkmoot/testkit/connect-proxy.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { connect } from '../src/link.ts';
import { listen } from '../src/listener.ts';
import { type OutboundOptions, outbound } from '../src/outbound.ts';
import { certificateFinding } from '../src/reach.ts';

const day = 86_400_000;
const own = selfSigned(Date.now() + 100 * day);
const other = selfSigned(Date.now() + 100 * day);
let server: Server;
let port: number;
const proxies: ConnectProxy[] = [];

/** Says what it was asked, and sends frames back that come over links. */
async function start(given: { key: string; cert: string; maxVersion?: 'TLSv1.2' }): Promise<Server> {
  const made = createServer(given, (request, reply) => {
    if (request.url === '/elsewhere') return void reply.writeHead(302, { location: '/' }).end();
    if (request.url === '/nothing') return void reply.writeHead(204).end();
    let body = '';
    request.on('data', (piece) => {
      body += piece;
    });
    request.on('end', () =>
      reply.end(JSON.stringify({ method: request.method, auth: request.headers.authorization, body })),
    );
    return undefined;
  });
  listen(made, {
    path: '/node',
    clock: systemClock,
    onLink: (link) => link.onFrame((frame) => void link.send(Uint8Array.from(frame))),
  });
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return made;
}
const portOf = (one: Server) => (one.address() as AddressInfo).port;

beforeAll(async () => {
  server = await start(own);
  port = portOf(server);
});
afterAll(() => server.close());
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.stop();
});

async function proxied(options: Parameters<typeof connectProxy>[0] = {}): Promise<ConnectProxy> {
  const proxy = await connectProxy(options);
  proxies.push(proxy);
  return proxy;
}

const asks = (options: OutboundOptions, path = '/', init: RequestInit = {}) =>
  outbound(options).fetch(`https://localhost:${port}${path}`, init);
const dials = (options: OutboundOptions, at = port) =>
  connect(`wss://localhost:${at}/node`, systemClock, outbound(options));
async function echoed(options: OutboundOptions): Promise<string> {
  const link = await dials(options);
  const back = new Promise<string>((resolve) => link.onFrame((frame) => resolve(Buffer.from(frame).toString())));
  await link.send(Buffer.from('said in a tunnel'));
  const text = await back;
  link.close();
  return text;
}
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe('a private authority', () => {
  it('is trusted where it is named', async () => {
    expect(await echoed({ env: {}, ca: own.cert })).toBe('said in a tunnel');
    const reply = await asks({ env: {}, ca: own.cert }, '/', {
      method: 'POST',
      headers: { authorization: 'Bearer 1' },
      body: '{"ü":1}',
    });
    expect(reply.ok).toBe(true);
    expect(await reply.json()).toEqual({ method: 'POST', auth: 'Bearer 1', body: '{"ü":1}' });
    expect(await (await asks({ env: {}, ca: own.cert }, '/nothing')).text()).toBe('');
  });

  it('is not trusted where none or another one is named, and `ca:` is the remedy', async () => {
    for (const ca of [undefined, other.cert]) {
      const refused = dials({ env: {}, ca });
      await expect(refused).rejects.toThrow(code('UNTRUSTED'));
      await expect(refused).rejects.toMatchObject({ remedy: expect.stringContaining('`ca:`') });
      await expect(asks({ env: {}, ca })).rejects.toThrow();
    }
  });

  it('is refused where it is no certificate', () => {
    for (const ca of ['', 'a word', own.key]) {
      expect(() => outbound({ env: {}, ca })).toThrow(expect.objectContaining({ code: 'BAD_VALUE', field: 'ca' }));
    }
  });

  it('is looked at by its own name, and found trusted', async () => {
    const at = `wss://localhost:${port}`;
    const trusted = await certificateFinding(at, systemClock, outbound({ env: {}, ca: own.cert }));
    expect(trusted).toMatchObject({ level: 'ok' });
    const unknown = await certificateFinding(at, systemClock, outbound({ env: {} }));
    expect(unknown).toMatchObject({ level: 'fail', remedy: expect.stringContaining('ca:') });
  });
});

it('speaks no older TLS than 1.3', async () => {
  const old = await start({ ...own, maxVersion: 'TLSv1.2' });
  try {
    await expect(dials({ env: {}, ca: own.cert }, portOf(old))).rejects.toThrow(code('UNREACHABLE'));
    await expect(connect(`wss://localhost:${portOf(old)}/node`, systemClock)).rejects.toThrow(code('UNREACHABLE'));
  } finally {
    old.close();
  }
});

it('follows no redirection', async () => {
  await expect(asks({ env: {}, ca: own.cert }, '/elsewhere')).rejects.toThrow(code('UNREACHABLE'));
});

it('gives a request up when it is told to', async () => {
  const given = AbortSignal.abort();
  await expect(asks({ env: {}, ca: own.cert }, '/', { signal: given })).rejects.toThrow();
});

describe('a proxy', () => {
  it('is asked for a tunnel to the coordinator, and sees nothing of what passes', async () => {
    const proxy = await proxied({ credentials: 'moot:secret' });
    const env = { HTTPS_PROXY: proxy.url.replace('//', '//moot:secret@') };
    expect(await echoed({ env, ca: own.cert })).toBe('said in a tunnel');
    const reply = await asks({ env, ca: own.cert }, '/', { method: 'POST', body: 'asked in a tunnel' });
    expect(await reply.text()).toContain('asked in a tunnel');
    expect(proxy.asked).toEqual([`localhost:${port}`, `localhost:${port}`]);
    expect(proxy.heard().length).toBeGreaterThan(1_000);
    expect(proxy.heard().includes('in a tunnel')).toBe(false);
  });

  it('is passed by for the hosts of NO_PROXY', async () => {
    const proxy = await proxied();
    const env = { https_proxy: proxy.url, NO_PROXY: 'example.org,localhost' };
    expect(await echoed({ env, ca: own.cert })).toBe('said in a tunnel');
    expect(proxy.asked).toEqual([]);
  });

  it.each([
    ['knows neither name nor password', { credentials: 'moot:secret' }, '407'],
    ['does not let the host pass', { refuses: 403 }, '403'],
  ])('that %s is named as the fault', async (_, options, status) => {
    const { url } = await proxied(options);
    const refused = dials({ env: { HTTPS_PROXY: url }, ca: own.cert });
    await expect(refused).rejects.toThrow(code('PROXY_REFUSED'));
    await expect(refused).rejects.toThrow(status);
    await expect(asks({ env: { HTTPS_PROXY: url }, ca: own.cert })).rejects.toThrow();
  });

  it('does not make another certificate good', async () => {
    const { url } = await proxied();
    await expect(dials({ env: { HTTPS_PROXY: url }, ca: other.cert })).rejects.toThrow(code('UNTRUSTED'));
  });

  it('that is away is no coordinator', async () => {
    const env = { HTTPS_PROXY: 'http://127.0.0.1:1' };
    await expect(dials({ env, ca: own.cert })).rejects.toThrow(code('UNREACHABLE'));
  });

  it('has an address that is one, and its password is not repeated', () => {
    for (const proxy of ['moot:secret', 'socks5://moot:secret@host']) {
      const wrong = () => outbound({ env: { HTTPS_PROXY: proxy } });
      expect(wrong).toThrow(expect.objectContaining({ code: 'BAD_VALUE', field: 'HTTPS_PROXY' }));
      expect(wrong).not.toThrow(/secret/);
    }
  });
});
