/**
 * A small consortium for the node's tests: throw-away keys, a sealed charter, and a folder a party.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Charter, charterHash, charterText, parseCharter, signCharter, withKeys } from '@folkmoot/core/charter.js';
import { jobId, type SignedJob, signJob } from '@folkmoot/core/envelope.js';
import { signer } from '@folkmoot/core/identity.js';
import { parseJob } from '@folkmoot/core/job.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { type AnalystKeys, makeKeys, type PartyKeys, writeKeys } from '@folkmoot/transport/keyring.js';

export const parties = ['camden', 'hackney', 'islington'] as const;
export type PartyName = (typeof parties)[number];

const charterYaml = `
folkmoot: 1
charter: Test
version: 1
parties:
  camden: { name: Camden, owner: A }
  hackney: { name: Hackney, owner: B }
  islington: { name: Islington, owner: C }
analysts:
  ana: { roles: [analyst] }
purposes: { prevention: Plan }
datasets:
  residents:
    held_by: [camden, hackney, islington]
    unit: person
    max_rows: 1000
    max_parties_per_unit: 1
    columns:
      person: { type: identifier }
      age: { type: integer, min: 0, max: 110 }
      tenure: { type: category, values: [owner, private] }
      arrears: { type: decimal, scale: 2, min: 0, max: 20000, nulls: zero }
policy_floor: { min_parties: 2, min_group: 1 }
`;

export const nodeYaml = (party: string, approval = 'automatic') => `
party: ${party}
charter: ../charter.json
coordinator: ws://127.0.0.1:7700
keys: ./keys
state: ./state
datasets:
  residents:
    period: 2026-Q4
    budget: { epsilon: 20, per_analyst: { epsilon: 10 } }
    source: { file: ./data/residents.csv }
    columns: { person: id, arrears: arrears_gbp }
policy:
  rules:
    - name: statistics
      datasets: [residents]
      operations: [count, sum, mean]
      measure: [arrears, age]
      group_by: [tenure]
      filter: [age]
      purposes: [prevention]
      analysts: [role:analyst]
      min_parties: 3
      min_group: 1
      approval: ${approval}
`;

export const jobYaml = `
folkmoot: 1
title: Arrears
purpose: prevention
from: residents
where: { age: { gte: 18 } }
group_by: [tenure]
measures: { households: count, total: { sum: arrears } }
`;

/** Three households a party; the amounts are marked, so that a test can search for them. */
const records: Readonly<Record<PartyName, readonly string[]>> = {
  camden: ['c1,30,owner,1000.01', 'c2,40,private,2.50', 'c3,17,private,9999.99'],
  hackney: ['h1,30,owner,0.10', 'h2,50,owner,', 'h3,60,private,7.77'],
  islington: ['i1,30,private,4321.09', 'i2,70,private,0.01', 'i3,80,private,5.00'],
};

export interface Consortium {
  readonly folder: string;
  readonly charter: Charter;
  readonly partyKeys: ReadonlyMap<string, PartyKeys>;
  readonly analystKeys: AnalystKeys;
  configFile(party: PartyName): string;
  signed(job?: string, issuedMs?: number): SignedJob;
  dispose(): void;
}

export async function makeConsortium(seed: number): Promise<Consortium> {
  const folder = mkdtempSync(join(tmpdir(), 'folkmoot-node-'));
  const rng = seededRng(seed);
  let charter = parseCharter(charterYaml, 'charter.yaml');
  const partyKeys = new Map<string, PartyKeys>();
  for (const party of parties) {
    const keys = await makeKeys('party', rng);
    partyKeys.set(party, keys);
    charter = withKeys(charter, party, keys.public);
    await mkdir(join(folder, party, 'data'), { recursive: true });
    await writeKeys(join(folder, party, 'keys'), keys);
    await writeFile(join(folder, party, 'node.yaml'), nodeYaml(party));
    const rows = ['id,age,tenure,arrears_gbp', ...records[party], ''];
    await writeFile(join(folder, party, 'data', 'residents.csv'), rows.join('\n'));
  }
  const analystKeys = await makeKeys('analyst', rng);
  charter = withKeys(charter, 'ana', analystKeys.public);
  for (const party of parties) charter = signCharter(charter, party, signer(partyKeys.get(party)!.secret.identity));
  await writeFile(join(folder, 'charter.json'), charterText(charter));
  let nonce = seed;
  return {
    folder,
    charter,
    partyKeys,
    analystKeys,
    configFile: (party) => join(folder, party, 'node.yaml'),
    signed(job = jobYaml, issuedMs = Date.now()) {
      nonce += 1;
      const envelope = {
        job: parseJob(job, 'job.yaml'),
        analyst: 'ana',
        recipient: analystKeys.public.recipient,
        charter: charterHash(charter),
        issued: new Date(issuedMs).toISOString(),
        expires: new Date(issuedMs + 3_600_000).toISOString(),
        nonce: nonce.toString(16).padStart(32, '0'),
      };
      return signJob(envelope, signer(analystKeys.secret.identity));
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export const idOf = (signed: SignedJob): string => jobId(signed.envelope);
