/**
 * The preprocessing of a demand by oblivious transfer, in lanes that need nothing of each other.
 *
 * One set of base OTs with each peer serves all lanes: lane l takes block l of the keystream of each base key for a base
 * key of its own, and makes its part of the demand in a fork of its own. How many lanes there are follows from the
 * demand alone, so that all parties agree, whatever cores each of them has; where a lane runs is the caller's choice.
 *
 * A party's Δ towards a peer is the same in all lanes. The lanes' streams are independent, so that their rows together
 * are those of one longer extension under this Δ, and the hash is as safe on them as it is there.
 *
 * Rounds    1 for the base OTs, then the longest lane's; see `otPreprocessing`
 * Sends     for each ordered pair 4,128 bytes of base OTs, and each lane's sessions and extensions
 * Security  that of the extension
 * @module
 */
import { platform } from '#platform';
import { assert } from '../algebra/assert.ts';
import { concat, lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { recvBaseOts, sendBaseOts } from './base-ot.ts';
import type { Correlations, Demand } from './correlations.ts';
import type { Preprocessing } from './cost.ts';
import { otCorrelations, otCost } from './ot-correlations.ts';
import { type BaseOts, drawDelta, type OtOptions } from './ot-extension.ts';
import { handOut, type Stock, takeStock } from './prefetch.ts';
import { bitOf } from './softspoken-ot.ts';

/** What this party holds of the base OTs with one peer: both keys of the OTs that it sent, and those it chose by Δ. */
export interface PairKeys {
  readonly peer: PartyId;
  readonly delta: Uint8Array;
  /** 128 pairs of 16 bytes. */
  readonly sent: Uint8Array;
  /** 128 times 16 bytes. */
  readonly chosen: Uint8Array;
}

/** Plain data, which may go to another thread of this party. It holds keys, and goes nowhere else. */
export interface LaneTask {
  /** How many there are, this one included. */
  readonly lanes: number;
  readonly demand: Demand;
  readonly keys: readonly PairKeys[];
  readonly options: Omit<OtOptions, 'base'>;
}

/** Hears of OTs that have become correlations, a part at a time. */
export type Made = (ots: number) => void;

/** Where lanes run. */
export interface Lanes {
  /** Runs one lane over its channel, as `runLane` does. Lanes are started all at once. */
  run(ch: Channel, task: LaneTask, made?: Made): Promise<Stock>;
}

/** More lanes than this would leave each of them short pieces. */
const lanesMax = 4;

/** OTs, as of 25,000 triples, that take about as long as a thread takes to start and to warm up: 0.15 s with one peer. */
const otsPerLane = 1_600_000;

const baseOts = 128;

/** How many lanes all parties make of a demand. */
export function lanesFor({ bitTriples, triples, sharedBits }: Demand): number {
  return Math.max(1, Math.min(lanesMax, Math.floor(otsOf({ bitTriples, triples, sharedBits }) / otsPerLane)));
}

/** OTs with one peer, one way. */
function otsOf({ bitTriples, triples, sharedBits }: Demand): number {
  return bitTriples + 64 * triples + sharedBits;
}

/** The parts of a demand, in whole blocks of the extension but for the last. */
export function laneDemands(demand: Demand): Demand[] {
  const lanes = lanesFor(demand);
  const part = (count: number, lane: number): number => {
    const end = (l: number) => Math.min(count, 128 * Math.floor((Math.ceil(count / 128) * l) / lanes));
    return end(lane + 1) - end(lane);
  };
  return Array.from({ length: lanes }, (_, lane) => ({
    bitTriples: part(demand.bitTriples, lane),
    triples: part(demand.triples, lane),
    sharedBits: part(demand.sharedBits, lane),
  }));
}

/** Makes the whole demand among the channel's parties. Without `lanes` they run side by side in this thread. */
export async function otPrefetch(
  parent: Channel,
  rng: Rng,
  demand: Demand,
  options: OtOptions = {},
  lanes: Lanes = inThisThread(rng),
  report?: (done: number) => void,
): Promise<Correlations> {
  const ch = parent.fork('lanes');
  const blocks = await baseBlocks(ch, 'lanes', lanesFor(demand), rng, options);
  return runLanes(ch, blocks, demand, options, lanes, report);
}

/** Side by side where they are asked for. */
export function inThisThread(rng: Rng): Lanes {
  return { run: (ch, task, made) => runLane(ch, task, rng, made) };
}

/**
 * Base OTs with every peer, and from them so many blocks of base keys, of which each serves one session each way. `use`
 * tells them from others of the attempt.
 */
export async function baseBlocks(
  ch: Channel,
  use: 'lanes' | 'pair',
  count: number,
  rng: Rng,
  options: OtOptions = {},
): Promise<PairKeys[][]> {
  const streams = await Promise.all(
    ch.peers.map(async (peer) => blocksOf(await pairKeys(ch, use, peer, rng, options), count)),
  );
  return Array.from({ length: count }, (_, block) => streams.map((pair) => pair[block]!));
}

/** The demand in its lanes, from a block of keys for each; `report` hears of the part that is made. */
export async function runLanes(
  ch: Channel,
  blocks: readonly PairKeys[][],
  demand: Demand,
  { base: _, ...options }: OtOptions,
  lanes: Lanes,
  report?: (done: number) => void,
): Promise<Correlations> {
  const demands = laneDemands(demand);
  let all = 0;
  const made: Made = (ots) => {
    all += ots;
    report?.(all / otsOf(demand));
  };
  const stocks = demands.map((each, lane) =>
    lanes.run(ch.fork(`${lane}`), { lanes: demands.length, demand: each, keys: blocks[lane]!, options }, made),
  );
  return handOut(await Promise.all(stocks));
}

/** Items that are asked for at once: whole exchanges of the source, so that they cost the same as in one piece. */
const lanePiece: Demand = { bitTriples: 2 ** 22, triples: 2 ** 16, sharedBits: 2 ** 20 };

/** One lane, from its keys to its part of the demand. */
export async function runLane(ch: Channel, { demand, keys, options }: LaneTask, rng: Rng, made?: Made): Promise<Stock> {
  const source = await otCorrelations(ch, rng, { ...options, base: baseOf(keys) });
  return takeStock(source, demand, lanePiece, (kind, count) =>
    made?.(otsOf({ bitTriples: 0, triples: 0, sharedBits: 0, [kind]: count })),
  );
}

/** What a session each way with every peer rests on: one block, which nothing else may use. */
export function baseOf(keys: readonly PairKeys[]): BaseOts {
  const of = (peer: PartyId) => keys.find((each) => each.peer === peer)!;
  return {
    delta: (peer) => of(peer).delta,
    async send(_, peer, _session, count) {
      assert(count === baseOts, 'a block has the keys of one session');
      const key = keysIn(of(peer).sent);
      return Array.from({ length: count }, (_, i) => [key(2 * i), key(2 * i + 1)] as const);
    },
    async recv(_, peer, _session, choices) {
      assert(choices.length === baseOts, 'a block has the keys of one session');
      return choices.map((_, i) => keysIn(of(peer).chosen)(i));
    },
  };
}

/** Both directions' base OTs with a peer. The key off the path is that of the other side, as in the extension. */
async function pairKeys(ch: Channel, use: string, peer: PartyId, rng: Rng, options: OtOptions): Promise<PairKeys> {
  const { base = { send: sendBaseOts, recv: recvBaseOts } } = options;
  const delta = drawDelta(rng, options);
  const sides = Array.from({ length: baseOts }, (_, j) => 1 - bitOf(delta, j));
  const session = (sender: PartyId, receiver: PartyId) => {
    const { job, attempt } = ch.context;
    const name = lengthPrefixed(utf8(use), job, u32(attempt), utf8(sender), utf8(receiver));
    return [ch.fork(`base/${sender}/${receiver}`), peer, name] as const;
  };
  const [chosen, sent] = await Promise.all([
    base.recv(...session(peer, ch.self), sides, rng),
    base.send(...session(ch.self, peer), baseOts, rng),
  ]);
  return { peer, delta, sent: concat(...sent.flat()), chosen: concat(...chosen) };
}

/** The blocks of each key's own keystream. */
function blocksOf({ peer, delta, sent, chosen }: PairKeys, count: number): PairKeys[] {
  const spread = (keys: Uint8Array): Uint8Array[] => {
    const all = Array.from({ length: count }, () => new Uint8Array(keys.length));
    for (let at = 0; at < keys.length; at += 16) {
      const stream = platform.aesStream(keys.subarray(at, at + 16)).next(16 * count);
      for (const [block, own] of all.entries()) own.set(stream.subarray(16 * block, 16 * block + 16), at);
    }
    return all;
  };
  const [ofSent, ofChosen] = [spread(sent), spread(chosen)];
  return ofSent.map((own, block) => ({ peer, delta, sent: own, chosen: ofChosen[block]! }));
}

function keysIn(keys: Uint8Array): (i: number) => Uint8Array {
  return (i) => keys.slice(16 * i, 16 * i + 16);
}

/** Bytes of all parties' base OTs. */
export function baseBytes(parties: number): number {
  return parties * (parties - 1) * (32 + 32 * baseOts);
}

/** What `otPrefetch` costs: bytes of all parties together. */
export function otPreprocessing(parties: number, demand: Demand, options: OtOptions = {}): Preprocessing {
  const lanes = laneDemands(demand).map((each) => otCost(parties, each, options));
  const { rounds } = lanes.reduce((longest, each) => (each.rounds > longest.rounds ? each : longest));
  const bytes = lanes.reduce((sum, each) => sum + each.bytes, baseBytes(parties));
  return { rounds: 1 + rounds, bytes };
}
