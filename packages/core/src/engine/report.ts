/**
 * The end of the road, on the analyst's own machine: from the parties' openings to the answer.
 *
 * Nothing is believed: the documents are checked as the parties checked them, then the signatures and commitments of
 * all openings, then the length of each share. What comes out is the finished answer, and of a protected job every
 * measure with the interval of its noise. What an exact job withholds has not been opened, here or before.
 * @module
 */

import { concat } from '../algebra/bytes.ts';
import { bytesOf, fromBytes, type Vector } from '../algebra/ring.ts';
import type { PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { type Opening, type Verify, verifyOpenings } from '../protocols/open.ts';
import { type Answer, type AnswerCost, finishAnswer } from '../query/answer.ts';
import { decode, type Layout, bytesOf as layoutBytes } from '../query/encode.ts';
import { jobId } from '../query/envelope.ts';
import { finishProtected } from '../query/protected-answer.ts';
import { open } from '../sharing/additive.ts';
import { agree, type Terms } from './agree.ts';

/** What the analyst received. */
export interface Delivery {
  readonly attempt: number;
  /** One of each party. */
  readonly openings: readonly Opening[];
  readonly cost?: AnswerCost;
  readonly receipts?: readonly unknown[];
}

/** What the caller does for it. */
export interface AnalystEffects {
  /** Whether a party's signature fits, by the charter's keys. */
  verify: Verify;
  /** Decrypts what a party sealed for this job and attempt. */
  open(sealed: Uint8Array, party: PartyId): Promise<Uint8Array>;
}

/** What a helper opens: it holds no share, and signs what it dealt for. */
const nothing: Layout = { sections: [], cells: 0 };

/** A party's shares as one message: what is sealed to the analyst. */
export function packShares(shares: readonly Vector[]): Uint8Array {
  return shares.length === 1 ? bytesOf(shares[0]!) : concat(...shares.map(bytesOf));
}

/**
 * @throws ProtocolError BAD_ENVELOPE, naming the party whose message is not as long as its vectors
 */
export function unpackShares(layout: Layout, message: Uint8Array, party: PartyId): Vector[] {
  if (message.length !== layoutBytes(layout)) {
    throw new ProtocolError('BAD_ENVELOPE', { party, detail: 'its share has another length' });
  }
  let at = 0;
  return layout.sections.map(({ ring, statistics }) => {
    const elements = statistics.length * layout.cells;
    const bytes = message.subarray(at, at + (elements * ring.bits) / 8);
    at += bytes.length;
    return fromBytes(ring, bytes, elements);
  });
}

/**
 * The answer, from the documents and the openings alone. `terms.nowMs` is the moment of the run, not of the reading.
 * @throws ProtocolError BAD_COMMITMENT, BAD_OPENING_SIGNATURE, BAD_ENVELOPE, naming the party; what `agree` throws
 */
export async function report(terms: Terms, delivery: Delivery, effects: AnalystEffects): Promise<Answer> {
  const { checked, query, layout, disclosure, protection, strictness, readings, threshold, acceptances, context } =
    agree(terms);
  const { attempt, openings, cost, receipts } = delivery;
  verifyOpenings(context(attempt), acceptances, openings, effects.verify);
  // Side by side: decryption is off this thread where the platform has one to spare.
  const shares = await Promise.all(
    openings.map(async ({ party, sealed }) =>
      unpackShares(party === checked.helper ? nothing : layout, await effects.open(sealed, party), party),
    ),
  );
  const own = shares.filter((vectors) => vectors.length > 0);
  const vectors = layout.sections.map((_, section) => open(own.map((each) => each[section]!)));
  const opened = decode(layout, vectors);
  const common = {
    job: jobId(terms.signed.envelope),
    checked,
    ...(cost === undefined ? {} : { cost }),
    ...(receipts === undefined ? {} : { receipts }),
  };
  const { round } = strictness;
  if (disclosure !== null) return finishAnswer({ ...common, disclosure, opened, round });
  const periods = Object.fromEntries(Object.entries(readings).map(([party, { period }]) => [party, period]));
  return finishProtected({ ...common, query, protection: protection!, totals: opened, threshold, round, periods });
}
