/**
 * Private set intersection: the receiver learns which of its elements the sender has, after Rindal and Schoppmann
 * (EUROCRYPT 2021).
 *
 * The receiver has the outputs of an oblivious pseudorandom function (`oprf.ts`) for its elements, the sender sends those
 * of its own, cut short and in an order of chance, and the receiver finds its own among them.
 *
 * Rounds    4: two for the seed, one for the function's store, one for the masks; and that of the evaluations
 * Sends     48 bytes and 32 each way for the seed, 16 a row of the store (receiver), and for each of its elements
 *           `maskBytes` (sender): 10 where both have 2^20. See `psiCost`
 * Takes     okvsSize(n) evaluations of the source, for n elements of the receiver; elements of 16 bytes that differ
 *           within a party
 * Security  That of the function. What the receiver gets of elements that it has not looks random, and in a random order:
 *           in the sender's own it would see which of the sender's elements are next to each other. Masks are as long as it
 *           takes for a false match, or two of the sender's that are alike, with a chance below 2^-40. So masks that are
 *           alike are no chance, and are refused. The seed is tossed when both have fixed their sets (see `oprf.ts`).
 *           An active sender can send masks of elements that it does not have only by chance; it can leave some out.
 * Memory    At 2^20 elements 150 MB a party, with the 17 of its elements.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { toss, tossBytes } from './coin-toss.ts';
import type { Preprocessing } from './cost.ts';
import { maskBytes, maskTable, recvMasks, sendMasks, shortened } from './masks.ts';
import { evaluateOprf, oprfCost, recvOprf, sendOprf } from './oprf.ts';
import type { ReceiverSource, SenderSource } from './pair-source.ts';
import { shuffled } from './shuffle.ts';

const elementBytes = 16;
const seedBytes = 16;

/** Four times the sets that joins are made for; below it, indices and products of counts are exact. */
const elementsMax = 2 ** 22;

/** How many elements each has. */
export interface SetSizes {
  readonly receiver: number;
  readonly sender: number;
}

/** How many evaluations are taken of the source, and nothing else. */
export function psiVoles({ receiver }: SetSizes): number {
  return oprfCost(receiver).voles;
}

/** What is sent, in bytes of both ends. What is taken of the source has a cost of its own. */
export function psiCost({ receiver, sender }: SetSizes): Preprocessing {
  const { rounds, bytes } = oprfCost(receiver);
  const masks = sender * maskBytes(receiver, sender);
  return { rounds: 2 + rounds + 1, bytes: 2 * tossBytes(seedBytes) + bytes + masks };
}

/**
 * The receiver's end: 1 for each of its elements that the sender has, 0 for each other.
 * @throws ProtocolError BAD_MESSAGE where masks repeat, naming the sender; OKVS_FULL
 */
export async function recvPsi(
  ch: Channel,
  peer: PartyId,
  source: Pick<ReceiverSource, 'vole'>,
  elements: Uint8Array,
  peerCount: number,
  rng: Rng,
): Promise<Uint8Array> {
  const count = countOf(elements, peerCount);
  // Rounds 1 and 2. Both sets are fixed by now.
  const seed = await toss(ch, peer, seedBytes, rng);
  // Round 3. The function.
  const mine = await recvOprf(ch, peer, source.vole, elements, seed, rng);
  // Round 4. The masks.
  const theirs = await recvMasks(ch, peer, maskBytes(count, peerCount), peerCount);
  return maskTable(peer, theirs, rng).has(mine);
}

/** The sender's end. */
export async function sendPsi(
  ch: Channel,
  peer: PartyId,
  source: Pick<SenderSource, 'vole'>,
  elements: Uint8Array,
  peerCount: number,
  rng: Rng,
): Promise<void> {
  const count = countOf(elements, peerCount);
  const seed = await toss(ch, peer, seedBytes, rng);
  const key = await sendOprf(ch, peer, source.vole, peerCount, seed);
  const outputs = evaluateOprf(key, elements);
  await sendMasks(ch, peer, shortened(outputs, maskBytes(peerCount, count), shuffled(count, rng)));
}

function countOf(elements: Uint8Array, peerCount: number): number {
  const count = elements.length / elementBytes;
  for (const each of [count, peerCount]) {
    assert(Number.isInteger(each) && each >= 1 && each <= elementsMax, 'a set has from 1 to 2^22 elements of 16 bytes');
  }
  return count;
}
