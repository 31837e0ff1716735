/**
 * A renunciation: one party's signed word that it has opened no attempt at a job up to this one, and never will.
 *
 * A link breaks, or a process dies: then the job may be tried again, with fresh masks. Two openings of one job must not
 * come about by that. So a party joins a later attempt only with the renunciation of every party of the roster in hand,
 * and writes its own down before it gives it. A party that has opened cannot give one; and where one honest party opens an
 * attempt, all honest parties have renounced those before it. Who carries the words, and whom it serves, does not matter.
 * @module
 */
import { z } from 'zod';
import { fromHex, toHex } from '../algebra/bytes.ts';
import { hashJson } from '../algebra/hash.ts';
import { type ErrorCode, ProtocolError } from '../channel/errors.ts';
import type { Charter } from './charter.ts';
import { conform } from './document.ts';
import { type Sign, verify } from './identity.ts';
import { lookUp, memberSchema } from './name.ts';

/** Attempts at one job. What breaks three times breaks again, and each attempt is computed in full. */
export const attemptsMax = 3;

/**
 * What ends an attempt and not the job. PARTY_FAILED is another party's failure: if that was final, that party gives no
 * renunciation, and there is no other attempt.
 */
export const passingCodes: readonly ErrorCode[] = [
  'LINK_LOST',
  'UNREACHABLE',
  'INTERRUPTED',
  'CRASHED',
  'BUSY',
  'PARTY_FAILED',
];

const label = 'folkmoot renunciation v1';
const hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected a hash in hexadecimal digits');

const signedRenunciationSchema = z.strictObject({
  renunciation: z.strictObject({
    job: hash,
    party: memberSchema,
    charter: hash,
    /** This one and all before it. */
    attempt: z.int().min(1).max(attemptsMax),
  }),
  signature: z.string().regex(/^[0-9a-f]{128}$/, 'expected a signature in hexadecimal digits'),
});

export type SignedRenunciation = Readonly<z.infer<typeof signedRenunciationSchema>>;
export type Renunciation = SignedRenunciation['renunciation'];

export function signRenunciation(renunciation: Renunciation, sign: Sign): SignedRenunciation {
  return { renunciation, signature: toHex(sign(label, hashJson(renunciation))) };
}

/** What a renunciation must fit. */
export interface Renounced {
  readonly job: string;
  /** The hash of the charter, as hex. */
  readonly charterHash: string;
  readonly charter: Charter;
  readonly attempt: number;
}

/**
 * One party's renunciation as it came from elsewhere: of just this attempt, and by that party's own key.
 * @throws ProtocolError BAD_RENUNCIATION, naming the party; InputError for its form
 */
export function checkRenunciation(
  given: unknown,
  party: string,
  { job, charterHash, charter, attempt }: Renounced,
): SignedRenunciation {
  const signed = conform(given, signedRenunciationSchema, { name: 'renunciation' });
  const { renunciation, signature } = signed;
  const refuse = (detail: string) => new ProtocolError('BAD_RENUNCIATION', { party, detail });
  if (renunciation.party !== party) throw refuse('it is another party’s');
  if (renunciation.job !== job || renunciation.charter !== charterHash) throw refuse('it is for another job');
  if (renunciation.attempt !== attempt) throw refuse('it is for another attempt');
  const identity = lookUp(charter.parties, party)?.identity;
  const isOwn = identity !== undefined && verify(fromHex(identity), label, hashJson(renunciation), fromHex(signature));
  if (!isOwn) throw refuse('the signature does not fit');
  return signed;
}

/**
 * Those of all on a job's roster, in its order: each there, and each good.
 * @throws ProtocolError BAD_RENUNCIATION, naming the party; InputError for their form
 */
export function checkRenunciations(given: readonly unknown[], roster: readonly string[], of: Renounced): void {
  for (const [index, party] of roster.entries()) {
    if (given[index] === undefined) throw new ProtocolError('BAD_RENUNCIATION', { party, detail: 'it is missing' });
    checkRenunciation(given[index], party, of);
  }
}
