/**
 * What an exact job opens, and what decides it: worked out from public texts alone, before any record is read.
 *
 *   sums → derived numbers → conditions → parts → which parts and which groups open → numbers × bits
 *
 * Everything is shared for each place: a group of the job, and one more for their total where it is asked for. A slot is
 * a vector over the places: one of the sums, or what is derived from others on shares. A condition is a linear form in
 * slots that has to be 0 or more. A part opens at a place where all its conditions hold there, or not at all; it opens
 * the numbers in its slots and nothing else. engine/evaluate.ts carries it out.
 * @module
 */
import type { Rational } from '../algebra/rational.ts';
import type { Ring } from '../algebra/ring.ts';
import type { InputSlot } from './input-slot.ts';
import type { Prepared } from './measure/family.ts';

/** An index among all slots: those of the inputs come first, then those derived, in their order. */
export type Slot = number;

/** What is computed on shares before anything is decided. */
export type Derived =
  /** The sum of the `count` largest, of slots that descend in runs; of the total over the groups, the sum of these. */
  | { readonly kind: 'largest'; readonly of: readonly Slot[]; readonly count: number; readonly run: number }
  /** The nearest multiple of the base. */
  | { readonly kind: 'rounded'; readonly of: Slot; readonly base: bigint }
  /** Two slots: the quotient, and 1 where there is one. */
  | { readonly kind: 'quotient'; readonly numerator: Slot; readonly denominator: Slot; readonly factor: bigint }
  /** Two slots: the place of the bin, and the millionths of it. */
  | { readonly kind: 'quantile'; readonly counts: readonly Slot[]; readonly rank: Rational };

/** Σ factor · slot + constant, to be 0 or more. */
export interface Form {
  readonly terms: readonly (readonly [slot: Slot, factor: bigint])[];
  readonly constant: bigint;
  /** In the place of `constant` for the total over all groups. */
  readonly totalConstant: bigint;
  /** No magnitude is larger. */
  readonly bound: bigint;
}

/** People who are counted for a part: the condition on them, and what withheld parts of one whole must reach together. */
export interface Crowd {
  readonly slot: Slot;
  readonly needed: bigint;
}

/** Rows that have to be none or enough: the forms that there is one, and that there are enough. */
export interface Gap {
  readonly slot: Slot;
  readonly some: number;
  readonly enough: number;
}

export interface DisclosedPart {
  /** Indices of the forms on numbers of people, then of those on dominance. */
  readonly people: readonly number[];
  readonly dominance: readonly number[];
  /** Indices of the sets of gaps. */
  readonly gaps: readonly number[];
  readonly crowds: readonly Crowd[];
  /** What opens, in this order. */
  readonly slots: readonly Slot[];
}

/** Sets of rows that make up a whole which other figures of the job may tell. */
export interface Partition {
  /** Of each set, the parts that open its count. */
  readonly sets: readonly (readonly number[])[];
  /** Of each set, and of what is in none of them and never opens, the people. */
  readonly crowds: readonly Crowd[];
  /** Whether the last of the crowds is in none of the sets. */
  readonly hasRest: boolean;
}

/** Which groups open at all. */
export interface RowRule {
  /** Forms that must hold. */
  readonly forms: readonly number[];
  /** Parts that must be shown: a group is not judged by a number that it withholds. */
  readonly parts: readonly number[];
  /** Of the groups for which `forms` hold, those with the greatest numbers. */
  readonly top: { readonly slot: Slot; readonly count: number } | null;
}

export interface DisclosedMeasure {
  readonly name: string;
  readonly finish: Prepared['finish'];
  /** Of each of its parts: which of all parts it is in, and where its numbers stand among what that opens. */
  readonly parts: readonly { readonly part: number; readonly at: readonly number[] }[];
}

export interface Disclosure {
  readonly groups: number;
  /** Whether there is one more place, for all groups together. */
  readonly total: boolean;
  readonly inputs: readonly InputSlot[];
  /** Of each slot, inputs and derived. */
  readonly rings: readonly Ring[];
  /** Of each slot: no magnitude at any place is larger. */
  readonly bounds: readonly bigint[];
  readonly derived: readonly Derived[];
  readonly forms: readonly Form[];
  /** Sets of gaps: a part of one opens where all its gaps are none or enough. */
  readonly gaps: readonly (readonly Gap[])[];
  readonly parts: readonly DisclosedPart[];
  readonly partitions: readonly Partition[];
  readonly rows: RowRule | null;
  readonly measures: readonly DisclosedMeasure[];
  /** The least number of people behind a number that opens; 0 where none is in force. */
  readonly threshold: number;
}
