/**
 * Masks of a private set intersection: short hashes of one party's elements, and the other party's search for its own.
 *
 * They are found by a hash table with chains in typed arrays, under a multiply-shift hash (Dietzfelbinger et al., 1997)
 * whose odd factors are of this party's own chance. Masks of a peer that follows the protocol look random, and no chain of
 * them is long; those that make one are refused, so that nobody makes this party search for hours.
 *
 * Sends     n · `maskBytes`
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { octets, recvFrom, sendTo } from './message.ts';

const label = 'psi/masks';

/** Masks of one message: 704 KB at most. */
const masksPerMessage = 2 ** 16;

/** −log2 of the chance of a false match, and of two masks of the sender's that are alike. */
const statistical = 40;

/** There are two chains for each mask: one of so many has a chance far below 2^-200. */
const chainMax = 64;

/** What masks are cut from. */
const rowBytes = 16;

export interface Masks {
  /** Bytes of each, from 4 to 12. */
  readonly bytes: number;
  /** One after the other. */
  readonly all: Uint8Array;
}

/** Bytes of a mask: ⌈(40 + log2 n1 + log2 n2) / 8⌉, and 40 + log2 of the sender's pairs where these are more. */
export function maskBytes(receiverCount: number, senderCount: number): number {
  const pairs = senderCount * Math.max(receiverCount, senderCount / 2);
  let log2 = 0;
  while (2 ** log2 < pairs) log2++;
  return Math.ceil((statistical + log2) / 8);
}

/** The first bytes of each row of 16, in this order. */
export function shortened(rows: Uint8Array, bytes: number, order: Uint32Array): Masks {
  const all = new Uint8Array(bytes * order.length);
  for (let i = 0, to = 0; i < order.length; i++) {
    const from = rowBytes * order[i]!;
    for (let k = 0; k < bytes; k++) all[to++] = rows[from + k]!;
  }
  return { bytes, all };
}

/** @throws ProtocolError BAD_MESSAGE, naming the peer whose masks repeat, or are none that chance would make. */
export function maskTable(peer: PartyId, masks: Masks, rng: Rng): MaskTable {
  const table = MaskTable.of(masks, rng);
  if (table === undefined)
    throw new ProtocolError('BAD_MESSAGE', { party: peer, field: label, detail: 'masks repeat, or are not random' });
  return table;
}

export async function sendMasks(ch: Channel, peer: PartyId, { bytes, all }: Masks): Promise<void> {
  const step = bytes * masksPerMessage;
  for (let start = 0; start < all.length; start += step) {
    const piece = all.subarray(start, start + step);
    await sendTo(ch, peer, octets(label, piece.length), piece);
  }
}

export async function recvMasks(ch: Channel, peer: PartyId, bytes: number, count: number): Promise<Masks> {
  const all = new Uint8Array(bytes * count);
  const step = bytes * masksPerMessage;
  for (let start = 0; start < all.length; start += step) {
    all.set(await recvFrom(ch, peer, octets(label, Math.min(step, all.length - start))), start);
  }
  return { bytes, all };
}

export class MaskTable {
  readonly #masks: DataView;
  readonly #bytes: number;
  /** Where the second and third word of a mask begin: words overlap where it is short. */
  readonly #middle: number;
  readonly #last: number;
  readonly #factors: Int32Array;
  readonly #shift: number;
  readonly #heads: Int32Array;
  readonly #next: Int32Array;

  private constructor({ bytes, all }: Masks, rng: Rng) {
    assert(bytes >= 4 && bytes <= 12, 'three words cover a mask');
    const count = all.length / bytes;
    // Two chains for each mask, and no fewer than two.
    this.#shift = Math.clz32(count);
    this.#masks = new DataView(all.buffer, all.byteOffset, all.length);
    this.#bytes = bytes;
    this.#middle = Math.min(4, bytes - 4);
    this.#last = bytes - 4;
    this.#factors = new Int32Array(rng(12).slice().buffer).map((word) => word | 1);
    this.#heads = new Int32Array(2 ** (32 - this.#shift)).fill(-1);
    this.#next = new Int32Array(count);
  }

  /** Undefined where two are alike, or too many in one chain. */
  static of(masks: Masks, rng: Rng): MaskTable | undefined {
    const table = new MaskTable(masks, rng);
    for (let i = 0; i < table.#next.length; i++) if (!table.#put(i)) return undefined;
    return table;
  }

  /** 1 for each row of 16 bytes that begins with one of the masks, 0 for each other. */
  has(rows: Uint8Array): Uint8Array<ArrayBuffer> {
    const view = new DataView(rows.buffer, rows.byteOffset, rows.length);
    const found = new Uint8Array(rows.length / 16);
    for (let i = 0, at = 0; i < found.length; i++, at += 16) {
      if (this.#isIn(view, at, this.#chainOf(view, at))) found[i] = 1;
    }
    return found;
  }

  /** False where it is in already, or its chain is full. */
  #put(i: number): boolean {
    const at = i * this.#bytes;
    const chain = this.#chainOf(this.#masks, at);
    if (this.#isIn(this.#masks, at, chain)) return false;
    let length = 0;
    for (let other = this.#heads[chain]!; other >= 0; other = this.#next[other]!) length++;
    if (length === chainMax) return false;
    this.#next[i] = this.#heads[chain]!;
    this.#heads[chain] = i;
    return true;
  }

  #chainOf(view: DataView, at: number): number {
    const a = Math.imul(view.getInt32(at, true), this.#factors[0]!);
    const b = Math.imul(view.getInt32(at + this.#middle, true), this.#factors[1]!);
    const c = Math.imul(view.getInt32(at + this.#last, true), this.#factors[2]!);
    return (a + b + c) >>> this.#shift;
  }

  #isIn(view: DataView, at: number, chain: number): boolean {
    const a = view.getInt32(at, true);
    const b = view.getInt32(at + this.#middle, true);
    const c = view.getInt32(at + this.#last, true);
    for (let i = this.#heads[chain]!; i >= 0; i = this.#next[i]!) {
      const other = i * this.#bytes;
      if (this.#masks.getInt32(other, true) !== a) continue;
      if (this.#masks.getInt32(other + this.#middle, true) !== b) continue;
      if (this.#masks.getInt32(other + this.#last, true) === c) return true;
    }
    return false;
  }
}
