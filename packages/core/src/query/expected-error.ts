/**
 * How far noise will move each measure, before anything is asked: no record is read for it.
 *
 * The noise is known beforehand, but what it does to a mean or a correlation depends on how many people there are. So
 * groups of some sizes are made up, their values spread evenly between the bounds of the dictionary, and each measure is
 * finished on them as on a real answer; half the width of its interval is the error to expect. A count or a sum has the
 * same error whatever the group.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { rational, toDecimal } from '../algebra/rational.ts';
import type { AnswerRow } from './answer.ts';
import type { CheckedJob } from './check-job.ts';
import { boundsOf, type Dataset, type ValueColumn } from './dictionary.ts';
import { evaluate } from './local.ts';
import { finishProtected } from './protected-answer.ts';
import { combine, type Protection } from './protection.ts';
import type { Raw, Row } from './record.ts';
import type { LocalQuery } from './statistic.ts';

/** People in a group, for each of which an error is stated. */
export const groupSizes = [100, 1_000, 10_000] as const;
/** So many rows are made up; larger groups are this one several times. */
const rowsMade = groupSizes[0];

/** Roots of these are as good as random to each other, so no two columns move together. */
const primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71];

export interface ExpectedError {
  /** Which number of the measure: empty for its value; `coefficients.income`; `bins`, the widest of them. */
  readonly figure: string;
  /** The half-width of its 95% interval in a group of each of `groupSizes`; null where the noise leaves nothing. */
  readonly error95: readonly (number | null)[];
}

/** By measure. */
export function expectedErrors(
  checked: CheckedJob,
  query: LocalQuery,
  protection: Protection,
): ReadonlyMap<string, readonly ExpectedError[]> {
  // One group, in which everybody is, and which is shown: the noise is the same in every other.
  const one: LocalQuery = { ...query, where: { kind: 'true' }, groups: [], cells: 1 };
  const all: CheckedJob = { ...checked, where: { kind: 'true' }, groups: [], cells: 1, having: [], top: null };
  // A group may be larger than a party's rows: it is that of all parties, or only made up.
  const releases = protection.releases.map((each) => ({ ...each, partMax: each.rowMax * BigInt(groupSizes.at(-1)!) }));
  // What is dithered lies as far off as what is rounded down; the values made up here can be rounded.
  const noise: Protection = { ...protection, releases, isDithered: false, layout: { ...protection.layout, cells: 1 } };
  const dataset: Dataset = { ...checked.dataset, unit: 'row', max_rows: rowsMade };
  const rows = Array.from({ length: rowsMade }, (_, at) => rowOf(dataset, one.columns, at + 1));
  const sums = evaluate(one, dataset, rows);
  const answers = groupSizes.map((size) => {
    const times = BigInt(size / rowsMade);
    const totals = combine(
      noise,
      sums.map((cells) => cells.map((sum) => sum * times)),
    );
    const given = { job: '00'.repeat(32), checked: all, query: one, protection: noise, totals };
    return finishProtected({ ...given, threshold: 0, round: 1, periods: {} }).rows[0]!;
  });
  return new Map(Object.keys(checked.job.measures).map((name) => [name, errorsOf(answers, name)]));
}

function errorsOf(answers: readonly AnswerRow[], name: string): ExpectedError[] {
  const widths = answers.map((row) => {
    const found = new Map<string, number>();
    collect(row[name], [], found);
    return found;
  });
  const figures = [...new Set(widths.flatMap((found) => [...found.keys()]))];
  return figures.map((figure) => ({ figure, error95: widths.map((found) => found.get(figure) ?? null) }));
}

/** Half-widths of all intervals in a measure; those of one list are one figure, the widest. */
function collect(value: unknown, path: readonly string[], found: Map<string, number>): void {
  if (typeof value !== 'object' || value === null) return;
  if (isInterval(value)) {
    const figure = path.filter((part) => part !== 'ci95').join('.');
    found.set(figure, Math.max(found.get(figure) ?? 0, (value[1] - value[0]) / 2));
  } else if (Array.isArray(value)) {
    for (const item of value) collect(item, path, found);
  } else {
    for (const [key, part] of Object.entries(value)) collect(part, [...path, key], found);
  }
}

function isInterval(value: object): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((bound) => typeof bound === 'number');
}

function rowOf(dataset: Dataset, columns: readonly string[], at: number): Row {
  return Object.fromEntries(
    columns.map((name, index) => {
      const root = Math.sqrt(primes[index % primes.length]!) * (1 + Math.floor(index / primes.length));
      return [name, valueAt(dataset.columns[name] as ValueColumn, (at * root) % 1)];
    }),
  );
}

/** The value that so large a part of the range lies below. */
function valueAt(column: ValueColumn, part: number): Raw {
  const { min, max } = boundsOf(column);
  const step = BigInt(Math.floor(part * 2 ** 52));
  const value = min + ((max - min + 1n) * step) / 2n ** 52n;
  switch (column.type) {
    case 'boolean':
      return value === 1n;
    case 'category':
      return column.values[Number(value)]!;
    case 'integer':
      return value;
    case 'decimal':
      return toDecimal(rational(value, 10n ** BigInt(column.scale)), { significant: 100 });
    case 'date': {
      const year = String(value).slice(0, 4);
      const day = `${year}-07-01`;
      assert(year.length === 4, 'a date has a year of four digits');
      return day < column.min ? column.min : day > column.max ? column.max : day;
    }
  }
}
