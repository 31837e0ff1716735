/**
 * The sums of a join on shares: from the sets of two sides to shares of each statistic, cell by cell.
 *
 *   elements → match bits and what the sender's elements carry → buckets of bins → sums of products → statistics
 *
 * Everything behind the matching is done in buckets of bins that need nothing of each other (`join-bucket.ts`).
 *
 * Rounds    and Sends: `joinSumsCost`
 * Security  that of circuit-psi, bit products, Gilboa products and placement: semi-honest. Nothing is opened but masked
 *           values; sizes are those of the classes and of the plan. An active side can make sums wrong.
 * Memory    what the buckets under way take, beside the matching's own
 * @module
 */
import type { Rng } from '../algebra/prg.ts';
import { addInto, type Ring, slice, type Vector, vector } from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { type Matches, recvMatches, sendMatches } from '../protocols/circuit-psi.ts';
import type { ReceiverSource, SenderSource } from '../protocols/pair-source.ts';
import { takePair } from '../protocols/pair-stock.ts';
import type { SideSet } from '../query/side-set.ts';
import { type Bits, wordsFor } from '../sharing/bit-share.ts';
import { type Buckets, type BucketTask, type KnownBins, runBucket } from './join-bucket.ts';
import { bucketsAtOnce, bucketsOf, demandOf } from './join-cost.ts';
import { type JoinPlan, payloadOf } from './join-plan.ts';
import { carriedBy, cellsAt, factorsAt } from './join-values.ts';

/** This party's end of the pair. */
export type Ends =
  | { readonly role: 'receiver'; readonly source: ReceiverSource }
  | { readonly role: 'sender'; readonly source: SenderSource };

export interface JoinSums {
  readonly plan: JoinPlan;
  readonly set: SideSet;
  /** Elements of the other side. */
  readonly peerCount: number;
  /** Of each statistic: its ring. */
  readonly rings: readonly Ring[];
  /** Cells of the job. */
  readonly cells: number;
  /** Where buckets are worked on; in this thread by default. `bucketsAtOnce` of them are under way. */
  readonly buckets?: Buckets;
}

/**
 * Shares of all statistics, each a vector over the job's cells. `report` hears of the part that is done.
 * @throws ProtocolError CUCKOO_FULL, OKVS_FULL, BAD_MESSAGE
 */
export async function joinSums(
  ch: Channel,
  peer: PartyId,
  ends: Ends,
  given: JoinSums,
  rng: Rng,
  report?: (done: number) => void,
): Promise<Vector[]> {
  const { plan, buckets = { run: runBucket } } = given;
  const { elements, ...matches } = await match(ch, peer, ends, given, rng);
  const bins = matches.bits.count;
  const sums = plan.products.map(({ ring }) => vector(ring, plan.cells));
  const ranges = bucketsOf(plan, bins);
  for (let first = 0; first < ranges.length; first += bucketsAtOnce) {
    const underWay: Promise<Vector[]>[] = [];
    for (const [at, { start, end }] of ranges.slice(first, first + bucketsAtOnce).entries()) {
      const { bitTriples, otsFromSender, otsFromReceiver } = demandOf(plan, end - start);
      const [sent, received] =
        ends.role === 'sender' ? [otsFromSender, otsFromReceiver] : [otsFromReceiver, otsFromSender];
      const task: BucketTask = {
        plan,
        ...part(matches, start, end),
        known: elements === null ? null : known(given, elements.subarray(start, end)),
        stock: await takePair(ends.source, { bitTriples, sent, received }),
      };
      const bucket = buckets.run(ch.fork(`bucket/${first + at}`), peer, task);
      // It may fail while the next one is prepared, before anyone waits for it.
      bucket.catch(() => undefined);
      underWay.push(bucket);
    }
    for (const bucket of await Promise.all(underWay)) {
      for (const [product, sum] of bucket.entries()) addInto(sums[product]!, sum);
    }
    report?.(ranges[Math.min(first + bucketsAtOnce, ranges.length) - 1]!.end / bins);
  }
  return statisticsOf(given, sums);
}

/** The receiver also knows which of its elements each bin has. */
async function match(
  ch: Channel,
  peer: PartyId,
  ends: Ends,
  { plan, set, peerCount }: JoinSums,
  rng: Rng,
): Promise<Matches & { readonly elements: Int32Array | null }> {
  const { elements } = set;
  if (ends.role === 'sender') {
    const carried = carriedBy(set, plan);
    return { ...(await sendMatches(ch, peer, ends.source, { elements, peerCount, ...carried }, rng)), elements: null };
  }
  const input = { elements, peerCount, ...payloadOf(plan) };
  const { table, ...shares } = await recvMatches(ch, peer, ends.source, input, rng);
  return { ...shares, elements: table.bins };
}

function part({ bits, words, flags }: Matches, start: number, end: number): Matches {
  const cut = ({ words: all }: Bits): Bits => ({ count: end - start, words: all.slice(start / 32, wordsFor(end)) });
  return { bits: cut(bits), words: words.map((each) => slice(each, start, end)), flags: flags.map(cut) };
}

function known({ plan, set }: JoinSums, elements: Int32Array): KnownBins {
  const slots = Array.from({ length: plan.slots }, (_, slot) => slot);
  const none = new BigUint64Array(0);
  return {
    factors: slots.map((slot) =>
      plan.factors.map((factor) => (factor.bits === 0 ? none : factorsAt(set, plan, factor, elements, slot))),
    ),
    cells: plan.cells === 1 ? [] : slots.map((slot) => cellsAt(set, elements, slot)),
  };
}

/** From the sums of products to statistics over the cells of the job. */
function statisticsOf({ plan, rings, cells }: JoinSums, sums: readonly Vector[]): Vector[] {
  const statistics = rings.map((ring) => vector(ring, cells));
  for (const { product, statistic, cells: places } of plan.addends) {
    for (const [own, cell] of places.entries()) {
      addInto(slice(statistics[statistic]!, cell, cell + 1), slice(sums[product]!, own, own + 1));
    }
  }
  return statistics;
}
