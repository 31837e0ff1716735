/**
 * What a job means under a charter: every name found, every type right, the cells counted, the floor kept.
 *
 * What a job asks for is counted here and not built: the work is bounded before anyone has judged who asks.
 *
 * A pure function of public texts, so that the analyst, the coordinator and every party come to the same verdict.
 * Whatever this version cannot do is refused by name here, and never answered without it.
 * @module
 */
import { InputError, PolicyError } from '../channel/errors.ts';
import type { Charter } from './charter.ts';
import { type Condition, columnsOf, compileWhere, type Where } from './condition.ts';
import type { Dataset } from './dictionary.ts';
import { cellsOf, compileGroups, type GroupKey } from './group-key.ts';
import type { Having } from './having.ts';
import type { Job, Measure } from './job.ts';
import { checkMeasure, sumsMax } from './measures.ts';
import { listed, lookUp } from './name.ts';
import { type PrivacyTerms, privacyTerms } from './privacy-terms.ts';
import { protectedDataset } from './protection.ts';

/** A job with its defaults filled in. */
export interface CanonicalJob extends Job {
  readonly title: string;
  readonly from: string;
  readonly parties: string[];
  readonly group_by: string[];
}

export interface CheckedJob {
  readonly job: CanonicalJob;
  readonly charter: Charter;
  /** As the job reads it: a protected one refuses nothing because of a record. */
  readonly dataset: Dataset;
  /** All that take part, in ascending order. */
  readonly parties: readonly string[];
  readonly where: Condition;
  readonly groups: readonly GroupKey[];
  readonly cells: number;
  /** The terms of a protected job; null for an exact one. */
  readonly privacy: PrivacyTerms | null;
  /** Who deals randomness for a pooled job: a party of the charter that is not among `parties`; null for none. */
  readonly helper: string | null;
  /** A group opens only where all of these hold. */
  readonly having: readonly Having[];
  /** Only the `count` groups open that are largest by the measure `by`. */
  readonly top: { readonly by: string; readonly count: number } | null;
  /** `open: ratio`: means and ratios open as one value, and their parts do not. */
  readonly ratioOnly: boolean;
  /** One more row, over all groups. */
  readonly total: boolean;
}

/** All who take part or deal, in ascending order: who is invited, who accepts, and who opens. */
export function rosterOf({ parties, helper }: Pick<CheckedJob, 'parties' | 'helper'>): string[] {
  return helper === null ? [...parties] : [...parties, helper].sort();
}

/**
 * An exact answer over two parties tells each of them the other's part: one party's own figure, subtracted, leaves it.
 * So no floor or rule can allow fewer than three.
 */
export const exactPooledPartiesMin = 3;

/** Parts of the language that a later version brings: read, and refused. */
const laterKeys = ['join', 'join_helper', 'reveal', 'having', 'top', 'open', 'round'] as const;

/**
 * A job against the charter.
 * @throws InputError NOT_SUPPORTED, UNKNOWN_PURPOSE, UNKNOWN_DATASET, UNKNOWN_PARTY, UNKNOWN_COLUMN, DUPLICATE_PARTY,
 *   NOT_HELD, WRONG_TYPE, BAD_BINS, BAD_VALUE, TOO_MANY_CELLS, each naming the field
 * @throws PolicyError TOO_FEW_PARTIES
 */
export function checkJob(job: Job, charter: Charter): CheckedJob {
  for (const key of laterKeys) {
    if (job[key] !== undefined) throw new InputError('NOT_SUPPORTED', { field: key, detail: `\`${key}\` comes later` });
  }
  const { from } = job;
  if (from === undefined) throw new InputError('BAD_VALUE', { field: 'from', detail: 'expected a dataset' });
  if (lookUp(charter.purposes, job.purpose) === undefined) {
    throw new InputError('UNKNOWN_PURPOSE', {
      field: 'purpose',
      detail: known(job.purpose, Object.keys(charter.purposes)),
    });
  }
  const declared = lookUp(charter.datasets, from);
  if (declared === undefined) {
    throw new InputError('UNKNOWN_DATASET', { field: 'from', detail: known(from, Object.keys(charter.datasets)) });
  }
  const dataset = job.privacy === undefined ? declared : protectedDataset(declared);
  const parties = checkParties(job.parties ?? dataset.held_by, charter, dataset);
  const where = compileWhere(job.where, dataset);
  const groups = compileGroups(job.group_by ?? [], dataset);
  checkMeasures(job.measures, dataset, groups);
  const privacy = privacyTerms(job, parties.length);
  checkFloor(parties, charter, privacy !== null);
  return {
    job: { ...job, title: job.title ?? '', from, parties, group_by: job.group_by ?? [] },
    charter,
    dataset,
    parties,
    where,
    groups,
    cells: cellsOf(groups),
    privacy,
    helper: null,
    having: [],
    top: null,
    ratioOnly: false,
    total: false,
  };
}

function known(name: string, names: readonly string[]): string {
  return `\`${name}\` is not among ${listed(names.slice(0, 12))}`;
}

function checkParties(given: readonly string[], charter: Charter, dataset: Dataset): string[] {
  given.forEach((party, index) => {
    const field = `parties[${index}]`;
    if (lookUp(charter.parties, party) === undefined) {
      throw new InputError('UNKNOWN_PARTY', { field, detail: known(party, Object.keys(charter.parties).sort()) });
    }
    if (given.indexOf(party) !== index) throw new InputError('DUPLICATE_PARTY', { field, detail: party });
    if (!dataset.held_by.includes(party)) {
      throw new InputError('NOT_HELD', { field, detail: `${party} does not hold \`${dataset.name}\`` });
    }
  });
  return [...given].sort();
}

function checkMeasures(
  measures: Readonly<Record<string, Measure>>,
  dataset: Dataset,
  groups: readonly GroupKey[],
): void {
  let room = sumsMax;
  for (const [name, measure] of Object.entries(measures)) {
    if (groups.some((group) => group.name === name)) {
      throw new InputError('BAD_VALUE', { field: `measures.${name}`, detail: 'a group key has this name' });
    }
    room -= checkMeasure(name, measure, dataset, room);
  }
}

/** The condition of its own that a measure has, if it has one. */
export function whereOf(measure: Measure): Where | undefined {
  return typeof measure === 'object' && 'count' in measure ? measure.count.where : undefined;
}

/** The columns that a job filters on: in its `where`, and in the `where` of its counts. */
export function filterColumns({ job, dataset, where }: CheckedJob): string[] {
  const own = Object.values(job.measures).map((measure) => compileWhere(whereOf(measure), dataset));
  return [...new Set([where, ...own].flatMap(columnsOf))];
}

/** The least number of parties, whatever a rule says: the charter's, and for exact answers never fewer than three. */
export function partiesFloor(charter: Charter, isProtected: boolean): number {
  const { min_parties } = charter.policy_floor;
  return isProtected ? min_parties : Math.max(exactPooledPartiesMin, min_parties);
}

function checkFloor(parties: readonly string[], charter: Charter, isProtected: boolean): void {
  const least = partiesFloor(charter, isProtected);
  if (parties.length >= least) return;
  throw new PolicyError('TOO_FEW_PARTIES', {
    field: 'parties',
    detail: `${isProtected ? 'a protected' : 'an exact'} pooled answer needs at least ${least}, and ${parties.length} take part`,
  });
}
