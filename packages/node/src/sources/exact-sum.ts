/**
 * Sums of products that are exact whatever the bounds: 64-bit products where they fit, wider ones where the sum stays
 * below 2^126, and limbs of 40 bits beyond. The choice follows from the dictionary's public numbers, never from the data.
 *
 * A product of two limbs is below 2^80 and `max_rows` at most 10^12, so a sum of limb products stays below 2^120.
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

/** The parts of the sum over `rows` rows of the product of the factors. */
export function productSum(factors: readonly Factor[], rows: bigint, dialect: Dialect): readonly Part[] {
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
  const constant = (n: bigint): Sql => sql`CAST(${n.toString()} AS ${dialect.wide})`;
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
