/**
 * Division of shared values by a power of two, in one round, after Escudero, Ghosh, Keller, Rachuri, Scholl (CRYPTO
 * 2020, probabilistic truncation).
 *
 * x + r is opened, where r is 64 random bits that are shared; the carry past bit 63 shows in its highest bit, and the
 * rest is shifted in the clear.
 *
 * Error     0 or +1: the result is ⌊x / 2^m⌋ or the integer above it, for x in [−2^62, 2^62)
 * Rounds    1        Sends    8 bytes a value, to each peer        Takes    64 shared bits a value
 * Security  semi-honest, N−1 colluding: x + r is uniform. Which of the two results it is depends on r alone and on the
 *           lowest m bits of x. An active party can shift the result.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { add, addInto, length, slice, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { constant } from './compare.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, noCost } from './cost.ts';
import { openMasked } from './open-masked.ts';

/**
 * My share of x / 2^m, for a public m from 1 to 62, with the error stated above.
 * @throws ProtocolError OVER_LIMIT
 */
export async function truncate(ch: Channel, source: Correlations, x: Vector, m: number): Promise<Vector> {
  assert(Number.isInteger(m) && m >= 1 && m <= 62, 'a value is shifted by 1 to 62 bits');
  const n = length(x);
  checkLengths('truncate', elementsMax, n);
  if (n === 0) return vector(Z2_64, 0);
  const { ring: bits } = await source.sharedBits(64 * n);
  const r = vector(Z2_64, n);
  const shifted = vector(Z2_64, n);
  const bit = (j: number): Vector => slice(bits, j * n, (j + 1) * n);
  // From the highest bit down, doubling what is there.
  for (let j = 63; j >= 0; j--) {
    addInto(r, r);
    addInto(r, bit(j));
    if (j === 63 || j < m) continue;
    addInto(shifted, shifted);
    addInto(shifted, bit(j));
  }

  // Round 1. Open c = x + 2^62 + r, which r makes uniform; x + 2^62 is not negative.
  const lifted = addConstant(ch, x, constant(n, 1n << 62n));
  const c = await openMasked(ch, 'truncate/masked', add(lifted, r));
  return shiftedDown(c, shifted, bit(63), m, ch.self === ch.context.roster[0]);
}

/** ⌊c' / 2^m⌋ − ⌊r' / 2^m⌋ + 2^(63−m) (c_63 ⊕ r_63) − 2^(62−m), where c' and r' are c and r below bit 63. */
function shiftedDown(c: Vector, shifted: Vector, highest: Vector, m: number, isFirst: boolean): Vector {
  const z = vector(Z2_64, length(c));
  const wrap = 1n << BigInt(63 - m);
  for (let i = 0; i < z.words.length; i++) {
    const opened = c.words[i]!;
    const isHigh = opened >> 63n === 1n;
    const known = isFirst ? (BigInt.asUintN(63, opened) >> BigInt(m)) - wrap / 2n + (isHigh ? wrap : 0n) : 0n;
    const carry = isHigh ? -wrap : wrap;
    z.words[i] = BigInt.asUintN(64, known - shifted.words[i]! + carry * highest.words[i]!);
  }
  return z;
}

export function truncateCost(parties: number, count: number): Cost {
  if (count === 0) return noCost;
  return { ...noCost, rounds: 1, bytes: (parties - 1) * 8 * count, sharedBits: 64 * count };
}
