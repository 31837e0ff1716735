/**
 * What two parties of a cluster match: their sets, as a session's salt has made them, in the stages that are timed one by
 * one, and from what correlated randomness.
 *
 * Half of the smaller set is the other's as well. Results are checked against that, which is no part of any time.
 * @module
 */
import { open } from '@folkmoot/core/additive.js';
import type { Channel, PartyId } from '@folkmoot/core/channel.js';
import { joinSumsCost } from '@folkmoot/core/join-cost.js';
import { type JoinPlan, joinPlan } from '@folkmoot/core/join-plan.js';
import type { Feature, SideQuery } from '@folkmoot/core/join-query.js';
import { type Ends, joinSums } from '@folkmoot/core/join-sums.js';
import { exchange, octets } from '@folkmoot/core/message.js';
import type { PairDemand, ReceiverSource, SenderSource } from '@folkmoot/core/pair-source.js';
import { platform } from '@folkmoot/core/platform.js';
import { Prg } from '@folkmoot/core/prg.js';
import { psiVoles, recvPsi, sendPsi } from '@folkmoot/core/psi.js';
import { bytesOf, fromBytes, type Vector, Z2_64 } from '@folkmoot/core/ring.js';
import { key } from './attempt.ts';

export const joinNames = ['matches', 'hidden sums'] as const;
export type JoinName = (typeof joinNames)[number];

/** Elements of the receiver, who learns or has the hash table, and of the sender. */
export interface JoinSizes {
  readonly count: number;
  readonly peerCount: number;
}

/** Matches take evaluations alone. */
export type PairEnds =
  | { readonly role: 'receiver'; readonly source: Pick<ReceiverSource, 'vole'> }
  | { readonly role: 'sender'; readonly source: Pick<SenderSource, 'vole'> };

export interface JoinWork {
  run(ch: Channel, ends: PairEnds): Promise<void>;
  check(ch: Channel): Promise<void>;
}

const elementBytes = 16;

function sharedOf({ count, peerCount }: JoinSizes): number {
  return Math.floor(Math.min(count, peerCount) / 2);
}

/** Those that both have stand first. */
function elementsOf(role: PairEnds['role'], sizes: JoinSizes): Uint8Array {
  const count = role === 'receiver' ? sizes.count : sizes.peerCount;
  const elements = new Uint8Array(elementBytes * count);
  const end = elementBytes * sharedOf(sizes);
  new Prg(key('elements of both').subarray(0, 16)).fill(elements.subarray(0, end));
  new Prg(key(`elements of the ${role}`).subarray(0, 16)).fill(elements.subarray(end));
  return elements;
}

/** The receiver learns which of its elements the sender has. */
function matches(role: PairEnds['role'], sizes: JoinSizes): JoinWork {
  const elements = elementsOf(role, sizes);
  let found: Uint8Array | undefined;
  return {
    async run(ch, ends) {
      const [peer] = ch.peers as [PartyId];
      if (ends.role === 'receiver') {
        found = await recvPsi(ch, peer, ends.source, elements, sizes.peerCount, platform.randomBytes);
      } else await sendPsi(ch, peer, ends.source, elements, sizes.count, platform.randomBytes);
    },
    async check() {
      const shared = sharedOf(sizes);
      if (found?.some((is, i) => is !== Number(i < shared))) throw new Error('a match is wrong');
    },
  };
}

/** A number of each of the sender's people: an amount of up to 20 bits. */
const amountMax = 999_999;
const amountOf = (i: number) => (i * 7919) % (amountMax + 1);

const one: Feature = { of: 'rows', product: [], where: { kind: 'true' }, min: 1n, max: 1n };
const amount: Feature = { ...one, product: ['amount'], min: 0n, max: BigInt(amountMax) };

function sumsPlan(): JoinPlan {
  const side = (features: readonly Feature[]): SideQuery => ({
    party: '',
    dataset: { name: '' } as SideQuery['dataset'],
    key: 'id',
    rowsPerKey: 1,
    columns: [],
    where: { kind: 'true' },
    groups: [],
    cells: 1,
    features,
  });
  const terms = [0, 1].map((at) => ({ statistic: at, left: 0, right: at }));
  return joinPlan(
    { left: side([one]), right: side([one, amount]), terms, cellOf: new Int32Array(1) },
    [Z2_64, Z2_64],
    'left',
  );
}

/** How many people both have, and the sum of an amount that the sender has of them: both learn shares, and no more. */
function hiddenSums(role: PairEnds['role'], sizes: JoinSizes): JoinWork {
  const plan = sumsPlan();
  const elements = elementsOf(role, sizes);
  const keys = elements.length / elementBytes;
  const ones = new BigInt64Array(keys).fill(1n);
  const features =
    role === 'receiver' ? [ones] : [ones, BigInt64Array.from({ length: keys }, (_, i) => BigInt(amountOf(i)))];
  const set = { elements, keys, slots: 1, cells: new Int32Array(keys), features, rows: new Int32Array(keys) };
  const peerCount = role === 'receiver' ? sizes.peerCount : sizes.count;
  let shares: Vector[] = [];
  return {
    async run(ch, ends) {
      const given = { plan, set, peerCount, rings: [Z2_64, Z2_64], cells: 1 };
      shares = await joinSums(ch, ch.peers[0]!, ends as Ends, given, platform.randomBytes);
    },
    async check(ch) {
      const mine = new Uint8Array(16);
      for (const [at, share] of shares.entries()) mine.set(bytesOf(share), 8 * at);
      const all = await exchange(ch.fork('check'), octets('check/sums', 16), mine);
      const [people, sum] = open([...all.values()].map((bytes) => fromBytes(Z2_64, bytes.slice(), 2))).words;
      let expected = 0n;
      for (let i = 0; i < sharedOf(sizes); i++) expected += BigInt(amountOf(i));
      if (people !== BigInt(sharedOf(sizes)) || sum !== expected) throw new Error('a sum is wrong');
    },
  };
}

export function joinOf(name: JoinName, role: PairEnds['role'], sizes: JoinSizes): JoinWork {
  return name === 'matches' ? matches(role, sizes) : hiddenSums(role, sizes);
}

/** What a hidden join takes, as a helper knows it who has no set. */
export function joinDemand({ count, peerCount }: JoinSizes): PairDemand {
  return joinSumsCost(sumsPlan(), { receiver: count, sender: peerCount }).demand;
}

/** What matches take: evaluations alone. */
export function matchVoles({ count, peerCount }: JoinSizes): number {
  return psiVoles({ receiver: count, sender: peerCount });
}
