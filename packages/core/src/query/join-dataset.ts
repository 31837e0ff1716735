/**
 * The dataset that a join is about: one row for each pair of a left and a right row with the same key.
 *
 * Nobody ever holds it. It has the columns of both sides, as `left.…` and `right.…` with the rules of the side's own, so
 * that conditions, groups, measures and bounds mean the same as over any other dataset. Its persons are the keys that both
 * sides have: each at one place, with at most as many rows as its rows at either side have pairs.
 * @module
 */
import type { CheckedSide } from './checked-join.ts';
import type { Column, Dataset } from './dictionary.ts';
import type { SideName } from './join-query.ts';
import { classSize, setClassMax } from './set-class.ts';

/** As texts show it: `residents and patients`. */
export function pairsOf(left: CheckedSide, right: CheckedSide): Dataset {
  const perKey = left.rowsPerKey * right.rowsPerKey;
  // No set that is matched has more keys.
  const matched = classSize(setClassMax) * perKey;
  // Under protection no row is refused for being one too many, so `max_rows` bounds nothing there.
  const isProtected = left.dataset.lenient === true;
  const held = Math.min(left.dataset.max_rows * right.rowsPerKey, right.dataset.max_rows * left.rowsPerKey);
  return {
    name: `${left.dataset.name} and ${right.dataset.name}`,
    held_by: [left.party, right.party].sort(),
    unit: `left.${left.key}`,
    max_rows_per_unit: perKey,
    extra_rows: 'keep_first',
    max_parties_per_unit: 1,
    max_rows: isProtected ? matched : Math.min(held, matched),
    columns: Object.fromEntries([...columnsAt('left', left), ...columnsAt('right', right)]),
    ...(isProtected ? { lenient: true as const } : {}),
  };
}

function columnsAt(name: SideName, { dataset }: CheckedSide): [string, Column][] {
  return Object.entries(dataset.columns).map(([column, rules]) => [`${name}.${column}`, rules]);
}

/** `left.age`: whose column it is, and its own name. Undefined for one that is not written with a side. */
export function sideColumn(name: string): { readonly side: SideName; readonly column: string } | undefined {
  const [, side, column] = /^(left|right)\.(.+)$/.exec(name) ?? [];
  return column === undefined ? undefined : { side: side as SideName, column };
}
