/**
 * Oblivious key-value store: a vector P that answers each stored key with its value and any other key with noise, after
 * Garimella, Pinkas, Rosulek, Trieu and Yanai (CRYPTO 2021), built as Raghuraman and Rindal (CCS 2022) do.
 *
 * A key names a row of a linear system: three places among the sparse rows of its cluster, and coefficients in
 * GF(2^128) for the few dense ones (`okvs-shape.ts`). Its value is the row times P, so that what P answers is linear in
 * P. Encoding peels the sparse part; the few rows that peeling sets aside are solved for the dense rows; what no
 * equation determines is drawn at random.
 *
 * Size      okvsSize(n) rows of a value: 1.43·n at 2^10, 1.27·n at 2^14, 1.35·n from 2^16 on
 * Cost      linear; no elimination over more than the rows set aside, which are a handful at most
 * Takes     the caller's coins, for the rows that are free, and a seed that is chosen when the keys are settled
 * Memory    beyond keys, values and store 20 bytes a key, and in encoding a copy of the values; and a cluster's share in the
 *           kernels' memory, 3 MB for values of two blocks
 * Security  Where the values are uniform, P is uniform and says nothing of the keys but their number. Which keys a
 *           party encodes or decodes can be seen in the order of its memory accesses by another program on its machine: their
 *           hashes are the places of rows, and index the tables of dense rows. No row or value names a place in memory, but for
 *           those of the few equations of rows set aside (`linear128.ts`).
 *           OKVS_FULL has a probability of about 2^-40 for keys that do not depend on the seed. It depends on the keys, so
 *           it must end the protocol, uniformly and for good: another seed would tell the peer of it. An active party
 *           can encode up to okvsSize(n) keys where n are agreed.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { solve128 } from '../algebra/linear128.ts';
import type { AesPermutation } from '../algebra/platform.ts';
import type { Rng } from '../algebra/prg.ts';
import { ProtocolError } from '../channel/errors.ts';
import { kernels, table128 } from '../kernels/kernels.ts';
import { type Message, octets } from './message.ts';
import {
  blockBytes,
  bytesOf,
  hashInto,
  keysByRank,
  type OkvsClusters,
  okvsClusters,
  putRows,
  ranked,
  wordsOf,
} from './okvs-clusters.ts';
import { type OkvsShape, okvsShape, okvsSize } from './okvs-shape.ts';
import { dependencies, type Peeling, type PeelingRoom, peel, peelBytes } from './peel.ts';

export { okvsSize } from './okvs-shape.ts';

/** Keys are decoded so many at a time: with their values they stay in a core's cache. */
const decodedKeysMax = 2 ** 14;

/** A store of n keys on its way, whose values have so many blocks of 16 bytes. Another length is BAD_MESSAGE. */
export function okvsMessage(label: string, n: number, blocks: number): Message<Uint8Array> {
  return octets(label, okvsSize(n) * blocks * blockBytes);
}

/**
 * The store of these values, one for each key. Keys have 16 bytes and differ; values have a multiple of 16 bytes, all
 * the same.
 *
 * @throws ProtocolError OKVS_FULL
 */
export function encodeOkvs(keys: Uint8Array, values: Uint8Array, seed: Uint8Array, rng: Rng): Uint8Array {
  const n = keys.length / blockBytes;
  const shape = okvsShape(n);
  const rowBytes = values.length / n;
  assert(rowBytes > 0 && rowBytes % blockBytes === 0, 'a value has a multiple of 16 bytes');
  const store = rng(okvsSize(n) * rowBytes);
  const clusters = okvsClusters(shape, keys, seed);
  const clusterValues = bytesOf(ranked(clusters.ranks, wordsOf(values), rowBytes / 4));
  const room = roomFor(shape, clusters, shape.capacity, rowBytes);
  for (let index = 0; index < shape.clusters; index++) {
    const [from, to] = [clusters.starts[index]!, clusters.starts[index + 1]!];
    const clusterKeys = clusters.keys.subarray(from * blockBytes, to * blockBytes);
    if (to - from > shape.capacity) throw full(clusterKeys);
    const rows = rowsOf(room, shape, clusterKeys, clusters.ciphers);
    const peeling = peel(rows.places, shape.sparse, shape.dense, rows.peeling);
    if (peeling.aside.length > shape.dense) throw full(clusterKeys);
    const { sparse, dense } = partOf(store, shape, index, rowBytes);
    room.sparse.set(sparse);
    rows.values.set(clusterValues.subarray(from * rowBytes, to * rowBytes));
    if (peeling.aside.length > 0) {
      // Of two equal keys, one is always set aside. So this is rare where keys differ.
      assert(areDistinct(clusterKeys), 'the keys of a store differ');
      solveAside(rows, peeling, room.sparse, dense);
    }
    addDense(rows, dense, rowBytes);
    kernels().substitute(room.sparse, rows.places, peeling.rows, peeling.pivots, rows.values, rowBytes);
    sparse.set(room.sparse);
  }
  return store;
}

/** What a store of n keys answers these keys: any number of them, stored or not. */
export function decodeOkvs(store: Uint8Array, n: number, keys: Uint8Array, seed: Uint8Array): Uint8Array {
  const shape = okvsShape(n);
  const rowBytes = store.length / okvsSize(n);
  assert(rowBytes > 0 && rowBytes % blockBytes === 0, 'a store has all its rows');
  const clusters = okvsClusters(shape, keys, seed);
  const members = keysByRank(clusters.ranks);
  const values = new Uint32Array((keys.length / blockBytes) * (rowBytes / 4));
  const room = roomFor(shape, clusters, decodedKeysMax, rowBytes);
  for (let index = 0; index < shape.clusters; index++) {
    const { sparse, dense } = partOf(store, shape, index, rowBytes);
    const end = clusters.starts[index + 1]!;
    if (clusters.starts[index] !== end) room.sparse.set(sparse);
    for (let from = clusters.starts[index]!; from < end; from += decodedKeysMax) {
      const to = Math.min(end, from + decodedKeysMax);
      const rows = rowsOf(room, shape, clusters.keys.subarray(from * blockBytes, to * blockBytes), clusters.ciphers);
      kernels().sumThree(room.sparse, rows.places, rows.values, rowBytes);
      addDense(rows, dense, rowBytes);
      putRows(values, members.subarray(from, to), wordsOf(rows.values), rowBytes / 4);
    }
  }
  return bytesOf(values);
}

/** The same for each cause, as the cause depends on the keys; but equal keys are our own mistake. */
function full(clusterKeys: Uint8Array): ProtocolError {
  assert(areDistinct(clusterKeys), 'the keys of a store differ');
  return new ProtocolError('OKVS_FULL');
}

function areDistinct(keys: Uint8Array): boolean {
  const words = new BigUint64Array(keys.slice().buffer);
  const seen = new Set<bigint>();
  for (let i = 0; i < words.length; i += 2) seen.add((words[i]! << 64n) | words[i + 1]!);
  return seen.size === words.length / 2;
}

/** A cluster's part of a store. */
interface Part {
  readonly sparse: Uint8Array;
  readonly dense: Uint8Array;
}

function partOf(store: Uint8Array, { sparse, dense }: OkvsShape, index: number, rowBytes: number): Part {
  const start = index * (sparse + dense) * rowBytes;
  const middle = start + sparse * rowBytes;
  return { sparse: store.subarray(start, middle), dense: store.subarray(middle, middle + dense * rowBytes) };
}

/** Memory of the kernels for some keys at a time, and for a cluster's sparse rows. */
interface Room {
  readonly keys: Uint8Array;
  readonly hashes: Uint8Array;
  readonly places: Uint32Array;
  readonly values: Uint8Array;
  readonly sparse: Uint8Array;
  readonly order: Uint32Array;
  readonly pivots: Uint32Array;
  readonly scratch: Uint8Array;
}

/** For the keys of the largest cluster, or as many as are taken at a time. */
function roomFor(shape: OkvsShape, { starts }: OkvsClusters, keysMax: number, rowBytes: number): Room {
  let count = 0;
  for (let c = 0; c < shape.clusters; c++) count = Math.max(count, starts[c + 1]! - starts[c]!);
  count = Math.min(count, keysMax);
  const block = count * blockBytes;
  const sizes = [block, block, 12 * count, count * rowBytes, shape.sparse * rowBytes];
  const reserved = kernels().reserve(...sizes, ...peelBytes(count, shape.sparse));
  const [keys, hashes, places, values, sparse, order, pivots, scratch] = reserved as Uint8Array[];
  return {
    keys: keys!,
    hashes: hashes!,
    places: wordsOf(places!),
    values: values!,
    sparse: sparse!,
    order: wordsOf(order!),
    pivots: wordsOf(pivots!),
    scratch: scratch!,
  };
}

/** The rows of some keys of one cluster, in the memory of a room. */
interface Rows {
  readonly keys: Uint8Array;
  /** Three different sparse rows of the cluster for each. */
  readonly places: Uint32Array;
  /** Their values, which whoever made the rows sets. */
  readonly values: Uint8Array;
  readonly peeling: PeelingRoom;
  /** Their coefficients of dense row j, until the next call. */
  coefficients(j: number): Uint8Array;
}

function rowsOf(room: Room, shape: OkvsShape, clusterKeys: Uint8Array, ciphers: readonly AesPermutation[]): Rows {
  const count = clusterKeys.length / blockBytes;
  const [keys, hashes] = [room.keys, room.hashes].map((all) => all.subarray(0, clusterKeys.length)) as [
    Uint8Array,
    Uint8Array,
  ];
  keys.set(clusterKeys);
  hashInto(hashes, ciphers[0]!, keys);
  const places = room.places.subarray(0, 3 * count);
  kernels().threePlaces(hashes, places, shape.sparse);
  const [rowBytes, scratchBytes] = [room.sparse.length / shape.sparse, peelBytes(count, shape.sparse)[2]];
  return {
    keys,
    places,
    values: room.values.subarray(0, count * rowBytes),
    peeling: {
      rows: room.order.subarray(0, count),
      pivots: room.pivots.subarray(0, count),
      scratch: room.scratch.subarray(0, scratchBytes),
    },
    coefficients(j) {
      hashInto(hashes, ciphers[j + 1]!, keys);
      return hashes;
    },
  };
}

/** To each key's value comes the sum of its multiples of the dense rows. */
function addDense(rows: Rows, dense: Uint8Array, rowBytes: number): void {
  if (rows.keys.length === 0) return;
  for (let j = 0; j < dense.length / rowBytes; j++) {
    const coefficients = rows.coefficients(j);
    for (let block = 0; block < rowBytes; block += blockBytes) {
      const at = j * rowBytes + block;
      const table = table128(dense.subarray(at, at + blockBytes));
      kernels().addProducts(coefficients, table, rows.values.subarray(block), rowBytes);
    }
  }
}

/**
 * Sets the dense rows so that the rows set aside hold: added to those that they depend on, they are equations in the
 * dense rows and in sparse ones that are free.
 */
function solveAside(rows: Rows, peeling: Peeling, sparseBytes: Uint8Array, dense: Uint8Array): void {
  const rowBytes = (rows.values.length / rows.keys.length) * blockBytes;
  const unknowns = dense.length / rowBytes;
  const coefficients = Array.from({ length: unknowns }, (_, j) => wordsOf(rows.coefficients(j).slice()));
  const [values, sparse] = [wordsOf(rows.values), wordsOf(sparseBytes)];
  const equations = peeling.aside.map((row) => {
    const { rows: others, free } = dependencies(peeling, rows.places, sparseBytes.length / rowBytes, row);
    const equation = new Uint32Array(4 * unknowns + rowBytes / 4);
    const right = equation.subarray(4 * unknowns);
    for (const i of [row, ...others]) {
      for (const [j, all] of coefficients.entries()) addRow(equation.subarray(4 * j, 4 * j + 4), all, i);
      addRow(right, values, i);
    }
    for (const column of free) addRow(right, sparse, column);
    return bytesOf(equation);
  });
  if (!solve128(equations, unknowns, dense)) throw new ProtocolError('OKVS_FULL');
}

function addRow(target: Uint32Array, rows: Uint32Array, i: number): void {
  for (let w = 0; w < target.length; w++) target[w]! ^= rows[i * target.length + w]!;
}
