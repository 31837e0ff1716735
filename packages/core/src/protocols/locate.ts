/**
 * A quantile of values that are counted in bins, found on shares: which bin holds it, and how far into that bin it lies.
 *
 * With c_j values in part j (below all bins, each bin, above), C_j of them up to part j, n of them all and the rank p/q, it
 * lies in the first part with q C_j ≥ p n and C_j ≥ 1; and in a bin (p n − q C_(j−1)) / (q c_j) of the way. The C_j ascend,
 * so that the signs of all q C_j − p n together are 1…1 0…0, the xor of neighbours is a one at the part that is sought,
 * and no gate is needed to find it. That C_j ≥ 1 follows wherever p, n ≥ 1; where p = 0, it is all there is to compare.
 *
 * Domain    n ≤ countMax, and what `canLocate` says of q · countMax: up to 55 bits
 * Error     0; the fraction is rounded down to millionths
 * Rounds    those of one comparison, 1, and those of a division: 40 for two parties and q · countMax of 20 bits
 * Sends     a comparison a part, two values a bin and a division a cell: of 10 bins then 764 bytes a cell to each peer
 * Takes     for these 863 bit triples, 30 triples and 546 shared bits a cell
 * Security  that of its parts: semi-honest, N−1 colluding; nothing is opened but masked values. An active party can
 *           shift place and fraction.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { bitLength } from '../algebra/integer-root.ts';
import type { Rational } from '../algebra/rational.ts';
import { add, addInto, length, scale, slice, sub, subInto, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { type Bits, wordsFor, xor } from '../sharing/bit-share.ts';
import { constant, isNegative, isNegativeCost } from './compare.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence } from './cost.ts';
import { canDivide, type Division, divideBy, divideByCost, dividendsMax } from './divide.ts';
import { divisorCost, divisorOf } from './reciprocal.ts';
import { type Selected, selectAll, selectAllCost } from './select.ts';

/** What a fraction counts. */
export const millionths = 1_000_000n;

/** One element a cell. */
export interface Located {
  /** 0 below all bins; 1, 2… in a bin; then 1 more above them, and 2 more where there is no value at all. */
  readonly place: Vector;
  /** In millionths of the bin, at most 1,000,000 of them; 0 outside the bins. */
  readonly fraction: Vector;
}

/**
 * Of the values in each part: below all bins, each bin, above them.
 * @throws ProtocolError LENGTHS_DIFFER; OVER_LIMIT for more than 2^20 parts
 */
export async function locateQuantile(
  ch: Channel,
  source: Correlations,
  counts: readonly Vector[],
  rank: Rational,
  countMax: bigint,
): Promise<Located> {
  const cells = length(counts[0]!);
  checkLengths('locate', Number.MAX_SAFE_INTEGER, cells, ...counts.map(length));
  const [place, fraction] = [vector(Z2_64, cells), vector(Z2_64, cells)];
  const most = batchMax(counts.length);
  for (let start = 0; start < cells; start += most) {
    const batch = counts.map((each) => slice(each, start, Math.min(start + most, cells)));
    const located = await locateBatch(ch, source, batch, rank, countMax);
    place.words.set(located.place.words, start);
    fraction.words.set(located.fraction.words, start);
  }
  return { place, fraction };
}

async function locateBatch(
  ch: Channel,
  source: Correlations,
  counts: readonly Vector[],
  rank: Rational,
  countMax: bigint,
): Promise<Located> {
  const { n: p, d: q } = rank;
  const cells = length(counts[0]!);
  const bins = counts.length - 2;
  const cumulated = cumulatedOf(counts);
  const total = cumulated.at(-1)!;
  const one = constant(cells, -1n);

  // Which parts the quantile lies above: all but the last, which takes no test; and whether there is no value.
  const wanted = scale(total, p);
  const lacking = cumulated.slice(0, -1).map((C) => (p === 0n ? addConstant(ch, C, one) : sub(scale(C, q), wanted)));
  const tested = joined([...lacking, addConstant(ch, total, one)]);
  const above = await isNegative(ch, source, tested, comparedBits(rank, countMax));
  const [first, empty] = [bitsOf(above, 0, cells), bitsOf(above, (bins + 1) * cells, cells)];
  const [before, after] = [bitsOf(above, 0, bins * cells), bitsOf(above, cells, bins * cells)];
  const here: Bits = { count: bins * cells, words: xor(before.words, after.words) };

  // One round. Of each bin the numerator and the count, times whether it is the one.
  const numerators = joined(cumulated.slice(0, bins).map((C) => sub(wanted, scale(C, q))));
  const [isAbove, isEmpty, { bit, products }] = (await selectAll(ch, source, [
    { bits: first, vectors: [] },
    { bits: empty, vectors: [] },
    { bits: here, vectors: [numerators, joined(counts.slice(1, -1))] },
  ])) as [Selected, Selected, Selected];

  // Σ_j [above part j] = (bins + 1) [above the first] − Σ_i (bins + 1 − i) [in bin i].
  const place = scale(isAbove.bit, BigInt(bins + 1));
  addInto(place, scale(isEmpty.bit, p === 0n ? 1n : BigInt(bins + 2)));
  for (let i = 1; i <= bins; i++) subInto(place, scale(slice(bit, (i - 1) * cells, i * cells), BigInt(bins + 1 - i)));

  // Outside the bins, 0 by 1.
  const outside = addConstant(ch, sub(vector(Z2_64, cells), sumOf(bit, cells)), constant(cells, 1n));
  const division = divisionOf(rank, countMax);
  const denominator = add(scale(sumOf(products[1]!, cells), q), outside);
  const divisor = await divisorOf(ch, source, denominator, division.divisorBits);
  return { place, fraction: await divideBy(ch, source, sumOf(products[0]!, cells), divisor, division) };
}

/** The same of one cell in the clear. */
export function locate(
  counts: readonly bigint[],
  { n: p, d: q }: Rational,
): { readonly place: number; readonly fraction: bigint } {
  const total = counts.reduce((sum, each) => sum + each, 0n);
  if (total === 0n) return { place: counts.length, fraction: 0n };
  let before = 0n;
  for (const [place, count] of counts.entries()) {
    if (count > 0n && q * (before + count) >= p * total) {
      const isBin = place > 0 && place < counts.length - 1;
      return { place, fraction: isBin ? (millionths * (p * total - q * before)) / (q * count) : 0n };
    }
    before += count;
  }
  throw new Error('assertion failed: all values reach every rank');
}

/** Whether `locateQuantile` is exact with such bounds. */
export function canLocate(rank: Rational, countMax: bigint): boolean {
  if (rank.n < 0n || rank.n > rank.d || countMax < 0n || rank.d * countMax >= 1n << 60n) return false;
  return canDivide(boundsOf(rank, countMax));
}

/** 0 ≤ p n − q C ≤ q c in the bin that is sought, so that a part of q c is divided by it. */
function boundsOf(rank: Rational, countMax: bigint): Division {
  const bits = Math.max(4, comparedBits(rank, countMax) - 1);
  return { dividendBits: bits, divisorBits: bits, factor: millionths, ratioMax: 1n };
}

function divisionOf(rank: Rational, countMax: bigint): Division {
  assert(canLocate(rank, countMax), 'a quantile lies within its domain');
  return boundsOf(rank, countMax);
}

/** |q C − p n| ≤ q n, with its sign; and −1. */
function comparedBits({ d: q }: Rational, countMax: bigint): number {
  return bitLength(countMax > 0n ? q * countMax : 1n) + 1;
}

function cumulatedOf(counts: readonly Vector[]): Vector[] {
  const cumulated: Vector[] = [];
  for (const count of counts) cumulated.push(cumulated.length === 0 ? count : add(cumulated.at(-1)!, count));
  return cumulated;
}

function joined(vectors: readonly Vector[]): Vector {
  const each = length(vectors[0]!);
  const all = vector(Z2_64, vectors.length * each);
  for (const [i, { words }] of vectors.entries()) all.words.set(words, i * each);
  return all;
}

/** The sum of all the vectors of so many elements that follow each other. */
function sumOf(x: Vector, each: number): Vector {
  const sum = vector(Z2_64, each);
  for (let start = 0; start < length(x); start += each) addInto(sum, slice(x, start, start + each));
  return sum;
}

/** `count` bits from `start` on. */
function bitsOf({ words }: Bits, start: number, count: number): Bits {
  const [at, shift] = [start >>> 5, start & 31];
  const part = new Uint32Array(wordsFor(count));
  for (let i = 0; i < part.length; i++) {
    const low = words[at + i]! >>> shift;
    part[i] = shift === 0 ? low : low | ((words[at + i + 1] ?? 0) << (32 - shift));
  }
  return { count, words: part };
}

/** Cells in one run: of the comparison, and of the division. */
function batchMax(parts: number): number {
  assert(parts >= 3, 'a quantile is sought in one bin or more');
  checkLengths('locate', elementsMax, parts);
  return Math.min(dividendsMax, Math.floor(elementsMax / parts));
}

/** Of so many parts: the bins and 2. */
export function locateQuantileCost(
  parties: number,
  cells: number,
  parts: number,
  rank: Rational,
  countMax: bigint,
): Cost {
  const division = divisionOf(rank, countMax);
  const most = batchMax(parts);
  const costs: Cost[] = [];
  for (let start = 0; start < cells; start += most) {
    const count = Math.min(most, cells - start);
    costs.push(isNegativeCost(parties, parts * count, comparedBits(rank, countMax)));
    const parted = { count: (parts - 2) * count, vectors: 2 };
    costs.push(selectAllCost(parties, [{ count, vectors: 0 }, { count, vectors: 0 }, parted]));
    costs.push(divisorCost(parties, count, division.divisorBits), divideByCost(parties, count, division));
  }
  return inSequence(...costs);
}
