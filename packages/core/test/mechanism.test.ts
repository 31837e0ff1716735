/**
 * What nodes add, alone and together: against exact distributions, by convolution and by draws.
 * @module
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { parseRational, type Rational, rational, toNumber } from '../src/algebra/rational.ts';
import { rhoFor } from '../src/privacy/accountant.ts';
import { gaussianRho, leastVariance, tau, tauFigure } from '../src/privacy/distributed-gaussian.ts';
import { exactly, middle } from '../src/privacy/interval.ts';
import {
  fillNoise,
  gaussianNoise,
  laplaceNoise,
  type Noise,
  nodeSampler,
  noiseBound,
  noiseFigures,
} from '../src/privacy/mechanism.ts';
import { Coins } from '../src/privacy/noise/coins.ts';
import {
  differenceFigures,
  differencePmf,
  gaussianPmf,
  negativeBinomialPmf,
  weakenedEpsilon,
} from '../src/privacy/noise-distribution.ts';
import { personSensitivity } from '../src/privacy/sensitivity.ts';
import { fit } from './goodness.ts';

const one = rational(1n);

/** Of the sum of two independent whole numbers, each on −half…half. */
function convolved(p: readonly number[], q: readonly number[]): number[] {
  const sum = new Array<number>(p.length + q.length - 1).fill(0);
  p.forEach((x, i) => {
    q.forEach((y, j) => {
      sum[i + j]! += x * y;
    });
  });
  return sum;
}

/** P(X = k) for k = −60…60 of one node's Laplace share, from the negative binomial's probabilities alone. */
function sharePmf(h: number, a: number): number[] {
  const far = 160;
  const p = Array.from({ length: far + 1 }, (_, k) => negativeBinomialPmf(1 / h, a, k));
  return Array.from({ length: 121 }, (_, i) => {
    const k = Math.abs(i - 60);
    let sum = 0;
    for (let j = 0; j + k <= far; j++) sum += p[j]! * p[j + k]!;
    return sum;
  });
}

function summed(noise: Noise, nodes: number, seed: number, count = 20_000): number[] {
  const total = new BigInt64Array(count);
  for (let node = 0; node < nodes; node++) {
    const own = new BigInt64Array(count);
    fillNoise(noise, new Coins(seededRng(seed + node)), own);
    for (let i = 0; i < count; i++) total[i]! += own[i]!;
  }
  return Array.from(total, Number);
}

describe('Laplace noise in shares', () => {
  it.each([1, 2, 3, 5])('of %d honest nodes convolves to the discrete Laplace distribution', (h) => {
    const a = 1;
    let sum = [1];
    for (let node = 0; node < h; node++) sum = convolved(sum, sharePmf(h, a));
    const q = Math.exp(-a);
    const centre = (sum.length - 1) / 2;
    for (let k = 0; k <= 20; k++) {
      const laplace = ((1 - q) / (1 + q)) * q ** k;
      expect(Math.abs(sum[centre + k]! / laplace - 1)).toBeLessThan(1e-10);
    }
  });

  it.each([1, 2, 3, 5])('is drawn so that %d honest nodes draw a discrete Laplace', (h) => {
    const noise = laplaceNoise({ parties: h + 1, collusion: 1 }, parseRational('0.25'), 2n);
    const q = Math.exp(-1 / 8);
    const pmf = (k: number) => ((1 - q) / (1 + q)) * q ** Math.abs(k);
    const honest = fit(summed(noise, h, 100 * h), pmf, -200, 200);
    expect(honest.chiSquare).toBeGreaterThan(1e-3);
    expect(honest.kolmogorov).toBeGreaterThan(1e-3);
    // One node fewer is not enough, and the answer carries one more.
    const fewer = fit(summed(noise, h - 1, 100 * h), pmf, -200, 200);
    expect(fewer.chiSquare).toBeLessThan(1e-9);
    const all = differencePmf((h + 1) / h, 1 / 8);
    const answer = fit(summed(noise, h + 1, 100 * h), (k) => all[Math.abs(k)]!, -250, 250);
    expect(answer.chiSquare).toBeGreaterThan(1e-3);
  });

  it('has the figures of the published comparison: 3 parties, 1 colluding, counts at ε = 1', () => {
    const figures = noiseFigures(laplaceNoise({ parties: 3, collusion: 1 }, one, 1n));
    expect(figures.meanAbsolute).toBeCloseTo(1.134, 3);
    const central = noiseFigures(laplaceNoise({ parties: 1, collusion: 0 }, one, 1n));
    expect(central.meanAbsolute).toBeCloseTo(0.851, 3);
    expect(figures.meanAbsolute / central.meanAbsolute).toBeLessThan(1.34);
  });
});

describe('the distribution of the noise in an answer', () => {
  it('is the closed form of the discrete Laplace at β = 1', () => {
    for (const scale of [0.3, 1, 7, 100, 5000, 20_000]) {
      const a = 1 / scale;
      const q = Math.exp(-a);
      const p = differencePmf(1, a);
      for (const k of [0, 1, 2, Math.ceil(scale), Math.ceil(5 * scale)]) {
        // Rounding grows as the square of the scale, to a part in 10^6 at the largest that is summed.
        expect(Math.abs(p[k]! / (((1 - q) / (1 + q)) * q ** k) - 1)).toBeLessThan(1e-13 + 1e-14 * scale * scale);
      }
      const { interval95, meanAbsolute } = differenceFigures(1, a);
      expect(interval95).toBe(Math.max(Math.ceil(Math.log(2 / (0.05 * (1 + q))) / a) - 1, 0));
      expect(Math.abs((meanAbsolute * (1 - q * q)) / (2 * q) - 1)).toBeLessThan(1e-6);
    }
  });

  it('has the variance β·2q/(1−q)², which its probabilities have too', () => {
    for (const [beta, a] of [
      [1.5, 1],
      [3, 0.1],
      [50, 0.5],
      [1 / 3, 0.01],
    ] as const) {
      const q = Math.exp(-a);
      const summed = differencePmf(beta, a).reduce((sum, p, k) => sum + 2 * p * k * k, 0);
      expect(summed / ((beta * 2 * q) / (1 - q) ** 2)).toBeCloseTo(1, 9);
      expect(differenceFigures(beta, a).variance / summed).toBeCloseTo(1, 9);
    }
  });

  it('scales up where it is not summed', () => {
    const [fine, coarse] = [differenceFigures(1.5, 1 / 20_000), differenceFigures(1.5, 1 / 2_000_000)];
    expect(coarse.interval95 / fine.interval95 / 100).toBeCloseTo(1, 4);
    expect(coarse.meanAbsolute / fine.meanAbsolute / 100).toBeCloseTo(1, 9);
    expect(coarse.variance / fine.variance / 10_000).toBeCloseTo(1, 6);
    const wide = noiseFigures({
      mechanism: 'gaussian',
      parties: 4,
      collusion: 0,
      variance: rational(10n ** 12n),
      rho: one,
    });
    expect(wide.interval95 / (2e6 * 1.959964)).toBeCloseTo(1, 4);
    expect(wide.meanAbsolute / (2e6 * Math.sqrt(2 / Math.PI))).toBeCloseTo(1, 6);
  });

  it('leaves out five parts in a hundred at most, and more would be left out by one less', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(49), fc.integer({ min: 1, max: 400 }), (n, t, scale) => {
        const collusion = Math.min(t, n - 1);
        const noise = laplaceNoise({ parties: n, collusion }, rational(1n, BigInt(scale)), 1n);
        const p = differencePmf(n / (n - collusion), 1 / scale);
        const within = (w: number) => p.slice(0, w + 1).reduce((sum, each, k) => sum + (k === 0 ? each : 2 * each), 0);
        const { interval95 } = noiseFigures(noise);
        expect(within(interval95)).toBeGreaterThanOrEqual(0.95 - 1e-9);
        expect(interval95 === 0 || within(interval95 - 1) < 0.95 + 1e-9).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('of Gaussian noise is met by what the nodes draw', () => {
    const noise = gaussianNoise({ parties: 3, collusion: 1 }, parseRational('0.02'), 1n, 10);
    const p = gaussianPmf(3 * toNumber(noise.variance));
    const { chiSquare, kolmogorov } = fit(summed(noise, 3, 7), (k) => p[Math.abs(k)] ?? 0, -100, 100);
    expect(chiSquare).toBeGreaterThan(1e-3);
    expect(kolmogorov).toBeGreaterThan(1e-3);
    const narrow = gaussianPmf((3 * toNumber(noise.variance)) / 1.69);
    expect(fit(summed(noise, 3, 7), (k) => narrow[Math.abs(k)] ?? 0, -100, 100).chiSquare).toBeLessThan(1e-9);
  });

  it('stays below the headroom that is asked for, with next to nothing beyond', () => {
    for (const noise of [
      laplaceNoise({ parties: 3, collusion: 2 }, one, 3n),
      laplaceNoise({ parties: 50, collusion: 49 }, parseRational('0.1'), 1n),
      gaussianNoise({ parties: 5, collusion: 2 }, parseRational('0.1'), 9n, 4),
    ]) {
      const bound = Number(noiseBound(noise));
      const { variance } = noiseFigures(noise);
      expect(bound / Math.sqrt(variance)).toBeGreaterThan(13);
      expect(bound / Math.sqrt(variance)).toBeLessThan(260);
      expect(summed(noise, noise.parties, 3, 200).every((each) => Math.abs(each) <= bound)).toBe(true);
    }
    // The tail of a single discrete Laplace beyond the bound is known exactly: 2q^(w+1)/(1+q) < 2^−128.
    const single = laplaceNoise({ parties: 1, collusion: 0 }, one, 1n);
    expect(Number(noiseBound(single)) + 1).toBeGreaterThan(128 * Math.LN2);
  });
});

describe('Gaussian noise in shares', () => {
  const index = (variance: Rational) => (toNumber(variance) <= 1024 ? 16 : 1) * toNumber(variance);

  it('is the least of its grid that is proven to give ρ', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.bigInt(1n, 10_000n),
        fc.bigInt(1n, 3_000_000n),
        (honest, cells, sensitivitySquared, microRho) => {
          const task = { honest, cells, sensitivitySquared };
          const rho = rational(microRho, 1_000_000n);
          const variance = leastVariance(task, rho);
          expect(gaussianRho(task, variance).hi).toBeLessThanOrEqual(exactly(rho).hi);
          expect(Number.isInteger(index(variance))).toBe(true);
          expect(toNumber(variance)).toBeGreaterThanOrEqual(4);
          // The one below is either below 4 or not enough.
          const step = toNumber(variance) <= 1024 ? rational(1n, 16n) : one;
          const below = rational(variance.n * step.d - step.n * variance.d, variance.d * step.d);
          expect(toNumber(below) < 4 || gaussianRho(task, below).hi >= exactly(rho).lo).toBe(true);
          // And never less than one central Gaussian would need.
          const central = Number(sensitivitySquared) / (2 * toNumber(rho) * honest);
          expect(toNumber(variance)).toBeGreaterThan(central * (1 - 1e-12));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('pays for the shares where the bare formula would be met exactly', () => {
    // Δ₂²/(2ρh) = 9 is on the grid; with two honest nodes τ is not 0, so 9 is not enough, however little is missing.
    const task = { honest: 2, cells: 1, sensitivitySquared: 36n };
    expect(middle(gaussianRho(task, rational(9n)))).toBeCloseTo(1, 12);
    expect(leastVariance(task, one)).toEqual(rational(145n, 16n));
    // One node alone is a discrete Gaussian: τ is 0, and a root that is whole leaves nothing to round.
    expect(leastVariance({ ...task, honest: 1 }, rational(1n, 2n))).toEqual(rational(36n));
  });

  it('has no term for a single node, and bounds what it cannot show', () => {
    expect(tau(1, rational(4n))).toEqual({ lo: 0n, hi: 0n });
    expect(tau(2, rational(1000n))).toEqual({ lo: 0n, hi: 10n });
    expect(tauFigure(2, rational(4n))).toBeGreaterThan(7e-17);
    expect(tauFigure(2, rational(4n))).toBeLessThan(8e-17);
  });

  it('charges what was asked', () => {
    const noise = gaussianNoise({ parties: 3, collusion: 2 }, parseRational('0.5'), 4n, 9);
    expect(noise.rho).toEqual(rational(1n, 2n));
    expect(noise.variance).toEqual(rational(4n));
  });
});

it('refuses a crowd that nobody honest is in', () => {
  expect(() => laplaceNoise({ parties: 3, collusion: 3 }, one, 1n)).toThrow('honest');
  expect(() => laplaceNoise({ parties: 3, collusion: -1 }, one, 1n)).toThrow('honest');
  expect(() => laplaceNoise({ parties: 3, collusion: 1 }, rational(0n), 1n)).toThrow('positive');
  expect(() => gaussianNoise({ parties: 3, collusion: 1 }, one, 0n, 1)).toThrow('positive');
  expect(nodeSampler(laplaceNoise({ parties: 3, collusion: 1 }, one, 1n))(new Coins(seededRng(1)))).toBeTypeOf(
    'number',
  );
});

describe('docs/PRIVACY.md', () => {
  const page = readFileSync(new URL('../../../docs/PRIVACY.md', import.meta.url), 'utf8');
  const rho = rhoFor(one, rational(1n, 1_000_000n))!;
  const row = (...columns: readonly (string | number)[]) => expect(page).toContain(`| ${columns.join(' | ')} |`);

  it('has the noise of a trusted server right', () => {
    for (const [text, odds, mean] of [
      ['1', '2.72', '0.85'],
      ['0.5', '1.65', '1.92'],
      ['0.1', '1.11', '9.98'],
    ] as const) {
      const figures = noiseFigures(laplaceNoise({ parties: 1, collusion: 0 }, parseRational(text), 1n));
      expect(figures.meanAbsolute.toFixed(2)).toBe(mean);
      expect(Math.exp(Number(text)).toFixed(2)).toBe(odds);
      row(text, odds, mean, figures.interval95);
    }
  });

  it('has the sizes of both kinds of noise right', () => {
    const crowd = { parties: 3, collusion: 1 };
    for (const [cells, places] of [
      [1, [1, 1]],
      [10, [1, 1]],
      [20, [1, 1]],
      [100, [0, 0]],
      [1000, [0, 0]],
    ] as const) {
      const laplace = noiseFigures(laplaceNoise(crowd, one, BigInt(cells))).meanAbsolute.toFixed(places[0]);
      const gaussian = noiseFigures(gaussianNoise(crowd, rho, BigInt(cells), cells)).meanAbsolute.toFixed(places[1]);
      row(
        cells.toLocaleString('en'),
        Number(laplace) < 1000 ? laplace : Number(laplace).toLocaleString('en'),
        gaussian,
      );
    }
  });

  it('has what is left to a larger coalition right', () => {
    for (const [made, honest] of [
      [3, 2],
      [2, 1],
      [3, 1],
    ] as const) {
      row(`${made} honest`, honest, weakenedEpsilon(honest / made, 1, 1).toFixed(2));
    }
    expect(weakenedEpsilon(1, 1, 1)).toBe(1);
  });

  it('has its single figures right', () => {
    expect(toNumber(rho).toFixed(4)).toBe('0.0244');
    const count = gaussianNoise({ parties: 3, collusion: 1 }, rho, 1n, 1);
    expect(page).toContain(`σ² = ${toNumber(count.variance)} each`);
    expect(page).toContain(`against ${(1 / (2 * toNumber(rho))).toFixed(2)} for a trusted server`);
    const g = 2048n;
    const { l1 } = personSensitivity({ rowMax: 2_000_000n, rowParts: 1 }, { rows: 1n, parties: 1n }, g);
    expect(page).toContain(`⌈2,000,000/${Number(g).toLocaleString('en')}⌉ = ${l1}`);
    expect(page).toContain(`one part is 0 in ${Math.round(100 * differencePmf(1 / 2, 1)[0]!)} cases of 100`);
    expect(page).toContain(`together in ${Math.round(100 * differencePmf(1, 1)[0]!)}.`);
  });
});
