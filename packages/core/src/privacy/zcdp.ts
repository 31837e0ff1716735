/**
 * Concentrated differential privacy and (ε, δ), both ways, as bounds that are proven by integer arithmetic.
 *
 * ρ-zCDP gives (ε, δ) by Bun and Steinke (2016, Proposition 1.3) and, tighter, by Canonne, Kamath, Steinke (2020,
 * Proposition 12 and Corollary 13): with α = 1 + β, for every β > 0,
 *   δ = exp(β·((1 + β)·ρ − ε)) / β · (β/(1 + β))^(1+β).
 * Every β gives a true statement and one gives the best. Floating point looks for that one; the bound is then computed
 * for whatever was found, in intervals, so a poor search would cost accuracy and never privacy.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { type Rational, rational, toNumber } from '../algebra/rational.ts';
import { exactly, exp, expMiddle, type Interval, ln, minus, one, over, plus, sqrt, times, zero } from './interval.ts';

/** ε = ρ + 2·√(ρ·ln(1/δ)). Bun and Steinke (2016), Proposition 1.3. */
export function bunSteinkeEpsilon(rho: Rational, delta: Rational): Interval {
  checkParameters(rho, delta);
  const root = sqrt(times(exactly(rho), minus(zero, ln(exactly(delta)))));
  return plus(exactly(rho), plus(root, root));
}

/** The ε of ρ-zCDP at δ; its upper bound is a valid ε. CKS (2020), Corollary 13. */
export function cksEpsilon(rho: Rational, delta: Rational): Interval {
  checkParameters(rho, delta);
  const [r, lnDelta] = [toNumber(rho), Math.log(toNumber(delta))];
  // The derivative vanishes where ρβ² + ln(1 + β) = ln(1/δ), which grows in β.
  const beta = crossing((b) => r * b * b + Math.log1p(b) + lnDelta);
  const alpha = plus(one, exactly(beta));
  const slack = over(minus(shape(beta), ln(exactly(delta))), exactly(beta));
  return atLeastZero(plus(times(alpha, exactly(rho)), slack));
}

/** ln of the δ of ρ-zCDP at ε; its upper bound gives a valid δ. CKS (2020), Corollary 13. */
export function cksLnDelta(rho: Rational, epsilon: Rational): Interval {
  assert(rho.n > 0n && epsilon.n >= 0n, 'ρ is positive and ε not negative');
  const [r, e] = [toNumber(rho), toNumber(epsilon)];
  // The derivative is (1 + 2β)ρ − ε − ln(1 + 1/β), which grows in β.
  const beta = crossing((b) => (1 + 2 * b) * r - e - Math.log1p(1 / b));
  const alpha = plus(one, exactly(beta));
  const exponent = times(exactly(beta), minus(times(alpha, exactly(rho)), exactly(epsilon)));
  const bound = plus(exponent, shape(beta));
  return bound.hi > 0n ? { lo: bound.lo < 0n ? bound.lo : 0n, hi: 0n } : bound;
}

/** The largest ρ that gives (ε, δ); its lower bound is safe to spend. The inverse of `cksEpsilon`. */
export function cksRho(epsilon: Rational, delta: Rational): Interval {
  checkParameters(epsilon, delta);
  const [e, lnDelta] = [toNumber(epsilon), Math.log(toNumber(delta))];
  const rhoAt = (b: number) => (e + (lnDelta + (1 + b) * Math.log1p(b) - b * Math.log(b)) / b) / (1 + b);
  const beta = highest(rhoAt);
  const slack = over(minus(ln(exactly(delta)), shape(beta)), exactly(beta));
  return atLeastZero(over(plus(exactly(epsilon), slack), plus(one, exactly(beta))));
}

/** Pure ε gives ρ = ε²/2. Bun and Steinke (2016), Proposition 1.4. */
export function rhoOfPure(epsilon: Rational): Rational {
  return rational(epsilon.n * epsilon.n, 2n * epsilon.d * epsilon.d);
}

/** The δ of a logarithm, for display. */
export function deltaFigure(lnDelta: Interval): number {
  return expMiddle(lnDelta);
}

/** The δ of a logarithm, bounded. */
export function deltaBounds(lnDelta: Interval): Interval {
  return exp(lnDelta);
}

/** ln of (1/β)·(β/(1 + β))^(1+β) = β·ln β − (1 + β)·ln(1 + β). */
function shape(beta: Rational): Interval {
  const b = exactly(beta);
  const alpha = plus(one, b);
  return minus(times(b, ln(b)), times(alpha, ln(alpha)));
}

function atLeastZero(a: Interval): Interval {
  return { lo: a.lo < 0n ? 0n : a.lo, hi: a.hi < 0n ? 0n : a.hi };
}

function checkParameters(positive: Rational, delta: Rational): void {
  assert(positive.n > 0n, 'ε and ρ are positive');
  assert(delta.n > 0n && delta.n < delta.d, 'δ lies between 0 and 1');
}

/** β is looked for between these powers of two. */
const exponentRange = { from: -120, to: 160 };

/** Where a growing function changes its sign, by bisection of the exponent. */
function crossing(f: (b: number) => number): Rational {
  let { from, to } = exponentRange;
  for (let i = 0; i < 70; i++) {
    const half = (from + to) / 2;
    if (f(2 ** half) < 0) from = half;
    else to = half;
  }
  return fromDouble(2 ** from);
}

/** Where a function with one summit is highest, by golden section of the exponent. */
function highest(f: (b: number) => number): Rational {
  let { from, to } = exponentRange;
  const golden = (Math.sqrt(5) - 1) / 2;
  for (let i = 0; i < 100; i++) {
    const [left, right] = [to - golden * (to - from), from + golden * (to - from)];
    if (f(2 ** left) < f(2 ** right)) from = left;
    else to = right;
  }
  return fromDouble(2 ** ((from + to) / 2));
}

/** 32 bits of a positive double: any β near the best one will do. */
function fromDouble(x: number): Rational {
  const e = Math.floor(Math.log2(x)) - 31;
  const m = BigInt(Math.round(x / 2 ** e));
  return e >= 0 ? rational(m << BigInt(e)) : rational(m, 1n << BigInt(-e));
}
