/** What a side of a join accepts by its own files, and what it says of its records: the size class of all of them. @module */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { termsOf } from '@folkmoot/core/approval.js';
import { type Charter, charterHash, parseCharter, withKeys } from '@folkmoot/core/charter.js';
import { checkJob } from '@folkmoot/core/check-job.js';
import { datasetOf } from '@folkmoot/core/checked-join.js';
import { type SignedJob, signJob } from '@folkmoot/core/envelope.js';
import { signer } from '@folkmoot/core/identity.js';
import { parseJob } from '@folkmoot/core/job.js';
import { renderPlan } from '@folkmoot/core/plan.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { makeKeys } from '@folkmoot/transport/keyring.js';
import { afterAll, describe, expect, it } from 'vitest';
import { parseNodeConfig } from '../src/config.ts';
import { checkAccepted, checkStillAllowed, claimOnStart, decide, type Judge, lookingAt } from '../src/judgement.ts';
import { openStore } from '../src/store.ts';
import { jobToDecide } from '../src/waiting.ts';

const charterYaml = `
folkmoot: 1
charter: A town, a clinic and a village
version: 1
parties:
  town: { name: Town, owner: Clerk }
  clinic: { name: Clinic, owner: Guardian }
  village: { name: Village, owner: Clerk }
analysts: { ann: { roles: [analyst] } }
purposes: { planning: Plan }
datasets:
  tenants:
    held_by: [town]
    unit: person
    max_rows: 1000
    columns:
      person: { type: identifier }
      number: { type: identifier, normalise: digits, max_rows_per_key: 2 }
      arrears: { type: integer, min: 0, max: 1000 }
      tenure: { type: category, values: [own, rent] }
  visits:
    held_by: [clinic]
    unit: number
    max_rows_per_unit: 3
    max_rows: 9000
    columns:
      number: { type: identifier, normalise: digits }
      cost: { type: integer, min: 0, max: 500 }
matching:
  - { on: number, pairs: [[town, clinic]], permitted_by: Guardian }
policy_floor: { min_parties: 2, min_group: 2 }
`;
const jobYaml = `
folkmoot: 1
purpose: planning
join:
  left: { party: town, dataset: tenants }
  right: { party: clinic, dataset: visits }
  on: number
group_by: [left.tenure]
measures: { people: count, cost: { sum: right.cost } }
`;

const nowMs = Date.parse('2026-11-22T09:00:00.000Z');
const rng = seededRng(12);
const members = ['town', 'clinic', 'village'] as const;
type Member = (typeof members)[number];
const keys = new Map(await Promise.all(members.map(async (id) => [id, await makeKeys('party', rng)] as const)));
const analystKeys = await makeKeys('analyst', rng);
let charter: Charter = parseCharter(charterYaml, 'charter.yaml');
for (const [party, own] of keys) charter = withKeys(charter, party, own.public);
charter = withKeys(charter, 'ann', analystKeys.public);

function signed(lines = ''): SignedJob {
  const envelope = {
    job: parseJob(`${jobYaml}${lines}`, 'job.yaml'),
    analyst: 'ann',
    recipient: analystKeys.public.recipient,
    charter: charterHash(charter),
    issued: new Date(nowMs).toISOString(),
    expires: new Date(nowMs + 3_600_000).toISOString(),
    nonce: '1'.repeat(32),
  };
  return signJob(envelope, signer(analystKeys.secret.identity));
}

const bindings: Readonly<Record<Member, string>> = {
  town: 'tenants: { period: T4, budget: { epsilon: 20 }, source: { file: ./tenants.csv } }',
  clinic: 'visits: { period: C4, budget: { rho: 5 }, source: { file: ./visits.csv } }',
  village: '',
};
const ruled = (dataset: string, more: string) =>
  `{ name: link, datasets: [${dataset}], operations: [join, count, sum], match_on: [number], helpers: [village], purposes: [planning], analysts: [ann], approval: automatic, ${more} }`;
const rules: Readonly<Record<Member, string>> = {
  town: ruled('tenants', 'group_by: [tenure], privacy: { collusion_at_least: 1 }'),
  clinic: ruled('visits', 'measure: [cost]'),
  village: '',
};

/** Numbers of rows; what was looked at stands in `looked`. */
function judgeOf(party: Member, { rows = 600, rule = rules[party], bound = bindings[party] } = {}) {
  const looked: string[] = [];
  const text = `
party: ${party}
charter: ../charter.json
coordinator: ws://127.0.0.1:7700
keys: ./keys
state: ./state
datasets: { ${bound} }
policy: { rules: [${rule}] }
`;
  const by: Judge = {
    config: parseNodeConfig(text, '/node.yaml'),
    membership: { charter, charterHash: charterHash(charter) },
    build: 'test',
    sign: signer(keys.get(party)!.secret.identity),
    nowMs,
    periods: new Map([
      ['tenants', 'T4'],
      ['visits', 'C4'],
    ]),
    fingerprint: async ({ name }, _, period) => {
      looked.push(`${name} ${period}`);
      return 'f'.repeat(64);
    },
    rows: async ({ name }, _, period) => {
      looked.push(`rows of ${name} ${period}`);
      return rows;
    },
    noRecords: '0'.repeat(64),
    afford: () => {},
  };
  return { by, looked };
}

const word = async (party: Member, job = signed(), options: Parameters<typeof judgeOf>[1] = {}) =>
  (await decide(job, judgeOf(party, options).by)).acceptance;

describe('a side of a join', () => {
  it('accepts by its own rule, about its own records, and states the size class of all of them', async () => {
    const town = judgeOf('town');
    expect((await decide(signed(), town.by)).acceptance.acceptance).toMatchObject({
      party: 'town',
      rule: 'link',
      // 600 rows are more than √2^18 = 512, and fewer than √2^19.
      set_class: 19,
      period: null,
    });
    expect(town.looked).toEqual(['tenants null', 'rows of tenants null']);
    const clinic = judgeOf('clinic', { rows: 0 });
    expect((await decide(signed(), clinic.by)).acceptance.acceptance).toMatchObject({ party: 'clinic', set_class: 18 });
    expect(clinic.looked).toEqual(['visits null', 'rows of visits null']);
  });

  it('asks as many people as its own rule says, and they decide on the records of this side alone', async () => {
    const { by } = judgeOf('clinic', { rule: ruled('visits', 'measure: [cost]').replace('automatic', 'manual') });
    expect(await decide(signed(), by)).toMatchObject({ approvers: 1, acceptance: { acceptance: { set_class: 19 } } });
    const { policy } = by.config;
    const two = { ...policy, rules: policy.rules.map((one) => ({ ...one, approvers: 2 })) };
    expect(await decide(signed(), { ...by, config: { ...by.config, policy: two } })).toMatchObject({ approvers: 2 });
    expect(await decide(signed(), { ...by, config: { ...by.config, approve: true } })).not.toHaveProperty('approvers');
    expect(await decide(signed(), judgeOf('town').by)).not.toHaveProperty('approvers');
  });

  it('shows its people who is matched with whom, and what the other side learns', async () => {
    const { by } = judgeOf('clinic', { rule: ruled('visits', 'measure: [cost]').replace('automatic', 'manual') });
    const job = signed();
    const { acceptance } = (await decide(job, by)).acceptance;
    const folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
    const store = openStore(folder, () => nowMs);
    const terms = termsOf(acceptance);
    const held = { terms, rule: 'link', approvers: 1 };
    const common = { job: acceptance.job, signed: job, expiresMs: nowMs + 3_600_000, attempt: 1 };
    const showing = { config: by.config, charter, store, nowMs };
    const shown = jobToDecide({ ...common, status: 'AWAITING_APPROVAL', hold: held }, terms, showing);
    const text = renderPlan(shown.plan).replace(/\s+/g, ' ');
    expect(text).toContain('Clinic (Guardian) allows it once a person has approved');
    expect(text).toContain('Who is matched with whom');
    store.close();
    rmSync(folder, { recursive: true });
  });

  it('states the same class whatever the job asks', async () => {
    const filtering = signed('where: { right.cost: { gt: 499 } }\n');
    const rule = ruled('visits', 'measure: [cost], filter: [cost]');
    expect((await word('clinic', filtering, { rule })).acceptance.set_class).toBe(19);
    expect((await word('clinic')).acceptance.set_class).toBe(19);
  });

  it('is agreed with by the other, which checks what it states', async () => {
    const job = signed();
    const words = [await word('clinic', job), await word('town', job)];
    for (const party of ['town', 'clinic'] as const) {
      const own = words.find(({ acceptance }) => acceptance.party === party)!;
      const { by } = judgeOf(party);
      expect(checkAccepted(words, job, own, by)).toHaveLength(2);
      expect(() => checkStillAllowed(job, own, by)).not.toThrow();
    }
    const { set_class: _, ...without } = words[0]!.acceptance;
    const stripped = [{ ...words[0]!, acceptance: without }, words[1]!];
    expect(() => checkAccepted(stripped, job, words[1]!, judgeOf('town').by)).toThrow(/acceptance/);
  });

  it('refuses by its own rules before it looks at a record', async () => {
    const cost = judgeOf('clinic', { rule: ruled('visits', 'measure: []') });
    await expect(decide(signed(), cost.by)).rejects.toMatchObject({ code: 'REFUSED', party: 'clinic', field: 'cost' });
    const sums = judgeOf('clinic', { rule: ruled('visits', 'measure: [cost], dominance: { n: 1, share: 0.5 }') });
    await expect(decide(signed(), sums.by)).rejects.toMatchObject({ code: 'NOT_SUPPORTED', field: 'measures.cost' });
    const both = 'where: { any: [{ left.arrears: { gt: 1 } }, { right.cost: { gt: 1 } }] }\n';
    const tied = judgeOf('clinic', { rule: ruled('visits', 'measure: [cost], filter: [cost]') });
    await expect(decide(signed(both), tied.by)).rejects.toMatchObject({ code: 'NOT_SUPPORTED', field: 'where' });
    expect(tied.looked).toEqual([]);
    const unbound = judgeOf('town', { bound: '' });
    await expect(decide(signed(), unbound.by)).rejects.toMatchObject({ code: 'NOT_HELD', field: 'datasets.tenants' });
    expect([...cost.looked, ...sums.looked, ...unbound.looked]).toEqual([]);
  });

  it('does not bring a set that is too large for any class', async () => {
    expect((await word('town', signed(), { rows: 2 ** 22 })).acceptance.set_class).toBe(44);
    await expect(word('town', signed(), { rows: 2 ** 22 + 1 })).rejects.toMatchObject({ code: 'SET_TOO_LARGE' });
  });

  it('takes a helper that brings no records and states no size', async () => {
    const job = signed('join_helper: village\n');
    const village = judgeOf('village');
    const { acceptance } = await decide(job, village.by);
    expect(acceptance.acceptance).toMatchObject({ rule: '', period: null, fingerprint: '0'.repeat(64) });
    expect(acceptance.acceptance).not.toHaveProperty('set_class');
    expect(village.looked).toEqual([]);
    const own = await word('town', job);
    const words = [acceptance, own, await word('clinic', job)];
    expect(checkAccepted(words, job, own, judgeOf('town').by)).toHaveLength(3);
  });
});

describe('a protected join', () => {
  const job = signed('privacy: { epsilon: 1 }\n');

  it('is charged to each side’s own dataset, for its own period and in its own unit', async () => {
    const town = judgeOf('town');
    expect(await decide(job, town.by)).toMatchObject({
      acceptance: { acceptance: { period: 'T4', budget: 'epsilon', set_class: 19 } },
      claim: { party: 'town', dataset: 'tenants', period: 'T4', unit: 'epsilon', cost: { micro: 1_000_000n } },
    });
    expect(town.looked).toEqual(['tenants T4', 'rows of tenants T4']);
    expect(await decide(job, judgeOf('clinic').by)).toMatchObject({
      claim: { party: 'clinic', dataset: 'visits', period: 'C4', unit: 'rho', cost: { micro: 500_000n } },
    });
  });

  it('is one question to both, with what each read', async () => {
    const words = [await word('clinic', job), await word('town', job)];
    const claims = (['clinic', 'town'] as const).map((party, at) =>
      claimOnStart(job, words[at]!, words, judgeOf(party).by),
    );
    expect(claims).toMatchObject([{ dataset: 'visits' }, { dataset: 'tenants' }]);
    expect(claims[0]!.key).toBe(claims[1]!.key);
    expect(claims[0]!.key).not.toBeNull();
  });

  it('needs a budget of the side’s own', async () => {
    const bound = 'tenants: { period: T4, source: { file: ./tenants.csv } }';
    await expect(word('town', job, { bound })).rejects.toMatchObject({ code: 'NO_BUDGET', field: 'datasets.tenants' });
  });
});

describe('a party’s look at its records', () => {
  const folder = mkdtempSync(join(tmpdir(), 'folkmoot-join-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('counts rows, those that a job would leave out too', async () => {
    writeFileSync(join(folder, 'tenants.csv'), 'person,number,arrears,tenure\na,1,5,own\nb,,5000,rent\nc,x,,rent\n');
    const { by } = judgeOf('town');
    const unread = { of: () => expect.unreachable('an exact job has no snapshot') };
    const { rows, fingerprint } = lookingAt({ folder }, {}, new Uint8Array(32), unread);
    const dataset = datasetOf(checkJob(signed().envelope.job, charter), 'town');
    const binding = by.config.datasets.tenants!;
    expect(await rows(dataset, binding, null, 'number')).toBe(3);
    expect(await fingerprint(dataset, binding, null)).toMatch(/^[0-9a-f]{64}$/);
  });
});
