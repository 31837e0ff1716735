/**
 * Sums and totals in the words that people approve.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { statisticTexts } from '../src/query/condition-text.ts';
import type { Statistic } from '../src/query/statistic.ts';
import { charter } from './consortium.ts';

const residents = charter.datasets.residents!;
const everywhere = { kind: 'true' } as const;
const magnitude = (...product: string[]): Statistic => ({ of: 'magnitude', product, where: everywhere });
const top = (rank: number, ...product: string[]): Statistic => ({ of: 'top', product, where: everywhere, rank });

describe('totals of people in words', () => {
  it('are named person by person, and by their rank', () => {
    expect(statisticTexts([magnitude('arrears')], residents)).toEqual([
      'the totals of arrears person by person, without their signs',
    ]);
    expect(
      statisticTexts(
        [1, 2, 6].map((rank) => top(rank, 'arrears')),
        residents,
      ),
    ).toEqual([
      'the largest total of one person of arrears, the second largest total of one person of arrears ' +
        'and the 6th largest total of one person of arrears',
    ]);
  });

  it('say of what they are and under which condition', () => {
    const where = { kind: 'compare', column: 'employed', op: 'eq', value: 1n } as const;
    expect(statisticTexts([{ ...top(1, 'income', 'arrears'), where }, magnitude('age', 'age')], residents)).toEqual([
      'the largest total of one person of arrears times income, where employed is yes',
      'the totals of the squares of age person by person, without their signs',
    ]);
    expect(statisticTexts([top(1)], residents)).toEqual(['the largest total of one person of rows']);
  });

  it('are of rows where the charter names no person', () => {
    expect(statisticTexts([top(3, 'arrears'), magnitude('arrears')], { ...residents, unit: 'row' })).toEqual([
      'the third largest total of one row of arrears and the totals of arrears row by row, without their signs',
    ]);
  });
});
