/**
 * A disclosure carried out in the clear, as plainly as its words are: what evaluation on shares is compared with.
 * @module
 */
import { type Answer, finishAnswer } from '@folkmoot/core/answer.js';
import type { CheckedJob } from '@folkmoot/core/check-job.js';
import { disclose } from '@folkmoot/core/disclose.js';
import type { DisclosedPart, Disclosure, Form, Gap } from '@folkmoot/core/disclosure.js';
import { inSlots } from '@folkmoot/core/input-slot.js';
import { compile } from '@folkmoot/core/local.js';
import { isPlain, placesOf, plainSlots } from '@folkmoot/core/opened.js';
import { div, mul, type Rational, rational } from '@folkmoot/core/rational.js';
import type { LocalQuery, LocalResult } from '@folkmoot/core/statistic.js';
import type { Strictness } from '@folkmoot/core/strictness.js';
import { piecesOf } from '@folkmoot/core/wide-share.js';

export interface PlainOptions {
  readonly ownParty?: string | null;
  readonly strictness?: Partial<Strictness>;
}

/** The answer to an exact job from what each party computes at home; null for a party that has nothing. */
export function plainAnswer(
  checked: CheckedJob,
  resultOf: (query: LocalQuery, party: string) => LocalResult | null,
  { ownParty = null, strictness: given }: PlainOptions = {},
): Answer {
  const strictness = { minGroup: 1, round: 1, dominance: [], ...given };
  const query = compile(checked, ownParty, strictness);
  const disclosure = disclose({ checked, query, strictness });
  const nothing = query.statistics.map(() => new Array<bigint>(query.cells).fill(0n));
  const brought = checked.contributors.map((party) =>
    inSlots(disclosure.inputs, party, resultOf(query, party) ?? nothing),
  );
  const totals = disclosure.inputs.map((_, slot) =>
    brought[0]![slot]!.map((_, cell) => brought.reduce((sum, own) => sum + own[slot]![cell]!, 0n)),
  );
  const opened = evaluatePlain(disclosure, totals);
  return finishAnswer({ job: 'ab', checked, disclosure, opened, round: strictness.round });
}

/** From the sums of all parties, `[slot][group]`, to what opens: `[column][place]`. */
export function evaluatePlain(disclosure: Disclosure, inputs: readonly (readonly bigint[])[]): bigint[][] {
  const slots = plainDerived(disclosure, inputs);
  if (isPlain(disclosure)) return plainSlots(disclosure).map((slot) => slots[slot]!);
  const { parts, rows, total, groups } = disclosure;
  const places = Array.from({ length: placesOf(disclosure) }, (_, place) => place);
  const holds = (form: number, place: number): boolean =>
    formAt(disclosure, disclosure.forms[form]!, slots, place) >= 0n;
  const isGapSafe = ({ some, enough }: Gap, place: number) => !holds(some, place) || holds(enough, place);
  const shown = parts.map(({ people, dominance, gaps }) =>
    places.map(
      (place) =>
        [...people, ...dominance].every((form) => holds(form, place)) &&
        gaps.every((set) => disclosure.gaps[set]!.every((gap) => isGapSafe(gap, place))),
    ),
  );
  for (const { sets, crowds, hasRest } of disclosure.partitions) {
    for (const place of places) {
      const crowd = (set: number) => slots[crowds[set]!.slot]![place]!;
      const isOpen = sets.map((members) => members.every((part) => shown[part]![place]));
      const withheld = [...sets.keys()].filter((set) => !isOpen[set]);
      if (hasRest) withheld.push(sets.length);
      const reached = withheld.reduce((sum, set) => sum + crowd(set), 0n);
      const others = [...sets.keys()].filter((set) => isOpen[set]);
      if (withheld.length > 0 && reached < crowds[0]!.needed && others.length > 0) {
        isOpen[others.reduce((best, set) => (crowd(set) < crowd(best) ? set : best))] = false;
      }
      for (const [set, members] of sets.entries()) for (const part of members) shown[part]![place] = isOpen[set]!;
    }
  }
  if (total) closeGroups(disclosure, slots, shown[0]!, groups);
  const open = places.map(
    (place) =>
      rows === null ||
      (rows.forms.every((form) => holds(form, place)) && rows.parts.every((part) => shown[part]![place])),
  );
  if (rows?.top != null) {
    const { slot, count } = rows.top;
    const eligible = places.filter((place) => open[place]);
    // Of equal ones the first, which a stable sort keeps.
    eligible.sort((a, b) => (slots[slot]![a]! > slots[slot]![b]! ? -1 : slots[slot]![a]! < slots[slot]![b]! ? 1 : 0));
    const winners = new Set(eligible.slice(0, count));
    for (const place of places) open[place] = winners.has(place);
  }
  const bit = (value: boolean): bigint => (value ? 1n : 0n);
  const columns = rows === null ? [] : [open.map(bit)];
  for (const [at, part] of parts.entries()) {
    const isShown = shown[at]!.map((own, place) => own && open[place]!);
    columns.push(isShown.map(bit), ...numbersOf(disclosure, part, slots, isShown));
  }
  return columns;
}

/** Under a total: one more group where too few are withheld, and no total where it still tells of them. */
function closeGroups(
  disclosure: Disclosure,
  slots: readonly (readonly bigint[])[],
  shown: boolean[],
  groups: number,
): void {
  const { forms, gaps } = disclosure;
  const part = disclosure.parts[0]!;
  const all = Array.from({ length: groups }, (_, group) => group);
  const isDominated = (group: number) =>
    part.dominance.some((form) => termsOf(forms[form]!, slots, group) + forms[form]!.constant < 0n);
  const withheld = () => all.filter((group) => !shown[group]);
  const isNeeded = part.crowds.some(({ slot, needed }) => {
    const counted = withheld().filter((group) => !isDominated(group));
    return withheld().length > 0 && counted.reduce((sum, group) => sum + slots[slot]![group]!, 0n) < needed;
  });
  const others = all.filter((group) => shown[group]);
  if (isNeeded && others.length > 0) {
    const people = slots[part.crowds[0]!.slot]!;
    shown[others.reduce((best, group) => (people[group]! < people[best]! ? group : best))] = false;
  }
  const over = (form: number) => withheld().reduce((sum, group) => sum + termsOf(forms[form]!, slots, group), 0n);
  const reaches = (form: number) => over(form) + forms[form]!.totalConstant >= 0n;
  const isSafe = part.gaps.every((set) => gaps[set]!.every(({ some, enough }) => !reaches(some) || reaches(enough)));
  if (!isSafe || part.dominance.some((form) => over(form) < 0n)) shown[groups] = false;
}

function termsOf(form: Form, slots: readonly (readonly bigint[])[], place: number): bigint {
  return form.terms.reduce((sum, [slot, factor]) => sum + factor * slots[slot]![place]!, 0n);
}

function formAt(disclosure: Disclosure, form: Form, slots: readonly (readonly bigint[])[], place: number): bigint {
  return termsOf(form, slots, place) + (place < disclosure.groups ? form.constant : form.totalConstant);
}

function numbersOf(
  { rings }: Disclosure,
  part: DisclosedPart,
  slots: readonly (readonly bigint[])[],
  isShown: readonly boolean[],
): bigint[][] {
  return part.slots.flatMap((slot) => {
    const ring = rings[slot]!;
    const values = slots[slot]!.map((value, place) => (isShown[place] ? value : 0n));
    const pieces = piecesOf(ring);
    if (pieces === 1) return [values];
    return Array.from({ length: pieces }, (_, piece) =>
      values.map((value) => (BigInt.asUintN(ring.bits, value) >> BigInt(32 * piece)) & 0xffff_ffffn),
    );
  });
}

const floor = (r: Rational): bigint => (r.n >= 0n || r.n % r.d === 0n ? r.n / r.d : r.n / r.d - 1n);

function plainDerived({ total, derived, groups }: Disclosure, inputs: readonly (readonly bigint[])[]): bigint[][] {
  const withTotal = (values: readonly bigint[]) =>
    total ? [...values, values.reduce((sum, value) => sum + value, 0n)] : [...values];
  const slots = inputs.map(withTotal);
  for (const each of derived) {
    if (each.kind === 'largest') {
      const sums = Array.from({ length: groups }, (_, group) => {
        const values = each.of.map((slot) => inputs[slot]![group]!).sort((a, b) => (a > b ? -1 : 1));
        return values.slice(0, each.count).reduce((sum, value) => sum + value, 0n);
      });
      slots.push(withTotal(sums));
    } else if (each.kind === 'rounded') {
      slots.push(slots[each.of]!.map((value) => floor(rational(2n * value + each.base, 2n * each.base)) * each.base));
    } else if (each.kind === 'quotient') {
      const [over, under] = [slots[each.numerator]!, slots[each.denominator]!];
      const values = over.map((value, place) => {
        const divisor = under[place]!;
        return divisor === 0n ? 0n : floor(rational(2n * value * each.factor + divisor, 2n * divisor));
      });
      slots.push(
        values,
        under.map((divisor): bigint => (divisor > 0n ? 1n : 0n)),
      );
    } else {
      const found = slots[0]!.map((_, place) =>
        quantileOf(
          each.counts.map((slot) => slots[slot]![place]!),
          each.rank,
        ),
      );
      slots.push(
        found.map(([at]) => at),
        found.map(([, fraction]) => fraction),
      );
    }
  }
  return slots;
}

/** The place of the bin, and the millionths of it that lie below. */
function quantileOf(counts: readonly bigint[], rank: Rational): [bigint, bigint] {
  const n = counts.reduce((sum, count) => sum + count, 0n);
  const target = mul(rank, rational(n));
  let before = 0n;
  for (const [at, count] of counts.entries()) {
    const upTo = before + count;
    if (upTo > 0n && upTo * target.d >= target.n) {
      if (at === 0 || at === counts.length - 1) return [BigInt(at), 0n];
      const part = div(rational(target.n - before * target.d, target.d), rational(count));
      return [BigInt(at), floor(mul(part, rational(1_000_000n)))];
    }
    before = upTo;
  }
  return [BigInt(counts.length), 0n];
}
