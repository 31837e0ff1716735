/**
 * Between people and the lifecycle of a job: which decisions are taken, and what they come to.
 *
 * A decision is durable before it has any effect. What follows from all decisions on a job is worked out from the store
 * alone, so it is the same for one that was made while the node did not run.
 * @module
 */
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import {
  type ApprovalTerms,
  checkTerms,
  type Decision,
  decidedOn,
  isSignedBy,
  parseApproval,
  type SignedApproval,
  termsOf,
} from '@folkmoot/core/approval.js';
import { clockSkewMs } from '@folkmoot/core/envelope.js';
import { InputError, PolicyError, reportOf, StateError } from '@folkmoot/core/errors.js';
import { type Approving, approverOf, checkNotAsker, counting } from './approvers.ts';
import type { Decision as Judgement } from './judgement.ts';
import { isTerminal, type JobEvent, type JobState } from './lifecycle.ts';
import type { Store } from './store.ts';

/** A job, and what people have decided on it so far. */
export interface OnJob {
  readonly state: JobState | undefined;
  readonly decisions: readonly SignedApproval[];
}

export function onJob(job: string, store: Pick<Store, 'load' | 'approvals'>): OnJob {
  return { state: store.load(job), decisions: store.approvals(job) };
}

/**
 * What this decision on the job would be on.
 * @throws StateError UNKNOWN_JOB, NOT_WAITING, ALREADY_OPENED, ALREADY_ENDED; PolicyError JOB_EXPIRED
 */
export function decidable(
  decision: Decision,
  { state, decisions }: OnJob,
  nowMs: number,
): { readonly state: JobState; readonly terms: ApprovalTerms } {
  if (state === undefined) throw new StateError('UNKNOWN_JOB');
  const { status } = state;
  if (status === 'OPENING' || status === 'RESULT') throw new StateError('ALREADY_OPENED');
  if (status === 'EXPIRED' || (status === 'AWAITING_APPROVAL' && nowMs >= state.expiresMs)) {
    throw new PolicyError('JOB_EXPIRED');
  }
  if (isTerminal(status)) throw new StateError('ALREADY_ENDED', { detail: `it is ${status}` });
  if (decidedOf(decisions) !== undefined) throw new StateError('ALREADY_ENDED', { detail: 'a person has ended it' });
  if (status === 'AWAITING_APPROVAL' && decision !== 'revoke') return { state, terms: state.hold.terms };
  // Only what was approved can be taken back; nobody was asked of the other jobs.
  const approved = decisions.findLast(({ approval }) => approval.decision === 'approve');
  if (decision === 'revoke' && approved !== undefined) return { state, terms: termsOf(approved.approval) };
  throw new StateError('NOT_WAITING', { detail: `it is ${status}` });
}

const decidedOf = (decisions: readonly SignedApproval[]) =>
  decisions.find(({ approval }) => approval.decision !== 'approve')?.approval;

/**
 * A decision as it came from its maker: by a person who may, with that person's key, on what it is on now.
 * @throws what `decidable` throws; InputError for its form, BAD_VALUE; PolicyError NOT_AN_APPROVER, BAD_SIGNATURE, OWN_JOB,
 * APPROVAL_CHANGED, ALREADY_APPROVED
 */
export function admitDecision(given: unknown, job: OnJob, by: Approving & { readonly nowMs: number }): SignedApproval {
  const signed = parseApproval(given);
  const { approval } = signed;
  const { party } = by.config;
  const { state, terms } = decidable(approval.decision, job, by.nowMs);
  const approver = approverOf(approval.by, by);
  if (approval.party !== party || !isSignedBy(signed, approver.identity)) {
    const remedy = 'sign with the key that node.yaml lists for this person';
    throw new PolicyError('BAD_SIGNATURE', {
      party,
      field: 'signature',
      detail: `it is not by ${approval.by}`,
      remedy,
    });
  }
  checkNotAsker(approval.by, state.signed.envelope.analyst, by);
  checkTerms(approval, terms);
  if (Math.abs(Date.parse(approval.at) - by.nowMs) > clockSkewMs) {
    throw new InputError('BAD_VALUE', { field: 'at', detail: 'it was signed at another time', remedy: 'decide again' });
  }
  const { approvedBy } = decidedOn(terms, counting(job.decisions, by));
  if (approval.decision === 'approve' && approvedBy.includes(approval.by)) {
    throw new PolicyError('ALREADY_APPROVED', { party, detail: approval.by });
  }
  return signed;
}

/** What the decisions on a job mean for it now; undefined where it goes on as it is. */
export function followingFrom({ state, decisions }: OnJob, of: Approving): JobEvent | undefined {
  if (state === undefined || isTerminal(state.status) || state.status === 'OPENING') return undefined;
  const ended = decidedOf(decisions);
  if (ended !== undefined) {
    const { party } = of.config;
    const undecided = state.status === 'RECEIVED' || state.status === 'AWAITING_APPROVAL';
    const code = ended.decision === 'deny' ? 'DENIED_BY_OWNER' : 'APPROVAL_REVOKED';
    // The analyst learns that a person did it; who and why stays here.
    const report = reportOf(new PolicyError(code, { party }));
    const detail = `${ended.decision === 'deny' ? 'denied' : 'revoked'} by ${ended.by}`;
    return { event: undecided ? 'denied' : 'revoked', report, detail };
  }
  if (state.status !== 'AWAITING_APPROVAL') return undefined;
  const { terms, approvers } = state.hold;
  return decidedOn(terms, counting(decisions, of)).approvedBy.length >= approvers ? { event: 'approved' } : undefined;
}

/** The node's own judgement together with what people have decided: the job is accepted, or goes on waiting for them. */
export function weigh({ approvers, ...judged }: Judgement, job: OnJob, of: Approving): JobEvent {
  if (approvers === undefined) return { event: 'allowed', ...judged };
  const ended = followingFrom(job, of);
  if (ended?.event === 'denied') return ended;
  const { acceptance } = judged.acceptance;
  const terms = termsOf(acceptance);
  const { approvedBy, change } = decidedOn(terms, counting(job.decisions, of));
  if (approvedBy.length >= approvers) return { event: 'allowed', ...judged };
  return {
    event: 'held',
    hold: { terms, rule: acceptance.rule, approvers, ...(change === undefined ? {} : { change }) },
  };
}

/**
 * Before a share leaves: as many people as the rule asks for still stand by just what was accepted.
 * @throws PolicyError NOT_APPROVED
 */
export function checkApproved(
  asked: number,
  { acceptance }: SignedAcceptance,
  decisions: readonly SignedApproval[],
  of: Approving,
): void {
  const { approvedBy, ended } = decidedOn(termsOf(acceptance), counting(decisions, of));
  if (approvedBy.length >= asked && ended === undefined) return;
  const detail = `${approvedBy.length} of ${asked} approvals stand`;
  throw new PolicyError('NOT_APPROVED', { party: of.config.party, detail });
}
