import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import type { TransportError } from '@folkmoot/core/errors.js';
import { openExchange } from '@folkmoot/testkit/socket-cluster.js';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type Clock, systemClock } from '../src/clock.ts';
import { frameBytesMax } from '../src/frame.ts';
import { bufferedBytesMax, connect, type FrameLink, heartbeatMs, requireSecure, WebSocketLink } from '../src/link.ts';
import { listen } from '../src/listener.ts';

const closing: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function codeOf(step: () => unknown): string {
  try {
    step();
    return 'ok';
  } catch (error) {
    return (error as TransportError).code;
  }
}

const rejection = (step: Promise<unknown>) =>
  step.then(
    () => 'ok',
    (error: TransportError) => error.code,
  );

const reasonOf = (link: FrameLink) =>
  new Promise<string>((resolve) => {
    link.onClose((reason) => resolve((reason as TransportError | undefined)?.code ?? 'closed here'));
  });

async function linked(): Promise<[FrameLink, FrameLink]> {
  const exchange = await openExchange();
  closing.push(exchange.close);
  const pair = await exchange.link();
  closing.push(() => pair[0].close());
  return pair;
}

async function listening(onLink: (link: FrameLink) => void, path = '/node'): Promise<[Server, string]> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const listener = listen(server, { path, clock: systemClock, onLink });
  closing.push(() => {
    listener.close();
    server.close();
  });
  return [server, `ws://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

const next = (link: FrameLink) => new Promise<Uint8Array>((resolve) => link.onFrame(resolve));

describe('a URL', () => {
  const secure = [
    'wss://example.org/node',
    'https://example.org',
    'ws://127.0.0.1:7700',
    'ws://127.8.9.1',
    'ws://127.1',
  ];
  for (const url of [...secure, 'ws://localhost:1', 'http://[::1]:7700', 'ws://2130706433/']) {
    it(`may be ${url}`, () => expect(codeOf(() => requireSecure(url))).toBe('ok'));
  }
  const plain = ['ws://example.org', 'http://10.0.0.1', 'ws://127.0.0.1.example.org', 'ws://localhost.example.org'];
  for (const url of [...plain, 'ws://[::2]', 'ws://0.0.0.0', 'ws://128.0.0.1', 'ftp://127.0.0.1', 'ws://a@10.0.0.1']) {
    it(`may not be ${url}`, () => expect(codeOf(() => requireSecure(url))).toBe('INSECURE_URL'));
  }

  it('must be one', () => expect(codeOf(() => requireSecure('127.0.0.1:7700'))).not.toBe('ok'));

  it('is refused before anything is sent', async () => {
    expect(await rejection(connect('ws://192.0.2.1/', systemClock))).toBe('INSECURE_URL');
  });
});

describe('a WebSocket link', () => {
  it('carries frames both ways as they are, up to 1 MiB', async () => {
    const [a, b] = await linked();
    const largest = new Uint8Array(frameBytesMax).fill(5);
    const atB = next(b);
    await a.send(largest);
    expect(Buffer.compare(await atB, largest)).toBe(0);
    const atA = next(a);
    await b.send(Uint8Array.of(1, 2, 3));
    expect([...(await atA)]).toEqual([1, 2, 3]);
  });

  it('keeps what came before there was a receiver, in order', async () => {
    const [a, b] = await linked();
    for (let i = 0; i < 100; i++) await a.send(Uint8Array.of(i));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const got: number[] = [];
    await new Promise<void>((resolve) => {
      b.onFrame((frame) => {
        got.push(frame[0]!);
        if (got.length === 100) resolve();
      });
    });
    expect(got).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('hands nothing on while its receiver is at work, though it came in one piece', async () => {
    const [a, b] = await linked();
    let [atWork, most, got] = [0, 0, 0];
    const { promise: done, resolve } = Promise.withResolvers<void>();
    b.onFrame(async () => {
      most = Math.max(most, ++atWork);
      await new Promise((turn) => setImmediate(turn));
      atWork--;
      if (++got === 50) resolve();
    });
    await Promise.all(Array.from({ length: 50 }, (_, i) => a.send(Uint8Array.of(i))));
    await done;
    expect(most).toBe(1);
  });

  it('makes the sender wait when the receiver does not read, and lets it go on later', async () => {
    const [a, b] = await linked();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let received = 0;
    b.onFrame((frame) => {
      received += frame.length;
      return released;
    });
    let sent = 0;
    const sending = (async () => {
      for (let i = 0; i < 64; i++) {
        await a.send(new Uint8Array(frameBytesMax));
        sent++;
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 300));
    // What the link buffers, and what the kernel does on both sides.
    expect(sent).toBeLessThan(60);
    expect(sent * frameBytesMax).toBeGreaterThanOrEqual(bufferedBytesMax);
    expect(received).toBeLessThan(8 * frameBytesMax);
    release();
    await sending;
    expect(sent).toBe(64);
  });

  it('is lost for both when one end closes, and sending fails from then on', async () => {
    const [a, b] = await linked();
    const reasons = Promise.all([reasonOf(a), reasonOf(b)]);
    b.onFrame(() => undefined);
    a.close();
    expect(await reasons).toEqual(['closed here', 'LINK_LOST']);
    expect(await rejection(a.send(new Uint8Array(1)))).toBe('LINK_LOST');
    expect(await reasonOf(b)).toBe('LINK_LOST');
  });

  it('fails those who wait to send when it is lost', async () => {
    const [a, b] = await linked();
    b.onFrame(() => new Promise(() => undefined));
    const sends = Array.from({ length: 40 }, () => rejection(a.send(new Uint8Array(frameBytesMax))));
    await new Promise((resolve) => setTimeout(resolve, 100));
    a.close();
    expect((await Promise.all(sends)).at(-1)).toBe('LINK_LOST');
  });

  it('ends with the error of its receiver', async () => {
    const [a, b] = await linked();
    b.onFrame(() => {
      throw new Error('of no use');
    });
    const ended = new Promise<Error | undefined>((resolve) => b.onClose(resolve));
    await a.send(new Uint8Array(1));
    expect((await ended)?.message).toBe('of no use');
  });

  it('refuses text, and frames over 1 MiB', async () => {
    for (const [data, code] of [
      ['hello', 'TEXT_FRAME'],
      [Buffer.alloc(frameBytesMax + 1), 'FRAME_TOO_LARGE'],
    ] as const) {
      const { promise: reason, resolve } = Promise.withResolvers<string>();
      const [, url] = await listening((link) => {
        link.onFrame(() => undefined);
        void reasonOf(link).then(resolve);
      });
      const raw = new WebSocket(`${url}/node`);
      raw.on('error', () => undefined);
      raw.on('open', () => raw.send(data));
      expect(await reason).toBe(code);
      raw.terminate();
    }
  });

  it('refuses bytes that break the protocol of WebSockets', async () => {
    const { promise: reason, resolve } = Promise.withResolvers<string>();
    const [server] = await listening((link) => {
      link.onFrame(() => undefined);
      void reasonOf(link).then(resolve);
    });
    const socket = connectSocket((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    const key = Buffer.alloc(16).toString('base64');
    const request = `Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}`;
    socket.write(`GET /node HTTP/1.1\r\n${request}\r\n\r\n`);
    socket.once('data', () => socket.write(Buffer.from('f2850000000068656c6c6f', 'hex')));
    expect(await reason).toBe('BAD_FRAME');
    socket.destroy();
  });

  it('is not opened on another path, nor for a web page, nor where nobody listens', async () => {
    const [, url] = await listening(() => undefined);
    expect(await rejection(connect(`${url}/other`, systemClock))).toBe('UNREACHABLE');
    const page = new WebSocket(`${url}/node`, { origin: 'https://example.org' });
    const refused = await new Promise<string>((resolve) => page.on('error', (error) => resolve(error.message)));
    expect(refused).toContain('403');
    expect(await rejection(connect('ws://127.0.0.1:1', systemClock))).toBe('UNREACHABLE');
  });

  it('asks a silent link for a sign of life, and gives it up after three times in vain', async () => {
    // This server does not answer pings.
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong: false });
    await new Promise((resolve) => server.once('listening', resolve));
    closing.push(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    const beats: (() => void)[] = [];
    const clock: Clock = {
      now: () => 0,
      after(delayMs, action) {
        expect(delayMs).toBe(heartbeatMs);
        beats.push(action);
        return () => undefined;
      },
    };
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const link = new WebSocketLink(socket, clock);
    await link.opened;
    link.onFrame(() => undefined);
    const reason = reasonOf(link);
    for (let i = 0; i < 3; i++) beats.shift()!();
    // A frame is a sign of life as well as an answer is.
    const [atServer] = server.clients;
    const heard = new Promise((resolve) => link.onFrame(resolve));
    atServer!.send(Buffer.alloc(1));
    await heard;
    for (let i = 0; i < 3; i++) beats.shift()!();
    expect(socket.readyState).toBe(WebSocket.OPEN);
    beats.shift()!();
    expect(await reason).toBe('LINK_LOST');
    expect(beats).toEqual([]);
  });
});
