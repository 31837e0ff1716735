/**
 * AND of packed bits that are shared by xor, after Goldreich, Micali, Wigderson (STOC 1987) with the triples of Beaver
 * (CRYPTO 1991).
 *
 * Rounds    1 (none for no bits); allOf: ⌈log₂⌉ of the longest list
 * Sends     2 bits a gate, to each peer        Takes    1 bit triple a gate
 * Security  semi-honest, N−1 colluding: d and e are uniform. An active party can flip any output bit, by sending other
 *           d or e; it learns nothing by that until a wrong result is opened.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Channel } from '../channel/channel.ts';
import type { BitTriples } from '../sharing/beaver-triple.ts';
import { type Bits, wordsFor, xor, xorInto } from '../sharing/bit-share.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, inSequence, noCost, productsMax } from './cost.ts';
import { openMaskedBits } from './open-masked.ts';

/**
 * My share of x ∧ y, word by word.
 * @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT
 */
export async function and(ch: Channel, source: Correlations, x: Uint32Array, y: Uint32Array): Promise<Uint32Array> {
  checkLengths('and', productsMax, x.length, y.length);
  if (x.length === 0) return new Uint32Array(0);
  const t = await source.bitTriples(32 * x.length);

  // Round 1. Open d = x ⊕ a and e = y ⊕ b, which a and b make uniform.
  const masked = new Uint32Array(2 * x.length);
  masked.set(xor(x, t.a));
  masked.set(xor(y, t.b), x.length);
  const opened = await openMaskedBits(ch, 'and/masked', masked);
  return evaluate(t, opened, ch.self === ch.context.roster[0]);
}

/** c ⊕ d ∧ b ⊕ e ∧ a, and at the first party ⊕ d ∧ e. */
function evaluate(t: BitTriples, opened: Uint32Array, isFirst: boolean): Uint32Array {
  const n = t.c.length;
  const z = new Uint32Array(n);
  const ours = isFirst ? 0xffff_ffff : 0;
  for (let i = 0; i < n; i++) {
    const d = opened[i]!;
    const e = opened[n + i]!;
    z[i] = t.c[i]! ^ (d & (t.b[i]! ^ (e & ours))) ^ (e & t.a[i]!);
  }
  return z;
}

/** x ∨ y = x ⊕ y ⊕ x ∧ y, at the cost of one AND. */
export async function or(ch: Channel, source: Correlations, x: Uint32Array, y: Uint32Array): Promise<Uint32Array> {
  const z = await and(ch, source, x, y);
  xorInto(z, x);
  xorInto(z, y);
  return z;
}

/**
 * Of each list, the AND of all its bits, place by place; all lists at once. A list has one entry or more, of one length.
 * @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT
 */
export async function allOf(ch: Channel, source: Correlations, lists: readonly (readonly Bits[])[]): Promise<Bits[]> {
  for (const list of lists) {
    assert(list.length > 0, 'a list has bits');
    checkLengths('and', 32 * productsMax, ...(list.map(({ count }) => count) as [number, ...number[]]));
  }

  // One round a level. Of each list neighbours meet, and a last one waits.
  let left = lists.map((list) => list.map(({ words }) => words));
  while (left.some((list) => list.length > 1)) {
    const pairs = left.flatMap(neighbours);
    const both = await and(ch, source, joined(pairs.map(([a]) => a)), joined(pairs.map(([, b]) => b)));
    let start = 0;
    left = left.map((list) => {
      const met = neighbours(list).map(([a]) => {
        start += a.length;
        return both.subarray(start - a.length, start);
      });
      return [...met, ...list.slice(2 * met.length)];
    });
  }
  return left.map(([words], i) => ({ count: lists[i]![0]!.count, words: words! }));
}

/** In pairs, without the last one where it has none to meet. */
function neighbours(list: readonly Uint32Array[]): [Uint32Array, Uint32Array][] {
  return Array.from({ length: list.length >>> 1 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!]);
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

/** Of so many words of 32 gates. */
export function andCost(parties: number, words: number): Cost {
  if (words === 0) return noCost;
  return { ...noCost, rounds: 1, bytes: (parties - 1) * 8 * words, bitTriples: 32 * words };
}

/** Of lists of so many entries, each of `count` bits. */
export function allOfCost(
  parties: number,
  lists: readonly { readonly entries: number; readonly count: number }[],
): Cost {
  const levels: Cost[] = [];
  let left = lists;
  while (left.some(({ entries }) => entries > 1)) {
    const words = left.reduce((sum, { entries, count }) => sum + (entries >>> 1) * wordsFor(count), 0);
    levels.push(andCost(parties, words));
    left = left.map(({ entries, count }) => ({ entries: entries - (entries >>> 1), count }));
  }
  return inSequence(...levels);
}
