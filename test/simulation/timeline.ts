/**
 * One time for all: what is to happen, in the order of its moment, and of its planning where moments are the same.
 *
 * Between two happenings everything that promises had to do is done, so that a run is the same whenever it is repeated.
 * @module
 */
import { setImmediate as afterPromises } from 'node:timers/promises';

interface Happening {
  readonly atMs: number;
  readonly number: number;
  action: (() => void) | undefined;
}

export class Timeline {
  #nowMs: number;
  #number = 0;
  /** A binary heap. */
  readonly #heap: Happening[] = [];

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Plans an action; the function returned takes it back. */
  after(delayMs: number, action: () => void): () => void {
    const happening: Happening = { atMs: this.#nowMs + Math.max(0, delayMs), number: this.#number++, action };
    this.#push(happening);
    return () => {
      happening.action = undefined;
    };
  }

  /** Goes on until `untilMs`, or until `isOver` says so; it is asked after everything that happens. */
  async run(untilMs: number, isOver: () => boolean): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#pop();
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      if (next.action === undefined) continue;
      next.action();
      await afterPromises();
      if (isOver()) return;
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(happening);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (isBefore(heap[up]!, happening)) break;
      heap[at] = heap[up]!;
      at = up;
    }
    heap[at] = happening;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && isBefore(heap[down + 1]!, heap[down]!)) down++;
      if (isBefore(last, heap[down]!)) break;
      heap[at] = heap[down]!;
      at = down;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Happening, b: Happening): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
