/**
 * What is left of the budgets that an analyst may spend of, from every party's signed statement.
 * @module
 */
import { type BudgetRequest, type BudgetStatement, checkBudgetStatement } from '@folkmoot/core/budget-statement.js';
import type { Charter } from '@folkmoot/core/charter.js';
import { ProtocolError } from '@folkmoot/core/errors.js';
import { encodeDecimal } from '@folkmoot/core/fixed-point.js';
import type { PartyBudget } from '@folkmoot/core/plan.js';
import { fieldsOf, listOf } from './job-view.ts';

export interface BudgetReport {
  /** In ascending order of parties. */
  readonly statements: readonly BudgetStatement[];
  /** Parties that did not answer: not connected, or not in time. */
  readonly missing: readonly string[];
}

/**
 * The coordinator's reply, every statement checked. Who is missing follows from them, and is not what the coordinator says.
 * @throws TransportError BAD_CONTROL, InputError, ProtocolError BAD_STATEMENT
 */
export function budgetReportFrom(reply: unknown, charter: Charter, request: BudgetRequest): BudgetReport {
  const statements = listOf(fieldsOf(reply), 'statements').map((one) => checkBudgetStatement(one, charter, request));
  const stated = statements.map(({ party }) => party);
  const twice = stated.find((party, index) => stated.indexOf(party) !== index);
  if (twice !== undefined) throw new ProtocolError('BAD_STATEMENT', { party: twice, detail: 'there are two' });
  const holders = Object.values(charter.datasets).flatMap(({ held_by }) => held_by);
  return {
    statements: statements.toSorted((a, b) => (a.party < b.party ? -1 : 1)),
    missing: [...new Set(holders)].filter((party) => !stated.includes(party)).sort(),
  };
}

/** What the analyst may still spend on a dataset at each party that stated it: the lesser of their own and the whole. */
export function budgetsLeft({ statements }: BudgetReport, dataset: string): ReadonlyMap<string, PartyBudget> {
  return new Map(
    statements.flatMap(({ party, datasets }) => {
      const stated = datasets.find((one) => one.dataset === dataset);
      if (stated === undefined) return [];
      const accounts = stated.own === null ? [stated.total] : [stated.own, stated.total];
      const least = (key: 'amount' | 'delta', places: number) =>
        accounts.map(({ remaining }) => encodeDecimal(remaining[key], places)).reduce((a, b) => (a < b ? a : b));
      const remaining = { micro: least('amount', 6), deltaPico: least('delta', 12) };
      return [[party, { unit: stated.unit, remaining }] as const];
    }),
  );
}
