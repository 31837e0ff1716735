/**
 * What the two sides of a join bring to its sums, element by element, from their own sets: the columns that the sender's
 * elements carry, and the factors and cells that the receiver knows of its bins.
 * @module
 */
import { type Ring, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { SideSet } from '../query/side-set.ts';
import { type Bits, packBits } from '../sharing/bit-share.ts';
import type { Factor, JoinPlan } from './join-plan.ts';

/** A vector for each word and bits for each flag, in the order of the plan's columns; elements that are padding carry 0. */
export function carriedBy(set: SideSet, { columns, wordRings }: JoinPlan): { words: Vector[]; flags: Bits[] } {
  const words: Vector[] = [];
  const flags: Bits[] = [];
  for (const [at, column] of columns.entries()) {
    if (column.kind === 'match') continue;
    const sums = sumsOf(set, column.feature, column.cell);
    if (column.kind === 'flag') flags.push(packBits(Uint8Array.from(sums, Number)));
    else words.push(inRing(wordRings[at]!, sums));
  }
  return { words, flags };
}

/** Of each element the sum of a feature over its rows of a cell. */
function sumsOf({ elements, slots, cells, features }: SideSet, feature: number, cell: number): BigInt64Array {
  const count = elements.length / 16;
  const values = features[feature]!;
  const sums = new BigInt64Array(count);
  for (let slot = 0, from = 0; slot < slots; slot++) {
    for (let i = 0; i < count; i++, from++)
      if (cells[from] === cell) sums[i] = BigInt.asIntN(64, sums[i]! + values[from]!);
  }
  return sums;
}

/**
 * A factor of the elements in these bins, less its least value, as whole numbers from 0; where a bin is empty too, what
 * stands for 0. `slot` is one of the plan's.
 */
export function factorsAt(
  set: SideSet,
  { slots }: JoinPlan,
  { feature, low }: Factor,
  bins: Int32Array,
  slot: number,
): BigUint64Array<ArrayBuffer> {
  const count = set.elements.length / 16;
  const values = set.features[feature]!;
  const zero = BigInt.asUintN(64, -low);
  const own = new BigUint64Array(bins.length).fill(zero);
  // Rows that need no cell of their own are added up.
  const last = slots === 1 ? set.slots - 1 : slot;
  for (let each = slots === 1 ? 0 : slot; each <= last; each++) {
    const start = each * count;
    for (let i = 0; i < bins.length; i++) {
      const element = bins[i]!;
      if (element >= 0) own[i] = BigInt.asUintN(64, own[i]! + BigInt.asUintN(64, values[start + element]!));
    }
  }
  return own;
}

/** The cells of a slot of the elements in these bins; −1 where there is none. */
export function cellsAt(set: SideSet, bins: Int32Array, slot: number): Int32Array {
  const start = (slot * set.elements.length) / 16;
  return bins.map((element) => (element < 0 ? -1 : set.cells[start + element]!));
}

/** Numbers from 0, and a number added to each of them, over a ring. */
export function shifted(ring: Ring, numbers: BigUint64Array, low: bigint): Vector {
  const v = vector(ring, numbers.length);
  if (ring === Z2_64) {
    const least = BigInt.asUintN(64, low);
    for (let i = 0; i < numbers.length; i++) v.words[i] = BigInt.asUintN(64, numbers[i]! + least);
    return v;
  }
  return inRing(
    ring,
    BigInt64Array.from(numbers, (number) => BigInt.asIntN(64, number + low)),
  );
}

/** Signed integers over a ring. */
export function inRing(ring: Ring, integers: BigInt64Array): Vector {
  if (ring === Z2_64) return { ring, words: new BigUint64Array(integers.slice().buffer) };
  const v = vector(ring, integers.length);
  for (let i = 0, to = 0; i < integers.length; i++) {
    const integer = integers[i]!;
    v.words[to++] = BigInt.asUintN(64, integer);
    for (let limb = 1; limb < ring.limbs; limb++) v.words[to++] = integer < 0n ? 0xffff_ffff_ffff_ffffn : 0n;
  }
  return v;
}

/** The lowest limbs: the same numbers over a smaller ring. */
export function inSmaller(ring: Ring, v: Vector): Vector {
  if (v.ring === ring) return v;
  const small = vector(ring, v.words.length / v.ring.limbs);
  for (let i = 0, from = 0, to = 0; to < small.words.length; i++, from = i * v.ring.limbs) {
    for (let limb = 0; limb < ring.limbs; limb++) small.words[to++] = v.words[from + limb]!;
  }
  return small;
}
