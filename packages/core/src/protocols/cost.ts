/**
 * What a protocol costs, exactly, from public sizes alone: so that a plan can state it and tests can assert it.
 *
 * Bytes are those of messages that one party sends to all its peers together, without headers; every party sends the
 * same. Correlations have a cost of their own, which is their source's.
 * @module
 */
import { ProtocolError } from '../channel/errors.ts';
import type { Demand } from './correlations.ts';

export interface Cost extends Demand {
  readonly rounds: number;
  readonly bytes: number;
}

/** What a source costs for a demand: the longest chain of messages, and the bytes of all parties' messages together. */
export interface Preprocessing {
  readonly rounds: number;
  readonly bytes: number;
}

export const noCost: Cost = { rounds: 0, bytes: 0, bitTriples: 0, triples: 0, sharedBits: 0 };

/** One after the other. */
export function inSequence(...costs: readonly Cost[]): Cost {
  return costs.reduce(
    (sum, each) => ({
      rounds: sum.rounds + each.rounds,
      bytes: sum.bytes + each.bytes,
      bitTriples: sum.bitTriples + each.bitTriples,
      triples: sum.triples + each.triples,
      sharedBits: sum.sharedBits + each.sharedBits,
    }),
    noCost,
  );
}

/**
 * Values in one call of a circuit. A register of 64 planes then has 8 MiB, and the largest message of a round 24 MiB,
 * of which a channel queues several; who has more values computes them in batches.
 */
export const elementsMax = 2 ** 20;

/** Elements of one multiplication, and words of one AND: a message of 256 MiB at most, half of what a channel queues. */
export const productsMax = 2 ** 24;

/**
 * Items of one piece of preprocessing, and of one request to a dealer, whose streams then have up to 24 MiB a
 * participant. Bit triples take three eighths of a byte each, so a piece has more of them.
 */
export const pieceMax: Demand = { bitTriples: 2 ** 25, triples: 2 ** 20, sharedBits: 2 ** 20 };

/** @throws ProtocolError LENGTHS_DIFFER or OVER_LIMIT. Lengths are public, so that every party throws or none. */
export function checkLengths(field: string, max: number, first: number, ...others: readonly number[]): void {
  const other = others.find((each) => each !== first);
  if (other !== undefined) throw new ProtocolError('LENGTHS_DIFFER', { field, detail: `${first} and ${other}` });
  if (first > max) throw new ProtocolError('OVER_LIMIT', { field, detail: `${first} instead of up to ${max}` });
}
