/**
 * The least or greatest value of each row and its index, both shared, by a tournament.
 *
 * Of equal values the first wins. In the first level the indices are public, so that an index there is the shared bit
 * alone; from the second on it is chosen like the value.
 *
 * Rounds    ⌈log₂ columns⌉ times those of a comparison and 1
 * Sends     columns − 1 comparisons and selections a row, to each peer        Takes    the correlations of these
 * Security  that of comparison and selection: semi-honest, N−1 colluding; nothing is opened but masked values. An active
 *           party can shift index and value.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { add, addInto, length, sub, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { lessThan, lessThanCost } from './compare.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence } from './cost.ts';
import { selectCost, selectEach } from './select.ts';

/** One element a row. */
export interface Extreme {
  /** From 0. */
  readonly index: Vector;
  readonly value: Vector;
}

/**
 * Of rows that follow each other in x. `width` bounds the values, as in a comparison.
 * @throws ProtocolError LENGTHS_DIFFER unless x has whole rows; OVER_LIMIT
 */
export function argmin(ch: Channel, source: Correlations, x: Vector, rows: number, width = 64): Promise<Extreme> {
  return tournament(ch, source, x, rows, (winner, challenger) => lessThan(ch, source, challenger, winner, width));
}

/** @throws ProtocolError as `argmin` does. */
export function argmax(ch: Channel, source: Correlations, x: Vector, rows: number, width = 64): Promise<Extreme> {
  return tournament(ch, source, x, rows, (winner, challenger) => lessThan(ch, source, winner, challenger, width));
}

async function tournament(
  ch: Channel,
  source: Correlations,
  x: Vector,
  rows: number,
  beats: (winner: Vector, challenger: Vector) => ReturnType<typeof lessThan>,
): Promise<Extreme> {
  checkLengths('argmin', elementsMax, length(x));
  const columns = rows === 0 ? 1 : Math.ceil(length(x) / rows);
  checkLengths('argmin', elementsMax, length(x), rows * columns);
  assert(columns >= 1, 'a row has a value');

  let value = x;
  let index: Vector | undefined;
  for (let left = columns; left > 1; left -= left >>> 1) {
    // One level. Neighbours meet, the second of each pair challenging the first; a last one waits.
    const pairs = left >>> 1;
    const winner = strided(value, left, 0, pairs);
    const challenger = strided(value, left, 1, pairs);
    const won = await beats(winner, challenger);
    const change = sub(challenger, winner);
    if (index === undefined) {
      const { bit, products } = await selectEach(ch, source, won, [change]);
      addInto(winner, products[0]!);
      index = withLast(addConstant(ch, bit, places(rows, pairs)), allPlaces(ch, rows, left), left);
    } else {
      const indexWinner = strided(index, left, 0, pairs);
      const indexChange = sub(strided(index, left, 1, pairs), indexWinner);
      const { products } = await selectEach(ch, source, won, [change, indexChange]);
      addInto(winner, products[0]!);
      index = withLast(add(indexWinner, products[1]!), index, left);
    }
    value = withLast(winner, value, left);
  }
  return { index: index ?? vector(Z2_64, rows), value };
}

/** The elements offset, offset + 2, … of each row of `columns`, `pairs` of them. */
function strided(x: Vector, columns: number, offset: number, pairs: number): Vector {
  const picked = vector(Z2_64, (length(x) / columns) * pairs);
  for (let i = 0; i < picked.words.length; i++) {
    picked.words[i] = x.words[Math.floor(i / pairs) * columns + 2 * (i % pairs) + offset]!;
  }
  return picked;
}

/** Rows of winners, each with the last of the row before it where that had no opponent. */
function withLast(winners: Vector, before: Vector, columns: number): Vector {
  if (columns % 2 === 0) return winners;
  const pairs = columns >>> 1;
  const rows = length(before) / columns;
  const next = vector(Z2_64, rows * (pairs + 1));
  for (let row = 0; row < rows; row++) {
    next.words.set(winners.words.subarray(row * pairs, (row + 1) * pairs), row * (pairs + 1));
    next.words[row * (pairs + 1) + pairs] = before.words[(row + 1) * columns - 1]!;
  }
  return next;
}

/** 0, 2, 4… in each row: the places of the first winners. */
function places(rows: number, pairs: number): Vector {
  return { ring: Z2_64, words: BigUint64Array.from({ length: rows * pairs }, (_, i) => 2n * BigInt(i % pairs)) };
}

/** Shares of 0, 1, 2… in each row. */
function allPlaces(ch: Channel, rows: number, columns: number): Vector {
  const all = BigUint64Array.from({ length: rows * columns }, (_, i) => BigInt(i % columns));
  return addConstant(ch, vector(Z2_64, rows * columns), { ring: Z2_64, words: all });
}

/** Of `argmin` and `argmax` alike. */
export function argminCost(parties: number, rows: number, columns: number, width = 64): Cost {
  const levels: Cost[] = [];
  for (let left = columns; left > 1; left -= left >>> 1) {
    const pairs = rows * (left >>> 1);
    levels.push(lessThanCost(parties, pairs, width), selectCost(parties, pairs, left === columns ? 1 : 2));
  }
  return inSequence(...levels);
}
