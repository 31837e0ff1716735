/**
 * Correlations by oblivious transfer among the N ≥ 2 parties themselves, with nobody's help.
 *
 * A product of two sums is the sum of all products of two parties' parts (Goldreich, Micali and Wigderson, STOC 1987):
 * own ones each party multiplies itself, the others come from one correlated OT for bits, and from Gilboa's 64 for
 * elements of Z_2^64. Between two parties the bits are those of random OTs, whose outputs are such products already: the
 * sender's a is the xor of its two, the receiver's b its choice. A bit is shared both ways party by party: z ← z + b − 2·z·b for the next party's b, whose product
 * with each earlier party's part of z is one correlated OT.
 *
 * With e(n) the bytes of an extension of n OTs with choices given, and every ordered pair (i sends, j receives):
 * Rounds    opening 2 (1 for k = 1); bit triples 2 a call of `bitsPerCall`, among two none (1 for k trees' extensions); triples 2 a call of `productsPerCallMax`;
 *           shared bits N a call of `bitsPerCall`; 1 more for each call that needs a batch of the silent engine
 * Sends     bit triples e(32·⌈n/32⌉) (j) and 4·⌈n/32⌉ (i), among two the extension with random choices alone; triples e(2,048·⌈n/32⌉) (j) and 260·32·⌈n/32⌉ (i); shared
 *           bits, for i before j in the roster only, e(n) (j) and 8·n (i)
 * Security  Semi-honest, up to N−1 colluding. An active party can make correlations wrong, in ways that depend on
 *           another's part of them, and would learn that part if it saw which results come out wrong.
 * @module
 */
import type { Rng } from '../algebra/prg.ts';
import { addInto, copy, fromBytes, slice, subInto, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { kernels } from '../kernels/kernels.ts';
import type { BitTriples, SharedBits, Triples } from '../sharing/beaver-triple.ts';
import { wordsFor } from '../sharing/bit-share.ts';
import type { Correlations, Demand } from './correlations.ts';
import { checkLengths, type Preprocessing, productsMax } from './cost.ts';
import { productBytes, productsPerCallMax, recvProducts, sendProducts } from './gilboa.ts';
import {
  recvCorrelated,
  recvCorrelatedBits,
  recvRandomBits,
  sendCorrelated,
  sendCorrelatedBits,
  sendRandomBits,
} from './oblivious-transfer.ts';
import {
  extensionDefault,
  type OtOptions,
  OtReceiver,
  OtSender,
  sessionBytes,
  treeBitsDefault,
} from './ot-extension.ts';
import { batchesFor } from './silent-ot.ts';
import { turns } from './turns.ts';

/** Bits of one exchange: its extensions have 8 MiB at k = 2, and its masks 8 MiB for shared bits. */
const bitsPerCall = 2 ** 20;

interface Pair {
  readonly sender: OtSender;
  readonly receiver: OtReceiver;
}

/** Opens a session each way with every peer. Fresh in each attempt; it ends with its channel. */
export async function otCorrelations(parent: Channel, rng: Rng, options?: OtOptions): Promise<Correlations> {
  const ch = parent.fork('ot-correlations');
  const opened = ch.peers.map(async (peer): Promise<[PartyId, Pair]> => {
    const both = [OtSender.open(ch, peer, rng, options), OtReceiver.open(ch, peer, rng, options)] as const;
    const [sender, receiver] = await Promise.all(both);
    return [peer, { sender, receiver }];
  });
  const pairs = new Map(await Promise.all(opened));
  const inTurn = turns();

  return {
    bitTriples: (count) => inTurn(() => bitTriples(pairs, rng, count)),
    triples: (count) => inTurn(() => triples(pairs, rng, count)),
    sharedBits: (count) => inTurn(() => sharedBits(ch, pairs, rng, count)),
  };
}

async function bitTriples(pairs: ReadonlyMap<PartyId, Pair>, rng: Rng, count: number): Promise<BitTriples> {
  const words = wordsFor(count);
  checkLengths('bit triples', productsMax, words);
  if (pairs.size === 1) return bitTriplesOfTwo([...pairs.values()][0]!, words);
  const [a, b] = [randomWords(rng, words), randomWords(rng, words)];
  const c = a.map((word, i) => word & b[i]!);
  for (let start = 0; start < words; start += bitsPerCall / 32) {
    const part = (all: Uint32Array) => all.subarray(start, start + bitsPerCall / 32);
    const [mine, choices, sum] = [bytesOf(part(a)), bytesOf(part(b)), bytesOf(part(c))];
    const bits = 8 * mine.length;
    const crossed = [...pairs.values()].flatMap(({ sender, receiver }) => [
      sendCorrelatedBits(sender, bits, mine),
      recvCorrelatedBits(receiver, bits, choices),
    ]);
    for (const product of await Promise.all(crossed)) kernels().xorInto(sum, product);
  }
  return { a, b, c };
}

/**
 * One direction gives y_0, y_1 to the sender and y_c to the receiver, so that y_0 ⊕ y_c = c·(y_0 ⊕ y_1): with a = y_0 ⊕ y_1
 * and b = c they are shares of a·b. Both directions, and each party's own a·b, are the product of the sums.
 */
async function bitTriplesOfTwo({ sender, receiver }: Pair, words: number): Promise<BitTriples> {
  const triples = { a: new Uint32Array(words), b: new Uint32Array(words), c: new Uint32Array(words) };
  for (let start = 0; start < words; start += bitsPerCall / 32) {
    const part = (all: Uint32Array) => bytesOf(all.subarray(start, start + bitsPerCall / 32));
    const [a, b, c] = [part(triples.a), part(triples.b), part(triples.c)];
    const [sent, received] = await Promise.all([
      sendRandomBits(sender, 8 * a.length),
      recvRandomBits(receiver, 8 * a.length),
    ]);
    b.set(received.choices);
    a.set(sent.zero);
    kernels().xorInto(a, sent.one);
    c.set(a);
    kernels().andInto(c, b);
    kernels().xorInto(c, sent.zero);
    kernels().xorInto(c, received.chosen);
  }
  return triples;
}

async function triples(pairs: ReadonlyMap<PartyId, Pair>, rng: Rng, count: number): Promise<Triples> {
  checkLengths('triples', productsMax, count);
  const [a, b] = [randomVector(rng, count), randomVector(rng, count)];
  const c = copy(a);
  kernels().mulInto(c.words, b.words);
  for (let start = 0; start < count; start += productsPerCallMax) {
    const part = (all: Vector) => slice(all, start, Math.min(start + productsPerCallMax, count));
    const crossed = [...pairs.values()].flatMap(({ sender, receiver }) => [
      sendProducts(sender, part(a)),
      recvProducts(receiver, Z2_64, part(b).words),
    ]);
    for (const product of await Promise.all(crossed)) addInto(part(c), product);
  }
  return { a, b, c };
}

async function sharedBits(
  ch: Channel,
  pairs: ReadonlyMap<PartyId, Pair>,
  rng: Rng,
  count: number,
): Promise<SharedBits> {
  checkLengths('shared bits', productsMax, count);
  const xor = randomWords(rng, wordsFor(count));
  if (count % 32 !== 0) xor[xor.length - 1]! &= 2 ** (count % 32) - 1;
  const ring = vector(Z2_64, count);
  for (let start = 0; start < count; start += bitsPerCall) {
    const end = Math.min(start + bitsPerCall, count);
    const bits = bytesOf(xor).subarray(start / 8, Math.ceil(end / 8));
    ring.words.set((await toRing(ch, pairs, end - start, bits)).words, start);
  }
  return { xor, ring };
}

/** Additive shares of bits that are shared by xor; packed, with zeros behind the last. */
async function toRing(
  ch: Channel,
  pairs: ReadonlyMap<PartyId, Pair>,
  count: number,
  bits: Uint8Array,
): Promise<Vector> {
  const { roster } = ch.context;
  const me = roster.indexOf(ch.self);
  const own = asElements(count, bits);
  let z = me === 0 ? own : vector(Z2_64, count);
  const later = roster.slice(me + 1).map((peer) => pairs.get(peer)!.sender);
  await Promise.all(later.map((sender) => sender.prepare(count)));

  // My turn. Each earlier party multiplies its part of z by my bits, and together these are z·b.
  if (me > 0) {
    const products = await Promise.all(
      roster.slice(0, me).map((peer) => recvCorrelated(pairs.get(peer)!.receiver, [Z2_64], count, bits)),
    );
    z = copy(own);
    for (const [product] of products) subTwice(z, product!);
  }
  // The later parties' turns. What I send as x leaves me with −x as my share of the product.
  for (const sender of later) {
    const [x] = await sendCorrelated(sender, [z]);
    addInto(z, x!);
    addInto(z, x!);
  }
  return z;
}

/** target −= 2·v. */
function subTwice(target: Vector, v: Vector): void {
  subInto(target, v);
  subInto(target, v);
}

/** Each bit as an element. */
function asElements(count: number, bits: Uint8Array): Vector {
  const padded = new BigUint64Array(8 * bits.length);
  kernels().selectInto(padded, new BigUint64Array(padded.length).fill(1n), bits);
  return { ring: Z2_64, words: padded.slice(0, count) };
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function randomWords(rng: Rng, count: number): Uint32Array {
  return new Uint32Array(rng(4 * count).slice().buffer);
}

function randomVector(rng: Rng, count: number): Vector {
  return fromBytes(Z2_64, rng(8 * count).slice(), count);
}

/**
 * What the opening of all sessions over base OTs made before, and then one call of each kind, cost: bytes of all parties
 * together.
 */
export function otCost(parties: number, demand: Demand, options: OtOptions = {}): Preprocessing {
  const { extension = extensionDefault, k = treeBitsDefault } = options;
  const pairs = (parties * (parties - 1)) / 2;
  const words = wordsFor(demand.bitTriples);
  const products = 32 * Math.ceil(demand.triples / 32);
  // Between two, random OTs are bit triples.
  const isRandom = parties === 2;
  const [given, random] = isRandom ? [[64 * products], [32 * words]] : [[32 * words, 64 * products], []];
  const bits = exchangesOf(32 * words, bitsPerCall);
  const exchanges = [...bits, ...exchangesOf(64 * products, 64 * productsPerCallMax)];
  const turned = exchangesOf(demand.sharedBits, bitsPerCall);
  const waits = batchWaits([...exchanges, ...turned]).map((wait) => wait && extension === 'silent');
  const opening = extension === 'silent' || k > 1 ? 1 : 0;
  const own = (i: number) => (isRandom && i < bits.length ? (extension === 'silent' ? 0 : 1) : 2);
  return {
    rounds:
      opening +
      exchanges.reduce((sum, _, i) => sum + own(i) + (waits[i] ? 1 : 0), 0) +
      turnRounds(parties, waits.slice(exchanges.length)),
    bytes:
      pairs * (sessionBytes(given, options, random) + sessionBytes([...given, demand.sharedBits], options, random)) +
      2 * pairs * ((isRandom ? 0 : 4 * words) + productBytes * products) +
      pairs * 8 * demand.sharedBits,
  };
}

/** OTs of each exchange of a call. */
function exchangesOf(ots: number, most: number): number[] {
  return Array.from({ length: Math.ceil(ots / most) }, (_, i) => Math.min(most, ots - i * most));
}

/** Which exchanges would wait for a batch of the silent engine; all but the last are of whole bytes. */
function batchWaits(exchanges: readonly number[]): boolean[] {
  let [ots, batches] = [0, 0];
  return exchanges.map((count) => {
    const before = batches;
    ots += count;
    batches = batchesFor([ots]);
    return batches > before;
  });
}

/**
 * Rounds of exchanges of shared bits, of which some wait for a batch. The parties that are first in the roster begin
 * one while the last still end another, so it is followed who is free when.
 */
function turnRounds(parties: number, waits: readonly boolean[]): number {
  const free = Array.from({ length: parties }, () => 0);
  for (const wait of waits) {
    const start = free.slice();
    for (let i = 0; i < parties; i++) {
      for (let j = i + 1; j < parties; j++) {
        // The round of j's choices, behind the batch that i begins with, and then that of i's correction.
        const choices = (wait ? Math.max(start[i]! + 1, start[j]!) : start[j]!) + 1;
        const correction = Math.max(choices, free[i]!) + 1;
        free[i] = correction - 1;
        free[j] = Math.max(free[j]!, correction);
      }
    }
  }
  return Math.max(...free);
}
