import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cmp, parseRational, type Rational, rational, toNumber } from '../src/algebra/rational.ts';
import {
  allows,
  type Charge,
  chargeFor,
  composed,
  deltaUnitsDown,
  deltaUnitsUp,
  disjoint,
  type EpsilonCharge,
  figure,
  fromDeltaUnits,
  fromMicros,
  microsDown,
  microsUp,
  noCharge,
  remaining,
  rhoFor,
  scarcest,
} from '../src/privacy/accountant.ts';
import { discreteGaussianDelta } from '../src/privacy/gaussian-delta.ts';
import { exactly, middle } from '../src/privacy/interval.ts';
import { gaussianPmf } from '../src/privacy/noise-distribution.ts';
import {
  bunSteinkeEpsilon,
  cksEpsilon,
  cksLnDelta,
  cksRho,
  deltaBounds,
  deltaFigure,
  rhoOfPure,
} from '../src/privacy/zcdp.ts';

const epsilons = fc.bigInt(1n, 20_000_000n).map((micros) => rational(micros, 1_000_000n));
const rhos = fc.bigInt(1n, 5_000_000n).map((micros) => rational(micros, 1_000_000n));
const deltas = fc.bigInt(1n, 10n ** 11n).map((units) => rational(units, 10n ** 12n));
const spent = (epsilon: bigint, delta = 0n): EpsilonCharge => ({ unit: 'epsilon', epsilon, delta });

describe('conversions', () => {
  it('the tighter bound never exceeds that of Bun and Steinke', () => {
    fc.assert(
      fc.property(rhos, deltas, (rho, delta) => {
        expect(cksEpsilon(rho, delta).hi).toBeLessThanOrEqual(bunSteinkeEpsilon(rho, delta).hi);
      }),
    );
  });

  it('there and back never gains', () => {
    fc.assert(
      fc.property(epsilons, deltas, (epsilon, delta) => {
        const rho = rhoFor(epsilon, delta);
        if (rho === undefined) return;
        // What is granted as ρ gives back the ε that was asked, or less; and nothing is wasted but the rounding.
        const back = cksEpsilon(rho, delta);
        expect(toNumber({ n: back.hi, d: 1n << 256n })).toBeLessThanOrEqual(toNumber(epsilon) * (1 + 1e-12));
        expect(cmp(rho, { n: cksRho(epsilon, delta).lo, d: 1n << 256n })).toBeLessThanOrEqual(0);
        const more = rational(rho.n * (10n ** 12n / rho.d) + 1n, 10n ** 12n);
        expect(cmp(more, { n: cksRho(epsilon, delta).lo, d: 1n << 256n })).toBe(1);
      }),
    );
    fc.assert(
      fc.property(rhos, epsilons, (rho, epsilon) => {
        const delta = deltaFigure(cksLnDelta(rho, epsilon));
        if (delta < 1e-12 || delta > 0.1) return;
        const asked = rational(BigInt(Math.round(delta * 1e18)), 10n ** 18n);
        expect(middle(cksEpsilon(rho, asked)) / toNumber(epsilon)).toBeCloseTo(1, 4);
      }),
    );
  });

  it('is about ε²/(4·ln(1/δ)) for a small ε', () => {
    const rho = rhoFor(parseRational('0.1'), rational(1n, 10n ** 6n))!;
    expect(toNumber(rho)).toBeGreaterThan(0.01 / (4 * Math.log(1e6)));
    expect(rhoFor(rational(1n, 1_000_000n), rational(1n, 10n ** 12n))).toBeUndefined();
  });

  it('takes δ as 1 where ρ is large and ε small, and ε as 0 where δ is large and ρ small', () => {
    expect(deltaBounds(cksLnDelta(rational(50n), rational(1n, 10n))).hi).toBeGreaterThanOrEqual(
      exactly(rational(99n, 100n)).lo,
    );
    expect(cksLnDelta(rational(1000n), rational(0n)).hi).toBeLessThanOrEqual(0n);
    expect(cksEpsilon(rational(1n, 10n ** 9n), rational(9n, 10n)).lo).toBe(0n);
  });

  it('refuses a δ that is none', () => {
    expect(() => cksEpsilon(rational(1n), rational(1n))).toThrow('δ');
    expect(() => cksEpsilon(rational(1n), rational(0n))).toThrow('δ');
    expect(() => cksRho(rational(0n), rational(1n, 2n))).toThrow('positive');
  });

  it('the exact δ of a discrete Gaussian is below that of its ρ, and falls with ε and σ', () => {
    const delta = (variance: bigint, epsilon: string, sensitivity: bigint) =>
      discreteGaussianDelta(rational(variance), parseRational(epsilon), sensitivity);
    for (const [variance, epsilon, sensitivity] of [
      [16n, '1', 1n],
      [100n, '0.5', 3n],
      [10_000n, '0.1', 7n],
    ] as const) {
      const rho = rational(sensitivity * sensitivity, 2n * variance);
      const exact = delta(variance, epsilon, sensitivity);
      expect(middle(exact)).toBeLessThan(deltaFigure(cksLnDelta(rho, parseRational(epsilon))));
      expect(middle(delta(variance * 2n, epsilon, sensitivity))).toBeLessThan(middle(exact));
    }
    // ε = 0: the total variation distance of two neighbours, P(X = 0), which for σ → 0 is 1.
    expect(middle(delta(1n, '0', 1n))).toBeCloseTo(gaussianPmf(1)[0]!, 12);
    expect(middle(discreteGaussianDelta(rational(1n, 50n), rational(0n), 1n))).toBeCloseTo(1, 9);
    expect(() => delta(2n ** 26n + 1n, '1', 1n)).toThrow('2^26');
  });
});

describe('charges', () => {
  const epsilon = parseRational('0.1234567');

  it('are rounded against the spender, and caps against the owner’s generosity', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 15n), fc.bigInt(1n, 10n ** 15n), (n, d) => {
        const r: Rational = rational(n, d);
        expect(cmp(fromMicros(microsUp(r)), r)).toBeGreaterThanOrEqual(0);
        expect(cmp(fromMicros(microsUp(r) - 1n), r)).toBe(-1);
        expect(cmp(fromMicros(microsDown(r)), r)).toBeLessThanOrEqual(0);
        expect(cmp(fromDeltaUnits(deltaUnitsUp(r)), r)).toBeGreaterThanOrEqual(0);
        expect(cmp(fromDeltaUnits(deltaUnitsDown(r)), r)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('spend 0.1 + 0.2 as 0.3', () => {
    const [a, b] = ['0.1', '0.2'].map((text) => chargeFor({ kind: 'pure', epsilon: parseRational(text) }, 'epsilon')!);
    expect(composed(a!, b!)).toEqual(spent(300_000n));
  });

  it('of a pure ε are ε, or ε²/2 in ρ', () => {
    expect(chargeFor({ kind: 'pure', epsilon }, 'epsilon')).toEqual(spent(123_457n));
    expect(chargeFor({ kind: 'pure', epsilon }, 'rho')).toEqual({ unit: 'rho', rho: 7_621n });
    expect(rhoOfPure(rational(1n))).toEqual(rational(1n, 2n));
  });

  it('of ρ are ρ, or the (ε, δ) that it came from or converts to', () => {
    const rho = parseRational('0.0243559');
    const delta = rational(1n, 10n ** 6n);
    expect(chargeFor({ kind: 'zcdp', rho }, 'rho')).toEqual({ unit: 'rho', rho: 24_356n });
    expect(chargeFor({ kind: 'zcdp', rho }, 'epsilon')).toBeUndefined();
    expect(chargeFor({ kind: 'zcdp', rho, delta }, 'epsilon')).toEqual(spent(999_999n, 1_000_000n));
    expect(chargeFor({ kind: 'zcdp', rho, delta, epsilon: rational(1n) }, 'epsilon')).toEqual(
      spent(1_000_000n, 1_000_000n),
    );
    expect(figure(cksEpsilon(rho, delta))).toBeLessThan(1);
    expect(() => chargeFor({ kind: 'zcdp', rho, delta, epsilon: parseRational('0.9') }, 'epsilon')).toThrow(
      'come from',
    );
  });

  it('never fall below what the answer gives away', () => {
    fc.assert(
      fc.property(rhos, deltas, (rho, delta) => {
        const charge = chargeFor({ kind: 'zcdp', rho, delta }, 'epsilon') as EpsilonCharge;
        const paid = exactly(fromMicros(charge.epsilon));
        expect(paid.hi).toBeGreaterThanOrEqual(cksEpsilon(rho, delta).hi);
        expect(cmp(fromDeltaUnits(charge.delta), delta)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('the filter', () => {
  it('gives the last micro and not one more', () => {
    const cap = spent(1_000_000n, 5n);
    expect(allows(cap, spent(400_000n), spent(600_000n))).toBe(true);
    expect(allows(cap, spent(400_000n), spent(600_001n))).toBe(false);
    expect(allows(cap, spent(0n, 5n), spent(1n, 0n))).toBe(true);
    expect(allows(cap, spent(0n, 5n), spent(1n, 1n))).toBe(false);
    const rho: Charge = { unit: 'rho', rho: 10n };
    expect(allows(rho, { unit: 'rho', rho: 3n }, { unit: 'rho', rho: 7n })).toBe(true);
    expect(allows(rho, { unit: 'rho', rho: 3n }, { unit: 'rho', rho: 8n })).toBe(false);
  });

  it('never lets a sequence pass the cap, whatever each ask was chosen by', () => {
    const asks = fc.array(fc.tuple(fc.bigInt(0n, 300n), fc.bigInt(0n, 30n)), { maxLength: 40 });
    fc.assert(
      fc.property(fc.bigInt(0n, 1000n), fc.bigInt(0n, 100n), asks, (epsilon, delta, all) => {
        const cap: Charge = spent(epsilon, delta);
        let total: Charge = noCharge('epsilon');
        for (const [e, d] of all) {
          const ask: Charge = spent(e, d);
          if (allows(cap, total, ask)) total = composed(total, ask);
          const left = remaining(cap, total) as EpsilonCharge;
          expect(left.epsilon >= 0n && left.delta >= 0n).toBe(true);
        }
      }),
    );
  });

  it('takes the dearest of disjoint parts, and the least of several budgets', () => {
    expect(disjoint(spent(5n, 1n), spent(3n, 2n))).toEqual(spent(5n, 2n));
    expect(scarcest(spent(5n, 1n), spent(3n, 2n))).toEqual(spent(3n, 1n));
    expect(disjoint<Charge>(noCharge('rho'), { unit: 'rho', rho: 4n })).toEqual({ unit: 'rho', rho: 4n });
  });

  it('never adds ε to ρ, and never takes a charge back', () => {
    expect(() => composed<Charge>(spent(1n), { unit: 'rho', rho: 1n })).toThrow('one unit');
    expect(() => allows(spent(1n), spent(1n), spent(-1n))).toThrow('given back');
  });
});
