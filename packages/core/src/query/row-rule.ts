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

/** Null where all groups open. */
export function rowRule(draft: Draft): RowRule | null {
  const { having, top, dataset } = draft.checked;
  if (having.length === 0 && top === null) return null;
  const ranked = rankedMeasure(draft.checked).map((prepared): Slot => {
    const { figures } = prepared.parts[0]!;
    return draft.figure(top!.by, figures[0]!, prepared)[0]!;
  });
  const tested = [...having.map((condition) => testedMeasure(condition, dataset)), ...rankedMeasure(draft.checked)];
  // A group that is too small for the number it is judged by does not open, whatever the number is.
  const guards = tested.flatMap((prepared) => {
    const [part] = prepared.parts;
    const people = draft.threshold === 0 ? [] : part!.tested.map((where) => draft.crowd(where).form);
    const sums = contributedSums(prepared, part!, dataset);
    return [...people, ...sums.flatMap((sum) => draft.dominance('having', sum)), ...definedForms(draft, prepared)];
  });
  const forms = having.map((condition) => havingForm(draft, condition));
  return {
    forms: [...new Set([...guards, ...forms])],
    top: top === null ? null : { slot: ranked[0]!, count: top.count },
  };
}

/** A quotient of nothing is no number, and no comparison with it holds. */
function definedForms(draft: Draft, { parts, statistics }: Prepared): number[] {
  const [figure] = parts[0]!.figures;
  if (figure?.kind !== 'quotient') return [];
  return [draft.form('having', [[draft.slotOf(statistics[figure.denominator]!), 1n]], -1n)];
}

/** A comparison with p/q, multiplied by all denominators. */
function havingForm(draft: Draft, condition: Having): number {
  const { name, op, value } = condition;
  const field = `having.${name}`;
  const prepared = testedMeasure(condition, draft.checked.dataset);
  const [figure] = prepared.parts[0]!.figures;
  const isBelow = op === 'lt' || op === 'lte';
  const strict = op === 'gt' || op === 'lt' ? -1n : 0n;
  const sign = isBelow ? -1n : 1n;
  if (figure!.kind === 'sum') {
    const slot = draft.figure(name, figure!, prepared)[0]!;
    return draft.form(field, [[slot, sign * value.d]], -sign * value.n * prepared.unit! + strict);
  }
  assert(figure!.kind === 'quotient', 'a condition is on a sum or a quotient');
  const { numerator, denominator, exponent } = figure!;
  const power = 10n ** BigInt(Math.abs(exponent));
  const [up, down] = exponent < 0 ? [1n, power] : [power, 1n];
  const [over, under] = [numerator, denominator].map((at) => draft.slotOf(prepared.statistics[at]!));
  return draft.form(
    field,
    [
      [over!, sign * value.d * up],
      [under!, -sign * value.n * down],
    ],
    strict,
  );
}
