/**
 * Counts of rows: `count` takes all rows of the cell, `{ count: { where } }` those for which its own condition is true.
 *
 * A count with a condition says by subtraction how many do not meet it, so both sets of people are tested. The other
 * side is where the condition is false or unknown, since a null falls on no side in SQL but is still counted in the cell.
 * @module
 */
import { rational } from '../../algebra/rational.ts';
import { compileWhere, type Where } from '../condition.ts';
import { notTrue } from '../condition-complement.ts';
import { always, both, countOf, type Family, scalar, whole } from './family.ts';

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
    return { ...whole([countOf(condition)], tested, ([n]) => scalar(rational(n!))), units: [1n] };
  },
};
