/** What a node's acceptance states, made without a link and without reading a record. @module */
import { type Acceptance, checkAcceptance } from '@folkmoot/core/acceptance.js';
import { type Charter, charterHash } from '@folkmoot/core/charter.js';
import { jobId, signJob } from '@folkmoot/core/envelope.js';
import { signer } from '@folkmoot/core/identity.js';
import { parseJob } from '@folkmoot/core/job.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseNodeConfig } from '../src/config.ts';
import { checkStillAllowed, decide, type Judge } from '../src/judgement.ts';
import { type Consortium, jobYaml, makeConsortium, nodeYaml, type PartyName } from './consortium.ts';

const nowMs = Date.parse('2026-11-21T09:00:00.000Z');
const ofRecords = 'a'.repeat(64);
const ofNothing = 'b'.repeat(64);
let consortium: Consortium;
/** The same consortium with a member that holds nothing. */
let charter: Charter;

beforeAll(async () => {
  consortium = await makeConsortium(11);
  const { parties } = consortium.charter;
  charter = { ...consortium.charter, parties: { ...parties, outsider: { name: 'Outsider', owner: 'D' } } };
});
afterAll(() => consortium.dispose());

function signed(lines: string, under: Charter = charter) {
  const envelope = {
    job: parseJob(`${jobYaml}\n${lines}`, 'job.yaml'),
    analyst: 'ana',
    recipient: consortium.analystKeys.public.recipient,
    charter: charterHash(under),
    issued: new Date(nowMs).toISOString(),
    expires: new Date(nowMs + 3_600_000).toISOString(),
    nonce: '1'.repeat(32),
  };
  return signJob(envelope, signer(consortium.analystKeys.secret.identity));
}

function judgeOf(party: string, rule = '', under: Charter = charter): Judge {
  const yaml = nodeYaml(party).replace('min_parties: 3\n', `min_parties: 3\n${rule}`);
  const keys = consortium.partyKeys.get(party as PartyName) ?? consortium.partyKeys.get('camden')!;
  return {
    config: parseNodeConfig(yaml, '/node.yaml'),
    membership: { charter: under, charterHash: charterHash(under) },
    build: 'test',
    sign: signer(keys.secret.identity),
    nowMs,
    periods: new Map(),
    fingerprint: async () => ofRecords,
    rows: async () => expect.unreachable(),
    noRecords: ofNothing,
    afford: () => {},
  };
}

const accepted = async (lines: string, by: Judge): Promise<Acceptance> =>
  (await decide(signed(lines), by)).acceptance.acceptance;

describe('an acceptance', () => {
  it('states what the rule itself asks, and nothing where it asks nothing', async () => {
    const plain = await accepted('', judgeOf('camden'));
    expect(plain).toMatchObject({ rule: 'statistics', min_group: 1, fingerprint: ofRecords });
    expect(plain).not.toHaveProperty('round');
    expect(plain).not.toHaveProperty('dominance');
    const strict = '      round: 5\n      dominance: { n: 1, share: 0.8 }\n';
    expect(await accepted('round: 10', judgeOf('camden', strict))).toMatchObject({
      round: 5,
      dominance: { n: 1, share: 0.8 },
    });
  });

  it('binds what it states', async () => {
    const by = judgeOf('camden', '      round: 5\n');
    const job = signed('');
    const { acceptance } = await decide(job, by);
    const agreed = { job: jobId(job.envelope), charter: by.membership.charterHash, nowMs };
    expect(() => checkAcceptance(acceptance, charter, agreed)).not.toThrow();
    const looser = { ...acceptance, acceptance: { ...acceptance.acceptance, round: 1 } };
    expect(() => checkAcceptance(looser, charter, agreed)).toThrow(/signature/);
  });

  it('does not stand once the rule asks for more', async () => {
    const job = signed('');
    const { acceptance } = await decide(job, judgeOf('camden'));
    expect(() => checkStillAllowed(job, acceptance, judgeOf('camden'))).not.toThrow();
    const later = judgeOf('camden', '      dominance: { n: 1, share: 0.8 }\n');
    expect(() => checkStillAllowed(job, acceptance, later)).toThrow(/changed/);
  });

  it('is refused where the rule rounds and the measure cannot be', async () => {
    const by = judgeOf('camden', '      round: 5\n');
    const rule = by.config.policy.rules[0]!;
    const policy = { rules: [{ ...rule, operations: [...rule.operations, 'variance' as const] }] };
    const job = (round: string) => {
      const { envelope } = signed(round);
      const measures = { ...envelope.job.measures, spread: { variance: 'arrears' } };
      const changed = { ...envelope, job: { ...envelope.job, measures } };
      return signJob(changed, signer(consortium.analystKeys.secret.identity));
    };
    const refusal = { code: 'REFUSED', party: 'camden', message: expect.stringContaining('rounded to 5') };
    await expect(decide(job(''), { ...by, config: { ...by.config, policy } })).rejects.toMatchObject(refusal);
    await expect(decide(job('round: 2'), by)).rejects.toMatchObject({ code: 'CANNOT_ROUND' });
  });
});

describe('a helper', () => {
  const lines = 'join_helper: outsider';

  it('accepts by no rule and about no records', async () => {
    const word = await accepted(lines, { ...judgeOf('outsider'), afford: () => expect.unreachable() });
    expect(word).toMatchObject({ party: 'outsider', rule: '', fingerprint: ofNothing, period: null, budget: null });
  });

  it('needs the leave of every party’s rule', async () => {
    await expect(accepted(lines, judgeOf('camden'))).rejects.toMatchObject({ code: 'REFUSED', party: 'camden' });
    const listed = await accepted(lines, judgeOf('camden', '      helpers: [outsider]\n'));
    expect(listed).toMatchObject({ rule: 'statistics', fingerprint: ofRecords });
  });

  it('does not help its own analyst', async () => {
    const ana = { ...charter.analysts.ana!, party: 'outsider' };
    const own: Charter = { ...charter, analysts: { ana } };
    const by = judgeOf('outsider', '', own);
    await expect(decide(signed(lines, own), by)).rejects.toMatchObject({ code: 'REFUSED', field: 'join_helper' });
  });

  it('is not who takes no part', async () => {
    await expect(accepted('', judgeOf('outsider'))).rejects.toMatchObject({ code: 'UNKNOWN_PARTY' });
  });
});
