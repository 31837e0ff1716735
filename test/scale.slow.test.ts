/** What a coordinator carries: a thousand nodes, a hundred jobs at once, a storm of nodes that come back, and years of jobs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Crowd, makeCrowd } from '@folkmoot/testkit/crowd.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure, type Running, startCoordinator, until } from '../benchmarks/crowd-coordinator.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
const nodes = 1_000;
let crowd: Crowd;
let running: Running;

beforeAll(async () => {
  crowd = await makeCrowd(folder, nodes);
  running = await startCoordinator(folder, '127.0.0.1:0');
  crowd.dial(running.url);
  await until(() => crowd.attached() === nodes);
});
afterAll(async () => {
  crowd?.stop();
  running?.child.kill('SIGTERM');
  await new Promise((resolve) => running?.child.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true });
});

/** One analyst may have a hundred open. */
async function run(jobs: number): Promise<void> {
  const before = crowd.done();
  for (let count = 0; count < jobs; count++) {
    await until(() => count - (crowd.done() - before) < 100);
    await crowd.submit(running.url);
  }
  await until(() => crowd.done() === before + jobs);
}

/** Of what lives, after whatever was let go of has had time to be collected. */
async function heapBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 20; look++) {
    least = Math.min(least, await figure(running.url, 'nodejs_heap_size_used_bytes'));
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return least;
}

describe('a coordinator with a thousand nodes', () => {
  it('has a hundred jobs under way at once, and brings them all to their end', async () => {
    crowd.hold();
    for (let count = 0; count < 100; count++) await crowd.submit(running.url);
    await until(() => crowd.running().now === 100);
    crowd.open();
    await until(() => crowd.done() === 100);
  });

  it('has them all back after it was killed in the middle of jobs, which lose nothing by it', async () => {
    const before = crowd.done();
    crowd.hold();
    for (let count = 0; count < 50; count++) await crowd.submit(running.url);
    await until(() => crowd.running().now === 50);
    running.child.kill('SIGKILL');
    await until(() => crowd.attached() === 0);
    running = await startCoordinator(folder, new URL(running.url).host);
    const since = performance.now();
    await until(() => crowd.attached() === nodes);
    console.log(`${nodes} nodes were back after ${((performance.now() - since) / 1_000).toFixed(1)} s`);
    crowd.open();
    await until(() => crowd.done() === before + 50);
  });

  it('needs no more memory after five thousand jobs than after one thousand', async () => {
    await run(1_000);
    const first = await heapBytes();
    await run(4_000);
    const last = await heapBytes();
    const resident = await figure(running.url, 'process_resident_memory_bytes');
    const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
    console.log(`heap after 1,000 jobs ${mb(first)}, after 5,000 ${mb(last)}; resident ${mb(resident)}`);
    // A job that was kept whole would be 10 kB and more: 40 MB.
    expect(last - first).toBeLessThan(15e6);
  });
});
