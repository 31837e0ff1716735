/**
 * The noise of one party, and its way into that party's share.
 *
 * A share is uniform by its masks, so adding an integer to it is the same as sharing that integer as an input of its
 * own: nobody, this party included, ever holds the sum without noise. What is drawn depends on the node's noise key and
 * on what the answer depends on, never on the job's id or the attempt; so a retry adds the same integers again, and
 * whatever changes the question, a bound, a scale, the roster or a period adds others.
 *
 * Rounds    0        Sends    nothing
 * @module
 */
import { fromHex, toHex } from '../algebra/bytes.ts';
import { hashJson } from '../algebra/hash.ts';
import { addInto, type Vector } from '../algebra/ring.ts';
import type { PartyId } from '../channel/channel.ts';
import { fillNoise } from '../privacy/mechanism.ts';
import { type NoiseBinding, noiseCoins, samplerVersion } from '../privacy/noise-key.ts';
import type { Reading } from '../query/acceptance.ts';
import { charterHashBytes } from '../query/charter.ts';
import type { CheckedJob } from '../query/check-job.ts';
import { encode } from '../query/encode.ts';
import { keyOf } from '../query/measure/family.ts';
import type { ProtectedRelease, Protection } from '../query/protection.ts';
import { questionHash } from '../query/question.ts';
import type { LocalQuery } from '../query/statistic.ts';

/** What the noise of a job is drawn from, but for a party's key. */
export interface NoiseTerms {
  readonly checked: CheckedJob;
  readonly query: LocalQuery;
  readonly protection: Protection;
  /** What each party answers from. */
  readonly readings: Readonly<Record<string, Reading>>;
}

/** The shares with this party's own noise added. */
export function addNoise(
  terms: NoiseTerms,
  noiseKey: Uint8Array,
  self: PartyId,
  shares: readonly Vector[],
): readonly Vector[] {
  const noise = encode(terms.protection.layout, partyNoise(terms, noiseKey, self));
  shares.forEach((share, section) => {
    addInto(share, noise[section]!);
  });
  return shares;
}

/**
 * One party's noise for every part of every release, `[part][cell]`: in multiples of each release's lattice, or, where it is
 * dithered, in integers.
 */
export function partyNoise(terms: NoiseTerms, noiseKey: Uint8Array, self: PartyId): bigint[][] {
  const { protection } = terms;
  const { cells } = protection.layout;
  const question = fromHex(questionHash(terms.checked));
  const charter = charterHashBytes(terms.checked.charter);
  const roster = terms.checked.parties.map((party) => ({ party, ...terms.readings[party]! }));
  return protection.releases.flatMap((release) => {
    const { noise, lattice, label } = release;
    const drawn = new BigInt64Array(release.parts.length * cells);
    const binding: NoiseBinding = {
      charter,
      question,
      roster,
      sampler: samplerVersion,
      noise,
      lattice,
      // A node's state that was copied to another party must not make the two add the same noise; and the same question
      // must not have it on other figures, which a later version of the program might make of it.
      label: `${self}: ${label}: ${contentOf(release, terms.query)}`,
      cells: drawn.length,
    };
    fillNoise(noise, noiseCoins(noiseKey, binding), drawn);
    const values = protection.isDithered ? dithered(drawn, noiseKey, binding) : [...drawn];
    return release.parts.map((_, part) => values.slice(part * cells, (part + 1) * cells));
  });
}

/** Multiples of the lattice with a uniform number below it added to each, in the place of values that nobody rounds. */
function dithered(drawn: BigInt64Array, noiseKey: Uint8Array, binding: NoiseBinding): bigint[] {
  const { lattice, label } = binding;
  const coins = noiseCoins(noiseKey, { ...binding, label: `${label}: dither` });
  return Array.from(drawn, (noise) => noise * lattice + coins.belowBig(lattice));
}

/** What is opened under this noise, whatever its place in the query. */
function contentOf({ parts }: ProtectedRelease, { statistics }: LocalQuery): string {
  const keys = statistics.map(keyOf);
  return toHex(hashJson(parts.map((part) => part.map(([place, coefficient]) => [keys[place]!, String(coefficient)]))));
}
