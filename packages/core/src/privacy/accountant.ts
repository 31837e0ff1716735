/**
 * Budgets and charges, as integers: micro-ε, micro-ρ and δ in units of 10^−12, always rounded against the spender.
 *
 * Charges add up. That stays valid when a question, and how much is spent on it, depends on earlier answers, as long as
 * the sum never passes the cap: a *filter* (for ε and (ε, δ) Rogers, Roth, Ullman, Vadhan 2016, Section 4; for ρ Feldman,
 * Zrnic 2021, Theorem 4.3). Within one job, parts that touch disjoint people cost the dearest of them (parallel
 * composition: McSherry 2009); across jobs nothing is discounted.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { type Rational, rational } from '../algebra/rational.ts';
import { fractionBits, type Interval, middle, quotient } from './interval.ts';
import { cksEpsilon, cksRho, rhoOfPure } from './zcdp.ts';

export const microsInOne = 1_000_000n;
export const deltaUnitsInOne = 1_000_000_000_000n;

/** Spent, or to be spent, in a budget of ε: micro-ε, and δ in units of 10^−12. */
export interface EpsilonCharge {
  readonly unit: 'epsilon';
  readonly epsilon: bigint;
  readonly delta: bigint;
}

/** Spent, or to be spent, in a budget of ρ: micro-ρ. */
export interface RhoCharge {
  readonly unit: 'rho';
  readonly rho: bigint;
}

export type Charge = EpsilonCharge | RhoCharge;

/** What a protected answer promises. */
export type Guarantee =
  | { readonly kind: 'pure'; readonly epsilon: Rational }
  /** With the (ε, δ) that ρ was derived from, or is to be converted to; ε is derived where it is left out. */
  | { readonly kind: 'zcdp'; readonly rho: Rational; readonly delta?: Rational; readonly epsilon?: Rational };

/** What a guarantee costs a budget of this unit; undefined where it has no price there (ρ without δ, in ε). */
export function chargeFor(guarantee: Guarantee, unit: Charge['unit']): Charge | undefined {
  if (guarantee.kind === 'pure') {
    return unit === 'epsilon'
      ? { unit, epsilon: microsUp(guarantee.epsilon), delta: 0n }
      : { unit, rho: microsUp(rhoOfPure(guarantee.epsilon)) };
  }
  const { rho, delta, epsilon } = guarantee;
  if (unit === 'rho') return { unit, rho: microsUp(rho) };
  if (delta === undefined) return undefined;
  const derived = roundedUp(cksEpsilon(rho, delta), microsInOne);
  const micros = epsilon === undefined ? derived : microsUp(epsilon);
  // Both bounds are proven, each by a search of its own: they may differ in the last micro.
  assert(derived <= micros + 1n, 'ρ gives the ε that it is said to come from');
  return { unit, epsilon: micros, delta: deltaUnitsUp(delta) };
}

/**
 * The ρ that an ask for (ε, δ) may spend, rounded down to 10^−12. Undefined where nothing is left of it.
 * CKS (2020), Corollary 13, inverted.
 */
export function rhoFor(epsilon: Rational, delta: Rational): Rational | undefined {
  const units = (cksRho(epsilon, delta).lo * deltaUnitsInOne) >> fractionBits;
  return units > 0n ? rational(units, deltaUnitsInOne) : undefined;
}

export function microsUp(r: Rational): bigint {
  return quotient(r.n * microsInOne, r.d, 'up');
}

/** Of a cap: never more than was granted. */
export function microsDown(r: Rational): bigint {
  return quotient(r.n * microsInOne, r.d, 'down');
}

export function deltaUnitsUp(r: Rational): bigint {
  return quotient(r.n * deltaUnitsInOne, r.d, 'up');
}

export function deltaUnitsDown(r: Rational): bigint {
  return quotient(r.n * deltaUnitsInOne, r.d, 'down');
}

/** The upper bound in whole units, rounded up. */
export function roundedUp(bounds: Interval, unitsInOne: bigint): bigint {
  return quotient(bounds.hi * unitsInOne, 1n << fractionBits, 'up');
}

/** A bounded value as a number to show. */
export function figure(bounds: Interval): number {
  return middle(bounds);
}

/** Micros as an exact fraction, to show or to compute with. */
export function fromMicros(micros: bigint): Rational {
  return rational(micros, microsInOne);
}

export function fromDeltaUnits(units: bigint): Rational {
  return rational(units, deltaUnitsInOne);
}

export function noCharge(unit: Charge['unit']): Charge {
  return unit === 'epsilon' ? { unit, epsilon: 0n, delta: 0n } : { unit, rho: 0n };
}

/** One after the other, on the same people. */
export function composed<C extends Charge>(a: C, b: C): C;
export function composed(a: Charge, b: Charge): Charge {
  return combined(a, b, (x, y) => x + y);
}

/** On disjoint people, within one job. */
export function disjoint<C extends Charge>(a: C, b: C): C;
export function disjoint(a: Charge, b: Charge): Charge {
  return combined(a, b, (x, y) => (x > y ? x : y));
}

/** What is left below a cap; negative where a cap was lowered below what is spent. */
export function remaining<C extends Charge>(cap: C, spent: C): C;
export function remaining(cap: Charge, spent: Charge): Charge {
  return combined(cap, spent, (x, y) => x - y);
}

/** The filter: whether an ask may be spent. It may take the last micro, and not one more. */
export function allows(cap: Charge, spent: Charge, ask: Charge): boolean {
  assert(
    amounts(ask).every((amount) => amount >= 0n),
    'nothing is ever given back',
  );
  return amounts(remaining(cap, composed(spent, ask))).every((amount) => amount >= 0n);
}

/** The least of each part: what the strictest of several budgets leaves. */
export function scarcest<C extends Charge>(a: C, b: C): C;
export function scarcest(a: Charge, b: Charge): Charge {
  return combined(a, b, (x, y) => (x < y ? x : y));
}

function amounts(charge: Charge): readonly bigint[] {
  return charge.unit === 'epsilon' ? [charge.epsilon, charge.delta] : [charge.rho];
}

function combined(a: Charge, b: Charge, each: (x: bigint, y: bigint) => bigint): Charge {
  if (a.unit === 'epsilon' && b.unit === 'epsilon') {
    return { unit: 'epsilon', epsilon: each(a.epsilon, b.epsilon), delta: each(a.delta, b.delta) };
  }
  assert(a.unit === 'rho' && b.unit === 'rho', 'one budget has one unit');
  return { unit: 'rho', rho: each(a.rho, b.rho) };
}
