import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { acceptancesHash } from '@folkmoot/core/acceptance.js';
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import { sign } from '@folkmoot/core/identity.js';
import { parseJob } from '@folkmoot/core/job.js';
import { openingStatement } from '@folkmoot/core/open.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningCoordinator } from '../../coordinator/src/server.ts';
import {
  acceptanceOf,
  type Consortium,
  consortium,
  jobYaml,
  type Party,
  parties,
} from '../../coordinator/test/consortium.ts';
import { ScriptedNode } from '../../coordinator/test/scripted-node.ts';
import { type Client, createClient } from '../src/client.ts';
import type { JobEvent } from '../src/events.ts';
import { explain } from '../src/explain.ts';
import { verifyAnswer } from '../src/receipt.ts';
import { isOver, type Row, takePart } from './computing-node.ts';

const records: Record<Party, Row[]> = {
  ant: [
    { kind: 'corn', weight: 3, serial: 0 },
    { kind: 'corn', weight: 4, serial: 0 },
  ],
  bee: [{ kind: 'honey', weight: 900, serial: 0 }],
  cat: [{ kind: 'corn', weight: 5, serial: 0 }],
};

let moot: Consortium;
let running: RunningCoordinator;

beforeAll(async () => {
  moot = await consortium();
  running = await moot.start();
});
afterAll(async () => {
  await running.stop();
  moot.remove();
});

function clientOf(change: Partial<Parameters<typeof createClient>[0]> = {}): Client {
  const { charter, analysts } = moot;
  const options = { charter, analyst: 'owl', keys: analysts.owl, url: running.url, clock: systemClock, randomBytes };
  return createClient({ ...options, ...change });
}

async function answered(client: Client, change?: (party: Party) => (sealed: Uint8Array) => Uint8Array) {
  const nodes = await Promise.all(
    parties.map((party) => takePart({ moot, url: running.url, party, rows: records[party], change: change?.(party) })),
  );
  const { job } = await client.submit(parseJob(jobYaml, 'job'));
  const events: JobEvent[] = [];
  for await (const event of client.events(job)) events.push(event);
  await Promise.all(nodes.map(({ finished }) => finished));
  for (const { node } of nodes) node.link.close();
  return { job, events };
}

describe('an analyst', () => {
  it('gets one answer out of three parties’ records, with receipts that verify by the charter alone', async () => {
    const client = clientOf();
    const { job, events } = await answered(client);
    expect(events.filter(({ type }) => type === 'state').map((event) => 'state' in event && event.state)).toEqual([
      'QUEUED',
      'INVITING',
      'READY',
      'RUNNING',
      'DONE',
    ]);
    const answer = await client.answer(job);
    expect(answer).toMatchObject({ job, status: 'DONE', threshold: 2, suppressed: 2, parties: [...parties] });
    expect(answer.rows).toEqual([
      { kind: 'corn', lots: { value: 3, exact: '3' }, total: { value: 12, exact: '12' } },
      {
        kind: 'honey',
        lots: { value: null, exact: null, suppressed: true },
        total: { value: null, exact: null, suppressed: true },
      },
    ]);
    const planned = explain({
      job: parseJob(jobYaml, 'job'),
      charter: moot.charter,
      analyst: 'owl',
      nowMs: Date.now(),
    });
    expect(answer.cost).toMatchObject({ rounds: planned.rounds });
    const shelved = JSON.parse(JSON.stringify(answer)) as typeof answer;
    expect(() => verifyAnswer(shelved, moot.charter)).not.toThrow();
    expect(await client.answer(job)).toEqual(answer);
    expect(await client.state(job)).toMatchObject({ job, state: 'DONE', title: 'What is in store' });
    expect((await client.list()).map((view) => view.job)).toContain(job);
    await expect(client.cancel(job)).rejects.toMatchObject({ code: 'ALREADY_ENDED' });
  });

  it('is told which party opened other bytes than it committed to', async () => {
    const client = clientOf();
    const { job } = await answered(client, (party) => (sealed) => {
      if (party === 'bee') sealed[sealed.length - 1]! ^= 1;
      return sealed;
    });
    await expect(client.answer(job)).rejects.toMatchObject({ code: 'BAD_COMMITMENT', party: 'bee' });
  });

  it('sees why a job was denied', async () => {
    const client = clientOf();
    const nodes = await Promise.all(parties.map((party) => ScriptedNode.login(moot, running.url, party)));
    const { job } = await client.submit(parseJob(jobYaml, 'job'));
    await nodes[0]!.next('invite');
    const report = { code: 'REFUSED', message: 'no rule\u001b[31m allows it', remedy: 'ask for less' } as const;
    await nodes[0]!.send({ type: 'denied', job, attempt: 1, report });
    const events: JobEvent[] = [];
    for await (const event of client.events(job)) events.push(event);
    expect(events.at(-1)).toMatchObject({ state: 'FAILED', error: { code: 'PARTY_DENIED', party: 'ant' } });
    expect(JSON.stringify(events)).not.toContain('\\u001b');
    await expect(client.answer(job)).rejects.toMatchObject({ code: 'ALREADY_ENDED' });
    for (const node of nodes) node.link.close();
  });

  it('is refused at home what every party would refuse', async () => {
    const client = clientOf();
    const bad = parseJob(jobYaml.replace('sum: weight', 'sum: height'), 'job');
    await expect(client.submit(bad)).rejects.toMatchObject({ code: 'UNKNOWN_COLUMN' });
    await expect(client.answer('../../v1/health')).rejects.toMatchObject({ code: 'UNKNOWN_JOB' });
    await expect(client.state('0'.repeat(64))).rejects.toMatchObject({ code: 'UNKNOWN_JOB' });
    await expect(client.events('0'.repeat(64))[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'UNKNOWN_JOB',
    });
  });

  it('needs keys that the charter lists, and an address that is not plain', () => {
    expect(() => clientOf({ analyst: 'nobody' })).toThrow(expect.objectContaining({ code: 'UNKNOWN_ANALYST' }));
    expect(() => clientOf({ keys: moot.analysts.fox })).toThrow(expect.objectContaining({ code: 'KEY_MISMATCH' }));
    expect(() => clientOf({ keys: moot.keys.ant })).toThrow(expect.objectContaining({ code: 'KEY_MISMATCH' }));
    for (const url of ['ws://example.org', 'http://10.0.0.1:7700', 'ws://127.0.0.1.example.org']) {
      expect(() => clientOf({ url })).toThrow(expect.objectContaining({ code: 'INSECURE_URL' }));
    }
    for (const url of ['ftp://example.org', 'nowhere']) {
      expect(() => clientOf({ url })).toThrow(expect.objectContaining({ code: 'BAD_VALUE' }));
    }
  });

  it('sees the plan before anyone is asked', () => {
    const job = parseJob(jobYaml, 'job');
    const plan = explain({ job, charter: moot.charter, analyst: 'owl', nowMs: Date.now() });
    expect(plan).toMatchObject({ dataset: 'stores', cells: 2, threshold: 2, thresholdIsFinal: false });
  });

  it('logs in again when the token is forgotten, and submits again what got lost on the way', async () => {
    const client = clientOf();
    await client.list();
    await running.stop();
    running = await moot.start();
    await expect(clientOf({ url: 'ws://127.0.0.1:9' }).list()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    let calls = 0;
    const flaky: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (init?.method === 'POST' && String(input).endsWith('/v1/jobs') && calls++ === 0) throw new TypeError('lost');
      return response;
    };
    const stubborn = clientOf({ fetch: flaky });
    const { job } = await stubborn.submit(parseJob(jobYaml, 'job'));
    expect(calls).toBe(2);
    expect((await stubborn.list()).filter((view) => view.job === job)).toHaveLength(1);
    let first = true;
    const forgetful: typeof fetch = (input, init) => {
      const headers = new Headers(init?.headers);
      if (headers.has('authorization') && first) headers.set('authorization', `Bearer ${'0'.repeat(64)}`);
      if (headers.has('authorization')) first = false;
      return fetch(input, { ...init, headers });
    };
    expect((await clientOf({ fetch: forgetful }).state(job)).state).toBe('QUEUED');
    await stubborn.cancel(job);
  });

  it('is told how far the slowest party is while it follows, and never again', async () => {
    const client = clientOf();
    const { job } = await client.submit(parseJob(jobYaml, 'job'));
    const nodes = await Promise.all(parties.map((party) => ScriptedNode.login(moot, running.url, party)));
    const attempt = 1;
    for (const node of nodes) {
      await node.next('invite', isOver);
      await node.send({ type: 'accepted', job, attempt, acceptance: acceptanceOf(moot, node.party, job) });
    }
    const events: JobEvent[] = [];
    for await (const event of client.events(job)) {
      events.push(event);
      if (event.type === 'state' && event.state === 'RUNNING') {
        for (const [index, node] of nodes.entries()) {
          await node.send({ type: 'phase', job, attempt, phase: 'share' });
          await node.send({ type: 'phase', job, attempt, phase: 'share', done: 0.75 - index / 4 });
        }
      }
      if (event.type === 'progress') await client.cancel(job);
    }
    const told = events.filter(({ type }) => type === 'progress');
    expect(told).toMatchObject([{ attempt, phase: 'share', done: 0.25 }]);
    const again: JobEvent[] = [];
    for await (const event of client.events(job)) again.push(event);
    expect(again).toEqual(events.filter(({ type }) => type !== 'progress'));
    for (const node of nodes) node.link.close();
    const anyone = async () => (await client.state(job)).parties.some(({ connected }) => connected);
    await expect.poll(anyone).toBe(false);
  });

  it('goes on following where the connection broke', async () => {
    const client = clientOf();
    const { job } = await client.submit(parseJob(jobYaml, 'job'));
    let broken = 0;
    const breaking: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!String(input).endsWith('/events') || broken++ > 0) return response;
      const reader = response.body!.getReader();
      const { value } = await reader.read();
      await reader.cancel();
      return new Response(value);
    };
    const seen: JobEvent[] = [];
    const iterator = clientOf({ fetch: breaking }).events(job)[Symbol.asyncIterator]();
    seen.push((await iterator.next()).value as JobEvent);
    await client.cancel(job);
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) seen.push(next.value);
    expect(broken).toBe(2);
    expect(seen.map((event) => 'sequence' in event && event.sequence)).toEqual([1, 2]);
    const signal = AbortSignal.abort();
    await expect(client.events(job, { signal })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'UNREACHABLE',
    });
  });
});

describe('receipts', () => {
  it('do not verify when anything in them is changed', async () => {
    const client = clientOf();
    const { job } = await answered(client);
    const answer = await client.answer(job);
    const receipts = answer.receipts as Record<string, unknown>[];
    const first = receipts[0]!;
    const changed = (change: object) => ({ ...answer, receipts: [{ ...first, ...change }, ...receipts.slice(1)] });
    const other = { ...(first.acceptance as object), min_group: 3 };
    const cases: [object, string][] = [
      [{ ...answer, job: 'a'.repeat(64) }, 'BAD_ACCEPTANCE'],
      [{ ...answer, receipts: receipts.slice(1) }, 'BAD_ACCEPTANCE'],
      [{ ...answer, receipts: [...receipts, first] }, 'BAD_ACCEPTANCE'],
      [{ ...answer, parties: ['ant', 'bee'] }, 'BAD_ACCEPTANCE'],
      [{ ...answer, receipts: [null, ...receipts.slice(1)] }, 'BAD_ACCEPTANCE'],
      [changed({ acceptance: other }), 'BAD_ACCEPTANCE'],
      [changed({ party: 'dog' }), 'BAD_ACCEPTANCE'],
      [changed({ acceptance: null }), 'BAD_ACCEPTANCE'],
      [changed({ acceptanceSignature: 'x' }), 'BAD_ACCEPTANCE'],
      [changed({ attempt: 'one' }), 'BAD_COMMITMENT'],
      [changed({ commitment: 'a'.repeat(64) }), 'BAD_OPENING_SIGNATURE'],
      [changed({ commitment: 'zz' }), 'BAD_COMMITMENT'],
      [changed({ signature: 'a'.repeat(128) }), 'BAD_OPENING_SIGNATURE'],
      [changed({ signature: 7 }), 'BAD_OPENING_SIGNATURE'],
      [{ ...answer, receipts: receipts.map((receipt) => ({ ...receipt, attempt: 2 })) }, 'BAD_OPENING_SIGNATURE'],
    ];
    for (const [value, code] of cases) {
      expect(() => verifyAnswer(value as typeof answer, moot.charter)).toThrow(expect.objectContaining({ code }));
    }
  });
});

describe('an answer', () => {
  /** An answer to a job that these parties alone accepted and signed for, as if they were all. */
  function signedBy(few: readonly Party[], period: (party: Party) => string | null = () => null) {
    const job = 'a'.repeat(64);
    const roster = [...few];
    const acceptances = roster.map((party) => acceptanceOf(moot, party, job, 2, period(party)));
    const commitments = new Map(roster.map((party) => [party, new Uint8Array(32)]));
    const statement = openingStatement(
      { job: fromHex(job), attempt: 1, roster },
      acceptancesHash(acceptances),
      commitments,
    );
    const receipts = acceptances.map(({ acceptance, signature }) => {
      const { identity } = moot.keys[acceptance.party as Party].secret;
      const { party } = acceptance;
      return {
        party,
        attempt: 1,
        acceptance,
        acceptanceSignature: signature,
        commitment: '0'.repeat(64),
        signature: toHex(sign(identity, 'folkmoot opening v1', statement)),
      };
    });
    return { job, parties: roster, receipts };
  }
  const code = (expected: string) => expect.objectContaining({ code: expected });

  it('that nobody signed is nobody’s', () => {
    const empty = { job: '0'.repeat(64), parties: [], receipts: [] };
    expect(() => verifyAnswer(empty, moot.charter)).toThrow(code('TOO_FEW_PARTIES'));
    const loose = { ...moot.charter, policy_floor: { min_parties: 1, min_group: 1 } };
    expect(() => verifyAnswer(empty, loose)).toThrow(code('TOO_FEW_PARTIES'));
  });

  it('does not verify with fewer parties than the charter asks for, whatever they sign', () => {
    expect(() => verifyAnswer(signedBy(['ant', 'bee', 'cat']), moot.charter)).not.toThrow();
    expect(() =>
      verifyAnswer(
        signedBy(['ant', 'bee', 'cat'], () => 'p1'),
        moot.charter,
      ),
    ).not.toThrow();
    for (const period of [null, 'p1']) {
      expect(() =>
        verifyAnswer(
          signedBy(['ant', 'bee'], () => period),
          moot.charter,
        ),
      ).toThrow(code('TOO_FEW_PARTIES'));
    }
  });

  it('is of an exact job or of a protected one, for all parties alike', () => {
    const mixed = signedBy(['ant', 'bee', 'cat'], (party) => (party === 'bee' ? null : 'p1'));
    expect(() => verifyAnswer(mixed, moot.charter)).toThrow(code('BAD_ACCEPTANCE'));
  });

  it('names each party once, and none that the charter does not', () => {
    const good = signedBy(['ant', 'bee', 'cat']);
    for (const parties of [
      ['ant', 'ant', 'bee', 'cat'],
      ['ant', 'bee', 'cat', 'dog'],
      ['ant', 'bee', 'toString'],
    ]) {
      expect(() => verifyAnswer({ ...good, parties }, moot.charter)).toThrow(code('BAD_ACCEPTANCE'));
    }
    const { receipts } = good;
    const wrong = [receipts.slice(1), [...receipts, receipts[0]], [receipts[0], receipts[0], receipts[2]]];
    for (const some of wrong) {
      expect(() => verifyAnswer({ ...good, receipts: some }, moot.charter)).toThrow(code('BAD_ACCEPTANCE'));
    }
  });
});

describe('a coordinator that lies', () => {
  let server: Server;
  let lie: (path: string) => { status?: number; body: unknown };

  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = request.url ?? '';
      const login = path.startsWith('/v1/login');
      const { status = 200, body } = login ? { body: { nonce: '0'.repeat(64), token: '0'.repeat(64) } } : lie(path);
      request.resume();
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const view = { job: 'a', title: '', state: 'DONE', attempt: 1, submitted: '', updated: '', expires: '', parties: [] };
  /** The envelope of a good answer, as the coordinator serves it. */
  async function goodEnvelope(client: Client, job: string): Promise<Record<string, unknown>> {
    let body: unknown;
    const spy: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (String(input).endsWith('/answer')) body = await response.clone().json();
      return response;
    };
    await clientOf({ fetch: spy }).answer(job);
    expect(client).toBeDefined();
    return body as Record<string, unknown>;
  }

  it('cannot pass one answer for another, nor change or leave out any part of it', async () => {
    const client = clientOf();
    const { job } = await answered(client);
    const other = await answered(client);
    const good = await goodEnvelope(client, job);
    const foreign = await goodEnvelope(client, other.job);
    const openings = good.openings as Record<string, unknown>[];
    const acceptances = good.acceptances as { acceptance: object; signature: string }[];
    const liar = clientOf({ url: url() });
    const low = parties.map((party) => acceptanceOf(moot, party, job, 1));
    const cases: [unknown, string][] = [
      [foreign, 'BAD_SIGNATURE'],
      [{ ...good, signed: foreign.signed }, 'BAD_SIGNATURE'],
      [{ ...good, openings: foreign.openings }, 'BAD_OPENING_SIGNATURE'],
      [{ ...good, openings: openings.slice(1) }, 'BAD_COMMITMENT'],
      [{ ...good, openings: [openings[0], openings[0], openings[2]] }, 'BAD_COMMITMENT'],
      [
        { ...good, openings: [{ ...openings[0], sealed: openings[1]!.sealed }, openings[1], openings[2]] },
        'BAD_COMMITMENT',
      ],
      [{ ...good, openings: [{ ...openings[0], sealed: '***' }, openings[1], openings[2]] }, 'BAD_COMMITMENT'],
      [{ ...good, acceptances: acceptances.slice(1) }, 'BAD_ACCEPTANCE'],
      [{ ...good, acceptances: foreign.acceptances }, 'BAD_ACCEPTANCE'],
      [{ ...good, acceptances: low }, 'BAD_ACCEPTANCE'],
      [{ ...good, attempt: 2 }, 'BAD_OPENING_SIGNATURE'],
      [{ ...good, attempt: 'one' }, 'BAD_CONTROL'],
      [[], 'BAD_CONTROL'],
      ['<html>', 'BAD_CONTROL'],
    ];
    for (const [body, code] of cases) {
      lie = (path) => ({ body: path.endsWith('/answer') ? body : view });
      await expect(liar.answer(job)).rejects.toMatchObject({ code });
    }
    lie = (path) => ({ body: path.endsWith('/answer') ? good : view });
    expect((await liar.answer(job)).rows).toEqual((await client.answer(job)).rows);
  });

  it('is understood to be broken when its errors or views have another form', async () => {
    const liar = clientOf({ url: url() });
    lie = () => ({ status: 500, body: 'oops' });
    await expect(liar.list()).rejects.toMatchObject({ code: 'BAD_CONTROL' });
    lie = () => ({ status: 418, body: { error: { code: 'NO_SUCH_CODE', message: 'x', remedy: 'y' } } });
    await expect(liar.list()).rejects.toMatchObject({ code: 'INTERNAL', message: 'x' });
    for (const change of [{ state: 'ASLEEP' }, { attempt: 1.5 }, { title: 7 }, { parties: 'all' }, { parties: [1] }]) {
      lie = () => ({ body: { ...view, ...change } });
      await expect(liar.state('a'.repeat(64))).rejects.toMatchObject({ code: 'BAD_CONTROL' });
    }
    lie = () => ({ body: 'x'.repeat(17 * 1024 * 1024) });
    await expect(liar.list()).rejects.toMatchObject({ code: 'FRAME_TOO_LARGE' });
  });
});
