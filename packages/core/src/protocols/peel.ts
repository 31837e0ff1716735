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
import { kernels } from '../kernels/kernels.ts';

export interface Peeling {
  /** Rows as they went: the pivot of each occurs in none that went later. */
  readonly rows: Uint32Array;
  readonly pivots: Uint32Array;
  /** Rows that were set aside. */
  readonly aside: readonly number[];
}

/** What peeling works in: memory of `peelBytes`, which the kernels have reserved. */
export interface PeelingRoom {
  readonly rows: Uint32Array;
  readonly pivots: Uint32Array;
  readonly scratch: Uint8Array;
}

/** Of the rows, of the pivots, and of the scratch memory. */
export function peelBytes(count: number, columns: number): [number, number, number] {
  return [4 * count, 4 * count, count + 12 * columns + 4];
}

/** Peels rows of three different places below `columns`; stops where more than `asideMax` rows are set aside. */
export function peel(places: Uint32Array, columns: number, asideMax: number, room: PeelingRoom): Peeling {
  const { rows, pivots, scratch } = room;
  const gone = kernels().peel(places, columns, asideMax, rows, pivots, scratch);
  const asideCount = Math.min(rows.length - gone, asideMax + 1);
  const aside = Array.from({ length: asideCount }, (_, i) => rows[rows.length - 1 - i]!);
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
