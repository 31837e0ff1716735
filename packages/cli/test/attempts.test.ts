/**
 * What breaks in the middle of a job: a node that is killed, a link that is cut. One node is a process of its own; another
 * one reaches the coordinator through a line that can be cut.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCharter } from '@folkmoot/core/charter.js';
import { parseJob } from '@folkmoot/core/job.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../client/src/client.ts';
import type { JobEvent } from '../../client/src/events.ts';
import { type RunningCoordinator, startCoordinator } from '../../coordinator/src/server.ts';
import { type RunningNode, startNode } from '../../node/src/node.ts';
import { type SealedForOnce, sealForOnce } from '../src/throw-away.ts';
import { bin, type Started, start } from './command-line.ts';
import { expectedRows, job as jobText, writeConsortium } from './small-consortium.ts';

/** Its threshold is decided on shares, in many rounds. */
const job = parseJob(jobText, 'job.yaml');

let folder: string;
let sealed: SealedForOnce;
let coordinator: RunningCoordinator;
let client: Client;
let cedar: Started;
const nodes: RunningNode[] = [];
const line = { server: undefined as Server | undefined, sockets: new Set<Socket>() };
const log = pino({ level: 'silent' });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-attempts-'));
  writeConsortium(folder);
  sealed = await sealForOnce(parseCharter(readFileSync(join(folder, 'charter.yaml'), 'utf8'), 'charter.yaml'), folder);
  const configFile = join(folder, 'coordinator.yaml');
  writeFileSync(configFile, JSON.stringify({ charter: sealed.charterFile, listen: '127.0.0.1:0', state: './moot' }));
  coordinator = await startCoordinator({ configFile, log });
  client = createClient({
    charter: sealed.charter,
    analyst: 'ann',
    keys: sealed.analystKeys.get('ann')!,
    url: coordinator.url,
    clock: systemClock,
    randomBytes,
  });
  const url = await lineTo(coordinator.url);
  for (const [town, at] of [
    ['ash', url],
    ['birch', coordinator.url],
  ] as const) {
    const own = { keys: sealed.keyFolder(town), state: join(folder, town, 'state') };
    const overrides = { charter: sealed.charterFile, coordinator: at, ...own };
    nodes.push(await startNode({ configFile: join(folder, town, 'node.yaml'), overrides, log, env: {} }));
  }
  cedar = startCedar();
});
afterAll(async () => {
  cedar.child.kill('SIGTERM');
  await Promise.all([...nodes.map((node) => node.stop()), cedar.finished]);
  await coordinator.stop();
  line.server?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A line to the coordinator: what it carries, it carries as it is, until it is cut. */
async function lineTo(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      line.sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  line.server = server;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function cut(): void {
  for (const socket of line.sockets) socket.destroy();
  line.sockets.clear();
}

function startCedar(): Started {
  const at = ['--charter', sealed.charterFile, '--coordinator', coordinator.url];
  const own = ['--keys', sealed.keyFolder('cedar'), '--state', join(folder, 'cedar', 'state')];
  // The bin would hand over to a second process, and only the first one would be killed.
  return start([bin, 'node', 'cedar/node.yaml', ...at, ...own], { bin: '--conditions=source', cwd: folder });
}

/** Follows a job to its end, and breaks each attempt when this party has begun to prepare it. */
async function followed(breaks: readonly (readonly [party: string, broken: () => void])[]) {
  const { job: id } = await client.submit(job);
  const events: JobEvent[] = [];
  const noticedMs: number[] = [];
  let brokenMs = 0;
  for await (const event of client.events(id)) {
    events.push(event);
    const [party, broken] = breaks[event.attempt - 1] ?? [];
    if (event.type === 'phase' && event.phase === 'prepare' && event.party === party) {
      broken?.();
      brokenMs = Date.now();
    }
    if (event.type === 'state' && event.setback !== undefined) noticedMs.push(Date.now() - brokenMs);
  }
  const states = events.flatMap((event) => (event.type === 'state' ? [`${event.state} ${event.attempt}`] : []));
  return { id, states, noticedMs };
}

describe('a job whose attempts break', () => {
  it('is answered at the third, after a node was killed and started again, and a link was cut', async () => {
    const kill = () => {
      cedar.child.kill('SIGKILL');
      void cedar.finished.then(() => {
        cedar = startCedar();
      });
    };
    const { id, states, noticedMs } = await followed([
      ['cedar', kill],
      ['ash', cut],
    ]);
    const attempt = (number: number) => ['INVITING', 'READY', 'RUNNING'].map((state) => `${state} ${number}`);
    expect(states).toEqual(['QUEUED 0', ...attempt(1), ...attempt(2), ...attempt(3), 'DONE 3']);
    for (const ms of noticedMs) expect(ms).toBeLessThan(3_000);
    expect(await client.answer(id)).toMatchObject({ rows: expectedRows });
    expect(await client.state(id)).toMatchObject({
      attempt: 3,
      setbacks: [
        { code: 'LINK_LOST', party: 'cedar' },
        { code: 'LINK_LOST', party: 'ash' },
      ],
    });
  });
});
