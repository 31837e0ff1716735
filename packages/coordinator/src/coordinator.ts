/**
 * The coordinator proper: it feeds the lifecycle of each job with what analysts, parties and the clock do, makes every
 * step durable, and carries out its effects. Steps of one job follow each other; jobs do not wait for one another.
 *
 * It checks what it can (signatures of jobs and acceptances, that a job fits the charter), so that nonsense is refused
 * at once. The nodes check the same again and decide. It holds sealed bytes only, and never a key that opens them.
 * @module
 */
import { type SignedAcceptance, standingOf } from '@folkmoot/core/acceptance.js';
import { checkBudgetRequest } from '@folkmoot/core/budget-statement.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import type { PartyId } from '@folkmoot/core/channel.js';
import { type Charter, partiesOf } from '@folkmoot/core/charter.js';
import { checkJob, rosterOf } from '@folkmoot/core/check-job.js';
import { checkSignedJob, jobId, type SignedJob } from '@folkmoot/core/envelope.js';
import { reportOf, StateError } from '@folkmoot/core/errors.js';
import { canonicalJson } from '@folkmoot/core/hash.js';
import { questionKey } from '@folkmoot/core/question.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import type { CoordinatorMessage } from '@folkmoot/transport/control.js';
import type { Relay } from '@folkmoot/transport/relay.js';
import type { Logger } from 'pino';
import { BudgetRelay, type Stated } from './budget-relay.ts';
import { type JobView, viewOf } from './job-view.ts';
import {
  allPresent,
  type Event,
  hasEnded,
  isActive,
  isRetrying,
  type JobState,
  type Phase,
  queued,
  recalled,
  type Step,
  step,
} from './lifecycle.ts';
import { limits } from './limits.ts';
import type { CoordinatorMetrics } from './metrics.ts';
import { eventOf, messageOf, type PartyMessage } from './party-message.ts';
import { AttemptProgress, type Progress } from './progress.ts';
import type { NumberedEntry, Store, StoredJob, StoredOpening } from './store.ts';

/** Is told that there is a new entry, or that the work has got further. */
export type Follower = (what: 'entry' | 'progress') => void;

/** The coordinator's end of a logged-in party's link. */
export interface PartyLink {
  readonly party: PartyId;
  /** The version that the node says it runs. */
  readonly build: string;
  send(message: CoordinatorMessage): void;
  /** Ends the link: another one of the same party has taken its place, or the coordinator stops. */
  close(): void;
}

export interface AnswerParts {
  readonly job: string;
  readonly attempt: number;
  readonly signed: SignedJob;
  readonly acceptances: readonly SignedAcceptance[];
  /** The job that was asked for, where an earlier one answers it: the question is the same, and so are the readings. */
  readonly asked?: { readonly signed: SignedJob; readonly acceptances: readonly SignedAcceptance[] };
  /** One at a time, in the order of the roster: they may be large. */
  readonly openings: AsyncIterable<StoredOpening>;
}

export interface CoordinatorOptions {
  readonly charter: Charter;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly relay: Relay;
  readonly metrics?: CoordinatorMetrics;
}

export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #links = new Map<PartyId, PartyLink>();
  /** Jobs that have not ended, in the order of their submission. */
  readonly #open = new Map<string, StoredJob>();
  /** The last step of each job that is under way. */
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #granted = new Set<string>();
  readonly #followers = new Map<string, Set<Follower>>();
  /** Of the attempts that run. */
  readonly #progress = new Map<string, AttemptProgress>();
  readonly #budgets: BudgetRelay;

  private constructor(options: CoordinatorOptions) {
    this.#options = options;
    this.#budgets = new BudgetRelay(options.clock);
  }

  /**
   * Takes up what the store holds: what waited goes on waiting, for a party or for its opening. What was computed is tried
   * again: the nodes ended it with their links. So the relay admits nothing before its next start.
   */
  static async open(options: CoordinatorOptions): Promise<Coordinator> {
    const coordinator = new Coordinator(options);
    const jobs = await options.store.open();
    for (const job of jobs) coordinator.#open.set(job.id, job);
    for (const job of jobs) await coordinator.#apply(job.id, { type: 'restarted' });
    return coordinator;
  }

  // What analysts ask.

  /**
   * Takes a signed job in. The same job again is the same job; `created` is false then. `key` is the id under which the
   * analyst means to submit: a job that was changed on its way is not taken under it.
   * @throws InputError, PolicyError, CharterError as the job's checks do
   * @throws StateError NOT_YOURS, JOB_CONFLICT, BUSY, STATE_FAILED
   */
  async submit(
    analyst: string,
    signed: SignedJob,
    key?: string,
  ): Promise<{ job: string; state: Phase; created: boolean }> {
    const { charter, store, clock } = this.#options;
    if (signed.envelope.analyst !== analyst) throw new StateError('NOT_YOURS', { field: 'envelope.analyst' });
    const id = jobId(signed.envelope);
    if (key !== undefined && key !== id) throw new StateError('JOB_CONFLICT', { field: 'idempotency-key' });
    const known = await this.#find(id);
    if (known !== undefined) return this.#again(known, signed);
    checkSignedJob(signed, charter, clock.now());
    const checked = checkJob(signed.envelope.job, charter);
    const roster = rosterOf(checked);
    this.#checkRoom(analyst);

    const title = signed.envelope.job.title ?? '';
    const submitted = { id, analyst, title, signed, submittedMs: clock.now() };
    const state = queued<SignedAcceptance>(roster, Date.parse(signed.envelope.expires), checked.helper);
    if (!(await durably(store.insert(submitted, state)))) {
      const raced = await this.#find(id);
      if (raced !== undefined) return this.#again(raced, signed);
    }
    const present = roster.filter((party) => this.#links.has(party));
    this.#open.set(id, { ...submitted, updatedMs: submitted.submittedMs, state: { ...state, present } });
    const { parties, helper } = checked;
    const what = { event: 'job-queued', job: id, state: 'QUEUED', attempt: 0, analyst, parties };
    this.#options.log.info({ ...what, ...(helper === null ? {} : { helper }) }, 'job queued');
    this.#schedule();
    return { job: id, state: 'QUEUED', created: true };
  }

  async list(analyst: string, beforeMs?: number): Promise<readonly JobView[]> {
    const jobs = await this.#options.store.list(analyst, beforeMs);
    return Promise.all(jobs.map((job) => this.#view(job)));
  }

  /** @throws StateError UNKNOWN_JOB, also where the job is another analyst's: that it exists is not told */
  async view(analyst: string, id: string): Promise<JobView> {
    return this.#view(await this.#own(analyst, id));
  }

  /** @throws StateError UNKNOWN_JOB, ALREADY_ENDED */
  async cancel(analyst: string, id: string): Promise<JobView> {
    await this.#own(analyst, id);
    const done = await this.#apply(id, { type: 'cancel' });
    if (done?.refused !== undefined) throw done.refused;
    return this.view(analyst, id);
  }

  /** What has happened after this entry. @throws StateError UNKNOWN_JOB */
  async entries(analyst: string, id: string, after: number): Promise<readonly NumberedEntry[]> {
    await this.#own(analyst, id);
    return this.#options.store.entries(id, after);
  }

  /** Calls back whenever the job has a new entry or gets further, until the function returned is called. */
  follow(id: string, onEntry: Follower): () => void {
    const followers = this.#followers.get(id) ?? new Set();
    this.#followers.set(id, followers.add(onEntry));
    return () => {
      followers.delete(onEntry);
      if (followers.size === 0) this.#followers.delete(id);
    };
  }

  /** How far the slowest party is, where that is known. For those who follow the job. */
  progress(id: string): Progress | undefined {
    return this.#progress.get(id)?.slowest();
  }

  /** @throws StateError UNKNOWN_JOB, NOT_READY, ALREADY_ENDED */
  async answer(analyst: string, id: string): Promise<AnswerParts> {
    const { state, signed } = await this.#own(analyst, id);
    const { sameAs } = state;
    if (sameAs !== undefined) {
      const asked = { signed, acceptances: acceptancesOf(state) };
      return { ...(await this.answer(analyst, sameAs)), asked };
    }
    if (state.phase !== 'DONE') {
      const detail = `it is ${state.phase}`;
      throw hasEnded(state) ? new StateError('ALREADY_ENDED', { detail }) : new StateError('NOT_READY', { detail });
    }
    const acceptances = acceptancesOf(state);
    return { job: id, attempt: state.attempt, signed, acceptances, openings: this.#openings(id, state) };
  }

  /**
   * What each connected party states of its budgets, to the analyst who signed the request.
   * @throws InputError, PolicyError as `checkBudgetRequest` does; StateError NOT_YOURS, BUSY
   */
  budgets(analyst: string, given: unknown): Promise<Stated> {
    const { charter, clock } = this.#options;
    const signed = checkBudgetRequest(given, charter, clock.now());
    if (signed.request.analyst !== analyst) throw new StateError('NOT_YOURS', { field: 'request.analyst' });
    return this.#budgets.ask(signed, [...this.#links.values()], partiesOf(charter));
  }

  // What parties do.

  /** A party's statement; one that nobody waits for is of no use. */
  stated(party: PartyId, request: string, statement: object): void {
    this.#budgets.stated(party, request, statement);
  }

  /** A party has logged in. The latest link counts: an older one of the same party is a connection that hangs. */
  async attach(link: PartyLink): Promise<void> {
    const { party } = link;
    const earlier = this.#links.get(party);
    if (earlier !== undefined) {
      this.detach(earlier);
      earlier.close();
    }
    this.#links.set(party, link);
    for (const job of this.#jobsOf(party)) this.#later(job.id, { type: 'attached', party });
    const { store, clock } = this.#options;
    for (const id of await store.endedFor(party, clock.now())) await this.#quietly(id, { type: 'attached', party });
  }

  detach(link: PartyLink): void {
    const { party } = link;
    if (this.#links.get(party) !== link) return;
    this.#links.delete(party);
    for (const job of this.#jobsOf(party)) this.#later(job.id, { type: 'detached', party });
  }

  /**
   * A message of a party that is logged in; openings come by `opened`, once they are whole. Resolves when it has had its
   * effect: until then the party's link need not be read, so that nobody can pile up work here.
   */
  heard(party: PartyId, message: PartyMessage): Promise<void> {
    const { charter, clock } = this.#options;
    if (message.type === 'phase') this.#gotFurther(party, message);
    // What is done within a phase changes no state and is not kept.
    if (message.type === 'phase' && message.done !== undefined) return Promise.resolve();
    return this.#quietly(message.job, eventOf(party, message, charter, clock.now()));
  }

  /** Whether an opening of this party is of use. */
  expects(party: PartyId, id: string, attempt: number): boolean {
    const state = this.#open.get(id)?.state;
    if (state === undefined || !state.roster.includes(party)) return false;
    if (isRetrying(state)) return attempt === recalled(state);
    const isUnderWay = state.phase === 'READY' || state.phase === 'RUNNING';
    return isUnderWay && state.attempt === attempt && !state.opened.includes(party);
  }

  /** Tells a party whose opening is of no use what became of the job. */
  passOver(party: PartyId, id: string, attempt: number): Promise<void> {
    return this.#quietly(id, { type: 'opened', party, attempt });
  }

  async opened(id: string, attempt: number, opening: StoredOpening): Promise<void> {
    await this.#apply(id, { type: 'opened', party: opening.party, attempt }, opening);
  }

  // Time, and what the status page shows.

  /** Ends what has expired, or failed. Called every second or so. */
  tick(): void {
    const nowMs = this.#options.clock.now();
    for (const job of this.#open.values()) {
      const { expiresMs, failing } = job.state;
      const isDue = nowMs > expiresMs || failing !== undefined || isRetrying(job.state);
      if (isDue) this.#later(job.id, { type: 'tick', nowMs });
    }
  }

  connected(): readonly PartyId[] {
    return [...this.#links.keys()].sort();
  }

  /** What the nodes that are connected say they run. */
  builds(): Readonly<Record<PartyId, string>> {
    return Object.fromEntries(this.connected().map((party) => [party, this.#links.get(party)!.build]));
  }

  /** @throws StateError STATE_FAILED where nothing can be made durable */
  probe(): Promise<void> {
    return durably(this.#options.store.probe());
  }

  counts(): Promise<Partial<Record<Phase, number>>> {
    return this.#options.store.counts();
  }

  /** Lets the steps under way end; no link is fed after this. */
  async stop(): Promise<void> {
    const links = [...this.#links.values()];
    this.#links.clear();
    for (const link of links) link.close();
    while (this.#tails.size > 0) await Promise.allSettled(this.#tails.values());
    await this.#options.store.close();
  }

  // Within.

  #gotFurther(party: PartyId, { job: id, attempt, phase, done }: Extract<PartyMessage, { type: 'phase' }>): void {
    const state = this.#open.get(id)?.state;
    if (state?.attempt !== attempt || !state.roster.includes(party)) return;
    if (state.phase !== 'READY' && state.phase !== 'RUNNING') return;
    let progress = this.#progress.get(id);
    if (progress?.attempt !== attempt) {
      progress = new AttemptProgress(attempt, state.roster);
      this.#progress.set(id, progress);
    }
    if (progress.heard(party, phase, done, this.#options.clock.now())) this.#tell(id, 'progress');
  }

  #tell(id: string, what: 'entry' | 'progress'): void {
    for (const tell of this.#followers.get(id) ?? []) tell(what);
  }

  /** The event's turn comes after those before it; a fault of the store is logged, and the step has not happened. */
  async #quietly(id: string, event: Event<SignedAcceptance>): Promise<void> {
    try {
      await this.#apply(id, event);
    } catch (error) {
      const { phase: state, attempt } = this.#open.get(id)?.state ?? {};
      const party = 'party' in event ? event.party : undefined;
      const what = { event: 'step-failed', job: id, party, state, attempt, step: event.type };
      this.#options.log.error({ ...what, code: reportOf(error).code }, 'step failed');
    }
  }

  #later(id: string, event: Event<SignedAcceptance>): void {
    void this.#quietly(id, event);
  }

  #apply(id: string, event: Event<SignedAcceptance>, opening?: StoredOpening) {
    const before = this.#tails.get(id) ?? Promise.resolve();
    const now = before.then(
      () => this.#step(id, event, opening),
      () => this.#step(id, event, opening),
    );
    this.#tails.set(id, now);
    const forget = () => {
      if (this.#tails.get(id) === now) this.#tails.delete(id);
    };
    now.then(forget, forget);
    return now;
  }

  async #step(id: string, event: Event<SignedAcceptance>, opening?: StoredOpening) {
    const job = await this.#find(id);
    if (job === undefined) return undefined;
    const { store, clock, log, relay, metrics } = this.#options;
    const attempt = { job: fromHex(id), attempt: job.state.attempt, roster: job.state.roster };
    const { question, ...next } = await this.#recalled(job, step(job.state, event));
    const { state, entries } = next;
    const hasWord = (event.type === 'accepted' || event.type === 'renounced') && state !== job.state;
    if (entries.length > 0 || hasWord) {
      const came = opening !== undefined && state.opened.length > job.state.opened.length;
      const change = {
        id,
        state,
        entries,
        atMs: clock.now(),
        ...(event.type === 'accepted' ? { acceptance: { party: event.party, acceptance: event.acceptance } } : {}),
        ...(came ? { opening } : {}),
        ...(hasWord && event.type === 'renounced'
          ? { renunciation: { party: event.party, signed: event.renunciation } }
          : {}),
        ...(question === undefined ? {} : { question }),
      };
      await durably(store.save(change));
      if (came) metrics?.opened(opening.sealed.length);
    }
    if (state.phase !== 'READY' && state.phase !== 'RUNNING') this.#progress.delete(id);
    if (hasEnded(state)) this.#open.delete(id);
    else this.#open.set(id, { ...job, state, updatedMs: entries.length > 0 ? clock.now() : job.updatedMs });

    const starts = next.effects.some((effect) => effect.send === 'start');
    if (starts) relay.admit(attempt);
    await this.#send(job, next);
    metrics?.moved(id, job.state, state, { submittedMs: job.submittedMs, nowMs: clock.now() });
    if (state.phase !== job.state.phase) {
      const party = 'party' in event ? event.party : undefined;
      const what = { event: 'job-moved', job: id, party, state: state.phase, attempt: state.attempt };
      log.info({ ...what, code: state.error?.code }, 'job moved');
    }
    const isOver = hasEnded(state) && !hasEnded(job.state);
    if (isOver || (isRetrying(state) && !isRetrying(job.state))) relay.retire(attempt);
    if (entries.length > 0) this.#tell(id, 'entry');
    if (starts) this.#later(id, { type: 'started' });
    this.#granted.delete(id);
    this.#schedule();
    return next;
  }

  async #send(job: StoredJob, { state, effects }: Step<SignedAcceptance>): Promise<void> {
    for (const effect of effects) {
      const opened =
        effect.send === 'signed' ? await this.#options.store.signedBy(job.id, state.attempt, effect.by) : undefined;
      this.#links.get(effect.to)?.send(messageOf(job, state, effect, opened));
    }
  }

  /**
   * A step that has made a protected job READY, with the key of its question: where that was answered before, the job is
   * DONE by the same step.
   */
  async #recalled(
    job: StoredJob,
    next: Step<SignedAcceptance>,
  ): Promise<Step<SignedAcceptance> & { question?: string }> {
    const isFirst = next.state.phase === 'READY' && job.state.phase !== 'READY' && next.state.attempt === 1;
    if (!isFirst) return next;
    const question = keyOf(job, acceptancesOf(next.state), this.#options.charter);
    if (question === undefined) return next;
    const by = await this.#options.store.answered(question);
    if (by === undefined) return { ...next, question };
    const done = step(next.state, { type: 'answered', by });
    return { ...done, entries: [...next.entries, ...done.entries], question };
  }

  /** Gives free places to queued jobs whose parties are all here, the oldest first. */
  #schedule(): void {
    let places = limits.activeJobsMax - this.#granted.size;
    for (const job of this.#open.values()) if (isActive(job.state) && !this.#granted.has(job.id)) places--;
    for (const job of this.#open.values()) {
      if (places <= 0) return;
      if (job.state.phase !== 'QUEUED' || this.#granted.has(job.id) || !allPresent(job.state)) continue;
      this.#granted.add(job.id);
      places--;
      this.#later(job.id, { type: 'turn' });
    }
  }

  async #find(id: string): Promise<StoredJob | undefined> {
    return this.#open.get(id) ?? (await this.#options.store.job(id));
  }

  async #own(analyst: string, id: string): Promise<StoredJob> {
    const job = await this.#find(id);
    if (job === undefined || job.analyst !== analyst) throw new StateError('UNKNOWN_JOB');
    return job;
  }

  #again(known: StoredJob, signed: SignedJob): { job: string; state: Phase; created: boolean } {
    if (canonicalJson(known.signed) !== canonicalJson(signed)) throw new StateError('JOB_CONFLICT');
    return { job: known.id, state: known.state.phase, created: false };
  }

  #checkRoom(analyst: string): void {
    if (this.#open.size >= limits.openJobsMax) throw new StateError('BUSY', { detail: 'over all analysts' });
    let own = 0;
    for (const job of this.#open.values()) if (job.analyst === analyst) own++;
    if (own >= limits.openJobsPerAnalyst) {
      throw new StateError('BUSY', { detail: `${limits.openJobsPerAnalyst} of yours have not ended` });
    }
  }

  #jobsOf(party: PartyId): readonly StoredJob[] {
    return [...this.#open.values()].filter((job) => job.state.roster.includes(party));
  }

  async #view(job: StoredJob): Promise<JobView> {
    const latest = this.#open.get(job.id) ?? job;
    const verdicts = await this.#options.store.verdicts(job.id, latest.state.attempt);
    return viewOf(this.#open.get(job.id) ?? latest, verdicts, (party) => this.#links.has(party));
  }

  async *#openings(id: string, state: JobState<SignedAcceptance>): AsyncGenerator<StoredOpening> {
    for (const party of state.roster) {
      const opening = await this.#options.store.opening(id, state.attempt, party);
      if (opening === undefined) throw new StateError('STATE_FAILED', { detail: 'an opening is missing' });
      yield opening;
    }
  }
}

function acceptancesOf({ roster, acceptances }: JobState<SignedAcceptance>): readonly SignedAcceptance[] {
  return roster.map((party) => acceptances[party]!);
}

/** The key of a protected job's question; undefined for an exact one, and where the parties' words do not fit it. */
function keyOf(job: StoredJob, acceptances: readonly SignedAcceptance[], charter: Charter): string | undefined {
  const checked = checkJob(job.signed.envelope.job, charter);
  if (checked.privacy === null) return undefined;
  try {
    const { readings } = standingOf(acceptances, true, checked.helper)!;
    return questionKey({ analyst: job.analyst, checked, readings });
  } catch {
    // The parties refuse such acceptances by themselves, and say whose they are.
    return undefined;
  }
}

/** What the store throws is a fault of the disk, not of the request. */
async function durably<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new StateError('STATE_FAILED', { cause });
  }
}
