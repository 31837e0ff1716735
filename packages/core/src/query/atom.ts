/**
 * The classes of a column's values that some conditions on it tell apart: of two values in one class every condition holds
 * for both or for none. Whatever counts under these conditions tell together, they tell of classes.
 *
 * Only what the texts leave possible is looked at: bounds of the dictionary, and those of the job's own filter.
 * @module
 */
import type { Condition } from './condition.ts';
import { notTrue } from './condition-complement.ts';
import { type Range, rangeIn } from './condition-range.ts';
import { meets } from './condition-truth.ts';
import type { Column, Dataset } from './dictionary.ts';
import { both, compare, keyOf } from './measure/family.ts';

/** A class of values, and the conditions that hold there, in ascending order. */
export interface Atom {
  readonly holds: readonly number[];
  /** The rows whose value is in the class. */
  readonly where: Condition;
}

/** Values that follow each other, or none at all; `raw` where conditions look at what the null rule has replaced. */
interface Piece {
  readonly range: Range | null;
  readonly raw: 'any' | 'null' | 'value';
}

/** The classes that these conditions make of the column; those for which none holds are one too. */
export function atomsOf(name: string, conditions: readonly Condition[], filter: Condition, dataset: Dataset): Atom[] {
  const pieces = piecesOf(name, conditions, filter, dataset);
  const held = pieces.map((): number[] => []);
  for (const [at, condition] of conditions.entries()) {
    // There may be thousands of bins, each of which is looked at only where it can hold.
    const range = rangeIn(name, [condition], dataset);
    for (let piece = firstWithin(pieces, range); piece < pieces.length; piece++) {
      const values = pieces[piece]!.range;
      if (values !== null && values.min > range.max) break;
      if (isMet(condition, name, pieces[piece]!)) held[piece]!.push(at);
    }
    const last = pieces.at(-1);
    if (last?.range === null && !held.at(-1)!.includes(at) && isMet(condition, name, last)) held.at(-1)!.push(at);
  }
  const classes = new Map<string, { holds: readonly number[]; pieces: Piece[] }>();
  for (const [at, holds] of held.entries()) {
    const known = classes.get(holds.join()) ?? { holds, pieces: [] };
    known.pieces.push(pieces[at]!);
    classes.set(holds.join(), known);
  }
  const { type } = dataset.columns[name]!;
  return [...classes.values()].map(({ holds, pieces: own }) => ({
    holds,
    // What lies between two dates need not be one.
    where:
      type === 'date'
        ? both(...conditions.map((condition, at) => (holds.includes(at) ? condition : notTrue(condition, dataset))))
        : anyOf(own.map((piece) => rowsIn(name, type, piece))),
  }));
}

function isMet(condition: Condition, name: string, { range, raw }: Piece): boolean {
  const values = new Map([[name, range === null ? null : range.min]]);
  const nulls = new Set(range === null || raw === 'null' ? [name] : []);
  return meets(condition, { values, nulls }) === true;
}

/** The first piece that a range reaches. */
function firstWithin(pieces: readonly Piece[], { min }: Range): number {
  let [low, high] = [0, pieces.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { range } = pieces[middle]!;
    if (range !== null && range.max < min) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The possible values, cut wherever a condition may change. */
function piecesOf(name: string, conditions: readonly Condition[], filter: Condition, dataset: Dataset): Piece[] {
  const column = dataset.columns[name]! as Exclude<Column, { type: 'identifier' }>;
  const { min, max } = rangeIn(name, [filter], dataset);
  const cuts = new Set(conditions.flatMap((condition) => [...cutsOf(condition, name)]));
  const starts = [min, ...[...cuts].filter((cut) => cut > min && cut <= max)].sort((a, b) => (a < b ? -1 : 1));
  const looksAtNulls = conditions.some((condition) => keyOf(condition).includes('"is_null"'));
  const pieces: Piece[] = [];
  for (const [at, start] of starts.entries()) {
    if (min > max) break;
    const range = { min: start, max: (starts[at + 1] ?? max + 1n) - 1n };
    const mayBeReplaced = looksAtNulls && column.nulls === 'zero' && range.min <= 0n && range.max >= 0n;
    if (!mayBeReplaced) pieces.push({ range, raw: 'any' });
    else pieces.push({ range, raw: 'value' }, { range: { min: 0n, max: 0n }, raw: 'null' });
  }
  if (column.nulls === 'drop' && !asksFor(filter, name)) pieces.push({ range: null, raw: 'any' });
  return pieces;
}

/** Whether the outermost tests of a filter compare the column, which no null passes. */
function asksFor(filter: Condition, name: string): boolean {
  if (filter.kind === 'and') return filter.of.some((part) => asksFor(part, name));
  return (filter.kind === 'compare' || filter.kind === 'in' || filter.kind === 'present') && filter.column === name;
}

/** Where a condition may begin to hold, or cease to. */
function* cutsOf(condition: Condition, name: string): Generator<bigint> {
  switch (condition.kind) {
    case 'and':
    case 'or':
      for (const part of condition.of) yield* cutsOf(part, name);
      break;
    case 'not':
      yield* cutsOf(condition.of, name);
      break;
    case 'in':
      for (const value of condition.values) yield* [value, value + 1n];
      break;
    case 'compare':
      // A year holds the dates yyyy0000 to yyyy9999.
      if (condition.transform === 'year') yield* [condition.value * 10_000n, (condition.value + 1n) * 10_000n];
      else yield* [condition.value, condition.value + 1n];
      break;
    default:
  }
}

function rowsIn(name: string, type: Column['type'], { range, raw }: Piece): Condition {
  if (range === null) return { kind: 'not', of: { kind: 'present', column: name } };
  const isNull: Condition = { kind: 'is_null', column: name };
  const within =
    type === 'category' || type === 'boolean'
      ? both({ kind: 'in', column: name, values: valuesIn(range) })
      : both(compare(name, 'gte', range.min), compare(name, 'lte', range.max));
  if (raw === 'any') return within;
  return both(within, raw === 'null' ? isNull : { kind: 'not', of: isNull });
}

/** Of a category or a boolean: these are few. */
function valuesIn({ min, max }: Range): bigint[] {
  return Array.from({ length: Number(max - min) + 1 }, (_, at) => min + BigInt(at));
}

function anyOf(parts: readonly Condition[]): Condition {
  return parts.length === 1 ? parts[0]! : { kind: 'or', of: parts };
}
