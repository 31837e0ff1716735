/**
 * A sealed answer as the coordinator hands it out, read strictly, and opened with the analyst's key.
 *
 * The coordinator is not believed: job, charter and analyst are checked against what the analyst signed, acceptances and
 * openings against the parties' keys in the charter, and each sealed share opens only under its party's commitment. Where
 * it hands out the answer of an earlier job, both are the analyst's own and the parties have signed that it is the same
 * question over the same readings.
 * @module
 */

import { type SignedAcceptance, signedAcceptanceSchema } from '@folkmoot/core/acceptance.js';
import { agree } from '@folkmoot/core/agree.js';
import type { Answer } from '@folkmoot/core/answer.js';
import { fromBase64 } from '@folkmoot/core/bytes.js';
import type { Charter } from '@folkmoot/core/charter.js';
import { rosterOf } from '@folkmoot/core/check-job.js';
import { conform } from '@folkmoot/core/document.js';
import { jobId, parseSignedJob, type SignedJob } from '@folkmoot/core/envelope.js';
import { PolicyError, ProtocolError, TransportError } from '@folkmoot/core/errors.js';
import type { Opening } from '@folkmoot/core/open.js';
import { openingVerifier } from '@folkmoot/core/opening-signature.js';
import { plan } from '@folkmoot/core/plan.js';
import { report } from '@folkmoot/core/report.js';
import { open } from '@folkmoot/transport/envelope.js';
import { fieldsOf, listOf, textOf } from './job-view.ts';
import { receiptsOf } from './receipt.ts';

/**
 * The largest envelope that is read: three parties' shares of 10⁷ elements in base64 are 320 MB, and a JavaScript
 * string ends at 512 MiB.
 */
export const envelopeBytesMax = 480 * 1024 * 1024;

export interface AnswerEnvelope {
  readonly job: string;
  readonly attempt: number;
  readonly signed: SignedJob;
  readonly acceptances: readonly SignedAcceptance[];
  readonly openings: readonly Opening[];
  /** The job that was asked for, where this one answered the same question before. */
  readonly asked?: { readonly signed: SignedJob; readonly acceptances: readonly SignedAcceptance[] };
}

/** Who reads. */
export interface Reader {
  readonly charter: Charter;
  readonly analyst: string;
  /** The seed of the analyst's X-Wing key. */
  readonly recipientSeed: Uint8Array;
}

/** @throws InputError, TransportError BAD_CONTROL, ProtocolError BAD_COMMITMENT */
export function answerEnvelopeFrom(value: unknown): AnswerEnvelope {
  const given = fieldsOf(value);
  const { attempt } = given;
  if (typeof attempt !== 'number' || !Number.isSafeInteger(attempt) || attempt < 1) {
    throw new TransportError('BAD_CONTROL', { field: 'attempt' });
  }
  return {
    job: textOf(given, 'job'),
    attempt,
    signed: parseSignedJob(given.signed),
    acceptances: acceptancesFrom(given),
    openings: listOf(given, 'openings').map(openingFrom),
    ...(given.asked === undefined ? {} : { asked: askedFrom(fieldsOf(given.asked)) }),
  };
}

function acceptancesFrom(given: Readonly<Record<string, unknown>>): SignedAcceptance[] {
  return listOf(given, 'acceptances').map((one) => conform(one, signedAcceptanceSchema, { name: 'acceptance' }));
}

function askedFrom(given: Readonly<Record<string, unknown>>) {
  return { signed: parseSignedJob(given.signed), acceptances: acceptancesFrom(given) };
}

function openingFrom(value: unknown): Opening {
  const given = fieldsOf(value);
  const party = textOf(given, 'party');
  const { sealed } = given;
  if (typeof sealed !== 'string') throw new TransportError('BAD_CONTROL', { field: 'sealed' });
  try {
    // The texts in both lists are checked where they are verified.
    const commitments = fieldsOf(given.commitments) as Record<string, string>;
    const signatures = fieldsOf(given.signatures) as Record<string, string>;
    return { party, sealed: fromBase64(sealed), commitments, signatures };
  } catch (cause) {
    throw new ProtocolError('BAD_COMMITMENT', { party, detail: 'its opening is not well formed', cause });
  }
}

/**
 * The finished answer. What an exact job withholds is not in the envelope: it arrives as zeros and a mark.
 * @throws PolicyError BAD_SIGNATURE where the job is not this analyst's; ProtocolError as the checks do, naming the party
 */
export async function openAnswer(
  envelope: AnswerEnvelope,
  id: string,
  seconds: number,
  reader: Reader,
): Promise<Answer> {
  const { charter, analyst, recipientSeed } = reader;
  const { signed, attempt, acceptances, openings } = envelope;
  checkAsked(envelope, id, reader);
  // What counts is whether all was good when the job was signed: an answer does not go bad on the shelf.
  const terms = { signed, charter, acceptances, nowMs: Date.parse(signed.envelope.issued) };
  const agreement = agree(terms);
  checkThresholds(acceptances, Math.max(signed.envelope.job.min_group ?? 1, charter.policy_floor.min_group));
  const { rounds, bytesPerParty } = plan({ ...agreement, analyst, setClasses: agreement.join?.classes });
  const roster = rosterOf(agreement.checked);
  const bytesSent = bytesPerParty * roster.length;
  const delivery = {
    attempt,
    openings,
    cost: { rounds, bytesSent, seconds },
    receipts: receiptsOf(
      attempt,
      acceptances,
      openings.filter(({ party }) => roster.includes(party)),
    ),
  };
  const { job } = agreement.context(attempt);
  return report(terms, delivery, {
    verify: openingVerifier(charter),
    open: (sealed, sender) => open(recipientSeed, { job, attempt, sender, recipient: analyst }, sealed),
  });
}

/**
 * The answer is to the job that was asked for: that very job, or an earlier one of this analyst that puts the same question
 * over the same readings, as all parties of the job asked for have signed.
 */
function checkAsked({ signed, acceptances, asked }: AnswerEnvelope, id: string, { charter, analyst }: Reader): void {
  const { envelope } = asked?.signed ?? signed;
  const refuse = (detail: string) => new PolicyError('BAD_SIGNATURE', { field: 'job', detail });
  if (jobId(envelope) !== id || envelope.analyst !== analyst) throw refuse('the answer is to another job');
  if (asked === undefined) return;
  const keyOf = (job: SignedJob, words: readonly SignedAcceptance[]) => {
    const nowMs = Date.parse(job.envelope.issued);
    return agree({ signed: job, charter, acceptances: words, nowMs }).questionKey;
  };
  const key = keyOf(asked.signed, asked.acceptances);
  if (key === null) throw refuse('an exact job is answered by itself alone');
  if (key !== keyOf(signed, acceptances)) throw refuse('the earlier job puts another question, or over other readings');
}

/** The largest threshold of all acceptances is what holds; none of them may be below what binds every party. */
function checkThresholds(acceptances: readonly SignedAcceptance[], floor: number): void {
  const low = acceptances.find(({ acceptance }) => acceptance.min_group < floor);
  if (low === undefined) return;
  const { party } = low.acceptance;
  throw new ProtocolError('BAD_ACCEPTANCE', { party, detail: 'its min_group is below that of the job or the charter' });
}
