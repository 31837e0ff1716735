import { describe, expect, it } from 'vitest';
import { toHex } from '../src/algebra/bytes.ts';
import {
  type BudgetStatement,
  checkBudgetRequest,
  checkBudgetStatement,
  requestHash,
  signBudgetRequest,
  signBudgetStatement,
} from '../src/query/budget-statement.ts';
import { type Charter, charterHash } from '../src/query/charter.ts';
import { publicKeyOf, signer } from '../src/query/identity.ts';

const seeds = {
  ana: new Uint8Array(32).fill(1),
  camden: new Uint8Array(32).fill(2),
  hackney: new Uint8Array(32).fill(3),
};
const identity = (who: keyof typeof seeds) => toHex(publicKeyOf(seeds[who]));
const charter = {
  charter: 'Test',
  version: 1,
  parties: {
    camden: { name: 'Camden', owner: 'A', identity: identity('camden') },
    hackney: { name: 'Hackney', owner: 'B', identity: identity('hackney') },
  },
  analysts: { ana: { roles: [], identity: identity('ana') } },
  purposes: {},
  datasets: {},
  matching: [],
  policy_floor: { min_parties: 2, min_group: 1 },
} as unknown as Charter;
const nowMs = Date.parse('2026-11-21T09:00:00.000Z');
const request = {
  analyst: 'ana',
  charter: charterHash(charter),
  issued: new Date(nowMs).toISOString(),
  nonce: 'ab'.repeat(16),
};
const none = { amount: '0', delta: '0' };
const account = { initial: { amount: '10', delta: '0.000001' }, spent: none, reserved: none, remaining: none };
const statement: BudgetStatement = {
  party: 'camden',
  request: requestHash(request),
  at: request.issued,
  datasets: [{ dataset: 'residents', period: '2026-Q4', unit: 'epsilon', total: account, own: null, exact_too: true }],
  jobs: [],
};
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe('a request for budgets', () => {
  const signed = (change: object = {}) => signBudgetRequest({ ...request, ...change }, signer(seeds.ana));

  it('is the analyst’s own, under this charter, and of now', () => {
    expect(checkBudgetRequest(signed(), charter, nowMs)).toEqual(signed());
    for (const aside of [-120_000, 120_000]) checkBudgetRequest(signed(), charter, nowMs + aside);
    expect(() => checkBudgetRequest(signed(), charter, nowMs + 120_001)).toThrow(code('JOB_EXPIRED'));
    expect(() => checkBudgetRequest(signed(), charter, nowMs - 120_001)).toThrow(code('NOT_YET_VALID'));
    expect(() => checkBudgetRequest(signed({ analyst: 'bob' }), charter, nowMs)).toThrow(code('UNKNOWN_ANALYST'));
    expect(() => checkBudgetRequest(signed({ charter: 'a'.repeat(64) }), charter, nowMs)).toThrow(
      code('BAD_SIGNATURE'),
    );
    const changed = { ...signed(), request: { ...request, nonce: 'cd'.repeat(16) } };
    expect(() => checkBudgetRequest(changed, charter, nowMs)).toThrow(code('BAD_SIGNATURE'));
    expect(() => checkBudgetRequest({}, charter, nowMs)).toThrow(code('BAD_VALUE'));
  });
});

describe('a statement of budgets', () => {
  const signed = (change: object = {}) => signBudgetStatement({ ...statement, ...change }, signer(seeds.camden));
  const check = (given: unknown) => checkBudgetStatement(given, charter, request);
  const bad = (party: string) => expect.objectContaining({ code: 'BAD_STATEMENT', party });

  it('is its party’s own, and answers this very request', () => {
    expect(check(signed())).toEqual(statement);
    expect(() => check(signed({ party: 'hackney' }))).toThrow(bad('hackney'));
    expect(() => check(signed({ party: 'nobody' }))).toThrow(bad('nobody'));
    expect(() => check(signed({ request: 'a'.repeat(64) }))).toThrow(bad('camden'));
    const [stated] = statement.datasets;
    const raised = { ...signed(), statement: { ...statement, datasets: [{ ...stated!, exact_too: false }] } };
    expect(() => check(raised)).toThrow(bad('camden'));
    expect(() => check(signed({ datasets: [{ ...stated!, period: '../up' }] }))).toThrow(code('BAD_VALUE'));
  });
});
