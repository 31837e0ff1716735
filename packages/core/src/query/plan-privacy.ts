/**
 * What a plan says of protection: what is spent at each party and what remains, the noise, whom it holds against and at
 * what price, and how far it will move each measure. From public texts alone, like the rest of the plan.
 * @module
 */
import type { BudgetUnit } from './acceptance.ts';
import type { CheckedJob } from './check-job.ts';
import { type ExpectedError, expectedErrors, groupSizes } from './expected-error.ts';
import { type PrivacyReport, privacyReport } from './privacy-report.ts';
import type { Charge, Protection } from './protection.ts';
import type { LocalQuery } from './statistic.ts';

/** What the caller knows of a party's budget. Amounts are exact: millionths of ε or ρ, and 10⁻¹² of δ. */
export interface PartyBudget {
  readonly unit: BudgetUnit;
  /** What the analyst may still spend there; absent where it is not known. */
  readonly remaining?: { readonly micro: bigint; readonly deltaPico: bigint };
}

/** Amounts are decimals. */
export interface PlannedCharge {
  readonly party: string;
  /** Null where it is not known in which unit the party counts. */
  readonly unit: BudgetUnit | null;
  /** Null in a unit that the job cannot be charged in. */
  readonly epsilon: string | null;
  readonly rho: string | null;
  /** Beside ε. */
  readonly delta: string;
  /** After this job, in the party's unit; null where it is not known. */
  readonly remains: { readonly amount: string; readonly delta: string } | null;
  /** The party would refuse: its unit cannot be charged, or too little remains. */
  readonly isRefused: boolean;
}

export interface PlannedPrivacy extends Omit<PrivacyReport, 'periods'> {
  readonly charges: readonly PlannedCharge[];
  /** The standard deviation of the noise with another collusion, of that with the job's; ascending. */
  readonly prices: readonly { readonly collusion: number; readonly factor: number }[];
  readonly expected: {
    /** In groups of so many people, with values spread evenly between the bounds. */
    readonly people: readonly number[];
    readonly measures: Readonly<Record<string, readonly ExpectedError[]>>;
  };
  /** Parties whose rules also allow exact answers about the dataset, as far as rules are known. */
  readonly exactToo: readonly string[];
  /** Whether all parties' rules are known, so that `exactToo` is all of them. */
  readonly rulesKnown: boolean;
}

export interface PrivacyPlanOf {
  readonly checked: CheckedJob;
  readonly query: LocalQuery;
  readonly protection: Protection;
  readonly budgets: ReadonlyMap<string, PartyBudget>;
  readonly exactToo: readonly string[];
  readonly rulesKnown: boolean;
}

export function planPrivacy({
  checked,
  query,
  protection,
  budgets,
  exactToo,
  rulesKnown,
}: PrivacyPlanOf): PlannedPrivacy {
  const { periods: _, ...report } = privacyReport(checked, protection, {});
  return {
    ...report,
    charges: checked.parties.map((party) => planCharge(party, protection.charge, budgets.get(party))),
    prices: pricesOf(protection),
    expected: { people: groupSizes, measures: Object.fromEntries(expectedErrors(checked, query, protection)) },
    exactToo,
    rulesKnown,
  };
}

const microDigits = 6;
const deltaDigits = 12;

/** 1500000 millionths are 1.5. */
function decimal(amount: bigint, digits: number): string {
  const text = String(amount < 0n ? -amount : amount).padStart(digits + 1, '0');
  const fraction = text.slice(-digits).replace(/0+$/, '');
  return `${amount < 0n ? '-' : ''}${text.slice(0, -digits)}${fraction === '' ? '' : `.${fraction}`}`;
}

function planCharge(
  party: string,
  { epsilonMicro, rhoMicro, deltaPico }: Charge,
  budget: PartyBudget | undefined,
): PlannedCharge {
  const inRho = budget?.unit === 'rho';
  const spent = inRho ? rhoMicro : epsilonMicro;
  const left = budget?.remaining;
  const amount = left === undefined || spent === null ? null : left.micro - spent;
  const delta = left === undefined ? 0n : left.deltaPico - (inRho ? 0n : deltaPico);
  return {
    party,
    unit: budget?.unit ?? null,
    epsilon: epsilonMicro === null ? null : decimal(epsilonMicro, microDigits),
    rho: rhoMicro === null ? null : decimal(rhoMicro, microDigits),
    delta: decimal(deltaPico, deltaDigits),
    remains: amount === null ? null : { amount: decimal(amount, microDigits), delta: decimal(delta, deltaDigits) },
    isRefused: budget !== undefined && (spent === null || (amount !== null && (amount < 0n || delta < 0n))),
  };
}

/** The deviation goes with √(N/h): what fewer colluding parties would save, and what more would cost. */
function pricesOf({ parties, honest }: Protection): { collusion: number; factor: number }[] {
  const some = [...new Set([0, 1, parties - honest, parties - 1])].filter((t) => t < parties).sort((a, b) => a - b);
  return some.map((collusion) => ({ collusion, factor: Math.sqrt(honest / (parties - collusion)) }));
}
