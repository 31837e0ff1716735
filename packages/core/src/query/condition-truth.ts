/**
 * Whether a record meets a condition, by the plain reading of SQL's three values.
 * @module
 */
import type { Condition } from './condition.ts';

/** Encoded values by column; null for what the null rule has left without one. */
export type Values = ReadonlyMap<string, bigint | null>;

/** Of a date yyyymmdd. */
export function yearOf(date: bigint): bigint {
  return date / 10_000n;
}

/** Whether a record meets a condition: true, false, or null for unknown, as in SQL. */
export function meets(
  condition: Condition,
  record: { readonly values: Values; readonly nulls: ReadonlySet<string> },
): boolean | null {
  switch (condition.kind) {
    case 'true':
      return true;
    case 'is_null':
      return record.nulls.has(condition.column);
    case 'present':
      return record.values.get(condition.column) !== null;
    case 'not': {
      const inner = meets(condition.of, record);
      return inner === null ? null : !inner;
    }
    case 'and':
    case 'or': {
      // One `false` decides an `and`, one `true` an `or`; failing that, one unknown leaves it unknown.
      const decisive = condition.kind === 'or';
      let result: boolean | null = !decisive;
      for (const part of condition.of) {
        const inner = meets(part, record);
        if (inner === decisive) return decisive;
        if (inner === null) result = null;
      }
      return result;
    }
    case 'in': {
      const value = record.values.get(condition.column)!;
      return value === null ? null : condition.values.includes(value);
    }
    case 'compare': {
      const value = record.values.get(condition.column)!;
      if (value === null) return null;
      return holds(condition.op, condition.transform === 'year' ? yearOf(value) : value, condition.value);
    }
  }
}

function holds(op: 'eq' | 'ne' | 'gt' | 'gte' | 'lt' | 'lte', a: bigint, b: bigint): boolean {
  switch (op) {
    case 'eq':
      return a === b;
    case 'ne':
      return a !== b;
    case 'gt':
      return a > b;
    case 'gte':
      return a >= b;
    case 'lt':
      return a < b;
    case 'lte':
      return a <= b;
  }
}
