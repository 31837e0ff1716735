/**
 * What a plan says of a join: which two datasets are matched, on what, by whose permission, what each side shows the other,
 * and what it costs. From public texts alone, like the rest of the plan; the size classes only where they are known.
 * @module
 */
import type { CheckedJoin, CheckedSide } from './checked-join.ts';
import { type Condition, columnsOf } from './condition.ts';
import type { IdentifierColumn } from './dictionary.ts';
import { sideColumn } from './join-dataset.ts';
import type { SideName } from './join-query.ts';
import { classSize, setClassFor, setClassMax } from './set-class.ts';

export interface PlannedSide {
  readonly party: string;
  readonly dataset: string;
  /** What tells persons apart there, elsewhere than in this join: an identifier, or `row`. */
  readonly unit: string;
  /** Rows of one person that count, and what becomes of more. */
  readonly rowsPerPerson: number;
  readonly extraRows: 'refuse' | 'keep_first';
  /** The job leaves out some of its rows. */
  readonly isFiltered: boolean;
  /** Elements of the set that is matched, padding included: all that the other side sees. Null where it is not known yet. */
  readonly setSize: number | null;
}

export interface PlannedJoin {
  readonly left: PlannedSide;
  readonly right: PlannedSide;
  /** The identifier that people are matched on, and the form in which it is compared. */
  readonly on: string;
  readonly normalise: NonNullable<IdentifierColumn['normalise']> | null;
  readonly check: NonNullable<IdentifierColumn['check']> | null;
  /** By whose word in the charter. */
  readonly permission: { readonly permittedBy: string; readonly reference: string | null };
  /** `matches`: the left party learns which of its people the right one has too. */
  readonly reveal: CheckedJoin['reveal'];
}

/** Of the two sides, as far as they are known. */
export type SetClasses = Readonly<Partial<Record<SideName, number>>>;

export function planJoin(
  { left, right, permission, reveal }: CheckedJoin,
  where: Condition,
  classes: SetClasses,
): PlannedJoin {
  const filtered = new Set(columnsOf(where).map((name) => sideColumn(name)?.side));
  const { normalise = null, check = null } = left.dataset.columns[left.key] as IdentifierColumn;
  return {
    left: planSide(left, filtered.has('left'), classes.left),
    right: planSide(right, filtered.has('right'), classes.right),
    on: left.key,
    normalise,
    check,
    permission: { permittedBy: permission.permitted_by, reference: permission.reference ?? null },
    reveal,
  };
}

function planSide(
  { party, dataset, rowsPerKey }: CheckedSide,
  isFiltered: boolean,
  setClass: number | undefined,
): PlannedSide {
  return {
    party,
    dataset: dataset.name,
    unit: dataset.unit,
    rowsPerPerson: rowsPerKey,
    extraRows: dataset.extra_rows,
    isFiltered,
    setSize: setClass === undefined ? null : classSize(setClass),
  };
}

/** A class that is not known is taken to be that of the largest dataset the charter allows. */
export function assumedClasses({ left, right }: CheckedJoin, classes: SetClasses): Readonly<Record<SideName, number>> {
  return { left: classes.left ?? largestClass(left), right: classes.right ?? largestClass(right) };
}

function largestClass({ dataset }: CheckedSide): number {
  return dataset.max_rows > classSize(setClassMax) ? setClassMax : setClassFor(dataset.max_rows);
}
