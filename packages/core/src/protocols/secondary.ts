/**
 * Secondary suppression: where the total of some parts is known, what is withheld of them can be taken from it, so that
 * a part withheld alone would be read off. In each row the people of the withheld parts have to reach a threshold
 * together, and where they do not, the smallest part that is still shown is withheld too.
 *
 * One more part always suffices: a part that is shown has as many people as are needed by itself. Where none is left,
 * the whole row is withheld. Groups are measures over the same parts, each with a total of its own; what one of them
 * needs is withheld in all, so that the difference of two measures does not give it away, and it is a part that all of
 * them show.
 *
 * Rounds    a selection, a comparison, 1 + ⌈log₂⌉ of the number of tests, those of the first by `topOf`, ⌈log₂⌉ of the
 *           number of groups (1 at least where some people do not count), and 2. For 8 parts of people below 2^16 and
 *           one test: 43 for two parties and 45 for three. As many again for each further 2^20 parts
 * Sends     2 bits an AND, 1 bit a bit and 16 bytes a selected count, to each peer: 67 and 73 bytes a part of such rows
 * Takes     1 triple a part and test, 1 shared bit a part and group (2 where some people do not count), bit triples
 * Security  that of AND and selection: semi-honest, N−1 colluding; nothing is opened but masked values, and not whether
 *           a row needed anything. An active party can flip a bit, and so have a part shown that should be withheld.
 * @module
 */

import { assert } from '../algebra/assert.ts';
import { bitLength } from '../algebra/integer-root.ts';
import { length, neg, slice, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { type Bits, gather, not, packBits, unpackBits, wordsFor, xor } from '../sharing/bit-share.ts';
import { allOf, allOfCost, and, andCost } from './and.ts';
import { atLeastZero, atLeastZeroCost } from './at-least-zero.ts';
import { constant } from './compare.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence, productsMax } from './cost.ts';
import { selectAll, selectAllCost } from './select.ts';
import { topOf, topOfCost } from './top.ts';

/** Parts, row after row: one bit or one element for each. */
export interface Partitions {
  readonly rows: number;
  readonly columns: number;
  readonly groups: readonly PartitionGroup[];
  /** No part has more people. */
  readonly peopleMax: bigint;
}

/** What is shown or withheld of the parts, and the people behind them. */
export interface PartitionGroup {
  /** Where a part is shown, each count behind it is at least what is needed. */
  readonly shown: Bits;
  /** People, over Z_2^64, for each test. Those of the first group decide which part is the smallest. */
  readonly crowd: readonly Vector[];
  /** For each test, how many people the withheld parts must have together. */
  readonly needed: readonly bigint[];
  /** Whose people count once they are withheld; by default all. */
  readonly counted?: Bits;
}

/**
 * The bits of each group, with what has to be withheld besides.
 * @throws ProtocolError LENGTHS_DIFFER; OVER_LIMIT where a row has more than 2^20 parts, or all have 2^24
 */
export async function secondary(ch: Channel, source: Correlations, partitions: Partitions): Promise<Bits[]> {
  const { rows, columns, groups } = partitions;
  for (const { shown, crowd, needed, counted = shown } of groups) {
    assert(crowd.length > 0 && crowd.length === needed.length, 'a group has tests, each with its threshold');
    checkLengths('secondary', productsMax, rows * columns, shown.count, counted.count, ...crowd.map(length));
  }
  checkLengths('secondary', elementsMax, columns);
  const changed = groups.map(({ shown }) => new Uint8Array(shown.count));
  for (const { start, end } of batchesOf(rows, columns)) {
    const [from, to] = [start * columns, end * columns];
    const cut = (bits: Bits): Bits => packBits(unpackBits(bits).subarray(from, to));
    const batch = groups.map(({ shown, crowd, needed, counted }) => ({
      shown: cut(shown),
      crowd: crowd.map((each) => slice(each, from, to)),
      needed,
      ...(counted === undefined ? {} : { counted: cut(counted) }),
    }));
    const results = await withhold(ch, source, { ...partitions, rows: end - start, groups: batch });
    for (const [i, bits] of results.entries()) changed[i]!.set(unpackBits(bits), from);
  }
  return changed.map(packBits);
}

/** Rows that have about as many parts as one run of a circuit takes. */
function batchesOf(rows: number, columns: number): { start: number; end: number }[] {
  if (columns === 0) return [];
  const batch = Math.max(1, Math.floor(elementsMax / columns));
  return Array.from({ length: Math.ceil(rows / batch) }, (_, i) => ({
    start: i * batch,
    end: Math.min(rows, (i + 1) * batch),
  }));
}

async function withhold(ch: Channel, source: Correlations, partitions: Partitions): Promise<Bits[]> {
  const { rows, columns, groups, peopleMax } = partitions;
  // What may be withheld besides, and whose people count.
  const hidden = groups.map(({ shown }) => not(ch, shown));
  const [candidates, ...counted] = await allOf(ch, source, [
    groups.map(({ shown }) => shown),
    ...groups.map((group, i) => (group.counted === undefined ? [hidden[i]!] : [hidden[i]!, group.counted])),
  ]);
  const need = await needOf(ch, source, partitions, hidden, counted);

  // One bit a row at most; where there is none, no part is left that all groups show, and the whole row goes.
  const smallest = await topOf(ch, source, neg(groups[0]!.crowd[0]!), candidates!, 1, bitsOf(peopleMax), rows);
  const none = spread(not(ch, paritiesOf(smallest, rows, columns)), columns);
  const besides = await and(ch, source, spread(need, columns).words, xor(smallest.words, none.words));
  const kept = not(ch, { count: rows * columns, words: besides });
  return allOf(
    ch,
    source,
    groups.map(({ shown }) => [shown, kept]),
  );
}

/** Of each row, whether some group withholds a part of it and does not withhold enough people. */
async function needOf(
  ch: Channel,
  source: Correlations,
  { rows, columns, groups, peopleMax }: Partitions,
  hidden: readonly Bits[],
  counted: readonly Bits[],
): Promise<Bits> {
  // The number of withheld parts is a sum of the converted bits: where all of them count, of those at hand.
  const selections = groups.flatMap((group, i) => [
    { bits: counted[i]!, vectors: group.crowd },
    ...(group.counted === undefined ? [] : [{ bits: hidden[i]!, vectors: [] }]),
  ]);
  const selected = await selectAll(ch, source, selections);
  const conditions: Vector[] = [];
  let at = 0;
  for (const { needed, counted: some } of groups) {
    const { bit, products } = selected[at]!;
    const withheld = some === undefined ? bit : selected[at + 1]!.bit;
    at += some === undefined ? 1 : 2;
    // Nothing is withheld; and for each test, enough people are.
    conditions.push(neg(rowSums(withheld, rows)));
    for (const [t, product] of products.entries()) {
      conditions.push(addConstant(ch, rowSums(product, rows), constant(rows, -needed[t]!)));
    }
  }
  const holds = await atLeastZero(ch, source, conditions, sumBits(columns, peopleMax, groups));

  // A test fails where something is withheld and too few people are; there is a need where any test of any group fails.
  const failing: Bits[][] = [];
  let start = 0;
  for (const { needed } of groups) {
    const [nothing, ...enough] = holds.slice(start, start + 1 + needed.length).map((bits) => not(ch, bits));
    for (const tooFew of enough) failing.push([nothing!, tooFew]);
    start += 1 + needed.length;
  }
  const passing = (await allOf(ch, source, failing)).map((bits) => not(ch, bits));
  const [fine] = await allOf(ch, source, [passing]);
  return not(ch, fine!);
}

/** Of signed values no further from zero. */
function bitsOf(max: bigint): number {
  return bitLength(max) + 1;
}

/** Of sums over a row less what is needed, and of numbers of parts. */
function sumBits(
  columns: number,
  peopleMax: bigint,
  groups: readonly { readonly needed: readonly bigint[] }[],
): number {
  const largest = [BigInt(columns), BigInt(columns) * peopleMax, ...groups.flatMap(({ needed }) => needed)];
  return bitsOf(largest.reduce((max, each) => (each > max ? each : max)));
}

function rowSums(x: Vector, rows: number): Vector {
  const sums = vector(Z2_64, rows);
  const columns = length(x) / rows;
  for (let row = 0; row < rows; row++) {
    let sum = 0n;
    for (let i = row * columns; i < (row + 1) * columns; i++) sum = BigInt.asUintN(64, sum + x.words[i]!);
    sums.words[row] = sum;
  }
  return sums;
}

/** The xor of each row: whether it has a bit, where it has one at most. */
function paritiesOf(bits: Bits, rows: number, columns: number): Bits {
  const each = unpackBits(bits);
  const parities = new Uint8Array(rows);
  for (let i = 0; i < each.length; i++) parities[Math.floor(i / columns)]! ^= each[i]!;
  return packBits(parities);
}

/** The bit of a row, at each of its parts. */
function spread(bits: Bits, columns: number): Bits {
  const places = Int32Array.from({ length: bits.count * columns }, (_, i) => Math.floor(i / columns));
  return gather({ ...bits, width: 1 }, places);
}

/** The public sizes of what `secondary` takes. */
export interface PartitionSizes {
  readonly rows: number;
  readonly columns: number;
  readonly groups: readonly { readonly needed: readonly bigint[]; readonly counted: boolean }[];
  readonly peopleMax: bigint;
}

export function secondaryCost(parties: number, { rows, columns, groups, peopleMax }: PartitionSizes): Cost {
  const tests = groups.flatMap(({ needed }) => needed).length;
  const batches = batchesOf(rows, columns).map(({ start, end }): Cost => {
    const [own, cells] = [end - start, (end - start) * columns];
    const partial = groups.filter(({ counted }) => counted).map(() => ({ entries: 2, count: cells }));
    const selections = groups.flatMap(({ needed, counted }) => [
      { count: cells, vectors: needed.length },
      ...(counted ? [{ count: cells, vectors: 0 }] : []),
    ]);
    return inSequence(
      allOfCost(parties, [{ entries: groups.length, count: cells }, ...partial]),
      selectAllCost(parties, selections),
      atLeastZeroCost(parties, new Array(tests + groups.length).fill(own), sumBits(columns, peopleMax, groups)),
      allOfCost(parties, new Array(tests).fill({ entries: 2, count: own })),
      allOfCost(parties, [{ entries: tests, count: own }]),
      topOfCost(parties, columns, 1, bitsOf(peopleMax), own),
      andCost(parties, wordsFor(cells)),
      allOfCost(parties, new Array(groups.length).fill({ entries: 2, count: cells })),
    );
  });
  return inSequence(...batches);
}
