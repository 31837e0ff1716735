/**
 * Coins that two parties toss together, after Blum (1981): both commit, then both reveal, and the sum counts.
 *
 * Rounds    2
 * Sends     32 bytes, then 32 bytes and the coins, each way
 * Security  With SHA-256 a random oracle: a commitment hides its coins behind 32 random bytes and binds to them, so the
 *           sum is uniform where one of the two is honest. A party's name is part of what it commits to, so that nobody
 *           can send another's commitment back. Who reveals last can stop when it does not like the sum; a protocol that
 *           ends there ends for good.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { concat, equal, lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { octets, recvFrom, sendTo } from './message.ts';

/** What a commitment hides its coins behind. */
const saltBytes = 32;

/** Seeds and salts are wanted; longer streams are stretched from them. */
const tossBytesMax = 64;

const Commitment = octets('toss/commitment', 32);

/** Bytes that one party sends. */
export function tossBytes(bytes: number): number {
  return Commitment.bytesMax + saltBytes + bytes;
}

/**
 * The same uniform bytes at both ends.
 * @throws ProtocolError BAD_COMMITMENT, naming the peer that revealed other coins.
 */
export async function toss(ch: Channel, peer: PartyId, bytes: number, rng: Rng): Promise<Uint8Array> {
  assert(bytes >= 1 && bytes <= tossBytesMax, 'from 1 to 64 bytes are tossed');
  const Coins = octets('toss/coins', saltBytes + bytes);
  const mine = concat(rng(saltBytes), rng(bytes));

  // Round 1. Commit.
  const sent = sendTo(ch, peer, Commitment, commitment(ch, ch.self, mine));
  const [theirs] = await Promise.all([recvFrom(ch, peer, Commitment), sent]);

  // Round 2. Reveal.
  const revealed = sendTo(ch, peer, Coins, mine);
  const [other] = await Promise.all([recvFrom(ch, peer, Coins), revealed]);
  if (!equal(commitment(ch, peer, other), theirs)) throw new ProtocolError('BAD_COMMITMENT', { party: peer });
  return mine.slice(saltBytes).map((byte, i) => byte ^ other[saltBytes + i]!);
}

function commitment({ context }: Channel, party: PartyId, coins: Uint8Array): Uint8Array {
  const place = lengthPrefixed(utf8('folkmoot coin toss v1'), context.job, u32(context.attempt), utf8(party));
  return sha256(place, coins);
}
