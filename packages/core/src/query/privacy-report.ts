/**
 * What an answer says of its protection: what was spent, on which releases, under how much noise, and what that means.
 *
 * Everything here is public before the first record is read. Scales and errors are in the integers that a release is
 * made of, so that its noise can be checked against its sensitivity.
 * @module
 */
import { type Rational, toNumber } from '../algebra/rational.ts';
import { noiseFigures } from '../privacy/mechanism.ts';
import type { Person } from '../privacy/sensitivity.ts';
import type { CheckedJob } from './check-job.ts';
import type { ProtectedRelease, Protection } from './protection.ts';

interface ReleaseReport {
  readonly label: string;
  readonly measures: readonly string[];
  readonly epsilon: number | null;
  readonly rho: number | null;
  /** What one person can change, all together. */
  readonly sensitivity: number;
  /** Laplace: the scale that the honest parties reach. Gaussian: σ of one party. */
  readonly scale: number;
  /** Values are multiples of it; 1 in a join, whose noise alone is on a coarser one. */
  readonly lattice: number;
  /** The standard deviation of the noise of all parties, and what it exceeds in one of twenty. */
  readonly sd: number;
  readonly error95: number;
}

export interface PrivacyReport {
  /** As the job asked; null in the other unit. */
  readonly epsilon: number | null;
  readonly rho: number | null;
  readonly delta: number | null;
  readonly mechanism: 'laplace' | 'gaussian';
  readonly collusion: number;
  readonly honest: number;
  /** What a dataset's budget was charged, in the unit it counts; null where it has no price. */
  readonly charged: { readonly epsilon: number | null; readonly delta: number; readonly rho: number | null };
  readonly releases: readonly ReleaseReport[];
  /** Whom it protects: the dataset's unit; in a join whom an identifier stands for. */
  readonly unit: string;
  /** In a join pairs of rows. */
  readonly rows_per_unit: number;
  readonly parties_per_unit: number;
  readonly periods: Readonly<Record<string, string>>;
  readonly statement: string;
}

export function privacyReport(
  checked: CheckedJob,
  protection: Protection,
  periods: Readonly<Record<string, string>>,
): PrivacyReport {
  const { privacy, dataset, join } = checked;
  const { charge, person, mechanism, honest, parties } = protection;
  const shown = (r: Rational | null) => (r === null ? null : toNumber(r));
  const [epsilon, rho, delta] = [shown(privacy!.epsilon), shown(privacy!.rho), shown(privacy!.delta)];
  const spent = mechanism === 'laplace' && epsilon !== null ? `ε = ${epsilon}` : terms(epsilon, rho, delta);
  return {
    epsilon,
    rho,
    delta,
    mechanism,
    collusion: parties - honest,
    honest,
    charged: {
      epsilon: micros(charge.epsilonMicro),
      delta: Number(charge.deltaPico) / 1e12,
      rho: micros(charge.rhoMicro),
    },
    releases: protection.releases.map((release) => reportOf(release, protection)),
    unit: join === null ? dataset.unit : join.left.key,
    rows_per_unit: Number(person.rows),
    parties_per_unit: Number(person.parties),
    periods,
    statement:
      `With or without all rows of one ${rowsText(checked, person)} ` +
      `this answer is as likely, within ${spent}, whatever else is known and as long as no more than ` +
      `${parties - honest} of ${parties} parties share what they know of the noise. ` +
      `Intervals (ci95) are those of the noise; sampling error is apart.`,
  };
}

/** Whose rows the promise is about, and how many they can be. */
function rowsText({ dataset, join }: CheckedJob, { rows, parties }: Person): string {
  if (join === null) return `${dataset.unit} (at most ${rows} at each of ${parties} parties)`;
  const { left, right } = join;
  const sides = `at most ${left.rowsPerKey} at ${left.party} and ${right.rowsPerKey} at ${right.party}`;
  return `${left.key} (${sides}, of which any two are a pair)`;
}

function terms(epsilon: number | null, rho: number | null, delta: number | null): string {
  return epsilon === null ? `ρ = ${rho} of zero-concentrated differential privacy` : `ε = ${epsilon} and δ = ${delta}`;
}

function micros(micro: bigint | null): number | null {
  return micro === null ? null : Number(micro) / 1e6;
}

function reportOf(release: ProtectedRelease, { parties, isDithered }: Protection): ReleaseReport {
  const { label, measures, epsilon, rho, l1, l2Squared, noise } = release;
  const lattice = Number(release.lattice);
  const isLaplace = noise.mechanism === 'laplace';
  return {
    label,
    measures,
    epsilon: epsilon === null ? null : toNumber(epsilon),
    rho: rho === null ? null : toNumber(rho),
    sensitivity: lattice * (isLaplace ? Number(l1) : Math.sqrt(Number(l2Squared))),
    scale: lattice * (isLaplace ? 1 / toNumber(noise.a) : Math.sqrt(toNumber(noise.variance))),
    lattice: isDithered ? 1 : lattice,
    sd: lattice * Math.sqrt(noiseFigures(noise).variance),
    error95: error95Of(release, parties),
  };
}

/** The noise that one in twenty exceeds, and what every party's rounding, or what stands for it, can add to it. */
export function error95Of({ noise, lattice }: ProtectedRelease, parties: number): number {
  return noiseFigures(noise).interval95 * Number(lattice) + Math.ceil((parties * (Number(lattice) - 1)) / 2);
}
