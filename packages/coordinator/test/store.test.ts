import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jobId } from '@folkmoot/core/envelope.js';
import { reportOf, StateError } from '@folkmoot/core/errors.js';
import Database from 'better-sqlite3';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { queued } from '../src/lifecycle.ts';
import { limits } from '../src/limits.ts';
import { openDatabase, prepareDatabase } from '../src/sqlite-database.ts';
import { Store } from '../src/store.ts';
import {
  acceptanceOf,
  type Consortium,
  consortium,
  jobYaml,
  parties,
  renunciationOf,
  signedJob,
} from './consortium.ts';

let moot: Consortium;
let folder: string;
let store: Store;

beforeAll(async () => {
  moot = await consortium();
});
afterAll(() => moot.remove());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
  store = new Store(openDatabase(folder));
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function reopen(): Promise<void> {
  await store.close();
  store = new Store(openDatabase(folder));
}

function submitted(text?: string) {
  const signed = signedJob(moot, {}, 'owl', text);
  return { id: jobId(signed.envelope), analyst: 'owl', title: 'T', signed, submittedMs: 5 };
}

describe('the coordinator’s store', () => {
  it('is the same in memory, for as long as its process lives', async () => {
    const inMemory = new Store(prepareDatabase(new Database(':memory:')));
    const job = submitted();
    expect(await inMemory.insert(job, queued(parties, 9_000))).toBe(true);
    expect(await inMemory.insert(job, queued(parties, 9_000))).toBe(false);
    expect(await inMemory.job(job.id)).toMatchObject({ id: job.id, state: { phase: 'QUEUED' } });
    await inMemory.close();
  });

  it('gives back after a restart what a step made durable', async () => {
    const job = submitted();
    const { id } = job;
    expect(await store.insert(job, queued(parties, 9_000))).toBe(true);
    expect(await store.insert(job, queued(parties, 9_000))).toBe(false);
    const acceptance = acceptanceOf(moot, 'ant', id);
    const opening = {
      party: 'ant',
      commitments: { ant: 'c' },
      signatures: { ant: 's' },
      sealed: Uint8Array.of(1, 2, 3),
    };
    const state = { ...queued<typeof acceptance>(parties, 9_000), phase: 'RUNNING' as const, attempt: 1 };
    const entry = { type: 'party', party: 'ant', attempt: 1, did: 'accepted' } as const;
    await store.save({ id, state, entries: [entry], atMs: 6, acceptance: { party: 'ant', acceptance } });
    await store.save({ id, state, entries: [{ ...entry, did: 'opened' }], atMs: 7, opening });
    await reopen();
    expect(await store.job(id)).toEqual({
      ...job,
      updatedMs: 7,
      state: { ...state, acceptances: { ant: acceptance }, opened: ['ant'] },
    });
    expect(await store.opening(id, 1, 'ant')).toEqual({ ...opening, sealed: Buffer.from(opening.sealed) });
    expect(await store.opening(id, 1, 'bee')).toBeUndefined();
    expect(await store.verdicts(id, 1)).toEqual([{ party: 'ant', verdict: 'opened' }]);
    expect((await store.entries(id, 1)).map(({ sequence, entry: { type } }) => [sequence, type])).toEqual([
      [2, 'party'],
      [3, 'party'],
    ]);
    expect((await store.open()).map((one) => one.id)).toEqual([id]);
    expect(await store.counts()).toEqual({ RUNNING: 1 });
  });

  it('gives back after a restart what another attempt needs', async () => {
    const job = submitted();
    const { id } = job;
    await store.insert(job, queued(parties, 9_000));
    const acceptance = acceptanceOf(moot, 'ant', id);
    const first = { ...queued<typeof acceptance>(parties, 9_000), phase: 'RUNNING' as const, attempt: 1 };
    await store.save({ id, state: first, entries: [], atMs: 6, acceptance: { party: 'ant', acceptance } });
    const setbacks = [reportOf(new StateError('CRASHED', { party: 'bee' }))];
    const signed = renunciationOf(moot, 'ant', id);
    const failed = { type: 'party', party: 'bee', attempt: 1, did: 'failed', report: setbacks[0]! } as const;
    const second = { ...first, phase: 'INVITING' as const, attempt: 2, setbacks };
    await store.save({ id, state: second, entries: [failed], atMs: 7, renunciation: { party: 'ant', signed } });
    await store.save({ id, state: second, entries: [], atMs: 8, renunciation: { party: 'ant', signed } });
    await reopen();
    const state = (await store.job(id))!.state;
    expect(state).toEqual({ ...second, acceptances: { ant: acceptance }, renounced: { ant: signed } });
    // The words about one attempt are no words about another, and what failed then is no verdict about this one.
    await store.save({
      id,
      state: { ...state, attempt: 3, setbacks: [...setbacks, ...setbacks] },
      entries: [],
      atMs: 9,
    });
    await reopen();
    expect((await store.job(id))!.state).toMatchObject({ attempt: 3, renounced: {}, acceptances: { ant: acceptance } });
    expect(await store.verdicts(id, 1)).toMatchObject([{ party: 'bee', verdict: 'failed' }]);
    expect(await store.verdicts(id, 2)).toEqual([]);
  });

  it('keeps nothing of a step that fails half way', async () => {
    const job = submitted();
    await store.insert(job, queued(parties, 9_000));
    const state = { ...queued<never>(parties, 9_000), phase: 'DONE' as const, attempt: 1 };
    const opening = { party: 'ant', commitments: {}, signatures: {}, sealed: new Uint8Array(1) };
    const entries = [{ type: 'state', state: 'DONE', attempt: 1 }] as const;
    await store.save({ id: job.id, state, entries: [], atMs: 6, opening });
    await expect(store.save({ id: job.id, state, entries, atMs: 7, opening })).rejects.toThrow();
    expect(await store.entries(job.id, 1)).toEqual([]);
    expect((await store.job(job.id))?.updatedMs).toBe(6);
  });

  it('does not let phases fill the history', async () => {
    const job = submitted();
    const state = queued<never>(parties, 9_000);
    await store.insert(job, state);
    const phase = { type: 'phase', party: 'ant', attempt: 1, phase: 'share' } as const;
    const entries = Array.from({ length: limits.entriesPerJob + 10 }, () => phase);
    await store.save({ id: job.id, state, entries, atMs: 6 });
    await store.save({ id: job.id, state, entries: [{ type: 'state', state: 'DONE', attempt: 1 }], atMs: 6 });
    const last = await store.entries(job.id, limits.entriesPerJob - 1);
    expect(last.map(({ sequence, entry }) => [sequence, entry.type])).toEqual([
      [limits.entriesPerJob, 'phase'],
      [limits.entriesPerJob + 1, 'state'],
    ]);
  });

  it('knows after a restart who of a job’s roster helps', async () => {
    const job = submitted(`${jobYaml}join_helper: cat\n`);
    const state = queued<never>(parties, 9_000, 'cat');
    await store.insert(job, state);
    await reopen();
    expect((await store.job(job.id))?.state).toEqual(state);
    expect((await store.open())[0]?.state.helper).toBe('cat');
  });

  it('counts its starts', async () => {
    expect(await store.nextEpoch()).toBe(1);
    await reopen();
    expect(await store.nextEpoch()).toBe(2);
  });
});

describe('the database file', () => {
  it('is written ahead and fully synchronised', async () => {
    await store.close();
    const db = openDatabase(folder);
    expect((await sql<{ synchronous: number }>`PRAGMA synchronous`.execute(db.queries)).rows).toEqual([
      { synchronous: 2 },
    ]);
    expect((await sql<{ journal_mode: string }>`PRAGMA journal_mode`.execute(db.queries)).rows).toEqual([
      { journal_mode: 'wal' },
    ]);
    store = new Store(db);
  });

  it('belongs to one process at a time', () => {
    expect(() => openDatabase(folder)).toThrow(expect.objectContaining({ code: 'STATE_IN_USE' }));
  });

  it('is not touched when a newer version wrote it', async () => {
    await store.close();
    const raw = new Database(join(folder, 'coordinator.sqlite'));
    raw.prepare("UPDATE meta SET value = '99' WHERE key = 'schema'").run();
    raw.close();
    expect(() => openDatabase(folder)).toThrow(expect.objectContaining({ code: 'STATE_NEWER' }));
    const again = new Database(join(folder, 'coordinator.sqlite'));
    again.prepare("UPDATE meta SET value = '1' WHERE key = 'schema'").run();
    again.close();
    store = new Store(openDatabase(folder));
  });

  it('of version 2 is taken over with its jobs', async () => {
    const job = submitted();
    await store.insert(job, queued(parties, 9_000));
    await store.close();
    const raw = new Database(join(folder, 'coordinator.sqlite'));
    raw.exec("ALTER TABLE jobs DROP COLUMN releasing; UPDATE meta SET value = '2' WHERE key = 'schema'");
    raw.close();
    store = new Store(openDatabase(folder));
    expect((await store.job(job.id))?.state).toEqual(queued(parties, 9_000));
    const state = { ...queued<never>(parties, 9_000), releasing: true as const };
    await store.save({ id: job.id, state, entries: [], atMs: 6 });
    await reopen();
    expect((await store.job(job.id))?.state.releasing).toBe(true);
  });

  it('is named as the fault when it cannot be opened', () => {
    const file = join(folder, 'file');
    writeFileSync(file, 'not a folder');
    expect(() => openDatabase(file)).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
    const broken = mkdtempSync(join(tmpdir(), 'folkmoot-'));
    writeFileSync(join(broken, 'coordinator.sqlite'), 'x'.repeat(5_000));
    expect(() => openDatabase(broken)).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
    rmSync(broken, { recursive: true });
  });
});
