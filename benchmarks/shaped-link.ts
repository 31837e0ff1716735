/**
 * A slow link in user space: a TCP proxy that lets so many bits a second through each way, and holds each back a while.
 *
 * Each way has a token bucket of `pieceBytes`, and a queue whose head leaves once its tokens were there and its delay has
 * passed. What is offered faster waits at the sender: past a queue of one delay's worth and `queueBytes` the proxy reads
 * no more. A transfer of n bytes then takes delay + 8·(n − pieceBytes) / rate.
 *
 * It is TCP on both sides, so that a lost packet or a slow start is not imitated: a link is never worse than stated.
 * @module
 */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';

export interface Shape {
  /** One way. */
  readonly delayMs: number;
  /** Each way. */
  readonly bitsPerSecond: number;
}

/** The bucket's depth, and what leaves at once: half a millisecond of 100 Mbit/s. */
const pieceBytes = 8 * 1024;

/** What a router keeps for a link that is busy. */
const queueBytes = 256 * 1024;

/** Timers are no finer; what is due within this long is waited for by turns of the event loop. */
const timerMs = 1;

/** How long a transfer takes one way, by arithmetic. */
export function expectedMs({ delayMs, bitsPerSecond }: Shape, bytes: number): number {
  return delayMs + (8000 * Math.max(0, bytes - pieceBytes)) / bitsPerSecond;
}

/** Listens on loopback; every connection is passed on to the target port, shaped. */
export async function shapedLink(targetPort: number, shape: Shape): Promise<{ port: number; close(): void }> {
  const open = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = dial({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      // The loss of one side is that of the link.
      socket.on('error', () => {
        near.resetAndDestroy();
        far.resetAndDestroy();
      });
    }
    pass(near, far, shape);
    pass(far, near, shape);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server on loopback has a port');
  return {
    port: address.port,
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** One way of one connection. */
function pass(from: Socket, to: Socket, { delayMs, bitsPerSecond }: Shape): void {
  const bytesPerMs = bitsPerSecond / 8000;
  const room = queueBytes + delayMs * bytesPerMs;
  const queue: { readonly dueMs: number; readonly piece: Uint8Array }[] = [];
  let queued = 0;
  let isWaiting = false;
  let isEnded = false;
  /** When the bucket will be full. */
  let fullMs = 0;

  const resume = (): void => {
    if (queued + to.writableLength <= room) from.resume();
  };

  const put = (piece: Uint8Array): void => {
    const now = performance.now();
    fullMs = Math.max(fullMs, now) + piece.length / bytesPerMs;
    const leavesMs = Math.max(now, fullMs - pieceBytes / bytesPerMs);
    queue.push({ dueMs: leavesMs + delayMs, piece });
    queued += piece.length;
  };

  const deliver = (): void => {
    isWaiting = false;
    const now = performance.now();
    let delivered = 0;
    while (queue.length > 0 && queue[0]!.dueMs <= now) {
      const { piece } = queue.shift()!;
      delivered += piece.length;
      to.write(piece);
    }
    queued -= delivered;
    resume();
    if (queue.length === 0 && isEnded) to.end();
    else wait(delivered > 0);
  };

  /** A stream that flows may come in steps of a timer; the head of one that rested is on time. */
  const wait = (isFlowing: boolean): void => {
    if (isWaiting || queue.length === 0) return;
    isWaiting = true;
    const leftMs = queue[0]!.dueMs - performance.now();
    if (isFlowing) setTimeout(deliver, Math.max(timerMs, leftMs - timerMs));
    else if (leftMs > 2 * timerMs) setTimeout(deliver, leftMs - 2 * timerMs);
    else setImmediate(deliver);
  };

  from.on('data', (chunk: Uint8Array) => {
    for (let at = 0; at < chunk.length; at += pieceBytes) put(chunk.subarray(at, at + pieceBytes));
    if (queued + to.writableLength > room) from.pause();
    wait(false);
  });
  to.on('drain', resume);
  from.on('end', () => {
    isEnded = true;
    if (queue.length === 0) to.end();
  });
  from.on('close', () => {
    if (!isEnded) to.destroy();
  });
}
