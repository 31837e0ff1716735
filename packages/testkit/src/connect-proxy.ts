/**
 * An HTTP proxy that knows CONNECT and nothing else, and keeps what it sees: whom it was asked for, and what passed.
 * @module
 */
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface ConnectProxy {
  readonly url: string;
  /** `host:port` of each tunnel that was asked for. */
  readonly asked: readonly string[];
  /** All bytes that passed through tunnels, both ways. */
  heard(): Buffer;
  stop(): Promise<void>;
}

export interface ConnectProxyOptions {
  /** `name:password`, without which it answers 407. */
  readonly credentials?: string;
  /** It answers this to everyone. */
  readonly refuses?: number;
}

/** Listens on a free loopback port. */
export async function connectProxy({ credentials, refuses }: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const asked: string[] = [];
  const copies: Buffer[] = [];
  const sockets = new Set<Socket>();
  const expected = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
  const server = createServer((_, reply) => void reply.writeHead(405).end());
  server.on('connect', (request, near: Socket) => {
    asked.push(request.url ?? '');
    const isKnown = expected === undefined || request.headers['proxy-authorization'] === expected;
    const refusal = refuses ?? (isKnown ? undefined : 407);
    if (refusal !== undefined) {
      near.end(`HTTP/1.1 ${refusal} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(`tcp://${request.url}`);
    const far = connect(Number(port), hostname, () => near.write('HTTP/1.1 200 OK\r\n\r\n'));
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
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    heard: () => Buffer.concat(copies),
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
