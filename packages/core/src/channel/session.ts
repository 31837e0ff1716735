/**
 * The channel of one attempt over any pipes: one `SessionChannel` demultiplexes the records of all peers into forks.
 *
 * A pipe carries whole records of bytes to one peer. It is to be private and authentic (a Noise session, or memory);
 * order and "once each" are checked here again, so that a pipe that repeats or drops records ends in TAMPERED and never
 * in a wrong result.
 *
 * Record    fork id (8) ‖ label id (8) ‖ sequence (u64) ‖ message, all little-endian. An id is the first 8 bytes of a
 *           SHA-256; they only sort, what they protect is protected by the pipe.
 * Keys      HKDF-SHA-256 of the pair's session secret over (job, attempt, owner, holder, fork, label): never a transport
 *           key, and another one for each direction, fork and label.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { concat, lengthPrefixed, toHex, u32, utf8 } from '../algebra/bytes.ts';
import { hkdf, sha256 } from '../algebra/hash.ts';
import type { Channel, Context, PartyId } from './channel.ts';
import { ProtocolError, type TransportError } from './errors.ts';

export interface SessionOptions {
  readonly self: PartyId;
  readonly context: Context;
  /** 32 bytes that this pair alone holds, the same at both ends, fresh in each attempt. */
  secret(peer: PartyId): Uint8Array;
  /** Hands one record to the pipe. Resolves when the pipe can take more. */
  write(peer: PartyId, record: Uint8Array): Promise<void>;
}

/** Fork, label and sequence; a multiple of 8, so that vectors behind it are aligned and need no copy. */
const headerBytes = 24;

/** What one peer may send ahead of our reading: several vectors of the largest layout (10^7 elements have 80 MB). */
export const queuedBytesMax = 512 * 1024 * 1024;

/** A record that is queued weighs this much besides its message, so that empty ones cannot fill the memory. */
const recordOverheadBytes = 256;

/** Forks that one peer may write to: far more than any protocol opens, and a few MB where a peer invents them. */
export const forksPerPeerMax = 65_536;

interface Message {
  readonly labelId: bigint;
  readonly bytes: Uint8Array;
}

interface Waiter {
  readonly label: string;
  readonly bytesMax: number;
  resolve(message: Uint8Array): void;
  reject(error: Error): void;
}

/** One fork of the link to one peer. */
interface Stream {
  sent: bigint;
  received: bigint;
  readonly queue: Message[];
  readonly waiters: Waiter[];
}

interface Link {
  readonly streams: Map<bigint, Stream>;
  queuedBytes: number;
  error: Error | undefined;
}

/** An endpoint of its own in each party; give it what the pipes deliver. */
export class SessionChannel implements Channel {
  readonly self: PartyId;
  readonly peers: readonly PartyId[];
  readonly context: Context;
  readonly #options: SessionOptions;
  readonly #links = new Map<PartyId, Link>();
  readonly #usedLabels = new Set<string>();
  #pendingReceives = 0;

  constructor(options: SessionOptions) {
    const { self, context } = options;
    assert(context.roster.includes(self), 'a party is on its own roster');
    // Parties that sorted otherwise would hash other transcripts and pick another first party.
    const isAscending = context.roster.every((party, i) => i === 0 || context.roster[i - 1]! < party);
    assert(isAscending, 'a roster names each party once, in ascending order');
    this.self = self;
    this.context = context;
    this.peers = context.roster.filter((party) => party !== self);
    this.#options = options;
    for (const peer of this.peers) this.#links.set(peer, { streams: new Map(), queuedBytes: 0, error: undefined });
  }

  /** How many receives wait for a message; a simulator knows by it that a party waits. */
  get pendingReceives(): number {
    return this.#pendingReceives;
  }

  /** Takes one record from a peer's pipe. The bytes belong to the channel from here on. */
  deliver(peer: PartyId, record: Uint8Array): void {
    const link = this.#link(peer);
    if (link.error !== undefined) return;
    const fault = this.#take(peer, link, record);
    if (fault !== undefined) this.fail(fault);
  }

  #take(peer: PartyId, link: Link, record: Uint8Array): ProtocolError | undefined {
    if (record.length < headerBytes) return new ProtocolError('BAD_MESSAGE', { party: peer });
    const header = new DataView(record.buffer, record.byteOffset, headerBytes);
    const forkId = header.getBigUint64(0, true);
    if (!link.streams.has(forkId) && link.streams.size >= forksPerPeerMax) {
      return new ProtocolError('TOO_LARGE', { party: peer, detail: 'too many forks' });
    }
    const stream = streamOf(link, forkId);
    if (header.getBigUint64(16, true) !== stream.received) return new ProtocolError('TAMPERED', { party: peer });
    stream.received += 1n;
    // A plain array whatever a transport delivers: a Buffer's `slice` would not copy.
    const bytes = new Uint8Array(record.buffer, record.byteOffset + headerBytes, record.length - headerBytes);
    const message: Message = { labelId: header.getBigUint64(8, true), bytes };
    const waiter = stream.waiters.shift();
    if (waiter !== undefined) return this.#hand(peer, message, waiter);
    link.queuedBytes += message.bytes.length + recordOverheadBytes;
    if (link.queuedBytes > queuedBytesMax) {
      return new ProtocolError('TOO_LARGE', { party: peer, detail: 'too much is queued' });
    }
    stream.queue.push(message);
    return undefined;
  }

  /**
   * Ends the channel, or the link of one peer: what that peer sent before can still be received, nothing after.
   * The first error stays.
   */
  fail(error: ProtocolError | TransportError, from?: PartyId): void {
    for (const peer of from === undefined ? this.peers : [from]) {
      const link = this.#link(peer);
      link.error ??= error;
      for (const stream of link.streams.values()) {
        this.#pendingReceives -= stream.waiters.length;
        for (const waiter of stream.waiters.splice(0)) waiter.reject(link.error);
        if (from === undefined) stream.queue.length = 0;
      }
    }
  }

  send(to: PartyId, label: string, message: Uint8Array): Promise<void> {
    return this.#send([], to, label, message);
  }

  recv(from: PartyId, label: string, bytesMax: number): Promise<Uint8Array> {
    return this.#recv([], from, label, bytesMax);
  }

  fork(label: string): Channel {
    return this.#fork([], label);
  }

  deriveKey(owner: PartyId, holder: PartyId, label: string): Uint8Array {
    return this.#deriveKey([], owner, holder, label);
  }

  #fork(parent: readonly string[], label: string): Channel {
    const path = [...parent, label];
    this.#useOnce('fork', pathBytes(path), label);
    return {
      self: this.self,
      peers: this.peers,
      context: this.context,
      send: (to, messageLabel, message) => this.#send(path, to, messageLabel, message),
      recv: (from, messageLabel, bytesMax) => this.#recv(path, from, messageLabel, bytesMax),
      fork: (child) => this.#fork(path, child),
      deriveKey: (owner, holder, keyLabel) => this.#deriveKey(path, owner, holder, keyLabel),
    };
  }

  async #send(path: readonly string[], to: PartyId, label: string, message: Uint8Array): Promise<void> {
    const link = this.#link(to);
    if (link.error !== undefined) throw link.error;
    const forkId = forkIdOf(path);
    const stream = streamOf(link, forkId);
    const header = new DataView(new ArrayBuffer(headerBytes));
    header.setBigUint64(0, forkId, true);
    header.setBigUint64(8, idOf(utf8(label)), true);
    header.setBigUint64(16, stream.sent, true);
    stream.sent += 1n;
    await this.#options.write(to, concat(new Uint8Array(header.buffer), message));
  }

  async #recv(path: readonly string[], from: PartyId, label: string, bytesMax: number): Promise<Uint8Array> {
    const link = this.#link(from);
    const stream = streamOf(link, forkIdOf(path));
    const queued = stream.queue.shift();
    if (queued === undefined && link.error !== undefined) throw link.error;
    return new Promise((resolve, reject) => {
      const waiter = { label, bytesMax, resolve, reject };
      this.#pendingReceives += 1;
      if (queued === undefined) {
        stream.waiters.push(waiter);
      } else {
        link.queuedBytes -= queued.bytes.length + recordOverheadBytes;
        const fault = this.#hand(from, queued, waiter);
        if (fault !== undefined) this.fail(fault);
      }
    });
  }

  /** A message that is not the agreed one is an error for the whole channel: its sender runs another protocol. */
  #hand(from: PartyId, message: Message, waiter: Waiter): ProtocolError | undefined {
    const place = { party: from, field: waiter.label };
    let error: ProtocolError | undefined;
    if (message.labelId !== idOf(utf8(waiter.label))) error = new ProtocolError('UNEXPECTED_MESSAGE', place);
    else if (message.bytes.length > waiter.bytesMax) error = new ProtocolError('TOO_LARGE', place);
    this.#pendingReceives -= 1;
    if (error === undefined) waiter.resolve(message.bytes);
    else waiter.reject(error);
    return error;
  }

  #deriveKey(path: readonly string[], owner: PartyId, holder: PartyId, label: string): Uint8Array {
    assert((owner === this.self) !== (holder === this.self), 'a key joins this party and another');
    const { job, attempt } = this.context;
    const info = lengthPrefixed(
      utf8('folkmoot share v1'),
      job,
      u32(attempt),
      utf8(owner),
      utf8(holder),
      pathBytes(path),
      utf8(label),
    );
    this.#useOnce('key', info, label);
    const peer = owner === this.self ? holder : owner;
    this.#link(peer);
    return hkdf(this.#options.secret(peer), new Uint8Array(0), info, 16);
  }

  #useOnce(kind: string, what: Uint8Array, label: string): void {
    const use = `${kind} ${toHex(what)}`;
    if (this.#usedLabels.has(use)) throw new ProtocolError('LABEL_REUSED', { field: label });
    this.#usedLabels.add(use);
  }

  #link(peer: PartyId): Link {
    const link = this.#links.get(peer);
    assert(link !== undefined, 'messages go to and come from the other parties of the roster');
    return link;
  }
}

function streamOf(link: Link, forkId: bigint): Stream {
  let stream = link.streams.get(forkId);
  if (stream === undefined) {
    stream = { sent: 0n, received: 0n, queue: [], waiters: [] };
    link.streams.set(forkId, stream);
  }
  return stream;
}

function pathBytes(path: readonly string[]): Uint8Array {
  return lengthPrefixed(...path.map(utf8));
}

function forkIdOf(path: readonly string[]): bigint {
  return idOf(pathBytes(path));
}

function idOf(bytes: Uint8Array): bigint {
  return new DataView(sha256(bytes).buffer).getBigUint64(0, true);
}
