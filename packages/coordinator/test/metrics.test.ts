import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { charterText } from '@folkmoot/core/charter.js';
import { jobId } from '@folkmoot/core/envelope.js';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Coordinator } from '../src/coordinator.ts';
import { noTraffic } from '../src/counted-link.ts';
import { queued } from '../src/lifecycle.ts';
import { createMetrics } from '../src/metrics.ts';
import type { Schema } from '../src/schema.ts';
import type { RunningCoordinator } from '../src/server.ts';
import { Store } from '../src/store.ts';
import { api, type Consortium, consortium, parties, runWith, signedJob } from './consortium.ts';
import { ScriptedNode } from './scripted-node.ts';

let moot: Consortium;
let running: RunningCoordinator;
beforeEach(async () => {
  moot = await consortium();
  running = await moot.start();
});
afterEach(async () => {
  await running.stop();
  moot.remove();
});

const base = () => running.url.replace(/^ws/, 'http');
const metrics = async () => (await fetch(`${base()}/metrics`)).text();

describe('the metrics of a coordinator', () => {
  it('count jobs, attempts, links, frames and openings', async () => {
    const owl = await api(moot, running.url);
    const nodes = await Promise.all(parties.map((party) => ScriptedNode.login(moot, running.url, party)));
    await runWith(moot, owl, nodes, () => new Uint8Array(1_000));
    await expect.poll(metrics).toContain('folkmoot_attempts_ended_total{code="DONE"} 1');
    const text = await metrics();
    for (const line of [
      'folkmoot_jobs{state="DONE"} 1',
      'folkmoot_jobs{state="RUNNING"} 0',
      'folkmoot_attempts_started_total 1',
      'folkmoot_attempt_duration_seconds_count 1',
      'folkmoot_job_duration_seconds_count{state="DONE"} 1',
      'folkmoot_link_up{party="ant"} 1',
      'folkmoot_openings_stored_total 3',
      'folkmoot_openings_stored_bytes_total 3000',
      'folkmoot_logins_total 3',
      'folkmoot_link_frames_total{kind="bulk",direction="from_node"} 3',
      'folkmoot_http_requests_total{method="POST",route="/v1/jobs",status="201"} 1',
    ]) {
      expect(text).toContain(line);
    }
    expect(text).toMatch(/folkmoot_build_info\{role="coordinator",version="\d+\.\d+\.\d+",charter="[0-9a-f]{12}"\} 1/);
    expect(text).toMatch(/folkmoot_last_transition_timestamp_seconds 1\d{9}/);
    expect(text).toMatch(/folkmoot_state_free_bytes [1-9]/);
    expect(text).toMatch(/process_resident_memory_bytes [1-9]/);
    for (const node of nodes) node.link.close();
    await expect.poll(metrics).toContain('folkmoot_link_up{party="ant"} 0');
    await expect.poll(metrics).toContain('folkmoot_jobs{state="DONE"} 1');
  });

  it('are told while the database is away, without the jobs', async () => {
    const database = new Database(':memory:');
    const queries = new Kysely<Schema>({ dialect: new SqliteDialect({ database }) });
    const unused = { nowMs: () => sql<number>`0`, shared: false };
    const store = new Store({ queries, ...unused, close: () => queries.destroy() });
    await store.close();
    const coordinator = { counts: () => store.counts(), connected: () => ['ant'] } as unknown as Coordinator;
    const registry = new Registry();
    const { charter } = moot;
    const traffic = noTraffic();
    createMetrics(registry, { charter, version: '0', traffic, coordinator: () => coordinator, freeBytes: () => 1 });
    const text = await registry.metrics();
    expect(text).toContain('folkmoot_link_up{party="ant"} 1');
    expect(text).not.toContain('folkmoot_jobs{');
  });

  it('have no label that a job, an analyst or a caller brought', async () => {
    const owl = await api(moot, running.url);
    const nodes = await Promise.all(parties.map((party) => ScriptedNode.login(moot, running.url, party)));
    const job = await runWith(moot, owl, nodes, () => new Uint8Array(10));
    await owl.get(`/v1/jobs/${job}`);
    await owl.get('/v1/jobs/PLANTED-path');
    await fetch(`${base()}/PLANTED-path?PLANTED=1`, { method: 'PROPFIND' });
    const text = await metrics();
    const labels = [...text.matchAll(/([a-z_]+)="([^"]*)"/g)];
    const known = ['role', 'version', 'charter', 'state', 'code', 'party', 'kind', 'direction', 'method', 'route'];
    const foreign = labels.filter(
      ([, name]) => ![...known, 'status', 'le', 'type', 'space', 'major', 'minor', 'patch'].includes(name!),
    );
    expect(foreign.map(([pair]) => pair).filter((pair) => !/^(version|kind|quantile)="/.test(pair))).toEqual([]);
    for (const secret of [job, job.slice(0, 12), 'owl', 'What is in store', 'harvest', 'PLANTED', 'PROPFIND']) {
      expect(text).not.toContain(secret);
    }
    for (const node of nodes) node.link.close();
  });
});

describe('the health of a coordinator', () => {
  it('is good while its database takes writes and its charter stands', async () => {
    for (const path of ['/health', '/ready']) {
      const response = await fetch(base() + path);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({
        status: 'ok',
        checks: [
          { check: 'database', ok: true },
          { check: 'charter', ok: true },
        ],
      });
    }
  });

  it('is not once another charter lies on the disk, or none', async () => {
    const file = join(moot.folder, 'charter.json');
    const other = await consortium(2);
    writeFileSync(file, charterText(other.charter));
    other.remove();
    const response = await fetch(`${base()}/health`);
    expect(response.status).toBe(503);
    const { status, checks } = (await response.json()) as { status: string; checks: object[] };
    expect([status, checks[1]]).toMatchObject(['failing', { check: 'charter', ok: false, code: 'CHARTER_MISMATCH' }]);
    rmSync(file);
  });

  it('forget when an attempt began that goes on at another coordinator', async () => {
    const registry = new Registry();
    const subject = { charter: moot.charter, version: '1', traffic: noTraffic(), freeBytes: () => undefined };
    const counts = createMetrics(registry, { ...subject, coordinator: () => undefined });
    const before = { ...queued(parties, 9_000), phase: 'INVITING', attempt: 1 } as const;
    const running = { ...before, phase: 'RUNNING' } as const;
    const at = { submittedMs: 0, nowMs: 5_000 };
    for (const job of ['a', 'b']) counts.moved(job, before, { ...before, phase: 'READY' }, at);
    counts.dropped('b');
    // Both come back in the end, and end here.
    for (const job of ['a', 'b']) counts.moved(job, running, { ...running, phase: 'DONE' }, at);
    const text = await registry.metrics();
    expect(text).toContain('folkmoot_attempts_ended_total{code="DONE"} 2');
    expect(text).toContain('folkmoot_attempt_duration_seconds_count 1');
  });

  it('shows a database that takes no writes', async () => {
    const file = join(moot.folder, 'state', 'coordinator.sqlite');
    await running.stop();
    const database = new Database(file);
    database.pragma('query_only = ON');
    const queries = new Kysely<Schema>({ dialect: new SqliteDialect({ database }) });
    const unused = { nowMs: () => sql<number>`0`, shared: false };
    const store = new Store({ queries, ...unused, close: () => queries.destroy() });
    await expect(store.probe()).rejects.toThrow(/readonly/);
    await store.close();
    running = await moot.start();
  });
});

describe('a line of the log about a job', () => {
  it('names event, job, state and attempt, and the party that moved it', async () => {
    const owl = await api(moot, running.url);
    const nodes = await Promise.all(parties.map((party) => ScriptedNode.login(moot, running.url, party)));
    const job = await runWith(moot, owl, nodes, () => new Uint8Array(10));
    const cancelled = signedJob(moot);
    await owl.post('/v1/jobs', cancelled);
    await owl.post(`/v1/jobs/${jobId(cancelled.envelope)}/cancel`);
    const lines = moot
      .logged()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ event, role }) => typeof event !== 'string' || role !== 'coordinator')).toEqual([]);
    const about = lines.filter((line) => 'job' in line);
    expect(about.length).toBeGreaterThan(5);
    for (const line of about) {
      expect(line).toMatchObject({ event: expect.any(String), state: expect.any(String), attempt: expect.any(Number) });
    }
    const done = about.find((line) => line.job === job && line.state === 'DONE');
    expect(parties).toContain(done?.party);
    for (const node of nodes) node.link.close();
  });
});
