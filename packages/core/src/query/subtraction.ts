/**
 * What the figures of one job tell together: rows that are in the sums of one and not in those of another, and counts that
 * are parts of one whole.
 *
 *   P beside Q within P    sums of one column over P less those over Q are sums over the rows of P outside Q: these have
 *                          to be none or enough, or Q does not open; and so for counts of a condition and a stricter one
 *   counts of one column   where the sets do not overlap, what is withheld of them and what is in none have to be enough
 *                          together (protocols/secondary); where they do, every class of values that they tell apart has
 *                          to be empty or large enough, or none of them opens
 *
 * How many lack a value for a measure is told by its own n beside a count, and is not tested: it is no value of theirs.
 * All of it goes by the texts of the conditions; that two of them happen to be met by nearly the same people nobody can
 * see beforehand.
 * @module
 */
import { type Atom, atomsOf } from './atom.ts';
import { type CheckedJob, whereOf } from './check-job.ts';
import { type Condition, columnsOf } from './condition.ts';
import { notTrue } from './condition-complement.ts';
import { both, keyOf, type Part, type Prepared } from './measure/family.ts';

/** A part of a measure, by their places. */
interface PartRef {
  readonly measure: number;
  readonly part: number;
}

/** Counts of one column. */
export interface Whole {
  /** The parts that open each of the sets, one set after the other. */
  readonly sets: readonly (readonly PartRef[])[];
  readonly isOverlapping: boolean;
  /** Classes of values that the sets tell apart; those in no set are the last, where there may be any. */
  readonly atoms: readonly Condition[];
  /** The rows in no set; null where there are none. */
  readonly rest: Condition | null;
}

export interface Subtractions {
  /** `[measure][part]`: sets of rows, each of which has to be empty or large enough. */
  readonly gaps: readonly (readonly (readonly Condition[])[])[];
  readonly wholes: readonly Whole[];
}

export const noSubtractions = (measures: readonly Prepared[]): Subtractions => ({
  gaps: measures.map(({ parts }) => parts.map(() => [])),
  wholes: [],
});

/** Of all measures of a job, in the order that they are given in. */
export function subtractionsOf(checked: CheckedJob, measures: readonly (readonly [string, Prepared])[]): Subtractions {
  const sums = measures.map(([name, prepared]) => prepared.parts.map((part) => sumsOf(checked, name, prepared, part)));
  const all = sums.flat(2);
  const gaps = sums.map((parts) =>
    parts.map((own) => {
      const found = own.flatMap(({ what, rows }) =>
        all
          .filter((other) => other.what === what && isWithin(rows, other.rows))
          .flatMap((other) => {
            // What one leaves out of it, and what all leave out together: of several the overlaps can be told too.
            const within = all.filter((each) => each.what === what && isWithin(each.rows, other.rows));
            const sets = new Map(within.map((each) => [keyOf(each.rows), each.rows]));
            const parts: Condition[] = sets.size > 1 ? [rows, { kind: 'or', of: [...sets.values()] }] : [rows];
            return parts.map((part) => both(other.rows, notTrue(part, checked.dataset)));
          }),
      );
      return [...new Map(found.map((gap) => [keyOf(gap), gap])).values()];
    }),
  );
  return { gaps, wholes: measures.length > 1 || checked.having.length > 0 ? wholesOf(checked, measures) : [] };
}

/** A sum of a measure, or a count of a condition: what may be taken off another of its kind, and the rows it is over. */
interface Sum {
  readonly what: string;
  readonly rows: Condition;
}

function sumsOf({ job }: CheckedJob, name: string, { statistics }: Prepared, { rows, figures }: Part): Sum[] {
  const isCount = whereOf(job.measures[name]!) !== undefined;
  const products = figures.flatMap((figure) => {
    if (figure.kind === 'sum') return [statistics[figure.of]!.product];
    return figure.kind === 'quotient'
      ? [figure.numerator, figure.denominator].map((at) => statistics[at]!.product)
      : [];
  });
  const what = products.filter((product) => product.length > 0 || isCount).map((product) => product.join(' '));
  return [...new Set(what)].flatMap((each) => rows.map((own) => ({ what: each, rows: own })));
}

/** Whether a condition is a stricter form of another, by its text: all that the other asks for, and more. */
function isWithin(own: Condition, other: Condition): boolean {
  return asksFor(own, other) && !asksFor(other, own);
}

/** Whether all that the other asks for is asked for, of alternatives one at least. */
function asksFor(own: Condition, other: Condition): boolean {
  const asked = new Set(partsOf(own).map(keyOf));
  return partsOf(other).every(
    (part) => asked.has(keyOf(part)) || (part.kind === 'or' && part.of.some((branch) => asksFor(own, branch))),
  );
}

function partsOf(condition: Condition): readonly Condition[] {
  if (condition.kind === 'true') return [];
  return condition.kind === 'and' ? condition.of : [condition];
}

/** A count under a condition on one column, or a bin. */
interface Counted {
  readonly ref: PartRef;
  readonly where: Condition;
}

function wholesOf(checked: CheckedJob, measures: readonly (readonly [string, Prepared])[]): Whole[] {
  const byColumn = new Map<string, Counted[]>();
  for (const [measure, [name, { parts }]] of measures.entries()) {
    const asked = checked.job.measures[name]!;
    const isCount = whereOf(asked) !== undefined;
    if (!isCount && !(typeof asked === 'object' && 'histogram' in asked)) continue;
    for (const [part, { tested }] of parts.entries()) {
      const columns = columnsOf(tested[0]!);
      if (columns.length !== 1) continue;
      const counts = byColumn.get(columns[0]!) ?? [];
      counts.push({ ref: { measure, part }, where: tested[0]! });
      byColumn.set(columns[0]!, counts);
    }
  }
  return [...byColumn].flatMap(([column, counts]) => wholeOf(checked, column, counts));
}

function wholeOf({ where: filter, dataset }: CheckedJob, column: string, counts: readonly Counted[]): Whole[] {
  const atoms = atomsOf(
    column,
    counts.map(({ where }) => where),
    filter,
    dataset,
  );
  // Sets of the same values are one; what is empty by the job's own words hides nobody.
  const atomsIn = counts.map((): number[] => []);
  for (const [at, { holds }] of atoms.entries()) for (const count of holds) atomsIn[count]!.push(at);
  const sets = new Map<string, PartRef[]>();
  for (const [at, { ref }] of counts.entries()) {
    const values = atomsIn[at]!.join();
    if (values !== '') sets.set(values, [...(sets.get(values) ?? []), ref]);
  }
  // Of one set alone, the other side is tested by itself.
  if (sets.size < 2) return [];
  const setsAt = ({ holds }: Atom) => new Set(holds.map((count) => atomsIn[count]!.join())).size;
  return [
    {
      sets: [...sets.values()],
      isOverlapping: atoms.some((atom) => setsAt(atom) > 1),
      atoms: atoms.map(({ where }) => where),
      rest: atoms.find((atom) => setsAt(atom) === 0)?.where ?? null,
    },
  ];
}
