/**
 * The first step of the road: what exactly is computed, and that every party has agreed to just that.
 *
 * A pure function of the signed job, the charter and all parties' acceptances. Every party runs it for itself before a
 * share leaves, and the analyst runs it again on the answer: from the same documents all of them derive the same query,
 * the same vector layout and the same threshold, or a typed error.
 * @module
 */
import { equal } from '../algebra/bytes.ts';
import type { Channel, Context, PartyId } from '../channel/channel.ts';
import { PolicyError, ProtocolError } from '../channel/errors.ts';
import { exchange, octets } from '../protocols/message.ts';
import {
  acceptancesHash,
  checkAcceptances,
  type Reading,
  type SignedAcceptance,
  setClassesOf,
  standingOf,
} from '../query/acceptance.ts';
import { type Charter, charterHash } from '../query/charter.ts';
import { type CheckedJob, checkJob, rosterOf } from '../query/check-job.ts';
import { disclose } from '../query/disclose.ts';
import type { Disclosure } from '../query/disclosure.ts';
import { type Layout, layout } from '../query/encode.ts';
import { checkSignedJob, jobId, jobIdBytes, type SignedJob } from '../query/envelope.ts';
import { compile } from '../query/local.ts';
import { lookUp } from '../query/name.ts';
import { openedLayout } from '../query/opened.ts';
import { lacksOwnParty } from '../query/privacy-terms.ts';
import { type Protection, protect } from '../query/protection.ts';
import { questionKey } from '../query/question.ts';
import type { LocalQuery } from '../query/statistic.ts';
import { type Strictness, strictnessOf } from '../query/strictness.ts';
import { checkDemand } from './evaluate-cost.ts';
import { checkJoinRoom, type JoinAgreement, joinOf } from './join-agreement.ts';

/** The documents that decide a computation. The charter is one whose signatures were checked (`checkSealed`). */
export interface Terms {
  readonly signed: SignedJob;
  readonly charter: Charter;
  readonly acceptances: readonly SignedAcceptance[];
  /** The caller's own clock; expiry is held against it. */
  readonly nowMs: number;
}

export interface Agreement {
  readonly checked: CheckedJob;
  readonly query: LocalQuery;
  /** Of what every party shares: the sums of an exact job, the parts of a protected one. */
  readonly inputs: Layout;
  /** Of what is opened: what the disclosure of an exact job says, the noisy parts of a protected one. */
  readonly layout: Layout;
  /** What opens of an exact job, and what decides it; null for a protected one. */
  readonly disclosure: Disclosure | null;
  /** How the answer is protected; null for an exact job. */
  readonly protection: Protection | null;
  /** What the job, the charter and all parties ask for together. */
  readonly strictness: Strictness;
  /** What each party answers from; none for an exact job. */
  readonly readings: Readonly<Record<string, Reading>>;
  /** What a protected job is charged for, once (see question.ts), in hexadecimal digits. */
  readonly questionKey: string | null;
  readonly analyst: string;
  /** The analyst's key, in hexadecimal digits, that every share is sealed to. */
  readonly recipient: string;
  /** The largest `min_group` of job, charter and parties: people behind each number shown. 0 where none is in force. */
  readonly threshold: number;
  /** How two sides are matched and summed; null for a pooled job. */
  readonly join: JoinAgreement | null;
  /** What every party signs together with the commitments. */
  readonly acceptances: Uint8Array;
  /** What the sessions of an attempt are bound to. */
  context(attempt: number): Context;
}

/**
 * @throws PolicyError, CharterError, InputError where the job does not stand
 * @throws ProtocolError BAD_ACCEPTANCE, naming the party whose word is missing or does not fit
 */
export function agree({ signed, charter, acceptances, nowMs }: Terms): Agreement {
  checkSignedJob(signed, charter, nowMs);
  const { envelope } = signed;
  const checked = checkJob(envelope.job, charter);
  checkAcceptances(acceptances, rosterOf(checked), charter, {
    job: jobId(envelope),
    charter: charterHash(charter),
    nowMs,
  });
  const ownParty = lookUp(charter.analysts, envelope.analyst)?.party ?? null;
  if (lacksOwnParty(checked, ownParty)) {
    throw new PolicyError('REFUSED', {
      field: 'privacy.collusion',
      detail: 'the analyst’s own party takes part, and counts among the colluding',
      remedy: 'ask for `collusion: 1` or more',
    });
  }
  const strictness = strictnessOf(
    checked,
    acceptances.map(({ acceptance }) => acceptance),
  );
  const query = compile(checked, ownParty, strictness);
  const standing = standingOf(acceptances, checked.privacy !== null, checked.helper);
  const protection = standing && protect(checked, query, checked.parties.length, standing.units.values());
  const job = jobIdBytes(envelope);
  const disclosure = protection === null ? disclose({ checked, query, strictness }) : null;
  if (disclosure !== null) checkDemand(checked.parties.length, disclosure);
  const inputs = protection?.layout ?? layout(query, checked.dataset, checked.contributors);
  const join = joinOf(checked, query, { inputs, protection }, setClassesOf(acceptances, checked.join));
  if (join !== null) checkJoinRoom(checked, join);
  return {
    checked,
    query,
    inputs,
    layout: protection?.layout ?? openedLayout(disclosure!),
    disclosure,
    protection,
    strictness,
    readings: standing?.readings ?? {},
    questionKey: standing && questionKey({ analyst: envelope.analyst, checked, readings: standing.readings }),
    analyst: envelope.analyst,
    recipient: envelope.recipient,
    threshold: disclosure?.threshold ?? (strictness.minGroup > 1 ? strictness.minGroup : 0),
    join,
    acceptances: acceptancesHash(acceptances),
    context: (attempt) => ({ job, attempt, roster: rosterOf(checked) }),
  };
}

/** The channel must be bound to what was agreed: this job, and these parties. */
export function checkBound(agreement: Agreement, context: Context, self: PartyId): void {
  const expected = agreement.context(context.attempt);
  const same =
    expected.job.every((byte, index) => context.job[index] === byte) &&
    expected.job.length === context.job.length &&
    expected.roster.length === context.roster.length &&
    expected.roster.every((party, index) => context.roster[index] === party) &&
    expected.roster.includes(self);
  if (!same)
    throw new ProtocolError('BAD_HANDSHAKE', { detail: 'the channel is bound to another job or other parties' });
}

/**
 * One round, in which all say what they have agreed to: with another acceptance one party would decide by another rule,
 * and its messages would fit nobody's.
 * @throws ProtocolError BAD_ACCEPTANCE, naming a party that holds other ones
 */
export async function confirm(ch: Channel, { acceptances }: Agreement): Promise<void> {
  for (const [party, theirs] of await exchange(ch, octets('agree/acceptances', acceptances.length), acceptances)) {
    if (equal(theirs, acceptances)) continue;
    throw new ProtocolError('BAD_ACCEPTANCE', { party, detail: 'it holds other acceptances than this party does' });
  }
}
