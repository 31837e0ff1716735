import { clockSkewMs } from '@folkmoot/core/envelope.js';
import {
  type ErrorReport,
  PolicyError,
  ProtocolError,
  reportOf,
  SourceError,
  StateError,
} from '@folkmoot/core/errors.js';
import { attemptsMax, type SignedRenunciation } from '@folkmoot/core/renunciation.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Effect,
  type Event,
  graceMs,
  hasEnded,
  isActive,
  isReleasing,
  isRetrying,
  type JobState,
  lateMs,
  phases,
  queued,
  reasonMs,
  returnMs,
  type Step,
  step,
} from '../src/lifecycle.ts';

const roster = ['ant', 'bee', 'cat'];
const expiresMs = 1_000_000;
const refusal = reportOf(new PolicyError('REFUSED', { field: 'measures.income', remedy: 'ask for age' }));
const secondary = reportOf(new ProtocolError('PARTY_FAILED', { party: 'bee' }));
const tampered = reportOf(new ProtocolError('TAMPERED', { party: 'bee' }));

/** An event, or several that belong together. */
type Some = Event<string> | readonly Event<string>[];

function after(events: readonly Some[], from: JobState<string> = queued(roster, expiresMs)): Step<string> {
  let last: Step<string> = { state: from, effects: [], entries: [] };
  for (const event of events.flat() as Event<string>[]) last = step(last.state, event);
  return last;
}
const attach = roster.map((party): Event<string> => ({ type: 'attached', party }));
const accept = roster.map(
  (party): Event<string> => ({ type: 'accepted', party, attempt: 1, acceptance: `by ${party}` }),
);
const crashed = reportOf(new StateError('CRASHED', { party: 'bee' }));
const wordOf = (party: string, attempt: number) =>
  ({ renunciation: { party, attempt }, signature: 'not looked at here' }) as SignedRenunciation;
const renounce = (party: string, attempt = 1): Event<string> => ({
  type: 'renounced',
  party,
  attempt,
  renunciation: wordOf(party, attempt),
});
const halt = (party: string, attempt = 1): Event<string> => ({ type: 'halted', party, attempt });
const tick = (nowMs: number): Event<string> => ({ type: 'tick', nowMs });
/** A party goes away and does not come back in time. */
const lose = (party: string): readonly Event<string>[] => [{ type: 'detached', party }, tick(0), tick(graceMs)];
const open = roster.map((party): Event<string> => ({ type: 'opened', party, attempt: 1 }));
const inviting = [...attach, { type: 'turn' }] as const;
const ready = [...inviting, ...accept] as const;
const running = [...ready, { type: 'started' }] as const;
const sends = (effects: readonly Effect[]) => effects.map((effect) => `${effect.send} ${effect.to}`);

describe('the life of a job at the coordinator', () => {
  it('waits for every party and for its turn before it invites', () => {
    expect(after([{ type: 'turn' }]).state.phase).toBe('QUEUED');
    expect(after([...attach.slice(1), { type: 'turn' }]).state.phase).toBe('QUEUED');
    expect(after(attach).effects).toEqual([]);
    const invited = after(inviting);
    expect(invited.state.phase).toBe('INVITING');
    expect(sends(invited.effects)).toEqual(['invite ant', 'invite bee', 'invite cat']);
    expect(invited.entries).toEqual([{ type: 'state', state: 'INVITING', attempt: 1 }]);
  });

  it('forgets a party that went away while the job was queued', () => {
    expect(after([...attach, { type: 'detached', party: 'bee' }, { type: 'turn' }]).state.phase).toBe('QUEUED');
  });

  it('is done at once where the same question was answered before, and only before anything has started', () => {
    const last = after([...ready, { type: 'answered', by: 'earlier' }]);
    expect(last.state).toMatchObject({ phase: 'DONE', sameAs: 'earlier' });
    expect(sends(last.effects)).toEqual(['cancel ant', 'cancel bee', 'cancel cat']);
    expect(last.entries).toEqual([{ type: 'state', state: 'DONE', attempt: 1, same_as: 'earlier' }]);
    expect(sends(step(last.state, { type: 'attached', party: 'bee' }).effects)).toEqual(['cancel bee']);
    expect(sends(step(last.state, open[0]!).effects)).toEqual(['cancel ant']);
    for (const events of [ready.slice(0, -1), running]) {
      const before = after(events).state;
      expect(step(before, { type: 'answered', by: 'earlier' }).state).toEqual(before);
    }
  });

  it('starts when the last party has accepted, and says so to all', () => {
    expect(after(ready.slice(0, -1)).state.phase).toBe('INVITING');
    const last = after(ready);
    expect(last.state.phase).toBe('READY');
    expect(last.state.acceptances).toEqual({ ant: 'by ant', bee: 'by bee', cat: 'by cat' });
    expect(sends(last.effects)).toEqual(['start ant', 'start bee', 'start cat']);
    expect(last.entries.map((entry) => entry.type)).toEqual(['party', 'state']);
    expect(after(running).state.phase).toBe('RUNNING');
  });

  it('waits for a person at a party, says so once, and leaves its place to others meanwhile', () => {
    const awaiting: Event<string> = { type: 'awaiting', party: 'bee', attempt: 1 };
    const held = after([...inviting, awaiting]);
    expect(held.state).toMatchObject({ phase: 'INVITING', awaiting: ['bee'] });
    expect(held.entries).toEqual([{ type: 'party', party: 'bee', attempt: 1, did: 'awaiting' }]);
    expect(isActive(after(inviting).state)).toBe(true);
    expect(isActive(held.state)).toBe(false);
    expect(step(held.state, awaiting).entries).toEqual([]);
    const all = after(accept, held.state);
    expect(all.state).toMatchObject({ phase: 'READY', awaiting: [] });
    expect(isActive(all.state)).toBe(true);
    expect(step(all.state, awaiting)).toMatchObject({ state: all.state, entries: [] });
    const late = step(held.state, { type: 'tick', nowMs: expiresMs + clockSkewMs + 1 });
    expect(late.state).toMatchObject({ phase: 'EXPIRED', error: { code: 'JOB_EXPIRED' } });
    expect(late.state.error?.message).toContain('not approved yet: bee');
    const denied = step(held.state, { type: 'denied', party: 'bee', attempt: 1, report: refusal });
    expect(denied.state.phase).toBe('FAILED');
  });

  it('leaves its place to others while a party is away that was invited, and takes it again with the party', () => {
    const away = after([...inviting, accept[0]!, { type: 'detached', party: 'bee' }]).state;
    expect(isActive(away)).toBe(false);
    expect(isActive(step(away, { type: 'attached', party: 'bee' }).state)).toBe(true);
    // One that computes keeps it.
    expect(isActive(after([...running, { type: 'detached', party: 'bee' }]).state)).toBe(true);
  });

  it('counts a start as done when a party already reports a phase or an opening', () => {
    expect(after([...ready, { type: 'phase', party: 'ant', attempt: 1, phase: 'shares' }]).state.phase).toBe('RUNNING');
    expect(after([...ready, open[0]!]).state.phase).toBe('RUNNING');
  });

  it('lets a party come back while it is invited, and asks again what it has not answered', () => {
    const away = after([
      ...inviting,
      accept[0]!,
      { type: 'detached', party: 'bee' },
      { type: 'detached', party: 'ant' },
    ]);
    expect(away.state.phase).toBe('INVITING');
    expect(sends(step(away.state, { type: 'attached', party: 'bee' }).effects)).toEqual(['invite bee']);
    expect(sends(step(away.state, { type: 'attached', party: 'ant' }).effects)).toEqual([]);
  });

  it('starts only when all who accepted are connected again', () => {
    const away = after([...inviting, accept[0]!, { type: 'detached', party: 'ant' }, accept[1]!, accept[2]!]);
    expect(away.state.phase).toBe('INVITING');
    expect(step(away.state, { type: 'attached', party: 'ant' }).state.phase).toBe('READY');
  });

  it('takes the later of two acceptances of a party that is invited', () => {
    const twice = after([...inviting, accept[0]!, { type: 'accepted', party: 'ant', attempt: 1, acceptance: 'again' }]);
    expect(twice.state.acceptances.ant).toBe('again');
  });

  it('is DONE when the opening of every party is durable', () => {
    const two = after([...running, open[0]!, open[1]!]);
    expect(two.state.phase).toBe('RUNNING');
    const done = step(two.state, open[2]!);
    expect(done.state.phase).toBe('DONE');
    expect(sends(done.effects)).toEqual(['stored cat']);
    expect(done.entries.at(-1)).toEqual({ type: 'state', state: 'DONE', attempt: 1 });
  });

  it('acknowledges an opening that is sent again', () => {
    const once = after([...running, open[0]!]);
    expect(sends(step(once.state, open[0]!).effects)).toEqual(['stored ant']);
    const done = after([...running, ...open]);
    expect(sends(step(done.state, open[1]!).effects)).toEqual(['stored bee']);
  });

  it('fails with the denial of a party, in its own words', () => {
    const denied = after([...inviting, { type: 'denied', party: 'bee', attempt: 1, report: refusal }]);
    expect(denied.state.phase).toBe('FAILED');
    expect(denied.state.error).toMatchObject({ code: 'PARTY_DENIED', party: 'bee', remedy: 'ask for age' });
    expect(denied.state.error?.message).toContain('measures.income');
    expect(sends(denied.effects)).toEqual(['abort ant', 'abort bee', 'abort cat']);
  });

  it('fails with the report of the party whose protocol failed', () => {
    const failed = after([...running, { type: 'failed', party: 'cat', attempt: 1, report: tampered }]);
    expect(failed.state).toMatchObject({ phase: 'FAILED', error: { code: 'TAMPERED', party: 'bee' } });
    const bare = after([
      ...running,
      { type: 'failed', party: 'cat', attempt: 1, report: { ...tampered, party: 'cat' } },
    ]);
    expect(bare.state.error?.party).toBe('cat');
  });

  it('waits a moment for the party that failed to say why, when another one was first to speak', () => {
    const told: Event<string> = { type: 'failed', party: 'cat', attempt: 1, report: secondary };
    const waiting = after([
      ...running,
      told,
      { type: 'tick', nowMs: 1_000 },
      { type: 'tick', nowMs: 1_000 + reasonMs - 1 },
    ]);
    expect(waiting.state.phase).toBe('RUNNING');
    const silent = step(waiting.state, { type: 'tick', nowMs: 1_000 + reasonMs });
    expect(silent.state).toMatchObject({ phase: 'FAILED', error: { code: 'PARTY_FAILED', party: 'bee' } });
    const own: Event<string> = {
      type: 'failed',
      party: 'bee',
      attempt: 1,
      report: reportOf(new SourceError('SOURCE_NULL')),
    };
    expect(step(waiting.state, own).state).toMatchObject({
      phase: 'FAILED',
      error: { code: 'SOURCE_NULL', party: 'bee' },
    });
    expect(after([...running, own, told]).state.error?.code).toBe('SOURCE_NULL');
  });

  it.each([
    ['READY', ready],
    ['RUNNING', running],
  ] as const)('goes on in %s when a party comes back in time, and starts it again', (_, events) => {
    const { state } = after(events);
    const away = after([{ type: 'detached', party: 'bee' }, tick(5), tick(4 + graceMs)], state);
    expect(away.state).toMatchObject({ phase: state.phase, attempt: 1, present: ['ant', 'cat'] });
    const back = step(away.state, { type: 'attached', party: 'bee' });
    expect(sends(back.effects)).toEqual(['start bee']);
    expect(back.entries).toEqual([]);
    // Its time begins anew, and everyone has their own.
    const again = after([{ type: 'detached', party: 'bee' }, tick(6 + graceMs)], back.state).state;
    const two = after([{ type: 'detached', party: 'ant' }, tick(5 + 2 * graceMs)], again).state;
    expect(two).toMatchObject({ phase: state.phase, present: ['cat'] });
    expect(step(two, tick(6 + 2 * graceMs)).state.setbacks).toMatchObject([{ code: 'LINK_LOST', party: 'bee' }]);
  });

  it.each([
    ['READY', ready],
    ['RUNNING', running],
  ] as const)('goes on in %s after a restart, once all are back', (_, events) => {
    const alone = after([...events, { type: 'restarted' }]);
    expect(alone.state).toMatchObject({ phase: after(events).state.phase, attempt: 1, present: [] });
    expect(alone.effects).toEqual([]);
    const back = after(attach, alone.state);
    expect(sends(back.effects)).toEqual(['start cat']);
    expect(after([{ type: 'started' }, tick(0), tick(2 * graceMs), ...open], back.state).state.phase).toBe('DONE');
    // One that was started again itself has renounced.
    const renounced = after([attach[0]!, renounce('ant'), attach[1]!, attach[2]!], alone.state);
    expect(renounced.state).toMatchObject({ phase: 'INVITING', attempt: 2 });
    // Who does not come back is waited for no longer than after a broken link.
    const lost = after([attach[0]!, attach[1]!, tick(0), tick(graceMs)], alone.state);
    expect(lost.state.setbacks).toMatchObject([{ code: 'LINK_LOST', party: 'cat' }]);
  });

  it.each([
    ['READY', ready],
    ['RUNNING', running],
  ] as const)('asks for another attempt in %s when a party does not come back', (_, events) => {
    const lost = after([...events, lose('bee')]);
    expect(lost.state).toMatchObject({ phase: 'INVITING', attempt: 2, renounced: {} });
    expect(lost.state.setbacks).toMatchObject([{ code: 'LINK_LOST', party: 'bee' }]);
    expect(sends(lost.effects)).toEqual(['again ant', 'again cat']);
    const entry = { type: 'state', state: 'INVITING', attempt: 2, setback: lost.state.setbacks[0] };
    expect(lost.entries).toEqual([entry]);
  });

  it('starts another attempt with the word of every party, all of them here, and the acceptances of the first', () => {
    const asking = after([...running, lose('bee'), renounce('ant'), renounce('cat')]).state;
    expect(asking.phase).toBe('INVITING');
    const back = step(asking, { type: 'attached', party: 'bee' });
    expect(sends(back.effects)).toEqual(['again bee']);
    const ready2 = step(back.state, renounce('bee'));
    expect(ready2.state).toMatchObject({ phase: 'READY', attempt: 2, acceptances: after(ready).state.acceptances });
    expect(ready2.state.renounced).toEqual(Object.fromEntries(roster.map((party) => [party, wordOf(party, 1)])));
    expect(sends(ready2.effects)).toEqual(['start ant', 'start bee', 'start cat']);
    const done = after([{ type: 'started' }, ...open.map((one) => ({ ...one, attempt: 2 }))], ready2.state);
    expect(done.state).toMatchObject({ phase: 'DONE', attempt: 2 });
    // One that has renounced and goes away is waited for, and not asked again.
    const away = after([renounce('bee'), lose('ant')], asking);
    expect(away.state.phase).toBe('INVITING');
    expect(after([{ type: 'attached', party: 'bee' }], away.state).state.phase).toBe('INVITING');
    const all = after(
      [
        { type: 'attached', party: 'bee' },
        { type: 'attached', party: 'ant' },
      ],
      away.state,
    );
    expect(all.state.phase).toBe('READY');
  });

  it('takes a party’s word that its attempt has crashed, and asks the others', () => {
    const first = after([...running, { ...renounce('bee'), report: crashed } as Event<string>]);
    expect(first.state).toMatchObject({ phase: 'INVITING', attempt: 2, setbacks: [crashed] });
    expect(first.state.renounced).toEqual({ bee: wordOf('bee', 1) });
    expect(sends(first.effects)).toEqual(['again ant', 'again cat']);
    expect(first.entries[0]).toEqual({ type: 'party', party: 'bee', attempt: 1, did: 'failed', report: crashed });
    // It says again what it said, and a peer says that it felt it: nothing is new.
    const felt = after([renounce('bee'), { ...renounce('ant'), report: secondary } as Event<string>], first.state);
    expect(felt.state).toMatchObject({ attempt: 2, setbacks: [crashed] });
    expect(after([renounce('cat')], felt.state).state.phase).toBe('READY');
  });

  it('makes no other attempt where a party says that its failure is final, whoever speaks first', () => {
    const final: Event<string> = { type: 'failed', party: 'bee', attempt: 1, report: tampered };
    const felt = { ...renounce('ant'), report: secondary } as Event<string>;
    for (const events of [
      [final, felt],
      [felt, final],
    ]) {
      const last = after([...running, ...events]).state;
      expect(last).toMatchObject({ phase: 'FAILED', error: { code: 'TAMPERED', party: 'bee' } });
    }
    const refused: Event<string> = { ...final, attempt: 2 };
    expect(after([...running, lose('cat'), refused]).state.phase).toBe('FAILED');
  });

  it('makes no other attempt where a party has opened this one', () => {
    const half = { phase: 'FAILED', error: { code: 'HALF_OPENED', party: 'ant' } };
    for (const events of [
      [open[0]!, renounce('bee')],
      [renounce('bee'), open[0]!],
      [halt('bee'), renounce('cat'), open[0]!],
    ]) {
      expect(after([...running, ...events]).state).toMatchObject(half);
    }
  });

  it('asks all how far they got before one that has committed is to renounce', () => {
    const asking = after([...running, { ...halt('bee'), report: crashed } as Event<string>]);
    expect(asking.state).toMatchObject({ phase: 'INVITING', attempt: 2, halted: ['bee'], setbacks: [crashed] });
    expect(sends(asking.effects)).toEqual(['again ant', 'again cat']);
    const one = step(asking.state, halt('ant'));
    expect(one.effects).toEqual([]);
    // The last has not committed: so nobody can have opened.
    const sure = step(one.state, renounce('cat'));
    expect(sure.state).toMatchObject({ phase: 'INVITING', renounced: { cat: wordOf('cat', 1) } });
    expect(sure.effects).toEqual(['bee', 'ant'].map((to): Effect => ({ send: 'again', to, noneOpened: true })));
    const ready2 = after([renounce('bee'), renounce('ant')], sure.state);
    expect(ready2.state).toMatchObject({ phase: 'READY', attempt: 2, halted: [] });
    expect(sends(ready2.effects)).toEqual(['start ant', 'start bee', 'start cat']);
    // All have halted: none has opened, and none will.
    const all = after([halt('ant'), halt('cat')], asking.state);
    expect(all.effects).toEqual(['bee', 'ant', 'cat'].map((to): Effect => ({ send: 'again', to, noneOpened: true })));
  });

  it('ends as FAILED by the word of one that has committed and failed for good, once it is sure that none has opened', () => {
    const asking = after([...running, { ...halt('bee'), report: tampered } as Event<string>]);
    expect(asking.state).toMatchObject({ phase: 'INVITING', halted: ['bee'], setbacks: [tampered] });
    const sure = after([halt('ant'), renounce('cat')], asking.state);
    expect(sure.effects).toEqual(['bee', 'ant'].map((to): Effect => ({ send: 'again', to, noneOpened: true })));
    // The other one renounces before it or after it.
    const final: Event<string> = { type: 'failed', party: 'bee', attempt: 1, report: tampered };
    for (const words of [[final], [renounce('ant'), final]]) {
      const last = after(words, sure.state);
      expect(last.state).toMatchObject({ phase: 'FAILED', error: { code: 'TAMPERED', party: 'bee' } });
      expect(sends(last.effects)).toEqual(['abort ant', 'abort bee', 'abort cat']);
    }
    // Where another one has opened after all, it is handed that, and opens.
    const back = after([halt('ant'), open[2]!], asking.state);
    expect(sends(back.effects)).toEqual(['stored cat', 'signed bee', 'signed ant']);
  });

  it('takes a denial only while it gathers acceptances: nobody that has given its word can take it back so', () => {
    const denied: Event<string> = { type: 'denied', party: 'bee', attempt: 1, report: refusal };
    const releasing = [
      ...running,
      ...roster.map((party) => ({ type: 'phase', party, attempt: 1, phase: 'open' }) as const),
    ];
    for (const events of [ready, running, releasing, [...running, open[0]!]]) {
      expect(after([...events, denied])).toMatchObject({ state: after(events).state, effects: [], entries: [] });
    }
    const retrying = after([...running, halt('bee')]).state;
    expect(step(retrying, { ...denied, attempt: 2 }).state).toEqual(retrying);
  });

  it('takes an attempt up again that one has opened after all, and hands those that halted what it has opened with', () => {
    const asking = after([...running, lose('bee'), halt('ant')]).state;
    const back = after([{ type: 'attached', party: 'bee' }, halt('bee'), open[2]!], asking);
    expect(back.state).toMatchObject({ phase: 'RUNNING', attempt: 1, opened: ['cat'], setbacks: [] });
    expect(isReleasing(back.state)).toBe(true);
    expect(back.effects).toEqual([
      { send: 'stored', to: 'cat' },
      { send: 'signed', to: 'ant', by: 'cat' },
      { send: 'signed', to: 'bee', by: 'cat' },
    ]);
    expect(after([open[0]!, open[1]!], back.state).state).toMatchObject({ phase: 'DONE', attempt: 1 });
  });

  it('hands what one has opened with to a party that comes back and has halted', () => {
    const waiting = after([...running, open[0]!, open[2]!, lose('bee'), { type: 'restarted' }]).state;
    const back = step(waiting, { type: 'attached', party: 'bee' });
    expect(sends(back.effects)).toEqual(['invite bee']);
    const told = step(back.state, halt('bee'));
    expect(told.effects).toEqual([{ send: 'signed', to: 'bee', by: 'ant' }]);
    expect(after([open[1]!], told.state).state.phase).toBe('DONE');
    // It has sent its opening meanwhile.
    expect(step(waiting, halt('ant')).effects).toEqual([]);
  });

  it('hands what one has opened with to those that still wait for a signature, again and again', () => {
    const waiting = after([...running, open[0]!, { type: 'detached', party: 'cat' }, tick(0)]).state;
    expect(step(waiting, tick(lateMs - 1)).effects).toEqual([]);
    const handed = step(waiting, tick(lateMs));
    expect(handed.effects).toEqual([{ send: 'signed', to: 'bee', by: 'ant' }]);
    expect(step(handed.state, tick(2 * lateMs - 1)).effects).toEqual([]);
    expect(sends(step(handed.state, tick(2 * lateMs)).effects)).toEqual(['signed bee']);
    expect(step(after([open[1]!, open[2]!], handed.state).state, tick(3 * lateMs)).effects).toEqual([]);
  });

  it('waits for the word of one that is away until the job expires, where all may have signed', () => {
    const opens = roster.map((party): Event<string> => ({ type: 'phase', party, attempt: 1, phase: 'open' }));
    const asking = after([...running, ...opens, lose('cat'), halt('bee'), halt('ant')]).state;
    const later = after(
      [
        { type: 'tick', nowMs: 1 },
        { type: 'tick', nowMs: 2 + returnMs },
      ],
      asking,
    ).state;
    expect(later.phase).toBe('INVITING');
    expect(isActive(later)).toBe(false);
    expect(after([{ type: 'attached', party: 'cat' }, open[2]!], later).state).toMatchObject({
      phase: 'RUNNING',
      attempt: 1,
    });
    const none = after([{ type: 'attached', party: 'cat' }, halt('cat'), ...roster.map((by) => renounce(by))], later);
    expect(none.state).toMatchObject({ phase: 'READY', attempt: 2 });
    expect(isReleasing(none.state)).toBe(false);
  });

  it('does not wait for ever for a party that is to renounce', () => {
    const asking = after([...running, lose('bee'), renounce('ant'), tick(1_000), tick(1_000 + returnMs - 1)]).state;
    expect(asking.phase).toBe('INVITING');
    const late = step(asking, tick(1_000 + returnMs));
    expect(late.state).toMatchObject({ phase: 'FAILED', error: { code: 'UNREACHABLE' } });
    // Two are no party’s name, and many names are no field that a node reads.
    expect(late.state.error).not.toHaveProperty('party');
    expect(late.state.error?.message).toContain('bee, cat: it did not come back');
    expect(late.state.error?.message).toContain('attempt 1: bee: the connection was lost');
    expect(sends(late.effects)).toEqual(['abort ant', 'abort cat']);
    // The next attempt has all its time again.
    const second = after(
      [...['bee', 'cat'].map((party) => renounce(party)), { type: 'attached', party: 'bee' }],
      asking,
    );
    expect(second.state.phase).toBe('READY');
    const third = after([{ type: 'started' }, lose('cat'), tick(9_000 + returnMs)], second.state).state;
    expect(third).toMatchObject({ phase: 'INVITING', attempt: 3 });
  });

  it('is POISONED after the third attempt, with the reasons of all, however long they are', () => {
    let state = after(running).state;
    for (let attempt = 1; attempt < attemptsMax; attempt++) {
      const report = { ...crashed, message: `${attempt}${'!'.repeat(4_000)}` };
      const words = roster.map((party) => renounce(party, attempt));
      state = after([{ ...words[1]!, report } as Event<string>, ...words, { type: 'started' }], state).state;
      expect(state).toMatchObject({ phase: 'RUNNING', attempt: attempt + 1 });
    }
    const asking = after([lose('cat')], state);
    expect(asking.state).toMatchObject({ phase: 'INVITING', attempt: 3 });
    expect(sends(asking.effects)).toEqual(['again ant', 'again bee']);
    const lost = asking.state.setbacks[2]!;
    const last = step(asking.state, { type: 'failed', party: 'ant', attempt: 3, report: lost });
    expect(after([halt('ant', 3), tick(1), tick(1 + returnMs)], asking.state).state).toMatchObject({
      phase: 'POISONED',
      error: last.state.error,
    });
    expect(last.state).toMatchObject({ phase: 'POISONED', attempt: 3, error: { code: 'LINK_LOST', party: 'cat' } });
    const { message } = last.state.error!;
    expect(message).toMatch(/^cat: the connection was lost \(attempt 1: 1!+; attempt 2: 2!+\)$/);
    expect(message.length).toBeLessThan(4_000);
    expect(sends(last.effects)).toEqual(['abort ant', 'abort bee']);
    // What is renounced after the end is answered with it.
    expect(sends(step(last.state, renounce('ant', 3)).effects)).toEqual(['abort ant']);
  });

  it('is POISONED where a party says of the third attempt that it broke, and FAILED where that is final', () => {
    let state = after(running).state;
    for (let attempt = 1; attempt < attemptsMax; attempt++) {
      const words = roster.map((party) => renounce(party, attempt));
      state = after([...words, { type: 'started' }], state).state;
    }
    const said = (report: ErrorReport): Event<string> => ({ type: 'failed', party: 'bee', attempt: 3, report });
    expect(step(state, said(crashed)).state).toMatchObject({ phase: 'POISONED', error: { code: 'CRASHED' } });
    expect(step(state, said(tampered)).state).toMatchObject({ phase: 'FAILED', error: { code: 'TAMPERED' } });
    const felt = after([said(secondary), { type: 'tick', nowMs: 0 }, { type: 'tick', nowMs: reasonMs }], state);
    expect(felt.state).toMatchObject({ phase: 'POISONED', error: { code: 'PARTY_FAILED' } });
    expect(step(after(running).state, { ...said(crashed), attempt: 1 } as Event<string>).state.phase).toBe('FAILED');
  });

  it('believes no word about an attempt that is not under way, nor before anything could start', () => {
    for (const events of [attach, inviting, ready.slice(0, -1)]) {
      const before = after(events).state;
      expect(step(before, renounce('ant'))).toEqual({ state: before, effects: [], entries: [] });
    }
    const asking = after([...running, lose('bee')]).state;
    for (const event of [
      renounce('ant', 2),
      renounce('dog'),
      { ...accept[0]!, attempt: 2 } as Event<string>,
      accept[0]!,
      { type: 'phase', party: 'ant', attempt: 1, phase: 'open' } as const,
    ]) {
      expect(step(asking, event)).toEqual({ state: asking, effects: [], entries: [] });
    }
  });

  it.each([
    ['cancelled', { type: 'cancel' }, 'CANCELLED'],
    ['expired', { type: 'tick', nowMs: expiresMs + clockSkewMs + 1 }, 'EXPIRED'],
  ] as const)('can be %s while it waits for another attempt', (_, event, phase) => {
    expect(after([...running, lose('bee'), event]).state.phase).toBe(phase);
  });

  const opens: Event<string> = { type: 'phase', party: 'ant', attempt: 1, phase: 'open' };
  const allOpen = roster.map((party): Event<string> => ({ ...opens, party }) as Event<string>);
  it.each([
    ['all say that they open', allOpen],
    ['all say so, and one that it has released', [...allOpen.slice(1), { ...opens, phase: 'release' } as const]],
    ['one has opened', [open[0]!]],
  ])('is not ended by a broken link, a restart or the analyst once %s', (_, events) => {
    const before = after([...running, ...events]).state;
    expect(step(before, { type: 'cancel' }).refused?.code).toBe('ALREADY_ENDED');
    for (const lost of [{ type: 'detached', party: 'bee' }, { type: 'restarted' }] as const) {
      const waiting = after([lost, { type: 'cancel' }], before);
      expect(waiting.refused?.code).toBe('ALREADY_ENDED');
      expect(waiting.state.phase).toBe('RUNNING');
      expect(after(open, waiting.state).state.phase).toBe('DONE');
      const late = step(waiting.state, { type: 'tick', nowMs: expiresMs + clockSkewMs + 1 }).state;
      expect(late).toMatchObject({ phase: 'EXPIRED', error: { message: expect.stringContaining('bee') } });
    }
  });

  it('is tried again while one party has not said that it opens: nobody can have signed', () => {
    const some = after([...running, opens, opens, { ...opens, party: 'cat' } as Event<string>]).state;
    expect(isReleasing(some)).toBe(false);
    expect(step(some, { type: 'cancel' }).state.phase).toBe('CANCELLED');
    for (const lost of [lose('bee'), [{ type: 'restarted' }, tick(0), tick(graceMs)] as const]) {
      const next = after(lost, some).state;
      expect(next).toMatchObject({ phase: 'INVITING', attempt: 2 });
      // What was said of the attempt before does not count for the next one.
      const back = roster.map((party): Event<string> => ({ type: 'attached', party }));
      const second = after([...back, ...roster.map((party) => renounce(party)), { type: 'started' }], next).state;
      const bee: Event<string> = { type: 'phase', party: 'bee', attempt: 2, phase: 'open' };
      expect(isReleasing(step(second, bee).state)).toBe(false);
    }
    const all = after([...running, ...allOpen, renounce('bee')]).state;
    expect(all).toMatchObject({ phase: 'INVITING', attempt: 2 });
    expect(isReleasing(all)).toBe(false);
  });

  it('asks a party that comes back for its opening, or why it gave up', () => {
    const waiting = after([...running, open[0]!, { type: 'restarted' }]).state;
    expect(sends(step(waiting, { type: 'attached', party: 'bee' }).effects)).toEqual(['invite bee']);
    expect(sends(step(waiting, { type: 'attached', party: 'ant' }).effects)).toEqual([]);
    const gaveUp: Event<string> = { type: 'failed', party: 'bee', attempt: 1, report: { ...tampered, party: 'cat' } };
    expect(step(waiting, gaveUp).state).toMatchObject({ phase: 'FAILED', error: { code: 'TAMPERED' } });
  });

  it('leaves its place to others while it waits for a party that is away', () => {
    const before = after([...running, ...allOpen]).state;
    expect(isActive(before)).toBe(true);
    const waiting = step(before, { type: 'detached', party: 'bee' }).state;
    expect(isActive(waiting)).toBe(false);
    expect(isActive(step(waiting, { type: 'attached', party: 'bee' }).state)).toBe(true);
  });

  it('does not believe that a party opens before anything has started', () => {
    expect(isReleasing(after([...inviting, ...allOpen]).state)).toBe(false);
  });

  it('does not need a party any more whose opening is here', () => {
    const gone = after([...running, open[1]!, { type: 'detached', party: 'bee' }]);
    expect(gone.state.phase).toBe('RUNNING');
    expect(after([open[0]!, open[2]!], gone.state).state.phase).toBe('DONE');
  });

  it.each([
    ['QUEUED', attach],
    ['INVITING', inviting],
    ['READY', ready],
    ['RUNNING', running],
  ] as const)('can be cancelled and can expire while %s', (phase, events) => {
    const before = after(events).state;
    expect(before.phase).toBe(phase);
    const cancelled = step(before, { type: 'cancel' });
    expect(cancelled.state.phase).toBe('CANCELLED');
    expect(cancelled.refused).toBeUndefined();
    expect(cancelled.effects.length).toBe(phase === 'QUEUED' ? 0 : 3);
    expect(step(before, { type: 'tick', nowMs: expiresMs + clockSkewMs }).state.phase).toBe(phase);
    const late = step(before, { type: 'tick', nowMs: expiresMs + clockSkewMs + 1 });
    expect(late.state).toMatchObject({ phase: 'EXPIRED', error: { code: 'JOB_EXPIRED' } });
  });

  it('says whom an expired job waited for', () => {
    const late = after([attach[0]!, { type: 'tick', nowMs: expiresMs + clockSkewMs + 1 }]);
    expect(late.state.error?.message).toContain('not connected: bee, cat');
    const silent = after([...inviting, accept[0]!, { type: 'tick', nowMs: expiresMs + clockSkewMs + 1 }]);
    expect(silent.state.error?.message).toContain('no verdict yet: bee, cat');
  });

  it('refuses to cancel once an opening has come in, and after the end', () => {
    expect(after([...running, open[0]!, { type: 'cancel' }]).refused?.code).toBe('ALREADY_ENDED');
    expect(after([...running, ...open, { type: 'cancel' }]).refused?.code).toBe('ALREADY_ENDED');
  });

  it('goes on waiting after a restart, and stays what it was at its end', () => {
    expect(after([...inviting, accept[0]!, { type: 'restarted' }]).state).toMatchObject({
      phase: 'INVITING',
      present: [],
    });
    expect(after([...attach, { type: 'restarted' }]).state).toMatchObject({ phase: 'QUEUED', present: [] });
    const asking = after([...running, lose('bee'), renounce('ant')]).state;
    expect(step(asking, { type: 'restarted' }).state).toEqual({ ...asking, present: [] });
    expect(after([...running, ...open, { type: 'restarted' }]).state.phase).toBe('DONE');
  });

  it('tells a party of the end when it comes back or goes on', () => {
    const failed = after([
      ...running,
      { type: 'failed', party: 'cat', attempt: 1, report: tampered },
      lose('bee'),
    ]).state;
    expect(sends(step(failed, { type: 'attached', party: 'bee' }).effects)).toEqual(['abort bee']);
    expect(sends(step(failed, open[1]!).effects)).toEqual(['abort bee']);
    const cancelled = after([...running, { type: 'cancel' }]).state;
    expect(sends(step(cancelled, { type: 'attached', party: 'ant' }).effects)).toEqual(['cancel ant']);
    const unheardOf = after([{ type: 'cancel' }]).state;
    expect(step(unheardOf, { type: 'attached', party: 'ant' }).effects).toEqual([]);
  });

  it('ignores strangers and other attempts', () => {
    const before = after(inviting).state;
    for (const event of [
      { type: 'accepted', party: 'dog', attempt: 1, acceptance: '' },
      { type: 'accepted', party: 'ant', attempt: 2, acceptance: '' },
      { type: 'denied', party: 'ant', attempt: 0, report: refusal },
      { type: 'detached', party: 'dog' },
    ] as const) {
      expect(step(before, event)).toEqual({ state: before, effects: [], entries: [] });
    }
  });

  describe('with a helper', () => {
    const from = queued<string>(roster, expiresMs, 'bee');
    const report = { ...tampered, party: 'ant' };

    it('waits for it, invites it and starts it like any party', () => {
      expect(after([attach[0]!, attach[2]!, { type: 'turn' }], from).state.phase).toBe('QUEUED');
      expect(sends(after(inviting, from).effects)).toEqual(['invite ant', 'invite bee', 'invite cat']);
      expect(after([...inviting, accept[0]!, accept[2]!], from).state.phase).toBe('INVITING');
      expect(sends(after(ready, from).effects)).toEqual(['start ant', 'start bee', 'start cat']);
    });

    it('is not done before the helper has opened too', () => {
      const waiting = after([...running, open[0]!, open[2]!], from);
      expect(waiting.state.phase).toBe('RUNNING');
      expect(step(waiting.state, open[1]!).state.phase).toBe('DONE');
    });

    it('asks all for another attempt when the helper goes away in its work', () => {
      for (const events of [ready, running, [...running, { type: 'phase', party: 'bee', attempt: 1, phase: 'deal' }]]) {
        const lost = after([...(events as Event<string>[]), lose('bee')], from);
        expect(lost.state).toMatchObject({ phase: 'INVITING', setbacks: [{ code: 'LINK_LOST', party: 'bee' }] });
        expect(sends(lost.effects)).toEqual(['again ant', 'again cat']);
        const others = after([renounce('ant'), renounce('cat'), { type: 'attached', party: 'bee' }], lost.state);
        expect(others.state.phase).toBe('INVITING');
        expect(step(others.state, renounce('bee')).state.phase).toBe('READY');
      }
    });

    it.each<[string, readonly Event<string>[], Event<string>]>([
      ['accepts', inviting, accept[1]!],
      ['denies', inviting, { type: 'denied', party: 'bee', attempt: 1, report: refusal }],
      ['works', running, { type: 'phase', party: 'bee', attempt: 1, phase: 'share' }],
      ['opens', running, open[1]!],
      ['fails', running, { type: 'failed', party: 'bee', attempt: 1, report }],
    ])('says that it is the helper who %s, and says so of nobody else', (_, before, event) => {
      const by = (party: string) => {
        const { entries } = after([...before, { ...event, party } as Event<string>], from);
        return entries.find((entry) => entry.type !== 'state');
      };
      expect(by('bee')).toMatchObject({ party: 'bee', helper: true });
      expect(by('ant')).toMatchObject({ party: 'ant' });
      expect(by('ant')).not.toHaveProperty('helper');
    });
  });

  it('keeps its order under every sequence of events', () => {
    const party = fc.constantFrom(...roster, 'dog');
    const attempt = fc.constantFrom(1, 1, 1, 1, 2, 2, 3, 4);
    const event: fc.Arbitrary<Event<string>> = fc.oneof(
      { weight: 18, arbitrary: fc.record({ type: fc.constant('attached' as const), party }) },
      { weight: 3, arbitrary: fc.record({ type: fc.constant('detached' as const), party }) },
      { weight: 9, arbitrary: fc.constant({ type: 'turn' as const }) },
      {
        weight: 24,
        arbitrary: fc.record({
          type: fc.constant('accepted' as const),
          party,
          attempt,
          acceptance: fc.constant('yes'),
        }),
      },
      { weight: 6, arbitrary: fc.constant({ type: 'started' as const }) },
      {
        weight: 3,
        arbitrary: fc.record({
          type: fc.constant('phase' as const),
          party,
          attempt,
          phase: fc.constantFrom('x', 'open'),
        }),
      },
      { weight: 24, arbitrary: fc.record({ type: fc.constant('opened' as const), party, attempt }) },
      {
        weight: 1,
        arbitrary: fc.record({ type: fc.constant('denied' as const), party, attempt, report: fc.constant(refusal) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          type: fc.constant('failed' as const),
          party,
          attempt,
          report: fc.constantFrom(tampered, secondary, crashed),
        }),
      },
      { weight: 1, arbitrary: fc.constant({ type: 'cancel' as const }) },
      {
        weight: 1,
        arbitrary: fc.record({ type: fc.constant('tick' as const), nowMs: fc.integer({ min: 0, max: 1_300_000 }) }),
      },
      { weight: 1, arbitrary: fc.constant({ type: 'restarted' as const }) },
      { weight: 16, arbitrary: fc.tuple(party, attempt).map(([by, of]) => renounce(by, of)) },
      { weight: 6, arbitrary: fc.tuple(party, attempt).map(([by, of]) => halt(by, of)) },
    );
    // Few random walks get to a later attempt; these begin there.
    const again = (attempt: number): Event<string>[] => [
      ...roster.map((by) => renounce(by, attempt)),
      { type: 'started' },
    ];
    const beginnings = [
      [...running, ...again(1)],
      [...running, ...again(1), ...again(2)],
      [...running, ...again(1), ...again(2), ...lose('bee')],
    ];
    const reached = new Set<string>();
    let waited = false;
    let furthest = 0;
    fc.assert(
      fc.property(fc.nat(9), fc.array(event, { maxLength: 60, size: 'max' }), (broken, random) => {
        const events = [...(beginnings[broken] ?? []), ...random];
        let state = queued<string>(roster, expiresMs);
        let done = 0;
        const starts = new Map<number, number>();
        for (const one of events) {
          const next = step(state, one);
          if (hasEnded(state)) expect(next.state).toBe(state);
          // What a party may have charged is not lost by a link, a restart or the analyst.
          const spent = state.opened.length > 0 || isReleasing(state);
          if (spent && ['detached', 'restarted', 'cancel'].includes(one.type)) {
            expect(next.state.phase).toBe(state.phase);
            waited ||= one.type !== 'cancel' && !hasEnded(state);
          }
          const order = phases.indexOf(next.state.phase) - phases.indexOf(state.phase);
          const wasAsked = isRetrying(state);
          const isAsked = isRetrying(next.state);
          if (wasAsked && !isAsked && next.state.phase === 'RUNNING') {
            // Opened after all: it is the attempt that was recalled, and nobody has renounced it.
            expect(next.state).toMatchObject({
              attempt: state.setbacks.length,
              opened: [(one as { party: string }).party],
            });
            expect(state.renounced).toEqual({});
          } else if (isAsked && !wasAsked && state.attempt === attemptsMax) {
            expect(next.state.attempt).toBe(attemptsMax);
          } else if (state.attempt > 0 && next.state.attempt > state.attempt) {
            // Another attempt begins only out of one that could have begun, and that nobody has opened.
            expect(['READY', 'RUNNING']).toContain(state.phase);
            expect(next.state.phase).toBe('INVITING');
            expect(state.opened).toEqual([]);
            expect(next.state.attempt).toBe(state.attempt + 1);
          } else {
            expect(order).toBeGreaterThanOrEqual(0);
          }
          expect(next.state.attempt).toBeLessThanOrEqual(attemptsMax);
          const isLast = next.state.attempt === attemptsMax && next.state.setbacks.length === attemptsMax;
          if (isLast) expect(['INVITING', 'FAILED', 'CANCELLED', 'EXPIRED', 'POISONED']).toContain(next.state.phase);
          else expect(next.state.setbacks).toHaveLength(Math.max(0, next.state.attempt - 1));
          if (next.state.phase === 'READY' || next.state.phase === 'RUNNING') {
            expect(Object.keys(next.state.acceptances).sort()).toEqual(roster);
          }
          for (const entry of next.entries) if (entry.type === 'state' && entry.state === 'DONE') done++;
          for (const effect of next.effects) {
            expect(roster).toContain(effect.to);
            if (effect.send === 'start') {
              const isLate = one.type === 'attached' && one.party === effect.to;
              if (isLate) expect(['READY', 'RUNNING']).toContain(next.state.phase);
              if (!isLate || next.effects.length > 1) expect(next.state.phase).toBe('READY');
              const { attempt: started, renounced } = next.state;
              if (started > 1) {
                expect(renounced).toEqual(Object.fromEntries(roster.map((by) => [by, wordOf(by, started - 1)])));
              }
              if (state.phase === 'INVITING') starts.set(started, (starts.get(started) ?? 0) + 1);
            }
            if (effect.send === 'again' && effect.noneOpened === true) {
              // Whoever is told so can rely on it: every party has spoken, and none has opened.
              const { halted = [], renounced, opened } = next.state;
              expect(opened).toEqual([]);
              expect([...new Set([...halted, ...Object.keys(renounced)])].sort()).toEqual(roster);
            }
            if (effect.send === 'signed') expect(next.state.opened).toContain(effect.by);
            if (effect.send === 'stored') expect(next.state.opened).toContain(effect.to);
            if (effect.send === 'abort') expect(['FAILED', 'EXPIRED', 'POISONED']).toContain(next.state.phase);
          }
          if (next.state.phase === 'DONE') expect(next.state.opened).toEqual(roster);
          if (next.state.phase !== state.phase) {
            expect(next.entries.some((entry) => entry.type === 'state' && entry.state === next.state.phase)).toBe(true);
          }
          state = next.state;
          reached.add(state.phase);
        }
        expect(done).toBeLessThanOrEqual(1);
        for (const [number, told] of starts) {
          expect(told).toBe(roster.length);
          furthest = Math.max(furthest, number);
        }
      }),
      { numRuns: 3000, seed: 7 },
    );
    expect([...reached].sort()).toEqual([...phases].sort());
    expect(waited).toBe(true);
    expect(furthest).toBe(attemptsMax);
  });
});
