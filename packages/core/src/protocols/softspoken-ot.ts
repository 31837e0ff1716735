/**
 * Oblivious transfer extension by symmetric means alone: SoftSpokenOT, semi-honest, after Roy (CRYPTO 2022); for k = 1 it
 * is that of Ishai, Kilian, Nissim and Petrank (CRYPTO 2003).
 *
 * The receiver owns 128/k trees of 2^k seeds, of which the sender lacks the one leaf that its secret Δ names. With r_x
 * the stream of leaf x, the receiver has u = Σ r_x and v = Σ x·r_x in GF(2)^k, the sender w = Σ (Δ_i − x)·r_x = v + Δ_i·u.
 * The receiver's corrections turn every tree's u into its choice bits; the rows across all trees are then q = t ⊕ c·Δ:
 * q at the sender, t and c at the receiver. k trades bytes for AES: 2^k/k streams and 1/k of the bytes.
 *
 * Rounds    1 for the trees where k > 1, then 1 an extension (receiver to sender)
 * Sends     once: (k − 1) · 4,096/k bytes (receiver); an extension of n random OTs: (128/k − 1) · 16·⌈n/128⌉ bytes
 *           (receiver), and 16·⌈n/128⌉ more where the choices are given
 * Security  Semi-honest, computational (AES-128-CTR, 128 bits): the sender sees pseudorandom corrections; Δ is never
 *           sent. An active receiver could give the trees different choice bits and so learn bits of Δ; an active sender
 *           learns nothing, but can make results wrong.
 * Memory    About 80 bytes an OT of one call: the streams go on from call to call.
 * @module
 */
import { platform } from '#platform';
import { concat } from '../algebra/bytes.ts';
import type { AesStream } from '../algebra/platform.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { kernels } from '../kernels/kernels.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import { correctionBytes, growPuncturedTree, growTree } from './punctured-tree.ts';

/** Bits of Δ, and of a row. */
const columns = 128;

/** Bits of Δ that one tree serves. */
export type TreeBits = 1 | 2 | 4 | 8;

/** What the receiver of an extension holds. */
export interface ReceiverRows {
  /** c, packed. */
  readonly choices: Uint8Array;
  /** t, 16 bytes an OT. */
  readonly rows: Uint8Array;
}

/** Bytes of the trees' corrections. */
export function treesBytes(k: TreeBits): number {
  return (columns / k) * correctionBytes(k);
}

/** Bytes of a column of so many OTs: whole blocks of AES. */
export function columnBytes(count: number): number {
  return 16 * Math.ceil(count / columns);
}

/** Bytes of one extension's correction. */
export function extensionBytes(count: number, k: TreeBits, choices: 'random' | 'given'): number {
  return (columns / k - (choices === 'random' ? 1 : 0)) * columnBytes(count);
}

/** The streams of a tree's leaves. */
type Streams = readonly (AesStream | undefined)[];

/** The streams of each tree; the sender's stand at x ⊕ Δ_i, so that the one it lacks is the first. */
export function streamsOf(trees: readonly (readonly (Uint8Array | undefined)[])[]): Streams[] {
  return trees.map((tree) => tree.map((seed) => (seed === undefined ? undefined : platform.aesStream(seed))));
}

/**
 * The receiver's part of one extension, from the streams of all leaves. Without choices, the first tree's u is taken.
 */
export function extendReceiver(
  trees: readonly Streams[],
  count: number,
  given?: Uint8Array,
): ReceiverRows & { readonly correction: Uint8Array } {
  const k = columns / trees.length;
  const stride = columnBytes(count);
  const [matrix, rows, leaves] = workspace(stride, k);
  const choices = new Uint8Array(stride);
  if (given !== undefined) choices.set(given);
  const corrections: Uint8Array[] = [];
  for (const [i, tree] of trees.entries()) {
    expand(tree, leaves);
    kernels().fold(leaves, tree.length);
    const u = leaves.slice(0, stride);
    if (i === 0 && given === undefined) {
      choices.set(u);
    } else {
      kernels().xorInto(u, choices);
      corrections.push(u);
    }
    for (let b = 0; b < k; b++)
      columnOf(matrix, i * k + b, stride).set(leaves.subarray(stride << b, (stride << b) + stride));
  }
  kernels().transpose(matrix, rows);
  return { choices, rows: rows.slice(0, 16 * count), correction: concat(...corrections) };
}

/** The sender's part: the rows q. */
export function extendSender(
  trees: readonly Streams[],
  delta: Uint8Array,
  count: number,
  correction: Uint8Array,
): Uint8Array {
  const k = columns / trees.length;
  const stride = columnBytes(count);
  const [matrix, rows, leaves] = workspace(stride, k);
  // The first tree has no correction where the choices are its own.
  const missing = trees.length - correction.length / stride;
  for (const [i, tree] of trees.entries()) {
    expand(tree, leaves);
    kernels().fold(leaves, tree.length);
    for (let b = 0; b < k; b++) {
      const column = columnOf(matrix, i * k + b, stride);
      column.set(leaves.subarray(stride << b, (stride << b) + stride));
      if (bitOf(delta, i * k + b) === 1 && i >= missing) {
        kernels().xorInto(column, correction.subarray((i - missing) * stride, (i - missing + 1) * stride));
      }
    }
  }
  kernels().transpose(matrix, rows);
  return rows.slice(0, 16 * count);
}

/** The sender's end, on the keys that it holds of 128 base OTs, whose choices were the complement of Δ. */
export class SoftSpokenSender {
  readonly #ch: Channel;
  readonly #peer: PartyId;
  readonly #delta: Uint8Array;
  readonly #trees: readonly Streams[];

  private constructor(ch: Channel, peer: PartyId, delta: Uint8Array, trees: readonly Streams[]) {
    this.#ch = ch;
    this.#peer = peer;
    this.#delta = delta;
    this.#trees = trees;
  }

  static async open(ch: Channel, peer: PartyId, delta: Uint8Array, keys: readonly Uint8Array[], k: TreeBits) {
    const size = treesBytes(k);
    const corrections = size === 0 ? new Uint8Array(0) : await recvFrom(ch, peer, octets('ot/trees', size));
    const trees = Array.from({ length: columns / k }, (_, i) => {
      const path = deltaOf(delta, i, k);
      const correction = corrections.subarray(i * correctionBytes(k), (i + 1) * correctionBytes(k));
      const leaves = growPuncturedTree(levelsOf(keys, i, k), path, correction);
      return leaves.map((_, y) => leaves[y ^ path]);
    });
    return new SoftSpokenSender(ch, peer, delta, streamsOf(trees));
  }

  async extend(count: number, choices: 'random' | 'given'): Promise<Uint8Array> {
    const form = octets('ot/extension', extensionBytes(count, columnsOf(this.#trees), choices));
    const correction = await recvFrom(this.#ch, this.#peer, form);
    return extendSender(this.#trees, this.#delta, count, correction);
  }
}

/** The receiver's end, on the pairs of keys. */
export class SoftSpokenReceiver {
  readonly #ch: Channel;
  readonly #peer: PartyId;
  readonly #trees: readonly Streams[];

  private constructor(ch: Channel, peer: PartyId, trees: readonly Streams[]) {
    this.#ch = ch;
    this.#peer = peer;
    this.#trees = trees;
  }

  static async open(ch: Channel, peer: PartyId, keys: readonly (readonly [Uint8Array, Uint8Array])[], k: TreeBits) {
    const grown = Array.from({ length: columns / k }, (_, i) => growTree(levelsOf(keys, i, k)));
    const corrections = concat(...grown.map(({ correction }) => correction));
    if (corrections.length > 0) await sendTo(ch, peer, octets('ot/trees', corrections.length), corrections);
    return new SoftSpokenReceiver(ch, peer, streamsOf(grown.map(({ leaves }) => leaves)));
  }

  async extend(count: number, given?: Uint8Array): Promise<ReceiverRows> {
    const { choices, rows, correction } = extendReceiver(this.#trees, count, given);
    await sendTo(this.#ch, this.#peer, octets('ot/extension', correction.length), correction);
    return { choices: choices.subarray(0, Math.ceil(count / 8)), rows };
  }
}

/** What belongs to tree i, from the root down: the root decides the highest bit. */
function levelsOf<T>(keys: readonly T[], i: number, k: number): T[] {
  return keys.slice(i * k, (i + 1) * k).reverse();
}

function deltaOf(delta: Uint8Array, i: number, k: number): number {
  let path = 0;
  for (let b = 0; b < k; b++) path |= bitOf(delta, i * k + b) << b;
  return path;
}

function columnsOf(trees: readonly unknown[]): TreeBits {
  return (columns / trees.length) as TreeBits;
}

/** Bit i of packed bits. */
export function bitOf(bits: Uint8Array, i: number): number {
  return (bits[i >> 3]! >> (i & 7)) & 1;
}

function columnOf(matrix: Uint8Array, column: number, stride: number): Uint8Array {
  return matrix.subarray(column * stride, (column + 1) * stride);
}

function workspace(stride: number, k: number): readonly [matrix: Uint8Array, rows: Uint8Array, leaves: Uint8Array] {
  const [matrix, rows, leaves] = kernels().reserve(columns * stride, columns * stride, stride << k);
  return [matrix!, rows!, leaves!];
}

/** What comes next of each leaf's stream; zeros for a leaf that is not there. */
function expand(tree: Streams, leaves: Uint8Array): void {
  const stride = leaves.length / tree.length;
  for (const [x, stream] of tree.entries()) {
    const piece = leaves.subarray(x * stride, (x + 1) * stride);
    if (stream === undefined) piece.fill(0);
    else stream.fill(piece);
  }
}
