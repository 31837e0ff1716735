/**
 * The ledger as the data owner reads it: what each dataset was granted, what was spent and is left, and who asked what.
 *
 * While a node runs nobody else can open its database, so it also keeps the report as a file beside it, as it was after
 * the last entry; the database alone decides.
 * @module
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BudgetAccount, BudgetFigure } from '@folkmoot/core/budget-statement.js';
import { StateError } from '@folkmoot/core/errors.js';
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

const fileOf = (state: string): string => join(state, 'ledger.json');

/** Keeps the report for whoever asks while the node runs. It is for the owner alone. */
export function keepReport(state: string, report: LedgerReport): void {
  const beside = `${fileOf(state)}.new`;
  writeFileSync(beside, `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
  renameSync(beside, fileOf(state));
}

/** The report that a running node keeps. @throws StateError STATE_IN_USE where there is none */
export function keptReport(state: string): LedgerReport {
  try {
    return JSON.parse(readFileSync(fileOf(state), 'utf8')) as LedgerReport;
  } catch (cause) {
    throw new StateError('STATE_IN_USE', { detail: 'the node that runs keeps no report', cause });
  }
}
