/**
 * A coarser lattice for large sensitivities: values are rounded down to multiples of g at home, before they are shared.
 *
 * Noise is drawn on the multiples, so its scale is smaller by g. Rounding a local value down, with and without a person
 * who changes it by Δ_c at most, moves the multiple by ⌈Δ_c/g⌉ at most: that is the sensitivity on the lattice, and it
 * is what is spent. Rounding costs each party a shift of under one g in each cell.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { cmp, mul, type Rational, rational } from '../algebra/rational.ts';

/**
 * What one person can change: by how much at most each value that they touch moves, at one party, and at how many
 * parties they may appear.
 */
export interface Touched {
  readonly deltas: readonly bigint[];
  readonly parties: number;
}

export interface Sensitivity {
  /** Σ |Δ_c|. */
  readonly l1: bigint;
  /** Σ Δ_c². */
  readonly l2Squared: bigint;
}

export interface Lattice extends Sensitivity {
  /** A power of two. */
  readonly g: bigint;
}

/**
 * A negative binomial draw of scale b takes up to b trials (25 ns each, for many parties), so at this scale the noise of
 * 10,000 cells is drawn in half a second at worst; and a lattice step is a thousandth of the noise, which no answer shows.
 */
export const latticeScaleMax = 1024n;

/** The sensitivity where values are multiples of g. At several parties a person moves each cell once for each. */
export function sensitivityOn(g: bigint, { deltas, parties }: Touched): Sensitivity {
  assert(g >= 1n && parties >= 1, 'a lattice has a step and a person a party');
  const times = BigInt(parties);
  let l1 = 0n;
  let l2Squared = 0n;
  for (const delta of deltas) {
    assert(delta >= 0n, 'a sensitivity is not negative');
    const steps = times * ((delta + g - 1n) / g);
    l1 += steps;
    l2Squared += steps * steps;
  }
  return { l1, l2Squared };
}

/** The finest lattice on which Laplace noise for ε has a scale of `latticeScaleMax` at most, or the coarsest of use. */
export function laplaceLattice(touched: Touched, epsilon: Rational): Lattice {
  const scaled = mul(epsilon, rational(latticeScaleMax));
  return finest(touched, ({ l1 }) => cmp(rational(l1), scaled) <= 0);
}

/** The finest lattice on which Gaussian noise for ρ has a σ of `latticeScaleMax` at most, or the coarsest of use. */
export function gaussianLattice(touched: Touched, rho: Rational): Lattice {
  const scaled = mul(rho, rational(2n * latticeScaleMax * latticeScaleMax));
  return finest(touched, ({ l2Squared }) => cmp(rational(l2Squared), scaled) <= 0);
}

function finest(touched: Touched, isSmall: (sensitivity: Sensitivity) => boolean): Lattice {
  const largest = touched.deltas.reduce((a, b) => (b > a ? b : a), 0n);
  for (let g = 1n; ; g *= 2n) {
    const sensitivity = sensitivityOn(g, touched);
    // From the largest Δ_c on, every value that is touched moves by one step, and nothing is gained any more.
    if (g >= largest || isSmall(sensitivity)) return { g, ...sensitivity };
  }
}
