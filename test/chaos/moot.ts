/**
 * A consortium that stays, of real processes: a coordinator and three nodes with files, keys and databases of their own, a
 * fault proxy between each node and the coordinator, and an analyst. Any part of it can be broken at any time.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@folkmoot/client/client.js';
import { parseCharter } from '@folkmoot/core/charter.js';
import { type Job, parseJob } from '@folkmoot/core/job.js';
import { type FaultProxy, faultProxy } from '@folkmoot/testkit/fault-proxy.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { sealForOnce } from '../../packages/cli/src/throw-away.ts';
import { type LogLine, Service, type ServiceOptions, soon } from './service.ts';

export const towns = ['ash', 'birch', 'cedar'] as const;
export type Town = (typeof towns)[number];

const charterText = `
folkmoot: 1
charter: Three towns
version: 1
parties:
  ash: { name: Ash, owner: Clerk }
  birch: { name: Birch, owner: Clerk }
  cedar: { name: Cedar, owner: Clerk }
analysts:
  ann: { roles: [analyst] }
purposes: { planning: Plan }
datasets:
  people:
    held_by: [ash, birch, cedar]
    unit: id
    max_parties_per_unit: 1
    max_rows: 1000
    columns:
      id: { type: identifier }
      age: { type: integer, min: 0, max: 110 }
      tenure: { type: category, values: [owner, social, tenant] }
      arrears: { type: decimal, scale: 2, min: 0, max: 5000, nulls: zero }
policy_floor: { min_parties: 3, min_group: 1 }
`;

const nodeText = (town: string, ports: readonly number[]) => `
party: ${town}
charter: ../charter.json
coordinator: [${ports.map((port) => `ws://127.0.0.1:${port}`).join(', ')}]
keys: ../parties/${town}/keys
state: ./state
cores: 1
datasets:
  people:
    period: 2026-Q4
    source: { file: ./people.csv }
    budget: { epsilon: 1000 }
policy:
  rules:
    - name: planning
      datasets: [people]
      operations: [count, sum, mean]
      measure: [arrears]
      group_by: [tenure]
      filter: [age]
      purposes: [planning]
      analysts: [role:analyst]
      approval: automatic
`;

/** 120 people a town, of every age and tenure, in sums that no two towns share. */
function records(town: string): string {
  const tenures = ['owner', 'social', 'tenant'];
  const rows = Array.from({ length: 120 }, (_, k) => {
    const arrears = ((k * 7919 + town.charCodeAt(0) * 104_729) % 500_000) / 100;
    return `${town}-${k},${(k * 41) % 111},${tenures[k % 3]},${arrears.toFixed(2)}`;
  });
  return ['id,age,tenure,arrears', ...rows, ''].join('\n');
}

/** Of those who are at least this old. A threshold above 1 is decided on shares, in many rounds. */
export function exactJob(age: number, minGroup = 1): Job {
  const text = `folkmoot: 1
title: Arrears
purpose: planning
from: people
where: { age: { gte: ${age} } }
group_by: [tenure]
measures: { people: count, total: { sum: arrears } }
min_group: ${minGroup}
`;
  return parseJob(text, 'job.yaml');
}

/** The same question whenever the age is the same: it is charged once. */
export function protectedJob(age: number): Job {
  const text = `folkmoot: 1
purpose: planning
from: people
where: { age: { gte: ${age} } }
group_by: [tenure]
measures: { people: count }
min_group: 2
privacy: { epsilon: 1 }
`;
  return parseJob(text, 'job.yaml');
}

export interface Moot {
  readonly folder: string;
  readonly client: Client;
  readonly coordinator: Service;
  readonly nodes: ReadonlyMap<Town, Service>;
  /** All of them. */
  readonly services: readonly Service[];
  /** Between each node and the coordinator; the first, where there are two. */
  readonly lines: ReadonlyMap<Town, FaultProxy>;
  /** Node and coordinator alike. */
  service(name: string): Service;
  /** What a process wrote last, for whoever reads why a run failed. */
  tailOf(name: string): string;
  /** Every line of every log, as it comes. */
  onLine(listener: (name: string, line: LogLine) => void): () => void;
  /** Submits a job, again if the coordinator was away, and follows it to its end. */
  ask(job: Job): Promise<string>;
  /** Ends all that is broken, and starts what has died. */
  calm(): Promise<void>;
  /** Ends every process as an operator would: their exit codes, by name. */
  stop(): Promise<Readonly<Record<string, number | string | undefined>>>;
  /** Ends what is left by force, and leaves no file behind. */
  remove(): Promise<void>;
}

export interface MootOptions {
  /** What stands before the command of a process. */
  readonly before?: (name: string, folder: string) => readonly string[];
  /** Called with the folder before anything is started: such as to mount something in it. What it returns undoes that. */
  readonly prepare?: (folder: string) => () => void;
  /** The address of a PostgreSQL that two coordinators share, in place of one with a database of its own. */
  readonly postgres?: string;
}

export async function startMoot(options: MootOptions = {}): Promise<Moot> {
  const folder = mkdtempSync(join(tmpdir(), 'folkmoot-chaos-'));
  const { charter, charterFile, analystKeys } = await sealForOnce(parseCharter(charterText, 'charter.yaml'), folder);
  const { postgres } = options;
  const state = postgres === undefined ? './coordinator' : { postgres: { url_env: 'MOOT_DATABASE' } };
  const ports = postgres === undefined ? [await freePort()] : [await freePort(), await freePort()];

  const listeners = new Set<(name: string, line: LogLine) => void>();
  const onLine = (name: string, line: LogLine) => {
    for (const listener of [...listeners]) listener(name, line);
  };
  const serviceOf = (given: Pick<ServiceOptions, 'name' | 'args' | 'env'>): Service => {
    const before = options.before?.(given.name, folder) ?? [];
    return new Service({ ...given, folder, onLine, before });
  };
  const coordinators = ports.map((port, place) => {
    const name = place === 0 ? 'coordinator' : `coordinator-${place + 1}`;
    const config = { charter: charterFile, listen: `127.0.0.1:${port}`, state };
    writeFileSync(join(folder, `${name}.yaml`), JSON.stringify(config));
    const env: Record<string, string> = postgres === undefined ? {} : { MOOT_DATABASE: postgres };
    return serviceOf({ name, args: ['coordinator', `${name}.yaml`], env });
  });
  const lines = new Map<Town, FaultProxy>();
  const nodes = new Map<Town, Service>();
  for (const town of towns) {
    const line = await faultProxy(ports[0]!);
    lines.set(town, line);
    mkdirSync(join(folder, town));
    writeFileSync(join(folder, town, 'people.csv'), records(town));
    writeFileSync(join(folder, town, 'node.yaml'), nodeText(town, [line.port, ...ports.slice(1)]));
    nodes.set(town, serviceOf({ name: town, args: ['node', `${town}/node.yaml`] }));
  }
  const undo = options.prepare?.(folder) ?? (() => undefined);

  const services = [...coordinators, ...nodes.values()];
  const client = createClient({
    ...{ charter, analyst: 'ann', keys: analystKeys.get('ann')!, url: ports.map((port) => `ws://127.0.0.1:${port}`) },
    ...{ clock: systemClock, randomBytes },
  });

  const calm = async () => {
    for (const line of lines.values()) line.heal();
    await Promise.all(
      services.map(async (service) => {
        service.stayUp();
        service.goOn();
        if (!service.isAlive) await soon(`${service.name} to be ready`, service.start());
      }),
    );
  };
  const submit = async (job: Job): Promise<string> => {
    for (;;) {
      try {
        return (await client.submit(job)).job;
      } catch (error) {
        // Of an answer that was lost: the job is in its list, and will be judged with the others.
        if (!isPassing(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  const followed = async (job: string) => {
    for await (const _ of client.events(job));
  };

  const remove = async () => {
    await Promise.all(services.map((service) => service.kill()));
    await Promise.all([...lines.values()].map((line) => line.stop()));
    undo();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await soon('the coordinators', Promise.all(coordinators.map((one) => one.start())));
    await soon('the nodes', Promise.all([...nodes.values()].map((node) => node.start())));
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    ...{ folder, client, coordinator: coordinators[0]!, services, nodes, lines, calm, remove },
    service: (name) => services.find((one) => one.name === name)!,
    tailOf: (name) => services.find((one) => one.name === name)!.tail.join('\n'),
    onLine(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async ask(job) {
      const id = await soon('the job to be submitted', submit(job));
      await soon(`job ${id.slice(0, 8)} to end`, followed(id));
      return id;
    },
    async stop() {
      const ends = services.map(async (one) => [one.name, await soon(`${one.name} to end`, one.stop())] as const);
      return Object.fromEntries(await Promise.all(ends));
    },
  };
}

/** The coordinator is away, or was when it should have answered. */
function isPassing(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return ['UNREACHABLE', 'LINK_LOST', 'STATE_FAILED', 'INTERNAL', 'BAD_CONTROL'].includes(String(code));
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
