/**
 * Messages of a protocol, declared before its body: a label, a form, and the largest size that is read.
 *
 * A message that does not decode ends the protocol with BAD_MESSAGE, naming its sender and its label.
 * @module
 */
import type { Codec } from '../algebra/codec.ts';
import { bytesOf, fromBytes, type Ring, type Vector } from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';

export interface Message<T> {
  readonly label: string;
  readonly bytesMax: number;
  encode(value: T): Uint8Array;
  /** Throws for what is not exactly one value. */
  decode(bytes: Uint8Array): T;
}

/** A message of a fixed layout. */
export function message<T>(label: string, codec: Codec<T>): Message<T> {
  return { label, bytesMax: codec.size, encode: codec.encode, decode: codec.decode };
}

/** So many elements of a ring. */
export function elements(label: string, ring: Ring, count: number): Message<Vector> {
  return {
    label,
    bytesMax: count * ring.limbs * 8,
    encode: bytesOf,
    decode: (bytes) => fromBytes(ring, bytes, count),
  };
}

/** So many bytes, as they lie: a view of the message. */
export function octets(label: string, count: number): Message<Uint8Array> {
  return {
    label,
    bytesMax: count,
    encode: (bytes) => bytes,
    decode(bytes) {
      if (bytes.length !== count) throw new RangeError(`expected ${count} bytes`);
      return bytes;
    },
  };
}

export async function sendTo<T>(ch: Channel, to: PartyId, form: Message<T>, value: T): Promise<void> {
  await ch.send(to, form.label, form.encode(value));
}

export async function recvFrom<T>(ch: Channel, from: PartyId, form: Message<T>): Promise<T> {
  const bytes = await ch.recv(from, form.label, form.bytesMax);
  try {
    return form.decode(bytes);
  } catch (cause) {
    throw new ProtocolError('BAD_MESSAGE', { party: from, field: form.label, cause });
  }
}

/** One round: my value to all, theirs to me. In the roster's order, mine included. */
export async function exchange<T>(ch: Channel, form: Message<T>, mine: T): Promise<Map<PartyId, T>> {
  // Sends and receives run side by side: two parties that both wait for room in a link must still read.
  const sends = ch.peers.map((peer) => sendTo(ch, peer, form, mine));
  const receives = ch.context.roster.map(async (party): Promise<[PartyId, T]> => {
    return [party, party === ch.self ? mine : await recvFrom(ch, party, form)];
  });
  const [values] = await Promise.all([Promise.all(receives), Promise.all(sends)]);
  return new Map(values);
}
