import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Approval,
  type ApprovalTerms,
  ownerName,
  type SignedApproval,
  signApproval,
} from '@folkmoot/core/approval.js';
import type { Charter } from '@folkmoot/core/charter.js';
import { clockSkewMs } from '@folkmoot/core/envelope.js';
import { signer } from '@folkmoot/core/identity.js';
import { type ApproverKeys, makeKeys } from '@folkmoot/transport/keyring.js';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Deciding, takeAt } from '../src/approval-routes.ts';
import { admitDecision, decidable, followingFrom, weigh } from '../src/approvals.ts';
import { type Approvers, type Approving, checkApprovers, checkNotAsker } from '../src/approvers.ts';
import { verifyStored } from '../src/audit-report.ts';
import type { Decision as Judgement } from '../src/judgement.ts';
import type { JobState, Status } from '../src/lifecycle.ts';
import { openStore, type Store } from '../src/store.ts';
import { type Consortium, idOf, makeConsortium } from './consortium.ts';

const code = (wanted: string) => expect.objectContaining({ code: wanted });
const nowMs = Date.parse('2026-11-22T09:00:00.000Z');
let consortium: Consortium;
let charter: Charter;
let keys: Record<string, ApproverKeys>;
let approvers: Approvers;
let of: Approving & { readonly nowMs: number };
let waiting: JobState;
let terms: ApprovalTerms;

beforeAll(async () => {
  consortium = await makeConsortium(11);
  ({ charter } = consortium);
  keys = {};
  for (const name of ['ada', 'ben', 'cleo']) keys[name] = await makeKeys('approver', randomBytes);
  approvers = {
    ada: { name: 'Ada Example', identity: keys.ada!.public.identity },
    ben: { name: 'Ben Example', identity: keys.ben!.public.identity },
  };
  of = { config: { party: 'camden', approvers }, charter, nowMs };
  const signed = consortium.signed(undefined, nowMs - 1_000);
  const { expires } = signed.envelope;
  const job = idOf(signed);
  terms = { job, charter: 'b2'.repeat(32), policy: 'c3'.repeat(32), fingerprint: 'd4'.repeat(32), build: '1', expires };
  const hold = { terms, rule: 'by hand', approvers: 2 };
  waiting = { job, signed, expiresMs: Date.parse(expires), attempt: 1, status: 'AWAITING_APPROVAL', hold };
});
afterAll(() => consortium.dispose());

function by(who: string, change: Partial<Approval> = {}, key = keys[who]!): SignedApproval {
  const at = new Date(nowMs).toISOString();
  const stated = { party: 'camden', by: who, decision: 'approve', reason: 'agreed', at } as const;
  return signApproval({ ...terms, ...stated, ...change }, signer(key.secret.identity));
}
const on = (status: Status | undefined, decisions: readonly SignedApproval[] = []) => ({
  state:
    status === undefined ? undefined : status === 'AWAITING_APPROVAL' ? waiting : ({ ...waiting, status } as JobState),
  decisions,
});
const admit = (given: unknown, job = on('AWAITING_APPROVAL'), changed: object = {}) =>
  admitDecision(given, job, { ...of, ...changed });

describe('a decision of a person', () => {
  it('is taken as it was signed', () => {
    for (const decision of ['approve', 'deny'] as const)
      expect(admit(by('ada', { decision }))).toEqual(by('ada', { decision }));
    expect(admit(by('ben'), on('AWAITING_APPROVAL', [by('ada')]))).toEqual(by('ben'));
  });

  it('is refused of an unknown job, one that does not wait, one that has expired or ended, and one already opened', () => {
    expect(() => admit(by('ada'), on(undefined))).toThrow(code('UNKNOWN_JOB'));
    for (const status of ['RECEIVED', 'ACCEPTED', 'RUNNING', 'COMMITTED'] as const) {
      expect(() => admit(by('ada'), on(status))).toThrow(code('NOT_WAITING'));
      expect(() => admit(by('ada', { decision: 'deny' }), on(status, [by('ada')]))).toThrow(code('NOT_WAITING'));
    }
    for (const status of ['OPENING', 'RESULT'] as const) {
      for (const decision of ['approve', 'deny', 'revoke'] as const) {
        expect(() => admit(by('ada', { decision }), on(status, [by('ada')]))).toThrow(code('ALREADY_OPENED'));
      }
    }
    for (const status of ['DENIED', 'ABORTED', 'CANCELLED'] as const) {
      expect(() => admit(by('ada'), on(status))).toThrow(code('ALREADY_ENDED'));
    }
    expect(() => admit(by('ada'), on('EXPIRED'))).toThrow(code('JOB_EXPIRED'));
    const late = { nowMs: waiting.expiresMs };
    expect(() => admit(by('ada'), on('AWAITING_APPROVAL'), late)).toThrow(code('JOB_EXPIRED'));
    const before = decidable('approve', on('AWAITING_APPROVAL'), waiting.expiresMs - 1);
    expect(before.terms).toEqual(terms);
  });

  it('is refused of the first person when a second one is needed', () => {
    expect(() => admit(by('ada'), on('AWAITING_APPROVAL', [by('ada')]))).toThrow(code('ALREADY_APPROVED'));
    const again = by('ada', { at: new Date(nowMs + 1_000).toISOString(), reason: 'once more' });
    expect(() => admit(again, on('AWAITING_APPROVAL', [by('ada')]))).toThrow(code('ALREADY_APPROVED'));
  });

  it('is refused with another key, in another’s name, and of somebody who is not listed', () => {
    expect(() => admit(by('ada', {}, keys.ben))).toThrow(code('BAD_SIGNATURE'));
    expect(() => admit(by('ada', { party: 'hackney' }))).toThrow(code('BAD_SIGNATURE'));
    const { approval } = by('ada');
    expect(() => admit({ approval: { ...approval, decision: 'deny' }, signature: by('ada').signature })).toThrow(
      code('BAD_SIGNATURE'),
    );
    expect(() => admit(by('cleo'))).toThrow(code('NOT_AN_APPROVER'));
    expect(() => admit(by(ownerName, {}, keys.ada))).toThrow(code('NOT_AN_APPROVER'));
  });

  it.each(['job', 'charter', 'policy', 'fingerprint'] as const)('is refused on another %s than waits', (term) => {
    expect(() => admit(by('ada', { [term]: 'ee'.repeat(32) }))).toThrow(code('APPROVAL_CHANGED'));
  });

  it('is refused where it was signed long before or after', () => {
    const at = (ms: number) => by('ada', { at: new Date(ms).toISOString() });
    for (const far of [clockSkewMs + 1, -clockSkewMs - 1]) {
      expect(() => admit(at(nowMs + far))).toThrow(expect.objectContaining({ code: 'BAD_VALUE', field: 'at' }));
    }
    for (const near of [clockSkewMs, -clockSkewMs]) expect(() => admit(at(nowMs + near))).not.toThrow();
  });

  it('is refused in a form that it does not have', () => {
    for (const given of [undefined, {}, { ...by('ada'), more: 1 }]) {
      expect(() => admit(given)).toThrow(expect.objectContaining({ name: 'InputError' }));
    }
  });

  it('takes back only what was approved', () => {
    const revoke = by('ben', { decision: 'revoke' });
    for (const status of ['AWAITING_APPROVAL', 'ACCEPTED', 'RUNNING', 'COMMITTED', 'HALTED'] as const) {
      expect(admit(revoke, on(status, [by('ada')]))).toEqual(revoke);
      expect(() => admit(revoke, on(status))).toThrow(code('NOT_WAITING'));
      expect(() => admit(by('ada', { decision: 'revoke' }), on(status, [by('ada'), revoke]))).toThrow(
        code('ALREADY_ENDED'),
      );
    }
  });
});

describe('whoever asked for a job', () => {
  const ana = () => consortium.analystKeys.public.identity;

  it('does not decide on it with the key of the charter, under the id or by the name', () => {
    const as = (listed: Approvers) => () =>
      checkNotAsker(Object.keys(listed)[0]!, 'ana', { ...of, config: { party: 'camden', approvers: listed } });
    const { identity } = keys.ada!.public;
    expect(as({ ada: { name: 'Ada Example', identity: ana() } })).toThrow(code('OWN_JOB'));
    expect(as({ ana: { name: 'Somebody Else', identity } })).toThrow(code('OWN_JOB'));
    expect(as({ ada: { name: ' ANA ', identity } })).toThrow(code('OWN_JOB'));
    expect(as({ ada: { name: 'Ada Example', identity } })).not.toThrow();
  });

  it('is refused by the node, whose charter knows the full name', () => {
    const named = { ...charter, analysts: { ana: { ...charter.analysts.ana!, name: 'Ada  example' } } };
    expect(() => admit(by('ada'), on('AWAITING_APPROVAL'), { charter: named })).toThrow(code('OWN_JOB'));
    expect(() => admit(by('ben'), on('AWAITING_APPROVAL'), { charter: named })).not.toThrow();
  });
});

describe('the approvers of a node', () => {
  const rules = (asked: number) => ({ rules: [{ approvers: asked } as never] });

  it('have keys of their own, and are as many as a rule asks for', () => {
    expect(() => checkApprovers(approvers, rules(2))).not.toThrow();
    expect(() => checkApprovers({}, rules(1))).not.toThrow();
    const tooFew = expect.objectContaining({ code: 'BAD_VALUE', field: 'policy.rules[0].approvers' });
    expect(() => checkApprovers(approvers, rules(3))).toThrow(tooFew);
    expect(() => checkApprovers({}, rules(2))).toThrow(tooFew);
    const twice = { ...approvers, cleo: { name: 'Cleo', identity: approvers.ada!.identity } };
    expect(() => checkApprovers(twice, rules(1))).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', field: 'approvers.cleo.identity' }),
    );
    expect(() => checkApprovers({ ada: { name: 'Ada', identity: '00'.repeat(32) } }, rules(1))).toThrow(
      code('BAD_KEY'),
    );
  });

  it('are the party itself where none is listed', () => {
    const alone = { config: { party: 'camden', approvers: {} } };
    const own = { secret: consortium.partyKeys.get('camden')!.secret } as unknown as ApproverKeys;
    expect(admit(by(ownerName, {}, own), on('AWAITING_APPROVAL'), alone)).toBeDefined();
    expect(() => admit(by(ownerName, {}, keys.ada), on('AWAITING_APPROVAL'), alone)).toThrow(code('BAD_SIGNATURE'));
    expect(() => admit(by('ada'), on('AWAITING_APPROVAL'), alone)).toThrow(code('NOT_AN_APPROVER'));
  });
});

describe('the decisions on a job', () => {
  const judged = (change: Partial<ApprovalTerms> = {}): Judgement =>
    ({ acceptance: { acceptance: { ...terms, ...change, rule: 'by hand' } }, approvers: 2 }) as unknown as Judgement;

  it('let it be accepted once different people have approved', () => {
    expect(followingFrom(on('AWAITING_APPROVAL', [by('ada')]), of)).toBeUndefined();
    expect(followingFrom(on('AWAITING_APPROVAL', [by('ada'), by('ben')]), of)).toEqual({ event: 'approved' });
    expect(weigh(judged(), on('AWAITING_APPROVAL', [by('ada')]), of)).toMatchObject({ event: 'held' });
    expect(weigh(judged(), on('AWAITING_APPROVAL', [by('ada'), by('ben')]), of)).toMatchObject({ event: 'allowed' });
  });

  it('count no more where the records, the policy or the approvers have changed', () => {
    const both = on('AWAITING_APPROVAL', [by('ada'), by('ben')]);
    expect(weigh(judged({ fingerprint: 'ee'.repeat(32) }), both, of)).toMatchObject({
      event: 'held',
      hold: { terms: { fingerprint: 'ee'.repeat(32) }, change: 'the records have changed' },
    });
    expect(weigh(judged({ policy: 'ee'.repeat(32) }), both, of)).toMatchObject({
      hold: { change: 'the policy has changed' },
    });
    const { ben: _, ...left } = approvers;
    expect(weigh(judged(), both, { ...of, config: { party: 'camden', approvers: left } })).toMatchObject({
      event: 'held',
    });
  });

  it('end it by one word, of which others are told the code alone', () => {
    const denied = by('ben', { decision: 'deny', reason: 'not lawful' });
    const ended = followingFrom(on('AWAITING_APPROVAL', [by('ada'), denied]), of);
    expect(ended).toMatchObject({
      event: 'denied',
      report: { code: 'DENIED_BY_OWNER', party: 'camden' },
      detail: 'denied by ben',
    });
    expect(JSON.stringify((ended as { report: object }).report)).not.toMatch(/ben|lawful/);
    expect(weigh(judged(), on('AWAITING_APPROVAL', [by('ada'), by('ben'), denied]), of)).toEqual(
      expect.objectContaining({ event: 'denied' }),
    );
    const revoked = by('ada', { decision: 'revoke' });
    for (const status of ['ACCEPTED', 'RUNNING', 'COMMITTED'] as const) {
      expect(followingFrom(on(status, [by('ada'), by('ben'), revoked]), of)).toMatchObject({
        event: 'revoked',
        report: { code: 'APPROVAL_REVOKED' },
      });
    }
    expect(followingFrom(on('OPENING', [by('ada'), revoked]), of)).toBeUndefined();
    expect(followingFrom(on('RESULT', [by('ada'), revoked]), of)).toBeUndefined();
  });
});

describe('the decisions in a node’s state', () => {
  let folder: string;
  let store: Store;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
    store = openStore(folder, () => nowMs);
    store.save({ ...waiting, status: 'RECEIVED' });
    store.save(waiting);
  });
  afterEach(() => {
    store.close();
    rmSync(folder, { recursive: true });
  });

  const audited = () => store.audit.rows(terms.job).map(({ payload }) => JSON.parse(payload!) as object);

  it('come back in their order, with the job that waits, also to the next process', () => {
    for (const one of [by('ada'), by('ben', { decision: 'deny', reason: 'it’s “unlawful”' })]) store.enterApproval(one);
    store.close();
    store = openStore(folder, () => nowMs);
    expect(store.approvals(terms.job)).toEqual([by('ada'), by('ben', { decision: 'deny', reason: 'it’s “unlawful”' })]);
    expect(store.load(terms.job)).toEqual(waiting);
    expect(store.open()).toEqual([terms.job]);
    expect(store.waiting()).toEqual([waiting]);
    expect(store.approvals('ff'.repeat(32))).toEqual([]);
    expect(store.beginning(terms.job.slice(0, 6))).toEqual([terms.job]);
    expect(store.beginning('%')).toEqual([]);
    expect(audited()).toMatchObject([
      { kind: 'job' },
      { kind: 'verdict', verdict: 'waits', rule: 'by hand' },
      { kind: 'approval', by: 'ada', decision: 'approve', reason: 'agreed' },
      { kind: 'approval', by: 'ben', decision: 'deny' },
    ]);
  });

  it('are compared with the log, which tells of those that were refused too', () => {
    store.enterApproval(by('ada'));
    const deciding = { ...of, store } as unknown as Deciding;
    expect(() => takeAt(terms.job, by('cleo'), deciding, () => {})).toThrow(code('NOT_AN_APPROVER'));
    expect(() => takeAt('ff'.repeat(32), by('ada'), deciding, () => {})).toThrow(code('UNKNOWN_JOB'));
    expect(audited().at(-1)).toMatchObject({ kind: 'approval-refused', job: terms.job, code: 'NOT_AN_APPROVER' });
    expect(audited().length).toBe(4);
    const found = () => verifyStored(store, 'camden', charter, nowMs).findings;
    expect(found()).toEqual([]);
    const edit = (sql: string) => {
      store.close();
      const db = new Database(join(folder, 'node.sqlite'));
      db.exec(`DROP TRIGGER approvals_are_not_changed; ${sql}`);
      db.close();
      store = openStore(folder, () => nowMs);
    };
    edit(`UPDATE approvals SET signed = replace(signed, 'agreed', 'coerced')`);
    const one = { code: 'CHANGED', party: 'camden' };
    expect(found()).toMatchObject([{ ...one, entry: 3 }, one]);
  });

  it('are never changed, cut or given to a job that is not there', () => {
    store.enterApproval(by('ada'));
    expect(() => store.enterApproval(by('ada', { job: 'ff'.repeat(32) }))).toThrow(code('STATE_FAILED'));
    store.close();
    const db = new Database(join(folder, 'node.sqlite'));
    expect(() => db.exec(`UPDATE approvals SET reason = 'other'`)).toThrow('stays so');
    expect(() => db.exec('DELETE FROM approvals')).toThrow('stays so');
    db.close();
    store = openStore(folder, () => nowMs);
  });

  it('forbid the opening of a job that a person has ended, and are not taken of one that is opened', () => {
    const acceptance = { acceptance: { party: 'camden', rule: 'by hand', min_group: 1 }, signature: '' } as never;
    const sealed = new Uint8Array([1]);
    const opening = { sealed, commitments: {}, signatures: {} };
    const jobs = [waiting.job, 'ff'.repeat(32)].map((job) => {
      const common = { job, signed: waiting.signed, expiresMs: waiting.expiresMs, attempt: 1 };
      store.save({ ...common, status: 'RECEIVED' });
      store.enterApproval(by('ada', { job }));
      store.save({ ...common, status: 'ACCEPTED', acceptance });
      store.save({ ...common, status: 'RUNNING', acceptance, acceptances: [] });
      store.save({ ...common, status: 'COMMITTED', acceptance, acceptances: [], sealed });
      return { job, open: () => store.save({ ...common, status: 'OPENING', acceptance, opening }) };
    });
    const [ended, opened] = jobs as [(typeof jobs)[number], (typeof jobs)[number]];
    store.enterApproval(by('ben', { job: ended.job, decision: 'revoke' }));
    expect(ended.open).toThrow(code('STATE_FAILED'));
    opened.open();
    expect(store.released().map(({ job }) => job)).toEqual([opened.job]);
    expect(() => store.enterApproval(by('ben', { job: opened.job, decision: 'revoke' }))).toThrow(code('STATE_FAILED'));
  });
});
