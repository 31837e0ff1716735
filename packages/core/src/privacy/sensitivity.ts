/**
 * Sensitivity: how far one person can move a release, in integers.
 *
 * Neighbours are two databases of which one lacks all rows of one person, at every party. A person has at most k rows at
 * a party (a party leaves out the rest before anything else) and stands at no more than m parties, so k·m rows in all.
 * Every party clamps its own parts to public bounds and floors them to multiples of g before sharing. Adding c to a value
 * moves its clamp by at most |c|, and the floor of that by at most ⌈|c|/g⌉ multiples; and ⌈(c + d)/g⌉ ≤ ⌈c/g⌉ + ⌈d/g⌉. So
 * with rows that touch p parts, each by at most B:
 *
 *   Δ₁ = k m p ⌈B/g⌉        Δ₂² = (k m)² p ⌈B/g⌉²
 *
 * A row lies in one cell, so groups cost nothing more, and a bound on the groups of a person (l₀ ≤ k) could not make
 * either smaller: all k rows may lie in one cell. No other person's rows come or go with hers: there is no limit on all
 * rows together, in whose place the clamp stands. To exchange a person for another is to remove one and add one, and
 * moves a release by at most twice as much.
 *
 * Dither. Where values are shares from the start (a join), nobody can floor them. Each party then adds g·X + U in the place
 * of X: X the noise that it would add to multiples of g, and U uniform in 0…g − 1, one for each value. Let U be that of one
 * honest party, and v all that is added to it besides the noise. With r = (v + U) mod g, v + U = r + g·⌈(v − r)/g⌉, and r is
 * uniform whatever v is. So what opens is r + g·(⌈(v − r)/g⌉ + ΣX): for each r the same mechanism, on values that c moves by
 * ⌈|c|/g⌉ at most, and what the other parties add is known or is added afterwards. Δ₁ and Δ₂ above hold as they stand, with
 * m = 1 and k the pairs that one person's rows make.
 * @module
 */

/** How often one person can stand in the pooled rows. */
export interface Person {
  /** k: rows at one party. */
  readonly rows: bigint;
  /** m: parties. */
  readonly parties: bigint;
}

/** What one row can do to a release, wherever it falls. */
export interface RowBounds {
  /** B: the most by which it can change any one part; at least 1. */
  readonly rowMax: bigint;
  /** p: how many parts of its cell it can touch. */
  readonly rowParts: number;
}

export interface Sensitivity {
  readonly l1: bigint;
  readonly l2Squared: bigint;
}

/** In multiples of the lattice. */
export function personSensitivity({ rowMax, rowParts }: RowBounds, person: Person, lattice = 1n): Sensitivity {
  const step = (rowMax + lattice - 1n) / lattice;
  const times = person.rows * person.parties;
  const parts = BigInt(rowParts);
  return { l1: times * parts * step, l2Squared: times * times * parts * step * step };
}
