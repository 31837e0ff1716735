/**
 * The sum of several discrete Gaussians, one a party, and the ρ that it costs.
 *
 * Kairouz, Liu, Steinke, "The Distributed Discrete Gaussian Mechanism" (2021), Theorem 1 and Proposition 14: the sum of
 * h of variance σ_l² is not a discrete Gaussian, but so near to one that d cells of it are ρ-zCDP with
 *   ρ = ½·(Δ₂/√(h·σ_l²) + √d·τ_h)²,   τ_h = 10·Σ_{k=1}^{h−1} exp(−2π²σ_l²·k/(k+1)).
 * All of it is computed in intervals, and what is accepted is accepted by its upper bound.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { mul, type Rational, rational } from '../algebra/rational.ts';
import { exactly, exp, expMiddle, type Interval, pi, plus, sqrt, times, whole, zero } from './interval.ts';

/** What the noise must hide: the squared L2 sensitivity over all cells, how many cells, and how many add noise. */
export interface GaussianTask {
  readonly sensitivitySquared: bigint;
  readonly cells: number;
  readonly honest: number;
}

/** Below it the sum of discrete Gaussians is too far from one; at 4, τ_h is under 10^−15. */
const varianceMin = 4n;

/**
 * The grid of σ_l²: sixteenths up to 1,024, whole numbers above. A step costs 1/64 of the variance at most, and the
 * sampler's fractions keep small numerators.
 */
const grid = { fine: 16n, until: 1024n };

/** ρ of the sum of `honest` discrete Gaussians of parameter σ_l². */
export function gaussianRho(task: GaussianTask, variance: Rational): Interval {
  const root = root2Rho(task, variance);
  const square = times(root, root);
  return { lo: square.lo / 2n, hi: (square.hi + 1n) / 2n };
}

/**
 * The least σ_l² of the grid, 4 at least, whose sum over the honest parties is proven to be ρ-zCDP.
 */
export function leastVariance(task: GaussianTask, rho: Rational): Rational {
  assert(rho.n > 0n && task.sensitivitySquared > 0n, 'ρ and the sensitivity are positive');
  assert(task.honest >= 1 && task.cells >= 1, 'there is a cell and an honest party');
  const allowed = sqrt(exactly(mul(rho, rational(2n)))).lo;
  const suffices = (index: bigint) => root2Rho(task, gridPoint(index)).hi <= allowed;
  // √(2ρ) falls with σ_l², so once it suffices it stays so: the first that does lies between `below` and `enough`.
  let below = varianceMin * grid.fine - 1n;
  let enough = below + 1n;
  while (!suffices(enough)) [below, enough] = [enough, 2n * enough];
  while (enough - below > 1n) {
    const half = (below + enough) / 2n;
    if (suffices(half)) enough = half;
    else below = half;
  }
  return gridPoint(enough);
}

/** τ_h, bounded. */
export function tau(honest: number, variance: Rational): Interval {
  return exponents(honest, variance).reduce((sum, exponent) => plus(sum, times(whole(10n), exp(exponent))), zero);
}

/** τ_h as a double, for display, also where it is far too small for an interval. */
export function tauFigure(honest: number, variance: Rational): number {
  return exponents(honest, variance).reduce((sum, exponent) => sum + 10 * expMiddle(exponent), 0);
}

/** √(2ρ) = Δ₂/√(h·σ_l²) + √d·τ_h. */
function root2Rho({ sensitivitySquared, cells, honest }: GaussianTask, variance: Rational): Interval {
  const spread = mul(variance, rational(BigInt(honest)));
  const central = sqrt(exactly(rational(sensitivitySquared * spread.d, spread.n)));
  return plus(central, times(sqrt(whole(BigInt(cells))), tau(honest, variance)));
}

/** −2π²σ_l²·k/(k+1) for k = 1…h−1. */
function exponents(honest: number, variance: Rational): Interval[] {
  const square = times(pi, pi);
  return Array.from({ length: honest - 1 }, (_, i) => {
    const k = BigInt(i + 1);
    return times(exactly(mul(variance, rational(-2n * k, k + 1n))), square);
  });
}

function gridPoint(index: bigint): Rational {
  const fine = grid.fine * grid.until;
  return index <= fine ? rational(index, grid.fine) : rational(grid.until + (index - fine));
}
