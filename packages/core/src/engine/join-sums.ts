/**
 * The sums of a join on shares: from the sets of two sides to shares of each statistic, cell by cell.
 *
 *   match bits, carried words and flags → bits of the columns → words × match → × the receiver's factors → placed in cells
 *
 * Everything behind the matching goes bucket by bucket of bins: buckets need nothing of each other but the order of their
 * oblivious transfers.
 *
 * Rounds    and Sends: `joinSumsCost`
 * Security  that of circuit-psi, bit products, Gilboa products and placement: semi-honest. Nothing is opened but masked
 *           values; sizes are those of the classes and of the plan. An active side can make sums wrong.
 * Memory    one bucket's products beside the matching's own
 * @module
 */
import type { Rng } from '../algebra/prg.ts';
import { addInto, copy, length, type Ring, scale, scaleEach, slice, type Vector, vector } from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { recvPlaced, sendPlaced } from '../protocols/all-but-one-ot.ts';
import { and } from '../protocols/and.ts';
import { bitProducts, recvBitProducts, sendBitProducts } from '../protocols/bit-product.ts';
import { bucketsOf, recvMatches, sendMatches } from '../protocols/circuit-psi.ts';
import { recvProducts, sendProducts } from '../protocols/gilboa.ts';
import type { ReceiverSource, SenderSource } from '../protocols/pair-source.ts';
import type { SideSet } from '../query/side-set.ts';
import { type Bits, wordsFor } from '../sharing/bit-share.ts';
import type { Factor, JoinPlan, Product } from './join-plan.ts';
import { carriedBy, cellsAt, factorsAt, inRing, inSmaller, shifted } from './join-values.ts';

export interface JoinSums {
  readonly plan: JoinPlan;
  readonly set: SideSet;
  /** Elements of the other side. */
  readonly peerCount: number;
  /** Of each statistic: its ring. */
  readonly rings: readonly Ring[];
  /** Cells of the job. */
  readonly cells: number;
}

/** What both sides hold of the bins: shares, and at the receiver the element of each bin. */
interface Matched {
  readonly bits: Bits;
  /** Of the plan's columns that are words and flags, in their order. */
  readonly words: readonly Vector[];
  readonly flags: readonly Bits[];
  readonly elements: Int32Array | null;
}

/** This party's end of the pair. */
export type Ends =
  | { readonly role: 'receiver'; readonly source: ReceiverSource }
  | { readonly role: 'sender'; readonly source: SenderSource };

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
  const { plan, set } = given;
  const matched = await match(ch, peer, ends, given, rng);
  const sums = plan.products.map(({ ring }) => vector(ring, plan.cells));
  for (const [i, { start, end }] of bucketsOf(matched.bits.count).entries()) {
    const bucket = new Bucket(ch.fork(`bucket/${i}`), ends, plan, set, part(matched, start, end));
    for (const [product, placed] of (await bucket.sums()).entries()) addInto(sums[product]!, placed);
    report?.(end / matched.bits.count);
  }
  return statisticsOf(given, sums);
}

async function match(
  ch: Channel,
  peer: PartyId,
  ends: Ends,
  { plan, set, peerCount }: JoinSums,
  rng: Rng,
): Promise<Matched> {
  const { elements } = set;
  if (ends.role === 'sender') {
    const carried = carriedBy(set, plan);
    return { ...(await sendMatches(ch, peer, ends.source, { elements, peerCount, ...carried }, rng)), elements: null };
  }
  const rings = plan.wordRings.filter((ring) => ring !== null);
  const flags = plan.columns.filter(({ kind }) => kind === 'flag').length;
  const { table, ...shares } = await recvMatches(ch, peer, ends.source, { elements, peerCount, rings, flags }, rng);
  return { ...shares, elements: table.bins };
}

function part({ bits, words, flags, elements }: Matched, start: number, end: number): Matched {
  const cut = ({ words: all }: Bits): Bits => ({ count: end - start, words: all.slice(start / 32, wordsFor(end)) });
  return {
    bits: cut(bits),
    words: words.map((each) => slice(each, start, end)),
    flags: flags.map(cut),
    elements: elements?.subarray(start, end) ?? null,
  };
}

/** The work on one bucket of bins. */
class Bucket {
  readonly #ch: Channel;
  readonly #ends: Ends;
  readonly #plan: JoinPlan;
  readonly #set: SideSet;
  readonly #matched: Matched;

  constructor(ch: Channel, ends: Ends, plan: JoinPlan, set: SideSet, matched: Matched) {
    this.#ch = ch;
    this.#ends = ends;
    this.#plan = plan;
    this.#set = set;
    this.#matched = matched;
  }

  /** The sums of each product over the bucket, cell by cell of the receiver's side. */
  async sums(): Promise<Vector[]> {
    const { products, cells, slots } = this.#plan;
    const sums = products.map(({ ring }) => vector(ring, cells));
    const bits = await this.#columnBits();
    const words = await this.#matchedWords();
    for (let slot = 0; slot < slots; slot++) {
      const values = await this.#products(bits, words, slot);
      for (const [at, placed] of (await this.#place(values, slot)).entries()) addInto(sums[at]!, placed);
    }
    return sums;
  }

  /** Of each column that is no word: where bins match, and where they match and the flag is set. */
  async #columnBits(): Promise<(Bits | null)[]> {
    const { bits, flags } = this.#matched;
    // One round. Each flag with the match.
    const joined = joinedWords(flags);
    const every = joinedWords(flags.map(() => bits));
    const both = await and(this.#ch, this.#ends.source.bits, joined, every);
    let at = 0;
    return this.#plan.columns.map(({ kind }) => {
      if (kind === 'word') return null;
      if (kind === 'match') return bits;
      at += bits.words.length;
      return { count: bits.count, words: both.slice(at - bits.words.length, at) };
    });
  }

  /** Of each column that is a word: the word where bins match, and 0 elsewhere. */
  async #matchedWords(): Promise<(Vector | null)[]> {
    const { bits, words } = this.#matched;
    const products = await bitProducts(this.#ends.source, bits, words);
    let at = 0;
    return this.#plan.columns.map(({ kind }) => (kind === 'word' ? products[at++]! : null));
  }

  /** Each product in each bin. */
  async #products(bits: readonly (Bits | null)[], words: readonly (Vector | null)[], slot: number): Promise<Vector[]> {
    const { products, columns } = this.#plan;
    const values: Vector[] = new Array(products.length);
    for (const column of columns.keys()) {
      const own = products.flatMap((product, at) => (product.column === column ? [{ ...product, at }] : []));
      const bit = bits[column];
      if (bit == null) {
        for (const { ring, factor, at } of own) {
          values[at] = await this.#wordTimes(inSmaller(ring, words[column]!), this.#plan.factors[factor]!, slot);
        }
        continue;
      }
      // All factors of one bit share its transfers.
      for (const [i, value] of (await this.#bitTimes(bit, own, slot)).entries()) values[own[i]!.at] = value;
    }
    return values;
  }

  /** Factors where the bit is set. */
  async #bitTimes(bits: Bits, products: readonly Product[], slot: number): Promise<Vector[]> {
    const { source, role } = this.#ends;
    const rings = products.map(({ ring }) => ring);
    if (role === 'sender') return recvBitProducts(source.receiver, bits, rings);
    const known = products.map(({ ring, factor }) => {
      const { bits: width, low } = this.#plan.factors[factor]!;
      if (width === 0) return inRing(ring, new BigInt64Array(bits.count).fill(1n));
      return shifted(ring, this.#factorsAt(this.#plan.factors[factor]!, slot), low);
    });
    return sendBitProducts(source.sender, bits, known);
  }

  /** A word, which is shared, times a factor. */
  async #wordTimes(word: Vector, factor: Factor, slot: number): Promise<Vector> {
    const { source, role } = this.#ends;
    if (factor.bits === 0) return word;
    const product = scale(word, factor.low);
    if (role === 'sender') {
      addInto(product, await sendProducts(source.sender, word, factor.bits));
      return product;
    }
    const factors = this.#factorsAt(factor, slot);
    addInto(product, scaleEach(word, factors));
    addInto(product, await recvProducts(source.receiver, word.ring, factors, factor.bits));
    return product;
  }

  #factorsAt(factor: Factor, slot: number): BigUint64Array {
    return factorsAt(this.#set, this.#plan, factor, this.#matched.elements!, slot);
  }

  /** Each product's sum over the bins, in the cell that the receiver knows of each. */
  async #place(values: readonly Vector[], slot: number): Promise<Vector[]> {
    const { cells } = this.#plan;
    if (cells === 1) return values.map(sumOf);
    const { source, role } = this.#ends;
    return role === 'sender'
      ? sendPlaced(source.sender, values, cells)
      : recvPlaced(source.receiver, values, cellsAt(this.#set, this.#matched.elements!, slot), cells);
  }
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
