/**
 * How a job is protected: its releases, what each may spend, and the noise that follows, from public texts alone.
 *
 *   local sums → combinations → lattice → share → noise of every party → open → estimates → measures
 *
 * @module
 */
import type { Rational } from '../algebra/rational.ts';
import type { Answer, AnswerCost } from './answer.ts';
import type { CheckedJob } from './check-job.ts';
import type { Dataset } from './dictionary.ts';
import type { Layout } from './encode.ts';
import type { Mechanism } from './privacy-terms.ts';
import type { Release } from './release/release.ts';
import type { LocalQuery, LocalResult } from './statistic.ts';

/** A release with its part of the budget and the noise that follows from it. */
export interface ProtectedRelease extends Release {
  /** Unique within the job; the noise is derived from it. */
  readonly label: string;
  /** The measures that need it. */
  readonly measures: readonly string[];
  /** The place of its first part among all parts of the protection. */
  readonly first: number;
  /** The part of the budget, of 1. */
  readonly weight: Rational;
  /** For Laplace noise; null for Gaussian. */
  readonly epsilon: Rational | null;
  /** For Gaussian noise; null for Laplace. */
  readonly rho: Rational | null;
  /** A power of two: local values are floored to multiples of it. */
  readonly lattice: bigint;
  /** What one person can change, in multiples of the lattice, over all parties, parts and cells. */
  readonly l1: bigint;
  readonly l2Squared: bigint;
  /** Laplace: a = ε / Δ₁ of e^(−a). Gaussian: σ² of one party's noise. In lattice units. */
  readonly scale: Rational;
}

/** What a dataset's budget is charged, rounded up; null in a unit that it cannot be charged in. */
export interface Charge {
  readonly epsilonMicro: bigint | null;
  readonly rhoMicro: bigint | null;
  /** In 10⁻¹²; beside `epsilonMicro`. */
  readonly deltaPico: bigint;
}

export interface Protection {
  readonly mechanism: Mechanism;
  readonly parties: number;
  /** The parties whose noise suffices. */
  readonly honest: number;
  readonly releases: readonly ProtectedRelease[];
  readonly charge: Charge;
  /** Of all parts of all releases, in order: `encode(layout, parts)` takes `[part][cell]`, of values or of noise. */
  readonly layout: Layout;
}

/** What a budget counts. */
export type Unit = 'epsilon' | 'rho';

/** Where a dataset's unit is not known (`explain` offline), `units` is empty. */
export declare function protect(
  checked: CheckedJob,
  query: LocalQuery,
  parties: number,
  units: Iterable<Unit>,
): Protection;

/** One party's parts, `[part][cell]`, as multiples of each release's lattice, floored. */
export declare function combine(protection: Protection, local: LocalResult): bigint[][];

/** The dataset as protected jobs read it: `checkJob` puts it in the place of the charter's. */
export declare function protectedDataset(dataset: Dataset): Dataset;

export interface NoisyOpened {
  readonly job: string;
  readonly checked: CheckedJob;
  readonly query: LocalQuery;
  readonly protection: Protection;
  /** `[part][cell]`: opened sums of the lattice integers and the noise of all parties. */
  readonly totals: readonly (readonly bigint[])[];
  readonly threshold: number;
  readonly periods: Readonly<Record<string, string>>;
  readonly cost?: AnswerCost;
  readonly receipts?: readonly unknown[];
}

export declare function finishProtected(opened: NoisyOpened): Answer;
