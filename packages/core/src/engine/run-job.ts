/**
 * The road of a job, as one party walks it:
 *
 *   records → local query → encode → share → evaluate → noise → commit → open → release
 *
 * Rounds    2 (commitments, signatures)        Sends    (N − 1)·(32 + 64) bytes to other parties, one sealed vector of
 *                                                       shares to the analyst
 * Security  semi-honest, up to N − 1 parties colluding; see sharing/additive and protocols/open
 *
 * Pure but for the channel and the effects that the caller gives. A run that throws has ended: nothing of it is used
 * again, and another attempt has another channel and so other masks.
 * @module
 */

import { assert } from '../algebra/assert.ts';
import type { Vector } from '../algebra/ring.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { type Opening, open, type Signatures } from '../protocols/open.ts';
import type { Dataset } from '../query/dictionary.ts';
import { encode } from '../query/encode.ts';
import { combine } from '../query/protection.ts';
import type { LocalQuery, LocalResult } from '../query/statistic.ts';
import { jointSum } from '../sharing/additive.ts';
import { type Agreement, agree, checkBound, type Terms } from './agree.ts';
import { addNoise } from './noise.ts';
import { packShares } from './report.ts';

/** Where a run is; in this order. */
export type Phase = 'agree' | 'query' | 'share' | 'evaluate' | 'noise' | 'commit' | 'open' | 'release';

/** What the caller does for a run. */
export interface Effects {
  /** The sums over this party's own records. */
  localQuery(query: LocalQuery, dataset: Dataset, ownParty: boolean): Promise<LocalResult>;
  /** Encrypts to the analyst's key. */
  seal(message: Uint8Array, agreement: Agreement): Promise<Uint8Array>;
  /** Resolves when the sealed bytes will survive anything; only then a commitment to them leaves. */
  durable(sealed: Uint8Array): Promise<void>;
  readonly signatures: Signatures;
  /** 32 bytes that this party's noise is derived from, and nobody else has. Exact jobs do not use it. */
  readonly noiseKey?: Uint8Array;
  /** Hands the sealed bytes out, with all parties' signatures. */
  release(opening: Opening): Promise<void>;
  report?(phase: Phase): void;
}

/**
 * Runs a job to its release.
 * @throws what `agree`, the effects, the channel and `open` throw
 */
export async function runJob(ch: Channel, terms: Terms, effects: Effects): Promise<Opening> {
  const at = (phase: Phase) => effects.report?.(phase);

  at('agree');
  const agreement = agree(terms);
  checkBound(agreement, ch.context, ch.self);
  const { query, layout, checked, protection } = agreement;
  // Before anything is read: a protected job is never answered without its noise.
  assert(protection === null || effects.noiseKey !== undefined, 'a party of a protected job has a noise key');

  at('query');
  const local = await effects.localQuery(query, checked.dataset, query.ownParty === ch.self);

  // Each section's label is used once in this channel, so that no key masks two vectors.
  at('share');
  const inputs = encode(layout, protection === null ? local : combine(protection, local));
  const shares = inputs.map((input, index) => jointSum(ch, `input/${layout.sections[index]!.label}`, input));

  at('evaluate');
  const results = evaluate(agreement, shares);

  at('noise');
  const noised = protectedBy(agreement, effects.noiseKey, ch.self, results);

  at('commit');
  const sealed = await effects.seal(packShares(noised), agreement);
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

/** Sums of sums: the parties' shares of the joint statistics are the answer's already. */
function evaluate(_agreement: Agreement, shares: readonly Vector[]): readonly Vector[] {
  return shares;
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
