/**
 * A consortium's documents as texts: a charter, a policy and jobs, in the form of the files that people write.
 * @module
 */

import { x25519 } from '@noble/curves/ed25519.js';
import type { z } from 'zod';
import { toHex, utf8 } from '../src/algebra/bytes.ts';
import { sha256 } from '../src/algebra/hash.ts';
import { type Charter, parseCharter, signCharter, withKeys } from '../src/query/charter.ts';
import { type CheckedJob, checkJob } from '../src/query/check-job.ts';
import { parseDocument } from '../src/query/document.ts';
import { publicKeyOf, signer } from '../src/query/identity.ts';
import { parseJob } from '../src/query/job.ts';
import { type Policy, policySchema } from '../src/query/policy.ts';

const charterYaml = `# A consortium's charter before it is signed. \`folkmoot charter seal\` adds each party's public keys (from the
# party's own keys folder) and gathers the signatures; \`folkmoot run --consortium DIR\` does it with throw-away keys.
folkmoot: 1
charter: North London prevention
version: 1
parties:
  camden:     { name: London Borough of Camden, owner: Head of Housing Data }
  hackney:    { name: London Borough of Hackney, owner: Chief Data Officer }
  islington:  { name: London Borough of Islington, owner: Director of Housing }
  ncl-health: { name: North Central London Health, owner: Senior Information Risk Owner }
analysts:
  housing-analytics: { roles: [analyst] }   # with \`party: camden\` where the analyst belongs to one
purposes:
  homelessness-prevention: Plan prevention services across the boroughs
datasets:
  residents:
    held_by: [camden, hackney, islington]
    unit: person                 # the privacy unit: a column, or \`row\`
    max_rows_per_unit: 1
    max_parties_per_unit: 1      # a resident is on one council's books; default: all that hold the dataset
    max_rows: 500000             # public upper bound on one party's rows, for overflow bounds
    columns:
      person:     { type: identifier }
      nhs_number: { type: identifier, normalise: digits }
      age:        { type: integer, min: 0, max: 110 }
      tenure:     { type: category, values: [owner, private, social, temporary] }
      arrears:    { type: decimal, scale: 2, min: 0, max: 20000, nulls: zero }
      income:     { type: decimal, scale: 2, min: 0, max: 250000, nulls: drop }
      employed:   { type: boolean }
      moved_in:   { type: date, min: 1950-01-01, max: 2026-12-31 }
  patients:
    held_by: [ncl-health]
    unit: nhs_number
    max_rows_per_unit: 1
    max_rows: 2000000
    columns:
      nhs_number:  { type: identifier, normalise: digits }
      annual_cost: { type: decimal, scale: 2, min: 0, max: 100000 }
      conditions:  { type: integer, min: 0, max: 20 }
      sex:         { type: category, values: [female, male] }
matching:                         # who may match on what, by whose permission; pairs, not cliques
  - on: nhs_number
    pairs: [[camden, ncl-health], [hackney, ncl-health], [islington, ncl-health], [camden, hackney], [camden, islington], [hackney, islington]]
    permitted_by: Caldicott Guardian
    reference: DSA-2026-014
policy_floor: { min_parties: 2, min_group: 5 }
`;

export const arrearsYaml = `folkmoot: 1
title: Rent arrears by tenure
purpose: homelessness-prevention
from: residents
where: { age: { gte: 18 } }
group_by: [tenure]
measures:
  households:   count
  in_work:      { count: { where: { employed: { eq: true } } } }
  total:        { sum: arrears }
  mean_arrears: { mean: arrears }
  spread:       { stddev: arrears }
`;

export const incomeYaml = `folkmoot: 1
title: Does income explain arrears?
purpose: homelessness-prevention
from: residents
where: { age: { between: [18, 64] }, tenure: { in: [private, social] } }
measures:
  people:  count
  r:       { correlation: [income, arrears] }
  fit:     { regression: { y: arrears, x: [income, age] } }
  ages:    { histogram: { of: age, bins: [18, 25, 35, 45, 55, 65] } }
  typical: { median: { of: income, bins: { from: 0, to: 250000, width: 2500 } } }
`;

export const privateYaml = `folkmoot: 1
title: Mean arrears, protected
purpose: homelessness-prevention
from: residents
group_by: [tenure]
measures: { households: count, mean_arrears: { mean: arrears } }
privacy: { epsilon: 1, collusion: 1 }
`;

export const joinYaml = `folkmoot: 1
title: Health cost of people in temporary housing
purpose: homelessness-prevention
join:
  left:  { party: camden, dataset: residents }
  right: { party: ncl-health, dataset: patients }
  on: nhs_number
group_by: [left.tenure]
measures:
  people:    count
  mean_cost: { mean: right.annual_cost }
  arrears:   { sum: left.arrears }
`;

/** The `policy:` section of a party's node.yaml. */
export const policyYaml = `rules:
  - name: prevention statistics
    datasets: [residents]
    operations: [count, sum, mean, variance, stddev, histogram, median, quantile, correlation, covariance, regression, ratio, t_test, chi_square]
    measure: [age, arrears, income, employed]
    group_by: [tenure, employed]
    filter: [age, tenure, employed, moved_in]
    purposes: [homelessness-prevention]
    analysts: [role:analyst]
    min_parties: 3
    min_group: 5
    privacy: { required: false, epsilon_at_most: 2, collusion_at_least: 1 }
    approval: automatic
  - name: link with health
    datasets: [residents]
    operations: [join, count, sum, mean]
    match_on: [nhs_number]
    counterparts: [ncl-health]
    helpers: [hackney, islington]
    measure: [arrears]
    group_by: [tenure]
    purposes: [homelessness-prevention]
    analysts: [role:analyst]
    min_group: 5
    approval: automatic
`;

export const charter: Charter = parseCharter(charterYaml, 'charter.yaml');

/** The charter with lines changed; each must be there. */
export function charterWith(...changes: readonly (readonly [string, string])[]): string {
  return replaced(charterYaml, changes);
}

export function replaced(text: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((result, [from, to]) => {
    if (!result.includes(from)) throw new Error(`not in the text: ${from}`);
    return result.replace(from, to);
  }, text);
}

/** A whole job about residents with these lines in it. */
export function jobText(lines: string, from = 'residents'): string {
  return `folkmoot: 1\ntitle: A test\npurpose: homelessness-prevention\nfrom: ${from}\n${lines}\n`;
}

export function checkedJob(text: string, under: Charter = charter): CheckedJob {
  return checkJob(parseJob(text, 'job.yaml'), under);
}

export function policyOf(text: string): Policy {
  return parseDocument(text, policySchema as z.ZodType<Policy>, { name: 'policy' });
}

/** A member's seed; the same name gives the same keys. */
export function seedOf(member: string, use = 'identity'): Uint8Array {
  return sha256(utf8(`${use} of ${member}`));
}

export const identityOf = (member: string): string => toHex(publicKeyOf(seedOf(member)));
export const staticOf = (member: string): string => toHex(x25519.getPublicKey(seedOf(member, 'static')));

/** A key of the right form: every coefficient is below the modulus because its high half is zero. */
export function recipientOf(member: string): string {
  const key = new Uint8Array(1216);
  for (let at = 0; at < 1152; at += 3) key[at] = at % 251;
  key.set(seedOf(member, 'kem'), 1152);
  key.set(x25519.getPublicKey(seedOf(member, 'recipient')), 1184);
  return toHex(key);
}

/** The charter with everyone's keys, not yet signed. */
export function keyed(given: Charter = charter): Charter {
  let result = given;
  for (const id of Object.keys(given.parties)) {
    result = withKeys(result, id, { identity: identityOf(id), static: staticOf(id) });
  }
  for (const id of Object.keys(given.analysts)) {
    result = withKeys(result, id, { identity: identityOf(id), recipient: recipientOf(id) });
  }
  return result;
}

export function sealed(given: Charter = charter): Charter {
  const ready = keyed(given);
  return Object.keys(ready.parties).reduce((result, id) => signCharter(result, id, signer(seedOf(id))), ready);
}
