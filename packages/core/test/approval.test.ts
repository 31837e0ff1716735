import { describe, expect, it } from 'vitest';
import { toHex } from '../src/algebra/bytes.ts';
import {
  type Approval,
  changeOf,
  checkTerms,
  decidedOn,
  isSignedBy,
  parseApproval,
  type SignedApproval,
  signApproval,
  termsOf,
} from '../src/query/approval.ts';
import { publicKeyOf, sign, signer } from '../src/query/identity.ts';
import { seedOf } from './consortium.ts';

const terms = {
  job: 'a1'.repeat(32),
  charter: 'b2'.repeat(32),
  policy: 'c3'.repeat(32),
  fingerprint: 'd4'.repeat(32),
  build: '0.1.0',
  expires: '2026-11-28T09:00:00.000Z',
};
const keyOf = (who: string) => toHex(publicKeyOf(seedOf(who)));

function by(who: string, change: Partial<Approval> = {}, signedBy = who): SignedApproval {
  const stated = {
    party: 'camden',
    by: who,
    decision: 'approve',
    reason: 'agreed',
    at: '2026-11-22T09:00:00.000Z',
  } as const;
  return signApproval({ ...terms, ...stated, ...change }, signer(seedOf(signedBy)));
}

describe('an approval', () => {
  it('is one person’s word on just these terms', () => {
    expect(parseApproval(JSON.parse(JSON.stringify(by('ada'))))).toEqual(by('ada'));
    expect(isSignedBy(by('ada'), keyOf('ada'))).toBe(true);
    expect(isSignedBy(by('ada'), keyOf('ben'))).toBe(false);
    expect(isSignedBy(by('ada', {}, 'ben'), keyOf('ada'))).toBe(false);
    expect(termsOf(by('ada').approval)).toEqual(terms);
  });

  it('does not fit once any part of it was changed', () => {
    const { approval, signature } = by('ada');
    const changes: Partial<Approval>[] = [
      ...Object.keys(terms).map((term) => ({ [term]: term === 'build' ? '0.2.0' : `e${approval.job.slice(1)}` })),
      { party: 'hackney' },
      { by: 'ben' },
      { decision: 'deny' },
      { reason: 'not agreed' },
      { at: '2026-11-22T09:00:01.000Z' },
    ];
    expect(changes).toHaveLength(11);
    for (const change of changes) {
      expect(isSignedBy({ approval: { ...approval, ...change }, signature }, keyOf('ada'))).toBe(false);
    }
  });

  it('is no signature for another purpose', () => {
    const { approval } = by('ada');
    const other = toHex(sign(seedOf('ada'), 'folkmoot acceptance v1', new Uint8Array(32)));
    expect(isSignedBy({ approval, signature: other }, keyOf('ada'))).toBe(false);
  });

  it('has one form, and a reason of one line', () => {
    const { approval, signature } = by('ada');
    for (const given of [
      null,
      { approval },
      { approval, signature: 'x' },
      { approval: { ...approval, why: 'because' }, signature },
      { approval: { ...approval, decision: 'allow' }, signature },
      { approval: { ...approval, reason: '' }, signature },
      { approval: { ...approval, reason: 'one\ntwo' }, signature },
      { approval: { ...approval, reason: 'x'.repeat(1_001) }, signature },
      { approval: { ...approval, reason: 'half a character: \ud83d' }, signature },
      { approval: { ...approval, job: 'A1'.repeat(32) }, signature },
      { approval: { ...approval, by: '../ada' }, signature },
    ]) {
      expect(() => parseApproval(given)).toThrow(expect.objectContaining({ name: 'InputError' }));
    }
    expect(() => parseApproval({ approval: { ...approval, reason: 'x'.repeat(1_000) }, signature })).not.toThrow();
  });
});

describe('the terms of an approval', () => {
  it.each([
    ['job', 'another job'],
    ['charter', 'charter'],
    ['policy', 'policy'],
    ['fingerprint', 'records'],
    ['build', 'version'],
    ['expires', 'expires'],
  ] as const)('are others where the %s is another, and that is said', (term, word) => {
    const other = { ...terms, [term]: `${terms[term]}0` };
    expect(changeOf(terms, other)).toContain(word);
    expect(() => checkTerms(terms, other)).toThrow(expect.objectContaining({ code: 'APPROVAL_CHANGED' }));
  });

  it('are the same where nothing has changed', () => {
    expect(changeOf(terms, { ...terms })).toBeUndefined();
    expect(() => checkTerms(by('ada').approval, terms)).not.toThrow();
  });
});

describe('decisions on a job', () => {
  const moved = { ...terms, fingerprint: 'ee'.repeat(32) };

  it('count each person once', () => {
    expect(decidedOn(terms, [])).toEqual({ approvedBy: [], ended: undefined, change: undefined });
    const twice = [by('ada'), by('ada', { at: '2026-11-22T10:00:00.000Z' }), by('ben')];
    expect(decidedOn(terms, twice).approvedBy).toEqual(['ada', 'ben']);
  });

  it('count only on the terms that they were made on, and say what has changed', () => {
    const { approvedBy, change } = decidedOn(moved, [by('ada'), by('ben', { fingerprint: moved.fingerprint })]);
    expect({ approvedBy, change }).toEqual({ approvedBy: ['ben'], change: 'the records have changed' });
    expect(decidedOn(terms, [by('ada'), by('ada', { fingerprint: moved.fingerprint })]).approvedBy).toEqual(['ada']);
  });

  it.each(['deny', 'revoke'] as const)('end the job where one of them is to %s, whatever follows', (decision) => {
    const { ended } = decidedOn(moved, [by('ada'), by('ben', { decision }), by('ben')]);
    expect(ended).toMatchObject({ by: 'ben', decision });
  });
});
