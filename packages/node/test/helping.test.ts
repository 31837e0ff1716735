import { type Charter, charterHash, parseCharter, withKeys } from '@folkmoot/core/charter.js';
import { type SignedJob, signJob } from '@folkmoot/core/envelope.js';
import { signer } from '@folkmoot/core/identity.js';
import { parseJob } from '@folkmoot/core/job.js';
import { helperRule, type Policy, policyHash } from '@folkmoot/core/policy.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { makeKeys } from '@folkmoot/transport/keyring.js';
import { describe, expect, it } from 'vitest';
import { parseNodeConfig } from '../src/config.ts';
import { checkStillAllowed, decide, type Judge } from '../src/judgement.ts';

const charterYaml = `
folkmoot: 1
charter: Three towns and a village
version: 1
parties:
  ash: { name: Ash, owner: Clerk }
  birch: { name: Birch, owner: Clerk }
  cedar: { name: Cedar, owner: Clerk }
  dale: { name: Dale, owner: Clerk }
analysts: { ann: { roles: [analyst] } }
purposes: { planning: Plan }
datasets:
  people:
    held_by: [ash, birch, cedar, dale]
    unit: id
    max_parties_per_unit: 1
    max_rows: 1000
    columns: { id: { type: identifier }, age: { type: integer, min: 0, max: 110 } }
policy_floor: { min_parties: 3, min_group: 2 }
`;
const jobYaml = `
folkmoot: 1
purpose: planning
from: people
parties: [ash, birch, cedar]
measures: { people: count }
min_group: 7
join_helper: dale
`;
const bound = 'people: { period: 2026-Q4, source: { file: ./people.csv } }';
const rule = (helpers: string) =>
  `{ name: planning, datasets: [people], operations: [count], helpers: ${helpers}, purposes: [planning], analysts: [ann], approval: automatic }`;

const nowMs = Date.parse('2026-11-22T09:00:00.000Z');
const rng = seededRng(11);
const partyKeys = await makeKeys('party', rng);
const analystKeys = await makeKeys('analyst', rng);
let charter: Charter = parseCharter(charterYaml, 'charter.yaml');
for (const party of Object.keys(charter.parties)) charter = withKeys(charter, party, partyKeys.public);
charter = withKeys(charter, 'ann', analystKeys.public);

function signed(text = jobYaml): SignedJob {
  const envelope = {
    job: parseJob(text, 'job.yaml'),
    analyst: 'ann',
    recipient: analystKeys.public.recipient,
    charter: charterHash(charter),
    issued: new Date(nowMs).toISOString(),
    expires: new Date(nowMs + 3_600_000).toISOString(),
    nonce: '1'.repeat(32),
  };
  return signJob(envelope, signer(analystKeys.secret.identity));
}

/** What a party with these files decides by; `read` holds the fingerprints that it took. */
function judgeOf(party: string, files: { readonly datasets?: string; readonly rules?: string }) {
  const { datasets = '', rules = '' } = files;
  const text = `
party: ${party}
charter: ../charter.json
coordinator: ws://127.0.0.1:7700
keys: ./keys
state: ./state
datasets: { ${datasets} }
policy: { rules: [${rules}] }
`;
  const read: string[] = [];
  const by: Judge = {
    config: parseNodeConfig(text, 'node.yaml'),
    membership: { charter, charterHash: charterHash(charter) },
    build: 'test',
    sign: signer(partyKeys.secret.identity),
    nowMs,
    periods: new Map(),
    fingerprint: async ({ name }) => {
      read.push(name);
      return 'f'.repeat(64);
    },
    rows: async () => expect.unreachable('a pooled job states no size'),
    noRecords: '0'.repeat(64),
    afford: () => expect.unreachable('an exact job costs nothing'),
  };
  return { by, read };
}

describe('a helper', () => {
  it('accepts without a rule and without records of its own', async () => {
    const { by, read } = judgeOf('dale', {});
    const { acceptance, claim } = await decide(signed(), by);
    expect(acceptance.acceptance).toMatchObject({
      party: 'dale',
      rule: helperRule,
      fingerprint: '0'.repeat(64),
      policy: policyHash(by.config.policy),
      min_group: 7,
      period: null,
      budget: null,
    });
    expect(claim).toBeUndefined();
    expect(read).toEqual([]);
  });

  it('looks at none of its records, and asks for nobody’s approval, where it holds the dataset too', async () => {
    const manual = rule('[]').replace('automatic', 'manual');
    const { by, read } = judgeOf('dale', { datasets: bound, rules: manual });
    expect((await decide(signed(), by)).acceptance.acceptance.rule).toBe(helperRule);
    expect(read).toEqual([]);
  });

  it('keeps its word when its own policy has changed meanwhile: no rule of it was asked', async () => {
    const { by } = judgeOf('dale', {});
    const { acceptance } = await decide(signed(), by);
    const policy: Policy = judgeOf('dale', { datasets: bound, rules: rule('[]') }).by.config.policy;
    expect(() => checkStillAllowed(signed(), acceptance, { ...by, config: { ...by.config, policy } })).not.toThrow();
  });

  it('has no part in a job that names none, or another one', async () => {
    const { by } = judgeOf('dale', {});
    const without = signed(jobYaml.replace('join_helper: dale\n', ''));
    await expect(decide(without, by)).rejects.toMatchObject({ code: 'UNKNOWN_PARTY', party: 'dale' });
  });
});

describe('a party of a job with a helper', () => {
  it('accepts where its rule lists the helper', async () => {
    const { by, read } = judgeOf('ash', { datasets: bound, rules: rule('[dale]') });
    const { acceptance } = (await decide(signed(), by)).acceptance;
    expect(acceptance).toMatchObject({ party: 'ash', rule: 'planning', fingerprint: 'f'.repeat(64) });
    expect(read).toEqual(['people']);
  });

  it.each([
    ['none', '[]', /`join_helper`/],
    ['another one', '[birch]', /birch/],
  ])('refuses before its records are looked at where its rule lists %s, and says so', async (_, helpers, remedy) => {
    const { by, read } = judgeOf('ash', { datasets: bound, rules: rule(helpers) });
    await expect(decide(signed(), by)).rejects.toMatchObject({
      code: 'REFUSED',
      party: 'ash',
      message: expect.stringContaining('dale as a helper'),
      remedy: expect.stringMatching(remedy),
    });
    expect(read).toEqual([]);
  });
});
