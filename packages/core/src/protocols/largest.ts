/**
 * The sum of the n largest of shared values, cell by cell, by merging ranked lists: what a rule on dominance compares with
 * the whole sum.
 *
 * Values come in runs that descend, as of each party's n largest; runs of 1 where no order is known. Two neighbouring runs
 * become one by the odd-even merge of Batcher (1968), without what lies past the n-th place and without the gates that
 * reach no place before it. The last two are not merged: of a descending and b descending, both as long as n, the n
 * largest of all are max(a_i, b_(n−1−i)), as ranks that add up to n − 1 cannot both be among them, nor both be missing.
 *
 * A gate is one comparison and one selection. For n = 5 of runs of 5 it takes 5 of them with two parties, 15 with three
 * and 35 with five, where n tournaments, as they know of no order, would take 35, 60 and 110 comparisons, each with more
 * to select. For n = 1 it is a tournament.
 *
 * Rounds    those of a comparison and 1 for each level of gates: for n = 1 and m values ⌈log₂ m⌉ levels, for n = 5 of runs
 *           of 5 1 with two parties, 5 with three and 9 with five; none where n values or fewer are given
 * Sends     what its gates do        Takes    a comparison of width + 1 bits, 1 shared bit and 1 triple a gate
 * Security  that of comparison and selection: semi-honest, N−1 colluding; nothing is opened but masked values. An active
 *           party can shift the sum, also by a run that does not descend.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { add, addInto, length, slice, sub, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { isNegative, isNegativeCost } from './compare.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence } from './cost.ts';
import { select, selectCost } from './select.ts';

/** Of two places the first takes the larger value, the second the smaller. */
type Gate = readonly [number, number];

/** Gates that are computed at once, level by level, and the places whose values are added up at last. */
interface Network {
  readonly levels: readonly (readonly Gate[])[];
  readonly summed: readonly number[];
}

/**
 * Of values in [0, 2^width), one vector a place. Of each `run` of them, one after the other, the largest is the first.
 * @throws ProtocolError LENGTHS_DIFFER; OVER_LIMIT for more than 2^20 lists
 */
export async function largestSum(
  ch: Channel,
  source: Correlations,
  lists: readonly Vector[],
  n: number,
  width: number,
  run = 1,
): Promise<Vector> {
  const network = networkOf(lists.length, n, run);
  const cells = length(lists[0]!);
  checkLengths('largest', Number.MAX_SAFE_INTEGER, cells, ...lists.map(length));
  assert(Number.isInteger(width) && width >= 1 && width <= 63, 'a value has 1 to 63 bits');
  const sum = vector(Z2_64, cells);
  const most = batchMax(network, cells);
  for (let start = 0; start < cells; start += most) {
    const end = Math.min(start + most, cells);
    const values = lists.map((each) => slice(each, start, end));
    for (const gates of network.levels) await pass(ch, source, values, gates, width);
    for (const at of network.summed) addInto(slice(sum, start, end), values[at]!);
  }
  return sum;
}

/** One level: of each gate's two values the larger goes to its first place. */
async function pass(
  ch: Channel,
  source: Correlations,
  values: Vector[],
  gates: readonly Gate[],
  width: number,
): Promise<void> {
  const cells = length(values[0]!);
  const differences = vector(Z2_64, gates.length * cells);
  for (const [at, [i, j]] of gates.entries()) differences.words.set(sub(values[i]!, values[j]!).words, at * cells);
  const isLess = await isNegative(ch, source, differences, width + 1);
  // x − y where x < y: what the first gives to the second.
  const given = await select(ch, source, isLess, differences);
  for (const [at, [i, j]] of gates.entries()) {
    const change = slice(given, at * cells, (at + 1) * cells);
    [values[i], values[j]] = [sub(values[i]!, change), add(values[j]!, change)];
  }
}

/** For so many places. */
function networkOf(places: number, n: number, run: number): Network {
  assert(Number.isInteger(n) && n >= 1, 'the largest are one or more');
  assert(places >= 1 && run >= 1 && places % run === 0, 'values come in whole runs');
  checkLengths('largest', elementsMax, places);
  const all = Array.from({ length: places }, (_, i) => i);
  if (n >= places) return { levels: [], summed: all };
  let runs = Array.from({ length: places / run }, (_, i) => all.slice(i * run, Math.min(i * run + n, (i + 1) * run)));
  const gates: Gate[] = [];
  while (runs.length > 2) {
    runs = runs.flatMap((a, i) => {
      if (i % 2 === 1) return [];
      const b = runs[i + 1];
      return b === undefined ? [a] : [merge(a, b, gates).slice(0, n)];
    });
  }
  if (runs.length === 1) return { levels: [], summed: runs[0]! };

  const [a, b] = runs as [number[], number[]];
  const summed: number[] = [];
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[i], b[n - 1 - i]];
    if (x !== undefined && y !== undefined) gates.push([x, y]);
    if (x !== undefined || y !== undefined) summed.push((x ?? y)!);
  }
  return { levels: levelsOf(gates, summed), summed };
}

/** The places of two descending runs in the order in which they descend together, once the gates are passed. */
function merge(a: readonly number[], b: readonly number[], gates: Gate[]): number[] {
  if (a.length === 0 || b.length === 0) return [...a, ...b];
  if (a.length === 1 && b.length === 1) {
    gates.push([a[0]!, b[0]!]);
    return [a[0]!, b[0]!];
  }
  const every = (x: readonly number[], offset: number) => x.filter((_, i) => i % 2 === offset);
  const first = merge(every(a, 0), every(b, 0), gates);
  const second = merge(every(a, 1), every(b, 1), gates);
  // The largest of the first is the largest of all; then each of the second meets the next of the first.
  const merged = [first[0]!];
  for (let i = 0; i < Math.max(second.length, first.length - 1); i++) {
    const [x, y] = [second[i], first[i + 1]];
    if (x !== undefined && y !== undefined) gates.push([x, y]);
    if (x !== undefined) merged.push(x);
    if (y !== undefined) merged.push(y);
  }
  return merged;
}

/** The gates on whose results what is wanted depends, each as early as it may be. */
function levelsOf(gates: readonly Gate[], wanted: readonly number[]): Gate[][] {
  const live = new Set(wanted);
  const needed = gates.toReversed().filter(([i, j]) => {
    if (!live.has(i) && !live.has(j)) return false;
    live.add(i).add(j);
    return true;
  });
  const levels: Gate[][] = [];
  const passed = new Map<number, number>();
  for (const gate of needed.reverse()) {
    const level = Math.max(...gate.map((place) => passed.get(place) ?? 0));
    for (const place of gate) passed.set(place, level + 1);
    levels[level] ??= [];
    levels[level].push(gate);
  }
  return levels;
}

/** Cells in one run of the comparison. */
function batchMax({ levels }: Network, cells: number): number {
  if (levels.length === 0) return Math.max(1, cells);
  return Math.floor(elementsMax / Math.max(...levels.map((gates) => gates.length)));
}

export function largestSumCost(parties: number, cells: number, lists: number, n: number, width: number, run = 1): Cost {
  const network = networkOf(lists, n, run);
  const most = batchMax(network, cells);
  const costs: Cost[] = [];
  for (let start = 0; start < cells; start += most) {
    for (const gates of network.levels) {
      const count = gates.length * Math.min(most, cells - start);
      costs.push(isNegativeCost(parties, count, width + 1), selectCost(parties, count));
    }
  }
  return inSequence(...costs);
}
