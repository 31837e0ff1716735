/**
 * The disclosure of an exact job: what its measures, its `having` and the strictest of all rules make of it together.
 * @module
 */
import type { CheckedJob } from './check-job.ts';
import type { DisclosedMeasure, DisclosedPart, Disclosure, Slot } from './disclosure.ts';
import { type CrowdForm, Draft } from './disclosure-draft.ts';
import type { Part, Prepared } from './measure/family.ts';
import { partitionsOf } from './partition.ts';
import { contributedSums, openedMeasures } from './prepared.ts';
import { rowRule } from './row-rule.ts';
import type { LocalQuery } from './statistic.ts';
import type { Strictness } from './strictness.ts';

export interface DiscloseOptions {
  readonly checked: CheckedJob;
  readonly query: LocalQuery;
  readonly strictness: Strictness;
}

/**
 * @throws InputError OVERFLOW, naming the measure whose numbers do not fit what circuits compare; NOT_SUPPORTED
 */
export function disclose({ checked, query, strictness }: DiscloseOptions): Disclosure {
  const draft = new Draft(checked, query, strictness);
  const parts = new Parts();
  const measures = openedMeasures(checked, strictness).map(([name, prepared]) =>
    discloseMeasure(draft, parts, name, prepared),
  );
  const rows = rowRule(draft);
  return {
    ...draft.found(),
    parts: parts.all(),
    // Under a total, tables open whole; see below.
    partitions: draft.threshold === 0 || checked.total ? [] : partitionsOf(checked, measures),
    rows,
    measures,
  };
}

function discloseMeasure(draft: Draft, all: Parts, name: string, prepared: Prepared): DisclosedMeasure {
  const { total, dataset } = draft.checked;
  // Under a total, bins of one group and groups of one bin would tell of each other: a table opens whole or not.
  const isWhole = total && prepared.parts.length > 1;
  const parts = isWhole ? [together(prepared.parts)] : prepared.parts;
  const placed = parts.map((part) => {
    const people = draft.threshold === 0 ? [] : part.tested.map((where) => draft.crowd(where));
    const dominance = contributedSums(prepared, part, dataset).flatMap((sum) => draft.dominance(name, sum));
    const slots = part.figures.flatMap((figure) => draft.figure(name, figure, prepared));
    return all.place(people, dominance, slots);
  });
  if (!isWhole) return { name, finish: prepared.finish, parts: placed };
  const finish: Prepared['finish'] = ([opened]) =>
    prepared.finish(prepared.parts.map((_, at) => (opened == null ? null : [opened[at]!])));
  return { name, finish, parts: placed };
}

function together(parts: readonly Part[]): Part {
  return { tested: parts.flatMap(({ tested }) => tested), figures: parts.flatMap(({ figures }) => figures) };
}

/** The parts of all measures: those of several measures with the same conditions are one. */
class Parts {
  readonly #parts = new Map<string, { -readonly [K in keyof DisclosedPart]: DisclosedPart[K] }>();

  all(): DisclosedPart[] {
    return [...this.#parts.values()];
  }

  /** A part of these conditions, and where its numbers stand in it. */
  place(people: readonly CrowdForm[], dominance: readonly number[], slots: readonly Slot[]) {
    const forms = [...new Set(people.map(({ form }) => form))];
    const key = `${[...forms].sort((a, b) => a - b)} ${[...dominance].sort((a, b) => a - b)}`;
    const known = this.#parts.get(key);
    const crowds = forms.map((form) => people.find((each) => each.form === form)!.crowd);
    const part = known ?? { people: forms, dominance: [...new Set(dominance)], crowds, slots: [] };
    this.#parts.set(key, part);
    part.slots = [...new Set([...part.slots, ...slots])];
    return { part: [...this.#parts.keys()].indexOf(key), at: slots.map((slot) => part.slots.indexOf(slot)) };
  }
}
