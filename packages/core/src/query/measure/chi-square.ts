/**
 * Pearson's chi-square test of independence of two categories, over the rows that have both.
 *
 * With O the counts, R and C the margins, n the total: χ² = Σ (O − RC/n)² / (RC/n) = n (Σ O² / (R C) − 1), without Yates'
 * correction; df = (rows − 1)(columns − 1), rows and columns that nobody is in left out; p = P(X_df ≥ χ²). Not defined
 * where fewer than two rows or columns are left. Every cell of the table is tested against the threshold.
 * @module
 */
import { add, mul, type Rational, rational, sub, toNumber } from '../../algebra/rational.ts';
import { boundsOf, type Dataset } from '../dictionary.ts';
import { chiSquareUpper } from './distribution.ts';
import { both, compare, countOf, type Family, present, type TestValue, whole } from './family.ts';
import { undefinedTest } from './t-test.ts';

export const chiSquare: Family<readonly [string, string]> = {
  measured: () => [],
  grouping: (pair) => pair.map((column, at) => ({ column, path: `chi_square[${at}]` })),
  sums: ([a, b], dataset) => levelCount(dataset, a) * levelCount(dataset, b),
  prepare([a, b], dataset) {
    const where = present(dataset, [a, b]);
    const columns = levelsOf(dataset, b);
    const cells = levelsOf(dataset, a).flatMap((row) =>
      columns.map((column) => both(where, compare(a, 'eq', row), compare(b, 'eq', column))),
    );
    return whole(cells.map(countOf), cells, (counts) => independence(counts, columns.length), where);
  },
};

function levelCount(dataset: Dataset, name: string): number {
  return Number(boundsOf(dataset.columns[name]!).max) + 1;
}

function levelsOf(dataset: Dataset, name: string): bigint[] {
  return Array.from({ length: levelCount(dataset, name) }, (_, level) => BigInt(level));
}

/** `counts` row by row. */
function independence(counts: readonly bigint[], width: number): TestValue {
  const rows = Array.from({ length: counts.length / width }, (_, row) => counts.slice(row * width, (row + 1) * width));
  const total = (cells: readonly bigint[]) => cells.reduce((sum, cell) => sum + cell, 0n);
  const rowTotals = rows.map(total);
  const columnTotals = Array.from({ length: width }, (_, column) => total(rows.map((cells) => cells[column]!)));
  const [height, breadth] = [filled(rowTotals), filled(columnTotals)];
  if (height < 2 || breadth < 2) return undefinedTest;
  const df = (height - 1) * (breadth - 1);
  let sum: Rational = rational(0n);
  rows.forEach((cells, row) => {
    cells.forEach((cell, column) => {
      if (cell > 0n) sum = add(sum, rational(cell * cell, rowTotals[row]! * columnTotals[column]!));
    });
  });
  const statistic = toNumber(mul(rational(total(rowTotals)), sub(sum, rational(1n))));
  return { statistic, df, p: chiSquareUpper(statistic, df) };
}

function filled(totals: readonly bigint[]): number {
  return totals.filter((total) => total > 0n).length;
}
