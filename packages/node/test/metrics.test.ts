import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import { charterText } from '@folkmoot/core/charter.js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../src/database.ts';
import { type RunningNode, startNode } from '../src/node.ts';
import { Store } from '../src/store.ts';
import { type Consortium, idOf, makeConsortium, type PartyName, parties } from './consortium.ts';
import { StandIn } from './stand-in-coordinator.ts';

let consortium: Consortium;
let coordinator: StandIn;
let nodes: RunningNode[];
let logged: string[];

async function startOne(party: PartyName, at = coordinator.url): Promise<RunningNode> {
  const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) });
  const overrides = { coordinator: at, metrics: '127.0.0.1:0' };
  const node = await startNode({ configFile: consortium.configFile(party), overrides, log, env: {} });
  nodes.push(node);
  return node;
}

beforeEach(async () => {
  consortium = await makeConsortium(91);
  coordinator = await StandIn.start(consortium.charter);
  [nodes, logged] = [[], []];
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await coordinator.stop();
  consortium.dispose();
});

const isIn = (party: string) => coordinator.heard.some((one) => one.party === party && one.message.type === 'login');
const metrics = async ({ metricsUrl }: RunningNode) => (await fetch(`${metricsUrl}/metrics`)).text();
const health = async ({ metricsUrl }: RunningNode, path = '/health') => {
  const response = await fetch(metricsUrl + path);
  return { code: response.status, ...((await response.json()) as { status: string; checks: object[] }) };
};

describe('the metrics of a node', () => {
  it('count jobs, attempts and what was released, and no label was brought by a job or a record', async () => {
    for (const party of parties) await startOne(party);
    await coordinator.until(() => parties.every(isIn));
    const signed = consortium.signed();
    const job = idOf(signed);
    for (const party of parties) coordinator.send(party, { type: 'invite', job, attempt: 1, signed });
    const accepted = await Promise.all(parties.map((party) => coordinator.next(party, 'accepted')));
    const acceptances = accepted.map(({ acceptance }) => acceptance as SignedAcceptance);
    coordinator.admit({ job: fromHex(job), attempt: 1, roster: parties });
    for (const party of parties) coordinator.send(party, { type: 'start', job, attempt: 1, acceptances });
    await coordinator.until(() => coordinator.openings.length === 3);
    for (const party of parties) coordinator.send(party, { type: 'stored', job, attempt: 1 });
    const node = nodes[0]!;
    await expect.poll(() => metrics(node)).toContain('folkmoot_jobs{state="RESULT"} 1');
    const text = await metrics(node);
    for (const line of [
      'folkmoot_attempts_started_total 1',
      'folkmoot_attempts_ended_total{code="OPENING"} 1',
      'folkmoot_attempt_duration_seconds_count 1',
      'folkmoot_openings_released 1',
      'folkmoot_ledger_entries 0',
      '\nfolkmoot_audit_entries ',
      '\nfolkmoot_link_up 1\n',
    ]) {
      expect(text).toContain(line);
    }
    expect(text).toMatch(/folkmoot_build_info\{role="node",party="camden",version="\d/);
    expect(text).toMatch(/folkmoot_last_transition_timestamp_seconds 1\d{9}/);
    expect(text).toMatch(/process_resident_memory_bytes [1-9]/);
    const names = [...text.matchAll(/folkmoot_\w+\{([^}]*)\}/g)].flatMap(([, labels]) =>
      [...labels!.matchAll(/([a-z]+)="/g)].map(([, name]) => name!),
    );
    expect([...new Set(names)].sort()).toEqual(['charter', 'code', 'le', 'party', 'role', 'state', 'version']);
    const values = [...text.matchAll(/="([^"]*)"/g)].map(([, value]) => value!);
    for (const secret of [job.slice(0, 12), 'ana', 'Arrears', 'prevention', '1000.01', '9999.99']) {
      expect(values.filter((value) => value.includes(secret))).toEqual([]);
    }
    const lines = logged.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ event, party }) => typeof event !== 'string' || typeof party !== 'string')).toEqual([]);
    const about = lines.filter((line) => 'job' in line);
    expect(about.length).toBeGreaterThan(10);
    for (const line of about) {
      expect(line).toMatchObject({ job, state: expect.any(String), attempt: expect.any(Number) });
    }
  });
});

describe('the health of a node', () => {
  it('is good while it is linked, writes, and its charter stands', async () => {
    const node = await startOne('camden');
    await expect.poll(() => metrics(node)).toMatch(/^folkmoot_link_up 1$/m);
    expect(await health(node, '/ready')).toMatchObject({ code: 200, status: 'ok' });
    expect((await health(node)).checks).toMatchObject([
      { check: 'database' },
      { check: 'charter' },
      { check: 'audit', ok: true },
      { check: 'link' },
    ]);
  });

  it('is not once another charter lies on the disk', async () => {
    const node = await startOne('camden');
    const other = await makeConsortium(92);
    writeFileSync(join(consortium.folder, 'charter.json'), charterText(other.charter));
    other.dispose();
    const { code, checks } = await health(node);
    expect([code, checks[1]]).toMatchObject([503, { check: 'charter', ok: false, code: 'CHARTER_MISMATCH' }]);
  });

  it('is not without a link, and the port tells nothing else', async () => {
    const node = await startOne('camden', 'ws://127.0.0.1:9');
    expect(await health(node)).toMatchObject({
      code: 503,
      status: 'failing',
      checks: [
        { ok: true },
        { ok: true },
        { check: 'audit', ok: true },
        { check: 'link', ok: false, code: expect.stringMatching(/^(LINK_LOST|UNREACHABLE)$/) },
      ],
    });
    await expect.poll(() => metrics(node)).toContain('folkmoot_links_lost_total{code="UNREACHABLE"}');
    expect((await fetch(`${node.metricsUrl}/`)).status).toBe(404);
    expect((await fetch(`${node.metricsUrl}/health`, { method: 'POST', body: 'x' })).status).toBe(404);
  });

  it('shows a database that takes no writes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
    const database = openDatabase(folder);
    const store = new Store(database, () => 0);
    store.probe();
    database.pragma('query_only = ON');
    expect(() => store.probe()).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
    store.close();
    rmSync(folder, { recursive: true });
  });
});
