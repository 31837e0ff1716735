/**
 * How a join is computed, as all derive it from the same documents: what each side brings, over which rings its sums are
 * made, and what that takes.
 * @module
 */
import { type Ring, rings } from '../algebra/ring.ts';
import { tossBytes } from '../protocols/coin-toss.ts';
import type { Preprocessing } from '../protocols/cost.ts';
import { ellipticCost } from '../protocols/elliptic-psi.ts';
import { pairCost } from '../protocols/pair-correlations.ts';
import type { PairDemand } from '../protocols/pair-source.ts';
import { psiCost, psiDemand, type SetSizes } from '../protocols/psi.ts';
import type { CheckedJob } from '../query/check-job.ts';
import type { Layout } from '../query/encode.ts';
import type { JoinQuery, SideName } from '../query/join-query.ts';
import { joinQueryOf } from '../query/join-terms.ts';
import type { Protection } from '../query/protection.ts';
import { classSize } from '../query/set-class.ts';
import type { LocalQuery } from '../query/statistic.ts';
import { joinSumsCost } from './join-cost.ts';
import { type JoinPlan, joinPlan } from './join-plan.ts';

/** What the two sides have agreed to compute. */
export interface JoinAgreement {
  readonly query: JoinQuery;
  readonly plan: JoinPlan;
  /** Of each statistic: the ring that its sum is computed over. */
  readonly rings: readonly Ring[];
  /** The size class of each side's whole dataset, by its acceptance. */
  readonly classes: Readonly<Record<SideName, number>>;
}

/**
 * A join as all derive it from the same documents; null for a pooled job.
 * @throws InputError TOO_MANY_CELLS, OVERFLOW, NOT_SUPPORTED
 */
export function joinOf(
  checked: CheckedJob,
  query: LocalQuery,
  { inputs, protection }: { readonly inputs: Layout; readonly protection: Protection | null },
  classes: Readonly<Record<SideName, number>> | null,
): JoinAgreement | null {
  if (checked.join === null || classes === null) return null;
  const ringOf = protection === null ? ringsIn(inputs, query) : ringsFor(protection, query);
  const sides = joinQueryOf(checked, query);
  return { query: sides, plan: joinPlan(sides, ringOf), rings: ringOf, classes };
}

function ringsIn({ sections }: Layout, { statistics }: LocalQuery): Ring[] {
  return statistics.map((_, at) => sections.find((section) => section.statistics.includes(at))!.ring);
}

/** Each statistic over the widest ring of the parts that it goes into: what is wider than a part's ring wraps there anyway. */
function ringsFor({ releases, layout }: Protection, { statistics }: LocalQuery): Ring[] {
  const parts = releases.flatMap((release) => release.parts);
  return statistics.map((_, statistic) => {
    const own = layout.sections.filter((section) =>
      section.statistics.some((part) => parts[part]!.some(([place]) => place === statistic)),
    );
    return rings.findLast((ring) => own.some((section) => section.ring === ring)) ?? rings[0]!;
  });
}

/** Bytes of the salt that keys are hashed with, and rounds of its toss. */
export const saltBytes = 32;
const tossRounds = 2;

/** Sets of up to so many elements are matched on an elliptic curve: it takes about as long as to begin with anything else. */
const ellipticMax = 1_024;

/** Whether matches are found without correlated randomness. */
export function isElliptic({ join }: CheckedJob, { classes }: JoinAgreement): boolean {
  return join!.reveal === 'matches' && Math.max(classSize(classes.left), classSize(classes.right)) <= ellipticMax;
}

/** The side that has the hash table; of a join that reveals matches, the one that learns them. */
export function receivingSide({ join }: CheckedJob, { plan }: JoinAgreement): SideName {
  return join!.reveal === 'matches' ? 'left' : plan.receiver;
}

/** Elements of the receiver's and of the sender's set. */
function sizesOf(checked: CheckedJob, agreement: JoinAgreement): SetSizes {
  const receiver = receivingSide(checked, agreement);
  const { classes } = agreement;
  return {
    receiver: classSize(classes[receiver]),
    sender: classSize(classes[receiver === 'left' ? 'right' : 'left']),
  };
}

/** What is made ahead of it; null for nothing. */
export function joinDemand(checked: CheckedJob, agreement: JoinAgreement): PairDemand | null {
  const sizes = sizesOf(checked, agreement);
  if (checked.join!.reveal === null) return joinSumsCost(agreement.plan, sizes).demand;
  return isElliptic(checked, agreement) ? null : psiDemand(sizes);
}

/** The rounds of the whole matching and its sums, the salt and what is made ahead included, and all parties' bytes. */
export function joinCost(checked: CheckedJob, agreement: JoinAgreement): Preprocessing {
  const sizes = sizesOf(checked, agreement);
  const demand = joinDemand(checked, agreement);
  const ahead = demand === null ? { rounds: 0, bytes: 0 } : pairCost(demand, { helper: checked.helper });
  const matching =
    checked.join!.reveal === null
      ? joinSumsCost(agreement.plan, sizes)
      : demand === null
        ? ellipticCost(sizes)
        : psiCost(sizes);
  return {
    rounds: tossRounds + ahead.rounds + matching.rounds,
    bytes: 2 * tossBytes(saltBytes) + ahead.bytes + matching.bytes,
  };
}
