/**
 * The same statistic over a transport of your own: here message ports, which could as well end in workers or sockets.
 *
 *   node --conditions=source examples/own-transport.ts
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { jointSum } from '@folkmoot/core/additive.js';
import { openTogether } from '@folkmoot/core/open.js';
import { platform } from '@folkmoot/core/platform.js';
import { fromIntegers, toIntegers, Z2_64 } from '@folkmoot/core/ring.js';
import { SessionChannel } from '@folkmoot/core/session.js';

const pence: Record<string, bigint[]> = { camden: [706_049n, 3n], hackney: [182_025n, 1n], islington: [514_510n, 2n] };
const roster = Object.keys(pence).sort();
const job = platform.randomBytes(32);

// For each pair a private pipe, and a fresh secret as a handshake would give it to both ends.
const ends = new Map<string, { port: MessagePort; secret: Uint8Array }>();
for (const [i, a] of roster.entries()) {
  for (const b of roster.slice(i + 1)) {
    const [{ port1, port2 }, secret] = [new MessageChannel(), platform.randomBytes(32)];
    ends.set(`${a} ${b}`, { port: port1, secret }).set(`${b} ${a}`, { port: port2, secret });
  }
}

/** One party. A transport is two functions: `write` takes records out, and what comes in goes to `deliver`. */
async function party(self: string): Promise<void> {
  const end = (peer: string) => ends.get(`${self} ${peer}`)!;
  const write = async (peer: string, record: Uint8Array) => end(peer).port.postMessage(record);
  const secret = (peer: string) => end(peer).secret;
  const ch = new SessionChannel({ self, context: { job, attempt: 1, roster }, secret, write });
  for (const peer of ch.peers) end(peer).port.on('message', (record) => ch.deliver(peer, record));

  const share = jointSum(ch, 'wages', fromIntegers(Z2_64, pence[self]!));
  const [sum, count] = toIntegers(await openTogether(ch, share, platform.randomBytes)) as [bigint, bigint];
  console.log(`${self}: ${count} wages, total ${sum} pence, mean ${sum / count} pence`);
  for (const peer of ch.peers) end(peer).port.close();
}

await Promise.all(roster.map(party));
