/**
 * The noise of a node is derived, never stored: coins = PRF(the node's noise key; everything the noise depends on).
 *
 * The same question over the same readings and roster has the same noise, so that neither a retry nor asking again
 * averages it away; whatever changes the question, a bound, the scale, the roster or a reading has noise of its own, so
 * that no difference of two answers cancels it. HKDF-SHA-256 (RFC 5869) over length-prefixed parts, then AES-128-CTR.
 *
 * One stream serves a whole section, its cells in order. That is as good as a key for each cell: the number of cells is
 * bound, all of them are drawn together, always from the first, and nothing else reads the stream. So the bytes behind
 * cell i are a function of the key, the binding and i alone; no two cells share a byte; and as samplers take as many
 * bytes as chance wants, only the order fixes whose they are.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import { hkdf } from '../algebra/hash.ts';
import { Prg } from '../algebra/prg.ts';
import type { Noise } from './mechanism.ts';
import { Coins } from './noise/coins.ts';

/** What draws from coins: raised with every change by which the same coins give another draw. */
export const samplerVersion = 1;

/** Everything that the noise of one section of an answer depends on. */
export interface NoiseBinding {
  /** 32 bytes: the charter, and with it every bound. */
  readonly charter: Uint8Array;
  /** 32 bytes: the question, which is the job without title, times, nonce and analyst. */
  readonly question: Uint8Array;
  /** Each party that takes part, in ascending order, with the period of its data and the fingerprint of its reading. */
  readonly roster: readonly { readonly party: string; readonly period: string; readonly fingerprint: string }[];
  readonly sampler: number;
  /** The mechanism and its scale. */
  readonly noise: Noise;
  /** The step of the lattice that the noise is drawn on. */
  readonly lattice: bigint;
  /** The statistic or section. */
  readonly label: string;
  /** How many values the section has. */
  readonly cells: number;
}

const keyBytes = 32;

/** The coins of one section, fresh from the start: draw all of its cells, in order, once. */
export function noiseCoins(noiseKey: Uint8Array, binding: NoiseBinding): Coins {
  assert(noiseKey.length === keyBytes, 'a noise key has 32 bytes');
  assert(binding.charter.length === 32 && binding.question.length === 32, 'hashes have 32 bytes');
  return new Coins(new Prg(hkdf(noiseKey, utf8('folkmoot noise v1'), encoded(binding), 16)));
}

/** No two bindings have one encoding: every part, and every list of parts, is behind its length. */
function encoded({ charter, question, roster, sampler, noise, lattice, label, cells }: NoiseBinding): Uint8Array {
  const { parameter, rho } =
    noise.mechanism === 'laplace'
      ? { parameter: noise.a, rho: undefined }
      : { parameter: noise.variance, rho: noise.rho };
  return lengthPrefixed(
    charter,
    question,
    lengthPrefixed(...roster.flatMap(({ party, period, fingerprint }) => [party, period, fingerprint].map(utf8))),
    u32(sampler),
    utf8(noise.mechanism),
    utf8(`${parameter.n}/${parameter.d}`),
    utf8(rho === undefined ? '' : `${rho.n}/${rho.d}`),
    u32(noise.parties),
    u32(noise.collusion),
    utf8(lattice.toString()),
    utf8(label),
    u32(cells),
  );
}
