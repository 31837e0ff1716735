/**
 * The plan of a job: who sends what to whom, what is opened to whom and under which rule, at what cost, and what is not
 * defended. A pure function of job, charter and verdicts; anyone can make it offline, and all make the same.
 *
 * Rounds    2 (commitments, then signatures) after the sessions are set up; each party's sealed share follows
 * Sends     (N − 1)·96 bytes to peers and one sealed vector to the analyst, from each party
 * @module
 */
import type { CheckedJob } from './check-job.ts';
import { conditionText, groupsText, statisticTexts } from './condition-text.ts';
import { bytesOf, type Layout } from './encode.ts';
import type { Measure } from './job.ts';
import { headcount, preparedMeasures } from './local.ts';
import { lookUp } from './name.ts';
import { type PartyBudget, type PlannedPrivacy, planPrivacy } from './plan-privacy.ts';
import { privacyWarnings } from './plan-privacy-text.ts';
import type { Verdict } from './policy.ts';
import { type Protection, protect } from './protection.ts';
import type { LocalQuery } from './statistic.ts';

export type { PartyBudget } from './plan-privacy.ts';

/** A commitment and a signature, from each party to each other. */
const openingBytes = 32 + 64;
/** X-Wing's encapsulation (1,088 + 32) and the tag of AES-GCM: what sealing adds to a share. */
const sealingBytes = 1120 + 16;
/** Both handshake messages of a pair: an ML-KEM key and ciphertext, two X25519 keys, tags and headers. */
const handshakeBytes = 2_500;
/** The time estimate assumes this much of every link, and says so. */
const assumed = { roundTripMs: 50, bytesPerSecond: 12_500_000, startMs: 1_000 };

export interface PlannedParty {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  /** The rule that allows the job there; null where it is refused or not known. */
  readonly rule: string | null;
  readonly approval: 'automatic' | 'manual' | null;
  readonly minGroup: number | null;
  /** Why this party would refuse, and the smallest change that would help. */
  readonly refusal: { readonly reason: string; readonly change: string } | null;
}

export interface PlannedMeasure {
  readonly name: string;
  readonly operation: string;
  /** The sums over all parties that the analyst's software receives for it, in words. */
  readonly opens: readonly string[];
  /** The counts of people or rows that are compared with the threshold. */
  readonly tests: readonly string[];
}

export interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly what: string;
  readonly bytes: number;
}

export interface Plan {
  readonly title: string;
  readonly analyst: { readonly id: string; readonly party: string | null } | null;
  readonly purpose: { readonly id: string; readonly text: string };
  readonly consortium: string;
  readonly dataset: string;
  readonly parties: readonly PlannedParty[];
  /** Which rows count, in words; empty for all. */
  readonly filter: string;
  readonly groups: string;
  readonly cells: number;
  readonly measures: readonly PlannedMeasure[];
  readonly transfers: readonly Transfer[];
  readonly rounds: number;
  readonly bytesPerParty: number;
  readonly secondsEstimate: number;
  /** The least number of people behind a number that is shown. */
  readonly threshold: number;
  /** Whether every party's rule was known when the threshold was made. */
  readonly thresholdIsFinal: boolean;
  /** What a protected job spends, and the noise it is answered with; null for an exact one. */
  readonly privacy: PlannedPrivacy | null;
  readonly warnings: readonly string[];
}

export interface PlanOf {
  readonly checked: CheckedJob;
  readonly query: LocalQuery;
  readonly layout: Layout;
  /** The analyst's id. */
  readonly analyst?: string | undefined;
  /** Each party's verdict, as far as it is known. */
  readonly verdicts?: ReadonlyMap<string, Verdict> | undefined;
  /** Each party's budget for the dataset, as far as it is known. */
  readonly budgets?: ReadonlyMap<string, PartyBudget> | undefined;
}

/**
 * The plan of a checked job.
 * @throws what `protect` throws for a protected job
 */
export function plan({ checked, query, layout, analyst, verdicts = new Map(), budgets = new Map() }: PlanOf): Plan {
  const { job, charter, dataset, parties } = checked;
  const units = [...budgets.values()].map(({ unit }) => unit);
  const protection = checked.privacy === null ? null : protect(checked, query, parties.length, units);
  const party = analyst === undefined ? undefined : lookUp(charter.analysts, analyst)?.party;
  const allowed = [...verdicts.values()].flatMap((verdict) => (verdict.verdict === 'allow' ? [verdict.minGroup] : []));
  const threshold = Math.max(job.min_group ?? 1, charter.policy_floor.min_group, ...allowed);
  const sealedBytes = bytesOf(protection?.layout ?? layout) + sealingBytes;
  const bytesPerParty = (parties.length - 1) * (openingBytes + handshakeBytes) + sealedBytes;
  const rounds = 2;
  const plain = {
    title: job.title,
    analyst: analyst === undefined ? null : { id: analyst, party: party ?? null },
    purpose: { id: job.purpose, text: charter.purposes[job.purpose]! },
    consortium: charter.charter,
    dataset: dataset.name,
    filter: conditionText(query.where, dataset),
    groups: groupsText(query.groups),
    cells: query.cells,
    rounds,
    bytesPerParty,
    // Two trips for the handshake, two for the opening, one for what is sealed; all vectors pass one relay.
    secondsEstimate:
      (assumed.startMs + 5 * assumed.roundTripMs) / 1000 + (parties.length * bytesPerParty) / assumed.bytesPerSecond,
    threshold,
    thresholdIsFinal: allowed.length === parties.length,
  };
  const exactToo = [...verdicts].flatMap(([id, verdict]) =>
    verdict.verdict === 'allow' && verdict.exactToo ? [id] : [],
  );
  const rulesKnown = allowed.length === parties.length;
  const privacy = protection && planPrivacy({ checked, query, protection, budgets, exactToo, rulesKnown });
  return {
    ...plain,
    parties: parties.map((id) => planParty(id, charter.parties[id]!, verdicts.get(id))),
    measures: protection === null ? planMeasures(checked, query) : planProtected(checked, protection),
    transfers: planTransfers(parties, sealedBytes),
    privacy,
    warnings:
      privacy === null ? warningsFor(checked, party, threshold) : privacyWarnings(privacy, dataset.name, threshold),
  };
}

function planParty(
  id: string,
  { name, owner }: { name: string; owner: string },
  verdict: Verdict | undefined,
): PlannedParty {
  const unknown = { id, name, owner, rule: null, approval: null, minGroup: null, refusal: null };
  if (verdict === undefined) return unknown;
  if (verdict.verdict === 'refuse') {
    return { ...unknown, refusal: { reason: verdict.error.message, change: verdict.change } };
  }
  return { ...unknown, rule: verdict.rule, approval: verdict.approval, minGroup: verdict.minGroup };
}

function planMeasures(checked: CheckedJob, query: LocalQuery): PlannedMeasure[] {
  const { dataset, job } = checked;
  const prepared = new Map(preparedMeasures(checked));
  return Object.entries(job.measures).map(([name, measure]) => {
    const { statistics, tested } = prepared.get(name)!;
    const heads = tested.map((condition) => headcount(condition, dataset, query.ownParty));
    return {
      name,
      operation: operationOf(measure),
      opens: statisticTexts(statistics, dataset),
      tests: statisticTexts(heads, dataset),
    };
  });
}

/** What is opened of a protected job are its releases, with their noise. */
function planProtected({ job }: CheckedJob, { releases }: Protection): PlannedMeasure[] {
  return Object.entries(job.measures).map(([name, measure]) => ({
    name,
    operation: operationOf(measure),
    opens: releases.filter(({ measures }) => measures.includes(name)).map(({ what }) => `${what}, with noise`),
    tests: [],
  }));
}

const operationOf = (measure: Measure): string => (measure === 'count' ? 'count' : Object.keys(measure)[0]!);

function planTransfers(parties: readonly string[], sealedBytes: number): Transfer[] {
  const among = parties.flatMap((from) =>
    parties
      .filter((to) => to !== from)
      .map((to) => ({ from, to, what: 'a commitment and a signature', bytes: openingBytes })),
  );
  const opened = parties.map((from) => ({
    from,
    to: 'the analyst',
    what: 'its masked sums, sealed to the analyst’s key',
    bytes: sealedBytes,
  }));
  return [...among, ...opened];
}

function warningsFor(
  { charter, dataset, parties }: CheckedJob,
  ownParty: string | undefined,
  threshold: number,
): string[] {
  const warnings = [
    `Groups with fewer than ${threshold} people are withheld by the analyst’s own software, after it has received the totals. ` +
      'A dishonest analyst could read them. A later version withholds them before anyone receives them.',
    'The answer is exact: no noise is added. If the analyst and all other parties put together what they hold, what remains ' +
      'is the exact contribution of the one party that does not take part in that: the answer minus theirs. ' +
      'No protocol can change this; only noise can.',
    'Two exact answers about almost the same people can be subtracted from each other. What was answered before is not taken into account.',
    'The parties are assumed to follow the protocol. A party that lies about its own records makes the answer wrong, and nobody can tell.',
  ];
  if (ownParty !== undefined && parties.includes(ownParty)) {
    warnings.push(
      `The analyst belongs to ${ownParty}. The people of ${ownParty} do not count toward the threshold, since the analyst may know them already.`,
    );
  }
  if (dataset.unit === 'row') {
    warnings.push(`In \`${dataset.name}\` the threshold counts rows, not people: the charter names no person column.`);
  } else if (dataset.max_parties_per_unit > 1) {
    warnings.push(
      `A person may be in the records of up to ${Math.min(dataset.max_parties_per_unit, parties.length)} parties and is then counted at each. ` +
        'The threshold is raised by that factor.',
    );
  }
  if (charter.policy_floor.min_group < 2 && threshold < 2) {
    warnings.push('No threshold is in force: a group of one person is shown.');
  }
  return warnings;
}

export { renderPlan } from './plan-text.ts';
