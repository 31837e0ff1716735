/**
 * Where each number that a party brings to a job stands among those of all parties.
 *
 * Parties' vectors are added up element by element, which is what a sum is for. The largest totals of two parties are of
 * different people and must not meet in one element: such a statistic has a slot a party, in which all the others bring 0.
 * So has a magnitude where the analyst belongs to one of the parties, whose own part it can take away. All others have one
 * slot, in the order of the statistics.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { LocalQuery, LocalResult, Statistic } from './statistic.ts';

export interface InputSlot {
  /** Index into the query's statistics. */
  readonly statistic: number;
  /** The only party that brings anything to it; null where all of them do. */
  readonly party: string | null;
}

/** The slots of a query, the same list at every party; `contributors` are those whose numbers are added up. */
export function slots(query: LocalQuery, contributors: readonly string[]): InputSlot[] {
  const isApart = (of: Statistic['of']) => of === 'top' || (of === 'magnitude' && query.ownParty !== null);
  return query.statistics.flatMap(({ of }, statistic): InputSlot[] =>
    isApart(of) ? contributors.map((party) => ({ statistic, party })) : [{ statistic, party: null }],
  );
}

/** One party's result slot by slot, `[slot][cell]`: zeros in what belongs to another party. */
export function inSlots(places: readonly InputSlot[], self: string, local: LocalResult): LocalResult {
  return places.map(({ statistic, party }) => {
    const cells = local[statistic];
    assert(cells !== undefined, 'a result has every statistic of the query');
    return party === null || party === self ? cells : cells.map(() => 0n);
  });
}
