/**
 * A join carried out in the clear, pair by pair: what the terms and the sets of the two sides are compared with.
 * @module
 */
import type { CheckedJoin, CheckedSide } from '@folkmoot/core/checked-join.js';
import { meets } from '@folkmoot/core/condition-truth.js';
import type { IdentifierColumn } from '@folkmoot/core/dictionary.js';
import { canonicalIdentifier } from '@folkmoot/core/identifier.js';
import type { SideName } from '@folkmoot/core/join-query.js';
import { cellOf, productOf } from '@folkmoot/core/local.js';
import { type Reading, type Row, readRow } from '@folkmoot/core/record.js';
import type { LocalQuery, LocalResult } from '@folkmoot/core/statistic.js';

/** The statistics of the dataset of pairs, from the rows of both sides; the unit of each is its key. */
export function evaluateJoin(
  { left, right }: Pick<CheckedJoin, 'left' | 'right'>,
  query: LocalQuery,
  rows: Readonly<Record<SideName, readonly Row[]>>,
): LocalResult {
  const sums = query.statistics.map(() => new Array<bigint>(query.cells).fill(0n));
  const people = query.statistics.map(() => new Set<string>());
  const rights = keyed('right', right, query, rows.right);
  for (const { key, record: a } of keyed('left', left, query, rows.left)) {
    for (const { key: same, record: b } of rights) {
      if (key !== same) continue;
      const pair = { values: new Map([...a.values, ...b.values]), nulls: new Set([...a.nulls, ...b.nulls]) };
      if (meets(query.where, pair) !== true) continue;
      const cell = cellOf(query.groups, pair.values);
      if (cell === null) continue;
      for (const [at, statistic] of query.statistics.entries()) {
        if (meets(statistic.where, pair) !== true) continue;
        const person = `${cell} ${key}`;
        if (statistic.of === 'people' && people[at]!.has(person)) continue;
        people[at]!.add(person);
        sums[at]![cell]! += productOf(statistic, pair.values);
      }
    }
  }
  return sums;
}

/** The rows that count, with their keys, and their columns under the names that they have over pairs. */
function keyed(name: SideName, { dataset, key, rowsPerKey }: CheckedSide, query: LocalQuery, rows: readonly Row[]) {
  const prefix = `${name}.`;
  const columns = query.columns.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length));
  const seen = new Map<string, number>();
  const kept: { readonly key: string; readonly record: Pick<Reading, 'values' | 'nulls'> }[] = [];
  for (const [index, row] of rows.entries()) {
    const { values, nulls } = readRow(row, columns, { ...dataset, unit: 'row' }, index);
    const raw = row[key] ?? null;
    const person = canonicalIdentifier(raw === null ? null : String(raw), dataset.columns[key] as IdentifierColumn);
    if (person === null) continue;
    const count = (seen.get(person) ?? 0) + 1;
    seen.set(person, count);
    if (count > rowsPerKey) continue;
    const record = {
      values: new Map([...values].map(([column, value]) => [prefix + column, value])),
      nulls: new Set([...nulls].map((column) => prefix + column)),
    };
    kept.push({ key: person, record });
  }
  return kept;
}
