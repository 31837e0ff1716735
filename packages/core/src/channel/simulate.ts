/**
 * A whole session in one process, on a network that a seed decides: every order of delivery, and faults.
 *
 * Its links authenticate each record, as the real ones do: what was changed or cut on the way is TAMPERED. They promise
 * neither order nor "once each", which is harsher than the real ones and leaves that to the session. A run in which
 * every party waits and nothing is under way ends as STALLED, never as a hang. The same seed replays the same run.
 *
 * Costs  `bytes` counts the messages that a party's program sends, without the headers of records. `rounds` is the
 *        longest chain of messages in which each was sent after the one before had been received.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import { type Rng, seededRng } from '../algebra/prg.ts';
import type { Channel, Context, PartyId } from './channel.ts';
import { ProtocolError } from './errors.ts';
import { SessionChannel, type SessionOptions } from './session.ts';

/** Chances between 0 and 1 that each record meets this fate. */
export interface Faults {
  /** It never arrives. */
  readonly loss?: number;
  /** It arrives twice. */
  readonly repeat?: number;
  /** It overtakes the one that was sent before it. */
  readonly reorder?: number;
  /** Its link rests for a while; nothing is lost. */
  readonly delay?: number;
  /** One bit of it is flipped. */
  readonly corrupt?: number;
  /** Its end is missing. */
  readonly cut?: number;
  /** This party stops for good, without a word, at its n-th send or receive (from 1). */
  readonly crash?: { readonly party: PartyId; readonly atStep: number };
}

export interface SimulateOptions {
  readonly parties: readonly PartyId[];
  readonly seed: number;
  readonly faults?: Faults;
  /** What the session is bound to; by default a job that the seed names, attempt 1. */
  readonly context?: Pick<Context, 'job' | 'attempt'>;
  /** Resolves when the programs have done what they can do. For programs that await more than their channel. */
  readonly settle?: () => Promise<void>;
  /** Another channel over the same links: mutants, in tests. */
  readonly channel?: (options: SessionOptions) => SessionChannel;
}

export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

export interface Simulation<T> {
  readonly outcomes: ReadonlyMap<PartyId, Outcome<T>>;
  readonly rounds: number;
  readonly bytes: Readonly<Record<PartyId, number>>;
  readonly messages: number;
}

/** A run that takes more deliveries than this talks without end. */
const deliveriesMax = 1_000_000;

/** A delayed link rests for up to so many deliveries elsewhere, which is longer than a round among a few parties. */
const restMax = 20;

/** How often a party that is busy, and does not wait for a message, is given another turn before it counts as stuck. */
const busyTurnsMax = 10_000;

interface Transit {
  /** Undefined: the sender's program ended in an error, which the receiver learns behind all that was sent. */
  readonly record: Uint8Array | undefined;
  readonly isAuthentic: boolean;
  /** Lets the sender go on, where the link made it wait. */
  written(): void;
}

interface Link {
  readonly from: Party;
  readonly to: Party;
  readonly transit: Transit[];
  restsUntil: number;
}

interface Party {
  readonly id: PartyId;
  readonly channel: SessionChannel;
  /** The longest chain of messages that what it sends now depends on. */
  depth: number;
  steps: number;
  isRunning: boolean;
}

/** Runs the same program at each party, and returns when all have ended. */
export async function simulate<T>(
  options: SimulateOptions,
  program: (ch: Channel) => Promise<T>,
): Promise<Simulation<T>> {
  const network = new Network(options);
  const macrotask = options.settle === undefined ? macrotasks() : undefined;
  try {
    return await network.run(program, options.settle ?? macrotask!.turn);
  } finally {
    macrotask?.close();
  }
}

class Network {
  readonly #rng: Rng;
  readonly #faults: Faults;
  readonly #parties: readonly Party[];
  readonly #links: Link[] = [];
  /** The length of the chain that ends in the message within this buffer. */
  readonly #depths = new WeakMap<ArrayBufferLike, number>();
  readonly #bytes: Record<PartyId, number> = {};
  #messages = 0;
  #rounds = 0;
  #deliveries = 0;

  constructor(options: SimulateOptions) {
    const roster = [...options.parties].sort();
    const seed = u32(options.seed);
    const { job = sha256(utf8('simulated job'), seed), attempt = 1 } = options.context ?? {};
    const make = options.channel ?? ((session: SessionOptions) => new SessionChannel(session));
    this.#rng = seededRng(options.seed);
    this.#faults = options.faults ?? {};
    this.#parties = roster.map((self) => {
      const secret = (peer: PartyId) => pairSecret(seed, self, peer);
      const write = (peer: PartyId, record: Uint8Array) => this.#write(self, peer, record);
      const channel = make({ self, context: { job, attempt, roster }, secret, write });
      return { id: self, channel, depth: 0, steps: 0, isRunning: true };
    });
    for (const from of this.#parties) {
      this.#bytes[from.id] = 0;
      for (const to of this.#parties) {
        if (from !== to) this.#links.push({ from, to, transit: [], restsUntil: 0 });
      }
    }
  }

  async run<T>(program: (ch: Channel) => Promise<T>, settle: () => Promise<void>): Promise<Simulation<T>> {
    const outcomes = new Map<PartyId, Outcome<T>>();
    const end = (party: Party, outcome: Outcome<T>): void => {
      if (!party.isRunning) return;
      party.isRunning = false;
      outcomes.set(party.id, outcome);
    };
    for (const party of this.#parties) {
      const stopped = { party: party.id, detail: 'stopped by the simulation' };
      const crash = () => end(party, { error: new ProtocolError('PARTY_FAILED', stopped) });
      program(this.#observed(party, party.channel, crash)).then(
        (value) => end(party, { value }),
        (error: unknown) => {
          if (party.isRunning) this.#hangUp(party);
          end(party, { error });
        },
      );
    }

    let busyTurns = 0;
    await settle();
    while (this.#parties.some((party) => party.isRunning)) {
      const isBusy = this.#parties.some((party) => party.isRunning && party.channel.pendingReceives === 0);
      if (this.#deliverOne()) {
        busyTurns = 0;
        await settle();
      } else if (isBusy && busyTurns < busyTurnsMax) {
        busyTurns += 1;
        await settle();
      } else {
        for (const party of this.#parties) party.channel.fail(new ProtocolError('STALLED'));
        await settle();
        // Who does not even listen to its channel is stuck all the same.
        for (const party of this.#parties) end(party, { error: new ProtocolError('STALLED') });
      }
    }
    const sorted = new Map(this.#parties.map(({ id }) => [id, outcomes.get(id)!]));
    return { outcomes: sorted, rounds: this.#rounds, bytes: this.#bytes, messages: this.#messages };
  }

  /** The channel as a program sees it: counted, and silent from the moment its party crashes. */
  #observed(party: Party, ch: Channel, crash: () => void): Channel {
    const isAlive = (): boolean => {
      party.steps += 1;
      const fate = this.#faults.crash;
      if (fate?.party === party.id && fate.atStep === party.steps) crash();
      return party.isRunning;
    };
    return {
      self: ch.self,
      peers: ch.peers,
      context: ch.context,
      send: async (to, label, message) => {
        if (!isAlive()) return never();
        this.#messages += 1;
        this.#bytes[party.id]! += message.length;
        await ch.send(to, label, message);
      },
      recv: async (from, label, bytesMax) => {
        if (!isAlive()) return never();
        const message = await ch.recv(from, label, bytesMax);
        party.depth = Math.max(party.depth, this.#depths.get(message.buffer) ?? 0);
        return message;
      },
      fork: (label) => this.#observed(party, ch.fork(label), crash),
      deriveKey: (owner, holder, label) => ch.deriveKey(owner, holder, label),
    };
  }

  /** Puts a record on its link, after its fate. */
  #write(from: PartyId, to: PartyId, record: Uint8Array): Promise<void> {
    const link = this.#links.find((each) => each.from.id === from && each.to.id === to)!;
    const depth = link.from.depth + 1;
    this.#depths.set(record.buffer, depth);
    this.#rounds = Math.max(this.#rounds, depth);
    const { promise, resolve } = Promise.withResolvers<void>();
    // Half of the links' writes end at once and half on arrival, as with sockets that are empty or full.
    if (this.#happens(0.5)) resolve();

    const { loss, repeat, reorder, delay, corrupt, cut } = this.#faults;
    if (this.#happens(delay)) link.restsUntil = this.#deliveries + 1 + this.#pick(restMax);
    if (this.#happens(loss)) {
      resolve();
      return promise;
    }
    let arriving: Transit = { record, isAuthentic: true, written: resolve };
    if (this.#happens(corrupt)) arriving = { ...arriving, record: this.#flipped(record), isAuthentic: false };
    if (this.#happens(cut)) {
      arriving = { ...arriving, record: record.slice(0, this.#pick(record.length)), isAuthentic: false };
    }
    const overtakes = this.#happens(reorder) && link.transit.length > 0;
    link.transit.splice(overtakes ? -1 : link.transit.length, 0, arriving);
    if (this.#happens(repeat)) link.transit.push({ ...arriving, record: new Uint8Array(record) });
    return promise;
  }

  /** Moves one record to its receiver: any link's next, as the seed has it. False where nothing is under way. */
  #deliverOne(): boolean {
    const filled = this.#links.filter((link) => link.transit.length > 0);
    const awake = filled.filter((link) => link.restsUntil <= this.#deliveries);
    const ready = awake.length > 0 ? awake : filled;
    if (ready.length === 0) return false;
    this.#deliveries += 1;
    assert(this.#deliveries <= deliveriesMax, 'a program comes to an end');

    const { from, to, transit } = ready[this.#pick(ready.length)]!;
    const { record, isAuthentic, written } = transit.shift()!;
    written();
    const party = from.id;
    if (record === undefined) to.channel.fail(new ProtocolError('PARTY_FAILED', { party }), party);
    else if (!isAuthentic) to.channel.fail(new ProtocolError('TAMPERED', { party }));
    else to.channel.deliver(party, record);
    return true;
  }

  /** A program that fails closes its links; a crash closes nothing. */
  #hangUp(party: Party): void {
    for (const { from, transit } of this.#links) {
      if (from === party) transit.push({ record: undefined, isAuthentic: true, written: () => {} });
    }
  }

  #flipped(record: Uint8Array): Uint8Array {
    const changed = new Uint8Array(record);
    changed[this.#pick(record.length)]! ^= 1 << this.#pick(8);
    return changed;
  }

  #happens(chance = 0): boolean {
    return chance > 0 && this.#pick(2 ** 32) < chance * 2 ** 32;
  }

  /** An integer below n; the bias of a remainder does not matter to a simulation. */
  #pick(n: number): number {
    const bytes = this.#rng(4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) % n;
  }
}

function pairSecret(seed: Uint8Array, a: PartyId, b: PartyId): Uint8Array {
  const [smaller, larger] = a < b ? [a, b] : [b, a];
  return sha256(lengthPrefixed(utf8('simulated secret'), seed, utf8(smaller), utf8(larger)));
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Turns of the event loop: when one comes, every promise that could go on has gone on. */
function macrotasks(): { turn(): Promise<void>; close(): void } {
  const { port1, port2 } = new MessageChannel();
  let wake = (): void => {};
  port1.addEventListener('message', () => wake());
  port1.start();
  return {
    turn() {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      port2.postMessage(0);
      return promise;
    },
    close() {
      port1.close();
      port2.close();
    },
  };
}
