/**
 * Whom two sets have in common, on shares: a match bit for each bin of a hash table, and what the sender says of whom it
 * matches, after Pinkas, Schneider, Tkachenko and Yanai (EUROCRYPT 2019) and Rindal and Schoppmann (EUROCRYPT 2021).
 *
 *  1. Both toss the seeds. The receiver puts each of its elements into one of β bins, the sender each of its own into all
 *     of its three (`cuckoo.ts`).
 *  2. OPRF on (element, bin), of the receiver's keys.
 *  3. For each bin the sender draws a tag of ℓ = 40 + ⌈log₂ β⌉ bits and masks. It programs each of its (element, bin) with
 *     the bin's tag and the element's payload less the bin's masks. The receiver decodes what stands at its own.
 *  4. A bin matches where both tags are the same: ℓ − 1 ANDs on shares. The masks are the sender's shares of the payload,
 *     what the receiver has decoded are its own.
 *
 * In a bin that does not match, and in one that is empty, where the receiver draws its own, the payload's shares add up to
 * noise: who uses them multiplies them by the match bit.
 *
 * Rounds    2 for the seeds, 1 for the OPRF, 1 for the hint and ⌈log₂ ℓ⌉ for each bucket of bins, and those of the
 *           evaluations
 * Sends     `matchesCost`        Takes    an evaluation for each row of the OPRF, ℓ − 1 bit triples for each bin, rounded up
 *                                         to 32 bins
 * Security  Semi-honest. The sender sees the OPRF's message, and masked bits. What the receiver decodes is uniform, whether
 *           a bin matches or not: every bit of it is masked by the bin's own, and one element of a bin alone is the
 *           receiver's. Two different elements have the same tag in any bin with a chance of 2^-40. Elements are to look
 *           random (`cuckoo.ts`), so that (element, bin) may be one block. An active party can make matches wrong.
 * Fails     CUCKOO_FULL and OKVS_FULL, each with a chance of 2^-40 at most: both ends throw the same, for good
 * Memory    At 2^20 elements each and a payload of one word 250 MB a party beside the OPRF's own.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Rng } from '../algebra/prg.ts';
import { length, type Ring, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { isFolkmootError, ProtocolError } from '../channel/errors.ts';
import { type Bits, not, type Planes, plane, planesOf, wordsFor } from '../sharing/bit-share.ts';
import { allOf, allOfCost } from './and.ts';
import { toss, tossBytes } from './coin-toss.ts';
import type { Correlations } from './correlations.ts';
import { checkLengths, inSequence } from './cost.ts';
import { binsFor, type CuckooTable, cuckooTable, simpleTable } from './cuckoo.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import { opprfBytes, type Program, recvOpprf, sendOpprf } from './opprf.ts';
import { evaluateOprf, oprfCost, recvOprf, sendOprf } from './oprf.ts';
import type { ReceiverSource, SenderSource } from './pair-source.ts';

const elementBytes = 16;
const seedBytes = 16;

/** Two different elements may have the same tag with a chance of 2^-40 over all bins. */
const statisticalBits = 40;

/** Bins that are compared together: planes of 1 MiB, and few rounds for large sets. */
export const bucketBins = 2 ** 17;

export interface ReceiverInput {
  /** 16 bytes each; all differ. */
  readonly elements: Uint8Array;
  /** How many the sender has. */
  readonly peerCount: number;
  /** Of the payload's vectors, and how many bits it has besides. */
  readonly rings: readonly Ring[];
  readonly flags: number;
}

export interface SenderInput {
  readonly elements: Uint8Array;
  /** How many the receiver has. */
  readonly peerCount: number;
  /** The payload: of each vector one element, and one of all bits, for each element of the set. */
  readonly words: readonly Vector[];
  readonly flags: readonly Bits[];
}

/** Shares of what stands in the bins. */
export interface Matches {
  readonly bits: Bits;
  readonly words: readonly Vector[];
  readonly flags: readonly Bits[];
}

/** The receiver's also say which of its elements each bin has. */
export interface ReceiverMatches extends Matches {
  readonly table: CuckooTable;
}

/** What may have failed at the receiver before the hint; it tells the place in this list, from 1 on, or 0. */
const failures = ['CUCKOO_FULL', 'OKVS_FULL'] as const;

const Ready = octets('circuit-psi/ready', 1);

/**
 * The receiver's end. The channel is that of the two alone.
 * @throws ProtocolError CUCKOO_FULL, OKVS_FULL: at both ends; BAD_MESSAGE, BAD_COMMITMENT
 */
export async function recvMatches(
  parent: Channel,
  peer: PartyId,
  source: ReceiverSource,
  { elements, peerCount, rings, flags }: ReceiverInput,
  rng: Rng,
): Promise<ReceiverMatches> {
  const ch = parent.fork('circuit-psi');
  const seeds = await tossSeeds(ch, peer, rng);
  const layout = layoutOf(elements.length / elementBytes, rings, flags);

  // The OPRF, and whether there was a table and a store to run it on.
  const { table, question } = await reported(ch, peer, async () => {
    const table = cuckooTable(elements, seeds.table);
    const keys = keysOf(elements, heldBy(table));
    const outputs = await recvOprf(ch.fork('oprf'), peer, source.vole, keys, seeds.oprf, rng, layout.blocks);
    return { table, question: { keys, outputs, count: 3 * peerCount, seed: seeds.hint } };
  });

  // The hint. What it says stands in the bins of the keys, and in the others what nobody can tell from it.
  const values = await recvOpprf(ch.fork('opprf'), peer, question);
  const { tags, ...payload } = columnsOf(layout, rowsOf(layout, table, values, rng));
  return { bits: await sameTags(ch, source.bits, tags), ...payload, table };
}

/** The sender's end. */
export async function sendMatches(
  parent: Channel,
  peer: PartyId,
  source: SenderSource,
  { elements, peerCount, words, flags }: SenderInput,
  rng: Rng,
): Promise<Matches> {
  const ch = parent.fork('circuit-psi');
  const count = elements.length / elementBytes;
  checkLengths('circuit-psi', count, count, ...words.map(length), ...flags.map((each) => each.count));
  const seeds = await tossSeeds(ch, peer, rng);
  const rings = words.map(({ ring }) => ring);
  const layout = layoutOf(peerCount, rings, flags.length);

  // The OPRF. Where the receiver has failed, its part of it does not come.
  const oprf = sendOprf(ch.fork('oprf'), peer, source.vole, peerCount, seeds.oprf);
  const [key] = await Promise.all([oprf, heard(ch, peer)]);

  // The hint, from tags and masks that are uniform in every bit.
  const masks = rng(elementBytes * layout.blocks * layout.bins).slice();
  const program = programOf(layout, elements, payloadsOf(layout, count, words, flags), masks, seeds);
  const outputs = (keys: Uint8Array) => evaluateOprf(key, keys, layout.blocks);
  await sendOpprf(ch.fork('opprf'), peer, program, outputs, rng);
  const { tags, ...payload } = columnsOf(layout, masks);
  return { bits: await sameTags(ch, source.bits, tags), ...payload };
}

interface Seeds {
  readonly table: Uint8Array;
  readonly oprf: Uint8Array;
  readonly hint: Uint8Array;
}

/** Tossed when the elements are settled: who knew them before could pick elements that fail, and who chose them could tell. */
async function tossSeeds(ch: Channel, peer: PartyId, rng: Rng): Promise<Seeds> {
  const coins = await toss(ch, peer, 3 * seedBytes, rng);
  const [table, oprf, hint] = [0, 1, 2].map((i) => coins.slice(i * seedBytes, (i + 1) * seedBytes));
  return { table: table!, oprf: oprf!, hint: hint! };
}

/** Tells the sender how it went: of what may fail, nothing else has been sent by then. */
async function reported<T>(ch: Channel, peer: PartyId, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    const failure = isFolkmootError(error) ? (failures as readonly string[]).indexOf(error.code) : -1;
    if (failure >= 0) await sendTo(ch, peer, Ready, Uint8Array.of(1 + failure));
    throw error;
  }
  await sendTo(ch, peer, Ready, Uint8Array.of(0));
  return result;
}

async function heard(ch: Channel, peer: PartyId): Promise<void> {
  const [failure] = await recvFrom(ch, peer, Ready);
  if (failure === 0) return;
  const code = failures[failure! - 1];
  if (code === undefined) throw new ProtocolError('BAD_MESSAGE', { party: peer, field: Ready.label });
  throw new ProtocolError(code, { party: peer });
}

/** Elements in bins, one entry for each. */
interface Entries {
  readonly elements: Int32Array;
  readonly bins: Int32Array;
}

function heldBy({ bins }: CuckooTable): Entries {
  const held = Int32Array.from(bins.keys()).filter((bin) => bins[bin]! >= 0);
  return { elements: held.map((bin) => bins[bin]!), bins: held };
}

/** The bin of each entry. */
function binsOf(starts: Int32Array): Int32Array {
  const bins = new Int32Array(starts.at(-1)!);
  for (let bin = 0; bin + 1 < starts.length; bin++) bins.fill(bin, starts[bin], starts[bin + 1]);
  return bins;
}

/** (element, bin) as one block: the bin is added to the first four bytes. */
function keysOf(elements: Uint8Array, entries: Entries): Uint8Array {
  const from = new Uint32Array(elements.slice().buffer);
  const keys = new Uint32Array(4 * entries.bins.length);
  for (let i = 0, to = 0; i < entries.bins.length; i++, to += 4) {
    const at = 4 * entries.elements[i]!;
    keys[to] = from[at]! ^ entries.bins[i]!;
    keys[to + 1] = from[at + 1]!;
    keys[to + 2] = from[at + 2]!;
    keys[to + 3] = from[at + 3]!;
  }
  return new Uint8Array(keys.buffer);
}

/**
 * What is programmed, in words of 64 bits: an element of each vector, then the tag's bits, and right behind them the flags.
 * What is left of the last block is noise.
 */
interface Layout {
  readonly bins: number;
  readonly tagBits: number;
  readonly rings: readonly Ring[];
  readonly flags: number;
  /** The word that the tag begins in. */
  readonly head: number;
  readonly blocks: number;
}

function layoutOf(receiverCount: number, rings: readonly Ring[], flags: number): Layout {
  const bins = binsFor(receiverCount);
  const tagBits = statisticalBits + 32 - Math.clz32(bins - 1);
  assert(tagBits <= 64, 'a tag has a word');
  const head = rings.reduce((sum, { limbs }) => sum + limbs, 0);
  const words = head + Math.ceil((tagBits + flags) / 64);
  return { bins, tagBits, rings, flags, head, blocks: Math.ceil(words / 2) };
}

/** A row for each element, with zeros at the tag. */
function payloadsOf(layout: Layout, count: number, words: readonly Vector[], flags: readonly Bits[]): Uint32Array {
  const stride = 4 * layout.blocks;
  const rows = new Uint32Array(stride * count);
  let start = 0;
  for (const { ring, words: column } of words) {
    const halves = new Uint32Array(column.buffer, column.byteOffset, 2 * column.length);
    const width = 2 * ring.limbs;
    for (let from = 0, to = start; from < halves.length; to += stride) {
      for (let half = 0; half < width; half++) rows[to + half] = halves[from++]!;
    }
    start += width;
  }
  for (const [i, bits] of flags.entries()) {
    const place = layout.tagBits + i;
    for (let element = 0, to = start + (place >>> 5); element < count; element++, to += stride) {
      rows[to]! |= ((bits.words[element >>> 5]! >>> (element & 31)) & 1) << (place & 31);
    }
  }
  return rows;
}

/** Each of the sender's elements in its three bins. */
function programOf(
  layout: Layout,
  elements: Uint8Array,
  payloads: Uint32Array,
  masks: Uint8Array,
  seeds: Seeds,
): Program {
  const { starts, entries } = simpleTable(elements, seeds.table, layout.bins);
  const bins = binsOf(starts);
  const keys = keysOf(elements, { elements: entries, bins });
  return { keys, values: maskedPayloads(layout, payloads, masks, entries, bins), seed: seeds.hint };
}

/** The values of the bins that hold an element, and random rows in the others. */
function rowsOf({ bins, blocks }: Layout, table: CuckooTable, values: Uint8Array, rng: Rng): Uint8Array {
  const rowBytes = elementBytes * blocks;
  const rows = rng(rowBytes * bins).slice();
  for (let bin = 0, from = 0; bin < bins; bin++) {
    if (table.bins[bin]! < 0) continue;
    rows.set(values.subarray(from, from + rowBytes), rowBytes * bin);
    from += rowBytes;
  }
  return rows;
}

/** For each entry its element's payload less its bin's masks: in the vectors' rings, and by xor for all else. */
function maskedPayloads(
  layout: Layout,
  payloads: Uint32Array,
  masks: Uint8Array,
  entries: Int32Array,
  bins: Int32Array,
): Uint8Array {
  const stride = 4 * layout.blocks;
  const taken = new Uint32Array(masks.buffer, masks.byteOffset, masks.length / 4);
  const values = new Uint32Array(stride * entries.length);
  // The last half of each element: no borrow goes beyond it.
  const isLast = new Uint8Array(2 * layout.head);
  let end = 0;
  for (const { limbs } of layout.rings) {
    end += 2 * limbs;
    isLast[end - 1] = 1;
  }
  for (let i = 0; i < entries.length; i++) {
    const [from, mask, to] = [stride * entries[i]!, stride * bins[i]!, stride * i];
    let borrow = 0;
    for (let half = 0; half < isLast.length; half++) {
      const x = payloads[from + half]!;
      const y = taken[mask + half]!;
      const difference = (x - y - borrow) | 0;
      values[to + half] = difference;
      borrow = isLast[half] === 1 ? 0 : ((~x & y) | ((~x | y) & difference)) >>> 31;
    }
    for (let half = isLast.length; half < stride; half++) {
      values[to + half] = payloads[from + half]! ^ taken[mask + half]!;
    }
  }
  return new Uint8Array(values.buffer);
}

/** Rows of all bins, column by column. */
function columnsOf(
  layout: Layout,
  rows: Uint8Array,
): { readonly tags: Planes; readonly words: Vector[]; readonly flags: Bits[] } {
  const { bins, tagBits } = layout;
  let start = 0;
  const next = (ring: Ring) => {
    start += ring.limbs;
    return columnOf(rows, layout, ring, start - ring.limbs);
  };
  const words = layout.rings.map(next);
  const bits: Uint32Array[] = [];
  for (let left = tagBits + layout.flags; left > 0; left -= 64) {
    const planes = planesOf(next(Z2_64), Math.min(64, left));
    for (let j = 0; j < planes.width; j++) bits.push(plane(planes, j));
  }
  const tags = new Uint32Array(tagBits * wordsFor(bins));
  for (let j = 0; j < tagBits; j++) tags.set(bits[j]!, j * wordsFor(bins));
  return {
    tags: { count: bins, width: tagBits, words: tags },
    words,
    // In memory of their own: they outlive the tags.
    flags: bits.slice(tagBits).map((each) => ({ count: bins, words: each.slice() })),
  };
}

/** One element of each row, from this word on. */
function columnOf(rows: Uint8Array, { bins, blocks }: Layout, ring: Ring, word: number): Vector {
  const column = vector(ring, bins);
  const from = new Uint32Array(rows.buffer, rows.byteOffset, rows.length / 4);
  const to = new Uint32Array(column.words.buffer);
  const width = 2 * ring.limbs;
  for (let bin = 0, at = 2 * word; bin < bins; bin++, at += 4 * blocks) {
    for (let half = 0; half < width; half++) to[width * bin + half] = from[at + half]!;
  }
  return column;
}

/** From where to where each bucket of bins goes: whole words of bits. */
export function bucketsOf(bins: number): { readonly start: number; readonly end: number }[] {
  return Array.from({ length: Math.ceil(bins / bucketBins) }, (_, i) => {
    return { start: i * bucketBins, end: Math.min((i + 1) * bucketBins, bins) };
  });
}

/**
 * Where the parties' tags are the same, bucket by bucket. Each knows its own, and both together are the bits of a
 * difference: one party flips its bits, and then a bin matches where all of them are set.
 */
async function sameTags(ch: Channel, source: Correlations, tags: Planes): Promise<Bits> {
  const same = new Uint32Array(wordsFor(tags.count));
  for (const [i, { start, end }] of bucketsOf(tags.count).entries()) {
    const bucket = ch.fork(`bucket/${i}`);
    const planes = Array.from({ length: tags.width }, (_, j): Bits => {
      return not(bucket, { count: end - start, words: plane(tags, j).subarray(start / 32, wordsFor(end)) });
    });
    const [matches] = await allOf(bucket, source, [planes]);
    same.set(matches!.words, start / 32);
  }
  return { count: tags.count, words: same };
}

export interface MatchesCost {
  readonly rounds: number;
  /** Of both ends. */
  readonly bytes: number;
  readonly bitTriples: number;
  readonly voles: number;
}

/** Of both ends, besides the source's own. */
export function matchesCost(
  receiverCount: number,
  senderCount: number,
  payload: { readonly rings: readonly Ring[]; readonly flags: number },
): MatchesCost {
  const { bins, tagBits, blocks } = layoutOf(receiverCount, payload.rings, payload.flags);
  const oprf = oprfCost(receiverCount);
  const buckets = bucketsOf(bins).map(({ start, end }) => allOfCost(2, [{ entries: tagBits, count: end - start }]));
  const compared = inSequence(...buckets);
  return {
    // Coins, the OPRF with whether it went well, and the hint.
    rounds: 2 + oprf.rounds + 1 + compared.rounds,
    bytes:
      2 * tossBytes(3 * seedBytes) +
      oprf.bytes +
      Ready.bytesMax +
      opprfBytes(3 * senderCount, blocks) +
      2 * compared.bytes,
    bitTriples: compared.bitTriples,
    voles: oprf.voles,
  };
}
