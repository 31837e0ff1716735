/**
 * Correlated randomness as one party holds it: multiplication triples after Beaver (CRYPTO 1991), over bits and over
 * Z_2^64, and random bits that are shared in both ways.
 *
 * Bits are packed: bit i is bit i mod 32 of word ⌊i / 32⌋. The bits of the last word past the count are zero in `xor`
 * of shared bits and correlated like all others in bit triples, which come in whole words.
 * @module
 */
import type { Vector } from '../algebra/ring.ts';

/** Shares by xor of uniform bits a and b, and of c = a ∧ b. */
export interface BitTriples {
  readonly a: Uint32Array;
  readonly b: Uint32Array;
  readonly c: Uint32Array;
}

/** Additive shares over Z_2^64 of uniform a and b, and of c = a · b, element by element. */
export interface Triples {
  readonly a: Vector;
  readonly b: Vector;
  readonly c: Vector;
}

/** Uniform bits: each is shared by xor in `xor`, and as 0 or 1 additively over Z_2^64 in `ring`. */
export interface SharedBits {
  readonly xor: Uint32Array;
  readonly ring: Vector;
}
