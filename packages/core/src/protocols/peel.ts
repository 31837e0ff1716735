/**
 * The order in which a sparse system of three places a row becomes triangular, by peeling, after Molloy (Random
 * Structures & Algorithms 2005).
 *
 * A column that occurs in one row only becomes the row's pivot, and the row goes; that leaves other columns with one row
 * less. Where every column left occurs twice, a row is set aside, and the others go on.
 *
 * Cost      linear in rows and columns
 * @module
 */

export interface Peeling {
  /** Rows as they went: the pivot of each occurs in none that went later. */
  readonly rows: Uint32Array;
  readonly pivots: Uint32Array;
  /** Rows that were set aside. */
  readonly aside: readonly number[];
}

/** Peels rows of three different places below `columns`; stops where more than `asideMax` rows are set aside. */
export function peel(places: Uint32Array, columns: number, asideMax: number): Peeling {
  const count = places.length / 3;
  const degrees = new Uint32Array(columns);
  // The sum of a column's rows: where one is left, it is that row.
  const sums = new Uint32Array(columns);
  for (let i = 0, at = 0; i < count; i++) {
    for (let k = 0; k < 3; k++, at++) {
      degrees[places[at]!]!++;
      sums[places[at]!]! ^= i;
    }
  }
  const ready = new Uint32Array(columns);
  let readyCount = 0;
  for (let column = 0; column < columns; column++) if (degrees[column] === 1) ready[readyCount++] = column;
  const isGone = new Uint8Array(count);
  const remove = (row: number) => {
    isGone[row] = 1;
    for (let at = 3 * row; at < 3 * row + 3; at++) {
      const column = places[at]!;
      sums[column]! ^= row;
      if (--degrees[column]! === 1) ready[readyCount++] = column;
    }
  };

  const rows = new Uint32Array(count);
  const pivots = new Uint32Array(count);
  const aside: number[] = [];
  let gone = 0;
  let first = 0;
  while (gone + aside.length < count && aside.length <= asideMax) {
    if (readyCount === 0) {
      while (isGone[first] === 1) first++;
      aside.push(first);
      remove(first);
      continue;
    }
    const column = ready[--readyCount]!;
    // Its last row may have gone by another of its columns.
    if (degrees[column] !== 1) continue;
    const row = sums[column]!;
    rows[gone] = row;
    pivots[gone++] = column;
    remove(row);
  }
  return { rows: rows.subarray(0, gone), pivots: pivots.subarray(0, gone), aside };
}

/**
 * The rows that went and are part of what a row set aside amounts to: their sum with it has no place but in columns that
 * are nobody's pivot. Those columns are `free`.
 */
export function dependencies(
  peeling: Peeling,
  places: Uint32Array,
  columns: number,
  row: number,
): { rows: number[]; free: number[] } {
  const isOdd = new Uint8Array(columns);
  const toggle = (other: number) => {
    for (let at = 3 * other; at < 3 * other + 3; at++) isOdd[places[at]!]! ^= 1;
  };
  toggle(row);
  const rows: number[] = [];
  // A row has its pivot, and others that went later or are free: one pass clears every pivot.
  for (let t = 0; t < peeling.rows.length; t++) {
    if (isOdd[peeling.pivots[t]!] === 0) continue;
    rows.push(peeling.rows[t]!);
    toggle(peeling.rows[t]!);
  }
  const free: number[] = [];
  for (let column = 0; column < columns; column++) if (isOdd[column] === 1) free.push(column);
  return { rows, free };
}
