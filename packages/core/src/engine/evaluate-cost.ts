/**
 * What carrying out a disclosure costs, exactly, from public texts: so that a plan can state it, and correlated
 * randomness be made ahead of it.
 * @module
 */
import { allOfCost } from '../protocols/and.ts';
import { atLeastZeroCost } from '../protocols/at-least-zero.ts';
import { type Cost, inSequence } from '../protocols/cost.ts';
import { secondaryCost } from '../protocols/secondary.ts';
import { suppressCost } from '../protocols/suppress.ts';
import { topOfCost } from '../protocols/top.ts';
import type { Disclosure, Form } from '../query/disclosure.ts';
import { isPlain, piecesIn, placesOf } from '../query/opened.ts';
import { deriveCost } from './derive.ts';

/** Two widths within so many bits of each other are compared in one run: its rounds are worth more than the bits. */
const nearBits = 8;

/** Bits of the magnitude of a bound, and of the sign. */
export function bitsOf(bound: bigint): number {
  return bound.toString(2).length + 1;
}

/** The widths that forms are compared in, in the order of the runs: numbers of people are narrower than sums. */
export function widthsOf(disclosure: Disclosure): number[] {
  const [people, others] = widestOf(disclosure);
  return [...new Set([people, others])].filter((width) => width > 0);
}

export function widthOf(disclosure: Disclosure, form: Form): number {
  const [people, others] = widestOf(disclosure);
  return bitsOf(form.bound) <= people ? people : others;
}

function widestOf({ forms, parts }: Disclosure): readonly [people: number, others: number] {
  const counted = new Set(parts.flatMap(({ people }) => people));
  let [people, others] = [0, 0];
  for (const [at, { bound }] of forms.entries()) {
    if (counted.has(at)) people = Math.max(people, bitsOf(bound));
    else others = Math.max(others, bitsOf(bound));
  }
  if (others <= people + nearBits) return [Math.max(people, others), 0];
  return [people, others];
}

/** No number of people that is compared is larger. */
export function peopleMaxOf({ parts, bounds }: Disclosure): bigint {
  const crowds = parts.flatMap((part) => part.crowds.map(({ slot }) => bounds[slot]!));
  return crowds.reduce((max, bound) => (bound > max ? bound : max), 0n);
}

/** Of `evaluate`, at every party alike. */
export function evaluateCost(parties: number, disclosure: Disclosure): Cost {
  const derived = deriveCost(parties, disclosure);
  if (isPlain(disclosure)) return derived;
  const places = placesOf(disclosure);
  const costs: Cost[] = [derived];
  for (const width of widthsOf(disclosure)) {
    const own = disclosure.forms.filter((form) => widthOf(disclosure, form) === width);
    const counts = own.map(() => places);
    costs.push(atLeastZeroCost(parties, counts, width));
  }
  const all = (entries: readonly number[], count: number) =>
    allOfCost(
      parties,
      entries.map((own) => ({ entries: Math.max(1, own), count })),
    );
  const conditions = disclosure.parts.map(({ people, dominance }) => people.length + dominance.length);
  costs.push(all(conditions, places));
  const { rows, partitions, total, groups } = disclosure;
  if (rows !== null) {
    costs.push(all([rows.forms.length], groups));
    if (rows.top !== null) {
      const width = bitsOf(disclosure.bounds[rows.top.slot]!);
      costs.push(topOfCost(parties, groups, rows.top.count, width));
    }
  }
  const peopleMax = peopleMaxOf(disclosure);
  for (const { parts } of partitions) {
    const needed = disclosure.parts[parts[0]!]!.crowds[0]!.needed;
    const sizes = { rows: places, columns: parts.length, groups: [{ needed: [needed], counted: false }], peopleMax };
    costs.push(secondaryCost(parties, sizes));
  }
  if (total) {
    costs.push(
      all(
        disclosure.parts.map(({ dominance }) => dominance.length),
        groups,
      ),
    );
    const counted = disclosure.parts.map(({ crowds, dominance }) => ({
      needed: crowds.map(({ needed }) => needed),
      counted: dominance.length > 0,
    }));
    costs.push(secondaryCost(parties, { rows: 1, columns: groups, groups: counted, peopleMax }));
  }
  if (rows !== null) {
    costs.push(
      all(
        conditions.map((own) => (own === 0 ? 1 : 2)),
        places,
      ),
    );
  }
  const guarded = disclosure.parts.map((part) => ({ count: places, pieces: piecesIn(disclosure, part) }));
  const withRows = rows === null ? guarded : [{ count: places, pieces: 0 }, ...guarded];
  return inSequence(...costs, suppressCost(parties, withRows));
}
