/**
 * What a job says of its protection: the `privacy` key, checked, in exact fractions of the digits that were written.
 *
 * A job spends ε (pure, or with a δ) or ρ of zero-concentrated differential privacy, never both. `collusion` is how many
 * of the parties are assumed to put together what they know of the noise: all but one unless the job says less and every
 * party's rule allows it. `split` divides the budget over the measures; without it what is opened shares equally.
 * Bounds and sensitivities are not here: they come from the dictionary alone.
 * @module
 */
import { add, cmp, div, parseRational, type Rational, rational } from '../algebra/rational.ts';
import { InputError } from '../channel/errors.ts';
import { fractionOf } from './dictionary.ts';
import { decimalText } from './document.ts';
import type { Job, Numeric } from './job.ts';
import { listed, lookUp } from './name.ts';

export type Mechanism = 'laplace' | 'gaussian';

export interface PrivacyTerms {
  /** Null where the job is in ρ. */
  readonly epsilon: Rational | null;
  readonly rho: Rational | null;
  /** With ε: what is charged beside it. With ρ: what the ε shown with the answer is stated for. */
  readonly delta: Rational | null;
  /** `auto` only where both could be taken: a pure ε leaves Laplace alone. */
  readonly mechanism: Mechanism | 'auto';
  /** How many parties may collude without the noise of the others being too little. */
  readonly collusion: number;
  /** The parties whose noise must suffice: all but the colluding. */
  readonly honest: number;
  /** Parts of the budget by measure, which add up to 1; null for equal ones over what is opened. */
  readonly split: ReadonlyMap<string, Rational> | null;
}

/** A larger ε protects nothing that could be named; the least is what a ledger can count. */
const epsilonRange = { least: parseRational('0.000001'), most: rational(1000n) };
/** ε²/2 of the largest ε; the least is one part of what a ledger counts, which is rounded up. */
const rhoRange = { least: parseRational('0.000000000001'), most: rational(500_000n) };
/** Below, no conversion is worth its digits. */
const deltaLeast = rational(1n, 10n ** 30n);
/** Parts more uneven than this leave one of them without any budget. */
const weightLeast = rational(1n, 1_000_000n);

/**
 * The terms of a job among so many parties; null for an exact job.
 * @throws InputError BAD_VALUE, NOT_SUPPORTED, naming the field
 */
export function privacyTerms(job: Pick<Job, 'privacy' | 'measures'>, parties: number): PrivacyTerms | null {
  const { privacy } = job;
  if (privacy === undefined) return null;
  const epsilon = read(privacy.epsilon, 'epsilon', (value) => within(value, 'epsilon', epsilonRange));
  const rho = read(privacy.rho, 'rho', (value) => within(value, 'rho', rhoRange));
  const delta = read(privacy.delta, 'delta', checkDelta);
  if (epsilon !== null && rho !== null) throw bad('rho', 'a job spends epsilon or rho, not both');
  if (epsilon === null && rho === null) throw bad('epsilon', 'a protected job spends epsilon or rho');
  const given = privacy.mechanism ?? 'auto';
  const isPure = epsilon !== null && delta === null;
  if (isPure && given === 'gaussian') {
    throw bad(
      'mechanism',
      'Gaussian noise cannot give a pure epsilon',
      'give a delta as well, or rho, or take laplace',
    );
  }
  const collusion = privacy.collusion ?? parties - 1;
  if (collusion > parties - 1) {
    throw bad('collusion', `of ${parties} parties at most ${parties - 1} can collude against one`);
  }
  return {
    epsilon,
    rho,
    delta,
    mechanism: isPure ? 'laplace' : given,
    collusion,
    honest: parties - collusion,
    split: readSplit(privacy.split, Object.keys(job.measures)),
  };
}

/**
 * Whether a job counts too few among the colluding: an analyst's own party may tell the analyst its noise, so where it
 * takes part it is one of them.
 */
export function lacksOwnParty(
  { privacy, parties }: { readonly privacy: PrivacyTerms | null; readonly parties: readonly string[] },
  ownParty: string | null,
): boolean {
  return privacy !== null && privacy.collusion < 1 && ownParty !== null && parties.includes(ownParty);
}

function bad(key: string, detail: string, remedy?: string): InputError {
  return new InputError('BAD_VALUE', { field: `privacy.${key}`, detail, remedy });
}

function read(value: Numeric | undefined, key: string, check: (value: Rational) => void): Rational | null {
  if (value === undefined) return null;
  const exact = exactly(value, key);
  check(exact);
  return exact;
}

/** The form is the schema's; a job that a program made may still hold what no document can. */
function exactly(value: Numeric, key: string): Rational {
  if (typeof value === 'number' && !Number.isFinite(value)) throw bad(key, 'a finite number is expected');
  try {
    return fractionOf(value);
  } catch {
    throw bad(key, 'a decimal number is expected, written in digits');
  }
}

function within(value: Rational, key: string, { least, most }: { least: Rational; most: Rational }): void {
  if (cmp(value, rational(0n)) <= 0) throw bad(key, 'it must be greater than 0');
  if (cmp(value, least) < 0) throw bad(key, `it is less than ${decimal(least)}, and no answer would be left`);
  if (cmp(value, most) > 0) throw bad(key, `over ${decimal(most)} nothing is protected`, 'leave `privacy` out');
}

function checkDelta(value: Rational): void {
  if (cmp(value, rational(0n)) <= 0) throw bad('delta', 'it must be greater than 0', 'leave it out for a pure epsilon');
  if (cmp(value, rational(1n)) >= 0) throw bad('delta', 'it is a probability, and must be less than 1');
  if (cmp(value, deltaLeast) < 0) throw bad('delta', 'it has more than 30 decimal places');
}

function readSplit(
  split: Readonly<Record<string, Numeric>> | undefined,
  measures: readonly string[],
): ReadonlyMap<string, Rational> | null {
  if (split === undefined) return null;
  for (const name of Object.keys(split)) {
    if (!measures.includes(name)) {
      throw bad(`split.${name}`, `no measure has this name; there are ${listed(measures.slice(0, 12))}`);
    }
  }
  const parts = measures.map((name) => {
    const value = lookUp(split, name);
    if (value === undefined) throw bad(`split.${name}`, 'a split names every measure');
    const part = exactly(value, `split.${name}`);
    if (cmp(part, rational(0n)) <= 0) throw bad(`split.${name}`, 'it must be greater than 0');
    return [name, part] as const;
  });
  const whole = parts.reduce((sum, [, part]) => add(sum, part), rational(0n));
  return new Map(
    parts.map(([name, part]) => {
      const weight = div(part, whole);
      if (cmp(weight, weightLeast) < 0) throw bad(`split.${name}`, 'it is less than a millionth of the whole');
      return [name, weight];
    }),
  );
}

const decimal = (value: Rational): string => decimalText(Number(value.n) / Number(value.d));
