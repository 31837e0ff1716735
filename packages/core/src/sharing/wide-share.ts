/**
 * Shares over Z_2^128 and Z_2^192 as shares of several integers over Z_2^64, so that circuits of 64 bits can carry them.
 *
 * Party i cuts its share x_i into pieces of 32 bits. The sum of all parties' pieces of one place is an integer below
 * N 2^32, so the pieces are additive shares of it over Z_2^64, and Σ 2^(32 j) of these integers is x modulo 2^bits.
 *
 * Rounds    0                Sends    0 bytes; opening costs twice what the wide vector does
 * Security  The integers tell more than x: how the carries fell. That is a function of x and of the randomness of its
 *           sharing alone, as the shares are uniform but for their sum, so whoever knows x could draw it himself.
 *           Noise must be in x before it is split.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { length, type Ring, toIntegers, type Vector, vector, Z2_64 } from '../algebra/ring.ts';

/** Vectors over Z_2^64 that `split` makes of one over this ring. */
export function piecesOf(ring: Ring): number {
  return ring.limbs === 1 ? 1 : 2 * ring.limbs;
}

/** The lowest piece first. A vector over Z_2^64 is its own piece. */
export function split(x: Vector): Vector[] {
  if (x.ring.limbs === 1) return [x];
  const pieces = Array.from({ length: piecesOf(x.ring) }, () => vector(Z2_64, length(x)));
  for (let i = 0; i < x.words.length; i++) {
    const [element, limb] = [Math.floor(i / x.ring.limbs), i % x.ring.limbs];
    pieces[2 * limb]!.words[element] = x.words[i]! & 0xffff_ffffn;
    pieces[2 * limb + 1]!.words[element] = x.words[i]! >> 32n;
  }
  return pieces;
}

/** The wide vector of pieces that were opened. */
export function join(ring: Ring, pieces: readonly Vector[]): Vector {
  assert(pieces.length === piecesOf(ring), 'there are as many pieces as the ring has');
  if (ring.limbs === 1) return pieces[0]!;
  const x = vector(ring, length(pieces[0]!));
  const integers = pieces.map(toIntegers);
  for (let i = 0; i < length(x); i++) {
    const element = integers.reduce((sum, piece, j) => sum + (piece[i]! << BigInt(32 * j)), 0n);
    for (let limb = 0; limb < ring.limbs; limb++) {
      x.words[i * ring.limbs + limb] = BigInt.asUintN(64, element >> BigInt(64 * limb));
    }
  }
  return x;
}
