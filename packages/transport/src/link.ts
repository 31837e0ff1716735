/**
 * A link: an ordered, lossless way for frames to one other process, until it breaks; here over a WebSocket (RFC 6455).
 *
 * Binary messages of 1 MiB at most, one a frame, uncompressed. Client frames carry a mask of zero: masking protects
 * proxies from text that a script chose, and here everything of size is sealed, so that it would cost time for nothing.
 *
 * Sends     6 to 14 bytes a frame
 * Security  none of its own; sessions seal what parties say to each other, and TLS hides the rest (plain ws: is refused
 *           except to loopback)
 * @module
 */
import { type CodeOf, errorTable, TransportError } from '@folkmoot/core/errors.js';
import { WebSocket } from 'ws';
import type { Clock } from './clock.ts';
import { frameBytesMax } from './frame.ts';
import { dialFault, type Outbound } from './outbound.ts';

/** What a WebSocket, a MessagePort and a pair in memory have in common. */
export interface FrameLink {
  /**
   * Sends one frame, which from then on belongs to the link. Resolves when the link can take more.
   * @throws TransportError LINK_LOST
   */
  send(frame: Uint8Array): Promise<void>;
  /**
   * Sets the one receiver of frames; frames that came before wait for it. When it returns a promise the link reads on
   * only after it settles: that is the back-pressure of whoever forwards. When it throws, the link ends with that error.
   */
  onFrame(receiver: (frame: Uint8Array) => void | Promise<void>): void;
  /** Calls this once when the link has ended, with the reason unless it was closed here. At once if it has already. */
  onClose(listener: (reason?: Error) => void): void;
  close(): void;
  /** Whether the other end has left a question for a sign of life unanswered for a whole heartbeat. */
  isSilent?(): boolean;
}

/** Beyond this much unsent, senders wait: it bounds memory, and still covers a fast link's delay. */
export const bufferedBytesMax = 4 * 1024 * 1024;
/**
 * A silent link is asked at this pace, and lost after three unanswered questions. Both ends ask, so that each hears the
 * other even where one direction is full; a frame of 1 MiB takes less than these 15 s from 0.6 Mbit/s on.
 */
export const heartbeatMs = 5_000;
const silentBeatsMax = 3;
/** How long a connection may take to open, and to close in good form. */
const connectTimeoutMs = 20_000;
const closeTimeoutMs = 3_000;
/** The status of a close that says what was wrong (RFC 6455, 7.4.1: policy violation). */
const refused = 1008;

/** What both ends of a WebSocket are set to. */
export const socketOptions = {
  maxPayload: frameBytesMax,
  closeTimeout: closeTimeoutMs,
  perMessageDeflate: false,
  allowSynchronousEvents: true,
} as const;

/**
 * The URL, if it is encrypted (wss:, https:) or leads to this machine (ws:, http: to loopback).
 * @throws TransportError INSECURE_URL, UNREACHABLE
 */
export function requireSecure(text: string): URL {
  if (!URL.canParse(text)) throw new TransportError('UNREACHABLE', { detail: 'this is not a URL' });
  const url = new URL(text);
  if (url.protocol === 'wss:' || url.protocol === 'https:') return url;
  const plain = url.protocol === 'ws:' || url.protocol === 'http:';
  if (!plain || !isLoopback(url.hostname)) throw new TransportError('INSECURE_URL', { detail: url.origin });
  return url;
}

/** The URL class has normalised the host: an IPv4 address is in dotted decimal, whatever it was written as. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/**
 * Opens a link to a listener.
 * @throws TransportError INSECURE_URL, UNREACHABLE, UNTRUSTED, PROXY_REFUSED
 */
export async function connect(url: string, clock: Clock, via?: Outbound): Promise<FrameLink> {
  const target = requireSecure(url);
  const socket = new WebSocket(target, {
    ...socketOptions,
    handshakeTimeout: connectTimeoutMs,
    followRedirects: false,
    generateMask: (mask) => mask.fill(0),
    ...(target.protocol === 'wss:' || target.protocol === 'https:'
      ? { minVersion: 'TLSv1.3', ...(via && { agent: via.agent }) }
      : {}),
  });
  const link = new WebSocketLink(socket, clock);
  try {
    await link.opened;
  } catch (cause) {
    throw dialFault(cause, target.origin);
  }
  return link;
}

/** A link over a socket that is open, or opening. */
export class WebSocketLink implements FrameLink {
  /** Rejects with the reason when the socket never opens. */
  readonly opened: Promise<void>;
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  #receiver: ((frame: Uint8Array) => void | Promise<void>) | undefined;
  /** What came before it could be handed on: little, since the socket is paused at once. */
  readonly #early: Uint8Array[] = [];
  readonly #closeListeners: ((reason?: Error) => void)[] = [];
  /** Senders that wait until less is buffered. */
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #holds = 0;
  #hasOpened = false;
  #silentBeats = 0;
  #cancelBeat: () => void = () => undefined;
  #end: { readonly reason: Error | undefined } | undefined;

  constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.binaryType = 'nodebuffer';
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.opened = promise;
    const open = () => {
      this.#hasOpened = true;
      resolve();
    };
    if (socket.readyState === WebSocket.OPEN) open();
    socket.on('open', open);
    this.onClose((reason) => reject(lost(reason)));
    // Whoever does not wait for the opening hears of the end by onClose.
    promise.catch(() => undefined);
    socket.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
    socket.on('pong', () => this.#hear());
    socket.on('ping', () => this.#hear());
    socket.on('error', (error) => this.#finish(faultOf(error)));
    socket.on('close', (code, reason) => this.#finish(closedBy(code, reason.toString())));
    this.#beat();
  }

  async send(frame: Uint8Array): Promise<void> {
    if (this.#end !== undefined) throw lost(this.#end.reason);
    this.#socket.send(frame, { binary: true, compress: false }, () => this.#onSent());
    if (this.#socket.bufferedAmount <= bufferedBytesMax) return;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  onFrame(receiver: (frame: Uint8Array) => void | Promise<void>): void {
    this.#receiver = receiver;
    this.#handOn();
  }

  onClose(listener: (reason?: Error) => void): void {
    if (this.#end !== undefined) listener(this.#end.reason);
    else this.#closeListeners.push(listener);
  }

  close(): void {
    this.#finish(undefined);
  }

  isSilent(): boolean {
    return this.#silentBeats > 1;
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#end !== undefined) return;
    this.#hear();
    if (!isBinary) {
      this.#finish(new TransportError('TEXT_FRAME'));
    } else if (this.#receiver === undefined || this.#holds > 0) {
      // A paused socket still hands over what it has read already.
      this.#early.push(data);
      this.#socket.pause();
    } else {
      this.#hand(data);
    }
  }

  /** What has waited, one after the other, as long as nothing is dealt with; then what comes. */
  #handOn(): void {
    while (this.#holds === 0 && this.#early.length > 0 && this.#end === undefined) this.#hand(this.#early.shift()!);
    if (this.#holds === 0) this.#socket.resume();
  }

  #hand(frame: Uint8Array): void {
    try {
      const taken = this.#receiver?.(frame);
      if (taken !== undefined) this.#hold(taken);
    } catch (error) {
      this.#finish(error as Error);
    }
  }

  /** Reads nothing more until the receiver has dealt with what it took. */
  #hold(taken: Promise<void>): void {
    this.#holds++;
    this.#socket.pause();
    const release = () => {
      this.#holds--;
      this.#handOn();
    };
    taken.then(release, (error: Error) => {
      release();
      this.#finish(error);
    });
  }

  #onSent(): void {
    if (this.#waiting.length === 0 || this.#socket.bufferedAmount > bufferedBytesMax) return;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #hear(): void {
    this.#silentBeats = 0;
  }

  /** Asks for a sign of life. A link that we do not read cannot give one, and is not asked. */
  #beat(): void {
    this.#cancelBeat = this.#clock.after(heartbeatMs, () => {
      if (this.#holds > 0 || this.#receiver === undefined) this.#silentBeats = 0;
      else if (this.#silentBeats++ >= silentBeatsMax) {
        this.#finish(new TransportError('LINK_LOST', { detail: 'the other end is silent' }));
        return;
      }
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
      this.#beat();
    });
  }

  /** Ends the link once, for a reason unless it was closed here. */
  #finish(reason: Error | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { reason };
    this.#cancelBeat();
    this.#closeSocket(reason);
    for (const { reject } of this.#waiting.splice(0)) reject(lost(reason));
    for (const listener of this.#closeListeners.splice(0)) listener(reason);
  }

  #closeSocket(reason: Error | undefined): void {
    // A paused socket would never see the other end's part of the closing. One that never opened cannot be resumed.
    if (this.#hasOpened) this.#socket.resume();
    if (reason === undefined) this.#socket.close(1000);
    else if (reason instanceof TransportError && reason.code !== 'LINK_LOST') this.#socket.close(refused, reason.code);
    else this.#socket.terminate();
  }
}

function lost(reason: Error | undefined): TransportError {
  return new TransportError('LINK_LOST', reason === undefined ? {} : { cause: reason });
}

/** An end that refuses the other one says why by a code; any other end is a loss. */
function closedBy(code: number, reason: string): TransportError {
  const isCode = code === refused && Object.hasOwn(errorTable.transport, reason) && reason !== 'LINK_LOST';
  if (isCode) return new TransportError(reason as CodeOf<'transport'>, { detail: 'the other end closed the link' });
  return new TransportError('LINK_LOST', { detail: `it was closed with ${code}` });
}

/** ws names what broke the rules of the protocol; all else is the network's. */
function faultOf(error: Error): TransportError {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return new TransportError('FRAME_TOO_LARGE', { cause: error });
  if (code.startsWith('WS_ERR_')) return new TransportError('BAD_FRAME', { cause: error });
  return new TransportError('LINK_LOST', { cause: error });
}
