/**
 * From the opened totals to the answer: every cell finished exactly, and what too few people stand behind withheld.
 *
 * The threshold counts the people behind each measure: those with a value for it, the other side of a condition, every
 * bin of a histogram, both levels of a boolean. Someone may appear at several parties, or be counted once for each of
 * several, so what is compared is the least number of distinct people that the counts allow. A withheld number and an
 * empty one look the same. Here this is done by the analyst's own software; it is one function, so that it can move.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { CheckedJob } from './check-job.ts';
import type { Dataset, Value } from './dictionary.ts';
import type { GroupKey } from './group-key.ts';
import { headcount, preparedMeasures } from './local.ts';
import { keyOf, type MeasureValue } from './measure/family.ts';
import type { PrivacyReport } from './privacy-report.ts';
import type { LocalQuery } from './statistic.ts';

/** A cell of the answer: its groups' values, and every measure under its name. */
export type AnswerRow = Readonly<Record<string, Value | MeasureValue>>;

/** What the answer cost. */
export interface AnswerCost {
  readonly rounds: number;
  readonly bytesSent: number;
  readonly seconds: number;
}

export interface Answer {
  /** The job's id. */
  readonly job: string;
  readonly title: string;
  readonly status: 'DONE';
  readonly rows: readonly AnswerRow[];
  /** How the answer is protected; null for an exact one. */
  readonly privacy: PrivacyReport | null;
  /** How many numbers were withheld. */
  readonly suppressed: number;
  readonly threshold: number;
  readonly parties: readonly string[];
  readonly cost: AnswerCost | null;
  readonly receipts: readonly unknown[];
}

export interface Opened {
  readonly job: string;
  readonly checked: CheckedJob;
  readonly query: LocalQuery;
  /** `[statistic][cell]`, over all parties. */
  readonly totals: readonly (readonly bigint[])[];
  /** The least number of people behind a number that is shown; 0 where none is in force. */
  readonly threshold: number;
  readonly cost?: AnswerCost;
  readonly receipts?: readonly unknown[];
}

/** The answer, in the order of the dictionary's values. */
export function finishAnswer({ job, checked, query, totals, threshold, cost, receipts }: Opened): Answer {
  const places = new Map(query.statistics.map((statistic, at) => [keyOf(statistic), at]));
  const placeOf = (key: string): number => {
    const place = places.get(key);
    assert(place !== undefined, 'the totals hold every sum that a measure needs');
    return place;
  };
  const needed = BigInt(threshold) * appearances(checked.dataset, checked.parties.length);
  const measures = preparedMeasures(checked).map(([name, { statistics, tested, finish }]) => {
    const sums = statistics.map((statistic) => placeOf(keyOf(statistic)));
    const people = tested.map((where) => placeOf(keyOf(headcount(where, checked.dataset, query.ownParty))));
    return { name, sums, people, finish };
  });

  const finished = (cell: number): Map<string, MeasureValue> => {
    const at = (place: number): bigint => totals[place]![cell]!;
    return new Map(
      measures.map(({ name, sums, people, finish }) => {
        const shown = people.map((place) => at(place) >= needed);
        return [name, finish(sums.map(at), shown)];
      }),
    );
  };
  const rows = Array.from({ length: query.cells }, (_, cell): AnswerRow => {
    const values = finished(cell);
    const inOrder = Object.keys(checked.job.measures).map((name) => [name, values.get(name)!] as const);
    return Object.fromEntries([...groupValues(query.groups, cell), ...inOrder]);
  });
  return {
    job,
    title: checked.job.title ?? '',
    status: 'DONE',
    rows,
    privacy: null,
    suppressed: rows.reduce((count, row) => count + suppressedIn(row), 0),
    threshold,
    parties: checked.parties,
    cost: cost ?? null,
    receipts: receipts ?? [],
  };
}

/** At how many of the parties one person may be counted. */
export function appearances({ unit, max_parties_per_unit }: Dataset, parties: number): bigint {
  return unit === 'row' ? 1n : BigInt(Math.min(max_parties_per_unit, parties));
}

/** The last key varies fastest. */
export function groupValues(groups: readonly GroupKey[], cell: number): [string, Value][] {
  let rest = cell;
  const values = groups.toReversed().map(({ name, labels }): [string, Value] => {
    const value = labels[rest % labels.length]!;
    rest = Math.floor(rest / labels.length);
    return [name, value];
  });
  return values.toReversed();
}

export function suppressedIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  if ('suppressed' in value) return 1;
  return Object.values(value).reduce<number>((count, part) => count + suppressedIn(part), 0);
}
