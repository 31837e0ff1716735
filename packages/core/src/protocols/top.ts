/**
 * The greatest values of each row, as bits at their places: a tournament of ranked lists. Two lists of the best meet,
 * each entry of one is compared with each of the other, and what is best of both goes on as one list. So any number of
 * values is found in the rounds of one tournament, for less than twice the ANDs of as many tournaments.
 *
 * A value's key is, from the highest bit, whether it is eligible, the value, and its place from the end: keys of one row
 * differ, and of equal values the first wins. The last list gives the least key that is wanted, and whoever has at least
 * that key and is eligible is one of the greatest. In ranked lists a and b, a_i has rank r of both where it is greater
 * than b_(r−i) and not than b_(r−i−1): that is [a_i > b_(r−i)] ⊕ [a_i > b_(r−i−1)], as the second implies the first, and
 * so no gate is needed to rank what was compared.
 *
 * Rounds    of keys of w = width + 1 + ⌈log₂ columns⌉ bits: those of toBits, 2 + ⌈log₂ w⌉ for each of ⌈log₂ columns⌉
 *           levels, and as many at last; none where a row has no more elements than are wanted
 * Sends     2 bits an AND, to each peer
 * Takes     1 bit triple an AND: for the k greatest of n about 5 k w n, and 5 w n for the first alone, beside toBits
 * Security  that of AND: semi-honest, N−1 colluding; nothing is opened but masked bits, and not how many are eligible.
 *           An active party can flip bits, and so have others win.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { length, type Vector } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import {
  type Bits,
  gather,
  not,
  type Planes,
  packBits,
  plane,
  unpackBits,
  wordsFor,
  xorInto,
} from '../sharing/bit-share.ts';
import { and, andCost } from './and.ts';
import { isGreater, isGreaterCost } from './compare.ts';
import { toBits, toBitsCost } from './convert.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence } from './cost.ts';

/**
 * The `count` eligible elements with the greatest values of each row, or all that are eligible where they are fewer.
 * Rows of one length follow each other. `width` bounds the values, as in a comparison.
 * @throws ProtocolError LENGTHS_DIFFER; OVER_LIMIT where elements times `count` are more than 2^20
 */
export async function topOf(
  ch: Channel,
  source: Correlations,
  values: Vector,
  eligible: Bits,
  count: number,
  width = 64,
  rows = 1,
): Promise<Bits> {
  assert(Number.isInteger(count) && count >= 1, 'one value or more is wanted');
  checkLengths('top', elementsMax, length(values), eligible.count);
  const columns = rows === 0 ? 0 : Math.ceil(length(values) / rows);
  checkLengths('top', elementsMax, length(values), rows * columns);
  if (columns <= count) return eligible;
  checkLengths('top', elementsMax, length(values) * count);

  const keys = withPlaces(ch, await toBits(ch, source, values, width), eligible, columns);
  let ranked: Ranked = { rows, lists: columns, size: 1, keys };
  while (ranked.lists > 1) ranked = await merge(ch, source, ranked, count);

  // The least key that is wanted, against all of its row. Where too few are eligible it is one that is not.
  const places = Int32Array.from({ length: rows * columns }, (_, i) => (count - 1) * rows + Math.floor(i / columns));
  const beaten = await isGreater(ch, source, gather(ranked.keys, places), keys);
  return { count: length(values), words: await and(ch, source, not(ch, beaten).words, eligible.words) };
}

/** Of rows of so many elements. */
export function topOfCost(parties: number, columns: number, count: number, width = 64, rows = 1): Cost {
  if (rows === 0 || columns <= count) return inSequence();
  const cells = rows * columns;
  const bits = keyBits(columns, width);
  const levels: Cost[] = [];
  for (
    let [lists, size] = [columns, 1];
    lists > 1;
    [lists, size] = [lists - (lists >>> 1), Math.min(2 * size, count)]
  ) {
    const pairs = rows * (lists >>> 1);
    const { meetings, gates } = scheduleOf(size, Math.min(2 * size, count));
    levels.push(
      isGreaterCost(parties, meetings.length * pairs, bits),
      andCost(parties, bits * wordsFor(gates.length * pairs)),
    );
  }
  return inSequence(
    toBitsCost(parties, cells, width),
    ...levels,
    isGreaterCost(parties, cells, bits),
    andCost(parties, wordsFor(cells)),
  );
}

function keyBits(columns: number, width: number): number {
  return placeBits(columns) + width + 1;
}

function placeBits(columns: number): number {
  return (columns - 1).toString(2).length;
}

/** Keys: whether eligible, the value with its sign turned so that it counts from the least, and the place from the end. */
function withPlaces(ch: Channel, values: Planes, eligible: Bits, columns: number): Planes {
  const { count, width } = values;
  const low = placeBits(columns);
  const keys: Planes = {
    count,
    width: keyBits(columns, width),
    words: new Uint32Array(keyBits(columns, width) * wordsFor(count)),
  };
  // Places are public: the first party has them as they are, and the others zeros.
  if (ch.self === ch.context.roster[0]) {
    for (let j = 0; j < low; j++) {
      const bits = Uint8Array.from({ length: count }, (_, i) => ((columns - 1 - (i % columns)) >>> j) & 1);
      plane(keys, j).set(packBits(bits).words);
    }
  }
  for (let j = 0; j < width - 1; j++) plane(keys, low + j).set(plane(values, j));
  plane(keys, low + width - 1).set(not(ch, { count, words: plane(values, width - 1) }).words);
  plane(keys, low + width).set(eligible.words);
  return keys;
}

/** Lists of one size for each row, the greatest key first; key 0 where a list is shorter. */
interface Ranked {
  readonly rows: number;
  /** Of each row. */
  readonly lists: number;
  readonly size: number;
  /** All first entries, row after row and list after list, then all second ones, and so on. */
  readonly keys: Planes;
}

/** One of two lists that meet, 0 or 1, and the place of its entry in it. */
type Entry = readonly [side: 0 | 1, at: number];

interface Schedule {
  /** Which entries of the two lists are compared: that of the first, that of the second. */
  readonly meetings: readonly (readonly [number, number])[];
  /** Which can come out at each rank. */
  readonly entries: readonly (readonly Entry[])[];
  /** All of these but the last of each rank: one comes out by its difference from that last, or none and so the last. */
  readonly gates: readonly { readonly rank: number; readonly entry: Entry; readonly last: Entry }[];
}

/** Of two lists of this size, for so many of the best. */
function scheduleOf(size: number, best: number): Schedule {
  const meetings: [number, number][] = [];
  for (let i = 0; i < size; i++) for (let j = 0; j < size && i + j < best; j++) meetings.push([i, j]);
  const entries = Array.from({ length: best }, (_, rank) => {
    const list: Entry[] = [];
    for (let at = Math.max(0, rank - size); at <= Math.min(rank, size - 1); at++) list.push([0, at], [1, at]);
    return list;
  });
  const gates = entries.flatMap((list, rank) =>
    list.slice(0, -1).map((entry) => ({ rank, entry, last: list.at(-1)! })),
  );
  return { meetings, entries, gates };
}

/** One level: of each row neighbours meet, and a last list waits. */
async function merge(ch: Channel, source: Correlations, ranked: Ranked, wanted: number): Promise<Ranked> {
  const { rows, lists, size, keys } = ranked;
  const half = lists >>> 1;
  const pairs = rows * half;
  const best = Math.min(2 * size, wanted);
  const schedule = scheduleOf(size, best);
  const { meetings, entries, gates } = schedule;
  const placeOf = ([side, at]: Entry, pair: number): number =>
    (at * rows + Math.floor(pair / half)) * lists + 2 * (pair % half) + side;
  /** One entry of each pair of lists, then the next of each. */
  const pick = (picked: readonly Entry[]): Planes =>
    gather(
      keys,
      Int32Array.from({ length: picked.length * pairs }, (_, i) => placeOf(picked[Math.floor(i / pairs)]!, i % pairs)),
    );

  // The rounds of a comparison: whether a_i > b_j, for the entries of each two lists.
  const first = pick(meetings.map(([i]) => [0, i]));
  const second = pick(meetings.map(([, j]) => [1, j]));
  const greater = unpackBits(await isGreater(ch, source, first, second));

  // One round. What each gate lets through.
  const mine = ranksOf(greater, ch.self === ch.context.roster[0], size, pairs, schedule);
  const differences = pick(gates.map(({ entry }) => entry));
  xorInto(differences.words, pick(gates.map(({ last }) => last)).words);
  const ranks = packBits(mine).words;
  const repeated = new Uint32Array(differences.words.length);
  for (let j = 0; j < keys.width; j++) repeated.set(ranks, j * ranks.length);
  const through: Planes = { ...differences, words: await and(ch, source, differences.words, repeated) };

  // The last entry that each rank can have, plus all that came through for it. The list that waits is filled with key 0.
  const next = lists - half;
  const fill = (of: (rank: number, pair: number) => number, waiting: (rank: number, row: number) => number) =>
    Int32Array.from({ length: best * rows * next }, (_, i) => {
      const [list, row, rank] = [i % next, Math.floor(i / next) % rows, Math.floor(i / (rows * next))];
      return list < half ? of(rank, row * half + list) : waiting(rank, row);
    });
  const merged = gather(
    keys,
    fill(
      (rank, pair) => placeOf(entries[rank]!.at(-1)!, pair),
      (rank, row) => (rank < size ? (rank * rows + row + 1) * lists - 1 : -1),
    ),
  );
  const starts = entries.map((_, rank) => gates.findIndex((gate) => gate.rank === rank));
  for (let turn = 0; entries.some((list) => turn < list.length - 1); turn++) {
    const places = fill(
      (rank, pair) => (turn < entries[rank]!.length - 1 ? (starts[rank]! + turn) * pairs + pair : -1),
      () => -1,
    );
    xorInto(merged.words, gather(through, places).words);
  }
  return { rows, lists: next, size: best, keys: merged };
}

/** My shares of whether the entry of each gate has the rank, for each pair of lists. */
function ranksOf(
  greater: Uint8Array,
  isFirst: boolean,
  size: number,
  pairs: number,
  { meetings, gates }: Schedule,
): Uint8Array {
  const meeting = new Int32Array(size * size);
  for (const [m, [i, j]] of meetings.entries()) meeting[i * size + j] = m;
  /** Whether a_i > b_j, where what stands before a list is greater than all, and what follows it is less. */
  const beats = (i: number, j: number, pair: number): number => {
    if (i < 0 || j === size) return isFirst ? 1 : 0;
    if (j < 0 || i === size) return 0;
    return greater[meeting[i * size + j]! * pairs + pair]!;
  };
  const ranks = new Uint8Array(gates.length * pairs);
  for (const [gate, { entry, rank }] of gates.entries()) {
    const [side, at] = entry;
    const other = rank - at;
    for (let pair = 0; pair < pairs; pair++) {
      ranks[gate * pairs + pair] =
        side === 0
          ? beats(at, other, pair) ^ beats(at, other - 1, pair)
          : beats(other - 1, at, pair) ^ beats(other, at, pair);
    }
  }
  return ranks;
}
