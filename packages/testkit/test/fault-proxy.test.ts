/** The proxy that breaks others has to break as it says, and nothing else. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FaultProxy, faultProxy, type Planned, seededPlan } from '../src/fault-proxy.ts';

/** Sends back what it receives, and ends when the other end does. */
let echo: Server;
let echoPort: number;
const opened: FaultProxy[] = [];

beforeEach(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  echoPort = (echo.address() as AddressInfo).port;
});
afterEach(async () => {
  for (const proxy of opened.splice(0)) await proxy.stop();
  await new Promise((resolve) => echo.close(resolve));
});

async function proxied(plan?: readonly Planned[]): Promise<FaultProxy> {
  const proxy = await faultProxy(echoPort, plan === undefined ? {} : { plan });
  opened.push(proxy);
  return proxy;
}

interface Caller {
  readonly socket: Socket;
  /** All that came back so far. */
  heard(): Buffer;
  /** Resolves when so much has come back. */
  hears(bytes: number): Promise<Buffer>;
  /** Whether it ended in good form, once it has. */
  readonly ended: Promise<'end' | 'reset'>;
}

function call(proxy: FaultProxy): Caller {
  const socket = connect(proxy.port, '127.0.0.1');
  const pieces: Buffer[] = [];
  const heard = () => Buffer.concat(pieces);
  let onPiece = () => {};
  socket.on('data', (piece) => {
    pieces.push(piece);
    onPiece();
  });
  const ended = new Promise<'end' | 'reset'>((resolve) => {
    socket.on('end', () => resolve('end'));
    socket.on('error', () => resolve('reset'));
  });
  const hears = (bytes: number) =>
    new Promise<Buffer>((resolve) => {
      onPiece = () => {
        if (heard().length >= bytes) resolve(heard());
      };
      onPiece();
    });
  return { socket, heard, hears, ended };
}

const text = Buffer.from('the people of the district met to settle things together');

describe('a proxy without a fault', () => {
  it('passes everything on as it is, both ways, and an end as an end', async () => {
    const proxy = await proxied();
    const large = Buffer.alloc(3_000_000, text);
    const caller = call(proxy);
    caller.socket.end(large);
    expect(await caller.hears(large.length)).toEqual(large);
    expect(await caller.ended).toBe('end');
    expect(proxy.passedBytes).toBe(2 * large.length);
    expect(proxy.connections.made).toBe(1);
  });
});

describe('a proxy that is told to', () => {
  it('cuts all connections, and lets new ones in', async () => {
    const proxy = await proxied();
    const [one, two] = [call(proxy), call(proxy)];
    one.socket.write(text);
    two.socket.write(text);
    await Promise.all([one.hears(text.length), two.hears(text.length)]);
    proxy.break({ fault: 'cut' });
    expect(await Promise.all([one.ended, two.ended])).toEqual(['reset', 'reset']);
    const three = call(proxy);
    three.socket.end(text);
    expect(await three.hears(text.length)).toEqual(text);
  });

  it('lets nobody in until it is healed', async () => {
    const proxy = await proxied();
    proxy.break({ fault: 'close' });
    const out = call(proxy);
    out.socket.write(text);
    expect(await out.ended).toBe('reset');
    expect(proxy.connections.made).toBe(0);
    proxy.heal();
    const back = call(proxy);
    back.socket.end(text);
    expect(await back.hears(text.length)).toEqual(text);
  });

  it('stalls without a loss', async () => {
    const proxy = await proxied();
    const caller = call(proxy);
    caller.socket.write(text);
    await caller.hears(text.length);
    proxy.break({ fault: 'stall' });
    caller.socket.write(text);
    // Another connection to the same target is answered meanwhile: time has passed, and nothing came through here.
    await new Promise<void>((resolve) => {
      const direct = connect(echoPort, '127.0.0.1', () => direct.end(text));
      direct.resume().on('end', resolve);
    });
    expect(caller.heard()).toEqual(text);
    proxy.heal();
    expect(await caller.hears(2 * text.length)).toEqual(Buffer.concat([text, text]));
  });

  it('passes no more bytes a second than it was told', async () => {
    const proxy = await proxied();
    proxy.break({ fault: 'throttle', bytesPerSecond: 100_000 });
    const caller = call(proxy);
    const from = performance.now();
    const bytes = Buffer.alloc(40_000, text);
    caller.socket.write(bytes);
    expect(await caller.hears(bytes.length)).toEqual(bytes);
    // 24,000 bytes at least have waited for their 10 µs each, on the way forth alone. A timer may be a millisecond early.
    expect(performance.now() - from).toBeGreaterThan(230);
  });

  it('flips one bit of one byte, on the way that was named', async () => {
    const proxy = await proxied();
    const caller = call(proxy);
    proxy.break({ fault: 'flip', way: 'back' });
    caller.socket.write(text);
    const heard = await caller.hears(text.length);
    const differing = [...heard].flatMap((byte, at) => (byte === text[at] ? [] : [[at, byte ^ text[at]!]]));
    expect(differing).toEqual([[0, 1]]);
  });

  it('truncates: so many bytes more, then an end in good form', async () => {
    const proxy = await proxied();
    const caller = call(proxy);
    proxy.break({ fault: 'truncate', way: 'forth', afterBytes: 10 });
    caller.socket.write(text);
    expect(await caller.ended).toBe('end');
    expect(caller.heard()).toEqual(text.subarray(0, 10));
  });
});

describe('a plan', () => {
  it('is the same for the same seed, and another for another', () => {
    const shape = { faults: 20, bytes: 1_000_000 };
    expect(seededPlan(7, shape)).toEqual(seededPlan(7, shape));
    expect(seededPlan(7, shape)).not.toEqual(seededPlan(8, shape));
    expect(new Set(seededPlan(7, { ...shape, faults: 200 }).map(({ fault }) => fault.fault)).size).toBe(6);
    const cuts = seededPlan(7, { ...shape, kinds: ['cut'] });
    expect(cuts.every(({ fault, atByte }) => fault.fault === 'cut' && atByte >= 1 && atByte <= 1_000_000)).toBe(true);
  });

  it('is met to the byte', async () => {
    const proxy = await proxied([{ atByte: 20, fault: { fault: 'flip', way: 'forth' } }]);
    const caller = call(proxy);
    caller.socket.end(text.subarray(0, 19));
    // Nineteen forth, one back; the next that goes forth is changed.
    await caller.ended;
    expect(proxy.happened).toEqual([{ fault: 'flip', way: 'forth' }]);
    const next = call(proxy);
    next.socket.end(text);
    const changed = Buffer.from(text);
    changed[0]! ^= 1;
    expect(await next.hears(text.length)).toEqual(changed);
  });

  it('heals what it breaks for a time', async () => {
    const proxy = await proxied([{ atByte: 10, fault: { fault: 'stall', forMs: 20 } }]);
    const caller = call(proxy);
    caller.socket.end(text);
    expect(await caller.hears(text.length)).toEqual(text);
  });

  it('stops while it stalls', async () => {
    const proxy = await proxied([{ atByte: 10, fault: { fault: 'stall' } }]);
    const caller = call(proxy);
    caller.socket.write(text);
    await proxy.stop();
    expect(await caller.ended).toBe('reset');
  });
});
