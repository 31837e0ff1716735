/**
 * The ledger as the data owner reads it: what each dataset was granted, what was spent and is left, and who asked what.
 * @module
 */
import type { BudgetAccount, BudgetFigure } from '@folkmoot/core/budget-statement.js';
import { capsOf, unitOf } from './budget.ts';
import type { NodeConfig } from './config.ts';
import { type BudgetUnit, type LedgerEntry, remaining } from './ledger.ts';
import { allowsExact, figureOf } from './statement.ts';
import type { Store } from './store.ts';

export interface LedgerReport {
  readonly party: string;
  readonly datasets: readonly DatasetReport[];
  /** The latest first. */
  readonly entries: readonly EntryReport[];
}

interface DatasetReport {
  readonly dataset: string;
  readonly period: string;
  readonly unit: BudgetUnit;
  /** Over all analysts. */
  readonly total: BudgetAccount;
  /** Of each analyst that has an entry; `initial` and `remaining` are those of the total where no part is set for each. */
  readonly analysts: readonly (BudgetAccount & { readonly analyst: string })[];
  /** A rule also allows exact jobs: the budget bounds the protected answers only. */
  readonly exact_too: boolean;
}

interface EntryReport {
  readonly kind: LedgerEntry['kind'];
  readonly job: string;
  readonly title: string;
  readonly purpose: string;
  readonly analyst: string;
  readonly dataset: string;
  readonly period: string;
  readonly unit: BudgetUnit;
  readonly cost: BudgetFigure;
  readonly at: string;
}

/** Entries in one report: more are read in the database itself. */
const entriesMax = 1_000;

export function reportLedger(
  { party, datasets, policy }: Pick<NodeConfig, 'party' | 'datasets' | 'policy'>,
  store: Pick<Store, 'ledger' | 'asked'>,
  periods: ReadonlyMap<string, string>,
): LedgerReport {
  return {
    party,
    datasets: Object.entries(datasets).flatMap(([dataset, { budget }]) => {
      const period = periods.get(dataset);
      if (budget === undefined || period === undefined) return [];
      const { total, perAnalyst } = capsOf(budget);
      const account = (analyst?: string): BudgetAccount => {
        const standing = store.ledger.standing(dataset, period, analyst);
        const cap = analyst === undefined ? total : (perAnalyst ?? total);
        const { spent, reserved } = standing;
        const left = remaining(cap, standing);
        return {
          initial: figureOf(cap),
          spent: figureOf(spent),
          reserved: figureOf(reserved),
          remaining: figureOf(left),
        };
      };
      const analysts = store.ledger.analysts(dataset, period);
      return [
        {
          dataset,
          period,
          unit: unitOf(budget),
          total: account(),
          analysts: analysts.map((analyst) => ({ analyst, ...account(analyst) })),
          exact_too: allowsExact(dataset, policy),
        },
      ];
    }),
    entries: store.ledger
      .entries({ limit: entriesMax })
      .map(({ kind, job, analyst, dataset, period, unit, cost, atMs }) => ({
        ...{ kind, job, ...store.asked(job), analyst, dataset, period, unit },
        cost: figureOf(cost),
        at: new Date(atMs).toISOString(),
      })),
  };
}
