import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { clockSkewMs, type SignedJob } from '@folkmoot/core/envelope.js';
import { type ErrorReport, ProtocolError, reportOf, StateError, TransportError } from '@folkmoot/core/errors.js';
import { attemptsMax } from '@folkmoot/core/renunciation.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Effect, isTerminal, type JobEvent, type JobState, type Status, step } from '../src/lifecycle.ts';

// The machine only keeps these; it never looks into them.
const signed = { signature: 'ab' } as unknown as SignedJob;
const acceptance = { signature: '00' } as unknown as SignedAcceptance;
const acceptances = [acceptance];
const job = 'a1'.repeat(32);
const expiresMs = 1_000_000;
const report: ErrorReport = reportOf(new ProtocolError('TAMPERED', { party: 'hackney' }));
const internal = reportOf(new StateError('INTERRUPTED'));
const lost = reportOf(new TransportError('LINK_LOST', { party: 'hackney' }));
const sealed = new Uint8Array([1, 2, 3]);
const signatures = { commitments: { camden: 'c0' }, signatures: { camden: '50' } };

const invited: JobEvent = { event: 'invited', job, signed, expiresMs, attempt: 1 };
const started: JobEvent = { event: 'started', job, attempt: 1, acceptances };
const road: JobEvent[] = [
  invited,
  { event: 'allowed', acceptance },
  started,
  { event: 'sealed', attempt: 1, sealed },
  { event: 'opened', attempt: 1, ...signatures },
  { event: 'stored', attempt: 1 },
];
const statuses: Status[] = ['RECEIVED', 'ACCEPTED', 'RUNNING', 'COMMITTED', 'OPENING', 'RESULT'];

/** The state after the first `n` events of the road without trouble. */
function after(n: number): JobState | undefined {
  let state: JobState | undefined;
  for (const event of road.slice(0, n)) state = step(state, event).state;
  return state;
}
const at = (status: Status): JobState => after(statuses.indexOf(status) + 1)!;
const halted: JobState = { ...at('COMMITTED'), status: 'HALTED' } as JobState;
const names = (effects: readonly Effect[]) =>
  effects.map((e) => {
    if (e.effect === 'renounce') return `renounce ${e.attempt}`;
    return e.effect === 'tell' ? `tell ${e.message.type}` : e.effect;
  });
const again = (attempt: number): JobEvent => ({ event: 'again', job, attempt, report: lost });

describe('the life of a job at a node', () => {
  it('walks the whole road, and saves before everything that others can see', () => {
    const seen: string[] = [];
    let state: JobState | undefined;
    for (const event of road) {
      const next = step(state, event);
      state = next.state;
      seen.push(`${state!.status}: ${names(next.effects).join(', ')}`);
    }
    expect(seen).toEqual([
      'RECEIVED: save, judge',
      'ACCEPTED: save, tell accepted',
      'RUNNING: save, compute',
      'COMMITTED: save, tell phase, commit',
      'OPENING: save, open',
      'RESULT: save',
    ]);
  });

  it('denies with the report, and keeps the detail for its own state', () => {
    const next = step(at('RECEIVED'), { event: 'denied', report, detail: 'only for our eyes' });
    expect(next.state).toMatchObject({ status: 'DENIED', report });
    expect(names(next.effects)).toEqual(['save', 'tell denied']);
    expect(next.effects[0]).toMatchObject({ detail: 'only for our eyes' });
    expect(JSON.stringify(next.effects[1])).not.toContain('our eyes');
  });

  it('aborts where the acceptances of the others do not hold', () => {
    const next = step(at('ACCEPTED'), { ...started, fault: report });
    expect(next.state).toMatchObject({ status: 'ABORTED', report });
    expect(names(next.effects)).toEqual(['save', 'tell failed']);
  });

  it('stops, saves and tells when the computation fails while RUNNING', () => {
    const next = step(at('RUNNING'), { event: 'failed', attempt: 1, report, detail: 'why' });
    expect(next.state).toMatchObject({ status: 'ABORTED', report });
    expect(names(next.effects)).toEqual(['stop', 'save', 'tell failed']);
  });

  it('halts where it has committed and fails for good, and ends only once it hears that no party has opened', () => {
    const next = step(at('COMMITTED'), { event: 'failed', attempt: 1, report, detail: 'why' });
    expect(next.state).toEqual({ ...halted, report });
    expect(names(next.effects)).toEqual(['stop', 'save', 'tell halted']);
    // Why it ended is said again with that, and is not forgotten by a restart.
    const said = { message: { type: 'halted', report } };
    for (const event of [{ event: 'linked' }, invited, started, again(1)] as const) {
      expect(step(next.state, event)).toMatchObject({ state: next.state, effects: [said] });
    }
    expect(step(next.state, { event: 'restarted', report: internal })).toEqual({ state: next.state, effects: [] });
    const ended = step(next.state, { ...again(1), noneOpened: true } as JobEvent);
    expect(ended.state).toEqual({ ...at('RECEIVED'), status: 'ABORTED', report });
    expect(ended.effects.map((effect) => ('message' in effect ? effect.message : effect.effect))).toEqual([
      'save',
      { type: 'failed', job, attempt: 1, report },
    ]);
    // Where another one has opened, that is the answer, whatever failed here.
    const opened = step(next.state, { event: 'opened', attempt: 1, ...signatures });
    expect(opened.state).toEqual({ ...at('OPENING') });
  });

  it('renounces an attempt that it could not begin, where it may begin the next one', () => {
    const busy = reportOf(new StateError('BUSY', { party: 'camden' }));
    const next = step(at('ACCEPTED'), { ...started, fault: busy });
    expect(next.state).toMatchObject({ status: 'ACCEPTED', attempt: 2 });
    expect(names(next.effects)).toEqual(['save', 'renounce 1']);
    expect(next.effects.at(-1)).toMatchObject({ report: busy });
  });

  it.each(['RECEIVED', 'ACCEPTED', 'RUNNING', 'COMMITTED', 'HALTED'] as const)(
    'can be ended from outside while %s',
    (status) => {
      const state = status === 'HALTED' ? halted : at(status);
      const computing = status === 'RUNNING' || status === 'COMMITTED';
      const effects = computing ? ['stop', 'save'] : ['save'];
      const ends: [JobEvent, Status][] = [
        [{ event: 'cancelled' }, 'CANCELLED'],
        [{ event: 'aborted', attempt: 1, report }, 'ABORTED'],
        [{ event: 'ticked', nowMs: expiresMs + clockSkewMs + 1 }, 'EXPIRED'],
      ];
      for (const [event, ended] of ends) {
        const next = step(state, event);
        expect(next.state?.status).toBe(ended);
        expect(names(next.effects)).toEqual(effects);
      }
    },
  );

  it('is never cancelled, aborted or failed once the opening is durable', () => {
    const events: JobEvent[] = [
      { event: 'cancelled' },
      { event: 'aborted', attempt: 1, report },
      { event: 'failed', attempt: 1, report },
      { event: 'restarted', report: internal },
    ];
    for (const event of events) expect(step(at('OPENING'), event)).toEqual({ state: at('OPENING'), effects: [] });
  });

  it('tolerates 120 seconds of skew, to the millisecond', () => {
    expect(step(at('ACCEPTED'), { event: 'ticked', nowMs: expiresMs + clockSkewMs - 1 }).state?.status).toBe(
      'ACCEPTED',
    );
    expect(step(at('ACCEPTED'), { event: 'ticked', nowMs: expiresMs + clockSkewMs }).state?.status).toBe('EXPIRED');
  });

  it('lets an opening that nobody fetched in time expire', () => {
    expect(step(at('OPENING'), { event: 'ticked', nowMs: expiresMs + clockSkewMs + 1 }).state?.status).toBe('EXPIRED');
  });

  it('judges again after a restart, and renounces an attempt whose masks are gone', () => {
    const restarted: JobEvent = { event: 'restarted', report: internal };
    expect(names(step(at('RECEIVED'), restarted).effects)).toEqual(['judge']);
    expect(step(at('ACCEPTED'), restarted)).toEqual({ state: at('ACCEPTED'), effects: [] });
    const next = step(at('RUNNING'), restarted);
    expect(next.state).toMatchObject({ status: 'ACCEPTED', attempt: 2, acceptance });
    expect(names(next.effects)).toEqual(['stop', 'save', 'renounce 1']);
    expect(step(halted, restarted)).toEqual({ state: halted, effects: [] });
  });

  it.each<[string, JobEvent]>([
    ['it is started again', { event: 'restarted', report: internal }],
    ['its link breaks', { event: 'failed', attempt: 1, report: lost }],
    ['it is asked for another attempt', again(1)],
  ])('halts where it has committed and %s: another party may have opened', (_, event) => {
    const next = step(at('COMMITTED'), event);
    expect(next.state).toEqual({ ...at('COMMITTED'), status: 'HALTED' });
    expect(names(next.effects)).toEqual(['stop', 'save', 'tell halted']);
    expect(names(step(next.state, { event: 'linked' }).effects)).toEqual(['tell halted']);
    expect(names(step(next.state, invited).effects)).toEqual(['tell halted']);
    expect(names(step(next.state, again(1)).effects)).toEqual(['tell halted']);
  });

  it('opens what it had stored once it hears that another party has opened, with what all have signed', () => {
    const next = step(halted, { event: 'opened', attempt: 1, ...signatures });
    expect(next.state).toMatchObject({ status: 'OPENING', opening: { sealed, ...signatures } });
    expect(names(next.effects)).toEqual(['save', 'open']);
    expect(step(halted, { event: 'opened', attempt: 2, ...signatures }).state).toBe(halted);
  });

  it('renounces what it has committed to once it hears that no party has opened', () => {
    for (const state of [halted, at('COMMITTED')]) {
      const next = step(state, { ...again(1), noneOpened: true } as JobEvent);
      expect(next.state).toEqual({ ...after(2), attempt: 2 });
      expect(names(next.effects)).toEqual([...(state === halted ? [] : ['stop']), 'save', 'renounce 1']);
    }
  });

  it('hears nothing more of a computation that has halted', () => {
    const late: JobEvent[] = [
      { event: 'failed', attempt: 1, report },
      { event: 'progressed', attempt: 1, phase: 'share' },
      { event: 'sealed', attempt: 1, sealed },
    ];
    for (const event of late) expect(step(halted, event)).toEqual({ state: halted, effects: [] });
  });

  it('says again what the coordinator may have missed, when a link is new or it asks', () => {
    const expected: Record<string, string[]> = {
      RECEIVED: [],
      ACCEPTED: ['tell accepted'],
      RUNNING: [],
      COMMITTED: ['tell phase'],
      OPENING: ['open'],
      RESULT: ['reopen'],
    };
    for (const status of statuses) {
      // A start comes again to a party that was away.
      if (status !== 'RECEIVED' && status !== 'ACCEPTED') {
        expect(names(step(at(status), started).effects)).toEqual(expected[status]);
      }
      expect(names(step(at(status), { event: 'linked' }).effects)).toEqual(status === 'RESULT' ? [] : expected[status]);
      // Who invites to what is opened here has forgotten the acceptances.
      const all = status === 'OPENING' ? ['tell accepted', 'open'] : expected[status];
      expect(names(step(at(status), invited).effects)).toEqual(all);
    }
    const gone = step(at('RUNNING'), { event: 'cancelled' }).state;
    expect(step(gone, invited).effects[0]).toMatchObject({
      message: { type: 'failed', report: { code: 'CANCELLED' } },
    });
    const late = step(at('RUNNING'), { event: 'ticked', nowMs: 2 * expiresMs }).state;
    expect(step(late, invited).effects[0]).toMatchObject({ message: { report: { code: 'JOB_EXPIRED' } } });
  });

  it('reports progress only of the attempt under way', () => {
    const progressed = (attempt: number): JobEvent => ({ event: 'progressed', attempt, phase: 'share' });
    expect(names(step(at('RUNNING'), progressed(1)).effects)).toEqual(['tell phase']);
    expect(step(at('RUNNING'), progressed(2)).effects).toEqual([]);
    expect(step(at('RESULT'), progressed(1)).effects).toEqual([]);
    // That it opens is said before the computation is let, and once.
    expect(step(at('COMMITTED'), { event: 'progressed', attempt: 1, phase: 'open' }).effects).toEqual([]);
  });

  it('knows no job before it was invited to its first attempt', () => {
    for (const event of road.slice(1).filter((one) => one !== started)) {
      expect(step(undefined, event)).toEqual({ state: undefined, effects: [] });
    }
    for (const event of [{ ...invited, attempt: 2 }, again(1), started]) {
      const next = step(undefined, event);
      expect(next.state).toBeUndefined();
      expect(next.effects).toMatchObject([{ message: { type: 'failed', report: { code: 'UNKNOWN_JOB' } } }]);
    }
  });
});

describe('the epochs of coordinators', () => {
  const cancelled: JobEvent = { event: 'cancelled' };

  it('are remembered with the job from its first word on, in every state', () => {
    let state = step(undefined, invited, 3).state;
    expect(state?.epoch).toBe(3);
    for (const event of road.slice(1)) {
      state = step(state, event, event.event === 'started' || event.event === 'stored' ? 3 : undefined).state;
      expect(state?.epoch).toBe(3);
    }
    expect(state?.status).toBe('RESULT');
  });

  it('make a later one durable before anything is done that it asks for', () => {
    for (const status of statuses) {
      const { state, effects } = step({ ...at(status), epoch: 3 }, cancelled, 4);
      expect(effects[0]).toEqual({ effect: 'raise', state: { ...at(status), epoch: 4 } });
      expect(effects.slice(1)).toEqual(step({ ...at(status), epoch: 4 }, cancelled).effects);
      expect(state?.epoch).toBe(4);
      expect(step(state, cancelled, 4).effects.some(({ effect }) => effect === 'raise')).toBe(false);
    }
  });

  it('have a coordinator refused that lost the job, whatever it says and wherever the job is', () => {
    const words: JobEvent[] = [
      ...[invited, started, cancelled, again(1), { event: 'stored', attempt: 1 } as const],
      { event: 'aborted', attempt: 1, report },
      { event: 'opened', attempt: 1, ...signatures },
    ];
    for (const known of [...statuses.map(at), halted]) {
      const state = { ...known, epoch: 3 };
      for (const word of words) {
        expect(step(state, word, 2)).toEqual({ state, effects: [{ effect: 'refuse', job, epoch: 3 }] });
      }
    }
  });

  it('are none of a node’s own events', () => {
    const state = { ...at('RUNNING'), epoch: 3 };
    expect(step(state, { event: 'sealed', attempt: 1, sealed }).state).toMatchObject({ status: 'COMMITTED', epoch: 3 });
  });
});

describe('another attempt', () => {
  /** The states that the road without trouble has at a later attempt. */
  function atAttempt(attempt: number, status: Status): JobState {
    let state = at('ACCEPTED');
    const renounceAndStart = (of: number) => {
      for (const event of [
        { event: 'started', job, attempt: of, acceptances },
        { event: 'failed', attempt: of, report: lost },
      ] as const)
        state = step(state, event).state!;
    };
    for (let before = 1; before < attempt; before++) renounceAndStart(before);
    for (const event of road.slice(2, statuses.indexOf(status) + 1)) {
      state = step(state, { ...event, attempt } as JobEvent).state!;
    }
    expect(state).toMatchObject({ status, attempt });
    return state;
  }

  it.each(['LINK_LOST', 'UNREACHABLE', 'INTERRUPTED', 'CRASHED', 'PARTY_FAILED'] as const)(
    'may follow where the last one ended by %s',
    (code) => {
      const failed: JobEvent = { event: 'failed', attempt: 1, report: { ...report, code }, detail: 'why' };
      const next = step(at('RUNNING'), failed);
      expect(next.state).toEqual({ status: 'ACCEPTED', job, signed, expiresMs, attempt: 2, acceptance });
      expect(names(next.effects)).toEqual(['stop', 'save', 'renounce 1']);
      expect(next.effects.at(-1)).toMatchObject({ report: { code }, detail: 'why' });
      const committed = step(at('COMMITTED'), failed);
      expect(committed.state?.status).toBe('HALTED');
      expect(committed.effects.at(-1)).toMatchObject({ message: { report: { code } } });
      expect(JSON.stringify(committed.effects.at(-1))).not.toContain('why');
    },
  );

  it.each([
    'CUCKOO_FULL',
    'OKVS_FULL',
    'BAD_MESSAGE',
    'TAMPERED',
    'SOURCE_CHANGED',
    'POLICY_CHANGED',
    'INTERNAL',
  ] as const)('does not follow %s, whatever the coordinator says then', (code) => {
    const next = step(at('RUNNING'), { event: 'failed', attempt: 1, report: { ...report, code } });
    expect(next.state?.status).toBe('ABORTED');
    const asked = step(next.state, again(1));
    expect(asked.state).toBe(next.state);
    expect(names(asked.effects)).toEqual(['tell failed']);
  });

  it('follows where the coordinator asks for it and nothing was opened, also before anything began', () => {
    for (const status of ['ACCEPTED', 'RUNNING'] as const) {
      const next = step(at(status), again(1));
      expect(next.state).toMatchObject({ status: 'ACCEPTED', attempt: 2 });
      expect(names(next.effects)).toEqual([...(status === 'ACCEPTED' ? [] : ['stop']), 'save', 'renounce 1']);
      expect(next.effects.at(-1)).not.toHaveProperty('report');
    }
    expect(step(at('RECEIVED'), again(1))).toEqual({ state: at('RECEIVED'), effects: [] });
  });

  it('is never joined by who has opened: the same bytes are sent again', () => {
    const next = step(at('OPENING'), again(1));
    expect(next.state).toEqual(at('OPENING'));
    expect(names(next.effects)).toEqual(['open']);
    expect(step(at('RESULT'), again(1))).toEqual({ state: at('RESULT'), effects: [{ effect: 'reopen', job }] });
  });

  it('says again what was renounced, to a new link and to who asks', () => {
    const renounced = atAttempt(2, 'ACCEPTED');
    for (const event of [{ event: 'linked' }, invited, again(1)] as const) {
      expect(names(step(renounced, event).effects)).toEqual(['renounce 1']);
      expect(step(renounced, event).state).toBe(renounced);
    }
  });

  it('begins with its own start only, and has no way back', () => {
    const renounced = atAttempt(2, 'ACCEPTED');
    const old: JobEvent[] = [
      started,
      { event: 'sealed', attempt: 1, sealed },
      { event: 'opened', attempt: 1, ...signatures },
      { event: 'failed', attempt: 1, report },
      { event: 'progressed', attempt: 1, phase: 'share' },
      { event: 'stored', attempt: 1 },
    ];
    for (const event of old) expect(step(renounced, event)).toEqual({ state: renounced, effects: [] });
    const next = step(renounced, { ...started, attempt: 2 });
    expect(next.state).toMatchObject({ status: 'RUNNING', attempt: 2 });
    expect(names(next.effects)).toEqual(['save', 'compute']);
    expect(step(next.state, again(1))).toEqual({ state: next.state, effects: [] });
    expect(step(atAttempt(2, 'COMMITTED'), { event: 'opened', attempt: 2, ...signatures }).state?.status).toBe(
      'OPENING',
    );
  });

  it('does not begin where a renunciation is missing or forged', () => {
    const fault = reportOf(new ProtocolError('BAD_RENUNCIATION', { party: 'hackney' }));
    const next = step(atAttempt(2, 'ACCEPTED'), { ...started, attempt: 2, fault });
    expect(next.state).toMatchObject({ status: 'ABORTED', report: fault });
    expect(names(next.effects)).toEqual(['save', 'tell failed']);
  });

  it('is not made after the third', () => {
    const last = atAttempt(attemptsMax, 'RUNNING');
    for (const event of [
      { event: 'failed', attempt: attemptsMax, report: lost },
      { event: 'restarted', report: internal },
      again(attemptsMax),
    ] as const) {
      const next = step(last, event);
      expect(next.state?.status).toBe('ABORTED');
      expect(names(next.effects)).toEqual(['stop', 'save', 'tell failed']);
      expect(step(atAttempt(attemptsMax, 'COMMITTED'), event).state?.status).toBe('HALTED');
    }
    const none: JobEvent = { event: 'again', job, attempt: attemptsMax, report: lost, noneOpened: true };
    const next = step({ ...atAttempt(attemptsMax, 'COMMITTED'), status: 'HALTED' } as JobState, none);
    expect(next.state?.status).toBe('ABORTED');
    expect(names(next.effects)).toEqual(['save', 'tell failed']);
  });

  it('is ended by the end of the job, whatever attempt the coordinator names', () => {
    for (const attempt of [1, 2, 3]) {
      const next = step(atAttempt(2, 'RUNNING'), { event: 'aborted', attempt, report });
      expect(next.state).toMatchObject({ status: 'ABORTED', report });
    }
  });
});

const attempt = fc.integer({ min: 1, max: 4 });
const bytes = fc.uint8Array({ minLength: 1, maxLength: 3 });
const constantSignatures = {
  commitments: fc.constant(signatures.commitments),
  signatures: fc.constant(signatures.signatures),
};
const anyEvent: fc.Arbitrary<JobEvent> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...road) },
  fc.record({
    event: fc.constant('invited' as const),
    job: fc.constantFrom(job, 'b2'),
    signed: fc.constant(signed),
    expiresMs: fc.constant(expiresMs),
    attempt,
  }),
  fc.record({ event: fc.constant('denied' as const), report: fc.constant(report) }),
  fc.record({
    event: fc.constant('started' as const),
    job: fc.constant(job),
    attempt,
    acceptances: fc.constant(acceptances),
    fault: fc.constant(report),
  }),
  fc.record({
    event: fc.constant('started' as const),
    job: fc.constant(job),
    attempt,
    acceptances: fc.constant(acceptances),
  }),
  fc.record({ event: fc.constant('progressed' as const), attempt, phase: fc.constant('share') }),
  fc.record({ event: fc.constant('sealed' as const), attempt, sealed: bytes }),
  fc.record({ event: fc.constant('opened' as const), attempt, ...constantSignatures }),
  fc.record({ event: fc.constant('failed' as const), attempt, report: fc.constantFrom(report, lost) }),
  { weight: 3, arbitrary: attempt.map(again) },
  { weight: 2, arbitrary: attempt.map((of) => ({ ...again(of), noneOpened: true }) as JobEvent) },
  fc.record({ event: fc.constant('stored' as const), attempt }),
  fc.record({ event: fc.constant('aborted' as const), attempt, report: fc.constant(report) }),
  fc.constantFrom<JobEvent>(
    { event: 'cancelled' },
    { event: 'linked' },
    { event: 'restarted', report: internal },
    { event: 'ticked', nowMs: expiresMs },
    { event: 'ticked', nowMs: 2 * expiresMs },
  ),
);
// Most random walks end soon; a prefix of the road takes them to every state.
const laterRoad = (attempt: number): JobEvent[] =>
  [again(attempt - 1), ...road.slice(2)].map(
    (event, index) => (index === 0 ? event : { ...event, attempt }) as JobEvent,
  );
const roads = [
  road,
  [...road.slice(0, 3), ...laterRoad(2)],
  [...road.slice(0, 4), again(1), { ...again(1), noneOpened: true } as JobEvent, ...laterRoad(2).slice(1)],
  [...road.slice(0, 4), again(1), ...road.slice(4)],
  [...road.slice(0, 3), again(1), { ...started, attempt: 2 }, ...laterRoad(3)],
];
const anyWalk = fc
  .tuple(fc.constantFrom(...roads), fc.integer({ min: 0, max: 12 }), fc.array(anyEvent, { maxLength: 30 }))
  .map(([way, n, rest]) => [...way.slice(0, n), ...rest]);

type Machine = typeof step;

/** Runs the effects in order against a store that survives, and says which law was broken first. */
function brokenLaw(machine: Machine, events: readonly JobEvent[]): string | undefined {
  let state: JobState | undefined;
  let durable: JobState | undefined;
  const ran = new Set<number>();
  let renounced = 0;
  const opened = new Set<number>();
  const committed = new Map<number, string>();
  const sent = new Map<number, string>();
  for (const event of events) {
    const before = state;
    const next = machine(state, event);
    state = next.state;
    if (before !== undefined && isTerminal(before.status) && state?.status !== before.status) return 'left an end';
    for (const effect of next.effects) {
      if (effect.effect === 'save') {
        if (durable?.status === 'OPENING' && !['OPENING', 'RESULT', 'EXPIRED'].includes(effect.state.status)) {
          return 'took back an opening';
        }
        durable = effect.state;
        if (durable.status === 'COMMITTED') {
          const text = String(durable.sealed);
          if (committed.has(durable.attempt)) return 'committed twice';
          committed.set(durable.attempt, text);
        }
      }
      if (effect.effect === 'compute') {
        if (durable?.status !== 'RUNNING' || durable.attempt !== effect.attempt) return 'ran before it was durable';
        if (ran.has(effect.attempt)) return 'ran an attempt twice';
        ran.add(effect.attempt);
        if (effect.attempt !== renounced + 1) return 'ran without having renounced';
      }
      if (effect.effect === 'reopen' && durable?.status !== 'RESULT') return 'opened again what was not delivered';
      if (effect.effect === 'commit' && durable?.status !== 'COMMITTED') return 'committed before it was durable';
      if (effect.effect === 'renounce') {
        // Of what was committed to, only who knows that nobody has opened it can say so.
        const isSure = 'noneOpened' in event || !committed.has(effect.attempt) || effect.attempt <= renounced;
        if (!isSure) return 'renounced what another one may have opened';
        const isDurable = durable?.status === 'ACCEPTED' && durable.attempt === effect.attempt + 1;
        if (!isDurable) return 'renounced before it was durable';
        if (opened.size > 0) return 'renounced what it opened';
        renounced = effect.attempt;
      }
      if (effect.effect === 'open') {
        if (effect.attempt <= renounced) return 'opened what it renounced';
        opened.add(effect.attempt);
        if (opened.size > 1) return 'opened two attempts';
        if (durable?.status !== 'OPENING') return 'opened before it was durable';
        const text = String(effect.opening.sealed);
        if (committed.get(effect.attempt) !== text) return 'opened what was not committed';
        if (sent.has(effect.attempt) && sent.get(effect.attempt) !== text) return 'opened other bytes';
        sent.set(effect.attempt, text);
      }
    }
    if (state !== durable) return 'state is not the durable one';
  }
  return undefined;
}

describe('any sequence of events', () => {
  it('keeps every law', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(anyWalk, (events) => {
        let state: JobState | undefined;
        for (const event of events) {
          state = step(state, event).state;
          if (state !== undefined) reached.add(state.status);
        }
        expect(brokenLaw(step, events)).toBeUndefined();
      }),
      { numRuns: 5000, seed: 7 },
    );
    expect([...reached].sort()).toEqual([...statuses, 'HALTED', 'ABORTED', 'CANCELLED', 'DENIED', 'EXPIRED'].sort());
  });

  // Faults of our own making: the laws above must notice each of them.
  const mutants: Record<string, Machine> = {
    'opens before it saves': (state, event) => {
      const next = step(state, event);
      return { ...next, effects: [...next.effects].reverse() };
    },
    'opens other bytes than it saved': (state, event) => {
      const next = step(state, event);
      const effects = next.effects.map((effect): Effect => {
        const other = { ...signatures, sealed: new Uint8Array([9]) };
        return effect.effect === 'open' ? { ...effect, opening: other } : effect;
      });
      return { ...next, effects };
    },
    'cancels after the opening': (state, event) =>
      event.event === 'cancelled' && state?.status === 'OPENING'
        ? step({ ...at('ACCEPTED') }, event)
        : step(state, event),
    'starts twice': (state, event) =>
      event.event === 'started' && state?.status === 'RUNNING' ? step(at('ACCEPTED'), event) : step(state, event),
    'renounces what it opened': (state, event) =>
      event.event === 'again' && state?.status === 'OPENING'
        ? step({ ...at('COMMITTED'), attempt: state.attempt }, event)
        : step(state, event),
    'goes back to what it renounced': (state, event) =>
      event.event === 'started' && state?.status === 'ACCEPTED' && state.attempt > 1
        ? step({ ...state, attempt: 1 }, event)
        : step(state, event),
    'renounces what another one may have opened': (state, event) =>
      event.event === 'again' ? step(state, { ...event, noneOpened: true }) : step(state, event),
    'wakes the dead': (state, event) =>
      event.event === 'invited' && state?.status === 'ABORTED' ? step(undefined, event) : step(state, event),
  };
  it.each(Object.keys(mutants))('would show a machine that %s', (name) => {
    const result = fc.check(
      fc.property(anyWalk, (events) => brokenLaw(mutants[name]!, events) === undefined),
      { numRuns: 5000, seed: 7 },
    );
    expect(result.failed).toBe(true);
  });
});
