import type { BudgetReport } from '@folkmoot/client/budget.js';
import { describe, expect, it } from 'vitest';
import { leftText } from '../src/budget-text.ts';

const figure = (amount: string) => ({ amount, delta: '0' });
const account = (amount: string) => ({
  initial: figure('9'),
  spent: figure('0'),
  reserved: figure('0'),
  remaining: figure(amount),
});
const stated = (dataset: string, own: string | null, total: string) => ({
  dataset,
  period: '2026-Q4',
  unit: 'epsilon',
  own: own === null ? null : account(own),
  total: account(total),
});
const report = (missing: readonly string[] = []) =>
  ({
    statements: [
      { party: 'ash', datasets: [stated('people', '2', '3')], jobs: [] },
      { party: 'birch', datasets: [stated('people', '4', '1.5')], jobs: [] },
      { party: 'clinic', datasets: [stated('patients', null, '7')], jobs: [] },
    ],
    missing,
  }) as unknown as BudgetReport;

describe('what is left of a budget', () => {
  it('is told at every party of a pooled job, the least of what is one’s own and everybody’s', () => {
    expect(leftText(report(), { from: 'people' })).toBe('left of your budget for people: ε 2 at ash, ε 1.5 at birch');
    expect(leftText(report(['cedar']), { from: 'pets' })).toBe(
      'left of your budget for pets: nothing is stated (not known: cedar)',
    );
  });

  it('is told of a join at each side for its own dataset', () => {
    const join = {
      left: { party: 'birch', dataset: 'people' },
      right: { party: 'clinic', dataset: 'patients' },
      on: 'id',
    };
    expect(leftText(report(), { join })).toBe(
      'left of your budget: ε 1.5 at birch for people, ε 7 at clinic for patients',
    );
    const unstated = { ...join, right: { party: 'ash', dataset: 'patients' } };
    expect(leftText(report(), { join: unstated })).toContain('nothing is stated at ash for patients');
  });
});
