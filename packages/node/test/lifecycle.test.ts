import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { clockSkewMs, type SignedJob } from '@folkmoot/core/envelope.js';
import { type ErrorReport, ProtocolError, reportOf, StateError } from '@folkmoot/core/errors.js';
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
const sealed = new Uint8Array([1, 2, 3]);
const signatures = { commitments: { camden: 'c0' }, signatures: { camden: '50' } };

const invited: JobEvent = { event: 'invited', job, signed, expiresMs, attempt: 1 };
const started: JobEvent = { event: 'started', attempt: 1, acceptances };
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
const names = (effects: readonly Effect[]) =>
  effects.map((e) => (e.effect === 'tell' ? `tell ${e.message.type}` : e.effect));

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
      'COMMITTED: save, commit',
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

  it.each(['RUNNING', 'COMMITTED'] as const)('stops, saves and tells when the computation fails while %s', (status) => {
    const next = step(at(status), { event: 'failed', attempt: 1, report, detail: 'why' });
    expect(next.state).toMatchObject({ status: 'ABORTED', report });
    expect(names(next.effects)).toEqual(['stop', 'save', 'tell failed']);
  });

  it.each(['RECEIVED', 'ACCEPTED', 'RUNNING', 'COMMITTED'] as const)('can be ended from outside while %s', (status) => {
    const computing = status === 'RUNNING' || status === 'COMMITTED';
    const effects = computing ? ['stop', 'save'] : ['save'];
    const ends: [JobEvent, Status][] = [
      [{ event: 'cancelled' }, 'CANCELLED'],
      [{ event: 'aborted', attempt: 1, report }, 'ABORTED'],
      [{ event: 'ticked', nowMs: expiresMs + clockSkewMs + 1 }, 'EXPIRED'],
    ];
    for (const [event, ended] of ends) {
      const next = step(at(status), event);
      expect(next.state?.status).toBe(ended);
      expect(names(next.effects)).toEqual(effects);
    }
  });

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

  it('judges again after a restart, and gives up an attempt whose masks are gone', () => {
    const restarted: JobEvent = { event: 'restarted', report: internal };
    expect(names(step(at('RECEIVED'), restarted).effects)).toEqual(['judge']);
    expect(step(at('ACCEPTED'), restarted)).toEqual({ state: at('ACCEPTED'), effects: [] });
    for (const status of ['RUNNING', 'COMMITTED'] as const) {
      expect(step(at(status), restarted).state).toMatchObject({ status: 'ABORTED', report: internal });
    }
  });

  it('says again what the coordinator may have missed, when a link is new or it asks', () => {
    const expected: Record<string, string[]> = {
      RECEIVED: [],
      ACCEPTED: ['tell accepted'],
      RUNNING: [],
      COMMITTED: [],
      OPENING: ['open'],
      RESULT: [],
    };
    for (const status of statuses) {
      expect(names(step(at(status), { event: 'linked' }).effects)).toEqual(expected[status]);
      expect(names(step(at(status), invited).effects)).toEqual(expected[status]);
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
  });

  it('knows no job before it was invited to it, and follows no attempt without end', () => {
    for (const event of road.slice(1)) expect(step(undefined, event)).toEqual({ state: undefined, effects: [] });
    expect(step(undefined, { ...invited, attempt: 17 })).toEqual({ state: undefined, effects: [] });
  });
});

const attempt = fc.integer({ min: 1, max: 2 });
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
    attempt,
    acceptances: fc.constant(acceptances),
    fault: fc.constant(report),
  }),
  fc.record({ event: fc.constant('started' as const), attempt, acceptances: fc.constant(acceptances) }),
  fc.record({ event: fc.constant('progressed' as const), attempt, phase: fc.constant('share') }),
  fc.record({ event: fc.constant('sealed' as const), attempt, sealed: bytes }),
  fc.record({ event: fc.constant('opened' as const), attempt, ...constantSignatures }),
  fc.record({ event: fc.constant('failed' as const), attempt, report: fc.constant(report) }),
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
const anyWalk = fc
  .tuple(fc.integer({ min: 0, max: road.length }), fc.array(anyEvent, { maxLength: 30 }))
  .map(([n, rest]) => [...road.slice(0, n), ...rest]);

type Machine = typeof step;

/** Runs the effects in order against a store that survives, and says which law was broken first. */
function brokenLaw(machine: Machine, events: readonly JobEvent[]): string | undefined {
  let state: JobState | undefined;
  let durable: JobState | undefined;
  let runs = 0;
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
        runs += 1;
        if (runs > 1) return 'ran an attempt twice';
      }
      if (effect.effect === 'commit' && durable?.status !== 'COMMITTED') return 'committed before it was durable';
      if (effect.effect === 'open') {
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
    expect([...reached].sort()).toEqual([...statuses, 'ABORTED', 'CANCELLED', 'DENIED', 'EXPIRED'].sort());
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
