/**
 * A party's policy, and its verdict on a job.
 *
 * A job is allowed only if one rule covers every use of the dataset; rules do not add up. Filters count as uses, those
 * of a count's own `where` too. A rule that lists a measure allows what that measure opens, for that measure only.
 * Columns that split the rows inside a measure (`by` of a t-test, both columns of a chi-square) are covered where the
 * rule lists them under `measure` or `group_by`: what such a measure opens is what a grouped count or sum opens.
 * No setting of a rule goes below the charter's floor.
 * @module
 */
import { z } from 'zod';
import { toHex } from '../algebra/bytes.ts';
import { hashJson } from '../algebra/hash.ts';
import { PolicyError } from '../channel/errors.ts';
import type { Charter } from './charter.ts';
import type { CheckedJob } from './check-job.ts';
import { datasetOf } from './checked-join.ts';
import type { JobUses } from './job-uses.ts';
import { listed, lookUp } from './name.ts';
import type { Gap } from './privacy-rule.ts';
import { lacksOwnParty } from './privacy-terms.ts';
import { checkRule, type Rule, ruleSchema } from './rule.ts';
import { gapsOf } from './rule-gap.ts';
import type { DominanceRule } from './strictness.ts';

export { usesOf } from './job-uses.ts';

/** The `policy:` section of a node.yaml. */
export const policySchema = z.strictObject({
  rules: z
    .array(ruleSchema)
    .refine((rules) => new Set(rules.map((rule) => rule.name)).size === rules.length, 'two rules have the same name'),
});

export type Policy = Readonly<z.infer<typeof policySchema>>;

export type Verdict =
  | {
      readonly verdict: 'allow';
      readonly rule: string;
      /** The threshold: the largest of job, rule and floor. */
      readonly minGroup: number;
      /** What the rule itself asks for; absent where it says nothing. */
      readonly round?: number;
      readonly dominance?: DominanceRule;
      readonly approval: 'automatic' | 'manual';
      /** How many different people must approve it; only where approval is manual. */
      readonly approvers?: number;
      /** Whether some rule also allows exact answers about the dataset, which no budget bounds. */
      readonly exactToo: boolean;
    }
  | {
      readonly verdict: 'refuse';
      /** The rule that lacks least, if any concerns the dataset. */
      readonly rule?: string;
      /** The first column that it does not cover. */
      readonly column?: string;
      /** The smallest change that would help, in words. */
      readonly change: string;
      readonly error: PolicyError;
    };

/** The policy's hash in hexadecimal digits, which an acceptance states. */
export function policyHash(policy: Policy): string {
  return toHex(hashJson(policy));
}

/**
 * Every name in a policy is one that the charter knows.
 * @throws InputError naming the field
 */
export function checkPolicy(policy: Policy, charter: Charter, party: string): void {
  policy.rules.forEach((rule, index) => {
    checkRule(rule, charter, party, `policy.rules[${index}]`);
  });
}

/** What stands in place of a rule's name where a party only helps; no rule has this name. */
export const helperRule = '';

/**
 * A helper deals randomness for others and brings no records: it has nothing that a rule could protect. Whether it may
 * help is for the rules of those whose records it helps to compute with.
 */
const asHelper: Verdict = {
  verdict: 'allow',
  rule: helperRule,
  minGroup: 1,
  approval: 'automatic',
  exactToo: false,
};

/** A party's own verdict on a job by an analyst of the charter. `nowMs` decides whether a rule has expired. */
export function judge(
  checked: CheckedJob,
  uses: JobUses,
  party: string,
  policy: Policy,
  analyst: string,
  nowMs: number,
): Verdict {
  const ownParty = lookUp(checked.charter.analysts, analyst)?.party;
  if (ownParty !== undefined && ownParty === checked.helper) return helpedByOwnParty(party, ownParty);
  if (party === checked.helper && !checked.parties.includes(party)) return asHelper;
  if (lacksOwnParty(checked, ownParty ?? null)) return withoutOwnParty(party, ownParty!);
  const { name } = datasetOf(checked, party);
  const rules = policy.rules.filter((rule) => rule.datasets.includes(name));
  const judged = rules.map((rule) => ({ rule, gaps: gapsOf(rule, checked, uses, party, analyst, nowMs) }));
  const covering = judged.filter(({ gaps }) => gaps.length === 0).map(({ rule }) => rule);
  // Rules are alternatives: where several cover the job, the one that needs the fewest people is taken.
  const rule = covering.toSorted((a, b) => approversOf(a) - approversOf(b))[0];
  if (rule !== undefined) {
    const exactToo = rules.some(({ privacy }) => privacy?.required !== true);
    return {
      verdict: 'allow',
      rule: rule.name,
      minGroup: thresholdOf(rule, checked),
      ...(rule.round === undefined ? {} : { round: rule.round }),
      ...(rule.dominance === undefined ? {} : { dominance: rule.dominance }),
      approval: rule.approval,
      ...(rule.approval === 'manual' ? { approvers: approversOf(rule) } : {}),
      exactToo,
    };
  }
  const nearest = judged.reduce<(typeof judged)[number] | undefined>(
    (best, next) => (best === undefined || next.gaps.length < best.gaps.length ? next : best),
    undefined,
  );
  return nearest === undefined ? withoutRule(checked, party) : refusal(nearest.rule, nearest.gaps, party);
}

/** How many people a rule asks. */
function approversOf({ approval, approvers = 1 }: Rule): number {
  return approval === 'automatic' ? 0 : approvers;
}

function thresholdOf(rule: Rule, { job, charter }: CheckedJob): number {
  const floor = charter.policy_floor.min_group;
  return Math.max(job.min_group ?? 1, rule.min_group ?? floor, floor);
}

function withoutRule(checked: CheckedJob, party: string): Verdict {
  const { name } = datasetOf(checked, party);
  const other = checked.join === null ? `leave ${party} out of the job` : 'join other records';
  const change = `have the data owner of ${party} write a rule for the dataset \`${name}\`, or ${other}`;
  const detail = `none concerns \`${name}\``;
  return {
    verdict: 'refuse',
    change,
    error: new PolicyError('REFUSED', {
      party,
      field: checked.join === null ? 'from' : 'join',
      detail,
      remedy: change,
    }),
  };
}

function withoutOwnParty(party: string, ownParty: string): Verdict {
  const change = 'ask for `collusion: 1` or more';
  const detail = `the analyst belongs to ${ownParty}, which knows its own noise and counts among the colluding`;
  const error = new PolicyError('REFUSED', { party, field: 'privacy.collusion', detail, remedy: change });
  return { verdict: 'refuse', change, error };
}

/** The helper knows what hides the shares that the analyst receives: the two together must not be one member. */
function helpedByOwnParty(party: string, ownParty: string): Verdict {
  const change = 'name another helper, or leave `join_helper` out';
  const detail = `the analyst belongs to ${ownParty}, which would know what hides the shares`;
  const error = new PolicyError('REFUSED', { party, field: 'join_helper', detail, remedy: change });
  return { verdict: 'refuse', change, error };
}

function refusal(rule: Rule, gaps: readonly Gap[], party: string): Verdict {
  const asker = [...new Set(gaps.map((gap) => gap.asker))].join(', and ');
  const owner = [...new Set(gaps.map((gap) => gap.owner))].join(', and ');
  const change = `${asker}; or have the data owner of ${party} ${owner} in the rule “${rule.name}”`;
  const column = gaps.find((gap) => gap.column !== undefined)?.column;
  const detail = `the nearest, “${rule.name}”, does not allow ${listed(gaps.map((gap) => gap.lacks))}`;
  const tooFew = gaps.every((gap) => gap.tooFewParties);
  const error = new PolicyError(tooFew ? 'TOO_FEW_PARTIES' : 'REFUSED', {
    party,
    field: column,
    detail,
    remedy: change,
  });
  return { verdict: 'refuse', rule: rule.name, ...(column === undefined ? {} : { column }), change, error };
}
