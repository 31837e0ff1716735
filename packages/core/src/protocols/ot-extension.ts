/**
 * Oblivious transfer extension: SoftSpokenOT, semi-honest, after Roy (CRYPTO 2022); for k = 1 it is that of Ishai,
 * Kilian, Nissim and Petrank (CRYPTO 2003).
 *
 * The receiver owns 128/k trees of 2^k seeds, of which the sender lacks the one leaf that its secret Δ names. With r_x
 * the stream of leaf x, the receiver has u = Σ r_x and v = Σ x·r_x in GF(2)^k, the sender w = Σ (Δ_i − x)·r_x = v + Δ_i·u.
 * The receiver's corrections turn every tree's u into its choice bits; the rows across all trees are then q = t ⊕ c·Δ:
 * q at the sender, t and c at the receiver. k trades bytes for AES: 2^k/k streams and 1/k of the bytes.
 *
 * Rounds    1 for the base OTs, then 1 an extension (receiver to sender)
 * Sends     base: 32 bytes (receiver), 4,096 bytes (sender); once: (k − 1) · 4,096/k bytes (receiver); an extension of n
 *           random OTs: (128/k − 1) · 16·⌈n/128⌉ bytes (receiver), and 16·⌈n/128⌉ more where the choices are given
 * Security  Semi-honest, computational (AES-128-CTR, 128 bits): the sender sees pseudorandom corrections; Δ is never
 *           sent. An active receiver could give the trees different choice bits and so learn bits of Δ; an active sender
 *           learns nothing, but can make results wrong.
 * Memory    About 80 bytes an OT of one call, 10 MiB at `otsMax`: the streams go on from call to call.
 * @module
 */
import { platform } from '#platform';
import { assert } from '../algebra/assert.ts';
import { concat, lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import type { AesPermutation, AesStream } from '../algebra/platform.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { kernels } from '../kernels/kernels.ts';
import { recvBaseOts, sendBaseOts } from './base-ot.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import { correctionBytes, growPuncturedTree, growTree } from './punctured-tree.ts';

/** Bits of Δ, and of a row. */
const columns = 128;

/** OTs of one extension: its columns and rows have 2 MiB each, and each leaf's stream goes through AES in 16 KiB. */
export const otsMax = 2 ** 17;

/** Bits of Δ that one tree serves. */
export type TreeBits = 1 | 2 | 4 | 8;

/**
 * By `benchmarks/ot.ts`, 4 takes half the bytes of 2 at three quarters of its speed, and a core that runs both ends still
 * fills a link of 250 Mbit/s. 8 halves them again, at a fifth of the speed: for slow links.
 */
export const treeBitsDefault: TreeBits = 4;

/** What a session rests on; lanes take theirs from OTs made before, and tests may put an ideal form in their place. */
export interface BaseOts {
  readonly send: typeof sendBaseOts;
  readonly recv: typeof recvBaseOts;
  /** The Δ towards a peer whose base OTs were made before; without it each session draws its own. */
  readonly delta?: (peer: PartyId) => Uint8Array;
}

export interface OtOptions {
  readonly k?: TreeBits;
  readonly base?: BaseOts;
}

const realBaseOts: BaseOts = { send: sendBaseOts, recv: recvBaseOts };

/** What the receiver of an extension holds. */
export interface ReceiverRows {
  /** c, packed. */
  readonly choices: Uint8Array;
  /** t, 16 bytes an OT. */
  readonly rows: Uint8Array;
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

/** The sender of many OTs to one peer. Calls are made one after the other, with the same counts at both ends. */
export class OtSender {
  readonly #ch: Channel;
  readonly #peer: PartyId;
  readonly #delta: Uint8Array;
  readonly #trees: readonly Streams[];
  /** The permutation of the session's hash. */
  readonly pi: AesPermutation;

  private constructor(ch: Channel, peer: PartyId, delta: Uint8Array, trees: readonly Streams[], pi: AesPermutation) {
    this.#ch = ch;
    this.#peer = peer;
    this.#delta = delta;
    this.#trees = trees;
    this.pi = pi;
  }

  /** Its messages go in a fork of their own, `ot/‹sender›/‹receiver›`, so that both directions of a pair may run. */
  static async open(parent: Channel, peer: PartyId, rng: Rng, options: OtOptions = {}): Promise<OtSender> {
    const { k = treeBitsDefault, base = realBaseOts } = options;
    const { ch, name, pi } = sessionOf(parent, parent.self, peer);
    const delta = (base.delta?.(peer) ?? rng(columns / 8)).slice();
    // The key off the path is that of the other side.
    const sides = Array.from({ length: columns }, (_, j) => 1 - bitOf(delta, j));
    const keys = await base.recv(ch, peer, name, sides, rng);
    const size = (columns / k) * correctionBytes(k);
    const corrections = size === 0 ? new Uint8Array(0) : await recvFrom(ch, peer, octets('ot/trees', size));
    const trees = Array.from({ length: columns / k }, (_, i) => {
      const path = deltaOf(delta, i, k);
      const correction = corrections.subarray(i * correctionBytes(k), (i + 1) * correctionBytes(k));
      const leaves = growPuncturedTree(levelsOf(keys, i, k), path, correction);
      return leaves.map((_, y) => leaves[y ^ path]);
    });
    return new OtSender(ch, peer, delta, streamsOf(trees), pi);
  }

  get channel(): Channel {
    return this.#ch;
  }

  get peer(): PartyId {
    return this.#peer;
  }

  /** Δ, for protocols on top: it is secret and stays in this party. */
  get delta(): Uint8Array {
    return this.#delta.slice();
  }

  /** The rows q of so many OTs, `otsMax` at most. */
  async extend(count: number, choices: 'random' | 'given' = 'random'): Promise<Uint8Array> {
    const k = columnsOf(this.#trees);
    checkCount(count);
    if (count === 0) return new Uint8Array(0);
    const form = octets('ot/extension', extensionBytes(count, k, choices));
    const correction = await recvFrom(this.#ch, this.#peer, form);
    const rows = extendSender(this.#trees, this.#delta, count, correction);
    return rows;
  }
}

/** The receiver's end. */
export class OtReceiver {
  readonly #ch: Channel;
  readonly #peer: PartyId;
  readonly #trees: readonly Streams[];
  readonly pi: AesPermutation;

  private constructor(ch: Channel, peer: PartyId, trees: readonly Streams[], pi: AesPermutation) {
    this.#ch = ch;
    this.#peer = peer;
    this.#trees = trees;
    this.pi = pi;
  }

  static async open(parent: Channel, peer: PartyId, rng: Rng, options: OtOptions = {}): Promise<OtReceiver> {
    const { k = treeBitsDefault, base = realBaseOts } = options;
    const { ch, name, pi } = sessionOf(parent, peer, parent.self);
    const keys = await base.send(ch, peer, name, columns, rng);
    const grown = Array.from({ length: columns / k }, (_, i) => growTree(levelsOf(keys, i, k)));
    const corrections = concat(...grown.map(({ correction }) => correction));
    if (corrections.length > 0) await sendTo(ch, peer, octets('ot/trees', corrections.length), corrections);
    const trees = grown.map(({ leaves }) => leaves);
    return new OtReceiver(ch, peer, streamsOf(trees), pi);
  }

  get channel(): Channel {
    return this.#ch;
  }

  get peer(): PartyId {
    return this.#peer;
  }

  /** The rows t and the choices c of so many OTs: given ones (packed), or random ones, which cost less. */
  async extend(count: number, given?: Uint8Array): Promise<ReceiverRows> {
    checkCount(count);
    if (count === 0) return { choices: new Uint8Array(0), rows: new Uint8Array(0) };
    assert(given === undefined || given.length === Math.ceil(count / 8), 'there is a choice for each OT');
    const { choices, rows, correction } = extendReceiver(this.#trees, count, given);
    await sendTo(this.#ch, this.#peer, octets('ot/extension', correction.length), correction);
    return { choices: choices.subarray(0, Math.ceil(count / 8)), rows };
  }
}

/** Bit i of packed bits. */
export function bitOf(bits: Uint8Array, i: number): number {
  return (bits[i >> 3]! >> (i & 7)) & 1;
}

function checkCount(count: number): void {
  assert(Number.isInteger(count) && count >= 0, 'OTs are counted in whole numbers');
  if (count > otsMax)
    throw new ProtocolError('OVER_LIMIT', { field: 'ot/extension', detail: `${count} OTs in one call` });
}

function sessionOf(
  parent: Channel,
  sender: PartyId,
  receiver: PartyId,
): { ch: Channel; name: Uint8Array; pi: AesPermutation } {
  const { job, attempt } = parent.context;
  const ch = parent.fork(`ot/${sender}/${receiver}`);
  const name = lengthPrefixed(job, u32(attempt), utf8(sender), utf8(receiver));
  return { ch, name, pi: platform.aesPermutation(sha256(utf8('folkmoot ot hash v1'), name).slice(0, 16)) };
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
