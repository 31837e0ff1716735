/**
 * Private set intersection over ristretto255 (RFC 9496), after Huberman, Franklin and Hogg (EC 1999): the readable twin of
 * `psi.ts`, for small sets, and where nothing is to rest on learning parity with noise. And a form in which the receiver
 * learns how many of its elements the sender has, and not which.
 *
 * h(x) is an element of the group, hashed from x (RFC 9380). The receiver sends h(x)^a; the sender gives back h(x)^ab, and
 * masks of its own: short hashes of h(y)^b. The receiver takes its part out again, h(x)^b, and looks for the hash of that
 * among them. Where it is to learn the number alone, what is given back is in an order of chance.
 *
 * Rounds    2
 * Sends     32 bytes for each of the receiver's elements each way, and `maskBytes` for each of the sender's (sender)
 * Takes     nothing but chance: each side draws a fresh scalar. Elements of 16 bytes that differ within a party
 * Cost      for each of the receiver's elements a hash and two multiplications there and one at the sender; for each of
 *           the sender's a hash and one: a millisecond and a half in all
 * Security  With the hashes as random oracles and the decisional Diffie–Hellman assumption, h(x)^a under a fresh a, and
 *           h(y)^b under a fresh b for a y that is none of the receiver's, are random elements. Of elements that it has
 *           not, the receiver sees short hashes of such, in an order of chance. For the number alone, it sees its own
 *           elements to the b in an order of chance: which masks are common, and not whose. A receiver that departs from
 *           the protocol can send few of its elements more than once, under scalars of their own, and learn of them by
 *           the number. What is no encoding of an element, the identity, and what repeats, is refused.
 * @module
 */
import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js';
import { assert } from '../algebra/assert.ts';
import { lengthPrefixed, toHex, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { drawScalar, elementOf } from './base-ot.ts';
import type { Preprocessing } from './cost.ts';
import { maskBytes, maskTable, recvMasks, sendMasks, shortened } from './masks.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import type { SetSizes } from './psi.ts';
import { shuffled } from './shuffle.ts';

const { Point } = ristretto255;
type GroupElement = InstanceType<(typeof ristretto255)['Point']>;

const elementBytes = 16;
const encodedBytes = 32;
const hashBytes = 16;

/** Six seconds of a processor. Larger sets have `psi.ts`. */
const elementsMax = 2 ** 12;

/** What is sent, in bytes of both ends. */
export function ellipticCost({ receiver, sender }: SetSizes): Preprocessing {
  return { rounds: 2, bytes: 2 * encodedBytes * receiver + sender * maskBytes(receiver, sender) };
}

/**
 * The receiver's end: 1 for each of its elements that the sender has, 0 for each other.
 * @throws ProtocolError BAD_MESSAGE, naming the sender
 */
export async function recvEllipticPsi(
  ch: Channel,
  peer: PartyId,
  elements: Uint8Array,
  peerCount: number,
  rng: Rng,
): Promise<Uint8Array> {
  const count = countOf(elements, peerCount);
  const a = drawScalar(rng);

  // Round 1. The receiver's elements, blinded.
  const blinded = hashed(elements).map((element) => element.multiply(a));
  await sendTo(ch, peer, octets('psi/blinded', encodedBytes * count), encoded(blinded));

  // Round 2. They come back to the sender's power, and its masks with them.
  const returned = await recvElements(ch, peer, 'psi/returned', count);
  const theirs = await recvMasks(ch, peer, maskBytes(count, peerCount), peerCount);
  const unblind = Point.Fn.inv(a);
  const mine = masksOf(returned.map((element) => element.multiply(unblind)));
  return maskTable(peer, theirs, rng).has(mine);
}

/** The sender's end. */
export async function sendEllipticPsi(
  ch: Channel,
  peer: PartyId,
  elements: Uint8Array,
  peerCount: number,
  rng: Rng,
): Promise<void> {
  await answer(ch, peer, elements, peerCount, rng, false);
}

/** How many of its elements the sender has; which of them, it does not learn. */
export async function recvCardinality(
  ch: Channel,
  peer: PartyId,
  elements: Uint8Array,
  peerCount: number,
  rng: Rng,
): Promise<number> {
  const found = await recvEllipticPsi(ch, peer, elements, peerCount, rng);
  return found.reduce((sum, each) => sum + each, 0);
}

/** The sender's end. */
export async function sendCardinality(
  ch: Channel,
  peer: PartyId,
  elements: Uint8Array,
  peerCount: number,
  rng: Rng,
): Promise<void> {
  await answer(ch, peer, elements, peerCount, rng, true);
}

async function answer(
  ch: Channel,
  peer: PartyId,
  elements: Uint8Array,
  peerCount: number,
  rng: Rng,
  isNumberAlone: boolean,
): Promise<void> {
  const count = countOf(elements, peerCount);
  const b = drawScalar(rng);
  const mine = masksOf(hashed(elements).map((element) => element.multiply(b)));

  // Round 1. The receiver's elements.
  const blinded = await recvElements(ch, peer, 'psi/blinded', peerCount);

  // Round 2. Those to my power, and the masks. In the receiver's order, each tells of the element in its place.
  const raised = blinded.map((element) => element.multiply(b));
  const returned = isNumberAlone ? Array.from(shuffled(peerCount, rng), (i) => raised[i]!) : raised;
  await sendTo(ch, peer, octets('psi/returned', encodedBytes * peerCount), encoded(returned));
  await sendMasks(ch, peer, shortened(mine, maskBytes(peerCount, count), shuffled(count, rng)));
}

/** h(x). */
function hashed(elements: Uint8Array): GroupElement[] {
  return Array.from({ length: elements.length / elementBytes }, (_, i) => {
    const element = elements.subarray(i * elementBytes, (i + 1) * elementBytes);
    return ristretto255_hasher.hashToCurve(element, { DST: 'folkmoot psi v1 element' }) as GroupElement;
  });
}

function masksOf(all: readonly GroupElement[]): Uint8Array {
  const rows = new Uint8Array(hashBytes * all.length);
  for (const [i, element] of all.entries()) {
    const hash = sha256(lengthPrefixed(utf8('folkmoot psi v1 mask'), element.toBytes()));
    rows.set(hash.subarray(0, hashBytes), hashBytes * i);
  }
  return rows;
}

function encoded(all: readonly GroupElement[]): Uint8Array {
  const bytes = new Uint8Array(encodedBytes * all.length);
  for (const [i, element] of all.entries()) bytes.set(element.toBytes(), encodedBytes * i);
  return bytes;
}

/** @throws ProtocolError BAD_MESSAGE, naming the peer. */
async function recvElements(ch: Channel, peer: PartyId, label: string, count: number): Promise<GroupElement[]> {
  const bytes = await recvFrom(ch, peer, octets(label, encodedBytes * count));
  const bad = (detail: string, cause?: unknown) =>
    new ProtocolError('BAD_MESSAGE', { party: peer, field: label, detail, cause });
  const seen = new Set<string>();
  return Array.from({ length: count }, (_, i) => {
    const each = bytes.subarray(i * encodedBytes, (i + 1) * encodedBytes);
    if (seen.size === seen.add(toHex(each)).size) throw bad('elements repeat');
    try {
      return elementOf(each);
    } catch (cause) {
      throw bad('not an element of the group', cause);
    }
  });
}

function countOf(elements: Uint8Array, peerCount: number): number {
  const count = elements.length / elementBytes;
  for (const each of [count, peerCount]) {
    assert(Number.isInteger(each) && each >= 1 && each <= elementsMax, 'a set has from 1 to 2^12 elements of 16 bytes');
  }
  return count;
}
