/**
 * A party's node: the real jobs, store, ledger, lifecycle and connection, on simulated time, links and records.
 *
 * Between every two effects its process may end; it comes back later with the same database.
 * @module
 */
import { toHex } from '@folkmoot/core/bytes.js';
import { partiesOf } from '@folkmoot/core/charter.js';
import { signer } from '@folkmoot/core/identity.js';
import { decodeNodeMessage } from '@folkmoot/transport/control.js';
import { coordinatorIndex, decodeFrame, frameType } from '@folkmoot/transport/frame.js';
import type { FrameLink } from '@folkmoot/transport/link.js';
import { keepConnected } from '@folkmoot/transport/reconnect.js';
import type Database from 'better-sqlite3';
import type { Logger } from 'pino';
import { auditDuty } from '../../packages/node/src/audit-duty.ts';
import { verifyStored } from '../../packages/node/src/audit-report.ts';
import { Connection } from '../../packages/node/src/connection.ts';
import { stateError } from '../../packages/node/src/database.ts';
import { Jobs, type Outlet } from '../../packages/node/src/jobs.ts';
import { step } from '../../packages/node/src/lifecycle.ts';
import type { OwnRecords } from '../../packages/node/src/own-records.ts';
import { Store } from '../../packages/node/src/store.ts';
import { drawRecords, lightRecords, noiseOf, type Records } from './light-records.ts';
import type { Moot, Party } from './moot.ts';
import type { Mutant } from './mutants.ts';
import { Process } from './process.ts';
import { abandon } from './wire.ts';
import type { Witness } from './witness.ts';
import type { World } from './world.ts';

export interface NodeOptions {
  readonly world: World;
  readonly witness: Witness;
  readonly moot: Moot;
  readonly party: Party;
  readonly db: Database.Database;
  readonly log: Logger;
  readonly mutant: Mutant;
  /** Heads of audit logs are exchanged: each is signed anew, which takes its time. */
  readonly isAudited: boolean;
  /** Dials a coordinator. */
  dial(process: Process, coordinator: string): Promise<FrameLink>;
  readonly coordinators: readonly string[];
}

/** How long a process is gone. */
const goneMsMax = 20_000;

export class SimulatedNode {
  readonly party: Party;
  readonly name: string;
  readonly db: Database.Database;
  readonly records: Records;
  readonly #options: NodeOptions;
  readonly #noiseKey: Uint8Array;
  #process: Process | undefined;
  #links: FrameLink[] = [];

  constructor(options: NodeOptions) {
    const { world, witness, party, db } = options;
    this.#options = options;
    this.party = party;
    this.name = party;
    this.db = db;
    this.records = drawRecords(world);
    this.#noiseKey = world.chance.bytes(16);
    witness.database(party, this.db);
  }

  /** Starts it, and starts it again whenever it ends. */
  start(): void {
    const { world } = this.#options;
    const process = new Process(this.party, world, () => {
      for (const link of this.#links.splice(0)) abandon(link);
      world.after(world.chance.between(100, goneMsMax), () => this.start());
    });
    this.#process = process;
    world.trace(`${this.party} starts`);
    try {
      this.#run(process);
    } catch (error) {
      // As a service manager does, where the store is not to be written.
      world.trace(`${this.party} could not start: ${(error as Error).message}`);
      process.end();
    }
  }

  #run(process: Process): void {
    const { world, witness, moot, party, log, mutant } = this.#options;
    const { config, membership } = moot.members[party];
    const { clock } = process;
    const sign = signer(membership.keys.secret.identity);
    const store = this.#store(process);
    const periods = new Map(
      Object.entries(config.datasets).map(([name, of]) => [name, store.periodFromFile(name, of.period)]),
    );
    const noise = (question: string, attempt: number) =>
      noiseOf(party, this.#noiseKey, mutant.noise === undefined ? question : mutant.noise(question, attempt));
    const records = lightRecords({ world, witness, process, party, records: this.records, sign, noise });
    const jobs = new Jobs({
      ...{ config, membership, build: 'simulated', sign, store, periods, clock, log },
      records: this.#guarded(process, records),
      ...(this.#options.isAudited ? { audit: auditDuty(store, { party, sign, ...membership }, { clock, log }) } : {}),
      step: (state, event, epoch) => {
        const next = (mutant.step ?? ((of) => of))(step)(state, event, epoch);
        if (state?.status === 'HALTED' && next.state?.status === 'OPENING') world.count('handed on');
        if (world.isTraced && next.effects.length > 0) {
          const effects = next.effects.map(({ effect }) => effect).join(', ');
          world.trace(
            `${party} ${state?.status ?? 'knows nothing'} ${state?.attempt ?? ''} ← ${event.event}: ${effects}`,
          );
        }
        return next;
      },
    });
    jobs.start();
    const instance = toHex(world.chance.bytes(16));
    for (const coordinator of this.#options.coordinators) {
      keepConnected({
        url: 'ws://127.0.0.1:1',
        clock,
        randomBytes: (n) => world.chance.bytes(n),
        open: () => this.#options.dial(process, coordinator),
        onLink: (link) => this.#linked(link, process, jobs, instance),
        onLost: (_, pauseMs) => world.trace(`${party} has no link to ${coordinator}, and dials again in ${pauseMs} ms`),
      });
    }
  }

  /** As node.ts does it. */
  #linked(link: FrameLink, process: Process, jobs: Jobs, instance: string): void {
    const { world, witness, moot, party, mutant } = this.#options;
    const { membership } = moot.members[party];
    this.#links.push(link);
    const connection: Connection = new Connection(link, {
      ...{
        party,
        membership,
        build: 'simulated',
        instance,
        sign: signer(membership.keys.secret.identity),
        clock: process.clock,
      },
      onWelcome: () => jobs.linked(outlet),
      onMessage: (message) => {
        if (world.isTraced) {
          const { attempt = '', epoch = '' } = { attempt: undefined, epoch: undefined, ...message };
          world.trace(`${party} hears ${message.type} ${attempt} with epoch ${epoch}`);
        }
        if (message.type === mutant.unheard) return;
        witness.hears(party, message, () => jobs.hear(message, outlet));
      },
      onSession: (frame, bytes) => jobs.deliver(frame.session, bytes),
    });
    const outlet = outletOf(process, connection);
    link.onClose(() => {
      this.#links = this.#links.filter((one) => one !== link);
      jobs.unlinked(outlet);
    });
  }

  /** What `folkmoot audit verify` finds. */
  audit(): readonly { readonly code: string }[] {
    const { moot, party, world } = this.#options;
    const store = new Store(this.db, () => world.nowMs);
    return verifyStored(store, party, moot.charter, world.nowMs).findings;
  }

  get process(): Process | undefined {
    return this.#process;
  }

  /** Whether it has nothing under way. */
  get isIdle(): boolean {
    if (this.#process?.alive !== true) return false;
    return this.db.prepare('SELECT 1 FROM jobs WHERE ended = 0').get() === undefined;
  }

  /** The records in the source become others. */
  renew(): void {
    this.#options.world.note('newRecords', `${this.party} has new records`);
    this.records.current = (this.records.current + 1) % this.records.readings.length;
  }

  /** The store, whose writes may fail before their transaction or after it. */
  #store(process: Process): Store {
    const { world, witness, party, mutant } = this.#options;
    const real = new Store(
      this.db,
      () => process.clock.now(),
      (n) => world.chance.bytes(n),
    );
    const save: Store['save'] = (state, detail) => {
      process.point(`before saving ${state.status}`);
      if (world.hits('failBefore', state.status)) {
        world.note('failBefore', `${party} cannot save ${state.status}`);
        throw stateError(Object.assign(new Error(), { code: 'SQLITE_FULL' }));
      }
      real.save(state, detail);
      witness.saved(party, state);
      if (world.hits('failAfter', state.status)) {
        world.note('failAfter', `${party} has saved ${state.status}, and thinks that it has not`);
        throw stateError(Object.assign(new Error(), { code: 'SQLITE_IOERR' }));
      }
      process.point(`after saving ${state.status}`);
    };
    const store = new Proxy(real, {
      get(target, name) {
        if (name === 'save') return save;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return mutant.store?.(store, this.db) ?? store;
  }

  #guarded(process: Process, records: OwnRecords): OwnRecords {
    return {
      ...records,
      compute: (task, hearing) => {
        process.point('the begin of a computation');
        const computation = records.compute(task, {
          ...hearing,
          send: async (frame) => {
            process.point('sending a frame');
            await hearing.send(frame);
          },
        });
        return {
          deliver: (frame) => computation.deliver(frame),
          commit: () => {
            process.point('the word to commit');
            computation.commit();
          },
          stop: () => computation.stop(),
        };
      },
    };
  }
}

/** A connection between whose messages the process may end. */
function outletOf(process: Process, connection: Connection): Outlet {
  return {
    send: (message) => {
      process.point(`telling ${message.type}`);
      connection.send(message);
    },
    sendFrame: (bytes) => connection.sendFrame(bytes),
    sendOpening: async (job, attempt, opening) => {
      process.point('sending an opening');
      await connection.sendOpening(job, attempt, opening);
    },
  };
}

/** What the witness hears of, as it stands in a message. */
const witnessed = ['opening', 'renounced'].map((type) => Buffer.from(type));

/** Reads what a node sends, for the witness. */
export function inspect(world: World, witness: Witness, moot: Moot, party: Party): (frame: Uint8Array) => void {
  const index = partiesOf(moot.charter).indexOf(party);
  return (bytes) => {
    witness.sees(`a frame of ${party}`, bytes);
    const frame = decodeFrame(bytes);
    if (frame.type !== frameType.control || frame.to !== coordinatorIndex || frame.from !== index) return;
    // Of what nobody reads only what the witness knows is decoded.
    const payload = Buffer.from(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length);
    if (!world.isTraced && !witnessed.some((type) => payload.includes(type))) return;
    const message = decodeNodeMessage(payload);
    if (world.isTraced) world.trace(`${party} says ${message.type} ${'attempt' in message ? message.attempt : ''}`);
    witness.tells(party, message);
  };
}
