/**
 * What a party brings to a join, from rows in memory under the dictionary's names: the plain reading of the rules, against
 * which the SQL that a node sends to its database is tested.
 *
 * Rows are read as for a local query: null rule, clamp, unit rule over the whole dataset, `where`, groups. Where the unit is
 * what is matched on, its rule is that of keys (side-set.ts), by canonical identifiers; a row without one is nobody's there.
 * Under protection the rule of keys is the only one, whatever the unit: it is the identifier that the noise protects. Were
 * rows left out by unit first, those of one identifier would decide which rows of others come in.
 * @module
 */
import { SourceError } from '../channel/errors.ts';
import { meets } from './condition-truth.ts';
import type { Dataset } from './dictionary.ts';
import type { SideQuery, SideRecords } from './join-query.ts';
import { cellOf, isWithinUnit, productOf } from './local.ts';
import { identifierOf, type Raw, type Row, readRow } from './record.ts';

/** The dataset by whose rules the rows of a side are read: where rows are counted by key, no unit is asked for. */
export function readingOf({ dataset, key }: Pick<SideQuery, 'dataset' | 'key'>): Dataset {
  return dataset.unit === key || dataset.lenient === true ? { ...dataset, unit: 'row' } : dataset;
}

/** @throws SourceError for rows that the dictionary does not allow */
export function sideRecords(side: SideQuery, rows: Iterable<Row>): SideRecords {
  const { dataset, key, columns, where, groups } = side;
  const { name, max_rows, lenient } = dataset;
  const reading = readingOf(side);
  const rowsOf = new Map<Raw, number>();
  const identifiers: (string | null)[] = [];
  const cells: number[] = [];
  const features: bigint[][] = side.features.map(() => []);
  let seen = 0;
  for (const row of rows) {
    seen += 1;
    if (seen > max_rows && !lenient) throw new SourceError('SOURCE_TOO_MANY_ROWS', { field: name });
    const record = readRow(row, columns, reading, seen);
    const identifier = identifierOf(row, key);
    if (record.unit === null || !isWithinUnit(record.unit, rowsOf, reading)) continue;
    identifiers.push(identifier);
    cells.push((meets(where, record) === true ? cellOf(groups, record.values) : null) ?? -1);
    for (const [at, feature] of side.features.entries()) {
      features[at]!.push(meets(feature.where, record) === true ? productOf(feature, record.values) : 0n);
    }
  }
  if (seen === 0 && !lenient) throw new SourceError('SOURCE_EMPTY', { field: name });
  return { identifiers, cells: Int32Array.from(cells), features: features.map((values) => BigInt64Array.from(values)) };
}
