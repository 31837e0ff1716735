/**
 * The size of an oblivious key-value store and the rows of its linear system, after Raghuraman and Rindal (CCS 2022).
 *
 * Keys fall at random into clusters of about 2^14. In its cluster a key has three places among the sparse rows, and a
 * coefficient in GF(2^128) for each of a few dense rows. A store cannot be built with a probability of about 2^-40; where
 * there are several clusters, half of that goes to their load, and an equal part of the other half to each one's system.
 *
 *  - A cluster holds more than its capacity: Bernstein's bound, over all clusters.
 *  - A cluster's sparse system has a large core: the paper's λ = a(c)·(e − 1.223) − 9.2 for e sparse rows a key and
 *    weight 3, where log2 a(c) = 0.555·log2 c + 2.336 is measured there.
 *  - It has more small cores, which are pairs of keys with the same places mostly, than dense rows: one of them has a
 *    probability of about 1/(sparse rows), so there are g dense rows, with (g + 1)·log2(sparse rows) > λ.
 *
 * Both ends compute a size by themselves, so it is made of nothing but operations that IEEE 754 rounds exactly.
 * @module
 */
import { platform } from '#platform';
import { assert } from '../algebra/assert.ts';
import { concat, u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import type { AesPermutation } from '../algebra/platform.ts';
import { kernels } from '../kernels/kernels.ts';

export const blockBytes = 16;

const clusterKeys = 2 ** 14;

/** Keys of the largest store: three a person for sets of 2^22, and room to spare. */
const keysMax = 2 ** 24;

/** Rows go through AES in pieces of so many bytes, which stay in a core's cache. */
const pieceBytes = 64 * 1024;

/** a(2^k), rounded down. Between two of them lies the chord, which runs below the curve. */
const slopes = [5, 7, 10, 16, 23, 34, 50, 74, 109, 161, 236, 347, 510, 750, 1102, 1619];

export interface OkvsShape {
  readonly clusters: number;
  /** Keys that a cluster can hold. */
  readonly capacity: number;
  /** Rows of a cluster that a key picks three of. */
  readonly sparse: number;
  /** Rows of a cluster that each of its keys takes a multiple of. */
  readonly dense: number;
}

export function okvsShape(n: number): OkvsShape {
  assert(Number.isInteger(n) && n >= 1 && n <= keysMax, 'a store has from 1 to 2^24 keys');
  const clusters = Math.max(1, Math.round(n / clusterKeys));
  // −log2 of what one cluster may fail with.
  const lambda = clusters === 1 ? 40 : 41 + 32 - Math.clz32(clusters - 1);
  const capacity = clusters === 1 ? n : Math.ceil(n / clusters + excess(n / clusters, lambda));
  const sparse = Math.max(3, Math.ceil(capacity * (1.223 + (lambda + 9.2) / slope(capacity))));
  let dense = 0;
  for (let power = sparse; power <= 2 ** lambda; power *= sparse) dense++;
  return { clusters, capacity, sparse, dense };
}

/** Rows of a store of n keys. */
export function okvsSize(n: number): number {
  const { clusters, sparse, dense } = okvsShape(n);
  return clusters * (sparse + dense);
}

/** t with P(load ≥ mean + t) ≤ exp(−t² / (2·mean + 2t/3)) = 2^−λ. */
function excess(mean: number, lambda: number): number {
  const nats = lambda * Math.LN2;
  return nats / 3 + Math.sqrt((nats * nats) / 9 + 2 * mean * nats);
}

function slope(keys: number): number {
  const k = 31 - Math.clz32(keys);
  return slopes[k]! + ((slopes[k + 1]! - slopes[k]!) * (keys - 2 ** k)) / 2 ** k;
}

/** The rows of the keys that fell into one cluster. */
export interface OkvsCluster {
  readonly index: number;
  /** Which of all keys they are. */
  readonly members: Uint32Array;
  /** Three different sparse rows of the cluster for each. */
  readonly places: Uint32Array;
  /** Their keys. */
  readonly keys: Uint8Array;
  /** Their coefficients of dense row j, in memory of their own. */
  coefficients(j: number): Uint8Array;
}

/** The clusters of these keys, one at a time. */
export function* okvsClusters(shape: OkvsShape, keys: Uint8Array, seed: Uint8Array): Generator<OkvsCluster> {
  assert(keys.length % blockBytes === 0, 'a key has 16 bytes');
  assert(seed.length === 16, 'a seed has 16 bytes');
  const count = keys.length / blockBytes;
  const ciphers = Array.from({ length: shape.dense + 1 }, (_, i) => {
    return platform.aesPermutation(sha256(utf8('folkmoot okvs v1'), seed, u32(i)).slice(0, 16));
  });
  const hashes = wordsOf(hash(ciphers[0]!, keys));
  const starts = new Uint32Array(shape.clusters + 1);
  for (let i = 0; i < count; i++) starts[below(hashes[4 * i]!, shape.clusters) + 1]!++;
  for (let c = 0; c < shape.clusters; c++) starts[c + 1]! += starts[c]!;
  const next = starts.slice();
  const members = new Uint32Array(count);
  for (let i = 0; i < count; i++) members[next[below(hashes[4 * i]!, shape.clusters)]!++] = i;
  const keyWords = wordsOf(keys);
  for (let index = 0; index < shape.clusters; index++) {
    const own = members.subarray(starts[index], starts[index + 1]);
    const ownKeys = bytesOf(pick(keyWords, own, 4));
    yield {
      index,
      members: own,
      places: placesOf(hashes, own, shape.sparse),
      keys: ownKeys,
      coefficients: (j) => hash(ciphers[j + 1]!, ownKeys),
    };
  }
}

/** Three different numbers below `rows` from the words of each hash, each such triple as likely as another. */
function placesOf(hashes: Uint32Array, members: Uint32Array, rows: number): Uint32Array {
  const places = new Uint32Array(3 * members.length);
  for (let i = 0; i < members.length; i++) {
    const at = 4 * members[i]!;
    const a = below(hashes[at + 1]!, rows);
    let b = below(hashes[at + 2]!, rows - 1);
    if (b >= a) b++;
    let c = below(hashes[at + 3]!, rows - 2);
    if (c >= Math.min(a, b)) c++;
    if (c >= Math.max(a, b)) c++;
    places[3 * i] = a;
    places[3 * i + 1] = b;
    places[3 * i + 2] = c;
  }
  return places;
}

/** Rows of so many words, in the order of their numbers. */
export function pick(rows: Uint32Array, numbers: Uint32Array, words: number): Uint32Array<ArrayBuffer> {
  const picked = new Uint32Array(words * numbers.length);
  for (let i = 0, to = 0; i < numbers.length; i++) {
    const from = words * numbers[i]!;
    for (let w = 0; w < words; w++) picked[to++] = rows[from + w]!;
  }
  return picked;
}

/** The bytes as words, in place where they lie on a word's border. */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint32Array(buffer, byteOffset, length / 4);
}

export function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/** π(x) ⊕ x for each block x. */
function hash(pi: AesPermutation, blocks: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < blocks.length; start += pieceBytes) {
    const piece = blocks.subarray(start, start + pieceBytes);
    const hashed = pi(piece);
    kernels().xorInto(hashed, piece);
    pieces.push(hashed);
  }
  return concat(...pieces);
}

/** ⌊limit · word / 2^32⌋: off from uniform by limit / 2^32 at most. */
function below(word: number, limit: number): number {
  return Math.floor((word * limit) / 2 ** 32);
}
