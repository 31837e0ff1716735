/** A consortium of three towns with a handful of records each, and a village that helps, written into a folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const towns = ['ash', 'birch', 'cedar'] as const;
/** It holds no records and has no rule: it can deal for the towns, where they let it. */
export const village = 'dale';

const charter = (members: string) => `
folkmoot: 1
charter: Three towns
version: 1
parties:
  ash: { name: Ash, owner: Clerk }
  birch: { name: Birch, owner: Clerk }
  cedar: { name: Cedar, owner: Clerk }${members}
analysts:
  ann: { roles: [analyst] }
purposes: { planning: Plan }
datasets:
  people:
    held_by: [ash, birch, cedar]
    unit: id
    max_parties_per_unit: 1
    max_rows: 1000
    columns:
      id: { type: identifier }
      age: { type: integer, min: 0, max: 110 }
      tenure: { type: category, values: [owner, tenant] }
      arrears: { type: decimal, scale: 2, min: 0, max: 5000, nulls: zero }
policy_floor: { min_parties: 3, min_group: 2 }
`;

const place = (party: string, port: number) => `
party: ${party}
charter: ../charter.json
coordinator: ws://127.0.0.1:${port}
keys: ./keys
state: ./state`;

const idle = (party: string, port: number) => `${place(party, port)}
datasets: {}
policy: { rules: [] }
`;

const node = (party: string, approval: string, port: number, helpers: readonly string[]) => `${place(party, port)}
datasets:
  people:
    period: 2026-Q4
    source: { file: ./people.csv }
policy:
  rules:
    - name: planning
      datasets: [people]
      operations: [count, sum, mean]
      measure: [arrears]
      group_by: [tenure]
      filter: [age]
      helpers: [${helpers.join(', ')}]
      purposes: [planning]
      analysts: [role:analyst]
      approval: ${approval}
`;

export const job = `
folkmoot: 1
title: Arrears
purpose: planning
from: people
where: { age: { gte: 18 } }
group_by: [tenure]
measures: { people: count, total: { sum: arrears } }
`;

/** Five grown-up owners with 100.25 × (1 … 5) and one tenant at each town; each town has a child besides. */
function records(town: string): string {
  const owners = [1, 2, 3, 4, 5].map((k) => `${town}-${k},${20 + k},owner,${(100.25 * k).toFixed(2)}`);
  return ['id,age,tenure,arrears', ...owners, `${town}-6,40,tenant,7.01`, `${town}-7,4,tenant,9.99`, ''].join('\n');
}

/** What `job` answers over all three towns. */
export const expectedRows = [
  { tenure: 'owner', people: { value: 15, exact: '15' }, total: { value: 4511.25, exact: '4511.25' } },
  { tenure: 'tenant', people: { value: 3, exact: '3' }, total: { value: 21.03, exact: '21.03' } },
];

export interface Variation {
  readonly approval?: 'automatic' | 'manual';
  readonly port?: number;
  /** The village is one of the consortium, and every town lets it help. */
  readonly village?: boolean;
}

export function writeConsortium(folder: string, variation: Variation = {}): void {
  const { approval = 'automatic', port = 7700, village: helps = false } = variation;
  const member = helps ? `\n  ${village}: { name: Dale, owner: Clerk }` : '';
  writeFileSync(join(folder, 'charter.yaml'), charter(member));
  if (helps) {
    mkdirSync(join(folder, village));
    writeFileSync(join(folder, village, 'node.yaml'), idle(village, port));
  }
  writeFileSync(join(folder, 'job.yaml'), job);
  for (const town of towns) {
    mkdirSync(join(folder, town));
    writeFileSync(join(folder, town, 'node.yaml'), node(town, approval, port, helps ? [village] : []));
    writeFileSync(join(folder, town, 'people.csv'), records(town));
  }
}
