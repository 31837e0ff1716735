/**
 * What the owner's channel answers about jobs that people decide on, and the same while the node does not run.
 * @module
 */
import type { ApprovalTerms, Decision, SignedApproval } from '@folkmoot/core/approval.js';
import { charterHash } from '@folkmoot/core/charter.js';
import { InputError, PolicyError, reportOf, StateError } from '@folkmoot/core/errors.js';
import { policyHash } from '@folkmoot/core/policy.js';
import { admitDecision, decidable, onJob } from './approvals.ts';
import type { Status } from './lifecycle.ts';
import type { OwnerRoute } from './owner-channel.ts';
import type { Store } from './store.ts';
import { type JobToDecide, jobToDecide, reportWaiting, type Showing, type WaitingReport } from './waiting.ts';

/** What became of a decision. */
export interface DecisionTaken {
  readonly job: string;
  readonly by: string;
  readonly decision: Decision;
  /** Where the job stands once the decision is durable. */
  readonly state: Status;
}

/** All that an answer is made of: the node's settings and its store. */
export type Deciding = Omit<Showing, 'store'> & { readonly store: Store };

const decisionNames: readonly Decision[] = ['approve', 'deny', 'revoke'];

/** `by` is asked anew for each request: the time is another. `take` carries out what follows from a decision. */
export function approvalRoutes(by: () => Deciding, take: (job: string) => void): readonly OwnerRoute[] {
  return [
    { method: 'GET', path: '/v1/approvals', handle: () => waitingAt(by()) },
    {
      method: 'GET',
      path: '/v1/jobs/:job/approval',
      handle: ({ params, query }) => decidableAt(params.job!, decisionOf(query.get('decision')), by()),
    },
    {
      method: 'POST',
      path: '/v1/jobs/:job/approval',
      handle: ({ params, body }) => takeAt(params.job!, body, by(), take),
    },
  ];
}

function decisionOf(text: string | null): Decision {
  const decision = decisionNames.find((name) => name === text);
  if (decision === undefined) throw new InputError('BAD_VALUE', { field: 'decision' });
  return decision;
}

export function waitingAt(by: Deciding): WaitingReport {
  return reportWaiting(by.store.waiting(), by);
}

/**
 * The job whose id begins so, as somebody has it before them who makes this decision.
 * @throws what `decidable` throws; InputError BAD_VALUE where several ids begin so
 */
export function decidableAt(prefix: string, decision: Decision, by: Deciding): JobToDecide {
  const { state, terms } = decidable(decision, onJob(idOf(prefix, by.store), by.store), by.nowMs);
  if (decision === 'approve') checkCurrent(terms, by);
  return jobToDecide(state, terms, by);
}

/**
 * Takes a signed decision: durable first, then in force.
 * @throws what `admitDecision` throws; StateError STATE_FAILED
 */
export function takeAt(job: string, given: unknown, by: Deciding, take: (job: string) => void): DecisionTaken {
  const { store } = by;
  const signed = admitted(job, given, by);
  const { approval } = signed;
  store.enterApproval(signed);
  take(job);
  return { job, by: approval.by, decision: approval.decision, state: store.load(job)!.status };
}

/** What is refused is entered in the audit log, where the job is known: who tried, nobody can tell for sure. */
function admitted(job: string, given: unknown, by: Deciding): SignedApproval {
  const { store } = by;
  const onIt = onJob(job, store);
  try {
    const signed = admitDecision(given, onIt, by);
    const { approval } = signed;
    if (approval.job !== job)
      throw new InputError('BAD_VALUE', { field: 'job', detail: 'the decision is on another job' });
    if (approval.decision === 'approve') checkCurrent(approval, by);
    return signed;
  } catch (error) {
    if (onIt.state !== undefined) {
      const { code } = reportOf(error);
      store.audited((log, nowMs) => log.enter({ kind: 'approval-refused', job, code }, nowMs));
    }
    throw error;
  }
}

/**
 * The plan that is shown is made by the files as they are now; where the job was judged by others, the node has to judge it
 * anew first. @throws PolicyError APPROVAL_CHANGED
 */
function checkCurrent({ policy, charter }: ApprovalTerms, by: Deciding): void {
  if (policy === policyHash(by.config.policy) && charter === charterHash(by.charter)) return;
  const detail = 'node.yaml or the charter has changed since the node judged the job';
  throw new PolicyError('APPROVAL_CHANGED', { detail, remedy: 'start the node again, which judges the job anew' });
}

function idOf(prefix: string, store: Pick<Store, 'beginning'>): string {
  const [id, other] = prefix === '' ? [] : store.beginning(prefix);
  if (id === undefined) throw new StateError('UNKNOWN_JOB', { detail: 'none here begins so' });
  if (other !== undefined) {
    throw new InputError('BAD_VALUE', { field: 'job', detail: 'several begin so', remedy: 'give more of its digits' });
  }
  return id;
}
