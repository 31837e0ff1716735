import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import type { ApprovalTerms } from '@folkmoot/core/approval.js';
import { clockSkewMs, type SignedJob } from '@folkmoot/core/envelope.js';
import { PolicyError, reportOf, StateError } from '@folkmoot/core/errors.js';
import { describe, expect, it } from 'vitest';
import { type Effect, type Hold, isTerminal, type JobEvent, type JobState, step } from '../src/lifecycle.ts';

const signed = { signature: 'ab' } as unknown as SignedJob;
const acceptance = { signature: '00' } as unknown as SignedAcceptance;
const job = 'a1'.repeat(32);
const expiresMs = 1_000_000;
const terms = { job, fingerprint: 'd4' } as unknown as ApprovalTerms;
const hold: Hold = { terms, rule: 'by hand', approvers: 2 };
const denied = reportOf(new PolicyError('DENIED_BY_OWNER', { party: 'camden' }));
const revoked = reportOf(new PolicyError('APPROVAL_REVOKED', { party: 'camden' }));
const report = reportOf(new StateError('INTERRUPTED'));
const sealed = new Uint8Array([1]);

const invited: JobEvent = { event: 'invited', job, signed, expiresMs, attempt: 1 };
const road: readonly JobEvent[] = [
  invited,
  { event: 'held', hold },
  { event: 'allowed', acceptance },
  { event: 'started', job, attempt: 1, acceptances: [acceptance] },
  { event: 'sealed', attempt: 1, sealed },
  { event: 'opened', attempt: 1, commitments: {}, signatures: {} },
  { event: 'stored', attempt: 1 },
];
function after(n: number): JobState {
  let state: JobState | undefined;
  for (const event of road.slice(0, n)) state = step(state, event).state;
  return state!;
}
const [received, waiting, accepted, running, committed, opening, result] = [1, 2, 3, 4, 5, 6, 7].map(after) as [
  JobState,
  JobState,
  JobState,
  JobState,
  JobState,
  JobState,
  JobState,
];
const names = (effects: readonly Effect[]) =>
  effects.map((e) => (e.effect === 'tell' ? `tell ${e.message.type}` : e.effect));

describe('a job that people decide on', () => {
  it('waits once it is judged, and says so after that is durable', () => {
    const next = step(received, { event: 'held', hold });
    expect(next.state).toMatchObject({ status: 'AWAITING_APPROVAL', hold });
    expect(names(next.effects)).toEqual(['save', 'tell awaiting']);
    for (const again of [invited, { event: 'linked' }] as const) {
      expect(names(step(waiting, again).effects)).toEqual(['tell awaiting']);
    }
  });

  it('is judged again once they have approved, and only then accepted', () => {
    const approved = step(waiting, { event: 'approved' });
    expect(approved.state).toEqual(waiting);
    expect(names(approved.effects)).toEqual(['judge']);
    const next = step(waiting, { event: 'allowed', acceptance });
    expect(next.state).toMatchObject({ status: 'ACCEPTED', acceptance });
    expect(next.state).not.toHaveProperty('hold');
    expect(names(next.effects)).toEqual(['save', 'tell accepted']);
  });

  it('goes on waiting, with the reason, where it would be another job that is accepted', () => {
    const changed: Hold = { ...hold, terms: { ...terms, fingerprint: 'e5' }, change: 'the records have changed' };
    const next = step(waiting, { event: 'held', hold: changed });
    expect(next.state).toMatchObject({ status: 'AWAITING_APPROVAL', hold: changed });
    expect(names(next.effects)).toEqual(['save', 'tell awaiting']);
    expect(step(waiting, { event: 'held', hold: { ...hold, approvers: 1 } }).state).toMatchObject({
      hold: { approvers: 1 },
    });
    expect(step(waiting, { event: 'held', hold: { ...hold } })).toEqual({ state: waiting, effects: [] });
  });

  it('is denied while it waits, by a person or by a policy that has changed', () => {
    const next = step(waiting, { event: 'denied', report: denied, detail: 'denied by ada' });
    expect(next.state).toMatchObject({ status: 'DENIED', report: denied });
    expect(names(next.effects)).toEqual(['save', 'tell denied']);
    expect(JSON.stringify(next.effects[1])).not.toContain('ada');
  });

  it('can be ended from outside while it waits', () => {
    const ends: [JobEvent, string][] = [
      [{ event: 'cancelled' }, 'CANCELLED'],
      [{ event: 'aborted', attempt: 1, report }, 'ABORTED'],
      [{ event: 'ticked', nowMs: expiresMs + clockSkewMs }, 'EXPIRED'],
    ];
    for (const [event, status] of ends) {
      const next = step(waiting, event);
      expect(next.state?.status).toBe(status);
      expect(names(next.effects)).toEqual(['save']);
    }
    expect(step(waiting, { event: 'ticked', nowMs: expiresMs + clockSkewMs - 1 }).state).toEqual(waiting);
  });

  it('is judged again when the process begins: what it was judged by may have changed meanwhile', () => {
    const next = step(waiting, { event: 'restarted', report });
    expect(next.state).toEqual(waiting);
    expect(names(next.effects)).toEqual(['judge']);
  });

  it('starts nothing while it waits', () => {
    for (const event of road.slice(3)) expect(step(waiting, event)).toEqual({ state: waiting, effects: [] });
    expect(step(waiting, { event: 'again', job, attempt: 1, report })).toEqual({ state: waiting, effects: [] });
  });

  it.each([
    ['ACCEPTED', accepted, ['save', 'tell failed']],
    ['RUNNING', running, ['stop', 'save', 'tell failed']],
    ['COMMITTED', committed, ['stop', 'save', 'tell failed']],
    ['HALTED', { ...committed, status: 'HALTED' } as JobState, ['save', 'tell failed']],
  ] as const)('is aborted while %s when the approval is taken back', (_, state, effects) => {
    const next = step(state, { event: 'revoked', report: revoked, detail: 'revoked by ada' });
    expect(next.state).toMatchObject({ status: 'ABORTED', report: revoked });
    expect(names(next.effects)).toEqual(effects);
    expect(step(next.state, { event: 'opened', attempt: 1, commitments: {}, signatures: {} }).effects).toEqual([]);
  });

  it('is out of anybody’s hands once the opening is durable', () => {
    for (const state of [opening, result]) {
      for (const event of [
        { event: 'revoked', report: revoked },
        { event: 'denied', report: denied },
        { event: 'held', hold },
        { event: 'approved' },
        { event: 'allowed', acceptance },
      ] as const) {
        expect(step(state, event)).toEqual({ state, effects: [] });
      }
    }
    expect(isTerminal('AWAITING_APPROVAL')).toBe(false);
  });
});
