/**
 * Signed heads of a party's audit log, and what another party checks before it countersigns one.
 *
 * A head says how many entries a log has, their Merkle root, and what the party's ledger has spent. At each job every party
 * shows its head to the others, with a proof for each that its log begins with all that they signed before. Who signed the
 * last one signs this one too, and keeps it. From then on no entry before it can be changed, taken out or taken back
 * without a contradiction between two signatures of that party itself.
 *
 * A head may be older than the last one signed, where two jobs were under way at once: then it was issued before that one,
 * and its job was asked for before that one too, which the analyst's signature says. It passes and is not signed again. Any
 * other smaller head is a log that was taken back.
 *
 * Where many jobs wait, their heads were shown before the last one was signed, with no proof from it: nobody knew then which
 * of them would be signed first. Such a larger head passes too and is not signed, if it and its job are from before the
 * instant at which the last one was signed here. What is shown later has the proof, since that signature was heard of.
 *
 * A party whose state was an old copy says so in its heads: `restored` names the states that it lost. Who holds just one of
 * these goes on from there, and enters it in its own log. What is spent must not have fallen, even so.
 * @module
 */
import { z } from 'zod';
import { fromHex, toHex } from '../algebra/bytes.ts';
import { hashJson } from '../algebra/hash.ts';
import { treeSizeMax, verifyConsistency } from '../algebra/merkle-tree.ts';
import { ProtocolError } from '../channel/errors.ts';
import { periodSchema } from './acceptance.ts';
import { fallen, type TreeState } from './audit-entry.ts';
import type { Charter } from './charter.ts';
import { conform } from './document.ts';
import { clockSkewMs } from './envelope.ts';
import { type Sign, verify } from './identity.ts';
import { lookUp, memberSchema, nameSchema } from './name.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected a hash in hexadecimal digits');
const signature = z.string().regex(/^[0-9a-f]{128}$/, 'expected a signature in hexadecimal digits');
const size = z.int().min(1).max(treeSizeMax);
/** A sum of amounts that each fit 2^60. */
const count = z.string().regex(/^(0|[1-9]\d{0,29})$/, 'expected a whole number');

/** Datasets of a party times the periods it has declared: a hundred years of quarters of ten datasets. */
const totalsMax = 4_000;
/** States that a log has lost: each is a restored backup, or a party that held another state of it. */
export const restoredMax = 64;
/** Proofs in one offer: one for each state that some peer may hold as its last. A job has no more parties than these. */
const proofsMax = 1_000;
/** log₂ of the largest size, and one. */
const proofHashesMax = 31;

const headSchema = z.strictObject({
  party: memberSchema,
  charter: hash,
  size,
  root: hash,
  totals: z
    .array(
      z.strictObject({
        dataset: nameSchema,
        period: periodSchema,
        unit: z.enum(['epsilon', 'rho']),
        micro: count,
        pico: count,
        /** What jobs under way may yet cost: the one that the head is shown for, for a start. */
        reserved: z.strictObject({ micro: count, pico: count }),
      }),
    )
    .max(totalsMax),
  at: z.iso.datetime(),
  /** The states that were lost with what a backup did not have. */
  restored: z
    .array(z.strictObject({ size, root: hash }))
    .min(1)
    .max(restoredMax)
    .optional(),
});

export const signedHeadSchema = z.strictObject({ head: headSchema, signature });

const offerSchema = z.strictObject({
  head: signedHeadSchema,
  proofs: z.array(z.strictObject({ from: size, hashes: z.array(hash).max(proofHashesMax) })).max(proofsMax),
});

export type SignedHead = Readonly<z.infer<typeof signedHeadSchema>>;
export type Head = SignedHead['head'];
/** A head, with proofs from each of the states that peers may have signed last. */
export type HeadOffer = Readonly<z.infer<typeof offerSchema>>;

const headLabel = 'folkmoot audit head v1';
const countersignatureLabel = 'folkmoot audit countersignature v1';

export function signHead(head: Head, sign: Sign): SignedHead {
  return { head, signature: toHex(sign(headLabel, hashJson(head))) };
}

/** Whether the party that a head names has signed it. */
export function isHeadSigned({ head, signature: by }: SignedHead, charter: Charter): boolean {
  const identity = lookUp(charter.parties, head.party)?.identity;
  return identity !== undefined && verify(fromHex(identity), headLabel, hashJson(head), fromHex(by));
}

const countersigned = (head: Head, by: string): Uint8Array => hashJson({ by, head: toHex(hashJson(head)) });

/** One party's signature, in hexadecimal digits, under another's head. */
export function countersign(head: Head, by: string, sign: Sign): string {
  return toHex(sign(countersignatureLabel, countersigned(head, by)));
}

export function isCountersigned(head: Head, by: string, given: string, charter: Charter): boolean {
  const identity = lookUp(charter.parties, by)?.identity;
  if (identity === undefined || !signature.safeParse(given).success) return false;
  return verify(fromHex(identity), countersignatureLabel, countersigned(head, by), fromHex(given));
}

/**
 * A party's offer as it came from elsewhere: its own head, under this charter.
 * @throws ProtocolError AUDIT_UNPROVEN, naming the party
 */
export function checkOffer(given: unknown, party: string, charter: Charter, charterHash: string): HeadOffer {
  const refuse = (detail: string, cause?: unknown) => new ProtocolError('AUDIT_UNPROVEN', { party, detail, cause });
  if (given === undefined || given === null) throw refuse('it showed none');
  let offer: HeadOffer;
  try {
    offer = conform(given, offerSchema, { name: 'head' });
  } catch (cause) {
    throw refuse('its head is not well formed', cause);
  }
  const { head } = offer.head;
  if (head.party !== party || head.charter !== charterHash) throw refuse('its head is another party’s or charter’s');
  if (!isHeadSigned(offer.head, charter)) throw refuse('the signature does not fit');
  return offer;
}

/**
 * How an offer stands to the last head of the party that was signed here, at `signedMs` by the clock here: `same`, `grown`
 * and `restored` are signed.
 * @throws ProtocolError AUDIT_ROLLED_BACK, AUDIT_FORKED, AUDIT_UNPROVEN, naming the party
 */
export function follows(
  { head: { head }, proofs }: HeadOffer,
  last: Head | undefined,
  jobIssuedMs: number,
  signedMs: number,
): 'same' | 'grown' | 'restored' | 'stale' {
  if (last === undefined) return 'grown';
  const { party } = head;
  if (head.size === last.size && head.root === last.root) {
    checkSpent(head, last);
    return 'same';
  }
  if (head.restored?.some((lost) => isState(lost, last))) {
    checkSpent(head, last);
    return 'restored';
  }
  const lastMs = Date.parse(last.at);
  if (head.size < last.size) {
    if (Date.parse(head.at) <= lastMs && jobIssuedMs <= lastMs + clockSkewMs) return 'stale';
    const detail = `it has ${head.size} entries, and signed for ${last.size} before`;
    throw new ProtocolError('AUDIT_ROLLED_BACK', { party, detail });
  }
  const proof = proofs.find(({ from }) => from === last.size);
  if (head.size > last.size && proof === undefined) {
    const untilMs = signedMs + clockSkewMs;
    if (Date.parse(head.at) <= untilMs && jobIssuedMs <= untilMs) {
      checkSpent(head, last);
      return 'stale';
    }
    // By itself that does not tell which of the two was set back: the party set back learns it from the others.
    const detail = `no proof leads from the ${last.size} entries that were signed last: one of the two has an older state`;
    throw new ProtocolError('AUDIT_UNPROVEN', { party, detail });
  }
  const [before, after] = [fromHex(last.root), fromHex(head.root)];
  const hashes = (proof?.hashes ?? []).map(fromHex);
  if (!verifyConsistency(last.size, head.size, before, after, hashes)) {
    const detail = `its ${head.size} entries do not begin with the ${last.size} that it signed for before`;
    throw new ProtocolError('AUDIT_FORKED', { party, detail });
  }
  checkSpent(head, last);
  return 'grown';
}

export const isState = (a: TreeState, b: TreeState): boolean => a.size === b.size && a.root === b.root;

function checkSpent(head: Head, last: Head): void {
  const less = fallen(last.totals, head.totals);
  if (less === undefined) return;
  const detail = `its ledger has spent less on ${less.dataset} in ${less.period} than it had`;
  throw new ProtocolError('AUDIT_ROLLED_BACK', { party: head.party, detail });
}
