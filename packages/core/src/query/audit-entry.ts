/**
 * What a party's audit log says, entry by entry, and how an entry is committed to.
 *
 *   payload     canonical JSON (RFC 8785) of { at, kind, … }
 *   commitment  SHA-256(salt ‖ payload), the salt 32 random bytes
 *   leaf        SHA-256(0x00 ‖ commitment)
 *
 * Nobody guesses a payload from its leaf. So a payload and its salt can be dropped one day, and the tree stays whole. An
 * entry says what was asked, decided, charged and sent: nothing of it came from a record.
 * @module
 */
import { fromHex, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import { leafHash } from '../algebra/merkle-tree.ts';
import type { BudgetUnit } from './acceptance.ts';

export const saltBytes = 32;

/** What a dataset has spent in a period, over all analysts: whole numbers as decimal text, 10⁻⁶ of ε or ρ and 10⁻¹² of δ. */
export interface LedgerTotal {
  readonly dataset: string;
  readonly period: string;
  readonly unit: BudgetUnit;
  readonly micro: string;
  readonly pico: string;
}

/** A total with what is held back for jobs that may yet be charged. */
export interface StatedTotal extends LedgerTotal {
  readonly reserved: { readonly micro: string; readonly pico: string };
}

/** What was spent, if everything that was held back was charged. */
export function atMost({ dataset, period, unit, micro, pico, reserved }: StatedTotal): LedgerTotal {
  const sum = (a: string, b: string) => (BigInt(a) + BigInt(b)).toString();
  return { dataset, period, unit, micro: sum(micro, reserved.micro), pico: sum(pico, reserved.pico) };
}

/** A size and its root: one state of a log. */
export interface TreeState {
  readonly size: number;
  /** In hexadecimal digits, like every hash here. */
  readonly root: string;
}

/** What can happen that matters. Hashes of sealed bytes and of acceptances, never of records. */
export type AuditEvent =
  /** The first entry, with what a ledger older than the log had spent. */
  | { readonly kind: 'begun'; readonly totals: readonly LedgerTotal[] }
  | { readonly kind: 'charter'; readonly charter: string; readonly version: number }
  /** Hashes of the policy and of node.yaml, and the version of the program. */
  | { readonly kind: 'configuration'; readonly policy: string; readonly file: string; readonly build: string }
  | { readonly kind: 'period'; readonly dataset: string; readonly period: string }
  | {
      readonly kind: 'job';
      readonly job: string;
      readonly analyst: string;
      readonly title: string;
      readonly purpose: string;
    }
  | { readonly kind: 'verdict'; readonly job: string; readonly verdict: 'denied'; readonly code: string }
  | {
      readonly kind: 'verdict';
      readonly job: string;
      readonly verdict: 'accepted';
      readonly rule: string;
      /** The hash of the signed acceptance. */
      readonly acceptance: string;
    }
  | { readonly kind: 'verdict'; readonly job: string; readonly verdict: 'waits'; readonly rule: string }
  | {
      readonly kind: 'approval';
      readonly job: string;
      readonly decision: string;
      readonly by: string;
      readonly reason: string;
      /** The hash of the signed approval. Entries of earlier versions have none. */
      readonly approval?: string;
    }
  | { readonly kind: 'attempt'; readonly job: string; readonly attempt: number; readonly parties: readonly string[] }
  | {
      readonly kind: 'commitment' | 'opening';
      readonly job: string;
      readonly attempt: number;
      readonly sha256: string;
      readonly bytes: number;
    }
  /** `repeat`: the same question was charged before, and this costs nothing. */
  | ({ readonly kind: 'charge' | 'repeat'; readonly job: string } & LedgerTotal)
  /** The attempt has ended after the commitment; whether another party has opened it was not known then. */
  | { readonly kind: 'halted'; readonly job: string; readonly attempt: number }
  /** What was not taken: a person's decision; the word of a coordinator that leads the job no more; a job never begun. */
  | { readonly kind: 'approval-refused'; readonly job: string; readonly code: string }
  | { readonly kind: 'invitation-refused'; readonly job: string; readonly code: string }
  | { readonly kind: 'coordinator-refused'; readonly job: string; readonly epoch: number }
  | { readonly kind: 'renunciation'; readonly job: string; readonly attempt: number }
  | { readonly kind: 'end'; readonly job: string; readonly end: string; readonly code?: string }
  /** This party signed a head of that one's log. */
  | ({ readonly kind: 'countersigned'; readonly party: string } & TreeState)
  /** That party's state was an old copy: it has owned up to what it lost. */
  | ({ readonly kind: 'peer-restored'; readonly party: string; readonly lost: TreeState } & TreeState)
  /** This party's own state was an old copy; its owner has confirmed it, and the ledger was raised to `totals`. */
  | {
      readonly kind: 'restored';
      readonly lost: readonly (TreeState & { readonly held_by: string })[];
      readonly reason: string;
      readonly totals: readonly LedgerTotal[];
    }
  /** Payloads of the entries before `below` were older than the charter keeps them, and were dropped. */
  | {
      readonly kind: 'retention';
      readonly below: number;
      readonly days: number;
      /** Up to here: what was charged in the entries that are dropped can be added up no more. */
      readonly totals: readonly LedgerTotal[];
    };

/** An event with its instant, in UTC by the party's own clock. */
export type AuditPayload = AuditEvent & { readonly at: string };

export function commitmentOf(salt: Uint8Array, payload: string): Uint8Array {
  return sha256(salt, utf8(payload));
}

/** The leaf of a commitment in hexadecimal digits. */
export function leafOf(commitment: string): Uint8Array {
  return leafHash(fromHex(commitment));
}

/** In the order that they are signed in: one total for each dataset, period and unit. */
export function inOrder<T extends LedgerTotal>(totals: readonly T[]): T[] {
  return [...totals].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

const keyOf = ({ dataset, period, unit }: LedgerTotal): string => `${dataset}\n${period}\n${unit}`;
/** The larger of both, dataset by dataset: what is spent never falls. */
export function raised(totals: readonly LedgerTotal[], by: readonly LedgerTotal[]): LedgerTotal[] {
  const all = new Map(totals.map((total) => [keyOf(total), total]));
  for (const total of by) {
    const own = all.get(keyOf(total));
    all.set(keyOf(total), own === undefined ? total : { ...total, ...larger(own, total) });
  }
  return inOrder([...all.values()]);
}

/** Both added, dataset by dataset. */
export function added(totals: readonly LedgerTotal[], { dataset, period, unit, micro, pico }: LedgerTotal) {
  const before = totals.find((total) => keyOf(total) === keyOf({ dataset, period, unit, micro, pico }));
  const sum = (a: string | undefined, b: string) => (BigInt(a ?? 0) + BigInt(b)).toString();
  const after = { dataset, period, unit, micro: sum(before?.micro, micro), pico: sum(before?.pico, pico) };
  return inOrder([...totals.filter((total) => total !== before), after]);
}

function larger(a: LedgerTotal, b: LedgerTotal): Pick<LedgerTotal, 'micro' | 'pico'> {
  const max = (x: string, y: string) => (BigInt(x) > BigInt(y) ? x : y);
  return { micro: max(a.micro, b.micro), pico: max(a.pico, b.pico) };
}

/** The first dataset and period of `before` of which `after` has spent less. */
export function fallen(before: readonly LedgerTotal[], after: readonly LedgerTotal[]): LedgerTotal | undefined {
  return before.find((total) => {
    const now = after.find((one) => keyOf(one) === keyOf(total)) ?? { micro: '0', pico: '0' };
    return BigInt(now.micro) < BigInt(total.micro) || BigInt(now.pico) < BigInt(total.pico);
  });
}
