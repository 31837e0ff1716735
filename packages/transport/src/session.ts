/**
 * One pair's sealed stream of records over frames, once the handshake is done.
 *
 * A record is cut into pieces, each sealed as one Noise message; 16 full ones fill a frame of 1 MiB exactly. A record
 * begins a message of its own, and what it is stands in front:
 *
 * ```
 * frame payload   (length u16 ‖ Noise message)…
 * plaintext       kind u8 ‖ body                  0 ready, empty: the initiator's first message, which proves its keys
 *                                                 1 record: length u32 ‖ its first bytes; the next messages go on with it
 *                                                 2 end: nothing follows
 *                                                 3 failed: the code with which the other end gave up
 * ```
 *
 * Sends     18 bytes a message of 65,516, 37 a record beside, and 32 a frame
 * Security  what arrives is what was sent, in order and once, or a typed error: the counters of AES-GCM are implicit
 * @module
 */
import { u32, utf8 } from '@folkmoot/core/bytes.js';
import type { PartyId } from '@folkmoot/core/channel.js';
import { errorTable, ProtocolError, TransportError } from '@folkmoot/core/errors.js';
import { type Frame, type FrameHeader, frameHeaderBytes, framePayloadBytesMax, frameWithRoom } from './frame.ts';
import type { SessionKeys } from './handshake.ts';
import { type NoiseRole, noiseTagBytes } from './noise.ts';

const lengthBytes = 2;
const messagesPerFrame = 16;
/** 65,532: below Noise's limit of 65,535, so that 16 messages and their lengths fill a frame to the last byte. */
const noiseBytesMax = framePayloadBytesMax / messagesPerFrame - lengthBytes;
const plaintextBytesMax = noiseBytesMax - noiseTagBytes;

/** The largest message that a protocol may send: 6 vectors of 10^7 elements of 64 bits, and what a channel may queue. */
const recordBytesMax = 512 * 1024 * 1024;
/** Assembling begins with this much and grows with what has arrived, whatever length the peer announces. */
const assemblyBytesFirst = 1024 * 1024;
const assemblyGrowth = 4;

const kind = { ready: 0, record: 1, end: 2, failed: 3 } as const;
const nothing = new Uint8Array(0);

export interface SessionOptions {
  readonly peer: PartyId;
  readonly role: NoiseRole;
  readonly header: Omit<FrameHeader, 'sequence'>;
  readonly keys: SessionKeys;
  /** Hands a frame to the link; resolves when the link can take more. */
  write(frame: Uint8Array): Promise<void>;
  /** Takes a record; the bytes belong to the receiver. */
  onRecord(record: Uint8Array): void;
  /** Called once, when the peer has proved its keys: at the responder on its first message, at the initiator at once. */
  onReady(): void;
  /** Called once, when the peer has said that nothing follows; with its error where it gave up. */
  onEnd(error?: ProtocolError): void;
}

/** A record that is being put together. */
interface Assembly {
  bytes: Uint8Array;
  filled: number;
  readonly length: number;
}

export class Session {
  readonly #options: SessionOptions;
  /** The handshake's messages had number 0 in either direction. */
  #sendSequence = 1;
  #receiveSequence = 1;
  #assembly: Assembly | undefined;
  #ready = false;
  #ended = false;
  #confirm: () => void = () => undefined;
  /** Records leave one after the other; the responder's wait for the initiator's first message. */
  #sending: Promise<void>;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#sending = new Promise((resolve) => {
      this.#confirm = resolve;
    });
    if (options.role === 'initiator') {
      this.#becomeReady();
      // A link that is lost tells so by itself.
      this.#enqueue(() => this.#write(Uint8Array.of(kind.ready), nothing)).catch(() => undefined);
    }
  }

  /** Seals and sends one record. Resolves when the link can take more. */
  async send(record: Uint8Array): Promise<void> {
    if (record.length > recordBytesMax) throw new ProtocolError('TOO_LARGE', { detail: `${record.length} bytes` });
    const head = Buffer.concat([Uint8Array.of(kind.record), u32(record.length)]);
    await this.#enqueue(() => this.#write(head, record));
  }

  /** Tells the peer that nothing follows, or that this end gave up. */
  end(error?: { readonly code: string }): Promise<void> {
    if (!this.#ready) return Promise.resolve();
    return error === undefined
      ? this.#enqueue(() => this.#write(Uint8Array.of(kind.end), nothing))
      : this.#enqueue(() => this.#write(Uint8Array.of(kind.failed), utf8(error.code)));
  }

  /**
   * Takes the next frame of this session.
   * @throws TransportError BAD_SEQUENCE, BAD_FRAME; ProtocolError TAMPERED, TOO_LARGE, BAD_MESSAGE
   */
  receive(frame: Frame): void {
    const { peer } = this.#options;
    if (frame.sequence !== this.#receiveSequence) throw new TransportError('BAD_SEQUENCE', { party: peer });
    this.#receiveSequence++;
    const { payload } = frame;
    if (payload.length === 0) throw new TransportError('BAD_FRAME', { party: peer, detail: 'it is empty' });
    for (let at = 0; at < payload.length; ) {
      if (payload.length - at < lengthBytes) throw this.#cut();
      const length = payload[at]! | (payload[at + 1]! << 8);
      at += lengthBytes;
      if (length < noiseTagBytes || length > noiseBytesMax || length > payload.length - at) throw this.#cut();
      const plaintext = this.#decrypt(payload.subarray(at, at + length));
      at += length;
      this.#becomeReady();
      this.#take(plaintext);
    }
  }

  #cut(): TransportError {
    return new TransportError('BAD_FRAME', { party: this.#options.peer, detail: 'a message in it is cut' });
  }

  #decrypt(message: Uint8Array): Uint8Array {
    try {
      return this.#options.keys.receive.decrypt(message);
    } catch (cause) {
      throw new ProtocolError('TAMPERED', { party: this.#options.peer, cause });
    }
  }

  #becomeReady(): void {
    if (this.#ready) return;
    this.#ready = true;
    this.#confirm();
    this.#options.onReady();
  }

  #take(plaintext: Uint8Array): void {
    if (this.#ended) throw this.#bad('a message after the end');
    if (this.#assembly !== undefined) this.#goOn(this.#assembly, plaintext);
    else if (plaintext[0] === kind.record) this.#begin(plaintext);
    else if (plaintext[0] === kind.end && plaintext.length === 1) this.#end();
    else if (plaintext[0] === kind.failed) this.#end(this.#failureOf(plaintext.subarray(1)));
    else if (plaintext[0] !== kind.ready || plaintext.length !== 1) throw this.#bad('an unknown kind');
  }

  #begin(plaintext: Uint8Array): void {
    const headBytes = 5;
    if (plaintext.length < headBytes) throw this.#bad('a record without its length');
    const length = new DataView(plaintext.buffer, plaintext.byteOffset, plaintext.length).getUint32(1, true);
    if (length > recordBytesMax) throw new ProtocolError('TOO_LARGE', { party: this.#options.peer });
    this.#assembly = { bytes: new Uint8Array(0), filled: 0, length };
    this.#goOn(this.#assembly, plaintext.subarray(headBytes), plaintextBytesMax - headBytes);
  }

  /** Every message of a record but the last is full, so that a record has one form only. */
  #goOn(assembly: Assembly, piece: Uint8Array, room = plaintextBytesMax): void {
    const missing = assembly.length - assembly.filled;
    if (piece.length !== Math.min(missing, room)) throw this.#bad('a record in pieces of another size');
    const filled = assembly.filled + piece.length;
    if (filled > assembly.bytes.length) grow(assembly, filled);
    assembly.bytes.set(piece, assembly.filled);
    assembly.filled = filled;
    if (filled < assembly.length) return;
    this.#assembly = undefined;
    this.#options.onRecord(assembly.bytes);
  }

  #end(error?: ProtocolError): void {
    this.#ended = true;
    this.#options.onEnd(error);
  }

  #failureOf(code: Uint8Array): ProtocolError {
    const given = Buffer.from(code).toString('latin1');
    const known = Object.values(errorTable).some((layer) => Object.hasOwn(layer, given));
    return new ProtocolError('PARTY_FAILED', { party: this.#options.peer, ...(known ? { detail: given } : {}) });
  }

  #bad(detail: string): ProtocolError {
    return new ProtocolError('BAD_MESSAGE', { party: this.#options.peer, detail });
  }

  #enqueue(write: () => Promise<void>): Promise<void> {
    const sent = this.#sending.then(write);
    this.#sending = sent.catch(() => undefined);
    return sent;
  }

  /** Seals straight into frames, one after the other, at the pace of the link. */
  async #write(head: Uint8Array, body: Uint8Array): Promise<void> {
    const messages = Math.max(1, Math.ceil((head.length + body.length) / plaintextBytesMax));
    let sent = 0;
    for (let first = 0; first < messages; first += messagesPerFrame) {
      const count = Math.min(messagesPerFrame, messages - first);
      const headHere = first === 0 ? head : nothing;
      const bodyHere = Math.min(body.length - sent, count * plaintextBytesMax - headHere.length);
      const room = count * (lengthBytes + noiseTagBytes) + headHere.length + bodyHere;
      const frame = frameWithRoom({ ...this.#options.header, sequence: this.#sendSequence++ }, room);
      this.#seal(frame, headHere, body.subarray(sent, sent + bodyHere));
      sent += bodyHere;
      await this.#options.write(frame);
    }
  }

  #seal(frame: Uint8Array, head: Uint8Array, body: Uint8Array): void {
    let taken = 0;
    for (let at = frameHeaderBytes; at < frame.length; ) {
      const headHere = at === frameHeaderBytes ? head : nothing;
      const piece = body.subarray(taken, taken + plaintextBytesMax - headHere.length);
      const length = headHere.length + piece.length + noiseTagBytes;
      frame[at] = length & 0xff;
      frame[at + 1] = length >> 8;
      at = this.#options.keys.send.encryptInto(
        frame,
        at + lengthBytes,
        headHere.length === 0 ? [piece] : [headHere, piece],
      );
      taken += piece.length;
    }
  }
}

function grow(assembly: Assembly, needed: number): void {
  const wanted = Math.max(assemblyBytesFirst, assemblyGrowth * assembly.filled, needed);
  // Not zeroed first, but plain bytes: a slice of a Buffer is no copy, as whoever receives a record takes it to be.
  const { buffer, byteOffset, length } = Buffer.allocUnsafeSlow(Math.min(assembly.length, wanted));
  const bytes = new Uint8Array(buffer, byteOffset, length);
  bytes.set(assembly.bytes.subarray(0, assembly.filled));
  assembly.bytes = bytes;
}
