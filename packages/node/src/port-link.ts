/**
 * A link between two threads of one process: frames over a MessagePort, with the back-pressure that a port lacks.
 *
 * Sends     each frame once, without a copy where it owns its memory; the receiver says how many bytes it has dealt with
 * Security  none is needed within a process
 * @module
 */
import type { MessagePort } from 'node:worker_threads';
import { TransportError } from '@folkmoot/core/errors.js';
import { bufferedBytesMax, type FrameLink } from '@folkmoot/transport/link.js';

type Note = { readonly frame: Uint8Array } | { readonly taken: number };

export class PortLink implements FrameLink {
  readonly #port: MessagePort;
  readonly #early: Uint8Array[] = [];
  readonly #closeListeners: ((reason?: Error) => void)[] = [];
  #receiver: ((frame: Uint8Array) => void | Promise<void>) | undefined;
  /** Bytes that the other end has not dealt with. */
  #pending = 0;
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #end: { readonly reason: Error | undefined } | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (note: Note) => this.#take(note));
    port.on('close', () => this.#finish(new TransportError('LINK_LOST')));
  }

  async send(frame: Uint8Array): Promise<void> {
    if (this.#end !== undefined) throw lost(this.#end.reason);
    const { byteLength: bytes } = frame;
    // Memory that other bytes share cannot be handed over.
    const whole = bytes === frame.buffer.byteLength ? frame : Uint8Array.from(frame);
    this.#pending += bytes;
    this.#port.postMessage({ frame: whole } satisfies Note, [whole.buffer as ArrayBuffer]);
    if (this.#pending <= bufferedBytesMax) return;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  onFrame(receiver: (frame: Uint8Array) => void | Promise<void>): void {
    this.#receiver = receiver;
    for (const frame of this.#early.splice(0)) this.#hand(frame);
  }

  onClose(listener: (reason?: Error) => void): void {
    if (this.#end !== undefined) listener(this.#end.reason);
    else this.#closeListeners.push(listener);
  }

  /** What was sent before still arrives. */
  close(): void {
    this.#finish(undefined);
  }

  #take(note: Note): void {
    if (this.#end !== undefined) return;
    if ('taken' in note) this.#acknowledge(note.taken);
    else if (this.#receiver === undefined) this.#early.push(note.frame);
    else this.#hand(note.frame);
  }

  #hand(frame: Uint8Array): void {
    const taken = frame.byteLength;
    const acknowledge = () => {
      if (this.#end === undefined) this.#port.postMessage({ taken } satisfies Note);
    };
    try {
      const done = this.#receiver?.(frame);
      if (done === undefined) acknowledge();
      else done.then(acknowledge, (error: Error) => this.#finish(error));
    } catch (error) {
      this.#finish(error as Error);
    }
  }

  #acknowledge(bytes: number): void {
    this.#pending -= bytes;
    if (this.#pending > bufferedBytesMax) return;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #finish(reason: Error | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { reason };
    this.#port.close();
    for (const { reject } of this.#waiting.splice(0)) reject(lost(reason));
    for (const listener of this.#closeListeners.splice(0)) listener(reason);
  }
}

function lost(reason: Error | undefined): TransportError {
  return new TransportError('LINK_LOST', reason === undefined ? {} : { cause: reason });
}
