/**
 * Which groups of a job open at all: the conditions of its `having`, and the number by which it chooses the top ones.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { RowRule, Slot } from './disclosure.ts';
import type { Draft } from './disclosure-draft.ts';
import type { Having } from './having.ts';
import type { Prepared } from './measure/family.ts';
import { contributedSums, rankedMeasure, testedMeasure } from './prepared.ts';

/** Null where all groups open. `partsOf` gives the parts of a measure that opens. */
export function rowRule(draft: Draft, partsOf: ReadonlyMap<string, readonly number[]>): RowRule | null {
  const { having, top, dataset } = draft.checked;
  if (having.length === 0 && top === null) return null;
  const ranked = top === null ? [] : [rankedMeasure(draft.checked, top.by)];
  // A group that is too small for the number it is judged by does not open, whatever the number is.
  const guards = [...having.map((condition) => testedMeasure(condition, dataset)), ...ranked].flatMap((prepared) => {
    const [part] = prepared.parts;
    const people = draft.threshold === 0 ? [] : part!.tested.map((where) => draft.crowd(where).form);
    const sums = contributedSums(prepared, part!, dataset);
    return [...people, ...sums.flatMap((sum) => draft.dominance('having', sum)), ...definedForms(draft, prepared)];
  });
  const forms = having.map((condition) => havingForm(draft, condition));
  const judged = [...having.map(({ name }) => name), ...(top === null ? [] : [top.by])];
  return {
    forms: [...new Set([...guards, ...forms])],
    parts: [...new Set(judged.flatMap((name) => partsOf.get(name) ?? []))],
    top: top === null ? null : { slot: rankedSlot(draft, top.by, ranked[0]!), count: top.count },
  };
}

function rankedSlot(draft: Draft, by: string, prepared: Prepared): Slot {
  const slot = draft.figure(by, prepared.parts[0]!.figures[0]!, prepared)[0]!;
  draft.checkFits('top.by', draft.boundOf(slot));
  return slot;
}

/** A quotient of nothing is no number, and no comparison with it holds. */
function definedForms(draft: Draft, prepared: Prepared): number[] {
  const [figure] = prepared.parts[0]!.figures;
  if (figure?.kind !== 'quotient') return [];
  return [draft.form('having', [[draft.sum('having', figure.denominator, prepared), 1n]], -1n)];
}

/** A comparison with p/q, multiplied by all denominators: of the number that opens, or would, and of no finer one. */
function havingForm(draft: Draft, condition: Having): number {
  const { name, op, value } = condition;
  const field = `having.${name}`;
  const prepared = testedMeasure(condition, draft.checked.dataset);
  const [figure] = prepared.parts[0]!.figures;
  const strict = op === 'gt' || op === 'lt' ? -1n : 0n;
  const sign = op === 'lt' || op === 'lte' ? -1n : 1n;
  if (figure!.kind === 'sum') {
    const unit = prepared.units![figure!.of]!;
    return draft.form(
      field,
      [[draft.sum(field, figure!.of, prepared), sign * value.d]],
      -sign * value.n * unit + strict,
    );
  }
  assert(figure!.kind === 'quotient', 'a condition is on a sum or a quotient');
  const { numerator, denominator, exponent, factor } = figure!;
  const power = 10n ** BigInt(Math.abs(exponent));
  const [up, down] = exponent < 0 ? [1n, power] : [power, 1n];
  if (draft.checked.ratioOnly) {
    const [quotient] = draft.figure(name, figure!, prepared);
    return draft.form(field, [[quotient!, sign * value.d * up]], -sign * value.n * down * factor + strict);
  }
  const [over, under] = [numerator, denominator].map((at) => draft.sum(field, at, prepared));
  const terms = [[over!, sign * value.d * up] as const, [under!, -sign * value.n * down] as const];
  return draft.form(field, terms, strict);
}
