/**
 * Least squares from noisy normalised moments: every column about its midpoint and in halves of its range, z in [−1, 1].
 *
 * With C = Σzz' − Σz Σz'/n for all pairs of columns: β = C_xx⁻¹ C_xy by Cholesky's decomposition, b_i = β_i W_y/W_i,
 *   r² = β·C_xy / C_yy within [0, 1],   σ² = (C_yy − β·C_xy) / (n − k − 1),   standard error of b_i = √(σ² (C_xx⁻¹)_ii) W_y/W_i
 * Not defined where the noise leaves a matrix that no columns could have. The standard errors are those of sampling; the
 * intervals beside the coefficients are those of the noise.
 * @module
 */
import type { RegressionValue, Scalar } from '../measure/family.ts';
import type { Statistic } from '../statistic.ts';
import {
  centredOf,
  centredPart,
  clamp,
  columnValue,
  productOf,
  productPart,
  type Range,
  rangeOf,
  squareOf,
  squarePart,
  unitOf,
} from './moments.ts';
import { counted, type Draft, single, undefinedNumbers } from './release.ts';
import type { Shield } from './shield.ts';

interface Argument {
  readonly y: string;
  readonly x: readonly string[];
}

/** The sums of the exact measure, by their place among its statistics: n, y, yy, x…, xy…, xx…. */
function sumsOf(statistics: readonly Statistic[], k: number) {
  const at = (place: number) => statistics[place]!;
  return {
    n: at(0),
    // Column 0 is y; the others are x, in order.
    own: [at(1), ...statistics.slice(3, 3 + k)],
    product: (i: number, j: number): Statistic =>
      i === 0 ? (j === 0 ? at(2) : at(2 + k + j)) : at(3 + 2 * k + (i - 1) * k + (j - 1)),
  };
}

export const regression: Shield<Argument> = ({ y, x }, dataset, statistics) => {
  const k = x.length;
  const ranges = [y, ...x].map((name) => rangeOf(dataset, name));
  const { n, own, product } = sumsOf(statistics, k);
  const pairs = ranges.flatMap((_, i) => ranges.slice(i).map((_, step): [number, number] => [i, i + step]));
  const centred = ranges.map((range, i) =>
    single(`${range.name} about its midpoint`, centredPart(n, own[i]!, range), range.width),
  );
  const products = pairs.map(([i, j]): Draft => {
    const [a, b] = [ranges[i]!, ranges[j]!];
    return i === j
      ? single(`squares of ${a.name}`, squarePart(n, own[i]!, product(i, i), a), a.width ** 2n)
      : single(
          `products of ${a.name} and ${b.name}`,
          productPart(n, [own[i]!, own[j]!], product(i, j), [a, b]),
          a.width * b.width,
        );
  });
  return {
    drafts: [counted(n), ...centred, ...products],
    spanMax: 0.5,
    derive: (figures) =>
      fit(momentsOf(figures, ranges, pairs), ranges) ?? [...undefinedNumbers(2 * k + 3), figures[0]!],
    show: (numbers) => shown(numbers, x),
  };
};

interface Moments {
  readonly n: number;
  /** Σz, column 0 being y. */
  readonly sums: readonly number[];
  /** C, the same. */
  readonly about: readonly (readonly number[])[];
}

function momentsOf(
  figures: readonly number[],
  ranges: readonly Range[],
  pairs: readonly (readonly [number, number])[],
): Moments {
  const n = figures[0]!;
  const sums = ranges.map((range, i) => centredOf(figures[1 + i]!, range));
  const about = ranges.map(() => new Array<number>(ranges.length).fill(0));
  pairs.forEach(([i, j], at) => {
    const figure = figures[1 + ranges.length + at]!;
    const [a, b] = [ranges[i]!, ranges[j]!];
    const raw = i === j ? squareOf(figure, n, a) : productOf(figure, [a, b]);
    about[i]![j] = about[j]![i] = raw - (sums[i]! * sums[j]!) / n;
  });
  return { n, sums, about };
}

/** r², the coefficients (intercept first), their standard errors, n; undefined where there is no line. */
function fit({ n, sums, about }: Moments, ranges: readonly Range[]): number[] | undefined {
  const k = ranges.length - 1;
  if (!(n > k) || !(about[0]![0]! > 0)) return undefined;
  const inverse = inverted(about.slice(1).map((row) => row.slice(1)));
  if (inverse === undefined) return undefined;
  const together = about[0]!.slice(1);
  const beta = inverse.map((row) => dot(row, together));
  const explained = clamp(dot(beta, together), 0, about[0]![0]!);
  const means = ranges.map((range, i) => columnValue(sums[i]! / n, range));
  const units = ranges.map(unitOf);
  const slopes = beta.map((each, i) => (each * units[0]!) / units[i + 1]!);
  const intercept = means[0]! - dot(slopes, means.slice(1));

  // σ² in units of y, and the inverse in units of the columns; null degrees of freedom leave no error to state.
  const freedom = n - k - 1;
  const residual = freedom > 0 ? (units[0]! ** 2 * (about[0]![0]! - explained)) / freedom : Number.NaN;
  const inUnits = inverse.map((row, i) => row.map((each, j) => each / (units[i + 1]! * units[j + 1]!)));
  const crossed = inUnits.reduce((sum, row, i) => sum + means[i + 1]! * dot(row, means.slice(1)), 0);
  const errors = [1 / n + crossed, ...inUnits.map((row, i) => row[i]!)].map((factor) =>
    freedom > 0 ? Math.sqrt(Math.max(residual * factor, 0)) : 0,
  );
  return [explained / about[0]![0]!, intercept, ...slopes, ...errors, n];
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, at) => sum + value * b[at]!, 0);
}

/** A pivot this small beside its column is no spread that a double could tell from rounding. */
const pivotLeast = 1e-12;

/** The inverse of a positive definite matrix by C = L Lᵀ; undefined where it is none. */
function inverted(matrix: readonly (readonly number[])[]): number[][] | undefined {
  const k = matrix.length;
  const lower = matrix.map(() => new Array<number>(k).fill(0));
  for (let j = 0; j < k; j++) {
    for (let i = j; i < k; i++) {
      let rest = matrix[i]![j]!;
      for (let at = 0; at < j; at++) rest -= lower[i]![at]! * lower[j]![at]!;
      if (i > j) lower[i]![j] = rest / lower[j]![j]!;
      else if (rest > pivotLeast * matrix[j]![j]!) lower[j]![j] = Math.sqrt(rest);
      else return undefined;
    }
  }
  const columns = matrix.map((_, column) => solved(lower, column));
  return matrix.map((_, i) => columns.map((column) => column[i]!));
}

/** The solution of L Lᵀ v = e, e the unit vector of a column. */
function solved(lower: readonly (readonly number[])[], column: number): number[] {
  const k = lower.length;
  const v = new Array<number>(k).fill(0);
  for (let i = 0; i < k; i++) {
    let rest = i === column ? 1 : 0;
    for (let at = 0; at < i; at++) rest -= lower[i]![at]! * v[at]!;
    v[i] = rest / lower[i]![i]!;
  }
  for (let i = k - 1; i >= 0; i--) {
    let rest = v[i]!;
    for (let at = i + 1; at < k; at++) rest -= lower[at]![i]! * v[at]!;
    v[i] = rest / lower[i]![i]!;
  }
  return v;
}

function shown(numbers: readonly Scalar[], x: readonly string[]): RegressionValue {
  const k = x.length;
  const [r2, ...rest] = numbers;
  const named = <T>(of: (number: Scalar) => T, from: number): Record<string, T> =>
    Object.fromEntries(['intercept', ...x].map((name, at) => [name, of(rest[from + at]!)]));
  const n = rest.at(-1)!.value;
  if (r2!.value === null) {
    return { value: null, exact: null, coefficients: null, standard_errors: null, r2: null, n: n! };
  }
  const intervals = named(({ ci95 }) => ci95 ?? null, 0);
  return {
    coefficients: named(({ value }) => value!, 0),
    standard_errors: n! > k + 1 ? named(({ value }) => value!, k + 1) : null,
    r2: r2!.value,
    n: n!,
    ci95: { ...intervals, r2: r2!.ci95 ?? null },
  };
}
