/**
 * What a job means under a charter: every name found, every type right, the cells counted, the floor kept.
 *
 * What a job asks for is counted here and not built: the work is bounded before anyone has judged who asks.
 *
 * A pure function of public texts, so that the analyst, the coordinator and every party come to the same verdict.
 * Whatever this version cannot do is refused by name here, and never answered without it.
 * @module
 */
import { cmp, type Rational } from '../algebra/rational.ts';
import { InputError, PolicyError } from '../channel/errors.ts';
import type { Charter } from './charter.ts';
import type { CheckedJoin } from './checked-join.ts';
import { type Condition, columnsOf, compileWhere, type Where } from './condition.ts';
import type { Dataset } from './dictionary.ts';
import { cellsOf, compileGroups, type GroupKey } from './group-key.ts';
import { type Having, readHaving, testedOnly } from './having.ts';
import type { Job, Measure, Operation } from './job.ts';
import { edgesOf } from './measure/bins.ts';
import { checkMeasure, measureUses, sumsMax } from './measures.ts';
import { listed, lookUp } from './name.ts';
import { type PrivacyTerms, privacyTerms } from './privacy-terms.ts';
import { protectedDataset } from './protection.ts';
import { canRound } from './strictness.ts';

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
  /** Whose sums are added up: the parties of a pooled job; of a join one, which is both sides together. */
  readonly contributors: readonly string[];
  /** The sides of a join; `dataset` is then that of the pairs, whose columns are `left.…` and `right.…`. Null for a pooled job. */
  readonly join: CheckedJoin | null;
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

/** What groups can be ranked by without a division of shares. */
const ranked: readonly Operation[] = ['count', 'sum', 'mean'];

/** Parts of the language that a later version brings: read, and refused. */
const laterKeys = ['join', 'reveal'] as const;

/**
 * A job against the charter.
 * @throws InputError NOT_SUPPORTED, UNKNOWN_PURPOSE, UNKNOWN_DATASET, UNKNOWN_PARTY, UNKNOWN_COLUMN, DUPLICATE_PARTY,
 *   HELPER_TAKES_PART, NOT_HELD, WRONG_TYPE, BAD_BINS, BAD_VALUE, TOO_MANY_CELLS, each naming the field
 * @throws PolicyError TOO_FEW_PARTIES, CANNOT_ROUND
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
  checkMeasures(job, dataset, groups);
  const having = readHaving(job, dataset);
  const privacy = privacyTerms(job, parties.length);
  checkFloor(parties, charter, privacy !== null);
  checkSelection(job);
  if (privacy === null) {
    checkEdges(job.measures);
    checkRounding(job, charter);
  }
  return {
    job: { ...job, title: job.title ?? '', from, parties, group_by: job.group_by ?? [] },
    charter,
    dataset,
    parties,
    contributors: parties,
    join: null,
    where,
    groups,
    cells: cellsOf(groups),
    privacy,
    helper: checkHelper(job, parties, charter),
    having,
    top: job.top ?? null,
    ratioOnly: job.open === 'ratio',
    total: job.total ?? false,
  };
}

function known(name: string, names: readonly string[]): string {
  return `\`${name}\` is not among ${listed(names.slice(0, 12))}`;
}

const namesOf = (measures: Readonly<Record<string, Measure>>) => listed(Object.keys(measures).slice(0, 12));

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

function checkMeasures({ measures, having }: Job, dataset: Dataset, groups: readonly GroupKey[]): void {
  let room = sumsMax;
  for (const [name, measure] of Object.entries(measures)) {
    if (groups.some((group) => group.name === name)) {
      throw new InputError('BAD_VALUE', { field: `measures.${name}`, detail: 'a group key has this name' });
    }
    room -= checkMeasure(name, measure, dataset, room);
  }
  for (const [name, measure] of testedOnly(having)) {
    room -= checkMeasure(name, measure, dataset, room, `having.${name}.of`);
  }
}

/** A helper deals randomness that every party trusts, so it may hold nothing of what that randomness hides. */
function checkHelper(
  { join_helper: helper, privacy }: Job,
  parties: readonly string[],
  charter: Charter,
): string | null {
  if (helper === undefined) return null;
  const field = 'join_helper';
  if (lookUp(charter.parties, helper) === undefined) {
    throw new InputError('UNKNOWN_PARTY', { field, detail: known(helper, Object.keys(charter.parties).sort()) });
  }
  if (parties.includes(helper)) throw new InputError('HELPER_TAKES_PART', { field, detail: helper });
  if (privacy !== undefined) {
    throw new InputError('NOT_SUPPORTED', {
      field,
      detail: 'noise needs no helper',
      remedy: 'leave `join_helper` out',
    });
  }
  return helper;
}

/** What a job asks about the rows of its answer, against its own groups and measures. */
function checkSelection({ top, open, total, having, group_by, measures, privacy }: Job): void {
  const isGrouped = (group_by ?? []).length > 0;
  const kinds = Object.values(measures).map((measure) => measureUses(measure).operation);
  const bad = (field: string, detail: string) => new InputError('BAD_VALUE', { field, detail });
  if (top !== undefined) {
    if (!isGrouped) throw bad('top', 'without `group_by` there are no groups to choose from');
    const by = lookUp(measures, top.by);
    if (by === undefined) throw bad('top.by', `no measure has this name; there are ${namesOf(measures)}`);
    const { operation } = measureUses(by);
    if (!ranked.includes(operation)) {
      const detail = `groups are ranked by a ${listed(ranked)}, not by a ${operation}`;
      throw new InputError('NOT_SUPPORTED', { field: 'top.by', detail, remedy: 'rank by another measure' });
    }
  }
  if (total === true) {
    if (!isGrouped) throw bad('total', 'without `group_by` the answer is one row over all');
    if (having !== undefined || top !== undefined)
      throw bad('total', 'with `having` or `top` it would tell of the groups that do not open');
    if (privacy !== undefined) {
      const detail = 'a protected total is a release of its own';
      const remedy = 'ask for it in another job, without `group_by`';
      throw new InputError('NOT_SUPPORTED', { field: 'total', detail, remedy });
    }
  }
  if (open === undefined) return;
  if (!kinds.some((kind) => kind === 'mean' || kind === 'ratio')) {
    throw bad('open', 'there is no mean and no ratio among the measures');
  }
  if (privacy !== undefined) {
    const detail = 'a protected mean or ratio is made of releases, which are opened and charged';
    throw new InputError('NOT_SUPPORTED', { field: 'open', detail, remedy: 'leave `open` out' });
  }
}

/** Two histograms of a column with other edges each would show, by subtraction, what neither shows: bins between. */
function checkEdges(measures: Readonly<Record<string, Measure>>): void {
  const first = new Map<string, { readonly name: string; readonly edges: readonly Rational[] }>();
  for (const [name, measure] of Object.entries(measures)) {
    if (measure === 'count' || !('histogram' in measure)) continue;
    const { of, bins } = measure.histogram;
    const field = `measures.${name}.histogram.bins`;
    const edges = edgesOf(bins, field);
    const other = first.get(of);
    if (other === undefined) first.set(of, { name, edges });
    else if (!sameEdges(edges, other.edges)) {
      const detail = `\`${other.name}\` has other edges for the same column, and the difference of the two would show bins that neither shows`;
      const remedy = 'ask for one histogram with all edges';
      throw new InputError('BAD_BINS', { field, detail, remedy });
    }
  }
}

function sameEdges(a: readonly Rational[], b: readonly Rational[]): boolean {
  return a.length === b.length && a.every((edge, at) => cmp(edge, b[at]!) === 0);
}

/** Where the job or the floor rounds, a measure that would need its exact sums opened is refused. */
function checkRounding({ round = 1, measures }: Job, { policy_floor: floor }: Charter): void {
  const base = Math.max(round, floor.round ?? 1);
  if (base === 1) return;
  for (const [name, measure] of Object.entries(measures)) {
    const { operation } = measureUses(measure);
    if (canRound(operation)) continue;
    const who = round === base ? 'the job' : 'the charter’s floor';
    const detail = `${who} rounds to ${base}, and a ${operation} is worked out from exact sums`;
    throw new PolicyError('CANNOT_ROUND', { field: `measures.${name}`, detail });
  }
}

/** The condition of its own that a measure has, if it has one. */
export function whereOf(measure: Measure): Where | undefined {
  return typeof measure === 'object' && 'count' in measure ? measure.count.where : undefined;
}

/** The columns that a job filters on: in its `where`, and in the `where` of its counts, those only tested too. */
export function filterColumns(checked: CheckedJob): string[] {
  const { dataset, where } = checked;
  const own = allMeasures(checked).map((measure) => compileWhere(whereOf(measure), dataset));
  return [...new Set([where, ...own].flatMap(columnsOf))];
}

/** All that is computed: the measures that open, and those that are only tested. */
export function allMeasures({ job }: Pick<CheckedJob, 'job'>): Measure[] {
  return [...Object.values(job.measures), ...testedOnly(job.having).map(([, measure]) => measure)];
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
