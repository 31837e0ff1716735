/**
 * From shares of the sums to shares of what may be seen: a disclosure, carried out on shares.
 *
 *   sums → derived numbers → conditions → parts → groups → parts of one whole → numbers × bits
 *
 * Nothing is opened on the way but values that masks make uniform, and what comes out is opened to the analyst alone: a
 * part that is withheld is zeros and a bit, whatever is in it.
 *
 * Rounds    those of its circuits, exactly `evaluateCost`; none for a job without conditions
 * Security  that of the circuits: semi-honest, up to N − 1 parties colluding. An active party can flip a bit, and so have
 *           something withheld or shown, or shift a number; it sees nothing by that but through the answer.
 * @module
 */
import { addInto, length, scale, slice, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { allOf } from '../protocols/and.ts';
import { atLeastZero } from '../protocols/at-least-zero.ts';
import type { Correlations } from '../protocols/correlations.ts';
import { secondary } from '../protocols/secondary.ts';
import { type Guarded, suppress } from '../protocols/suppress.ts';
import { topOf } from '../protocols/top.ts';
import type { Disclosure, Form, Partition } from '../query/disclosure.ts';
import type { Layout } from '../query/encode.ts';
import { isPlain, openedLayout, placesOf, plainSlots } from '../query/opened.ts';
import { addConstant } from '../sharing/additive.ts';
import { type Bits, not, packBits, unpackBits, wordsFor } from '../sharing/bit-share.ts';
import { deriveSlots } from './derive.ts';
import { bitsOf, peopleMaxOf, widthOf, widthsOf } from './evaluate-cost.ts';

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
  const every = ones(ch, placesOf(disclosure));
  const lists = parts.map(({ people, dominance }) => [...people, ...dominance].map((form) => holds[form]!));
  let shown = await allOf(
    ch,
    source,
    lists.map((list) => (list.length === 0 ? [every] : list)),
  );
  const rowBits = rows === null ? null : await openRows(ch, source, disclosure, { slots, holds });
  for (const partition of disclosure.partitions) {
    shown = await withholdParts(ch, source, disclosure, partition, { slots, shown });
  }
  if (total) shown = await withholdGroups(ch, source, disclosure, { slots, holds, shown });
  if (rowBits !== null)
    shown = await allOf(
      ch,
      source,
      shown.map((bits, part) => (lists[part]!.length === 0 ? [rowBits] : [bits, rowBits])),
    );
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

/** Of each form whether it is 0 or more, place by place; narrow ones and wide ones apart, since a bit costs. */
async function formBits(
  ch: Channel,
  source: Correlations,
  disclosure: Disclosure,
  slots: readonly Vector[],
): Promise<Bits[]> {
  const holds: Bits[] = [];
  for (const width of widthsOf(disclosure)) {
    const places = disclosure.forms.flatMap((form, at) => (widthOf(disclosure, form) === width ? [at] : []));
    const differences = places.map((at) => formOf(ch, disclosure, disclosure.forms[at]!, slots));
    for (const [i, bits] of (await atLeastZero(ch, source, differences, width)).entries()) holds[places[i]!] = bits;
  }
  return holds;
}

function formOf(ch: Channel, disclosure: Disclosure, form: Form, slots: readonly Vector[]): Vector {
  const places = placesOf(disclosure);
  const constants = vector(Z2_64, places);
  constants.words.fill(BigInt.asUintN(64, form.constant));
  if (disclosure.total) constants.words[places - 1] = BigInt.asUintN(64, form.totalConstant);
  const sum = addConstant(ch, vector(Z2_64, places), constants);
  for (const [slot, factor] of form.terms) addInto(sum, factor === 1n ? slots[slot]! : scale(slots[slot]!, factor));
  return sum;
}

/** Which groups open at all: those that meet every condition, and of these the top ones where they are asked for. */
async function openRows(
  ch: Channel,
  source: Correlations,
  disclosure: Disclosure,
  { slots, holds }: State,
): Promise<Bits> {
  const { forms, top } = disclosure.rows!;
  const conditions = forms.length === 0 ? [ones(ch, disclosure.groups)] : forms.map((form) => holds[form]!);
  const [eligible] = await allOf(ch, source, [conditions]);
  if (top === null) return eligible!;
  return topOf(ch, source, slots[top.slot]!, eligible!, top.count, bitsOf(disclosure.bounds[top.slot]!));
}

/** Parts of one whole, at each place: the counts of what is withheld must reach the threshold together. */
async function withholdParts(
  ch: Channel,
  source: Correlations,
  disclosure: Disclosure,
  partition: Partition,
  { slots, shown }: Pick<State, 'slots'> & { readonly shown: readonly Bits[] },
): Promise<Bits[]> {
  const { parts } = disclosure;
  const rows = placesOf(disclosure);
  // A part is of one count here: a bin of a histogram, or the count of a value (whose other side is no part of the whole).
  const crowds = partition.parts.map((part) => parts[part]!.crowds[0]!);
  const group = {
    shown: turned(partition.parts.map((part) => shown[part]!)),
    crowd: [turnedVectors(crowds.map(({ slot }) => slots[slot]!))],
    needed: [crowds[0]!.needed],
  };
  const [bits] = await secondary(ch, source, {
    rows,
    columns: crowds.length,
    groups: [group],
    peopleMax: peopleMaxOf(disclosure),
  });
  const changed = turnedBack(bits!, crowds.length);
  return shown.map((own, part) => changed[partition.parts.indexOf(part)] ?? own);
}

/** Groups under a total: what is withheld of any part must reach the threshold together, or one more group closes. */
async function withholdGroups(
  ch: Channel,
  source: Correlations,
  disclosure: Disclosure,
  { slots, holds, shown }: State & { readonly shown: readonly Bits[] },
): Promise<Bits[]> {
  const { groups: columns, parts } = disclosure;
  // What one contributor dominates is no crowd, however many stand behind it.
  const every = ones(ch, columns);
  const counted = await allOf(
    ch,
    source,
    parts.map(({ dominance }) =>
      dominance.length === 0 ? [every] : dominance.map((form) => firstBits(holds[form]!, columns)),
    ),
  );
  const groups = parts.map(({ crowds, dominance }, at) => ({
    shown: firstBits(shown[at]!, columns),
    crowd: crowds.map(({ slot }) => slice(slots[slot]!, 0, columns)),
    needed: crowds.map(({ needed }) => needed),
    ...(dominance.length === 0 ? {} : { counted: counted[at]! }),
  }));
  const closed = await secondary(ch, source, { rows: 1, columns, groups, peopleMax: peopleMaxOf(disclosure) });
  // The total itself stays as it was.
  return shown.map((own, at) => {
    const values = unpackBits(own);
    values.set(unpackBits(closed[at]!));
    return packBits(values);
  });
}

/** Shares of 1 everywhere. */
function ones(ch: Channel, count: number): Bits {
  return not(ch, { count, words: new Uint32Array(wordsFor(count)) });
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
