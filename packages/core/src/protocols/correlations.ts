/**
 * Where circuits take their correlated randomness from, and how much of it they need.
 *
 * A hand-out is used once: a source forgets what it hands over, and circuits take a source, never a triple, so that no
 * triple has a name outside the one function that spends it. All parties ask for the same kinds and counts in the same
 * order, one after the other; what they then hold belongs together.
 *
 * Sources   `ot` by oblivious transfer among the parties; `dealer` from seeds of a party that takes no part; `ideal`
 *           from one seed that all know, for tests
 * @module
 */
import type { BitTriples, SharedBits, Triples } from '../sharing/beaver-triple.ts';

export interface Correlations {
  /** Triples for so many bits, in ⌈count / 32⌉ words each; all bits of the last word are good. */
  bitTriples(count: number): Promise<BitTriples>;
  /** So many triples over Z_2^64. */
  triples(count: number): Promise<Triples>;
  /** So many bits shared both ways: ⌈count / 32⌉ words by xor, `count` elements over Z_2^64. */
  sharedBits(count: number): Promise<SharedBits>;
}

/** What a computation takes from its source, of each kind. */
export interface Demand {
  readonly bitTriples: number;
  readonly triples: number;
  readonly sharedBits: number;
}
