/**
 * Correlated randomness for a whole computation, made before it: with a dealer where the job names a helper, by oblivious
 * transfer among the parties otherwise.
 *
 * Nothing of it depends on a record, so it may run while the records are read. A computation that needs none costs no
 * message.
 *
 * Rounds    and Sends: `dealerPreprocessing` or `otPreprocessing`; none of either for no demand
 * Security  with a helper that of protocols/dealer-correlations, else that of protocols/lanes
 * @module
 */
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import type { Correlations, Demand } from '../protocols/correlations.ts';
import type { Preprocessing } from '../protocols/cost.ts';
import { deal, dealerCorrelations, dealerPreprocessing } from '../protocols/dealer-correlations.ts';
import { type Lanes, otPrefetch, otPreprocessing } from '../protocols/lanes.ts';
import type { OtOptions } from '../protocols/ot-extension.ts';
import { handOut, prefetch } from '../protocols/prefetch.ts';

export interface CorrelateTerms {
  /** A party of the channel's roster that takes no part in the computation. */
  readonly helper: PartyId | null;
  readonly demand: Demand;
  readonly rng: Rng;
  /** Where the lanes of oblivious transfer run; in this thread by default. */
  readonly lanes?: Lanes;
  /** Hears of the part that is made, where it is made by oblivious transfer. */
  readonly report?: (done: number) => void;
  readonly options?: OtOptions;
}

/**
 * Makes the demand and returns a source that hands it out. It may be left to run and awaited later: a failure stays with
 * the promise. The circuits' channel is that of the participants alone; see `withoutDealer`.
 */
export function correlate(ch: Channel, terms: CorrelateTerms): Promise<Correlations> {
  const made = make(ch, terms);
  made.catch(() => undefined);
  return made;
}

async function make(
  ch: Channel,
  { helper, demand, rng, lanes, options, report }: CorrelateTerms,
): Promise<Correlations> {
  if (isNone(demand)) return handOut([]);
  if (helper === null) return otPrefetch(ch, rng, demand, options, lanes, report);
  const source = dealerCorrelations(ch, helper);
  const made = await prefetch(source, demand);
  await source.close();
  return made;
}

/** The helper's part of the same computation: nothing else is asked of it than the demand. */
export async function dealFor(ch: Channel, demand: Demand): Promise<void> {
  if (!isNone(demand)) await deal(ch, demand);
}

/** What `correlate` costs all parties and the helper together. */
export function correlateCost(
  participants: number,
  { helper, demand, options }: Pick<CorrelateTerms, 'helper' | 'demand' | 'options'>,
): Preprocessing {
  if (isNone(demand)) return { rounds: 0, bytes: 0 };
  return helper === null ? otPreprocessing(participants, demand, options) : dealerPreprocessing(demand);
}

export function isNone({ bitTriples, triples, sharedBits }: Demand): boolean {
  return bitTriples === 0 && triples === 0 && sharedBits === 0;
}
