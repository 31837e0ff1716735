/**
 * Sums of products that are exact whatever the bounds: 64-bit products where they fit, wider ones where the sum stays
 * below 2^126, and limbs of 40 bits beyond. The choice follows from the dictionary's public numbers, never from the data.
 *
 * A product of two limbs is below 2^80 and `max_rows` at most 10^12, so a sum of limb products stays below 2^120, and the
 * sum of those of one weight (four at most, since no column is beyond 2^127) below 2^122.
 * @module
 */
import { sql } from 'kysely';
import type { Dialect, Sql } from './dialect.ts';

/** One aggregate of a statement; the statistic is the sum of weight × aggregate. */
export interface Part {
  readonly of: Sql;
  readonly weight: bigint;
}

export interface Factor {
  readonly value: Sql;
  /** The largest magnitude that the value can have. */
  readonly bound: bigint;
}

const limbBits = 40;
const limbBase = 1n << BigInt(limbBits);

/** Parts of one weight as one, the lightest first: 1, 2^40, 2^80… without a gap. */
export function byWeight(parts: readonly Part[]): readonly Part[] {
  const weights = [...new Set(parts.map(({ weight }) => weight))].sort((a, b) => (a < b ? -1 : 1));
  return weights.map((weight) => {
    const alike = parts.filter((part) => part.weight === weight).map(({ of }) => of);
    return { of: alike.length === 1 ? alike[0]! : sql`(${sql.join(alike, sql` + `)})`, weight };
  });
}

/**
 * A number without its sign, from the sums of the parts that `byWeight` gives: the heaviest first, so that of two numbers
 * the larger one has the larger first part that differs. All but the first are digits below 2^40.
 */
export function magnitudeParts(sums: readonly Sql[], dialect: Dialect): readonly Part[] {
  if (sums.length === 1) return [{ of: sql`abs(${sums[0]!})`, weight: 1n }];
  const digits = carried(sums, dialect);
  const opposite = carried(
    sums.map((sum) => sql`(-${sum})`),
    dialect,
  );
  const isNegative = sql`${digits.at(-1)!} < 0`;
  return digits
    .map((digit, place) => ({
      of: sql`(CASE WHEN ${isNegative} THEN ${opposite[place]!} ELSE ${digit} END)`,
      weight: limbBase ** BigInt(place),
    }))
    .reverse();
}

/** The same number with digits from 0 to 2^40 − 1 but for the last, which has the number's sign. */
function carried(sums: readonly Sql[], dialect: Dialect): readonly Sql[] {
  const constant = constantOf(dialect);
  // The engine rounds toward zero. What is lifted above zero by a multiple of the base is rounded down, as a carry must be.
  const lift = constant(limbBase << 83n);
  let carry: Sql | undefined;
  return sums.map((sum, place) => {
    const whole = carry === undefined ? sum : sql`(${sum} + ${carry})`;
    if (place === sums.length - 1) return whole;
    const lifted = sql`(${whole} + ${lift})`;
    carry = sql`(${lifted} // ${constant(limbBase)} - ${constant(1n << 83n)})`;
    return sql`(${lifted} % ${constant(limbBase)})`;
  });
}

function constantOf(dialect: Dialect): (n: bigint) => Sql {
  return (n) => sql`CAST(${n.toString()} AS ${dialect.wide})`;
}

/** The parts of the sum over `rows` rows of the product of the factors. */
export function productSum(factors: readonly Factor[], rows: bigint, dialect: Dialect): readonly Part[] {
  if (factors.length === 0) return [{ of: sql`CAST(1 AS bigint)`, weight: 1n }];
  const bound = factors.reduce((product, factor) => product * factor.bound, 1n);
  if (bound < 1n << 62n) return [{ of: multiplied(factors.map(({ value }) => value)), weight: 1n }];
  const widened = factors.map(({ value }) => sql`CAST(${value} AS ${dialect.wide})`);
  if (dialect.exactBelow === undefined || bound * rows < dialect.exactBelow) {
    return [{ of: multiplied(widened), weight: 1n }];
  }
  let parts: Part[] = [{ of: sql`CAST(1 AS ${dialect.wide})`, weight: 1n }];
  for (const [index, factor] of factors.entries()) {
    const limbs = limbsOf({ value: widened[index]!, bound: factor.bound }, dialect);
    parts = parts.flatMap((part) =>
      limbs.map((limb) => ({ of: multiplied([part.of, limb.of]), weight: part.weight * limb.weight })),
    );
  }
  return parts;
}

/** value = Σ limb × weight, each limb with the value's sign and below 2^40 in magnitude. */
function limbsOf({ value, bound }: Factor, dialect: Dialect): readonly Part[] {
  const constant = constantOf(dialect);
  const count = Math.ceil(bound.toString(2).length / limbBits);
  return Array.from({ length: count }, (_, place) => {
    const weight = limbBase ** BigInt(place);
    const limb = sql`((abs(${value}) // ${constant(weight)}) % ${constant(limbBase)})`;
    return { of: sql`(CASE WHEN ${value} < 0 THEN -${limb} ELSE ${limb} END)`, weight };
  });
}

function multiplied(factors: readonly Sql[]): Sql {
  return sql`(${sql.join(factors, sql` * `)})`;
}
