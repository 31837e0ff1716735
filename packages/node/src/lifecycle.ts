/**
 * The life of a job at one party: a pure function (state, event) → (state, effects).
 *
 *   RECEIVED → DENIED | AWAITING_APPROVAL → ACCEPTED → RUNNING(a) → COMMITTED(a) → OPENING → RESULT
 *   and from every state before OPENING: ABORTED(code) | EXPIRED | CANCELLED
 *   (OPENING only becomes EXPIRED, when nobody has asked for its bytes in time; they stay in the store)
 *   RUNNING(a) | ACCEPTED | HALTED(a) → ACCEPTED, for attempt a + 1
 *   COMMITTED(a) → HALTED(a) → OPENING
 *
 * Where a rule asks for people, a job that has been judged waits for them, and is judged again when they have approved:
 * what is accepted is what they approved, or they are asked anew (approval.ts in core). A job of which nobody is asked goes
 * straight on.
 *
 * An attempt that a broken link or a crash has ended is *renounced*, unless it was the last one: ACCEPTED for the next
 * attempt says that this party opened none before, and it has no way back to one. That is durable before the party's
 * signed word of it leaves, and the next attempt begins with such a word of every party (renunciation.ts in core). All
 * other failures are final: what fails for a reason would fail again, or tell something by how often it does.
 *
 * A party that has committed may have signed, and with its signature another one may have opened. So a computation that
 * ends there, for whatever reason, leaves the job HALTED: the party says so, and either gets the commitments and
 * signatures that the other one opened with, and opens the bytes that it stored; or it hears that nobody has opened, and
 * only then renounces, or aborts where the reason was final.
 *
 * Storage, time, chance and network are effects: the caller carries them out one after the other, in the order given,
 * and stops at the first `save` that fails. So what `step` puts before something else is durable before it happens:
 *
 * - the attempt number before the computation starts, so that no attempt is ever run twice with other masks;
 * - that an attempt is renounced, before anyone can take this party's word for it;
 * - the sealed bytes before the commitment to them leaves (`release` of the durable gate), so that there is one
 *   sealing of an attempt and no other; and before it, on the same link, the word that this party opens, by which the
 *   coordinator knows when the first can have signed;
 * - the opening, byte for byte, before its first byte leaves. From then on nothing is cancelled, and what is sent
 *   again after a broken link is what was stored;
 * - with these same saves what a protected job costs: held back at ACCEPTED, for certain at RUNNING, spent at OPENING,
 *   given back at any other end (store.ts). A save that the ledger refuses is one that fails.
 *
 * The coordinator only hints: what it says can delay or end a job, and cannot make it skip a step. Where several share the
 * work each says with which epoch it leads a job; a node remembers the highest, durably, before it acts on it.
 * @module
 */

import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { type ApprovalTerms, changeOf } from '@folkmoot/core/approval.js';
import { clockSkewMs, type SignedJob } from '@folkmoot/core/envelope.js';
import { type ErrorReport, PolicyError, ProtocolError, reportOf, StateError } from '@folkmoot/core/errors.js';
import { attemptsMax, passingCodes } from '@folkmoot/core/renunciation.js';
import type { Claim } from './ledger.ts';

/** What the last part of a run is called, from its commitment on (see runJob). */
const openingPhase = 'open';

/** What one node holds about one job. The signed job and the acceptances are only kept here, never read. */
interface Common {
  /** Hex SHA-256 of the signed job's envelope. */
  readonly job: string;
  readonly signed: SignedJob;
  /** Milliseconds since 1970, from the job's envelope. */
  readonly expiresMs: number;
  /** The attempt that is invited, under way, or was last. From 1 to `attemptsMax`; those before it are renounced. */
  readonly attempt: number;
  /** The highest epoch that a coordinator has spoken of it with; none before any has. */
  readonly epoch?: number;
  /** What a protected job asks of the ledger, once this party has accepted it. */
  readonly claim?: Claim;
}

/** All parties' commitments and signatures, in hexadecimal digits. */
interface Signed {
  readonly commitments: Readonly<Record<string, string>>;
  readonly signatures: Readonly<Record<string, string>>;
}

/** What a job waits for: so many people's approval of just this. */
export interface Hold {
  readonly terms: ApprovalTerms;
  /** The rule that asks for them, and how many it asks for. */
  readonly rule: string;
  readonly approvers: number;
  /** Why approvals given before do not count. */
  readonly change?: string;
}

/** All that leaves for the analyst. */
export interface OpeningBytes extends Signed {
  readonly sealed: Uint8Array;
}

export type JobState = Common &
  (
    | { readonly status: 'RECEIVED' }
    | { readonly status: 'DENIED'; readonly report: ErrorReport }
    | { readonly status: 'AWAITING_APPROVAL'; readonly hold: Hold }
    | { readonly status: 'ACCEPTED'; readonly acceptance: SignedAcceptance }
    | {
        readonly status: 'RUNNING';
        readonly acceptance: SignedAcceptance;
        readonly acceptances: readonly SignedAcceptance[];
      }
    | {
        /** HALTED: its computation has ended, and whether another party has opened is not known here. */
        readonly status: 'COMMITTED' | 'HALTED';
        readonly acceptance: SignedAcceptance;
        /** Of all parties: what the signatures of an opening are over, besides the commitments. */
        readonly acceptances: readonly SignedAcceptance[];
        readonly sealed: Uint8Array;
        /** Of one that has halted: why no other attempt may follow, where that is so. */
        readonly report?: ErrorReport;
      }
    | { readonly status: 'OPENING'; readonly acceptance: SignedAcceptance; readonly opening: OpeningBytes }
    | { readonly status: 'RESULT' }
    | { readonly status: 'ABORTED'; readonly report: ErrorReport }
    | { readonly status: 'EXPIRED' }
    | { readonly status: 'CANCELLED' }
  );

export type Status = JobState['status'];
type Running = Extract<JobState, { readonly status: 'RUNNING' }>;
/** Its sealed bytes are durable, and its commitment may have left. */
type Committed = Extract<JobState, { readonly status: 'COMMITTED' | 'HALTED' }>;
/** Agreed to, and not opened. */
type Renounceable = Running | Committed | Extract<JobState, { readonly status: 'ACCEPTED' }>;

export type JobEvent =
  /** The coordinator invites to a job whose envelope hashes to `job`. */
  | {
      readonly event: 'invited';
      readonly job: string;
      readonly signed: SignedJob;
      readonly expiresMs: number;
      readonly attempt: number;
    }
  /** The node's own judgement, which `judge` asked for. */
  | { readonly event: 'allowed'; readonly acceptance: SignedAcceptance; readonly claim?: Claim }
  /** The judgement allows it, and people have yet to approve. */
  | { readonly event: 'held'; readonly hold: Hold }
  | { readonly event: 'denied'; readonly report: ErrorReport; readonly detail?: string }
  /**
   * As many people as the rule asks for have approved; one of them has taken it back, or this state was set back, and what it
   * has forgotten may be an opening.
   */
  | { readonly event: 'approved' }
  | { readonly event: 'revoked'; readonly report: ErrorReport; readonly detail?: string }
  /** The coordinator brings all acceptances. `fault` is what the check of their signatures and contents found. */
  | {
      readonly event: 'started';
      readonly job: string;
      readonly attempt: number;
      readonly acceptances: readonly SignedAcceptance[];
      /** The claim with all periods known. */
      readonly claim?: Claim;
      readonly fault?: ErrorReport;
    }
  /**
   * From the computation: it works on something new; it has sealed its shares; it holds all N signatures. The last may
   * also come from a party that opened, by way of the coordinator; then they have been verified.
   */
  | { readonly event: 'progressed'; readonly attempt: number; readonly phase: string; readonly done?: number }
  | { readonly event: 'sealed'; readonly attempt: number; readonly sealed: Uint8Array }
  | ({ readonly event: 'opened'; readonly attempt: number } & Signed)
  /** The computation, or the node around it, cannot go on. */
  | {
      readonly event: 'failed';
      readonly attempt: number;
      readonly report: ErrorReport;
      /** For the node's own log and state only. */
      readonly detail?: string;
    }
  /** From the coordinator: the attempt has failed, and is to be renounced; by who has committed only if none has opened. */
  | {
      readonly event: 'again';
      readonly job: string;
      readonly attempt: number;
      readonly report: ErrorReport;
      readonly noneOpened?: true;
    }
  /** From the coordinator: the opening is durable there; another party gave up; the analyst changed their mind. */
  | { readonly event: 'stored'; readonly attempt: number }
  | { readonly event: 'aborted'; readonly attempt: number; readonly report: ErrorReport }
  | { readonly event: 'cancelled' }
  /** The link is up again and logged in; the process has just begun; time has passed. */
  | { readonly event: 'linked' }
  | { readonly event: 'restarted'; readonly report: ErrorReport }
  | { readonly event: 'ticked'; readonly nowMs: number };

type Message =
  | { readonly type: 'accepted'; readonly job: string; readonly attempt: number; readonly acceptance: SignedAcceptance }
  | { readonly type: 'awaiting'; readonly job: string; readonly attempt: number }
  | { readonly type: 'denied'; readonly job: string; readonly attempt: number; readonly report: ErrorReport }
  | { readonly type: 'failed'; readonly job: string; readonly attempt: number; readonly report: ErrorReport }
  /** The attempt is over here, after the commitment and without an opening; with the reason where it lies here. */
  | { readonly type: 'halted'; readonly job: string; readonly attempt: number; readonly report?: ErrorReport }
  | {
      readonly type: 'phase';
      readonly job: string;
      readonly attempt: number;
      readonly phase: string;
      readonly done?: number;
    };

export type Effect =
  /** Make this state durable, with everything it holds, in one transaction. */
  | { readonly effect: 'save'; readonly state: JobState; readonly detail?: string }
  /** Make durable that a coordinator has spoken of the job with a higher epoch than before. */
  | { readonly effect: 'raise'; readonly state: JobState }
  /** Tell the coordinator who spoke that another one has done so with this epoch. */
  | { readonly effect: 'refuse'; readonly job: string; readonly epoch: number }
  /** Check signature, charter and policy, fingerprint the data and sign: answered by `allowed`, `held` or `denied`. */
  | { readonly effect: 'judge'; readonly job: string }
  | {
      readonly effect: 'compute';
      readonly job: string;
      readonly attempt: number;
      readonly acceptances: readonly SignedAcceptance[];
    }
  /** Let the computation go on to its commitment. */
  | { readonly effect: 'commit'; readonly job: string; readonly attempt: number }
  /** End the computation at once. */
  | { readonly effect: 'stop'; readonly job: string; readonly attempt: number }
  | { readonly effect: 'tell'; readonly message: Message }
  /** Sign that this attempt and those before it were not opened here and never will be, and tell the coordinator. */
  | {
      readonly effect: 'renounce';
      readonly job: string;
      readonly attempt: number;
      /** Why, where the failure lies here. */
      readonly report?: ErrorReport;
      /** For the node's own log only. */
      readonly detail?: string;
    }
  /** Accept and open again what was delivered long ago, from the store: the coordinator has lost it. */
  | { readonly effect: 'reopen'; readonly job: string }
  /** Send the opening to the coordinator, again if it was sent before. */
  | { readonly effect: 'open'; readonly job: string; readonly attempt: number; readonly opening: OpeningBytes };

export interface Step {
  /** Undefined only where the event was about a job that is not known. */
  readonly state: JobState | undefined;
  readonly effects: readonly Effect[];
}

const terminal: readonly Status[] = ['DENIED', 'RESULT', 'ABORTED', 'EXPIRED', 'CANCELLED'];

/** Whether nothing can change this job any more. */
export const isTerminal = (status: Status): boolean => terminal.includes(status);

const isPastStart = (status: Status): boolean =>
  !['RECEIVED', 'AWAITING_APPROVAL', 'ACCEPTED', 'RUNNING'].includes(status);

/**
 * The next state and what must happen, in this order. `epoch` comes with what a coordinator says. One that speaks with a
 * lower epoch than was heard before has lost the job to another one, whether it knows or not: its word counts no more.
 */
export function step(state: JobState | undefined, event: JobEvent, epoch?: number): Step {
  const highest = state?.epoch ?? 0;
  if (state === undefined || epoch === undefined || epoch === highest) return advance(state, event, epoch);
  const { job } = state;
  if (epoch < highest) return { state, effects: [{ effect: 'refuse', job, epoch: highest }] };
  const raised: JobState = { ...state, epoch };
  const next = advance(raised, event, epoch);
  return { ...next, effects: [{ effect: 'raise', state: raised }, ...next.effects] };
}

function advance(state: JobState | undefined, event: JobEvent, epoch: number | undefined): Step {
  if (state === undefined) {
    // Who does not know the job cannot compute it, and cannot say that it opened nothing of it.
    if (event.event === 'again' || event.event === 'started') {
      return { state, effects: [unknown(event.job, event.attempt)] };
    }
    // Only an invitation to the first attempt makes a job known.
    if (event.event !== 'invited') return { state, effects: [] };
    if (event.attempt !== 1) return { state, effects: [unknown(event.job, event.attempt)] };
    const { job, signed, expiresMs, attempt } = event;
    const received: JobState = {
      ...{ status: 'RECEIVED', job, signed, expiresMs, attempt },
      ...(epoch === undefined ? {} : { epoch }),
    };
    return {
      state: received,
      effects: [
        { effect: 'save', state: received },
        { effect: 'judge', job },
      ],
    };
  }
  const stay: Step = { state, effects: [] };
  // Of what was delivered a new link is no reason to speak.
  if (event.event === 'linked') return { state, effects: state.status === 'RESULT' ? [] : reminder(state) };
  if (event.event === 'invited') return { state, effects: event.job === state.job ? answer(state) : [] };
  if (event.event === 'again') return again(state, event);
  // It comes again where this party was away: what became of the job since then may not have been heard.
  if (event.event === 'started' && isPastStart(state.status)) return { state, effects: reminder(state) };
  if (isTerminal(state.status)) return stay;

  switch (event.event) {
    case 'allowed': {
      if (!isUndecided(state)) return stay;
      const next: JobState = { ...claiming(state, event.claim), status: 'ACCEPTED', acceptance: event.acceptance };
      return { state: next, effects: [{ effect: 'save', state: next }, ...reminder(next)] };
    }
    case 'held': {
      if (!isUndecided(state)) return stay;
      const { hold } = event;
      if (state.status === 'AWAITING_APPROVAL' && isSameHold(state.hold, hold)) return stay;
      const next: JobState = { ...common(state), status: 'AWAITING_APPROVAL', hold };
      return { state: next, effects: [save(next), ...reminder(next)] };
    }
    case 'approved':
      // Days may lie between: what was approved counts only if it is what would be accepted now.
      if (state.status !== 'AWAITING_APPROVAL') return stay;
      return { state, effects: [{ effect: 'judge', job: state.job }] };
    case 'revoked':
      if (state.status !== 'ACCEPTED' && state.status !== 'RUNNING' && !hasCommitted(state)) return stay;
      return abort(state, event.report, { tell: true, detail: event.detail });
    case 'denied': {
      if (!isUndecided(state)) return stay;
      const next: JobState = { ...common(state), status: 'DENIED', report: event.report };
      return { state: next, effects: [save(next, event.detail), ...reminder(next)] };
    }
    case 'started': {
      if (state.status !== 'ACCEPTED' || event.attempt !== state.attempt) return stay;
      if (event.fault !== undefined) return refuseStart(state, event.fault);
      const { acceptance } = state;
      const next: JobState = {
        ...claiming(state, event.claim),
        status: 'RUNNING',
        acceptance,
        acceptances: event.acceptances,
      };
      const { job, attempt } = next;
      return {
        state: next,
        effects: [save(next), { effect: 'compute', job, attempt, acceptances: event.acceptances }],
      };
    }
    case 'progressed': {
      // That it opens was said when it was let.
      if (!isComputing(state) || event.attempt !== state.attempt || event.phase === openingPhase) return stay;
      const { job, attempt } = state;
      const { phase, done } = event;
      const message = { type: 'phase', job, attempt, phase, ...(done === undefined ? {} : { done }) } as const;
      return { state, effects: [{ effect: 'tell', message }] };
    }
    case 'sealed': {
      // Only the first sealing of an attempt counts: a second one is not committed to.
      if (state.status !== 'RUNNING' || event.attempt !== state.attempt) return stay;
      const { acceptance, acceptances } = state;
      const next: JobState = { ...common(state), status: 'COMMITTED', acceptance, acceptances, sealed: event.sealed };
      const { job, attempt } = next;
      const message = { type: 'phase', job, attempt, phase: openingPhase } as const;
      return { state: next, effects: [save(next), { effect: 'tell', message }, { effect: 'commit', job, attempt }] };
    }
    case 'opened': {
      // What is opened are the bytes committed to: the computation is not asked for them again.
      if (!hasCommitted(state) || event.attempt !== state.attempt) return stay;
      const { acceptance, sealed } = state;
      const { commitments, signatures } = event;
      const opening: OpeningBytes = { sealed, commitments, signatures };
      const next: JobState = { ...common(state), status: 'OPENING', acceptance, opening };
      return { state: next, effects: [save(next), ...reminder(next)] };
    }
    case 'stored': {
      if (state.status !== 'OPENING' || event.attempt !== state.attempt) return stay;
      const next: JobState = { ...common(state), status: 'RESULT' };
      return { state: next, effects: [save(next)] };
    }
    case 'failed': {
      // Of a computation that is stopped nothing is heard any more.
      if (state.status === 'OPENING' || state.status === 'HALTED' || event.attempt !== state.attempt) return stay;
      const mayGoOn = state.status === 'COMMITTED' || (state.status === 'RUNNING' && isPassing(event.report));
      return mayGoOn
        ? giveUp(state, event.report, event.detail)
        : abort(state, event.report, { tell: true, detail: event.detail });
    }
    case 'aborted':
      // After the opening there is no way back: its bytes may have been read. Else the job is over, at any attempt.
      return state.status === 'OPENING' ? stay : abort(state, event.report, { tell: false });
    case 'restarted':
      // The masks lived in memory alone, so an attempt that was under way cannot go on.
      if (isUndecided(state)) return { state, effects: [{ effect: 'judge', job: state.job }] };
      return isComputing(state) ? giveUp(state, event.report, event.report.message) : stay;
    case 'cancelled':
      return state.status === 'OPENING' ? stay : end(state, { ...common(state), status: 'CANCELLED' });
    case 'ticked':
      return event.nowMs < state.expiresMs + clockSkewMs ? stay : end(state, { ...common(state), status: 'EXPIRED' });
  }
}

/** A coordinator that invites to what is opened here was set back to an older copy: it needs the acceptances as well. */
function answer(state: JobState): Effect[] {
  if (state.status !== 'OPENING') return reminder(state);
  const { job, attempt, acceptance } = state;
  return [{ effect: 'tell', message: { type: 'accepted', job, attempt, acceptance } }, ...reminder(state)];
}

/** What the coordinator is told, and told again when a link is new or it asks: it may have missed or forgotten it. */
function reminder(state: JobState): Effect[] {
  const { job, attempt } = state;
  switch (state.status) {
    case 'DENIED':
      return [{ effect: 'tell', message: { type: 'denied', job, attempt, report: state.report } }];
    case 'AWAITING_APPROVAL':
      return [{ effect: 'tell', message: { type: 'awaiting', job, attempt } }];
    case 'ACCEPTED':
      return attempt > 1
        ? [{ effect: 'renounce', job, attempt: attempt - 1 }]
        : [{ effect: 'tell', message: { type: 'accepted', job, attempt, acceptance: state.acceptance } }];
    case 'COMMITTED':
      return [{ effect: 'tell', message: { type: 'phase', job, attempt, phase: openingPhase } }];
    case 'HALTED':
      return [{ effect: 'tell', message: { type: 'halted', job, attempt, ...reason(state.report) } }];
    case 'OPENING':
      return [{ effect: 'open', job, attempt, opening: state.opening }];
    case 'RESULT':
      return [{ effect: 'reopen', job }];
    case 'ABORTED':
      return [{ effect: 'tell', message: { type: 'failed', job, attempt, report: state.report } }];
    case 'EXPIRED':
      return [
        { effect: 'tell', message: { type: 'failed', job, attempt, report: reportOf(new PolicyError('JOB_EXPIRED')) } },
      ];
    case 'CANCELLED':
      return [
        { effect: 'tell', message: { type: 'failed', job, attempt, report: reportOf(new ProtocolError('CANCELLED')) } },
      ];
    default:
      return [];
  }
}

/** The coordinator asks for another attempt: what was opened is sent again, what ended stays so, all else is renounced. */
function again(state: JobState, { attempt, report, noneOpened }: Extract<JobEvent, { event: 'again' }>): Step {
  const { status } = state;
  if (attempt === state.attempt) {
    // Of ACCEPTED: it was never started here.
    if (status === 'ACCEPTED' || status === 'RUNNING') return renounce(state, report);
    if (hasCommitted(state) && noneOpened === true) {
      return state.report === undefined ? renounce(state, report) : abort(state, state.report, { tell: true });
    }
    if (status === 'COMMITTED') return halt(state);
  }
  const isDue = status === 'OPENING' || status === 'HALTED' || isTerminal(status);
  const wasAsked = status === 'ACCEPTED' && attempt === state.attempt - 1;
  return { state, effects: isDue || wasAsked ? reminder(state) : [] };
}

/** Not begun: what may pass does not end a job that people may have approved. */
function refuseStart(state: Renounceable, fault: ErrorReport): Step {
  const detail = fault.message;
  return isPassing(fault) ? renounce(state, fault, { detail }) : abort(state, fault, { tell: true, detail });
}

/** The attempt has ended here, for what may not happen again, or where another party may have opened it. */
function giveUp(state: Running | Committed, report: ErrorReport, detail: string | undefined): Step {
  return state.status === 'RUNNING' ? renounce(state, report, { detail }) : halt(state, report, detail);
}

/** `report` where the failure lies here. */
function halt(state: Committed, report?: ErrorReport, detail?: string): Step {
  const { job, attempt } = state;
  const isFinal = report !== undefined && !isPassing(report);
  const next: JobState = { ...state, status: 'HALTED', ...(isFinal ? { report } : {}) };
  const message = { type: 'halted', job, attempt, ...reason(report) } as const;
  return {
    state: next,
    effects: [{ effect: 'stop', job, attempt }, save(next, detail), { effect: 'tell', message }],
  };
}

/** `own` where the failure lies here. */
function renounce(state: Renounceable, report: ErrorReport, own?: { readonly detail: string | undefined }): Step {
  const { job, attempt, acceptance } = state;
  if (attempt >= attemptsMax) return abort(state, report, { tell: true, detail: own?.detail });
  const next: JobState = { ...common(state), attempt: attempt + 1, status: 'ACCEPTED', acceptance };
  const stop: Effect[] = isComputing(state) ? [{ effect: 'stop', job, attempt }] : [];
  const why = own && { report, ...(own.detail === undefined ? {} : { detail: own.detail }) };
  return { state: next, effects: [...stop, save(next), { effect: 'renounce', job, attempt, ...why }] };
}

function unknown(job: string, attempt: number): Effect {
  const report = reportOf(new StateError('UNKNOWN_JOB', { detail: 'an earlier attempt would be known here' }));
  return { effect: 'tell', message: { type: 'failed', job, attempt, report } };
}

function abort(state: JobState, report: ErrorReport, how: { tell: boolean; detail?: string | undefined }): Step {
  const next: JobState = { ...common(state), status: 'ABORTED', report };
  const { state: ended, effects } = end(state, next, how.detail);
  return { state: ended, effects: how.tell ? [...effects, ...reminder(next)] : effects };
}

function end(state: JobState, next: JobState, detail?: string): Step {
  const { job, attempt } = state;
  // The computation is ended first: whatever the disk does, no further share leaves for a job that has ended.
  const stop: Effect[] = isComputing(state) ? [{ effect: 'stop', job, attempt }] : [];
  return { state: next, effects: [...stop, save(next, detail)] };
}

/** Not accepted yet, and not ended. */
const isUndecided = ({ status }: JobState): boolean => status === 'RECEIVED' || status === 'AWAITING_APPROVAL';

function isSameHold(a: Hold, b: Hold): boolean {
  return changeOf(a.terms, b.terms) === undefined && a.rule === b.rule && a.approvers === b.approvers;
}

const isComputing = (state: JobState): state is Running | Committed =>
  state.status === 'RUNNING' || state.status === 'COMMITTED';

const hasCommitted = (state: JobState): state is Committed => state.status === 'COMMITTED' || state.status === 'HALTED';

const isPassing = ({ code }: ErrorReport): boolean => passingCodes.includes(code);

const reason = (report: ErrorReport | undefined) => (report === undefined ? {} : { report });

function save(state: JobState, detail?: string): Effect {
  return detail === undefined ? { effect: 'save', state } : { effect: 'save', state, detail };
}

function common({ job, signed, expiresMs, attempt, claim, epoch }: JobState): Common {
  const known = { ...(claim === undefined ? {} : { claim }), ...(epoch === undefined ? {} : { epoch }) };
  return { job, signed, expiresMs, attempt, ...known };
}

function claiming(state: JobState, claim: Claim | undefined): Common {
  return claim === undefined ? common(state) : { ...common(state), claim };
}
