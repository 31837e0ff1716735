/**
 * Multiplication over Z_2^64 of values shared additively, after Beaver (CRYPTO 1991).
 *
 * Rounds    1 (none for no elements)        Sends    16 bytes an element, to each peer        Takes    1 triple each
 * Security  semi-honest, N−1 colluding: d and e are uniform. An active party can add to any product an amount of its
 *           choice, times x, y or 1; it learns nothing by that until a wrong result is opened.
 * @module
 */
import { add, length, slice, sub, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import type { Triples } from '../sharing/beaver-triple.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, noCost, productsMax } from './cost.ts';
import { openMasked } from './open-masked.ts';

/**
 * My share of x · y, element by element.
 * @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT
 */
export async function multiply(ch: Channel, source: Correlations, x: Vector, y: Vector): Promise<Vector> {
  const n = length(x);
  checkLengths('multiply', productsMax, n, length(y));
  if (n === 0) return vector(Z2_64, 0);
  const t = await source.triples(n);

  // Round 1. Open d = x − a and e = y − b, which a and b make uniform.
  const masked = vector(Z2_64, 2 * n);
  masked.words.set(sub(x, t.a).words);
  masked.words.set(sub(y, t.b).words, n);
  const opened = await openMasked(ch, 'multiply/masked', masked);
  return product(t, slice(opened, 0, n), slice(opened, n, 2 * n), ch.self === ch.context.roster[0]);
}

/** c + d · b + e · a, and at the first party + d · e. */
export function product(t: Triples, d: Vector, e: Vector, isFirst: boolean): Vector {
  const z = vector(Z2_64, length(d));
  const b = isFirst ? add(t.b, e) : t.b;
  addProducts(z.words, t.c.words, d.words, b.words, e.words, t.a.words);
  return z;
}

function addProducts(
  z: BigUint64Array,
  c: BigUint64Array,
  d: BigUint64Array,
  b: BigUint64Array,
  e: BigUint64Array,
  a: BigUint64Array,
): void {
  for (let i = 0; i < z.length; i++) z[i] = BigInt.asUintN(64, c[i]! + d[i]! * b[i]! + e[i]! * a[i]!);
}

export function multiplyCost(parties: number, count: number): Cost {
  if (count === 0) return noCost;
  return { ...noCost, rounds: 1, bytes: (parties - 1) * 16 * count, triples: count };
}
