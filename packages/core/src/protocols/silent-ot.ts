/**
 * Silent oblivious transfer extension, semi-honest, after Boyle et al. (CRYPTO 2019), with the correlated trees of Guo
 * et al. (EUROCRYPT 2023), an expand–convolute code (CRYPTO 2023) and seeds that each batch leaves for the next, as in
 * Ferret (Yang, Weng, Lan, Zhang and Wang, CCS 2020).
 *
 * Noise e of n bits has one 1 in each of t parts, whose places are t apart. Each part is a tree of which the receiver
 * lacks the leaf at the 1, so that both ends have n rows with q = t ⊕ e·Δ; the code, which is linear, makes of them N = n/2 whose choices look
 * random. The low bit of Δ is 1 and that of every leaf is cleared, so that the choice is the low bit of the row t and
 * needs no encoding of its own: 127 bits of Δ are secret. The last rows of a batch are the correlated OTs of the next
 * one's trees; those of the first come from another extension.
 *
 * Rounds    1 for the batches that are prepared together (sender to receiver), and 1 where choices are given
 * Sends     25,344 bytes for each 88,352 OTs (sender): 0.29 an OT; ⌈n/8⌉ bytes for n given choices (receiver)
 * Security  Learning parity with noise for this code and regular noise, in its dual form, at 128 bits (see
 *           `expand-convolute.ts`), and π an ideal permutation. An active sender can send corrections that fail for
 *           some noise only, and learns a bit of it where the protocol above then shows a failure; an active receiver
 *           has no message but its given choices, which are masked.
 * Memory    A session's sender holds 16 bytes for each OT that it has prepared, its receiver those of one or two batches;
 *           and a thread 12 MB for its tables and rows, and up to 23 MB of batches for the next ones.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { AesPermutation } from '../algebra/platform.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { kernels } from '../kernels/kernels.ts';
import { correctionBytes, growHeld, growOwned } from './correlated-tree.ts';
import { choicesForm, octetsOf } from './given-choices.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import type { ReceiverRows } from './softspoken-ot.ts';
import { treeField } from './tree-field.ts';

const rowBytes = 16;

/** Noisy places, one in each tree: for the code's relative distance of 0.2, by (1 − 0.4)^176 < 2^-128. */
const trees = 176;

/**
 * Levels of a tree, which has 2^10 leaves. By `benchmarks/ot.ts` the rate is the same from 9 to 11, since the rows of a
 * batch (2.9 MB) stay in a third-level cache; a smaller batch has more bytes an OT, a larger one keeps short jobs waiting.
 */
const levels = 10;

const noiseRows = trees * 2 ** levels;
const codeRows = noiseRows / 2;

/** Correlated OTs that a batch needs. */
export const seedOts = trees * levels;

/** OTs of one batch, for use: the seeds of the next one are taken off. */
export const batchOts = codeRows - seedOts;

/** Bytes of one batch, sender to receiver. */
export const batchBytes = correctionBytes(trees, levels);

/** Batches that calls for so many OTs need. */
export function batchesFor(calls: readonly number[]): number {
  return Math.ceil(calls.reduce((sum, count) => sum + octetsOf(count), 0) / batchOts);
}

/** Memory of batches that are used up, for the next ones: fresh memory costs as much as what is written to it. */
const spare: Uint8Array[] = [];
const spareMax = 16;

/** One a thread: every session's batches are made in it, one after the other. */
const fieldOf = treeField(trees, levels, 'bits');

/** The sender's part of a batch: its rows, and the correction for the receiver. */
export function sendBatch(
  pi: AesPermutation,
  seeds: Uint8Array,
  delta: Uint8Array,
): { rows: Uint8Array; correction: Uint8Array<ArrayBuffer> } {
  const { code, ground } = fieldOf();
  const correction = growOwned(ground, pi, seeds, delta, trees);
  code.kernels.clearLowBits(code.noise);
  return { rows: keep(code.encode()), correction };
}

/** The receiver's part. */
export function recvBatch(pi: AesPermutation, seeds: ReceiverRows, correction: Uint8Array): ReceiverRows {
  const { code, ground } = fieldOf();
  const paths = growHeld(ground, pi, seeds.rows, seeds.choices, correction, trees);
  code.kernels.clearLowBits(code.noise);
  for (const path of paths) code.noise[rowBytes * path]! |= 1;
  const rows = keep(code.encode());
  const choices = new Uint8Array(codeRows / 8);
  kernels().lowBits(rows, choices);
  return { rows, choices };
}

function keep(rows: Uint8Array): Uint8Array {
  const own = spare.pop() ?? new Uint8Array(rows.length);
  own.set(rows);
  return own;
}

/** Copies rows to their place; `first` counts them from the first that are taken. */
type Copy = (rows: Uint8Array, target: Uint8Array, first: number) => void;

const plainCopy: Copy = (rows, target) => target.set(rows);

/** OTs that wait for use, in whole octets; what is taken is gone. */
class Store {
  readonly #batches: ReceiverRows[] = [];
  #used = 0;
  #left = 0;

  /** Takes in a batch, whose last rows are handed back: the seeds of the next. */
  put(batch: ReceiverRows): ReceiverRows {
    this.#batches.push(batch);
    this.#left += batchOts;
    return { rows: batch.rows.slice(rowBytes * batchOts), choices: batch.choices.slice(batchOts / 8) };
  }

  get left(): number {
    return this.#left;
  }

  take(count: number, copy: Copy = plainCopy): ReceiverRows {
    const whole = octetsOf(count);
    assert(whole <= this.#left, 'there are enough OTs');
    const rows = new Uint8Array(rowBytes * whole);
    const choices = new Uint8Array(whole / 8);
    for (let at = 0; at < whole; ) {
      const batch = this.#batches[0]!;
      const step = Math.min(whole - at, batchOts - this.#used);
      const from = batch.rows.subarray(rowBytes * this.#used, rowBytes * (this.#used + step));
      copy(from, rows.subarray(rowBytes * at, rowBytes * (at + step)), at);
      choices.set(batch.choices.subarray(this.#used / 8, (this.#used + step) / 8), at / 8);
      at += step;
      this.#used += step;
      if (this.#used === batchOts) {
        this.#batches.shift();
        this.#used = 0;
        if (spare.length < spareMax) spare.push(batch.rows);
      }
    }
    this.#left -= whole;
    return { rows, choices };
  }
}

const Batch = octets('ot/batch', batchBytes);

/** Batches go in a fork of their own: they are sent ahead of what the protocols on top send. */
const fork = 'batches';

/** The sender's end. */
export class SilentSender {
  readonly #ch: Channel;
  readonly #batches: Channel;
  readonly #peer: PartyId;
  readonly #pi: AesPermutation;
  readonly #delta: Uint8Array;
  readonly #store = new Store();
  #seeds: Uint8Array;

  /** `seeds` are `seedOts` rows q for this Δ, whose low bit is 1. */
  constructor(ch: Channel, peer: PartyId, pi: AesPermutation, delta: Uint8Array, seeds: Uint8Array) {
    assert((delta[0]! & 1) === 1 && seeds.length === rowBytes * seedOts, 'Δ is odd, and each level has its seed');
    this.#ch = ch;
    this.#batches = ch.fork(fork);
    this.#peer = peer;
    this.#pi = pi;
    this.#delta = delta;
    this.#seeds = seeds;
  }

  /** Makes the batches that so many OTs need, and sends what the receiver needs of them, without a wait between them. */
  async prepare(count: number): Promise<void> {
    while (this.#store.left < octetsOf(count)) {
      const { rows, correction } = sendBatch(this.#pi, this.#seeds, this.#delta);
      this.#seeds = this.#store.put({ rows, choices: new Uint8Array(codeRows / 8) }).rows;
      await sendTo(this.#batches, this.#peer, Batch, correction);
    }
  }

  async extend(count: number, choices: 'random' | 'given'): Promise<Uint8Array> {
    await this.prepare(count);
    if (choices === 'random') return this.#store.take(count).rows.subarray(0, rowBytes * count);
    const change = await recvFrom(this.#ch, this.#peer, choicesForm(count));
    const { rows } = this.#store.take(count, (from, target, first) => {
      const bits = change.subarray(first / 8, (first + from.length / rowBytes) / 8);
      kernels().xorWhere(from, target, bits, this.#delta);
    });
    return rows.subarray(0, rowBytes * count);
  }
}

/** The receiver's end. */
export class SilentReceiver {
  readonly #ch: Channel;
  readonly #batches: Channel;
  readonly #peer: PartyId;
  readonly #pi: AesPermutation;
  readonly #store = new Store();
  #seeds: ReceiverRows;

  constructor(ch: Channel, peer: PartyId, pi: AesPermutation, seeds: ReceiverRows) {
    this.#ch = ch;
    this.#batches = ch.fork(fork);
    this.#peer = peer;
    this.#pi = pi;
    this.#seeds = seeds;
  }

  async extend(count: number, given?: Uint8Array): Promise<ReceiverRows> {
    while (this.#store.left < octetsOf(count)) {
      const correction = await recvFrom(this.#batches, this.#peer, Batch);
      this.#seeds = this.#store.put(recvBatch(this.#pi, this.#seeds, correction));
    }
    const { rows, choices } = this.#store.take(count);
    const own = rows.subarray(0, rowBytes * count);
    if (given === undefined) return { rows: own, choices };
    kernels().xorInto(choices, given);
    await sendTo(this.#ch, this.#peer, choicesForm(count), choices);
    return { rows: own, choices: given.slice() };
  }
}
