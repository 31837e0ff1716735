/**
 * The plan of a job before it is submitted: a pure function of job, charter and as many parties' policies as are known.
 * Nobody is asked and nothing is sent.
 * @module
 */
import type { Charter } from '@folkmoot/core/charter.js';
import { checkJob } from '@folkmoot/core/check-job.js';
import type { Job } from '@folkmoot/core/job.js';
import { lookUp } from '@folkmoot/core/name.js';
import { type PartyBudget, type Plan, plan } from '@folkmoot/core/plan.js';
import { judge, type Policy, usesOf } from '@folkmoot/core/policy.js';

export interface Explained {
  readonly job: Job;
  readonly charter: Charter;
  readonly analyst: string;
  /** By party. A party whose policy is not known stays undecided in the plan. */
  readonly policies?: Readonly<Record<string, Policy>>;
  /** By party: what is left there, as `budgetsLeft` gives it. */
  readonly budgets?: ReadonlyMap<string, PartyBudget>;
  /** Rules may have expired by then. */
  readonly nowMs: number;
}

/** @throws InputError, PolicyError as the checks of a job do */
export function explain({ job, charter, analyst, policies = {}, budgets, nowMs }: Explained): Plan {
  const checked = checkJob(job, charter);
  const verdicts = new Map(
    checked.parties.flatMap((party) => {
      const policy = lookUp(policies, party);
      return policy === undefined
        ? []
        : [[party, judge(checked, usesOf(checked, party), party, policy, analyst, nowMs)] as const];
    }),
  );
  return plan({ checked, analyst, verdicts, budgets });
}
