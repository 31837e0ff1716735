import { writeFileSync } from 'node:fs';
import { acceptancesHash, type SignedAcceptance, signAcceptance } from '@folkmoot/core/acceptance.js';
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import { StateError } from '@folkmoot/core/errors.js';
import { signer } from '@folkmoot/core/identity.js';
import { commitment, openingStatement } from '@folkmoot/core/open.js';
import { type Renunciation, type SignedRenunciation, signRenunciation } from '@folkmoot/core/renunciation.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import type { NodeMessage } from '@folkmoot/transport/control.js';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditDuty } from '../src/audit-duty.ts';
import { readMembership, readNodeConfig } from '../src/config.ts';
import type { Connection } from '../src/connection.ts';
import { Jobs, type Outlet } from '../src/jobs.ts';
import { type JobState, type OpeningBytes, type Status, step } from '../src/lifecycle.ts';
import { createMetrics, type NodeMetrics } from '../src/metrics.ts';
import { type OwnRecords, ownRecords } from '../src/own-records.ts';
import type { Store } from '../src/store.ts';
import { type Consortium, idOf, jobYaml, makeConsortium, nodeYaml, parties } from './consortium.ts';
import { type Said, withEpoch } from './stand-in-coordinator.ts';

const skewMs = 120_000;
let consortium: Consortium;
/** What the store holds; `fails` names the states that it cannot write. */
let held: Map<string, JobState>;
let fails: Status[];
let told: NodeMessage[];
let nowMs: number;
let timers: { atMs: number; action: () => void }[];
let jobs: Jobs;
/** What begins a computation, where a test looks no further. */
let begins: OwnRecords['compute'] | undefined;
/** A job whose row cannot be read. */
let damaged: string | undefined;
/** What was delivered, with its bytes. */
let delivered: JobState | undefined;
/** Whether the decisions of people cannot be read. */
let isUnreadable: boolean;

const clock: Clock = {
  now: () => nowMs,
  after(delayMs, action) {
    const timer = { atMs: nowMs + delayMs, action };
    timers.push(timer);
    return () => {
      timers = timers.filter((other) => other !== timer);
    };
  },
};
const store = {
  open: () =>
    [...held.values()]
      .filter(({ status }) => ['RECEIVED', 'ACCEPTED', 'HALTED'].includes(status))
      .map(({ job }) => job),
  load(job: string) {
    if (job === damaged) throw new StateError('STATE_FAILED', { field: 'sealed' });
    return held.get(job);
  },
  delivered: () => delivered,
  approvals: () => {
    if (isUnreadable) throw new StateError('STATE_FAILED', { detail: 'SQLITE_IOERR' });
    return [];
  },
  save(state: JobState) {
    if (fails.includes(state.status)) throw new StateError('STATE_FAILED', { detail: 'SQLITE_FULL' });
    held.set(state.job, state);
  },
  raiseEpoch(job: string, epoch: number) {
    held.set(job, { ...held.get(job)!, epoch });
  },
} as unknown as Store;
const hear = (message: Said, from: Outlet = connection) => jobs.hear(withEpoch(message), from);
const connection = {
  send: (message: NodeMessage) => void told.push(message),
  sendOpening: async (_: string, attempt: number, { sealed }: OpeningBytes) => void sent.push({ attempt, sealed }),
} as unknown as Connection;
/** The openings that it sent. */
let sent: { attempt: number; sealed: Uint8Array }[];

async function open(
  overrides: Parameters<typeof readNodeConfig>[1] = {},
  audit?: object,
  metrics?: NodeMetrics,
): Promise<void> {
  const config = await readNodeConfig(consortium.configFile('camden'), overrides);
  const membership = await readMembership(config);
  const sign = signer(membership.keys.secret.identity);
  const log = pino({ level: 'silent' });
  const own = ownRecords({ config, membership, store, env: {} });
  const records = begins === undefined ? own : { ...own, compute: begins };
  jobs = new Jobs({
    step,
    config,
    membership,
    build: 'test',
    sign,
    store,
    periods: new Map(),
    records,
    clock,
    log,
    ...(metrics === undefined ? {} : { metrics }),
    ...(audit === undefined
      ? {}
      : { audit: { checkWhole: () => {}, tick: () => {}, ...audit } as unknown as AuditDuty }),
  });
  jobs.start();
  jobs.linked(connection);
}

beforeEach(async () => {
  consortium = await makeConsortium(7);
  [begins, isUnreadable, damaged, delivered] = [undefined, false, undefined, undefined];
  [held, fails, told, sent, timers, nowMs] = [new Map(), [], [], [], [], Date.parse('2026-11-21T09:00:00.000Z')];
});
afterEach(async () => {
  await jobs.stop();
  consortium.dispose();
});

const invite = (signed = consortium.signed(undefined, nowMs)) => {
  hear({ type: 'invite', job: idOf(signed), attempt: 1, signed });
  return signed;
};
type Accepted = { readonly acceptance: SignedAcceptance };
const signOf = (party: string) => signer(consortium.partyKeys.get(party)!.secret.identity);
/** The word of every party for a job that this one has accepted. */
const acceptedByAll = (own: SignedAcceptance): SignedAcceptance[] =>
  parties.map((party) => (party === 'camden' ? own : signAcceptance({ ...own.acceptance, party }, signOf(party))));

/** Accepted here, and started. */
async function start(): Promise<string> {
  const job = idOf(invite());
  const { acceptance } = (await next()) as Accepted;
  hear({ type: 'start', job, attempt: 1, acceptances: acceptedByAll(acceptance) });
  return job;
}
async function next(): Promise<NodeMessage> {
  for (let turn = 0; turn < 1_000 && told.length === 0; turn++) await new Promise((resolve) => setTimeout(resolve, 5));
  return told.shift()!;
}

describe('the jobs of a node', () => {
  it('are led by one coordinator at a time, and one that lost them is told so', async () => {
    await open();
    const overThere: NodeMessage[] = [];
    const other = { send: (message: NodeMessage) => void overThere.push(message) } as unknown as Connection;
    jobs.linked(other);
    const signed = invite();
    const job = idOf(signed);
    expect(await next()).toMatchObject({ type: 'accepted', job });
    expect(overThere).toEqual([]);
    // Another one takes it over: that one is told what the first was, and the first nothing more.
    hear({ type: 'invite', job, attempt: 1, signed, epoch: 2 }, other);
    expect(overThere).toMatchObject([{ type: 'accepted', job }]);
    expect(held.get(job)?.epoch).toBe(2);
    hear({ type: 'cancel', job, epoch: 1 });
    expect(await next()).toEqual({ type: 'stale', job, epoch: 2 });
    expect(held.get(job)?.status).toBe('ACCEPTED');
    // It dials again, and leads no more for that.
    jobs.unlinked(connection);
    jobs.linked(connection);
    hear({ type: 'cancel', job, epoch: 2 }, other);
    expect(held.get(job)?.status).toBe('CANCELLED');
    expect(told).toEqual([]);
  });

  it('have nothing checked or signed for a coordinator that lost them', async () => {
    const shown: unknown[] = [];
    const check = (_: unknown, heads: unknown) => void shown.push(heads);
    const said: unknown[] = [];
    const refused = (event: unknown) => void said.push(event);
    await open({}, { offer: () => ({}), check, refused, checkWhole: () => {}, tick: () => {} });
    const signed = invite();
    const job = idOf(signed);
    const { acceptance } = (await next()) as Accepted;
    hear({ type: 'invite', job, attempt: 1, signed, epoch: 2 });
    await next();
    const start = { type: 'start', job, attempt: 1, acceptances: acceptedByAll(acceptance) } as const;
    hear({ ...start, epoch: 1 });
    expect(await next()).toEqual({ type: 'stale', job, epoch: 2 });
    expect(said).toEqual([{ kind: 'coordinator-refused', job, epoch: 2 }]);
    expect(shown).toEqual([]);
    hear({ ...start, epoch: 2 });
    expect(shown).toEqual([{}]);
  });

  it('are told to every coordinator as long as none has spoken of them', async () => {
    await open();
    const signed = invite();
    await next();
    jobs.unlinked(connection);
    const overThere: NodeMessage[] = [];
    jobs.linked({ send: (message: NodeMessage) => void overThere.push(message) } as unknown as Connection);
    jobs.linked(connection);
    expect(overThere).toMatchObject([{ type: 'accepted', job: idOf(signed) }]);
    expect(told).toMatchObject([{ type: 'accepted', job: idOf(signed) }]);
  });

  it('are not taken on where nothing can be written down', async () => {
    await open();
    fails = ['RECEIVED'];
    invite();
    expect(await next()).toMatchObject({ type: 'failed', report: { code: 'STATE_FAILED' } });
    expect(held.size).toBe(0);
    // When there is room again, the same job is as new.
    fails = [];
    invite();
    expect(await next()).toMatchObject({ type: 'accepted' });
  });

  it('are not accepted where the acceptance cannot be written down', async () => {
    await open();
    fails = ['ACCEPTED'];
    const signed = invite();
    expect(await next()).toMatchObject({ type: 'failed', report: { code: 'STATE_FAILED' } });
    expect(held.get(idOf(signed))).toMatchObject({ status: 'ABORTED' });
    expect(told).toEqual([]);
  });

  it('end in silence of the store: not even their end can be written, and still nobody waits', async () => {
    await open();
    fails = ['ACCEPTED', 'ABORTED'];
    const signed = invite();
    expect(await next()).toMatchObject({ type: 'failed', report: { code: 'STATE_FAILED' } });
    expect(held.get(idOf(signed))).toMatchObject({ status: 'RECEIVED' });
  });

  it('expire by this node’s own clock, 120 seconds late', async () => {
    await open();
    const signed = invite();
    await next();
    const expiresMs = Date.parse(signed.envelope.expires);
    const pass = (untilMs: number) => {
      nowMs = untilMs;
      for (const { action } of timers.splice(0)) action();
      return held.get(idOf(signed))!.status;
    };
    expect(pass(expiresMs + skewMs - 1)).toBe('ACCEPTED');
    expect(pass(expiresMs + skewMs)).toBe('EXPIRED');
  });

  it('are taken up after a restart: an acceptance is said again, a judgement is made again', async () => {
    await open();
    const first = invite();
    const accepted = await next();
    await jobs.stop();
    const waiting = consortium.signed(undefined, nowMs);
    const common = { signed: waiting, job: idOf(waiting), attempt: 1, expiresMs: nowMs + 1 };
    held.set(common.job, { ...common, status: 'RECEIVED' });
    await open();
    expect(await next()).toEqual(accepted);
    expect(await next()).toMatchObject({ type: 'accepted', job: idOf(waiting) });
    expect(held.get(idOf(first))).toMatchObject({ status: 'ACCEPTED' });
  });

  describe('that were accepted', () => {
    const policyIs = (from: string, to: string) =>
      writeFileSync(consortium.configFile('camden'), nodeYaml('camden').replace(from, to));
    /** Accepted, and started after the node was started again. */
    async function startedLater(before: Parameters<typeof open>[0], change: () => void) {
      await open(before);
      const signed = invite(consortium.signed(undefined, nowMs));
      const { acceptance } = (await next()) as Extract<NodeMessage, { type: 'accepted' }>;
      await jobs.stop();
      change();
      await open();
      expect(await next()).toMatchObject({ type: 'accepted' });
      hear({ type: 'start', job: idOf(signed), attempt: 1, acceptances: [acceptance] });
      return next();
    }

    it('are not computed once the owner has changed the policy', async () => {
      const change = () => policyIs('filter: [age]', 'filter: []');
      expect(await startedLater({}, change)).toMatchObject({
        type: 'failed',
        report: { code: 'POLICY_CHANGED', party: 'camden' },
      });
      expect([...held.values()]).toMatchObject([{ status: 'ABORTED' }]);
    });

    it('are not computed once the rule has expired', async () => {
      policyIs('min_group: 1\n', 'min_group: 1\n      expires: 2026-11-21\n');
      const change = () => {
        nowMs = Date.parse('2026-11-22T00:00:01.000Z');
      };
      nowMs = Date.parse('2026-11-21T23:59:00.000Z');
      expect(await startedLater({}, change)).toMatchObject({ type: 'failed', report: { code: 'REFUSED' } });
    });

    it('are not computed by another rule where theirs has expired', async () => {
      const rule = nodeYaml('camden').slice(nodeYaml('camden').indexOf('    - name'));
      const first = rule.replace('min_group: 1\n', 'min_group: 1\n      expires: 2026-11-21\n');
      const second = rule.replace('name: statistics', 'name: another').replace('min_group: 1', 'min_group: 5');
      policyIs(rule, first + second);
      nowMs = Date.parse('2026-11-21T23:59:00.000Z');
      const change = () => {
        nowMs += 120_000;
      };
      expect(await startedLater({}, change)).toMatchObject({ type: 'failed', report: { code: 'POLICY_CHANGED' } });
    });

    it('are not computed where nobody approves any more', async () => {
      policyIs('approval: automatic', 'approval: manual');
      expect(await startedLater({ approve: true }, () => {})).toMatchObject({
        type: 'failed',
        report: { code: 'NOT_APPROVED', party: 'camden' },
      });
    });
  });

  describe('that are tried again', () => {
    const lost = { code: 'LINK_LOST', message: 'the connection was lost', remedy: '' } as const;
    type Word = Extract<NodeMessage, { type: 'renounced' }>;

    /** The first attempt is renounced here; what all parties have said by then, as an honest coordinator brings it. */
    async function renounced() {
      await open();
      const signed = invite(consortium.signed(undefined, nowMs));
      const job = idOf(signed);
      const { acceptance: own } = (await next()) as { acceptance: SignedAcceptance };
      hear({ type: 'again', job, attempt: 1, report: lost });
      const { renunciation } = (await next()) as Word;
      const { charter } = own.acceptance;
      const acceptances = acceptedByAll(own);
      const renounces = (party: string, change: Partial<Renunciation> = {}, by = party): SignedRenunciation =>
        signRenunciation({ job, party, charter, attempt: 1, ...change }, signOf(by));
      const renunciations = parties.map((party) => renounces(party));
      expect(renunciation).toEqual(renunciations[0]);
      return { job, acceptances, renunciations, renounces };
    }

    it('are accepted for the next attempt, durably, before anyone can take their word for it', async () => {
      const { job } = await renounced();
      expect(held.get(job)).toMatchObject({ status: 'ACCEPTED', attempt: 2 });
      // It says so again after a restart.
      await jobs.stop();
      await open();
      expect(await next()).toMatchObject({ type: 'renounced', job, attempt: 1 });
    });

    it('open what they had stored once another party has, by the signatures of all and by nothing less', async () => {
      const { job, acceptances } = await renounced();
      const signed = held.get(job)!.signed;
      const sealed = Uint8Array.of(1, 2, 3);
      const acceptance = acceptances[0]!;
      held.set(job, { status: 'HALTED', job, signed, expiresMs: nowMs, attempt: 1, acceptance, acceptances, sealed });
      await jobs.stop();
      await open();
      expect(await next()).toMatchObject({ type: 'halted', job, attempt: 1 });

      const context = { job: fromHex(job), attempt: 1, roster: parties };
      const promised = new Map(parties.map((party) => [party as string, commitment(context, party, sealed)]));
      const commitments = Object.fromEntries([...promised].map(([party, hash]) => [party, toHex(hash)]));
      const statement = openingStatement(context, acceptancesHash(acceptances), promised);
      const signs = (party: string) =>
        toHex(signer(consortium.partyKeys.get(party)!.secret.identity)('folkmoot opening v1', statement));
      const signatures = Object.fromEntries(parties.map((party) => [party, signs(party)]));
      const of = { type: 'signed', job, attempt: 1 } as const;
      for (const forged of [
        { commitments, signatures: { ...signatures, hackney: signs('camden') } },
        { commitments, signatures: { camden: signatures.camden!, hackney: signatures.hackney! } },
        { commitments: { ...commitments, camden: '00'.repeat(32) }, signatures },
      ]) {
        hear({ ...of, ...forged });
        expect(held.get(job)?.status).toBe('HALTED');
      }
      // A full disk is no reason to say that the job is over: another party has opened it. It asks again in a while.
      fails = ['OPENING'];
      hear({ ...of, commitments, signatures });
      expect(held.get(job)?.status).toBe('HALTED');
      expect(told).toEqual([]);
      fails = [];
      for (const { action } of [...timers]) action();
      expect(await next()).toMatchObject({ type: 'halted', job, attempt: 1 });
      hear({ ...of, commitments, signatures });
      expect(held.get(job)).toMatchObject({ status: 'OPENING', opening: { sealed, commitments, signatures } });
    });

    it('are not renounced where that cannot be written down', async () => {
      await open();
      const signed = invite();
      await next();
      fails = ['ACCEPTED'];
      hear({ type: 'again', job: idOf(signed), attempt: 1, report: lost });
      expect(await next()).toMatchObject({ type: 'failed', report: { code: 'STATE_FAILED' } });
      expect(told).toEqual([]);
    });

    type Given = Awaited<ReturnType<typeof renounced>>;
    it.each<[string, (given: Given) => readonly object[], string]>([
      ['none', () => [], 'camden'],
      ['one too few', ({ renunciations }) => renunciations.slice(0, 2), 'islington'],
      ['its own in the place of another’s', ({ renunciations: [a, b] }) => [a!, b!, a!], 'islington'],
      [
        'one that another party signed',
        ({ renunciations: [a, b], renounces }) => [a!, b!, renounces('islington', {}, 'hackney')],
        'islington',
      ],
      [
        'one of another job',
        ({ renunciations: [a, , c], renounces }) => [a!, renounces('hackney', { job: 'b2'.repeat(32) }), c!],
        'hackney',
      ],
      [
        'one of another attempt',
        ({ renunciations: [a, , c], renounces }) => [a!, renounces('hackney', { attempt: 2 }), c!],
        'hackney',
      ],
      [
        'one under another charter',
        ({ renunciations: [a, , c], renounces }) => [a!, renounces('hackney', { charter: 'c3'.repeat(32) }), c!],
        'hackney',
      ],
    ])('are not computed where the coordinator brings %s', async (_, forge, party) => {
      const given = await renounced();
      const { job, acceptances } = given;
      hear({ type: 'start', job, attempt: 2, acceptances, renunciations: [...forge(given)] });
      expect(await next()).toMatchObject({ type: 'failed', report: { code: 'BAD_RENUNCIATION', party } });
      expect(held.get(job)).toMatchObject({ status: 'ABORTED' });
    });

    it('are not computed by the start of an attempt that was renounced', async () => {
      const { job, acceptances, renunciations } = await renounced();
      hear({ type: 'start', job, attempt: 1, acceptances });
      hear({ type: 'start', job, attempt: 3, acceptances, renunciations });
      expect(held.get(job)).toMatchObject({ status: 'ACCEPTED', attempt: 2 });
      expect(told).toEqual([]);
    });

    it('are computed with the word of every party, and of no fewer checks than at first', async () => {
      const { job, acceptances, renunciations } = await renounced();
      hear({ type: 'start', job, attempt: 2, acceptances, renunciations });
      expect(held.get(job)).toMatchObject({ status: 'RUNNING', attempt: 2 });
    });

    it('are not known to a node that lost its state: it cannot say what it opened', async () => {
      await open();
      hear({ type: 'again', job: 'a1'.repeat(32), attempt: 1, report: lost });
      expect(await next()).toMatchObject({ type: 'failed', report: { code: 'UNKNOWN_JOB' } });
    });
  });

  it('are accepted and opened again for a coordinator that has lost what was delivered to it', async () => {
    await open();
    const signed = invite();
    const job = idOf(signed);
    const { acceptance } = (await next()) as Accepted;
    const common = { job, signed, attempt: 1, expiresMs: nowMs };
    const sealed = Uint8Array.of(1, 2, 3);
    held.set(job, { ...common, status: 'RESULT' });
    delivered = { ...common, status: 'OPENING', acceptance, opening: { sealed, commitments: {}, signatures: {} } };
    await jobs.stop();
    await open();
    expect(told).toEqual([]);
    invite(signed);
    expect(await next()).toEqual({ type: 'accepted', job, attempt: 1, acceptance });
    expect(sent).toEqual([{ attempt: 1, sealed }]);
    hear({ type: 'start', job, attempt: 1, acceptances: acceptedByAll(acceptance) });
    expect(sent).toHaveLength(2);
    expect(held.get(job)?.status).toBe('RESULT');
  });

  it('stay aside where they cannot be read, and the others go on', async () => {
    await open();
    const [first, second] = [invite(), invite()];
    for (const _ of [first, second]) await next();
    await jobs.stop();
    damaged = idOf(first);
    await open();
    expect(told).toMatchObject([{ type: 'accepted', job: idOf(second) }]);
    told = [];
    for (let tick = 0; tick < 3; tick++) {
      hear({ type: 'again', job: damaged, attempt: 1, report: { code: 'LINK_LOST', message: '', remedy: '' } });
      expect(await next()).toMatchObject({ type: 'failed', job: damaged, report: { code: 'STATE_FAILED' } });
      for (const { action } of timers.splice(0)) action();
    }
    expect(told).toEqual([]);
  });

  it('are not taken for unwritten once a later step could be written down', async () => {
    begins = () => ({ commit: () => {}, deliver: async () => {}, stop: async () => {} });
    await open();
    fails = ['RUNNING', 'ABORTED'];
    const job = await start();
    expect(await next()).toMatchObject({ type: 'failed', report: { code: 'STATE_FAILED' } });
    fails = [];
    const { acceptance } = held.get(job) as Accepted & JobState;
    hear({ type: 'start', job, attempt: 1, acceptances: acceptedByAll(acceptance) });
    expect(held.get(job)?.status).toBe('RUNNING');
    for (const { action } of timers.splice(0)) action();
    expect(held.get(job)?.status).toBe('RUNNING');
    expect(told).toEqual([]);
  });

  it('are counted as ended where another party ended their attempt', async () => {
    begins = () => ({ commit: () => {}, deliver: async () => {}, stop: async () => {} });
    const registry = new Registry();
    const subject = { party: 'camden', version: '', charterHash: '', freeBytes: () => undefined };
    const counts = () => ({ jobs: {}, ledgerEntries: 0, auditEntries: 0, released: 0 });
    await open({}, undefined, createMetrics(registry, { ...subject, counts }));
    const job = await start();
    for (let time = 0; time < 2; time++) {
      hear({ type: 'again', job, attempt: 1, report: { code: 'LINK_LOST', message: '', remedy: '' } });
    }
    const ended = await registry.getSingleMetricAsString('folkmoot_attempts_ended_total');
    expect(ended).toContain('folkmoot_attempts_ended_total{code="RENOUNCED"} 1');
  });

  it('are judged before anything is built for them', async () => {
    await open();
    // Over the limit of what may be built.
    const wide = (width: number) => `{ of: arrears, bins: { from: 0, to: 20000, width: ${width} } }`;
    const text = jobYaml
      .replace('[tenure]', '[tenure, age]')
      .replace(/measures: .*/, `measures: { a: { histogram: ${wide(2)} }, b: { median: ${wide(2.2)} } }`);
    invite(consortium.signed(text, nowMs));
    expect(await next()).toMatchObject({ type: 'denied', report: { code: 'REFUSED' } });
  });

  it.each([
    ['that only wait', 1_000, {}],
    ['of any other kind', 64, { status: 'HALTED', sealed: new Uint8Array(1), acceptances: [] }],
  ] as const)('%s are %i at most', async (_, most, other) => {
    await open();
    const signed = invite();
    await next();
    const state = held.get(idOf(signed))!;
    const more = async (count: number) => {
      for (let index = held.size; index <= count; index++) {
        const job = index.toString(16).padStart(64, '0');
        held.set(job, { ...state, ...other, job } as JobState);
      }
      await jobs.stop();
      await open();
      told = [];
    };
    await more('status' in other ? most - 1 : most - 2);
    const last = invite();
    expect(await next()).toMatchObject({ type: 'accepted', job: idOf(last) });
    await more(most + 1);
    invite();
    expect(await next()).toMatchObject({ type: 'denied', report: { code: 'BUSY', party: 'camden' } });
    // One that it knows is answered, also where it has ended.
    invite(signed);
    expect(await next()).toMatchObject({ type: 'accepted', job: idOf(signed) });
    hear({ type: 'cancel', job: idOf(signed) });
    invite(signed);
    expect(await next()).toMatchObject({ type: 'failed', report: { code: 'CANCELLED' } });
  });

  it('are computed 64 at a time, and one more is not begun, and may be tried again', async () => {
    const computation = { commit: () => {}, deliver: async () => {}, stop: async () => {} };
    begins = () => computation;
    await open();
    const job = idOf(invite());
    const last = (await next()) as Accepted;
    for (let index = 0; index < 64; index++) expect(held.get(await start())).toMatchObject({ status: 'RUNNING' });
    hear({ type: 'start', job, attempt: 1, acceptances: acceptedByAll(last.acceptance) });
    expect(await next()).toMatchObject({ type: 'renounced', attempt: 1, report: { code: 'BUSY', party: 'camden' } });
    expect(held.get(job)).toMatchObject({ status: 'ACCEPTED', attempt: 2 });
  });

  it('may be tried again where no thread could be had for them', async () => {
    begins = () => {
      throw new Error('ERR_WORKER_INIT_FAILED');
    };
    await open();
    const job = await start();
    expect(await next()).toMatchObject({ type: 'renounced', attempt: 1, report: { code: 'CRASHED', party: 'camden' } });
    expect(held.get(job)).toMatchObject({ status: 'ACCEPTED', attempt: 2 });
  });

  it('are denied where the decisions of people cannot be read', async () => {
    writeFileSync(consortium.configFile('camden'), nodeYaml('camden', 'manual'));
    await open();
    isUnreadable = true;
    invite();
    expect(await next()).toMatchObject({ type: 'denied', report: { code: 'STATE_FAILED' } });
  });

  it('are judged to no end once the node has stopped, whose store is closed', async () => {
    writeFileSync(consortium.configFile('camden'), nodeYaml('camden', 'manual'));
    await open();
    isUnreadable = true;
    const signed = invite();
    await jobs.stop();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(told).toEqual([]);
    expect(held.get(idOf(signed))?.status).toBe('RECEIVED');
  });

  it('are heard of no more once the node has stopped', async () => {
    await open();
    await jobs.stop();
    invite();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(told).toEqual([]);
  });
});
