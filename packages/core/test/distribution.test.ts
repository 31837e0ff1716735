/**
 * The tails of distributions against values of other programs, tables and closed forms.
 * @module
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { chiSquareUpper, incompleteBeta, studentTwoSided, upperGamma } from '../src/query/measure/distribution.ts';

type Rows = readonly (readonly [number, number, number])[];
const vectors = JSON.parse(readFileSync(new URL('./vectors/distribution.json', import.meta.url), 'utf8')) as {
  student: Rows;
  chiSquare: Rows;
  beta: readonly (readonly [number, number, number, number])[];
};

function expectNear(actual: number, expected: number, relative = 1e-12): void {
  expect(Math.abs(actual - expected) / expected).toBeLessThanOrEqual(relative);
}

describe('Student’s t', () => {
  it('has the tails that mpmath computes, from one degree of freedom to a million', () => {
    for (const [tSquared, df, p] of vectors.student) expectNear(studentTwoSided(tSquared, df), p);
  });

  it('has the quantiles of the published tables', () => {
    // 12.706, 2.571, 2.228, 2.042 in the NIST/SEMATECH e-Handbook, 1.3.6.7.2; further digits by mpmath.
    const quantiles = [
      [1, 12.706204736174705],
      [5, 2.5705818356363155],
      [10, 2.228138851986275],
      [30, 2.042272456301238],
    ];
    for (const [df, t] of quantiles) expectNear(studentTwoSided(t! * t!, df!), 0.05, 1e-13);
  });

  it('has its closed forms for one, two and four degrees of freedom', () => {
    for (const t of [1e-4, 0.3, 1, 2.5, 40]) {
      const tSquared = t * t;
      expectNear(studentTwoSided(tSquared, 1), (2 / Math.PI) * Math.atan(1 / t), 1e-14);
      const root = Math.sqrt(2 + tSquared);
      expectNear(studentTwoSided(tSquared, 2), 2 / (root * (root + t)), 1e-14);
    }
  });

  it('is certain of nothing at 0 and tends to the normal one', () => {
    expect(studentTwoSided(0, 7)).toBe(1);
    // 2 (1 − Φ(1.96)), Abramowitz and Stegun, table 26.1.
    expectNear(studentTwoSided(1.96 ** 2, 1e11), 0.04999579029644087, 1e-9);
  });
});

describe('chi-square', () => {
  it('has the tails that mpmath computes', () => {
    for (const [x, df, p] of vectors.chiSquare) expectNear(chiSquareUpper(x, df), p);
  });

  it('has the quantiles of the published tables', () => {
    const quantiles = [
      [1, 3.841458820694126],
      [2, 5.991464547107982],
      [10, 18.307038053275146],
      [100, 124.34211340400408],
    ];
    for (const [df, x] of quantiles) expectNear(chiSquareUpper(x!, df!), 0.05, 1e-13);
  });

  it('has its closed forms for even degrees of freedom', () => {
    for (const x of [1e-6, 0.5, 2, 10, 300]) {
      expectNear(chiSquareUpper(x, 2), Math.exp(-x / 2), 1e-13);
      expectNear(chiSquareUpper(x, 4), Math.exp(-x / 2) * (1 + x / 2), 1e-13);
    }
  });

  it('is 1 at 0 and vanishes far out', () => {
    expect(chiSquareUpper(0, 3)).toBe(1);
    expect(chiSquareUpper(1e6, 3)).toBe(0);
    expect(upperGamma(1e6, 1)).toBe(1);
  });
});

describe('the incomplete beta function', () => {
  it('has the values that mpmath computes', () => {
    for (const [x, a, b, value] of vectors.beta) expectNear(incompleteBeta({ x, y: 1 - x }, a, b), value);
  });

  it('is symmetric, and 0 and 1 at its ends', () => {
    expect(incompleteBeta({ x: 0, y: 1 }, 2, 3)).toBe(0);
    expect(incompleteBeta({ x: 1, y: 0 }, 2, 3)).toBe(1);
    for (const x of [0.1, 0.4, 0.75]) {
      const [one, other] = [incompleteBeta({ x, y: 1 - x }, 2.5, 7), incompleteBeta({ x: 1 - x, y: x }, 7, 2.5)];
      expect(Math.abs(one + other - 1)).toBeLessThanOrEqual(1e-14);
    }
  });
});
