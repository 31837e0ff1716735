/**
 * The same figures over the pooled records, as nobody but a demo or a test can compute them: all parties' files read into
 * one table, or those of a join's two sides joined on the identifier, and plain SQL over it. No part of it is shared with the
 * road that data takes otherwise.
 *
 * Rows have the form of an answer's, what too few people stand behind withheld by the same threshold, so that the two can
 * be laid side by side: the same groups, the same rounding. Of a protected job they are all its groups. Files are trusted
 * here: each person has one row, as in the demo's records, and in a join no more than the charter allows.
 * @module
 */
import type { Charter } from '@folkmoot/core/charter.js';
import { type Dataset, labelsOf, type Value } from '@folkmoot/core/dictionary.js';
import type { Job } from '@folkmoot/core/job.js';
import { inMemory } from '@folkmoot/node/in-memory.js';
import { column, type Figure, figureOf } from './pooled-figures.ts';
import { joinedDataset, joinedSql, onePair, personColumn } from './pooled-join.ts';
import type { Cell } from './pooled-numbers.ts';
import { tableSql, text } from './pooled-table.ts';

export interface PooledQuestion {
  readonly job: Job;
  readonly charter: Charter;
  /** Whose party's people do not count toward the threshold, where the analyst has one. */
  readonly analyst: string;
  /** A folder with a folder a party, each with a node.yaml that names a file. */
  readonly folder: string;
  readonly threshold: number;
  /** What counts, sums and bins are rounded to. */
  readonly round?: number | undefined;
}

export interface PooledAnswer {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

export async function pooledAnswer({
  job,
  charter,
  analyst,
  folder,
  threshold,
  round = 1,
}: PooledQuestion): Promise<PooledAnswer> {
  const { dataset, sql, person, appearances } =
    job.join === undefined ? await pooled(job, charter, folder) : await joined(job.join, charter, folder);
  const own = job.join === undefined ? charter.analysts[analyst]?.party : undefined;
  const keys = (job.group_by ?? []).map((name) => keyOf(name, dataset));
  const form = { alone: job.open === 'ratio', round };
  const shownFigures = Object.entries(job.measures).map(([name, measure]): Named => {
    return { name, ...figureOf(measure, dataset, whereSql, form) };
  });
  const conditions = job.privacy === undefined ? Object.entries(job.having ?? {}) : [];
  const tested = conditions.map(([name, test]): Named => {
    return { name, ...figureOf(test.of ?? job.measures[name]!, dataset, whereSql, form) };
  });
  const top = job.privacy === undefined ? job.top : undefined;
  const ranked = (top === undefined ? [] : [top.by]).map((name): Named => {
    return { name, ...figureOf(job.measures[name]!, dataset, whereSql, { alone: true, round }) };
  });
  const figures = [...shownFigures, ...tested, ...ranked];
  const counted = own === undefined ? 'TRUE' : `party <> ${text(own)}`;
  const expressions = figures.flatMap(({ aggregates, people }) => [
    ...aggregates,
    ...people.map((condition) => `${person} FILTER (WHERE (${condition}) AND ${counted})`),
  ]);
  const needed = threshold * appearances;
  const isTotal = job.total === true;

  const groups = await inMemory(async (run) => {
    // Matches that are revealed are people: of each one pair that meets the conditions stands for them all.
    const rows = job.reveal === undefined ? sql : onePair(sql, whereSql(job.where));
    await run(`CREATE TABLE pooled AS ${rows}`);
    const found: Group[] = [];
    const places = combinations(keys.map(({ labels }) => labels.map((label) => [label])));
    for (const values of isTotal ? [...places, keys.map(({ labels }) => labels)] : places) {
      const group = keys.map(({ sql }, at) => `${sql} IN (${values[at]!.map(literal).join(', ')})`);
      const all = [whereSql(job.where), ...group].map((condition) => `(${condition})`).join(' AND ');
      const selected = expressions.map((expression) => `CAST(${expression} AS VARCHAR)`).join(', ');
      const [cells] = await run(`SELECT ${selected} FROM pooled WHERE ${all}`);
      found.push(groupOf(values, cells as readonly Cell[]));
    }
    return found;
  });
  if (isTotal) withholdGroup(groups.slice(0, -1), needed);
  const held = groups.filter((group) =>
    conditions.every(([name, test]) => holds(test, group.value(tested.find((figure) => figure.name === name)!))),
  );
  const chosen = top === undefined ? held : greatest(held, ranked[0]!, top.count);
  return { rows: chosen.map(({ row }) => row()) };

  function groupOf(values: readonly (readonly Value[])[], cells: readonly Cell[]): Group {
    const own = new Map<Named, { cells: readonly Cell[]; counts: number[]; shown: boolean[] }>();
    let from = 0;
    for (const figure of figures) {
      const split = from + figure.aggregates.length;
      const end = split + figure.people.length;
      let counts = cells.slice(split, end).map(Number);
      const shown = counts.map((count) => count >= needed);
      const { ranges } = figure;
      if (ranges !== undefined && (isTotal || shownFigures.length > 1)) {
        const filter = (job.where?.[ranges.of] ?? {}) as Filter;
        const column = dataset.columns[ranges.of] as { readonly min: Value; readonly max: Value };
        const bounds: Filter = { gte: Number(column.min), lte: Number(column.max) };
        const mayHold = ranges.parts.map(
          ([start, end]) => ![filter, bounds].some((each) => isOutside(each, start, end)),
        );
        if (isTotal) {
          // A table is shown whole or not.
          shown.fill(shown.every((isShown, at) => isShown || !mayHold[at]));
          counts = counts.filter((_, at) => mayHold[at]);
        } else withholdAnother(counts, { shown, needed, mayHold });
      }
      own.set(figure, { cells: cells.slice(from, split), counts, shown });
      from = end;
    }
    const finished = (figure: Named) => figure.finish(own.get(figure)!.cells, own.get(figure)!.shown);
    return {
      // One order, whatever order the job was written in.
      people: [...shownFigures].sort((a, b) => (a.name < b.name ? -1 : 1)).map((figure) => own.get(figure)!),
      value: (figure) => (finished(figure) as { value: number | null }).value,
      row: () => {
        const key = keys.map(({ name }, at) => [name, values[at]!.length === 1 ? values[at]![0]! : null] as const);
        return Object.fromEntries([...key, ...shownFigures.map((figure) => [figure.name, finished(figure)] as const)]);
      },
    };
  }
}

/** What a question is about: its rows, how people among them are counted, and at how many parties each may stand. */
interface About {
  readonly dataset: Dataset;
  readonly sql: string;
  readonly person: string;
  readonly appearances: number;
}

async function pooled(job: Job, charter: Charter, folder: string): Promise<About> {
  const dataset = charter.datasets[job.from!]!;
  const parties = job.parties ?? dataset.held_by;
  const tables = await Promise.all(parties.map((party) => tableSql(party, dataset, folder)));
  const appearances = dataset.unit === 'row' ? 1 : Math.min(dataset.max_parties_per_unit, parties.length);
  return { dataset, sql: tables.join(' UNION ALL '), person: 'count(*)', appearances };
}

/** Of a join all people count, those of the analyst's own party too: a row is a pair, and a person all pairs of one key. */
async function joined(join: NonNullable<Job['join']>, charter: Charter, folder: string): Promise<About> {
  const dataset = joinedDataset(join, charter);
  return {
    dataset,
    sql: await joinedSql(join, charter, folder),
    person: `count(DISTINCT ${column(personColumn)})`,
    appearances: 1,
  };
}

type Named = Figure & { readonly name: string };

interface Group {
  /** Of each figure that is shown, in one order: how many people stand behind it, and whether they are enough. */
  readonly people: readonly { readonly counts: readonly number[]; readonly shown: boolean[] }[];
  /** The value of a plain figure; null where it is withheld or there is none. */
  value(figure: Named): number | null;
  row(): Readonly<Record<string, unknown>>;
}

/** Under their total: where too few people are withheld of any figure, the smallest group that is shown whole closes. */
function withholdGroup(groups: readonly Group[], needed: number): void {
  const isShort = groups[0]!.people.some((first, figure) => {
    const withheld = groups.filter(({ people }) => people[figure]!.shown.includes(false));
    if (withheld.length === 0) return false;
    const reached = first.counts.map((_, at) =>
      withheld.reduce((sum, { people }) => sum + people[figure]!.counts[at]!, 0),
    );
    return Math.min(...reached) < needed;
  });
  if (!isShort) return;
  const open = groups.filter(({ people }) => people.every(({ shown }) => !shown.includes(false)));
  const size = ({ people }: Group): number => people[0]!.counts[0]!;
  const closing =
    open.length === 0 ? groups : [open.reduce((best, group) => (size(group) < size(best) ? group : best))];
  for (const { people } of closing) for (const { shown } of people) shown.fill(false);
}

type Test = NonNullable<Job['having']>[string];

function holds({ gt, gte, lt, lte, between }: Test, value: number | null): boolean {
  if (value === null) return false;
  const isWithin = between === undefined || (value >= Number(between[0]) && value <= Number(between[1]));
  const isAbove = (gt === undefined || value > Number(gt)) && (gte === undefined || value >= Number(gte));
  const isBelow = (lt === undefined || value < Number(lt)) && (lte === undefined || value <= Number(lte));
  return isWithin && isAbove && isBelow;
}

/** Of equal ones the first, which sorting keeps; in the order that they had. */
function greatest(groups: readonly Group[], by: Named, count: number): Group[] {
  const valued = groups.filter((group) => group.value(by) !== null);
  const best = new Set(valued.toSorted((a, b) => b.value(by)! - a.value(by)!).slice(0, count));
  return groups.filter((group) => best.has(group));
}

interface Parts {
  readonly shown: boolean[];
  readonly needed: number;
  /** Whether the job's own filter and the bounds of the column leave anyone in a part. */
  readonly mayHold: readonly boolean[];
}

/** Other figures tell the whole: where too few people are withheld of it, the smallest part shown is withheld too. */
function withholdAnother(counts: readonly number[], { shown, needed, mayHold }: Parts): void {
  // Below and above all bins come last.
  const parts = [...counts.keys()].slice(1, -1).concat(0, counts.length - 1);
  const withheld = parts.filter((at) => mayHold[at] && !shown[at]);
  const others = parts.filter((at) => shown[at]);
  if (withheld.length === 0 || others.length === 0) return;
  if (withheld.reduce((sum, at) => sum + counts[at]!, 0) >= needed) return;
  shown[others.reduce((best, at) => (counts[at]! < counts[best]! ? at : best))] = false;
}

interface Filter {
  readonly gte?: number;
  readonly gt?: number;
  readonly lte?: number;
  readonly lt?: number;
  readonly between?: readonly [number, number];
}

/** Whether the outermost tests of a filter leave nothing from `start` to below `end`. */
function isOutside({ gte, gt, lte, lt, between }: Filter, start: number, end: number): boolean {
  const low = Math.max(gte ?? -Infinity, gt ?? -Infinity, between?.[0] ?? -Infinity);
  const high = Math.min(lte ?? Infinity, lt ?? Infinity, between?.[1] ?? Infinity);
  // Above all bins begins behind the last edge, which is its bin's.
  return low >= end || high < start || (end === Infinity && high === start);
}

interface Key {
  readonly name: string;
  readonly sql: string;
  readonly labels: readonly Value[];
}

function keyOf(name: string, dataset: Dataset): Key {
  const [, dated] = /^year\((.+)\)$/.exec(name) ?? [];
  const labels = labelsOf(dataset.columns[dated ?? name]!, dated === undefined ? 'value' : 'year');
  return { name, sql: fieldSql(name), labels: labels ?? [] };
}

/** All of them, the last varying fastest. */
function combinations<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((made, list) => made.flatMap((few) => list.map((value) => [...few, value])), [[]]);
}

function fieldSql(name: string): string {
  const [, dated] = /^year\((.+)\)$/.exec(name) ?? [];
  return dated === undefined ? column(name) : `year(${column(dated)})`;
}

/** Booleans stand as 0 and 1 in the table. */
function literal(value: Value): string {
  return typeof value === 'string' ? text(value) : String(Number(value));
}

const symbols: Readonly<Record<string, string>> = { eq: '=', ne: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' };

function whereSql(where: unknown): string {
  const parts = Object.entries((where ?? {}) as Readonly<Record<string, unknown>>).map(([key, test]) => {
    if (key === 'any') return (test as unknown[]).map((branch) => `(${whereSql(branch)})`).join(' OR ');
    if (key === 'not') return `NOT (${whereSql(test)})`;
    const tests = Object.entries(test as Readonly<Record<string, unknown>>);
    return tests.map(([operator, operand]) => testSql(key, operator, operand)).join(' AND ');
  });
  return parts.length === 0 ? 'TRUE' : parts.map((part) => `(${part})`).join(' AND ');
}

function testSql(name: string, operator: string, operand: unknown): string {
  const values = (Array.isArray(operand) ? operand : [operand]).map((value: Value) => literal(value));
  const field = fieldSql(name);
  if (operator === 'is_null') return `${column(`${name}?`)} = ${operand === true}`;
  if (operator === 'between') return `${field} BETWEEN ${values[0]} AND ${values[1]}`;
  if (operator === 'in') return `${field} IN (${values.join(', ')})`;
  return `${field} ${symbols[operator]} ${values[0]}`;
}
