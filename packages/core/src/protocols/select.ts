/**
 * A shared bit times shared values (multiplexer): the conversion of the bit and the multiplication in one round.
 *
 * With a random bit r that is shared both ways and e = b ⊕ r opened, b x = e x + (1 − 2e) r x; and r x is a product over
 * Z_2^64, whose d = r − α and ε = x − β are opened in the same round.
 *
 * Rounds    1 (none for no elements)        Sends    1 bit a bit and 16 bytes a value, to each peer
 * Takes     1 shared bit a bit, 1 triple a value
 * Security  semi-honest, N−1 colluding: all that is opened is uniform. An active party can shift the results.
 * @module
 */
import { addInto, length, slice, sub, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { type Bits, xor } from '../sharing/bit-share.ts';
import { clearPast, toRingCost, unmaskBits } from './convert.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, noCost, productsMax } from './cost.ts';
import { multiplyCost, product } from './multiply.ts';
import { openMasked, openMaskedBits } from './open-masked.ts';

export interface Selected {
  /** The bits as 0 and 1 over Z_2^64. */
  readonly bit: Vector;
  /** Each vector times the bits. */
  readonly products: readonly Vector[];
}

/**
 * The bits over the ring, and each of the vectors times them, element by element.
 * @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT
 */
export async function selectEach(
  ch: Channel,
  source: Correlations,
  bits: Bits,
  vectors: readonly Vector[],
): Promise<Selected> {
  const { count } = bits;
  checkLengths('select', productsMax, count, ...vectors.map(length));
  checkLengths('select', productsMax, count * vectors.length);
  if (count === 0) return { bit: vector(Z2_64, 0), products: vectors.map(() => vector(Z2_64, 0)) };
  const isFirst = ch.self === ch.context.roster[0];
  const n = count * vectors.length;
  const r = await source.sharedBits(count);
  const t = await source.triples(n);

  // Round 1. Open e = b ⊕ r, d = r − α and ε = x − β, which r, α and β make uniform.
  const maskedBits = xor(bits.words, r.xor);
  clearPast(count, maskedBits);
  const [repeated, all, masked] = [vector(Z2_64, n), vector(Z2_64, n), vector(Z2_64, 2 * n)];
  for (const [i, x] of vectors.entries()) {
    repeated.words.set(r.ring.words, i * count);
    all.words.set(x.words, i * count);
  }
  masked.words.set(sub(repeated, t.a).words);
  masked.words.set(sub(all, t.b).words, n);
  const [e, opened] = await Promise.all([
    openMaskedBits(ch, 'select/masked-bits', maskedBits),
    openMasked(ch, 'select/masked', masked),
  ]);
  const rx = product(t, slice(opened, 0, n), slice(opened, n, 2 * n), isFirst);

  const products = vectors.map((x, i) => muxed(e, x, slice(rx, i * count, (i + 1) * count)));
  return { bit: unmaskBits(e, r.ring, isFirst), products };
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
  if (count === 0) return noCost;
  const bits = toRingCost(parties, count);
  const products = multiplyCost(parties, count * vectors);
  return { ...noCost, rounds: 1, bytes: bits.bytes + products.bytes, sharedBits: count, triples: products.triples };
}
