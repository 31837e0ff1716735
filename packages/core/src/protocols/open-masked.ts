/**
 * The parties learn a value that a mask makes uniform: the step that every gate on shares takes.
 *
 * It needs no commitment: whatever a party sends, it chose before it saw anything but uniform values.
 *
 * Rounds    1 (none for no values)        Sends    the share, to each peer
 * Security  What is opened is uniform, so long as its mask is used here alone. An active party that sends another share
 *           shifts what is opened by an amount of its choice.
 * @module
 */
import { addInto, copy, length, type Vector } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { xorInto } from '../sharing/bit-share.ts';
import { elements, exchange, type Message } from './message.ts';

/** Packed bits, in so many words. */
function packed(label: string, count: number): Message<Uint32Array> {
  return {
    label,
    bytesMax: 4 * count,
    encode: (words) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength),
    decode(bytes) {
      if (bytes.length !== 4 * count) throw new RangeError(`expected ${count} words of 32 bits`);
      const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
      return new Uint32Array(aligned.buffer, aligned.byteOffset, count);
    },
  };
}

export async function openMasked(ch: Channel, label: string, mine: Vector): Promise<Vector> {
  const sum = copy(mine);
  if (length(mine) === 0) return sum;
  const shares = await exchange(ch, elements(label, mine.ring, length(mine)), mine);
  for (const [party, share] of shares) if (party !== ch.self) addInto(sum, share);
  return sum;
}

export async function openMaskedBits(ch: Channel, label: string, mine: Uint32Array): Promise<Uint32Array> {
  const sum = mine.slice();
  if (mine.length === 0) return sum;
  const shares = await exchange(ch, packed(label, mine.length), mine);
  for (const [party, share] of shares) if (party !== ch.self) xorInto(sum, share);
  return sum;
}
