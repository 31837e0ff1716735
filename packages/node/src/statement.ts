/**
 * What this party tells an analyst of its budgets: of each dataset that one of its rules opens to them, what was granted,
 * spent and held back, in all and for this analyst, and which of the analyst's own jobs were charged. Of other analysts
 * it tells no more than the sum.
 * @module
 */
import {
  type BudgetAccount,
  type BudgetFigure,
  checkBudgetRequest,
  requestHash,
  type SignedBudgetStatement,
  type StatedBudget,
  signBudgetStatement,
  statedJobsMax,
} from '@folkmoot/core/budget-statement.js';
import type { Charter } from '@folkmoot/core/charter.js';
import type { Sign } from '@folkmoot/core/identity.js';
import { lookUp } from '@folkmoot/core/name.js';
import type { Policy } from '@folkmoot/core/policy.js';
import { capsOf, unitOf } from './budget.ts';
import type { NodeConfig } from './config.ts';
import { type Amount, decimalOf, type Ledger, remaining, type Standing } from './ledger.ts';

export interface Stating {
  readonly config: Pick<NodeConfig, 'party' | 'datasets' | 'policy'>;
  readonly charter: Charter;
  readonly ledger: Pick<Ledger, 'standing' | 'entries'>;
  readonly periods: ReadonlyMap<string, string>;
  readonly sign: Sign;
  readonly nowMs: number;
}

/** The answer to a request as it came in. @throws InputError, PolicyError as `checkBudgetRequest` does */
export function stateBudgets(given: unknown, by: Stating): SignedBudgetStatement {
  const { config, charter, ledger, sign, nowMs } = by;
  const { request } = checkBudgetRequest(given, charter, nowMs);
  const charged = ledger.entries({ analyst: request.analyst, kind: 'charge', limit: statedJobsMax });
  return signBudgetStatement(
    {
      party: config.party,
      request: requestHash(request),
      at: new Date(nowMs).toISOString(),
      datasets: budgetsFor(request.analyst, by),
      jobs: charged.map(({ job, dataset, period, unit, cost, atMs }) => {
        return { job, dataset, period, unit, cost: figureOf(cost), at: new Date(atMs).toISOString() };
      }),
    },
    sign,
  );
}

/** Budgets are no secret to those who may spend of them, and nobody else's business. */
function budgetsFor(analyst: string, { config, charter, ledger, periods }: Stating): StatedBudget[] {
  return Object.entries(config.datasets).flatMap(([dataset, { budget }]) => {
    const period = periods.get(dataset);
    if (budget === undefined || period === undefined || !mayAsk(analyst, dataset, config.policy, charter)) return [];
    const { total, perAnalyst } = capsOf(budget);
    const own = perAnalyst === null ? null : accountOf(perAnalyst, ledger.standing(dataset, period, analyst));
    return [
      {
        dataset,
        period,
        unit: unitOf(budget),
        total: accountOf(total, ledger.standing(dataset, period)),
        own,
        exact_too: allowsExact(dataset, config.policy),
      },
    ];
  });
}

function mayAsk(analyst: string, dataset: string, { rules }: Policy, charter: Charter): boolean {
  const roles = (lookUp(charter.analysts, analyst)?.roles ?? []).map((role) => `role:${role}`);
  return rules.some(
    (rule) => rule.datasets.includes(dataset) && rule.analysts.some((one) => one === analyst || roles.includes(one)),
  );
}

/** Whether a rule allows jobs on a dataset that no budget is charged for. */
export function allowsExact(dataset: string, { rules }: Policy): boolean {
  return rules.some((rule) => rule.datasets.includes(dataset) && rule.privacy?.required !== true);
}

function accountOf(initial: Amount, standing: Standing): BudgetAccount {
  return {
    initial: figureOf(initial),
    spent: figureOf(standing.spent),
    reserved: figureOf(standing.reserved),
    remaining: figureOf(remaining(initial, standing)),
  };
}

export function figureOf({ micro, pico }: Amount): BudgetFigure {
  return { amount: decimalOf(micro, 6), delta: decimalOf(pico, 12) };
}
