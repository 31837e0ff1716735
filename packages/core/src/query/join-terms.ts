/**
 * The statistics of a join as what each side can compute by itself: sums of products of a left and a right feature.
 *
 * A job is compiled over the dataset of pairs (join-dataset.ts). A condition on one side alone goes to that side; one on
 * both is split into terms that exclude one another (condition-sides.ts), and the statistic is the sum over them. A product
 * of columns splits by their sides. The number of people is an indicator at either side: a key counts in a pair of cells
 * where it has a row that meets the condition in each of them, which says nothing of a condition on both rows at once.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { InputError } from '../channel/errors.ts';
import type { CheckedJob } from './check-job.ts';
import type { CheckedSide } from './checked-join.ts';
import type { Condition } from './condition.ts';
import { columnsOf } from './condition.ts';
import { bySide, type SidedTerm, sidedTerms } from './condition-sides.ts';
import { boundsOf, type Dataset } from './dictionary.ts';
import { cellsOf, type GroupKey } from './group-key.ts';
import { sideColumn } from './join-dataset.ts';
import type { Feature, JoinQuery, JoinTerm, SideName, SideQuery } from './join-query.ts';
import { both, keyOf } from './measure/family.ts';
import type { LocalQuery, Statistic } from './statistic.ts';

/**
 * What both sides compute for a job over pairs. A statistic may have no terms: then nothing can be in it.
 * @throws InputError NOT_SUPPORTED for a condition that ties the two sides in too many ways, OVERFLOW naming the columns
 */
export function joinQueryOf({ join, dataset }: CheckedJob, query: LocalQuery): JoinQuery {
  assert(join !== null, 'only a join has two sides');
  const where = bySide(query.where);
  const features = { left: new Features('left', join.left), right: new Features('right', join.right) };
  // Most statistics have the same mixed conditions: those of the job.
  const known = new Map<string, readonly SidedTerm[]>();
  let room = termsMax;
  const terms = query.statistics.flatMap((statistic, at) => {
    const conditions = bySide(statistic.where, ...where.mixed);
    const key = keyOf({ of: statistic.of, product: [], where: { kind: 'and', of: conditions.mixed } });
    const split = known.get(key) ?? termsOf(statistic, conditions.mixed, dataset, join);
    known.set(key, split);
    room -= split.length;
    if (room < 0) throw tooMany();
    return split.map((term): JoinTerm => {
      const place = (side: SideName) => features[side].at(statistic, both(conditions[side], term[side]));
      return { statistic: at, left: place('left'), right: place('right') };
    });
  });
  const [left, right] = (['left', 'right'] as const).map((side) => {
    return sideQuery(side, join[side], where[side], query.groups, features[side].all);
  });
  return { left: left!, right: right!, terms, cellOf: cellsOfPairs(query.groups, left!, right!) };
}

/**
 * Sums over pairs: every one is a product on shares, for each cell of the side that does not place its own. All members
 * work them out on their main thread, before anyone has judged the job.
 */
export const termsMax = 20_000;

/** @throws InputError TOO_MANY_CELLS */
export function tooMany(): InputError {
  return new InputError('TOO_MANY_CELLS', {
    field: 'measures',
    detail: `its sums over both sides are more than ${termsMax}`,
    remedy: 'ask for fewer bins, groups or alternatives over both sides',
  });
}

/** What a mixed condition adds to the conditions of either side; one term that adds nothing where there is none. */
function termsOf(
  { of }: Statistic,
  mixed: readonly Condition[],
  dataset: Dataset,
  sides: Readonly<Record<SideName, CheckedSide>>,
): readonly SidedTerm[] {
  assert(of === 'rows' || of === 'people', 'in a join nobody’s total is known to one party');
  const names: readonly SideName[] = ['left', 'right'];
  // Where a key has one row at a side, that row is in one of the terms alone, and nobody is counted twice.
  const exclusive = names.filter((side) => of === 'rows' || sides[side].rowsPerKey === 1);
  if (mixed.length > 0 && exclusive.length === 0) {
    throw new InputError('NOT_SUPPORTED', {
      field: 'where',
      detail: 'people with several rows at both sides cannot be counted by a condition on both rows at once',
      remedy: 'use conditions that look at one side each',
    });
  }
  const terms = sidedTerms(mixed, dataset, mixed.length === 0 ? names : exclusive);
  if (terms !== undefined) return terms;
  throw new InputError('NOT_SUPPORTED', {
    field: 'where',
    detail: 'a condition ties the two sides together in too many ways',
    remedy: 'ask in several jobs, each with fewer alternatives that look at both sides',
  });
}

/** The features of a side, each once. */
class Features {
  readonly all: Feature[] = [];
  readonly #side: SideName;
  readonly #checked: CheckedSide;
  readonly #places = new Map<string, number>();

  constructor(side: SideName, checked: CheckedSide) {
    this.#side = side;
    this.#checked = checked;
  }

  /** The place of what this side contributes to a statistic, under a condition on its columns. */
  at({ of, product }: Statistic, condition: Condition): number {
    const { dataset, rowsPerKey } = this.#checked;
    const own = product.map((name) => sideColumn(name)!).filter(({ side }) => side === this.#side);
    const factors = own.map(({ column }) => column);
    const where = ownNames(condition);
    const feature: Feature = {
      of: rowsPerKey === 1 ? 'rows' : (of as Feature['of']),
      product: factors,
      where,
      ...rangeOf(factors, where, dataset),
    };
    const key = keyOf({ of: feature.of, product: factors, where });
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    this.#places.set(key, this.all.length);
    this.all.push(feature);
    return this.all.length - 1;
  }
}

/** A row has 0 where the condition is not true. */
function rangeOf(product: readonly string[], where: Condition, dataset: Dataset): { min: bigint; max: bigint } {
  const bounds = product.map((name) => boundsOf(dataset.columns[name]!));
  const isSquare = product.length === 2 && product[0] === product[1];
  const ends = bounds.reduce((before, { min, max }) => before.flatMap((end) => [end * min, end * max]), [1n]);
  const corners = isSquare ? squares(bounds[0]!) : ends;
  if (where.kind !== 'true') corners.push(0n);
  const min = corners.reduce((least, end) => (end < least ? end : least));
  const max = corners.reduce((most, end) => (end > most ? end : most));
  if (BigInt.asIntN(64, min) === min && BigInt.asIntN(64, max) === max) return { min, max };
  throw new InputError('OVERFLOW', {
    field: [...new Set(product)].map((name) => `datasets.${dataset.name}.columns.${name}`).join(', '),
    detail: `a row’s part can be from ${min} to ${max}, beyond 64 bits`,
    remedy: 'narrow the bounds of the column',
  });
}

function squares({ min, max }: { readonly min: bigint; readonly max: bigint }): bigint[] {
  const ends = [min * min, max * max];
  return min < 0n && max > 0n ? [...ends, 0n] : ends;
}

function sideQuery(
  name: SideName,
  { party, dataset, key, rowsPerKey }: CheckedSide,
  where: Condition,
  allGroups: readonly GroupKey[],
  features: readonly Feature[],
): SideQuery {
  const groups = groupsOf(allGroups, name);
  const own = ownNames(where);
  const read = new Set([
    ...columnsOf(own),
    ...groups.map(({ column }) => column),
    ...features.flatMap((feature) => [...feature.product, ...columnsOf(feature.where)]),
  ]);
  const columns = Object.keys(dataset.columns).filter((column) => read.has(column));
  return { party, dataset, key, rowsPerKey, columns, where: own, groups, cells: cellsOf(groups), features };
}

/** The groups of a side in the job's order, under its own names. */
function groupsOf(groups: readonly GroupKey[], name: SideName): GroupKey[] {
  return groups.flatMap((group) => {
    const { side, column } = sideColumn(group.column)!;
    if (side !== name) return [];
    return [{ ...group, name: group.transform === 'year' ? `year(${column})` : column, column }];
  });
}

/** A condition on the columns of one side, under their own names. */
function ownNames(condition: Condition): Condition {
  switch (condition.kind) {
    case 'true':
      return condition;
    case 'and':
    case 'or':
      return { kind: condition.kind, of: condition.of.map(ownNames) };
    case 'not':
      return { kind: 'not', of: ownNames(condition.of) };
    default:
      return { ...condition, column: sideColumn(condition.column)!.column };
  }
}

/** `[a · right.cells + b]`: the places of the job's keys in it are those of the sides' keys in a and b. */
function cellsOfPairs(groups: readonly GroupKey[], left: SideQuery, right: SideQuery): Int32Array {
  const cellOf = new Int32Array(left.cells * right.cells);
  for (let pair = 0; pair < cellOf.length; pair++) {
    const rest = { left: Math.floor(pair / right.cells), right: pair % right.cells };
    let cell = 0;
    let weight = 1;
    // The last key varies fastest, of the job's as of a side's.
    for (const { column, labels } of groups.toReversed()) {
      const { side } = sideColumn(column)!;
      cell += weight * (rest[side] % labels.length);
      rest[side] = Math.floor(rest[side] / labels.length);
      weight *= labels.length;
    }
    cellOf[pair] = cell;
  }
  return cellOf;
}
