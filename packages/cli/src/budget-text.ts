/**
 * Budgets and ledgers as text.
 * @module
 */
import type { BudgetReport } from '@folkmoot/client/budget.js';
import type { BudgetAccount, BudgetFigure, StatedBudget } from '@folkmoot/core/budget-statement.js';
import type { Job } from '@folkmoot/core/job.js';
import { type Column, renderTable } from './table.ts';

/** As much of a node's ledger as text needs; see the node's own `LedgerReport`. */
export interface LedgerLike {
  readonly party: string;
  readonly datasets: readonly {
    readonly dataset: string;
    readonly period: string;
    readonly unit: Unit;
    readonly total: BudgetAccount;
    readonly analysts: readonly (BudgetAccount & { readonly analyst: string })[];
    readonly exact_too: boolean;
  }[];
  readonly entries: readonly {
    readonly kind: string;
    readonly job: string;
    readonly title: string;
    readonly analyst: string;
    readonly dataset: string;
    readonly period: string;
    readonly unit: Unit;
    readonly cost: BudgetFigure;
    readonly at: string;
  }[];
}

type Unit = StatedBudget['unit'];

const text = (title: string): Column => ({ title, align: 'left' });
const number = (title: string): Column => ({ title, align: 'right' });
const amounts = [number('granted'), number('spent'), number('held back'), number('left')];
const exactToo =
  'A rule also allows exact answers there. They spend nothing: the budget bounds the protected answers only.';

/** `ε 1.5`, `ε 1, δ 0.000001`, `ρ 0.1`. */
function figureText(unit: Unit, { amount, delta }: BudgetFigure): string {
  return `${unit === 'epsilon' ? 'ε' : 'ρ'} ${amount}${delta === '0' ? '' : `, δ ${delta}`}`;
}

function accountCells(unit: Unit, { initial, spent, reserved, remaining }: BudgetAccount): string[] {
  return [initial, spent, reserved, remaining].map((figure) => figureText(unit, figure));
}

/** The node's side: every analyst, and every entry. */
export function ledgerText({ party, datasets, entries }: LedgerLike): string {
  const blocks = datasets.map(({ dataset, period, unit, total, analysts, exact_too }) => {
    const rows = [
      ...analysts.map((one) => [one.analyst, ...accountCells(unit, one)]),
      ['all analysts', ...accountCells(unit, total)],
    ];
    const table = renderTable([text('analyst'), ...amounts], rows);
    return [`${party}: ${dataset} in ${period}`, table, ...(exact_too ? [exactToo] : [])].join('\n\n');
  });
  if (blocks.length === 0) blocks.push(`${party}: no dataset has a budget.`);
  if (entries.length > 0) {
    const columns = ['when', 'entry', 'job', 'analyst', 'dataset', 'period'].map(text);
    const rows = entries.map(({ at, kind, job, analyst, dataset, period, unit, cost, title }) => {
      const line = [at.slice(0, 16).replace('T', ' '), kind, job.slice(0, 12), analyst, dataset, period];
      return [...line, figureText(unit, cost), title];
    });
    blocks.push(renderTable([...columns, number('amount'), text('title')], rows));
  }
  return blocks.join('\n\n');
}

/** The analyst's side: every party's word, and what earlier jobs cost. */
export function budgetText({ statements, missing }: BudgetReport): string {
  const blocks: string[] = [];
  const rows = statements.flatMap(({ party, datasets }) => datasets.flatMap((stated) => statedRows(party, stated)));
  const columns = ['party', 'dataset', 'period', 'of'].map(text);
  if (rows.length > 0) blocks.push(renderTable([...columns, ...amounts], rows));
  else blocks.push('No party that answered grants you a budget.');
  if (statements.some(({ datasets }) => datasets.some(({ exact_too }) => exact_too))) {
    const where = statements.flatMap(({ party, datasets }) =>
      datasets.filter(({ exact_too }) => exact_too).map(({ dataset }) => `${dataset} of ${party}`),
    );
    blocks.push(`${exactToo} (${where.join(', ')})`);
  }
  const charged = statements.flatMap(({ party, jobs }) =>
    jobs.map(({ job, dataset, period, unit, cost, at }) => {
      const when = at.slice(0, 16).replace('T', ' ');
      return [when, job.slice(0, 12), party, dataset, period, figureText(unit, cost)];
    }),
  );
  if (charged.length > 0) {
    const inOrder = charged.toSorted((a, b) => (a[0]! < b[0]! ? 1 : -1));
    const titles = ['charged', 'job', 'party', 'dataset', 'period'].map(text);
    blocks.push(renderTable([...titles, number('cost')], inOrder));
  }
  if (missing.length > 0) blocks.push(`Not connected, so not known: ${missing.join(', ')}.`);
  return blocks.join('\n\n');
}

/** One line for after an answer: what is left where it was spent. */
export function leftText(report: BudgetReport, { from, join }: Pick<Job, 'from' | 'join'>): string {
  const unknown = report.missing.length === 0 ? '' : ` (not known: ${report.missing.join(', ')})`;
  if (join === undefined) return `left of your budget for ${from}: ${leftOf(report, from!)}${unknown}`;
  const sides = [join.left, join.right].map(({ party, dataset }) => `${leftOf(report, dataset, party)} for ${dataset}`);
  return `left of your budget: ${sides.join(', ')}${unknown}`;
}

/** At every party that states the dataset, or at one. */
function leftOf({ statements }: BudgetReport, dataset: string, only?: string): string {
  const left = statements
    .filter(({ party }) => only === undefined || party === only)
    .flatMap(({ party, datasets }) =>
      datasets
        .filter((stated) => stated.dataset === dataset)
        .map(({ unit, own, total }) => {
          const isOwn = own !== null && Number(own.remaining.amount) <= Number(total.remaining.amount);
          return `${figureText(unit, (isOwn ? own : total).remaining)} at ${party}`;
        }),
    );
  return left.length === 0 ? `nothing is stated${only === undefined ? '' : ` at ${only}`}` : left.join(', ');
}

function statedRows(party: string, { dataset, period, unit, own, total }: StatedBudget): string[][] {
  const place = [party, dataset, period];
  const all = [...place, 'all analysts', ...accountCells(unit, total)];
  return own === null ? [all] : [[...place, 'yours', ...accountCells(unit, own)], all];
}
