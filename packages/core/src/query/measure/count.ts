/**
 * Counts of rows: `count` takes all rows of the cell, `{ count: { where } }` those for which its own condition is true.
 *
 * A count with a condition says by subtraction how many do not meet it, so both sets of people are tested. The other
 * side is where the condition is false or unknown, since a null falls on no side in SQL but is still counted in the cell.
 * @module
 */
import { rational } from '../../algebra/rational.ts';
import { type Condition, compileWhere, type Where } from '../condition.ts';
import type { Dataset } from '../dictionary.ts';
import { always, both, countOf, type Family, present, scalar, whole } from './family.ts';

export const count: Family<{ readonly where?: Where }> = {
  measured: () => [],
  grouping: () => [],
  sums: () => 1,
  check({ where }, dataset, field) {
    compileWhere(where, dataset, `${field}.count.where`);
  },
  prepare({ where }, dataset, field) {
    const condition = where === undefined ? always : both(compileWhere(where, dataset, `${field}.count.where`));
    const tested = condition.kind === 'true' ? [always] : [condition, notTrue(condition, dataset)];
    return { ...whole([countOf(condition)], tested, ([n]) => scalar(rational(n!))), unit: 1n };
  },
};

/** Met exactly by the rows for which the condition is false or unknown. */
function notTrue(condition: Condition, dataset: Dataset): Condition {
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
