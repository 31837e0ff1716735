/**
 * A shared bit times shared values (multiplexer): the conversion of the bit and the multiplication in one round.
 *
 * With a random bit r that is shared both ways and e = b ⊕ r opened, b x = e x + (1 − 2e) r x; and r x is a product over
 * Z_2^64, whose d = r − α and ε = x − β are opened in the same round.
 *
 * Rounds    1 (none for no elements), and 1 more for each further 2^20 values
 * Sends     1 bit a bit and 16 bytes a value, to each peer
 * Takes     1 shared bit a bit (whole words of 32 for each vector of bits), 1 triple a value
 * Security  semi-honest, N−1 colluding: all that is opened is uniform. An active party can shift the results.
 * @module
 */
import { addInto, length, slice, sub, subInto, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { type Bits, wordsFor, xorInto } from '../sharing/bit-share.ts';
import { unmaskBits } from './convert.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence, noCost, productsMax } from './cost.ts';
import { product } from './multiply.ts';
import { openMasked, openMaskedBits } from './open-masked.ts';

/** Bits, and vectors of as many elements each. */
export interface Selection {
  readonly bits: Bits;
  readonly vectors: readonly Vector[];
}

export interface Selected {
  /** The bits as 0 and 1 over Z_2^64. */
  readonly bit: Vector;
  /** Each vector times the bits. */
  readonly products: readonly Vector[];
}

/**
 * Of each selection, the bits over the ring, and each of its vectors times them, element by element.
 * @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT
 */
export async function selectAll(
  ch: Channel,
  source: Correlations,
  selections: readonly Selection[],
): Promise<Selected[]> {
  for (const { bits, vectors } of selections) checkLengths('select', productsMax, bits.count, ...vectors.map(length));
  const results = selections.map(({ bits, vectors }) => ({
    bit: vector(Z2_64, bits.count),
    products: vectors.map(() => vector(Z2_64, bits.count)),
  }));
  for (const batch of batchesOf(
    selections.map(({ bits, vectors }) => ({ count: bits.count, vectors: vectors.length })),
  )) {
    const parts = batch.map(({ at, start, end }) => {
      const { bits, vectors } = selections[at]!;
      const words = bits.words.subarray(start / 32, wordsFor(end));
      return { bits: { count: end - start, words }, vectors: vectors.map((x) => slice(x, start, end)) };
    });
    const selected = await selectBatch(ch, source, parts);
    for (const [i, { at, start }] of batch.entries()) {
      const { bit, products } = results[at]!;
      bit.words.set(selected[i]!.bit.words, start);
      for (const [j, product] of products.entries()) product.words.set(selected[i]!.products[j]!.words, start);
    }
  }
  return results;
}

/** The elements from `start`, a whole word, to before `end` of the selection `at`. */
interface Part {
  readonly at: number;
  readonly start: number;
  readonly end: number;
}

/** The sizes of a selection: its bits, and its vectors. */
interface SelectionSize {
  readonly count: number;
  readonly vectors: number;
}

/**
 * What is computed in one round: about `elementsMax` products, so that its message has 16 MiB. Cuts go through all
 * vectors of a selection at one place, so that no bit is converted twice.
 */
function batchesOf(sizes: readonly SelectionSize[]): Part[][] {
  const batches: Part[][] = [];
  let room = 0;
  for (const [at, { count, vectors }] of sizes.entries()) {
    const wordSize = 32 * Math.max(1, vectors);
    for (let start = 0; start < count; ) {
      if (room < wordSize) {
        batches.push([]);
        room = elementsMax;
      }
      const end = Math.min(count, start + 32 * Math.max(1, Math.floor(room / wordSize)));
      batches.at(-1)!.push({ at, start, end });
      room -= wordsFor(end - start) * wordSize;
      start = end;
    }
  }
  return batches;
}

async function selectBatch(ch: Channel, source: Correlations, selections: readonly Selection[]): Promise<Selected[]> {
  const parts = selections.flatMap(({ bits, vectors }, at) => vectors.map((x) => ({ at, bits, x })));
  const n = parts.reduce((sum, { bits }) => sum + bits.count, 0);
  const strides = selections.map(({ bits }) => wordsFor(bits.count));
  const words = strides.reduce((sum, each) => sum + each, 0);
  checkLengths('select', productsMax, n);
  const isFirst = ch.self === ch.context.roster[0];
  const r = await source.sharedBits(32 * words);
  const t = n === 0 ? undefined : await source.triples(n);

  // Round 1. Open e = b ⊕ r, d = r − α and ε = x − β, which r, α and β make uniform.
  const rOf: Vector[] = [];
  const [maskedBits, masked] = [r.xor.slice(), vector(Z2_64, 2 * n)];
  let word = 0;
  for (const [i, { bits }] of selections.entries()) {
    xorInto(maskedBits.subarray(word, word + strides[i]!), bits.words);
    rOf.push(slice(r.ring, 32 * word, 32 * word + bits.count));
    word += strides[i]!;
  }
  let start = 0;
  for (const { at, x } of parts) {
    masked.words.set(rOf[at]!.words, start);
    masked.words.set(x.words, n + start);
    start += length(x);
  }
  if (t !== undefined) {
    subInto(slice(masked, 0, n), t.a);
    subInto(slice(masked, n, 2 * n), t.b);
  }
  const [e, opened] = await Promise.all([
    openMaskedBits(ch, 'select/masked-bits', maskedBits),
    openMasked(ch, 'select/masked', masked),
  ]);
  const rx = t === undefined ? vector(Z2_64, 0) : product(t, slice(opened, 0, n), slice(opened, n, 2 * n), isFirst);

  [word, start] = [0, 0];
  return selections.map(({ bits, vectors }, i) => {
    const ours = e.subarray(word, word + strides[i]!);
    word += strides[i]!;
    const products = vectors.map((x) => {
      start += bits.count;
      return muxed(ours, x, slice(rx, start - bits.count, start));
    });
    return { bit: unmaskBits(ours, rOf[i]!, isFirst), products };
  });
}

/** The bits over the ring, and each of the vectors times them. */
export async function selectEach(
  ch: Channel,
  source: Correlations,
  bits: Bits,
  vectors: readonly Vector[],
): Promise<Selected> {
  return (await selectAll(ch, source, [{ bits, vectors }]))[0]!;
}

/** The bits times x. */
export async function select(ch: Channel, source: Correlations, bits: Bits, x: Vector): Promise<Vector> {
  return (await selectEach(ch, source, bits, [x])).products[0]!;
}

/** x where the bit is 1, y where it is 0: y + b (x − y). */
export async function choose(ch: Channel, source: Correlations, bits: Bits, x: Vector, y: Vector): Promise<Vector> {
  checkLengths('select', productsMax, bits.count, length(x), length(y));
  const chosen = await select(ch, source, bits, sub(x, y));
  addInto(chosen, y);
  return chosen;
}

/** e x + (1 − 2e) r x: r x where e is 0, and x − r x where it is 1. */
function muxed(e: Uint32Array, x: Vector, rx: Vector): Vector {
  const z = vector(Z2_64, length(x));
  for (let i = 0; i < z.words.length; i++) {
    const word = rx.words[i]!;
    z.words[i] = (e[i >>> 5]! >>> (i & 31)) & 1 ? BigInt.asUintN(64, x.words[i]! - word) : word;
  }
  return z;
}

/** Of so many bits, with `vectors` values each. `choose` costs what one vector does. */
export function selectCost(parties: number, count: number, vectors = 1): Cost {
  return selectAllCost(parties, [{ count, vectors }]);
}

export function selectAllCost(parties: number, sizes: readonly SelectionSize[]): Cost {
  const batches = batchesOf(sizes).map((batch): Cost => {
    const words = batch.reduce((sum, { start, end }) => sum + wordsFor(end - start), 0);
    const products = batch.reduce((sum, { at, start, end }) => sum + (end - start) * sizes[at]!.vectors, 0);
    const bytes = (parties - 1) * (4 * words + 16 * products);
    return { ...noCost, rounds: 1, bytes, sharedBits: 32 * words, triples: products };
  });
  return inSequence(...batches);
}
