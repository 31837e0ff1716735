/**
 * Suppression of small groups on shares: a value opens only where every set of people that stands behind it reaches the
 * threshold. Elsewhere it is multiplied by zero, before anyone sees it.
 *
 * A cell that is withheld opens as the bit 0 and as zeros, whether nobody is in it or one too few.
 *
 * Rounds    those of a comparison, ⌈log₂⌉ of the most tests behind one value, and 1: for people below 2^16 and one test,
 *           6 for two parties and 7 for three
 * Sends     what comparison, AND and selection do: for people below 2^16, one test and one value of 64 bits, 26.6 bytes a
 *           cell to each peer for two parties and 30.6 for three
 * Takes     bit triples: 42 + 16 (N − 2) a count below 2^16, and 1 for each further test of a value; 1 shared bit for
 *           each set of tests; 1 triple a value (4 or 6 a wide one)
 * Security  semi-honest, N−1 colluding: nothing is opened but masked values, and neither a count nor a bit before the
 *           answer is. An active party can flip a bit, and so have a small group opened, or withhold a large one.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { length, sub, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { type Bits, not, wordsFor } from '../sharing/bit-share.ts';
import { piecesOf, split } from '../sharing/wide-share.ts';
import { and, andCost } from './and.ts';
import { constant, isNegative, isNegativeCost } from './compare.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, elementsMax, inSequence } from './cost.ts';
import { selectAll, selectAllCost } from './select.ts';

/** The people that are counted, and how many there have to be. All of it is public but the counts. */
export interface Headcounts {
  /** Over Z_2^64, one element a cell; several vectors may differ in length. */
  readonly people: readonly Vector[];
  /** The least number that may be seen. */
  readonly threshold: bigint;
  /** No count is larger. */
  readonly peopleMax: bigint;
}

/** Values that open or not together, cell by cell. */
export interface Guarded {
  /** Which of the counts have to reach the threshold; one or more, of the values' length. */
  readonly tests: readonly number[];
  /** Over any of the rings. */
  readonly values: readonly Vector[];
}

/** Shares of what may be opened. */
export interface Suppressed {
  /** 1 where the values are shown, 0 where they are withheld; over Z_2^64. */
  readonly shown: Vector;
  /** Each value times that bit, as pieces over Z_2^64: once opened, `join` makes it a vector of its ring. */
  readonly values: readonly (readonly Vector[])[];
}

/**
 * @throws ProtocolError LENGTHS_DIFFER where a value and a count behind it do, OVER_LIMIT
 */
export async function suppress(
  ch: Channel,
  source: Correlations,
  counts: Headcounts,
  guarded: readonly Guarded[],
): Promise<Suppressed[]> {
  for (const { tests, values } of guarded) {
    assert(tests.length > 0, 'a value has people behind it');
    const lengths = [...tests.map((test) => length(counts.people[test]!)), ...values.map(length)];
    checkLengths('suppress', elementsMax, ...(lengths as [number, ...number[]]));
  }
  const shown = await reached(
    ch,
    source,
    counts,
    guarded.map(({ tests }) => tests),
  );
  const selections = guarded.map(({ values }, i) => ({ bits: shown[i]!, vectors: values.flatMap(split) }));
  const selected = await selectAll(ch, source, selections);
  return guarded.map(({ values }, i) => {
    const { bit, products } = selected[i]!;
    let start = 0;
    return {
      shown: bit,
      values: values.map(({ ring }) => {
        start += piecesOf(ring);
        return products.slice(start - piecesOf(ring), start);
      }),
    };
  });
}

/** Of each list of tests, whether all its counts reach the threshold, shared by xor. */
async function reached(
  ch: Channel,
  source: Correlations,
  { people, threshold, peopleMax }: Headcounts,
  lists: readonly (readonly number[])[],
): Promise<Bits[]> {
  // The comparison, for all counts in one run of the circuit. Each begins at a whole word of the packed result.
  const starts = startsOf(people.map(length));
  const differences = vector(Z2_64, 32 * starts.at(-1)!);
  for (const [i, each] of people.entries()) {
    const lowered = sub(each, addConstant(ch, vector(Z2_64, length(each)), constant(length(each), threshold)));
    differences.words.set(lowered.words, 32 * starts[i]!);
  }
  checkLengths('suppress', elementsMax, length(differences));
  const few = await isNegative(ch, source, differences, differenceBits(threshold, peopleMax));
  const enough = not(ch, few).words;

  // One round a level. Of each list the first half against the second, and a middle one waits; all lists at once.
  let left = lists.map((tests) => tests.map((test) => enough.subarray(starts[test]!, starts[test + 1]!)));
  while (left.some((bits) => bits.length > 1)) {
    const pairs = left.flatMap((bits) => halves(bits));
    const both = await and(ch, source, joined(pairs.map(([a]) => a)), joined(pairs.map(([, b]) => b)));
    let start = 0;
    left = left.map((bits) => {
      const met = halves(bits).map(([a]) => {
        start += a.length;
        return both.subarray(start - a.length, start);
      });
      return [...met, ...bits.slice(2 * met.length)];
    });
  }
  return left.map(([words], i) => ({ count: length(people[lists[i]![0]!]!), words: words! }));
}

/** Neighbours, without the last one where it has none. */
function halves(bits: readonly Uint32Array[]): [Uint32Array, Uint32Array][] {
  return Array.from({ length: bits.length >>> 1 }, (_, i) => [bits[2 * i]!, bits[2 * i + 1]!]);
}

function joined(parts: readonly Uint32Array[]): Uint32Array {
  const words = new Uint32Array(parts.reduce((sum, each) => sum + each.length, 0));
  let start = 0;
  for (const part of parts) {
    words.set(part, start);
    start += part.length;
  }
  return words;
}

/** The word that each vector of bits begins at, and at last the number of all words. */
function startsOf(counts: readonly number[]): number[] {
  const starts = [0];
  for (const count of counts) starts.push(starts.at(-1)! + wordsFor(count));
  return starts;
}

/** Bits of people − threshold, its sign included. */
function differenceBits(threshold: bigint, peopleMax: bigint): number {
  assert(threshold >= 0n && peopleMax >= 0n, 'a number of people is not negative');
  return (threshold > peopleMax ? threshold : peopleMax).toString(2).length + 1;
}

/** The public sizes of what `suppress` takes. */
export interface SuppressionSizes {
  readonly counts: readonly number[];
  readonly threshold: bigint;
  readonly peopleMax: bigint;
  /** Of each guarded group: its tests, and how many pieces (`piecesOf`) its values have together. */
  readonly guarded: readonly { readonly tests: readonly number[]; readonly pieces: number }[];
}

export function suppressCost(parties: number, { counts, threshold, peopleMax, guarded }: SuppressionSizes): Cost {
  const words = startsOf(counts).at(-1)!;
  const costs = [isNegativeCost(parties, 32 * words, differenceBits(threshold, peopleMax))];
  let left = guarded.map(({ tests }) => ({ tests: tests.length, words: wordsFor(counts[tests[0]!]!) }));
  while (left.some(({ tests }) => tests > 1)) {
    costs.push(
      andCost(
        parties,
        left.reduce((sum, each) => sum + (each.tests >>> 1) * each.words, 0),
      ),
    );
    left = left.map((each) => ({ ...each, tests: each.tests - (each.tests >>> 1) }));
  }
  const selections = guarded.map(({ tests, pieces }) => ({ count: counts[tests[0]!]!, vectors: pieces }));
  return inSequence(...costs, selectAllCost(parties, selections));
}
