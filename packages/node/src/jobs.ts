/**
 * The jobs of a node: each step of a lifecycle is decided in lifecycle.ts, and its effects are carried out here, one
 * after the other: first what must be durable, then what others can see.
 *
 * It believes the coordinator nothing: a lie can delay or end a job, and is noticed before a share leaves.
 * @module
 */
import { acceptancesHash, type SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { assert } from '@folkmoot/core/assert.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import { partiesOf } from '@folkmoot/core/charter.js';
import { checkJob, rosterOf } from '@folkmoot/core/check-job.js';
import type { CheckedJoin } from '@folkmoot/core/checked-join.js';
import { jobId, parseSignedJob, type SignedJob } from '@folkmoot/core/envelope.js';
import { type ErrorReport, PolicyError, ProtocolError, reportOf, StateError } from '@folkmoot/core/errors.js';
import type { Sign } from '@folkmoot/core/identity.js';
import { verifyOpening } from '@folkmoot/core/open.js';
import { openingVerifier } from '@folkmoot/core/opening-signature.js';
import { checkRenunciations, signRenunciation } from '@folkmoot/core/renunciation.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import type { CoordinatorMessage, NodeMessage } from '@folkmoot/transport/control.js';
import type { ResumableStream } from '@folkmoot/transport/resumable-stream.js';
import type { Logger } from 'pino';
import { checkApproved, followingFrom, onJob, weigh } from './approvals.ts';
import type { AuditDuty } from './audit-duty.ts';
import type { Membership, NodeConfig } from './config.ts';
import type { Connection } from './connection.ts';
import { failureOf } from './failure.ts';
import type { JoinWord } from './join-record.ts';
import { keepJoin } from './join-report.ts';
import { checkAccepted, checkStillAllowed, claimOnStart, type Decision, decide, type Judge } from './judgement.ts';
import { type Effect, isTerminal, type JobEvent, type JobState, type step } from './lifecycle.ts';
import type { NodeMetrics } from './metrics.ts';
import type { ComputationUnderWay, OwnRecords } from './own-records.ts';
import { SessionStreams } from './session-streams.ts';
import { stateBudgets } from './statement.ts';
import type { Store } from './store.ts';

/**
 * Jobs that are judged or computed, or whose end is not known, at one time: a coordinator runs 16 of one party, and there
 * may be several.
 */
const jobsMax = 64;
/**
 * Jobs that wait besides, for a person here or for the other parties’ people: each is a few kilobytes, and they are more
 * than anybody reads.
 */
const waitingMax = 1_000;
/** How often expiry is looked at: well below the 120 seconds that clocks may differ by. */
const tickMs = 5_000;

export interface JobsOptions {
  readonly config: NodeConfig;
  readonly membership: Membership;
  /** The version of the program. */
  readonly build: string;
  readonly sign: Sign;
  readonly store: Store;
  /** The period that each dataset is in, for as long as this process runs. */
  readonly periods: ReadonlyMap<string, string>;
  readonly records: OwnRecords;
  /** What follows from what: lifecycle.ts. */
  readonly step: typeof step;
  /** Shows the audit log to the others of a job, and looks at theirs. */
  readonly audit?: AuditDuty;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: NodeMetrics;
}

/** What jobs need of the link to the coordinator. */
export type Outlet = Pick<Connection, 'send' | 'sendFrame' | 'sendOpening'>;

/** Who speaks of a job, and with which epoch; none where a link is new. */
interface Speaker {
  readonly to: Outlet;
  readonly epoch?: number;
}

type Invitation = Extract<CoordinatorMessage, { type: 'invite' }>;
type Start = Extract<CoordinatorMessage, { type: 'start' }>;
type Signed = Extract<CoordinatorMessage, { type: 'signed' }>;

interface UnderWay {
  readonly computation: ComputationUnderWay;
  readonly stream: ResumableStream;
}

export class Jobs {
  readonly #options: JobsOptions;
  /** The jobs that have not ended, as they are in the store. */
  readonly #open = new Map<string, JobState>();
  readonly #computations = new Map<string, UnderWay>();
  readonly #streams: SessionStreams;
  /** Jobs that are being judged: one judgement at a time, which weighs the decisions that stand at its end. */
  readonly #judging = new Set<string>();
  /** Threads that were told to stop and have not ended: a query runs to its end. */
  readonly #ending = new Set<Promise<void>>();
  /** The links that are up: one to each coordinator. */
  readonly #links = new Set<Outlet>();
  /** Over which of them a job is led: the one over which the highest epoch was heard. */
  readonly #speakers = new Map<string, Outlet>();
  /** Jobs of which a step could not be made durable. */
  readonly #unwritten = new Set<string>();
  #stopTicking = () => {};
  #stopped = false;

  constructor(options: JobsOptions) {
    this.#options = options;
    const { config, membership, clock } = options;
    this.#streams = new SessionStreams({ party: config.party, parties: partiesOf(membership.charter), clock });
  }

  /** Takes up what the store holds. */
  start(): void {
    for (const job of this.#options.store.open()) this.#takeUp(job);
    this.#endForgotten();
    const report = this.#interrupted('the node was restarted');
    // What people decided while nothing ran comes first: a job that they ended is not tried again.
    for (const job of [...this.#open.keys()]) this.takeDecisions(job);
    this.#all({ event: 'restarted', report });
    this.#tick();
  }

  /** Ends the computations. What was under way is renounced as INTERRUPTED at the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopTicking();
    for (const job of [...this.#computations.keys()]) this.#stopComputation(job);
    this.#streams.close();
    await Promise.all(this.#ending);
  }

  /** Carries out what follows from the decisions on a job that stand in the store. */
  takeDecisions(job: string): void {
    const { store, config, membership } = this.#options;
    const { charter } = membership;
    const event = followingFrom(onJob(job, store), { config, charter });
    if (event !== undefined) this.#dispatch(job, event);
  }

  /** A link is up, and logged in. Whoever leads a job over another one has heard of it there. */
  linked(link: Outlet): void {
    this.#links.add(link);
    this.#streams.linked(link);
    for (const job of [...this.#open.keys()]) {
      if (!this.#speakers.has(job)) this.#dispatch(job, { event: 'linked' }, { to: link });
    }
  }

  /** Running attempts wait for the next link, for as long as their streams do. */
  unlinked(link: Outlet): void {
    this.#links.delete(link);
    this.#streams.unlinked(link);
    for (const [job, speaker] of this.#speakers) if (speaker === link) this.#speakers.delete(job);
  }

  /** A message of a coordinator, and the link that it came by. */
  hear(message: CoordinatorMessage, from: Outlet): void {
    if (message.type === 'budget') this.#state(message.request, from);
    if (message.type === 'countersigned' || message.type === 'held') {
      this.#say([from], this.#options.audit?.hear(message));
      this.#endForgotten();
    }
    if (!('job' in message)) return;
    const { job, epoch } = message;
    const event = message.type === 'invite' ? this.#invited(message, from) : this.#eventOf(message, from);
    if (event !== undefined) this.#dispatch(job, event, { to: from, epoch });
  }

  #eventOf(
    message: Exclude<Extract<CoordinatorMessage, { job: string }>, Invitation>,
    from: Outlet,
  ): JobEvent | undefined {
    switch (message.type) {
      case 'start':
        return this.#startOf(message, from);
      case 'again': {
        const { type, epoch: _, ...asked } = message;
        return { event: type, ...asked };
      }
      case 'signed':
        return this.#signed(message);
      case 'abort':
        return { event: 'aborted', attempt: message.attempt, report: message.report };
      case 'cancel':
        return { event: 'cancelled' };
      case 'stored':
        return { event: 'stored', attempt: message.attempt };
    }
  }

  /** Hands a frame of a session to its computation. */
  deliver(session: Uint8Array, frame: Uint8Array): void | Promise<void> {
    return this.#streams.deliver(session, frame);
  }

  #invited({ job, attempt, signed: given }: Invitation, from: Outlet): JobEvent | undefined {
    const { config, log, audit } = this.#options;
    try {
      const signed = parseSignedJob(given);
      if (jobId(signed.envelope) !== job) throw new ProtocolError('BAD_MESSAGE', { field: 'job' });
      if (this.#find(job) === undefined && !this.#hasRoom()) throw new StateError('BUSY', { party: config.party });
      return { event: 'invited', job, signed, attempt, expiresMs: Date.parse(signed.envelope.expires) };
    } catch (error) {
      // A job that cannot even be read leaves no trace but these.
      const { report } = failureOf(error, config.party);
      audit?.refused({ kind: 'invitation-refused', job, code: report.code });
      log.warn({ event: 'job-failed', job, attempt, state: 'RECEIVED', ...inWords(report) }, 'job denied');
      from.send({ type: 'denied', job, attempt, report });
      return undefined;
    }
  }

  #hasRoom(): boolean {
    const busy = this.#busy();
    return busy < jobsMax && this.#open.size - busy < waitingMax;
  }

  /** The jobs that do not just wait. */
  #busy(): number {
    const waits = ({ status }: JobState) => status === 'AWAITING_APPROVAL' || status === 'ACCEPTED';
    return [...this.#open.values()].filter((state) => !waits(state)).length;
  }

  /** Tells an analyst what is left. What is no good request is not answered, and leaves a line in the log. */
  #state(given: unknown, from: Outlet): void {
    const { config, membership, store, periods, sign, clock, log } = this.#options;
    const { charter } = membership;
    try {
      const by = { config, charter, ledger: store.ledger, periods, sign, nowMs: clock.now() };
      const signed = stateBudgets(given, by);
      from.send({ type: 'budget', request: signed.statement.request, statement: signed });
    } catch (error) {
      log.warn({ event: 'budget-request-refused', ...inWords(failureOf(error, config.party).own) }, 'request refused');
    }
  }

  /**
   * Everything that all parties said is checked before a share leaves, and this party's own policy once more: days may
   * lie between its word and the start, and a new policy in them.
   */
  #startOf(message: Start, from: Outlet): JobEvent {
    const { job, epoch, attempt, acceptances: given, renunciations = [], heads = {} } = message;
    const { membership, config, clock, periods, store, audit } = this.#options;
    const { party } = config;
    try {
      const state = this.#find(job);
      // Nothing is countersigned for who does not lead the job any more.
      if (state?.status !== 'ACCEPTED' || attempt !== state.attempt || epoch < (state.epoch ?? 0))
        return { event: 'started', job, attempt, acceptances: [] };
      if (this.#computations.size >= jobsMax) throw new StateError('BUSY', { party });
      const by = { config, membership, nowMs: clock.now() };
      const asked = checkStillAllowed(state.signed, state.acceptance, by);
      const of = { config, charter: membership.charter };
      if (asked > 0) checkApproved(asked, state.acceptance, store.approvals(job), of);
      const acceptances = checkAccepted(given, state.signed, state.acceptance, by);
      if (attempt > 1) this.#checkRenounced(job, attempt - 1, state.signed, renunciations);
      const claim = claimOnStart(state.signed, state.acceptance, acceptances, { config, membership, periods });
      this.#say([from], audit?.check(state.signed, heads));
      return { event: 'started', job, attempt, acceptances, ...(claim === undefined ? {} : { claim }) };
    } catch (error) {
      this.#say([from], audit?.held(error));
      return { event: 'started', job, attempt, acceptances: [], fault: failureOf(error, party).report };
    }
  }

  /**
   * Another party has opened the attempt that has halted here, or waits for a signature. What all have signed is checked
   * like one's own work.
   */
  #signed({ job, attempt, commitments, signatures }: Signed): JobEvent | undefined {
    const { config, membership, log } = this.#options;
    const state = this.#find(job);
    if (state?.status !== 'HALTED' && state?.status !== 'COMMITTED') return undefined;
    if (state.attempt !== attempt) return undefined;
    try {
      const { charter } = membership;
      const context = { job: fromHex(job), attempt, roster: rosterOf(checkJob(state.signed.envelope.job, charter)) };
      const opening = { party: config.party, sealed: state.sealed, commitments, signatures };
      verifyOpening(context, acceptancesHash(state.acceptances), opening, openingVerifier(charter));
      // Whoever it still waits for has ended: what it waits for is here.
      this.#stopComputation(job);
      return { event: 'opened', attempt, commitments, signatures };
    } catch (error) {
      // A coordinator that lies changes nothing: another one may still tell the truth.
      const what = { event: 'signatures-refused', job, attempt, state: state.status };
      log.warn({ ...what, ...inWords(failureOf(error, config.party).own) }, 'signatures over the commitments refused');
      return undefined;
    }
  }

  /** That every party has renounced the attempt before is what makes another one no second answer. */
  #checkRenounced(job: string, attempt: number, { envelope }: SignedJob, given: readonly unknown[]): void {
    const { charter, charterHash } = this.#options.membership;
    const roster = rosterOf(checkJob(envelope.job, charter));
    checkRenunciations(given, roster, { job, attempt, charter, charterHash });
  }

  #all(event: JobEvent): void {
    for (const job of [...this.#open.keys()]) this.#dispatch(job, event);
  }

  /** Of a state that was set back: what it has forgotten of a job may be its opening, or that an attempt was renounced. */
  #endForgotten(): void {
    const { audit, config } = this.#options;
    for (const { job, status, signed } of [...this.#open.values()]) {
      try {
        audit?.checkWhole(signed);
      } catch (error) {
        const { report, detail } = failureOf(error, config.party);
        const isUndecided = status === 'RECEIVED' || status === 'AWAITING_APPROVAL';
        this.#dispatch(job, { event: isUndecided ? 'denied' : 'revoked', report, detail });
      }
    }
  }

  #tick(): void {
    const { clock, audit } = this.#options;
    audit?.tick();
    this.#takeUpUnwritten();
    this.#all({ event: 'ticked', nowMs: clock.now() });
    this.#stopTicking = clock.after(tickMs, () => this.#tick());
  }

  #find(job: string): JobState | undefined {
    return this.#open.get(job) ?? this.#options.store.load(job);
  }

  /** One step: its effects in their order, up to the first that fails. */
  #dispatch(job: string, event: JobEvent, by?: Speaker): void {
    if (this.#stopped) return;
    try {
      const { effects } = this.#options.step(this.#find(job), event, by?.epoch);
      const isRefused = effects.some(({ effect }) => effect === 'refuse');
      if (by?.epoch !== undefined && !isRefused) this.#ledBy(job, by.to);
      for (const effect of effects) this.#perform(effect, by === undefined ? this.#outletsOf(job) : [by.to]);
    } catch (error) {
      this.#broken(job, event, error);
    }
    // What has ended is spoken of to whoever asks.
    if (!this.#open.has(job)) this.#speakers.delete(job);
  }

  /** The relay is where the parties of an attempt are: with the coordinator that leads the job. */
  #ledBy(job: string, outlet: Outlet): void {
    this.#speakers.set(job, outlet);
    this.#streams.carryBy(job, outlet);
  }

  /** Who is told of a job: the coordinator that leads it, and as long as that is not known, all. */
  #outletsOf(job: string): readonly Outlet[] {
    const speaker = this.#speakers.get(job);
    return speaker === undefined ? [...this.#links] : [speaker];
  }

  /** The store holds the state before, and nothing of what was to follow has happened. */
  #broken(job: string, event: JobEvent, error: unknown): void {
    const { log, config } = this.#options;
    const { report, own, detail } = failureOf(error, config.party);
    // What the ledger refuses at the acceptance is a denial like any other.
    if (event.event === 'allowed' && error instanceof PolicyError) {
      this.#dispatch(job, { event: 'denied', report, detail });
      return;
    }
    const known = this.#open.get(job);
    const attempt = known?.attempt ?? ('attempt' in event ? event.attempt : 1);
    const what = { event: 'job-failed', job, attempt, state: known?.status ?? 'RECEIVED', ...inWords(own) };
    log.error({ ...what, message: detail }, 'a step of the job failed');
    // Once this party has committed another one may have opened: it is not over because a disk is full.
    const mayBeOpened = own.code === 'STATE_FAILED' && (known?.status === 'COMMITTED' || known?.status === 'HALTED');
    if (!mayBeOpened && event.event !== 'failed' && this.#open.has(job)) {
      this.#dispatch(job, { event: 'failed', attempt, report, detail });
      return;
    }
    // Not even that can be written down: the job stays as it is in the store, and is taken up again from there.
    this.#stopComputation(job);
    this.#open.delete(job);
    this.#unwritten.add(job);
    if (mayBeOpened) return;
    for (const outlet of this.#outletsOf(job)) outlet.send({ type: 'failed', job, attempt, report });
  }

  /** A job as the store holds it, where it can go on. One that cannot be read stays aside, and fails for whoever asks. */
  #takeUp(job: string): JobState | undefined {
    const { store, log, config } = this.#options;
    try {
      const state = store.load(job);
      if (state === undefined || isTerminal(state.status)) return undefined;
      this.#open.set(job, state);
      return state;
    } catch (error) {
      const what = { event: 'job-unreadable', job, attempt: 0, state: 'UNKNOWN' };
      log.error({ ...what, ...inWords(failureOf(error, config.party).own) }, 'a job cannot be read from the store');
      return undefined;
    }
  }

  /** What could not be written down goes on as after a restart: there may be room by now. */
  #takeUpUnwritten(): void {
    for (const job of [...this.#unwritten]) {
      this.#unwritten.delete(job);
      const state = this.#takeUp(job);
      if (state === undefined) continue;
      this.#dispatch(job, { event: 'restarted', report: this.#interrupted('the state could not be written') });
      if (this.#open.get(job) === state) this.#dispatch(job, { event: 'linked' });
    }
  }

  #interrupted(detail: string): ErrorReport {
    return reportOf(new StateError('INTERRUPTED', { party: this.#options.config.party, detail }));
  }

  #perform(effect: Effect, outlets: readonly Outlet[]): void {
    switch (effect.effect) {
      case 'save':
        this.#save(effect.state, effect.detail);
        break;
      case 'judge':
        this.#judge(effect.job, this.#find(effect.job)!.signed);
        break;
      case 'compute':
        this.#compute(effect.job, effect.attempt, effect.acceptances);
        break;
      case 'commit':
        this.#computations.get(effect.job)?.computation.commit();
        break;
      case 'stop':
        this.#stopComputation(effect.job);
        break;
      case 'tell':
        this.#say(outlets, [this.#withHead(effect.message)]);
        break;
      case 'renounce':
        this.#renounce(effect, outlets);
        break;
      case 'open':
        for (const outlet of outlets) this.#sendOpening(effect, outlet);
        break;
      case 'reopen':
        this.#reopen(effect.job, outlets);
        break;
      case 'raise':
        this.#raise(effect.state);
        break;
      case 'refuse':
        this.#refuse(effect, outlets);
        break;
    }
  }

  #say(outlets: readonly Outlet[], messages: readonly NodeMessage[] = []): void {
    for (const outlet of outlets) for (const message of messages) outlet.send(message);
  }

  /** With an acceptance goes the head of the audit log. */
  #withHead(message: NodeMessage): NodeMessage {
    const { audit } = this.#options;
    if (message.type !== 'accepted' || audit === undefined) return message;
    return { ...message, head: audit.offer(this.#find(message.job)!.signed) };
  }

  #save(state: JobState, detail: string | undefined): void {
    const { store, log, config, metrics, clock, audit } = this.#options;
    if (state.status === 'OPENING') audit?.checkWhole(state.signed);
    store.save(state, detail);
    metrics?.moved(state, clock.now());
    const { job, status, attempt } = state;
    this.#unwritten.delete(job);
    if (isTerminal(status)) this.#open.delete(job);
    else this.#open.set(job, state);
    const helps = state.signed.envelope.job.join_helper === config.party;
    log.info({ event: 'job-moved', job, attempt, state: status, ...(helps ? { helps } : {}) }, 'job moved');
    // Why a job failed here stands in full in this party's own log; why it failed elsewhere is for that party's.
    if ('report' in state && detail !== undefined) {
      const what = { event: 'job-failed', job, attempt, state: status, ...inWords(state.report), message: detail };
      log.warn(what, 'job failed here');
    }
  }

  #raise(state: JobState): void {
    const { job, epoch = 0 } = state;
    this.#options.store.raiseEpoch(job, epoch);
    if (this.#open.has(job)) this.#open.set(job, state);
  }

  /** A coordinator that was thought lost, and has not noticed. */
  #refuse({ job, epoch }: Extract<Effect, { effect: 'refuse' }>, outlets: readonly Outlet[]): void {
    const { attempt, status } = this.#find(job) ?? {};
    const { code, message } = new StateError('STALE_COORDINATOR');
    this.#options.audit?.refused({ kind: 'coordinator-refused', job, epoch });
    const what = { event: 'coordinator-refused', job, attempt, state: status, epoch, code };
    this.#options.log.warn({ ...what, message }, 'a coordinator does not lead the job any more');
    for (const outlet of outlets) outlet.send({ type: 'stale', job, epoch });
  }

  /** What is signed here is durable, and the same whenever it is signed again. */
  #renounce(
    { job, attempt, report, detail }: Extract<Effect, { effect: 'renounce' }>,
    outlets: readonly Outlet[],
  ): void {
    const { config, membership, sign, log, metrics, clock, audit } = this.#options;
    const { party } = config;
    audit?.checkWhole(this.#find(job)!.signed);
    metrics?.attemptEnded(job, report?.code ?? 'RENOUNCED', clock.now());
    if (report !== undefined) {
      const why = { ...inWords(report), ...(detail === undefined ? {} : { message: detail }) };
      const what = { event: 'attempt-ended', job, attempt, state: 'ACCEPTED', ...why };
      log.warn(what, 'the attempt ended, and another one may follow');
    }
    const renunciation = signRenunciation({ job, party, charter: membership.charterHash, attempt }, sign);
    const reason = report === undefined ? {} : { report };
    for (const outlet of outlets) outlet.send({ type: 'renounced', job, attempt, renunciation, ...reason });
  }

  #judge(job: string, signed: SignedJob): void {
    if (this.#judging.has(job)) return;
    this.#judging.add(job);
    const { config, membership, build, sign, clock, records, store, periods, audit } = this.#options;
    const afford: Judge['afford'] = (claim) => store.ledger.afford(claim);
    const by: Judge = { config, membership, build, sign, nowMs: clock.now(), periods, ...records, afford };
    // A state that is an older copy of itself has forgotten what was charged: it judges nothing.
    const whole = async () => audit?.checkWhole(signed);
    whole()
      .then(() => decide(signed, by))
      .then((decision) => this.#judged(job, () => this.#weighed(job, decision)))
      .catch((error: unknown) => {
        const { report, detail } = failureOf(error, config.party);
        this.#judged(job, () => ({ event: 'denied', report, detail }));
      });
  }

  /** Of a node that has stopped the store is closed. */
  #judged(job: string, verdict: () => JobEvent): void {
    this.#judging.delete(job);
    if (!this.#stopped) this.#dispatch(job, verdict());
  }

  #weighed(job: string, decision: Decision): JobEvent {
    const { config, membership, store } = this.#options;
    if (decision.approvers === undefined) return { event: 'allowed', ...decision };
    return weigh(decision, onJob(job, store), { config, charter: membership.charter });
  }

  #compute(job: string, attempt: number, acceptances: readonly SignedAcceptance[]): void {
    const { config, membership, clock, records } = this.#options;
    const { signed } = this.#open.get(job)!;
    const checked = checkJob(signed.envelope.job, membership.charter);
    const task = { job, attempt, signed, checked, acceptances, nowMs: clock.now() };
    const stream = this.#streams.open(
      { job, attempt, roster: rosterOf(checked) },
      {
        deliver: (frame) => computation.deliver(frame),
        onFailed: (error) => {
          const { report, detail } = failureOf(error, config.party);
          this.#dispatch(job, { event: 'failed', attempt, report: { party: config.party, ...report }, detail });
        },
      },
      this.#speakers.get(job),
    );
    let computation: ComputationUnderWay;
    try {
      computation = records.compute(task, {
        send: (frame) => stream.send(frame),
        onEvent: (event) => this.#dispatch(job, event),
        onJoin: (word) => this.#keepJoin({ job, attempt, join: checked.join }, word),
        onEnd: () => {
          stream.finish();
          if (this.#computations.get(job)?.computation === computation) this.#computations.delete(job);
        },
      });
    } catch (error) {
      // No thread could be had: there may be one for the next attempt.
      stream.close();
      const { detail } = failureOf(error, config.party);
      const report = reportOf(new StateError('CRASHED', { party: config.party }));
      this.#dispatch(job, { event: 'failed', attempt, report, detail });
      return;
    }
    this.#computations.set(job, { computation, stream });
  }

  /** What cannot be kept for the owner is not computed with either. */
  #keepJoin({ job, attempt, join }: { job: string; attempt: number; join: CheckedJoin | null }, word: JoinWord): void {
    const { config, store } = this.#options;
    try {
      assert(join !== null, 'a computation speaks of a join in a join only');
      keepJoin(config, store, { job, attempt, join }, word);
    } catch (error) {
      const { report, detail } = failureOf(error, config.party);
      this.#dispatch(job, { event: 'failed', attempt, report, detail });
    }
  }

  #stopComputation(job: string): void {
    const underWay = this.#computations.get(job);
    if (underWay === undefined) return;
    this.#computations.delete(job);
    underWay.stream.close();
    const ended = underWay.computation.stop().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }

  /** What was delivered is not held in memory. */
  #reopen(job: string, outlets: readonly Outlet[]): void {
    const { attempt, acceptance, opening } = this.#options.store.delivered(job)!;
    this.#say(outlets, [this.#withHead({ type: 'accepted', job, attempt, acceptance })]);
    for (const outlet of outlets) this.#sendOpening({ effect: 'open', job, attempt, opening }, outlet);
  }

  #sendOpening({ job, attempt, opening }: Extract<Effect, { effect: 'open' }>, outlet: Outlet): void {
    outlet.sendOpening(job, attempt, opening).catch((error: unknown) => {
      const { code } = reportOf(error);
      const what = { event: 'opening-failed', job, attempt, state: 'OPENING', code };
      this.#options.log.error(what, 'an opening could not be sent');
    });
  }
}

/** A report for the log, whose every line names this party; the text names another one where it is at fault. */
function inWords({ code, message, remedy, field }: ErrorReport) {
  return { code, message, remedy, field };
}
