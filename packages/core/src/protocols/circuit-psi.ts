/**
 * Whom two sets have in common, on shares: a match bit for each bin of a hash table, and what the sender says of whom it
 * matches, after Pinkas, Schneider, Tkachenko and Yanai (EUROCRYPT 2019) and Rindal and Schoppmann (EUROCRYPT 2021).
 *
 *  1. Both toss the seeds. The receiver puts each of its elements into one of β bins, the sender each of its own into all
 *     of its three (`cuckoo.ts`).
 *  2. OPRF on (element, bin), of the receiver's keys.
 *  3. For each bin the sender draws a tag of ℓ = 40 + ⌈log₂ β⌉ bits and masks. It programs each of its (element, bin) with
 *     the bin's tag and the element's payload less the bin's masks, in one hint or, where it is large, in several over the
 *     same keys. The receiver decodes what stands at its own.
 *  4. A bin matches where both tags are the same: ℓ − 1 ANDs on shares. The masks are the sender's shares of the payload,
 *     what the receiver has decoded are its own.
 *
 * In a bin that does not match, and in one that is empty, where the receiver draws its own, the payload's shares add up to
 * noise: who uses them multiplies them by the match bit.
 *
 * Rounds    2 for the seeds, 1 for the OPRF, 1 for the hints and ⌈log₂ ℓ⌉ for each bucket of bins, and those of the
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
import { opprfBytes, recvOpprf, sendOpprf } from './opprf.ts';
import { evaluateOprf, type OprfKey, oprfCost, recvOprf, sendOprf } from './oprf.ts';
import type { ReceiverSource, SenderSource } from './pair-source.ts';

const elementBytes = 16;
const seedBytes = 16;

/** Bins of each of the sender's elements. */
const hashes = 3;

/** Two different elements may have the same tag with a chance of 2^-40 over all bins. */
const statisticalBits = 40;

/** The sender's elements are evaluated in steps of so many bytes. */
const stepBytes = 2 ** 23;

/** What of a payload goes in one hint: two blocks at 2^20 elements, whose values and store then have 240 MB. */
const hintBytes = 192 * 2 ** 20;

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
  const layouts = layoutsOf(elements.length / elementBytes, peerCount, rings, flags);

  // The OPRF, and whether there was a table and a store to run it on.
  const { table, keys, outputs } = await reported(ch, peer, async () => {
    const table = cuckooTable(elements, seeds.table);
    const keys = keysOf(elements, heldBy(table));
    return { table, keys, outputs: await recvOprf(ch.fork('oprf'), peer, source.vole, keys, seeds.oprf, rng) };
  });

  // The hints. What they say stands in the bins of the keys, and in the others what nobody can tell from it.
  const columns: Columns[] = [];
  for (const [i, layout] of layouts.entries()) {
    const { first, blocks } = layout;
    const question = { keys, outputs, count: hashes * peerCount, seed: seeds.hint, first, blocks };
    const values = await recvOpprf(ch.fork(`hint/${i}`), peer, question);
    columns.push(columnsOf(layout, rowsOf(layout, table, values, rng)));
  }
  const { tags, ...payload } = joined(columns);
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
  const layouts = layoutsOf(peerCount, count, rings, flags.length);

  // The OPRF. Where the receiver has failed, its part of it does not come.
  const oprf = sendOprf(ch.fork('oprf'), peer, source.vole, peerCount, seeds.oprf);
  const [key] = await Promise.all([oprf, heard(ch, peer)]);

  // The hints, from tags and masks that are uniform in every bit.
  const entries = entriesOf(elements, seeds.table, binsFor(peerCount));
  const keys = keysOf(elements, entries);
  const outputs = evaluated(key, keys);
  const columns: Columns[] = [];
  let sent = 0;
  for (const [i, layout] of layouts.entries()) {
    const masks = rng(elementBytes * layout.blocks * layout.bins).slice();
    const payloads = payloadsOf(layout, count, words.slice(sent, sent + layout.rings.length), flags);
    const values = maskedPayloads(layout, payloads, masks, entries);
    const program = { keys, outputs, values, seed: seeds.hint, first: layout.first };
    await sendOpprf(ch.fork(`hint/${i}`), peer, program, rng);
    columns.push(columnsOf(layout, masks));
    sent += layout.rings.length;
  }
  const { tags, ...payload } = joined(columns);
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

/** Each element in its three bins. */
function entriesOf(elements: Uint8Array, seed: Uint8Array, count: number): Entries {
  const { starts, entries } = simpleTable(elements, seed, count);
  const bins = new Int32Array(entries.length);
  for (let bin = 0; bin < count; bin++) bins.fill(bin, starts[bin], starts[bin + 1]);
  return { elements: entries, bins };
}

/** F of each key, which the store of the OPRF decodes in steps. */
function evaluated(key: OprfKey, keys: Uint8Array): Uint8Array {
  const outputs = new Uint8Array(keys.length);
  for (let start = 0; start < keys.length; start += stepBytes) {
    outputs.set(evaluateOprf(key, keys.subarray(start, start + stepBytes)), start);
  }
  return outputs;
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
 * What one hint says, in words of 64 bits: an element of each of its vectors, then (in the first hint) the tag's bits, and
 * right behind them the flags. What is left of the last block is noise.
 */
interface Layout {
  readonly bins: number;
  /** 0 in all hints but the first, as are the flags. */
  readonly tagBits: number;
  readonly rings: readonly Ring[];
  readonly flags: number;
  /** The word that the tag begins in. */
  readonly head: number;
  readonly blocks: number;
  /** Blocks of the hints before. */
  readonly first: number;
}

/** As many vectors in each hint as it has room for. */
function layoutsOf(receiverCount: number, senderCount: number, rings: readonly Ring[], flags: number): Layout[] {
  const bins = binsFor(receiverCount);
  const tagBits = statisticalBits + 32 - Math.clz32(bins - 1);
  assert(tagBits <= 64, 'a tag has a word');
  const blocksMax = Math.max(
    1,
    Math.floor(hintBytes / Math.max(opprfBytes(hashes * senderCount, 1), elementBytes * bins)),
  );
  const layouts: Layout[] = [];
  for (let from = 0, first = 0; from < rings.length || first === 0; ) {
    const heads = first === 0 ? { tagBits, flags } : { tagBits: 0, flags: 0 };
    const bits = Math.ceil((heads.tagBits + heads.flags) / 64);
    let [to, head] = [from, 0];
    while (to < rings.length && (bits + head === 0 || bits + head + rings[to]!.limbs <= 2 * blocksMax)) {
      head += rings[to++]!.limbs;
    }
    const blocks = Math.ceil((bits + head) / 2);
    layouts.push({ bins, ...heads, rings: rings.slice(from, to), head, blocks, first });
    first += blocks;
    from = to;
  }
  return layouts;
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
  for (const [i, bits] of flags.slice(0, layout.flags).entries()) {
    const place = layout.tagBits + i;
    for (let element = 0, to = start + (place >>> 5); element < count; element++, to += stride) {
      rows[to]! |= ((bits.words[element >>> 5]! >>> (element & 31)) & 1) << (place & 31);
    }
  }
  return rows;
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
function maskedPayloads(layout: Layout, payloads: Uint32Array, masks: Uint8Array, entries: Entries): Uint8Array {
  const stride = 4 * layout.blocks;
  const taken = new Uint32Array(masks.buffer, masks.byteOffset, masks.length / 4);
  const values = new Uint32Array(stride * entries.bins.length);
  // The last half of each element: no borrow goes beyond it.
  const isLast = new Uint8Array(2 * layout.head);
  let end = 0;
  for (const { limbs } of layout.rings) {
    end += 2 * limbs;
    isLast[end - 1] = 1;
  }
  for (let i = 0; i < entries.bins.length; i++) {
    const [from, mask, to] = [stride * entries.elements[i]!, stride * entries.bins[i]!, stride * i];
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
interface Columns {
  readonly tags: Planes;
  readonly words: readonly Vector[];
  readonly flags: readonly Bits[];
}

function columnsOf(layout: Layout, rows: Uint8Array): Columns {
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

/** Of all hints: the first has the tags. */
function joined(columns: readonly Columns[]): Columns {
  return {
    tags: columns[0]!.tags,
    words: columns.flatMap(({ words }) => words),
    flags: columns.flatMap(({ flags }) => flags),
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
  /** The last of them, in which bins are compared: the sender begins with these when its hint has gone out. */
  readonly compared: number;
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
  const layouts = layoutsOf(receiverCount, senderCount, payload.rings, payload.flags);
  const [{ bins, tagBits }] = layouts as [Layout];
  const hints = layouts.reduce((sum, { blocks }) => sum + opprfBytes(hashes * senderCount, blocks), 0);
  const oprf = oprfCost(receiverCount);
  const buckets = bucketsOf(bins).map(({ start, end }) => allOfCost(2, [{ entries: tagBits, count: end - start }]));
  const compared = inSequence(...buckets);
  return {
    // Coins, the OPRF with whether it went well, and the hints.
    rounds: 2 + oprf.rounds + 1 + compared.rounds,
    compared: compared.rounds,
    bytes: 2 * tossBytes(3 * seedBytes) + oprf.bytes + Ready.bytesMax + hints + 2 * compared.bytes,
    bitTriples: compared.bitTriples,
    voles: oprf.voles,
  };
}
