/**
 * A channel over a MessagePort: a thread of this party speaks to its peers through the thread that holds the sessions.
 *
 * Each send is answered when the channel can take more and each receive when its message is there, so that both ends
 * wait as they would at the channel itself; nothing is read ahead. A failure travels as its report and is thrown as the
 * error that it was written from. Forks and keys are wanted at once: the thread stops until they are there.
 *
 * Sends     each message once between the threads, with one copy
 * Security  none is needed within a process. Labels and peers are checked by the channel that is served
 * @module
 */
import type { MessagePort } from 'node:worker_threads';
import { utf8 } from '@folkmoot/core/bytes.js';
import type { Channel, Context, PartyId } from '@folkmoot/core/channel.js';
import { type ErrorReport, errorOf, reportOf, StateError } from '@folkmoot/core/errors.js';

/** What the thread asks; `fork` 0 is the channel that is served. */
type Ask = { readonly fork: number } & (
  | {
      readonly ask: 'send';
      readonly id: number;
      readonly to: PartyId;
      readonly label: string;
      readonly message: Uint8Array;
    }
  | {
      readonly ask: 'recv';
      readonly id: number;
      readonly from: PartyId;
      readonly label: string;
      readonly bytesMax: number;
    }
  | { readonly ask: 'fork'; readonly at: Memory; readonly child: number; readonly label: string }
  | {
      readonly ask: 'key';
      readonly at: Memory;
      readonly owner: PartyId;
      readonly holder: PartyId;
      readonly label: string;
    }
);

/** Shared, for what is wanted at once: a state, the length of what follows, and a key or a report in JSON. */
type Memory = SharedArrayBuffer;

type Reply =
  | { readonly id: number; readonly message?: Uint8Array }
  | { readonly id: number; readonly report: ErrorReport };

/** Both ends of a channel know this. */
export interface Seat {
  readonly self: PartyId;
  readonly peers: readonly PartyId[];
  readonly context: Context;
}

const headBytes = 8;
const answerBytesMax = 4096;
const [stateWaiting, stateGiven, stateRefused] = [0, 1, 2] as const;

/** The thread that serves is never busy for so long with one piece of work. */
const answerTimeoutMs = 60_000;

/** Serves a channel to whoever has the port's other end, until the port closes. */
export function serveChannel(port: MessagePort, ch: Channel): void {
  const forks = new Map([[0, ch]]);
  const forkOf = (fork: number): Channel => forks.get(fork)!;
  const answer = async (id: number, work: () => Promise<Uint8Array | undefined>) => {
    let reply: Reply;
    try {
      const message = await work();
      reply = message === undefined ? { id } : { id, message };
    } catch (error) {
      reply = { id, report: reportOf(error) };
    }
    const moved = 'message' in reply && reply.message !== undefined ? [reply.message.buffer as ArrayBuffer] : [];
    port.postMessage(reply, moved);
  };
  port.on('message', (asked: Ask) => {
    switch (asked.ask) {
      case 'send':
        void answer(asked.id, async () => {
          await forkOf(asked.fork).send(asked.to, asked.label, asked.message);
          return undefined;
        });
        break;
      case 'recv':
        // The record that the message is part of may be the channel's.
        void answer(asked.id, async () =>
          (await forkOf(asked.fork).recv(asked.from, asked.label, asked.bytesMax)).slice(),
        );
        break;
      case 'fork':
        answerAt(asked.at, () => {
          forks.set(asked.child, forkOf(asked.fork).fork(asked.label));
          return new Uint8Array(0);
        });
        break;
      case 'key':
        answerAt(asked.at, () => forkOf(asked.fork).deriveKey(asked.owner, asked.holder, asked.label));
        break;
    }
  });
}

function answerAt(at: Memory, work: () => Uint8Array): void {
  let state: number = stateGiven;
  let bytes: Uint8Array;
  try {
    bytes = work();
  } catch (error) {
    state = stateRefused;
    bytes = utf8(JSON.stringify(reportOf(error)));
  }
  const given = bytes.subarray(0, answerBytesMax);
  const head = new Int32Array(at, 0, 2);
  new Uint8Array(at, headBytes).set(given);
  head[1] = given.length;
  Atomics.store(head, 0, state);
  Atomics.notify(head, 0);
}

/** The channel that the port's other end serves. */
export function channelOver(port: MessagePort, seat: Seat): Channel {
  const waiting = new Map<number, { resolve(message: Uint8Array | undefined): void; reject(error: Error): void }>();
  let asks = 0;
  let forks = 0;
  let isClosed = false;
  port.on('message', (reply: Reply) => {
    const asker = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ('report' in reply) asker?.reject(errorOf(reply.report));
    else asker?.resolve(reply.message);
  });
  port.on('close', () => {
    isClosed = true;
    for (const { reject } of waiting.values()) reject(closed());
    waiting.clear();
  });
  const asked = (make: (id: number) => Ask, moved: ArrayBuffer[] = []): Promise<Uint8Array | undefined> => {
    if (isClosed) return Promise.reject(closed());
    asks += 1;
    const id = asks;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      port.postMessage(make(id), moved);
    });
  };
  const atOnce = (make: (at: Memory) => Ask): Uint8Array => {
    if (isClosed) throw closed();
    const at = new SharedArrayBuffer(headBytes + answerBytesMax);
    port.postMessage(make(at));
    return answerIn(at);
  };
  const fork = (number: number): Channel => ({
    ...seat,
    async send(to, label, message) {
      // The caller may go on to use its memory, or hold more in it than this.
      const copy = message.slice();
      await asked((id) => ({ ask: 'send', id, fork: number, to, label, message: copy }), [copy.buffer]);
    },
    async recv(from, label, bytesMax) {
      return (await asked((id) => ({ ask: 'recv', id, fork: number, from, label, bytesMax })))!;
    },
    fork(label) {
      forks += 1;
      const child = forks;
      atOnce((at) => ({ ask: 'fork', fork: number, child, label, at }));
      return fork(child);
    },
    deriveKey: (owner, holder, label) => atOnce((at) => ({ ask: 'key', fork: number, owner, holder, label, at })),
  });
  return fork(0);
}

function answerIn(at: Memory): Uint8Array {
  const head = new Int32Array(at, 0, 2);
  Atomics.wait(head, 0, stateWaiting, answerTimeoutMs);
  const state = Atomics.load(head, 0);
  if (state === stateWaiting) throw closed();
  const bytes = new Uint8Array(at, headBytes).slice(0, head[1]!);
  if (state === stateGiven) return bytes;
  throw errorOf(JSON.parse(new TextDecoder().decode(bytes)) as ErrorReport);
}

function closed(): StateError {
  return new StateError('INTERNAL', { detail: 'the thread that holds the sessions is gone' });
}
