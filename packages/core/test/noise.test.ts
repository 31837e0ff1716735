/**
 * Draws against the distributions they are to follow, at pinned seeds; and the same tests against draws that do not.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { type Rational, rational } from '../src/algebra/rational.ts';
import { Coins } from '../src/privacy/noise/coins.ts';
import { discreteGaussian } from '../src/privacy/noise/discrete-gaussian.ts';
import { discreteLaplace, geometric } from '../src/privacy/noise/discrete-laplace.ts';
import { negativeBinomial } from '../src/privacy/noise/negative-binomial.ts';
import { fillDraws, type Sampler } from '../src/privacy/noise/sampler.ts';
import { gaussianPmf, negativeBinomialPmf } from '../src/privacy/noise-distribution.ts';
import { fit } from './goodness.ts';

const drawn = 30_000;

function draws(sampler: Sampler, seed: number, count = drawn): number[] {
  const out = new BigInt64Array(count);
  fillDraws(sampler, new Coins(seededRng(seed)), out);
  return Array.from(out, Number);
}

/** A shape to follow, on from…to. */
interface Shape {
  readonly pmf: (k: number) => number;
  readonly from: number;
  readonly to: number;
}

function expectFits(sampler: Sampler, shape: Shape, seed: number): void {
  const { chiSquare, kolmogorov } = fit(draws(sampler, seed), shape.pmf, shape.from, shape.to);
  expect(chiSquare).toBeGreaterThan(1e-3);
  expect(kolmogorov).toBeGreaterThan(1e-3);
}

function expectRejected(sampler: Sampler, shape: Shape, seed: number, count = drawn): void {
  const { chiSquare, kolmogorov } = fit(draws(sampler, seed, count), shape.pmf, shape.from, shape.to);
  expect(chiSquare).toBeLessThan(1e-9);
  expect(kolmogorov).toBeLessThan(1e-6);
}

const text = (r: Rational) => `${r.n}/${r.d}`;
const titled = (all: readonly Rational[]) => all.map((r) => [text(r), r] as const);
const pairs = (all: readonly (readonly [Rational, Rational])[]) =>
  all.map(([r, a]) => [text(r), text(a), r, a] as const);

const number = (r: Rational) => Number(r.n) / Number(r.d);

function geometricShape(a: number): Shape {
  return { pmf: (k) => -Math.expm1(-a) * Math.exp(-a * k), from: 0, to: Math.ceil(30 / a) };
}

function laplaceShape(scale: number): Shape {
  const q = Math.exp(-1 / scale);
  const to = Math.ceil(30 * scale);
  return { pmf: (k) => ((1 - q) / (1 + q)) * q ** Math.abs(k), from: -to, to };
}

function gaussianShape(variance: number): Shape {
  const p = gaussianPmf(variance);
  return { pmf: (k) => p[Math.abs(k)]!, from: 1 - p.length, to: p.length - 1 };
}

function negativeBinomialShape(r: number, a: number): Shape {
  const to = Math.ceil((30 + 5 * r) / a);
  const p = [(-Math.expm1(-a)) ** r];
  for (let k = 1; k <= to; k++) p.push((p[k - 1]! * (r + k - 1) * Math.exp(-a)) / k);
  expect(p[Math.min(5, to)]).toBeCloseTo(negativeBinomialPmf(r, a, Math.min(5, to)), 12);
  return { pmf: (k) => p[k]!, from: 0, to };
}

/** Fractions whose terms are too long for numbers, so that the bigint paths are drawn. */
const long = (r: Rational): Rational => rational(r.n * 10n ** 15n + 1n, r.d * 10n ** 15n);

describe('samplers follow their distributions, and would be caught 30% off', () => {
  const scales = [rational(1n, 3n), rational(1n), rational(7n, 2n), rational(20n), rational(300n)];

  it.each(titled(scales))('geometric of scale %s', (_, scale) => {
    const a = rational(scale.d, scale.n);
    const wide = rational(10n * scale.d, 13n * scale.n);
    const shape = geometricShape(number(a));
    expectFits(geometric(a), shape, 1);
    expectFits(geometric(long(a)), shape, 2);
    expectRejected(geometric(wide), shape, 3);
    expectRejected(geometric(a), geometricShape(number(wide)), 4);
  });

  it.each(titled(scales))('discrete Laplace of scale %s', (_, scale) => {
    const shape = laplaceShape(number(scale));
    const wide = rational(13n * scale.n, 10n * scale.d);
    expectFits(discreteLaplace(scale), shape, 11);
    expectFits(discreteLaplace(long(scale)), shape, 12);
    expectRejected(discreteLaplace(wide), shape, 13);
    expectRejected(discreteLaplace(scale), laplaceShape(number(wide)), 14);
  });

  const variances = [
    rational(1n, 3n),
    rational(1n),
    rational(4n),
    rational(81n, 16n),
    rational(1000n),
    rational(40_000n),
  ];
  it.each(titled(variances))('discrete Gaussian of σ² = %s', (_, variance) => {
    const shape = gaussianShape(number(variance));
    const wide = rational(169n * variance.n, 100n * variance.d);
    expectFits(discreteGaussian(variance), shape, 21);
    expectFits(discreteGaussian(long(variance)), shape, 22);
    expectRejected(discreteGaussian(wide), shape, 23);
    expectRejected(discreteGaussian(variance), gaussianShape(number(wide)), 24);
  });

  it.each(
    pairs([
      [rational(1n, 2n), rational(1n, 5n)],
      [rational(1n, 3n), rational(1n, 5n)],
      [rational(2n, 3n), rational(1n, 100n)],
      [rational(1n, 50n), rational(1n, 30n)],
      [rational(1n), rational(1n, 7n)],
      [rational(3n, 2n), rational(1n, 4n)],
      [rational(4n), rational(3n, 2n)],
      [rational(1n, 2n), rational(2n)],
    ]),
  )('negative binomial of r = %s, a = %s', (_, __, r, a) => {
    const shape = negativeBinomialShape(number(r), number(a));
    const wide = rational(10n * a.n, 13n * a.d);
    expectFits(negativeBinomial(r, a), shape, 31);
    expectFits(negativeBinomial(r, long(a)), shape, 32);
    // At r = 1/50 nine in ten are 0, whatever the scale: it takes more draws to tell.
    const count = r.d === 50n ? 10 * drawn : drawn;
    expectRejected(negativeBinomial(r, wide), shape, 33, count);
    expectRejected(negativeBinomial(r, a), negativeBinomialShape(number(r), number(wide)), 34, count);
  });
});

describe('samplers with a mistake are caught', () => {
  it('a negative binomial without its acceptance', () => {
    expectRejected(geometric(rational(1n, 5n)), negativeBinomialShape(1 / 3, 1 / 5), 41);
  });

  it('a negative binomial whose coins begin at i = 2', () => {
    const ones = geometric(rational(1n, 5n));
    const mutant: Sampler = (coins) => {
      while (true) {
        const k = ones(coins);
        let kept = true;
        for (let i = 2; kept && i <= k; i++) kept = coins.bernoulli(1 + 3 * (i - 1), 3 * i);
        if (kept) return k;
      }
    };
    expectRejected(mutant, negativeBinomialShape(1 / 3, 1 / 5), 42);
  });

  it('and the acceptance in the order of the paper gives the same distribution as the one that is drawn', () => {
    const ones = geometric(rational(1n, 5n));
    const plain: Sampler = (coins) => {
      while (true) {
        const k = ones(coins);
        let kept = true;
        for (let i = 1; kept && i <= k; i++) kept = coins.bernoulli(1 + 3 * (i - 1), 3 * i);
        if (kept) return k;
      }
    };
    expectFits(plain, negativeBinomialShape(1 / 3, 1 / 5), 43);
  });

  it('a discrete Laplace whose zero has two signs', () => {
    const ones = geometric(rational(1n, 3n));
    expectRejected((coins) => (coins.bit() ? -ones(coins) : ones(coins)), laplaceShape(3), 44);
  });

  it('a discrete Gaussian without its acceptance', () => {
    expectRejected(discreteLaplace(rational(5n)), gaussianShape(20), 45);
  });

  it('a geometric that forgets its quotient', () => {
    const mutant: Sampler = (coins) => {
      while (true) {
        const u = coins.below(5);
        if (coins.bernoulliExp(u, 5)) return u;
      }
    };
    expectRejected(mutant, geometricShape(1 / 5), 46);
  });
});

describe('draws are fixed by their seed', () => {
  it('and pinned, so that a change of any sampler is seen and its version raised', () => {
    expect(draws(geometric(rational(1n, 10n)), 5, 8)).toMatchInlineSnapshot(`
      [
        0,
        5,
        2,
        1,
        11,
        9,
        7,
        14,
      ]
    `);
    expect(draws(discreteLaplace(rational(10n)), 5, 8)).toMatchInlineSnapshot(`
      [
        6,
        17,
        11,
        4,
        7,
        6,
        -1,
        8,
      ]
    `);
    expect(draws(discreteLaplace(long(rational(10n))), 5, 8)).toMatchInlineSnapshot(`
      [
        1,
        -32,
        3,
        -8,
        -10,
        -1,
        -6,
        18,
      ]
    `);
    expect(draws(discreteGaussian(rational(100n)), 5, 8)).toMatchInlineSnapshot(`
      [
        6,
        1,
        7,
        7,
        -17,
        -8,
        3,
        -9,
      ]
    `);
    expect(draws(discreteGaussian(long(rational(100n))), 5, 8)).toMatchInlineSnapshot(`
      [
        6,
        1,
        7,
        7,
        -17,
        -8,
        3,
        -9,
      ]
    `);
    expect(draws(negativeBinomial(rational(1n, 2n), rational(1n, 10n)), 5, 8)).toMatchInlineSnapshot(`
      [
        7,
        0,
        8,
        0,
        0,
        2,
        0,
        8,
      ]
    `);
    expect(draws(negativeBinomial(rational(5n, 2n), rational(1n, 10n)), 5, 8)).toMatchInlineSnapshot(`
      [
        21,
        16,
        15,
        27,
        22,
        52,
        16,
        16,
      ]
    `);
  });

  it('and refuse what has no distribution', () => {
    expect(() => geometric(rational(0n))).toThrow('scale');
    expect(() => geometric(rational(1n, 2n ** 40n + 1n))).toThrow('2^40');
    expect(() => discreteLaplace(rational(-1n))).toThrow('positive');
    expect(() => discreteGaussian(rational(0n))).toThrow('σ²');
    expect(() => negativeBinomial(rational(0n), rational(1n))).toThrow('r is positive');
  });

  it('at the largest scale, too', () => {
    const wide = draws(discreteLaplace(rational(2n ** 40n)), 6, 2000);
    const mean = wide.reduce((sum, each) => sum + Math.abs(each), 0) / wide.length;
    expect(mean / 2 ** 40).toBeGreaterThan(0.9);
    expect(mean / 2 ** 40).toBeLessThan(1.1);
    const square = draws(discreteGaussian(rational(2n ** 80n - 1n)), 7, 2000).reduce(
      (sum, each) => sum + each * each,
      0,
    );
    expect(square / 2000 / 2 ** 80).toBeGreaterThan(0.9);
    expect(square / 2000 / 2 ** 80).toBeLessThan(1.1);
  });
});
