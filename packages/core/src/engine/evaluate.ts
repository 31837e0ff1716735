/**
 * From shares of the sums to shares of what may be seen: a disclosure, carried out on shares.
 *
 *   sums → derived numbers → conditions → parts → parts of one whole → groups → numbers × bits
 *
 * Nothing is opened on the way but values that masks make uniform, and what comes out is opened to the analyst alone: a
 * part that is withheld is zeros and a bit, whatever is in it.
 *
 * Rounds    those of its circuits, exactly `evaluateCost`; none for a job without conditions
 * Security  that of the circuits: semi-honest, up to N − 1 parties colluding. An active party can flip a bit, and so have
 *           something withheld or shown, or shift a number; it sees nothing by that but through the answer.
 * @module
 */
import { add, addInto, length, scale, slice, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { allOf } from '../protocols/and.ts';
import { atLeastZero } from '../protocols/at-least-zero.ts';
import { constant } from '../protocols/compare.ts';
import type { Correlations } from '../protocols/correlations.ts';
import { secondary } from '../protocols/secondary.ts';
import { selectEach } from '../protocols/select.ts';
import { type Guarded, suppress } from '../protocols/suppress.ts';
import { topOf } from '../protocols/top.ts';
import type { Disclosure, Form, Partition } from '../query/disclosure.ts';
import type { Layout } from '../query/encode.ts';
import { isPlain, openedLayout, placesOf, plainSlots } from '../query/opened.ts';
import { addConstant } from '../sharing/additive.ts';
import { type Bits, not, packBits, unpackBits, wordsFor, xor } from '../sharing/bit-share.ts';
import { deriveSlots } from './derive.ts';
import { bitsOf, peopleMaxOf, residueOf, residueWidth, runsOf } from './evaluate-cost.ts';

/** What was shared: a vector for each section of the layout of the inputs. */
export interface Shared {
  readonly layout: Layout;
  readonly shares: readonly Vector[];
}

/** The shares of what opens, a vector for each section of `openedLayout`. */
export async function evaluate(
  ch: Channel,
  source: Correlations,
  disclosure: Disclosure,
  { layout, shares }: Shared,
): Promise<readonly Vector[]> {
  const inputs = slotsOf(layout, shares);
  const slots = await deriveSlots(ch, source, disclosure, inputs);
  if (isPlain(disclosure)) {
    const opened = plainSlots(disclosure);
    // What opens is often just what was shared, and it may be long.
    if (!disclosure.total && opened.length === inputs.length && slots.length === inputs.length) return shares;
    return inSections(
      disclosure,
      opened.map((slot) => slots[slot]!),
    );
  }
  const { parts, rows, total } = disclosure;
  const holds = await formBits(ch, source, disclosure, slots);
  const gaps = await gapBits(ch, source, disclosure, holds);
  const every = ones(ch, placesOf(disclosure));
  const lists = parts.map((part) => [
    ...[...part.people, ...part.dominance].map((form) => holds[form]!),
    ...part.gaps.map((set) => gaps[set]!),
  ]);
  let shown = await allOf(
    ch,
    source,
    lists.map((list) => (list.length === 0 ? [every] : list)),
  );
  for (const partition of disclosure.partitions) {
    shown = await withholdParts(ch, source, disclosure, partition, { slots, shown });
  }
  if (total) shown = [await withholdGroups(ch, source, disclosure, { slots, holds, shown: shown[0]! })];
  const rowBits = rows === null ? null : await openRows(ch, source, disclosure, { slots, holds, shown });
  if (rowBits !== null) {
    shown = await allOf(
      ch,
      source,
      shown.map((bits, part) => (lists[part]!.length === 0 ? [rowBits] : [bits, rowBits])),
    );
  }
  const guarded = parts.map(
    (part, at): Guarded => ({
      bits: shown[at]!,
      vectors: part.slots.map((slot) => slots[slot]!),
    }),
  );
  const opened = await suppress(ch, source, rowBits === null ? guarded : [{ bits: rowBits, vectors: [] }, ...guarded]);
  return inSections(
    disclosure,
    opened.flatMap(({ shown: bit, values }) => [bit, ...values.flat()]),
  );
}

interface State {
  readonly slots: readonly Vector[];
  /** Of each form, the places where it holds. */
  readonly holds: readonly Bits[];
}

/**
 * Of each form whether it is 0 or more, place by place; narrow ones and wide ones apart, since a bit costs. All forms of a
 * run are one vector: there may be thousands of them at a single place, each of which would take a word of its own.
 */
async function formBits(
  ch: Channel,
  source: Correlations,
  disclosure: Disclosure,
  slots: readonly Vector[],
): Promise<Bits[]> {
  const holds: Bits[] = [];
  for (const { width, forms } of runsOf(disclosure)) {
    const places = placesOf(disclosure);
    const differences = vector(Z2_64, forms.length * places);
    for (const [i, form] of forms.entries())
      differences.words.set(formOf(ch, disclosure, disclosure.forms[form]!, slots).words, i * places);
    const [all] = await atLeastZero(ch, source, [differences], width);
    const values = unpackBits(all!);
    for (const [i, form] of forms.entries()) holds[form] = packBits(values.subarray(i * places, (i + 1) * places));
  }
  return holds;
}

function formOf(ch: Channel, disclosure: Disclosure, form: Form, slots: readonly Vector[]): Vector {
  const places = placesOf(disclosure);
  const constants = vector(Z2_64, places);
  constants.words.fill(BigInt.asUintN(64, form.constant));
  if (disclosure.total) constants.words[places - 1] = BigInt.asUintN(64, form.totalConstant);
  return addConstant(ch, linear(form, slots, places), constants);
}

/** Σ factor · slot. */
function linear({ terms }: Form, slots: readonly Vector[], places: number): Vector {
  const sum = vector(Z2_64, places);
  for (const [slot, factor] of terms) addInto(sum, factor === 1n ? slots[slot]! : scale(slots[slot]!, factor));
  return sum;
}

/** Of each set of gaps whether all are none or enough: whoever is enough is some, so that one of the two bits tells. */
function gapBits(ch: Channel, source: Correlations, { gaps }: Disclosure, holds: readonly Bits[]): Promise<Bits[]> {
  const lists = gaps.map((set) => set.map(({ some, enough }) => alike(ch, holds[some]!, holds[enough]!)));
  return allOf(ch, source, lists);
}

/** Whether two bits are equal. */
function alike(ch: Channel, a: Bits, b: Bits): Bits {
  return not(ch, { count: a.count, words: xor(a.words, b.words) });
}

/** Which groups open at all: those that meet every condition, and of these the top ones where they are asked for. */
async function openRows(
  ch: Channel,
  source: Correlations,
  disclosure: Disclosure,
  { slots, holds, shown }: State & { readonly shown: readonly Bits[] },
): Promise<Bits> {
  const { forms, parts, top } = disclosure.rows!;
  const conditions = [...forms.map((form) => holds[form]!), ...parts.map((part) => shown[part]!)];
  const [eligible] = await allOf(ch, source, [conditions.length === 0 ? [ones(ch, disclosure.groups)] : conditions]);
  if (top === null) return eligible!;
  return topOf(ch, source, slots[top.slot]!, eligible!, top.count, bitsOf(disclosure.bounds[top.slot]!));
}

/** Parts of one whole, at each place: what is withheld, and what never opens, must reach the threshold together. */
async function withholdParts(
  ch: Channel,
  source: Correlations,
  disclosure: Disclosure,
  { sets, crowds, hasRest }: Partition,
  { slots, shown }: Pick<State, 'slots'> & { readonly shown: readonly Bits[] },
): Promise<Bits[]> {
  const rows = placesOf(disclosure);
  // Several parts may open the count of one set: it is withheld only where all of them withhold it.
  const open = await allOf(
    ch,
    source,
    sets.map((parts) => parts.map((part) => shown[part]!)),
  );
  const closed = { count: rows, words: new Uint32Array(wordsFor(rows)) };
  const group = {
    shown: turned(hasRest ? [...open, closed] : open),
    crowd: [turnedVectors(crowds.map(({ slot }) => slots[slot]!))],
    needed: [crowds[0]!.needed],
  };
  const peopleMax = peopleMaxOf(disclosure);
  const [bits] = await secondary(ch, source, { rows, columns: crowds.length, groups: [group], peopleMax });
  const changed = turnedBack(bits!, crowds.length);
  const next = [...shown];
  for (const [set, parts] of sets.entries()) for (const part of parts) next[part] = changed[set]!;
  return next;
}

/**
 * Groups under a total, whose figures open all or none: what is withheld must reach the threshold together, or one more
 * group closes. Where that does not keep the rest apart, the total does not open.
 */
async function withholdGroups(
  ch: Channel,
  source: Correlations,
  disclosure: Disclosure,
  { slots, holds, shown }: State & { readonly shown: Bits },
): Promise<Bits> {
  const { groups: columns, parts } = disclosure;
  const { crowds, dominance } = parts[0]!;
  // What one contributor dominates is no crowd, however many stand behind it.
  const counted = await allOf(
    ch,
    source,
    dominance.length === 0 ? [] : [dominance.map((form) => firstBits(holds[form]!, columns))],
  );
  const group = {
    shown: firstBits(shown, columns),
    crowd: crowds.map(({ slot }) => slice(slots[slot]!, 0, columns)),
    needed: crowds.map(({ needed }) => needed),
    ...(dominance.length === 0 ? {} : { counted: counted[0]! }),
  };
  const [open] = await secondary(ch, source, { rows: 1, columns, groups: [group], peopleMax: peopleMaxOf(disclosure) });
  const whole = await openTotal(ch, source, disclosure, { slots, open: open!, total: lastBit(shown) });
  return packBits([...unpackBits(open!), ...unpackBits(whole)]);
}

/** Whether the total opens: what it tells of the withheld groups together may be none or enough, and nobody's alone. */
async function openTotal(
  ch: Channel,
  source: Correlations,
  disclosure: Disclosure,
  { slots, open, total }: { readonly slots: readonly Vector[]; readonly open: Bits; readonly total: Bits },
): Promise<Bits> {
  const { forms } = disclosure;
  const { gaps, dominance } = residueOf(disclosure);
  if (gaps.length + dominance.length === 0) return total;
  const groups = (v: Vector) => slice(v, 0, disclosure.groups);
  const vectors = [
    ...gaps.map(({ slot }) => groups(slots[slot]!)),
    ...dominance.map((form) => groups(linear(forms[form]!, slots, placesOf(disclosure)))),
  ];
  const { products } = await selectEach(ch, source, not(ch, open), vectors);
  const sums = products.map(sumOf);
  const lowered = (sum: Vector, form: number) =>
    add(sum, addConstant(ch, vector(Z2_64, 1), constant(1, forms[form]!.totalConstant)));
  const differences = [
    ...gaps.flatMap(({ some, enough }, at) => [lowered(sums[at]!, some), lowered(sums[at]!, enough)]),
    ...sums.slice(gaps.length),
  ];
  const bits = await atLeastZero(ch, source, differences, residueWidth(disclosure));
  const pairs = gaps.map((_, at) => alike(ch, bits[2 * at]!, bits[2 * at + 1]!));
  return (await allOf(ch, source, [[total, ...pairs, ...bits.slice(2 * gaps.length)]]))[0]!;
}

function sumOf(v: Vector): Vector {
  const sum = vector(Z2_64, 1);
  for (let at = 0; at < length(v); at++) addInto(sum, slice(v, at, at + 1));
  return sum;
}

/** Shares of 1 everywhere. */
function ones(ch: Channel, count: number): Bits {
  return not(ch, { count, words: new Uint32Array(wordsFor(count)) });
}

function lastBit(bits: Bits): Bits {
  return packBits(unpackBits(bits).subarray(-1));
}

function firstBits(bits: Bits, count: number): Bits {
  return packBits(unpackBits(bits).subarray(0, count));
}

/** Row by row what was column by column. */
function turned(columns: readonly Bits[]): Bits {
  const values = columns.map(unpackBits);
  const rows = columns[0]!.count;
  const all = new Uint8Array(rows * columns.length);
  for (const [column, own] of values.entries())
    for (let row = 0; row < rows; row++) all[row * columns.length + column] = own[row]!;
  return packBits(all);
}

function turnedVectors(columns: readonly Vector[]): Vector {
  const rows = length(columns[0]!);
  const all = vector(Z2_64, rows * columns.length);
  for (const [column, { words }] of columns.entries())
    for (let row = 0; row < rows; row++) all.words[row * columns.length + column] = words[row]!;
  return all;
}

function turnedBack(bits: Bits, columns: number): Bits[] {
  const values = unpackBits(bits);
  const rows = values.length / columns;
  return Array.from({ length: columns }, (_, column) =>
    packBits(Uint8Array.from({ length: rows }, (_, row) => values[row * columns + column]!)),
  );
}

/** The slots of the inputs, as they lie in the sections. */
function slotsOf({ sections, cells }: Layout, shares: readonly Vector[]): Vector[] {
  const slots: Vector[] = [];
  for (const [section, { statistics }] of sections.entries()) {
    for (const [place, slot] of statistics.entries()) {
      slots[slot] = slice(shares[section]!, place * cells, (place + 1) * cells);
    }
  }
  return slots;
}

/** What opens, in the sections that it opens in. */
function inSections(disclosure: Disclosure, columns: readonly Vector[]): Vector[] {
  const { sections, cells } = openedLayout(disclosure);
  return sections.map(({ ring, statistics }) => {
    const section = vector(ring, statistics.length * cells);
    for (const [place, column] of statistics.entries()) {
      addInto(slice(section, place * cells, (place + 1) * cells), columns[column]!);
    }
    return section;
  });
}
