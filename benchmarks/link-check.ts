/**
 * Whether a shaped link does what it says: the time of a ping and of a transfer of 10 MB, beside arithmetic.
 * @module
 */
import { type AddressInfo, createServer, connect as dial } from 'node:net';
import { median } from './machine.ts';
import { expectedMs, type Shape, shapedLink } from './shaped-link.ts';

const pings = 21;
const transferBytes = 10_000_000;

export interface Check {
  readonly what: string;
  readonly measuredMs: number;
  readonly expectedMs: number;
}

/** Over one connection, to a server that answers one byte to each byte, and one to a whole transfer. */
export async function checkLink(shape: Shape): Promise<Check[]> {
  const server = createServer({ noDelay: true }, (socket) => {
    let missing = pings;
    socket.on('data', (chunk) => {
      if (missing > 0) {
        missing -= chunk.length;
        socket.write('.');
        if (missing === 0) missing = -transferBytes;
      } else {
        missing += chunk.length;
        if (missing === 0) socket.end('.');
      }
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const link = await shapedLink((server.address() as AddressInfo).port, shape);
  const socket = dial({ port: link.port, host: '127.0.0.1', noDelay: true });
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  const answered = async (bytes: number): Promise<number> => {
    const begin = performance.now();
    const answer = new Promise((resolve) => socket.once('data', resolve));
    socket.write(new Uint8Array(bytes));
    await answer;
    return performance.now() - begin;
  };
  const times: number[] = [];
  for (let i = 0; i < pings; i++) times.push(await answered(1));
  const transfer = await answered(transferBytes);
  socket.destroy();
  link.close();
  server.close();
  return [
    { what: 'ping, both ways', measuredMs: median(times), expectedMs: 2 * expectedMs(shape, 1) },
    {
      what: '10 MB and its answer',
      measuredMs: transfer,
      expectedMs: expectedMs(shape, transferBytes) + expectedMs(shape, 1),
    },
  ];
}
