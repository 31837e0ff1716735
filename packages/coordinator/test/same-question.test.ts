import { requestHash, type SignedBudgetRequest, signBudgetRequest } from '@folkmoot/core/budget-statement.js';
import { charterHash } from '@folkmoot/core/charter.js';
import { jobId } from '@folkmoot/core/envelope.js';
import { signer } from '@folkmoot/core/identity.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningCoordinator } from '../src/server.ts';
import { type Api, acceptanceOf, api, type Consortium, consortium, jobYaml, parties, signedJob } from './consortium.ts';
import { ScriptedNode } from './scripted-node.ts';

const protectedYaml = `${jobYaml}privacy: { epsilon: 1 }\n`;
let moot: Consortium;
let running: RunningCoordinator;
let owl: Api;
let fox: Api;
let nodes: ScriptedNode[];

beforeEach(async () => {
  moot = await consortium();
  running = await moot.start();
  owl = await api(moot, running.url);
  fox = await api(moot, running.url, 'fox');
  nodes = await Promise.all(parties.map((party) => ScriptedNode.login(moot, running.url, party)));
});
afterEach(async () => {
  await running.stop();
  moot.remove();
});

interface Ask {
  readonly text?: string;
  readonly analyst?: 'owl' | 'fox';
  readonly periods?: readonly string[];
  readonly fingerprint?: string;
}

/** Submits the job and has all parties accept it. */
async function ask({ text = protectedYaml, analyst = 'owl', periods = ['p1', 'p1', 'p1'], fingerprint }: Ask = {}) {
  const signed = signedJob(moot, {}, analyst, text);
  const job = jobId(signed.envelope);
  await (analyst === 'owl' ? owl : fox).post('/v1/jobs', signed);
  for (const [index, node] of nodes.entries()) {
    await node.next('invite', ({ type }) => type === 'stored');
    const period = text.includes('privacy') ? periods[index]! : null;
    const acceptance = acceptanceOf(moot, node.party, job, 2, period, index === 1 ? fingerprint : undefined);
    await node.send({ type: 'accepted', job, attempt: 1, acceptance });
  }
  return { job, signed };
}

async function finish(job: string): Promise<void> {
  const commitments = Object.fromEntries(parties.map((party) => [party, 'c'.repeat(64)]));
  const signatures = Object.fromEntries(parties.map((party) => [party, 'd'.repeat(128)]));
  for (const node of nodes) await node.next('start');
  for (const node of nodes) await node.sendOpening(job, new Uint8Array([1, 2, 3]), commitments, signatures);
  for (const node of nodes) await node.next('stored');
}

const view = async (job: string, by = owl) => (await by.get(`/v1/jobs/${job}`)).body as unknown as { state: string };

describe('the same question', () => {
  it('is answered from the earlier job, and the parties are told that nothing is to be done', async () => {
    const first = await ask();
    await finish(first.job);
    const second = await ask({ text: protectedYaml.replace('What is in store', 'Another title') });
    for (const node of nodes) expect(await node.next('cancel')).toEqual({ type: 'cancel', job: second.job, epoch: 1 });
    expect(await view(second.job)).toMatchObject({ state: 'DONE', same_as: first.job });
    const answer = (await owl.get(`/v1/jobs/${second.job}/answer`)).body as Record<string, unknown>;
    const { asked, ...earlier } = answer;
    expect(earlier).toEqual((await owl.get(`/v1/jobs/${first.job}/answer`)).body);
    expect(asked).toMatchObject({ signed: second.signed, acceptances: [{ acceptance: { job: second.job } }, {}, {}] });
    // A third one leads to the first, over a restart of the coordinator too.
    await running.stop();
    running = await moot.start();
    owl = await api(moot, running.url);
    nodes = await Promise.all(parties.map((party) => ScriptedNode.login(moot, running.url, party)));
    const third = await ask();
    for (const node of nodes) await node.next('cancel');
    expect(await view(third.job)).toMatchObject({ state: 'DONE', same_as: first.job });
    expect(await view(second.job)).toMatchObject({ state: 'DONE', same_as: first.job });
    // A party that has forgotten the end is told again.
    const [node] = nodes;
    const acceptance = acceptanceOf(moot, node!.party, third.job, 2, 'p1');
    await node!.send({ type: 'accepted', job: third.job, attempt: 1, acceptance });
    expect(await node!.next('cancel')).toEqual({ type: 'cancel', job: third.job, epoch: 1 });
  });

  it.each([
    ['another period of one party', { periods: ['p1', 'p2', 'p1'] }],
    ['another reading of one party, though its period is called the same', { fingerprint: 'c'.repeat(64) }],
    ['another epsilon', { text: protectedYaml.replace('epsilon: 1', 'epsilon: 0.5') }],
    [
      'another analyst',
      { analyst: 'fox' as const, text: protectedYaml.replace('epsilon: 1', 'epsilon: 1, collusion: 2') },
    ],
  ])('is not the same with %s', async (_, change) => {
    const first = await ask({ text: protectedYaml.replace('epsilon: 1', 'epsilon: 1, collusion: 2') });
    await finish(first.job);
    const second = await ask({ text: protectedYaml.replace('epsilon: 1', 'epsilon: 1, collusion: 2'), ...change });
    for (const node of nodes) expect(await node.next('start')).toMatchObject({ job: second.job });
  });

  it('is not taken from a job that was not answered, and exact jobs are always computed', async () => {
    const failed = await ask();
    for (const node of nodes) await node.next('start');
    await owl.post(`/v1/jobs/${failed.job}/cancel`);
    for (const node of nodes) await node.next('cancel');
    const second = await ask();
    for (const node of nodes) expect(await node.next('start')).toMatchObject({ job: second.job });
    await owl.post(`/v1/jobs/${second.job}/cancel`);
    for (const node of nodes) await node.next('cancel');
    const exact = await ask({ text: jobYaml });
    await finish(exact.job);
    const again = await ask({ text: jobYaml });
    for (const node of nodes) expect(await node.next('start')).toMatchObject({ job: again.job });
  });
});

describe('requests for budgets', () => {
  const request = (change: object = {}, analyst: 'owl' | 'fox' = 'owl'): SignedBudgetRequest => {
    const { charter, analysts } = moot;
    const own = { analyst, charter: charterHash(charter), issued: new Date().toISOString(), nonce: 'ab'.repeat(16) };
    return signBudgetRequest({ ...own, ...change }, signer(analysts[analyst].secret.identity));
  };

  it('reach every party that is connected, and bring back what each one stated', async () => {
    nodes[2]!.link.close();
    await expect
      .poll(async () => ((await owl.get('/v1/health')).body as { connected?: string[] }).connected)
      .toHaveLength(2);
    const signed = request();
    const reply = owl.post('/v1/budget', signed);
    for (const node of nodes.slice(0, 2)) {
      expect(await node.next('budget')).toEqual({ type: 'budget', request: signed });
      // Nobody asked for this one.
      await node.send({ type: 'budget', request: 'f'.repeat(64), statement: { of: 'nothing' } });
    }
    for (const node of nodes.slice(0, 2)) {
      await node.send({ type: 'budget', request: requestHash(signed.request), statement: { of: node.party } });
    }
    expect((await reply).body).toEqual({ statements: [{ of: 'ant' }, { of: 'bee' }], missing: ['cat'] });
  });

  it('are the analyst’s own and of now', async () => {
    const code = async (signed: object, by = owl) => (await by.post('/v1/budget', signed)).body.error?.code;
    expect(await code(request(), fox)).toBe('NOT_YOURS');
    expect(await code({ ...request(), signature: 'a'.repeat(128) })).toBe('BAD_SIGNATURE');
    expect(await code(request({ analyst: 'nobody' }))).toBe('UNKNOWN_ANALYST');
    expect(await code(request({ charter: 'a'.repeat(64) }))).toBe('BAD_SIGNATURE');
    expect(await code(request({ issued: new Date(Date.now() - 121_000).toISOString() }))).toBe('JOB_EXPIRED');
    expect(await code(request({ issued: new Date(Date.now() + 130_000).toISOString() }))).toBe('NOT_YET_VALID');
    expect(await code({ request: {} })).toBe('BAD_VALUE');
    expect((await owl.raw('/v1/budget', request())).status).toBe(401);
  });
});
