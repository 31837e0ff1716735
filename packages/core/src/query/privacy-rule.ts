/**
 * What a rule says of protection: whether it is required, how much one job may spend, by which mechanism, and against
 * how many colluding parties the noise is made.
 *
 * The caps bind one job; the ledger binds all of them together. A cap in one unit is no cap in the other, so a job in
 * the unit that a rule with caps does not name is refused, but for a pure ε, which is ρ = ε²/2 at most.
 * @module
 */
import { cmp, mul, parseRational, type Rational } from '../algebra/rational.ts';
import type { CheckedJob } from './check-job.ts';
import { fractionOf } from './dictionary.ts';
import type { Numeric } from './job.ts';
import type { PrivacyTerms } from './privacy-terms.ts';
import type { Rule } from './rule.ts';

/** Something that a rule does not cover: what it is, what the asker can do, and what the owner could. */
export interface Gap {
  readonly lacks: string;
  readonly asker: string;
  readonly owner: string;
  readonly column?: string;
  readonly tooFewParties?: true;
}

/** The largest δ where a rule names none: an (ε, δ) with a large δ protects little, whatever its ε. */
const deltaDefault = '0.000001';

type PrivacyRule = NonNullable<Rule['privacy']>;

/** What the rule lacks for the protection that a job asks for, or does not. */
export function privacyGaps(rule: Rule, { privacy, parties }: CheckedJob): Gap[] {
  const given: PrivacyRule = rule.privacy ?? { required: false };
  if (privacy === null) return given.required ? [exactGap(given)] : [];
  return [
    ...capGaps(given, privacy),
    ...mechanismGaps(given, privacy),
    ...collusionGaps(given, privacy, parties.length),
  ];
}

function exactGap({ epsilon_at_most, rho_at_most }: PrivacyRule): Gap {
  const inRho = epsilon_at_most === undefined && rho_at_most !== undefined;
  const budget = inRho ? `rho: ${rho_at_most}` : `epsilon: ${epsilon_at_most ?? '…'}`;
  return {
    lacks: 'exact answers',
    asker: `ask for a protected answer (\`privacy: { ${budget} }\`)`,
    owner: 'set `privacy: { required: false }`',
  };
}

function capGaps(rule: PrivacyRule, { epsilon, rho, delta }: PrivacyTerms): Gap[] {
  const { epsilon_at_most, rho_at_most } = rule;
  const gaps: Gap[] = [];
  if (epsilon !== null) {
    if (epsilon_at_most !== undefined) gaps.push(...over('epsilon', epsilon, epsilon_at_most));
    else if (rho_at_most !== undefined && delta !== null)
      gaps.push(otherUnit('an epsilon with a delta', 'rho', rho_at_most));
    else if (rho_at_most !== undefined) gaps.push(...overAsRho(epsilon, rho_at_most));
    if (delta !== null) gaps.push(...over('delta', delta, rule.delta_at_most ?? deltaDefault));
  }
  if (rho !== null) {
    if (rho_at_most !== undefined) gaps.push(...over('rho', rho, rho_at_most));
    else if (epsilon_at_most !== undefined) gaps.push(otherUnit('a budget in rho', 'epsilon', epsilon_at_most));
  }
  return gaps;
}

function over(unit: 'epsilon' | 'rho' | 'delta', asked: Rational, most: Numeric): Gap[] {
  if (cmp(asked, fractionOf(most)) <= 0) return [];
  return [
    {
      lacks: `${unit} over ${most}`,
      asker: `ask for ${unit} of at most ${most}`,
      owner: `raise \`${unit}_at_most\``,
    },
  ];
}

function overAsRho(epsilon: Rational, most: Numeric): Gap[] {
  const rho = mul(mul(epsilon, epsilon), parseRational('1/2'));
  if (cmp(rho, fractionOf(most)) <= 0) return [];
  return [
    {
      lacks: `rho over ${most}, and a pure epsilon counts as half of its square`,
      asker: `ask for rho of at most ${most}, or for a smaller epsilon`,
      owner: 'raise `rho_at_most`',
    },
  ];
}

function otherUnit(what: string, unit: 'epsilon' | 'rho', most: Numeric): Gap {
  return {
    lacks: what,
    asker: `ask for ${unit} of at most ${most} instead`,
    owner: `add \`${unit === 'rho' ? 'epsilon' : 'rho'}_at_most\``,
  };
}

function mechanismGaps({ mechanism }: PrivacyRule, terms: PrivacyTerms): Gap[] {
  if (mechanism === undefined || terms.mechanism === mechanism) return [];
  const other = mechanism === 'laplace' ? 'Gaussian' : 'Laplace';
  const help = mechanism === 'gaussian' && terms.delta === null && terms.rho === null ? ' with a rho or a delta' : '';
  return [
    {
      lacks: `${other} noise, or a job that does not name its mechanism`,
      asker: `ask for \`mechanism: ${mechanism}\`${help}`,
      owner: 'take `mechanism` out',
    },
  ];
}

function collusionGaps(rule: PrivacyRule, { collusion }: PrivacyTerms, parties: number): Gap[] {
  const least = Math.min(rule.collusion_at_least ?? parties - 1, parties - 1);
  if (collusion >= least) return [];
  return [
    {
      lacks: `noise made for fewer than ${least} colluding ${least === 1 ? 'party' : 'parties'}`,
      asker: `ask for \`collusion: ${least}\``,
      owner: `set \`collusion_at_least: ${collusion}\` under \`privacy\``,
    },
  ];
}
