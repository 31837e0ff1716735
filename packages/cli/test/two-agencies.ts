/** A town and its clinic with a handful of records each, written into a folder: who is in both can be counted by hand. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `person` is the identifier column of both. */
export const charterText = (person: string) => `
folkmoot: 1
charter: A town and its clinic
version: 1
parties: { ash: { name: Ash, owner: Clerk }, clinic: { name: Clinic, owner: Doctor } }
analysts: { ann: { roles: [analyst], party: ash } }
purposes: { planning: Plan }
datasets:
  tenants:
    held_by: [ash]
    unit: number
    max_rows_per_unit: 1
    max_rows: 1000
    columns:
      number: ${person}
      tenure: { type: category, values: [owner, tenant] }
      owed: { type: decimal, scale: 2, min: 0, max: 5000, nulls: zero }
      since: { type: date, min: 2000-01-01, max: 2026-12-31, nulls: drop }
  patients:
    held_by: [clinic]
    unit: number
    max_rows_per_unit: 2
    max_rows: 1000
    columns:
      number: ${person}
      cost: { type: integer, min: 0, max: 100 }
      sex: { type: category, values: [female, male] }
matching: [{ on: number, pairs: [[ash, clinic]], permitted_by: Guardian }]
`;

/** One of the tenants has no number, one a number that no other has, one a wrong one, and one owes nothing that is known. */
const tenants = [
  'number,tenure,owed,since',
  '999 000 0018,owner,10.50,2020-02-01',
  '9990000026,tenant,20.00,',
  '999-000-0034,tenant,,2021-05-05',
  ',tenant,99.00,2021-05-05',
  '9990000043,owner,7.00,2021-05-05',
  '9990000107,owner,3.00,2021-05-05',
];
/** The third of the tenants stands here twice, and one cost is beyond its bounds. */
const patients = [
  'nhs,cost,sex',
  '9990000018,40,female',
  '9990000026,500,male',
  '9990000034,5,female',
  '9990000034,6,female',
  '9990000043,1,female',
  '9990000999,7,male',
  ',8,male',
];

const node = (party: string, dataset: string, other: string, columns = '{}') => `
party: ${party}
charter: ../charter.json
coordinator: ws://127.0.0.1:7700
keys: ./keys
state: ./state
datasets: { ${dataset}: { period: 2026-Q4, source: { file: ./${dataset}.csv }, columns: ${columns} } }
policy:
  rules:
    - name: link
      datasets: [${dataset}]
      operations: [join, reveal_matches, count, sum]
      match_on: [number]
      counterparts: [${other}]
      measure: [${dataset === 'tenants' ? 'owed' : 'cost'}]
      purposes: [planning]
      analysts: [role:analyst]
      approval: automatic
`;

/** A charter.yaml, and each party's node.yaml and records. */
export function writeAgencies(folder: string, person = '{ type: identifier, normalise: digits, check: nhs }'): void {
  writeFileSync(join(folder, 'charter.yaml'), charterText(person));
  for (const party of ['ash', 'clinic']) mkdirSync(join(folder, party));
  writeFileSync(join(folder, 'ash', 'node.yaml'), node('ash', 'tenants', 'clinic'));
  writeFileSync(join(folder, 'clinic', 'node.yaml'), node('clinic', 'patients', 'ash', '{ number: nhs }'));
  writeFileSync(join(folder, 'ash', 'tenants.csv'), `${tenants.join('\n')}\n`);
  writeFileSync(join(folder, 'clinic', 'patients.csv'), `${patients.join('\n')}\n`);
}
