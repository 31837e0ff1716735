/**
 * How strictly an exact answer is kept: the strictest of what the job, the charter's floor and every party's rule ask.
 *
 * All parties work it out from the same public texts and signed acceptances, so none can be looser than another.
 *
 * The dominance rule (n, k): a sum opens only where its n largest contributors hold at most the share k of it. Rounding
 * to a base: a figure opens as a multiple of it. Both are keys of a rule and of the floor; a job may ask for rounding too.
 * @module
 */
import { z } from 'zod';
import { cmp, type Rational, rational } from '../algebra/rational.ts';
import type { Charter } from './charter.ts';
import { fractionOf, numericSchema } from './dictionary.ts';
import type { Job, Operation } from './job.ts';

/** Figures rounded more coarsely say nothing. */
const roundMax = 1_000_000;
/** Each party brings so many of its largest totals for each sum and cell. */
const contributorsMax = 5;
/** A finer share could not be told from its neighbour in any table, and widens what is compared on shares. */
const shareUnit = 10_000n;
const one = rational(1n);

/** The base that figures are rounded to; 1 leaves them as they are. */
export const roundSchema = z.int({ error: 'expected a whole number' }).min(1).max(roundMax);

export const dominanceSchema = z.strictObject({
  n: z.int({ error: 'expected a whole number' }).min(1).max(contributorsMax),
  share: numericSchema.refine(isShare, {
    error: 'expected a share above 0 and at most 1, with at most 4 digits after the point',
  }),
});

/** It is also asked about texts that are no numbers, beside the schema's own complaint. */
function isShare(written: number | string): boolean {
  try {
    const share = fractionOf(written);
    return share.n > 0n && cmp(share, one) <= 0 && shareUnit % share.d === 0n;
  } catch {
    return false;
  }
}

/** As a rule, a floor or an acceptance writes it. */
export type DominanceRule = Readonly<z.infer<typeof dominanceSchema>>;

/** The largest n people may not hold more than this share of a sum between them. */
export interface Dominance {
  readonly n: number;
  readonly share: Rational;
}

export interface Strictness {
  /** The fewest people behind a figure that opens. */
  readonly minGroup: number;
  /** What figures are rounded to; 1 where they are not. */
  readonly round: number;
  /** In ascending order of n; a share of 1 forbids nothing and does not stand here. */
  readonly dominance: readonly Dominance[];
}

/** What one party's rule asks for, as its acceptance states it. */
export interface Demand {
  readonly min_group: number;
  readonly round?: number | undefined;
  readonly dominance?: DominanceRule | undefined;
}

/** The strictest of job, floor and all acceptances. */
export function strictnessOf(
  { job, charter }: { readonly job: Pick<Job, 'min_group' | 'round'>; readonly charter: Charter },
  acceptances: readonly Demand[],
): Strictness {
  const demands: readonly Demand[] = [charter.policy_floor, ...acceptances];
  const shares = new Map<number, Rational>();
  for (const { dominance } of demands) {
    if (dominance === undefined) continue;
    const share = fractionOf(dominance.share);
    if (cmp(share, shares.get(dominance.n) ?? one) < 0) shares.set(dominance.n, share);
  }
  return {
    minGroup: Math.max(job.min_group ?? 1, ...demands.map(({ min_group }) => min_group)),
    round: Math.max(job.round ?? 1, ...demands.map(({ round }) => round ?? 1)),
    dominance: [...shares].sort(([a], [b]) => a - b).map(([n, share]) => ({ n, share })),
  };
}

/**
 * What can be answered where figures are rounded: what opens rounded itself, a quotient that opens alone, or a place in
 * declared bins. All others are worked out from exact sums, which rounding is there to withhold.
 */
const roundable: ReadonlySet<Operation> = new Set(['count', 'sum', 'mean', 'ratio', 'histogram', 'median', 'quantile']);

export function canRound(operation: Operation): boolean {
  return roundable.has(operation);
}
