import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jobId } from '@folkmoot/core/envelope.js';
import { reportOf, StateError } from '@folkmoot/core/errors.js';
import { startPostgres, type TestPostgres } from '@folkmoot/testkit/postgres.js';
import Database from 'better-sqlite3';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Lease } from '../src/leases.ts';
import { queued } from '../src/lifecycle.ts';
import { limits } from '../src/limits.ts';
import { openPostgres } from '../src/postgres-database.ts';
import type { OpenDatabase } from '../src/schema.ts';
import { openSqlite, prepareDatabase } from '../src/sqlite-database.ts';
import { type Change, Store } from '../src/store.ts';
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
let nowMs: number;
let leases: Map<string, Lease>;

beforeAll(async () => {
  moot = await consortium();
  postgres = await startPostgres();
});
afterAll(async () => {
  moot.remove();
  await postgres?.stop();
});
beforeEach(() => {
  nowMs = Date.now();
  leases = new Map();
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
});
afterEach(async () => {
  await store?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The same tests on both. */
interface Kind {
  readonly name: string;
  open(): Promise<OpenDatabase>;
  clear(): Promise<unknown>;
  /** All leases that are held now are over. */
  outwait(): Promise<unknown>;
}

const databases: readonly Kind[] = [
  {
    name: 'SQLite',
    open: async () => openSqlite(folder, () => nowMs),
    clear: async () => undefined,
    outwait: async () => {
      nowMs += limits.leaseMs + 1;
    },
  },
  {
    name: 'PostgreSQL',
    open: () => openPostgres(postgres.url, () => undefined),
    clear: () => onServer('DROP SCHEMA public CASCADE; CREATE SCHEMA public'),
    outwait: () => onServer(`UPDATE jobs SET lease_until_ms = lease_until_ms - ${limits.leaseMs + 1}`),
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

/** A step of whoever leads the job, by its lease; the first one takes it. */
async function save(change: Omit<Change, 'lease'>): Promise<void> {
  const taken = await store.leases.take([change.id], 1);
  if (taken.size > 0) leases.set(change.id, taken.get(change.id)!);
  await store.save({ ...change, lease: leases.get(change.id)!.token });
}

function submitted(text?: string) {
  const signed = signedJob(moot, {}, 'owl', text);
  return { id: jobId(signed.envelope), analyst: 'owl', title: 'T', signed, submittedMs: 5 };
}

describe.each(databases)('the coordinator’s store on $name', ({ open, clear, outwait }) => {
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
    await save({ id, state, entries: [entry], atMs: 6, acceptance: { party: 'ant', acceptance } });
    await save({ id, state, entries: [{ ...entry, did: 'opened' }], atMs: 7, opening });
    await reopen();
    expect(await store.job(id)).toEqual({
      ...job,
      updatedMs: 7,
      epoch: 1,
      isCancelAsked: false,
      state: { ...state, acceptances: { ant: acceptance }, opened: ['ant'] },
    });
    expect(await store.opening(id, 1, 'ant')).toEqual({ ...opening, sealed: Buffer.from(opening.sealed) });
    expect(await store.opening(id, 1, 'bee')).toBeUndefined();
    expect(await store.verdicts(id, 1)).toEqual([{ party: 'ant', verdict: 'opened' }]);
    expect((await store.entries(id, 1)).map(({ sequence, entry: { type } }) => [sequence, type])).toEqual([
      [2, 'party'],
      [3, 'party'],
    ]);
    expect(await store.openCounts('owl')).toEqual({ all: 1, own: 1 });
    expect(await store.openCounts('fox')).toEqual({ all: 1, own: 0 });
    expect(await store.counts()).toEqual({ RUNNING: 1 });
  });

  it('gives back after a restart what another attempt needs', async () => {
    const job = submitted();
    const { id } = job;
    await store.insert(job, queued(parties, 9_000));
    const acceptance = acceptanceOf(moot, 'ant', id);
    const first = { ...queued<typeof acceptance>(parties, 9_000), phase: 'RUNNING' as const, attempt: 1 };
    await save({ id, state: first, entries: [], atMs: 6, acceptance: { party: 'ant', acceptance } });
    const setbacks = [reportOf(new StateError('CRASHED', { party: 'bee' }))];
    const signed = renunciationOf(moot, 'ant', id);
    const failed = { type: 'party', party: 'bee', attempt: 1, did: 'failed', report: setbacks[0]! } as const;
    const second = { ...first, phase: 'INVITING' as const, attempt: 2, setbacks };
    await save({ id, state: second, entries: [failed], atMs: 7, renunciation: { party: 'ant', signed } });
    await save({ id, state: second, entries: [], atMs: 8, renunciation: { party: 'ant', signed } });
    await reopen();
    const state = (await store.job(id))!.state;
    expect(state).toEqual({ ...second, acceptances: { ant: acceptance }, renounced: { ant: signed } });
    // The words about one attempt are no words about another, and what failed then is no verdict about this one.
    await save({
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
    await save({ id: job.id, state, entries: [], atMs: 6, opening });
    await expect(save({ id: job.id, state, entries, atMs: 7, opening })).rejects.toThrow();
    expect(await store.entries(job.id, 1)).toEqual([]);
    expect((await store.job(job.id))?.updatedMs).toBe(6);
  });

  it('names the latest verdict by its number, whatever the clocks of those who led the job', async () => {
    const job = submitted();
    await store.insert(job, queued(parties, 9_000));
    const state = { ...queued<never>(parties, 9_000), phase: 'INVITING' as const, attempt: 1 };
    const entry = { type: 'party', party: 'ant', attempt: 1 } as const;
    await save({ id: job.id, state, entries: [{ ...entry, did: 'awaiting' }], atMs: 9_000 });
    await save({ id: job.id, state, entries: [{ ...entry, did: 'accepted' }], atMs: 6_000 });
    expect(await store.verdicts(job.id, 1)).toEqual([{ party: 'ant', verdict: 'accepted' }]);
  });

  it('does not let phases fill the history', async () => {
    const job = submitted();
    const state = queued<never>(parties, 9_000);
    await store.insert(job, state);
    const phase = { type: 'phase', party: 'ant', attempt: 1, phase: 'share' } as const;
    const entries = Array.from({ length: limits.entriesPerJob + 10 }, () => phase);
    await save({ id: job.id, state, entries, atMs: 6 });
    await save({ id: job.id, state, entries: [{ type: 'state', state: 'DONE', attempt: 1 }], atMs: 6 });
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
  });

  it('lets one at a time lead a job, and the next one with a higher epoch', async () => {
    const { leases: of } = store;
    const job = submitted();
    await store.insert(job, queued(parties, 9_000));
    const [first, second] = await Promise.all([of.take([job.id], 1), of.take([job.id], 2)]);
    expect([first.size, second.size].sort()).toEqual([0, 1]);
    const lease = (first.get(job.id) ?? second.get(job.id))!;
    expect(lease).toMatchObject({ epoch: 1, token: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(await of.queued()).toEqual([]);
    await outwait();
    // What is renewed in time goes on.
    expect((await of.held([lease.token], { renewed: true })).get(job.id)?.token).toBe(lease.token);
    expect((await of.take([job.id], 3)).size).toBe(0);
    await outwait();
    expect((await of.queued()).map(({ id }) => id)).toEqual([job.id]);
    const next = (await of.take([job.id], 3)).get(job.id)!;
    expect(next.epoch).toBe(2);
    expect(next.token).not.toBe(lease.token);
    expect((await of.held([lease.token], { renewed: true })).size).toBe(0);
    await outwait();
    // What is not named is not renewed, whoever holds it.
    expect((await of.held([], { renewed: true })).size).toBe(0);
    expect((await of.take([job.id], 3)).get(job.id)?.epoch).toBe(3);
    expect((await store.job(job.id))?.epoch).toBe(3);
  });

  it('takes nothing from a writer whose lease is another’s by now', async () => {
    const job = submitted();
    const { id } = job;
    await store.insert(job, queued(parties, 9_000));
    const slept = (await store.leases.take([id], 1)).get(id)!;
    await outwait();
    const state = { ...queued<never>(parties, 9_000), phase: 'INVITING' as const, attempt: 1 };
    const entries = [{ type: 'state', state: 'INVITING', attempt: 1 }] as const;
    // Over, but nobody’s else: what it writes is as good as before.
    await store.save({ id, lease: slept.token, state, entries, atMs: 6 });
    const now = (await store.leases.take([id], 2)).get(id)!;
    const opening = { party: 'ant', commitments: {}, signatures: {}, sealed: new Uint8Array(1) };
    const late = { id, lease: slept.token, state: { ...state, phase: 'FAILED' as const }, entries, atMs: 7, opening };
    await expect(store.save(late)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect((await store.job(id))?.state).toMatchObject({ phase: 'INVITING' });
    expect(await store.opening(id, 1, 'ant')).toBeUndefined();
    expect((await store.entries(id, 0)).length).toBe(2);
    await store.save({ ...late, lease: now.token });
    expect((await store.leases.take([id], 3)).size).toBe(0);
  });

  it('gives leases back at once, and only those that are held', async () => {
    const job = submitted();
    await store.insert(job, queued(parties, 9_000));
    const lease = (await store.leases.take([job.id], 1)).get(job.id)!;
    await store.leases.release(['f'.repeat(32)]);
    expect((await store.leases.take([job.id], 2)).size).toBe(0);
    await store.leases.release([lease.token]);
    expect((await store.leases.take([job.id], 2)).get(job.id)?.epoch).toBe(2);
  });

  it('names what has begun, what waits and what is over, oldest first', async () => {
    const jobs = [0, 1, 2].map((place) => ({ ...submitted(), submittedMs: 5 + place }));
    for (const [place, job] of jobs.entries()) await store.insert(job, queued(parties, 9_000 + place));
    const [a, b, c] = jobs.map(({ id }) => id) as [string, string, string];
    const named = async (found: Promise<readonly { id: string }[]>) => (await found).map(({ id }) => id);
    expect(await named(store.leases.queued())).toEqual([a, b, c]);
    expect(await named(store.leases.queued((await store.leases.queued())[0]))).toEqual([b, c]);
    expect(await named(store.leases.expired(9_002))).toEqual([a, b]);
    const state = { ...queued<never>(parties, 9_000), phase: 'RUNNING' as const, attempt: 1, releasing: true as const };
    await save({ id: b, state, entries: [], atMs: 6 });
    expect(await named(store.leases.begun())).toEqual([]);
    await store.leases.release([leases.get(b)!.token]);
    expect(await store.leases.begun()).toMatchObject([{ id: b, roster: parties, isReleasing: true }]);
    expect(await named(store.leases.queued())).toEqual([a, c]);
  });

  it('keeps that a job was taken back until whoever leads it has seen to that', async () => {
    const job = submitted();
    await store.insert(job, queued(parties, 9_000));
    await store.leases.askCancel(job.id);
    const lease = (await store.leases.take([job.id], 1)).get(job.id)!;
    await reopen();
    expect((await store.job(job.id))?.isCancelAsked).toBe(true);
    const again = (await store.leases.take([job.id], 1)).get(job.id) ?? lease;
    expect((await store.leases.held([again.token], { renewed: false })).get(job.id)?.isCancelAsked).toBe(true);
    await store.leases.refuseCancel(again);
    expect((await store.job(job.id))?.isCancelAsked).toBe(false);
  });

  it('knows a login wherever it was made, for its time, and for one nonce', async () => {
    const token = { hash: 'h1', analyst: 'owl', nonce: 'n1', untilMs: 500 };
    expect(await store.tokens.add(token, 100)).toBe(true);
    expect(await store.tokens.add({ ...token, hash: 'h2' }, 100)).toBe(false);
    const key = await store.tokens.nonceKey();
    await reopen();
    expect(await store.tokens.nonceKey()).toEqual(key);
    expect(await store.tokens.analystOf('h1', 499)).toBe('owl');
    expect(await store.tokens.analystOf('h1', 500)).toBeUndefined();
    expect(await store.tokens.analystOf('h2', 100)).toBeUndefined();
    for (let more = 0; more < limits.tokensPerAnalyst; more++) {
      await store.tokens.add({ hash: `m${more}`, analyst: 'owl', nonce: `m${more}`, untilMs: 600 + more }, 100);
    }
    expect(await store.tokens.analystOf('h1', 100)).toBeUndefined();
    expect(await store.tokens.analystOf('m0', 100)).toBe('owl');
  });

  it('takes the same job once, however many bring it at the same moment', async () => {
    const job = submitted();
    const all = await Promise.all([1, 2, 3, 4].map(() => store.insert(job, queued(parties, 9_000))));
    expect(all.filter(Boolean).length).toBe(1);
    expect((await store.entries(job.id, 0)).length).toBe(1);
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
    await save({ id: job.id, state, entries: [], atMs: 6 });
    await store.close();
    store = new Store(openSqlite(folder));
    expect((await store.job(job.id))?.state.releasing).toBe(true);
  });

  it('is refused where it is a symbolic link, and its folder may be one', async () => {
    await store.close();
    const linked = mkdtempSync(join(tmpdir(), 'folkmoot-'));
    symlinkSync(join(folder, 'coordinator.sqlite'), join(linked, 'coordinator.sqlite'));
    expect(() => openSqlite(linked)).toThrow(expect.objectContaining({ code: 'STATE_LINKED' }));
    rmSync(linked, { recursive: true });
    symlinkSync(folder, linked);
    store = new Store(openSqlite(linked));
    rmSync(linked);
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

  it('outlives a connection that breaks in the middle of a transaction', async () => {
    const { queries, close } = await open();
    const isThere = async (pid: number) => {
      const found = await sql`SELECT 1 FROM pg_stat_activity WHERE pid = ${pid}`.execute(queries);
      return found.rows.length > 0;
    };
    const broken = queries.transaction().execute(async (trx) => {
      const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(trx);
      const [{ pid }] = rows as [{ pid: number }];
      await sql`SELECT pg_terminate_backend(${pid})`.execute(queries);
      await expect.poll(() => isThere(pid)).toBe(false);
      // Nobody waits for this connection while its end comes in.
      await sql`SELECT 1`.execute(trx);
    });
    await expect(broken).rejects.toThrow();
    expect(await isThere(0)).toBe(false);
    await close();
  });

  it('renews leases while a large opening is on its way to the disk', async () => {
    store = new Store(await open());
    const job = submitted();
    const { id } = job;
    await store.insert(job, queued(parties, 9_000));
    const lease = (await store.leases.take([id], 1)).get(id)!;
    const state = { ...queued<never>(parties, 9_000), phase: 'RUNNING' as const, attempt: 1 };
    const opening = { party: 'ant', commitments: {}, signatures: {}, sealed: new Uint8Array(1) };
    // A disk that is slow for openings alone.
    const slow = new pg.Client({ connectionString: postgres.url });
    await slow.connect();
    await slow.query('BEGIN; LOCK TABLE openings IN EXCLUSIVE MODE');
    const saved = store.save({ id, lease: lease.token, state, entries: [], atMs: 6, opening });
    const waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    await expect.poll(async () => (await onServer(waits)).rows.length).toBe(1);
    expect((await store.leases.held([lease.token], { renewed: true })).get(id)?.token).toBe(lease.token);
    await slow.query('COMMIT');
    await slow.end();
    await saved;
    expect((await store.opening(id, 1, 'ant'))?.sealed.length).toBe(1);
    const { rows } = await onServer("SELECT indexname FROM pg_indexes WHERE indexname = 'jobs_by_turn'");
    expect(rows.length).toBe(1);
  });

  it('ends a transaction that nobody goes on with, before the leases of others are over', async () => {
    const { queries, close } = await open();
    const { rows } = await sql<object>`SHOW idle_in_transaction_session_timeout`.execute(queries);
    expect(rows).toEqual([{ idle_in_transaction_session_timeout: `${limits.leaseMs / 1_000}s` }]);
    await close();
  });

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
