/**
 * A node that takes part in one job, over a hand-driven link, with the parts of core and transport that a real one uses.
 * @module
 */

import { fromHex } from '@folkmoot/core/bytes.js';
import { charterHashBytes, partiesOf } from '@folkmoot/core/charter.js';
import { sign } from '@folkmoot/core/identity.js';
import { evaluate } from '@folkmoot/core/local.js';
import { openingVerifier } from '@folkmoot/core/opening-signature.js';
import { platform } from '@folkmoot/core/platform.js';
import { runJob } from '@folkmoot/core/run-job.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { seal } from '@folkmoot/transport/envelope.js';
import { openChannel } from '@folkmoot/transport/peer-network.js';
import { acceptanceOf, type Consortium, type Party, parties } from '../../coordinator/test/consortium.ts';
import { ScriptedNode } from '../../coordinator/test/scripted-node.ts';

export type Row = { kind: string; weight: number; serial: number };

export interface Part {
  readonly moot: Consortium;
  readonly url: string;
  readonly party: Party;
  readonly rows: readonly Row[];
  /** What it sends in place of the bytes it committed to. */
  readonly change?: ((sealed: Uint8Array) => Uint8Array) | undefined;
  /** The period of its data, for protected jobs. */
  readonly period?: string;
  /** Of its reading. */
  readonly fingerprint?: string;
  /** Is shown every message of the node's link, both ways. */
  readonly tap?: (bytes: Uint8Array) => void;
}

/** A node that comes back is told of jobs that ended meanwhile. */
export const isOver = ({ type }: { type: string }) => type === 'abort' || type === 'cancel';

/** Logs in; `finished` resolves with the party's share in clear, when the coordinator has stored it sealed. */
export async function takePart({
  moot,
  url,
  party,
  rows,
  change = (sealed) => sealed,
  period,
  fingerprint,
  tap,
}: Part) {
  const node = await ScriptedNode.login(moot, url, party, tap);
  const { charter, keys } = moot;
  const finished = (async () => {
    const { job, attempt, signed } = await node.next('invite', isOver);
    const acceptance = acceptanceOf(moot, party, job, 2, period, fingerprint);
    await node.send({ type: 'accepted', job, attempt, acceptance });
    const { acceptances } = await node.next('start', isOver);
    const network = await openChannel({
      self: party,
      context: { job: fromHex(job), attempt, roster: parties },
      charterHash: charterHashBytes(charter),
      parties: partiesOf(charter),
      staticKey: keys[party].secret.static,
      peerStatic: (peer) => fromHex(charter.parties[peer]!.static!),
      links: node.sessions,
      clock: systemClock,
    });
    const terms = { signed: signed as never, charter, acceptances: acceptances as never, nowMs: Date.now() };
    let share: Uint8Array = new Uint8Array();
    const opening = await runJob(network.channel, terms, {
      localQuery: async (query, dataset) => evaluate(query, dataset, rows),
      seal: (message, { recipient, analyst }) => {
        share = Uint8Array.from(message);
        return seal(recipient, { job: fromHex(job), attempt, sender: party, recipient: analyst }, message);
      },
      durable: async () => undefined,
      noiseKey: keys[party].secret.node,
      rng: platform.randomBytes,
      signatures: {
        sign: (statement) => sign(keys[party].secret.identity, 'folkmoot opening v1', statement),
        verify: openingVerifier(charter),
      },
      release: async () => undefined,
    });
    await node.sendOpening(job, change(opening.sealed), opening.commitments, opening.signatures);
    await node.next('stored');
    return share;
  })();
  return { node, finished };
}
