/**
 * Given choices in the place of random ones, after Beaver (CRYPTO 1995): the ends of OTs whose rows were made before.
 *
 * The receiver sends how its choices c' differ from the random ones c; with q' = q ⊕ (c ⊕ c')·Δ the sender has
 * q' = t ⊕ c'·Δ. OTs are taken in whole octets, so that their choices lie in bytes.
 *
 * Rounds    1 where choices are given (receiver to sender), else 0
 * Sends     ⌈n/8⌉ bytes for n given choices (receiver)
 * Security  that of the rows: the change of choices is as even as the random ones are
 * @module
 */
import type { Channel, PartyId } from '../channel/channel.ts';
import { kernels } from '../kernels/kernels.ts';
import { type Message, octets, recvFrom, sendTo } from './message.ts';
import type { ReceiverRows } from './softspoken-ot.ts';

const rowBytes = 16;

/** What turns the choices of so many OTs into given ones. */
export function choicesForm(count: number): Message<Uint8Array> {
  return octets('ot/extension', Math.ceil(count / 8));
}

/** OTs are taken in whole octets. */
export function octetsOf(count: number): number {
  return 8 * Math.ceil(count / 8);
}

/** The sender's end, over rows q of its Δ. It is asked for whole octets. */
export class RowSender {
  readonly #ch: Channel;
  readonly #peer: PartyId;
  readonly #delta: Uint8Array;
  readonly #take: (count: number) => Uint8Array;

  constructor(ch: Channel, peer: PartyId, delta: Uint8Array, take: (count: number) => Uint8Array) {
    this.#ch = ch;
    this.#peer = peer;
    this.#delta = delta;
    this.#take = take;
  }

  async extend(count: number, choices: 'random' | 'given'): Promise<Uint8Array> {
    const rows = this.#take(octetsOf(count));
    if (choices === 'random') return rows.subarray(0, rowBytes * count);
    const change = await recvFrom(this.#ch, this.#peer, choicesForm(count));
    const turned = new Uint8Array(rows.length);
    kernels().xorWhere(rows, turned, change, this.#delta);
    return turned.subarray(0, rowBytes * count);
  }
}

/** The receiver's end, over rows t and random choices c. */
export class RowReceiver {
  readonly #ch: Channel;
  readonly #peer: PartyId;
  readonly #take: (count: number) => ReceiverRows;

  constructor(ch: Channel, peer: PartyId, take: (count: number) => ReceiverRows) {
    this.#ch = ch;
    this.#peer = peer;
    this.#take = take;
  }

  async extend(count: number, given?: Uint8Array): Promise<ReceiverRows> {
    const { rows, choices } = this.#take(octetsOf(count));
    const own = rows.subarray(0, rowBytes * count);
    if (given === undefined) return { rows: own, choices };
    const change = given.slice();
    kernels().xorInto(change, choices);
    await sendTo(this.#ch, this.#peer, choicesForm(count), change);
    return { rows: own, choices: given.slice() };
  }
}
