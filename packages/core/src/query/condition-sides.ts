/**
 * A condition over pairs of rows as terms that exclude one another, each of which is a condition on the left row and one on
 * the right row.
 *
 * What counts is whether the condition is true. Where `not` stands only before parts that look at one side alone, truth
 * needs no third value: an `and` is true where all its parts are, an `or` where one of them is, whether the others are
 * false or unknown. So negations are first pushed inwards, which SQL's three values allow (De Morgan's laws hold for them);
 * then the parts of one side are taken one by one as true, or as not true (`notTrue`), until what is left of the whole looks
 * at the other side alone (Shannon's expansion).
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Condition } from './condition.ts';
import { columnsOf } from './condition.ts';
import { notTrue } from './condition-complement.ts';
import { meets } from './condition-truth.ts';
import type { Dataset } from './dictionary.ts';
import { sideColumn } from './join-dataset.ts';
import type { SideName } from './join-query.ts';
import { always, both, keyOf } from './measure/family.ts';

/** Of pairs: met where both are. Columns have the names that they have over pairs. */
export type SidedTerm = Readonly<Record<SideName, Condition>>;

/** The conjuncts of a condition by what they look at; `mixed` are those that look at both sides. */
interface Sided extends SidedTerm {
  readonly mixed: readonly Condition[];
}

/** Ways in which the parts of one side can hold, and so many parts: each way is a term, with a factor at either side. */
const waysMax = 32;

/** Met by nothing. */
const never: Condition = { kind: 'or', of: [] };

/** The conjuncts of all these conditions. */
export function bySide(...conditions: readonly Condition[]): Sided {
  const parts = { left: [] as Condition[], right: [] as Condition[], mixed: [] as Condition[] };
  for (const part of conditions.flatMap(conjuncts)) {
    const sides = sidesOf(part);
    // What looks at no side holds everywhere or nowhere; either side can say so.
    if (sides.length === 0 && !isTrue(part)) parts.left.push(never);
    else if (sides.length === 1) parts[sides[0]!].push(part);
    else if (sides.length === 2) parts.mixed.push(part);
  }
  return { left: both(...parts.left), right: both(...parts.right), mixed: parts.mixed };
}

/**
 * The terms of mixed conditions that all have to hold, by the parts of one of these sides, whichever gives fewer; undefined
 * where there are too many ways. At the side that is taken the terms exclude one another for every row.
 */
export function sidedTerms(
  mixed: readonly Condition[],
  dataset: Dataset,
  sides: readonly SideName[],
): readonly SidedTerm[] | undefined {
  const whole = joined('and', mixed.map(formulaOf));
  const found = sides.flatMap((side) => {
    const terms = expanded(whole, side, dataset);
    return terms === undefined ? [] : [terms];
  });
  return found.sort((a, b) => a.length - b.length)[0];
}

function sidesOf(condition: Condition): SideName[] {
  return [...new Set(columnsOf(condition).map((name) => sideColumn(name)!.side))];
}

/** Of a condition that looks at no column. */
function isTrue(condition: Condition): boolean {
  return meets(condition, { values: new Map(), nulls: new Set() }) === true;
}

function conjuncts(condition: Condition): readonly Condition[] {
  if (sidesOf(condition).length === 1) return [condition];
  if (condition.kind === 'and') return condition.of.flatMap(conjuncts);
  return condition.kind === 'not' && sidesOf(condition).length === 2 ? conjuncts(negated(condition.of)) : [condition];
}

/** Not the condition, one level further in: true, false and unknown where `not` is. */
function negated(condition: Condition): Condition {
  switch (condition.kind) {
    case 'not':
      return condition.of;
    case 'and':
    case 'or':
      return { kind: condition.kind === 'and' ? 'or' : 'and', of: condition.of.map((of) => ({ kind: 'not', of })) };
    default:
      return { kind: 'not', of: condition };
  }
}

interface Leaf {
  readonly kind: 'leaf';
  readonly side: SideName;
  readonly condition: Condition;
  /** Equal for equal conditions. */
  readonly key: string;
}

/** What a condition is to pairs: parts of one side alone, `leaf`, and what joins them. */
type Formula = boolean | Leaf | { readonly kind: 'and' | 'or'; readonly of: readonly Formula[] };

function formulaOf(condition: Condition): Formula {
  const sides = sidesOf(condition);
  if (sides.length === 0) return isTrue(condition);
  if (sides.length === 1) return leafOf(sides[0]!, condition);
  if (condition.kind === 'not') return formulaOf(negated(condition.of));
  assert(condition.kind === 'and' || condition.kind === 'or', 'a comparison looks at one column');
  return joined(condition.kind, condition.of.map(formulaOf));
}

function leafOf(side: SideName, condition: Condition): Leaf {
  return { kind: 'leaf', side, condition, key: keyOf(condition) };
}

/** As few parts as may be: none that decide nothing, none within one of its own kind, one leaf for each side. */
function joined(kind: 'and' | 'or', given: readonly Formula[]): Formula {
  const decisive = kind === 'or';
  const parts = given.flatMap((part) => (typeof part === 'object' && part.kind === kind ? part.of : [part]));
  if (parts.includes(decisive)) return decisive;
  const leaves = (['left', 'right'] as const).flatMap((side): Formula[] => {
    const own = new Map<string, Leaf>();
    for (const part of parts) if (isLeaf(part) && part.side === side) own.set(part.key, part);
    const all = [...own.values()];
    return all.length < 2 ? all : [leafOf(side, { kind, of: all.map(({ condition }) => condition) })];
  });
  const all = [...leaves, ...parts.filter((part) => typeof part === 'object' && !isLeaf(part))];
  return all.length === 0 ? !decisive : all.length === 1 ? all[0]! : { kind, of: all };
}

function isLeaf(formula: Formula): formula is Leaf {
  return typeof formula === 'object' && formula.kind === 'leaf';
}

/** The formula where the leaf of this text is true, or is not. */
function taken(formula: Formula, key: string, value: boolean): Formula {
  if (typeof formula === 'boolean') return formula;
  if (isLeaf(formula)) return formula.key === key ? value : formula;
  return joined(
    formula.kind,
    formula.of.map((part) => taken(part, key, value)),
  );
}

function leavesOf(formula: Formula, side: SideName): readonly Leaf[] {
  if (typeof formula === 'boolean') return [];
  if (isLeaf(formula)) return formula.side === side ? [formula] : [];
  return formula.of.flatMap((part) => leavesOf(part, side));
}

function expanded(whole: Formula, side: SideName, dataset: Dataset): SidedTerm[] | undefined {
  /** By what is left to the other side: the ways of this side that leave it. */
  const ways = new Map<string, { readonly rest: Condition; readonly of: Condition[] }>();
  let count = 0;
  const follow = (formula: Formula, path: readonly Condition[]): void => {
    if (formula === false || count > waysMax) return;
    const [leaf] = leavesOf(formula, side);
    if (leaf === undefined) {
      count++;
      const rest = conditionOf(formula);
      const known = ways.get(keyOf(rest));
      if (known === undefined) ways.set(keyOf(rest), { rest, of: [both(...path)] });
      else known.of.push(both(...path));
      return;
    }
    follow(taken(formula, leaf.key, true), [...path, leaf.condition]);
    follow(taken(formula, leaf.key, false), [...path, notTrue(leaf.condition, dataset)]);
  };
  if (leavesOf(whole, side).length > waysMax) return undefined;
  follow(whole, []);
  if (count > waysMax) return undefined;
  return [...ways.values()].map(({ rest, of }): SidedTerm => {
    const own: Condition = of.length === 1 ? of[0]! : { kind: 'or', of };
    return side === 'left' ? { left: own, right: rest } : { left: rest, right: own };
  });
}

function conditionOf(formula: Formula): Condition {
  if (typeof formula === 'boolean') return formula ? always : never;
  return isLeaf(formula) ? formula.condition : { kind: formula.kind, of: formula.of.map(conditionOf) };
}
