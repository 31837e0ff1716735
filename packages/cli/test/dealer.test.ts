/**
 * A job with a helper, from its submission to its answer: a coordinator, three parties' nodes and the helper's, and the
 * analyst's client. Then all that can go wrong with a helper.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signAcceptance } from '@folkmoot/core/acceptance.js';
import type { Answer } from '@folkmoot/core/answer.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import { type Charter, charterHash, charterHashBytes, parseCharter, partiesOf } from '@folkmoot/core/charter.js';
import type { ErrorReport } from '@folkmoot/core/errors.js';
import { signer } from '@folkmoot/core/identity.js';
import { type Job, parseJob } from '@folkmoot/core/job.js';
import { helperRule } from '@folkmoot/core/policy.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { envelopeBytes } from '@folkmoot/transport/envelope.js';
import { type PartyKeys, readKeys } from '@folkmoot/transport/keyring.js';
import { openChannel } from '@folkmoot/transport/peer-network.js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../client/src/client.ts';
import type { JobEvent } from '../../client/src/events.ts';
import { verifyAnswer } from '../../client/src/receipt.ts';
import { type RunningCoordinator, startCoordinator } from '../../coordinator/src/server.ts';
import type { Consortium, Party } from '../../coordinator/test/consortium.ts';
import { ScriptedNode } from '../../coordinator/test/scripted-node.ts';
import { type RunningNode, startNode } from '../../node/src/node.ts';
import { openStore } from '../../node/src/store.ts';
import { type SealedForOnce, sealForOnce } from '../src/throw-away.ts';
import { expectedRows, village as helper, job as jobText, towns, writeConsortium } from './small-consortium.ts';

/** For what happens soon after what was waited for. */
const patience = { timeout: 20_000 };
const helped = parseJob(`${jobText}join_helper: ${helper}\n`, 'job.yaml');

let folder: string;
let sealed: SealedForOnce;
let charter: Charter;
let coordinator: RunningCoordinator;
let nodes: Map<string, RunningNode>;
let logged: string[];

const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-helper-'));
  logged = [];
  nodes = new Map();
  writeConsortium(folder, { village: true });
  const text = readFileSync(join(folder, 'charter.yaml'), 'utf8');
  sealed = await sealForOnce(parseCharter(text, 'charter.yaml'), folder);
  charter = sealed.charter;
  const configFile = join(folder, 'coordinator.yaml');
  writeFileSync(configFile, JSON.stringify({ charter: sealed.charterFile, listen: '127.0.0.1:0', state: './moot' }));
  coordinator = await startCoordinator({ configFile, log });
});
afterEach(async () => {
  await Promise.all([...nodes.values()].map((node) => node.stop()));
  await coordinator.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function startOne(party: string): Promise<void> {
  const overrides = {
    charter: sealed.charterFile,
    coordinator: coordinator.url,
    keys: sealed.keyFolder(party),
    state: join(folder, party, 'state'),
  };
  nodes.set(party, await startNode({ configFile: join(folder, party, 'node.yaml'), overrides, log, env: {} }));
}

function analyst(fetchOf: typeof fetch = fetch): Client {
  const keys = sealed.analystKeys.get('ann')!;
  const common = { charter, analyst: 'ann', keys, url: coordinator.url, clock: systemClock, randomBytes };
  return createClient({ ...common, fetch: fetchOf });
}

/** Follows a job to its end. */
async function asked(
  job: Job,
  onEvent?: (event: JobEvent, id: string) => unknown,
): Promise<{ id: string; events: JobEvent[] }> {
  const client = analyst();
  const { job: id } = await client.submit(job);
  const events: JobEvent[] = [];
  for await (const event of client.events(id)) {
    events.push(event);
    await onEvent?.(event, id);
  }
  return { id, events };
}

const stateIn = (party: string) => {
  const store = openStore(join(folder, party, 'state'), () => 0);
  try {
    return { jobs: store.list(), released: store.released(), entries: store.ledger.entries({ limit: 10 }) };
  } finally {
    store.close();
  }
};

async function stopped(party: string) {
  await nodes.get(party)!.stop();
  nodes.delete(party);
  return stateIn(party);
}

describe('a job with a helper', () => {
  it('waits for its helper, gives the parties’ answer, and names the helper in it', async () => {
    for (const town of towns) await startOne(town);
    const { id, events } = await asked(helped, async (event, job) => {
      if (event.type !== 'state' || event.state !== 'QUEUED') return;
      const connected = async () => (await analyst().state(job)).parties.filter(({ connected }) => connected);
      await expect.poll(connected, patience).toHaveLength(3);
      expect((await analyst().state(job)).state).toBe('QUEUED');
      await startOne(helper);
    });
    expect(events.at(-1)).toMatchObject({ type: 'state', state: 'DONE' });
    const answer: Answer = await analyst().answer(id);
    expect(answer).toMatchObject({ parties: [...towns], helper, rows: expectedRows });
    expect((answer.receipts as { party: string }[]).map(({ party }) => party)).toEqual([...towns, helper]);
    const shelved = JSON.parse(JSON.stringify(answer)) as Answer;
    expect(() => verifyAnswer(shelved, charter)).not.toThrow();

    // Who helps is said wherever it is named.
    const by = events.filter((event) => event.type === 'party' || event.type === 'phase');
    expect(by.filter(({ party }) => party === helper)).not.toEqual([]);
    for (const event of by) expect(event.helper === true).toBe(event.party === helper);
    const { parties } = await analyst().state(id);
    expect(parties.map(({ party, helper: helps }) => [party, helps === true])).toEqual([
      ...towns.map((town) => [town, false]),
      [helper, true],
    ]);
    expect(logged.some((line) => line.includes('"helps":true') && line.includes(`"party":"${helper}"`))).toBe(true);
    expect(logged.some((line) => line.includes('"helps":true') && line.includes('"party":"ash"'))).toBe(false);

    // Without a helper the answer is the same.
    const plain = await asked(parseJob(jobText, 'job.yaml'));
    const same = await analyst().answer(plain.id);
    expect(same).toMatchObject({ rows: answer.rows, receipts: [{}, {}, {}] });
    expect(same.helper ?? null).toBeNull();

    // What the helper let out is an envelope around nothing, and it was charged for nothing.
    await expect.poll(() => logged.filter((line) => line.includes('"state":"RESULT"')).length, patience).toBe(7);
    const { jobs, released, entries } = await stopped(helper);
    expect(jobs).toMatchObject([{ job: id, status: 'RESULT' }]);
    expect(released).toMatchObject([{ job: id, rule: helperRule, bytes: envelopeBytes(0) }]);
    expect(entries).toEqual([]);
    const own = (await stopped('ash')).released;
    expect(own).toHaveLength(2);
    expect(own[0]!.bytes).toBeGreaterThan(envelopeBytes(0));
  });

  it('is denied where one policy does not permit the helper, and says what would help', async () => {
    const file = join(folder, 'birch', 'node.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(`helpers: [${helper}]`, 'helpers: [ash]'));
    for (const party of [...towns, helper]) await startOne(party);
    const { id, events } = await asked(helped);
    expect(events.at(-1)).toMatchObject({
      state: 'FAILED',
      error: {
        code: 'PARTY_DENIED',
        party: 'birch',
        message: expect.stringContaining('dale as a helper'),
        remedy: expect.stringContaining('add `dale` to `helpers`'),
      },
    });
    await expect(analyst().answer(id)).rejects.toMatchObject({ code: 'ALREADY_ENDED' });
    for (const town of towns) expect((await stopped(town)).released).toEqual([]);
  });

  it('is refused at home where the helper takes part', async () => {
    const twice = parseJob(`${jobText}join_helper: ash\n`, 'job.yaml');
    await expect(analyst().submit(twice)).rejects.toMatchObject({ code: 'HELPER_TAKES_PART', field: 'join_helper' });
  });
});

describe('an answer with a helper', () => {
  /** The analyst's view of an answer that the coordinator has changed. */
  async function changed(id: string, change: (envelope: { openings: Record<string, unknown>[] }) => void) {
    const lying: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!String(input).endsWith('/answer')) return response;
      const envelope = (await response.json()) as { openings: Record<string, unknown>[] };
      change(envelope);
      return new Response(JSON.stringify(envelope), { headers: { 'content-type': 'application/json' } });
    };
    return analyst(lying).answer(id);
  }

  it('is not opened without the helper’s opening, nor with another one than it committed to', async () => {
    for (const party of [...towns, helper]) await startOne(party);
    const { id } = await asked(helped);
    await expect(changed(id, () => {})).resolves.toMatchObject({ helper });
    const without = changed(id, (envelope) => {
      envelope.openings = envelope.openings.filter(({ party }) => party !== helper);
    });
    await expect(without).rejects.toMatchObject({ code: 'BAD_COMMITMENT', party: helper });
    const other = changed(id, ({ openings }) => {
      const opening = openings.find(({ party }) => party === helper)!;
      opening.sealed = Buffer.from(String(opening.sealed), 'base64').fill(7).toString('base64');
    });
    await expect(other).rejects.toMatchObject({ code: 'BAD_COMMITMENT', party: helper });
  });
});

describe('a helper that goes away', () => {
  /** A helper that accepts, sets up its sessions where it is told to, and is gone. */
  async function scripted(leaves: 'at the start' | 'in its work'): Promise<void> {
    const keys = (await readKeys(sealed.keyFolder(helper))) as PartyKeys;
    const sign = signer(keys.secret.identity);
    const world = { charter, keys: { [helper]: keys } } as unknown as Consortium;
    const node = await ScriptedNode.login(world, coordinator.url, helper as Party);
    const { job, attempt } = await node.next('invite');
    const acceptance = {
      ...{ job, party: helper, charter: charterHash(charter), policy: 'a'.repeat(64), fingerprint: 'b'.repeat(64) },
      ...{ build: 'test', expires: new Date(Date.now() + 3_600_000).toISOString(), min_group: 2, rule: helperRule },
      ...{ period: null, budget: null },
    };
    const signed = signAcceptance(acceptance, sign);
    const store = openStore(join(folder, helper, 'state'), () => Date.now());
    const self = { party: helper, charter, charterHash: charterHash(charter), sign };
    const head = store.audited((_, nowMs, heads) => heads.offer(towns, self, nowMs));
    store.close();
    await node.send({ type: 'accepted', job, attempt, acceptance: signed, head });
    await node.next('start');
    if (leaves === 'in its work') {
      const roster = [...towns, helper].sort();
      await openChannel({
        self: helper,
        context: { job: fromHex(job), attempt, roster },
        charterHash: charterHashBytes(charter),
        parties: partiesOf(charter),
        staticKey: keys.secret.static,
        peerStatic: (peer) => fromHex(charter.parties[peer]!.static!),
        roles: roster.map((party) => (party === helper ? 'helper' : 'party')),
        links: node.sessions,
        clock: systemClock,
      });
    }
    node.link.close();
  }

  it.each(['at the start', 'in its work'] as const)(
    '%s and forgets the job ends it, and nobody hangs',
    async (leaves) => {
      for (const party of [...towns, helper]) await startOne(party);
      await stopped(helper);
      // Its own node knows nothing of the attempt: it cannot say that it opened nothing, and there is no other one.
      const gone = scripted(leaves).then(() => startOne(helper));
      const { id, events } = await asked(helped);
      await gone;
      const { error } = events.at(-1) as { error?: ErrorReport };
      expect(error).toMatchObject({ code: 'UNKNOWN_JOB', party: helper });
      await expect(analyst().answer(id)).rejects.toMatchObject({ code: 'ALREADY_ENDED' });
      await expect.poll(() => logged.filter((line) => line.includes('"state":"ABORTED"')).length, patience).toBe(3);
      // The next job finds all at work again.
      const again = await asked(helped);
      expect(again.events.at(-1)).toMatchObject({ state: 'DONE' });
      for (const town of towns) {
        const { jobs, released } = await stopped(town);
        expect(jobs.find(({ job }) => job === id)).toMatchObject({ status: 'ABORTED', report: { party: helper } });
        expect(released.map(({ job }) => job)).toEqual([again.id]);
      }
    },
  );
});
