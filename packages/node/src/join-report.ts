/**
 * The joins of a party as its owner reads them, and how they come into its state while a computation tells of them.
 * @module
 */
import { assert } from '@folkmoot/core/assert.js';
import { type CheckedJoin, otherSide, sideOf } from '@folkmoot/core/checked-join.js';
import { StateError } from '@folkmoot/core/errors.js';
import type { NodeConfig } from './config.ts';
import { type JoinWord, keepMatches } from './join-record.ts';
import type { Store } from './store.ts';

export interface JoinReport {
  readonly party: string;
  /** The latest first. */
  readonly joins: readonly JoinEntry[];
}

export interface JoinEntry {
  readonly job: string;
  readonly title: string;
  readonly purpose: string;
  readonly analyst: string;
  /** When the records were read last. */
  readonly at: string;
  readonly side: 'left' | 'right';
  readonly counterpart: string;
  readonly dataset: string;
  readonly key: string;
  /** Rows that were read, and how many of their identifiers could not be matched, by reason. */
  readonly rows: number;
  readonly unusable: { readonly empty: number; readonly malformed: number; readonly failed_check: number };
  /** How many of the party's own people the other side has too; null where nobody was told. */
  readonly matches: number | null;
}

/** Joins in one report: more are read in the database itself. */
const joinsMax = 1_000;

export function reportJoins(party: string, store: Pick<Store, 'joins'>): JoinReport {
  const joins = store.joins.list(joinsMax).map((stored): JoinEntry => {
    const { job, title, purpose, analyst, side, counterpart, dataset, key, tally, matches } = stored;
    const at = new Date(stored.readMs).toISOString();
    const { seen: rows, empty, malformed, failedCheck: failed_check } = tally;
    const unusable = { empty, malformed, failed_check };
    return { job, title, purpose, analyst, at, side, counterpart, dataset, key, rows, unusable, matches };
  });
  return { party, joins };
}

/** Which join a computation tells of. */
export interface OfJoin {
  readonly job: string;
  readonly attempt: number;
  readonly join: CheckedJoin;
}

/** Keeps what a computation tells of a join. @throws StateError STATE_FAILED, and nothing of it counts as kept */
export function keepJoin(
  { party, state }: Pick<NodeConfig, 'party' | 'state'>,
  store: Store,
  { job, attempt, join }: OfJoin,
  word: JoinWord,
): void {
  const side = sideOf(join, party);
  assert(side !== undefined, 'only a side of a join reads records for it');
  if (word.word === 'tally') {
    const { dataset, key } = join[side];
    const counterpart = join[otherSide(side)].party;
    store.enterJoin({ job, attempt, side, counterpart, dataset: dataset.name, key, tally: word.tally });
  } else {
    assert(side === 'left' && join.reveal === 'matches', 'only the left side of a job that says so is told of matches');
    try {
      keepMatches(state, job, word.identifiers);
    } catch (cause) {
      throw new StateError('STATE_FAILED', { detail: 'the matches could not be written', cause });
    }
    store.enterMatches(job, word.identifiers.length);
  }
}
