/**
 * What other systems take for the same work, by measurements made before: three parties on one machine of two cores,
 * over loopback, preprocessing included unless the name says otherwise. They are not run again here: MPyC is written in
 * Python and MP-SPDZ in C++, and neither is on npm. jiff-mpc is; it runs beside ours (peers/jiff-circuits.js).
 *
 *   MPyC       Shamir sharing in Python, an honest majority and no preprocessing to make; from 1,000 on vectorised
 *   MP-SPDZ    its protocol semi2k: additive shares modulo 2^64, semi-honest, any number of parties colluding, as ours;
 *              triples by oblivious transfer, or from its dealer protocol where that is said
 * @module
 */
import type { WorkName } from './circuits-work.ts';

export interface Published {
  readonly work: WorkName;
  readonly count: number;
  readonly source: 'OT' | 'dealer';
  readonly peer: string;
  readonly seconds: number;
  /** Over all parties, where it is known. */
  readonly bytes?: number;
  readonly isOnlineOnly?: true;
}

const mpyc = { source: 'OT', peer: 'MPyC' } as const;
const spdz = { source: 'OT', peer: 'MP-SPDZ' } as const;

/** MP-SPDZ's comparisons are of numbers of 32 bits. */
const spdzComparisons = { ...spdz, seconds: 6.65, bytes: 1.85e9 };

export const published: readonly Published[] = [
  { ...mpyc, work: 'comparisons', count: 100, seconds: 0.37 },
  { ...mpyc, work: 'comparisons', count: 1_000, seconds: 2.0 },
  { ...mpyc, work: 'comparisons', count: 10_000, seconds: 25 },
  { ...spdzComparisons, work: 'comparisons', count: 100_000, peer: 'MP-SPDZ, 32 bits' },
  { ...spdzComparisons, work: 'comparisons within 63 bits', count: 100_000, peer: 'MP-SPDZ, 32 bits' },
  { ...spdzComparisons, work: 'comparisons within 32 bits', count: 100_000, peer: 'MP-SPDZ, 32 bits' },
  { ...spdz, work: 'multiplications', count: 1_000_000, seconds: 16.5, bytes: 6.3e9 },
  { ...spdz, work: 'multiplications', count: 1_000_000, source: 'dealer', seconds: 0.41, bytes: 104e6 },
  { ...spdz, work: 'multiplications', count: 1_000_000, seconds: 0.26, isOnlineOnly: true },
];

/** Of the whole, or of the online part alone. */
export function publishedFor(
  work: string,
  count: number,
  source: 'OT' | 'dealer',
  part: 'both' | 'online' = 'both',
): Published | undefined {
  return published.find(
    (each) =>
      each.work === work &&
      each.count === count &&
      (part === 'online' ? each.isOnlineOnly : each.source === source && !each.isOnlineOnly),
  );
}
