/**
 * A link between a node and the coordinator, as a connection over TLS is one: ordered, and broken as a whole.
 *
 * What can happen on the way: frames wait; the link breaks, and each end learns it in its own time; one direction goes
 * silent, which its receiver notices after `silenceMs`. Frames that are dropped, repeated, reordered or changed are the
 * relay's doing, or that of whoever stands in its place; they pass a `Tap`.
 * @module
 */
import { TransportError } from '@folkmoot/core/errors.js';
import type { FrameLink } from '@folkmoot/transport/link.js';
import type { Process } from './process.ts';
import type { World } from './world.ts';

/** After this long without a sign of life a link is lost: four beats of 5 s. */
const silenceMs = 20_000;

const kinds = ['control', 'session', 'bulk'] as const;

/** What becomes of a frame: those that go on in its place. */
export type Tap = (frame: Uint8Array) => readonly Uint8Array[];

export interface Pair {
  readonly node: FrameLink;
  readonly coordinator: FrameLink;
}

/** `inspect` sees every frame that a node has sent. */
export function openLink(
  world: World,
  node: Process,
  coordinator: Process,
  taps: { readonly toNode: Tap; readonly fromNode: Tap },
): Pair {
  const [a, b] = [new End(world, node, taps.fromNode), new End(world, coordinator, taps.toNode)];
  a.other = b;
  b.other = a;
  return { node: a, coordinator: b };
}

class End implements FrameLink {
  other!: End;
  readonly #world: World;
  readonly #process: Process;
  readonly #tap: Tap;
  readonly #early: Uint8Array[] = [];
  readonly #closeListeners: ((reason?: Error) => void)[] = [];
  #receiver: ((frame: Uint8Array) => void | Promise<void>) | undefined;
  #holds = 0;
  #end: { readonly reason: Error | undefined } | undefined;
  /** When the last frame that was sent here arrives: links are ordered. */
  #lastMs = 0;
  /** What is sent here does not arrive any more. */
  #silent = false;

  constructor(world: World, process: Process, tap: Tap) {
    this.#world = world;
    this.#process = process;
    this.#tap = tap;
  }

  async send(frame: Uint8Array): Promise<void> {
    if (this.#end !== undefined || !this.#process.alive) throw new TransportError('LINK_LOST');
    const world = this.#world;
    const kind = kinds[frame[1]! - 1]!;
    if (world.hits('cut', kind)) this.#break();
    if (world.hits('partition', kind)) this.#goSilent();
    for (const sent of this.#tap(frame)) {
      if (this.#silent) return;
      const delayMs = world.hits('delay') ? world.chance.between(200, 6_000) : world.chance.between(1, 20);
      this.#lastMs = Math.max(this.#lastMs, world.nowMs + delayMs);
      world.after(this.#lastMs - world.nowMs, () => this.other.#process.whenAwake(() => this.other.#take(sent)));
    }
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

  /** The process at this end is gone: the other end learns it, and nobody here does. */
  abandon(): void {
    if (this.#end !== undefined) return;
    this.#end = { reason: undefined };
    this.#tellOther();
  }

  #break(): void {
    this.#world.note('cut', `the link of ${this.#process.name} breaks`);
    const lost = () => new TransportError('LINK_LOST');
    this.#silent = true;
    this.other.#silent = true;
    this.#world.after(this.#world.chance.between(0, 3_000), () => this.#finish(lost()));
    this.#world.after(this.#world.chance.between(0, 3_000), () => this.other.#finish(lost()));
  }

  #goSilent(): void {
    if (this.#silent) return;
    this.#world.note('partition', `what ${this.#process.name} sends is lost`);
    this.#silent = true;
    this.#world.after(silenceMs, () => this.other.#finish(new TransportError('LINK_LOST')));
    this.#world.after(2 * silenceMs, () => this.#finish(new TransportError('LINK_LOST')));
  }

  #take(frame: Uint8Array): void {
    if (this.#end !== undefined || !this.#process.alive) return;
    this.#early.push(frame);
    this.#handOn();
  }

  #handOn(): void {
    while (this.#receiver !== undefined && this.#holds === 0 && this.#end === undefined) {
      const frame = this.#early.shift();
      if (frame === undefined) return;
      try {
        const taken = this.#receiver(frame);
        if (taken !== undefined) this.#hold(taken);
      } catch (error) {
        this.#finish(error as Error);
      }
    }
  }

  #hold(taken: Promise<void>): void {
    this.#holds++;
    taken.then(
      () => {
        this.#holds--;
        this.#handOn();
      },
      (error: Error) => {
        this.#holds--;
        this.#finish(error);
      },
    );
  }

  #finish(reason: Error | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { reason };
    this.#tellOther();
    if (!this.#process.alive) return;
    for (const listener of this.#closeListeners.splice(0)) listener(reason);
  }

  /** What was sent before arrives first. */
  #tellOther(): void {
    const afterMs = Math.max(this.#lastMs - this.#world.nowMs, 0) + this.#world.chance.between(1, 50);
    if (!this.#silent) this.#world.after(afterMs, () => this.other.#finish(new TransportError('LINK_LOST')));
    else this.#world.after(silenceMs, () => this.other.#finish(new TransportError('LINK_LOST')));
  }
}

/** Ends what a process has open when it is gone. */
export function abandon(link: FrameLink): void {
  if (link instanceof End) link.abandon();
}
