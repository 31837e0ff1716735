/**
 * The cells of a job: one for each combination of the declared values of up to three columns, the last varying fastest.
 *
 * Cells come from the dictionary, never from the data: a value that nobody has is a cell all the same, so that the shape
 * of an answer says nothing about the records.
 * @module
 */
import { InputError } from '../channel/errors.ts';
import { referenceOf } from './condition.ts';
import { boundsOf, columnOf, type Dataset, labelsOf, type Value } from './dictionary.ts';

export interface GroupKey {
  /** As the job wrote it: `tenure`, `year(moved_in)`. */
  readonly name: string;
  readonly column: string;
  readonly transform: 'value' | 'year';
  /** The cell of an encoded value v is transform(v) − first. */
  readonly first: bigint;
  readonly labels: readonly Value[];
}

/** The largest table that one job may fill; more is no statistic but a listing. */
export const cellsMax = 10_000;

/**
 * The keys of a `group_by`, in the job's order.
 * @throws InputError UNKNOWN_COLUMN, WRONG_TYPE, BAD_VALUE, TOO_MANY_CELLS
 */
export function compileGroups(names: readonly string[], dataset: Dataset): GroupKey[] {
  const keys = names.map((name, index) => groupKey(name, dataset, `group_by[${index}]`));
  keys.forEach((key, index) => {
    if (keys.findIndex((other) => other.column === key.column && other.transform === key.transform) !== index) {
      throw new InputError('BAD_VALUE', { field: `group_by[${index}]`, detail: 'this key stands twice' });
    }
  });
  const cells = cellsOf(keys);
  if (cells > cellsMax) throw new InputError('TOO_MANY_CELLS', { field: 'group_by', detail: `they make ${cells}` });
  return keys;
}

/** How many cells these keys make; 1 without keys. */
export function cellsOf(keys: readonly GroupKey[]): number {
  return keys.reduce((product, key) => product * key.labels.length, 1);
}

function groupKey(name: string, dataset: Dataset, field: string): GroupKey {
  const { column: columnName, transform } = referenceOf(name);
  const column = columnOf(dataset, columnName, field);
  if (transform === 'year' && column.type !== 'date') {
    throw new InputError('WRONG_TYPE', { field, detail: 'year() is for dates' });
  }
  if (column.type === 'integer') {
    const { min, max } = boundsOf(column);
    if (max - min >= BigInt(cellsMax)) {
      throw new InputError('TOO_MANY_CELLS', { field, detail: `${columnName} alone has ${max - min + 1n} values` });
    }
  }
  const labels = labelsOf(column, transform);
  if (labels === undefined)
    throw new InputError('WRONG_TYPE', { field, detail: groupingHint(columnName, column.type) });
  const first = transform === 'year' ? BigInt(labels[0] as number) : boundsOf(column).min;
  return { name, column: columnName, transform, first, labels };
}

function groupingHint(name: string, type: string): string {
  if (type === 'date') return `group a date by its year: year(${name})`;
  if (type === 'identifier') return 'an identifier serves only to match people, not to group';
  return 'group by a category, a boolean, an integer or the year of a date';
}
