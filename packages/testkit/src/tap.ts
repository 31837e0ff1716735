/**
 * A TCP proxy that forwards everything unchanged and keeps a copy: what somebody on the wire sees.
 * @module
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Tap {
  readonly port: number;
  /** All bytes so far, of every connection in both directions. */
  heard(): Buffer;
  stop(): Promise<void>;
}

/** Listens on a free loopback port and forwards to another. */
export async function tap(targetPort: number): Promise<Tap> {
  const copies: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(targetPort, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (piece: Buffer) => copies.push(piece));
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    heard: () => Buffer.concat(copies),
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
