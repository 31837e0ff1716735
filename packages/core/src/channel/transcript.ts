/**
 * A running hash over values that every party is to have seen alike.
 *
 * It binds the job, the attempt and the roster, then for each value its sender, its label, how many values it follows
 * and its bytes. Nothing depends on who computes it: parties that saw the same hold the same hash, and only they do.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { concat, lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import type { Context, PartyId } from './channel.ts';

export class Transcript {
  readonly #roster: readonly PartyId[];
  #hash: Uint8Array;
  #count = 0;

  /** `purpose` keeps the hashes of different uses apart. */
  constructor(purpose: string, context: Context) {
    const { job, attempt, roster } = context;
    this.#roster = roster;
    this.#hash = sha256(lengthPrefixed(utf8(purpose), job, u32(attempt), ...roster.map(utf8)));
  }

  /** A value that one sender gave to all, or that all hold already (an empty sender). */
  absorb(sender: PartyId | '', label: string, value: Uint8Array): void {
    const entry = lengthPrefixed(utf8(sender), utf8(label), u32(this.#count), sha256(value));
    this.#hash = sha256(concat(this.#hash, entry));
    this.#count += 1;
  }

  /** A round in which each party gave one value to all: the roster's order counts, never the order of arrival. */
  absorbRound(label: string, values: ReadonlyMap<PartyId, Uint8Array>): void {
    assert(values.size === this.#roster.length, 'each party gave one value');
    for (const party of this.#roster) {
      const value = values.get(party);
      assert(value !== undefined, 'each party gave one value');
      this.absorb(party, label, value);
    }
  }

  /** 32 bytes over all that was absorbed so far. */
  hash(): Uint8Array {
    return new Uint8Array(this.#hash);
  }
}
