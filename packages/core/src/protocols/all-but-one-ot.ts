/**
 * Sums cell by cell of values that are shared additively, where one party alone knows the cell of each: all-but-one OT
 * for each value, by the correlated trees of Guo et al. (EUROCRYPT 2023).
 *
 * A value has a pad k_i for each cell i. The sender knows all of them; the receiver all but that of the value's cell ρ,
 * from one OT a level of a tree over the cells, with the bits of ρ as its choices. For its share s the sender sends
 * c = s + Σ k_i, and counts −k_i in each cell. The receiver counts k_i in each cell but ρ, where it counts
 * c − Σ_{i≠ρ} k_i = s + k_ρ and its own share. So the pads cancel, and s stands in cell ρ alone. Values without a cell
 * go to one more, which is dropped.
 *
 * Pads are hashed from the leaves, since those of all trees add up to the Δ of the session, and carry one element for
 * each vector. What the receiver has as the leaf at ρ is another number than the sender's; it is in its sums as in its
 * cells, and takes itself away.
 *
 * Rounds    2 a call of `callRows` rows, and those of the extension's batches
 * Sends     the extension with choices given (receiver), 16·(j − 1) bytes and an element of each vector for each value,
 *           where 2^j > cells (sender)
 * Takes     j OTs a value
 * Security  That of the extension and of the trees: the choices are masked, so that the receiver's messages are uniform
 *           whatever the cells; the sender's are, as the pad of cell ρ is. Of the leaf at ρ the receiver knows what lies Δ
 *           beside it, and by that no more of its hash than of a row's: trees and leaves have permutations of their own. An
 *           active sender can shift sums by an amount that depends on cells.
 * Memory    12 MiB a thread for the trees, and 32 MiB of rows at the receiver
 * @module
 */
import { platform } from '#platform';
import { assert } from '../algebra/assert.ts';
import { lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import type { AesPermutation } from '../algebra/platform.ts';
import {
  addInto,
  bytesOf,
  copy,
  fromBytes,
  length,
  type Ring,
  slice,
  subInto,
  type Vector,
  vector,
} from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { newKernels } from '../kernels/kernels.ts';
import { correctionBytes, type Ground, growHeld, growOwned, scratchBytes } from './correlated-tree.ts';
import { maskRows } from './correlation-hash.ts';
import { checkLengths } from './cost.ts';
import { octetsOf } from './given-choices.ts';
import { type Message, octets, recvFrom, sendTo } from './message.ts';
import type { TransferCost } from './oblivious-transfer.ts';
import { type OtReceiver, type OtSender, otsMax } from './ot-extension.ts';

/** Cells of the largest trees: those of a job, and one for values without a cell. */
const cellsMax = 2 ** 11 - 1;

/** Leaves of the trees of one piece, 8 MiB. */
const leavesMax = 2 ** 19;

/** Rows of OTs in one call, which the receiver holds until the answers come: 32 MiB. */
const callRows = 2 ** 21;

/** Leaves are hashed in steps of so many bytes, which stay in a core's cache. */
const stepBytes = 64 * 1024;

const noOffset = new Uint8Array(16);

/** Both permutations of a session, of which nothing else makes use. */
interface TreeHashes {
  readonly tree: AesPermutation;
  readonly leaf: AesPermutation;
}

function hashesOf({ context }: Channel, sender: PartyId, receiver: PartyId): TreeHashes {
  const name = lengthPrefixed(context.job, u32(context.attempt), utf8(sender), utf8(receiver));
  const permutation = (use: string) =>
    platform.aesPermutation(sha256(utf8(`folkmoot all-but-one ${use} v1`), name).slice(0, 16));
  return { tree: permutation('tree'), leaf: permutation('leaf') };
}

/** One a thread: the trees of every piece grow there, and are hashed before the next message is waited for. */
let field: Ground | undefined;

function fieldOf(): Ground {
  if (field === undefined) {
    const kernels = newKernels();
    const [leaves, scratch] = kernels.reserve(16 * leavesMax, scratchBytes(otsMax));
    field = { kernels, leaves: leaves!, scratch: scratch! };
  }
  return field;
}

/** My share of the sums of each vector, `cells` elements each; the receiver places its elements. */
export async function sendPlaced(session: OtSender, shares: readonly Vector[], cells: number): Promise<Vector[]> {
  const { rings, count, levels } = shapeOf(shares, cells);
  const hashes = hashesOf(session.channel, session.channel.self, session.peer);
  const sums = rings.map((ring) => vector(ring, 2 ** levels));
  for (const call of callsOf(count, levels)) {
    await session.prepare(call.reduce((sum, { trees }) => sum + levels * trees, 0));
    for (const { start, trees } of call) {
      const q = await session.extend(levels * trees, 'given');
      const correction = growOwned(fieldOf(), hashes.tree, q, session.delta, trees);
      const pads = padsOf(hashes.leaf, rings, levels, trees);
      for (const [i, { byTree, byCell }] of pads.entries()) {
        addInto(byTree, slice(shares[i]!, start, start + trees));
        subInto(sums[i]!, byCell);
      }
      const answer = new Uint8Array(answerBytes(rings, levels, trees));
      answer.set(correction);
      let at = correction.length;
      for (const { byTree } of pads) {
        answer.set(bytesOf(byTree), at);
        at += byTree.words.byteLength;
      }
      await sendTo(session.channel, session.peer, Answer(rings, levels, trees), answer);
    }
  }
  return sums.map((sum) => copy(slice(sum, 0, cells)));
}

/** My share of them, from the cell of each element; −1 where it is to be in none. */
export async function recvPlaced(
  session: OtReceiver,
  shares: readonly Vector[],
  places: Int32Array,
  cells: number,
): Promise<Vector[]> {
  const { rings, count, levels } = shapeOf(shares, cells);
  checkLengths('placed', count, count, places.length);
  const leaves = places.map((place) => (place < 0 ? cells : place));
  assert(
    leaves.every((leaf) => leaf <= cells),
    'a place is a cell, or −1',
  );
  const hashes = hashesOf(session.channel, session.peer, session.channel.self);
  const sums = rings.map((ring) => vector(ring, 2 ** levels));
  for (const call of callsOf(count, levels)) {
    // All pieces' choices before the first answer, so that a call takes one round each way.
    const extended: { choices: Uint8Array; rows: Uint8Array }[] = [];
    for (const { start, trees } of call) {
      const choices = choicesOf(leaves.subarray(start, start + trees), levels);
      extended.push({ choices, rows: (await session.extend(levels * trees, choices)).rows });
    }
    for (const [piece, { start, trees }] of call.entries()) {
      const { choices, rows } = extended[piece]!;
      const answer = await recvFrom(session.channel, session.peer, Answer(rings, levels, trees));
      let at = correctionBytes(trees, levels);
      growHeld(fieldOf(), hashes.tree, rows, choices, answer.subarray(0, at), trees);
      for (const [i, { byTree, byCell }] of padsOf(hashes.leaf, rings, levels, trees).entries()) {
        const size = byTree.words.byteLength;
        const found = copy(fromBytes(rings[i]!, answer.subarray(at, at + size), trees));
        at += size;
        subInto(found, byTree);
        addInto(found, slice(shares[i]!, start, start + trees));
        addInto(sums[i]!, byCell);
        addInto(sums[i]!, sumsAt(found, leaves.subarray(start, start + trees), 2 ** levels));
      }
    }
  }
  return sums.map((sum) => copy(slice(sum, 0, cells)));
}

/** Of both ends together. */
export function placedCost(count: number, rings: readonly Ring[], cells: number): TransferCost {
  if (rings.length === 0) return { rounds: 0, bytes: 0, ots: 0 };
  const levels = levelsOf(cells);
  return {
    rounds: 2 * callsOf(count, levels).length,
    bytes: answerBytes(rings, levels, count),
    ots: octetsOf(levels * count),
  };
}

interface Shape {
  readonly rings: readonly Ring[];
  readonly count: number;
  readonly levels: number;
}

function shapeOf(shares: readonly Vector[], cells: number): Shape {
  const [count = 0, ...others] = shares.map(length);
  checkLengths('placed', count, count, ...others);
  checkLengths('cells', cellsMax, cells);
  return { rings: shares.map(({ ring }) => ring), count, levels: levelsOf(cells) };
}

/** The cells, and one more. */
function levelsOf(cells: number): number {
  return 32 - Math.clz32(cells);
}

interface Piece {
  readonly start: number;
  readonly trees: number;
}

/** The pieces of each call. Choices of all pieces but the last are whole octets. */
function callsOf(count: number, levels: number): Piece[][] {
  const most = 8 * Math.floor(Math.min(otsMax / levels, leavesMax >> levels) / 8);
  const pieces = Array.from({ length: Math.ceil(count / most) }, (_, i): Piece => {
    return { start: i * most, trees: Math.min(most, count - i * most) };
  });
  const together = Math.floor(callRows / (levels * most));
  return Array.from({ length: Math.ceil(pieces.length / together) }, (_, i) => {
    return pieces.slice(i * together, (i + 1) * together);
  });
}

function answerBytes(rings: readonly Ring[], levels: number, trees: number): number {
  return correctionBytes(trees, levels) + 8 * trees * rings.reduce((sum, { limbs }) => sum + limbs, 0);
}

/** The trees' correction, and of each vector the elements c. */
function Answer(rings: readonly Ring[], levels: number, trees: number): Message<Uint8Array> {
  return octets('ot/placed', answerBytes(rings, levels, trees));
}

/** A path turns away from its choices, and lies at level l where bit l of the leaf says. */
function choicesOf(leaves: Int32Array, levels: number): Uint8Array {
  const choices = new Uint8Array(Math.ceil((leaves.length * levels) / 8));
  for (let level = 0, i = 0; level < levels; level++) {
    for (let j = 0; j < leaves.length; j++, i++) choices[i >> 3]! |= (~(leaves[j]! >> level) & 1) << (i & 7);
  }
  return choices;
}

/** The pads of one vector: the sum over all cells for each tree, and over all trees for each cell. */
interface Pads {
  readonly byTree: Vector;
  readonly byCell: Vector;
}

/** From the leaves that have grown. Each block of a leaf's mask has two words of its pads. */
function padsOf(pi: AesPermutation, rings: readonly Ring[], levels: number, trees: number): Pads[] {
  const sums = rings.map((ring) => ({
    ring,
    byTree: new Float64Array(2 * ring.limbs * trees),
    byCell: new Float64Array(2 * ring.limbs * 2 ** levels),
  }));
  const words = sums.flatMap((sum) => Array.from({ length: sum.ring.limbs }, (_, limb) => ({ sum, limb })));
  const { leaves } = fieldOf();
  const together = Math.max(1, Math.floor(stepBytes / (16 * trees)));
  const masks = new Uint8Array(16 * trees * together);
  for (let cell = 0; cell < 2 ** levels; cell += together) {
    const cells = Math.min(together, 2 ** levels - cell);
    const step = leaves.subarray(16 * trees * cell, 16 * trees * (cell + cells));
    for (const [i, { sum, limb }] of words.entries()) {
      if (i % 2 === 0) maskRows(pi, step, noOffset, i / 2, masks);
      const halves = new Uint32Array(masks.buffer, 0, 4 * trees * cells).subarray(2 * (i % 2));
      addUp(halves, trees, cells, sum.byTree, sum.byCell.subarray(2 * sum.ring.limbs * cell), sum.ring, limb);
    }
  }
  return sums.map(({ ring, byTree, byCell }) => ({ byTree: carried(ring, byTree), byCell: carried(ring, byCell) }));
}

/** Adds one word of each mask to its tree's sum and its cell's, by halves: up to 2^21 of them are exact in a double. */
function addUp(
  masks: Uint32Array,
  trees: number,
  cells: number,
  byTree: Float64Array,
  byCell: Float64Array,
  { limbs }: Ring,
  limb: number,
): void {
  const stride = 2 * limbs;
  for (let cell = 0, from = 0, to = 2 * limb; cell < cells; cell++, to += stride) {
    let low = 0;
    let high = 0;
    for (let j = 0, at = 2 * limb; j < trees; j++, from += 4, at += stride) {
      const a = masks[from]!;
      const b = masks[from + 1]!;
      low += a;
      high += b;
      byTree[at]! += a;
      byTree[at + 1]! += b;
    }
    byCell[to]! += low;
    byCell[to + 1]! += high;
  }
}

/** The sum of the elements at each leaf. */
function sumsAt(elements: Vector, leaves: Int32Array, count: number): Vector {
  const { ring } = elements;
  const stride = 2 * ring.limbs;
  const from = new Uint32Array(elements.words.buffer, elements.words.byteOffset, stride * leaves.length);
  const sums = new Float64Array(stride * count);
  for (let j = 0, at = 0; j < leaves.length; j++) {
    const to = stride * leaves[j]!;
    for (let half = 0; half < stride; half++) sums[to + half]! += from[at++]!;
  }
  return carried(ring, sums);
}

/** Elements from sums of halves. */
function carried(ring: Ring, sums: Float64Array): Vector {
  const stride = 2 * ring.limbs;
  const elements = vector(ring, sums.length / stride);
  const halves = new Uint32Array(elements.words.buffer);
  for (let at = 0; at < sums.length; ) {
    let carry = 0;
    for (const end = at + stride; at < end; at++) {
      const sum = sums[at]! + carry;
      carry = Math.floor(sum / 2 ** 32);
      halves[at] = sum - carry * 2 ** 32;
    }
  }
  return elements;
}
