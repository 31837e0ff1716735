/**
 * Silent oblivious transfer extension, semi-honest, after Boyle et al. (CRYPTO 2019), with the correlated trees of Guo
 * et al. (EUROCRYPT 2023), an expand–convolute code (CRYPTO 2023) and seeds that each batch leaves for the next, as in
 * Ferret (Yang, Weng, Lan, Zhang and Wang, CCS 2020).
 *
 * Noise e of n bits has one 1 in each of t parts. Each part is a tree of which the receiver lacks the leaf at the 1, so
 * that both ends have n rows with q = t ⊕ e·Δ; the code, which is linear, makes of them N = n/2 whose choices look
 * random. The low bit of Δ is 1 and that of every leaf is cleared, so that the choice is the low bit of the row t and
 * needs no encoding of its own: 127 bits of Δ are secret. The last rows of a batch are the correlated OTs of the next
 * one's trees; those of the first come from another extension.
 *
 * Rounds    1 a batch (sender to receiver), which the sender begins ahead of need; and 1 where choices are given
 * Sends     25,344 bytes for each 88,352 OTs (sender): 0.29 an OT; ⌈n/8⌉ bytes for n given choices (receiver)
 * Security  Learning parity with noise for this code and regular noise, in its dual form, at 128 bits (see
 *           `expand-convolute.ts`), and π an ideal permutation. An active sender can send corrections that fail for
 *           some noise only, and learns a bit of it where the protocol above then shows a failure; an active receiver
 *           has no message but its given choices, which are masked.
 * Memory    A session holds 1.4 MB for each batch: at the sender `aheadMax` OTs and a batch, at the receiver one batch.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { AesPermutation } from '../algebra/platform.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { kernels } from '../kernels/kernels.ts';
import { correctionBytes, type Ground, growHeld, growOwned, scratchBytes } from './correlated-tree.ts';
import { type ExpandConvolute, expandConvolute } from './expand-convolute.ts';
import { octets, recvFrom, sendTo } from './message.ts';

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

/** The sender makes as many OTs ahead as have been used, but no more than these, so that a receiver seldom waits. */
const aheadMax = 2 ** 17;

/** Rows q and t of correlated OTs, with the choices of the latter. */
interface Rows {
  readonly rows: Uint8Array;
  readonly choices: Uint8Array;
}

/** One a thread: every session's batches are made in it, one after the other. */
let field: { readonly code: ExpandConvolute; readonly ground: Ground } | undefined;

function fieldOf(): { code: ExpandConvolute; ground: Ground } {
  if (field === undefined) {
    const code = expandConvolute(noiseRows, scratchBytes(trees));
    field = { code, ground: { kernels: code.kernels, leaves: code.noise, scratch: code.scratch } };
  }
  return field;
}

/** The sender's part of a batch: its rows, and the correction for the receiver. */
export function sendBatch(
  pi: AesPermutation,
  seeds: Uint8Array,
  delta: Uint8Array,
): { rows: Uint8Array; correction: Uint8Array<ArrayBuffer> } {
  const { code, ground } = fieldOf();
  const correction = growOwned(ground, pi, seeds, delta, trees);
  code.kernels.clearLowBits(code.noise);
  return { rows: code.encode().slice(), correction };
}

/** The receiver's part. */
export function recvBatch(pi: AesPermutation, seeds: Rows, correction: Uint8Array): Rows {
  const { code, ground } = fieldOf();
  const paths = growHeld(ground, pi, seeds.rows, seeds.choices, correction, trees);
  code.kernels.clearLowBits(code.noise);
  for (const path of paths) code.noise[rowBytes * path]! |= 1;
  const rows = code.encode().slice();
  const choices = new Uint8Array(codeRows / 8);
  kernels().lowBits(rows, choices);
  return { rows, choices };
}

/** OTs that wait for use, in whole octets; what is taken is gone. */
class Store {
  readonly #batches: Rows[] = [];
  #used = 0;
  #left = 0;

  /** All but the last of a batch, which are handed back: the seeds of the next. */
  put({ rows, choices }: Rows): Rows {
    this.#batches.push({ rows: rows.subarray(0, rowBytes * batchOts), choices });
    this.#left += batchOts;
    return { rows: rows.slice(rowBytes * batchOts), choices: choices.slice(batchOts / 8) };
  }

  get left(): number {
    return this.#left;
  }

  take(count: number): Rows {
    const whole = 8 * Math.ceil(count / 8);
    assert(whole <= this.#left, 'there are enough OTs');
    const rows = new Uint8Array(rowBytes * whole);
    const choices = new Uint8Array(whole / 8);
    for (let at = 0; at < whole; ) {
      const batch = this.#batches[0]!;
      const step = Math.min(whole - at, batchOts - this.#used);
      rows.set(batch.rows.subarray(rowBytes * this.#used, rowBytes * (this.#used + step)), rowBytes * at);
      choices.set(batch.choices.subarray(this.#used / 8, (this.#used + step) / 8), at / 8);
      at += step;
      this.#used += step;
      if (this.#used === batchOts) {
        this.#batches.shift();
        this.#used = 0;
      }
    }
    this.#left -= whole;
    return { rows, choices };
  }
}

const Batch = octets('ot/batch', batchBytes);

/** The sender's end: `extend` is called for one after the other. */
export class SilentSender {
  readonly #ch: Channel;
  readonly #peer: PartyId;
  readonly #pi: AesPermutation;
  readonly #delta: Uint8Array;
  readonly #store = new Store();
  #seeds: Uint8Array;
  #used = 0;

  /** `seeds` are `seedOts` rows q for this Δ, whose low bit is 1; the channel is for the batches alone. */
  constructor(ch: Channel, peer: PartyId, pi: AesPermutation, delta: Uint8Array, seeds: Uint8Array) {
    assert((delta[0]! & 1) === 1 && seeds.length === rowBytes * seedOts, 'Δ is odd, and each level has its seed');
    this.#ch = ch;
    this.#peer = peer;
    this.#pi = pi;
    this.#delta = delta;
    this.#seeds = seeds;
  }

  /** The rows q of so many OTs, in whole octets. */
  async take(count: number): Promise<Uint8Array> {
    while (this.#store.left < 8 * Math.ceil(count / 8)) await this.#make();
    const { rows } = this.#store.take(count);
    this.#used += count;
    while (this.#store.left < Math.min(this.#used, aheadMax)) await this.#make();
    return rows;
  }

  async #make(): Promise<void> {
    const { rows, correction } = sendBatch(this.#pi, this.#seeds, this.#delta);
    this.#seeds = this.#store.put({ rows, choices: new Uint8Array(codeRows / 8) }).rows;
    await sendTo(this.#ch, this.#peer, Batch, correction);
  }
}

/** The receiver's end. */
export class SilentReceiver {
  readonly #ch: Channel;
  readonly #peer: PartyId;
  readonly #pi: AesPermutation;
  readonly #store = new Store();
  #seeds: Rows;

  constructor(ch: Channel, peer: PartyId, pi: AesPermutation, seeds: Rows) {
    this.#ch = ch;
    this.#peer = peer;
    this.#pi = pi;
    this.#seeds = seeds;
  }

  /** The rows t and the choices c of so many OTs, in whole octets. */
  async take(count: number): Promise<Rows> {
    while (this.#store.left < 8 * Math.ceil(count / 8)) {
      const correction = await recvFrom(this.#ch, this.#peer, Batch);
      this.#seeds = this.#store.put(recvBatch(this.#pi, this.#seeds, correction));
    }
    return this.#store.take(count);
  }
}
