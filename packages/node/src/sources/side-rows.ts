/**
 * The records of a side as they come from an engine, row by row or in columns, into arrays of their final size.
 * @module
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { assert } from '@folkmoot/core/assert.js';
import type { SideQuery, SideRecords } from '@folkmoot/core/join-query.js';
import { setClassFor } from '@folkmoot/core/set-class.js';
import { compileSql } from './dialect.ts';
import type { SideColumns } from './side-sql.ts';

/** A value of a result: a text, a number or a bigint, as the engine's driver gives it. */
type Value = unknown;

export class SideRows {
  readonly #identifiers: (string | null)[];
  readonly #cells: Int32Array;
  readonly #features: readonly BigInt64Array[];
  #count = 0;

  /**
   * Room for so many rows at most.
   * @throws InputError SET_TOO_LARGE
   */
  constructor(side: SideQuery, rowsMax: number) {
    setClassFor(rowsMax);
    this.#identifiers = new Array<string | null>(rowsMax).fill(null);
    this.#cells = new Int32Array(rowsMax);
    this.#features = side.features.map(() => new BigInt64Array(rowsMax));
  }

  setIdentifier(row: number, value: Value): void {
    assert(row < this.#identifiers.length, 'there are no more rows than were counted');
    this.#count = Math.max(this.#count, row + 1);
    this.#identifiers[row] = value === null ? null : String(value);
  }

  setCell(row: number, value: Value): void {
    this.#cells[row] = Number(value);
  }

  setFeature(feature: number, row: number, value: Value): void {
    this.#features[feature]![row] = typeof value === 'bigint' ? value : BigInt(value as string);
  }

  records(): SideRecords {
    const identifiers = this.#identifiers;
    identifiers.length = this.#count;
    const features = this.#features.map((values) => values.subarray(0, this.#count));
    return { identifiers, cells: this.#cells.subarray(0, this.#count), features };
  }
}

/** Reads the statements' rows as DuckDB makes them, a column of a chunk at a time. */
export async function readColumns(
  database: DuckDBConnection,
  columns: readonly SideColumns[],
  into: SideRows,
): Promise<void> {
  for (const [at, { statement, features }] of columns.entries()) {
    const { text, parameters } = compileSql(statement);
    const result = await database.stream(text, [...parameters]);
    const before = at === 0 ? 2 : 0;
    for (let from = 0; ; ) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      const count = chunk.rowCount;
      const each = (column: number, set: (row: number, value: unknown) => void): void => {
        const vector = chunk.getColumnVector(column);
        for (let row = 0; row < count; row++) set(from + row, vector.getItem(row));
      };
      if (at === 0) {
        each(0, (row, value) => into.setIdentifier(row, value));
        each(1, (row, value) => into.setCell(row, value));
      }
      for (const [place, feature] of features.entries()) {
        each(before + place, (row, value) => into.setFeature(feature, row, value));
      }
      from += count;
    }
  }
}
