import { randomBytes } from 'node:crypto';
import { type BudgetStatement, requestHash, signBudgetStatement } from '@folkmoot/core/budget-statement.js';
import { signer } from '@folkmoot/core/identity.js';
import { parseJob } from '@folkmoot/core/job.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningCoordinator } from '../../coordinator/src/server.ts';
import { type Consortium, consortium, jobYaml, type Party, parties } from '../../coordinator/test/consortium.ts';
import { ScriptedNode } from '../../coordinator/test/scripted-node.ts';
import { budgetsLeft } from '../src/budget.ts';
import { createClient } from '../src/client.ts';
import { type Row, takePart } from './computing-node.ts';

const rows: Row[] = [
  { kind: 'corn', weight: 3, serial: 0 },
  { kind: 'honey', weight: 4, serial: 0 },
];
let moot: Consortium;
let running: RunningCoordinator;
beforeAll(async () => {
  moot = await consortium(5);
  running = await moot.start();
});
afterAll(async () => {
  await running.stop();
  moot.remove();
});

/** A client to whom the coordinator answers as `change` says. */
function clientOf(change: (path: string, body: Record<string, unknown>) => unknown = (_, body) => body) {
  const changing: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const path = new URL(String(input)).pathname;
    if (!/\/(answer|budget)$/.test(path) || !response.ok) return response;
    return Response.json(change(path, (await response.json()) as Record<string, unknown>));
  };
  const { charter, analysts } = moot;
  const keys = analysts.owl;
  return createClient({
    charter,
    analyst: 'owl',
    keys,
    url: running.url,
    clock: systemClock,
    randomBytes,
    fetch: changing,
  });
}

const text = (privacy: string) => `${jobYaml}privacy: ${privacy}\n`;
/** Submits a job to nodes that compute it, or are told that nothing is to be done. */
async function asked(privacy: string, reading: { period?: string; fingerprint?: string } = {}): Promise<string> {
  const client = clientOf();
  const part = (party: Party) => takePart({ moot, url: running.url, party, rows, period: 'p1', ...reading });
  const nodes = await Promise.all(parties.map(part));
  const { job } = await client.submit(parseJob(text(privacy), 'job'));
  for await (const event of client.events(job)) void event;
  // What was answered before is not computed again: then the nodes wait in vain.
  if ((await client.state(job)).same_as === undefined) await Promise.all(nodes.map(({ finished }) => finished));
  for (const { node } of nodes) node.link.close();
  return job;
}

describe('the same question', () => {
  it('has the same answer to the last byte, and another period or reading another one', {
    timeout: 60_000,
  }, async () => {
    const first = await asked('{ epsilon: 1 }');
    const second = await asked('{ epsilon: 1.0, collusion: 2 }');
    const client = clientOf();
    expect(await client.state(second)).toMatchObject({ state: 'DONE', same_as: first });
    const answer = await client.answer(first);
    expect(JSON.stringify(await client.answer(second))).toBe(JSON.stringify(answer));
    const third = await asked('{ epsilon: 1 }', { period: 'p2' });
    expect((await client.state(third)).same_as).toBeUndefined();
    expect((await client.answer(third)).rows).not.toEqual(answer.rows);

    const fourth = await asked('{ epsilon: 1 }', { fingerprint: 'e'.repeat(64) });
    expect((await client.state(fourth)).same_as).toBeUndefined();

    // A coordinator that passes off another answer is not believed.
    const bodies = new Map<string, Record<string, unknown>>();
    const keep = clientOf((path, body) => {
      bodies.set(path, body);
      return body;
    });
    for (const job of [first, second, third, fourth]) await keep.answer(job);
    const bodyOf = (job: string) => bodies.get(`/v1/jobs/${job}/answer`)!;
    const lying = (job: string, body: object) => clientOf(() => body).answer(job);
    const { asked: askedSecond } = bodyOf(second);
    const { signed, acceptances } = bodyOf(third);
    const refused = { code: 'BAD_SIGNATURE' };
    // The answer of an earlier period, of an earlier reading; an answer without a word of why; one that was asked by another job.
    await expect(lying(third, { ...bodyOf(first), asked: { signed, acceptances } })).rejects.toMatchObject(refused);
    const read = { signed: bodyOf(fourth).signed, acceptances: bodyOf(fourth).acceptances };
    await expect(lying(fourth, { ...bodyOf(first), asked: read })).rejects.toMatchObject(refused);
    await expect(lying(second, bodyOf(first))).rejects.toMatchObject(refused);
    await expect(lying(third, { ...bodyOf(first), asked: askedSecond })).rejects.toMatchObject(refused);
    const forged = { ...(askedSecond as object), acceptances: bodyOf(first).acceptances };
    await expect(lying(second, { ...bodyOf(first), asked: forged })).rejects.toMatchObject({ code: 'BAD_ACCEPTANCE' });
  });
});

describe('budgets', () => {
  it('are what the parties sign, whatever the coordinator says', async () => {
    const nodes = await Promise.all(parties.slice(0, 2).map((party) => ScriptedNode.login(moot, running.url, party)));
    const figure = (amount: string, delta = '0') => ({ amount, delta });
    const account = (remaining: { amount: string; delta: string }) => {
      return { initial: figure('10'), spent: figure('1'), reserved: figure('0'), remaining };
    };
    const reply = async () => {
      for (const [index, node] of nodes.entries()) {
        const { request } = await node.next('budget');
        const statement: BudgetStatement = {
          party: node.party,
          request: requestHash((request as { request: never }).request),
          at: new Date().toISOString(),
          datasets: [
            {
              dataset: 'stores',
              period: 'p1',
              unit: 'epsilon',
              total: account(figure('2.5', '0.000001')),
              own: index === 0 ? account(figure('3', '0')) : null,
              exact_too: false,
            },
          ],
          jobs: [],
        };
        const own = signBudgetStatement(statement, signer(moot.keys[node.party].secret.identity));
        await node.send({ type: 'budget', request: statement.request, statement: own });
      }
    };
    const ask = async (client: ReturnType<typeof clientOf>) => (await Promise.all([client.budget(), reply()]))[0];
    const report = await ask(clientOf());
    expect(report.statements.map(({ party }) => party)).toEqual(['ant', 'bee']);
    expect(report.missing).toEqual(['cat']);
    expect([...budgetsLeft(report, 'stores')]).toEqual([
      ['ant', { unit: 'epsilon', remaining: { micro: 2_500_000n, deltaPico: 0n } }],
      ['bee', { unit: 'epsilon', remaining: { micro: 2_500_000n, deltaPico: 1_000_000n } }],
    ]);
    expect(budgetsLeft(report, 'others').size).toBe(0);

    let earlier: unknown;
    await ask(clientOf((_, body) => (earlier = body)));
    const twice = clientOf((_, body) => ({
      ...body,
      statements: [...(body.statements as object[]).slice(0, 1), ...(body.statements as object[])],
    }));
    await expect(ask(twice)).rejects.toMatchObject({ code: 'BAD_STATEMENT', party: 'ant' });
    await expect(ask(clientOf(() => earlier))).rejects.toMatchObject({ code: 'BAD_STATEMENT' });
    await expect(ask(clientOf(() => ({ statements: 1 })))).rejects.toMatchObject({ code: 'BAD_CONTROL' });
    for (const node of nodes) node.link.close();
  });
});
