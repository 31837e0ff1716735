/**
 * Opening: all commit, all sign the list of commitments, and only then does a sealed share leave its party.
 *
 * `open` is for an answer that the analyst alone may read; `verifyOpenings` is the analyst's side of it; `openTogether`
 * lets the parties themselves learn the sum, and is for programs that embed core.
 *
 * Rounds    2 each
 * Sends     open: 96 bytes to each peer; openTogether: 64 bytes and the share to each peer
 * Security  Every honest party signs one list, after its own bytes were durable. So the analyst gets each party's
 *           committed bytes or names the party. That a share is *right* is not proved: the parties are semi-honest.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { equal, fromHex, lengthPrefixed, toHex, u32, utf8 } from '../algebra/bytes.ts';
import { bytes, struct, words } from '../algebra/codec.ts';
import { sha256 } from '../algebra/hash.ts';
import type { Rng } from '../algebra/prg.ts';
import { bytesOf, type Vector } from '../algebra/ring.ts';
import type { Channel, Context, PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { Transcript } from '../channel/transcript.ts';
import { open as openShares } from '../sharing/additive.ts';
import { exchange, message } from './message.ts';

/** This party's identity key, and all parties' public ones. */
export interface Signatures {
  /** 64 bytes. */
  sign(statement: Uint8Array): Uint8Array;
  verify: Verify;
}

export type Verify = (party: PartyId, statement: Uint8Array, signature: Uint8Array) => boolean;

/** What one party hands to the analyst. Commitments and signatures of all parties, as lower-case hex. */
export interface Opening {
  readonly party: PartyId;
  readonly sealed: Uint8Array;
  readonly commitments: Readonly<Record<PartyId, string>>;
  readonly signatures: Readonly<Record<PartyId, string>>;
}

export interface OpenOptions {
  /** My share, sealed for the analyst. */
  readonly sealed: Uint8Array;
  /** 32 bytes: the hash of all acceptances. */
  readonly acceptances: Uint8Array;
  readonly signatures: Signatures;
  /** Resolves when exactly these bytes would survive a crash. */
  durable(sealed: Uint8Array): Promise<void>;
}

const Commitment = message('open/commitment', struct({ hash: bytes(32) }));
const Signature = message('open/signature', struct({ signature: bytes(64) }));

/** SHA-256 over (job, attempt, party, sealed bytes), each behind its length. */
export function commitment(context: Context, party: PartyId, sealed: Uint8Array): Uint8Array {
  const place = lengthPrefixed(utf8('folkmoot commitment v1'), context.job, u32(context.attempt), utf8(party));
  return sha256(place, u32(sealed.length), sealed);
}

/** The 32 bytes that all parties sign: the transcript of the acceptances and the full list of commitments. */
export function openingStatement(
  context: Context,
  acceptances: Uint8Array,
  commitments: ReadonlyMap<PartyId, Uint8Array>,
): Uint8Array {
  assert(acceptances.length === 32, 'the hash of the acceptances has 32 bytes');
  const transcript = new Transcript('folkmoot opening v1', context);
  transcript.absorb('', 'acceptances', acceptances);
  transcript.absorbRound(Commitment.label, commitments);
  return transcript.hash();
}

/**
 * Once in an attempt. What it returns may leave this party; before it returns, nothing may.
 * @throws ProtocolError BAD_OPENING_SIGNATURE, naming the party whose signature does not fit the list that I saw.
 */
export async function open(parent: Channel, options: OpenOptions): Promise<Opening> {
  const { sealed, acceptances, signatures } = options;
  const ch = parent.fork('open');
  await options.durable(sealed);

  // Round 1. Commit. The bytes are durable, so after a crash there is nothing else to open than what was committed to.
  const round1 = await exchange(ch, Commitment, { hash: commitment(ch.context, ch.self, sealed) });
  const commitments = mapValues(round1, ({ hash }) => hash);

  // Round 2. Sign the list. Each signature says: I saw this list and no other, and I can open my entry in it.
  const statement = openingStatement(ch.context, acceptances, commitments);
  const round2 = await exchange(ch, Signature, { signature: signatures.sign(statement) });
  for (const [party, { signature }] of round2) {
    if (!signatures.verify(party, statement, signature)) throw new ProtocolError('BAD_OPENING_SIGNATURE', { party });
  }

  return {
    party: ch.self,
    sealed,
    commitments: Object.fromEntries(mapValues(commitments, toHex)),
    signatures: Object.fromEntries(mapValues(round2, ({ signature }) => toHex(signature))),
  };
}

/**
 * The analyst's side: all N openings are there, all N signatures under each list are good, the lists are one, and each
 * party's bytes are those it committed to. Order does not matter.
 * @throws ProtocolError BAD_OPENING_SIGNATURE or BAD_COMMITMENT, naming the party whose opening does not hold.
 */
export function verifyOpenings(
  context: Context,
  acceptances: Uint8Array,
  openings: readonly Opening[],
  verify: Verify,
): void {
  const stranger = openings.find(({ party }) => !context.roster.includes(party));
  if (stranger !== undefined) throw bad('BAD_COMMITMENT', stranger.party, 'it takes no part in this job');
  const statements = new Set<string>();
  // Honest parties hand over the same N signatures: each is verified once, not once in each of N openings.
  const verified = new Set<string>();
  const verifyOnce: Verify = (signer, statement, signature) => {
    const claim = `${signer} ${toHex(statement)} ${toHex(signature)}`;
    const fits = verified.has(claim) || verify(signer, statement, signature);
    if (fits) verified.add(claim);
    return fits;
  };
  for (const party of context.roster) {
    const theirs = openings.filter((opening) => opening.party === party);
    if (theirs.length !== 1) throw bad('BAD_COMMITMENT', party, `${theirs.length} openings instead of one`);
    // N good signatures under another list would need every party to have signed two.
    statements.add(toHex(verifyOpening(context, acceptances, theirs[0]!, verifyOnce)));
    if (statements.size > 1) throw bad('BAD_COMMITMENT', party, 'its list differs from the others');
  }
}

/**
 * One opening by itself: all N signatures under its list are good, and its bytes are those committed to. It gives the
 * statement that was signed.
 * @throws ProtocolError BAD_OPENING_SIGNATURE or BAD_COMMITMENT, naming the party of the opening.
 */
export function verifyOpening(
  context: Context,
  acceptances: Uint8Array,
  { party, sealed, commitments, signatures }: Opening,
  verify: Verify,
): Uint8Array {
  const list = hexEntries(context, commitments, 32) ?? refuse('BAD_COMMITMENT', party, 'its list is not well formed');
  const signed = hexEntries(context, signatures, 64) ?? refuse('BAD_OPENING_SIGNATURE', party, 'not well formed');
  const statement = openingStatement(context, acceptances, list);
  for (const [signer, signature] of signed) {
    if (!verify(signer, statement, signature)) throw bad('BAD_OPENING_SIGNATURE', party, `signature of ${signer}`);
  }
  if (!equal(commitment(context, party, sealed), list.get(party)!)) throw bad('BAD_COMMITMENT', party);
  return statement;
}

/**
 * All parties learn the sum of their shares. Committing first keeps the last to speak from choosing its share by the
 * others'; the salt keeps a short share from being guessed out of its commitment.
 * @throws ProtocolError BAD_COMMITMENT, naming the party that revealed another share.
 */
export async function openTogether(ch: Channel, share: Vector, rng: Rng): Promise<Vector> {
  const Reveal = message('open-together/share', struct({ salt: bytes(32), words: words(share.words.length) }));
  const Promised = message('open-together/commitment', struct({ hash: bytes(32) }));
  const mine = { salt: rng(32), words: share.words };

  // Round 1. Commit.
  const promised = await exchange(ch, Promised, { hash: saltedCommitment(ch.context, ch.self, mine.salt, share) });

  // Round 2. Reveal.
  const revealed = await exchange(ch, Reveal, mine);
  const shares: Vector[] = [];
  for (const [party, { salt, words: theirWords }] of revealed) {
    const theirs = { ring: share.ring, words: theirWords };
    const { hash } = promised.get(party)!;
    if (!equal(hash, saltedCommitment(ch.context, party, salt, theirs))) throw bad('BAD_COMMITMENT', party);
    shares.push(theirs);
  }
  return openShares(shares);
}

function saltedCommitment(context: Context, party: PartyId, salt: Uint8Array, share: Vector): Uint8Array {
  const label = utf8('folkmoot share commitment v1');
  return sha256(lengthPrefixed(label, context.job, u32(context.attempt), utf8(party), salt), bytesOf(share));
}

/** One value of so many bytes for each party of the roster and for nobody else, or undefined. */
function hexEntries(
  context: Context,
  record: Readonly<Record<PartyId, string>>,
  size: number,
): Map<PartyId, Uint8Array> | undefined {
  if (Object.keys(record).length !== context.roster.length) return undefined;
  const entries = new Map<PartyId, Uint8Array>();
  for (const party of context.roster) {
    const text = Object.hasOwn(record, party) ? record[party] : undefined;
    if (typeof text !== 'string' || !/^[0-9a-f]*$/.test(text) || text.length !== 2 * size) return undefined;
    entries.set(party, fromHex(text));
  }
  return entries;
}

function mapValues<A, B>(map: ReadonlyMap<PartyId, A>, f: (value: A) => B): Map<PartyId, B> {
  return new Map(Array.from(map, ([party, value]) => [party, f(value)]));
}

function bad(code: 'BAD_COMMITMENT' | 'BAD_OPENING_SIGNATURE', party: PartyId, detail?: string): ProtocolError {
  return new ProtocolError(code, { party, detail });
}

function refuse(code: 'BAD_COMMITMENT' | 'BAD_OPENING_SIGNATURE', party: PartyId, detail: string): never {
  throw bad(code, party, detail);
}
