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
import { checkJoinCells, checkLargest, checkRevealedWhere, checkSides } from './check-join.ts';
import { checkSelection } from './check-selection.ts';
import type { CheckedJoin } from './checked-join.ts';
import { type Condition, columnsOf, compileWhere, type Where } from './condition.ts';
import type { Dataset } from './dictionary.ts';
import { cellsOf, compileGroups, type GroupKey } from './group-key.ts';
import { type Having, readHaving, testedOnly } from './having.ts';
import type { Job, Measure } from './job.ts';
import { pairsOf } from './join-dataset.ts';
import { edgesOf } from './measure/bins.ts';
import { checkMeasure, measureUses, sumsMax } from './measures.ts';
import { listed, lookUp } from './name.ts';
import { type PrivacyTerms, privacyTerms } from './privacy-terms.ts';
import { protectedDataset } from './protection.ts';
import { canRound, strictnessOf } from './strictness.ts';

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
  /** Who deals randomness: a party of the charter that is not among `parties`; null for none. */
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
 * An exact answer over the pooled rows of two parties tells each of them the other's part: one party's own figure,
 * subtracted, leaves it. So no floor or rule can allow fewer than three. In a join nobody has a figure of its own to
 * subtract: who has a match is hidden from both.
 */
const exactPooledPartiesMin = 3;

/**
 * A job against the charter.
 * @throws InputError NOT_SUPPORTED, UNKNOWN_PURPOSE, UNKNOWN_DATASET, UNKNOWN_PARTY, UNKNOWN_COLUMN, DUPLICATE_PARTY,
 *   HELPER_TAKES_PART, NOT_HELD, WRONG_TYPE, KEYS_DIFFER, SENSITIVITY_UNKNOWN, BAD_BINS, BAD_VALUE, TOO_MANY_CELLS, each
 *   naming the field
 * @throws PolicyError TOO_FEW_PARTIES, CANNOT_ROUND, NO_MATCHING
 */
export function checkJob(job: Job, charter: Charter): CheckedJob {
  if (lookUp(charter.purposes, job.purpose) === undefined) {
    throw new InputError('UNKNOWN_PURPOSE', {
      field: 'purpose',
      detail: known(job.purpose, Object.keys(charter.purposes)),
    });
  }
  const about = job.join === undefined ? pooled(job, charter) : joined(job, job.join, charter);
  const { dataset, parties, join } = about;
  const where = compileWhere(job.where, dataset);
  const groups = compileGroups(job.group_by ?? [], dataset);
  checkMeasures(job, dataset, groups);
  const having = readHaving(job, dataset);
  const privacy = privacyTerms(job, parties.length);
  checkFloor({ privacy, join, parties }, charter);
  checkSelection(job);
  if (privacy === null) {
    checkEdges(job.measures);
    checkRounding(job, charter);
  }
  if (join !== null) {
    checkRevealedWhere(join, where);
    checkJoinCells(groups);
    if (privacy === null) checkLargest(job, dataset, strictnessOf({ job, charter }, []));
  }
  return {
    job: { ...job, title: job.title ?? '', from: dataset.name, parties: [...parties], group_by: job.group_by ?? [] },
    charter,
    dataset,
    parties,
    contributors: join === null ? parties : [parties.join(' and ')],
    join,
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

/** What a job is about, and who brings it. */
type About = Pick<CheckedJob, 'dataset' | 'parties' | 'join'>;

function pooled({ from, parties, privacy, reveal }: Job, charter: Charter): About {
  if (reveal !== undefined) {
    throw new InputError('BAD_VALUE', { field: 'reveal', detail: 'only a join has matches', remedy: 'leave it out' });
  }
  if (from === undefined) throw new InputError('BAD_VALUE', { field: 'from', detail: 'expected a dataset' });
  const declared = lookUp(charter.datasets, from);
  if (declared === undefined) {
    throw new InputError('UNKNOWN_DATASET', { field: 'from', detail: known(from, Object.keys(charter.datasets)) });
  }
  const dataset = privacy === undefined ? declared : protectedDataset(declared);
  return { dataset, parties: checkParties(parties ?? dataset.held_by, charter, dataset), join: null };
}

function joined(job: Job, sides: NonNullable<Job['join']>, charter: Charter): About {
  const join = checkSides(job, sides, charter);
  return { dataset: pairsOf(join.left, join.right), parties: [join.left.party, join.right.party].sort(), join };
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
  { join_helper: helper, join, privacy }: Job,
  parties: readonly string[],
  charter: Charter,
): string | null {
  if (helper === undefined) return null;
  const field = 'join_helper';
  if (lookUp(charter.parties, helper) === undefined) {
    throw new InputError('UNKNOWN_PARTY', { field, detail: known(helper, Object.keys(charter.parties).sort()) });
  }
  if (parties.includes(helper)) throw new InputError('HELPER_TAKES_PART', { field, detail: helper });
  if (privacy !== undefined && join === undefined) {
    throw new InputError('NOT_SUPPORTED', {
      field,
      detail: 'noise needs no helper',
      remedy: 'leave `join_helper` out',
    });
  }
  return helper;
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

/** The least number of parties, whatever a rule says: the charter's, and for an exact pooled answer never fewer than three. */
export function partiesFloor(charter: Charter, isExactPool: boolean): number {
  const { min_parties } = charter.policy_floor;
  return isExactPool ? Math.max(exactPooledPartiesMin, min_parties) : min_parties;
}

/** Whether an answer is the plain sum of what parties bring, which each can take its own part off. */
export function isExactPool({ privacy, join }: Pick<CheckedJob, 'privacy' | 'join'>): boolean {
  return privacy === null && join === null;
}

function checkFloor(about: Pick<CheckedJob, 'privacy' | 'join' | 'parties'>, charter: Charter): void {
  const { parties, join, privacy } = about;
  const least = partiesFloor(charter, isExactPool(about));
  if (parties.length >= least) return;
  if (join !== null) {
    throw new PolicyError('TOO_FEW_PARTIES', {
      field: 'join',
      detail: `a join has two, and the charter asks for at least ${least}`,
      remedy: 'ask about pooled rows (`from`)',
    });
  }
  throw new PolicyError('TOO_FEW_PARTIES', {
    field: 'parties',
    detail: `${privacy === null ? 'an exact' : 'a protected'} pooled answer needs at least ${least}, and ${parties.length} take part`,
  });
}
