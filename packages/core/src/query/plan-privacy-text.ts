/**
 * The part of a plan that speaks of protection, in plain words: sentences, which plan-text.ts sets in lines.
 * @module
 */
import { inWords } from './condition-text.ts';
import { listed } from './name.ts';
import type { Plan } from './plan.ts';
import type { PlannedCharge, PlannedPrivacy } from './plan-privacy.ts';

/** Few digits, and no exponent where people would stumble over one. */
export function short(value: number): string {
  if (value === 0 || (Math.abs(value) >= 0.001 && Math.abs(value) < 1_000_000)) {
    return String(Number(value.toPrecision(3))).replace(/\B(?=(\d{3})+$)(?<!\..*)/g, ',');
  }
  return value.toPrecision(3);
}

/** What is asked for: `ε = 1`, `ε = 1 with δ = 0.000001`, `ρ = 0.1`. */
function budgetText({ epsilon, rho, delta }: PlannedPrivacy): string {
  if (epsilon === null) return `ρ = ${rho}`;
  return delta === null ? `ε = ${epsilon}` : `ε = ${epsilon} with δ = ${delta}`;
}

/** How the noise is made, and what one person can change. */
export function noiseTexts(privacy: PlannedPrivacy, plan: Plan): string[] {
  const { mechanism, collusion, honest, unit } = privacy;
  const N = plan.parties.length;
  const who = unit === 'row' ? 'row' : 'person';
  const person = plan.join === null ? `one person (\`${unit}\`)` : `one person (\`${plan.join.on}\`) at both sides`;
  const rows = unit === 'row' ? 'one row' : `all rows of ${person}`;
  return [
    `The answer is protected by ${mechanism === 'laplace' ? 'Laplace' : 'Gaussian'} noise for ${budgetText(privacy)}: with or without ${rows}, any answer is about as likely. Bounds come from the charter, none from the analyst.`,
    rowsText(privacy, plan),
    `Each party adds a part of the noise to its own share before anything is opened; nobody ever holds a figure without noise. The parts of ${honest} of the ${N} parties suffice: up to ${collusion} may put together what they know, and every ${who} is protected all the same.`,
    priceText(privacy),
  ];
}

/** How much of one person there can be. */
function rowsText({ unit, rows_per_unit: k, parties_per_unit: m }: PlannedPrivacy, { join }: Plan): string {
  if (unit === 'row') {
    return 'The charter names no person column: a row is protected, and a person with several rows less.';
  }
  if (join !== null) {
    const [left, right] = [join.left, join.right].map(
      ({ rowsPerPerson: rows, party }) => `${rows} ${rows === 1 ? 'row' : 'rows'} at ${party}`,
    );
    return `By the dictionary a person has at most ${left} and ${right} (more are left out), so the noise covers ${k} ${k === 1 ? 'pair' : 'pairs'} of rows.`;
  }
  return `By the dictionary a person has at most ${k} ${k === 1 ? 'row' : 'rows'} at a party (k = ${k}; more are left out) and stands at ${m === 1 ? 'one party' : `up to ${m} parties`} (m = ${m}), so the noise covers ${k * m} ${k * m === 1 ? 'row' : 'rows'}.`;
}

function priceText({ collusion, prices }: PlannedPrivacy): string {
  const others = prices.filter((price) => price.collusion !== collusion);
  if (others.length === 0) return 'No other collusion can be assumed among so few.';
  const texts = others.map(({ collusion: t, factor }) =>
    factor < 1
      ? `${t === 0 ? 'nobody' : t} colluding ${short(1 / factor)} times smaller`
      : `${t} colluding ${short(factor)} times larger`,
  );
  return `What that costs: the noise would be with ${listed(texts)}. Fewer than all others needs the rule of every party.`;
}

/** What is opened, figure by figure, with its noise. */
export function releaseTexts({ releases }: PlannedPrivacy, { join }: Pick<Plan, 'join'>): string[] {
  const sides = join === null ? {} : { sides: { left: join.left.party, right: join.right.party } };
  return releases.map(({ label, measures, epsilon, rho, sensitivity, sd, error95, lattice }) => {
    const part = epsilon === null ? `ρ = ${short(rho!)}` : `ε = ${short(epsilon)}`;
    const step = lattice > 1 ? `, in steps of ${lattice}` : '';
    return `${inWords(label.replace(/^\d+ /, ''), sides)}, for ${listed(measures)}: ${part}; one person changes it by at most ${short(sensitivity)}; noise of standard deviation ${short(sd)}, within ±${short(error95)} in 95 of 100${step}`;
  });
}

/** The error to expect of every measure. */
export function expectedTexts({ expected: { people, measures } }: PlannedPrivacy): string[] {
  const sizes = people.map((size) => size.toLocaleString('en-GB'));
  return Object.entries(measures).flatMap(([name, figures]) => {
    if (figures.length === 0) return [`${name}: no interval can be stated beforehand.`];
    return figures.map(({ figure, error95 }) => {
      const label = figure === '' ? name : `${name}, ${figure === 'bins' ? 'each bin' : figure}`;
      const texts = error95.map((error) => (error === null ? 'not to be told' : `±${short(error)}`));
      if (new Set(texts).size === 1) return `${label}: ${texts[0]}, however many people there are.`;
      return `${label}: ${listed(texts.map((text, at) => `${text} with ${sizes[at]} people`))}.`;
    });
  });
}

/** What is spent at each party, and what remains. */
export function spentTexts({ charges }: PlannedPrivacy): string[] {
  const known = charges.filter(({ unit }) => unit !== null);
  const unknown = charges.filter(({ unit }) => unit === null);
  const texts = known.map(knownCharge);
  if (unknown.length > 0) {
    const { epsilon, rho, delta } = unknown[0]!;
    const inEpsilon = epsilon === null ? 'a budget in ε cannot be charged' : `a budget in ε ${spent(epsilon, delta)}`;
    const inRho = rho === null ? 'one in ρ cannot be charged' : `one in ρ ${rho}`;
    texts.push(
      `At ${listed(unknown.map(({ party }) => party))}: ${inEpsilon}, ${inRho}. What remains is for their own ledgers to say.`,
    );
  }
  return [
    ...texts,
    'The same question over the same periods costs nothing again. What is spent is never given back once an opening has left.',
  ];
}

const spent = (amount: string, delta: string): string => (delta === '0' ? amount : `${amount} and δ ${delta}`);

function knownCharge({ party, unit, epsilon, rho, delta, remains, isRefused }: PlannedCharge): string {
  const amount = unit === 'rho' ? rho : epsilon;
  const name = unit === 'rho' ? 'ρ' : 'ε';
  if (amount === null)
    return `At ${party} the budget counts ${name}, and this job has no price in it: it would be refused.`;
  const text = `At ${party}: ${name} ${spent(amount, unit === 'rho' ? '0' : delta)}`;
  if (remains === null) return `${text}. What remains is for its own ledger to say.`;
  if (isRefused) return `${text}; too little remains there, and it would be refused.`;
  return `${text}; after it ${spent(remains.amount, unit === 'rho' ? '0' : remains.delta)} remains for this analyst.`;
}

function exactText({ exactToo, rulesKnown }: PlannedPrivacy, dataset: string): string[] {
  if (exactToo.length > 0) {
    return [
      `Rules of ${listed(exactToo)} also allow exact answers about ${dataset}. The budget there bounds the protected answers only: exact ones spend nothing.`,
    ];
  }
  if (rulesKnown) return [];
  return [
    'Where a party’s rules also allow exact answers about the dataset, its budget bounds the protected answers only.',
  ];
}

/** What protection does not cover; `dataset` is what the job is about, in words. */
export function privacyWarnings(privacy: PlannedPrivacy, dataset: string, threshold: number): string[] {
  const { collusion, charges } = privacy;
  return [
    ...exactText(privacy, dataset),
    `The promise is made for ${collusion} colluding ${collusion === 1 ? 'party' : 'parties'} of ${charges.length}. Where more put their noise together, it no longer holds.`,
    'Noise hides a person in a dataset. It does not hide that an agency takes part, nor how long its node takes to answer.',
    threshold < 2
      ? 'No threshold is in force, and none is needed: the noise protects small groups as well as large ones.'
      : `Noisy counts under ${threshold} are withheld by the analyst’s own software, to keep what says nothing out of a table. What protects small groups is the noise.`,
    'The parties are assumed to follow the protocol. A party that lies about its own records, or adds other noise, makes the answer wrong, and nobody can tell.',
  ];
}
