/**
 * From what was opened to the answer: every measure finished exactly, from the numbers of its own parts.
 *
 * What is withheld was never opened, here or anywhere: it arrives as zeros and a bit that says so. A withheld number and
 * an empty one look the same.
 * @module
 */
import type { CheckedJob } from './check-job.ts';
import type { Value } from './dictionary.ts';
import type { Disclosure } from './disclosure.ts';
import type { GroupKey } from './group-key.ts';
import type { MeasureValue } from './measure/family.ts';
import { placesOf, readOpened } from './opened.ts';
import type { PrivacyReport } from './privacy-report.ts';

/** A cell of the answer: its groups' values (null in the total over all groups), and every measure under its name. */
export type AnswerRow = Readonly<Record<string, Value | null | MeasureValue>>;

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
  /** How many groups did not open, where the job chooses among them. */
  readonly left_out?: number;
  readonly threshold: number;
  /** What figures were rounded to, where they were. */
  readonly round?: number;
  readonly parties: readonly string[];
  /** Who dealt the correlated randomness, where somebody did. */
  readonly helper?: string;
  readonly cost: AnswerCost | null;
  readonly receipts: readonly unknown[];
}

export interface Opened {
  readonly job: string;
  readonly checked: CheckedJob;
  readonly disclosure: Disclosure;
  /** `[column][place]`, as `openedLayout` has them. */
  readonly opened: readonly (readonly bigint[])[];
  /** What figures were rounded to; 1 where they were not. */
  readonly round: number;
  readonly cost?: AnswerCost;
  readonly receipts?: readonly unknown[];
}

/** The answer, in the order of the dictionary's values; the total over all groups comes last. */
export function finishAnswer({ job, checked, disclosure, opened, round, cost, receipts }: Opened): Answer {
  const { helper, groups } = checked;
  const rows: AnswerRow[] = [];
  const read = readOpened(disclosure, opened);
  for (let place = 0; place < placesOf(disclosure); place++) {
    const { isOpen, parts } = read(place);
    if (!isOpen) continue;
    const values = new Map(
      disclosure.measures.map(({ name, finish, parts: own }): [string, MeasureValue] => {
        const numbers = own.map(({ part, at }) => parts[part] && at.map((slot) => parts[part]![slot]!));
        return [name, finish(numbers.map((each) => each ?? null))];
      }),
    );
    const inOrder = Object.keys(checked.job.measures).map((name) => [name, values.get(name)!] as const);
    const keys =
      place < disclosure.groups ? groupValues(groups, place) : groups.map(({ name }) => [name, null] as const);
    rows.push(Object.fromEntries([...keys, ...inOrder]));
  }
  return {
    job,
    title: checked.job.title ?? '',
    status: 'DONE',
    rows,
    privacy: null,
    suppressed: rows.reduce((count, row) => count + suppressedIn(row), 0),
    ...(disclosure.rows === null ? {} : { left_out: placesOf(disclosure) - rows.length }),
    threshold: disclosure.threshold,
    ...(round === 1 ? {} : { round }),
    parties: checked.parties,
    ...(helper === null ? {} : { helper }),
    cost: cost ?? null,
    receipts: receipts ?? [],
  };
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
