/**
 * What two parties compute with, from a dealer: a third party of the session that takes no part in the computation
 * (Beaver, STOC 1997). Triples and shared bits are those of `dealer-correlations.ts`; here are transfers and evaluations.
 *
 * Both are a correlation c = a·Δ ⊕ b, with a of one bit for transfers (c = t, b = q) and of GF(2^128) for evaluations.
 * Δ and b are a stream that the one party has with the dealer, a is another's that the other party has with it; c is what
 * is missing to the relation, and the dealer sends it to the party that has a. Only that party asks, once, for all of the
 * demand: what it then holds is used without another word to the dealer. Given choices are told to the peer; see
 * `given-choices.ts`.
 *
 * Rounds    2 for transfers and evaluations, all at once, beside those of the triples and bits
 * Sends     who asks 4 bytes for each of the three; the dealer 16 bytes for each transfer and evaluation
 * Security  The dealer sees sizes only, which are public. But where it colludes with one of the two, or either can see
 *           into its memory or its timing, the other's privacy is gone: a dealer is for those who all agree to it. An
 *           active dealer can make results wrong.
 * Memory    16 bytes for each transfer and evaluation at the party that asks, until it is used; a piece at the dealer
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { struct, u32 } from '../algebra/codec.ts';
import { Prg } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { kernels, table128 } from '../kernels/kernels.ts';
import type { Correlations, Demand } from './correlations.ts';
import { checkLengths, type Preprocessing } from './cost.ts';
import { deal, dealerCorrelations, dealerPreprocessing } from './dealer-correlations.ts';
import { octetsOf } from './given-choices.ts';
import { message, octets, recvFrom, sendTo } from './message.ts';
import { OtReceiver, OtSender } from './ot-extension.ts';
import type { PairDemand, ReceiverSource, SenderSource } from './pair-source.ts';
import { handOut, prefetch, reel } from './prefetch.ts';

const rowBytes = 16;

/** Rows of one message of the dealer: 2 MiB. */
export const dealtPieceMax = 2 ** 17;

/** Rows of one kind: who asks for them holds 1 GiB. */
export const dealtMax = 2 ** 26;

/** So many rows of the fork's kind. */
const Request = message('dealt/request', struct({ count: u32 }));

/** Whether a is a bit or an element. */
type Factor = 'bit' | 'element';

/** One kind of rows, as all three see it. */
interface Line {
  readonly label: string;
  readonly factor: Factor;
  readonly count: number;
  /** Who has Δ. */
  readonly owner: PartyId;
  /** Who has a, and asks for c. */
  readonly holder: PartyId;
}

interface Lines {
  readonly fromSender: Line;
  readonly fromReceiver: Line;
  readonly voles: Line;
}

function linesOf(sender: PartyId, receiver: PartyId, demand: PairDemand): Lines {
  const line = (label: string, factor: Factor, count: number, owner: PartyId, holder: PartyId): Line => {
    return { label, factor, count, owner, holder };
  };
  return {
    fromSender: line('ots-from-sender', 'bit', octetsOf(demand.otsFromSender), sender, receiver),
    fromReceiver: line('ots-from-receiver', 'bit', octetsOf(demand.otsFromReceiver), receiver, sender),
    voles: line('voles', 'element', demand.voles, sender, receiver),
  };
}

/** @throws ProtocolError OVER_LIMIT */
function checkedLines(sender: PartyId, receiver: PartyId, demand: PairDemand): Lines {
  const lines = linesOf(sender, receiver, demand);
  for (const { label, count } of Object.values(lines) as Line[]) checkLengths(`dealt/${label}`, dealtMax, count);
  return lines;
}

/** The receiver's end, which holds all of the demand. The channel's roster has the two and the dealer. */
export async function dealtReceiver(
  parent: Channel,
  peer: PartyId,
  dealer: PartyId,
  demand: PairDemand,
): Promise<ReceiverSource> {
  const ch = forkOf(parent);
  const { fromSender, fromReceiver, voles } = checkedLines(peer, ch.self, demand);
  const [bits, held, heldVoles] = await Promise.all([
    dealtBits(parent, dealer, demand),
    hold(ch, dealer, fromSender),
    hold(ch, dealer, voles),
  ]);
  const { delta, take } = own(ch, dealer, fromReceiver);
  return {
    bits,
    sender: OtSender.over(ch, peer, delta, take),
    receiver: transfersTo(ch, peer, held),
    vole: { extend: async (count) => heldVoles(count) },
  };
}

/** The sender's end. */
export async function dealtSender(
  parent: Channel,
  peer: PartyId,
  dealer: PartyId,
  demand: PairDemand,
): Promise<SenderSource> {
  const ch = forkOf(parent);
  const { fromSender, fromReceiver, voles } = checkedLines(ch.self, peer, demand);
  const [bits, held] = await Promise.all([dealtBits(parent, dealer, demand), hold(ch, dealer, fromReceiver)]);
  const owned = own(ch, dealer, fromSender);
  const { delta, take } = own(ch, dealer, voles);
  return {
    bits,
    sender: OtSender.over(ch, peer, owned.delta, owned.take),
    receiver: transfersTo(ch, peer, held),
    vole: { delta, extend: async (count) => take(count) },
  };
}

/**
 * The dealer's part for the two: all of the demand, once.
 * @throws ProtocolError BAD_MESSAGE for a request of anything else
 */
export async function dealPair(parent: Channel, sender: PartyId, receiver: PartyId, demand: PairDemand): Promise<void> {
  const ch = forkOf(parent);
  const lines = Object.values(checkedLines(sender, receiver, demand)) as Line[];
  const bits = bitsOf(demand);
  await Promise.all([
    ...lines.filter(({ count }) => count > 0).map((line) => dealLine(ch.fork(line.label), line)),
    bits === undefined ? undefined : deal(parent, bits),
  ]);
}

/** What all of it costs the three together, until the two hold it. */
export function dealtCost(demand: PairDemand): Preprocessing {
  const lines = Object.values(linesOf('', '', demand)).filter(({ count }: Line) => count > 0) as Line[];
  const bits = bitsOf(demand);
  const ofBits = bits === undefined ? { rounds: 0, bytes: 0 } : dealerPreprocessing(bits);
  return {
    rounds: Math.max(ofBits.rounds, lines.length === 0 ? 0 : 2),
    bytes: lines.reduce((sum, { count }) => sum + 4 + rowBytes * count, ofBits.bytes),
  };
}

function forkOf(parent: Channel): Channel {
  assert(parent.context.roster.length === 3, 'two parties and their dealer are in a session');
  return parent.fork('dealt-pair');
}

/** What the dealer of bits is asked for, if anything. */
function bitsOf({ bitTriples, sharedBits }: PairDemand): Demand | undefined {
  return bitTriples === 0 && sharedBits === 0 ? undefined : { bitTriples, triples: 0, sharedBits };
}

async function dealtBits(parent: Channel, dealer: PartyId, demand: PairDemand): Promise<Correlations> {
  const bits = bitsOf(demand);
  if (bits === undefined) return handOut([]);
  const source = dealerCorrelations(parent, dealer);
  const made = await prefetch(source, bits);
  await source.close();
  return made;
}

/** The owner's end: Δ, and rows b as they are asked for. */
function own(parent: Channel, dealer: PartyId, { label, count }: Line) {
  const ch = parent.fork(label);
  const stream = new Prg(ch.deriveKey(dealer, ch.self, 'dealt/stream'));
  const delta = next(stream, rowBytes);
  let left = count;
  const take = (rows: number): Uint8Array => {
    assert(rows <= left, 'no more rows are asked for than were dealt');
    left -= rows;
    return next(stream, rowBytes * rows);
  };
  return { delta, take };
}

/** The holder's end: asks for all rows c, and hands them out with their a. */
async function hold(parent: Channel, dealer: PartyId, { label, factor, count }: Line) {
  const ch = parent.fork(label);
  const stream = new Prg(ch.deriveKey(dealer, ch.self, 'dealt/stream'));
  if (count > 0) await sendTo(ch, dealer, Request, { count });
  const pieces: Uint8Array[] = [];
  for (const rows of piecesOf(count)) pieces.push(await recvFrom(ch, dealer, octets('dealt/rows', rowBytes * rows)));
  const take = reel((size) => new Uint8Array(size), pieces);
  return (rows: number) => ({ a: factors(stream, factor, rows), c: take(rowBytes * rows) });
}

/** Transfers to the holder: a are the choices. */
function transfersTo(ch: Channel, peer: PartyId, held: Awaited<ReturnType<typeof hold>>): OtReceiver {
  return OtReceiver.over(ch, peer, (count) => {
    const { a, c } = held(count);
    return { choices: a, rows: c };
  });
}

async function dealLine(ch: Channel, { factor, count, owner, holder }: Line): Promise<void> {
  const owned = new Prg(ch.deriveKey(ch.self, owner, 'dealt/stream'));
  const held = new Prg(ch.deriveKey(ch.self, holder, 'dealt/stream'));
  const delta = next(owned, rowBytes);
  const table = factor === 'element' ? table128(delta) : undefined;
  const asked = await recvFrom(ch, holder, Request);
  if (asked.count !== count) throw new ProtocolError('BAD_MESSAGE', { party: holder, field: Request.label });
  for (const rows of piecesOf(count)) {
    const b = next(owned, rowBytes * rows);
    const a = factors(held, factor, rows);
    const c = new Uint8Array(b.length);
    if (table === undefined) {
      kernels().xorWhere(b, c, a, delta);
    } else {
      c.set(a);
      kernels().multiply128(c, table);
      kernels().xorInto(c, b);
    }
    await sendTo(ch, holder, octets('dealt/rows', c.length), c);
  }
}

/** The next a of so many rows; bits are packed, and asked for in whole octets. */
function factors(stream: Prg, factor: Factor, rows: number): Uint8Array {
  return next(stream, factor === 'bit' ? rows / 8 : rowBytes * rows);
}

function next(stream: Prg, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  stream.fill(out);
  return out;
}

function piecesOf(count: number): number[] {
  const pieces = Math.ceil(count / dealtPieceMax);
  return Array.from({ length: pieces }, (_, i) => Math.min(dealtPieceMax, count - i * dealtPieceMax));
}
