import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunningCoordinator } from '../src/server.ts';
import { type Consortium, consortium } from './consortium.ts';

let moot: Consortium;
let running: RunningCoordinator;
beforeAll(async () => {
  moot = await consortium();
  running = await moot.start();
});
afterAll(async () => {
  await running.stop();
  moot.remove();
});

/** What the server says to a client that sends this and then a byte every second, until the server hangs up. */
function drip(head: string): Promise<string> {
  const { hostname, port } = new URL(running.url);
  return new Promise((resolve) => {
    let reply = '';
    const socket = connect(Number(port), hostname, () => socket.write(head));
    const timer = setInterval(() => socket.write('x'), 1_000);
    socket.on('data', (data) => {
      reply += data.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(timer);
      resolve(reply);
    });
  });
}

it('does not wait for ever for a body or for headers that come too slowly', async () => {
  const body = drip(
    'POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n',
  );
  const headers = drip('GET /v1/health HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  for (const reply of await Promise.all([body, headers])) expect(reply).toMatch(/^HTTP\/1.1 408/);
}, 90_000);
