/**
 * A party's own records, as the rest of the node sees them: something that has a fingerprint and answers a local query.
 *
 * A source gives sums, never rows. Every one of them gives the same integers for the same records: those of core's
 * `evaluate`. What it cannot use it refuses with a `SourceError` that names the column and the form, and no value; the
 * error texts of database engines quote rows, so they are never passed on, not even as a cause.
 * @module
 */

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Dataset } from '@folkmoot/core/dictionary.js';
import { SourceError } from '@folkmoot/core/errors.js';
import type { SideQuery, SideRecords } from '@folkmoot/core/join-query.js';
import type { LocalQuery, LocalResult } from '@folkmoot/core/statistic.js';
import type { RunSql } from './in-memory.ts';

export interface Source {
  /**
   * HMAC-SHA-256 of the records under the node's key, as hex: equal for equal records, and of no use to anyone who
   * guesses at small data. A query on this source refuses with SOURCE_CHANGED once the records are others.
   */
  fingerprint(key: Uint8Array): Promise<string>;
  /** One integer a statistic and cell. `ownParty`: the analyst belongs to this party, whose people do not count. */
  query(query: LocalQuery, dataset: Dataset, ownParty: boolean): Promise<LocalResult>;
  /** What this side of a join brings, in the order in which the first rows of a person are told. */
  sideRecords(side: SideQuery): Promise<SideRecords>;
  /**
   * How many rows there are, whatever they hold: those that the dictionary would refuse, or leave out, are among them. Where
   * a key is named, the source refuses that has nothing to match on it.
   */
  rows(key?: string): Promise<number>;
  close(): Promise<void>;
}

/** A source that can be read whole, once, for a snapshot. */
export interface Original extends Source {
  /**
   * Makes a table `texts` of all records: columns `t0`, `t1`… for those of these columns that the source has, which are
   * returned in the same order. No record can make it fail, or change what is read of another: what cannot be read is
   * null, or left out.
   */
  copy(columns: readonly string[], into: Copying): Promise<readonly string[]>;
}

/** The database in memory that a copy is made in. */
export interface Copying {
  readonly run: RunSql;
  readonly database: DuckDBConnection;
}

/** The name of a dictionary's column in the party's own records. */
export type OwnName = (column: string) => string;

/** The columns that a query reads: those it names and, where persons matter, the one that tells persons apart. */
export function columnsRead(query: Pick<LocalQuery, 'columns'>, dataset: Dataset): readonly string[] {
  return dataset.unit === 'row' || query.columns.includes(dataset.unit)
    ? query.columns
    : [...query.columns, dataset.unit];
}

export function columnMissing(column: string, ownName: string): SourceError {
  const detail = column === ownName ? undefined : `it is bound to \`${ownName}\``;
  return new SourceError('SOURCE_COLUMN_MISSING', { field: column, detail });
}
