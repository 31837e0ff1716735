/**
 * Merkle trees over a log that only grows, after RFC 6962 §2.1 and RFC 9162 §2.1: a root for each size, a proof that an
 * entry is in it, and a proof that a later root has all the entries of an earlier one, in their places.
 *
 *   leaf  SHA-256(0x00 ‖ entry)        node  SHA-256(0x01 ‖ left ‖ right)
 *
 * What is stored of a tree are its *whole* nodes: number i of level l covers the leaves from i·2^l to (i+1)·2^l − 1, and
 * never changes once these are there. The right edge of a size that is no power of two is put together when it is asked
 * for. So one store serves the roots and proofs of every size up to its own.
 *
 * Costs  a leaf adds one node, and one more for each level that it makes whole: two on average; a root reads log₂ n of
 *        them, a proof (log₂ n)² and has log₂ n + 1 hashes at most
 * @module
 */
import { assert } from './assert.ts';
import { equal } from './bytes.ts';
import { sha256 } from './hash.ts';

/** A whole node. Level 0 has the leaves. */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Uint8Array;
}

/** Reads a whole node that is there. */
export type NodeAt = (level: number, index: number) => Uint8Array;

/** A log of one entry a second reaches it after thirty years; no size above is believed. */
export const treeSizeMax = 2 ** 30;

const leafMark = Uint8Array.of(0);
const nodeMark = Uint8Array.of(1);

export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256(leafMark, entry);
}

function parent(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(nodeMark, left, right);
}

/** The nodes that leaf number `size` makes whole, itself first: what is stored when it is appended. */
export function append(size: number, leaf: Uint8Array, at: NodeAt): TreeNode[] {
  assert(size < treeSizeMax, 'a log ends before its sizes do');
  const nodes: TreeNode[] = [{ level: 0, index: size, hash: leaf }];
  for (let level = 0, index = size, hash = leaf; index % 2 === 1; level++) {
    hash = parent(at(level, index - 1), hash);
    index = (index - 1) / 2;
    nodes.push({ level: level + 1, index, hash });
  }
  return nodes;
}

/** MTH(D[size]): what a signature of the whole log signs. That of no entries is the hash of nothing. */
export function rootOf(size: number, at: NodeAt): Uint8Array {
  return size === 0 ? sha256() : hashOf(0, size, at);
}

/** Of the leaves from `start` to `end`; `start` is a multiple of the least power of two that covers them. */
function hashOf(start: number, end: number, at: NodeAt): Uint8Array {
  const count = end - start;
  const level = Math.log2(count);
  if (Number.isInteger(level)) return at(level, start / count);
  const split = start + splitOf(count);
  return parent(hashOf(start, split, at), hashOf(split, end, at));
}

/** The largest power of two below n. */
function splitOf(n: number): number {
  return 2 ** Math.floor(Math.log2(n - 1));
}

/** PATH(index, D[size]): that this leaf is in the tree of this size. From the leaf upwards. */
export function inclusionProof(index: number, size: number, at: NodeAt): Uint8Array[] {
  assert(index < size, 'only what is in a tree has a proof');
  const path = (start: number, end: number): Uint8Array[] => {
    if (end - start === 1) return [];
    const split = start + splitOf(end - start);
    return index < split
      ? [...path(start, split), hashOf(split, end, at)]
      : [...path(split, end), hashOf(start, split, at)];
  };
  return path(0, size);
}

/** RFC 9162 §2.1.3.2. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  let [here, last] = [index, size - 1];
  let hash = leaf;
  for (const beside of proof) {
    if (last === 0) return false;
    if (here % 2 === 1 || here === last) {
      hash = parent(beside, hash);
      while (here % 2 === 0 && here !== 0) [here, last] = [here / 2, Math.floor(last / 2)];
    } else {
      hash = parent(hash, beside);
    }
    [here, last] = [Math.floor(here / 2), Math.floor(last / 2)];
  }
  return last === 0 && equal(hash, root);
}

/** PROOF(from, D[to]): that the tree of size `to` begins with all of that of size `from`. None is needed from nothing. */
export function consistencyProof(from: number, to: number, at: NodeAt): Uint8Array[] {
  assert(from <= to, 'a log only grows');
  if (from === 0 || from === to) return [];
  const proof = (start: number, end: number, isWhole: boolean): Uint8Array[] => {
    if (from === end) return isWhole ? [] : [hashOf(start, end, at)];
    const split = start + splitOf(end - start);
    return from <= split
      ? [...proof(start, split, isWhole), hashOf(split, end, at)]
      : [...proof(split, end, false), hashOf(start, split, at)];
  };
  return proof(0, to, true);
}

/** RFC 9162 §2.1.4.2; every log begins with nothing. */
export function verifyConsistency(
  from: number,
  to: number,
  fromRoot: Uint8Array,
  toRoot: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!isSize(from) || !isSize(to) || from > to) return false;
  if (from === 0) return proof.length === 0 && equal(fromRoot, sha256());
  if (from === to) return proof.length === 0 && equal(fromRoot, toRoot);
  // Where `from` is a power of two its root is itself a node of the later tree, and is left out of the proof.
  const [first, ...rest] = Number.isInteger(Math.log2(from)) ? [fromRoot, ...proof] : proof;
  if (first === undefined) return false;
  let [here, last] = [from - 1, to - 1];
  while (here % 2 === 1) [here, last] = [(here - 1) / 2, Math.floor(last / 2)];
  let [earlier, later] = [first, first];
  for (const beside of rest) {
    if (last === 0) return false;
    if (here % 2 === 1 || here === last) {
      [earlier, later] = [parent(beside, earlier), parent(beside, later)];
      while (here % 2 === 0 && here !== 0) [here, last] = [here / 2, Math.floor(last / 2)];
    } else {
      later = parent(later, beside);
    }
    [here, last] = [Math.floor(here / 2), Math.floor(last / 2)];
  }
  return last === 0 && equal(earlier, fromRoot) && equal(later, toRoot);
}

const isSize = (n: number): boolean => Number.isSafeInteger(n) && n >= 0 && n <= treeSizeMax;
