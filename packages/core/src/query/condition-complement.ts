/**
 * The rows that a condition leaves out: those for which it is false, and those for which it is unknown, since a null falls
 * on no side in SQL.
 * @module
 */
import type { Condition } from './condition.ts';
import type { Dataset } from './dictionary.ts';
import { present } from './measure/family.ts';

/** Met exactly by the rows for which the condition is false or unknown. */
export function notTrue(condition: Condition, dataset: Dataset): Condition {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return { kind: condition.kind === 'and' ? 'or' : 'and', of: condition.of.map((part) => notTrue(part, dataset)) };
    case 'not':
      return notFalse(condition.of, dataset);
    case 'compare':
    case 'in':
      return orNull({ kind: 'not', of: condition }, condition.column, dataset);
    default:
      // These are never unknown.
      return { kind: 'not', of: condition };
  }
}

/** Met exactly by the rows for which the condition is true or unknown. */
function notFalse(condition: Condition, dataset: Dataset): Condition {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return { kind: condition.kind, of: condition.of.map((part) => notFalse(part, dataset)) };
    case 'not':
      return notTrue(condition.of, dataset);
    case 'compare':
    case 'in':
      return orNull(condition, condition.column, dataset);
    default:
      return condition;
  }
}

function orNull(condition: Condition, column: string, dataset: Dataset): Condition {
  const has = present(dataset, [column]);
  return has.kind === 'true' ? condition : { kind: 'or', of: [condition, { kind: 'not', of: has }] };
}
