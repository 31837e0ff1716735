/**
 * How the sums of a join are computed on shares with the given side as the receiver: what the other's elements carry, and
 * which products of the two are added up where. A function of public texts, the same at both sides.
 *
 * The receiver's cells are free: it knows them. Each cell of the sender's side makes a column of each of its features: a
 * flag where every element has 0 or 1 there, a word of a ring otherwise. A feature that is 1 for every element that takes
 * part needs no column; the match itself stands for it.
 * @module
 */
import { bitLength } from '../algebra/integer-root.ts';
import { type Ring, Z2_64 } from '../algebra/ring.ts';
import { InputError } from '../channel/errors.ts';
import { otherSide } from '../query/checked-join.ts';
import type { Feature, JoinQuery, SideName, SideQuery } from '../query/join-query.ts';
import { termsMax, tooMany } from '../query/join-terms.ts';

/** What an element of the sender's carries for one feature and cell of its side. */
export type Column =
  | { readonly kind: 'match' }
  | { readonly kind: 'flag' | 'word'; readonly feature: number; readonly cell: number };

/** A number that the receiver has for each of its elements, in each slot: v − low has so many bits, and 0 is in range. */
export interface Factor {
  readonly feature: number;
  readonly low: bigint;
  /** 0 where it is 1 for every element that can match, and 1 or more otherwise. */
  readonly bits: number;
}

/** The sum of one column times one factor over all matches, for each of the receiver's cells. */
export interface Product {
  readonly ring: Ring;
  readonly column: number;
  readonly factor: number;
}

/** Where products go: a statistic's job cell for each of the receiver's cells. */
export interface Addend {
  readonly product: number;
  readonly statistic: number;
  readonly cells: Int32Array;
}

export interface JoinPlan {
  readonly receiver: SideName;
  /** Of the receiver's side. */
  readonly cells: number;
  /** Rows of a key that stand in cells of their own. Where there is one cell, the rows of a key are added up at home. */
  readonly slots: number;
  readonly columns: readonly Column[];
  /** Of each column that is a word: the ring that all its products fit. */
  readonly wordRings: readonly (Ring | null)[];
  readonly factors: readonly Factor[];
  readonly products: readonly Product[];
  readonly addends: readonly Addend[];
}

/** What the sender's elements carry, but for the tag: the rings of the words, and how many flags. */
export function payloadOf({ columns, wordRings }: JoinPlan): {
  readonly rings: readonly Ring[];
  readonly flags: number;
} {
  return {
    rings: wordRings.filter((ring) => ring !== null),
    flags: columns.filter(({ kind }) => kind === 'flag').length,
  };
}

/** Words and flags of an element together: each word has 8 bytes at least, and its hint is sent for three bins. */
const columnsMax = 1_024;

/**
 * The plan of these sums, each statistic over the ring that is given for it. `receiver` is the side that has the hash table.
 * @throws InputError TOO_MANY_CELLS, OVERFLOW
 */
export function joinPlan(query: JoinQuery, ringOf: readonly Ring[], receiver: SideName): JoinPlan {
  const [own, other] = receiver === 'left' ? [query.left, query.right] : [query.right, query.left];
  const slots = own.cells === 1 ? 1 : own.rowsPerKey;
  const columns = new Numbered<Column>();
  const factors = new Numbered<Factor>();
  const products = new Numbered<Product>();
  const addends: Addend[] = [];
  if (query.terms.length * other.cells > termsMax) throw tooMany();
  const places = Array.from({ length: other.cells }, (_, cell) =>
    Int32Array.from({ length: own.cells }, (_, a) => {
      return query.cellOf[receiver === 'left' ? a * other.cells + cell : cell * own.cells + a]!;
    }),
  );
  for (const { statistic, left, right } of query.terms) {
    const [feature, carried] = receiver === 'left' ? [left, right] : [right, left];
    const factor = factors.at(factorOf(own, feature, slots));
    for (const [cell, cells] of places.entries()) {
      const column = columns.at(columnOf(other, carried, cell));
      const product = products.at({ ring: ringOf[statistic]!, column, factor });
      addends.push({ product, statistic, cells });
    }
  }
  if (columns.all.length > columnsMax) {
    throw new InputError('TOO_MANY_CELLS', {
      field: 'group_by',
      detail: `the ${otherSide(receiver)} side’s elements would carry ${columns.all.length} numbers, over ${columnsMax}`,
      remedy: 'ask for fewer groups or fewer measures of that side',
    });
  }
  const wordRings = columns.all.map(({ kind }): Ring | null => (kind === 'word' ? Z2_64 : null));
  for (const { ring, column } of products.all) {
    const known = wordRings[column];
    if (known != null && ring.bits > known.bits) wordRings[column] = ring;
  }
  return {
    receiver,
    cells: own.cells,
    slots,
    columns: columns.all,
    wordRings,
    factors: factors.all,
    products: products.all,
    addends,
  };
}

function columnOf(side: SideQuery, feature: number, cell: number): Column {
  const given = side.features[feature]!;
  if (side.cells === 1 && isOne(given, side)) return { kind: 'match' };
  if (isFlag(given, side)) return { kind: 'flag', feature, cell };
  // The rows of a key are added up at home, in words of 64 bits.
  const { min, max } = rangeOf(given, side);
  const bits = 1 + Math.max(bitLength(max < 0n ? -max : max), bitLength(min < 0n ? -min : min));
  if (bits > 64) throw tooWide(side, given, bits);
  return { kind: 'word', feature, cell };
}

/** What the numbers of all rows of a key can add up to; of people there is one. */
function rangeOf({ of, min, max }: Feature, { rowsPerKey }: SideQuery): { readonly min: bigint; readonly max: bigint } {
  const rows = of === 'rows' ? BigInt(rowsPerKey) : 1n;
  return { min: rows * min, max: rows * max };
}

function tooWide({ dataset }: SideQuery, { product }: Feature, bits: number): InputError {
  return new InputError('OVERFLOW', {
    field: product.map((name) => `datasets.${dataset.name}.columns.${name}`).join(', '),
    detail: `what is multiplied on shares has ${bits} bits`,
    remedy: 'ask over a narrower column',
  });
}

function factorOf(side: SideQuery, at: number, slots: number): Factor {
  const feature = side.features[at]!;
  if (slots === 1 && isOne(feature, side)) return { feature: at, low: 0n, bits: 0 };
  const { min, max } = slots === 1 ? rangeOf(feature, side) : feature;
  const low = min < 0n ? min : 0n;
  // One bit at least: a number that can only be 0 is not one that is always 1.
  const bits = Math.max(1, bitLength((max > 0n ? max : 0n) - low));
  if (bits > 63) throw tooWide(side, feature, bits);
  return { feature: at, low, bits };
}

/** Whether it is 1 for every key that takes part. */
function isOne({ of, product, where }: Feature, { rowsPerKey }: SideQuery): boolean {
  return product.length === 0 && where.kind === 'true' && (rowsPerKey === 1 || of === 'people');
}

/** Whether it is 0 or 1 for every key. */
function isFlag({ of, min, max }: Feature, { rowsPerKey }: SideQuery): boolean {
  return min >= 0n && max <= 1n && (rowsPerKey === 1 || of === 'people');
}

/** Plain values, each once, by their place. */
class Numbered<T extends object> {
  readonly all: T[] = [];
  readonly #places = new Map<string, number>();

  at(value: T): number {
    const key = JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part));
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    this.#places.set(key, this.all.length);
    this.all.push(value);
    return this.all.length - 1;
  }
}
