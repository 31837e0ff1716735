/**
 * What one node adds to its values before they are shared, and what all of it together does to the answer.
 *
 * With N parties of which t may collude, the h = N − t honest ones must suffice: t subtract what they added themselves.
 *   Laplace    each node adds NB(1/h, q) − NB(1/h, q), q = e^(−a), a = ε/Δ₁. Negative binomials add up in r, so h nodes add
 *              Geometric(q) − Geometric(q), which is discrete Laplace of scale 1/a: ε, exactly.
 *   Gaussian   each node adds a discrete Gaussian of σ_l², the least that is proven to give ρ (`distributed-gaussian.ts`).
 * The answer carries the noise of all N: N/h of the variance that h need. That is the price of distrust.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { floorSqrt } from '../algebra/integer-root.ts';
import { div, type Rational, rational, toNumber } from '../algebra/rational.ts';
import { leastVariance } from './distributed-gaussian.ts';
import { quotient } from './interval.ts';
import type { Coins } from './noise/coins.ts';
import { discreteGaussian } from './noise/discrete-gaussian.ts';
import { negativeBinomial } from './noise/negative-binomial.ts';
import { fillDraws, type Sampler } from './noise/sampler.ts';
import { differenceFigures, gaussianSumFigures, type NoiseFigures } from './noise-distribution.ts';

/** Who adds noise. */
export interface Crowd {
  /** N. */
  readonly parties: number;
  /** t, at most N − 1. */
  readonly collusion: number;
}

export interface LaplaceNoise extends Crowd {
  readonly mechanism: 'laplace';
  /** ε/Δ₁: the inverse of the scale that the honest parties reach together. */
  readonly a: Rational;
}

export interface GaussianNoise extends Crowd {
  readonly mechanism: 'gaussian';
  /** σ_l², at each node. */
  readonly variance: Rational;
  /** What is charged. */
  readonly rho: Rational;
}

/** The noise of one section of an answer: the same at every cell and every node. */
export type Noise = LaplaceNoise | GaussianNoise;

/** Noise that makes an answer of L1 sensitivity Δ₁ ε-private against `collusion` parties. */
export function laplaceNoise(crowd: Crowd, epsilon: Rational, l1: bigint): LaplaceNoise {
  checkCrowd(crowd);
  assert(epsilon.n > 0n && l1 > 0n, 'ε and the sensitivity are positive');
  const { parties, collusion } = crowd;
  return { mechanism: 'laplace', parties, collusion, a: div(epsilon, rational(l1)) };
}

/** Noise that makes `cells` values of squared L2 sensitivity Δ₂² together ρ-zCDP against `collusion` parties. */
export function gaussianNoise(crowd: Crowd, rho: Rational, l2Squared: bigint, cells: number): GaussianNoise {
  checkCrowd(crowd);
  const { parties, collusion } = crowd;
  const variance = leastVariance({ sensitivitySquared: l2Squared, cells, honest: honestOf(crowd) }, rho);
  return { mechanism: 'gaussian', parties, collusion, variance, rho };
}

/** Overwrites `out` with what one node adds, cell after cell. */
export function fillNoise(noise: Noise, coins: Coins, out: BigInt64Array): void {
  fillDraws(nodeSampler(noise), coins, out);
}

/** What one node adds to one cell. */
export function nodeSampler(noise: Noise): Sampler {
  if (noise.mechanism === 'gaussian') return discreteGaussian(noise.variance);
  const part = negativeBinomial(rational(1n, BigInt(honestOf(noise))), noise.a);
  return (coins) => part(coins) - part(coins);
}

/** Of the noise in the answer, which is that of all N nodes. Doubles, for display. */
export function noiseFigures(noise: Noise): NoiseFigures {
  if (noise.mechanism === 'gaussian') return gaussianSumFigures(noise.parties, toNumber(noise.variance));
  return differenceFigures(noise.parties / honestOf(noise), toNumber(noise.a));
}

/**
 * What the noise in one cell of the answer exceeds with a probability under 2^−128: headroom that the ring must have.
 *
 * Laplace: with θ = a/2, E[e^(θX)] ≤ (4/3)^β for β = N/h, so P(|X| > w) ≤ 2·(4/3)^β·e^(−aw/2), and ln 2 < 0.7,
 * ln(4/3) < 0.3. Gaussian: a discrete Gaussian is subgaussian with its own σ² (CKS 2020, Section 2), so
 * P(|X| > w) ≤ 2·e^(−w²/(2Nσ²)), and 2·129·ln 2 < 181.
 */
export function noiseBound(noise: Noise): bigint {
  const n = BigInt(noise.parties);
  if (noise.mechanism === 'gaussian') {
    return floorSqrt(quotient(181n * n * noise.variance.n, noise.variance.d, 'up')) + 1n;
  }
  const h = BigInt(honestOf(noise));
  const exponent = 91n * h + n;
  return quotient(2n * exponent * noise.a.d, h * noise.a.n, 'up');
}

/** h = N − t. */
export function honestOf({ parties, collusion }: Crowd): number {
  return parties - collusion;
}

function checkCrowd({ parties, collusion }: Crowd): void {
  assert(Number.isInteger(parties) && parties >= 1, 'there are parties');
  assert(Number.isInteger(collusion) && collusion >= 0 && collusion < parties, 'one party at least is honest');
}
