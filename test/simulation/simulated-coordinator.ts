/**
 * A coordinator: the real one with its store, relay and gate, on simulated time and links. It may end between every two
 * effects, its writes may fail, and what it sends passes the hands of a liar (liar.ts) where the seed has one.
 * @module
 */
import { partiesOf } from '@folkmoot/core/charter.js';
import type { FrameLink } from '@folkmoot/transport/link.js';
import { Relay } from '@folkmoot/transport/relay.js';
import type Database from 'better-sqlite3';
import { Kysely, SqliteDialect, sql } from 'kysely';
import type { Logger } from 'pino';
import { Coordinator } from '../../packages/coordinator/src/coordinator.ts';
import { noTraffic } from '../../packages/coordinator/src/counted-link.ts';
import { Login } from '../../packages/coordinator/src/login.ts';
import type { CoordinatorMetrics } from '../../packages/coordinator/src/metrics.ts';
import { admit } from '../../packages/coordinator/src/node-gate.ts';
import type { OpenDatabase, Schema } from '../../packages/coordinator/src/schema.ts';
import { prepareDatabase } from '../../packages/coordinator/src/sqlite-database.ts';
import { Store } from '../../packages/coordinator/src/store.ts';
import type { Moot } from './moot.ts';
import { Process } from './process.ts';
import { abandon } from './wire.ts';
import type { World } from './world.ts';

export interface CoordinatorOptions {
  readonly world: World;
  readonly moot: Moot;
  readonly name: string;
  readonly db: Database.Database;
  /** Another one leads jobs of the same database. */
  readonly isShared: boolean;
  readonly log: Logger;
}

const metrics: CoordinatorMetrics = {
  moved: () => undefined,
  dropped: () => undefined,
  opened: () => undefined,
  loggedIn: () => undefined,
  linkEnded: () => undefined,
  answered: () => undefined,
};

const tickMs = 2_000;
const goneMsMax = 20_000;
/** So that signatures of logins recur over the seeds. */
const noncesMax = 64;

export class SimulatedCoordinator {
  readonly name: string;
  readonly #options: CoordinatorOptions;
  readonly #links = new Set<FrameLink>();
  #process: Process | undefined;
  /** What analysts ask; undefined while it is not there. */
  coordinator: Coordinator | undefined;
  #admit: ((link: FrameLink) => void) | undefined;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    this.name = options.name;
  }

  start(): void {
    const { world } = this.#options;
    const process = new Process(this.name, world, () => {
      this.coordinator = undefined;
      this.#admit = undefined;
      for (const link of this.#links) abandon(link);
      this.#links.clear();
      world.after(world.chance.between(100, goneMsMax), () => this.start());
    });
    this.#process = process;
    world.trace(`${this.name} starts`);
    this.#run(process).catch(() => process.end());
  }

  get process(): Process | undefined {
    return this.coordinator === undefined ? undefined : this.#process;
  }

  /** A node's connection. */
  accept(link: FrameLink): void {
    this.#links.add(link);
    link.onClose(() => this.#links.delete(link));
    const process = this.#process!;
    this.#admit?.({
      send: (frame) => {
        process.point('sending');
        return link.send(frame);
      },
      onFrame: (receiver) => link.onFrame(receiver),
      onClose: (listener) => link.onClose(listener),
      close: () => link.close(),
    });
  }

  async #run(process: Process): Promise<void> {
    const { world, moot, log, db } = this.#options;
    const { charter } = moot;
    const { clock } = process;
    const store = this.#store(process);
    const relay = new Relay(partiesOf(charter));
    const coordinator = await Coordinator.open({ charter, store, clock, log, relay });
    const nonce = (n: number) => new Uint8Array(n).fill(world.chance.below(noncesMax));
    const { tokens } = store;
    const nonceKey = await tokens.nonceKey();
    const login = new Login({ charter, now: () => clock.now(), randomBytes: nonce, tokens, nonceKey });
    const { epoch } = coordinator;
    const gate = {
      charter,
      coordinator,
      login,
      relay,
      clock,
      log,
      epoch,
      traffic: noTraffic(),
      metrics,
      inFlight: { bytes: 0 },
    };
    this.#admit = (link) => admit(link, gate);
    this.coordinator = coordinator;
    const tick = () => {
      // Where no job is open, a tick looks at none and finds none.
      if (!hasNoOpenJob(db)) coordinator.tick();
      clock.after(tickMs, tick);
    };
    clock.after(tickMs, tick);
  }

  /** Where two share one, neither clears the other's leases, and time is the database's own: as with PostgreSQL. */
  #database(process: Process): OpenDatabase {
    const { db, isShared, world } = this.#options;
    if (!isShared) return prepareDatabase(db, () => process.clock.now());
    const queries = new Kysely<Schema>({ dialect: new SqliteDialect({ database: db }) });
    return { queries, nowMs: () => sql<number>`${world.nowMs}`, shared: false, close: async () => undefined };
  }

  #store(process: Process): Store {
    const { world } = this.#options;
    const real = new Store(this.#database(process));
    const writing =
      <A extends unknown[], R>(name: string, write: (...given: A) => Promise<R>) =>
      async (...given: A): Promise<R> => {
        process.point(`before ${name}`);
        if (world.hits('failBefore', name)) {
          world.note('failBefore', `${this.name} cannot ${name}`);
          throw new Error('SQLITE_FULL');
        }
        const result = await write(...given);
        if (world.hits('failAfter', name)) {
          world.note('failAfter', `${this.name} did ${name}, and thinks that it did not`);
          throw new Error('SQLITE_IOERR');
        }
        process.point(`after ${name}`);
        return result;
      };
    const save: Store['save'] = writing('save', async (change) => {
      const { state } = change;
      await real.save(change);
      const code = state.error === undefined ? '' : state.error.code;
      world.note(
        `coordinator ${state.phase}`,
        `${this.name} saves ${state.phase} ${state.attempt} of ${change.id.slice(0, 6)} ${code}`,
      );
      if (code !== '') world.count(`end ${code}`);
    });
    const insert: Store['insert'] = writing('insert', (job, state) => real.insert(job, state));
    return new Proxy(real, {
      get(target, name) {
        if (name === 'save') return save;
        if (name === 'insert') return insert;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

/** Whether no coordinator has a job under way. */
export function hasNoOpenJob(db: Database.Database): boolean {
  const sql = `SELECT 1 FROM jobs WHERE phase IN ('QUEUED', 'INVITING', 'READY', 'RUNNING')`;
  return db.prepare(sql).get() === undefined;
}
