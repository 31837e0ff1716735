/**
 * A thread that makes correlations: lanes of the preprocessing, over the sessions that the computation's thread holds.
 *
 * Its coins are the platform's own. Keys and shares come and go through its port, within this process; nothing of them
 * is kept when a lane has ended. It ends when the computation ends it.
 * @module
 */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { assert } from '@folkmoot/core/assert.js';
import { type ErrorReport, isFolkmootError, reportOf } from '@folkmoot/core/errors.js';
import { type LaneTask, runLane } from '@folkmoot/core/lanes.js';
import { platform } from '@folkmoot/core/platform.js';
import type { Stock } from '@folkmoot/core/prefetch.js';
import { channelOver, type Seat } from './correlation-thread-channel.ts';

/** A lane to run. */
export interface LaneOrder {
  readonly task: LaneTask;
  readonly seat: Seat;
  /** The lane's channel is served here. */
  readonly channel: MessagePort;
  /** Words about how far it is, and the last one about how it ended, go here. */
  readonly result: MessagePort;
}

/** A failure that is not ours is told by its kind and its places in the program. */
export type LaneWord =
  /** So many OTs have become correlations. */
  | { readonly made: number }
  | { readonly stock: Stock }
  | { readonly report: ErrorReport }
  | { readonly fault: { readonly name: string; readonly stack: string } };

async function run({ task, seat, channel, result }: LaneOrder): Promise<void> {
  try {
    const made = (ots: number) => result.postMessage({ made: ots } satisfies LaneWord);
    const stock = await runLane(channelOver(channel, seat), task, platform.randomBytes, made);
    result.postMessage({ stock } satisfies LaneWord, memoryOf(stock));
  } catch (error) {
    result.postMessage(failed(error));
  } finally {
    channel.close();
    result.close();
  }
}

function failed(error: unknown): LaneWord {
  if (isFolkmootError(error) || !(error instanceof Error)) return { report: reportOf(error) };
  return { fault: { name: error.name, stack: error.stack ?? '' } };
}

/** What may change hands without a copy: each piece of memory once. */
function memoryOf({ bitTriples, triples, sharedBits }: Stock): ArrayBuffer[] {
  const arrays = [
    ...bitTriples.flatMap(({ a, b, c }) => [a, b, c]),
    ...triples.flatMap(({ a, b, c }) => [a.words, b.words, c.words]),
    ...sharedBits.flatMap(({ xor, ring }) => [xor, ring.words]),
  ];
  return [...new Set(arrays.map(({ buffer }) => buffer as ArrayBuffer))];
}

assert(parentPort !== null, 'a thread for correlations is started by a computation');
parentPort.on('message', (order: LaneOrder) => void run(order));
