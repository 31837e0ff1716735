/**
 * The correlated randomness of a protocol of two parties: bits for circuits, oblivious transfers each way, and a vector
 * oblivious linear evaluation one way.
 *
 * All of it is made by the two themselves (`pair-correlations.ts`) or dealt by a third party (`dealt-pair.ts`); what is
 * computed with it is the same.
 * @module
 */
import type { Correlations } from './correlations.ts';
import type { OtReceiver, OtSender } from './ot-extension.ts';

/** c = a·Δ ⊕ b in GF(2^128), row by row of 16 bytes: Δ and b are the sender's, a and c the receiver's. Each row is used once. */
export interface VoleSender {
  readonly delta: Uint8Array;
  extend(count: number): Promise<Uint8Array>;
}

export interface VoleReceiver {
  /** `a` is uniform. */
  extend(count: number): Promise<{ readonly a: Uint8Array; readonly c: Uint8Array }>;
}

export interface PairSource {
  /** Between the two. */
  readonly bits: Correlations;
  /** Transfers from this party to the other, and from the other to this one. */
  readonly sender: OtSender;
  readonly receiver: OtReceiver;
}

/** Of the party that learns, or has the hash table: the paper's receiver. */
export interface ReceiverSource extends PairSource {
  readonly vole: VoleReceiver;
}

/** Of the other. */
export interface SenderSource extends PairSource {
  readonly vole: VoleSender;
}

/** How much of each a computation takes: public numbers, the same at both ends. */
export interface PairDemand {
  readonly bitTriples: number;
  readonly sharedBits: number;
  /** Transfers whose sender is the one that has Δ of the evaluation; each call's count is rounded up to eights. */
  readonly otsFromSender: number;
  readonly otsFromReceiver: number;
  readonly voles: number;
}
