/**
 * Silent vector oblivious linear evaluation over GF(2^128), semi-honest, after Boyle, Couteau, Gilboa and Ishai (CCS
 * 2018) and Rindal and Schoppmann (EUROCRYPT 2021), with the correlated trees of Guo et al. (EUROCRYPT 2023), an
 * expand–convolute code (CRYPTO 2023) and evaluations that each batch leaves for the next, as in Ferret (CCS 2020).
 *
 * The sender holds Δ and rows b, the receiver rows a and c, with c = b ⊕ a·Δ. It runs over an open session of correlated
 * OTs with the same Δ, where q = t ⊕ e·Δ for a choice e. 128 of these make one evaluation without a message: a = Σ e_i·x^i,
 * c = Σ t_i·x^i, b = Σ q_i·x^i. They are what a batch begins with:
 *
 *  1. Each of t = 400 trees has 2^9 leaves, of which the receiver lacks one: there it has the leaf ⊕ Δ. Both hash all
 *     leaves, so that the receiver knows nothing of that one.
 *  2. For tree j the sender takes an evaluation (b_j) and sends the sum of the tree's hashed leaves ⊕ b_j. The receiver
 *     adds its other hashed leaves and c_j, and has at its place the sender's leaf ⊕ a_j·Δ.
 *  3. So both ends have rows of an evaluation whose a is zero but for a_j at one place of each tree. The code, which is
 *     linear over GF(2^128), makes of them half as many whose a looks random.
 *
 * The last 400 evaluations of a batch are the next one's a_j, b_j and c_j.
 *
 * Rounds    1 for all batches of a call (sender to receiver), and those that the session takes for its OTs
 * Sends     57,600 bytes for each 102,000 evaluations (sender): 0.56 each; see `voleCost`
 * Takes     51,200 OTs of the session once, and 3,600 for each batch
 * Security  A receiver that follows the protocol learns nothing of Δ and b beyond a and c, with π and π' ideal
 *           permutations that nothing else uses. On the path of tree j it knows x ⊕ Δ of each node x that it lacks, and
 *           sees sums that H(x) = π(σ(x)) ⊕ σ(x) masks, as in `correlated-tree.ts`. Of the hashed leaf, the sum of step 2
 *           tells it π'(σ(x_j)) ⊕ σ(x_j) ⊕ a_j·Δ, where it knows y_j = x_j ⊕ Δ and a_j: all else in it is its own. A
 *           question to π' at σ(y_j ⊕ Δ) guesses Δ. A question z to its inverse meets it where z is that sum ⊕ σ(y_j) ⊕
 *           (σ(Δ) ⊕ a_j·Δ), which is a guess of an image of Δ under a linear map. For each Δ other than 0 one a_j alone
 *           makes that map 0, and a_j looks uniform, so its kernel has two elements in the mean. So Q questions to either
 *           have a chance of Q·t·2^-126, for 127 secret bits of Δ and the mean over the a_j. The leaves themselves would not
 *           do in place of hashed ones: those of a tree add up to Δ, so that step 2 would tell Δ ⊕ b_j, which is
 *           c_j ⊕ (1 ⊕ a_j)·Δ.
 *           A sender gets no message. That a looks random to it is learning parity with noise over GF(2^128) with regular
 *           noise, in its dual form, for the code of `expand-convolute.ts` over elements: a linear test has a bias of
 *           0.8^400 < 2^-128. There noise has to be denser than that of the OTs (176 places), since an element that a
 *           test meets makes it even, and a bit odd; and a code of bits would be none. An active sender can send sums
 *           that are wrong for some paths, and learn of the noise where the protocol above then shows a failure.
 * Memory    A thread holds 12 MB for its tables and rows; a session's ends what is left of a batch: 1.6 MB and 3.3 MB.
 * @module
 */
import { platform } from '#platform';
import { lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import { packRows } from '../algebra/gf128.ts';
import { sha256 } from '../algebra/hash.ts';
import type { AesPermutation } from '../algebra/platform.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { correctionBytes, growHeld, growOwned } from './correlated-tree.ts';
import { maskRows } from './correlation-hash.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import type { OtReceiver, OtSender } from './ot-extension.ts';
import type { VoleReceiver, VoleSender } from './pair-source.ts';
import type { ReceiverRows } from './softspoken-ot.ts';
import { type TreeField, treeField } from './tree-field.ts';

const rowBytes = 16;
const noOffset = new Uint8Array(rowBytes);

/** Noisy places, one in each tree: for the code's relative distance of 0.2, by (1 − 0.2)^400 < 2^-128. */
const trees = 400;

/** Levels of a tree. A batch has about as many rows as one of the silent OTs, for the same reasons. */
const levels = 9;

const codeRows = (trees * 2 ** levels) / 2;

/** OTs of the session that the first batch's evaluations are packed from. */
const packedOts = trees * 128;

/** OTs that the trees of a batch grow from. */
const seedOts = trees * levels;

/** Evaluations of one batch, for use. */
export const batchVoles = codeRows - trees;

const treeBytes = correctionBytes(trees, levels);

/** The trees' corrections, and the sums of step 2. */
const Batch = octets('vole/batch', treeBytes + rowBytes * trees);

/** What so many evaluations cost in one session: bytes of the sender (the receiver sends none), and OTs taken. */
export function voleCost(count: number): { readonly bytes: number; readonly ots: number } {
  const batches = Math.ceil(count / batchVoles);
  return { bytes: batches * Batch.bytesMax, ots: batches === 0 ? 0 : packedOts + batches * seedOts };
}

/** Both permutations of a session, of which nothing else makes use. */
interface VoleHashes {
  readonly tree: AesPermutation;
  readonly leaf: AesPermutation;
}

/** Evaluations as the receiver holds them. */
interface Evaluations {
  readonly a: Uint8Array;
  readonly c: Uint8Array;
}

const fieldOf = treeField(trees, levels, 'elements');

/** The sender's part of a batch: its rows, and what the receiver needs. `b` has a row for each tree. */
function sendVoleBatch(
  hashes: VoleHashes,
  q: Uint8Array,
  delta: Uint8Array,
  b: Uint8Array,
): { rows: Uint8Array; batch: Uint8Array } {
  const field = fieldOf();
  const batch = new Uint8Array(Batch.bytesMax);
  batch.set(growOwned(field.ground, hashes.tree, q, delta, trees));
  maskRows(hashes.leaf, field.code.noise, noOffset, 0, field.code.noise);
  const sums = batch.subarray(treeBytes);
  sums.set(sumsOf(field));
  xor(sums, b);
  return { rows: field.code.encode().slice(), batch };
}

/** The receiver's part. */
function recvVoleBatch(
  hashes: VoleHashes,
  { rows, choices }: ReceiverRows,
  base: Evaluations,
  batch: Uint8Array,
): Evaluations {
  const field = fieldOf();
  const { noise } = field.code;
  const paths = growHeld(field.ground, hashes.tree, rows, choices, batch.subarray(0, treeBytes), trees);
  maskRows(hashes.leaf, noise, noOffset, 0, noise);
  for (const path of paths) rowOf(noise, path).fill(0);
  const missing = sumsOf(field).slice();
  xor(missing, batch.subarray(treeBytes));
  xor(missing, base.c);
  for (const [j, path] of paths.entries()) rowOf(noise, path).set(rowOf(missing, j));
  const c = field.code.encode().slice();
  noise.fill(0);
  for (const [j, path] of paths.entries()) rowOf(noise, path).set(rowOf(base.a, j));
  return { a: field.code.encode().slice(), c };
}

/** The sum of each tree's leaves. */
function sumsOf({ code: { kernels, noise }, ground: { scratch } }: TreeField): Uint8Array {
  const sums = scratch.subarray(0, rowBytes * trees).fill(0);
  for (let at = 0; at < noise.length; at += sums.length) kernels.xorInto(sums, noise.subarray(at, at + sums.length));
  return sums;
}

function xor(target: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < target.length; i++) target[i]! ^= other[i]!;
}

function rowOf(rows: Uint8Array, i: number): Uint8Array {
  return rows.subarray(rowBytes * i, rowBytes * (i + 1));
}

/**
 * The sender's end. Calls are made one after the other, in step with other uses of the session, and ask for as many as
 * the receiver's do; batches are sent without a wait between them.
 */
export function openVoleSender(session: OtSender): VoleSender {
  const ch = session.channel.fork(fork);
  const hashes = hashesOf(session.channel, session.channel.self, session.peer);
  const { delta } = session;
  let base: Uint8Array | undefined;
  let left: Uint8Array = new Uint8Array(0);
  const nextBatch = async () => {
    base ??= packRows(await session.extend(packedOts));
    const { rows, batch } = sendVoleBatch(hashes, await session.extend(seedOts), delta, base);
    await sendTo(ch, session.peer, Batch, batch);
    base = rows.slice(rowBytes * batchVoles);
    left = rows.subarray(0, rowBytes * batchVoles);
  };
  return {
    delta,
    async extend(count) {
      const rows = new Uint8Array(rowBytes * count);
      for (let at = 0; at < rows.length; ) {
        if (left.length === 0) await nextBatch();
        const step = Math.min(rows.length - at, left.length);
        rows.set(left.subarray(0, step), at);
        left = left.subarray(step);
        at += step;
      }
      return rows;
    },
  };
}

/** The receiver's end. */
export function openVoleReceiver(session: OtReceiver): VoleReceiver {
  const ch = session.channel.fork(fork);
  const hashes = hashesOf(session.channel, session.peer, session.channel.self);
  let base: Evaluations | undefined;
  let left: Evaluations = { a: new Uint8Array(0), c: new Uint8Array(0) };
  const nextBatch = async () => {
    base ??= packed(await session.extend(packedOts));
    const seeds = await session.extend(seedOts);
    const all = recvVoleBatch(hashes, seeds, base, await recvFrom(ch, session.peer, Batch));
    base = part(all, rowBytes * batchVoles, rowBytes * codeRows);
    left = part(all, 0, rowBytes * batchVoles);
  };
  return {
    async extend(count) {
      const [a, c] = [new Uint8Array(rowBytes * count), new Uint8Array(rowBytes * count)];
      for (let at = 0; at < a.length; ) {
        if (left.a.length === 0) await nextBatch();
        const step = Math.min(a.length - at, left.a.length);
        a.set(left.a.subarray(0, step), at);
        c.set(left.c.subarray(0, step), at);
        left = part(left, step, left.a.length);
        at += step;
      }
      return { a, c };
    },
  };
}

const fork = 'vole';

/** Bit i of the choices is that of x^i already. */
function packed({ rows, choices }: ReceiverRows): Evaluations {
  return { a: choices, c: packRows(rows) };
}

function part({ a, c }: Evaluations, start: number, end: number): Evaluations {
  return { a: a.subarray(start, end), c: c.subarray(start, end) };
}

function hashesOf({ context }: Channel, sender: PartyId, receiver: PartyId): VoleHashes {
  const name = lengthPrefixed(context.job, u32(context.attempt), utf8(sender), utf8(receiver));
  const permutation = (use: string) =>
    platform.aesPermutation(sha256(utf8(`folkmoot vole ${use} v1`), name).slice(0, 16));
  return { tree: permutation('tree'), leaf: permutation('leaf') };
}
