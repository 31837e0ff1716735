/**
 * Least squares of y on one or several x, with an intercept, over the rows that have every value.
 *
 * With S the matrix n Σx_i x_j − Σx_i Σx_j, c the vector n Σx_i y − Σx_i Σy and s = n Σy² − (Σy)², all exact integers:
 *   b = S⁻¹ c,   b₀ = (Σy − Σ b_i Σx_i) / n,   r² = c·b / s
 *   σ² = (s − c·b) / (n (n − k − 1))
 *   var b_i = σ² n (S⁻¹)_ii,   var b₀ = σ² (1/n + Σx · S⁻¹ Σx / n)
 * S⁻¹ comes from elimination without fractions (Bareiss 1968): its integers stay as small as determinants are. A matrix
 * without an inverse (a column that does not vary, columns that determine each other, too few rows) gives no value.
 * Standard errors need n > k + 1, and r² a y that varies. Booleans are tested at both levels.
 * @module
 */
import { mul, type Rational, rational, sqrtNumber, toNumber } from '../../algebra/rational.ts';
import { InputError } from '../../channel/errors.ts';
import {
  countOf,
  type Family,
  levelsOf,
  present,
  type RegressionValue,
  scaleOf,
  shift,
  sumOf,
  whole,
} from './family.ts';

interface Argument {
  readonly y: string;
  readonly x: readonly string[];
}

interface Moments {
  readonly n: bigint;
  readonly y: bigint;
  readonly yy: bigint;
  readonly x: readonly bigint[];
  readonly xy: readonly bigint[];
  readonly xx: readonly (readonly bigint[])[];
}

export const regression: Family<Argument> = {
  measured: ({ y, x }) => [
    { column: y, path: 'regression.y' },
    ...x.map((column, at) => ({ column, path: `regression.x[${at}]` })),
  ],
  grouping: () => [],
  sums: ({ x }) => 3 + 2 * x.length + x.length ** 2,
  check({ x }, _, field) {
    x.forEach((column, at) => {
      const detail =
        x.indexOf(column) < at ? 'this column stands twice' : column === 'intercept' ? 'this name is taken' : '';
      if (detail !== '') throw new InputError('BAD_VALUE', { field: `${field}.regression.x[${at}]`, detail });
    });
  },
  prepare({ y, x }, dataset) {
    const columns = [y, ...x];
    const where = present(dataset, columns);
    const scales = x.map((column) => scaleOf(dataset, column));
    return whole(
      [
        countOf(where),
        sumOf([y], where),
        sumOf([y, y], where),
        ...x.map((column) => sumOf([column], where)),
        ...x.map((column) => sumOf([column, y], where)),
        ...x.flatMap((a) => x.map((b) => sumOf([a, b], where))),
      ],
      [where, ...levelsOf(dataset, columns, where)],
      (sums) => fit(momentsOf(sums, x.length), { x, scales, yScale: scaleOf(dataset, y) }),
    );
  },
};

function momentsOf(sums: readonly bigint[], k: number): Moments {
  const [n, y, yy] = sums as [bigint, bigint, bigint];
  const products = sums.slice(3 + 2 * k);
  const xx = Array.from({ length: k }, (_, row) => products.slice(row * k, (row + 1) * k));
  return { n, y, yy, x: sums.slice(3, 3 + k), xy: sums.slice(3 + k, 3 + 2 * k), xx };
}

interface Columns {
  readonly x: readonly string[];
  readonly scales: readonly number[];
  readonly yScale: number;
}

function fit(moments: Moments, { x: names, scales, yScale }: Columns): RegressionValue {
  const { n, y, yy, x, xy, xx } = moments;
  const inverse = adjugate(x.map((xi, i) => x.map((xj, j) => n * xx[i]![j]! - xi * xj)));
  if (inverse === null) {
    return { value: null, exact: null, coefficients: null, standard_errors: null, r2: null, n: Number(n) };
  }
  const { rows, determinant } = inverse;
  const c = x.map((xi, i) => n * xy[i]! - xi * y);
  // Times the determinant, as the rows of the inverse are.
  const b = rows.map((row) => dot(row, c));
  const b0 = y * determinant - dot(b, x);
  const total = n * yy - y * y;
  const explained = dot(b, c);

  const named = (constant: number, slope: (at: number) => number): Record<string, number> =>
    Object.fromEntries([['intercept', constant], ...names.map((name, at) => [name, slope(at)])]);
  const coefficients = named(toNumber(shift(rational(b0, n * determinant), -yScale)), (at) =>
    toNumber(shift(rational(b[at]!, determinant), scales[at]! - yScale)),
  );

  const freedom = n - BigInt(names.length) - 1n;
  // n σ² = Σ residuals² × n / (n − k − 1).
  const residual = freedom <= 0n ? null : rational(total * determinant - explained, determinant * freedom);
  const crossed = rows.reduce((sum, row, at) => sum + x[at]! * dot(row, x), 0n);
  const error = (spread: Rational, factor: Rational, exponent: number): number =>
    sqrtNumber(shift(mul(spread, factor), 2 * exponent));

  return {
    coefficients,
    standard_errors:
      residual === null
        ? null
        : named(error(residual, rational(determinant + crossed, n * n * determinant), -yScale), (at) =>
            error(residual, rational(rows[at]![at]!, determinant), scales[at]! - yScale),
          ),
    r2: total === 0n ? null : toNumber(rational(explained, determinant * total)),
    n: Number(n),
  };
}

function dot(a: readonly bigint[], b: readonly bigint[]): bigint {
  return a.reduce((sum, value, at) => sum + value * b[at]!, 0n);
}

/**
 * The inverse of a Gram matrix, times its determinant: Gauss–Jordan without fractions. Such a matrix is singular exactly
 * where a pivot on the diagonal vanishes, so no rows are exchanged.
 */
function adjugate(matrix: readonly (readonly bigint[])[]): { rows: bigint[][]; determinant: bigint } | null {
  const k = matrix.length;
  let rows = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1n : 0n))]);
  let previous = 1n;
  for (let at = 0; at < k; at++) {
    const pivotRow = rows[at]!;
    const pivot = pivotRow[at]!;
    if (pivot === 0n) return null;
    rows = rows.map((row, i) =>
      i === at ? row : row.map((value, j) => (pivot * value - row[at]! * pivotRow[j]!) / previous),
    );
    previous = pivot;
  }
  return { rows: rows.map((row) => row.slice(k)), determinant: previous };
}
