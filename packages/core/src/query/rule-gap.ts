/**
 * What a rule does not cover of a job: each with the smallest change that would help, on either side.
 * @module
 */
import type { Charter } from './charter.ts';
import { type CheckedJob, isExactPool, partiesFloor } from './check-job.ts';
import type { Operation } from './job.ts';
import type { JobUses, RuledOperation } from './job-uses.ts';
import { listed, lookUp } from './name.ts';
import { type Gap, privacyGaps } from './privacy-rule.ts';
import type { Rule } from './rule.ts';
import { canRound } from './strictness.ts';

/** None where the rule covers the job; `nowMs` decides whether it has expired. */
export function gapsOf(
  rule: Rule,
  checked: CheckedJob,
  uses: JobUses,
  party: string,
  analyst: string,
  nowMs: number,
): Gap[] {
  const { job, charter } = checked;
  return [
    ...audienceGaps(rule, charter, job.purpose, analyst, nowMs),
    ...uses.operations.filter((name) => !rule.operations.includes(name)).map(operationGap),
    ...matchGaps(rule, uses),
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

/** What an asker does without a thing that is no measure. */
const withoutOperation: Partial<Record<RuledOperation, string>> = {
  join: 'ask about pooled rows (`from`)',
  reveal_matches: 'leave `reveal` out',
};

function operationGap(name: RuledOperation): Gap {
  return {
    lacks: `the operation \`${name}\``,
    asker: withoutOperation[name] ?? `leave the measures of kind \`${name}\` out`,
    owner: `add \`${name}\` to \`operations\``,
  };
}

function matchGaps(rule: Rule, { match_on }: JobUses): Gap[] {
  const missing = match_on.filter((column) => !rule.match_on.includes(column));
  const others = rule.match_on.map((column) => `\`${column}\``);
  return missing.map((column) => ({
    column,
    lacks: `matching on \`${column}\``,
    asker: others.length === 0 ? 'ask about pooled rows (`from`)' : `match on ${either(others)}`,
    owner: `add \`${column}\` to \`match_on\``,
  }));
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

function companyGaps(rule: Rule, checked: CheckedJob, party: string): Gap[] {
  const { charter, parties, join } = checked;
  const gaps: Gap[] = [];
  const isPool = isExactPool(checked);
  const floor = partiesFloor(charter, isPool);
  const { counterparts } = rule;
  const others = parties.filter((id) => id !== party && counterparts !== undefined && !counterparts.includes(id));
  for (const id of others) {
    gaps.push({
      lacks: `computing with ${id}`,
      asker:
        join === null
          ? `leave ${id} out of \`parties\``
          : counterparts!.length === 0
            ? withoutOperation.join!
            : `join with ${either(counterparts!)}`,
      owner: `add \`${id}\` to \`counterparts\``,
    });
  }
  const least = Math.max(rule.min_parties ?? floor, floor);
  if (parties.length < least) {
    gaps.push({
      lacks: `fewer than ${least} parties, and ${parties.length} take part`,
      asker: join === null ? `name at least ${least} parties` : 'ask about pooled rows (`from`), since a join has two',
      owner: `lower \`min_parties\` to ${parties.length} (never below ${floor}${isPool ? ' for exact answers' : ''})`,
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

const isMeasure = (name: RuledOperation): name is Operation => name !== 'join' && name !== 'reveal_matches';

/** Under noise no exact sum is opened, whatever is rounded. */
function roundingGaps({ round = 1 }: Rule, { privacy }: CheckedJob, { operations }: JobUses): Gap[] {
  if (round === 1 || privacy !== null) return [];
  return operations
    .filter((name) => isMeasure(name) && !canRound(name))
    .map((name) => ({
      lacks: `a ${name} where figures are rounded to ${round}`,
      asker: `leave the measures of kind \`${name}\` out`,
      owner: 'take `round` out',
    }));
}
