/**
 * A rule of a party's policy, as node.yaml writes it: some operations on some columns, for some purposes and analysts.
 *
 * What is not listed is not allowed, and a rule that does not say `approval: automatic` waits for a person.
 * @module
 */
import { z } from 'zod';
import { InputError } from '../channel/errors.ts';
import type { Charter } from './charter.ts';
import { dateSchema, fractionOf, numericSchema } from './dictionary.ts';
import { operationNames } from './job.ts';
import { lookUp, memberSchema, nameSchema } from './name.ts';
import { dominanceSchema, roundSchema } from './strictness.ts';

const columns = z.array(nameSchema).default([]);
const analystRef = z.string().regex(/^(role:)?[A-Za-z][A-Za-z0-9_.@-]*$/, 'expected an analyst’s id, or role:ROLE');

/** More than anybody would ask. */
const approversMax = 100;

export const ruleSchema = z.strictObject({
  name: z.string().min(1).max(200),
  datasets: z.array(nameSchema).min(1),
  operations: z
    .array(z.enum([...operationNames, 'join', 'reveal_matches'], { error: 'expected the name of a measure, or join' }))
    .min(1),
  measure: columns,
  group_by: columns,
  filter: columns,
  match_on: columns,
  /** The only parties this one computes with under the rule; any when absent. */
  counterparts: z.array(memberSchema).optional(),
  /** Who may deal randomness for a job under the rule; nobody when absent. */
  helpers: z.array(memberSchema).default([]),
  purposes: z.array(nameSchema).min(1),
  analysts: z.array(analystRef).min(1),
  min_parties: z.int().min(1).optional(),
  min_group: z.int().min(1).optional(),
  /** What figures of an exact answer are rounded to. */
  round: roundSchema.optional(),
  /** A sum opens only where its n largest contributors hold at most this share of it. */
  dominance: dominanceSchema.optional(),
  privacy: z
    .strictObject({
      required: z.boolean().default(false),
      /** What one job may spend, in either unit. */
      epsilon_at_most: numericSchema.optional(),
      rho_at_most: numericSchema.optional(),
      delta_at_most: numericSchema.optional(),
      /** The only mechanism, which the job must name; any when absent. */
      mechanism: z.enum(['laplace', 'gaussian']).optional(),
      /** The fewest colluding parties that the noise may be made for; all others when absent. */
      collusion_at_least: z.int().min(0).optional(),
    })
    .optional(),
  approval: z.enum(['automatic', 'manual']).default('manual'),
  /** How many different people must approve, where approval is manual; one when absent. */
  approvers: z.int().min(1).max(approversMax).optional(),
  /** The last day (UTC) on which the rule allows anything. */
  expires: dateSchema.optional(),
});

export type Rule = Readonly<z.infer<typeof ruleSchema>>;

/**
 * Every name in a rule is one of the charter's, and every dataset one that this party holds: a slip in a rule is found
 * when the node starts, not when a job is refused.
 * @throws InputError UNKNOWN_DATASET, NOT_HELD, UNKNOWN_COLUMN, UNKNOWN_PURPOSE, UNKNOWN_PARTY, BAD_VALUE
 */
export function checkRule(rule: Rule, charter: Charter, party: string, at: string): void {
  rule.datasets.forEach((name, item) => {
    const field = `${at}.datasets[${item}]`;
    const dataset = lookUp(charter.datasets, name);
    if (dataset === undefined) throw new InputError('UNKNOWN_DATASET', { field, detail: name });
    if (!dataset.held_by.includes(party))
      throw new InputError('NOT_HELD', { field, detail: `${party} does not hold it` });
  });
  if (rule.approvers !== undefined && rule.approval === 'automatic') {
    throw new InputError('BAD_VALUE', { field: `${at}.approvers`, detail: 'nobody is asked by `approval: automatic`' });
  }
  for (const cap of ['epsilon_at_most', 'rho_at_most', 'delta_at_most'] as const) {
    const value = rule.privacy?.[cap];
    if (value === undefined) continue;
    const exact = fractionOf(value);
    const detail = cap === 'delta_at_most' ? 'expected more than 0 and less than 1' : 'expected more than 0';
    if (exact.n > 0n && (cap !== 'delta_at_most' || exact.n < exact.d)) continue;
    throw new InputError('BAD_VALUE', { field: `${at}.privacy.${cap}`, detail });
  }
  for (const use of ['measure', 'group_by', 'filter', 'match_on'] as const) {
    rule[use].forEach((column, item) => {
      if (rule.datasets.some((name) => lookUp(charter.datasets[name]!.columns, column) !== undefined)) return;
      throw new InputError('UNKNOWN_COLUMN', { field: `${at}.${use}[${item}]`, detail: column });
    });
  }
  rule.purposes.forEach((purpose, item) => {
    if (lookUp(charter.purposes, purpose) !== undefined) return;
    throw new InputError('UNKNOWN_PURPOSE', { field: `${at}.purposes[${item}]`, detail: purpose });
  });
  for (const list of ['counterparts', 'helpers'] as const) {
    (rule[list] ?? []).forEach((id, item) => {
      if (lookUp(charter.parties, id) !== undefined) return;
      throw new InputError('UNKNOWN_PARTY', { field: `${at}.${list}[${item}]`, detail: id });
    });
  }
  rule.analysts.forEach((analyst, item) => {
    if (analyst.startsWith('role:') || lookUp(charter.analysts, analyst) !== undefined) return;
    throw new InputError('BAD_VALUE', {
      field: `${at}.analysts[${item}]`,
      detail: 'the charter lists no such analyst',
    });
  });
}
