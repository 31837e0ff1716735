/**
 * From additive shares over Z_2^64 to shares by xor of the bits, and back (as in ABY, Demmler, Schneider, Zohner, NDSS
 * 2015, for N parties).
 *
 * To bits, each party's share is an input of an addition circuit: the bits are its own, and the others hold zeros. That
 * sharing hides nothing, and need not: every AND masks its inputs, and what reaches an output without an AND (the lowest
 * bit) is, at each party, the lowest bit of a share that is uniform itself.
 * To the ring, a bit b is opened under a random bit r that is shared both ways: e = b ⊕ r, and b = e + (1 − 2e) r.
 *
 * Rounds    toBits: carry-save of N operands, then an addition; toRing, toInteger: 1
 * Sends     toBits: 2 bits an AND; toRing: 1 bit a bit; to each peer        Takes    1 bit triple an AND; 1 shared bit a bit
 * Security  semi-honest, N−1 colluding, for additive shares that are uniform. An active party can shift what is converted.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { addInto, length, slice, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { type Bits, type Planes, plane, planesOf, wordsFor, xor } from '../sharing/bit-share.ts';
import { addPlanes, addPlanesCost, carrySave, carrySaveCost } from './add-circuit.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence, noCost, productsMax } from './cost.ts';
import { openMaskedBits } from './open-masked.ts';

/** The lowest bits of every party's share, as operands of an addition: my own, and zeros for the others'. */
export function operandsOf(ch: Channel, x: Vector, width: number): Planes[] {
  assert(Number.isInteger(width) && width >= 1 && width <= 64, 'a value has 1 to 64 bits');
  checkLengths('convert', elementsMax, length(x));
  const own = planesOf(x, width);
  return ch.context.roster.map((party) =>
    party === ch.self ? own : { ...own, words: new Uint32Array(own.words.length) },
  );
}

/**
 * The lowest `width` bits of x, shared by xor.
 * @throws ProtocolError OVER_LIMIT
 */
export async function toBits(ch: Channel, source: Correlations, x: Vector, width = 64): Promise<Planes> {
  const [y, z] = await carrySave(ch, source, operandsOf(ch, x, width));
  return addPlanes(ch, source, y, z);
}

/**
 * Each bit as 0 or 1 over Z_2^64.
 * @throws ProtocolError OVER_LIMIT
 */
export async function toRing(ch: Channel, source: Correlations, bits: Bits): Promise<Vector> {
  checkLengths('convert', productsMax, bits.count);
  if (bits.count === 0) return vector(Z2_64, 0);
  const r = await source.sharedBits(bits.count);

  // Round 1. Open e = b ⊕ r, which r makes uniform; what stands past the count has no mask and is not sent.
  const masked = xor(bits.words, r.xor);
  clearPast(bits.count, masked);
  const e = await openMaskedBits(ch, 'convert/masked', masked);
  return unmaskBits(e, r.ring, ch.self === ch.context.roster[0]);
}

/**
 * Σ 2^j b_j over Z_2^64, where b_j is plane j: the value read as an integer ≥ 0 (with 64 planes, also as a signed one).
 * @throws ProtocolError OVER_LIMIT
 */
export async function toInteger(ch: Channel, source: Correlations, x: Planes): Promise<Vector> {
  const { count, width } = x;
  checkLengths('convert', elementsMax, count);
  // Planes end at whole words, so the bits past the count are converted too, and dropped.
  const padded = 32 * wordsFor(count);
  const bits = await toRing(ch, source, { count: padded * width, words: x.words });
  const sum = vector(Z2_64, count);
  for (let j = width - 1; j >= 0; j--) {
    addInto(sum, sum);
    addInto(sum, slice(bits, j * padded, j * padded + count));
  }
  return sum;
}

/** My share of each b = e + (1 − 2e) r: r where e is 0, and 1 − r where it is 1. */
export function unmaskBits(e: Uint32Array, r: Vector, isFirst: boolean): Vector {
  const b = vector(Z2_64, length(r));
  const one = isFirst ? 1n : 0n;
  for (let i = 0; i < b.words.length; i++) {
    const word = r.words[i]!;
    b.words[i] = (e[i >>> 5]! >>> (i & 31)) & 1 ? BigInt.asUintN(64, one - word) : word;
  }
  return b;
}

function clearPast(count: number, words: Uint32Array): void {
  if (count % 32 !== 0) words[words.length - 1]! &= 2 ** (count % 32) - 1;
}

/** Plane j as bits. */
export function bitsAt(x: Planes, j: number): Bits {
  return { count: x.count, words: plane(x, j) };
}

export function toBitsCost(parties: number, count: number, width = 64): Cost {
  return inSequence(carrySaveCost(parties, parties, count, width), addPlanesCost(parties, count, width));
}

export function toRingCost(parties: number, count: number): Cost {
  if (count === 0) return noCost;
  return { ...noCost, rounds: 1, bytes: (parties - 1) * 4 * wordsFor(count), sharedBits: count };
}

export function toIntegerCost(parties: number, count: number, width: number): Cost {
  return toRingCost(parties, 32 * wordsFor(count) * width);
}
