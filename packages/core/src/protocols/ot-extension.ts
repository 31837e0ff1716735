/**
 * Oblivious transfer extension: from 128 base OTs to any number, by one of two engines.
 *
 * The sender holds a secret Δ and a row q for each OT, the receiver a row t and a choice c, with q = t ⊕ c·Δ. The engine
 * `softspoken` (`softspoken-ot.ts`) rests on AES alone and sends 16/k bytes an OT, `silent` (`silent-ot.ts`) rests on
 * learning parity with noise besides and sends 0.41. A session may also be one over rows that were made otherwise, such as
 * a dealer's.
 *
 * Rounds    opening: 1 for the base OTs, 1 for trees where k > 1, as for what `silent` begins with; then 1 an extension
 *           (receiver to sender), before which `silent` has 1 (sender to receiver) where it needs a batch
 * Sends     base: 32 bytes (receiver), 4,096 bytes (sender); then what `sessionBytes` says
 * Security  That of the engine: semi-honest.
 * @module
 */
import { platform } from '#platform';
import { assert } from '../algebra/assert.ts';
import { lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import type { AesPermutation } from '../algebra/platform.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { recvBaseOts, sendBaseOts } from './base-ot.ts';
import { RowReceiver, RowSender } from './given-choices.ts';
import { batchBytes, batchesFor, SilentReceiver, SilentSender, seedOts } from './silent-ot.ts';
import {
  bitOf,
  extensionBytes,
  type ReceiverRows,
  SoftSpokenReceiver,
  SoftSpokenSender,
  type TreeBits,
  treesBytes,
} from './softspoken-ot.ts';

const baseOts = 128;

/** OTs of one extension: 2 MiB of rows. */
export const otsMax = 2 ** 17;

/** How OTs are made of base OTs. */
export type Extension = 'softspoken' | 'silent';

/**
 * By `benchmarks/ot.ts`, a core makes 10^6 triples for three parties in 47 s silently, in 43 s with k = 4 and in 32 s with
 * k = 2, and they send 1.7, 3.1 and 4.6 GB. So `softspoken` is ahead only on links of more than 1.4 Gbit/s a core, and
 * where nothing is to rest on learning parity with noise.
 */
export const extensionDefault: Extension = 'silent';

/** 4 takes half the bytes of 2 at three quarters of its speed; 8 halves them again, at a fifth of the speed. */
export const treeBitsDefault: TreeBits = 4;

/** What a session rests on; lanes take theirs from OTs made before, and tests may put an ideal form in their place. */
export interface BaseOts {
  readonly send: typeof sendBaseOts;
  readonly recv: typeof recvBaseOts;
  /** The Δ towards a peer whose base OTs were made before (see `drawDelta`); without it each session draws its own. */
  readonly delta?: (peer: PartyId) => Uint8Array;
}

export interface OtOptions {
  readonly extension?: Extension;
  /** Of `softspoken`. */
  readonly k?: TreeBits;
  readonly base?: BaseOts;
}

const realBaseOts: BaseOts = { send: sendBaseOts, recv: recvBaseOts };

/** What both engines do. Calls are made one after the other, with the same counts at both ends. */
interface SenderEngine {
  prepare?(count: number): Promise<void>;
  extend(count: number, choices: 'random' | 'given'): Promise<Uint8Array>;
}

interface ReceiverEngine {
  extend(count: number, given?: Uint8Array): Promise<ReceiverRows>;
}

/** A fresh Δ. The silent engine's is odd: 127 bits are secret. */
export function drawDelta(rng: Rng, { extension = extensionDefault }: OtOptions = {}): Uint8Array {
  const delta = rng(baseOts / 8).slice();
  if (extension === 'silent') delta[0]! |= 1;
  return delta;
}

/**
 * Bytes of both ends behind the base OTs, for calls of so many OTs with choices given, and of so many with random ones; none
 * of them beyond `otsMax`.
 */
export function sessionBytes(
  given: readonly number[],
  options: OtOptions = {},
  random: readonly number[] = [],
): number {
  const { extension = extensionDefault, k = treeBitsDefault } = options;
  const sum = (calls: readonly number[], bytes: (count: number) => number) =>
    calls.reduce((total, count) => total + bytes(count), 0);
  if (extension === 'softspoken') {
    const bytes = (choices: 'given' | 'random') => (count: number) => extensionBytes(count, k, choices);
    return treesBytes(k) + sum(given, bytes('given')) + sum(random, bytes('random'));
  }
  const opening = treesBytes(k) + extensionBytes(seedOts, k, 'random');
  return opening + batchBytes * batchesFor([...given, ...random]) + sum(given, (count) => Math.ceil(count / 8));
}

/** The sender of many OTs to one peer. */
export class OtSender {
  readonly channel: Channel;
  readonly peer: PartyId;
  /** The permutation of the session's hash. */
  readonly pi: AesPermutation;
  readonly #delta: Uint8Array;
  readonly #engine: SenderEngine;

  private constructor(session: Session, delta: Uint8Array, engine: SenderEngine) {
    this.channel = session.ch;
    this.peer = session.peer;
    this.pi = session.pi;
    this.#delta = delta;
    this.#engine = engine;
  }

  /** Its messages go in a fork of their own, `ot/‹sender›/‹receiver›`, so that both directions of a pair may run. */
  static async open(parent: Channel, peer: PartyId, rng: Rng, options: OtOptions = {}): Promise<OtSender> {
    const { extension = extensionDefault, k = treeBitsDefault, base = realBaseOts } = options;
    const session = sessionOf(parent, peer, parent.self, peer);
    const { ch, name } = session;
    const delta = base.delta?.(peer).slice() ?? drawDelta(rng, options);
    // The key off the path is that of the other side.
    const sides = Array.from({ length: baseOts }, (_, j) => 1 - bitOf(delta, j));
    const keys = await base.recv(ch, peer, name, sides, rng);
    const softspoken = await SoftSpokenSender.open(ch, peer, delta, keys, k);
    if (extension === 'softspoken') return new OtSender(session, delta, softspoken);
    const seeds = await softspoken.extend(seedOts, 'random');
    return new OtSender(session, delta, new SilentSender(ch, peer, permutationOf('tree', name), delta, seeds));
  }

  /** A session without an opening, whose rows q for this Δ were made otherwise; they are taken in whole octets. */
  static over(parent: Channel, peer: PartyId, delta: Uint8Array, take: (count: number) => Uint8Array): OtSender {
    const session = sessionOf(parent, peer, parent.self, peer);
    const own = delta.slice();
    return new OtSender(session, own, new RowSender(session.ch, peer, own, take));
  }

  /** Δ, for protocols on top: it is secret and stays in this party. */
  get delta(): Uint8Array {
    return this.#delta.slice();
  }

  /** Sends ahead what the next extensions of so many OTs need, so that they need not wait for one another. */
  async prepare(count: number): Promise<void> {
    await this.#engine.prepare?.(count);
  }

  /** The rows q of so many OTs, `otsMax` at most. */
  async extend(count: number, choices: 'random' | 'given' = 'random'): Promise<Uint8Array> {
    checkCount(count);
    if (count === 0) return new Uint8Array(0);
    return this.#engine.extend(count, choices);
  }
}

/** The receiver's end. */
export class OtReceiver {
  readonly channel: Channel;
  readonly peer: PartyId;
  readonly pi: AesPermutation;
  readonly #engine: ReceiverEngine;

  private constructor(session: Session, engine: ReceiverEngine) {
    this.channel = session.ch;
    this.peer = session.peer;
    this.pi = session.pi;
    this.#engine = engine;
  }

  static async open(parent: Channel, peer: PartyId, rng: Rng, options: OtOptions = {}): Promise<OtReceiver> {
    const { extension = extensionDefault, k = treeBitsDefault, base = realBaseOts } = options;
    const session = sessionOf(parent, peer, peer, parent.self);
    const { ch, name } = session;
    const keys = await base.send(ch, peer, name, baseOts, rng);
    const softspoken = await SoftSpokenReceiver.open(ch, peer, keys, k);
    if (extension === 'softspoken') return new OtReceiver(session, softspoken);
    const seeds = await softspoken.extend(seedOts);
    return new OtReceiver(session, new SilentReceiver(ch, peer, permutationOf('tree', name), seeds));
  }

  /** The other end of `OtSender.over`: rows t and their random choices c, as many of each as are asked for. */
  static over(parent: Channel, peer: PartyId, take: (count: number) => ReceiverRows): OtReceiver {
    const session = sessionOf(parent, peer, peer, parent.self);
    return new OtReceiver(session, new RowReceiver(session.ch, peer, take));
  }

  /** The rows t and the choices c of so many OTs: given ones (packed), or random ones, which cost less. */
  async extend(count: number, given?: Uint8Array): Promise<ReceiverRows> {
    checkCount(count);
    if (count === 0) return { choices: new Uint8Array(0), rows: new Uint8Array(0) };
    assert(given === undefined || given.length === Math.ceil(count / 8), 'there is a choice for each OT');
    return this.#engine.extend(count, given);
  }
}

function checkCount(count: number): void {
  assert(Number.isInteger(count) && count >= 0, 'OTs are counted in whole numbers');
  if (count > otsMax)
    throw new ProtocolError('OVER_LIMIT', { field: 'ot/extension', detail: `${count} OTs in one call` });
}

interface Session {
  readonly ch: Channel;
  readonly peer: PartyId;
  readonly name: Uint8Array;
  readonly pi: AesPermutation;
}

function sessionOf(parent: Channel, peer: PartyId, sender: PartyId, receiver: PartyId): Session {
  const { job, attempt } = parent.context;
  const ch = parent.fork(`ot/${sender}/${receiver}`);
  const name = lengthPrefixed(job, u32(attempt), utf8(sender), utf8(receiver));
  return { ch, peer, name, pi: permutationOf('hash', name) };
}

/** One for each use: masks and trees do not meet. */
function permutationOf(use: 'hash' | 'tree', name: Uint8Array): AesPermutation {
  return platform.aesPermutation(sha256(utf8(`folkmoot ot ${use} v1`), name).slice(0, 16));
}
