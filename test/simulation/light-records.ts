/**
 * In the place of a party's records and its worker thread: two words a party, and a computation that has everything
 * that can be lost, late or seen: pairs that agree on a secret of the attempt, two rounds on shares, a commitment, a
 * signature over the list of commitments.
 *
 * Real here: the sharing (`jointSum`), the channel and its forks, `open` with its signatures, AES-GCM on every frame.
 * Stand-ins, because 5,000 seeds could not pay for the real ones: the handshake is two nonces under a key that the pair
 * has beforehand, and the analyst's envelope is AES-GCM.
 * @module
 */
import { createCipheriv, createDecipheriv, createSecretKey, hash as digest, type KeyObject } from 'node:crypto';
import { acceptancesHash } from '@folkmoot/core/acceptance.js';
import { jointSum } from '@folkmoot/core/additive.js';
import { concat, equal, fromHex, toHex, utf8 } from '@folkmoot/core/bytes.js';
import { partiesOf } from '@folkmoot/core/charter.js';
import { rosterOf } from '@folkmoot/core/check-job.js';
import { ProtocolError, SourceError } from '@folkmoot/core/errors.js';
import type { Sign } from '@folkmoot/core/identity.js';
import { exchange, octets } from '@folkmoot/core/message.js';
import { open } from '@folkmoot/core/open.js';
import { openingLabel, openingVerifier } from '@folkmoot/core/opening-signature.js';
import { add, bytesOf, fromBytes, fromIntegers, type Vector, Z2_64 } from '@folkmoot/core/ring.js';
import { SessionChannel } from '@folkmoot/core/session.js';
import { decodeFrame, encodeFrame, frameType, sessionId } from '@folkmoot/transport/frame.js';
import { failureOf } from '../../packages/node/src/failure.ts';
import type { JobEvent } from '../../packages/node/src/lifecycle.ts';
import type { OwnRecords } from '../../packages/node/src/own-records.ts';
import type { Party } from './moot.ts';
import type { Process } from './process.ts';
import type { Contribution, Witness } from './witness.ts';
import type { World } from './world.ts';

/** A handshake takes no longer; later, streams and the expiry of the job end what goes on no more. */
const stallMs = 60_000;
const tagBytes = 16;
const saltBytes = 16;

const hash = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(digest('sha256', concat(...parts), 'buffer'));

/** Readings of one party's records: which one stands in the source, and which was kept for the period. */
export interface Records {
  readonly readings: readonly Vector[];
  current: number;
  kept: number | undefined;
}

/** So that a fingerprint is the same in every seed, and so the acceptance that states it. */
const fingerprintOf = (party: string, reading: number): string => toHex(hash(utf8(`${party} ${reading}`)));
const readingsMax = 3;

export function drawRecords(world: World): Records {
  const readings = Array.from({ length: readingsMax }, () => fromBytes(Z2_64, world.chance.bytes(16), 2));
  return { readings, current: 0, kept: undefined };
}

const analystKey = createSecretKey(hash(utf8('the analyst’s key')).subarray(0, 16));

function sealShare(world: World, share: Vector): Uint8Array {
  const nonce = world.chance.bytes(12);
  const cipher = createCipheriv('aes-128-gcm', analystKey, nonce);
  return concat(nonce, cipher.update(bytesOf(share)), cipher.final(), cipher.getAuthTag());
}

export function openShare(sealed: Uint8Array): Vector {
  const cipher = createDecipheriv('aes-128-gcm', analystKey, sealed.subarray(0, 12));
  cipher.setAuthTag(sealed.subarray(-tagBytes));
  const plain = concat(cipher.update(sealed.subarray(12, -tagBytes)), cipher.final());
  return fromBytes(Z2_64, plain, 2);
}

export interface LightOptions {
  readonly world: World;
  readonly witness: Witness;
  readonly process: Process;
  readonly party: Party;
  readonly records: Records;
  readonly sign: Sign;
  /** What this party's noise is, for a question and an attempt; the attempt must make no difference. */
  noise(question: string, attempt: number): Vector;
}

/** A function of the party, the seed's own key and the question. */
export function noiseOf(party: string, key: Uint8Array, question: string): Vector {
  const bytes = hash(utf8(`noise ${party} ${question}`), key);
  return fromBytes(Z2_64, bytes.slice(0, 16), 2);
}

export function lightRecords(options: LightOptions): OwnRecords {
  const { party, records } = options;
  const reading = (period: string | null): number => {
    if (period === null) return records.current;
    records.kept ??= records.current;
    return records.kept;
  };
  return {
    fingerprint: async (_dataset, _binding, period) => fingerprintOf(party, reading(period)),
    rows: async () => 0,
    noRecords: fingerprintOf(party, -1),
    compute: (task, hearing) => new LightComputation(options, task, hearing, reading),
  };
}

type Task = Parameters<OwnRecords['compute']>[0];
type Hearing = Parameters<OwnRecords['compute']>[1];

class LightComputation {
  readonly attempt: number;
  readonly #options: LightOptions;
  readonly #task: Task;
  readonly #hearing: Hearing;
  readonly #pairs = new Map<string, Pair>();
  readonly #channel: SessionChannel;
  readonly #commit = Promise.withResolvers<void>();
  #isOver = false;
  /** What it says is heard in this order. */
  #heardMs = 0;
  #cancelStall = () => {};

  constructor(options: LightOptions, task: Task, hearing: Hearing, reading: (period: string | null) => number) {
    const { party, world, witness } = options;
    this.#options = options;
    this.#task = task;
    this.#hearing = hearing;
    this.attempt = task.attempt;
    const context = { job: fromHex(task.job), attempt: task.attempt, roster: rosterOf(task.checked) };
    const all = partiesOf(task.checked.charter);
    for (const peer of context.roster.filter((one) => one !== party)) {
      const session = sessionId(context.job, context.attempt, party, peer);
      this.#pairs.set(peer, {
        peer,
        header: { type: frameType.session, session, from: all.indexOf(party), to: all.indexOf(peer) },
        id: toHex(session),
        salt: world.chance.bytes(saltBytes),
        key: Promise.withResolvers<Uint8Array>(),
        secret: undefined,
        cipher: undefined,
        sent: 0,
        received: 0,
      });
    }
    this.#channel = new SessionChannel({
      self: party,
      context,
      secret: (peer) => this.#pairs.get(peer)!.secret!,
      write: (peer, record) => this.#write(this.#pairs.get(peer)!, record),
    });
    witness.begins(party, task.job, task.attempt);
    this.#run(reading).catch((error: unknown) => {
      const { report, detail } = failureOf(error, party);
      this.#say({ event: 'failed', attempt: this.attempt, report, detail });
    });
  }

  commit(): void {
    const { witness, party } = this.#options;
    witness.commits(party, this.#task.job, this.attempt);
    this.#commit.resolve();
  }

  async deliver(bytes: Uint8Array): Promise<void> {
    if (this.#isOver) return;
    const frame = decodeFrame(bytes);
    const id = toHex(frame.session);
    const pair = Array.from(this.#pairs.values()).find((one) => one.id === id)!;
    try {
      if (pair.secret === undefined) return this.#agree(pair, frame.payload);
      this.#channel.deliver(pair.peer, unseal(pair, frame.payload));
    } catch {
      this.#channel.fail(new ProtocolError('TAMPERED', { party: pair.peer }));
      pair.key.reject(new ProtocolError('TAMPERED', { party: pair.peer }));
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#cancelStall();
  }

  async #run(reading: (period: string | null) => number): Promise<void> {
    const { party, witness, records, world } = this.#options;
    const { signed, acceptances, job } = this.#task;
    this.#watchStall();
    this.#say({ event: 'progressed', attempt: this.attempt, phase: 'query' });
    const { fingerprint, period } = acceptances.find(({ acceptance }) => acceptance.party === party)!.acceptance;
    const at = reading(period);
    if (fingerprintOf(party, at) !== fingerprint) throw new SourceError('SOURCE_CHANGED');
    const { title: _, ...question } = signed.envelope.job;
    const none = fromIntegers(Z2_64, [0n, 0n]);
    const noise = period === null ? none : this.#options.noise(JSON.stringify(question), this.attempt);
    const mine: Contribution = { values: records.readings[at]!, noise };
    witness.contributes(party, job, mine);

    // Round 0. Agree on a secret with each peer, fresh in every attempt.
    for (const pair of this.#pairs.values()) pair.key.promise.catch(() => undefined);
    await Promise.all(Array.from(this.#pairs.values(), (pair) => this.#send(pair, pair.salt)));
    await Promise.all(Array.from(this.#pairs.values(), (pair) => pair.key.promise));
    this.#cancelStall();

    // Two rounds: each hears that all computed the same; then shares of all inputs.
    const agreed = acceptancesHash(acceptances);
    for (const label of ['first', 'second']) {
      for (const [peer, theirs] of await exchange(this.#channel, octets(`light/${label}`, 32), agreed)) {
        if (!equal(theirs, agreed)) throw new ProtocolError('BAD_ACCEPTANCE', { party: peer });
      }
    }
    const share = jointSum(this.#channel, 'input', add(mine.values, mine.noise));
    witness.keepsSecret(bytesOf(share));
    const sealed = sealShare(world, share);
    const opening = await open(this.#channel, {
      sealed,
      acceptances: agreed,
      signatures: {
        sign: (statement) => this.#options.sign(openingLabel, statement),
        verify: openingVerifier(this.#task.checked.charter),
      },
      durable: (bytes) => {
        witness.seals(party, job, this.attempt, bytes);
        this.#say({ event: 'sealed', attempt: this.attempt, sealed: bytes });
        return this.#commit.promise;
      },
    });
    const { commitments, signatures } = opening;
    this.#say({ event: 'opened', attempt: this.attempt, commitments, signatures });
    this.#after(() => this.#hearing.onEnd());
  }

  #agree(pair: Pair, salt: Uint8Array): void {
    if (salt.length !== saltBytes) throw new RangeError('a handshake has a salt');
    const [first, second] = this.#options.party < pair.peer ? [pair.salt, salt] : [salt, pair.salt];
    const names = utf8([this.#options.party, pair.peer].sort().join(' '));
    pair.secret = hash(utf8('pair'), names, this.#channel.context.job, first, second);
    pair.cipher = createSecretKey(pair.secret);
    pair.key.resolve(pair.secret);
  }

  #write(pair: Pair, record: Uint8Array): Promise<void> {
    return this.#send(pair, seal(pair, record));
  }

  async #send(pair: Pair, payload: Uint8Array): Promise<void> {
    if (this.#isOver) return;
    await this.#hearing.send(encodeFrame({ ...pair.header, sequence: pair.sent++ }, payload));
  }

  /** A thread's words come after one another, a little later. */
  #say(event: JobEvent): void {
    this.#after(() => this.#hearing.onEvent(event));
  }

  #after(action: () => void): void {
    const { world, process } = this.#options;
    this.#heardMs = Math.max(this.#heardMs, world.nowMs + world.chance.between(0, 5));
    world.after(this.#heardMs - world.nowMs, () => {
      if (!this.#isOver && process.alive) action();
    });
  }

  #watchStall(): void {
    const { process } = this.#options;
    this.#cancelStall = process.clock.after(stallMs, () => {
      const [party] = this.#channel.peers;
      const stalled = new ProtocolError('STALLED', { party: party! });
      this.#channel.fail(stalled);
      for (const pair of this.#pairs.values()) pair.key.reject(stalled);
    });
  }
}

interface Pair {
  readonly peer: string;
  readonly header: { readonly type: 2; readonly session: Uint8Array; readonly from: number; readonly to: number };
  readonly id: string;
  readonly salt: Uint8Array;
  readonly key: PromiseWithResolvers<Uint8Array>;
  secret: Uint8Array | undefined;
  cipher: KeyObject | undefined;
  sent: number;
  received: number;
}

/** The counter is implicit: what is lost, repeated or out of order does not open. */
function nonceOf(counter: number, from: number): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32LE(counter);
  nonce.writeUInt16LE(from, 8);
  return nonce;
}

function seal(pair: Pair, record: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', pair.cipher!, nonceOf(pair.sent, pair.header.from));
  return concat(cipher.update(record), cipher.final(), cipher.getAuthTag());
}

function unseal(pair: Pair, sealed: Uint8Array): Uint8Array {
  const cipher = createDecipheriv('aes-256-gcm', pair.cipher!, nonceOf(++pair.received, pair.header.to));
  cipher.setAuthTag(sealed.subarray(-tagBytes));
  return concat(cipher.update(sealed.subarray(0, -tagBytes)), cipher.final());
}
