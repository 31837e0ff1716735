/**
 * The slots of a disclosure: the shared sums, their totals over the groups, and what is derived from them on shares.
 *
 * Quotients of one factor and width are computed in one run, and so is all rounding to one base.
 * @module
 */
import { bitLength } from '../algebra/integer-root.ts';
import { addInto, length, slice, type Vector, vector } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { toRing, toRingCost } from '../protocols/convert.ts';
import type { Correlations } from '../protocols/correlations.ts';
import { type Cost, inSequence } from '../protocols/cost.ts';
import { largestSum, largestSumCost } from '../protocols/largest.ts';
import { locateQuantile, locateQuantileCost } from '../protocols/locate.ts';
import { type QuotientBounds, quotientCost, quotientOf } from '../protocols/quotient.ts';
import { roundTo, roundToCost } from '../protocols/round.ts';
import type { Derived, Disclosure } from '../query/disclosure.ts';
import { placesOf } from '../query/opened.ts';

type Kind<K extends Derived['kind']> = Extract<Derived, { kind: K }>;

/** A derived number and the first of its slots. */
interface Placed<K extends Derived['kind']> {
  readonly derived: Kind<K>;
  readonly slot: number;
}

/** Quotients of the same limits. */
interface Quotients {
  readonly limits: QuotientBounds;
  readonly group: readonly Placed<'quotient'>[];
}

/** Each slot at each place, from one vector over the groups for each input. */
export async function deriveSlots(
  ch: Channel,
  source: Correlations,
  disclosure: Disclosure,
  inputs: readonly Vector[],
): Promise<readonly Vector[]> {
  const { total, bounds } = disclosure;
  const slots = inputs.map((input) => (total ? withTotal(input) : input));
  const { largest, rounded, quotients, quantiles } = sorted(disclosure);

  for (const { derived, slot } of largest) {
    const lists = derived.of.map((each) => inputs[each]!);
    const sum = await largestSum(ch, source, lists, derived.count, widthOf(bounds, derived.of), derived.run);
    slots[slot] = total ? withTotal(sum) : sum;
  }
  for (const [base, group] of rounded) {
    const x = joined(group.map(({ derived }) => slots[derived.of]!));
    const nearest = await roundTo(
      ch,
      source,
      x,
      base,
      widthOf(
        bounds,
        group.map(({ derived }) => derived.of),
      ),
    );
    for (const [at, piece] of cut(nearest, group.length).entries()) slots[group[at]!.slot] = piece;
  }
  for (const { limits, group } of quotients.values()) {
    const numerators = joined(group.map(({ derived }) => slots[derived.numerator]!));
    const denominators = joined(group.map(({ derived }) => slots[derived.denominator]!));
    const { value, defined } = await quotientOf(ch, source, numerators, denominators, limits);
    const [values, isDefined] = [cut(value, group.length), cut(await toRing(ch, source, defined), group.length)];
    for (const [at, { slot }] of group.entries()) [slots[slot], slots[slot + 1]] = [values[at]!, isDefined[at]!];
  }
  for (const { derived, slot } of quantiles) {
    const counts = derived.counts.map((each) => slots[each]!);
    const { place, fraction } = await locateQuantile(ch, source, counts, derived.rank, countMax(bounds, derived));
    [slots[slot], slots[slot + 1]] = [place, fraction];
  }
  return slots;
}

/** Of `deriveSlots`. */
export function deriveCost(parties: number, disclosure: Disclosure): Cost {
  const places = placesOf(disclosure);
  const { bounds, groups } = disclosure;
  const { largest, rounded, quotients, quantiles } = sorted(disclosure);
  const costs = largest.map(({ derived }) =>
    largestSumCost(parties, groups, derived.of.length, derived.count, widthOf(bounds, derived.of), derived.run),
  );
  for (const [base, group] of rounded) {
    const bits = widthOf(
      bounds,
      group.map(({ derived }) => derived.of),
    );
    costs.push(roundToCost(parties, places * group.length, base, bits));
  }
  for (const { limits, group } of quotients.values()) {
    const count = places * group.length;
    costs.push(quotientCost(parties, count, limits), toRingCost(parties, count));
  }
  for (const { derived } of quantiles) {
    costs.push(locateQuantileCost(parties, places, derived.counts.length, derived.rank, countMax(bounds, derived)));
  }
  return inSequence(...costs);
}

/** What is derived, by kind, each with its first slot. */
function sorted({ inputs, derived, bounds }: Disclosure) {
  const largest: Placed<'largest'>[] = [];
  const rounded = new Map<bigint, Placed<'rounded'>[]>();
  const quotients = new Map<string, Quotients>();
  const quantiles: Placed<'quantile'>[] = [];
  let slot = inputs.length;
  for (const each of derived) {
    if (each.kind === 'largest') largest.push({ derived: each, slot });
    else if (each.kind === 'rounded')
      rounded.set(each.base, [...(rounded.get(each.base) ?? []), { derived: each, slot }]);
    else if (each.kind === 'quotient') {
      const limits = limitsOf(bounds, each);
      const key = Object.values(limits).join();
      const { group } = quotients.get(key) ?? { group: [] };
      quotients.set(key, { limits, group: [...group, { derived: each, slot }] });
    } else quantiles.push({ derived: each, slot });
    slot += each.kind === 'largest' || each.kind === 'rounded' ? 1 : 2;
  }
  return { largest, rounded, quotients, quantiles };
}

/** Bits of the largest magnitude in these slots. */
function widthOf(bounds: readonly bigint[], slots: readonly number[]): number {
  return slots.reduce((bits, slot) => Math.max(bits, bitLength(bounds[slot]!)), 1);
}

/** Joined under wider limits than their own, they might not fit what is divided exactly. */
function limitsOf(bounds: readonly bigint[], { numerator, denominator, factor }: Kind<'quotient'>): QuotientBounds {
  return { factor, numeratorBits: widthOf(bounds, [numerator]), denominatorBits: widthOf(bounds, [denominator]) };
}

function countMax(bounds: readonly bigint[], { counts }: Kind<'quantile'>): bigint {
  return counts.reduce((max, slot) => (bounds[slot]! > max ? bounds[slot]! : max), 0n);
}

/** The groups, and their sum behind them. */
function withTotal(groups: Vector): Vector {
  const count = length(groups);
  const all = vector(groups.ring, count + 1);
  all.words.set(groups.words);
  const sum = slice(all, count, count + 1);
  for (let at = 0; at < count; at++) addInto(sum, slice(groups, at, at + 1));
  return all;
}

function joined(vectors: readonly Vector[]): Vector {
  const all = vector(vectors[0]!.ring, vectors.length * length(vectors[0]!));
  for (const [at, { words }] of vectors.entries()) all.words.set(words, at * words.length);
  return all;
}

function cut(all: Vector, pieces: number): Vector[] {
  const each = length(all) / pieces;
  return Array.from({ length: pieces }, (_, at) => slice(all, at * each, (at + 1) * each));
}
