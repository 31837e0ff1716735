/**
 * The life of a job at the coordinator, as a pure function (state, event) → (state, effects).
 *
 *   QUEUED → INVITING → READY → RUNNING → DONE
 *               ↑__________|________|      another attempt, up to three
 *        each of the first four may also end as FAILED | CANCELLED | EXPIRED, the last three of them as POISONED
 *
 * A protected job whose question was answered before, over the same readings, goes from READY to DONE by itself: its
 * answer is the earlier one, and the parties are told that nothing is to be done.
 *
 * QUEUED waits until every party is connected and its turn has come. INVITING gathers acceptances; a party that goes
 * away may come back, and one where a person has to approve may take until the job expires: meanwhile the job leaves its
 * place to others. READY has all acceptances and all parties: shares may leave from here on. RUNNING ends when the opening
 * of every party is durable here. An ended job never changes again.
 *
 * A broken link ends no attempt, nor does a restart of this process or another one that takes its place: the parties hold
 * what was on its way, and go on once they are back. A party that comes back is sent its start again, which it answers if it
 * cannot go on. One that is away for `graceMs` ends the attempt: by then its own end has given up as well.
 *
 * An attempt that a broken link or a crash ends leads back to INVITING, where now the word of every party is gathered.
 * One that has not committed renounces at once: it signs that it opened none of the attempts so far. One that has
 * committed may have signed, and with its signature another one may have opened: it only says that it has halted. When all
 * have spoken and none has opened, those that halted are told so and renounce too; the acceptances stand, and the next
 * attempt begins. Where one turns out to have opened, the attempt is taken up again, and those that halted are handed the
 * commitments and signatures that it opened with: they open what they had stored. A party that is away has `returnMs` to
 * come back. What a party says to be final ends the job as FAILED; a third attempt that is broken is recalled like any
 * other, and if none has opened it, it ends the job as POISONED, with the reason of each of the three.
 *
 * Each party says that it opens just before its commitment leaves, and none signs before it has those of all. So once all
 * have said it, any of them may have signed, charged its budget and stored what it sends: that cannot be taken back, and
 * is sent again over the next link. From there on (`isReleasing`) neither a broken link nor a restart nor the analyst
 * ends the job: it waits, until its expiry, for the openings that are missing. A party that comes back without having
 * sent one is invited again, to which it answers with its opening, that it has halted, or with why it gave up. Where one
 * party has opened and another one has renounced all the same there can be no answer: the job is HALF_OPENED.
 *
 * A helper is one of the roster like any other: it is waited for, invited, accepts, and opens a message without a share.
 *
 * The nodes are authoritative: everything here is a hint to them, and nothing here decides what they release. The
 * caller makes what a step returns durable (state, acceptance, opening, entries: one transaction) before it carries out
 * the effects, in their order.
 * @module
 */
import type { PartyId } from '@folkmoot/core/channel.js';
import { clockSkewMs } from '@folkmoot/core/envelope.js';
import {
  concerning,
  type ErrorReport,
  type FolkmootError,
  PolicyError,
  reportOf,
  StateError,
  TransportError,
} from '@folkmoot/core/errors.js';
import { attemptsMax, passingCodes, type SignedRenunciation } from '@folkmoot/core/renunciation.js';
import { absenceMsMax } from '@folkmoot/transport/resumable-stream.js';

const endings = ['DONE', 'FAILED', 'CANCELLED', 'EXPIRED', 'POISONED'] as const;
export const phases = ['QUEUED', 'INVITING', 'READY', 'RUNNING', ...endings] as const;
export type Phase = (typeof phases)[number];

/** How long a party that failed has to say why before its peers' word for it counts. */
export const reasonMs = 2_000;

/** How long an attempt waits for a party that went away, as long as the party itself waits for its link. */
export const graceMs = absenceMsMax;

/** Signatures and openings follow each other by a round trip; what takes longer is handed over, and again as often. */
export const lateMs = 10_000;

/** How long a new attempt waits for a party that went away: a node is started again, and dials every 30 s at least. */
export const returnMs = 120_000;
/** Of the reason why an earlier attempt failed, in the report of the last: all three fit into one message of control. */
const reasonLengthMax = 500;

/** `A` is a signed acceptance: this machine only carries it. */
export interface JobState<A = unknown> {
  readonly phase: Phase;
  /** The attempt that is under way, or was last; 0 while none has been. */
  readonly attempt: number;
  /** All that are invited, and open: the parties of the job, and its helper. */
  readonly roster: readonly PartyId[];
  /** The one of the roster that brings no records and deals the correlated randomness, where the job names one. */
  readonly helper?: PartyId;
  readonly expiresMs: number;
  /** Parties of the roster that are connected now. Not durable: after a restart nobody is. */
  readonly present: readonly PartyId[];
  readonly acceptances: Readonly<Record<PartyId, A>>;
  /** What each party showed of its audit log with its acceptance. Only carried, like these. */
  readonly heads?: Readonly<Record<PartyId, object>>;
  /** Parties where a person has yet to approve. Not durable: they say it again. */
  readonly awaiting?: readonly PartyId[];
  /** Of the attempt before this one, for which they are gathered or were. */
  readonly renounced: Readonly<Record<PartyId, SignedRenunciation>>;
  /** Why each of the attempts before this one failed; and this one, if it was the last and is being recalled. */
  readonly setbacks: readonly ErrorReport[];
  /** Parties that have committed to the attempt that is recalled, and have not opened. Not durable: they say it again. */
  readonly halted?: readonly PartyId[];
  /** Since when parties are waited for that are to renounce. Not durable. */
  readonly askingSinceMs?: number;
  /** Since when parties of the attempt that is under way are away. Not durable. */
  readonly awaySinceMs?: Readonly<Record<PartyId, number>>;
  /** Parties whose opening is durable here. */
  readonly opened: readonly PartyId[];
  /** Since when others have not opened, or were handed what is signed. Not durable. */
  readonly lateSinceMs?: number;
  /** Parties that have said that they open. Not durable: while some have not, the attempt goes with the links. */
  readonly opening?: readonly PartyId[];
  /** All parties have said so. */
  readonly releasing?: true;
  readonly error?: ErrorReport;
  /** The earlier job that put the same question, whose answer is this one's too. */
  readonly sameAs?: string;
  /** A party has said that another one failed; that other one may still say why. Not durable: both say it again. */
  readonly failing?: { readonly report: ErrorReport; readonly sinceMs?: number };
}

export type Event<A = unknown> =
  | { readonly type: 'attached'; readonly party: PartyId }
  | { readonly type: 'detached'; readonly party: PartyId }
  /** The scheduler grants the job one of its places. */
  | { readonly type: 'turn' }
  | {
      readonly type: 'accepted';
      readonly party: PartyId;
      readonly attempt: number;
      readonly acceptance: A;
      readonly head?: object;
    }
  /** The party has judged the job, and waits for a person. */
  | { readonly type: 'awaiting'; readonly party: PartyId; readonly attempt: number }
  | { readonly type: 'denied'; readonly party: PartyId; readonly attempt: number; readonly report: ErrorReport }
  /** An earlier job of the same analyst put the same question, over the same readings, and is DONE. */
  | { readonly type: 'answered'; readonly by: string }
  /** All start messages have left. */
  | { readonly type: 'started' }
  /** A party has begun something new. */
  | { readonly type: 'phase'; readonly party: PartyId; readonly attempt: number; readonly phase: string }
  /** The whole opening of a party has come in. */
  | { readonly type: 'opened'; readonly party: PartyId; readonly attempt: number }
  | { readonly type: 'failed'; readonly party: PartyId; readonly attempt: number; readonly report: ErrorReport }
  /** A party has opened nothing up to this attempt and never will; with the reason where the attempt failed there. */
  | {
      readonly type: 'renounced';
      readonly party: PartyId;
      readonly attempt: number;
      readonly renunciation: SignedRenunciation;
      readonly report?: ErrorReport;
    }
  /** The attempt is over at a party that has committed, and has not opened. */
  | { readonly type: 'halted'; readonly party: PartyId; readonly attempt: number; readonly report?: ErrorReport }
  | { readonly type: 'cancel' }
  | { readonly type: 'tick'; readonly nowMs: number }
  /** The coordinator has started again and has read this state from its store. */
  | { readonly type: 'restarted' };

/** A message to one party. */
export type Effect =
  | { readonly send: 'invite' | 'start' | 'cancel' | 'stored'; readonly to: PartyId }
  /** That the attempt has failed; to those that have halted also that no party has opened it. */
  | { readonly send: 'again'; readonly to: PartyId; readonly noneOpened?: true }
  /** What this party has opened with. */
  | { readonly send: 'signed'; readonly to: PartyId; readonly by: PartyId }
  | { readonly send: 'abort'; readonly to: PartyId; readonly report: ErrorReport };

/** What the analyst is shown of a step; numbered and kept by the caller. */
export type Entry =
  | {
      readonly type: 'state';
      readonly state: Phase;
      readonly attempt: number;
      readonly error?: ErrorReport;
      /** Why the attempt before failed. */
      readonly setback?: ErrorReport;
      readonly same_as?: string;
    }
  | (By & {
      readonly type: 'party';
      readonly did: 'awaiting' | 'accepted' | 'denied' | 'failed' | 'opened';
      readonly report?: ErrorReport;
    })
  | (By & { readonly type: 'phase'; readonly phase: string });

/** Who did it, and at which attempt. */
interface By {
  readonly party: PartyId;
  readonly attempt: number;
  /** It is the job's helper. */
  readonly helper?: true;
}

export interface Step<A = unknown> {
  readonly state: JobState<A>;
  readonly effects: readonly Effect[];
  readonly entries: readonly Entry[];
  /** Set when the event cannot be granted; the state is then unchanged. */
  readonly refused?: FolkmootError;
}

export function queued<A>(roster: readonly PartyId[], expiresMs: number, helper: PartyId | null = null): JobState<A> {
  const nothing = { present: [], acceptances: {}, renounced: {}, setbacks: [], opened: [] } as const;
  const empty = { phase: 'QUEUED', attempt: 0, ...nothing } as const;
  return { ...empty, roster, expiresMs, ...(helper === null ? {} : { helper }) };
}

export function hasEnded(state: Pick<JobState, 'phase'>): boolean {
  return (endings as readonly Phase[]).includes(state.phase);
}

/**
 * Whether the job holds a place: it has been invited, and has not ended. One that only waits for a person to approve, for a
 * party that went away before it accepted, or for a lost one to send its opening again, leaves its place to others: nothing
 * is computed for it, and the wait may be long.
 */
export function isActive(state: JobState): boolean {
  const isFirst = state.phase === 'INVITING' && !isRetrying(state);
  if (isFirst && ((state.awaiting ?? []).length > 0 || !allPresent(state))) return false;
  return ['INVITING', 'READY', 'RUNNING'].includes(state.phase) && (!isReleasing(state) || allPresent(state));
}

/** Whether a party may have charged its budget and stored its opening: what it sends from here on is always taken. */
export function isReleasing(state: Pick<JobState, 'releasing' | 'opened'>): boolean {
  return state.releasing === true || state.opened.length > 0;
}

/** What a node calls its work (see runJob) from just before its commitment leaves. */
const releasingPhases: readonly string[] = ['open', 'release'];

function allPresent(state: JobState): boolean {
  return state.roster.every((party) => state.present.includes(party));
}

/** One step. Events that do not fit (another attempt, a stranger, an ended job) change nothing. */
export function step<A>(state: JobState<A>, event: Event<A>): Step<A> {
  if ('party' in event && !state.roster.includes(event.party)) return same(state);
  if (hasEnded(state)) return afterEnd(state, event);
  if ('attempt' in event && event.attempt !== state.attempt && !isOfLast(state, event)) return same(state);
  switch (event.type) {
    case 'attached':
      return attached(state, event.party);
    case 'detached':
      return detached(state, event.party);
    case 'turn':
      return state.phase === 'QUEUED' && allPresent(state) ? invite(state) : same(state);
    case 'accepted':
      return accepted(state, event);
    case 'awaiting': {
      const { awaiting = [], phase, acceptances } = state;
      if (phase !== 'INVITING' || event.party in acceptances || awaiting.includes(event.party)) return same(state);
      const entry: Entry = { type: 'party', ...by(state, event.party), did: 'awaiting' };
      return { state: { ...state, awaiting: [...awaiting, event.party] }, effects: [], entries: [entry] };
    }
    case 'denied': {
      // Whoever has given its word for the job denies it no more: what it then says of it are failures.
      if (state.phase !== 'INVITING' || isRetrying(state)) return same(state);
      const error = withDetail(new StateError('PARTY_DENIED', { party: event.party }), event.report);
      const entry: Entry = { type: 'party', ...by(state, event.party), did: 'denied', report: event.report };
      return ended(state, 'FAILED', error, [entry]);
    }
    case 'answered': {
      // Shares may leave only after the start, and none of its messages has.
      if (state.phase !== 'READY') return same(state);
      const next: JobState<A> = { ...state, phase: 'DONE', sameAs: event.by };
      return moved(
        next,
        state.present.map((to) => ending(next, to)),
      );
    }
    case 'started':
      return state.phase === 'READY' ? moved({ ...state, phase: 'RUNNING' }) : same(state);
    case 'phase': {
      const started = state.phase === 'READY' || state.phase === 'RUNNING';
      const releases = started && releasingPhases.includes(event.phase);
      const now = releases ? opening(state, event.party) : state;
      const running: Step<A> = now.phase === 'READY' ? moved({ ...now, phase: 'RUNNING' }) : same(now);
      const entry: Entry = { type: 'phase', ...by(state, event.party), phase: event.phase };
      return { ...running, entries: [...running.entries, entry] };
    }
    case 'opened':
      return opened(state, event.party);
    case 'failed':
      return failed(state, event.party, event.report);
    case 'renounced':
      return renounced(state, event);
    case 'halted':
      return halted(state, event);
    case 'cancel':
      // A party that has opened no longer takes a job back, and the answer may be on its way already.
      if (isReleasing(state)) {
        return { ...same(state), refused: new StateError('ALREADY_ENDED', { detail: 'its answer is being released' }) };
      }
      return ended(state, 'CANCELLED');
    case 'tick':
      return ticked(state, event.nowMs);
    case 'restarted': {
      // Those who compute go on when they are back.
      return same({ ...state, present: [] });
    }
  }
}

function by(state: JobState, party: PartyId): By {
  return { party, attempt: state.attempt, ...(party === state.helper ? { helper: true } : {}) };
}

function same<A>(state: JobState<A>): Step<A> {
  return { state, effects: [], entries: [] };
}

function moved<A>(state: JobState<A>, effects: readonly Effect[] = [], before: readonly Entry[] = []): Step<A> {
  const entry: Entry = {
    type: 'state',
    state: state.phase,
    attempt: state.attempt,
    ...(state.error === undefined ? {} : { error: state.error }),
    ...(isRetrying(state) ? { setback: state.setbacks.at(-1)! } : {}),
    ...(state.sameAs === undefined ? {} : { same_as: state.sameAs }),
  };
  return { state, effects, entries: [...before, entry] };
}

function invite<A>(state: JobState<A>): Step<A> {
  return moved({ ...state, phase: 'INVITING', attempt: state.attempt + 1 }, state.roster.map(invitation));
}

function attached<A>(state: JobState<A>, party: PartyId): Step<A> {
  if (state.present.includes(party)) return same(state);
  const { [party]: _, ...awaySinceMs } = state.awaySinceMs ?? {};
  const next = { ...state, present: [...state.present, party].sort(), awaySinceMs };
  if (isRetrying(state)) {
    return party in state.renounced ? goOn(next, []) : { ...same(next), effects: [{ send: 'again', to: party }] };
  }
  // What it had sent of its opening, or said of its failure, may be lost.
  if (isReleasing(state) && !state.opened.includes(party)) return { ...same(next), effects: [invitation(party)] };
  if (isUnderWay(state)) return { ...same(next), effects: [{ send: 'start', to: party }] };
  if (state.phase !== 'INVITING') return same(next);
  return party in state.acceptances ? readyIfComplete(next, []) : { ...same(next), effects: [invitation(party)] };
}

const invitation = (to: PartyId): Effect => ({ send: 'invite', to });

function detached<A>(state: JobState<A>, party: PartyId): Step<A> {
  return same({ ...state, present: state.present.filter((one) => one !== party) });
}

/** An attempt that goes on only if all parties are here, or come back. */
function isUnderWay(state: JobState): boolean {
  return (state.phase === 'READY' || state.phase === 'RUNNING') && !isReleasing(state);
}

/** Whether a party is waited for that an attempt cannot do without for long. */
export function isMissed(state: JobState): boolean {
  return isUnderWay(state) && !allPresent(state);
}

function accepted<A>(
  state: JobState<A>,
  { party, acceptance, head }: Extract<Event<A>, { type: 'accepted' }>,
): Step<A> {
  if (state.phase !== 'INVITING' || isRetrying(state)) return same(state);
  const { awaiting, ...rest } = state;
  const next = {
    ...rest,
    ...(awaiting === undefined ? {} : { awaiting: awaiting.filter((one) => one !== party) }),
    acceptances: { ...state.acceptances, [party]: acceptance },
    ...(head === undefined ? {} : { heads: { ...state.heads, [party]: head } }),
  };
  return readyIfComplete(next, [{ type: 'party', ...by(state, party), did: 'accepted' }]);
}

/** What is gathered while INVITING. */
function wordsOf<A>(state: JobState<A>): Readonly<Record<PartyId, unknown>> {
  return isRetrying(state) ? state.renounced : state.acceptances;
}

/**
 * While an attempt is recalled: when all have spoken and some have halted, nobody can have opened, or will, and they are
 * told so. When all have renounced the next attempt begins.
 */
function goOn<A>(state: JobState<A>, entries: readonly Entry[]): Step<A> {
  const { halted = [], renounced, roster } = state;
  if (!roster.every((party) => party in renounced || halted.includes(party))) return { state, effects: [], entries };
  if (halted.length === 0) return readyIfComplete(state, entries);
  return { state, effects: halted.map((to) => ({ send: 'again', to, noneOpened: true })), entries };
}

/** READY when all have accepted, or renounced, and all are here; then everyone gets everyone's words. */
function readyIfComplete<A>(state: JobState<A>, entries: readonly Entry[]): Step<A> {
  const complete = state.roster.every((party) => party in wordsOf(state)) && allPresent(state);
  if (!complete) return { state, effects: [], entries };
  const { releasing: _, askingSinceMs: __, ...rest } = state;
  return moved(
    { ...rest, phase: 'READY' },
    state.roster.map((to) => ({ send: 'start', to })),
    entries,
  );
}

function opening<A>(state: JobState<A>, party: PartyId): JobState<A> {
  const opening = [...(state.opening ?? []).filter((one) => one !== party), party];
  return { ...state, opening, ...(opening.length === state.roster.length ? { releasing: true } : {}) };
}

function opened<A>(state: JobState<A>, party: PartyId): Step<A> {
  if (isRetrying(state)) return takenUp(state, party);
  if (state.phase !== 'READY' && state.phase !== 'RUNNING') return same(state);
  const stored: Effect = { send: 'stored', to: party };
  if (state.opened.includes(party)) return { state, effects: [stored], entries: [] };
  const next = { ...state, opened: [...state.opened, party].sort() };
  const entry: Entry = { type: 'party', ...by(state, party), did: 'opened' };
  if (next.opened.length === state.roster.length) return moved({ ...next, phase: 'DONE' }, [stored], [entry]);
  if (state.phase === 'READY') return moved({ ...next, phase: 'RUNNING' }, [stored], [entry]);
  return { state: next, effects: [stored], entries: [entry] };
}

/** What another party's failure did to this one says less than what that party itself will say, if it does. */
function failed<A>(state: JobState<A>, party: PartyId, said: ErrorReport): Step<A> {
  const report = { ...said, party: said.party ?? party };
  const entry: Entry = { type: 'party', ...by(state, party), did: 'failed', report: said };
  if (said.code !== 'PARTY_FAILED') return ended(state, failureAs(state, said), report, [entry]);
  return { state: { ...state, failing: state.failing ?? { report } }, effects: [], entries: [entry] };
}

/** The attempt that was recalled has been opened after all: so it is the one, and who has halted opens it too. */
function takenUp<A>(state: JobState<A>, party: PartyId): Step<A> {
  if (Object.keys(state.renounced).length > 0) return ended(state, 'FAILED', halfOpened(party));
  const { halted = [], askingSinceMs: _, ...rest } = state;
  const attempt = recalled(state);
  const next: JobState<A> = {
    ...{ ...rest, phase: 'RUNNING', attempt, setbacks: state.setbacks.slice(0, -1) },
    ...{ opened: [party], releasing: true },
  };
  const entry: Entry = { type: 'party', ...by(next, party), did: 'opened' };
  const others = halted.filter((to) => to !== party).map((to): Effect => ({ send: 'signed', to, by: party }));
  return moved(next, [{ send: 'stored', to: party }, ...others], [entry]);
}

function renounced<A>(
  state: JobState<A>,
  { party, attempt, renunciation, report }: Extract<Event<A>, { type: 'renounced' }>,
): Step<A> {
  const said = whyOf(state, party, attempt, report);
  if (isRetrying(state)) {
    if (attempt !== recalled(state)) return same(state);
    const halted = (state.halted ?? []).filter((one) => one !== party);
    return goOn({ ...state, halted, renounced: { ...state.renounced, [party]: renunciation } }, said);
  }
  // Nothing of an attempt has begun before.
  if (state.phase !== 'READY' && state.phase !== 'RUNNING') return same(state);
  return setback(state, reasonOf(party, report), { renounced: { [party]: renunciation } }, said);
}

function halted<A>(state: JobState<A>, { party, attempt, report }: Extract<Event<A>, { type: 'halted' }>): Step<A> {
  const said = whyOf(state, party, attempt, report);
  if (isRetrying(state)) {
    if (attempt !== recalled(state) || party in state.renounced) return same(state);
    return goOn({ ...state, halted: [...(state.halted ?? []).filter((one) => one !== party), party] }, said);
  }
  if (state.phase !== 'READY' && state.phase !== 'RUNNING') return same(state);
  const [by] = state.opened;
  if (by === undefined) return setback(state, reasonOf(party, report), { halted: [party] }, said);
  // Its own opening is here, and it will be told so.
  if (state.opened.includes(party)) return same(state);
  return { state, effects: [{ send: 'signed', to: party, by }], entries: said };
}

/** That a party has said why the attempt ended there. */
function whyOf(state: JobState, party: PartyId, attempt: number, report: ErrorReport | undefined): readonly Entry[] {
  return report === undefined ? [] : [{ type: 'party', ...by({ ...state, attempt }, party), did: 'failed', report }];
}

function reasonOf(party: PartyId, report = reportOf(new TransportError('LINK_LOST', { party }))): ErrorReport {
  return { ...report, party: report.party ?? party };
}

/** The attempt has failed, for what may not happen again: it is recalled, and another one follows unless it was the last. */
function setback<A>(
  state: JobState<A>,
  report: ErrorReport,
  words: Pick<JobState, 'halted'> & Partial<Pick<JobState, 'renounced'>> = {},
  before: readonly Entry[] = [],
): Step<A> {
  if (state.opened.length > 0) return ended(state, 'FAILED', halfOpened(state.opened[0]!), before);
  const { failing: _, opening: __, halted: ___, askingSinceMs: ____, awaySinceMs: _____, releasing, ...rest } = state;
  const setbacks = [...state.setbacks, report];
  // Where all may have signed, one that is away may have opened: only its word tells.
  const releases = words.halted !== undefined && releasing === true ? { releasing } : {};
  const attempt = Math.min(state.attempt + 1, attemptsMax);
  const next: JobState<A> = { ...rest, phase: 'INVITING', attempt, renounced: {}, setbacks, ...words, ...releases };
  const asked = next.present.filter((to) => !(to in next.renounced) && words.halted?.includes(to) !== true);
  return moved(
    next,
    asked.map((to) => ({ send: 'again', to })),
    before,
  );
}

/** At the last attempt a party says of a broken one that it failed: there is none to renounce it for. */
function failureAs(state: JobState, report: ErrorReport): 'FAILED' | 'POISONED' {
  const attempt = isRetrying(state) ? recalled(state) : state.attempt;
  return attempt >= attemptsMax && passingCodes.includes(report.code) ? 'POISONED' : 'FAILED';
}

function halfOpened(party: PartyId): ErrorReport {
  return reportOf(new StateError('HALF_OPENED', { party }));
}

/** Whether an attempt that failed is recalled. */
export function isRetrying(state: Pick<JobState, 'phase' | 'setbacks'>): boolean {
  return state.phase === 'INVITING' && state.setbacks.length > 0;
}

/** The attempt that is recalled, while one is. */
export function recalled({ setbacks }: Pick<JobState, 'setbacks'>): number {
  return setbacks.length;
}

/** While the next attempt is prepared, the last one is spoken of: how it ended, or why there can be no other. */
function isOfLast<A>(state: JobState<A>, event: Extract<Event<A>, { readonly attempt: number }>): boolean {
  const fits = ['renounced', 'halted', 'failed', 'opened'].includes(event.type);
  return fits && isRetrying(state) && event.attempt === recalled(state);
}

function ticked<A>(state: JobState<A>, nowMs: number): Step<A> {
  if (nowMs > state.expiresMs + clockSkewMs) {
    return ended(state, 'EXPIRED', reportOf(new PolicyError('JOB_EXPIRED', { detail: waitingFor(state) })));
  }
  if (state.failing === undefined) {
    if (isRetrying(state)) return stillAsking(state, nowMs);
    if (isLate(state)) return stillLate(state, nowMs);
    return isMissed(state) ? stillAway(state, nowMs) : same(state);
  }
  const { report, sinceMs = nowMs } = state.failing;
  if (nowMs >= sinceMs + reasonMs) return ended(state, failureAs(state, report), report);
  return same({ ...state, failing: { report, sinceMs } });
}

function stillAway<A>(state: JobState<A>, nowMs: number): Step<A> {
  const away = state.roster.filter((party) => !state.present.includes(party));
  const awaySinceMs = Object.fromEntries(away.map((party) => [party, state.awaySinceMs?.[party] ?? nowMs]));
  const party = away.find((one) => nowMs >= awaySinceMs[one]! + graceMs);
  if (party === undefined) return same({ ...state, awaySinceMs });
  return setback(state, reportOf(new TransportError('LINK_LOST', { party })));
}

/** Some have opened, and others have not yet. */
export function isLate({ phase, opened, roster }: Pick<JobState, 'phase' | 'opened' | 'roster'>): boolean {
  return (phase === 'READY' || phase === 'RUNNING') && opened.length > 0 && opened.length < roster.length;
}

/** One that opened and was lost may not have sent its signature to all. It stands in what it opened. */
function stillLate<A>(state: JobState<A>, nowMs: number): Step<A> {
  const { lateSinceMs = nowMs, opened, present, roster } = state;
  if (nowMs < lateSinceMs + lateMs) return same({ ...state, lateSinceMs });
  const late = roster.filter((party) => present.includes(party) && !opened.includes(party));
  const effects = late.map((to): Effect => ({ send: 'signed', to, by: opened[0]! }));
  return { ...same({ ...state, lateSinceMs: nowMs }), effects };
}

function stillAsking<A>(state: JobState<A>, nowMs: number): Step<A> {
  const { askingSinceMs = nowMs } = state;
  // Who is away may have opened.
  if (nowMs < askingSinceMs + returnMs || isReleasing(state)) return same({ ...state, askingSinceMs });
  // There would be no other attempt anyway.
  if (recalled(state) >= attemptsMax) return ended(state, 'POISONED', state.setbacks.at(-1)!);
  const due = state.roster.filter((party) => !(party in state.renounced) || !state.present.includes(party));
  const detail = `it did not come back within ${returnMs / 1_000} s for another attempt`;
  return ended(state, 'FAILED', reportOf(new TransportError('UNREACHABLE', concerning(due, detail))));
}

function ended<A>(
  state: JobState<A>,
  phase: 'FAILED' | 'POISONED' | 'CANCELLED' | 'EXPIRED',
  error?: ErrorReport,
  before: readonly Entry[] = [],
): Step<A> {
  const { failing: _, askingSinceMs: __, awaySinceMs: ___, ...rest } = state;
  const next: JobState<A> = { ...rest, phase, ...(error === undefined ? {} : { error: withSetbacks(error, state) }) };
  // A queued job is known to nobody else.
  const told = state.attempt === 0 ? [] : state.present;
  return moved(
    next,
    told.map((to) => ending(next, to)),
    before,
  );
}

/** How a party is told that a job has ended and nothing is wanted of it. */
function ending(state: JobState, to: PartyId): Effect {
  if (state.phase === 'CANCELLED' || state.error === undefined) return { send: 'cancel', to };
  return { send: 'abort', to, report: state.error };
}

/** An ended job stays as it is; a party that does not know it yet is told. */
function afterEnd<A>(state: JobState<A>, event: Event<A>): Step<A> {
  if (event.type === 'cancel') return { ...same(state), refused: new StateError('ALREADY_ENDED') };
  // Before its first attempt nobody has heard of it.
  if (state.attempt === 0) return same(state);
  const asks = ['attached', 'accepted', 'phase', 'opened', 'renounced', 'halted'].includes(event.type);
  if (!asks || !('party' in event)) return same(state);
  const isOff = state.phase !== 'DONE' || state.sameAs !== undefined;
  if (isOff) return { ...same(state), effects: [ending(state, event.party)] };
  return event.type === 'opened' ? { ...same(state), effects: [{ send: 'stored', to: event.party }] } : same(state);
}

/** The last failure, and those of the attempts before. */
function withSetbacks(error: ErrorReport, { attempt, setbacks }: JobState): ErrorReport {
  if (setbacks.length === 0) return error;
  const before = setbacks.slice(0, Math.max(0, attempt - 1));
  const earlier = before.map(({ message }, index) => `attempt ${index + 1}: ${message.slice(0, reasonLengthMax)}`);
  return { ...error, message: `${error.message.slice(0, reasonLengthMax)} (${earlier.join('; ')})` };
}

function waitingFor(state: JobState): string {
  const due = state.roster.filter((party) => !state.opened.includes(party));
  const away = due.filter((party) => !state.present.includes(party));
  if (away.length > 0) return `not connected: ${away.join(', ')}`;
  const { awaiting = [] } = state;
  if (state.phase === 'INVITING' && awaiting.length > 0) return `not approved yet: ${awaiting.join(', ')}`;
  const silent = state.roster.filter((party) => !(party in wordsOf(state)));
  if (state.phase === 'INVITING' && silent.length > 0) return `no verdict yet: ${silent.join(', ')}`;
  return isReleasing(state) ? `no opening yet: ${due.join(', ')}` : `it was ${state.phase}`;
}

/** The denial as the analyst reads it: our code, the party's own words and remedy. */
function withDetail(error: StateError, report: ErrorReport): ErrorReport {
  return {
    ...reportOf(error),
    message: `${error.message}: ${report.message}`,
    remedy: report.remedy,
    ...(report.field === undefined ? {} : { field: report.field }),
  };
}
