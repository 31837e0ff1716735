/**
 * The threads in which a computation makes its correlations: one for each core it may use, while there are lanes to run.
 *
 * A demand with one lane is small: it is made in the computation's own thread, since a thread takes longer to start than
 * such a lane to run. A thread that dies fails its lanes, and so the attempt.
 * @module
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Channel } from '@folkmoot/core/channel.js';
import { errorOf, ProtocolError, StateError } from '@folkmoot/core/errors.js';
import { type Lanes, type LaneTask, type Made, runLane } from '@folkmoot/core/lanes.js';
import { platform } from '@folkmoot/core/platform.js';
import type { Stock } from '@folkmoot/core/prefetch.js';
import type { LaneOrder, LaneWord } from './correlation-thread.ts';
import { serveChannel } from './correlation-thread-channel.ts';

/** Source or dist, by how this file was loaded. */
const threadUrl = import.meta.url.endsWith('.ts')
  ? new URL('./correlation-thread.ts', import.meta.url)
  : new URL('./correlation-thread.js', import.meta.url);

interface Thread {
  readonly worker: Worker;
  readonly lanes: Set<{ reject(error: unknown): void }>;
}

export class CorrelationThreads implements Lanes {
  readonly #cores: number;
  readonly #threads = new Set<Thread>();
  #isClosed = false;

  /** As many threads as this at most; with one core none, for the computation has a thread already. */
  constructor(cores: number) {
    this.#cores = cores;
  }

  run(ch: Channel, task: LaneTask, made?: Made): Promise<Stock> {
    if (task.lanes === 1 || this.#cores === 1) return runLane(ch, task, platform.randomBytes, made);
    if (this.#isClosed) return Promise.reject(new ProtocolError('CANCELLED'));
    return this.#runOn(this.#nextThread(), ch, task, made);
  }

  /** Ends all threads at once, and fails what they were at. No database is at work in them that this could hurt. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#threads].map((thread) => this.#end(thread, new ProtocolError('CANCELLED'))));
  }

  #runOn(thread: Thread, ch: Channel, task: LaneTask, made: Made | undefined): Promise<Stock> {
    const channel = new MessageChannel();
    const result = new MessageChannel();
    const { promise, resolve, reject } = Promise.withResolvers<Stock>();
    const lane = { reject };
    thread.lanes.add(lane);
    serveChannel(channel.port1, ch);
    result.port1.on('message', (word: LaneWord) => {
      if ('made' in word) made?.(word.made);
      else if ('stock' in word) resolve(word.stock);
      else if ('report' in word) reject(errorOf(word.report));
      else reject(Object.assign(new Error('a lane failed'), word.fault));
    });
    const seat = { self: ch.self, peers: ch.peers, context: ch.context };
    const order: LaneOrder = { task, seat, channel: channel.port2, result: result.port2 };
    thread.worker.postMessage(order, [channel.port2, result.port2]);
    return promise.finally(() => {
      channel.port1.close();
      result.port1.close();
      thread.lanes.delete(lane);
      // All lanes are started at once, so that a thread without one gets no other.
      if (thread.lanes.size === 0) void this.#end(thread, undefined);
    });
  }

  /** A new one while there are cores, then the one that has least to do. */
  #nextThread(): Thread {
    if (this.#threads.size < this.#cores) return this.#start();
    return [...this.#threads].reduce((least, each) => (each.lanes.size < least.lanes.size ? each : least));
  }

  #start(): Thread {
    // What a library might print is not ours to show.
    const worker = new Worker(threadUrl, { stdout: true, stderr: true });
    const thread: Thread = { worker, lanes: new Set() };
    this.#threads.add(thread);
    worker.on('error', (error) => void this.#end(thread, error));
    worker.on('exit', (status) => {
      const died = new StateError('INTERNAL', { detail: `a thread for correlations ended with status ${status}` });
      void this.#end(thread, died);
    });
    return thread;
  }

  async #end(thread: Thread, error: unknown): Promise<void> {
    this.#threads.delete(thread);
    for (const { reject } of thread.lanes) reject(error);
    await thread.worker.terminate();
  }
}
