/**
 * A job's budget over its releases: how much of ε or ρ each spends, the noise that follows, and what a ledger is charged.
 *
 *   ε          Laplace: each release εw. Charged ε, or ρ = ε²/2.
 *   (ε, δ)     the same; or Gaussian with ρ = ρ(ε, δ) rounded down, each release ρw. Charged (ε, δ), or that ρ.
 *   ρ          Gaussian: each release ρw. Or Laplace: each release √(2ρw) rounded down, which is ρw at most. Charged ρ;
 *              in ε what the Laplace parts add up to, or what ρ is at the job's δ, if it has one.
 *
 * Every charge is rounded up. `auto` takes the smaller error among what every party's budget can be charged. The weights
 * w add up to 1, and both ε and ρ add up over releases.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { add, cmp, mul, type Rational, rational } from '../algebra/rational.ts';
import { InputError } from '../channel/errors.ts';
import { deltaUnitsUp, microsInOne, microsUp, rhoFor, roundedUp } from '../privacy/accountant.ts';
import { exactly, fractionBits, sqrt } from '../privacy/interval.ts';
import { type Crowd, gaussianNoise, laplaceNoise, type Noise, noiseFigures } from '../privacy/mechanism.ts';
import { type Person, personSensitivity, type RowBounds, type Sensitivity } from '../privacy/sensitivity.ts';
import { cksEpsilon, rhoOfPure } from '../privacy/zcdp.ts';
import type { Mechanism, PrivacyTerms } from './privacy-terms.ts';

/**
 * A negative binomial draw of scale b takes up to b trials (25 ns each, for many parties), so at this scale the noise of
 * 10,000 cells is drawn in half a second at worst; and a lattice step is a thousandth of the noise, which no answer shows.
 */
const latticeScaleMax = 1024n;

/** What a budget counts. */
export type Unit = 'epsilon' | 'rho';

/** What a dataset's budget is charged, rounded up; null in a unit that it cannot be charged in. */
export interface Charge {
  readonly epsilonMicro: bigint | null;
  readonly rhoMicro: bigint | null;
  /** In 10⁻¹²; beside `epsilonMicro`. */
  readonly deltaPico: bigint;
}

/** What has to be protected. */
export interface Task {
  readonly releases: readonly (RowBounds & { readonly weight: Rational; readonly parts: readonly unknown[] })[];
  readonly person: Person;
  readonly crowd: Crowd;
  readonly cells: number;
}

/** A release's lattice, sensitivity on it, and noise. */
export interface Allotted extends Sensitivity {
  /** For Laplace noise; null for Gaussian. */
  readonly epsilon: Rational | null;
  /** For Gaussian noise; null for Laplace. */
  readonly rho: Rational | null;
  readonly lattice: bigint;
  readonly noise: Noise;
}

export interface Budget {
  readonly mechanism: Mechanism;
  readonly noises: readonly Allotted[];
  readonly charge: Charge;
  /** Σ ln of the noise's variance: the smaller, the better all releases are together. */
  readonly error: number;
}

/**
 * The budgets that can be taken, one a mechanism.
 * @throws InputError BAD_VALUE where none can
 */
export function budgetsOf(terms: PrivacyTerms, task: Task, units: Iterable<Unit>): Budget[] {
  const wanted = [...new Set(units)];
  const isAuto = terms.mechanism === 'auto';
  const laplace = terms.mechanism === 'gaussian' ? [] : [laplaceBudget(terms, task)];
  const gaussian = terms.mechanism === 'laplace' || isPure(terms) ? [] : [gaussianBudget(terms, task)];
  const possible = [...laplace, ...gaussian].filter(({ noises }) => isDrawn(noises, task));
  if (possible.length === 0) {
    throw new InputError('BAD_VALUE', {
      field: 'privacy',
      detail: 'the noise would be too large to draw for so many numbers',
      remedy: 'spend more, ask for fewer groups or bins, or take Gaussian noise',
    });
  }
  const chargeable = possible.filter(({ charge }) => wanted.every((unit) => isCharged(charge, unit)));
  // What is asked for by name is not exchanged: the party whose budget cannot be charged refuses it.
  return isAuto && chargeable.length > 0 ? chargeable : possible;
}

const isPure = ({ epsilon, delta }: PrivacyTerms): boolean => epsilon !== null && delta === null;

function isCharged({ epsilonMicro, rhoMicro }: Charge, unit: Unit): boolean {
  return (unit === 'epsilon' ? epsilonMicro : rhoMicro) !== null;
}

function laplaceBudget({ epsilon, rho }: PrivacyTerms, task: Task): Budget {
  const parts = task.releases.map(({ weight }) =>
    epsilon !== null ? mul(epsilon, weight) : epsilonWithin(mul(rho!, weight)),
  );
  const noises = task.releases.map((release, at) => {
    const share = parts[at]!;
    const largest = mul(share, rational(latticeScaleMax));
    const { lattice, l1, l2Squared } = finest(release, task.person, ({ l1 }) => cmp(rational(l1), largest) <= 0);
    return { epsilon: share, rho: null, lattice, l1, l2Squared, noise: laplaceNoise(task.crowd, share, l1) };
  });
  const spent = epsilon ?? parts.reduce(add);
  return {
    mechanism: 'laplace',
    noises,
    charge: { epsilonMicro: microsUp(spent), rhoMicro: microsUp(rho ?? rhoOfPure(spent)), deltaPico: 0n },
    error: errorOf(noises),
  };
}

function gaussianBudget({ epsilon, rho, delta }: PrivacyTerms, task: Task): Budget {
  const spent = rho ?? rhoWithin(epsilon!, delta!);
  const noises = task.releases.map((release) => {
    const share = mul(spent, release.weight);
    const largest = mul(share, rational(2n * latticeScaleMax * latticeScaleMax));
    const { lattice, l1, l2Squared } = finest(
      release,
      task.person,
      ({ l2Squared }) => cmp(rational(l2Squared), largest) <= 0,
    );
    const noise = gaussianNoise(task.crowd, share, l2Squared, release.parts.length * task.cells);
    return { epsilon: null, rho: share, lattice, l1, l2Squared, noise };
  });
  return {
    mechanism: 'gaussian',
    noises,
    charge: {
      epsilonMicro: epsilonMicroOf({ epsilon, delta }, spent),
      rhoMicro: microsUp(spent),
      deltaPico: delta === null ? 0n : deltaUnitsUp(delta),
    },
    error: errorOf(noises),
  };
}

/** ε as it was asked for, or as ρ is stated at the δ that was given; without a δ there is no ε. */
function epsilonMicroOf({ epsilon, delta }: Pick<PrivacyTerms, 'epsilon' | 'delta'>, rho: Rational): bigint | null {
  if (delta === null) return null;
  return epsilon === null ? roundedUp(cksEpsilon(rho, delta), microsInOne) : microsUp(epsilon);
}

/** The finest lattice on which the noise is fine enough to draw, or the coarsest that still makes it finer. */
function finest(
  bounds: RowBounds,
  person: Person,
  isFine: (sensitivity: Sensitivity) => boolean,
): Sensitivity & { lattice: bigint } {
  for (let lattice = 1n; ; lattice *= 2n) {
    const sensitivity = personSensitivity(bounds, person, lattice);
    if (lattice >= bounds.rowMax || isFine(sensitivity)) return { ...sensitivity, lattice };
  }
}

/** ε with ε²/2 ≤ ρ, cut to few digits, which keep the sampler's fractions small. */
function epsilonWithin(rho: Rational): Rational {
  const { lo } = sqrt(exactly(mul(rho, rational(2n))));
  const digits = 10n ** (lo >> (fractionBits - 20n) > 0n ? 9n : 18n);
  const epsilon = rational((lo * digits) >> fractionBits, digits);
  assert(epsilon.n > 0n, 'the least ρ of a release leaves an ε');
  return epsilon;
}

/** The ρ that gives (ε, δ), rounded down. */
function rhoWithin(epsilon: Rational, delta: Rational): Rational {
  const rho = rhoFor(epsilon, delta);
  if (rho !== undefined) return rho;
  throw new InputError('BAD_VALUE', {
    field: 'privacy.epsilon',
    detail: 'so small an epsilon leaves no Gaussian noise at this delta',
  });
}

function errorOf(noises: readonly Allotted[]): number {
  const logOf = ({ noise, lattice }: Allotted) =>
    Math.log(noiseFigures(noise).variance) + 2 * Math.log(Number(lattice));
  return noises.reduce((sum, each) => sum + logOf(each), 0);
}

/** A negative binomial of scale b costs about b coins of 5 ns: with this many a party draws for about two minutes. */
const coinsMax = 2e10;
/** Scales and deviations beyond are not drawn (`noise/sampler.ts`). */
const scaleMax = 2 ** 40;

function isDrawn(noises: readonly Allotted[], { releases, cells, crowd }: Task): boolean {
  const isShared = crowd.parties - crowd.collusion > 1;
  let coins = 0;
  for (const [at, { noise }] of noises.entries()) {
    const numbers = releases[at]!.parts.length * cells;
    const scale =
      noise.mechanism === 'laplace'
        ? ratio(noise.a.d, noise.a.n)
        : Math.sqrt(ratio(noise.variance.n, noise.variance.d));
    if (scale > scaleMax) return false;
    coins += numbers * (noise.mechanism === 'laplace' && isShared ? scale : 1);
  }
  return coins <= coinsMax;
}

function ratio(n: bigint, d: bigint): number {
  return Number(n) / Number(d);
}
