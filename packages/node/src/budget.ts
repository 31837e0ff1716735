/**
 * The `budget:` of a dataset in node.yaml: what may be spent on it in one period, in all and by each analyst.
 *
 * A budget counts ε (with its δ) or ρ, never both. Numbers are read to the last digit and cut down to what the ledger
 * counts in, so that never more is spent than was written.
 * @module
 */
import { deltaUnitsDown, microsDown } from '@folkmoot/core/accountant.js';
import { fractionOf } from '@folkmoot/core/dictionary.js';
import { z } from 'zod';
import type { Amount, BudgetUnit, Caps } from './ledger.ts';

/** As an ε a million is no bound at all; as one of millionths it is far below what the ledger can count. */
const amountMost = 1_000_000;
const amount = z.number().positive().max(amountMost);
const delta = z.number().positive().lt(1);

const inEpsilon = z.strictObject({
  epsilon: amount,
  delta: delta.optional(),
  per_analyst: z.strictObject({ epsilon: amount, delta: delta.optional() }).optional(),
});
const inRho = z.strictObject({ rho: amount, per_analyst: z.strictObject({ rho: amount }).optional() });

export const budgetSchema = z.union([inEpsilon, inRho], {
  error: 'expected { epsilon, delta?, per_analyst? } or { rho, per_analyst? }, and one unit for both',
});

export type Budget = z.infer<typeof budgetSchema>;

export function unitOf(budget: Budget): BudgetUnit {
  return 'epsilon' in budget ? 'epsilon' : 'rho';
}

/** Where an analyst's part names no δ, that of the whole bounds it; where the whole names none, none may be spent. */
export function capsOf(budget: Budget): Caps {
  if (!('epsilon' in budget)) {
    const perAnalyst = budget.per_analyst === undefined ? null : amountOf(budget.per_analyst.rho);
    return { total: amountOf(budget.rho), perAnalyst };
  }
  const { epsilon, delta: whole, per_analyst } = budget;
  return {
    total: amountOf(epsilon, whole),
    perAnalyst: per_analyst === undefined ? null : amountOf(per_analyst.epsilon, per_analyst.delta ?? whole),
  };
}

function amountOf(main: number, beside = 0): Amount {
  return { micro: microsDown(fractionOf(main)), pico: deltaUnitsDown(fractionOf(beside)) };
}
