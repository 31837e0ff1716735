/**
 * What the text of a condition alone says of a column's values: so that a part of a whole which nobody can be in, as
 * everyone may know beforehand, is not taken for one that hides a few.
 * @module
 */
import type { Condition } from './condition.ts';
import { boundsOf, type Dataset } from './dictionary.ts';

/** The least and the greatest value; none where the first is above the second. */
export interface Range {
  readonly min: bigint;
  readonly max: bigint;
}

/** Whether no row can meet all the conditions, by the bounds that they and the dictionary put on this column. */
export function isEmptyByItself(column: string, conditions: readonly Condition[], dataset: Dataset): boolean {
  const { min, max } = rangeIn(column, conditions, dataset);
  return min > max;
}

/** The values that a column can have in rows that meet all the conditions. */
export function rangeIn(column: string, conditions: readonly Condition[], dataset: Dataset): Range {
  return conditions.map((condition) => rangeOf(condition, column)).reduce(both, boundsOf(dataset.columns[column]!));
}

function both(a: Range, b: Range): Range {
  return { min: a.min > b.min ? a.min : b.min, max: a.max < b.max ? a.max : b.max };
}

/** No value is beyond these; what a condition does not say plainly it does not say. */
const anything: Range = { min: -(2n ** 200n), max: 2n ** 200n };

function rangeOf(condition: Condition, column: string): Range {
  switch (condition.kind) {
    case 'and':
      return condition.of.map((part) => rangeOf(part, column)).reduce(both, anything);
    case 'in': {
      if (condition.column !== column) return anything;
      const sorted = [...condition.values].sort((a, b) => (a < b ? -1 : 1));
      return sorted.length === 0 ? { min: 1n, max: 0n } : { min: sorted[0]!, max: sorted.at(-1)! };
    }
    case 'compare': {
      if (condition.column !== column || condition.transform !== undefined) return anything;
      const { op, value } = condition;
      if (op === 'eq') return { min: value, max: value };
      if (op === 'gt' || op === 'gte') return { ...anything, min: op === 'gt' ? value + 1n : value };
      if (op === 'lt' || op === 'lte') return { ...anything, max: op === 'lt' ? value - 1n : value };
      return anything;
    }
    default:
      return anything;
  }
}
