/**
 * The coordinator proper: it feeds the lifecycle of each job that it leads with what analysts, parties and the clock do,
 * makes every step durable, and carries out its effects. Steps of one job follow each other; jobs do not wait for one
 * another.
 *
 * Several may share one database. Each job is led by one of them at a time (leases.ts): one with a free place takes a job
 * whose parties are all connected to it, and those of a coordinator that was lost. Only who leads a job holds it in memory;
 * what analysts see comes from the database, so that they may ask any of them.
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
import { checkSignedJob, clockSkewMs, jobId, type SignedJob } from '@folkmoot/core/envelope.js';
import { isFolkmootError, reportOf, StateError, TransportError } from '@folkmoot/core/errors.js';
import { canonicalJson } from '@folkmoot/core/hash.js';
import { questionKey } from '@folkmoot/core/question.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import type { CoordinatorMessage } from '@folkmoot/transport/control.js';
import type { Relay } from '@folkmoot/transport/relay.js';
import type { Logger } from 'pino';
import { BudgetRelay, type Stated } from './budget-relay.ts';
import { type JobView, viewOf } from './job-view.ts';
import type { FreeJob, Lease } from './leases.ts';
import {
  type Event,
  hasEnded,
  isActive,
  isLate,
  isMissed,
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
import { type AuditMessage, eventOf, messageOf, type PartyMessage } from './party-message.ts';
import { AttemptProgress, type Progress } from './progress.ts';
import type { NumberedEntry, Store, StoredJob, StoredOpening } from './store.ts';

/** Is told that there is a new entry, or that the work has got further. */
export type Follower = (what: 'entry' | 'progress') => void;

/** The coordinator's end of a logged-in party's link. */
export interface PartyLink {
  readonly party: PartyId;
  /** The version that the node says it runs. */
  readonly build: string;
  /** The process that the node says it is; see hello in control.ts. */
  readonly instance: string | undefined;
  /** Nothing has been heard of it for a heartbeat. */
  isSilent(): boolean;
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

/** A job whose lease is held here. */
interface LedJob extends StoredJob {
  readonly lease: Lease;
}

/** How often the state of a job that is led elsewhere is looked at, by who waits for it. */
const pollMs = 200;

export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #links = new Map<PartyId, PartyLink>();
  /** Jobs whose lease is this coordinator's. */
  readonly #led = new Map<string, LedJob>();
  /** The last step of each job that is under way. */
  readonly #tails = new Map<string, Promise<unknown>>();
  /** The search for jobs to lead that is under way, and whether there is reason for another one. */
  #taking: Promise<void> | undefined;
  #takeAgain = false;
  /** Where the search among those that wait goes on. */
  #scanned: FreeJob | undefined;
  #keeping: Promise<void> | undefined;
  #renewedMs = Number.NEGATIVE_INFINITY;
  #stopped = false;
  /** Since when none of the parties of a job that is led here has been linked here. */
  readonly #lonelySinceMs = new Map<string, number>();
  /** The last entry that followers of jobs led elsewhere were told of. */
  readonly #heardOf = new Map<string, number>();
  readonly #followers = new Map<string, Set<Follower>>();
  /** Of the attempts that run. */
  readonly #progress = new Map<string, AttemptProgress>();
  readonly #budgets: BudgetRelay;

  /** The number of this start: whom leases name, and what nodes are welcomed with. */
  readonly epoch: number;

  private constructor(options: CoordinatorOptions, epoch: number) {
    this.#options = options;
    this.epoch = epoch;
    this.#budgets = new BudgetRelay(options.clock);
  }

  /**
   * Takes up what nobody leads: what waited goes on waiting, for a party or for its opening. What was computed goes on
   * once its parties are back: the relay admits it with the first of them.
   */
  static async open(options: CoordinatorOptions): Promise<Coordinator> {
    const coordinator = new Coordinator(options, await durably(options.store.nextEpoch()));
    await coordinator.#take();
    while (coordinator.#tails.size > 0) await Promise.allSettled(coordinator.#tails.values());
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
    const known = await store.job(id);
    if (known !== undefined) return this.#again(known, signed);
    checkSignedJob(signed, charter, clock.now());
    const checked = checkJob(signed.envelope.job, charter);
    const roster = rosterOf(checked);
    await this.#checkRoom(analyst);

    const title = signed.envelope.job.title ?? '';
    const submitted = { id, analyst, title, signed, submittedMs: clock.now() };
    const state = queued<SignedAcceptance>(roster, Date.parse(signed.envelope.expires), checked.helper);
    if (!(await durably(store.insert(submitted, state)))) {
      const raced = await store.job(id);
      if (raced !== undefined) return this.#again(raced, signed);
    }
    const { parties, helper } = checked;
    const what = { event: 'job-queued', job: id, state: 'QUEUED', attempt: 0, analyst, parties };
    this.#options.log.info({ ...what, ...(helper === null ? {} : { helper }) }, 'job queued');
    this.#look();
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

  /**
   * Takes a job back. Where another coordinator leads it that one is asked, durably: it does so within a second or two.
   * @throws StateError UNKNOWN_JOB, ALREADY_ENDED
   */
  async cancel(analyst: string, id: string): Promise<JobView> {
    const job = await this.#own(analyst, id);
    if (!this.#led.has(id) && !hasEnded(job.state)) return this.#askCancel(analyst, job);
    const done = await this.#apply(id, { type: 'cancel' });
    // It was let go of before its turn came.
    if (done === undefined) return this.#askCancel(analyst, job);
    if (done.refused !== undefined) throw done.refused;
    return this.view(analyst, id);
  }

  async #askCancel(analyst: string, { id }: StoredJob): Promise<JobView> {
    const { store, clock } = this.#options;
    await durably(store.leases.askCancel(id));
    // A job that waits for its turn has nobody who looks.
    const taken = await durably(store.leases.take([id], this.epoch));
    for (const [one, lease] of taken) await this.#lead(one, lease);
    for (let waitedMs = 0; ; waitedMs += pollMs) {
      await this.#tails.get(id)?.catch(() => undefined);
      const { state, isCancelAsked } = await this.#own(analyst, id);
      if (state.phase === 'CANCELLED') return this.view(analyst, id);
      if (hasEnded(state)) throw new StateError('ALREADY_ENDED');
      if (!isCancelAsked) {
        // Whoever has its parties is to lead it.
        if (taken.has(id)) await this.#letGo(id);
        throw new StateError('ALREADY_ENDED', { detail: 'its answer is being released' });
      }
      // It stays asked, and the view says how far it is.
      if (waitedMs >= limits.cancelMs) return this.view(analyst, id);
      await new Promise<void>((resolve) => clock.after(pollMs, resolve));
    }
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
      if (followers.size > 0) return;
      this.#followers.delete(id);
      this.#heardOf.delete(id);
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

  /** A party's word about another one's audit log; whoever is away hears it with a later one. */
  passOn(by: PartyId, message: AuditMessage): void {
    const { of, ...word } = message;
    this.#links.get(of)?.send({ ...word, by });
  }

  /** A party's statement; one that nobody waits for is of no use. */
  stated(party: PartyId, request: string, statement: object): void {
    this.#budgets.stated(party, request, statement);
  }

  /**
   * Whether this process may log in as the party. A process takes the place of its own old link at once; another one waits
   * until the link that is there has fallen silent, so that two nodes with one identity do not push each other out forever.
   * @throws TransportError IDENTITY_IN_USE
   */
  checkIdentity(party: PartyId, instance: string | undefined): void {
    const earlier = this.#links.get(party);
    if (earlier === undefined || earlier.instance === instance || earlier.isSilent()) return;
    throw new TransportError('IDENTITY_IN_USE', { party });
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
    this.#look();
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
    if (message.type === 'stale') return this.#isStale(party, message);
    if (message.type === 'phase') this.#gotFurther(party, message);
    // What is done within a phase changes no state and is not kept.
    if (message.type === 'phase' && message.done !== undefined) return Promise.resolve();
    const roster = this.#led.get(message.job)?.state.roster ?? partiesOf(charter);
    return this.#quietly(message.job, eventOf(party, message, charter, clock.now(), roster.length));
  }

  /** Whether an opening of this party is of use. */
  expects(party: PartyId, id: string, attempt: number): boolean {
    const state = this.#led.get(id)?.state;
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

  /** Ends what has expired, or failed; keeps the leases, and looks for jobs that nobody leads. Called every second or so. */
  tick(): void {
    const nowMs = this.#options.clock.now();
    this.#keeping ??= this.#keep(nowMs).finally(() => {
      this.#keeping = undefined;
    });
    this.#look();
    this.#letGoOfLonely(nowMs);
    for (const job of this.#led.values()) {
      const { expiresMs, failing } = job.state;
      const isWaiting = isRetrying(job.state) || isMissed(job.state) || isLate(job.state);
      if (nowMs > expiresMs || failing !== undefined || isWaiting) this.#later(job.id, { type: 'tick', nowMs });
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

  /** Lets the steps under way end, and gives all leases back; no link is fed after this. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const links = [...this.#links.values()];
    this.#links.clear();
    for (const link of links) link.close();
    await Promise.allSettled([this.#taking, this.#keeping]);
    while (this.#tails.size > 0) await Promise.allSettled(this.#tails.values());
    const { store, log } = this.#options;
    const tokens = [...this.#led.values()].map(({ lease }) => lease.token);
    this.#led.clear();
    await store.leases.release(tokens).catch((error: unknown) => {
      // They end by themselves.
      log.warn({ event: 'leases-kept', code: reportOf(error).code }, 'leases were not given back');
    });
    await store.close();
  }

  // Within.

  #gotFurther(party: PartyId, { job: id, attempt, phase, done }: Extract<PartyMessage, { type: 'phase' }>): void {
    const state = this.#led.get(id)?.state;
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
      const { phase: state, attempt } = this.#led.get(id)?.state ?? {};
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
      () => this.#guarded(id, event, opening),
      () => this.#guarded(id, event, opening),
    );
    this.#tails.set(id, now);
    const forget = () => {
      if (this.#tails.get(id) === now) this.#tails.delete(id);
    };
    now.then(forget, forget);
    return now;
  }

  /** What is not durable has not happened: who leads the job next begins with what is. */
  async #guarded(id: string, event: Event<SignedAcceptance>, opening?: StoredOpening) {
    try {
      return await this.#step(id, event, opening);
    } catch (error) {
      const { code } = reportOf(error);
      if (code === 'LEASE_LOST' || code === 'STATE_FAILED') this.#drop(id, code);
      throw error;
    }
  }

  async #step(id: string, event: Event<SignedAcceptance>, opening?: StoredOpening) {
    const led = this.#led.get(id);
    const job = led ?? (await this.#options.store.job(id));
    // Of jobs that have ended everyone may speak; of others only who leads them.
    if (job === undefined || (led === undefined && !hasEnded(job.state))) return undefined;
    const { store, clock, log, relay, metrics } = this.#options;
    const attempt = { job: fromHex(id), attempt: job.state.attempt, roster: job.state.roster };
    const { question, ...next } = await this.#recalled(job, step(job.state, event));
    const { state, entries } = next;
    const hasWord = (event.type === 'accepted' || event.type === 'renounced') && state !== job.state;
    if (led !== undefined && (entries.length > 0 || hasWord)) {
      const came = opening !== undefined && state.opened.length > job.state.opened.length;
      const change = {
        id,
        lease: led.lease.token,
        state,
        entries,
        atMs: clock.now(),
        ...(event.type === 'accepted' ? { acceptance: event } : {}),
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
    if (led !== undefined) {
      // It was let go of meanwhile: what follows is for another one.
      if (this.#led.get(id)?.lease.token !== led.lease.token) return next;
      if (hasEnded(state)) this.#led.delete(id);
      else this.#led.set(id, { ...led, state, updatedMs: entries.length > 0 ? clock.now() : job.updatedMs });
    }

    const starts = next.effects.some((effect) => effect.send === 'start');
    // After a restart the relay knows of no attempt until a party is back.
    if (starts || (event.type === 'attached' && state.phase === 'RUNNING')) relay.admit(attempt);
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
    if (led !== undefined && event.type === 'turn' && state.phase === 'QUEUED') await this.#giveBack(led);
    if (led !== undefined && next.refused !== undefined) await this.#refuseCancel(led);
    if (isActive(job.state) && !isActive(state)) this.#look();
    return next;
  }

  /** Whoever asked, here or at another coordinator, sees that it was looked at. */
  async #refuseCancel({ id, lease }: LedJob): Promise<void> {
    await this.#options.store.leases.refuseCancel(lease);
    const led = this.#led.get(id);
    if (led?.lease.token === lease.token) this.#led.set(id, { ...led, isCancelAsked: false });
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

  // Leases.

  /** Looks for jobs to lead, now or once the search under way has ended. */
  #look(): void {
    this.#takeAgain = true;
    if (this.#stopped) return;
    this.#taking ??= this.#takeAll().finally(() => {
      this.#taking = undefined;
    });
  }

  async #takeAll(): Promise<void> {
    while (this.#takeAgain && !this.#stopped) {
      this.#takeAgain = false;
      try {
        await this.#take();
      } catch (error) {
        // The next tick looks again.
        this.#options.log.error({ event: 'take-failed', code: reportOf(error).code }, 'no jobs could be taken');
      }
    }
  }

  /** Takes what has begun and lost its coordinator, what has expired, and with the places left what waits, oldest first. */
  async #take(): Promise<void> {
    const { store, clock } = this.#options;
    const { leases } = store;
    let places = limits.activeJobsMax;
    for (const job of this.#led.values()) if (this.#holdsPlace(job)) places--;
    const isHere = ({ roster }: FreeJob) => roster.every((party) => this.#links.has(party));
    const isNear = (job: FreeJob) => job.freeMs > limits.takeoverMs && !this.#isLonely(job.roster);
    const begun = (await durably(leases.begun())).filter(
      (job) => !this.#led.has(job.id) && (isHere(job) || isNear(job)),
    );
    const wanted = [...(await durably(leases.expired(clock.now() - clockSkewMs)))];
    // One that waits for an opening holds no place until all are here.
    for (const job of begun) if (job.isReleasing || places-- > 0) wanted.push(job);
    if (places > 0) wanted.push(...(await this.#startable(places)));
    const ids = wanted.map(({ id }) => id).filter((id) => !this.#led.has(id));
    const taken = await durably(leases.take([...new Set(ids)], this.epoch));
    for (const [id, lease] of taken) await this.#lead(id, lease);
  }

  /** Of a job that was just taken it is known only after its first steps. */
  #holdsPlace({ id, state }: LedJob): boolean {
    return isActive(state) || this.#tails.has(id);
  }

  /** Jobs whose turn it is and whose parties are all here. The search goes on from where the last one ended. */
  async #startable(places: number): Promise<readonly FreeJob[]> {
    const found: FreeJob[] = [];
    const active = new Map<PartyId, number>();
    const count = (parties: readonly PartyId[]) => {
      for (const party of parties) active.set(party, (active.get(party) ?? 0) + 1);
    };
    for (const job of this.#led.values()) if (this.#holdsPlace(job)) count(job.state.roster);
    const fits = (party: PartyId) => this.#links.has(party) && (active.get(party) ?? 0) < limits.activeJobsPerParty;
    for (let seen = 0; seen < limits.scanMax; seen += limits.listMax) {
      const page = await durably(this.#options.store.leases.queued(this.#scanned));
      this.#scanned = page.length < limits.listMax ? undefined : page.at(-1);
      for (const job of page) {
        if (!job.roster.every(fits)) continue;
        found.push(job);
        count(job.roster);
        if (found.length === places) {
          this.#scanned = undefined;
          return found;
        }
      }
      if (this.#scanned === undefined) break;
    }
    return found;
  }

  /** Goes on with a job whose lease was taken. What comes from its parties from here on stands after these events. */
  async #lead(id: string, lease: Lease): Promise<void> {
    const { store, clock, log } = this.#options;
    const job = await durably(store.job(id));
    if (job === undefined || this.#stopped) return durably(store.leases.release([lease.token]));
    this.#led.set(id, { ...job, lease });
    const { phase, attempt, roster, expiresMs } = job.state;
    log.info({ event: 'job-led', job: id, state: phase, attempt, epoch: lease.epoch }, 'job taken up');
    const nowMs = clock.now();
    if (phase !== 'QUEUED') this.#later(id, { type: 'restarted' });
    if (job.isCancelAsked) this.#later(id, { type: 'cancel' });
    for (const party of roster) if (this.#links.has(party)) this.#later(id, { type: 'attached', party });
    if (nowMs > expiresMs) this.#later(id, { type: 'tick', nowMs });
    if (phase === 'QUEUED') this.#later(id, { type: 'turn' });
  }

  /** Renews the leases, and sees who was lost, what was taken back, and what happens elsewhere to jobs followed here. */
  async #keep(nowMs: number): Promise<void> {
    const { store, log } = this.#options;
    try {
      const before = [...this.#led.values()];
      const renewed = nowMs >= this.#renewedMs + limits.renewMs;
      // Only of jobs that are led: what was dropped is to be taken anew.
      const tokens = before.map(({ lease }) => lease.token);
      const held = await store.leases.held(tokens, { renewed });
      if (renewed) this.#renewedMs = nowMs;
      for (const { id, lease } of before) {
        const own = held.get(id);
        // One that ended, or was let go of, meanwhile is no loss.
        if (this.#led.get(id)?.lease.token !== lease.token || this.#tails.has(id)) continue;
        if (own?.token !== lease.token) this.#drop(id, 'LEASE_LOST');
        else if (own.isCancelAsked) this.#later(id, { type: 'cancel' });
      }
      const elsewhere = [...this.#followers.keys()].filter((id) => !this.#led.has(id));
      for (const [id, sequence] of await store.lastEntries(elsewhere)) {
        if (this.#heardOf.get(id) !== sequence) this.#tell(id, 'entry');
        if (this.#followers.has(id)) this.#heardOf.set(id, sequence);
      }
    } catch (error) {
      const { code } = reportOf(error);
      log.error({ event: 'renewal-failed', code }, 'the leases could not be renewed');
    }
  }

  /** Forgets a job that is another coordinator's by now, or whose state could not be written: its lease ends by itself. */
  #drop(id: string, code: string): void {
    const job = this.#led.get(id);
    if (job === undefined) return;
    this.#led.delete(id);
    this.#progress.delete(id);
    const { phase, attempt, roster } = job.state;
    this.#options.relay.retire({ job: fromHex(id), attempt, roster });
    this.#options.metrics?.dropped(id);
    const what = { event: 'job-dropped', job: id, state: phase, attempt, epoch: job.lease.epoch, code };
    this.#options.log.warn(what, 'job is led here no more');
    this.#tell(id, 'entry');
  }

  /** Whether none of these parties is linked here, while they may be at another coordinator. */
  #isLonely(roster: readonly PartyId[]): boolean {
    return this.#options.store.leases.shared && !roster.some((party) => this.#links.has(party));
  }

  /** Nothing can be done here for a job whose parties are elsewhere: whoever they are linked to takes it. */
  #letGoOfLonely(nowMs: number): void {
    for (const id of this.#lonelySinceMs.keys()) if (!this.#led.has(id)) this.#lonelySinceMs.delete(id);
    for (const { id, state } of this.#led.values()) {
      const sinceMs = this.#lonelySinceMs.get(id) ?? nowMs;
      if (!this.#isLonely(state.roster)) this.#lonelySinceMs.delete(id);
      else this.#lonelySinceMs.set(id, sinceMs);
      // A step that is under way ends first.
      if (nowMs >= sinceMs + 2 * limits.takeoverMs && !this.#tails.has(id)) void this.#letGo(id).catch(() => undefined);
    }
  }

  /** Gives the lease of a job back none of whose parties is linked here. */
  async #letGo(id: string): Promise<void> {
    const led = this.#led.get(id);
    if (led === undefined || !this.#isLonely(led.state.roster)) return;
    this.#drop(id, 'UNREACHABLE');
    await durably(this.#options.store.leases.release([led.lease.token]));
  }

  /** A job that cannot begin here waits for whoever has all its parties. */
  async #giveBack({ id, lease }: LedJob): Promise<void> {
    this.#led.delete(id);
    await durably(this.#options.store.leases.release([lease.token]));
  }

  /** A node has heard of a later epoch. That is true where the lease is another's; else it is given back, and taken anew. */
  async #isStale(party: PartyId, { job: id, epoch }: Extract<PartyMessage, { type: 'stale' }>): Promise<void> {
    const led = this.#led.get(id);
    if (led === undefined || !led.state.roster.includes(party) || epoch <= led.lease.epoch) return;
    this.#drop(id, 'STALE_COORDINATOR');
    await durably(this.#options.store.leases.release([led.lease.token])).catch(() => undefined);
  }

  async #own(analyst: string, id: string): Promise<StoredJob> {
    const job = this.#led.get(id) ?? (await this.#options.store.job(id));
    if (job === undefined || job.analyst !== analyst) throw new StateError('UNKNOWN_JOB');
    return job;
  }

  #again(known: StoredJob, signed: SignedJob): { job: string; state: Phase; created: boolean } {
    if (canonicalJson(known.signed) !== canonicalJson(signed)) throw new StateError('JOB_CONFLICT');
    return { job: known.id, state: known.state.phase, created: false };
  }

  async #checkRoom(analyst: string): Promise<void> {
    const { all, own } = await durably(this.#options.store.openCounts(analyst));
    if (all >= limits.openJobsMax) throw new StateError('BUSY', { detail: 'over all analysts' });
    if (own >= limits.openJobsPerAnalyst) {
      throw new StateError('BUSY', { detail: `${limits.openJobsPerAnalyst} of yours have not ended` });
    }
  }

  #jobsOf(party: PartyId): readonly LedJob[] {
    return [...this.#led.values()].filter((job) => job.state.roster.includes(party));
  }

  async #view(job: StoredJob): Promise<JobView> {
    const latest = this.#led.get(job.id) ?? job;
    const verdicts = await this.#options.store.verdicts(job.id, latest.state.attempt);
    return viewOf(this.#led.get(job.id) ?? latest, verdicts, (party) => this.#links.has(party));
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
    throw isFolkmootError(cause) ? cause : new StateError('STATE_FAILED', { cause });
  }
}
