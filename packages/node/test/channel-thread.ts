/**
 * A thread that holds the sessions of all parties of a small network in memory, and serves their channels over ports.
 * @module
 */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { type ErrorReport, ProtocolError } from '@folkmoot/core/errors.js';
import type { SessionChannel } from '@folkmoot/core/session.js';
import { serveChannel } from '../src/correlation-thread-channel.ts';
import { memoryChannels } from './memory-channels.ts';

export type NetworkOrder =
  | { readonly ports: ReadonlyMap<string, MessagePort> }
  | { readonly failed: string; readonly report: ErrorReport };

let all: readonly SessionChannel[] = [];

parentPort!.on('message', (order: NetworkOrder) => {
  if ('ports' in order) {
    all = memoryChannels([...order.ports.keys()]);
    for (const ch of all) serveChannel(order.ports.get(ch.self)!, ch);
    return;
  }
  // Who fails tells its peers, who can still receive what it sent before.
  for (const ch of all) {
    if (ch.self !== order.failed) ch.fail(new ProtocolError('PARTY_FAILED', { party: order.failed }), order.failed);
  }
});
