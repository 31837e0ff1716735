/**
 * Correlated randomness ahead of its use: all of a demand is taken at once, and handed out from memory afterwards.
 *
 * What a computation needs is known from public sizes, so the source can make it while the party still reads its
 * records, in few large requests instead of one for each gate. The hand-outs follow the stock in order, each item once.
 * Bit triples are handed out in whole words, which is how circuits ask for them; shared bits are cut at the bit.
 *
 * Rounds    those of the source for ⌈n / pieceMax⌉ calls of each kind, all of them made at once
 * Sends     what the source sends for the demand
 * Security  that of the source. What is left at the end is forgotten with the session
 * Memory    12 bytes for 32 bit triples, 24 a triple, 8 a shared bit; a request in flight as its source says
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { Z2_64 } from '../algebra/ring.ts';
import type { BitTriples, SharedBits, Triples } from '../sharing/beaver-triple.ts';
import { wordsFor } from '../sharing/bit-share.ts';
import type { Correlations, Demand } from './correlations.ts';
import { pieceMax } from './cost.ts';

/** Correlations in the order in which they are handed out. Only the last shared bits may end within a word. */
export interface Stock {
  readonly bitTriples: readonly BitTriples[];
  readonly triples: readonly Triples[];
  readonly sharedBits: readonly SharedBits[];
}

/**
 * Takes the demand from the source, and resolves to a source that hands it out without a message. It may be left to run
 * and awaited later: a failure stays with the promise.
 */
export function prefetch(source: Correlations, demand: Demand): Promise<Correlations> {
  const taken = takeStock(source, demand).then((stock) => handOut([stock]));
  taken.catch(() => undefined);
  return taken;
}

/**
 * All of the demand, in pieces. The calls are made at once, kind by kind, and take their turns at the source; `made` hears
 * of each that is done.
 */
export async function takeStock(
  source: Correlations,
  demand: Demand,
  piece: Demand = pieceMax,
  made?: (kind: keyof Demand, count: number) => void,
): Promise<Stock> {
  const taken = <Kind extends keyof Demand>(kind: Kind) =>
    Promise.all(
      pieces(demand[kind], piece[kind]).map(async (count) => {
        const items = await (source[kind](count) as ReturnType<Correlations[Kind]>);
        made?.(kind, count);
        return items;
      }),
    );
  const [bitTriples, triples, sharedBits] = await Promise.all([
    taken('bitTriples'),
    taken('triples'),
    taken('sharedBits'),
  ]);
  return { bitTriples, triples, sharedBits };
}

/** A source of what is there, one stock after the other. To ask for more than there is would be our own mistake. */
export function handOut(stocks: readonly Stock[]): Correlations {
  const bits = stocks.flatMap(({ bitTriples }) => bitTriples);
  const products = stocks.flatMap(({ triples }) => triples);
  const shared = stocks.flatMap(({ sharedBits }) => sharedBits);
  const ofBits = (['a', 'b', 'c'] as const).map((part) =>
    reel(
      words32,
      bits.map((piece) => piece[part]),
    ),
  );
  const ofTriples = (['a', 'b', 'c'] as const).map((part) =>
    reel(
      words64,
      products.map((piece) => piece[part].words),
    ),
  );
  const ofXor = bitReel(shared.map(({ xor }) => xor));
  const ofRing = reel(
    words64,
    shared.map(({ ring }) => ring.words),
  );
  return {
    async bitTriples(count) {
      const [a, b, c] = ofBits.map((take) => take(wordsFor(count)));
      return { a: a!, b: b!, c: c! };
    },
    async triples(count) {
      const [a, b, c] = ofTriples.map((take) => ({ ring: Z2_64, words: take(count) }));
      return { a: a!, b: b!, c: c! };
    },
    async sharedBits(count) {
      // The elements count what is left, for bits and elements alike.
      const words = ofRing(count);
      return { xor: ofXor(count), ring: { ring: Z2_64, words } };
    },
  };
}

function pieces(count: number, max: number): number[] {
  return Array.from({ length: Math.ceil(count / max) }, (_, i) => Math.min(max, count - i * max));
}

type Items = Uint8Array | Uint32Array | BigUint64Array;
const words32 = (count: number) => new Uint32Array(count);
const words64 = (count: number) => new BigUint64Array(count);

/** Takes the next items: a view where they lie in one piece, a copy where they do not. Used pieces are let go. */
export function reel<A extends Items>(make: (count: number) => A, parts: A[]): (count: number) => A {
  let left = parts.reduce((sum, { length }) => sum + length, 0);
  let used = 0;
  return (count) => {
    assert(Number.isInteger(count) && count >= 0, 'correlations are counted in whole numbers');
    assert(count <= left, 'no more correlations are asked for than were made');
    left -= count;
    const taken: A[] = [];
    for (let missing = count; missing > 0; ) {
      const part = parts[0]!;
      const view = part.subarray(used, used + missing) as A;
      taken.push(view);
      missing -= view.length;
      used += view.length;
      if (used === part.length) {
        parts.shift();
        used = 0;
      }
    }
    if (taken.length === 1) return taken[0]!;
    const all = make(count);
    let at = 0;
    for (const view of taken) {
      (all as { set(view: A, at: number): void }).set(view, at);
      at += view.length;
    }
    return all;
  };
}

/** The same for bits, which are moved to the start of a word, with zeros behind the last. */
function bitReel(parts: Uint32Array[]): (count: number) => Uint32Array {
  const next = reel(words32, parts);
  /** Bits of the last word that were not taken: its highest ones. */
  let spare = { word: 0, bits: 0 };
  return (count) => {
    const fresh = next(wordsFor(Math.max(0, count - spare.bits)));
    const out = new Uint32Array(wordsFor(count));
    const { word, bits } = spare;
    for (let i = 0, carry = word; i < out.length; i++) {
      const current = fresh[i] ?? 0;
      out[i] = bits === 0 ? current : carry | (current << bits);
      carry = bits === 0 ? 0 : current >>> (32 - bits);
    }
    const left = bits + 32 * fresh.length - count;
    // None of the fresh words were needed where what is left is of the old one.
    const last = fresh.length === 0 ? word >>> count : left === 0 ? 0 : fresh.at(-1)! >>> (32 - left);
    spare = { word: last, bits: left };
    if (count % 32 !== 0) out[out.length - 1]! &= 2 ** (count % 32) - 1;
    return out;
  };
}
