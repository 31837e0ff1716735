/**
 * How a join is computed, as all derive it from the same documents: what each side brings, over which rings its sums are
 * made, and what that takes.
 * @module
 */
import { type Ring, rings } from '../algebra/ring.ts';
import { InputError } from '../channel/errors.ts';
import { tossBytes } from '../protocols/coin-toss.ts';
import type { Preprocessing } from '../protocols/cost.ts';
import { binsFor } from '../protocols/cuckoo.ts';
import { dealtMax } from '../protocols/dealt-pair.ts';
import { ellipticCost } from '../protocols/elliptic-psi.ts';
import { pairCost, volesCost } from '../protocols/pair-correlations.ts';
import type { PairDemand } from '../protocols/pair-source.ts';
import { psiCost, psiVoles, type SetSizes } from '../protocols/psi.ts';
import type { CheckedJob } from '../query/check-job.ts';
import { otherSide } from '../query/checked-join.ts';
import type { Layout } from '../query/encode.ts';
import type { JoinQuery, SideName } from '../query/join-query.ts';
import { joinQueryOf } from '../query/join-terms.ts';
import type { Protection } from '../query/protection.ts';
import { classSize, setClassMin } from '../query/set-class.ts';
import type { LocalQuery } from '../query/statistic.ts';
import { joinSumsCost } from './join-cost.ts';
import { type JoinPlan, joinPlan, payloadOf } from './join-plan.ts';

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
  const { join, helper } = checked;
  if (join === null || classes === null) return null;
  const ringOf = protection === null ? ringsIn(inputs, query) : ringsFor(protection, query);
  const sides = joinQueryOf(checked, query);
  return {
    query: sides,
    plan: join.reveal === 'matches' ? joinPlan(sides, ringOf, 'left') : cheapest(sides, ringOf, classes, helper),
    rings: ringOf,
    classes,
  };
}

/**
 * The plan that sends less, of those with either side as the receiver; the left one's where they are alike. Both sides count
 * alike.
 * @throws InputError where neither will do: that of the left
 */
function cheapest(
  query: JoinQuery,
  ringOf: readonly Ring[],
  classes: Readonly<Record<SideName, number>>,
  helper: string | null,
): JoinPlan {
  const plans: JoinPlan[] = [];
  let refusal: InputError | undefined;
  for (const receiver of ['left', 'right'] as const) {
    try {
      plans.push(joinPlan(query, ringOf, receiver));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      refusal ??= error;
    }
  }
  const [first, other] = plans;
  if (first === undefined) throw refusal;
  if (other === undefined) return first;
  const bytesOf = (plan: JoinPlan): number => {
    const { bytes, demand } = joinSumsCost(plan, sizesFor(plan.receiver, classes));
    return bytes + pairCost(demand, { helper }).bytes;
  };
  return bytesOf(other) < bytesOf(first) ? other : first;
}

/** Elements of the receiver's and of the sender's set. */
function sizesFor(receiver: SideName, classes: Readonly<Record<SideName, number>>): SetSizes {
  return { receiver: classSize(classes[receiver]), sender: classSize(classes[otherSide(receiver)]) };
}

/** What is kept of all bins: shares of words, and the rows that they came in. */
const keptMax = 2 ** 30;

/**
 * Refuses what no side has room for, by the sizes that both have stated.
 * @throws InputError SET_TOO_LARGE
 */
export function checkJoinRoom(checked: CheckedJob, agreement: JoinAgreement): void {
  if (checked.join!.reveal !== null) return;
  const { plan } = agreement;
  const { receiver, sender } = sizesOf(agreement);
  const { rings: carried, flags } = payloadOf(plan);
  const words = carried.reduce((sum, { limbs }) => sum + limbs, 0);
  const kept = (2 * binsFor(receiver) + sender) * (8 * words + flags / 8);
  const demand = joinDemand(checked, agreement)!;
  const dealt = checked.helper === null ? 0 : Math.max(demand.otsFromSender, demand.otsFromReceiver);
  if (kept <= keptMax && dealt <= dealtMax) return;
  const detail =
    kept > keptMax
      ? `what its measures carry of every person takes ${Math.ceil(kept / 2 ** 20)} MiB, over ${keptMax / 2 ** 20}`
      : `its measures take ${dealt} dealt transfers, over ${dealtMax}`;
  const remedy = `ask for fewer groups and measures at once${kept > keptMax ? '' : ', or leave `join_helper` out'}`;
  throw new InputError('SET_TOO_LARGE', { field: 'measures', detail, remedy });
}

function ringsIn({ sections }: Layout, { statistics }: LocalQuery): Ring[] {
  const ringOf = new Map(sections.flatMap(({ ring, statistics: own }) => own.map((at) => [at, ring] as const)));
  return statistics.map((_, at) => ringOf.get(at)!);
}

/** Each statistic over the widest ring of the parts that it goes into: what is wider than a part's ring wraps there anyway. */
function ringsFor({ releases, layout }: Protection, { statistics }: LocalQuery): Ring[] {
  const parts = releases.flatMap((release) => release.parts);
  const widest = statistics.map(() => rings[0]!);
  for (const { ring, statistics: own } of layout.sections) {
    for (const [place] of own.flatMap((part) => parts[part]!)) {
      if (ring.bits > widest[place]!.bits) widest[place] = ring;
    }
  }
  return widest;
}

/** Bytes of the salt that keys are hashed with, and rounds of its toss. */
export const saltBytes = 32;
const tossRounds = 2;

/**
 * Whether matches are found without correlated randomness: those of the smallest sets, on an elliptic curve. It sends a
 * quarter of what the other way does, and rests on no code; but it takes 1.8 s of processor for them, and grows with them.
 */
function isElliptic({ join }: CheckedJob, { classes }: JoinAgreement): boolean {
  return join!.reveal === 'matches' && Math.max(classes.left, classes.right) === setClassMin;
}

/** Elements of the receiver's and of the sender's set. */
function sizesOf({ plan, classes }: JoinAgreement): SetSizes {
  return sizesFor(plan.receiver, classes);
}

/** What is made ahead of a hidden join; null where matches are revealed. */
export function joinDemand(checked: CheckedJob, agreement: JoinAgreement): PairDemand | null {
  if (checked.join!.reveal !== null) return null;
  return joinSumsCost(agreement.plan, sizesOf(agreement)).demand;
}

/** How many evaluations are made ahead of matches that are revealed; none for sets that are matched without. */
export function revealVoles(checked: CheckedJob, agreement: JoinAgreement): number {
  return isElliptic(checked, agreement) ? 0 : psiVoles(sizesOf(agreement));
}

/** The rounds of the whole matching and its sums, the salt and what is made ahead included, and all parties' bytes. */
export function joinCost(checked: CheckedJob, agreement: JoinAgreement): Preprocessing {
  const [ahead, matching] = partsOf(checked, agreement);
  return {
    rounds: tossRounds + ahead.rounds + matching.rounds,
    bytes: 2 * tossBytes(saltBytes) + ahead.bytes + matching.bytes,
  };
}

/** What is made ahead, and what is computed with it. */
function partsOf(checked: CheckedJob, agreement: JoinAgreement): readonly [Preprocessing, Preprocessing] {
  const sizes = sizesOf(agreement);
  if (checked.join!.reveal === null) {
    const cost = joinSumsCost(agreement.plan, sizes);
    return [pairCost(cost.demand, { helper: checked.helper }), cost];
  }
  const count = revealVoles(checked, agreement);
  return count === 0 ? [{ rounds: 0, bytes: 0 }, ellipticCost(sizes)] : [volesCost(count), psiCost(sizes)];
}
