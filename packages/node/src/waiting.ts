/**
 * The jobs on which people at a party have to decide, as they are shown to them: with the plan, who has decided what, and
 * the terms that a decision is on.
 * @module
 */
import { type ApprovalTerms, changeOf, type Decision, type SignedApproval } from '@folkmoot/core/approval.js';
import type { Charter } from '@folkmoot/core/charter.js';
import { checkJob } from '@folkmoot/core/check-job.js';
import { datasetOf } from '@folkmoot/core/checked-join.js';
import type { ErrorReport } from '@folkmoot/core/errors.js';
import { lookUp } from '@folkmoot/core/name.js';
import { type PartyBudget, type Plan, plan } from '@folkmoot/core/plan.js';
import { judge, usesOf } from '@folkmoot/core/policy.js';
import { counting } from './approvers.ts';
import { capsOf, unitOf } from './budget.ts';
import type { NodeConfig } from './config.ts';
import { failureOf } from './failure.ts';
import { remaining } from './ledger.ts';
import type { JobState, Status } from './lifecycle.ts';
import type { Store } from './store.ts';

/** A job as a person decides on it. */
export interface JobToDecide {
  readonly job: string;
  readonly party: string;
  readonly state: Status;
  readonly title: string;
  readonly analyst: string;
  readonly expires: string;
  /** The rule that asks for people, and how many; null where the job no longer waits. */
  readonly rule: string | null;
  readonly approvers: number | null;
  /** Why approvals given before do not count. */
  readonly change: string | null;
  readonly decisions: readonly DecisionMade[];
  readonly terms: ApprovalTerms;
  readonly plan: Plan;
}

interface DecisionMade {
  readonly by: string;
  readonly name: string | null;
  readonly decision: Decision;
  readonly reason: string;
  readonly at: string;
  /** Whether it is on what waits now, by somebody who is an approver now. */
  readonly counts: boolean;
}

export interface Showing {
  readonly config: NodeConfig;
  readonly charter: Charter;
  readonly store: Pick<Store, 'approvals' | 'ledger' | 'period'>;
  readonly nowMs: number;
}

/** The job with its plan, made by the charter and policy that the terms name. */
export function jobToDecide(state: JobState, terms: ApprovalTerms, by: Showing): JobToDecide {
  const { config, charter, store, nowMs } = by;
  const { party } = config;
  const { envelope } = state.signed;
  const { analyst } = envelope;
  const checked = checkJob(envelope.job, charter);
  const verdict = judge(checked, usesOf(checked, party), party, config.policy, analyst, nowMs);
  const { name } = datasetOf(checked, party);
  const budget = checked.privacy === null ? undefined : budgetLeft(name, analyst, by);
  const budgets = new Map(budget === undefined ? [] : [[party, budget]]);
  const hold = state.status === 'AWAITING_APPROVAL' ? state.hold : undefined;
  return {
    job: state.job,
    party,
    state: state.status,
    title: envelope.job.title ?? '',
    analyst,
    expires: envelope.expires,
    rule: hold?.rule ?? null,
    approvers: hold?.approvers ?? null,
    change: hold?.change ?? null,
    decisions: decisionsMade(store.approvals(state.job), terms, by),
    terms,
    plan: plan({ checked, analyst, verdicts: new Map([[party, verdict]]), budgets }),
  };
}

function decisionsMade(decisions: readonly SignedApproval[], terms: ApprovalTerms, by: Showing): DecisionMade[] {
  const good = new Set(counting(decisions, by));
  return decisions.map((signed) => {
    const { by: who, decision, reason, at, ...on } = signed.approval;
    const counts = decision !== 'approve' || (good.has(signed) && changeOf(on, terms) === undefined);
    return { by: who, name: lookUp(by.config.approvers, who)?.name ?? null, decision, reason, at, counts };
  });
}

/** What the analyst may still spend on a dataset, which is the less of what is left to all and to each. */
function budgetLeft(dataset: string, analyst: string, { config, store }: Showing): PartyBudget | undefined {
  const binding = lookUp(config.datasets, dataset);
  if (binding?.budget === undefined) return undefined;
  const { budget } = binding;
  const period = store.period(dataset) ?? binding.period;
  const { total, perAnalyst } = capsOf(budget);
  const left = [
    remaining(total, store.ledger.standing(dataset, period)),
    ...(perAnalyst === null ? [] : [remaining(perAnalyst, store.ledger.standing(dataset, period, analyst))]),
  ];
  const least = (amounts: readonly bigint[]) => amounts.reduce((a, b) => (a < b ? a : b));
  const micro = least(left.map((amount) => amount.micro));
  return { unit: unitOf(budget), remaining: { micro, deltaPico: least(left.map(({ pico }) => pico)) } };
}

export interface WaitingReport {
  readonly party: string;
  /** The oldest first. */
  readonly waiting: readonly JobToDecide[];
  /** Those besides that cannot be shown, and why: one may not fit the charter any more under which it was judged. */
  readonly unshown: readonly { readonly job: string; readonly report: ErrorReport }[];
  /** How many wait besides. */
  readonly more: number;
}

/** A plan takes milliseconds to make, in which a node does nothing else; more than these nobody reads at once. */
const shownMax = 50;

export function reportWaiting(states: readonly JobState[], by: Showing): WaitingReport {
  const held = states.filter((state) => state.status === 'AWAITING_APPROVAL');
  const first = held.slice(0, shownMax);
  const waiting: JobToDecide[] = [];
  const unshown: { job: string; report: ErrorReport }[] = [];
  const { party } = by.config;
  for (const state of first) {
    try {
      waiting.push(jobToDecide(state, state.hold.terms, by));
    } catch (error) {
      unshown.push({ job: state.job, report: failureOf(error, party).own });
    }
  }
  return { party, waiting, unshown, more: held.length - first.length };
}
