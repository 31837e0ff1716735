/**
 * A person's signed word on one job at their own party: that it may be computed, that it may not, or that it no longer may.
 *
 * What is decided on is more than the job's id: the charter and the policy it was judged under, the records as they were
 * (by their fingerprint), the program that would compute, and how long the job may wait. Where one of these has become
 * another, the word no longer counts and a new one is asked for.
 *
 * The document stays at the party. It says who decided, and why, in that person's words.
 * @module
 */
import { z } from 'zod';
import { fromHex, toHex } from '../algebra/bytes.ts';
import { hashJson } from '../algebra/hash.ts';
import { PolicyError } from '../channel/errors.ts';
import { conform } from './document.ts';
import { type Sign, verify } from './identity.ts';
import { memberSchema } from './name.ts';

const label = 'folkmoot approval v1';
const hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected a hash in hexadecimal digits');

/** A sentence or two; what needs more has a file number. */
const reasonLengthMax = 1_000;

const termsShape = {
  job: hash,
  charter: hash,
  policy: hash,
  /** The keyed hash of the records, as the acceptance will state it. */
  fingerprint: hash,
  /** The version of the program. */
  build: z.string().min(1).max(100),
  /** An instant in UTC: that of the job. */
  expires: z.iso.datetime(),
} as const;

const signedApprovalSchema = z.strictObject({
  approval: z.strictObject({
    ...termsShape,
    party: memberSchema,
    /** The name of the person in the party's node.yaml, or `owner`. */
    by: memberSchema,
    decision: z.enum(['approve', 'deny', 'revoke']),
    reason: z
      .string()
      .min(1)
      .max(reasonLengthMax)
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected one line of text'),
    /** By the clock of whoever signed. */
    at: z.iso.datetime(),
  }),
  signature: z.string().regex(/^[0-9a-f]{128}$/, 'expected a signature in hexadecimal digits'),
});

export type SignedApproval = Readonly<z.infer<typeof signedApprovalSchema>>;
export type Approval = SignedApproval['approval'];
export type Decision = Approval['decision'];
/** What a decision is on, and what must be the same when the party accepts. */
export type ApprovalTerms = Pick<Approval, keyof typeof termsShape>;

/** Where a party lists no approvers, its own identity key decides, under this name. */
export const ownerName = 'owner';

export function signApproval(approval: Approval, sign: Sign): SignedApproval {
  return { approval, signature: toHex(sign(label, hashJson(approval))) };
}

/** @throws InputError UNKNOWN_KEY, BAD_VALUE */
export function parseApproval(given: unknown): SignedApproval {
  return conform(given, signedApprovalSchema, { name: 'approval' });
}

/** Whether it was signed with this key, in hexadecimal digits. */
export function isSignedBy({ approval, signature }: SignedApproval, identity: string): boolean {
  return verify(fromHex(identity), label, hashJson(approval), fromHex(signature));
}

/** The terms alone, of whatever states them. */
export function termsOf({ job, charter, policy, fingerprint, build, expires }: ApprovalTerms): ApprovalTerms {
  return { job, charter, policy, fingerprint, build, expires };
}

const changeTexts: Readonly<Record<keyof ApprovalTerms, string>> = {
  job: 'it is another job',
  charter: 'the charter has changed',
  policy: 'the policy has changed',
  fingerprint: 'the records have changed',
  build: 'the node runs another version',
  expires: 'the job expires at another time',
};

/** What has changed from one to the other, in words; undefined where nothing has. */
export function changeOf(from: ApprovalTerms, to: ApprovalTerms): string | undefined {
  const changed = (Object.keys(changeTexts) as (keyof ApprovalTerms)[]).find((term) => from[term] !== to[term]);
  return changed === undefined ? undefined : changeTexts[changed];
}

/** @throws PolicyError APPROVAL_CHANGED, saying what has */
export function checkTerms(approval: ApprovalTerms, waiting: ApprovalTerms): void {
  const detail = changeOf(approval, waiting);
  if (detail !== undefined) throw new PolicyError('APPROVAL_CHANGED', { detail });
}

/** Where the decisions on a job have come to. */
export interface Decided {
  /** Who has approved it on these very terms; each person once. */
  readonly approvedBy: readonly string[];
  /** The denial or revocation that ended it, whatever the terms were: one person's is enough, and it is not taken back. */
  readonly ended: Approval | undefined;
  /** Why approvals that were given do not count, where there are such. */
  readonly change: string | undefined;
}

/** Weighs the decisions on one job, in the order in which they were made. */
export function decidedOn(terms: ApprovalTerms, decisions: readonly SignedApproval[]): Decided {
  const all = decisions.map(({ approval }) => approval);
  const approved = all.filter(({ decision }) => decision === 'approve');
  const changes = approved.map((approval) => changeOf(approval, terms));
  const standing = approved.filter((_, index) => changes[index] === undefined);
  return {
    approvedBy: [...new Set(standing.map(({ by }) => by))],
    ended: all.find(({ decision }) => decision !== 'approve'),
    change: changes.findLast((change) => change !== undefined),
  };
}
