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
import { allMeasures, type CheckedJob, filterColumns, partiesFloor } from './check-job.ts';
import type { Operation } from './job.ts';
import { measureUses } from './measures.ts';
import { listed, lookUp } from './name.ts';
import { type Gap, privacyGaps } from './privacy-rule.ts';
import { lacksOwnParty } from './privacy-terms.ts';
import { checkRule, type Rule, ruleSchema } from './rule.ts';
import { canRound, type DominanceRule } from './strictness.ts';

/** The `policy:` section of a node.yaml. */
export const policySchema = z.strictObject({
  rules: z
    .array(ruleSchema)
    .refine((rules) => new Set(rules.map((rule) => rule.name)).size === rules.length, 'two rules have the same name'),
});

export type Policy = Readonly<z.infer<typeof policySchema>>;

/** Every use that a job makes of its dataset; one rule must cover them all. */
export interface JobUses {
  readonly operations: readonly Operation[];
  readonly measure: readonly string[];
  /** Columns that split rows inside a measure. */
  readonly split: readonly string[];
  readonly group_by: readonly string[];
  readonly filter: readonly string[];
}

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

/** What a job uses: a function of the job alone, the same at every party. */
export function usesOf(checked: CheckedJob): JobUses {
  const uses = allMeasures(checked).map(measureUses);
  return {
    operations: distinct(uses.map(({ operation }) => operation)),
    measure: distinct(uses.flatMap(({ columns }) => columns)),
    split: distinct(uses.flatMap(({ groups }) => groups)),
    group_by: distinct(checked.groups.map(({ column }) => column)),
    filter: distinct(filterColumns(checked)),
  };
}

const distinct = <T extends string>(names: readonly T[]): T[] => [...new Set(names)].sort();

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
  const rules = policy.rules.filter((rule) => rule.datasets.includes(checked.dataset.name));
  const judged = rules.map((rule) => ({ rule, gaps: gapsOf(rule, checked, uses, party, analyst, nowMs) }));
  const covering = judged.filter(({ gaps }) => gaps.length === 0).map(({ rule }) => rule);
  // Rules are alternatives: where several cover the job, one that needs no person is taken.
  const rule = covering.find(({ approval }) => approval === 'automatic') ?? covering[0];
  if (rule !== undefined) {
    const exactToo = rules.some(({ privacy }) => privacy?.required !== true);
    return {
      verdict: 'allow',
      rule: rule.name,
      minGroup: thresholdOf(rule, checked),
      ...(rule.round === undefined ? {} : { round: rule.round }),
      ...(rule.dominance === undefined ? {} : { dominance: rule.dominance }),
      approval: rule.approval,
      exactToo,
    };
  }
  const nearest = judged.reduce<(typeof judged)[number] | undefined>(
    (best, next) => (best === undefined || next.gaps.length < best.gaps.length ? next : best),
    undefined,
  );
  return nearest === undefined ? withoutRule(checked, party) : refusal(nearest.rule, nearest.gaps, party);
}

function thresholdOf(rule: Rule, { job, charter }: CheckedJob): number {
  const floor = charter.policy_floor.min_group;
  return Math.max(job.min_group ?? 1, rule.min_group ?? floor, floor);
}

function withoutRule({ dataset }: CheckedJob, party: string): Verdict {
  const change = `have the data owner of ${party} write a rule for the dataset \`${dataset.name}\`, or leave ${party} out of the job`;
  const detail = `none concerns \`${dataset.name}\``;
  return {
    verdict: 'refuse',
    change,
    error: new PolicyError('REFUSED', { party, field: 'from', detail, remedy: change }),
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

function gapsOf(rule: Rule, checked: CheckedJob, uses: JobUses, party: string, analyst: string, nowMs: number): Gap[] {
  const { job, charter } = checked;
  return [
    ...audienceGaps(rule, charter, job.purpose, analyst, nowMs),
    ...uses.operations.filter((name) => !(rule.operations as readonly string[]).includes(name)).map(operationGap),
    ...uncovered(uses.measure, rule.measure, 'a measure over', 'measure'),
    ...uncovered(uses.split, [...rule.measure, ...rule.group_by], 'splitting by', 'group_by'),
    ...uncovered(uses.group_by, rule.group_by, 'grouping by', 'group_by'),
    ...uncovered(uses.filter, rule.filter, 'filtering on', 'filter'),
    ...companyGaps(rule, checked, party),
    ...helperGaps(rule, checked),
    ...roundingGaps(rule, checked, uses),
    ...privacyGaps(rule, checked),
  ];
}

function audienceGaps(rule: Rule, charter: Charter, purpose: string, analyst: string, nowMs: number): Gap[] {
  const gaps: Gap[] = [];
  if (!rule.purposes.includes(purpose)) {
    const asker = `ask for ${listed(rule.purposes.map((name) => `the purpose \`${name}\``))}, if it is yours`;
    gaps.push({ lacks: `the purpose \`${purpose}\``, asker, owner: `add \`${purpose}\` to \`purposes\`` });
  }
  const roles = lookUp(charter.analysts, analyst)?.roles ?? [];
  if (![analyst, ...roles.map((role) => `role:${role}`)].some((name) => rule.analysts.includes(name))) {
    gaps.push({
      lacks: `the analyst ${analyst}`,
      asker: 'have an analyst ask whom the rule lists',
      owner: `add \`${analyst}\` to \`analysts\``,
    });
  }
  // The rule's last day counts whole, in UTC.
  if (rule.expires !== undefined && nowMs >= Date.parse(`${rule.expires}T00:00:00Z`) + 24 * 3600 * 1000) {
    gaps.push({
      lacks: `anything after ${rule.expires}`,
      asker: 'wait until the rule is renewed',
      owner: 'set a later `expires`',
    });
  }
  return gaps;
}

function operationGap(name: string): Gap {
  return {
    lacks: `the operation \`${name}\``,
    asker: `leave the measures of kind \`${name}\` out`,
    owner: `add \`${name}\` to \`operations\``,
  };
}

function uncovered(used: readonly string[], allowed: readonly string[], verb: string, key: string): Gap[] {
  return used
    .filter((column) => !allowed.includes(column))
    .map((column) => ({
      column,
      lacks: `${verb} \`${column}\``,
      asker: `leave ${verb} \`${column}\` out of the job`,
      owner: `add \`${column}\` to \`${key}\``,
    }));
}

function companyGaps(rule: Rule, { charter, parties, privacy }: CheckedJob, party: string): Gap[] {
  const gaps: Gap[] = [];
  const isProtected = privacy !== null;
  const floor = partiesFloor(charter, isProtected);
  const { counterparts } = rule;
  const others = parties.filter((id) => id !== party && counterparts !== undefined && !counterparts.includes(id));
  for (const id of others) {
    gaps.push({
      lacks: `computing with ${id}`,
      asker: `leave ${id} out of \`parties\``,
      owner: `add \`${id}\` to \`counterparts\``,
    });
  }
  const least = Math.max(rule.min_parties ?? floor, floor);
  if (parties.length < least) {
    gaps.push({
      lacks: `fewer than ${least} parties, and ${parties.length} take part`,
      asker: `name at least ${least} parties`,
      owner: `lower \`min_parties\` to ${parties.length} (never below ${floor}${isProtected ? '' : ' for exact answers'})`,
      tooFewParties: true,
    });
  }
  return gaps;
}

function helperGaps({ helpers }: Rule, { helper }: CheckedJob): Gap[] {
  if (helper === null || helpers.includes(helper)) return [];
  const asker = helpers.length === 0 ? 'leave `join_helper` out' : `name ${either(helpers)} as \`join_helper\``;
  return [{ lacks: `${helper} as a helper`, asker, owner: `add \`${helper}\` to \`helpers\`` }];
}

const either = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;

/** Under noise no exact sum is opened, whatever is rounded. */
function roundingGaps({ round = 1 }: Rule, { privacy }: CheckedJob, { operations }: JobUses): Gap[] {
  if (round === 1 || privacy !== null) return [];
  return operations
    .filter((name) => !canRound(name))
    .map((name) => ({
      lacks: `a ${name} where figures are rounded to ${round}`,
      asker: `leave the measures of kind \`${name}\` out`,
      owner: 'take `round` out',
    }));
}
