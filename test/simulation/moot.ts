/**
 * The consortium of every seed: three parties, an analyst, and the jobs that are asked. Keys, charter, jobs and their
 * times are the same in all seeds, so that their signatures are.
 * @module
 */
import { type Charter, charterHash, parseCharter, signCharter, withKeys } from '@folkmoot/core/charter.js';
import { jobId, type SignedJob, signJob } from '@folkmoot/core/envelope.js';
import { signer } from '@folkmoot/core/identity.js';
import { parseJob } from '@folkmoot/core/job.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { makeKeys } from '@folkmoot/transport/keyring.js';
import { type Membership, type NodeConfig, parseNodeConfig } from '../../packages/node/src/config.ts';

export const parties = ['ash', 'elm', 'oak'] as const;
export type Party = (typeof parties)[number];

/** When every seed begins, and how long its jobs may take. */
export const startMs = Date.parse('2026-11-21T09:00:00.000Z');
export const lifetimeMs = 400_000;
export const period = '2026-Q4';

const charterYaml = `
folkmoot: 1
charter: Simulated
version: 1
parties:
  ash: { name: Ash, owner: A }
  elm: { name: Elm, owner: E }
  oak: { name: Oak, owner: O }
analysts:
  ana: { roles: [analyst] }
purposes: { planning: Plan }
datasets:
  trees:
    held_by: [ash, elm, oak]
    unit: person
    max_rows: 100
    max_parties_per_unit: 1
    columns:
      person: { type: identifier }
      height: { type: integer, min: 0, max: 10 }
policy_floor: { min_parties: 2, min_group: 1 }
`;

/** What a protected job here costs is ε 1: two questions fit into the budget, and a third one does not. */
const nodeYaml = (party: string) => `
party: ${party}
charter: ./charter.json
coordinator: ws://127.0.0.1:1
keys: ./keys
state: ./state
cores: 1
datasets:
  trees:
    period: ${period}
    budget: { epsilon: 5, per_analyst: { epsilon: 2.5 } }
    source: { file: ./trees.csv }
policy:
  rules:
    - name: all
      datasets: [trees]
      operations: [count, sum]
      measure: [height]
      purposes: [planning]
      analysts: [role:analyst]
      min_parties: 3
      approval: automatic
      min_group: 1
`;

const jobYaml = (measures: string, privacy = '') => `
folkmoot: 1
title: Trees
purpose: planning
from: trees
measures: ${measures}
${privacy}`;

const exact = jobYaml('{ people: count, total: { sum: height } }');
const noisyCount = jobYaml('{ people: count }', 'privacy: { epsilon: 1 }\n');
const noisySum = jobYaml('{ total: { sum: height } }', 'privacy: { epsilon: 1 }\n');
const noisyBoth = jobYaml('{ people: count, total: { sum: height } }', 'privacy: { epsilon: 1 }\n');

export interface AskedJob {
  readonly id: string;
  readonly signed: SignedJob;
  readonly isProtected: boolean;
}

export interface Moot {
  readonly charter: Charter;
  readonly members: Readonly<Record<Party, { readonly config: NodeConfig; readonly membership: Membership }>>;
  /** Exact ones, and protected ones: three questions, and the first of them twice. */
  readonly jobs: { readonly exact: readonly AskedJob[]; readonly protected: readonly AskedJob[] };
}

export async function makeMoot(): Promise<Moot> {
  const rng = seededRng(6);
  let charter = parseCharter(charterYaml, 'charter');
  const keys = {
    ash: await makeKeys('party', rng),
    elm: await makeKeys('party', rng),
    oak: await makeKeys('party', rng),
  };
  const analyst = await makeKeys('analyst', rng);
  for (const party of parties) charter = withKeys(charter, party, keys[party].public);
  charter = withKeys(charter, 'ana', analyst.public);
  for (const party of parties) charter = signCharter(charter, party, signer(keys[party].secret.identity));
  const hash = charterHash(charter);
  const member = (party: Party) => ({
    config: parseNodeConfig(nodeYaml(party), 'node.yaml', { state: '/nonexistent' }),
    membership: { charter, charterHash: hash, keys: keys[party] },
  });
  let nonce = 0;
  const ask = (text: string): AskedJob => {
    const envelope = {
      job: parseJob(text, 'job'),
      analyst: 'ana',
      recipient: analyst.public.recipient,
      charter: hash,
      issued: new Date(startMs).toISOString(),
      expires: new Date(startMs + lifetimeMs).toISOString(),
      nonce: (++nonce).toString(16).padStart(32, '0'),
    };
    const signed = signJob(envelope, signer(analyst.secret.identity));
    return { id: jobId(envelope), signed, isProtected: envelope.job.privacy !== undefined };
  };
  return {
    charter,
    members: { ash: member('ash'), elm: member('elm'), oak: member('oak') },
    jobs: {
      exact: [ask(exact), ask(exact)],
      protected: [ask(noisyCount), ask(noisyCount), ask(noisySum), ask(noisyBoth)],
    },
  };
}
