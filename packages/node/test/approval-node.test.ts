import { randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { termsOf } from '@folkmoot/core/approval.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { makeKeys, writeKeys } from '@folkmoot/transport/keyring.js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningNode, startNode } from '../src/node.ts';
import { readLedger } from '../src/owner.ts';
import { decideOnJob, type JobToDecide, readJobToDecide, readWaiting } from '../src/owner-approvals.ts';
import { askOwner } from '../src/owner-client.ts';
import { type Consortium, idOf, makeConsortium, nodeYaml, type PartyName, parties } from './consortium.ts';
import { StandIn } from './stand-in-coordinator.ts';

const reason = { reason: 'file 2026/14' };
let consortium: Consortium;
let coordinator: StandIn;
/** Camden’s, as it was started last. */
let node: RunningNode | undefined;
let nodes: RunningNode[];
let logged: string[];
let signed: SignedJob;

const startCamden = () => start('camden');
async function start(party: PartyName): Promise<void> {
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const configFile = consortium.configFile(party);
  const logins = heard('login').length;
  const started = await startNode({ configFile, overrides: { coordinator: coordinator.url }, log, env: {} });
  nodes.push(started);
  if (party === 'camden') node = started;
  await coordinator.until(() => heard('login').length > logins);
}
const heard = (type: string) => coordinator.heard.filter(({ message }) => message.type === type);
const invite = (party = 'camden') => coordinator.send(party, { type: 'invite', job: idOf(signed), attempt: 1, signed });
const home = () => ({ configFile: consortium.configFile('camden'), nowMs: () => Date.now() });
const waiting = async (): Promise<JobToDecide | undefined> => (await readWaiting(home())).waiting[0];
const yes = async (who: string) =>
  decideOnJob(home(), { keys: join(consortium.folder, who) }, await readJobToDecide(home(), idOf(signed), 'approve'), {
    decision: 'approve',
    ...reason,
  });

beforeEach(async () => {
  consortium = await makeConsortium(77);
  coordinator = await StandIn.start(consortium.charter);
  [logged, nodes] = [[], []];
  let listed = '';
  for (const who of ['ada', 'ben']) {
    const keys = await makeKeys('approver', randomBytes);
    await writeKeys(join(consortium.folder, who), keys);
    listed += `  ${who}: { name: ${who} Example, identity: "${keys.public.identity}" }\n`;
  }
  // The analyst, in the guise of an approver.
  await writeKeys(join(consortium.folder, 'eve'), consortium.analystKeys);
  listed += `  eve: { name: Eve Example, identity: "${consortium.analystKeys.public.identity}" }\n`;
  const text = `${nodeYaml('camden', 'manual\n      approvers: 2')}approvers:\n${listed}`;
  writeFileSync(consortium.configFile('camden'), text);
  signed = consortium.signed();
  await startCamden();
});
afterEach(async () => {
  await Promise.all(nodes.map((one) => one.stop()));
  await coordinator.stop();
  consortium.dispose();
});

describe('a node whose rule asks for people', () => {
  it('judges a job, says that it waits, and accepts just what two of them approved', async () => {
    invite();
    await coordinator.next('camden', 'awaiting');
    const shown = await waiting();
    expect(shown).toMatchObject({ job: idOf(signed), rule: 'statistics', approvers: 2, change: null, decisions: [] });
    expect(shown?.plan.parties[0]).toMatchObject({ id: 'camden', rule: 'statistics', approvers: 2 });
    await yes('ada');
    invite();
    await coordinator.until(() => heard('awaiting').length === 2);
    expect((await waiting())?.decisions).toMatchObject([{ by: 'ada', name: 'ada Example', ...reason, counts: true }]);
    await yes('ben');
    const { acceptance } = (await coordinator.next('camden', 'accepted')).acceptance as SignedAcceptance;
    expect(termsOf(acceptance)).toEqual(shown?.terms);
    expect(await waiting()).toBeUndefined();
    expect(logged.join('')).not.toContain(reason.reason);
  });

  it('asks anew where the records have changed since the first of them approved', async () => {
    invite();
    await coordinator.next('camden', 'awaiting');
    const before = await waiting();
    await yes('ada');
    appendFileSync(join(consortium.folder, 'camden/data/residents.csv'), 'c4,50,owner,1\n');
    await yes('ben');
    await coordinator.until(() => heard('awaiting').length === 2);
    const after = await waiting();
    expect(after).toMatchObject({
      change: 'the records have changed',
      decisions: [{ counts: false }, { counts: false }],
    });
    expect(after?.terms.fingerprint).not.toBe(before?.terms.fingerprint);
    for (const who of ['ada', 'ben']) await yes(who);
    const { acceptance } = (await coordinator.next('camden', 'accepted')).acceptance as SignedAcceptance;
    expect(termsOf(acceptance)).toEqual(after?.terms);
  });

  it('asks anew where the policy has changed, and takes no approval until it has judged the job by it', async () => {
    invite();
    await coordinator.next('camden', 'awaiting');
    await yes('ada');
    await node?.stop();
    const file = consortium.configFile('camden');
    writeFileSync(file, readFileSync(file, 'utf8').replace('min_group: 1', 'min_group: 2'));
    await expect(yes('ben')).rejects.toMatchObject({ code: 'APPROVAL_CHANGED' });
    await startCamden();
    await expect.poll(async () => (await waiting())?.change, { timeout: 20_000 }).toBe('the policy has changed');
    expect((await waiting())?.plan.threshold).toBe(2);
    for (const who of ['ada', 'ben']) await yes(who);
    await coordinator.next('camden', 'accepted');
  });

  it('takes up what they decided while it did not run', async () => {
    invite();
    await coordinator.next('camden', 'awaiting');
    await node?.stop();
    await yes('ada');
    const target = await readJobToDecide(home(), idOf(signed), 'deny');
    const taken = await decideOnJob(home(), { keys: join(consortium.folder, 'ben') }, target, {
      decision: 'deny',
      ...reason,
    });
    expect(taken).toMatchObject({ state: 'AWAITING_APPROVAL' });
    await startCamden();
    invite();
    const { report } = await coordinator.next('camden', 'denied');
    expect(report).toMatchObject({ code: 'DENIED_BY_OWNER', party: 'camden' });
    expect(JSON.stringify(report)).not.toMatch(/ben|2026/);
  });

  it('refuses what the rules no longer allow when its people have approved', async () => {
    invite();
    await coordinator.next('camden', 'awaiting');
    for (const who of ['ada', 'ben']) await node?.stop().then(() => yes(who));
    const file = consortium.configFile('camden');
    writeFileSync(file, readFileSync(file, 'utf8').replace('filter: [age]', 'filter: []'));
    await startCamden();
    invite();
    expect((await coordinator.next('camden', 'denied')).report).toMatchObject({ code: 'REFUSED', field: 'age' });
  });

  it('holds no budget back while it waits, and asks for it again when they have approved', async () => {
    const asking = (title: string) =>
      consortium.signed(
        `folkmoot: 1\ntitle: ${title}\npurpose: prevention\nfrom: residents\nmeasures: { n: count }\nprivacy: { epsilon: 6 }\n`,
      );
    const jobs = ['First', 'Second'].map(asking);
    for (const job of jobs) {
      signed = job;
      invite();
    }
    await coordinator.until(() => heard('awaiting').length === 2);
    expect((await waiting())?.plan.privacy?.charges).toMatchObject([
      { party: 'camden', remains: { amount: '4' } },
      {},
      {},
    ]);
    expect((await readLedger(home())).entries).toEqual([]);
    for (const job of jobs) {
      signed = job;
      for (const who of ['ada', 'ben']) await yes(who);
      await coordinator.until(() => heard('accepted').length + heard('denied').length === jobs.indexOf(job) + 1);
    }
    expect((await readLedger(home())).entries).toMatchObject([{ kind: 'reserve', title: 'First' }]);
    expect((await coordinator.next('camden', 'denied')).report).toMatchObject({ code: 'BUDGET_EXCEEDED' });
  });

  it('shows the oldest 50 jobs that wait, and how many more there are', async () => {
    const jobs = Array.from({ length: 52 }, () => consortium.signed());
    for (const job of jobs) {
      signed = job;
      invite();
    }
    await coordinator.until(() => heard('awaiting').length === 52);
    const { waiting: shown, more } = await readWaiting(home());
    expect({ shown: shown.length, more }).toEqual({ shown: 50, more: 2 });
  });

  it('lets no analyst decide on a job of their own', async () => {
    invite();
    await coordinator.next('camden', 'awaiting');
    await expect(yes('eve')).rejects.toMatchObject({ code: 'OWN_JOB', party: 'camden' });
    expect((await waiting())?.decisions).toEqual([]);
  });

  it('stops a computation at once when one of them takes the approval back', async () => {
    invite();
    await coordinator.next('camden', 'awaiting');
    for (const who of ['ada', 'ben']) await yes(who);
    for (const party of parties.slice(1)) {
      await start(party);
      invite(party);
    }
    const accepted = await Promise.all(parties.map((party) => coordinator.next(party, 'accepted')));
    const acceptances = accepted.map(({ acceptance }) => acceptance);
    // The others are not told to begin, so that the computation is still under way.
    coordinator.admit({ job: fromHex(idOf(signed)), attempt: 1, roster: parties });
    coordinator.send('camden', { type: 'start', job: idOf(signed), attempt: 1, acceptances });
    const moved = (to: string) =>
      logged.some((line) => line.includes('"party":"camden"') && line.includes(`"state":"${to}"`));
    await expect.poll(() => moved('RUNNING'), { timeout: 20_000 }).toBe(true);
    const target = await readJobToDecide(home(), idOf(signed), 'revoke');
    expect(target).toMatchObject({ state: 'RUNNING', rule: null, approvers: null });
    const who = { keys: join(consortium.folder, 'ben') };
    const taken = await decideOnJob(home(), who, target, { decision: 'revoke', ...reason });
    expect(taken).toMatchObject({ by: 'ben', state: 'ABORTED' });
    const { report } = await coordinator.next('camden', 'failed');
    expect(report).toMatchObject({ code: 'APPROVAL_REVOKED', party: 'camden' });
    await expect(yes('ada')).rejects.toMatchObject({ code: 'ALREADY_ENDED' });
  });

  it('names what is wrong with a request on its owner’s channel', async () => {
    invite();
    await coordinator.next('camden', 'awaiting');
    const state = join(consortium.folder, 'camden/state');
    const path = `/v1/jobs/${idOf(signed)}/approval`;
    await expect(askOwner(state, 'GET', path)).rejects.toMatchObject({ code: 'BAD_VALUE', field: 'decision' });
    await expect(askOwner(state, 'GET', '/v1/jobs/zz/approval?decision=deny')).rejects.toMatchObject({
      code: 'UNKNOWN_JOB',
    });
    await expect(askOwner(state, 'POST', path, { approval: {} })).rejects.toMatchObject({ name: 'InputError' });
    expect(await askOwner(state, 'GET', '/v1/node')).toMatchObject({ party: 'camden' });
  });
});
