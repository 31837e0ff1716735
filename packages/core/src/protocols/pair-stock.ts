/**
 * A part of what a pair computes with, taken out as plain data: it may go to another thread or machine of this party, and
 * be used there in any order beside other parts.
 *
 * Transfers are taken with random choices; who uses them turns these into given ones (`given-choices.ts`), so that a part
 * costs what the source's own transfers do.
 *
 * Rounds    those of the source, for what it has not made ahead        Sends    as the source does
 * Security  that of the source: a part is used once, like all of it. It holds shares and the Δ of this party's session,
 *           and goes nowhere but to this party's own workers
 * Memory    16 bytes a transfer at either end, 12 for 32 bit triples
 * @module
 */
import type { Channel, PartyId } from '../channel/channel.ts';
import type { BitTriples } from '../sharing/beaver-triple.ts';
import { octetsOf } from './given-choices.ts';
import { OtReceiver, OtSender, otsMax } from './ot-extension.ts';
import type { PairSource } from './pair-source.ts';
import { handOut } from './prefetch.ts';

/** How much of each is taken: bit triples in whole words, transfers in whole octets. */
export interface PairPart {
  readonly bitTriples: number;
  /** Transfers that this party sends, and that it receives. */
  readonly sent: number;
  readonly received: number;
}

export interface PairStock {
  readonly bitTriples: BitTriples;
  readonly delta: Uint8Array;
  /** Rows q of what this party sends. */
  readonly sent: Uint8Array;
  /** Rows t and choices of what it receives. */
  readonly received: { readonly rows: Uint8Array; readonly choices: Uint8Array };
}

/** Takes the next part. Both ends take the same parts in the same order. */
export async function takePair(source: PairSource, part: PairPart): Promise<PairStock> {
  const { a, b, c } = await source.bits.bitTriples(part.bitTriples);
  const [sent, received] = await Promise.all([
    sentRows(source.sender, part.sent),
    heldRows(source.receiver, part.received),
  ]);
  // Of its own memory: what is a view of more would take all of it along.
  return { bitTriples: { a: a.slice(), b: b.slice(), c: c.slice() }, delta: source.sender.delta, sent, received };
}

/** A source of a part alone, over a channel of its own. */
export function pairOver(ch: Channel, peer: PartyId, { bitTriples, delta, sent, received }: PairStock): PairSource {
  let [sentAt, heldAt] = [0, 0];
  return {
    bits: handOut([{ bitTriples: [bitTriples], triples: [], sharedBits: [] }]),
    sender: OtSender.over(ch, peer, delta, (count) => {
      sentAt += 16 * count;
      return sent.subarray(sentAt - 16 * count, sentAt);
    }),
    receiver: OtReceiver.over(ch, peer, (count) => {
      heldAt += count;
      return {
        rows: received.rows.subarray(16 * (heldAt - count), 16 * heldAt),
        choices: received.choices.slice((heldAt - count) / 8, heldAt / 8),
      };
    }),
  };
}

async function sentRows(session: OtSender, count: number): Promise<Uint8Array> {
  const rows = new Uint8Array(16 * octetsOf(count));
  await session.prepare(octetsOf(count));
  for (let start = 0; start < rows.length / 16; start += otsMax) {
    rows.set(await session.extend(Math.min(otsMax, rows.length / 16 - start), 'random'), 16 * start);
  }
  return rows;
}

async function heldRows(session: OtReceiver, count: number): Promise<PairStock['received']> {
  const rows = new Uint8Array(16 * octetsOf(count));
  const choices = new Uint8Array(rows.length / 128);
  for (let start = 0; start < rows.length / 16; start += otsMax) {
    const piece = await session.extend(Math.min(otsMax, rows.length / 16 - start));
    rows.set(piece.rows, 16 * start);
    choices.set(piece.choices, start / 8);
  }
  return { rows, choices };
}
