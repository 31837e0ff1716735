/**
 * What goes by people and not by rows: how many meet a condition, and their totals, largest first.
 *
 *     grouped rows ─▶ one row a person and cell ─▶ magnitudes ─▶ ranks ─▶ one row a cell
 *
 * Totals of one product and condition are made once for all that is asked of them, and sorted once for all ranks.
 * @module
 */
import { sql } from 'kysely';
import type { Dialect, Sql } from './dialect.ts';
import { byWeight, magnitudeParts, type Part } from './exact-sum.ts';

/** One column of a statement's result: a part of the statistic at this place of the query. */
export type StatisticPart = Part & { readonly statistic: number };

/** The totals that statistics are made of. */
export interface Totals {
  /** Of one row; a person's total is the sum over the rows that meet `condition`. */
  readonly parts: readonly Part[];
  readonly condition: Sql;
  /** The statistics: the largest total of a rank, or the sum of all totals. Signs are left out of both. */
  readonly asked: readonly { readonly statistic: number; readonly rank: number | null }[];
}

/** First whether a person has a row that meets each condition, then how many have: no set of persons a condition. */
export function peopleCounts(parts: readonly StatisticPart[], grouped: Sql): Sql {
  const met = parts.map(({ of }, index) => sql`coalesce(bool_or(${of}), FALSE) AS ${sql.ref(`p${index}`)}`);
  const counts = parts.map((_, index) => sql`count(*) FILTER (WHERE ${sql.ref(`p${index}`)})`);
  return sql`SELECT cell, ${sql.join(counts)} FROM
    (SELECT cell, ${sql.join(met)} FROM ${grouped} GROUP BY cell, u) AS people GROUP BY cell`;
}

/** How many columns of a result the totals take. */
export function widthOf({ parts, asked }: Totals): number {
  return byWeight(parts).length * asked.length;
}

/** The statement for some totals, and its columns; `oneRowEach` where no two rows are of one person. */
export function peopleTotals(
  totals: readonly Totals[],
  grouped: Sql,
  oneRowEach: boolean,
  dialect: Dialect,
): { readonly statement: Sql; readonly parts: readonly StatisticPart[] } {
  const made = totals.map(({ parts, condition, asked }, index) => {
    const summands = byWeight(parts).map(({ of }) => of);
    const sums = summands.map((_, place) => sql.ref(`t${index}_${place}`));
    const magnitude = magnitudeParts(sums, dialect);
    return {
      sums: summands.map((summand, place) => {
        // What meets no condition is no total: null to both, and the last of all ranks.
        return oneRowEach
          ? sql`CASE WHEN ${condition} THEN ${summand} END AS ${sums[place]!}`
          : sql`sum(${summand}) FILTER (WHERE ${condition}) AS ${sums[place]!}`;
      }),
      magnitude: magnitude.map(({ of, weight }, place) => ({ of, weight, name: sql.ref(`m${index}_${place}`) })),
      rank: asked.some(({ rank }) => rank !== null) ? sql.ref(`r${index}`) : undefined,
      asked,
    };
  });
  const sums = sql.join(made.flatMap((each) => each.sums));
  const magnitudes = sql.join(made.flatMap(({ magnitude }) => magnitude.map(({ of, name }) => sql`${of} AS ${name}`)));
  const ranks = made.flatMap(({ magnitude, rank }) => {
    const order = sql.join(magnitude.map(({ name }) => sql`${name} DESC NULLS LAST`));
    return rank === undefined ? [] : [sql`, row_number() OVER (PARTITION BY cell ORDER BY ${order}) AS ${rank}`];
  });
  const parts = made.flatMap(({ magnitude, rank, asked }) =>
    asked.flatMap(({ statistic, rank: wanted }) =>
      magnitude.map(({ name, weight }): StatisticPart => {
        // One person has the rank, so `max` takes that person's part.
        const of = wanted === null ? sql`sum(${name})` : sql`max(${name}) FILTER (WHERE ${rank!} = ${sql.lit(wanted)})`;
        return { statistic, of, weight };
      }),
    ),
  );
  const people = sql`SELECT cell, ${sums} FROM ${grouped} ${oneRowEach ? sql`` : sql`GROUP BY cell, u`}`;
  const statement = sql`SELECT cell, ${sql.join(parts.map(({ of }) => of))} FROM
    (SELECT *${sql.join(ranks, sql``)} FROM
      (SELECT cell, ${magnitudes} FROM (${people}) AS people) AS totals) AS ranked GROUP BY cell`;
  return { statement, parts };
}
