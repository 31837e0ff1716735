/**
 * The frames of one attempt over links that break: between a computation and the node's link, it makes the frames of each
 * session arrive once, in order and unchanged, as long as both ends live and meet again within a minute.
 *
 * It works end to end between the two nodes of a pair, so that it also outlives the coordinator between them. Each end
 * keeps the frames that the other has not acknowledged, as they were sealed: what is sent again is the same ciphertext,
 * and nothing is sealed twice. Frames have their numbers in their headers (frame.ts); beside them pass three more types,
 * which nobody seals, each with the number of frames that its sender has received in order:
 *
 *   ack      so much has come                                      no payload
 *   ask      so much has come; how much do you have?               isNew u8 ‖ id u32: is it the first on a new link?
 *   resume   so much has come, and nothing else is on its way      id u32 of the ask that it answers
 *
 * A frame that is not the next one is dropped. Who asks sends nothing more of the session until the answer is there. Since
 * links and relay keep the order, the answer then says exactly what was lost: no byte is repeated for nothing. An end asks
 * on every new link, when the other end asks on a new link of its own, and when what it sent is not acknowledged for a
 * while, which heals whatever else was dropped on the way.
 *
 * Sends     32 bytes to acknowledge 1 MiB, 64 frames or what came in 250 ms; after a broken link 37 + 36 a session, and
 *           what was lost
 * Security  none of its own. A frame that was changed is handed on, and its seal ends the attempt. A forged number can
 *           drop what has not arrived, so that the attempt stalls until somebody gives it up; it changes no byte.
 * @module
 */
import { toHex, u32 } from '@folkmoot/core/bytes.js';
import type { PartyId } from '@folkmoot/core/channel.js';
import { TransportError } from '@folkmoot/core/errors.js';
import type { Clock } from './clock.ts';
import { decodeFrame, encodeFrame, type Frame, type FrameType, frameType } from './frame.ts';

/** How long an attempt outlives its link: two of the longest pauses before a node dials again. */
export const absenceMsMax = 60_000;
/**
 * Frames that are not acknowledged, for each computation; past this its sends wait. It covers 1 Gbit/s over 100 ms. A
 * port that is told to wait may still hand over what it holds (port-link.ts), which comes on top.
 */
export const windowBytes = 16 * 1024 * 1024;
const ackBytes = 1024 * 1024;
const ackFrames = 64;
/** How often acknowledgements that are due leave, and silence is noticed. */
const tickMs = 250;
/** How many ticks of silence are borne before an end asks: a second at first, then twice as long each time. */
const patienceTicks = { first: 4, most: 64 } as const;
const noPayload = new Uint8Array(0);
const askBytes = 5;
const resumeBytes = 4;

/** Puts a frame on a link; resolves when the link can take more. */
export type Write = (frame: Uint8Array) => Promise<void>;

export interface StreamOptions {
  /** Frames name parties by their place in the charter's sorted list. */
  readonly self: number;
  readonly sessions: readonly SessionWith[];
  readonly clock: Clock;
  /** Takes a frame that is the next one of its session; a promise holds the link until it settles. */
  deliver(frame: Uint8Array): void | Promise<void>;
  /** Called once, when the stream cannot go on: LINK_LOST, WRONG_SESSION, BAD_FRAME, BAD_SEQUENCE. */
  onFailed(error: TransportError): void;
}

export interface SessionWith {
  readonly party: PartyId;
  readonly index: number;
  readonly session: Uint8Array;
}

interface Session extends SessionWith {
  /** What the peer has not acknowledged: the frames from `first` on. */
  held: Uint8Array[];
  first: number;
  /** The next to be put on the link, and what has been there at most. */
  cursor: number;
  sent: number;
  isPumping: boolean;
  /** Frames received in order, and how many of them, in how many bytes, are not acknowledged. */
  received: number;
  owedFrames: number;
  owedBytes: number;
  /** Set while an answer is due: whether it was asked first on this link, and by which ask. */
  asking: { readonly isNew: boolean; readonly firstId: number } | undefined;
  lastId: number;
  silentTicks: number;
  patience: number;
}

export class ResumableStream {
  /** The sessions, in hex, whose frames are for this stream. */
  readonly sessions: ReadonlySet<string>;
  /** Frames that came twice or before their turn, and frames that were put on a link again. */
  readonly counts = { repeated: 0, early: 0, resent: 0 };
  /** Resolves when it lets go of everything: it is closed, has failed, or its peers have all it sent. */
  readonly ended: Promise<void>;
  readonly #options: StreamOptions;
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #ended = Promise.withResolvers<void>();
  #write: Write | undefined;
  #heldBytes = 0;
  #waiting: (() => void)[] = [];
  #isFinished = false;
  #isClosed = false;
  #cancelTick: (() => void) | undefined;
  #cancelWait = () => {};

  /** `write` where there is a link already. */
  constructor(options: StreamOptions, write?: Write) {
    this.#options = options;
    this.#sessions = new Map(options.sessions.map((one) => [toHex(one.session), newSession(one)]));
    this.sessions = new Set(this.#sessions.keys());
    this.ended = this.#ended.promise;
    this.#write = write;
    if (write === undefined) this.#awaitLink();
  }

  /** Bytes that are kept to be sent again. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes a frame of the computation; from then on it must not change. Resolves when there is room for more. */
  send(bytes: Uint8Array): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const frame = decodeFrame(bytes);
    const session = this.#sessions.get(toHex(frame.session));
    if (session === undefined || frame.sequence !== session.first + session.held.length) {
      throw new RangeError('a computation numbers the frames of its own sessions');
    }
    if (session.held.length === 0) session.silentTicks = 0;
    session.held.push(bytes);
    this.#heldBytes += bytes.length;
    void this.#pump(session);
    this.#expectTick();
    if (this.#heldBytes <= windowBytes) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Takes a frame from the link. A promise holds the link until it settles. */
  receive(frame: Frame, bytes: Uint8Array): void | Promise<void> {
    if (this.#isClosed) return undefined;
    const session = this.#sessions.get(toHex(frame.session));
    const { self } = this.#options;
    if (session === undefined || frame.from !== session.index || frame.to !== self) {
      return this.#fail(new TransportError('WRONG_SESSION'));
    }
    if (frame.type === frameType.session) return this.#take(session, frame.sequence, bytes);
    const length = { [frameType.ask]: askBytes, [frameType.resume]: resumeBytes }[frame.type as number] ?? 0;
    if (frame.payload.length !== length) {
      return this.#fail(new TransportError('BAD_FRAME', { party: session.party, field: 'length' }));
    }
    if (frame.sequence > session.sent) {
      const detail = 'it acknowledges what was never sent';
      return this.#fail(new TransportError('BAD_SEQUENCE', { party: session.party, detail }));
    }
    this.#release(session, frame.sequence);
    const { buffer, byteOffset } = frame.payload;
    const payload = new DataView(buffer, byteOffset, length);
    if (frame.type === frameType.ask) this.#answer(session, payload.getUint8(0) === 1, payload.getUint32(1, true));
    if (frame.type === frameType.resume) this.#resume(session, frame.sequence, payload.getUint32(0, true));
    if (this.#isFinished && this.#heldBytes === 0) this.close();
  }

  /** There is a new link: what was on its way over the last one may be lost. */
  linked(write: Write): void {
    if (this.#isClosed) return;
    this.#write = write;
    if (!this.#isFinished) this.#cancelWait();
    for (const session of this.#sessions.values()) {
      session.asking = undefined;
      session.patience = patienceTicks.first;
      this.#ask(session, true);
    }
    this.#expectTick();
  }

  /** The link is lost. The stream fails with LINK_LOST when there is none for a minute. */
  unlinked(): void {
    if (this.#write === undefined) return;
    this.#write = undefined;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    if (!this.#isFinished && !this.#isClosed) this.#awaitLink();
  }

  /**
   * The computation has ended and sends nothing more. The stream ends when its peers have all it sent, or a minute has
   * passed: one that is behind may come back for it.
   */
  finish(): void {
    if (this.#isFinished || this.#isClosed) return;
    this.#isFinished = true;
    this.#cancelWait();
    for (const session of this.#sessions.values()) if (session.owedFrames > 0) this.#acknowledge(session);
    if (this.#heldBytes === 0) this.close();
    else this.#cancelWait = this.#options.clock.after(absenceMsMax, () => this.close());
  }

  /** Lets go of everything, at once. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelWait();
    this.#cancelTick?.();
    for (const session of this.#sessions.values()) session.held = [];
    this.#heldBytes = 0;
    for (const resolve of this.#waiting.splice(0)) resolve();
    this.#ended.resolve();
  }

  #awaitLink(): void {
    this.#cancelWait = this.#options.clock.after(absenceMsMax, () => {
      const detail = `it did not come back within ${absenceMsMax / 1_000} s`;
      this.#fail(new TransportError('LINK_LOST', { detail }));
    });
  }

  #fail(error: TransportError): void {
    const isHeard = !this.#isFinished && !this.#isClosed;
    this.close();
    if (isHeard) this.#options.onFailed(error);
  }

  #take(session: Session, sequence: number, bytes: Uint8Array): void | Promise<void> {
    if (sequence !== session.received) {
      if (sequence < session.received) this.counts.repeated++;
      else this.counts.early++;
      return undefined;
    }
    session.received++;
    session.owedFrames++;
    session.owedBytes += bytes.length;
    if (session.owedFrames >= ackFrames || session.owedBytes >= ackBytes) this.#acknowledge(session);
    else this.#expectTick();
    return this.#options.deliver(bytes);
  }

  /** The peer has the frames before this one. */
  #release(session: Session, received: number): void {
    // An older word than the last one.
    if (received <= session.first) return;
    for (const bytes of session.held.splice(0, received - session.first)) this.#heldBytes -= bytes.length;
    session.first = received;
    session.cursor = Math.max(session.cursor, received);
    session.silentTicks = 0;
    session.patience = patienceTicks.first;
    if (this.#heldBytes > windowBytes) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #answer(session: Session, isNew: boolean, id: number): void {
    this.#put(session, frameType.resume, u32(id));
    // What was on its way to the peer's last link may be lost as well. An ask that is not new is not asked back.
    if (isNew && (session.held.length > 0 || session.asking !== undefined)) this.#ask(session, false);
  }

  /** Only the first answer counts: since it was asked nothing but asks has left, and after it other frames have. */
  #resume(session: Session, received: number, id: number): void {
    if (session.asking === undefined || id < session.asking.firstId || id > session.lastId) return;
    session.asking = undefined;
    session.silentTicks = 0;
    session.patience = patienceTicks.first;
    session.cursor = Math.max(received, session.first);
    void this.#pump(session);
  }

  #ask(session: Session, isNew: boolean): void {
    session.lastId++;
    session.asking ??= { isNew, firstId: session.lastId };
    session.silentTicks = 0;
    const payload = Uint8Array.of(session.asking.isNew ? 1 : 0, ...u32(session.lastId));
    this.#put(session, frameType.ask, payload);
  }

  #acknowledge(session: Session): void {
    this.#put(session, frameType.ack, noPayload);
  }

  /** Every type says how much has come. */
  #put(session: Session, type: FrameType, payload: Uint8Array): void {
    if (this.#write === undefined) return;
    session.owedFrames = 0;
    session.owedBytes = 0;
    const { self } = this.#options;
    const header = { type, session: session.session, from: self, to: session.index, sequence: session.received };
    // A link that is lost says so by itself.
    this.#write(encodeFrame(header, payload)).catch(() => undefined);
  }

  /** Puts what is due on the link, at its pace. */
  async #pump(session: Session): Promise<void> {
    if (session.isPumping) return;
    session.isPumping = true;
    while (this.#write !== undefined && session.asking === undefined) {
      const frame = session.held[session.cursor - session.first];
      if (frame === undefined) break;
      if (session.cursor < session.sent) this.counts.resent++;
      session.cursor++;
      session.sent = Math.max(session.sent, session.cursor);
      const write = this.#write;
      try {
        await write(frame);
      } catch {
        // The next link asks what is missing.
        if (write === this.#write) break;
      }
    }
    session.isPumping = false;
  }

  /** Something is due to be acknowledged, here or there. */
  #expectTick(): void {
    if (this.#cancelTick !== undefined || this.#write === undefined || this.#isClosed) return;
    this.#cancelTick = this.#options.clock.after(tickMs, () => {
      this.#cancelTick = undefined;
      this.#tick();
    });
  }

  #tick(): void {
    let isQuiet = true;
    for (const session of this.#sessions.values()) {
      if (session.owedFrames > 0) this.#acknowledge(session);
      if (session.held.length === 0 && session.asking === undefined) continue;
      isQuiet = false;
      session.silentTicks++;
      if (session.silentTicks < session.patience) continue;
      session.patience = Math.min(2 * session.patience, patienceTicks.most);
      this.#ask(session, false);
    }
    if (!isQuiet) this.#expectTick();
  }
}

function newSession(one: SessionWith): Session {
  const sending = { held: [], first: 0, cursor: 0, sent: 0, isPumping: false };
  const receiving = { received: 0, owedFrames: 0, owedBytes: 0 };
  const asking = { asking: undefined, lastId: 0, silentTicks: 0, patience: patienceTicks.first };
  return { ...one, ...sending, ...receiving, ...asking };
}
