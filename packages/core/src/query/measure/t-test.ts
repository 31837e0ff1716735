/**
 * Welch's t-test: whether the mean of a column differs between two groups whose spreads may differ.
 *
 * With means m, sample variances v and numbers n of the two groups, first level minus second:
 *   t = (m₁ − m₂) / √(v₁/n₁ + v₂/n₂)
 *   df = (v₁/n₁ + v₂/n₂)² / ((v₁/n₁)²/(n₁ − 1) + (v₂/n₂)²/(n₂ − 1))   (Welch–Satterthwaite)
 *   p = P(|T_df| ≥ |t|), two-sided.
 * Not defined where a group has fewer than two values or neither varies. Both groups are tested against the threshold.
 * @module
 */
import { add, div, mul, type Rational, rational, sqrtNumber, sub, toNumber } from '../../algebra/rational.ts';
import { InputError } from '../../channel/errors.ts';
import { boundsOf, columnOf, type Dataset, encodeValue } from '../dictionary.ts';
import { studentTwoSided } from './distribution.ts';
import {
  both,
  compare,
  countOf,
  type Family,
  levelsOf as levelsOfColumns,
  present,
  sumOf,
  type TestValue,
  whole,
} from './family.ts';
import { sampleVariance } from './variance.ts';

interface Argument {
  readonly of: string;
  readonly by: string;
  readonly levels?: readonly [string, string] | undefined;
}

export const tTest: Family<Argument> = {
  measured: ({ of }) => [{ column: of, path: 't_test.of' }],
  grouping: ({ by }) => [{ column: by, path: 't_test.by' }],
  sums: () => 6,
  check(argument, dataset, field) {
    levelsOf(argument, dataset, `${field}.t_test`);
  },
  prepare(argument, dataset, field) {
    const { of, by } = argument;
    const where = present(dataset, [of, by]);
    const groups = levelsOf(argument, dataset, `${field}.t_test`).map((level) => both(where, compare(by, 'eq', level)));
    const sums = groups.flatMap((group) => [countOf(group), sumOf([of], group), sumOf([of, of], group)]);
    const tested = [...groups, ...groups.flatMap((group) => levelsOfColumns(dataset, [of], group))];
    const levels = levelsOf(argument, dataset, `${field}.t_test`);
    const isAll = levels.length === Number(boundsOf(dataset.columns[by]!).max) + 1;
    return whole(sums, tested, welch, isAll ? where : both(where, { kind: 'in', column: by, values: levels }));
  },
};

/** The two levels as encoded values: those named, or the only two there are. */
function levelsOf({ by, levels }: Argument, dataset: Dataset, field: string): bigint[] {
  const column = columnOf(dataset, by, `${field}.by`);
  if (levels === undefined) {
    if (column.type === 'category' && column.values.length !== 2) {
      throw new InputError('WRONG_TYPE', {
        field: `${field}.by`,
        detail: `\`${by}\` has ${column.values.length} values; name two of them in \`levels: [a, b]\``,
      });
    }
    return [0n, 1n];
  }
  const encoded = levels.map((level, at) => encodeValue(column, level, `${field}.levels[${at}]`));
  if (encoded[0] === encoded[1]) {
    throw new InputError('BAD_VALUE', { field: `${field}.levels`, detail: 'the two levels are the same' });
  }
  return encoded;
}

/** The scale of the column divides out of t, so encoded integers serve as they are. */
function welch(sums: readonly bigint[]): TestValue {
  const [n1, x1, xx1, n2, x2, xx2] = sums as [bigint, bigint, bigint, bigint, bigint, bigint];
  const v1 = sampleVariance(n1, x1, xx1);
  const v2 = sampleVariance(n2, x2, xx2);
  if (v1 === null || v2 === null || (v1.n === 0n && v2.n === 0n)) return undefinedTest;
  const [e1, e2] = [div(v1, rational(n1)), div(v2, rational(n2))];
  const error = add(e1, e2);
  const difference = sub(rational(x1, n1), rational(x2, n2));
  const tSquared = div(square(difference), error);
  const df = div(square(error), add(div(square(e1), rational(n1 - 1n)), div(square(e2), rational(n2 - 1n))));
  return {
    statistic: difference.n < 0n ? -sqrtNumber(tSquared) : sqrtNumber(tSquared),
    df: toNumber(df),
    p: studentTwoSided(toNumber(tSquared), toNumber(df)),
  };
}

function square(r: Rational): Rational {
  return mul(r, r);
}

export const undefinedTest: TestValue = { value: null, exact: null, statistic: null, df: null, p: null };
