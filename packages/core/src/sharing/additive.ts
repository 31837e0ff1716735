/**
 * Additive secret sharing over a ring among N ≥ 2 parties, and sharing without sending.
 *
 * Each pair of parties holds a key for each direction, k_{owner→holder}, from its session. A holder's share of an input
 * is PRG(k_{owner→holder}); the owner keeps its input minus all of these. Nothing is sent.
 *
 * Rounds    0                Sends    0 bytes; opening costs each party one vector
 * Security  Perfect for `share`, computational (AES-128-CTR) for the rest: any N−1 shares of an input are uniform. A
 *           party whose N−1 peers all collude keeps its input hidden as long as its own share is not shown to them.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { equal } from '../algebra/bytes.ts';
import { Prg, type Rng } from '../algebra/prg.ts';
import {
  add,
  addInto,
  bytesOf,
  copy,
  fromBytes,
  length,
  type Ring,
  slice,
  subInto,
  type Vector,
  vector,
} from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';

/** Splits a vector among `parties`: all shares but the last are uniform, and the last is what is missing to x. */
export function share(x: Vector, parties: number, rng: Rng): Vector[] {
  assert(Number.isInteger(parties) && parties >= 2, 'shares are for two parties or more');
  const last = copy(x);
  const shares: Vector[] = [];
  for (let i = 1; i < parties; i++) {
    const mask = fromBytes(x.ring, rng(bytesOf(x).length), length(x));
    subInto(last, mask);
    shares.push(mask);
  }
  return [...shares, last];
}

/** The sum of all shares, which is what was shared. */
export function open(shares: readonly Vector[]): Vector {
  const [first, ...others] = shares;
  assert(first !== undefined, 'there are shares to open');
  const sum = copy(first);
  for (const other of others) addInto(sum, other);
  return sum;
}

/** My share of x + c, for a public c: the first party of the roster adds it, the others keep what they have. */
export function addConstant(ch: Channel, mine: Vector, c: Vector): Vector {
  return ch.self === ch.context.roster[0] ? add(mine, c) : mine;
}

/**
 * My share of Σ over all parties of their `own` vector.
 *
 * own − Σ_h PRG(k_{me→h}) + Σ_o PRG(k_{o→me}): each mask is subtracted by one party and added by another, so the shares
 * add up to Σ own; and for any other honest party, the two masks that I share with it alone make my share uniform.
 * @throws ProtocolError SAME_KEY_BOTH_WAYS, where the two masks of a pair would cancel and leave the input bare.
 */
export function jointSum(ch: Channel, label: string, own: Vector): Vector {
  const outgoing: Uint8Array[] = [];
  const incoming: Uint8Array[] = [];
  for (const peer of ch.peers) {
    const toPeer = ch.deriveKey(ch.self, peer, label);
    const toMe = ch.deriveKey(peer, ch.self, label);
    if (equal(toPeer, toMe)) throw new ProtocolError('SAME_KEY_BOTH_WAYS', { party: peer, field: label });
    outgoing.push(toPeer);
    incoming.push(toMe);
  }
  return masked(copy(own), outgoing, incoming);
}

/** Of another's input only the form is known. */
export interface VectorForm {
  readonly ring: Ring;
  readonly length: number;
}

/** My share of one owner's input: the owner gives its vector, the others its form. */
export function inputShare(ch: Channel, label: string, owner: PartyId, own: Vector | VectorForm): Vector {
  if (owner === ch.self) {
    assert('words' in own, 'the owner gives its input');
    const outgoing = ch.peers.map((holder) => ch.deriveKey(owner, holder, label));
    return masked(copy(own), outgoing, []);
  }
  const elements = 'words' in own ? length(own) : own.length;
  return masked(vector(own.ring, elements), [], [ch.deriveKey(owner, ch.self, label)]);
}

/** Masks are made and used in pieces of so many words (24 KiB, whole elements of each ring), which stay in the first cache. */
const pieceWords = 3 * 1024;

/** target − Σ PRG(subtracted) + Σ PRG(added), in place and in one pass over the target. */
function masked(target: Vector, subtracted: readonly Uint8Array[], added: readonly Uint8Array[]): Vector {
  const subtractedStreams = subtracted.map((key) => new Prg(key));
  const addedStreams = added.map((key) => new Prg(key));
  const pieceLength = pieceWords / target.ring.limbs;
  for (let start = 0; start < length(target); start += pieceLength) {
    const piece = slice(target, start, Math.min(start + pieceLength, length(target)));
    const mask = (stream: Prg) => fromBytes(piece.ring, stream.take(piece.words.byteLength), length(piece));
    for (const stream of subtractedStreams) subInto(piece, mask(stream));
    for (const stream of addedStreams) addInto(piece, mask(stream));
  }
  return target;
}
