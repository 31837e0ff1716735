import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import { charterHash } from '@folkmoot/core/charter.js';
import { jobId } from '@folkmoot/core/envelope.js';
import { ProtocolError, reportOf, StateError, TransportError } from '@folkmoot/core/errors.js';
import { sign } from '@folkmoot/core/identity.js';
import { type Clock, systemClock } from '@folkmoot/transport/clock.js';
import { loginLabel, loginStatement, type NodeMessage, protocolVersion } from '@folkmoot/transport/control.js';
import { encodeFrame, frameType, sessionId } from '@folkmoot/transport/frame.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graceMs } from '../src/lifecycle.ts';
import { limits } from '../src/limits.ts';
import type { RunningCoordinator } from '../src/server.ts';
import {
  type Api,
  acceptanceOf,
  api,
  type Consortium,
  consortium,
  type Party,
  parties,
  renunciationOf,
  runWith,
  signedJob,
} from './consortium.ts';
import { ScriptedNode } from './scripted-node.ts';

let moot: Consortium;
let running: RunningCoordinator;
let owl: Api;

beforeEach(async () => {
  moot = await consortium();
  running = await moot.start();
  owl = await api(moot, running.url);
});
afterEach(async () => {
  await running.stop();
  moot.remove();
});

/** What all parties have committed to and signed, in form. */
const names = Object.fromEntries(parties.map((party) => [party, 'c'.repeat(64)]));
const signedBy = Object.fromEntries(parties.map((party) => [party, 'd'.repeat(128)]));
const login = (party: Party) => ScriptedNode.login(moot, running.url, party);
const all = () => Promise.all(parties.map(login));
const stateOf = async (job: string) =>
  (await owl.get(`/v1/jobs/${job}`)).body as unknown as { state: string; error?: { code: string; party?: string } };
const becomes = (job: string, expected: object) => expect.poll(() => stateOf(job)).toMatchObject(expected);
const connected = async () => ((await owl.get('/v1/health')).body as unknown as { connected: string[] }).connected;
/** The status and reason with which a raw WebSocket is closed after this. */
async function closeAfter(act: (socket: WebSocket) => void): Promise<{ code: number; reason: string }> {
  const socket = new WebSocket(`${running.url}/node`);
  socket.binaryType = 'arraybuffer';
  return new Promise((resolve) => {
    socket.onopen = () => act(socket);
    socket.onclose = ({ code, reason }) => resolve({ code, reason });
  });
}
async function submitted(): Promise<string> {
  const signed = signedJob(moot);
  await owl.post('/v1/jobs', signed);
  return jobId(signed.envelope);
}
async function started(nodes: readonly ScriptedNode[]): Promise<string> {
  const job = await submitted();
  for (const node of nodes) {
    await node.next('invite');
    await node.send({ type: 'accepted', job, attempt: 1, acceptance: acceptanceOf(moot, node.party, job) });
  }
  for (const node of nodes) await node.next('start');
  return job;
}

describe('the login of a node', () => {
  it('shows it as connected, until it goes', async () => {
    const [ant, bee] = [await login('ant'), await login('bee')];
    expect(await connected()).toEqual(['ant', 'bee']);
    ant.link.close();
    await expect.poll(connected).toEqual(['bee']);
    bee.link.close();
  });

  it('gives way to a later one of the same party', async () => {
    const first = await login('ant');
    const second = await login('ant');
    await first.ended;
    expect(await connected()).toEqual(['ant']);
    second.link.close();
    await expect.poll(connected).toEqual([]);
  });

  const hello = (party: string) =>
    ({ type: 'hello', party, charter: charterHash(moot.charter), build: 'test', version: protocolVersion }) as const;

  it.each([
    ['another party’s place', 'bee' as const, {}],
    ['a stranger', 'dog' as Party, {}],
    ['another charter', 'ant' as const, { charter: 'e'.repeat(64) }],
  ])('is refused to %s', async (_, party, change) => {
    const node = await ScriptedNode.open(moot, running.url, 'ant');
    await node.send({ ...hello(party), ...change });
    await node.ended;
    expect(await connected()).toEqual([]);
    expect(moot.logged()).toContain('LOGIN_REFUSED');
  });

  it('is refused with a signature of another party', async () => {
    const node = await ScriptedNode.open(moot, running.url, 'ant');
    await node.send(hello('ant'));
    await node.next('challenge');
    await node.send({ type: 'login', signature: '7'.repeat(128) });
    await node.ended;
    expect(moot.logged()).toContain('LOGIN_REFUSED');
  });

  it('is refused to another version of the protocol, with the word to upgrade', async () => {
    for (const change of [{ version: 1 }, { version: 3, colour: 'red' }]) {
      const node = await ScriptedNode.open(moot, running.url, 'ant');
      await node.send({ ...hello('ant'), ...change } as unknown as NodeMessage);
      expect(await node.ended).toMatchObject({ code: 'OTHER_VERSION', remedy: expect.stringContaining('upgrade') });
    }
    expect(await connected()).toEqual([]);
  });

  it('takes no place where it is a doctor’s', async () => {
    const node = await ScriptedNode.open(moot, running.url, 'ant');
    await node.send({ ...hello('ant'), probe: true });
    const { nonce } = await node.next('challenge');
    const statement = loginStatement(nonce, charterHash(moot.charter), 'party');
    const signature = toHex(sign(moot.keys.ant.secret.identity, loginLabel, statement));
    await node.send({ type: 'login', signature });
    await node.next('welcome');
    expect(await connected()).toEqual([]);
    // Nor does it push out the node that has one, or speak for it.
    await node.send({ type: 'phase', job: 'a'.repeat(64), attempt: 1, phase: 'share' });
    expect(await node.ended).toMatchObject({ code: 'BAD_CONTROL' });
  });

  it('must come first, and once', async () => {
    const early = await ScriptedNode.open(moot, running.url, 'ant');
    await early.send({ type: 'phase', job: 'a'.repeat(64), attempt: 1, phase: 'share' });
    await early.ended;
    const twice = await login('bee');
    await twice.send(hello('bee'));
    await twice.ended;
    expect(moot.logged().match(/BAD_CONTROL/g)).toHaveLength(2);
  });
});

describe('frames at the door', () => {
  it('end the link when they are text', async () => {
    expect(await closeAfter((socket) => socket.send('hello'))).toEqual({ code: 1008, reason: 'TEXT_FRAME' });
  });

  it('end the link when they are too large', async () => {
    const { code } = await closeAfter((socket) => socket.send(new Uint8Array(limits.requestBytesMax * 4 + 1)));
    expect([1006, 1008, 1009]).toContain(code);
    expect(moot.logged()).toContain('FRAME_TOO_LARGE');
  });

  it('end the link when they are cut or nonsense', async () => {
    expect(await closeAfter((socket) => socket.send(new Uint8Array(5)))).toEqual({ code: 1008, reason: 'BAD_FRAME' });
    const control = { type: frameType.control, session: new Uint8Array(16), from: 0, to: 0xffff, sequence: 0 };
    const nonsense = encodeFrame(control, Uint8Array.of(0xc1));
    expect(await closeAfter((socket) => socket.send(nonsense))).toEqual({ code: 1008, reason: 'BAD_CONTROL' });
    const repeated = encodeFrame({ ...control, sequence: 1 }, Uint8Array.of(0x80));
    expect(await closeAfter((socket) => socket.send(repeated))).toEqual({ code: 1008, reason: 'BAD_SEQUENCE' });
  });

  it('end the link of a party that speaks for another', async () => {
    const ant = await login('ant');
    const forged = { type: frameType.session, session: new Uint8Array(16), from: 1, to: 2, sequence: 0 };
    await ant.link.send(encodeFrame(forged, new Uint8Array(4)));
    await ant.ended;
    expect(moot.logged()).toContain('WRONG_SESSION');
  });
});

describe('a job among nodes', () => {
  it('ends DONE with the very bytes that the parties sealed', async () => {
    const nodes = await all();
    const sealed: Record<Party, Uint8Array> = {
      ant: randomBytes(10),
      bee: randomBytes(2_500_000),
      cat: randomBytes(1),
    };
    const job = await runWith(moot, owl, nodes, (party) => sealed[party]);
    await becomes(job, { state: 'DONE' });
    const { body } = await owl.get(`/v1/jobs/${job}/answer`);
    const answer = body as unknown as {
      openings: { party: Party; sealed: string }[];
      attempt: number;
      acceptances: unknown[];
    };
    expect(answer.attempt).toBe(1);
    expect(answer.acceptances).toHaveLength(3);
    for (const opening of answer.openings) {
      expect(Buffer.from(opening.sealed, 'base64').equals(sealed[opening.party])).toBe(true);
    }
    // Sent again after a broken link, an opening is acknowledged and nothing changes.
    const marks = Object.fromEntries(parties.map((party) => [party, 'd'.repeat(128)]));
    await nodes[1]!.sendOpening(job, randomBytes(1_500_000), names, marks);
    await nodes[1]!.next('stored');
    expect((await owl.get(`/v1/jobs/${job}/answer`)).body).toEqual(body);
  });

  it('waits for the parties that are away', async () => {
    const [ant, bee] = [await login('ant'), await login('bee')];
    const job = await submitted();
    expect((await stateOf(job)).state).toBe('QUEUED');
    const cat = await login('cat');
    for (const node of [ant, bee, cat]) expect((await node.next('invite')).job).toBe(job);
  });

  const renounce = (node: ScriptedNode, job: string, attempt = 1) =>
    node.send({ type: 'renounced', job, attempt, renunciation: renunciationOf(moot, node.party, job, attempt) });

  it('goes on when a link breaks while it runs, and is started again at the party that comes back', async () => {
    const nodes = await all();
    const [ant, bee, cat] = nodes as [ScriptedNode, ScriptedNode, ScriptedNode];
    const job = await started(nodes);
    await becomes(job, { state: 'RUNNING' });
    cat.link.close();
    await expect.poll(connected).toEqual(['ant', 'bee']);
    const back = await login('cat');
    const again = await back.next('start');
    expect(again).toMatchObject({ job, attempt: 1 });
    expect(again.acceptances).toHaveLength(3);
    for (const node of [ant, bee, back]) {
      await node.sendOpening(job, randomBytes(10), {}, {});
      await node.next('stored');
    }
    await becomes(job, { state: 'DONE', attempt: 1 });
  });

  it('is tried again when a party does not come back in a minute', async () => {
    await running.stop();
    let laterMs = 0;
    const clock: Clock = { now: () => systemClock.now() + laterMs, after: (ms, act) => systemClock.after(ms, act) };
    running = await moot.start(clock);
    owl = await api(moot, running.url);
    const nodes = await all();
    const job = await started(nodes);
    nodes[2]!.link.close();
    await expect.poll(connected).toEqual(['ant', 'bee']);
    // It is missed first, and given up when the minute is over.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await becomes(job, { state: 'RUNNING', attempt: 1 });
    laterMs = graceMs;
    expect(await nodes[0]!.next('again')).toMatchObject({ job, attempt: 1, report: { party: 'cat' } });
    await becomes(job, { state: 'INVITING', attempt: 2, setbacks: [{ code: 'LINK_LOST', party: 'cat' }] });
  });

  it('is tried again when a party comes back that could not go on, with the word of every party, and ends DONE', async () => {
    const nodes = await all();
    const [ant, bee, cat] = nodes as [ScriptedNode, ScriptedNode, ScriptedNode];
    const job = await started(nodes);
    await becomes(job, { state: 'RUNNING' });
    cat.link.close();
    await expect.poll(connected).toEqual(['ant', 'bee']);
    const back = await login('cat');
    await back.next('start');
    await renounce(back, job);
    for (const node of [ant, bee]) {
      expect(await node.next('again')).toMatchObject({ job, attempt: 1, report: { code: 'LINK_LOST', party: 'cat' } });
      await renounce(node, job);
    }
    const now = [ant, bee, back];
    for (const node of now) {
      const { attempt, acceptances, renunciations } = await node.next('start');
      expect(attempt).toBe(2);
      expect(acceptances).toHaveLength(3);
      expect(renunciations).toEqual(parties.map((party) => renunciationOf(moot, party, job)));
    }
    for (const node of now) {
      await node.sendOpening(job, randomBytes(10), {}, {}, 2);
      expect(await node.next('stored')).toMatchObject({ attempt: 2 });
    }
    await becomes(job, { state: 'DONE', attempt: 2 });
    expect((await owl.get(`/v1/jobs/${job}/answer`)).body).toMatchObject({ attempt: 2 });
  });

  it('is tried again when a computation crashes, and says of whom', async () => {
    const nodes = await all();
    const job = await started(nodes);
    const report = reportOf(new StateError('CRASHED', { party: 'bee' }));
    const renunciation = renunciationOf(moot, 'bee', job);
    await nodes[1]!.send({ type: 'renounced', job, attempt: 1, renunciation, report });
    for (const index of [0, 2]) expect((await nodes[index]!.next('again')).report.code).toBe('CRASHED');
    await becomes(job, { state: 'INVITING', attempt: 2 });
    for (const index of [0, 2]) await renounce(nodes[index]!, job);
    for (const node of nodes) await node.next('start');
  });

  it('fails when a party has opened what another one has renounced', async () => {
    const nodes = await all();
    const job = await started(nodes);
    await renounce(nodes[1]!, job);
    await nodes[0]!.next('again');
    await nodes[0]!.sendOpening(job, randomBytes(10), {}, {});
    await becomes(job, { state: 'FAILED', error: { code: 'HALF_OPENED', party: 'ant' } });
    for (const node of nodes) await node.next('abort', ({ type }) => type === 'again');
  });

  it('ends DONE where one has opened and the others have halted: they are handed what it has opened with', async () => {
    const nodes = await all();
    const job = await started(nodes);
    const [ant, bee, cat] = nodes as [ScriptedNode, ScriptedNode, ScriptedNode];
    const sealed = nodes.map(() => randomBytes(20));
    await bee.send({ type: 'halted', job, attempt: 1 });
    await becomes(job, { state: 'INVITING', attempt: 2 });
    await ant.next('again');
    await cat.next('again');
    await cat.send({ type: 'halted', job, attempt: 1 });
    await ant.sendOpening(job, sealed[0]!, names, signedBy);
    await ant.next('stored');
    for (const [index, node] of [bee, cat].entries()) {
      const all = { job, attempt: 1, commitments: names, signatures: signedBy };
      expect(await node.next('signed')).toMatchObject(all);
      await node.sendOpening(job, sealed[index + 1]!, names, signedBy);
      await node.next('stored');
    }
    await becomes(job, { state: 'DONE', attempt: 1 });
  });

  it('fails when a renunciation is not the party’s own', async () => {
    const nodes = await all();
    for (const forged of [
      (job: string) => renunciationOf(moot, 'ant', job, 1, 'bee'),
      (job: string) => renunciationOf(moot, 'bee', job),
      (job: string) => renunciationOf(moot, 'ant', job, 2),
      () => ({ renunciation: 'none' }),
    ]) {
      const job = await started(nodes);
      await nodes[0]!.send({ type: 'renounced', job, attempt: 1, renunciation: forged(job) });
      await becomes(job, { state: 'FAILED', error: { code: 'BAD_RENUNCIATION', party: 'ant' } });
      for (const node of nodes) await node.next('abort');
    }
  });

  it('fails after the third attempt, with the reasons of all', async () => {
    const nodes = await all();
    const job = await started(nodes);
    for (const attempt of [1, 2]) {
      const report = reportOf(new StateError('CRASHED', { party: 'bee', detail: `for the ${attempt}. time` }));
      const renunciation = renunciationOf(moot, 'bee', job, attempt);
      await nodes[1]!.send({ type: 'renounced', job, attempt, renunciation, report });
      for (const index of [0, 2]) {
        await nodes[index]!.next('again');
        await renounce(nodes[index]!, job, attempt);
      }
      for (const node of nodes) expect(await node.next('start')).toMatchObject({ attempt: attempt + 1 });
    }
    const lost = reportOf(new TransportError('LINK_LOST', { party: 'cat' }));
    nodes[2]!.link.close();
    await nodes[0]!.send({ type: 'failed', job, attempt: 3, report: lost });
    await becomes(job, { state: 'POISONED', attempt: 3, error: { code: 'LINK_LOST', party: 'cat' } });
    const { message } = (await nodes[0]!.next('abort')).report;
    for (const reason of ['attempt 1: bee', 'for the 1. time', 'attempt 2: bee', 'for the 2. time']) {
      expect(message).toContain(reason);
    }
    const back = await login('cat');
    expect((await back.next('abort')).job).toBe(job);
  });

  it('ends DONE when a party whose link broke in its upload comes back and sends the same again', async () => {
    const nodes = await all();
    const job = await started(nodes);
    for (const node of nodes) await node.send({ type: 'phase', job, attempt: 1, phase: 'open' });
    const [ant, bee, cat] = nodes as [ScriptedNode, ScriptedNode, ScriptedNode];
    for (const node of [ant, bee]) {
      await node.sendOpening(job, randomBytes(10), {}, {});
      await node.next('stored');
    }
    const sealed = randomBytes(2_500_000);
    const announced = { type: 'opening', job, attempt: 1, sealedBytes: sealed.length } as const;
    await cat.send({ ...announced, commitments: {}, signatures: {} });
    await cat.sendBulk(job, sealed.subarray(0, 1_000));
    cat.link.close();
    await expect.poll(connected).toEqual(['ant', 'bee']);
    expect((await stateOf(job)).state).toBe('RUNNING');
    expect((await owl.post(`/v1/jobs/${job}/cancel`)).body).toMatchObject({ error: { code: 'ALREADY_ENDED' } });
    const back = await login('cat');
    expect((await back.next('invite')).job).toBe(job);
    await back.sendOpening(job, sealed, {}, {});
    await back.next('stored');
    await becomes(job, { state: 'DONE' });
    const { openings } = (await owl.get(`/v1/jobs/${job}/answer`)).body as unknown as {
      openings: { party: Party; sealed: string }[];
    };
    const stored = openings.find(({ party }) => party === 'cat')!;
    expect(Buffer.from(stored.sealed, 'base64').equals(sealed)).toBe(true);
  });

  it('fails with what a party says that comes back without an opening', async () => {
    const nodes = await all();
    const job = await started(nodes);
    await nodes[0]!.sendOpening(job, randomBytes(10), {}, {});
    await nodes[0]!.next('stored');
    nodes[2]!.link.close();
    await expect.poll(connected).toEqual(['ant', 'bee']);
    const back = await login('cat');
    await back.next('invite');
    const report = reportOf(new StateError('INTERRUPTED', { party: 'cat' }));
    await back.send({ type: 'failed', job, attempt: 1, report });
    await becomes(job, { state: 'FAILED', error: { code: 'INTERRUPTED', party: 'cat' } });
    expect((await nodes[1]!.next('abort')).report.code).toBe('INTERRUPTED');
  });

  it('fails with the code of the party that failed', async () => {
    const nodes = await all();
    const job = await started(nodes);
    await nodes[0]!.send({ type: 'phase', job, attempt: 1, phase: 'share' });
    const report = reportOf(new ProtocolError('TAMPERED', { party: 'bee' }));
    await nodes[0]!.send({ type: 'failed', job, attempt: 1, report });
    await becomes(job, { state: 'FAILED', error: { code: 'TAMPERED', party: 'bee' } });
    for (const node of nodes) await node.next('abort');
    await nodes[1]!.sendOpening(job, randomBytes(10), names, {});
    expect((await nodes[1]!.next('abort')).report.code).toBe('TAMPERED');
  });

  it('fails when an acceptance is not the party’s own', async () => {
    const nodes = await all();
    const job = await submitted();
    for (const node of nodes) await node.next('invite');
    const { acceptance } = acceptanceOf(moot, 'ant', job);
    const forged = { acceptance: { ...acceptance, min_group: 1 }, signature: acceptanceOf(moot, 'ant', job).signature };
    await nodes[0]!.send({ type: 'accepted', job, attempt: 1, acceptance: forged });
    await becomes(job, { state: 'FAILED', error: { code: 'BAD_ACCEPTANCE', party: 'ant' } });
  });

  it.each([
    ['for another party', () => acceptanceOf(moot, 'bee', 'a'.repeat(64))],
    ['of another form', () => ({ acceptance: 'yes' })],
  ])('fails when an acceptance is %s', async (_, acceptance) => {
    const nodes = await all();
    const job = await submitted();
    for (const node of nodes) await node.next('invite');
    await nodes[0]!.send({ type: 'accepted', job, attempt: 1, acceptance: acceptance() });
    await becomes(job, { state: 'FAILED', error: { code: 'BAD_ACCEPTANCE', party: 'ant' } });
  });

  it('is cancelled at the nodes too, but not once a share is opened', async () => {
    const nodes = await all();
    const first = await started(nodes);
    await owl.post(`/v1/jobs/${first}/cancel`);
    for (const node of nodes) expect((await node.next('cancel')).job).toBe(first);
    const second = await started(nodes);
    await nodes[0]!.sendOpening(second, randomBytes(10), {}, {});
    await nodes[0]!.next('stored');
    expect((await owl.post(`/v1/jobs/${second}/cancel`)).body).toMatchObject({ error: { code: 'ALREADY_ENDED' } });
  });

  it('leaves the others their turn: only so many hold a place at once', async () => {
    const nodes = await all();
    const jobs: string[] = [];
    for (let count = 0; count <= limits.activeJobsPerParty; count++) jobs.push(await submitted());
    for (let count = 0; count < limits.activeJobsPerParty; count++) await nodes[0]!.next('invite');
    expect((await stateOf(jobs.at(-1)!)).state).toBe('QUEUED');
    await owl.post(`/v1/jobs/${jobs[0]}/cancel`);
    expect((await nodes[0]!.next('cancel')).job).toBe(jobs[0]);
    expect((await nodes[0]!.next('invite')).job).toBe(jobs.at(-1));
  });

  it('forwards session frames between the parties of a running job only', async () => {
    const nodes = await all();
    const job = await started(nodes);
    const got: Uint8Array[] = [];
    nodes[1]!.sessions.onFrame((frame) => void got.push(frame));
    const session = sessionId(fromHex(job), 1, 'ant', 'bee');
    const frame = encodeFrame({ type: frameType.session, session, from: 0, to: 1, sequence: 0 }, randomBytes(100));
    const sent = Buffer.from(frame);
    await nodes[0]!.link.send(
      encodeFrame({ type: frameType.session, session: randomBytes(16), from: 0, to: 1, sequence: 0 }, randomBytes(9)),
    );
    await nodes[0]!.link.send(frame);
    await expect.poll(() => got.length).toBe(1);
    expect(sent.equals(got[0]!)).toBe(true);
  });
});

describe('openings', () => {
  it.each([
    ['larger than allowed', 'FRAME_TOO_LARGE', limits.openingBytesMax + 1, 0],
    ['longer than announced', 'BAD_FRAME', 10, 11],
  ])('end the link when they are %s', async (_, code, announced, sent) => {
    const nodes = await all();
    const job = await started(nodes);
    const [ant] = nodes as [ScriptedNode];
    await ant.send({ type: 'opening', job, attempt: 1, sealedBytes: announced, commitments: names, signatures: {} });
    if (sent > 0) await ant.sendBulk(job, new Uint8Array(sent));
    await ant.ended;
    expect(moot.logged()).toContain(code);
    // The party may come back, and send a better one.
    expect(await stateOf(job)).toMatchObject({ state: 'RUNNING', attempt: 1 });
  });

  it('end the link when bulk frames come unannounced, or in another’s name', async () => {
    const nodes = await all();
    const job = await started(nodes);
    await nodes[0]!.sendBulk(job, new Uint8Array(10));
    await nodes[0]!.ended;
    await nodes[1]!.send({ type: 'opening', job, attempt: 1, sealedBytes: 10, commitments: names, signatures: {} });
    await nodes[1]!.sendBulk(job, new Uint8Array(10), 2);
    await nodes[1]!.ended;
    expect(moot.logged().match(/WRONG_SESSION/g)).toHaveLength(2);
  });

  it('end the link when there are too many at once', async () => {
    const ant = await login('ant');
    for (let count = 0; count <= limits.openingsPerNode; count++) {
      const job = count.toString(16).padStart(2, '0').repeat(32);
      await ant.send({ type: 'opening', job, attempt: 1, sealedBytes: 10, commitments: names, signatures: {} });
    }
    await ant.ended;
    expect(moot.logged()).toContain('BACKLOG');
  });
});

describe('a restart', () => {
  it('goes on serving what is done, lets wait what waited, and go on what ran', async () => {
    const nodes = await all();
    const sealed = randomBytes(50);
    const done = await runWith(moot, owl, nodes, () => sealed);
    const ran = await started(nodes);
    await becomes(ran, { state: 'RUNNING' });
    nodes[2]!.link.close();
    await expect.poll(connected).toEqual(['ant', 'bee']);
    const waits = await submitted();
    const before = (await owl.get(`/v1/jobs/${done}/answer`)).body;

    await running.stop();
    running = await moot.start();
    owl = await api(moot, running.url);
    expect((await owl.get(`/v1/jobs/${done}/answer`)).body).toEqual(before);
    expect(await stateOf(ran)).toMatchObject({ state: 'RUNNING', attempt: 1 });
    expect((await stateOf(waits)).state).toBe('QUEUED');
    const ant = await login('ant');
    expect(await ant.next('start')).toMatchObject({ job: ran, attempt: 1 });
    const [bee, cat] = await Promise.all([login('bee'), login('cat')]);
    expect((await ant.next('invite')).job).toBe(waits);
    // The relay knows the attempt again.
    await bee.next('start');
    const got: Uint8Array[] = [];
    bee.sessions.onFrame((frame) => void got.push(frame));
    const session = sessionId(fromHex(ran), 1, 'ant', 'bee');
    await ant.link.send(encodeFrame({ type: frameType.session, session, from: 0, to: 1, sequence: 9 }, randomBytes(5)));
    await expect.poll(() => got.length).toBe(1);
    for (const node of [ant, bee, cat]) await node.sendOpening(ran, randomBytes(10), {}, {});
    await becomes(ran, { state: 'DONE', attempt: 1 });
  });

  it.each(['a phase', 'an opening'])('takes every opening that is sent again, after %s had come in', async (first) => {
    const nodes = await all();
    const job = await started(nodes);
    if (first === 'a phase') {
      for (const node of nodes) await node.send({ type: 'phase', job, attempt: 1, phase: 'open' });
      let history = '';
      for await (const piece of (await owl.stream(`/v1/jobs/${job}/events`)).body!) {
        history += Buffer.from(piece).toString();
        if (history.match(/"phase":"open"/g)?.length === 3) break;
      }
    } else {
      await nodes[0]!.sendOpening(job, randomBytes(10), {}, {});
      await nodes[0]!.next('stored');
    }
    await running.stop();
    running = await moot.start();
    owl = await api(moot, running.url);
    expect((await stateOf(job)).state).toBe('RUNNING');
    for (const [index, node] of (await all()).entries()) {
      if (first === 'a phase' || index > 0) expect((await node.next('invite')).job).toBe(job);
      await node.sendOpening(job, randomBytes(10), {}, {});
      await node.next('stored');
    }
    await becomes(job, { state: 'DONE' });
  });

  it('keeps acceptances of a job that was being decided', async () => {
    const nodes = await all();
    const job = await submitted();
    for (const node of nodes) await node.next('invite');
    await nodes[0]!.send({ type: 'accepted', job, attempt: 1, acceptance: acceptanceOf(moot, 'ant', job) });
    await expect.poll(async () => JSON.stringify(await stateOf(job))).toContain('accepted');
    await running.stop();
    running = await moot.start();
    owl = await api(moot, running.url);
    expect((await stateOf(job)).state).toBe('INVITING');
    const [ant, bee, cat] = await all();
    for (const node of [bee!, cat!]) {
      await node.next('invite');
      await node.send({ type: 'accepted', job, attempt: 1, acceptance: acceptanceOf(moot, node.party, job) });
    }
    expect((await ant!.next('start')).acceptances).toHaveLength(3);
  });

  it('is refused while another process holds the state', async () => {
    await expect(moot.start()).rejects.toMatchObject({ code: 'STATE_IN_USE' });
  });
});

describe('what lies on the coordinator’s disk and in its log', () => {
  it('holds sealed bytes, and no key or token', async () => {
    const nodes = await all();
    await runWith(moot, owl, nodes, () => randomBytes(100));
    await running.stop();
    const state = join(moot.folder, 'state');
    const disk = Buffer.concat(readdirSync(state).map((file) => readFileSync(join(state, file))));
    const everything = `${disk.toString('latin1')}${moot.logged()}`;
    expect(everything).not.toContain(owl.token);
    running = await moot.start();
  });
});
