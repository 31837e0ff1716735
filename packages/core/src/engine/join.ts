/**
 * The road of a join, from two sides' records to shares of its sums:
 *
 *   records → salt → elements → match → sums of pairs on shares
 *
 * The salt is tossed when the records have been read, and every key is hashed with it; nothing that is derived from an
 * identifier outlives the attempt. With `reveal: matches` the left side learns which of its keys the other has, and how
 * many these are is all that is shared.
 *
 * Rounds    2 for the salt, and those of `joinSums`, `recvPsi` or `recvEllipticPsi`
 * Security  semi-honest, and by two parties: what one side could learn of the other's identifiers rests on the OPRF, the
 *           programmed store and GMW; of small sets whose matches are revealed, on the curve alone. The salt keeps
 *           elements of two sessions apart; it does not hide identifiers from who may guess them.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Rng } from '../algebra/prg.ts';
import { addInto, fromIntegers, scale, slice, type Vector, vector } from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { toss } from '../protocols/coin-toss.ts';
import { dealPair } from '../protocols/dealt-pair.ts';
import { recvEllipticPsi, sendEllipticPsi } from '../protocols/elliptic-psi.ts';
import type { Lanes } from '../protocols/lanes.ts';
import { pairCorrelations, recvVoles, sendVoles } from '../protocols/pair-correlations.ts';
import type { ReceiverSource, SenderSource } from '../protocols/pair-source.ts';
import { recvPsi, sendPsi } from '../protocols/psi.ts';
import type { CheckedJob } from '../query/check-job.ts';
import { otherSide, sideOf } from '../query/checked-join.ts';
import type { Layout } from '../query/encode.ts';
import { type IdentifierTally, newTally } from '../query/identifier.ts';
import type { SideQuery, SideRecords } from '../query/join-query.ts';
import type { Protection } from '../query/protection.ts';
import { classSize } from '../query/set-class.ts';
import { type SideSet, sideSet } from '../query/side-set.ts';
import { type JoinAgreement, joinDemand, revealVoles, saltBytes } from './join-agreement.ts';
import { type Ends, joinSums } from './join-sums.ts';
import { inSmaller } from './join-values.ts';

/** What the caller does for a side of a join. */
export interface JoinEffects {
  /** This party's rows, with their identifiers as they stand there. */
  joinRecords?(side: SideQuery): Promise<SideRecords>;
  /** How many of them could not be used: for the owner of the records, and nobody else. */
  identifierTally?(tally: IdentifierTally): void;
  /** Which rows' keys the other side has too, where the job reveals it to this one. */
  matches?(rows: Int32Array): Promise<void>;
}

/** What a side has for one attempt, made ahead; matches that are revealed take evaluations alone, or nothing. */
type Source = ReceiverSource | SenderSource | Pick<ReceiverSource, 'vole'> | Pick<SenderSource, 'vole'> | null;

/** One attempt of a join, as each side knows it. */
export interface JoinRun {
  readonly checked: CheckedJob;
  readonly agreement: JoinAgreement;
  readonly rng: Rng;
}

/**
 * This party's rows, as the set that is matched under a salt of both. What else was read of them is let go. The channel's
 * roster are the two sides.
 * @throws SourceError DUPLICATE_IDENTIFIER; InputError SET_TOO_LARGE; ProtocolError BAD_COMMITMENT
 */
export async function ownSet(
  ch: Channel,
  { checked, agreement: { query, classes }, rng }: JoinRun,
  effects: JoinEffects,
): Promise<SideSet> {
  const own = sideOf(checked.join!, ch.self)!;
  assert(effects.joinRecords !== undefined, 'a side of a join reads its records');
  const records = await effects.joinRecords(query[own]);
  const { party } = query[otherSide(own)];
  const salt = await toss(ch.fork('join/salt'), party, saltBytes, rng);
  const tally = newTally();
  try {
    return sideSet(query[own], records, salt, classes[own], rng, tally);
  } finally {
    // The owner is told too where the run ends here.
    effects.identifierTally?.(tally);
  }
}

/** Makes what a side computes with; it depends on no record. Null where that is nothing. */
export async function pairFor(
  ch: Channel,
  { checked, agreement, rng }: JoinRun,
  { lanes, report }: { readonly lanes?: Lanes; readonly report?: (done: number) => void } = {},
): Promise<Source> {
  const own = sideOf(checked.join!, ch.self)!;
  const { party } = agreement.query[otherSide(own)];
  const role = agreement.plan.receiver === own ? 'receiver' : 'sender';
  const demand = joinDemand(checked, agreement);
  if (demand === null) {
    const count = revealVoles(checked, agreement);
    if (count === 0) return null;
    const open = role === 'receiver' ? recvVoles : sendVoles;
    return { vole: await open(ch.fork('join/voles'), party, count, rng) } as Source;
  }
  const terms = { helper: checked.helper, demand, rng, ...(lanes && { lanes }), ...(report && { report }) };
  return pairCorrelations(ch.fork('join/pair'), party, role, terms);
}

/** The helper's part of `pairFor`. */
export async function dealJoin(ch: Channel, checked: CheckedJob, agreement: JoinAgreement): Promise<void> {
  const demand = joinDemand(checked, agreement)!;
  const receiver = agreement.plan.receiver;
  const sender = otherSide(receiver);
  const { query } = agreement;
  await dealPair(ch.fork('join/pair'), query[sender].party, query[receiver].party, demand);
}

/**
 * Shares of every statistic of the query, each over the job's cells. The channel's roster are the two sides; the source is
 * null where matches are found without.
 * @throws ProtocolError CUCKOO_FULL, OKVS_FULL, BAD_MESSAGE
 */
export async function joinShares(
  ch: Channel,
  { checked, agreement, rng }: JoinRun,
  set: SideSet,
  source: Source,
  effects: JoinEffects,
  report?: (done: number) => void,
): Promise<readonly Vector[]> {
  const { query, plan, rings, classes } = agreement;
  const own = sideOf(checked.join!, ch.self)!;
  const other = otherSide(own);
  const peer = query[other].party;
  const peerCount = classSize(classes[other]);
  const isReceiver = agreement.plan.receiver === own;
  if (checked.join!.reveal === 'matches') {
    const found = await reveal(ch.fork('join/psi'), peer, isReceiver, set, source, peerCount, rng);
    if (isReceiver) await effects.matches?.(Int32Array.from(found, (element) => set.rows[element]!));
    return rings.map((ring) => fromIntegers(ring, [BigInt(found.length)]));
  }
  const ends: Ends = isReceiver
    ? { role: 'receiver', source: source as ReceiverSource }
    : { role: 'sender', source: source as SenderSource };
  const given = { plan, set, peerCount, rings, cells: checked.cells };
  return joinSums(ch.fork('join/sums'), peer, ends, given, rng, report);
}

/** At the receiver, which of its elements the other side has; nothing at the other. */
async function reveal(
  ch: Channel,
  peer: PartyId,
  isReceiver: boolean,
  { elements, keys }: SideSet,
  source: Source,
  peerCount: number,
  rng: Rng,
): Promise<number[]> {
  if (!isReceiver) {
    if (source === null) await sendEllipticPsi(ch, peer, elements, peerCount, rng);
    else await sendPsi(ch, peer, source as Pick<SenderSource, 'vole'>, elements, peerCount, rng);
    return [];
  }
  const isFound =
    source === null
      ? await recvEllipticPsi(ch, peer, elements, peerCount, rng)
      : await recvPsi(ch, peer, source as Pick<ReceiverSource, 'vole'>, elements, peerCount, rng);
  return Array.from({ length: keys }, (_, element) => element).filter((element) => isFound[element] === 1);
}

/** Shares of the parts of a protected answer: combinations of the statistics, each over its part's ring. */
export function joinedParts({ releases, layout }: Protection, statistics: readonly Vector[]): Vector[] {
  const parts = releases.flatMap((release) => release.parts);
  return layout.sections.map(({ ring, statistics: own }) => {
    const all = vector(ring, own.length * layout.cells);
    for (const [at, part] of own.entries()) {
      const sum = slice(all, at * layout.cells, (at + 1) * layout.cells);
      for (const [place, coefficient] of parts[part]!)
        addInto(sum, scale(inSmaller(ring, statistics[place]!), coefficient));
    }
    return all;
  });
}

/** Shares of the statistics of an exact answer, section by section. */
export function joinedSections({ sections, cells }: Layout, statistics: readonly Vector[]): Vector[] {
  return sections.map(({ ring, statistics: own }) => {
    const all = vector(ring, own.length * cells);
    for (const [at, statistic] of own.entries()) {
      all.words.set(statistics[statistic]!.words, at * cells * ring.limbs);
    }
    return all;
  });
}
