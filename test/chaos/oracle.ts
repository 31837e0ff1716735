/**
 * What must hold of a consortium whatever was done to it: read from the answers that its analyst gets, from plain SQL over
 * the pooled records, and from the databases of its nodes and its coordinator.
 *
 * - A job has one answer, which is the one of plain SQL, or of a protected job the same whenever it is fetched and whenever
 *   the question is put; or it has a typed end.
 * - What a party has sealed for an attempt stays byte for byte, and is what lies at the coordinator. At most one attempt of a
 *   job is opened, and when one is, none after it was begun anywhere.
 * - Every audit log is what was entered and signed, and what the others hold of it.
 * - A protected job is charged where it was opened, once a question, and nowhere else; once all jobs have ended nothing is
 *   held back, so the budget is what is free and what was spent.
 * @module
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { hasEnded } from '@folkmoot/client/events.js';
import { inMemory } from '@folkmoot/node/in-memory.js';
import { expect } from 'vitest';
import { bin, folkmoot } from '../../packages/cli/test/command-line.ts';
import { type Moot, type Town, towns } from './moot.ts';
import { until } from './service.ts';

/** What a node's database holds; hashes in hexadecimal digits. */
interface NodeRecords {
  readonly jobs: readonly { job: string; status: string; ended: number; attempt: number; signed: string }[];
  readonly attempts: readonly { job: string; attempt: number }[];
  readonly sealed: readonly { job: string; attempt: number; sha256: string }[];
  readonly openings: readonly { job: string; attempt: number }[];
  readonly renounced: readonly { job: string; attempt: number }[];
  readonly ledger: readonly { job: string; kind: string; key: string | null; micro: number }[];
}

const nodeQueries: Readonly<Record<keyof NodeRecords, string>> = {
  jobs: 'SELECT job, status, ended, attempt, signed FROM jobs',
  attempts: 'SELECT job, attempt FROM attempts',
  sealed: 'SELECT job, attempt, lower(hex(sha256)) AS sha256 FROM sealed',
  openings: 'SELECT job, attempt FROM openings',
  renounced: 'SELECT job, attempt FROM renounced',
  ledger: 'SELECT job, kind, key, micro FROM ledger ORDER BY entry',
};

/** The rows of a database as they are on the disk: of a copy, since whoever runs holds its lock. */
function rowsOf<T>(folder: string, file: string, queries: Readonly<Record<keyof T, string>>): T {
  const copy = mkdtempSync(join(tmpdir(), 'folkmoot-copy-'));
  try {
    for (const suffix of ['', '-wal']) {
      const from = join(folder, file + suffix);
      if (existsSync(from)) copyFileSync(from, join(copy, file + suffix));
    }
    const database = new DatabaseSync(join(copy, file));
    try {
      const read = (sql: string) => database.prepare(sql).all();
      return Object.fromEntries(Object.entries(queries).map(([name, sql]) => [name, read(sql as string)])) as T;
    } finally {
      database.close();
    }
  } finally {
    rmSync(copy, { recursive: true });
  }
}

const recordsOf = (moot: Moot, town: Town): NodeRecords =>
  rowsOf(join(moot.folder, town, 'state'), 'node.sqlite', nodeQueries);

/** What was ever seen sealed, opened or renounced: it stays, as it was. */
export class Sightings {
  readonly #seen = new Map<string, string>();

  look(moot: Moot, town: Town): void {
    const { sealed, openings, renounced, ledger } = recordsOf(moot, town);
    const now = new Map<string, string>();
    for (const { job, attempt, sha256 } of sealed) now.set(`${town} sealed ${job} ${attempt}`, sha256);
    for (const { job, attempt } of openings) now.set(`${town} opened ${job}`, String(attempt));
    for (const { job, attempt } of renounced) now.set(`${town} renounced ${job} ${attempt}`, '');
    for (const [entry, { job, kind, micro }] of ledger.entries()) {
      now.set(`${town} entered ${entry}`, `${kind} ${micro} ${job}`);
    }
    for (const [what, was] of this.#seen) {
      if (what.startsWith(`${town} `)) expect([what, now.get(what)]).toEqual([what, was]);
    }
    for (const [what, is] of now) this.#seen.set(what, is);
  }

  lookAll(moot: Moot): void {
    for (const town of towns) this.look(moot, town);
  }
}

export interface Judged {
  readonly job: string;
  readonly state: string;
  readonly code?: string;
  readonly attempt: number;
}

/** Looks at everything, and ends the consortium: for when what was broken is whole again, and all jobs have ended. */
export async function judge(moot: Moot, sightings: Sightings): Promise<readonly Judged[]> {
  const { client } = moot;
  const views = await client.list();
  const answers = new Map<string, unknown>();
  for (const { job, state, error } of views) {
    expect([job, hasEnded(state)]).toEqual([job, true]);
    if (state !== 'DONE') {
      if (state === 'FAILED' || state === 'POISONED') expect(error?.code).toMatch(/^[A-Z][A-Z_]+$/);
      continue;
    }
    const { rows } = await client.answer(job);
    expect((await client.answer(job)).rows).toEqual(rows);
    answers.set(job, rows);
  }
  // The last word may still be on its way to the nodes.
  const open = () =>
    towns.flatMap((town) => {
      try {
        return recordsOf(moot, town).jobs.filter(({ ended }) => ended === 0);
      } catch {
        // The copy was made while its owner wrote.
        return [undefined];
      }
    });
  await until('no job is open at a node', () => open().length === 0);
  expect(moot.services.map(({ isAlive }) => isAlive)).not.toContain(false);
  expect(await moot.stop()).toEqual(Object.fromEntries(moot.services.map(({ name }) => [name, 0])));

  sightings.lookAll(moot);
  const records = new Map(towns.map((town) => [town, recordsOf(moot, town)]));
  await judgeAnswers(moot, records, answers);
  await judgeAudits(moot);
  judgeAttempts(moot, records, answers);
  judgeLedgers(records, answers);
  return views.map(({ job, state, error, attempt }) => ({
    ...{ job, state, attempt },
    ...(error === undefined ? {} : { code: error.code }),
  }));
}

type Records = ReadonlyMap<Town, NodeRecords>;

/** The job's own words, as a node was given them. */
function asked(records: Records, job: string): { age: number; isProtected: boolean } {
  const row = [...records.values()].flatMap(({ jobs }) => jobs).find((one) => one.job === job);
  const { envelope } = JSON.parse(row!.signed) as {
    envelope: { job: { where: { age: { gte: number } }; privacy?: unknown } };
  };
  return { age: envelope.job.where.age.gte, isProtected: envelope.job.privacy !== undefined };
}

async function judgeAnswers(moot: Moot, records: Records, answers: ReadonlyMap<string, unknown>): Promise<void> {
  const ofQuestion = new Map<number, unknown>();
  for (const [job, rows] of answers) {
    const { age, isProtected } = asked(records, job);
    const expected = isProtected ? (ofQuestion.get(age) ?? rows) : await plainRows(moot.folder, age);
    expect({ job, rows }).toMatchObject({ job, rows: expected as object });
    if (isProtected) ofQuestion.set(age, rows);
  }
}

async function plainRows(folder: string, age: number) {
  const files = towns.map((town) => `'${join(folder, town, 'people.csv')}'`).join(', ');
  const groups = await inMemory((run) =>
    run(
      `SELECT tenure, count(*), CAST(sum(CAST(arrears AS DECIMAL(18, 2))) AS VARCHAR)
       FROM read_csv([${files}], header = true, all_varchar = true)
       WHERE CAST(age AS INTEGER) >= ${age} GROUP BY tenure HAVING count(*) >= 2 ORDER BY tenure`,
    ),
  );
  return groups.map(([tenure, people, total]) => ({
    ...{ tenure, people: { exact: String(people) }, total: { exact: String(total) } },
  }));
}

/** As an owner looks at the own log, with those that the others have handed on. */
async function judgeAudits({ folder }: Moot): Promise<void> {
  const run = (...args: string[]) =>
    folkmoot([bin, 'audit', ...args, '--json'], { bin: '--conditions=source', cwd: folder });
  const config = (town: Town) => ['--config', `${town}/node.yaml`];
  await Promise.all(towns.map((town) => run('export', ...config(town), '--out', `${town}.log`)));
  const verified = towns.map((town) => {
    const others = towns.filter((other) => other !== town).map((other) => `${other}.log`);
    return run('verify', ...config(town), '--with', ...others);
  });
  for (const { code, stdout, stderr } of await Promise.all(verified)) {
    expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
  }
}

function judgeAttempts(moot: Moot, records: Records, answers: ReadonlyMap<string, unknown>): void {
  const isSqlite = existsSync(join(moot.folder, 'coordinator', 'coordinator.sqlite'));
  const atCoordinator = isSqlite
    ? rowsOf<{ openings: readonly { job: string; attempt: number; party: Town; sealed: Uint8Array }[] }>(
        join(moot.folder, 'coordinator'),
        'coordinator.sqlite',
        { openings: 'SELECT job, attempt, party, sealed FROM openings' },
      ).openings
    : [];
  for (const { job, attempt, party, sealed } of atCoordinator) {
    const own = records.get(party)!.sealed.find((one) => one.job === job && one.attempt === attempt);
    expect([party, job, hashOf(sealed)]).toEqual([party, job, own?.sha256]);
  }
  const opened = new Map<string, number>();
  for (const { openings } of records.values()) {
    for (const { job, attempt } of openings) {
      expect([job, opened.get(job) ?? attempt]).toEqual([job, attempt]);
      opened.set(job, attempt);
    }
  }
  for (const [town, { attempts, openings, jobs }] of records) {
    for (const { job, attempt } of attempts) {
      expect(attempt, `${town} began ${job} again after it was opened`).toBeLessThanOrEqual(opened.get(job) ?? 3);
    }
    // Who has answered has opened, but for a question that was answered before.
    for (const { job, status } of jobs) {
      if (status === 'RESULT') expect(openings.map((one) => one.job)).toContain(job);
      if (answers.has(job)) expect([job, ['RESULT', 'CANCELLED'].includes(status)]).toEqual([job, true]);
    }
  }
}

function judgeLedgers(records: Records, answers: ReadonlyMap<string, unknown>): void {
  const keys: string[][] = [];
  for (const [town, { ledger, openings, jobs }] of records) {
    const sum = (kinds: readonly string[]) =>
      ledger.filter(({ kind }) => kinds.includes(kind)).reduce((all, { micro }) => all + micro, 0);
    // Reserved, and given back or spent: nothing is held when nothing is open.
    expect([town, sum(['reserve'])]).toEqual([town, sum(['release'])]);
    const charges = ledger.filter(({ kind }) => kind === 'charge');
    expect(new Set(charges.map(({ key }) => key)).size).toBe(charges.length);
    const paid = ledger.filter(({ kind }) => kind === 'charge' || kind === 'repeat').map(({ job }) => job);
    const isProtected = (job: string) => asked(records, job).isProtected;
    const openedHere = openings.map(({ job }) => job).filter(isProtected);
    expect([town, paid.toSorted()]).toEqual([town, openedHere.toSorted()]);
    expect(sum(['charge'])).toBe(charges.length * 1_000_000);
    for (const { job, status } of jobs) {
      if (status === 'RESULT' && isProtected(job)) expect(paid).toContain(job);
    }
    // One that was opened and not answered would be listed here too, and differ from the other towns.
    keys.push(charges.filter(({ job }) => answers.has(job)).map(({ key }) => key!));
  }
  for (const own of keys) expect(own.toSorted()).toEqual(keys[0]!.toSorted());
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
