/**
 * Receipts: each party's signed word that it computed this job, and which sealed bytes it released.
 *
 * They stand in the answer and verify offline with the charter alone. Together they show that all parties accepted the
 * job under this charter and signed one list of commitments. They do not show that the numbers are those that came out
 * of the sealed bytes: those only the analyst could open.
 * @module
 */
import {
  type Acceptance,
  acceptancesHash,
  checkAcceptances,
  type SignedAcceptance,
  signedAcceptanceSchema,
} from '@folkmoot/core/acceptance.js';
import type { Answer } from '@folkmoot/core/answer.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import type { Context, PartyId } from '@folkmoot/core/channel.js';
import { type Charter, charterHash } from '@folkmoot/core/charter.js';
import { conform } from '@folkmoot/core/document.js';
import { ProtocolError } from '@folkmoot/core/errors.js';
import { verify } from '@folkmoot/core/identity.js';
import { lookUp } from '@folkmoot/core/name.js';
import { type Opening, openingStatement } from '@folkmoot/core/open.js';

export interface Receipt {
  readonly party: PartyId;
  readonly attempt: number;
  readonly acceptance: Acceptance;
  /** Over the acceptance. */
  readonly acceptanceSignature: string;
  /** Of the sealed bytes that this party released. */
  readonly commitment: string;
  /** Over the list of all commitments, together with all acceptances. */
  readonly signature: string;
}

/** The receipts of an answer whose openings were verified. */
export function receiptsOf(
  attempt: number,
  acceptances: readonly SignedAcceptance[],
  openings: readonly Opening[],
): readonly Receipt[] {
  return openings.map(({ party, commitments, signatures }) => {
    const { acceptance, signature } = acceptances.find((one) => one.acceptance.party === party)!;
    return {
      party,
      attempt,
      acceptance,
      acceptanceSignature: signature,
      commitment: commitments[party]!,
      signature: signatures[party]!,
    };
  });
}

/** Whether a party's signature under the opening of an answer fits, by the charter's keys. */
export function openingVerifier(charter: Charter) {
  return (party: PartyId, statement: Uint8Array, signature: Uint8Array): boolean => {
    const identity = lookUp(charter.parties, party)?.identity;
    return identity !== undefined && verify(fromHex(identity), 'folkmoot opening v1', statement, signature);
  };
}

/**
 * Every party of the answer has signed for it, under this charter.
 * @throws ProtocolError BAD_ACCEPTANCE, BAD_COMMITMENT, BAD_OPENING_SIGNATURE, naming the party
 */
export function verifyAnswer(answer: Pick<Answer, 'job' | 'parties' | 'receipts'>, charter: Charter): void {
  const receipts = answer.receipts.map(receiptFrom);
  const roster = [...answer.parties].sort();
  const attempt = receipts[0]?.attempt ?? 1;
  const signed = receipts.map(({ acceptance, acceptanceSignature }) => ({
    acceptance,
    signature: acceptanceSignature,
  }));
  for (const { party, acceptance, attempt: named } of receipts) {
    if (acceptance.party !== party || named !== attempt) throw new ProtocolError('BAD_ACCEPTANCE', { party });
  }
  // The word was good when it was given; that it has expired since does not unsay it.
  const nowMs = 0;
  checkAcceptances(signed, roster, charter, { job: answer.job, charter: charterHash(charter), nowMs });
  const context: Context = { job: fromHex(answer.job), attempt, roster };
  const commitments = new Map(receipts.map(({ party, commitment }) => [party, fromHex(commitment)]));
  const statement = openingStatement(context, acceptancesHash(signed), commitments);
  const fits = openingVerifier(charter);
  for (const { party, signature } of receipts) {
    if (!fits(party, statement, fromHex(signature))) throw new ProtocolError('BAD_OPENING_SIGNATURE', { party });
  }
}

const hex = (value: unknown, bytes: number): value is string =>
  typeof value === 'string' && value.length === 2 * bytes && /^[0-9a-f]*$/.test(value);

function receiptFrom(value: unknown): Receipt {
  const receipt = (typeof value === 'object' && value !== null ? value : {}) as Partial<Receipt>;
  const { party, attempt, commitment, signature } = receipt;
  if (typeof party !== 'string') throw new ProtocolError('BAD_ACCEPTANCE', { detail: 'a receipt is not well formed' });
  const { acceptance, signature: acceptanceSignature } = acceptanceFrom(party, receipt);
  if (!hex(commitment, 32) || !Number.isSafeInteger(attempt)) throw new ProtocolError('BAD_COMMITMENT', { party });
  if (!hex(signature, 64)) throw new ProtocolError('BAD_OPENING_SIGNATURE', { party });
  return { party, attempt: attempt!, acceptance, acceptanceSignature, commitment, signature };
}

function acceptanceFrom(party: PartyId, { acceptance, acceptanceSignature }: Partial<Receipt>): SignedAcceptance {
  try {
    return conform({ acceptance, signature: acceptanceSignature }, signedAcceptanceSchema, { name: 'acceptance' });
  } catch (cause) {
    throw new ProtocolError('BAD_ACCEPTANCE', { party, detail: 'its receipt is not well formed', cause });
  }
}
