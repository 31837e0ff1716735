/**
 * Two ends of a link in memory, with an optional hand in between that changes, drops, repeats or adds frames.
 * @module
 */
import { TransportError } from '@folkmoot/core/errors.js';
import type { FrameLink } from '@folkmoot/transport/link.js';

/** What becomes of one frame on its way: the frames that arrive instead. */
export type Tap = (frame: Uint8Array, index: number) => readonly Uint8Array[];

class MemoryLink implements FrameLink {
  other!: MemoryLink;
  readonly #tap: Tap;
  readonly #waiting: Uint8Array[] = [];
  readonly #closeListeners: ((reason?: Error) => void)[] = [];
  #receiver: ((frame: Uint8Array) => void | Promise<void>) | undefined;
  #end: { readonly reason: Error | undefined } | undefined;
  #sent = 0;

  constructor(tap: Tap) {
    this.#tap = tap;
  }

  async send(frame: Uint8Array): Promise<void> {
    if (this.#end !== undefined) throw new TransportError('LINK_LOST');
    for (const arriving of this.#tap(frame, this.#sent++)) {
      setImmediate(() => this.other.#take(arriving));
    }
  }

  onFrame(receiver: (frame: Uint8Array) => void | Promise<void>): void {
    this.#receiver = receiver;
    for (const frame of this.#waiting.splice(0)) this.#take(frame);
  }

  onClose(listener: (reason?: Error) => void): void {
    if (this.#end !== undefined) listener(this.#end.reason);
    else this.#closeListeners.push(listener);
  }

  close(): void {
    this.finish(undefined);
    setImmediate(() => this.other.finish(new TransportError('LINK_LOST')));
  }

  finish(reason: Error | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { reason };
    for (const listener of this.#closeListeners.splice(0)) listener(reason);
  }

  #take(frame: Uint8Array): void {
    if (this.#end !== undefined) return;
    if (this.#receiver === undefined) this.#waiting.push(frame);
    else void this.#receiver(frame);
  }
}

const untouched: Tap = (frame) => [frame];

/** `forth` lies on the way from the first end to the second, `back` on the other. */
export function memoryLinks(forth: Tap = untouched, back: Tap = untouched): [FrameLink, FrameLink] {
  const [first, second] = [new MemoryLink(forth), new MemoryLink(back)];
  first.other = second;
  second.other = first;
  return [first, second];
}
