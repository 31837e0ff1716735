import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { seededRng } from '@folkmoot/core/prg.js';
import { afterEach, describe, expect, it } from 'vitest';
import { expectedMs, shapedLink } from '../benchmarks/shaped-link.ts';

const fast = { delayMs: 2, bitsPerSecond: 4e8 };
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server behind a shaped link, and one connection to it through the link. */
async function connected(serve: (socket: Socket) => void): Promise<Socket> {
  const server = createServer({ allowHalfOpen: true }, serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const link = await shapedLink((server.address() as AddressInfo).port, fast);
  const socket = connect({ port: link.port, host: '127.0.0.1', allowHalfOpen: true });
  closing.push(
    () => socket.destroy(),
    link.close,
    () => server.close(),
  );
  return socket;
}

async function allOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('a shaped link', () => {
  it('passes bytes unchanged and in their order, both ways at once', async () => {
    const rng = seededRng(1);
    const [there, back] = [rng(3_000_001).slice(), rng(2_000_003).slice()];
    const arrived = Promise.withResolvers<Buffer>();
    const socket = await connected((end) => {
      end.end(back);
      arrived.resolve(allOf(end));
    });
    let at = 0;
    for (const size of [1, 0, 8192, 8193, 100_000, there.length]) {
      socket.write(there.subarray(at, at + size));
      at += size;
    }
    socket.end();
    expect((await allOf(socket)).equals(back)).toBe(true);
    expect((await arrived.promise).equals(there)).toBe(true);
  });

  it('lets the side that is still open go on', async () => {
    const socket = await connected((end) => {
      void allOf(end).then((heard) => end.end(`heard ${heard.length}`));
    });
    socket.end('abc');
    expect((await allOf(socket)).toString()).toBe('heard 3');
  });

  it('is lost at one side where the other breaks', async () => {
    const socket = await connected((end) => end.resetAndDestroy());
    socket.on('error', () => undefined);
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(socket.destroyed).toBe(true);
  });

  it('expects the delay, and the time of what the bucket does not hold', () => {
    const shape = { delayMs: 10, bitsPerSecond: 100e6 };
    expect(expectedMs(shape, 1)).toBe(10);
    expect(expectedMs(shape, 8192)).toBe(10);
    expect(expectedMs(shape, 8192 + 1_250_000)).toBe(110);
  });
});
