import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jobId } from '@folkmoot/core/envelope.js';
import { reportOf, StateError } from '@folkmoot/core/errors.js';
import { startPostgres, type TestPostgres } from '@folkmoot/testkit/postgres.js';
import Database from 'better-sqlite3';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { queued } from '../src/lifecycle.ts';
import { limits } from '../src/limits.ts';
import { openPostgres } from '../src/postgres-database.ts';
import type { OpenDatabase } from '../src/schema.ts';
import { openSqlite, prepareDatabase } from '../src/sqlite-database.ts';
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
let postgres: TestPostgres;
let store: Store;

beforeAll(async () => {
  moot = await consortium();
  postgres = await startPostgres();
});
afterAll(async () => {
  moot.remove();
  await postgres?.stop();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
});
afterEach(async () => {
  await store?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The same tests on both. */
const databases: readonly { name: string; open(): Promise<OpenDatabase>; clear(): Promise<unknown> }[] = [
  { name: 'SQLite', open: async () => openSqlite(folder), clear: async () => undefined },
  {
    name: 'PostgreSQL',
    open: () => openPostgres(postgres.url, () => undefined),
    clear: () => onServer('DROP SCHEMA public CASCADE; CREATE SCHEMA public'),
  },
];

async function onServer(text: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}

function submitted(text?: string) {
  const signed = signedJob(moot, {}, 'owl', text);
  return { id: jobId(signed.envelope), analyst: 'owl', title: 'T', signed, submittedMs: 5 };
}

describe.each(databases)('the coordinator’s store on $name', ({ open, clear }) => {
  beforeEach(async () => {
    await clear();
    store = new Store(await open());
  });

  async function reopen(): Promise<void> {
    await store.close();
    store = new Store(await open());
  }

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
  beforeEach(() => {
    store = new Store(openSqlite(folder));
  });

  it('is the same in memory, for as long as its process lives', async () => {
    const inMemory = new Store(prepareDatabase(new Database(':memory:')));
    const job = submitted();
    expect(await inMemory.insert(job, queued(parties, 9_000))).toBe(true);
    expect(await inMemory.insert(job, queued(parties, 9_000))).toBe(false);
    expect(await inMemory.job(job.id)).toMatchObject({ id: job.id, state: { phase: 'QUEUED' } });
    await inMemory.close();
  });

  it('is written ahead and fully synchronised', async () => {
    await store.close();
    const db = openSqlite(folder);
    expect((await sql<{ synchronous: number }>`PRAGMA synchronous`.execute(db.queries)).rows).toEqual([
      { synchronous: 2 },
    ]);
    expect((await sql<{ journal_mode: string }>`PRAGMA journal_mode`.execute(db.queries)).rows).toEqual([
      { journal_mode: 'wal' },
    ]);
    store = new Store(db);
  });

  it('belongs to one process at a time', () => {
    expect(() => openSqlite(folder)).toThrow(expect.objectContaining({ code: 'STATE_IN_USE' }));
  });

  it('is not touched when a newer version wrote it', async () => {
    await store.close();
    const raw = new Database(join(folder, 'coordinator.sqlite'));
    raw.prepare("UPDATE meta SET value = '99' WHERE key = 'schema'").run();
    raw.close();
    expect(() => openSqlite(folder)).toThrow(expect.objectContaining({ code: 'STATE_NEWER' }));
    const again = new Database(join(folder, 'coordinator.sqlite'));
    again.prepare("UPDATE meta SET value = '1' WHERE key = 'schema'").run();
    again.close();
    store = new Store(openSqlite(folder));
  });

  it('of version 2 is taken over with its jobs', async () => {
    const job = submitted();
    await store.insert(job, queued(parties, 9_000));
    await store.close();
    const raw = new Database(join(folder, 'coordinator.sqlite'));
    raw.exec("ALTER TABLE jobs DROP COLUMN releasing; UPDATE meta SET value = '2' WHERE key = 'schema'");
    raw.close();
    store = new Store(openSqlite(folder));
    expect((await store.job(job.id))?.state).toEqual(queued(parties, 9_000));
    const state = { ...queued<never>(parties, 9_000), releasing: true as const };
    await store.save({ id: job.id, state, entries: [], atMs: 6 });
    await store.close();
    store = new Store(openSqlite(folder));
    expect((await store.job(job.id))?.state.releasing).toBe(true);
  });

  it('is named as the fault when it cannot be opened', () => {
    const file = join(folder, 'file');
    writeFileSync(file, 'not a folder');
    expect(() => openSqlite(file)).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
    const broken = mkdtempSync(join(tmpdir(), 'folkmoot-'));
    writeFileSync(join(broken, 'coordinator.sqlite'), 'x'.repeat(5_000));
    expect(() => openSqlite(broken)).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
    rmSync(broken, { recursive: true });
  });
});

describe('the database on a server', () => {
  const open = () => openPostgres(postgres.url, () => undefined);
  beforeEach(() => onServer('DROP SCHEMA public CASCADE; CREATE SCHEMA public'));

  it('waits for its disk, whatever the server’s own default', async () => {
    await onServer('ALTER DATABASE postgres SET synchronous_commit = off');
    const database = await open();
    store = new Store(database);
    const { rows } = await sql<{ synchronous_commit: string }>`SHOW synchronous_commit`.execute(database.queries);
    expect(rows).toEqual([{ synchronous_commit: 'on' }]);
    await onServer('ALTER DATABASE postgres RESET synchronous_commit');
  });

  it('is made once, by whichever of several coordinators is first', async () => {
    const all = await Promise.all([open(), open(), open()]);
    store = new Store(all[0]!);
    const epochs = await Promise.all(all.map((database) => new Store(database).nextEpoch()));
    expect(epochs.sort()).toEqual([1, 2, 3]);
    await Promise.all(all.slice(1).map((database) => database.close()));
  });

  it('is not touched when a newer version wrote it', async () => {
    await (await open()).close();
    await onServer("UPDATE meta SET value = '99' WHERE key = 'schema'");
    await expect(open()).rejects.toMatchObject({ code: 'STATE_NEWER' });
    expect((await onServer('SELECT value FROM meta')).rows).toEqual([{ value: '99' }]);
  });

  it('is named as the fault when it cannot be opened, and its password is not', async () => {
    const secret = 'correct-horse';
    const wrong = postgres.url.replace(/:[^:@]+@/, `:${secret}@`);
    for (const [url, code] of [
      [wrong, 'STATE_FAILED'],
      [wrong.replace(/:\d+\//, ':1/'), 'STATE_FAILED'],
      [`https://u:${secret}@host/db`, 'BAD_VALUE'],
      [secret, 'BAD_VALUE'],
    ] as const) {
      const error = await openPostgres(url, () => undefined).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code });
      expect(`${(error as Error).stack}${JSON.stringify(error)}${(error as Error).cause}`).not.toContain(secret);
    }
  });
});
