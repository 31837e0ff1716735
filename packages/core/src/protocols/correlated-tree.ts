/**
 * Many trees at once whose leaves, of which the holder lacks one a tree, add up to one Δ: the correlated tree of Guo et
 * al. (EUROCRYPT 2023, "Half-Tree").
 *
 * A node x has the children H(x) and H(x) ⊕ x, with H(x) = π(σ(x)) ⊕ σ(x), so that both together are x, and every
 * level adds up to Δ. The owner holds a row q of a correlated OT for each level and tree, the holder t = q ⊕ c·Δ. The
 * first level's left child is q itself; of each further level the owner sends q ⊕ the sum of all left children. The
 * holder, whose path turns away from c, so learns the sum of one side, and by it the sibling of its path.
 *
 * Leaves    The trees take turns: leaf x of tree j is row x·trees + j, where bit l of x is the turn at level l
 * Sends     16 bytes a tree for each level but the first, owner to holder
 * Security  With π an ideal permutation H is circular correlation robust (Guo, Katz, Wang and Yu, IEEE S&P 2020), and
 *           the missing leaf is as hidden as Δ. An active owner can send sums that make a holder's leaves wrong for
 *           some paths, and so learn of the path whether the protocol above then fails.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { AesPermutation } from '../algebra/platform.ts';
import type { Kernels } from '../kernels/kernels.ts';

const rowBytes = 16;

/** Nodes go through AES in pieces of 64 KiB, which stay in a core's cache. */
const pieceBytes = 64 * 1024;

const none = new Uint8Array(rowBytes);

/** Where trees grow: reserved memory of the kernels'. */
export interface Ground {
  readonly kernels: Kernels;
  /** The leaves, 16 bytes each. */
  readonly leaves: Uint8Array;
  /** `scratchBytes(trees)` bytes. */
  readonly scratch: Uint8Array;
}

/** Room for a piece of nodes as they go to the cipher and come back, and for the sum of each tree. */
export function scratchBytes(trees: number): number {
  return pieceOf(trees) + rowBytes * trees;
}

/** Bytes of the correction of so many trees. */
export function correctionBytes(trees: number, levels: number): number {
  return rowBytes * trees * (levels - 1);
}

/** All leaves, from the rows q of each level, and the correction for the holder. */
export function growOwned(
  ground: Ground,
  pi: AesPermutation,
  q: Uint8Array,
  delta: Uint8Array,
  trees: number,
): Uint8Array<ArrayBuffer> {
  const size = rowBytes * trees;
  const levels = q.length / size;
  const correction = new Uint8Array(correctionBytes(trees, levels));
  const roots = q.subarray(0, size);
  ground.leaves.set(roots);
  for (let at = 0; at < size; at++) ground.leaves[size + at] = roots[at]! ^ delta[at % rowBytes]!;
  for (let level = 1; level < levels; level++) {
    const sums = growLevel(ground, pi, trees, level);
    const piece = correction.subarray((level - 1) * size, level * size);
    piece.set(sums);
    ground.kernels.xorInto(piece, q.subarray(level * size, (level + 1) * size));
  }
  return correction;
}

/** All leaves but those at the paths, from the rows t and the choices c: at a path lies what it has beyond Δ. */
export function growHeld(
  ground: Ground,
  pi: AesPermutation,
  t: Uint8Array,
  choices: Uint8Array,
  correction: Uint8Array,
  trees: number,
): Uint32Array {
  const size = rowBytes * trees;
  const levels = t.length / size;
  assert(correction.length === correctionBytes(trees, levels), 'a correction has 16 bytes a level and tree');
  const { leaves } = ground;
  const choice = (level: number, j: number) => {
    const i = level * trees + j;
    return (choices[i >> 3]! >> (i & 7)) & 1;
  };
  // What is known of each tree, summed up; and the row that its path has come to.
  const known = t.slice(0, size);
  const paths = Uint32Array.from({ length: trees }, (_, j) => (1 - choice(0, j)) * trees + j);
  leaves.fill(0, 0, 2 * size);
  for (let j = 0; j < trees; j++) leaves.set(rowOf(known, j), rowBytes * (choice(0, j) * trees + j));

  for (let level = 1; level < levels; level++) {
    const sums = growLevel(ground, pi, trees, level);
    const width = trees << level;
    const sent = correction.subarray((level - 1) * size, level * size);
    const rows = t.subarray(level * size, (level + 1) * size);
    for (let j = 0; j < trees; j++) {
      const c = choice(level, j);
      const path = paths[j]!;
      const [left, right] = [rowOf(leaves, path), rowOf(leaves, width + path)];
      const sibling = c === 0 ? left : right;
      for (let at = 0; at < rowBytes; at++) {
        const i = rowBytes * j + at;
        // Both children of the zeros at the path are H(0), which the sum of the left ones contains.
        const sum = sums[i]! ^ left[at]! ^ (c === 0 ? 0 : known[i]!);
        left[at] = 0;
        right[at] = 0;
        sibling[at] = sum ^ sent[i]! ^ rows[i]!;
        known[i]! ^= sibling[at]!;
      }
      paths[j] = path + (1 - c) * width;
    }
  }
  for (let j = 0; j < trees; j++) rowOf(leaves, paths[j]!).set(rowOf(known, j));
  return paths;
}

/** Puts the children of the nodes of a level in their place and behind them, and gives the sums of all left ones. */
function growLevel({ kernels, leaves, scratch }: Ground, pi: AesPermutation, trees: number, level: number): Uint8Array {
  const sums = scratch.subarray(pieceOf(trees)).subarray(0, rowBytes * trees);
  sums.fill(0);
  const nodes = (rowBytes * trees) << level;
  for (let start = 0; start < nodes; start += pieceOf(trees)) {
    const end = Math.min(start + pieceOf(trees), nodes);
    const piece = leaves.subarray(start, end);
    const turned = scratch.subarray(0, end - start);
    kernels.sigma(piece, turned, none, 0);
    turned.set(pi(turned));
    kernels.grow(piece, leaves.subarray(nodes + start, nodes + end), turned, sums);
  }
  return sums;
}

/** Whole rounds of the trees' turns. */
function pieceOf(trees: number): number {
  return rowBytes * trees * Math.max(1, Math.floor(pieceBytes / (rowBytes * trees)));
}

function rowOf(rows: Uint8Array, i: number): Uint8Array {
  return rows.subarray(rowBytes * i, rowBytes * (i + 1));
}
