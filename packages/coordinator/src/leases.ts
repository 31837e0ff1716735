/**
 * Who leads a job: one coordinator at a time, by a lease that ends by itself.
 *
 * A lease is a random token that stands with the job. Whoever leads the job renews it, and names it in every write; where
 * another token stands by then the write is refused, whatever the writer believes. Taking a lease raises the job's epoch,
 * a fencing number (Kleppmann, 2016): nodes remember the highest that they heard, and refuse messages of a lower one. So
 * a coordinator that slept through the end of its lease can change nothing, neither here nor at a node.
 *
 * All times are those of the database's clock, so that hosts whose clocks differ cannot both hold one lease. Several who
 * look for a job at once do not wait for each other: a row that one of them is about to take is passed over by the rest.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { type ExpressionBuilder, type Kysely, sql } from 'kysely';
import { limits } from './limits.ts';
import { type OpenDatabase, openPhases, type Schema } from './schema.ts';

export interface Lease {
  readonly token: string;
  readonly epoch: number;
}

/** An open job that nobody leads. */
export interface FreeJob {
  readonly id: string;
  readonly roster: readonly string[];
  readonly isReleasing: boolean;
  /** For how long nobody has led it. */
  readonly freeMs: number;
  readonly submittedMs: number;
}

/** What stands with a job that is led. */
interface Held {
  readonly token: string;
  readonly isCancelAsked: boolean;
}

export class Leases {
  readonly #db: Kysely<Schema>;
  readonly #nowMs: OpenDatabase['nowMs'];
  /** Whether several coordinators take leases of this database. */
  readonly shared: boolean;

  constructor({ queries, nowMs, shared }: OpenDatabase) {
    this.#db = queries;
    this.#nowMs = nowMs;
    this.shared = shared;
  }

  /** Jobs that were under way when their coordinator was lost, or gave them back. */
  async begun(): Promise<readonly FreeJob[]> {
    return freeJobs(await this.#free().where('phase', 'in', openPhases.slice(1)).limit(limits.listMax).execute());
  }

  /** Jobs that wait for their turn, in the order of their submission, after this one. */
  async queued(after?: FreeJob): Promise<readonly FreeJob[]> {
    let query = this.#free().where('phase', '=', 'QUEUED');
    if (after !== undefined) {
      query = query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('submitted_ms', 'id'), '>', tuple(after.submittedMs, after.id)),
      );
    }
    return freeJobs(await query.limit(limits.listMax).execute());
  }

  /** Jobs whose time was over before `beforeMs`. */
  async expired(beforeMs: number): Promise<readonly FreeJob[]> {
    return freeJobs(
      await this.#free()
        .where('phase', 'in', openPhases)
        .where('expires_ms', '<', beforeMs)
        .limit(limits.listMax)
        .execute(),
    );
  }

  /** Takes those of the jobs that are still free, for the coordinator whose start has this number. */
  async take(ids: readonly string[], holder: number): Promise<ReadonlyMap<string, Lease>> {
    if (ids.length === 0) return new Map();
    return this.#db.transaction().execute(async (trx) => {
      const free = trx
        .selectFrom('jobs')
        .select(['id', 'epoch'])
        .where('id', 'in', ids)
        .where('phase', 'in', openPhases)
        .where((of) => this.#isFree(of))
        .orderBy('id');
      const rows = await (this.shared ? free.forUpdate().skipLocked() : free).execute();
      const taken = new Map<string, Lease>();
      for (const { id, epoch } of rows) {
        const lease = { token: randomBytes(16).toString('hex'), epoch: epoch + 1 };
        const until = { lease_token: lease.token, lease_holder: holder, lease_until_ms: this.#untilMs() };
        await trx
          .updateTable('jobs')
          .set({ ...until, epoch: lease.epoch })
          .where('id', '=', id)
          .execute();
        taken.set(id, lease);
      }
      return taken;
    });
  }

  /**
   * What stands with the jobs of these tokens; `renewed` puts the end of their leases off. A job whose token is missing from
   * the answer is another's by now, or has ended.
   */
  async held(
    tokens: readonly string[],
    { renewed }: { readonly renewed: boolean },
  ): Promise<ReadonlyMap<string, Held>> {
    if (tokens.length === 0) return new Map();
    const update = this.#db.updateTable('jobs').set({ lease_until_ms: this.#untilMs() });
    const own = renewed
      ? update
          .where('phase', 'in', openPhases)
          .where('lease_token', 'in', tokens)
          .returning(['id', 'lease_token', 'cancel_asked'])
      : this.#db
          .selectFrom('jobs')
          .select(['id', 'lease_token', 'cancel_asked'])
          .where('phase', 'in', openPhases)
          .where('lease_token', 'in', tokens);
    const rows = await own.execute();
    return new Map(
      rows.map((row) => [row.id, { token: row.lease_token ?? '', isCancelAsked: row.cancel_asked === 1 }]),
    );
  }

  /** Gives leases back before their end. Those that are another's by now stay so. */
  async release(tokens: readonly string[]): Promise<void> {
    if (tokens.length === 0) return;
    const nobody = { lease_token: null, lease_holder: null, lease_until_ms: this.#nowMs() };
    await this.#db
      .updateTable('jobs')
      .set(nobody)
      .where('phase', 'in', openPhases)
      .where('lease_token', 'in', tokens)
      .execute();
  }

  /** The analyst takes the job back: for whoever leads it to see to. */
  async askCancel(id: string): Promise<void> {
    await this.#db
      .updateTable('jobs')
      .set({ cancel_asked: 1 })
      .where('id', '=', id)
      .where('phase', 'in', openPhases)
      .execute();
  }

  /** It cannot be taken back any more. */
  async refuseCancel({ token }: Lease): Promise<void> {
    await this.#db.updateTable('jobs').set({ cancel_asked: 0 }).where('lease_token', '=', token).execute();
  }

  #free() {
    return this.#db
      .selectFrom('jobs')
      .select(['id', 'roster_json', 'releasing', 'submitted_ms', this.#freeMs().as('free_ms')])
      .where((of) => this.#isFree(of))
      .orderBy('submitted_ms')
      .orderBy('id');
  }

  #isFree(of: ExpressionBuilder<Schema, 'jobs'>) {
    return of.or([of('lease_token', 'is', null), of('lease_until_ms', '<', this.#nowMs())]);
  }

  #freeMs() {
    return sql<number>`${this.#nowMs()} - COALESCE(lease_until_ms, 0)`;
  }

  #untilMs() {
    return sql<number>`${this.#nowMs()} + ${sql.lit(limits.leaseMs)}`;
  }
}

type FreeRow = Pick<Schema['jobs'], 'id' | 'roster_json' | 'releasing' | 'submitted_ms'> & { readonly free_ms: number };

function freeJobs(rows: readonly FreeRow[]): readonly FreeJob[] {
  return rows.map((row) => ({
    id: row.id,
    roster: JSON.parse(row.roster_json) as string[],
    isReleasing: row.releasing === 1,
    freeMs: row.free_ms,
    submittedMs: row.submitted_ms,
  }));
}
