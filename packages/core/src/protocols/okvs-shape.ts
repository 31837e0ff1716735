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
import { assert } from '../algebra/assert.ts';

const clusterKeys = 2 ** 14;

/** Keys of the largest store: three a person for sets of 2^22, and room to spare. */
const keysMax = 2 ** 24;

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
