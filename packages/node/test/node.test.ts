import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import { charterHash } from '@folkmoot/core/charter.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { verify } from '@folkmoot/core/identity.js';
import { checkRenunciation } from '@folkmoot/core/renunciation.js';
import { report } from '@folkmoot/core/report.js';
import { type Clock, systemClock } from '@folkmoot/transport/clock.js';
import { open } from '@folkmoot/transport/envelope.js';
import { decodeFrame } from '@folkmoot/transport/frame.js';
import { absenceMsMax } from '@folkmoot/transport/resumable-stream.js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Overrides } from '../src/config.ts';
import { type RunningNode, type StartOptions, startNode } from '../src/node.ts';
import { openStore } from '../src/store.ts';
import { type Consortium, idOf, jobYaml, makeConsortium, nodeYaml, type PartyName, parties } from './consortium.ts';
import { StandIn } from './stand-in-coordinator.ts';

let consortium: Consortium;
let coordinator: StandIn;
let nodes: RunningNode[];
let logged: string[];

async function startOne(
  party: PartyName,
  overrides: Overrides = {},
  given: Pick<StartOptions, 'clock' | 'randomBytes'> = {},
): Promise<RunningNode> {
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const node = await startNode({
    configFile: consortium.configFile(party),
    overrides: { coordinator: coordinator.url, ...overrides },
    log,
    env: {},
    ...given,
  });
  nodes.push(node);
  return node;
}

beforeEach(async () => {
  consortium = await makeConsortium(42);
  coordinator = await StandIn.start(consortium.charter);
  nodes = [];
  logged = [];
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await coordinator.stop();
  consortium.dispose();
});

const isIn = (party: string) => coordinator.heard.some((one) => one.party === party && one.message.type === 'login');
const invite = (party: string, signed: SignedJob) =>
  coordinator.send(party, { type: 'invite', job: idOf(signed), attempt: 1, signed });

async function startAll(): Promise<void> {
  for (const party of parties) await startOne(party);
  await coordinator.until(() => parties.every(isIn));
}

/** Invites all, and gives what they accepted. */
async function acceptedByAll(signed: SignedJob): Promise<SignedAcceptance[]> {
  for (const party of parties) invite(party, signed);
  const messages = await Promise.all(parties.map((party) => coordinator.next(party, 'accepted')));
  return messages.map(({ acceptance }) => acceptance as SignedAcceptance);
}

function start(signed: SignedJob, acceptances: readonly SignedAcceptance[], to: readonly string[] = parties): void {
  coordinator.admit({ job: fromHex(idOf(signed)), attempt: 1, roster: parties });
  for (const party of to) {
    coordinator.send(party, { type: 'start', job: idOf(signed), attempt: 1, acceptances: [...acceptances] });
  }
}

const answer = (signed: SignedJob, acceptances: readonly SignedAcceptance[]) =>
  report(
    { signed, charter: consortium.charter, acceptances, nowMs: Date.now() },
    {
      attempt: 1,
      openings: coordinator.openings.map(({ party, opening: { sealed, announcement } }) => {
        const { commitments, signatures } = announcement;
        return { party, sealed, commitments, signatures };
      }),
    },
    {
      verify: (party, statement, signature) => {
        const key = fromHex(consortium.charter.parties[party]!.identity!);
        return verify(key, 'folkmoot opening v1', statement, signature);
      },
      open: (sealed, sender) => {
        const info = { job: fromHex(idOf(signed)), attempt: 1, sender, recipient: 'ana' };
        return open(consortium.analystKeys.secret.recipient, info, sealed);
      },
    },
  );

const stateOf = (party: PartyName) => join(consortium.folder, party, 'state');

/** Stops a node, and reads what it left behind. */
async function stateAfter(party: PartyName, node: RunningNode) {
  await node.stop();
  const store = openStore(stateOf(party), () => 0);
  try {
    return { jobs: store.list(), released: store.released() };
  } finally {
    store.close();
  }
}

const csvOf = (party: PartyName) => join(consortium.folder, party, 'data', 'residents.csv');
const nodeOf = (party: PartyName) => nodes.find((node) => node.party === party)!;
describe('a job', () => {
  it('walks its road to an answer, and what was released is written down', async () => {
    await startAll();
    const signed = consortium.signed();
    const acceptances = await acceptedByAll(signed);
    const frames: Uint8Array[] = [];
    coordinator.onSessionFrame = (_, bytes) => {
      frames.push(Uint8Array.from(bytes));
      return bytes;
    };
    start(signed, acceptances);
    await coordinator.until(() => coordinator.openings.length === 3);
    const result = await answer(signed, acceptances);
    expect(result.rows).toMatchObject([
      { tenure: 'owner', households: { value: 3 }, total: { exact: '1000.11' } },
      { tenure: 'private', households: { value: 5 }, total: { exact: '4336.37' } },
    ]);
    const phases = coordinator.heard.flatMap(({ party, message }) =>
      party === 'camden' && message.type === 'phase' ? [message.phase] : [],
    );
    expect(phases).toEqual(['agree', 'query', 'share', 'prepare', 'evaluate', 'noise', 'commit', 'open', 'release']);

    for (const party of parties) coordinator.send(party, { type: 'stored', job: idOf(signed), attempt: 1 });
    await until(() => logged.filter((line) => line.includes('"RESULT"')).length === 3);
    const { jobs, released } = await stateAfter('camden', nodeOf('camden'));
    expect(jobs).toMatchObject([{ job: idOf(signed), status: 'RESULT', attempt: 1 }]);
    const sealed = coordinator.openings.find(({ party }) => party === 'camden')!.opening.sealed;
    expect(released).toMatchObject([{ analyst: 'ana', title: 'Arrears', rule: 'statistics', bytes: sealed.length }]);
    expect(released[0]!.deliveredMs).not.toBeNull();

    // Nothing of a record is in a log line, nor in what passes the coordinator.
    const seen = Buffer.concat([...frames, ...coordinator.openings.map(({ opening }) => opening.sealed)]);
    const words = logged.join('') + JSON.stringify(coordinator.heard);
    for (const planted of ['4321.09', '9999.99', '1000.01']) {
      expect(words).not.toContain(planted);
      expect(seen.includes(planted)).toBe(false);
      expect(seen.includes(Buffer.from(new BigUint64Array([BigInt(planted.replace('.', ''))]).buffer))).toBe(false);
    }
  });

  it('is accepted once: asked again, the node gives the same signature', async () => {
    await startOne('camden');
    await coordinator.until(() => isIn('camden'));
    const signed = consortium.signed();
    invite('camden', signed);
    await coordinator.next('camden', 'accepted');
    invite('camden', signed);
    const given = () => coordinator.heard.filter(({ message }) => message.type === 'accepted');
    await coordinator.until(() => given().length === 2);
    expect(given()[0]).toEqual(given()[1]);
    const { acceptance } = given()[0]!.message as { acceptance: SignedAcceptance };
    expect(acceptance.acceptance).toMatchObject({ party: 'camden', job: idOf(signed), rule: 'statistics' });
  });
});

describe('a denial', () => {
  async function denied(signed: SignedJob, overrides: Overrides = {}) {
    await startOne('camden', overrides);
    await coordinator.until(() => isIn('camden'));
    invite('camden', signed);
    return (await coordinator.next('camden', 'denied')).report;
  }

  it('names the rule, the column and the change, where the policy does not allow the job', async () => {
    const job = jobYaml.replace('where: { age: { gte: 18 } }', 'where: { arrears: { gte: 18 } }');
    const report = await denied(consortium.signed(job));
    expect(report.code).toBe('REFUSED');
    expect(`${report.message} ${report.remedy}`).toMatch(/statistics[\s\S]*arrears/);
  });

  it('says NOT_SUPPORTED where a rule asks for a person and none is there, and `approve` stands for one', async () => {
    writeFileSync(consortium.configFile('camden'), nodeYaml('camden', 'manual'));
    const signed = consortium.signed();
    expect(await denied(signed, { unattended: true })).toMatchObject({ code: 'NOT_SUPPORTED', field: 'approval' });
    await nodes.pop()!.stop();
    await startOne('camden', { approve: true, state: join(consortium.folder, 'other-state') });
    await coordinator.until(() => coordinator.heard.filter(({ message }) => message.type === 'login').length === 2);
    invite('camden', signed);
    await coordinator.next('camden', 'accepted');
  });

  it('says NOT_SUPPORTED to what no version can do yet', async () => {
    const tested = 'having: { spread: { of: { chi_square: [tenure, tenure] }, gte: 1 } }';
    expect(await denied(consortium.signed(`${jobYaml}${tested}\n`))).toMatchObject({
      code: 'NOT_SUPPORTED',
      field: 'having.spread.of',
    });
  });

  it('says BAD_SIGNATURE to a job that was changed after it was signed', async () => {
    const signed = consortium.signed();
    const job = { ...signed.envelope.job, min_group: 1 };
    expect(await denied({ ...signed, envelope: { ...signed.envelope, job } })).toMatchObject({ code: 'BAD_SIGNATURE' });
  });

  it('says JOB_EXPIRED by its own clock', async () => {
    const late = consortium.signed(jobYaml, Date.now() - 3_600_000 - 121_000);
    expect(await denied(late)).toMatchObject({ code: 'JOB_EXPIRED' });
  });

  it('leaves no trace of a job under another id, or one that cannot be read', async () => {
    const node = await startOne('camden');
    await coordinator.until(() => isIn('camden'));
    const signed = consortium.signed();
    coordinator.send('camden', { type: 'invite', job: 'ab'.repeat(32), attempt: 1, signed });
    expect((await coordinator.next('camden', 'denied')).report.code).toBe('BAD_MESSAGE');
    const nothing = { envelope: {}, signature: '00'.repeat(64) } as unknown as SignedJob;
    coordinator.send('camden', { type: 'invite', job: 'cd'.repeat(32), attempt: 1, signed: nothing });
    const denials = () => coordinator.heard.filter(({ message }) => message.type === 'denied');
    await coordinator.until(() => denials().length === 2);
    expect(denials()[1]!.message).toMatchObject({ report: { code: 'BAD_VALUE' } });
    expect((await stateAfter('camden', node)).jobs).toEqual([]);
  });

  it('tells the coordinator a code and no more where the source fails, and its owner the rest', async () => {
    rmSync(csvOf('camden'));
    const report = await denied(consortium.signed());
    expect(report).toMatchObject({ code: 'SOURCE_UNREACHABLE', party: 'camden' });
    expect(JSON.stringify(report)).not.toContain('residents.csv');
    expect((await stateAfter('camden', nodeOf('camden'))).jobs[0]!.detail).toContain('residents.csv');
    expect(logged.join('')).toContain('residents.csv');
  });
});

describe('a run that goes wrong', () => {
  /** The first attempt is renounced, with this party's good signature. */
  async function renouncedBy(party: PartyName, signed: SignedJob): Promise<void> {
    const { attempt, renunciation } = await coordinator.next(party, 'renounced');
    const { charter } = consortium;
    const of = { job: idOf(signed), attempt, charter, charterHash: charterHash(charter) };
    expect(attempt).toBe(1);
    expect(() => checkRenunciation(renunciation, party, of)).not.toThrow();
  }
  async function running() {
    await startAll();
    const signed = consortium.signed();
    return { signed, acceptances: await acceptedByAll(signed) };
  }

  it('fails where a value has the wrong form: the column is for the owner, the value for nobody', async () => {
    writeFileSync(csvOf('camden'), 'id,age,tenure,arrears_gbp\nc1,30,owner,1_000\nc2,31,private,2.50\n');
    const { signed, acceptances } = await running();
    start(signed, acceptances);
    const { report } = await coordinator.next('camden', 'failed');
    expect(report).toMatchObject({ code: 'SOURCE_VALUE', party: 'camden' });
    expect(report.field).toBeUndefined();
    const { jobs } = await stateAfter('camden', nodeOf('camden'));
    expect(jobs).toMatchObject([{ status: 'ABORTED', report: { code: 'SOURCE_VALUE' } }]);
    expect(jobs[0]!.detail).toContain('arrears');
    expect(jobs[0]!.detail + logged.join('') + JSON.stringify(coordinator.heard)).not.toContain('1_000');
    expect(coordinator.openings).toEqual([]);
  });

  it('fails where the records are others than those accepted', async () => {
    const { signed, acceptances } = await running();
    writeFileSync(csvOf('camden'), 'id,age,tenure,arrears_gbp\nc1,30,owner,1.00\n');
    start(signed, acceptances);
    expect((await coordinator.next('camden', 'failed')).report.code).toBe('SOURCE_CHANGED');
  });

  it('sends no share where an acceptance is forged, missing or not its own', async () => {
    const { signed, acceptances } = await running();
    const frames: string[] = [];
    coordinator.onSessionFrame = (party, bytes) => {
      frames.push(party);
      return bytes;
    };
    const forged = acceptances.map((one, index) =>
      index === 1 ? { ...one, acceptance: { ...one.acceptance, min_group: 1, rule: 'other' } } : one,
    );
    start(signed, forged, ['camden']);
    start(signed, acceptances.slice(0, 2), ['hackney']);
    expect((await coordinator.next('camden', 'failed')).report).toMatchObject({
      code: 'BAD_ACCEPTANCE',
      party: 'hackney',
    });
    expect((await coordinator.next('hackney', 'failed')).report).toMatchObject({
      code: 'BAD_ACCEPTANCE',
      party: 'islington',
    });
    expect(frames).toEqual([]);
  });

  it('ends with TAMPERED, or with the peer’s word for it, where the relay changes a frame', async () => {
    const { signed, acceptances } = await running();
    let seen = 0;
    coordinator.onSessionFrame = (party, bytes) => {
      // The fourth frame of a party is past its handshakes.
      if (party === 'camden') seen += 1;
      if (party === 'camden' && seen === 5) bytes[bytes.length - 1]! ^= 1;
      return bytes;
    };
    start(signed, acceptances);
    // Who had committed by then halts, and is asked before it ends for good.
    const failures = () =>
      coordinator.heard.flatMap(({ message }) => {
        const ended = message.type === 'failed' || message.type === 'halted' || message.type === 'renounced';
        return ended && message.report !== undefined ? [message.report.code] : [];
      });
    await coordinator.until(() => failures().length > 0);
    expect(failures()).toContainEqual(expect.stringMatching(/TAMPERED|PARTY_FAILED/));
    expect(coordinator.openings.length).toBeLessThan(3);
  });

  it('ends at once when it is cancelled, and is not taken up again', async () => {
    const { signed, acceptances } = await running();
    start(signed, acceptances, ['camden']);
    await until(() => logged.some((line) => line.includes('"RUNNING"')));
    coordinator.send('camden', { type: 'cancel', job: idOf(signed) });
    invite('camden', signed);
    expect((await coordinator.next('camden', 'failed')).report.code).toBe('CANCELLED');
    expect((await stateAfter('camden', nodeOf('camden'))).jobs).toMatchObject([{ status: 'CANCELLED' }]);
  });

  it('goes on where its links break and come back, with the same bytes where they come again', async () => {
    const { signed, acceptances } = await running();
    const seen = new Map<string, Buffer>();
    let [passed, repeated] = [0, 0];
    coordinator.onSessionFrame = (party, bytes) => {
      const { to, sequence } = decodeFrame(bytes);
      const name = `${party}-${to}-${sequence}`;
      const before = seen.get(name);
      if (before !== undefined) {
        repeated++;
        expect(Buffer.compare(before, bytes)).toBe(0);
      }
      seen.set(name, Buffer.from(bytes));
      // What has just been sent is lost with the link of its sender, or of its receiver.
      passed++;
      if (passed === 3 || passed === 15 || passed === 30) coordinator.cut(passed === 15 ? parties[to]! : party);
      return bytes;
    };
    start(signed, acceptances);
    await coordinator.until(() => coordinator.openings.length === 3);
    expect((await answer(signed, acceptances)).rows).toMatchObject([
      { total: { exact: '1000.11' } },
      { total: { exact: '4336.37' } },
    ]);
    expect(repeated).toBeGreaterThan(0);
    expect(coordinator.heard.some(({ message }) => message.type === 'renounced')).toBe(false);
  });

  it('renounces the attempt when the node has had no link for a minute, and comes back', async () => {
    const signed = consortium.signed();
    // A minute that is over before the node dials again.
    const clock: Clock = {
      now: () => systemClock.now(),
      after: (delayMs, action) => systemClock.after(delayMs === absenceMsMax ? 10 : delayMs, action),
    };
    await startOne('camden', {}, { clock, randomBytes: (n) => new Uint8Array(n).fill(0xff) });
    await startOne('hackney');
    await startOne('islington');
    await coordinator.until(() => parties.every(isIn));
    start(signed, await acceptedByAll(signed), ['camden']);
    await until(() => logged.some((line) => line.includes('"RUNNING"')));
    coordinator.cut('camden');
    const logins = () => coordinator.heard.filter((one) => one.party === 'camden' && one.message.type === 'login');
    await coordinator.until(() => logins().length === 2);
    await renouncedBy('camden', signed);
    expect(logged.some((line) => line.includes('attempt-ended') && line.includes('LINK_LOST'))).toBe(true);
  });

  it('renounces the attempt after a restart, since its masks are gone', async () => {
    const { signed, acceptances } = await running();
    start(signed, acceptances, ['camden']);
    await until(() => logged.some((line) => line.includes('"RUNNING"')));
    await nodeOf('camden').stop();
    await startOne('camden');
    await coordinator.until(
      () =>
        coordinator.heard.filter(({ party, message }) => party === 'camden' && message.type === 'login').length === 2,
    );
    await renouncedBy('camden', signed);
    const { jobs, released } = await stateAfter('camden', nodes.at(-1)!);
    expect(jobs).toMatchObject([{ status: 'ACCEPTED', attempt: 2 }]);
    expect(released).toEqual([]);
  });
});

describe('an opening', () => {
  it('is sent again, the same bytes, after a broken link and after a restart', async () => {
    await startAll();
    const signed = consortium.signed();
    start(signed, await acceptedByAll(signed));
    const ofCamden = () => coordinator.openings.filter(({ party }) => party === 'camden');
    await coordinator.until(() => coordinator.openings.length === 3);
    coordinator.cut('camden');
    await coordinator.until(() => ofCamden().length === 2);
    await nodeOf('camden').stop();
    const again = await startOne('camden');
    await coordinator.until(() => ofCamden().length === 3);
    const [first, second, third] = ofCamden();
    expect(second).toEqual(first);
    expect(third).toEqual(first);
    // It cannot be taken back.
    coordinator.send('camden', { type: 'cancel', job: idOf(signed) });
    coordinator.send('camden', { type: 'stored', job: idOf(signed), attempt: 1 });
    await until(() => logged.some((line) => line.includes('"RESULT"')));
    expect((await stateAfter('camden', again)).jobs).toMatchObject([{ status: 'RESULT' }]);
  });
});

describe('a node', () => {
  it('does not start twice on one state', async () => {
    await startOne('camden');
    await expect(startOne('camden')).rejects.toThrow(expect.objectContaining({ code: 'STATE_IN_USE' }));
  });

  it('does not start towards a plain address elsewhere', async () => {
    await expect(startOne('camden', { coordinator: 'ws://folkmoot.example' })).rejects.toThrow(
      expect.objectContaining({ code: 'INSECURE_URL' }),
    );
  });

  it('keeps trying while nobody listens, and stops when it is told to', async () => {
    const node = await startOne('camden', { coordinator: 'ws://127.0.0.1:1' });
    await until(() => logged.filter((line) => line.includes('UNREACHABLE')).length >= 2);
    await node.stop();
    await node.stop();
  });
});

/** For what no message of a node announces. */
async function until(holds: () => boolean, timeoutMs = 20_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`waited in vain; logged:\n${logged.join('')}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
