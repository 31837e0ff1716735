/**
 * The two sides of a join, as a job names them and the charter permits them.
 * @module
 */
import type { CheckedJob } from './check-job.ts';
import type { Dataset } from './dictionary.ts';
import type { SideName } from './join-query.ts';

export interface CheckedSide {
  readonly party: string;
  /** The party's own dataset, under its own names; as protected jobs read it where the job is one. */
  readonly dataset: Dataset;
  /** The identifier column that is matched on. */
  readonly key: string;
  /** Rows of one key that count. */
  readonly rowsPerKey: number;
}

export interface CheckedJoin {
  readonly left: CheckedSide;
  readonly right: CheckedSide;
  /** By whose word in the charter the two may match on this key. */
  readonly permission: { readonly permitted_by: string; readonly reference?: string | undefined };
  /** `matches`: the left party learns which of its keys the right one has too. */
  readonly reveal: 'matches' | null;
}

/** The side of a party; undefined for one that is neither. */
export function sideOf({ left, right }: CheckedJoin, party: string): SideName | undefined {
  return party === left.party ? 'left' : party === right.party ? 'right' : undefined;
}

/** The dataset that a party brings: its own side's, or that of a pooled job. */
export function datasetOf({ dataset, join }: Pick<CheckedJob, 'dataset' | 'join'>, party: string): Dataset {
  const side = join === null ? undefined : sideOf(join, party);
  return side === undefined ? dataset : join![side].dataset;
}

export function otherSide(side: SideName): SideName {
  return side === 'left' ? 'right' : 'left';
}
