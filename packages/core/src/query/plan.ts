/**
 * The plan of a job: who sends what to whom, what is opened to whom and under which rule, at what cost, and what is not
 * defended. A pure function of job, charter and verdicts; anyone can make it offline, and all make the same.
 *
 * Rounds    2 (commitments, then signatures) after the sessions are set up, and before them what is computed on shares;
 *           each party's sealed share follows
 * Sends     (N − 1)·96 bytes to peers, what is computed on shares, and one sealed vector to the analyst, from each party
 * @module
 */
import { correlateCost } from '../engine/correlate.ts';
import { evaluateCost } from '../engine/evaluate-cost.ts';
import { joinCost, joinDemand, joinOf } from '../engine/join-agreement.ts';
import { type CheckedJob, rosterOf } from './check-job.ts';
import { conditionText, groupsText, inWords } from './condition-text.ts';
import { fractionOf } from './dictionary.ts';
import { disclose } from './disclose.ts';
import type { Disclosure } from './disclosure.ts';
import { bytesOf, layout } from './encode.ts';
import { compile } from './local.ts';
import { lookUp } from './name.ts';
import { openedLayout } from './opened.ts';
import {
  decisionTexts,
  operationOf,
  type PlannedMeasure,
  percentText,
  placesText,
  planMeasures,
  selectionTexts,
  worded,
} from './plan-disclosure.ts';
import { assumedClasses, type PlannedJoin, planJoin, type SetClasses } from './plan-join.ts';
import { joinWarnings, sidesText } from './plan-join-text.ts';
import { type PartyBudget, type PlannedPrivacy, planPrivacy } from './plan-privacy.ts';
import { privacyWarnings } from './plan-privacy-text.ts';
import type { Verdict } from './policy.ts';
import { type Protection, protect } from './protection.ts';
import { classSize } from './set-class.ts';
import type { LocalQuery } from './statistic.ts';
import { type Strictness, strictnessOf } from './strictness.ts';

export type { PlannedMeasure } from './plan-disclosure.ts';
export type { PlannedJoin } from './plan-join.ts';
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
  /** How many different people must approve; null where nobody is asked or it is not known. */
  readonly approvers: number | null;
  readonly minGroup: number | null;
  /** What its rule asks figures to be rounded to, if it does. */
  readonly round: number | null;
  /** The share of a sum, in words, that its rule lets the `n` largest contributors have, if it says. */
  readonly dominance: { readonly n: number; readonly share: string } | null;
  /** Why this party would refuse, and the smallest change that would help. */
  readonly refusal: { readonly reason: string; readonly change: string } | null;
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
  /** Which two datasets are matched; null for a pooled job. */
  readonly join: PlannedJoin | null;
  readonly parties: readonly PlannedParty[];
  /** Who deals correlated randomness, takes no part otherwise and must not collude; null where nobody does. */
  readonly helper: { readonly id: string; readonly name: string; readonly owner: string } | null;
  /** Which rows count, in words; empty for all. */
  readonly filter: string;
  readonly groups: string;
  readonly cells: number;
  /** What the figures are over, in words. */
  readonly places: string;
  readonly measures: readonly PlannedMeasure[];
  /**
   * What is decided on shares before anything opens, in words; none for a job that opens all its sums. Of a protected job
   * what is left out and rounded afterwards.
   */
  readonly decisions: readonly string[];
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
  /** The analyst's id. */
  readonly analyst?: string | undefined;
  /** What all parties ask for together, where they have accepted; what their verdicts make of it otherwise. */
  readonly strictness?: Strictness | undefined;
  /** Each party's verdict, as far as it is known. */
  readonly verdicts?: ReadonlyMap<string, Verdict> | undefined;
  /** Each party's budget for its dataset, as far as it is known. */
  readonly budgets?: ReadonlyMap<string, PartyBudget> | undefined;
  /** The size classes of a join's sides, as far as they are known: what the parties have accepted with. */
  readonly setClasses?: SetClasses | null | undefined;
}

/**
 * The plan of a checked job.
 * @throws what `protect` throws for a protected job
 */
export function plan(options: PlanOf): Plan {
  const { checked, analyst, strictness, verdicts = new Map(), budgets = new Map() } = options;
  const { job, charter, parties } = checked;
  const setClasses = options.setClasses ?? {};
  const dataset = worded(checked);
  const party = analyst === undefined ? undefined : lookUp(charter.analysts, analyst)?.party;
  const allowed = [...verdicts.values()].filter((verdict) => verdict.verdict === 'allow');
  const strictest =
    strictness ??
    strictnessOf(
      checked,
      allowed.map(({ minGroup, round, dominance }) => ({ min_group: minGroup, round, dominance })),
    );
  const query = compile(checked, party ?? null, strictest);
  const disclosure = checked.privacy === null ? disclose({ checked, query, strictness: strictest }) : null;
  const units = [...budgets.values()].map(({ unit }) => unit);
  const protection = checked.privacy === null ? null : protect(checked, query, parties.length, units);
  const threshold = disclosure?.threshold ?? strictest.minGroup;
  const sealedBytes = bytesOf(protection?.layout ?? openedLayout(disclosure!)) + sealingBytes;
  const onShares = costOnShares(checked, disclosure);
  const joined = costOfJoin(checked, query, protection, setClasses);
  const members = rosterOf(checked).length;
  const masked = onShares.bytes + joined.bytes;
  const bytesPerParty = (members - 1) * (openingBytes + handshakeBytes) + masked + sealedBytes;
  const rounds = 2 + onShares.rounds + joined.rounds;
  const plain = {
    title: job.title,
    analyst: analyst === undefined ? null : { id: analyst, party: party ?? null },
    purpose: { id: job.purpose, text: charter.purposes[job.purpose]! },
    consortium: charter.charter,
    dataset: dataset.name,
    filter: conditionText(query.where, dataset),
    groups: groupsText(query.groups, dataset),
    cells: query.cells,
    places: placesText(checked),
    rounds,
    bytesPerParty,
    // Two trips for the handshake and one for what is sealed; a round is half a trip and its answer. All pass one relay.
    secondsEstimate:
      (assumed.startMs + (3 + rounds) * assumed.roundTripMs) / 1000 +
      (members * bytesPerParty) / assumed.bytesPerSecond +
      joined.seconds,
    threshold,
    thresholdIsFinal: allowed.length >= parties.length,
  };
  const exactToo = [...verdicts].flatMap(([id, verdict]) =>
    verdict.verdict === 'allow' && verdict.exactToo ? [id] : [],
  );
  const rulesKnown = allowed.length >= parties.length;
  const privacy = protection && planPrivacy({ checked, query, protection, budgets, exactToo, rulesKnown });
  const made = {
    ...plain,
    join: checked.join === null ? null : planJoin(checked.join, query.where, setClasses),
    parties: parties.map((id) => planParty(id, charter.parties[id]!, verdicts.get(id))),
    helper: checked.helper === null ? null : helperOf(checked.helper, charter.parties[checked.helper]!),
    measures: protection === null ? planMeasures(checked, query, strictest) : planProtected(checked, protection),
    decisions: disclosure === null ? selectionTexts(checked, strictest) : decisionTexts(checked, disclosure, strictest),
    transfers: planTransfers(checked, sealedBytes, masked),
    privacy,
  };
  const subject = made.join === null ? `\`${dataset.name}\`` : sidesText(made.join);
  const general =
    privacy === null ? warningsFor(checked, party, strictest) : privacyWarnings(privacy, subject, threshold);
  return { ...made, warnings: [...general, ...joinWarnings(made)] };
}

/** What microseconds an element and bin of the larger set, and a bit triple, take two cores; by `benchmarks/psi.ts`. */
const pace = { element: 6, bitTriple: 0.2 };

/** Rounds, the bytes that one of the two sends, and seconds of computing, of matching two sides and adding up. */
function costOfJoin(checked: CheckedJob, query: LocalQuery, protection: Protection | null, classes: SetClasses) {
  const { join, dataset, contributors, helper } = checked;
  if (join === null) return { rounds: 0, bytes: 0, seconds: 0 };
  const assumed = assumedClasses(join, classes);
  const inputs = protection?.layout ?? layout(query, dataset, contributors);
  const agreement = joinOf(checked, query, { inputs, protection }, assumed)!;
  const { rounds, bytes } = joinCost(checked, agreement);
  const triples = helper === null ? (joinDemand(checked, agreement)?.bitTriples ?? 0) : 0;
  const elements = Math.max(classSize(assumed.left), classSize(assumed.right));
  return { rounds, bytes: Math.ceil(bytes / 2), seconds: (pace.element * elements + pace.bitTriple * triples) / 1e6 };
}

function planParty(
  id: string,
  { name, owner }: { name: string; owner: string },
  verdict: Verdict | undefined,
): PlannedParty {
  const nothing = {
    rule: null,
    approval: null,
    approvers: null,
    minGroup: null,
    round: null,
    dominance: null,
    refusal: null,
  };
  const unknown = { id, name, owner, ...nothing };
  if (verdict === undefined) return unknown;
  if (verdict.verdict === 'refuse') {
    return { ...unknown, refusal: { reason: verdict.error.message, change: verdict.change } };
  }
  const { rule, approval, approvers = null, minGroup, round = null, dominance } = verdict;
  const largest = dominance === undefined ? null : { n: dominance.n, share: percentText(fractionOf(dominance.share)) };
  return { ...unknown, rule, approval, approvers, minGroup, round, dominance: largest };
}

function helperOf(id: string, { name, owner }: { name: string; owner: string }): Plan['helper'] {
  return { id, name, owner };
}

/** Rounds, and the bytes that one party sends to all others, of what is computed on shares. */
function costOnShares(
  { parties, helper }: CheckedJob,
  disclosure: Disclosure | null,
): { rounds: number; bytes: number } {
  if (disclosure === null) return { rounds: 0, bytes: 0 };
  const online = evaluateCost(parties.length, disclosure);
  const ahead = correlateCost(parties.length, { helper, demand: online });
  // What is made ahead is the sum over all who make it.
  // And before that, one round in which all confirm what they have accepted.
  const confirming = ahead.rounds === 0 ? { rounds: 0, bytes: 0 } : { rounds: 1, bytes: 32 * (parties.length - 1) };
  return {
    rounds: online.rounds + ahead.rounds + confirming.rounds,
    bytes: online.bytes + Math.ceil(ahead.bytes / parties.length) + confirming.bytes,
  };
}

/** What is opened of a protected job are its releases, with their noise. */
function planProtected(checked: CheckedJob, { releases }: Protection): PlannedMeasure[] {
  const { job } = checked;
  const dataset = worded(checked);
  return Object.entries(job.measures).map(([name, measure]) => ({
    name,
    operation: operationOf(measure),
    opens: releases
      .filter(({ measures }) => measures.includes(name))
      .map(({ what }) => `${inWords(what, dataset)}, with noise`),
    tests: [],
  }));
}

function planTransfers({ parties, join }: CheckedJob, sealedBytes: number, onShares: number): Transfer[] {
  const random =
    join === null ? 'which are uniformly random to whoever sees them' : 'which look random to whoever receives them';
  const known = join?.reveal === 'matches' ? ', but for those of people it has itself' : '';
  const among = parties.flatMap((from) =>
    parties
      .filter((to) => to !== from)
      .map((to) => ({ from, to, what: 'a commitment and a signature', bytes: openingBytes })),
  );
  const masked = parties.flatMap((from) =>
    parties
      .filter((to) => to !== from && onShares > 0)
      .map((to) => ({
        from,
        to,
        what: `masked numbers, ${random}${known}`,
        bytes: Math.ceil(onShares / (parties.length - 1)),
      })),
  );
  const opened = parties.map((from) => ({
    from,
    to: 'the analyst',
    what: 'its shares of what opens, sealed to the analyst’s key',
    bytes: sealedBytes,
  }));
  return [...among, ...masked, ...opened];
}

function warningsFor(
  { charter, dataset, parties, helper, having, join }: CheckedJob,
  ownParty: string | undefined,
  { minGroup, round }: Strictness,
): string[] {
  const remains =
    ' If the analyst and all other parties put together what they hold, what remains is the exact contribution of the one ' +
    'party that does not take part in that: the answer minus theirs. No protocol can change this; only noise can.';
  const deviates = join === null ? '' : ' It could also learn more of the other’s records than stands here.';
  const warnings = [
    `The answer is exact${round === 1 ? '' : ' but for rounding'}: no noise is added.${join === null ? remains : ''}`,
    'Two exact answers about almost the same people can be subtracted from each other. What was answered before is not taken into account.',
    'The parties are assumed to follow the protocol. A party that lies about its own records makes the answer wrong, and one that ' +
      `deviates can have a small group shown or a large one withheld; nobody can tell.${deviates}`,
  ];
  if (having.length > 0) {
    warnings.push(
      'Asked again with other bounds, the conditions on groups tell the figures that they look at. Whoever may test a measure may learn it, where it would be shown.',
    );
  }
  if (helper !== null && join === null) {
    warnings.push(
      `${helper} deals the random numbers that the others compute with. It sees sizes only; but if it puts together what it holds with one party, these two know every figure of this question over all parties before anything is withheld, those of small groups too.`,
    );
  }
  if (join === null && ownParty !== undefined && parties.includes(ownParty)) {
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
  if (charter.policy_floor.min_group < 2 && minGroup < 2) {
    warnings.push('No threshold is in force: a group of one person is shown.');
  }
  return warnings;
}

export { renderMatching, renderPlan } from './plan-text.ts';
