/**
 * What the coordinator keeps: jobs, verdicts, acceptances, the history shown to analysts, and sealed openings.
 *
 * One transaction a step of the lifecycle: the state with all that came with it is durable before anyone is told. What
 * stands here is what the coordinator may know (DESIGN §2): texts of jobs, names, times, sizes, and sealed bytes.
 *
 * The queries are Kysely's and free of a dialect: `sqlite-database.ts` or `postgres-database.ts` opens the one that is used,
 * and the same tests run on both.
 * @module
 */
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { type ErrorReport, StateError } from '@folkmoot/core/errors.js';
import type { SignedRenunciation } from '@folkmoot/core/renunciation.js';
import { type Kysely, sql, type Transaction } from 'kysely';
import { Leases } from './leases.ts';
import { type Entry, hasEnded, type JobState, type Phase } from './lifecycle.ts';
import { limits } from './limits.ts';
import { type OpenDatabase, openPhases, type Schema } from './schema.ts';
import { Tokens } from './tokens.ts';

/** A job as it was submitted. */
export interface Submitted {
  readonly id: string;
  readonly analyst: string;
  readonly title: string;
  readonly signed: SignedJob;
  readonly submittedMs: number;
}

export interface StoredJob extends Submitted {
  /** How often its lease was taken: the highest that any coordinator spoke of it with. */
  readonly epoch: number;
  /** The analyst has taken it back. */
  readonly isCancelAsked: boolean;
  readonly state: JobState<SignedAcceptance>;
  readonly updatedMs: number;
}

/** What all parties have signed under an opening. */
export interface SignedCommitments {
  readonly commitments: Readonly<Record<string, string>>;
  readonly signatures: Readonly<Record<string, string>>;
}

/** One party's part of the answer: sealed bytes, and what they were committed by. */
export interface StoredOpening extends SignedCommitments {
  readonly party: string;
  readonly sealed: Uint8Array;
}

export interface NumberedEntry {
  readonly sequence: number;
  readonly atMs: number;
  readonly entry: Entry;
}

/** What one step makes durable. */
export interface Change {
  readonly id: string;
  /** The writer's own: the job is changed only while it stands with it. */
  readonly lease: string;
  readonly state: JobState<SignedAcceptance>;
  readonly entries: readonly Entry[];
  readonly atMs: number;
  readonly acceptance?: {
    readonly party: string;
    readonly acceptance: SignedAcceptance;
    readonly head?: object;
  };
  readonly opening?: StoredOpening;
  readonly renunciation?: { readonly party: string; readonly signed: SignedRenunciation };
  /** What a protected job asks, over which readings. */
  readonly question?: string;
}

export interface Verdict {
  readonly party: string;
  readonly verdict: 'awaiting' | 'accepted' | 'denied' | 'failed' | 'opened';
  readonly report?: ErrorReport;
}

/** Values of one statement are bounded by the databases; a step has a handful of entries. */
const rowsPerInsert = 100;

export class Store {
  readonly #db: Kysely<Schema>;
  readonly #close: () => Promise<void>;
  readonly leases: Leases;
  readonly tokens: Tokens;

  constructor(database: OpenDatabase) {
    this.#db = database.queries;
    this.#close = database.close;
    this.leases = new Leases(database);
    this.tokens = new Tokens(database);
  }

  /** Counts the starts of coordinators on this database, so that each has a number of its own and a later one a higher. */
  async nextEpoch(): Promise<number> {
    const insert = this.#db.insertInto('meta').values({ key: 'epoch', value: '1' });
    const value = sql<string>`CAST(CAST(meta.value AS INTEGER) + 1 AS TEXT)`;
    const counted = insert.onConflict((conflict) => conflict.column('key').doUpdateSet({ value })).returning('value');
    return Number((await counted.executeTakeFirstOrThrow()).value);
  }

  /** A new job with its first entry; false where the id is taken. */
  async insert(job: Submitted, state: JobState<SignedAcceptance>): Promise<boolean> {
    return this.#db.transaction().execute(async (trx) => {
      const { numInsertedOrUpdatedRows } = await trx
        .insertInto('jobs')
        .values({
          id: job.id,
          analyst: job.analyst,
          title: job.title,
          signed_json: JSON.stringify(job.signed),
          phase: state.phase,
          attempt: state.attempt,
          releasing: 0,
          roster_json: JSON.stringify(state.roster),
          error_json: null,
          expires_ms: state.expiresMs,
          submitted_ms: job.submittedMs,
          updated_ms: job.submittedMs,
          epoch: 0,
          lease_holder: null,
          lease_token: null,
          lease_until_ms: null,
          cancel_asked: 0,
        })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirstOrThrow();
      if (numInsertedOrUpdatedRows !== 1n) return false;
      await append(trx, job.id, [{ type: 'state', state: state.phase, attempt: state.attempt }], job.submittedMs);
      return true;
    });
  }

  /** Makes one step durable; one that ends the job gives its lease back. @throws StateError LEASE_LOST */
  async save(change: Change): Promise<void> {
    const { id, state, atMs } = change;
    await this.#db.transaction().execute(async (trx) => {
      const set = {
        phase: state.phase,
        attempt: state.attempt,
        releasing: state.releasing === true ? 1 : 0,
        error_json: state.error === undefined ? null : JSON.stringify(state.error),
        updated_ms: atMs,
        ...(hasEnded(state) ? { lease_token: null, lease_holder: null, lease_until_ms: null, cancel_asked: 0 } : {}),
      };
      // Before the job's row is locked: a large one takes long, and leases are renewed meanwhile.
      if (change.opening !== undefined) await insertOpening(trx, change, change.opening);
      const update = trx.updateTable('jobs').set(set).where('id', '=', id).where('lease_token', '=', change.lease);
      if ((await update.executeTakeFirstOrThrow()).numUpdatedRows !== 1n) throw new StateError('LEASE_LOST');
      for (const { sequence, entry } of await append(trx, id, change.entries, atMs)) {
        if (entry.type !== 'party') continue;
        const verdict = {
          job: id,
          attempt: entry.attempt,
          party: entry.party,
          verdict: entry.did,
          report_json: entry.report === undefined ? null : JSON.stringify(entry.report),
          at_ms: atMs,
          sequence,
        };
        await trx.insertInto('verdicts').values(verdict).execute();
      }
      if (change.acceptance !== undefined) {
        const { party, acceptance, head } = change.acceptance;
        const acceptance_json = JSON.stringify(acceptance);
        const head_json = head === undefined ? null : JSON.stringify(head);
        await trx
          .insertInto('acceptances')
          .values({ job: id, attempt: state.attempt, party, acceptance_json, head_json })
          .onConflict((conflict) =>
            conflict.columns(['job', 'attempt', 'party']).doUpdateSet({ acceptance_json, head_json }),
          )
          .execute();
      }
      if (change.renunciation !== undefined) {
        const { party, signed } = change.renunciation;
        const { attempt } = signed.renunciation;
        await trx
          .insertInto('renunciations')
          .values({ job: id, attempt, party, renunciation_json: JSON.stringify(signed) })
          .onConflict((conflict) => conflict.columns(['job', 'attempt', 'party']).doNothing())
          .execute();
      }
      // An attempt that was recalled may have been taken up again.
      await trx.deleteFrom('setbacks').where('job', '=', id).where('attempt', '>', state.setbacks.length).execute();
      for (const [index, report] of state.setbacks.entries()) {
        await trx
          .insertInto('setbacks')
          .values({ job: id, attempt: index + 1, report_json: JSON.stringify(report) })
          .onConflict((conflict) => conflict.columns(['job', 'attempt']).doNothing())
          .execute();
      }
      if (change.question !== undefined) {
        const question = { job: id, key: change.question, same_as: state.sameAs ?? null };
        await trx.insertInto('questions').values(question).execute();
      }
    });
  }

  async job(id: string): Promise<StoredJob | undefined> {
    const row = await this.#db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : this.#stored(row);
  }

  /** The first job that was answered under this key by its parties themselves. */
  async answered(key: string): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom('questions')
      .innerJoin('jobs', 'jobs.id', 'questions.job')
      .select('jobs.id')
      .where('questions.key', '=', key)
      .where('questions.same_as', 'is', null)
      .where('jobs.phase', '=', 'DONE')
      .orderBy('jobs.submitted_ms')
      .orderBy('jobs.id')
      .limit(1)
      .executeTakeFirst();
    return row?.id;
  }

  /** One analyst's jobs, the latest first; those before `beforeMs`. */
  async list(analyst: string, beforeMs?: number): Promise<readonly StoredJob[]> {
    let query = this.#db.selectFrom('jobs').selectAll().where('analyst', '=', analyst);
    if (beforeMs !== undefined) query = query.where('submitted_ms', '<', beforeMs);
    const rows = await query.orderBy('submitted_ms', 'desc').orderBy('id').limit(limits.listMax).execute();
    return Promise.all(rows.map((row) => this.#stored(row)));
  }

  /** How many jobs have not ended: over all analysts, and of this one. */
  async openCounts(analyst: string): Promise<{ readonly all: number; readonly own: number }> {
    const count = this.#db
      .selectFrom('jobs')
      .select((of) => of.fn.countAll<number>().as('count'))
      .where('phase', 'in', openPhases);
    const all = await count.executeTakeFirstOrThrow();
    const own = await count.where('analyst', '=', analyst).executeTakeFirstOrThrow();
    return { all: Number(all.count), own: Number(own.count) };
  }

  /** The number of the last entry of each of these jobs. */
  async lastEntries(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#db
      .selectFrom('entries')
      .select(['job', (of) => of.fn.max('sequence').as('sequence')])
      .where('job', 'in', ids)
      .groupBy('job')
      .execute();
    return new Map(rows.map((row) => [row.job, Number(row.sequence)]));
  }

  /** The ids of jobs that ended without an answer, and that this party may still hold as alive. */
  async endedFor(party: string, nowMs: number): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom('jobs')
      .select(['id', 'roster_json'])
      .where('phase', 'in', ['FAILED', 'POISONED', 'CANCELLED'])
      .where('expires_ms', '>', nowMs)
      .where('attempt', '>', 0)
      .orderBy('updated_ms', 'desc')
      .limit(limits.listMax)
      .execute();
    return rows.filter((row) => (JSON.parse(row.roster_json) as string[]).includes(party)).map(({ id }) => id);
  }

  /** Writes a row that says nothing: whatever stands in the way of a write shows. */
  async probe(): Promise<void> {
    const row = { key: 'probe', value: '' };
    const insert = this.#db.insertInto('meta').values(row);
    await insert.onConflict((conflict) => conflict.column('key').doUpdateSet({ value: row.value })).execute();
  }

  async counts(): Promise<Partial<Record<Phase, number>>> {
    const rows = await this.#db
      .selectFrom('jobs')
      .select(['phase', (of) => of.fn.countAll<number>().as('count')])
      .groupBy('phase')
      .execute();
    return Object.fromEntries(rows.map((row) => [row.phase, Number(row.count)]));
  }

  /** The latest word of each party about the job, whatever the clocks of those who wrote it; what failed at an attempt before this one counts no more. */
  async verdicts(id: string, attempt: number): Promise<readonly Verdict[]> {
    const ofJob = this.#db.selectFrom('verdicts').selectAll().where('job', '=', id);
    const rows = await ofJob.orderBy('sequence').orderBy('at_ms').execute();
    const latest = new Map<string, Verdict>();
    for (const row of rows) {
      if (row.verdict === 'failed' && row.attempt < attempt) continue;
      const verdict: Verdict = { party: row.party, verdict: row.verdict as Verdict['verdict'] };
      latest.set(row.party, row.report_json === null ? verdict : { ...verdict, report: JSON.parse(row.report_json) });
    }
    return [...latest.values()];
  }

  /** Entries after this sequence number, at most `listMax` of them. */
  async entries(id: string, after: number): Promise<readonly NumberedEntry[]> {
    const rows = await this.#db
      .selectFrom('entries')
      .selectAll()
      .where('job', '=', id)
      .where('sequence', '>', after)
      .orderBy('sequence')
      .limit(limits.listMax)
      .execute();
    return rows.map((row) => ({ sequence: row.sequence, atMs: row.at_ms, entry: JSON.parse(row.entry_json) as Entry }));
  }

  /** One opening at a time, so that an answer can be streamed. */
  async opening(id: string, attempt: number, party: string): Promise<StoredOpening | undefined> {
    const row = await this.#db
      .selectFrom('openings')
      .selectAll()
      .where('job', '=', id)
      .where('attempt', '=', attempt)
      .where('party', '=', party)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const { sealed, commitments_json, signatures_json } = row;
    return { party, sealed, commitments: JSON.parse(commitments_json), signatures: JSON.parse(signatures_json) };
  }

  /** What a party has opened with, without its sealed bytes. */
  async signedBy(id: string, attempt: number, party: string): Promise<SignedCommitments | undefined> {
    const row = await this.#db
      .selectFrom('openings')
      .select(['commitments_json', 'signatures_json'])
      .where('job', '=', id)
      .where('attempt', '=', attempt)
      .where('party', '=', party)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    return { commitments: JSON.parse(row.commitments_json), signatures: JSON.parse(row.signatures_json) };
  }

  close(): Promise<void> {
    return this.#close();
  }

  async #stored(row: Schema['jobs']): Promise<StoredJob> {
    const key = { id: row.id, attempt: row.attempt };
    // They stand for every attempt.
    const acceptances = await this.#db
      .selectFrom('acceptances')
      .select(['party', 'acceptance_json', 'head_json'])
      .where('job', '=', key.id)
      .orderBy('attempt')
      .orderBy('party')
      .execute();
    const setbacks = await this.#db
      .selectFrom('setbacks')
      .select('report_json')
      .where('job', '=', key.id)
      .orderBy('attempt')
      .execute();
    const heads = acceptances.flatMap(({ party, head_json: head }) =>
      head === null ? [] : [[party, JSON.parse(head) as object] as const],
    );
    const renounced = await this.#db
      .selectFrom('renunciations')
      .select(['party', 'renunciation_json'])
      .where('job', '=', key.id)
      .where('attempt', '=', setbacks.length)
      .orderBy('party')
      .execute();
    const opened = await this.#db
      .selectFrom('openings')
      .select('party')
      .where('job', '=', key.id)
      .where('attempt', '=', key.attempt)
      .orderBy('party')
      .execute();
    const question = await this.#db
      .selectFrom('questions')
      .select('same_as')
      .where('job', '=', key.id)
      .executeTakeFirst();
    const sameAs = question?.same_as ?? null;
    const signed = JSON.parse(row.signed_json) as SignedJob;
    const { join_helper: helper } = signed.envelope.job;
    return {
      id: row.id,
      analyst: row.analyst,
      title: row.title,
      signed,
      submittedMs: row.submitted_ms,
      updatedMs: row.updated_ms,
      epoch: row.epoch,
      isCancelAsked: row.cancel_asked === 1,
      state: {
        phase: row.phase,
        attempt: row.attempt,
        roster: JSON.parse(row.roster_json) as string[],
        ...(helper === undefined ? {} : { helper }),
        expiresMs: row.expires_ms,
        present: [],
        acceptances: Object.fromEntries(
          acceptances.map((one) => [one.party, JSON.parse(one.acceptance_json) as SignedAcceptance]),
        ),
        ...(heads.length === 0 ? {} : { heads: Object.fromEntries(heads) as Record<string, object> }),
        renounced: Object.fromEntries(
          renounced.map((one) => [one.party, JSON.parse(one.renunciation_json) as SignedRenunciation]),
        ),
        setbacks: setbacks.map((one) => JSON.parse(one.report_json) as ErrorReport),
        opened: opened.map((one) => one.party),
        ...(row.releasing === 1 ? { releasing: true as const } : {}),
        ...(sameAs === null ? {} : { sameAs }),
        ...(row.error_json === null ? {} : { error: JSON.parse(row.error_json) as ErrorReport }),
      },
    };
  }
}

async function insertOpening(trx: Transaction<Schema>, change: Change, opening: StoredOpening): Promise<void> {
  const { id, lease, state } = change;
  // Else what another one has stored would stand in the way, and look like a fault.
  const held = trx.selectFrom('jobs').select('id').where('id', '=', id).where('lease_token', '=', lease);
  if ((await held.executeTakeFirst()) === undefined) throw new StateError('LEASE_LOST');
  const { party, commitments, signatures, sealed } = opening;
  await trx
    .insertInto('openings')
    .values({
      job: id,
      attempt: state.attempt,
      party,
      commitments_json: JSON.stringify(commitments),
      signatures_json: JSON.stringify(signatures),
      sealed,
    })
    .execute();
}

/** Entries go on from the last number; of phases no more are kept than `entriesPerJob`. */
async function append(
  trx: Transaction<Schema>,
  job: string,
  entries: readonly Entry[],
  atMs: number,
): Promise<readonly Omit<NumberedEntry, 'atMs'>[]> {
  if (entries.length === 0) return [];
  const last = await trx
    .selectFrom('entries')
    .select((of) => of.fn.max('sequence').as('sequence'))
    .where('job', '=', job)
    .executeTakeFirst();
  let sequence = Number(last?.sequence ?? 0);
  const numbered: Omit<NumberedEntry, 'atMs'>[] = [];
  for (const entry of entries) {
    if (entry.type === 'phase' && sequence >= limits.entriesPerJob) continue;
    numbered.push({ sequence: ++sequence, entry });
  }
  for (let at = 0; at < numbered.length; at += rowsPerInsert) {
    const some = numbered.slice(at, at + rowsPerInsert);
    const rows = some.map((one) => ({
      job,
      sequence: one.sequence,
      at_ms: atMs,
      entry_json: JSON.stringify(one.entry),
    }));
    await trx.insertInto('entries').values(rows).execute();
  }
  return numbered;
}
