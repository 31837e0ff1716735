/**
 * What carrying out a disclosure costs, exactly, from public texts: so that a plan can state it, and correlated
 * randomness be made ahead of it.
 * @module
 */
import { bitLength } from '../algebra/integer-root.ts';
import { InputError } from '../channel/errors.ts';
import { allOfCost } from '../protocols/and.ts';
import { atLeastZeroCost } from '../protocols/at-least-zero.ts';
import { type Cost, inSequence, noCost } from '../protocols/cost.ts';
import { secondaryCost } from '../protocols/secondary.ts';
import { selectCost } from '../protocols/select.ts';
import { suppressCost } from '../protocols/suppress.ts';
import { topOfCost } from '../protocols/top.ts';
import type { Disclosure, Gap } from '../query/disclosure.ts';
import { isPlain, piecesIn, placesOf } from '../query/opened.ts';
import { deriveCost } from './derive.ts';

/** Two widths within so many bits of each other are compared in one run: its rounds are worth more than the bits. */
const nearBits = 8;

/** Bits of the magnitude of a bound, one at least, and of the sign. */
export function bitsOf(bound: bigint): number {
  return Math.max(1, bitLength(bound)) + 1;
}

/** Forms that are compared in one run, in the order of the runs: numbers of people are narrower than sums. */
export function runsOf(disclosure: Disclosure): { readonly width: number; readonly forms: readonly number[] }[] {
  const [people, others] = widestOf(disclosure);
  const widths = disclosure.forms.map(({ bound }) => (bitsOf(bound) <= people ? people : others));
  return [...new Set([people, others])]
    .filter((width) => width > 0)
    .map((width) => ({ width, forms: [...widths.keys()].filter((form) => widths[form] === width) }));
}

function widestOf({ forms, parts, gaps }: Disclosure): readonly [people: number, others: number] {
  const pairs = gaps.flat().flatMap(({ some, enough }) => [some, enough]);
  const counted = new Set([...parts.flatMap(({ people }) => people), ...pairs]);
  let [people, others] = [0, 0];
  for (const [at, { bound }] of forms.entries()) {
    if (counted.has(at)) people = Math.max(people, bitsOf(bound));
    else others = Math.max(others, bitsOf(bound));
  }
  if (others <= people + nearBits) return [Math.max(people, others), 0];
  return [people, others];
}

/** No number of people that is compared is larger. */
export function peopleMaxOf({ parts, partitions, bounds }: Disclosure): bigint {
  const crowds = [...parts, ...partitions].flatMap((each) => each.crowds.map(({ slot }) => bounds[slot]!));
  return crowds.reduce((max, bound) => (bound > max ? bound : max), 0n);
}

/** What a total tells of the groups that it withholds together. */
export function residueOf({ parts, gaps }: Disclosure): { gaps: readonly Gap[]; dominance: readonly number[] } {
  const [part] = parts;
  return { gaps: part!.gaps.flatMap((set) => gaps[set]!), dominance: part!.dominance };
}

export function residueWidth(disclosure: Disclosure): number {
  const { gaps, dominance } = residueOf(disclosure);
  const forms = [...gaps.flatMap(({ some, enough }) => [some, enough]), ...dominance];
  return forms.reduce((width, form) => Math.max(width, bitsOf(disclosure.forms[form]!.bound)), 1);
}

function residueCost(parties: number, disclosure: Disclosure): Cost {
  const { gaps, dominance } = residueOf(disclosure);
  const vectors = gaps.length + dominance.length;
  if (vectors === 0) return noCost;
  const compared = new Array<number>(2 * gaps.length + dominance.length).fill(1);
  return inSequence(
    selectCost(parties, disclosure.groups, vectors),
    atLeastZeroCost(parties, compared, residueWidth(disclosure)),
    allOfCost(parties, [{ entries: 1 + vectors, count: 1 }]),
  );
}

/**
 * Correlated randomness is made before it is used, and stands in memory until then: 12 bytes for 32 bit triples, 24 a triple
 * and 8 a shared bit. A party of an ordinary machine has room for this much of it.
 */
const storeMax = 2 ** 31;

/**
 * Refuses what no party could keep in memory, from public texts alone, before anyone accepts it.
 * @throws InputError TOO_MANY_CELLS
 */
export function checkDemand(parties: number, disclosure: Disclosure): void {
  const { bitTriples, triples, sharedBits } = evaluateCost(parties, disclosure);
  const bytes = (12 * bitTriples) / 32 + 24 * triples + 8 * sharedBits;
  if (bytes <= storeMax) return;
  throw new InputError('TOO_MANY_CELLS', {
    field: 'measures',
    detail: `what is decided on shares takes ${Math.ceil(bytes / 2 ** 20)} MiB of randomness, over ${storeMax / 2 ** 20}`,
    remedy: 'ask for fewer groups, bins or quotients in one job',
  });
}

/** Of `evaluate`, at every party alike. */
export function evaluateCost(parties: number, disclosure: Disclosure): Cost {
  const derived = deriveCost(parties, disclosure);
  if (isPlain(disclosure)) return derived;
  const places = placesOf(disclosure);
  const costs: Cost[] = [derived];
  for (const { width, forms } of runsOf(disclosure)) {
    costs.push(atLeastZeroCost(parties, [forms.length * places], width));
  }
  const all = (entries: readonly number[], count: number) =>
    allOfCost(
      parties,
      entries.map((own) => ({ entries: Math.max(1, own), count })),
    );
  const gapSizes = disclosure.gaps.map(({ length }) => length);
  const conditions = disclosure.parts.map(
    ({ people, dominance, gaps }) => people.length + dominance.length + gaps.length,
  );
  costs.push(all(gapSizes, places), all(conditions, places));
  const { rows, partitions, total, groups } = disclosure;
  const peopleMax = peopleMaxOf(disclosure);
  for (const { sets, crowds } of partitions) {
    const needed = [crowds[0]!.needed];
    const sizes = { rows: places, columns: crowds.length, groups: [{ needed, counted: false }], peopleMax };
    costs.push(
      all(
        sets.map(({ length }) => length),
        places,
      ),
      secondaryCost(parties, sizes),
    );
  }
  if (total) {
    const { crowds, dominance } = disclosure.parts[0]!;
    const group = { needed: crowds.map(({ needed }) => needed), counted: dominance.length > 0 };
    costs.push(all(dominance.length === 0 ? [] : [dominance.length], groups));
    costs.push(secondaryCost(parties, { rows: 1, columns: groups, groups: [group], peopleMax }));
    costs.push(residueCost(parties, disclosure));
  }
  if (rows !== null) {
    costs.push(all([rows.forms.length + rows.parts.length], groups));
    if (rows.top !== null) {
      const width = bitsOf(disclosure.bounds[rows.top.slot]!);
      costs.push(topOfCost(parties, groups, rows.top.count, width));
    }
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
