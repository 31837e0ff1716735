/**
 * Oblivious pseudorandom function from vector oblivious linear evaluation and an oblivious key-value store, after
 * Rindal and Schoppmann (EUROCRYPT 2021), as Raghuraman and Rindal (CCS 2022) have it.
 *
 * The receiver has n keys x, the sender Δ. P is the store that answers each x with H(x); c = b ⊕ a·Δ are evaluations, one
 * for each row of P. The receiver sends P ⊕ a, the sender holds K = b ⊕ Δ·(P ⊕ a), which is c ⊕ Δ·P. What stores answer is
 * linear, so that c answers x with what K answers ⊕ Δ·H(x), and
 *
 *   F(y) = G(K(y) ⊕ Δ·H(y))   is   G(c(x))   for the receiver's own keys.
 *
 * H(x) is AES of x ⊕ x under a fixed key, G the hash of `correlation-hash.ts` under a key of the session's.
 *
 * Rounds    1 (receiver to sender), and that of the evaluations
 * Sends     16 bytes for each row of the store (receiver): see `oprfCost`
 * Takes     okvsSize(n) evaluations; keys of 16 bytes that differ; a seed that both toss after the keys are fixed
 * Security  The sender sees P ⊕ a, which is uniform as a is. For a key y that is none of the receiver's, the receiver knows
 *           K(y) ⊕ Δ·H(y) as c(y) ⊕ Δ·w with w = P(y) ⊕ H(y). Where w is not 0, that is a guess of Δ, and hashed it looks
 *           random with π an ideal permutation: two such inputs meet with a chance of 2^-127, and so does an input with a
 *           question to π. Over N keys and Q questions these add up to Q·N·2^-127: at 3·2^20 keys, 105 bits of work. w is
 *           0 with a chance of 2^-128 a key: P(y) depends on the seed, which is tossed when the y and the x are fixed. The
 *           seed being tossed late is also what bounds the chance that P cannot be built: a party that chose it could pick
 *           one that fails for a set that it guesses, and see. A receiver that knew it early could fit more than n keys
 *           into P; so it still can, as many as P has rows, when it departs from the protocol.
 * Memory    At 3·2^20 keys 340 MB at the receiver and 310 MB at the sender, of which the caller's keys are 50.
 * @module
 */
import { platform } from '#platform';
import { lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import type { AesPermutation } from '../algebra/platform.ts';
import { Prg, type Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { kernels, table128 } from '../kernels/kernels.ts';
import { maskRows } from './correlation-hash.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import { decodeOkvs, encodeOkvs, okvsSize } from './okvs.ts';
import { hashInto } from './okvs-clusters.ts';
import type { VoleReceiver, VoleSender } from './pair-source.ts';

const blockBytes = 16;
const noOffset = new Uint8Array(blockBytes);

/**
 * P ⊕ a travels in messages of so many bytes, and keys are hashed so many bytes at a time. Evaluations are taken by as
 * many as a message has, so that neither end holds all of a beside P.
 */
const pieceBytes = 2 ** 20;

/** What n keys cost, in bytes of the receiver. The evaluations have a cost of their own. */
export function oprfCost(n: number): { readonly rounds: number; readonly bytes: number; readonly voles: number } {
  return { rounds: 1, bytes: blockBytes * okvsSize(n), voles: okvsSize(n) };
}

/** The sender's key: it evaluates the function anywhere. */
export class OprfKey {
  readonly #pi: AesPermutation;
  readonly #store: Uint8Array;
  readonly #n: number;
  readonly #seed: Uint8Array;
  /** Of Δ. */
  readonly #table: Uint8Array;

  constructor(pi: AesPermutation, store: Uint8Array, n: number, seed: Uint8Array, table: Uint8Array) {
    this.#pi = pi;
    this.#store = store;
    this.#n = n;
    this.#seed = seed;
    this.#table = table;
  }

  evaluate(keys: Uint8Array): Uint8Array {
    const rows = decodeOkvs(this.#store, this.#n, keys, this.#seed);
    for (const [start, end] of pieces(keys.length)) {
      const products = hashed(keys.subarray(start, end));
      kernels().multiply128(products, this.#table);
      kernels().xorInto(rows.subarray(start, end), products);
    }
    return masked(this.#pi, rows);
  }
}

/**
 * The receiver's end: of each of its keys the output, 16 bytes.
 * @throws ProtocolError OKVS_FULL
 */
export async function recvOprf(
  ch: Channel,
  peer: PartyId,
  vole: VoleReceiver,
  keys: Uint8Array,
  seed: Uint8Array,
  rng: Rng,
): Promise<Uint8Array> {
  const n = keys.length / blockBytes;
  const c = encodeOkvs(keys, hashed(keys), seed, stretched(rng));
  await recvInPlace(ch, peer, vole, c);
  return masked(hashOf(ch, peer, ch.self), decodeOkvs(c, n, keys, seed));
}

/** Chance for the free rows of a store, which are as many as its keys. */
function stretched(rng: Rng): Rng {
  const prg = new Prg(rng(16));
  return (length) => {
    const out = new Uint8Array(length);
    prg.fill(out);
    return out;
  };
}

/** Round 1. P ⊕ a. Where P was, c is left. */
async function recvInPlace(ch: Channel, peer: PartyId, vole: VoleReceiver, store: Uint8Array): Promise<void> {
  for (const [start, end] of pieces(store.length)) {
    const { a, c } = await vole.extend((end - start) / blockBytes);
    const masked = store.slice(start, end);
    kernels().xorInto(masked, a);
    store.set(c, start);
    await sendTo(ch, peer, octets('oprf/store', masked.length), masked);
  }
}

/** The sender's end, where the receiver has n keys. */
export async function sendOprf(
  ch: Channel,
  peer: PartyId,
  vole: VoleSender,
  n: number,
  seed: Uint8Array,
): Promise<OprfKey> {
  const store = new Uint8Array(blockBytes * okvsSize(n));
  for (const [start, end] of pieces(store.length)) store.set(await vole.extend((end - start) / blockBytes), start);
  const table = table128(vole.delta);

  // Round 1. K = b ⊕ Δ·(P ⊕ a).
  for (const [start, end] of pieces(store.length)) {
    const masked = (await recvFrom(ch, peer, octets('oprf/store', end - start))).slice();
    kernels().multiply128(masked, table);
    kernels().xorInto(store.subarray(start, end), masked);
  }
  return new OprfKey(hashOf(ch, ch.self, peer), store, n, seed, table);
}

/** What the function gives for these keys: however many they are, 16 bytes each. */
export function evaluateOprf(key: OprfKey, keys: Uint8Array): Uint8Array {
  return key.evaluate(keys);
}

/** H of each key. */
function hashed(keys: Uint8Array): Uint8Array {
  const pi = platform.aesPermutation(sha256(utf8('folkmoot oprf key hash v1')).slice(0, 16));
  const out = new Uint8Array(keys.length);
  hashInto(out, pi, keys);
  return out;
}

/** G of each row, in its place. */
function masked(pi: AesPermutation, rows: Uint8Array): Uint8Array {
  maskRows(pi, rows, noOffset, 0, rows);
  return rows;
}

function* pieces(length: number): Generator<readonly [start: number, end: number]> {
  for (let start = 0; start < length; start += pieceBytes) yield [start, Math.min(start + pieceBytes, length)];
}

function hashOf({ context }: Channel, sender: PartyId, receiver: PartyId): AesPermutation {
  const name = lengthPrefixed(context.job, u32(context.attempt), utf8(sender), utf8(receiver));
  return platform.aesPermutation(sha256(utf8('folkmoot oprf hash v1'), name).slice(0, 16));
}
