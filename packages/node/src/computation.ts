/**
 * The node's side of a computation: a worker thread, a port for its frames, and its words as they come.
 *
 * A thread that dies without a word has failed with CRASHED. Once stopped it is not heard any more.
 * @module
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import { reportOf, StateError } from '@folkmoot/core/errors.js';
import { failureOf } from './failure.ts';
import type { JoinWord } from './join-record.ts';
import type { JobEvent } from './lifecycle.ts';
import { PortLink } from './port-link.ts';
import type { Assignment, Order, Word } from './worker.ts';

export interface ComputationOptions {
  readonly assignment: Omit<Assignment, 'frames'>;
  /** Takes a frame of the computation's sessions; settles when there is room for more. */
  send(frame: Uint8Array): Promise<void>;
  /** What the computation says, as an event of the job's life. */
  onEvent(event: JobEvent): void;
  /** What it says of a join, for the party's owner. */
  onJoin(word: JoinWord): void;
  /** The thread has ended, whatever it said before. */
  onEnd(): void;
}

/** Source or dist, by how this file was loaded. */
const workerUrl = import.meta.url.endsWith('.ts')
  ? new URL('./worker.ts', import.meta.url)
  : new URL('./worker.js', import.meta.url);

export class Computation {
  readonly #worker: Worker;
  readonly #frames: PortLink;
  readonly #ended: Promise<void>;
  #isHeard = true;

  constructor(options: ComputationOptions) {
    const { assignment } = options;
    const { party, attempt } = assignment;
    const { port1, port2 } = new MessageChannel();
    this.#frames = new PortLink(port1);
    this.#frames.onFrame(options.send);
    const workerData: Assignment = { ...assignment, frames: port2 };
    this.#worker = new Worker(workerUrl, {
      workerData,
      transferList: [port2],
      // What a library might print is not ours to show.
      stdout: true,
      stderr: true,
    });
    let hasSpoken = false;
    const hear = (word: Word) => {
      if (!this.#isHeard) return;
      hasSpoken ||= word.word === 'opened' || word.word === 'failed';
      if (word.word === 'tally' || word.word === 'matches') options.onJoin(word);
      else options.onEvent(eventOf(word, attempt));
    };
    const fail = (error: unknown) => {
      const report = reportOf(new StateError('CRASHED', { party }));
      hear({ word: 'failed', ...failureOf(error, party), report, own: report });
    };
    this.#worker.on('message', hear);
    this.#worker.on('error', fail);
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', (status) => {
        if (!hasSpoken) fail(new StateError('CRASHED', { detail: `the thread ended with status ${status}` }));
        // The thread's last frames may still be in the port, and the other parties cannot end without them. The port
        // closes by itself after the last one, since its other end went with the thread.
        this.#frames.onClose(() => {
          options.onEnd();
          resolve();
        });
      });
    });
  }

  /** The sealed bytes are durable: the computation may commit to them. */
  commit(): void {
    this.#worker.postMessage({ order: 'commit' } satisfies Order);
  }

  /** Hands in a frame from another party. A thread that has ended needs none. */
  deliver(frame: Uint8Array): Promise<void> {
    return this.#frames.send(frame).catch(() => undefined);
  }

  /**
   * Ends it without a word more: no frame of it leaves or arrives from here on. Resolves when the thread has ended, which
   * it does by itself once its query has; see worker.ts on why it is not terminated.
   */
  async stop(): Promise<void> {
    this.#isHeard = false;
    this.#frames.close();
    this.#worker.postMessage({ order: 'stop' } satisfies Order);
    await this.#ended;
  }
}

function eventOf(word: Exclude<Word, JoinWord>, attempt: number): JobEvent {
  switch (word.word) {
    case 'phase':
      return {
        event: 'progressed',
        attempt,
        phase: word.phase,
        ...(word.done === undefined ? {} : { done: word.done }),
      };
    case 'sealed':
      return { event: 'sealed', attempt, sealed: word.sealed };
    case 'opened':
      return { event: 'opened', attempt, commitments: word.commitments, signatures: word.signatures };
    case 'failed':
      return { event: 'failed', attempt, report: word.report, detail: word.detail };
  }
}
