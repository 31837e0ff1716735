/**
 * Receipts: each party's signed word that it computed this job, and which sealed bytes it released.
 *
 * They stand in the answer and verify offline with the charter alone. Together they show that all parties named accepted
 * the job under this charter and signed one list of commitments. They do not show that the numbers are those that came out
 * of the sealed bytes: those only the analyst could open.
 * @module
 */
import {
  type Acceptance,
  acceptancesHash,
  checkAcceptances,
  type SignedAcceptance,
  signedAcceptanceSchema,
  standingOf,
} from '@folkmoot/core/acceptance.js';
import type { Answer } from '@folkmoot/core/answer.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import type { Context, PartyId } from '@folkmoot/core/channel.js';
import { type Charter, charterHash } from '@folkmoot/core/charter.js';
import { partiesFloor } from '@folkmoot/core/check-job.js';
import { conform } from '@folkmoot/core/document.js';
import { PolicyError, ProtocolError } from '@folkmoot/core/errors.js';
import { lookUp } from '@folkmoot/core/name.js';
import { type Opening, openingStatement } from '@folkmoot/core/open.js';
import { openingVerifier } from '@folkmoot/core/opening-signature.js';
import { helperRule } from '@folkmoot/core/policy.js';

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

/** The receipts of an answer whose openings were verified: of its parties, and of its helper. */
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

/**
 * Every party that the answer names, and its helper, has signed for its job, under this charter, and no fewer parties are
 * named than the charter lets any such job have: three at least where the acceptances are those of an exact job. A helper
 * brings no records, so it is none of them, and has signed for no rule.
 *
 * What it proves: these parties, each known to the charter, each once and with exactly one receipt, accepted the job of
 * this id, and signed one list of commitments over this very roster. Leaving a party out, or adding one, breaks all
 * signatures.
 * What it does not: that the rows are those that came out of the sealed bytes; what the id's job asks, who asked it and
 * which parties it named, for the job's text is not in the answer; that the charter is the right one, which the caller
 * knows; and anything if all parties named sign falsely together.
 * @throws ProtocolError BAD_ACCEPTANCE, BAD_COMMITMENT, BAD_OPENING_SIGNATURE, naming the party
 * @throws PolicyError TOO_FEW_PARTIES
 */
export function verifyAnswer(answer: Pick<Answer, 'job' | 'parties' | 'helper' | 'receipts'>, charter: Charter): void {
  const receipts = answer.receipts.map(receiptFrom);
  const helper = answer.helper ?? null;
  const roster = rosterOf([...answer.parties, ...(helper === null ? [] : [helper])], charter);
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
  checkRoles(signed, helper);
  checkFloor(signed, answer.parties.length, helper, charter);
  const context: Context = { job: fromHex(answer.job), attempt, roster };
  const commitments = new Map(receipts.map(({ party, commitment }) => [party, fromHex(commitment)]));
  const statement = openingStatement(context, acceptancesHash(signed), commitments);
  const fits = openingVerifier(charter);
  for (const { party, signature } of receipts) {
    if (!fits(party, statement, fromHex(signature))) throw new ProtocolError('BAD_OPENING_SIGNATURE', { party });
  }
}

/** All that the answer names: each of the charter, each once. */
function rosterOf(parties: readonly PartyId[], charter: Charter): readonly PartyId[] {
  parties.forEach((party, index) => {
    const refuse = (detail: string) => new ProtocolError('BAD_ACCEPTANCE', { party, field: 'parties', detail });
    if (lookUp(charter.parties, party) === undefined) throw refuse('the charter does not name this party');
    if (parties.indexOf(party) !== index) throw refuse('the party is named twice');
  });
  return [...parties].sort();
}

/** A helper accepts by no rule of its own, and every party by one: so a helper cannot pass for a party. */
function checkRoles(signed: readonly SignedAcceptance[], helper: PartyId | null): void {
  for (const { acceptance } of signed) {
    const { party, rule } = acceptance;
    if ((rule === helperRule) === (party === helper)) continue;
    const detail = party === helper ? 'a helper accepts by no rule' : 'it has accepted as a helper';
    throw new ProtocolError('BAD_ACCEPTANCE', { party, detail });
  }
}

/** The acceptances of a protected job say so, all of them or none; what the answer itself says of it nobody signed. */
function checkFloor(
  signed: readonly SignedAcceptance[],
  parties: number,
  helper: PartyId | null,
  charter: Charter,
): void {
  const isProtected = signed.some(({ acceptance }) => acceptance.period !== null);
  standingOf(signed, isProtected, helper);
  const isJoin = checkClasses(signed, parties, helper);
  const least = partiesFloor(charter, !isProtected && !isJoin);
  if (parties >= least) return;
  const detail = `the charter asks for at least ${least}, and ${parties} signed`;
  throw new PolicyError('TOO_FEW_PARTIES', { field: 'parties', detail });
}

/** Whether it is the answer of a join: its two sides, and nobody else, have stated the size class of what they match. */
function checkClasses(signed: readonly SignedAcceptance[], parties: number, helper: PartyId | null): boolean {
  const stating = signed.filter(({ acceptance }) => acceptance.set_class !== undefined);
  if (stating.length === 0) return false;
  const fits = stating.length === 2 && parties === 2 && stating.every(({ acceptance }) => acceptance.party !== helper);
  if (fits) return true;
  const { party } = stating.at(-1)!.acceptance;
  throw new ProtocolError('BAD_ACCEPTANCE', { party, detail: 'only the two sides of a join state a size class' });
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
