/**
 * The disclosure of an exact job: what its measures, its `having` and the strictest of all rules make of it together.
 * @module
 */
import type { CheckedJob } from './check-job.ts';
import { type Condition, columnsOf } from './condition.ts';
import { isEmptyByItself } from './condition-range.ts';
import type { DisclosedMeasure, DisclosedPart, Disclosure, Partition, Slot } from './disclosure.ts';
import { type CrowdForm, Draft } from './disclosure-draft.ts';
import type { Part, Prepared } from './measure/family.ts';
import { contributedSums, openedMeasures, openedSubtractions } from './prepared.ts';
import { rowRule } from './row-rule.ts';
import type { LocalQuery } from './statistic.ts';
import type { Strictness } from './strictness.ts';
import type { Subtractions, Whole } from './subtraction.ts';

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
  const opened = openedMeasures(checked);
  const subtractions = openedSubtractions(checked, opened, strictness);
  const measures = checked.total
    ? discloseTogether(draft, parts, opened, subtractions)
    : opened.map(([name, prepared], at) => discloseMeasure(draft, parts, { name, prepared, at, subtractions }));
  const rows = rowRule(draft, new Map(measures.map(({ name, parts: own }) => [name, own.map(({ part }) => part)])));
  const apart = checked.total ? [] : subtractions.wholes.filter(({ isOverlapping }) => !isOverlapping);
  const partitions = apart.map((whole) => partitionOf(draft, whole, opened, measures));
  for (const { crowds } of partitions) draft.checkCrowds(crowds, crowds.length);
  if (checked.total) for (const { crowds } of parts.all()) draft.checkCrowds(crowds, query.cells);
  return { ...draft.found(), parts: parts.all(), partitions, rows, measures };
}

interface Opened {
  readonly name: string;
  readonly prepared: Prepared;
  /** The measure's place among all. */
  readonly at: number;
  readonly subtractions: Subtractions;
}

function discloseMeasure(draft: Draft, all: Parts, { name, prepared, at, subtractions }: Opened): DisclosedMeasure {
  const overlappingAt = (place: number) =>
    subtractions.wholes.filter(({ isOverlapping, sets }) => {
      return isOverlapping && sets.some((refs) => refs.some((ref) => ref.measure === at && ref.part === place));
    });
  const parts = prepared.parts.map((part, place) => {
    const overlapping = overlappingAt(place);
    const gaps = [subtractions.gaps[at]![place]!, ...overlapping.map(({ atoms }) => atoms)];
    return all.place({
      people: draft.threshold === 0 ? [] : part.tested.map((where) => draft.crowd(where)),
      dominance: contributedSums(prepared, part, draft.checked.dataset).flatMap((sum) => draft.dominance(name, sum)),
      gaps: gaps.flatMap((conditions) => draft.gaps(conditions) ?? []),
      slots: part.figures.flatMap((figure) => draft.figure(name, figure, prepared)),
    });
  });
  return { name, finish: prepared.finish, parts };
}

/**
 * Under a total over the groups, a group's figures open all or none: what two measures withhold in different groups would
 * give each other away through the totals.
 */
function discloseTogether(
  draft: Draft,
  all: Parts,
  opened: readonly (readonly [string, Prepared])[],
  { gaps, wholes }: Subtractions,
): DisclosedMeasure[] {
  const { checked, threshold } = draft;
  const { dataset } = checked;
  const tested = opened.flatMap(([, { parts }]) => parts.flatMap((part) => part.tested));
  const filled = tested.filter((where) => !isEmpty(checked, where));
  // Where all of it is empty by the job's own words, all of it is tested: a part without a crowd has nothing to go by.
  const people = filled.length > 0 ? filled : tested;
  const conditions = {
    people: threshold === 0 ? [] : people.map((where) => draft.crowd(where)),
    dominance: opened.flatMap(([name, prepared]) =>
      prepared.parts.flatMap((part) =>
        contributedSums(prepared, part, dataset).flatMap((sum) => draft.dominance(name, sum)),
      ),
    ),
    gaps: [draft.gaps([...gaps.flat(2), ...wholes.flatMap(({ atoms }) => atoms)]) ?? []].flat(),
  };
  return opened.map(([name, prepared]) => {
    const slots = prepared.parts.map(({ figures }) =>
      figures.flatMap((figure) => draft.figure(name, figure, prepared)),
    );
    const placed = all.place({ ...conditions, slots: slots.flat() });
    const finish: Prepared['finish'] = ([numbers]) => {
      let start = 0;
      return prepared.finish(
        slots.map(({ length }) => {
          start += length;
          return numbers == null ? null : numbers.slice(start - length, start);
        }),
      );
    };
    return { name, finish, parts: [placed] };
  });
}

/** Whether nobody can be among the people by the job's own words. */
function isEmpty({ where, dataset }: CheckedJob, tested: Condition): boolean {
  const [column, other] = columnsOf(tested);
  return column !== undefined && other === undefined && isEmptyByItself(column, [where, tested], dataset);
}

function partitionOf(
  draft: Draft,
  { sets, rest }: Whole,
  opened: readonly (readonly [string, Prepared])[],
  measures: readonly DisclosedMeasure[],
): Partition {
  const testedOf = ({ measure, part }: Whole['sets'][number][number]): Part => opened[measure]![1].parts[part]!;
  const people = sets.map((refs) => testedOf(refs[0]!).tested[0]!);
  return {
    sets: sets.map((refs) => [...new Set(refs.map(({ measure, part }) => measures[measure]!.parts[part]!.part))]),
    crowds: [...people, ...(rest === null ? [] : [rest])].map((where) => draft.crowd(where).crowd),
    hasRest: rest !== null,
  };
}

interface Conditions {
  readonly people: readonly CrowdForm[];
  readonly dominance: readonly number[];
  readonly gaps: readonly number[];
  readonly slots: readonly Slot[];
}

/** The parts of all measures: those of several measures with the same conditions are one. */
class Parts {
  readonly #parts: Omit<DisclosedPart, 'slots'>[] = [];
  readonly #places = new Map<string, number>();
  /** Of each part, where a slot stands in it. */
  readonly #slots: Map<Slot, number>[] = [];

  all(): readonly DisclosedPart[] {
    return this.#parts.map((part, place) => ({ ...part, slots: [...this.#slots[place]!.keys()] }));
  }

  /** A part of these conditions, and where its numbers stand in it. */
  place({ people, dominance, gaps, slots }: Conditions) {
    const forms = [...new Set(people.map(({ form }) => form))];
    const sorted = (places: readonly number[]) => [...new Set(places)].sort((a, b) => a - b);
    const key = [forms, dominance, gaps].map(sorted).join(' ');
    const place = this.#places.get(key) ?? this.#parts.length;
    this.#places.set(key, place);
    this.#parts[place] ??= {
      people: forms,
      dominance: sorted(dominance),
      gaps: sorted(gaps),
      crowds: forms.map((form) => people.find((each) => each.form === form)!.crowd),
    };
    this.#slots[place] ??= new Map();
    const known = this.#slots[place];
    for (const slot of slots) if (!known.has(slot)) known.set(slot, known.size);
    return { part: place, at: slots.map((slot) => known.get(slot)!) };
  }
}
