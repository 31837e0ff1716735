/**
 * One bucket of bins of a join: from the match bits and what the sender's elements carry to the sum of every product over
 * the bucket, for each of the receiver's cells.
 *
 *   bits of the columns → words × match → × the receiver's factors → placed in cells
 *
 * A bucket's task is plain data and needs nothing of any other bucket: it may be worked on in another thread or on another
 * machine of the party, in any order, if the other side works on the same bucket over the same channel.
 *
 * Rounds    and Sends: those of `bucketSteps`
 * Security  that of bit products, Gilboa products and placement: semi-honest
 * Memory    16 bytes a transfer, and each product of each bin
 * @module
 */
import { addInto, copy, length, type Ring, scale, scaleEach, slice, type Vector, vector } from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { placedCost, recvPlaced, sendPlaced } from '../protocols/all-but-one-ot.ts';
import { and, andCost } from '../protocols/and.ts';
import { bitProductCost, bitProducts, recvBitProducts, sendBitProducts } from '../protocols/bit-product.ts';
import { productCost, recvProducts, sendProducts } from '../protocols/gilboa.ts';
import type { TransferCost } from '../protocols/oblivious-transfer.ts';
import type { PairSource } from '../protocols/pair-source.ts';
import { type PairStock, pairOver } from '../protocols/pair-stock.ts';
import { type Bits, wordsFor } from '../sharing/bit-share.ts';
import { type JoinPlan, type Product, payloadOf } from './join-plan.ts';
import { inRing, inSmaller, shifted } from './join-values.ts';

/** What the receiver knows of the bins, slot by slot. */
export interface KnownBins {
  /** `[slot][factor]`: less the factor's low, as whole numbers; empty where the factor is 1 everywhere. */
  readonly factors: readonly (readonly BigUint64Array[])[];
  /** `[slot]`: the cell of each bin, −1 for none. */
  readonly cells: readonly Int32Array[];
}

export interface BucketTask {
  readonly plan: JoinPlan;
  /** Shares: where bins match, and of the plan's columns those that are words and flags, in their order. */
  readonly bits: Bits;
  readonly words: readonly Vector[];
  readonly flags: readonly Bits[];
  /** At the receiver; null at the sender. */
  readonly known: KnownBins | null;
  readonly stock: PairStock;
}

/** Where buckets are worked on. */
export interface Buckets {
  /** Works on one bucket over its channel, as `runBucket` does. */
  run(ch: Channel, peer: PartyId, task: BucketTask): Promise<Vector[]>;
}

/** Shares of each product's sum over the bucket, of as many elements as the receiver has cells. */
export async function runBucket(ch: Channel, peer: PartyId, task: BucketTask): Promise<Vector[]> {
  const { plan } = task;
  const source = pairOver(ch, peer, task.stock);
  const sums = plan.products.map(({ ring }) => vector(ring, plan.cells));
  const bits = await columnBits(ch, source, task);
  const words = await matchedWords(source, task);
  for (let slot = 0; slot < plan.slots; slot++) {
    const values = await products(source, task, bits, words, slot);
    for (const [at, placed] of (await place(source, task, values, slot)).entries()) addInto(sums[at]!, placed);
  }
  return sums;
}

/** Of each column that is no word: where bins match, and where they match and the flag is set. */
async function columnBits(
  ch: Channel,
  source: PairSource,
  { plan, bits, flags }: BucketTask,
): Promise<(Bits | null)[]> {
  // One round. Each flag with the match.
  const both = await and(ch, source.bits, joinedWords(flags), joinedWords(flags.map(() => bits)));
  let at = 0;
  return plan.columns.map(({ kind }) => {
    if (kind === 'word') return null;
    if (kind === 'match') return bits;
    at += bits.words.length;
    return { count: bits.count, words: both.slice(at - bits.words.length, at) };
  });
}

/** Of each column that is a word: the word where bins match, and 0 elsewhere. */
async function matchedWords(source: PairSource, { plan, bits, words }: BucketTask): Promise<(Vector | null)[]> {
  const matched = await bitProducts(source, bits, words);
  let at = 0;
  return plan.columns.map(({ kind }) => (kind === 'word' ? matched[at++]! : null));
}

/** Each product in each bin. */
async function products(
  source: PairSource,
  task: BucketTask,
  bits: readonly (Bits | null)[],
  words: readonly (Vector | null)[],
  slot: number,
): Promise<Vector[]> {
  const { plan, known } = task;
  const values: Vector[] = new Array(plan.products.length);
  const placed = plan.products.map((product, at) => ({ ...product, at }));
  const byColumn = Map.groupBy(placed, ({ column }) => column);
  for (const column of plan.columns.keys()) {
    const own = byColumn.get(column) ?? [];
    const bit = bits[column];
    if (bit == null) {
      for (const product of own) values[product.at] = await wordTimes(source, task, words[column]!, product, slot);
      continue;
    }
    // All factors of one bit share its transfers.
    const found =
      known === null
        ? await recvBitProducts(source.receiver, bit, ringsOf(own))
        : await sendBitProducts(
            source.sender,
            bit,
            own.map((product) => factorOf(task, known, product, slot)),
          );
    for (const [i, value] of found.entries()) values[own[i]!.at] = value;
  }
  return values;
}

/** A factor in every bin, which the receiver knows. */
function factorOf({ plan, bits }: BucketTask, known: KnownBins, { ring, factor }: Product, slot: number): Vector {
  const { bits: width, low } = plan.factors[factor]!;
  if (width === 0) return inRing(ring, new BigInt64Array(bits.count).fill(1n));
  return shifted(ring, known.factors[slot]![factor]!, low);
}

/** A word, which is shared, times a factor. */
async function wordTimes(
  source: PairSource,
  { plan, known }: BucketTask,
  word: Vector,
  { ring, factor }: Product,
  slot: number,
): Promise<Vector> {
  const { bits, low } = plan.factors[factor]!;
  const own = inSmaller(ring, word);
  if (bits === 0) return own;
  const product = scale(own, low);
  if (known === null) {
    addInto(product, await sendProducts(source.sender, own, bits));
    return product;
  }
  const factors = known.factors[slot]![factor]!;
  addInto(product, scaleEach(own, factors));
  addInto(product, await recvProducts(source.receiver, ring, factors, bits));
  return product;
}

/** Each product's sum over the bins, in the cell that the receiver knows of each. */
async function place(
  source: PairSource,
  { plan, known }: BucketTask,
  values: Vector[],
  slot: number,
): Promise<Vector[]> {
  if (plan.cells === 1) return values.map(sumOf);
  if (known === null) return sendPlaced(source.sender, values, plan.cells);
  return recvPlaced(source.receiver, values, known.cells[slot]!, plan.cells);
}

function joinedWords(bits: readonly Bits[]): Uint32Array {
  const all = new Uint32Array(bits.reduce((sum, { words }) => sum + words.length, 0));
  let at = 0;
  for (const { words } of bits) {
    all.set(words, at);
    at += words.length;
  }
  return all;
}

/** By halves, so that rings of any width add up in whole vectors. */
function sumOf(values: Vector): Vector {
  let rest = copy(values);
  while (length(rest) > 1) {
    const half = length(rest) >> 1;
    const odd = length(rest) % 2;
    addInto(slice(rest, 0, half), slice(rest, half + odd, length(rest)));
    rest = slice(rest, 0, half + odd);
  }
  return length(rest) === 1 ? copy(rest) : vector(values.ring, 1);
}

function ringsOf(products: readonly Product[]): Ring[] {
  return products.map(({ ring }) => ring);
}

/** One step of a bucket: all exchange a message, or one end of the transfers sends choices and the other answers. */
export type Step =
  | { readonly kind: 'exchange'; readonly rounds: number; readonly bytes: number; readonly bitTriples: number }
  | { readonly kind: 'transfer'; readonly cost: TransferCost; readonly from: 'sender' | 'receiver' | 'both' };

/** The steps of a bucket of so many bins, in their order. `from` is whose session of transfers it is. */
export function bucketSteps(plan: JoinPlan, count: number): Step[] {
  const { rings: words, flags } = payloadOf(plan);
  const { rounds, bytes, bitTriples } = andCost(2, flags * wordsFor(count));
  const steps: Step[] = [
    { kind: 'exchange', rounds, bytes: 2 * bytes, bitTriples },
    { kind: 'transfer', cost: bitProductCost(count, words), from: 'both' },
  ];
  const byColumn = Map.groupBy(plan.products, ({ column }) => column);
  for (let slot = 0; slot < plan.slots; slot++) {
    for (const [at, { kind }] of plan.columns.entries()) {
      const own = byColumn.get(at) ?? [];
      if (kind !== 'word') {
        steps.push({ kind: 'transfer', cost: bitProductCost(count, ringsOf(own)), from: 'receiver' });
        continue;
      }
      for (const { ring, factor } of own) {
        const { bits } = plan.factors[factor]!;
        if (bits > 0) steps.push({ kind: 'transfer', cost: productCost(count, ring, bits), from: 'sender' });
      }
    }
    if (plan.cells > 1) {
      steps.push({ kind: 'transfer', cost: placedCost(count, ringsOf(plan.products), plan.cells), from: 'sender' });
    }
  }
  return steps;
}
