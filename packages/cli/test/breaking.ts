/**
 * A consortium whose parts can be broken in the middle of a job: one node is a process of its own, which can be killed and
 * comes back; all reach the coordinator through a line that can be cut; and the coordinator can be started again.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCharter } from '@folkmoot/core/charter.js';
import type { Job } from '@folkmoot/core/job.js';
import { type FaultProxy, faultProxy } from '@folkmoot/testkit/fault-proxy.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { pino } from 'pino';
import { type Client, createClient } from '../../client/src/client.ts';
import type { JobEvent } from '../../client/src/events.ts';
import { startCoordinator } from '../../coordinator/src/server.ts';
import { startNode } from '../../node/src/node.ts';
import { sealForOnce } from '../src/throw-away.ts';
import { bin, type Started, start } from './command-line.ts';

export interface Breaking {
  /** The analyst's. */
  readonly client: Client;
  /** Kills the node that is a process of its own, and starts it again. */
  kill(): void;
  /** Cuts the line: every node loses its link, and may come back. */
  cut(): void;
  /** Stops the coordinator and starts it again, at the same address and with the same state. */
  restart(): void;
  /** Bytes that have passed over the line, and how often it was dialled. */
  readonly line: Pick<FaultProxy, 'passedBytes' | 'connections'>;
  close(): Promise<void>;
}

export interface BreakingOptions {
  /** Where charter.yaml and the parties' folders stand; it is removed at the end. */
  readonly folder: string;
  readonly analyst: string;
  /** The party that is a process of its own. */
  readonly own: string;
  readonly others: readonly string[];
}

export async function startBreaking({ folder, analyst, own, others }: BreakingOptions): Promise<Breaking> {
  const log = pino({ level: 'silent' });
  const sealed = await sealForOnce(
    parseCharter(readFileSync(join(folder, 'charter.yaml'), 'utf8'), 'charter.yaml'),
    folder,
  );
  const configFile = join(folder, 'coordinator.yaml');
  writeFileSync(configFile, JSON.stringify({ charter: sealed.charterFile, listen: '127.0.0.1:0', state: './moot' }));
  let coordinator = await startCoordinator({ configFile, log });
  const { url } = coordinator;
  const client = createClient({
    charter: sealed.charter,
    analyst,
    keys: sealed.analystKeys.get(analyst)!,
    url,
    clock: systemClock,
    randomBytes,
  });
  const line = await faultProxy(Number(new URL(url).port));
  const lineUrl = `ws://127.0.0.1:${line.port}`;
  const nodes = await Promise.all(
    others.map((party) => {
      const kept = { keys: sealed.keyFolder(party), state: join(folder, party, 'state') };
      const overrides = { charter: sealed.charterFile, coordinator: lineUrl, ...kept };
      return startNode({ configFile: join(folder, party, 'node.yaml'), overrides, log, env: {} });
    }),
  );
  const startOwn = (): Started => {
    const at = ['--charter', sealed.charterFile, '--coordinator', lineUrl];
    const kept = ['--keys', sealed.keyFolder(own), '--state', join(folder, own, 'state')];
    // The bin would hand over to a second process, and only the first one would be killed.
    return start([bin, 'node', `${own}/node.yaml`, ...at, ...kept], { bin: '--conditions=source', cwd: folder });
  };
  let process = startOwn();
  let restarted = Promise.resolve();
  return {
    client,
    kill() {
      process.child.kill('SIGKILL');
      void process.finished.then(() => {
        process = startOwn();
      });
    },
    cut: () => line.break({ fault: 'cut' }),
    restart() {
      restarted = coordinator.stop().then(async () => {
        coordinator = await startCoordinator({ configFile, log, overrides: { listen: new URL(url).host } });
      });
    },
    line,
    async close() {
      process.child.kill('SIGTERM');
      await restarted;
      await Promise.all([...nodes.map((node) => node.stop()), process.finished]);
      await coordinator.stop();
      await line.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What breaks, at this word of the parties about what they do in this attempt: words that come in a gap are lost. */
export interface Break {
  readonly attempt: number;
  readonly word: number;
  broken(): void;
}

/** Follows a job to its end, and breaks what is to be broken. */
export async function followed(client: Client, job: Job, breaks: readonly Break[]) {
  const { job: id } = await client.submit(job);
  const events: JobEvent[] = [];
  const words: Record<number, number> = {};
  for await (const event of client.events(id)) {
    events.push(event);
    if (event.type !== 'phase') continue;
    const word = (words[event.attempt] ?? 0) + 1;
    words[event.attempt] = word;
    for (const one of breaks) if (one.attempt === event.attempt && one.word === word) one.broken();
  }
  const states = events.flatMap((event) => (event.type === 'state' ? [`${event.state} ${event.attempt}`] : []));
  return { id, states };
}
