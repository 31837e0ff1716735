/**
 * Which shared values are at least zero: conditions on sums, people ≥ threshold among them, all in one run of the
 * comparison. A condition is a linear form of what is shared, so that making its difference costs nothing.
 *
 * Rounds    those of one sign: 1 + ⌈log₂ (width−1)⌉ and the carry-save of N operands; as many again for each further
 *           2^20 values, as memory is bounded by computing them one batch after the other
 * Sends     2 bits an AND, to each peer
 * Takes     1 bit triple an AND: for values of 17 bits 42 + 16 (N − 2); each vector is rounded up to whole words of 32
 * Security  that of AND: semi-honest, N−1 colluding; nothing is opened but masked bits. An active party can flip a
 *           result, and so have a small group pass for a large one or a large one for a small one.
 * @module
 */
import { length, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { type Bits, not, wordsFor } from '../sharing/bit-share.ts';
import { isNegative, isNegativeCost } from './compare.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, elementsMax, inSequence } from './cost.ts';

/** Words of the packed result that one run of the comparison makes. */
const batchWords = elementsMax / 32;

/**
 * Of each vector over Z_2^64, where it is ≥ 0. `width` bounds all values, as in a comparison; lengths may differ, and
 * together they have no limit.
 */
export async function atLeastZero(
  ch: Channel,
  source: Correlations,
  differences: readonly Vector[],
  width = 64,
): Promise<Bits[]> {
  // Each vector begins at a whole word of the packed result.
  const starts = startsOf(differences.map(length));
  const words = new Uint32Array(starts.at(-1)!);
  for (let start = 0; start < words.length; start += batchWords) {
    const end = Math.min(start + batchWords, words.length);
    const batch = vector(Z2_64, 32 * (end - start));
    for (const [i, each] of differences.entries()) {
      const from = Math.max(start, starts[i]!);
      const to = Math.min(end, starts[i + 1]!);
      if (from >= to) continue;
      const part = each.words.subarray(32 * (from - starts[i]!), 32 * (to - starts[i]!));
      batch.words.set(part, 32 * (from - start));
    }
    words.set(not(ch, await isNegative(ch, source, batch, width)).words, start);
  }
  return differences.map((each, i) => ({ count: length(each), words: words.subarray(starts[i]!, starts[i + 1]!) }));
}

/** The word that each vector of bits begins at, and at last the number of all words. */
function startsOf(counts: readonly number[]): number[] {
  const starts = [0];
  for (const count of counts) starts.push(starts.at(-1)! + wordsFor(count));
  return starts;
}

/** Of vectors of these lengths. */
export function atLeastZeroCost(parties: number, counts: readonly number[], width = 64): Cost {
  const words = startsOf(counts).at(-1)!;
  const costs: Cost[] = [];
  for (let left = words; left > 0; left -= batchWords) {
    costs.push(isNegativeCost(parties, 32 * Math.min(left, batchWords), width));
  }
  return inSequence(...costs);
}
