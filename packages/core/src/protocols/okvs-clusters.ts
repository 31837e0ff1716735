/**
 * Keys in the order of their clusters, and the row of each in its cluster's linear system, by AES of the key.
 *
 * All hashes of a key x are π(x) ⊕ x under fixed keys, which come from the seed: the first of its cluster (word 0) and
 * its three places there (words 1 to 3), and one more for the coefficient of each dense row. Hashes are made again where
 * they are needed, which is quicker than to fetch them from where a cluster's keys have stood among all.
 *
 * Memory    20 bytes a key, and the rows that are moved, so that a cluster's lie together and fit a core's cache
 * @module
 */
import { platform } from '#platform';
import { assert } from '../algebra/assert.ts';
import { u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import type { AesPermutation } from '../algebra/platform.ts';
import { kernels } from '../kernels/kernels.ts';
import type { OkvsShape } from './okvs-shape.ts';

export const blockBytes = 16;

/** Keys go through AES in pieces of so many bytes, which stay in a core's cache. */
const pieceBytes = 64 * 1024;

export interface OkvsClusters {
  /** Where each cluster's keys begin in the order of clusters, and at the end how many there are. */
  readonly starts: Uint32Array;
  /** The rank of each key in that order. */
  readonly ranks: Uint32Array;
  /** The keys in that order. */
  readonly keys: Uint8Array;
  /** π for the clusters and places, and then for the coefficients of each dense row. */
  readonly ciphers: readonly AesPermutation[];
}

/** Keys have 16 bytes. Those of one cluster stay in their order. */
export function okvsClusters(shape: OkvsShape, keys: Uint8Array, seed: Uint8Array): OkvsClusters {
  assert(keys.length % blockBytes === 0, 'a key has 16 bytes');
  assert(seed.length === 16, 'a seed has 16 bytes');
  const ciphers = Array.from({ length: shape.dense + 1 }, (_, i) => {
    return platform.aesPermutation(sha256(utf8('folkmoot okvs v1'), seed, u32(i)).slice(0, 16));
  });
  const found = clusterOfEach(ciphers[0]!, keys, shape.clusters);
  const starts = startsOf(found, shape.clusters);
  const ranks = ranksOf(found, starts);
  return { starts, ranks, keys: bytesOf(ranked(ranks, wordsOf(keys), blockBytes / 4)), ciphers };
}

function startsOf(found: Uint16Array, clusters: number): Uint32Array {
  const starts = new Uint32Array(clusters + 1);
  for (let i = 0; i < found.length; i++) starts[found[i]! + 1]!++;
  for (let c = 0; c < clusters; c++) starts[c + 1]! += starts[c]!;
  return starts;
}

function ranksOf(found: Uint16Array, starts: Uint32Array): Uint32Array {
  const next = starts.slice();
  const ranks = new Uint32Array(found.length);
  for (let i = 0; i < found.length; i++) ranks[i] = next[found[i]!]!++;
  return ranks;
}

function clusterOfEach(pi: AesPermutation, keys: Uint8Array, clusters: number): Uint16Array {
  // There are up to 2^10 clusters.
  const found = new Uint16Array(keys.length / blockBytes);
  for (let start = 0, i = 0; start < keys.length; start += pieceBytes) {
    const piece = keys.subarray(start, start + pieceBytes);
    const [before, after] = [wordsOf(piece), wordsOf(pi(piece))];
    // ⌊clusters · word / 2^32⌋: off from uniform by clusters / 2^32 at most.
    for (let at = 0; at < before.length; at += 4) {
      found[i++] = Math.floor((((before[at]! ^ after[at]!) >>> 0) * clusters) / 2 ** 32);
    }
  }
  return found;
}

/** π(x) ⊕ x for each key, into memory that the kernels have reserved. */
export function hashInto(out: Uint8Array, pi: AesPermutation, keys: Uint8Array): void {
  for (let start = 0; start < keys.length; start += pieceBytes) {
    out.set(pi(keys.subarray(start, start + pieceBytes)), start);
  }
  kernels().xorInto(out, keys);
}

/** Rows of so many words (a multiple of 4) in the order of clusters. */
export function ranked(ranks: Uint32Array, rows: Uint32Array, words: number): Uint32Array {
  const moved = new Uint32Array(rows.length);
  // Reads are in order, and writes in as many orders as there are clusters, each of which goes on in a line of its own.
  for (let i = 0, from = 0; i < ranks.length; i++) {
    for (let to = ranks[i]! * words, end = from + words; from < end; from += 4, to += 4) {
      moved[to] = rows[from]!;
      moved[to + 1] = rows[from + 1]!;
      moved[to + 2] = rows[from + 2]!;
      moved[to + 3] = rows[from + 3]!;
    }
  }
  return moved;
}

/** Which key has each rank. */
export function keysByRank(ranks: Uint32Array): Uint32Array {
  const members = new Uint32Array(ranks.length);
  for (let i = 0; i < ranks.length; i++) members[ranks[i]!] = i;
  return members;
}

/** Rows of a multiple of 4 words, each to its number among all. */
export function putRows(all: Uint32Array, numbers: Uint32Array, rows: Uint32Array, words: number): void {
  for (let i = 0, from = 0; i < numbers.length; i++) {
    for (let to = numbers[i]! * words, end = from + words; from < end; from += 4, to += 4) {
      all[to] = rows[from]!;
      all[to + 1] = rows[from + 1]!;
      all[to + 2] = rows[from + 2]!;
      all[to + 3] = rows[from + 3]!;
    }
  }
}

/** The bytes as words, in place where they lie on a word's border. */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint32Array(buffer, byteOffset, length / 4);
}

export function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
