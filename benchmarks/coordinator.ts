/**
 * A coordinator with a crowd of nodes: their logins, many jobs at once, and a storm of nodes that all come back at once.
 *
 * The coordinator is a process of its own, on SQLite; the nodes are light ones in this process, over real sockets
 * (testkit/src/crowd.ts). The storm is what follows when the coordinator is killed and started again.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCrowd } from '@folkmoot/testkit/crowd.js';
import { figure, startCoordinator, until } from './crowd-coordinator.ts';
import { megabytes, seconds, table } from './machine.ts';

const nodes = 1_000;
const jobsAtOnce = 100;
const jobsInAll = 1_000;
/** Jobs of one analyst that may be open. */
const openMax = 100;

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-bench-'));
const cpu = (url: string) => figure(url, 'process_cpu_seconds_total');
const memory = (url: string) => figure(url, 'process_resident_memory_bytes');
const crowd = await makeCrowd(folder, nodes);
let running = await startCoordinator(folder, '127.0.0.1:0');
const rows: string[][] = [['', 'time', 'coordinator’s CPU', 'its memory']];
async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const { url, child } = running;
  const before = await cpu(url);
  const since = performance.now();
  await work();
  const took = (performance.now() - since) / 1000;
  const spent = (await cpu(running.url)) - (running.child === child ? before : 0);
  rows.push([what, seconds(took), seconds(spent), megabytes(await memory(running.url))]);
}

await timed(`${nodes} nodes log in`, async () => {
  crowd.dial(running.url);
  await until(() => crowd.attached() === nodes);
});
await timed(`${jobsAtOnce} jobs at once`, async () => {
  crowd.hold();
  for (let count = 0; count < jobsAtOnce; count++) await crowd.submit(running.url);
  await until(() => crowd.running().now === jobsAtOnce);
  crowd.open();
  await until(() => crowd.done() === jobsAtOnce);
});
await timed(`${jobsInAll} jobs, ${openMax} open`, async () => {
  for (let count = 0; count < jobsInAll; count++) {
    await until(() => jobsAtOnce + count - crowd.done() < openMax);
    await crowd.submit(running.url);
  }
  await until(() => crowd.done() === jobsAtOnce + jobsInAll);
});
await timed('killed and started, all back', async () => {
  running.child.kill('SIGKILL');
  await until(() => crowd.attached() === 0);
  running = await startCoordinator(folder, new URL(running.url).host);
  await until(() => crowd.attached() === nodes);
});
console.log(`${table(rows)}\n`);
crowd.stop();
running.child.kill('SIGTERM');
await new Promise((resolve) => running.child.once('exit', resolve));
rmSync(folder, { recursive: true, force: true });
