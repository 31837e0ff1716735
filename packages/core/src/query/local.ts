/**
 * A job's local query: compiled from the job, and answered from rows in memory.
 *
 * `compile` is the same pure function at every party, so all of them compute sums of the same meaning in the same order.
 * `evaluate` is the plain reading of the rules, for programs that hold their rows themselves; the SQL that a node sends
 * to its database is tested against it. No error here carries a value.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { InputError, SourceError } from '../channel/errors.ts';
import { type CheckedJob, isExactPool } from './check-job.ts';
import { checkLargest } from './check-join.ts';
import { columnsOf } from './condition.ts';
import { meets, type Values, yearOf } from './condition-truth.ts';
import type { Dataset } from './dictionary.ts';
import type { GroupKey } from './group-key.ts';
import { slots } from './input-slot.ts';
import { keyOf } from './measure/family.ts';
import { neededStatistics } from './prepared.ts';
import { type Raw, type Row, readRow } from './record.ts';
import type { LocalQuery, LocalResult, Statistic } from './statistic.ts';
import { type Strictness, strictnessOf } from './strictness.ts';

/** Sums times cells: seconds to open, and 96 MB a party in the largest ring, which a coordinator still takes. */
export const elementsMax = 4_000_000;

/**
 * What every party of the job computes. `ownParty` is the party that the analyst belongs to, if any; `strictness` is what
 * all parties' acceptances make of the job, or what is known of that.
 *
 * A protected job is computed alike for every analyst: two analysts have the same noise, and with other sums under it
 * the difference of their answers would be exact. The analyst's own party counts among the colluding there instead. In a
 * join all people whom both sides have count.
 * @throws InputError TOO_MANY_CELLS, NOT_SUPPORTED
 */
export function compile(
  checked: CheckedJob,
  ownParty: string | null = null,
  strictness: Strictness = strictnessOf(checked, []),
): LocalQuery {
  const { dataset, where, groups, cells } = checked;
  const isApart = isExactPool(checked) && ownParty !== null && checked.parties.includes(ownParty);
  if (checked.join !== null && checked.privacy === null) checkLargest(checked.job, dataset, strictness);
  const present = isApart ? ownParty : null;
  const statistics = neededStatistics(checked, present, strictness);
  const used = new Set([
    ...columnsOf(where),
    ...groups.map(({ column }) => column),
    ...statistics.flatMap((statistic) => [...statistic.product, ...columnsOf(statistic.where)]),
  ]);
  const columns = Object.keys(dataset.columns).filter((name) => used.has(name));
  const query = { dataset: dataset.name, columns, where, groups, cells, statistics, ownParty: present };
  const sums = slots(query, checked.contributors).length;
  if (sums * cells <= elementsMax) return query;
  throw new InputError('TOO_MANY_CELLS', {
    field: 'measures',
    detail: `${sums} sums for each of ${cells} cells are over ${elementsMax}`,
    remedy: 'ask for fewer bins or fewer groups',
  });
}

/**
 * One party's answer, from rows under the dictionary's names; `isOwnParty` where the analyst belongs to this party.
 * @throws SourceError for rows that the dictionary does not allow
 */
export function evaluate(query: LocalQuery, dataset: Dataset, rows: Iterable<Row>, isOwnParty = false): LocalResult {
  const sums = query.statistics.map(() => new Array<bigint>(query.cells).fill(0n));
  const tallies = talliesOf(query.statistics);
  const rowsOf = new Map<Raw, number>();
  let seen = 0;
  for (const row of rows) {
    seen += 1;
    if (seen > dataset.max_rows && !dataset.lenient)
      throw new SourceError('SOURCE_TOO_MANY_ROWS', { field: dataset.name });
    const record = readRow(row, query.columns, dataset, seen);
    if (record.unit === null) continue;
    if (!isWithinUnit(record.unit, rowsOf, dataset) || meets(query.where, record) !== true) continue;
    const cell = cellOf(query.groups, record.values);
    if (cell === null) continue;
    query.statistics.forEach((statistic, at) => {
      if (statistic.of !== 'rows' || meets(statistic.where, record) !== true) return;
      sums[at]![cell]! += productOf(statistic, record.values);
    });
    for (const { statistic, cells } of tallies.values()) {
      if (meets(statistic.where, record) !== true) continue;
      const totals = cells.get(cell) ?? new Map<Raw, bigint>();
      totals.set(record.unit, (totals.get(record.unit) ?? 0n) + productOf(statistic, record.values));
      cells.set(cell, totals);
    }
  }
  if (seen === 0 && !dataset.lenient) throw new SourceError('SOURCE_EMPTY', { field: dataset.name });
  query.statistics.forEach((statistic, at) => {
    if (statistic.of === 'rows' || (statistic.of === 'people' && isOwnParty)) return;
    for (const [cell, totals] of tallies.get(tallyKey(statistic))!.cells) {
      sums[at]![cell] = ofPeople(statistic, [...totals.values()]);
    }
  });
  return sums;
}

/** Totals person by person in each cell: what all statistics of one product and condition go by, but sums of rows. */
interface Tally {
  readonly statistic: Statistic;
  readonly cells: Map<number, Map<Raw, bigint>>;
}

function talliesOf(statistics: readonly Statistic[]): Map<string, Tally> {
  const byPerson = statistics.filter(({ of }) => of !== 'rows');
  return new Map(byPerson.map((statistic) => [tallyKey(statistic), { statistic, cells: new Map() }]));
}

function tallyKey({ product, where }: Statistic): string {
  return keyOf({ of: 'rows', product, where });
}

/** A statistic of the totals of some people. */
function ofPeople({ of, rank }: Statistic, totals: readonly bigint[]): bigint {
  if (of === 'people') return BigInt(totals.length);
  const magnitudes = totals.map((total) => (total < 0n ? -total : total));
  if (of === 'magnitude') return magnitudes.reduce((sum, magnitude) => sum + magnitude, 0n);
  assert(of === 'top' && rank !== undefined && rank >= 1, 'the largest totals have ranks from 1');
  return magnitudes.sort((a, b) => (a < b ? 1 : a > b ? -1 : 0))[rank - 1] ?? 0n;
}

/** The rows of one unit are counted over the whole dataset, before any filter. */
export function isWithinUnit(unit: Raw, rowsOf: Map<Raw, number>, dataset: Dataset): boolean {
  if (dataset.unit === 'row') return true;
  const count = (rowsOf.get(unit) ?? 0) + 1;
  rowsOf.set(unit, count);
  if (count <= dataset.max_rows_per_unit) return true;
  if (dataset.extra_rows === 'refuse') throw new SourceError('SOURCE_EXTRA_ROWS', { field: dataset.unit });
  return false;
}

/** Of a row that has all the values. */
export function productOf({ product }: Pick<Statistic, 'product'>, values: Values): bigint {
  let result = 1n;
  for (const name of product) {
    const value = values.get(name);
    assert(value !== null && value !== undefined, 'a sum is only over rows that have the value');
    result *= value;
  }
  return result;
}

/** Null for a row that has no value to group by. */
export function cellOf(groups: readonly GroupKey[], values: Values): number | null {
  let cell = 0;
  for (const { column, transform, first, labels } of groups) {
    const value = values.get(column)!;
    if (value === null) return null;
    const index = Number((transform === 'year' ? yearOf(value) : value) - first);
    assert(index >= 0 && index < labels.length, 'every value within its bounds has a cell');
    cell = cell * labels.length + index;
  }
  return cell;
}
