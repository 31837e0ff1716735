import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { type HeadOffer, signHead } from '@folkmoot/core/audit-head.js';
import {
  type BudgetRequest,
  checkBudgetStatement,
  requestHash,
  signBudgetRequest,
} from '@folkmoot/core/budget-statement.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import { charterHash } from '@folkmoot/core/charter.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { reportOf, StateError } from '@folkmoot/core/errors.js';
import { signer, verify } from '@folkmoot/core/identity.js';
import { report } from '@folkmoot/core/report.js';
import { open } from '@folkmoot/transport/envelope.js';
import { readKeys } from '@folkmoot/transport/keyring.js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobState } from '../src/lifecycle.ts';
import { type RunningNode, startNode } from '../src/node.ts';
import { declarePeriod, readLedger } from '../src/owner.ts';
import { confirmRestored } from '../src/owner-audit.ts';
import { openStore } from '../src/store.ts';
import { type Consortium, idOf, makeConsortium, nodeYaml, type PartyName, parties } from './consortium.ts';
import { StandIn } from './stand-in-coordinator.ts';

let consortium: Consortium;
let coordinator: StandIn;
let nodes: RunningNode[];
let logged: string[];

beforeEach(async () => {
  consortium = await makeConsortium(77);
  coordinator = await StandIn.start(consortium.charter);
  nodes = [];
  logged = [];
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await coordinator.stop();
  consortium.dispose();
});

const setBack = reportOf(new StateError('INTERRUPTED', { party: 'hackney' }));

const protectedJob = (privacy = '{ epsilon: 1 }', measures = '{ households: count }') => `
folkmoot: 1
title: Households
purpose: prevention
from: residents
measures: ${measures}
privacy: ${privacy}
`;

async function startOne(party: PartyName): Promise<RunningNode> {
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const overrides = { coordinator: coordinator.url };
  const logins = () => coordinator.heard.filter((one) => one.party === party && one.message.type === 'login').length;
  const before = logins();
  const node = await startNode({ configFile: consortium.configFile(party), overrides, log, env: {} });
  nodes.push(node);
  await coordinator.until(() => logins() > before);
  return node;
}
async function restart(party: PartyName): Promise<void> {
  await nodes.find((node) => node.party === party)!.stop();
  nodes = nodes.filter((node) => node.party !== party);
  await startOne(party);
}

/** What the party says to an invitation. */
async function asked(party: PartyName, signed: SignedJob) {
  coordinator.send(party, { type: 'invite', job: idOf(signed), attempt: 1, signed });
  const said = () =>
    coordinator.heard.find(
      (one) =>
        one.party === party &&
        'job' in one.message &&
        one.message.job === idOf(signed) &&
        ['accepted', 'denied', 'failed'].includes(one.message.type),
    )?.message;
  await coordinator.until(() => said() !== undefined);
  return said() as unknown as {
    type: string;
    acceptance: SignedAcceptance;
    head: HeadOffer;
    report: { code: string; message: string };
  };
}

/** A job that the others do not begin, since camden's state is not the one that they know. */
async function refused(signed: SignedJob): Promise<void> {
  const acceptances = await Promise.all(parties.map(async (party) => (await asked(party, signed)).acceptance));
  const job = idOf(signed);
  for (const party of parties) coordinator.send(party, { type: 'start', job, attempt: 1, acceptances });
  const said = (party: string, type: string) =>
    coordinator.heard.some((one) => one.party === party && one.message.type === type);
  await coordinator.until(() => said('hackney', 'failed') && said('islington', 'failed') && said('camden', 'held'));
  const failed = await coordinator.next('hackney', 'failed');
  expect(failed.report).toMatchObject({ code: expect.stringMatching(/^AUDIT_/), party: 'camden' });
  for (const party of parties) coordinator.send(party, { type: 'abort', job, attempt: 1, report: failed.report });
}

/** The whole road; gives the answer's rows. */
async function answered(signed: SignedJob) {
  const acceptances = await Promise.all(parties.map(async (party) => (await asked(party, signed)).acceptance));
  const job = idOf(signed);
  coordinator.admit({ job: fromHex(job), attempt: 1, roster: parties });
  for (const party of parties) coordinator.send(party, { type: 'start', job, attempt: 1, acceptances });
  const own = () => coordinator.openings.filter(({ opening }) => opening.announcement.job === job);
  await coordinator.until(() => own().length === 3);
  for (const party of parties) coordinator.send(party, { type: 'stored', job, attempt: 1 });
  const openings = own().map(({ party, opening: { sealed, announcement } }) => {
    return { party, sealed, commitments: announcement.commitments, signatures: announcement.signatures };
  });
  const { charter, analystKeys } = consortium;
  const { rows } = await report(
    { signed, charter, acceptances, nowMs: Date.now() },
    { attempt: 1, openings },
    {
      verify: (party, statement, signature) =>
        verify(fromHex(charter.parties[party]!.identity!), 'folkmoot opening v1', statement, signature),
      open: (sealed, sender) =>
        open(analystKeys.secret.recipient, { job: fromHex(job), attempt: 1, sender, recipient: 'ana' }, sealed),
    },
  );
  return { rows, acceptances };
}

const ledgerOf = (party: PartyName) =>
  readLedger({ configFile: consortium.configFile(party), nowMs: () => Date.now() });
const amounts = async (party: PartyName) => {
  const { total } = (await ledgerOf(party)).datasets[0]!;
  return { spent: total.spent.amount, reserved: total.reserved.amount };
};
const kinds = async (party: PartyName) => (await ledgerOf(party)).entries.map(({ kind }) => kind).toReversed();
const csvOf = (party: PartyName) => join(consortium.folder, party, 'data', 'residents.csv');
const rewrite = (party: PartyName, from: string | RegExp, to: string) =>
  writeFileSync(consortium.configFile(party), nodeYaml(party).replace(from, to));

describe('a protected job', () => {
  it('is charged once, and asked again has the same noise, over restarts and whatever the source has become', async () => {
    for (const party of parties) await startOne(party);
    const first = await answered(consortium.signed(protectedJob()));
    expect(first.acceptances[0]!.acceptance).toMatchObject({ period: '2026-Q4', budget: 'epsilon' });
    expect(await amounts('camden')).toEqual({ spent: '1', reserved: '0' });
    rmSync(csvOf('camden'));
    writeFileSync(csvOf('hackney'), 'id,age,tenure,arrears_gbp\n');
    await restart('camden');
    const second = await answered(consortium.signed(protectedJob().replace('Households', 'Another title')));
    expect(second.rows).toEqual(first.rows);
    expect(second.acceptances.map(({ acceptance }) => acceptance.fingerprint)).toEqual(
      first.acceptances.map(({ acceptance }) => acceptance.fingerprint),
    );
    expect(await kinds('camden')).toEqual(['reserve', 'release', 'charge', 'repeat']);
    const third = await answered(consortium.signed(protectedJob('{ epsilon: 0.9 }')));
    expect(third.rows).not.toEqual(first.rows);
    expect(await amounts('hackney')).toEqual({ spent: '1.9', reserved: '0' });
  });

  it('has other noise where the state was lost and the period is read again: no difference is exact, and every party is charged', async () => {
    for (const party of parties) await startOne(party);
    const job = () => consortium.signed(protectedJob('{ epsilon: 1 }', '{ total: { sum: arrears } }'));
    const first = await answered(job());
    await nodes.find(({ party }) => party === 'camden')!.stop();
    nodes = nodes.filter(({ party }) => party !== 'camden');
    rmSync(join(consortium.folder, 'camden', 'state'), { recursive: true });
    // Another age is another reading, and the same sum of arrears.
    writeFileSync(csvOf('camden'), readFileSync(csvOf('camden'), 'utf8').replace('c1,30', 'c1,31'));
    await startOne('camden');
    // Its peers notice, and hold what it signed; from there on it refuses until its owner has confirmed the loss.
    const lost = job();
    const before = job();
    await refused(lost);
    const ended = () =>
      coordinator.heard.filter(({ party, message }) => party === 'camden' && message.type === 'failed');
    await coordinator.until(() => ended().length > 0);
    expect(ended()[0]!.message).toMatchObject({ job: idOf(lost), report: { code: 'STATE_RESTORED' } });
    const options = { configFile: consortium.configFile('camden'), nowMs: Date.now };
    expect(await asked('camden', job())).toMatchObject({ type: 'denied', report: { code: 'STATE_RESTORED' } });
    await confirmRestored(options, 'the disk broke');
    // What was lost may have answered this one.
    expect(await asked('camden', before)).toMatchObject({ type: 'denied', report: { code: 'STATE_RESTORED' } });
    expect((await answered(job())).rows).not.toEqual(first.rows);
    // Nor is it free anywhere: with new noise of one party an answer tells more.
    for (const party of parties) {
      expect(await amounts(party)).toEqual({ spent: '2', reserved: '0' });
    }
  });

  it('is ended in a state that was set back: nobody there can say that an attempt was not opened', async () => {
    await startOne('camden');
    const signed = consortium.signed(protectedJob());
    const { acceptance, head } = await asked('camden', signed);
    const waits = consortium.signed(protectedJob('{ epsilon: 0.5 }'));
    await asked('camden', waits);
    await nodes.pop()!.stop();
    // The copy is of the middle of an attempt, and a peer holds a later state.
    const store = openStore(join(consortium.folder, 'camden', 'state'), Date.now);
    const accepted = store.load(idOf(signed)) as Extract<JobState, { status: 'ACCEPTED' }>;
    store.save({ ...accepted, status: 'RUNNING', acceptances: [acceptance], claim: { ...accepted.claim!, key: 'k' } });
    const sign = signer((await readKeys(join(consortium.folder, 'camden', 'keys'))).secret.identity);
    const later = signHead({ ...head.head.head, size: 100, root: 'ab'.repeat(32) }, sign);
    const self = { party: 'camden', charter: consortium.charter, charterHash: charterHash(consortium.charter), sign };
    store.audited((_, nowMs, heads) => heads.confront(later, 'hackney', self, nowMs));
    store.close();
    for (const confirm of [false, true]) {
      if (confirm) await confirmRestored({ configFile: consortium.configFile('camden'), nowMs: Date.now }, 'set back');
      await startOne('camden');
      coordinator.send('camden', { type: 'again', job: idOf(signed), attempt: 1, report: setBack });
      coordinator.send('camden', { type: 'invite', job: idOf(waits), attempt: 1, signed: waits });
      const said = (of: SignedJob) =>
        coordinator.heard.filter(({ message }) => 'job' in message && message.job === idOf(of)).at(-1)!.message;
      for (const of of [signed, waits]) {
        await coordinator.until(() => said(of).type === 'failed');
        expect(said(of)).toMatchObject({ report: { code: 'STATE_RESTORED' } });
      }
      await nodes.pop()!.stop();
    }
    expect(coordinator.heard.filter(({ message }) => message.type === 'renounced')).toEqual([]);
    expect((await amounts('camden')).reserved).toBe('0');
  });

  it('gives back what was held where nothing was opened: cancelled, failed, interrupted', async () => {
    await startOne('camden');
    const held = consortium.signed(protectedJob());
    expect((await asked('camden', held)).type).toBe('accepted');
    expect(await amounts('camden')).toEqual({ spent: '0', reserved: '1' });
    await restart('camden');
    expect(await amounts('camden')).toEqual({ spent: '0', reserved: '1' });
    coordinator.send('camden', { type: 'cancel', job: idOf(held) });
    await expect.poll(() => amounts('camden')).toEqual({ spent: '0', reserved: '0' });
    expect(await kinds('camden')).toEqual(['reserve', 'release']);
    // The start of a job whose acceptances lack a period ends it before anything is spent.
    const other = consortium.signed(protectedJob());
    const { acceptance } = await asked('camden', other);
    coordinator.send('camden', { type: 'start', job: idOf(other), attempt: 1, acceptances: [acceptance] });
    await expect.poll(() => kinds('camden')).toEqual(['reserve', 'release', 'reserve', 'release']);
  });

  it('is refused before anything is read where the budget is missing, spent, or of another unit', async () => {
    await startOne('camden');
    const over = await asked('camden', consortium.signed(protectedJob('{ epsilon: 10.000001 }')));
    expect(over).toMatchObject({ type: 'denied', report: { code: 'BUDGET_EXCEEDED', party: 'camden' } });
    expect(over.report.message).toContain('ε 10 is left of the ε 10 of ana');
    expect(await asked('camden', consortium.signed(protectedJob('{ rho: 0.1 }')))).toMatchObject({ type: 'accepted' });
    expect(await asked('camden', consortium.signed(protectedJob('{ rho: 0.1, mechanism: gaussian }')))).toMatchObject({
      type: 'denied',
      report: { code: 'BUDGET_UNIT' },
    });
    rewrite('hackney', /budget: .*/, '');
    await startOne('hackney');
    expect(await asked('hackney', consortium.signed(protectedJob()))).toMatchObject({
      type: 'denied',
      report: { code: 'NO_BUDGET', party: 'hackney' },
    });
    expect(readdirSync(join(consortium.folder, 'hackney', 'state'))).not.toContain('snapshots');
    rewrite('islington', /budget: .*/, 'budget: { rho: 1 }');
    await startOne('islington');
    const inRho = await asked('islington', consortium.signed(protectedJob()));
    expect(inRho.acceptance.acceptance.budget).toBe('rho');
    // A pure ε of 1 is ρ = 1/2.
    expect(await amounts('islington')).toEqual({ spent: '0', reserved: '0.5' });
    expect(await asked('islington', consortium.signed(protectedJob('{ epsilon: 1.000001 }')))).toMatchObject({
      report: { code: 'BUDGET_EXCEEDED' },
    });
  });

  it('is refused for no record: an exact job is, by name', async () => {
    writeFileSync(csvOf('camden'), 'id,age,tenure,arrears_gbp\nc1,old,castle,1_000\n,31,private,2.50\nc1,1,2,3\n');
    for (const party of parties) await startOne(party);
    const { rows } = await answered(consortium.signed(protectedJob()));
    expect(rows).toHaveLength(1);
    expect(logged.join('') + JSON.stringify(coordinator.heard)).not.toMatch(/castle|1_000/);
  });

  it('answers from the period that it was accepted in, or not at all', async () => {
    await startOne('camden');
    const held = consortium.signed(protectedJob());
    const { acceptance } = await asked('camden', held);
    await nodes.pop()!.stop();
    const owner = { configFile: consortium.configFile('camden'), nowMs: () => Date.now() };
    expect(await declarePeriod(owner, 'residents', '2027-Q1')).toMatchObject({ ended: '2026-Q4' });
    for (const [dataset, period, code] of [
      ['residents', '2026-Q4', 'PERIOD_ENDED'],
      ['residents', '2027/Q2', 'BAD_VALUE'],
      ['patients', '2027-Q2', 'NOT_HELD'],
    ] as const) {
      await expect(declarePeriod(owner, dataset, period)).rejects.toMatchObject({ code });
    }
    await startOne('camden');
    expect((await ledgerOf('camden')).datasets).toMatchObject([
      { period: '2027-Q1', total: { spent: { amount: '0' } } },
    ]);
    coordinator.send('camden', { type: 'start', job: idOf(held), attempt: 1, acceptances: [acceptance] });
    await coordinator.next('camden', 'failed');
    expect((await ledgerOf('camden')).entries.map(({ kind }) => kind)).toEqual(['release', 'reserve']);
    await expect(declarePeriod(owner, 'residents', '2027-Q2')).rejects.toMatchObject({ code: 'STATE_IN_USE' });
  });

  it('is not answered by a node whose file goes back to a period that has ended', async () => {
    await startOne('camden');
    await nodes.pop()!.stop();
    rewrite('camden', '2026-Q4', '2027-Q1');
    await startOne('camden');
    await nodes.pop()!.stop();
    rewrite('camden', '2026-Q4', '2026-Q4');
    await expect(startOne('camden')).rejects.toMatchObject({
      code: 'PERIOD_ENDED',
      field: 'datasets.residents.period',
    });
  });
});

describe('a statement of budgets', () => {
  const request = (change: Partial<BudgetRequest> = {}): BudgetRequest => ({
    analyst: 'ana',
    charter: charterHash(consortium.charter),
    issued: new Date().toISOString(),
    nonce: 'cd'.repeat(16),
    ...change,
  });
  const signed = (of: BudgetRequest) => signBudgetRequest(of, signer(consortium.analystKeys.secret.identity));

  it('tells the analyst who asked what is left, and what their jobs were charged', async () => {
    for (const party of parties) await startOne(party);
    const job = consortium.signed(protectedJob());
    await answered(job);
    await asked('camden', consortium.signed(protectedJob('{ epsilon: 0.25 }')));
    const asking = request();
    coordinator.send('camden', { type: 'budget', request: signed(asking) });
    const { statement } = await coordinator.next('camden', 'budget');
    const checked = checkBudgetStatement(statement, consortium.charter, asking);
    expect(checked.request).toBe(requestHash(asking));
    expect(checked).toMatchObject({
      party: 'camden',
      datasets: [
        {
          dataset: 'residents',
          period: '2026-Q4',
          unit: 'epsilon',
          total: { initial: { amount: '20', delta: '0' }, remaining: { amount: '18.75' } },
          own: {
            initial: { amount: '10' },
            spent: { amount: '1' },
            reserved: { amount: '0.25' },
            remaining: { amount: '8.75' },
          },
          exact_too: true,
        },
      ],
      jobs: [{ job: idOf(job), cost: { amount: '1', delta: '0' } }],
    });
  });

  it('is given to nobody else: not in another’s name, nor for a request of yesterday', async () => {
    await startOne('camden');
    const yesterday = new Date(Date.now() - 86_400_000).toISOString();
    for (const bad of [
      { ...signed(request()), signature: 'a'.repeat(128) },
      signed(request({ issued: yesterday })),
      signed(request({ analyst: 'bob' })),
      { request: {} },
    ]) {
      coordinator.send('camden', { type: 'budget', request: bad });
    }
    await expect.poll(() => logged.filter((line) => line.includes('budget-request-refused')).length).toBe(4);
    expect(coordinator.heard.filter(({ message }) => message.type === 'budget')).toEqual([]);
  });
});

describe('what the owner reads', () => {
  it('is the same while the node runs and after, for the owner alone', async () => {
    await startOne('camden');
    await asked('camden', consortium.signed(protectedJob()));
    const live = await ledgerOf('camden');
    expect(live).toMatchObject({
      party: 'camden',
      datasets: [{ analysts: [{ analyst: 'ana', reserved: { amount: '1' } }], exact_too: true }],
      entries: [{ kind: 'reserve', title: 'Households', purpose: 'prevention', analyst: 'ana' }],
    });
    await nodes.pop()!.stop();
    expect(await ledgerOf('camden')).toEqual(live);
    rewrite('camden', 'min_group: 1\n', 'min_group: 1\n      privacy: { required: true }\n');
    expect((await ledgerOf('camden')).datasets).toMatchObject([{ exact_too: false }]);
  });
});
