/**
 * What a join means under a charter: whose records are matched with whose, on what, and by whose permission.
 *
 * Pure functions of public texts, like all of check-job.ts. What a join cannot do is refused here by name, the same for
 * whatever the records hold.
 * @module
 */
import { InputError, PolicyError } from '../channel/errors.ts';
import type { Charter } from './charter.ts';
import type { CheckedJoin, CheckedSide } from './checked-join.ts';
import { type Condition, columnsOf } from './condition.ts';
import { columnOf, type Dataset, type IdentifierColumn } from './dictionary.ts';
import { cellsOf, type GroupKey } from './group-key.ts';
import { testedOnly } from './having.ts';
import type { Job, Operation } from './job.ts';
import { sideColumn } from './join-dataset.ts';
import type { SideName } from './join-query.ts';
import { measureUses } from './measures.ts';
import { listed, lookUp } from './name.ts';
import { protectedDataset } from './protection.ts';
import type { Strictness } from './strictness.ts';

type Join = NonNullable<Job['join']>;

/** Every cell of a join costs time and bytes for every element of both sets. */
const joinCellsMax = 1_000;
/** Each row of a key is one more slot of every element, padding included. */
const rowsPerKeyMax = 100;

/**
 * The sides, and the permission to match them.
 * @throws InputError UNKNOWN_PARTY, UNKNOWN_DATASET, NOT_HELD, DUPLICATE_PARTY, UNKNOWN_COLUMN, WRONG_TYPE, KEYS_DIFFER,
 *   SENSITIVITY_UNKNOWN, NOT_SUPPORTED, BAD_VALUE, each naming the field
 * @throws PolicyError NO_MATCHING
 */
export function checkSides(job: Job, join: Join, charter: Charter): CheckedJoin {
  const isProtected = job.privacy !== undefined;
  const left = sideOf('left', join, charter, isProtected);
  const right = sideOf('right', join, charter, isProtected);
  if (left.party === right.party) {
    throw new InputError('DUPLICATE_PARTY', {
      field: 'join.right.party',
      detail: left.party,
      remedy: 'join datasets of two parties; of its own records each party can ask by itself',
    });
  }
  checkNamed(job.parties, [left.party, right.party]);
  checkForms(join.on, left, right);
  return { left, right, permission: permissionOf(join.on, left, right, charter), reveal: revealOf(job) };
}

function sideOf(name: SideName, join: Join, charter: Charter, isProtected: boolean): CheckedSide {
  const { party, dataset: datasetName } = join[name];
  const at = `join.${name}`;
  if (lookUp(charter.parties, party) === undefined) {
    throw new InputError('UNKNOWN_PARTY', { field: `${at}.party`, detail: among(party, charter.parties) });
  }
  const declared = lookUp(charter.datasets, datasetName);
  if (declared === undefined) {
    throw new InputError('UNKNOWN_DATASET', { field: `${at}.dataset`, detail: among(datasetName, charter.datasets) });
  }
  if (!declared.held_by.includes(party)) {
    throw new InputError('NOT_HELD', {
      field: `${at}.dataset`,
      detail: `${party} does not hold \`${datasetName}\``,
      remedy: `name a dataset that ${party} holds, or one of ${listed(declared.held_by)}`,
    });
  }
  keyOf(declared, join.on);
  const rowsPerKey = rowsPerKeyOf(declared, join.on, isProtected);
  return { party, dataset: isProtected ? protectedDataset(declared) : declared, key: join.on, rowsPerKey };
}

function among(name: string, all: Readonly<Record<string, unknown>>): string {
  return `\`${name}\` is not among ${listed(Object.keys(all).sort().slice(0, 12))}`;
}

function keyOf(dataset: Dataset, on: string): IdentifierColumn {
  const column = columnOf(dataset, on, 'join.on');
  if (column.type === 'identifier') return column;
  throw new InputError('WRONG_TYPE', {
    field: 'join.on',
    detail: `in \`${dataset.name}\` it is of type ${column.type}; people are matched on an identifier`,
  });
}

/** How many rows of one person count. Under protection it has to be declared: the noise is made for it. */
function rowsPerKeyOf(dataset: Dataset, on: string, isProtected: boolean): number {
  const isUnit = dataset.unit === on;
  const declared = isUnit ? dataset.max_rows_per_unit : keyOf(dataset, on).max_rows_per_key;
  const field = `datasets.${dataset.name}.${isUnit ? 'max_rows_per_unit' : `columns.${on}.max_rows_per_key`}`;
  if (declared === undefined && isProtected) {
    throw new InputError('SENSITIVITY_UNKNOWN', {
      field,
      detail: `\`${on}\` is not the unit of \`${dataset.name}\`, and its rows with one \`${on}\` are not bounded`,
    });
  }
  if (declared === undefined || declared <= rowsPerKeyMax) return declared ?? 1;
  throw new InputError('NOT_SUPPORTED', {
    field,
    detail: `a join takes up to ${rowsPerKeyMax} rows of a person at a side`,
    remedy: 'join a dataset with fewer rows a person',
  });
}

/** The parties of a join are its sides; who wants to name them may. */
function checkNamed(given: Job['parties'], sides: readonly [string, string]): void {
  if (given === undefined) return;
  if (given.length > 2) {
    throw new InputError('NOT_SUPPORTED', {
      field: 'parties',
      detail: 'joins of more than two parties come later',
      remedy: 'leave `parties` out, and join two parties at a time',
    });
  }
  if (given.length === 2 && sides.every((party) => given.includes(party))) return;
  throw new InputError('BAD_VALUE', {
    field: 'parties',
    detail: `the parties of this join are its sides, ${listed(sides)}`,
    remedy: 'leave `parties` out',
  });
}

/** Both sides bring an identifier into one form before it is matched; in two forms nobody would be found. */
function checkForms(on: string, left: CheckedSide, right: CheckedSide): void {
  const formOf = ({ dataset }: CheckedSide): string => {
    const { normalise, check } = keyOf(dataset, on);
    const form = normalise === undefined ? 'no `normalise`' : `\`normalise: ${normalise}\``;
    return check === undefined ? form : `${form} and \`check: ${check}\``;
  };
  if (formOf(left) === formOf(right)) return;
  throw new InputError('KEYS_DIFFER', {
    field: 'join.on',
    detail: `\`${on}\` has ${formOf(left)} in \`${left.dataset.name}\`, and ${formOf(right)} in \`${right.dataset.name}\``,
  });
}

function permissionOf(on: string, left: CheckedSide, right: CheckedSide, charter: Charter): CheckedJoin['permission'] {
  const sides = [left.party, right.party];
  const found = charter.matching.find(
    (each) => each.on === on && each.pairs.some((pair) => sides.every((party) => pair.includes(party))),
  );
  if (found === undefined) {
    throw new PolicyError('NO_MATCHING', { field: 'join.on', detail: `${listed(sides)} on \`${on}\`` });
  }
  const { permitted_by, reference } = found;
  return reference === undefined ? { permitted_by } : { permitted_by, reference };
}

/** What a join that reveals its matches does not have. What opens there is the number of them, and nothing else. */
const notRevealed = ['group_by', 'having', 'top', 'total', 'open', 'privacy', 'join_helper'] as const;

function revealOf(job: Job): CheckedJoin['reveal'] {
  if (job.reveal === undefined) return null;
  const beside = 'a join that reveals its matches';
  for (const key of notRevealed) {
    const value = job[key];
    if (value === undefined || value === false || (Array.isArray(value) && value.length === 0)) continue;
    const remedy = `leave \`${key}\` out, or ask without \`reveal\``;
    throw new InputError('NOT_SUPPORTED', { field: key, detail: `${beside} has none`, remedy });
  }
  for (const [name, measure] of Object.entries(job.measures)) {
    if (measure === 'count') continue;
    const remedy = 'ask for `count`, or ask without `reveal`';
    throw new InputError('NOT_SUPPORTED', { field: `measures.${name}`, detail: `${beside} counts them only`, remedy });
  }
  return 'matches';
}

/** Each side leaves its own rows out before it matches, so a condition is on one side or the other. */
export function checkRevealedWhere({ reveal }: CheckedJoin, where: Condition): void {
  if (reveal === null || isOneSided(where)) return;
  throw new InputError('NOT_SUPPORTED', {
    field: 'where',
    detail: 'a join that reveals its matches has conditions on one side each, all of which hold',
    remedy: 'ask without `any` or `not` over columns of both sides, or ask without `reveal`',
  });
}

function isOneSided(condition: Condition): boolean {
  if (condition.kind === 'and') return condition.of.every(isOneSided);
  return new Set(columnsOf(condition).map((name) => sideColumn(name)?.side)).size <= 1;
}

/** @throws InputError TOO_MANY_CELLS */
export function checkJoinCells(groups: readonly GroupKey[]): void {
  const cells = cellsOf(groups);
  if (cells <= joinCellsMax) return;
  throw new InputError('TOO_MANY_CELLS', {
    field: 'group_by',
    detail: `they make ${cells}, and a join has up to ${joinCellsMax}`,
    remedy: 'group by fewer columns or fewer values',
  });
}

/** What opens no sum of values, so that nobody can stand out in it. */
const countsOnly: ReadonlySet<Operation> = new Set(['count', 'histogram', 'median', 'quantile', 'chi_square']);

/**
 * A person's total over pairs of rows is known to neither side, and nobody computes it: where few people may not make up a
 * sum, a join has none.
 * @throws InputError NOT_SUPPORTED, naming the measure
 */
export function checkLargest(job: Pick<Job, 'measures' | 'having'>, dataset: Dataset, { dominance }: Strictness): void {
  if (dominance.length === 0) return;
  const asked = [
    ...Object.entries(job.measures).map(([name, measure]) => [`measures.${name}`, measure] as const),
    ...testedOnly(job.having).map(([name, measure]) => [`having.${name}.of`, measure] as const),
  ];
  for (const [field, measure] of asked) {
    const { operation, columns } = measureUses(measure);
    if (countsOnly.has(operation) || columns.every((name) => dataset.columns[name]!.type === 'boolean')) continue;
    throw new InputError('NOT_SUPPORTED', {
      field,
      detail: 'the charter or a rule withholds sums that few people make up (`dominance`), which a join cannot tell',
      remedy: 'ask for counts, or for a protected answer (`privacy`)',
    });
  }
}
