/**
 * The road of a job, as one party walks it:
 *
 *   records → local query → encode → share → evaluate → noise → commit → open → release
 *
 * In a join two sides' records are matched in the place of a local query (`join.ts`), and shares of sums over pairs come out.
 *
 * Rounds    2 (commitments, signatures), and 1 and those of `evaluateCost` and `correlateCost` where something is decided
 *           on shares        Sends    (N − 1)·(32 + 64) bytes to other parties and what these cost, and one sealed vector of
 *           shares to the analyst
 * Security  semi-honest, up to N − 1 parties colluding; see sharing/additive, engine/evaluate and protocols/open
 *
 * Pure but for the channel and the effects that the caller gives. A run that throws has ended: nothing of it is used
 * again, and another attempt has another channel and so other masks.
 * @module
 */

import { assert } from '../algebra/assert.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Vector } from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import type { Correlations, Demand } from '../protocols/correlations.ts';
import { noCost } from '../protocols/cost.ts';
import { withoutDealer } from '../protocols/dealer-correlations.ts';
import type { Lanes } from '../protocols/lanes.ts';
import { type Opening, open, type Signatures } from '../protocols/open.ts';
import type { Dataset } from '../query/dictionary.ts';
import { encode } from '../query/encode.ts';
import { inSlots } from '../query/input-slot.ts';
import { combine } from '../query/protection.ts';
import type { LocalQuery, LocalResult } from '../query/statistic.ts';
import { jointSum } from '../sharing/additive.ts';
import { type Agreement, agree, checkBound, confirm, type Terms } from './agree.ts';
import { correlate, dealFor, isNone } from './correlate.ts';
import { evaluate } from './evaluate.ts';
import { evaluateCost } from './evaluate-cost.ts';
import { dealJoin, type JoinEffects, joinedParts, joinedSections, joinShares, ownSet, pairFor } from './join.ts';
import type { JoinAgreement } from './join-agreement.ts';
import { addNoise } from './noise.ts';
import { packShares } from './report.ts';

/** Where a run is; in this order. */
export type Phase =
  | 'agree'
  | 'query'
  | 'share'
  | 'prepare'
  | 'match'
  | 'evaluate'
  | 'noise'
  | 'commit'
  | 'open'
  | 'release';

/** What the caller does for a run. */
export interface Effects extends JoinEffects {
  /** The sums over this party's own records. */
  localQuery(query: LocalQuery, dataset: Dataset, ownParty: boolean): Promise<LocalResult>;
  /** Encrypts to the analyst's key. */
  seal(message: Uint8Array, agreement: Agreement): Promise<Uint8Array>;
  /** Resolves when the sealed bytes will survive anything; only then a commitment to them leaves. */
  durable(sealed: Uint8Array): Promise<void>;
  readonly signatures: Signatures;
  /** Coins for what is computed on shares. */
  readonly rng: Rng;
  /** Where correlated randomness is made; in this thread by default. */
  readonly lanes?: Lanes;
  /** 32 bytes that this party's noise is derived from, and nobody else has. Exact jobs do not use it. */
  readonly noiseKey?: Uint8Array;
  /** Hands the sealed bytes out, with all parties' signatures. */
  release(opening: Opening): Promise<void>;
  /** Where the run is, and which part of that is done, from 0 to 1, where that can be told. It may be called often. */
  report?(phase: Phase, done?: number): void;
}

type At = (phase: Phase, done?: number) => void;

/**
 * Runs a job to its release.
 * @throws what `agree`, the effects, the channel and `open` throw
 */
export async function runJob(ch: Channel, terms: Terms, effects: Effects): Promise<Opening> {
  const at: At = (phase, done) => effects.report?.(phase, done);

  at('agree');
  const agreement = agree(terms);
  checkBound(agreement, ch.context, ch.self);
  // Before anything is read: a protected job is never answered without its noise.
  assert(agreement.protection === null || effects.noiseKey !== undefined, 'a party of a protected job has a noise key');

  const shares =
    agreement.checked.helper === ch.self ? await help(ch, agreement, at) : await compute(ch, agreement, effects, at);

  at('commit');
  const sealed = await effects.seal(packShares(shares), agreement);
  const opening = await open(ch, {
    sealed,
    acceptances: agreement.acceptances,
    signatures: effects.signatures,
    durable: async (bytes) => {
      await effects.durable(bytes);
      at('open');
    },
  });

  at('release');
  await effects.release(opening);
  return opening;
}

/** From a party's records to its shares of what opens. */
async function compute(ch: Channel, agreement: Agreement, effects: Effects, at: At): Promise<readonly Vector[]> {
  const { inputs, checked, disclosure } = agreement;
  const among = checked.helper === null ? ch : withoutDealer(ch, checked.helper);
  // It depends on no record, and is made while they are read; a failure stays with the promise.
  const confirmed = isDecided(agreement) ? confirm(ch, agreement) : Promise.resolve();
  const correlations = confirmed.then(() => prepare(ch, agreement, effects));
  correlations.catch(() => undefined);

  const sums =
    agreement.join === null
      ? await pooled(among, agreement, effects, at)
      : await joined(ch, among, agreement, agreement.join, confirmed, effects, at);

  at('prepare');
  const source = await correlations;

  at('evaluate');
  const results =
    disclosure === null ? sums : await evaluate(among, source, disclosure, { layout: inputs, shares: sums });

  at('noise');
  const shares = isDecided(agreement) ? maskedAnew(among, results) : results;
  return protectedBy(agreement, effects.noiseKey, ch.self, shares);
}

/**
 * Shares of the same under masks that the parties alone have. What is computed on shares leaves its traces in them, and a
 * dealer knows what it is made of: with a share, it would know more of a withheld sum than that it is withheld.
 */
function maskedAnew(among: Channel, shares: readonly Vector[]): Vector[] {
  return shares.map((share, at) => jointSum(among, `result/${at}`, share));
}

/** Shares of the sums over all parties' records. */
async function pooled(among: Channel, agreement: Agreement, effects: Effects, at: At): Promise<readonly Vector[]> {
  const { query, inputs, checked, disclosure, protection } = agreement;
  at('query');
  const local = await effects.localQuery(query, checked.dataset, query.ownParty === among.self);

  // Each section's label is used once in this channel, so that no key masks two vectors.
  at('share');
  const placed = protection === null ? inSlots(disclosure!.inputs, among.self, local) : combine(protection, local);
  return encode(inputs, placed).map((input, index) => {
    return jointSum(among, `input/${inputs.sections[index]!.label}`, input);
  });
}

/** Shares of the sums over all pairs of two sides' records. */
async function joined(
  ch: Channel,
  among: Channel,
  agreement: Agreement,
  join: JoinAgreement,
  confirmed: Promise<void>,
  effects: Effects,
  at: At,
): Promise<readonly Vector[]> {
  const { checked, inputs, protection } = agreement;
  const { rng, lanes } = effects;
  const run = { checked, agreement: join, rng };
  // While the records are read, that is what the run is at.
  let isRead = false;
  const report = (done: number) => {
    if (isRead) at('prepare', done);
  };
  const source = confirmed.then(() => pairFor(ch, run, { report, ...(lanes && { lanes }) }));
  source.catch(() => undefined);
  at('query');
  const set = await ownSet(among, run, effects);
  isRead = true;
  at('prepare');
  const made = await source;
  at('match');
  const statistics = await joinShares(among, run, set, made, effects, (done) => at('match', done));
  return protection === null ? joinedSections(inputs, statistics) : joinedParts(protection, statistics);
}

/** The correlated randomness of all that is decided on shares, once all parties have said that they decide the same. */
function prepare(ch: Channel, agreement: Agreement, { rng, lanes }: Effects): Promise<Correlations> {
  return correlate(ch, { helper: agreement.checked.helper, demand: demandOf(agreement), rng, ...(lanes && { lanes }) });
}

/** A helper has no records and no share: it deals what the others compute with. */
async function help(ch: Channel, agreement: Agreement, at: At): Promise<readonly Vector[]> {
  at('prepare');
  if (isDecided(agreement)) await confirm(ch, agreement);
  const { checked, join } = agreement;
  await Promise.all([dealFor(ch, demandOf(agreement)), ...(join === null ? [] : [dealJoin(ch, checked, join)])]);
  return [];
}

/** Whether anything is computed on shares but sums. */
function isDecided(agreement: Agreement): boolean {
  return agreement.join !== null || !isNone(demandOf(agreement));
}

function demandOf({ checked, disclosure }: Agreement): Demand {
  return disclosure === null ? noCost : evaluateCost(checked.parties.length, disclosure);
}

/** Exact jobs have no noise. */
function protectedBy(
  { checked, query, protection, readings }: Agreement,
  noiseKey: Uint8Array | undefined,
  self: PartyId,
  shares: readonly Vector[],
): readonly Vector[] {
  assert((checked.privacy === null) === (protection === null), 'a job is protected exactly where it says so');
  return protection === null ? shares : addNoise({ checked, query, protection, readings }, noiseKey!, self, shares);
}
