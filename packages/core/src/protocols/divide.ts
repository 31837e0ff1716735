/**
 * Integer division of shared values by a shared divisor: ⌊f a / b⌋ or ⌊f a / b + 1/2⌋ exactly, for a public factor f, as a
 * long division with an approximate reciprocal; and at last two comparisons.
 *
 * Domain    |a| < 2^62, 0 < b < 2^bits, bits from 4 to 40, and to 55 where |a| ≤ b is known: what `canDivide` says, from
 *           public bounds alone. The quotient is right modulo 2^64. A b of 0 gives an arbitrary value and no error, since an error
 *           would tell of it: mask the result with `positive` where that can be.
 * Error     0; ⌊f a / b⌋ is rounded down, for negative a too
 *
 * `divisorOf` gives v, with v b in [2^(bits−1), 2^bits), and y, so that r / b = r v y / 2^(30+bits) but for 2^−26 of it.
 * A step takes a whole q̂ near r / b off the remainder r, and reads the highest bits of r alone; truncations add 0 or 1.
 * What is known of r is |r| ≤ A + C b. At first C = 0, or A = 0 where a public bound of a / b is given.
 *   scale    r and q times f, as soon as f r is under 2^62; a power of ten in parts, so long as they are whole.
 *   coarse   reads ⌊r / 2^t⌋ under 2^31, times y, less 30 + s bits, times v, which is then under 2^62. It leaves
 *            A' < 2^−26 A + 2^t (none for t = 0) + 2^(t+s) and C' < 2^−26 C + 1 (no 1 where nothing is cut at last).
 *   fine     once r v is under 2^62: reads ⌊r v / 2^t⌋, at most 2^30, times y. It leaves A' = 0 and
 *            C' < 2^−26 (A + C) + 2^(t+1−bits) (none for t = 0) + 1.
 * The last step is a fine one with C' ≤ 5/4. Rounding down, 1/2 is taken off q̂ before it is cut, so that
 * −3/4 < r / b < 7/4, and comparisons of r with 0 and b find what is missing; to the nearest, −5/4 < r / b < 5/4, and
 * they compare 2r with −b and b.
 *
 * Rounds    44 for 62 bits by 30, 38 for 31 by 30, for two parties
 * Sends     for 62 bits by 30 and two parties 459 bytes a value to each peer
 * Takes     for 62 bits by 30 378 + 91 (N − 2) bit triples, 16 triples and 864 shared bits a value
 * Security  that of its parts: semi-honest, N−1 colluding; nothing is opened but masked values. An active party can
 *           shift the quotient.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { add, addInto, copy, length, scale, slice, sub, subInto, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { wordsFor } from '../sharing/bit-share.ts';
import { constant, isNegative, isNegativeCost } from './compare.ts';
import { toRing, toRingCost } from './convert.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence, noCost } from './cost.ts';
import { multiply, multiplyCost } from './multiply.ts';
import { type Divisor, divisorCost, divisorOf, fractionBits } from './reciprocal.ts';
import { truncate, truncateCost } from './truncate.ts';

/** Values in one call: with a divisor's bits, one conversion; with the comparisons at the end, one run of a circuit. */
export const dividendsMax = elementsMax / 4;

/** What is public about a division. */
export interface Division {
  /** |a| < 2^dividendBits, at most 62 of them. */
  readonly dividendBits: number;
  /** b < 2^divisorBits, at least 4 of them. */
  readonly divisorBits: number;
  /** f; 1 if absent. */
  readonly factor?: bigint;
  /** |a| ≤ ratioMax · b, if anything is known of that. */
  readonly ratioMax?: bigint;
  /** `down` if absent. */
  readonly rounding?: Rounding;
}

export type Rounding = 'down' | 'nearest';

type Step =
  | { readonly kind: 'scale'; readonly by: bigint }
  | { readonly kind: 'coarse'; readonly t: number; readonly s: number }
  | { readonly kind: 'fine'; readonly t: number };

/** Products that are truncated lie under 2^62, and what y multiplies under 2^31, by more than their errors amount to. */
const readMax = 2 ** 31 - 2 ** 24;
const productMax = 2 ** 62 - 2 ** 55;
const reciprocalError = 2 ** -26;
const slipMax = 1 / 4;
/** No division that comes nearer with each step takes as many. */
const stepsMax = 16;

/**
 * ⌊a / b⌋.
 * @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT
 */
export async function divide(
  ch: Channel,
  source: Correlations,
  a: Vector,
  b: Vector,
  dividendBits = 62,
  divisorBits = 30,
): Promise<Vector> {
  checkLengths('divide', dividendsMax, length(a), length(b));
  const divisor = await divisorOf(ch, source, b, divisorBits);
  return divideBy(ch, source, a, divisor, { dividendBits, divisorBits });
}

/**
 * ⌊f a / b⌋ or ⌊f a / b + 1/2⌋, by what `divisorOf` made with as many bits.
 * @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT
 */
export async function divideBy(
  ch: Channel,
  source: Correlations,
  a: Vector,
  divisor: Divisor,
  division: Division,
): Promise<Vector> {
  const n = length(a);
  checkLengths('divide', dividendsMax, n, length(divisor.b));
  const steps = stepsOf(division);
  assert(steps !== undefined, 'a division lies within its domain');
  const { divisorBits, rounding = 'down' } = division;
  let [q, r] = [vector(Z2_64, n), a];
  for (const [i, step] of steps.entries()) {
    if (step.kind === 'scale') {
      [q, r] = [scale(q, step.by), scale(r, step.by)];
      continue;
    }
    // Up to six rounds.
    const isLast = i === steps.length - 1;
    const estimate =
      step.kind === 'coarse'
        ? await coarse(ch, source, r, divisor, divisorBits, step)
        : await fine(ch, source, r, divisor, divisorBits, step.t, isLast && rounding === 'down');
    addInto(q, estimate);
    r = sub(r, await multiply(ch, source, estimate, divisor.b));
  }
  return settled(ch, source, { q, r }, divisor.b, divisorBits, rounding);
}

/** r / 2^t · y / 2^(30+s) · v · 2^(t+s) / 2^bits. */
async function coarse(
  ch: Channel,
  source: Correlations,
  r: Vector,
  { v, y }: Divisor,
  bits: number,
  { t, s }: { readonly t: number; readonly s: number },
): Promise<Vector> {
  const read = t === 0 ? r : await truncate(ch, source, r, t);
  const scaled = await truncate(ch, source, await multiply(ch, source, read, y), fractionBits + s);
  const wide = await multiply(ch, source, scaled, v);
  return t + s < bits ? truncate(ch, source, wide, bits - t - s) : scale(wide, 1n << BigInt(t + s - bits));
}

/** r v / 2^t · y / 2^(30+bits−t), less 1/2 where `lowered`. */
async function fine(
  ch: Channel,
  source: Correlations,
  r: Vector,
  { v, y }: Divisor,
  bits: number,
  t: number,
  lowered: boolean,
): Promise<Vector> {
  const normal = await multiply(ch, source, r, v);
  const product = await multiply(ch, source, t === 0 ? normal : await truncate(ch, source, normal, t), y);
  const shift = fractionBits + bits - t;
  const half = lowered ? 1n << BigInt(shift - 1) : 0n;
  return truncate(ch, source, addConstant(ch, product, constant(length(r), -half)), shift);
}

/**
 * The quotient, from one with a remainder near it as the head of this file states.
 *
 * Down: 1 more than q, less the number of 0 and b that r lies below. To the nearest: of −b and b that 2r lies below.
 */
export async function settled(
  ch: Channel,
  source: Correlations,
  { q, r }: { readonly q: Vector; readonly r: Vector },
  b: Vector,
  bits: number,
  rounding: Rounding,
): Promise<Vector> {
  const n = length(r);
  const padded = 32 * wordsFor(n);
  const differences = vector(Z2_64, 2 * padded);
  const doubled = add(r, r);
  differences.words.set((rounding === 'down' ? r : add(doubled, b)).words);
  differences.words.set(sub(rounding === 'down' ? r : doubled, b).words, padded);
  const below = await toRing(ch, source, await isNegative(ch, source, differences, comparedBits(bits, rounding)));
  const z = addConstant(ch, copy(q), constant(n, 1n));
  for (const start of [0, padded]) subInto(z, slice(below, start, start + n));
  return z;
}

/** |r − b| < 2b, and |2r ± b| < 4b. */
function comparedBits(bits: number, rounding: Rounding): number {
  return bits + (rounding === 'down' ? 2 : 3);
}

/** Whether `divideBy` is exact with such bounds. */
export function canDivide(division: Division): boolean {
  return stepsOf(division) !== undefined;
}

function stepsOf({ dividendBits, divisorBits: bits, factor = 1n, ratioMax }: Division): Step[] | undefined {
  assert(Number.isInteger(dividendBits) && dividendBits >= 1 && dividendBits <= 62, 'a dividend has 1 to 62 bits');
  assert(Number.isInteger(bits) && bits >= 4 && bits <= 60, 'a divisor has 4 to 60 bits');
  assert(factor >= 1n && (ratioMax === undefined || ratioMax >= 1n), 'a factor and a ratio are at least 1');
  const steps: Step[] = [];
  let left = factor;
  let [A, C] = ratioMax === undefined ? [2 ** dividendBits, 0] : [0, Number(ratioMax)];
  while (steps.length < stepsMax) {
    const size = A + C * 2 ** bits;
    const by = partOf(left, productMax / size);
    if (by > 1n) {
      steps.push({ kind: 'scale', by });
      left /= by;
      [A, C] = [A * Number(by), C * Number(by)];
      continue;
    }

    // |r v| < (A / 2 + C) 2^bits, since v ≤ 2^(bits−1).
    const normal = (A / 2 + C) * 2 ** bits;
    if (normal < productMax) {
      const t = Math.max(0, Math.ceil(Math.log2(normal)) - 30);
      const slip = reciprocalError * (A + C) + (t === 0 ? 0 : 2 ** (t + 1 - bits));
      steps.push({ kind: 'fine', t });
      if (left === 1n && slip <= slipMax) return steps;
      [A, C] = [0, slip + 1];
      continue;
    }
    if (size > 2 ** 62) return undefined;
    const t = Math.max(0, Math.ceil(Math.log2(size / readMax)));
    const s = Math.max(0, Math.ceil(Math.log2(size)) - t + bits - 61);
    steps.push({ kind: 'coarse', t, s });
    A = reciprocalError * A + (t === 0 ? 0 : 2 ** t) + 2 ** (t + s);
    C = reciprocalError * C + (t + s < bits ? 1 : 0);
  }
  return undefined;
}

/** The largest part of the factor under this bound: all of it, or what powers of ten leave. */
function partOf(factor: bigint, max: number): bigint {
  let part = factor;
  while (part % 10n === 0n && Number(part) >= max) part /= 10n;
  return Number(part) < max ? part : 1n;
}

export function divideCost(parties: number, count: number, dividendBits = 62, divisorBits = 30): Cost {
  const division = { dividendBits, divisorBits };
  return inSequence(divisorCost(parties, count, divisorBits), divideByCost(parties, count, division));
}

export function divideByCost(parties: number, count: number, division: Division): Cost {
  const { divisorBits, rounding = 'down' } = division;
  const steps = stepsOf(division);
  assert(steps !== undefined, 'a division lies within its domain');
  const [product, shift] = [multiplyCost(parties, count), truncateCost(parties, count)];
  const costs = steps.flatMap((step) => {
    if (step.kind === 'scale') return [];
    const read = step.t === 0 ? noCost : shift;
    if (step.kind === 'fine') return [product, read, product, shift, product];
    const last = step.t + step.s < divisorBits ? shift : noCost;
    return [read, product, shift, product, last, product];
  });
  return inSequence(...costs, settledCost(parties, count, divisorBits, rounding));
}

export function settledCost(parties: number, count: number, bits: number, rounding: Rounding): Cost {
  const compared = 2 * 32 * wordsFor(count);
  const width = comparedBits(bits, rounding);
  return inSequence(isNegativeCost(parties, compared, width), toRingCost(parties, compared));
}
