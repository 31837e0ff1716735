/**
 * What a plan says of a join: which two datasets are matched, on what, by whose permission, what each side shows the other,
 * and what it costs. From public texts alone, like the rest of the plan; the size classes only where they are known.
 * @module
 */
import type { CheckedJob } from './check-job.ts';
import type { CheckedJoin, CheckedSide } from './checked-join.ts';
import { type Condition, columnsOf } from './condition.ts';
import type { IdentifierColumn } from './dictionary.ts';
import { sideColumn } from './join-dataset.ts';
import type { SideName } from './join-query.ts';
import { classSize, setClassFor, setClassMax } from './set-class.ts';

export interface PlannedSide {
  readonly party: string;
  readonly dataset: string;
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
    rowsPerPerson: rowsPerKey,
    extraRows: dataset.extra_rows,
    isFiltered,
    setSize: setClass === undefined ? null : classSize(setClass),
  };
}

export interface JoinCost {
  readonly rounds: number;
  /** That one party sends. */
  readonly bytes: number;
  /** Of computing, at each of the two. */
  readonly seconds: number;
}

/** Bytes and microseconds that an element of the larger set takes, and each sum of it besides. */
const perElement = {
  hidden: 90,
  dealt: 45,
  revealed: 17,
  sum: 24,
  microseconds: { hidden: 45, dealt: 5, revealed: 4 },
};
/** Rounds of a hash table's equality tests, transfers and products; and of a match that is told to one side. */
const rounds = { hidden: 24, revealed: 4 };

/**
 * What the matching costs, before anything is decided on its sums: a rule of thumb from the sizes of both sets. A class
 * that is not known is taken to be that of the largest dataset the charter allows.
 */
export function costOfJoin({ join, helper }: CheckedJob, sums: number, classes: SetClasses): JoinCost {
  if (join === null) return { rounds: 0, bytes: 0, seconds: 0 };
  const sizes = (['left', 'right'] as const).map((side) => classSize(classes[side] ?? largestClass(join[side])));
  const elements = Math.max(...sizes);
  const kind = join.reveal !== null ? 'revealed' : helper === null ? 'hidden' : 'dealt';
  const bytes = elements * (perElement[kind] + (kind === 'revealed' ? 0 : sums * perElement.sum));
  const seconds = (elements * perElement.microseconds[kind]) / 1e6;
  return { rounds: kind === 'revealed' ? rounds.revealed : rounds.hidden, bytes, seconds };
}

function largestClass({ dataset }: CheckedSide): number {
  return dataset.max_rows > classSize(setClassMax) ? setClassMax : setClassFor(dataset.max_rows);
}
