/**
 * Oblivious key-value store: a vector P that answers each stored key with its value and any other key with noise, after
 * Garimella, Pinkas, Rosulek, Trieu and Yanai (CRYPTO 2021), built as Raghuraman and Rindal (CCS 2022) do. Groundwork:
 * no job uses it yet.
 *
 * A key names a row of a linear system: three places among the sparse rows of its cluster, and coefficients in
 * GF(2^128) for the few dense ones (`okvs-shape.ts`). Its value is the row times P, so that what P answers is linear in
 * P. Encoding peels the sparse part; the few rows that peeling sets aside are solved for the dense rows; what no
 * equation determines is drawn at random.
 *
 * Size      okvsSize(n) rows of a value: 1.43·n at 2^10, 1.27·n at 2^14, 1.35·n from 2^16 on
 * Cost      linear; no elimination over more than the rows set aside, which are a handful at most
 * Takes     the caller's coins, for the rows that are free, and a seed that is chosen when the keys are settled
 * Security  Where the values are uniform, P is uniform and says nothing of the keys but their number. Which keys a
 *           party encodes or decodes can be seen in the order of its memory accesses by another program on its machine.
 *           OKVS_FULL has a probability of about 2^-40 for keys that do not depend on the seed. It depends on the keys, so
 *           it must end the protocol, uniformly and for good: another seed would tell the peer of it. An active party
 *           can encode up to okvsSize(n) keys where n are agreed.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { solve128 } from '../algebra/linear128.ts';
import type { Rng } from '../algebra/prg.ts';
import { ProtocolError } from '../channel/errors.ts';
import { kernels, table128 } from '../kernels/kernels.ts';
import { type Message, octets } from './message.ts';
import {
  blockBytes,
  bytesOf,
  type OkvsCluster,
  type OkvsShape,
  okvsClusters,
  okvsShape,
  okvsSize,
  pick,
  wordsOf,
} from './okvs-shape.ts';
import { dependencies, type Peeling, peel } from './peel.ts';

export { okvsSize } from './okvs-shape.ts';

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
  const valueBytes = values.length / n;
  assert(valueBytes > 0 && valueBytes % blockBytes === 0, 'a value has a multiple of 16 bytes');
  const store = wordsOf(rng(okvsSize(n) * valueBytes));
  const allValues = wordsOf(values);
  for (const cluster of okvsClusters(shape, keys, seed)) {
    const peeling = peelCluster(shape, cluster);
    const part = partOf(store, shape, cluster.index, valueBytes / 4);
    const own = pick(allValues, cluster.members, valueBytes / 4);
    if (peeling.aside.length > 0) solveAside(shape, cluster, peeling, own, part);
    addDense(shape, cluster, part.dense, own);
    substitute(part.sparse, cluster.places, peeling, own, valueBytes / 4);
  }
  return bytesOf(store);
}

/** What a store of n keys answers these keys: any number of them, stored or not. */
export function decodeOkvs(store: Uint8Array, n: number, keys: Uint8Array, seed: Uint8Array): Uint8Array {
  const shape = okvsShape(n);
  const valueBytes = store.length / okvsSize(n);
  assert(valueBytes > 0 && valueBytes % blockBytes === 0, 'a store has all its rows');
  const words = valueBytes / 4;
  const values = new Uint32Array((keys.length / blockBytes) * words);
  const storeWords = wordsOf(store);
  for (const cluster of okvsClusters(shape, keys, seed)) {
    const part = partOf(storeWords, shape, cluster.index, words);
    const own = new Uint32Array(cluster.members.length * words);
    sumPlaces(part.sparse, cluster.places, own, words);
    addDense(shape, cluster, part.dense, own);
    for (let i = 0, from = 0; i < cluster.members.length; i++) {
      const to = cluster.members[i]! * words;
      for (let w = 0; w < words; w++) values[to + w] = own[from++]!;
    }
  }
  return bytesOf(values);
}

/** @throws ProtocolError OKVS_FULL: the same for each cause, as the cause depends on the keys. */
function peelCluster(shape: OkvsShape, cluster: OkvsCluster): Peeling {
  const isOver = cluster.members.length > shape.capacity;
  const peeling = peel(cluster.places, shape.sparse, shape.dense);
  // Of two equal keys, one is always set aside. So what follows is rare where keys differ.
  if (isOver || peeling.aside.length > 0) assert(areDistinct(cluster.keys), 'the keys of a store differ');
  if (isOver || peeling.aside.length > shape.dense) throw new ProtocolError('OKVS_FULL');
  return peeling;
}

function areDistinct(keys: Uint8Array): boolean {
  const words = new BigUint64Array(keys.slice().buffer);
  const seen = new Set<bigint>();
  for (let i = 0; i < words.length; i += 2) seen.add((words[i]! << 64n) | words[i + 1]!);
  return seen.size === words.length / 2;
}

/** The rows of one cluster. */
interface Part {
  readonly sparse: Uint32Array;
  readonly dense: Uint32Array;
}

function partOf(store: Uint32Array, shape: OkvsShape, index: number, words: number): Part {
  const start = index * (shape.sparse + shape.dense) * words;
  const middle = start + shape.sparse * words;
  return { sparse: store.subarray(start, middle), dense: store.subarray(middle, middle + shape.dense * words) };
}

/**
 * Sets the dense rows so that the rows set aside hold: added to those that they depend on, they are equations in the
 * dense rows and in sparse ones that are free.
 */
function solveAside(shape: OkvsShape, cluster: OkvsCluster, peeling: Peeling, values: Uint32Array, part: Part): void {
  const words = values.length / cluster.members.length;
  const coefficients = Array.from({ length: shape.dense }, (_, j) => wordsOf(cluster.coefficients(j)));
  const equations = peeling.aside.map((row) => {
    const { rows, free } = dependencies(peeling, cluster.places, shape.sparse, row);
    const equation = new Uint32Array(4 * shape.dense + words);
    const right = equation.subarray(4 * shape.dense);
    for (const i of [row, ...rows]) {
      for (const [j, all] of coefficients.entries()) addRow(equation.subarray(4 * j, 4 * j + 4), all, i);
      addRow(right, values, i);
    }
    for (const column of free) addRow(right, part.sparse, column);
    return bytesOf(equation);
  });
  if (!solve128(equations, shape.dense, bytesOf(part.dense))) throw new ProtocolError('OKVS_FULL');
}

function addRow(target: Uint32Array, rows: Uint32Array, i: number): void {
  for (let w = 0; w < target.length; w++) target[w]! ^= rows[i * target.length + w]!;
}

/** To each key's value comes the sum of its multiples of the dense rows. */
function addDense(shape: OkvsShape, cluster: OkvsCluster, dense: Uint32Array, values: Uint32Array): void {
  if (cluster.members.length === 0) return;
  const words = dense.length / shape.dense;
  const rows = bytesOf(dense);
  for (let j = 0; j < shape.dense; j++) {
    const coefficients = cluster.coefficients(j);
    for (let w = 0; w < words; w += 4) {
      const at = (j * words + w) * 4;
      const multiples = w + 4 === words ? coefficients : coefficients.slice();
      kernels().multiply128(multiples, table128(rows.subarray(at, at + blockBytes)));
      addBlocks(values, wordsOf(multiples), w, words);
    }
  }
}

/** Adds a block to each row, from word w on. */
function addBlocks(rows: Uint32Array, blocks: Uint32Array, w: number, words: number): void {
  for (let from = 0, to = w; from < blocks.length; from += 4, to += words) {
    rows[to]! ^= blocks[from]!;
    rows[to + 1]! ^= blocks[from + 1]!;
    rows[to + 2]! ^= blocks[from + 2]!;
    rows[to + 3]! ^= blocks[from + 3]!;
  }
}

/** Sets each row's pivot, those first that went last: the row's other places are settled by then, or free. */
function substitute(
  sparse: Uint32Array,
  places: Uint32Array,
  peeling: Peeling,
  values: Uint32Array,
  words: number,
): void {
  for (let t = peeling.rows.length - 1; t >= 0; t--) {
    const row = peeling.rows[t]!;
    const to = peeling.pivots[t]! * words;
    const a = places[3 * row]! * words;
    const b = places[3 * row + 1]! * words;
    const c = places[3 * row + 2]! * words;
    // The pivot is one of the three: with its own old value in the sum, none has to be told apart.
    for (let w = 0; w < words; w++) {
      sparse[to + w]! ^= values[row * words + w]! ^ sparse[a + w]! ^ sparse[b + w]! ^ sparse[c + w]!;
    }
  }
}

/** The sum of the three sparse rows of each key. */
function sumPlaces(sparse: Uint32Array, places: Uint32Array, values: Uint32Array, words: number): void {
  for (let i = 0, to = 0; i < places.length; i += 3) {
    const a = places[i]! * words;
    const b = places[i + 1]! * words;
    const c = places[i + 2]! * words;
    for (let w = 0; w < words; w++) values[to++] = sparse[a + w]! ^ sparse[b + w]! ^ sparse[c + w]!;
  }
}
