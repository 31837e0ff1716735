/**
 * What two parties compute with, made before it: with a dealer where the job names a helper, by the two themselves
 * otherwise. Nothing of it depends on a record, so it may be made while the records are read.
 *
 * Without a dealer one set of base OTs serves everything: blocks of its keys are those of the lanes that make triples and
 * shared bits (`lanes.ts`), and one block more is that of the two silent sessions, one each way, whose transfers are
 * handed out. The sender's session gives the evaluations their Δ (`vole.ts`). All evaluations of the demand are made here,
 * and the sending ends' rows of up to `preparedMax` transfers, so that later calls wait for a change of choices at most.
 *
 * A demand counts transfers as they are taken, in whole octets call by call: a call for n transfers takes 8·⌈n/8⌉, whether
 * it goes through one extension or is cut at `otsMax`. Bit triples are taken in whole words. Evaluations are counted as
 * they are; what they take of the sender's session comes on top and is no part of the demand.
 *
 * Rounds    1 for the base OTs, then those of the longest lane, or 1 that opens the sessions and 1 for what is sent ahead;
 *           with a dealer those of `dealt-pair.ts`. Later a call beyond what is prepared has 1 more
 * Sends     `pairCost`, which has all but the changes of choices: of them the protocol that takes n transfers with choices
 *           given sends ⌈n/8⌉ bytes, over every source
 * Security  that of the silent extension, semi-honest, with one Δ towards the peer in lanes, sessions and evaluations: their
 *           rows are independent, and each hash of them has a permutation of its own; or that of `dealt-pair.ts`
 * Memory    32 bytes for each evaluation at the receiver and 16 at the sender, 16 for each prepared transfer at its sender
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import type { Demand } from './correlations.ts';
import type { Preprocessing } from './cost.ts';
import { dealtCost, dealtReceiver, dealtSender } from './dealt-pair.ts';
import { octetsOf } from './given-choices.ts';
import {
  baseBlocks,
  baseBytes,
  baseOf,
  inThisThread,
  type Lanes,
  lanesFor,
  otPreprocessing,
  runLanes,
} from './lanes.ts';
import { type OtOptions, OtReceiver, OtSender, sessionBytes } from './ot-extension.ts';
import type { PairDemand, ReceiverSource, SenderSource, VoleReceiver, VoleSender } from './pair-source.ts';
import { handOut, reel } from './prefetch.ts';
import { batchBytes, batchesFor } from './silent-ot.ts';
import { openVoleReceiver, openVoleSender, voleCost } from './vole.ts';

/** Transfers whose rows the sender makes ahead, 64 MiB: enough for what small joins take in all. */
const preparedMax = 2 ** 22;

export interface PairTerms {
  /** A party of the channel's roster that takes no part in the computation. */
  readonly helper: PartyId | null;
  readonly demand: PairDemand;
  readonly rng: Rng;
  /** Where the lanes of oblivious transfer run; in this thread by default. */
  readonly lanes?: Lanes;
  /** Hears of the part of the lanes' work that is done, which is most of a large demand. */
  readonly report?: (done: number) => void;
  /** Sessions are silent, since evaluations are. */
  readonly options?: Omit<OtOptions, 'extension'>;
}

interface Ends {
  readonly receiver: ReceiverSource;
  readonly sender: SenderSource;
}

/**
 * This party's end, once it holds what is made ahead; the helper's part is `dealPair`. The channel's roster has the two
 * and the helper, if any. It may be left to run and awaited later: a failure stays with the promise.
 */
export function pairCorrelations<Role extends keyof Ends>(
  ch: Channel,
  peer: PartyId,
  role: Role,
  terms: PairTerms,
): Promise<Ends[Role]> {
  const made: Promise<Ends[keyof Ends]> =
    role === 'receiver' ? receiverEnd(ch, peer, terms) : senderEnd(ch, peer, terms);
  made.catch(() => undefined);
  return made as Promise<Ends[Role]>;
}

async function receiverEnd(parent: Channel, peer: PartyId, terms: PairTerms): Promise<ReceiverSource> {
  const { helper, demand } = terms;
  if (helper !== null) return dealtReceiver(parent, peer, helper, demand);
  const { sender, receiver, bits } = await open(parent, peer, terms);
  const [vole] = await Promise.all([receiveAhead(receiver, demand.voles), prepare(sender, demand.otsFromReceiver)]);
  return { bits: await bits, sender, receiver, vole };
}

async function senderEnd(parent: Channel, peer: PartyId, terms: PairTerms): Promise<SenderSource> {
  const { helper, demand } = terms;
  if (helper !== null) return dealtSender(parent, peer, helper, demand);
  const { sender, receiver, bits } = await open(parent, peer, terms);
  const vole = await sendAhead(sender, demand.voles);
  await prepare(sender, demand.otsFromSender);
  return { bits: await bits, sender, receiver, vole };
}

/** The sessions, and the lanes under way. */
async function open(parent: Channel, peer: PartyId, { demand, rng, lanes, options, report }: PairTerms) {
  assert(parent.peers.length === 1 && parent.peers[0] === peer, 'two parties are in a session without a helper');
  const ch = parent.fork('pair');
  const silent: OtOptions = { ...options, extension: 'silent' };
  const wanted = bitsOf(demand);
  const blocks = await baseBlocks(ch, 'pair', (wanted === undefined ? 0 : lanesFor(wanted)) + 1, rng, silent);
  const bits =
    wanted === undefined
      ? Promise.resolve(handOut([]))
      : runLanes(ch, blocks, wanted, silent, lanes ?? inThisThread(rng), report);
  bits.catch(() => undefined);
  const over: OtOptions = { ...silent, base: baseOf(blocks.at(-1)!) };
  const sessions = [OtSender.open(ch, peer, rng, over), OtReceiver.open(ch, peer, rng, over)] as const;
  const [sender, receiver] = await Promise.all(sessions);
  return { sender, receiver, bits };
}

/**
 * Evaluations alone, so many, at the receiver's end: they need a session one way, and half of the base OTs. Without a
 * helper.
 */
export async function recvVoles(
  ch: Channel,
  peer: PartyId,
  count: number,
  rng: Rng,
  options: PairTerms['options'] = {},
): Promise<VoleReceiver> {
  return receiveAhead(await OtReceiver.open(ch, peer, rng, { ...options, extension: 'silent' }), count);
}

/** The sender's end. */
export async function sendVoles(
  ch: Channel,
  peer: PartyId,
  count: number,
  rng: Rng,
  options: PairTerms['options'] = {},
): Promise<VoleSender> {
  return sendAhead(await OtSender.open(ch, peer, rng, { ...options, extension: 'silent' }), count);
}

/** Of `recvVoles` and `sendVoles`, the base OTs included. */
export function volesCost(count: number, options: PairTerms['options'] = {}): Preprocessing {
  const voles = voleCost(count);
  const opening = baseBytes(2) / 2 + sessionBytes([], { ...options, extension: 'silent' });
  return {
    // The base OTs, the trees, and what is sent ahead.
    rounds: count === 0 ? 2 : 3,
    bytes: opening + batchBytes * batchesFor([voles.ots]) + voles.bytes,
  };
}

async function sendAhead(session: OtSender, count: number): Promise<VoleSender> {
  const vole = openVoleSender(session);
  const take = reel(bytes, [await vole.extend(count)]);
  return { delta: vole.delta, extend: async (rows) => take(16 * rows) };
}

async function receiveAhead(session: OtReceiver, count: number): Promise<VoleReceiver> {
  const { a, c } = await openVoleReceiver(session).extend(count);
  const [takeA, takeC] = [reel(bytes, [a]), reel(bytes, [c])];
  return { extend: async (rows) => ({ a: takeA(16 * rows), c: takeC(16 * rows) }) };
}

function bytes(count: number): Uint8Array {
  return new Uint8Array(count);
}

async function prepare(session: OtSender, count: number): Promise<void> {
  await session.prepare(Math.min(octetsOf(count), preparedMax));
}

/** What the lanes make, if anything. */
function bitsOf({ bitTriples, sharedBits }: PairDemand): Demand | undefined {
  return bitTriples === 0 && sharedBits === 0 ? undefined : { bitTriples, triples: 0, sharedBits };
}

/**
 * The rounds until both hold their ends, and the bytes of all parties for the whole demand but for changes of choices;
 * exact where no more is prepared than is taken.
 */
export function pairCost(
  demand: PairDemand,
  { helper, options }: Pick<PairTerms, 'helper' | 'options'>,
): Preprocessing {
  if (helper !== null) return dealtCost(demand);
  const wanted = bitsOf(demand);
  const silent: OtOptions = { ...options, extension: 'silent' };
  const base = { rounds: 1, bytes: baseBytes(2) };
  const lanes = wanted === undefined ? base : otPreprocessing(2, wanted, silent);
  const voles = voleCost(demand.voles);
  const batches = batchesFor([voles.ots, demand.otsFromSender]) + batchesFor([demand.otsFromReceiver]);
  return {
    rounds: Math.max(lanes.rounds, base.rounds + (batches === 0 ? 1 : 2)),
    bytes: lanes.bytes + 2 * sessionBytes([], silent) + batchBytes * batches + voles.bytes,
  };
}
