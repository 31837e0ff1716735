/**
 * Correlations from a dealer: a party of the session that takes no part in the computation (Beaver, STOC 1997).
 *
 * Each participant's shares are a stream under a key that it has with the dealer alone. The last participant's part of
 * each product, or of each bit's ring form, is what is missing to the relation: the dealer computes it from all streams
 * and sends it. Only the last participant asks, so that the dealer knows kinds and counts, and nothing else.
 *
 * The kinds have streams and messages of their own, so that calls of different kinds run side by side.
 *
 * Rounds    2 for each `pieceMax` items of a call; 1 to let the dealer go, which nobody waits for
 * Sends     the last participant 4 bytes a request, and 12 at the end; the dealer 4·⌈n/32⌉ bytes (bit triples) or 8·n
 *           (triples, shared bits)
 * Security  The dealer sees sizes only. But where it colludes with one participant, it knows all masks of the others, and
 *           their privacy is gone: a dealer is for those who all agree to it. An active dealer can make results wrong.
 * @module
 */
import { struct, u32 } from '../algebra/codec.ts';
import { Prg } from '../algebra/prg.ts';
import { addInto, bytesOf, fromBytes, slice, subInto, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { kernels } from '../kernels/kernels.ts';
import type { BitTriples, SharedBits, Triples } from '../sharing/beaver-triple.ts';
import { unpackBits, wordsFor } from '../sharing/bit-share.ts';
import type { Correlations, Demand } from './correlations.ts';
import { checkLengths, type Preprocessing, pieceMax, productsMax } from './cost.ts';
import { message, octets, recvFrom, sendTo } from './message.ts';
import { type Turns, turns } from './turns.ts';

type Kind = keyof Demand;
const kinds: readonly Kind[] = ['bitTriples', 'triples', 'sharedBits'];

/** So many items of the fork's kind; 0 ends the session. */
const Request = message('dealer/request', struct({ count: u32 }));

/** One participant's streams for one request, as bytes: what is uniform, and the part that the last one lacks. */
interface Drawn {
  readonly uniform: readonly Uint8Array[];
  readonly corrected: Uint8Array;
}

/** What a participant has of one kind. */
interface Line {
  readonly ch: Channel;
  readonly stream: Prg;
  readonly inTurn: Turns;
}

export interface DealerCorrelations extends Correlations {
  /** Lets the dealer go. */
  close(): Promise<void>;
}

/** A participant's end. The channel's roster holds the participants and the dealer. */
export function dealerCorrelations(parent: Channel, dealer: PartyId): DealerCorrelations {
  const ch = parent.fork('dealer');
  const isLast = participantsOf(ch, dealer).at(-1) === ch.self;
  const lineOf = (kind: Kind): Line => {
    const line = ch.fork(kind);
    return { ch: line, stream: new Prg(line.deriveKey(dealer, ch.self, 'dealer/stream')), inTurn: turns() };
  };
  const lines: Readonly<Record<Kind, Line>> = {
    bitTriples: lineOf('bitTriples'),
    triples: lineOf('triples'),
    sharedBits: lineOf('sharedBits'),
  };

  /** Asks piece by piece, where I am the one to ask. */
  const take = (kind: Kind, count: number, put: (start: number, end: number, drawn: Drawn) => void): Promise<void> => {
    const { ch, stream, inTurn } = lines[kind];
    return inTurn(async () => {
      for (let start = 0; start < count; start += pieceMax[kind]) {
        const end = Math.min(start + pieceMax[kind], count);
        const asked = isLast ? sendTo(ch, dealer, Request, { count: end - start }) : undefined;
        // The dealer draws at the same time.
        const drawn = draw(stream, kind, end - start);
        if (isLast) {
          await asked;
          const form = octets('dealer/correction', drawn.corrected.length);
          drawn.corrected.set(await recvFrom(ch, dealer, form));
        }
        put(start, end, drawn);
      }
    });
  };

  return {
    async bitTriples(count) {
      const words = wordsFor(count);
      checkLengths('bit triples', productsMax, words);
      const share: BitTriples = { a: new Uint32Array(words), b: new Uint32Array(words), c: new Uint32Array(words) };
      await take('bitTriples', count, (start, _, { uniform: [a, b], corrected }) => {
        share.a.set(wordsIn(a!), start / 32);
        share.b.set(wordsIn(b!), start / 32);
        share.c.set(wordsIn(corrected), start / 32);
      });
      return share;
    },

    async triples(count) {
      checkLengths('triples', productsMax, count);
      const share: Triples = { a: vector(Z2_64, count), b: vector(Z2_64, count), c: vector(Z2_64, count) };
      await take('triples', count, (start, end, { uniform: [a, b], corrected }) => {
        bytesOf(slice(share.a, start, end)).set(a!);
        bytesOf(slice(share.b, start, end)).set(b!);
        bytesOf(slice(share.c, start, end)).set(corrected);
      });
      return share;
    },

    async sharedBits(count) {
      checkLengths('shared bits', productsMax, count);
      const share: SharedBits = { xor: new Uint32Array(wordsFor(count)), ring: vector(Z2_64, count) };
      await take('sharedBits', count, (start, end, { uniform: [xor], corrected }) => {
        share.xor.set(wordsIn(xor!), start / 32);
        bytesOf(slice(share.ring, start, end)).set(corrected);
      });
      return share;
    },

    async close() {
      const goodbye = ({ ch, inTurn }: Line) => inTurn(() => sendTo(ch, dealer, Request, { count: 0 }));
      if (isLast) await Promise.all(Object.values(lines).map(goodbye));
    },
  };
}

/**
 * The dealer's part: serves until the participants let it go, and no more than the demand where it knows it.
 * @throws ProtocolError BAD_MESSAGE for a request that is over its limit
 */
export async function deal(parent: Channel, demand?: Demand): Promise<void> {
  const ch = parent.fork('dealer');
  await Promise.all(kinds.map((kind) => dealKind(ch.fork(kind), kind, demand?.[kind] ?? Number.POSITIVE_INFINITY)));
}

async function dealKind(ch: Channel, kind: Kind, most: number): Promise<void> {
  const asking = participantsOf(ch, ch.self).at(-1)!;
  const streams = ch.peers.map((peer) => new Prg(ch.deriveKey(ch.self, peer, 'dealer/stream')));
  for (let left = most; ; ) {
    const { count } = await recvFrom(ch, asking, Request);
    if (count === 0) return;
    if (count > Math.min(left, pieceMax[kind])) {
      throw new ProtocolError('BAD_MESSAGE', { party: asking, field: Request.label });
    }
    left -= count;
    const drawn = streams.map((stream) => draw(stream, kind, count));
    const correction = correctionOf(kind, count, drawn);
    await sendTo(ch, asking, octets('dealer/correction', correction.length), correction);
  }
}

/** What `prefetch` costs with a dealer, who is let go afterwards: bytes of the last participant and the dealer together. */
export function dealerPreprocessing(demand: Demand): Preprocessing {
  const requests = kinds.map((kind) => Math.ceil(demand[kind] / pieceMax[kind]));
  if (requests.every((count) => count === 0)) return { rounds: 0, bytes: 0 };
  const asked = 4 * requests.reduce((sum, count) => sum + count, kinds.length);
  const answered = 4 * wordsFor(demand.bitTriples) + 8 * (demand.triples + demand.sharedBits);
  return { rounds: 2 * Math.max(...requests) + 1, bytes: asked + answered };
}

/** The same links without the dealer, for the circuits: their roster is the participants. */
export function withoutDealer(ch: Channel, dealer: PartyId): Channel {
  return {
    self: ch.self,
    peers: ch.peers.filter((peer) => peer !== dealer),
    context: { ...ch.context, roster: participantsOf(ch, dealer) },
    send: (to, label, sent) => ch.send(to, label, sent),
    recv: (from, label, bytesMax) => ch.recv(from, label, bytesMax),
    fork: (label) => withoutDealer(ch.fork(label), dealer),
    deriveKey: (owner, holder, label) => ch.deriveKey(owner, holder, label),
  };
}

function participantsOf(ch: Channel, dealer: PartyId): PartyId[] {
  return ch.context.roster.filter((party) => party !== dealer);
}

/** The next shares of a participant's stream. */
function draw(stream: Prg, kind: Kind, count: number): Drawn {
  const next = (size: number): Uint8Array => {
    const out = new Uint8Array(size);
    stream.fill(out);
    return out;
  };
  const packed = 4 * wordsFor(count);
  if (kind === 'bitTriples') return { uniform: [next(packed), next(packed)], corrected: next(packed) };
  if (kind === 'triples') return { uniform: [next(8 * count), next(8 * count)], corrected: next(8 * count) };
  const bits = next(packed);
  if (count % 32 !== 0) wordsIn(bits)[packed / 4 - 1]! &= 2 ** (count % 32) - 1;
  return { uniform: [bits], corrected: next(8 * count) };
}

/** The last participant's part, by the relation and the parts of the others. */
function correctionOf(kind: Kind, count: number, drawn: readonly Drawn[]): Uint8Array {
  const k = kernels();
  const others = drawn.slice(0, -1).map(({ corrected }) => corrected);
  const sumOf = (parts: readonly Uint8Array[], sumInto: (sum: Uint8Array, part: Uint8Array) => void): Uint8Array => {
    const sum = new Uint8Array(parts[0]!.length);
    for (const part of parts) sumInto(sum, part);
    return sum;
  };
  const column = (i: number) => drawn.map(({ uniform }) => uniform[i]!);
  if (kind === 'bitTriples') {
    const [a, b, c] = [column(0), column(1), others].map((parts) => sumOf(parts, k.xorInto));
    k.andInto(a!, b!);
    k.xorInto(a!, c!);
    return a!;
  }
  const inRing = (sum: Uint8Array, part: Uint8Array) => addInto(elementsIn(sum), elementsIn(part));
  let whole: Vector;
  if (kind === 'triples') {
    whole = elementsIn(sumOf(column(0), inRing));
    k.mulInto(whole.words, elementsIn(sumOf(column(1), inRing)).words);
  } else {
    const words = wordsIn(sumOf(column(0), k.xorInto));
    whole = { ring: Z2_64, words: BigUint64Array.from(unpackBits({ count, words }), BigInt) };
  }
  subInto(whole, elementsIn(sumOf(others, inRing)));
  return bytesOf(whole);
}

function wordsIn(packed: Uint8Array): Uint32Array {
  return new Uint32Array(packed.buffer, packed.byteOffset, packed.length / 4);
}

function elementsIn(packed: Uint8Array): Vector {
  return fromBytes(Z2_64, packed, packed.length / 8);
}
