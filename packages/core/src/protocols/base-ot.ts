/**
 * Base oblivious transfer of random keys, after Bellare and Micali (CRYPTO 1989) as Naor and Pinkas (SODA 2001) have it,
 * over ristretto255 (RFC 9496).
 *
 * All hold an element C of unknown logarithm, hashed to the group from the session's name (RFC 9380). The sender's
 * message is R = rG. For each choice c the receiver draws k, lets PK_c = kG and PK_{1−c} = C − PK_c, and sends PK_0. Key b
 * is H(i, R, PK_0, r·PK_b): the receiver has r·PK_c = kR. Since C needs no message, both sides speak at once.
 *
 * Rounds    1                Sends    32 bytes (sender), 32 bytes an OT (receiver)
 * Security  The receiver's choice is hidden perfectly: PK_0 is uniform either way. That it has one key only rests on the
 *           computational Diffie-Hellman assumption, with H and the hash to the group as random oracles. Ristretto has
 *           prime order and one encoding an element; what is no encoding, and the identity, are refused. An active
 *           receiver can still have no more than one key of each pair; an active sender can make keys that differ from
 *           what the receiver expects, and learns nothing by it until a receiver shows which of them it holds.
 * @module
 */
import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js';
import { assert } from '../algebra/assert.ts';
import { concat, lengthPrefixed, toHex, u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { octets, recvFrom, sendTo } from './message.ts';

const { Point } = ristretto255;
type Element = InstanceType<(typeof ristretto255)['Point']>;

/** Bytes of an encoded element. */
const elementBytes = 32;

/** The element C of a session, of which nobody knows the logarithm. */
export function commonElement(session: Uint8Array): Element {
  return ristretto255_hasher.hashToCurve(session, { DST: 'folkmoot base ot v1 common element' }) as Element;
}

/** A uniform scalar that is not zero: 512 bits leave no bias after the division. */
export function drawScalar(rng: Rng): bigint {
  const scalar = BigInt(`0x${toHex(rng(64))}`) % Point.Fn.ORDER;
  assert(scalar !== 0n, 'a scalar is not zero');
  return scalar;
}

/** The sender's message R. */
export function offer(r: bigint): Element {
  return Point.BASE.multiply(r);
}

/** The receiver's PK_0 for one choice. */
export function blind(common: Element, choice: number, k: bigint): Element {
  const own = Point.BASE.multiply(k);
  const other = common.subtract(own);
  // Both are computed, so that the time does not tell the choice.
  return [own, other][choice]!;
}

/** Both keys of each OT. */
export function senderKeys(
  common: Element,
  r: bigint,
  blinded: readonly Element[],
): (readonly [Uint8Array, Uint8Array])[] {
  const offered = offer(r);
  // r·PK_1 = rC − r·PK_0: one multiplication an OT.
  const rC = common.multiply(r);
  return blinded.map((element, i) => {
    const place = placeOf(i, offered, element);
    const zero = element.multiply(r);
    return [keyOf(place, zero), keyOf(place, rC.subtract(zero))];
  });
}

/** The chosen key of each OT, by the k of each. */
export function receiverKeys(offered: Element, scalars: readonly bigint[], blinded: readonly Element[]): Uint8Array[] {
  // One base for all multiplications, so its tables are worth their making.
  offered.precompute(6);
  return blinded.map((element, i) => keyOf(placeOf(i, offered, element), offered.multiply(scalars[i]!)));
}

/**
 * An element as a peer sent it.
 * @throws RangeError for what is no canonical encoding of an element, and for the identity.
 */
export function elementOf(bytes: Uint8Array): Element {
  const element = decoded(bytes);
  if (element === undefined || element.is0()) throw new RangeError('not an element of the group, or its identity');
  return element;
}

/** `count` pairs of 16-byte keys. The session's name differs from every other, and both ends hold the same. */
export async function sendBaseOts(
  ch: Channel,
  receiver: PartyId,
  session: Uint8Array,
  count: number,
  rng: Rng,
): Promise<(readonly [Uint8Array, Uint8Array])[]> {
  const common = commonElement(session);
  const r = drawScalar(rng);

  // Round 1. R, while the receiver's elements come the other way.
  const sent = sendTo(ch, receiver, octets('base-ot/offer', elementBytes), offer(r).toBytes());
  const [bytes] = await Promise.all([recvFrom(ch, receiver, octets('base-ot/blinded', count * elementBytes)), sent]);
  return senderKeys(common, r, received(receiver, 'base-ot/blinded', bytes));
}

/** One 16-byte key for each choice (0 or 1). */
export async function recvBaseOts(
  ch: Channel,
  sender: PartyId,
  session: Uint8Array,
  choices: readonly number[],
  rng: Rng,
): Promise<Uint8Array[]> {
  const common = commonElement(session);
  const scalars = choices.map(() => drawScalar(rng));
  const blinded = choices.map((choice, i) => blind(common, choice, scalars[i]!));

  // Round 1. The elements, while R comes the other way.
  const form = octets('base-ot/blinded', choices.length * elementBytes);
  const sent = sendTo(ch, sender, form, concat(...blinded.map((element) => element.toBytes())));
  const [bytes] = await Promise.all([recvFrom(ch, sender, octets('base-ot/offer', elementBytes)), sent]);
  const [offered] = received(sender, 'base-ot/offer', bytes);
  return receiverKeys(offered!, scalars, blinded);
}

function received(party: PartyId, field: string, bytes: Uint8Array): Element[] {
  return Array.from({ length: bytes.length / elementBytes }, (_, i) => {
    try {
      return elementOf(bytes.subarray(i * elementBytes, (i + 1) * elementBytes));
    } catch (cause) {
      throw new ProtocolError('BAD_MESSAGE', { party, field, detail: 'not an element of the group', cause });
    }
  });
}

function decoded(bytes: Uint8Array): Element | undefined {
  try {
    return Point.fromBytes(bytes);
  } catch {
    return undefined;
  }
}

function placeOf(i: number, offered: Element, blinded: Element): Uint8Array {
  return lengthPrefixed(utf8('folkmoot base ot v1 key'), u32(i), offered.toBytes(), blinded.toBytes());
}

function keyOf(place: Uint8Array, shared: Element): Uint8Array {
  return sha256(place, shared.toBytes()).slice(0, 16);
}
