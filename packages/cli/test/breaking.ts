/**
 * A consortium whose parts can be broken in the middle of a job: one node is a process of its own, which can be killed and
 * comes back; another one reaches the coordinator through a line that can be cut.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { parseCharter } from '@folkmoot/core/charter.js';
import type { Job } from '@folkmoot/core/job.js';
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
  /** Cuts the line; the node behind it may come back. */
  cut(): void;
  close(): Promise<void>;
}

export interface BreakingOptions {
  /** Where charter.yaml and the parties' folders stand; it is removed at the end. */
  readonly folder: string;
  readonly analyst: string;
  /** The party that is a process of its own, and the one behind a line. */
  readonly own: string;
  readonly behindLine: string;
  readonly others: readonly string[];
}

export async function startBreaking({ folder, analyst, own, behindLine, others }: BreakingOptions): Promise<Breaking> {
  const log = pino({ level: 'silent' });
  const sealed = await sealForOnce(
    parseCharter(readFileSync(join(folder, 'charter.yaml'), 'utf8'), 'charter.yaml'),
    folder,
  );
  const configFile = join(folder, 'coordinator.yaml');
  writeFileSync(configFile, JSON.stringify({ charter: sealed.charterFile, listen: '127.0.0.1:0', state: './moot' }));
  const coordinator = await startCoordinator({ configFile, log });
  const client = createClient({
    charter: sealed.charter,
    analyst,
    keys: sealed.analystKeys.get(analyst)!,
    url: coordinator.url,
    clock: systemClock,
    randomBytes,
  });
  const line = await Line.to(coordinator.url);
  const places = [[behindLine, line.url], ...others.map((party) => [party, coordinator.url])] as [string, string][];
  const nodes = await Promise.all(
    places.map(([party, at]) => {
      const kept = { keys: sealed.keyFolder(party), state: join(folder, party, 'state') };
      const overrides = { charter: sealed.charterFile, coordinator: at, ...kept };
      return startNode({ configFile: join(folder, party, 'node.yaml'), overrides, log, env: {} });
    }),
  );
  const startOwn = (): Started => {
    const at = ['--charter', sealed.charterFile, '--coordinator', coordinator.url];
    const kept = ['--keys', sealed.keyFolder(own), '--state', join(folder, own, 'state')];
    // The bin would hand over to a second process, and only the first one would be killed.
    return start([bin, 'node', `${own}/node.yaml`, ...at, ...kept], { bin: '--conditions=source', cwd: folder });
  };
  let process = startOwn();
  return {
    client,
    kill() {
      process.child.kill('SIGKILL');
      void process.finished.then(() => {
        process = startOwn();
      });
    },
    cut: () => line.cut(),
    async close() {
      process.child.kill('SIGTERM');
      await Promise.all([...nodes.map((node) => node.stop()), process.finished]);
      await coordinator.stop();
      line.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What breaks an attempt: at the first word of this party that it is in this phase. */
export interface Break {
  readonly party: string;
  readonly phase: string;
  broken(): void;
}

/** Follows a job to its end, and breaks its attempts one after the other. */
export async function followed(client: Client, job: Job, breaks: readonly Break[]) {
  const { job: id } = await client.submit(job);
  const events: JobEvent[] = [];
  for await (const event of client.events(id)) {
    events.push(event);
    const next = breaks[event.attempt - 1];
    if (event.type === 'phase' && event.phase === next?.phase && event.party === next.party) {
      next.broken();
    }
  }
  const states = events.flatMap((event) => (event.type === 'state' ? [`${event.state} ${event.attempt}`] : []));
  return { id, states };
}

/** A line to the coordinator: what it carries, it carries as it is, until it is cut. */
class Line {
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
  }

  static async to(url: string): Promise<Line> {
    const { hostname, port } = new URL(url);
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      const far = connect(Number(port), hostname);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => other.destroy());
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Line(server, sockets);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  close(): void {
    this.#server.close();
  }
}
