/**
 * A compiled condition as SQL over encoded columns. The engines' own three-valued logic is the one that is meant.
 * @module
 */
import type { Condition } from '@folkmoot/core/condition.js';
import { sql } from 'kysely';
import type { Sql } from './dialect.ts';

/** How a column of the query stands in the statement. */
export interface Place {
  /** Encoded, after null rule and clamp. */
  readonly value: Sql;
  /** Whether the raw value was null. */
  readonly wasNull: Sql;
  /** An integer to compare with, as a parameter of the column's own type. */
  readonly constant: (value: bigint) => Sql;
}

const operators = { eq: sql`=`, ne: sql`<>`, gt: sql`>`, gte: sql`>=`, lt: sql`<`, lte: sql`<=` } as const;

export function conditionSql(condition: Condition, place: (column: string) => Place): Sql {
  switch (condition.kind) {
    case 'true':
      return sql`TRUE`;
    case 'compare': {
      const { value, constant } = place(condition.column);
      if (condition.transform === 'year') {
        // Four digits are a year; whatever lies beyond compares like the nearest year that no date has.
        const year = condition.value < 0n ? -1n : condition.value > 9999n ? 10_000n : condition.value;
        return sql`(${yearSql(value)} ${operators[condition.op]} CAST(${year.toString()} AS bigint))`;
      }
      return sql`(${value} ${operators[condition.op]} ${constant(condition.value)})`;
    }
    case 'in': {
      const { value, constant } = place(condition.column);
      // SQL has no empty list: nothing is in it, and of a null it is not known.
      if (condition.values.length === 0) return sql`(${value} <> ${value})`;
      return sql`(${value} IN (${sql.join(condition.values.map(constant))}))`;
    }
    case 'is_null':
      return place(condition.column).wasNull;
    case 'present':
      return sql`(${place(condition.column).value} IS NOT NULL)`;
    case 'and':
    case 'or': {
      if (condition.of.length === 0) return condition.kind === 'and' ? sql`TRUE` : sql`FALSE`;
      const parts = condition.of.map((part) => conditionSql(part, place));
      return sql`(${sql.join(parts, condition.kind === 'and' ? sql` AND ` : sql` OR `)})`;
    }
    case 'not':
      return sql`(NOT ${conditionSql(condition.of, place)})`;
  }
}

/** yyyy of yyyymmdd, by whole-number division in both engines. */
export function yearSql(value: Sql): Sql {
  return sql`CAST(trunc((${value} - ${value} % 10000) / 10000) AS bigint)`;
}
