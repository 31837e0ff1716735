/**
 * The hash tables of a hidden join: cuckoo hashing with three hashes and no stash at one party, simple hashing at the
 * other, as in Pinkas, Schneider, Tkachenko and Yanai (EUROCRYPT 2019).
 *
 * P1 puts each of its n elements into one of the element's three bins, at most one to a bin. P2 puts each of its own into
 * all three. Whoever both hold is then among P2's entries of the bin where P1 has it, and bins can be compared one by one.
 *
 * An element's bins are three words of AES-128 of the element, under a key that is hashed from the seed. They are
 * *distinct*, since the second is drawn from what the first leaves, and the third from what both leave. So none is ever
 * repeated, and P2 has 3n entries for n elements, whatever they are. Drawn with repetition, two elements would have all
 * their hashes in one bin in 2^-30 of all small tables, and tables of up to 5,000 elements would fail too often.
 *
 * Rounds    0        Sends    nothing
 * Takes     elements of 16 bytes that look random and differ within a party: HMACs of identifiers under a fresh salt, and
 *           random dummies up to a public size. A seed that both know, and that neither chose alone.
 * Security  The number of bins is that of Rindal's cryptoTools, from experiments, for failures under 2^-40. Here a table
 *           fails where no arrangement exists, and only there; a test bounds the chance of that for n = 512 by 2^-41, and
 *           the same sum is smaller for larger n. That it failed says something of P1's set, so the join ends for good;
 *           seeds tried until one fits would say more. Where P1's elements are depends on its whole set, so no bin
 *           or order of them may leave P1. An active party that knows the seed before it fixes its set can overfill its
 *           own table. One that chooses the seed alone can choose one under which a set that it guesses fails. So both
 *           toss the seed, after the sets are fixed.
 * Memory    At 2^20 elements 36 MB at P1, of which 7 stay, and 30 MB at P2, of which 18 stay.
 * @module
 */
import { platform } from '#platform';
import { assert } from '../algebra/assert.ts';
import { utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import { ProtocolError } from '../channel/errors.ts';

const elementBytes = 16;
const hashes = 3;

/** Smaller sets have the bins of this one: below it, small groups of elements with the same bins are too likely. */
const elementsMin = 512;

/** Four times the sets that joins are made for. Indices of entries stay far below 2^31, and bins below 2^23. */
const elementsMax = 2 ** 22;

/** Elements go through AES in pieces of so many bytes, which stay in a core's cache. */
const pieceBytes = 64 * 1024;

/** P1's table: one place for each bin. */
export interface CuckooTable {
  /** The index of the element in each bin, or −1. Every element is in one bin. */
  readonly bins: Int32Array<ArrayBuffer>;
  /** Which of the element's hashes names the bin: 0, 1 or 2; 0 where the bin is empty. */
  readonly which: Uint8Array<ArrayBuffer>;
}

/** P2's table: each of its elements three times. */
export interface SimpleTable {
  /** Where each bin's entries begin, and at the end how many there are in all: three for each element. */
  readonly starts: Int32Array<ArrayBuffer>;
  /** The elements' indices, bin after bin, and ascending within a bin. */
  readonly entries: Int32Array<ArrayBuffer>;
}

/**
 * β for n elements: n·(40 + ⌈log₂ n⌉ + 256)/240, for no fewer than 512. The logarithm is rounded up, for 0.3 % more bins
 * at most, so that all is in whole numbers: machines could differ in the last bit of a logarithm.
 */
export function binsFor(n: number): number {
  assert(Number.isInteger(n) && n >= 0 && n <= elementsMax, 'a set of a join has up to 2^22 elements');
  const elements = Math.max(n, elementsMin);
  const log2 = 32 - Math.clz32(elements - 1);
  return Math.ceil((elements * (40 + log2 + 256)) / 240);
}

/**
 * Each element in one of its three bins. The same elements in the same order give the same table.
 *
 * An element with no free bin pushes others on along a shortest path to a free one, found by breadth-first search, which
 * misses none. With the bins of `binsFor` a search sees a few bins; it ends after all of them.
 *
 * @throws ProtocolError CUCKOO_FULL where there is no such table. It is final: the join is not tried under another seed.
 */
export function cuckooTable(
  elements: Uint8Array,
  seed: Uint8Array,
  bins: number = binsFor(elements.length / elementBytes),
): CuckooTable {
  const places = placesOf(elements, seed, bins);
  const held = new Int32Array(bins).fill(-1);
  const search: Search = {
    queue: new Int32Array(bins),
    before: new Int32Array(bins),
    seenBy: new Int32Array(bins).fill(-1),
  };
  for (let i = 0; i < places.length / hashes; i++) insert(places, held, search, i);
  return { bins: held, which: hashesUsed(places, held) };
}

/** Each element in all of its three bins, of which there are as many as P1 has: 3n entries. */
export function simpleTable(elements: Uint8Array, seed: Uint8Array, bins: number): SimpleTable {
  const places = placesOf(elements, seed, bins);
  const starts = new Int32Array(bins + 1);
  for (let at = 0; at < places.length; at++) starts[places[at]!]!++;
  for (let bin = 1; bin <= bins; bin++) starts[bin]! += starts[bin - 1]!;
  // Each start stands at its bin's end now; filled from the last entry on, it ends at the beginning.
  const entries = new Int32Array(places.length);
  for (let i = places.length / hashes - 1; i >= 0; i--) {
    for (let j = 0; j < hashes; j++) entries[--starts[places[hashes * i + j]!]!] = i;
  }
  return { starts, entries };
}

/** The three bins of each element, one element after the other. */
function placesOf(elements: Uint8Array, seed: Uint8Array, bins: number): Int32Array {
  assert(elements.length % elementBytes === 0, 'an element has 16 bytes');
  assert(elements.length / elementBytes <= elementsMax, 'a set of a join has up to 2^22 elements');
  assert(seed.length === 16, 'the seed of a table has 16 bytes');
  assert(Number.isInteger(bins) && bins >= hashes && bins <= binsFor(elementsMax), 'bins are as binsFor gives them');
  const pi = platform.aesPermutation(sha256(utf8('folkmoot cuckoo v1'), seed).slice(0, 16));
  const places = new Int32Array((elements.length / elementBytes) * hashes);
  let at = 0;
  for (let start = 0; start < elements.length; start += pieceBytes) {
    const { buffer, byteOffset, length } = pi(elements.subarray(start, start + pieceBytes));
    const words = new DataView(buffer, byteOffset, length);
    for (let i = 0; i < length; i += elementBytes, at += hashes) {
      const a = scaled(words.getUint32(i, true), bins);
      let b = scaled(words.getUint32(i + 4, true), bins - 1);
      if (b >= a) b++;
      let c = scaled(words.getUint32(i + 8, true), bins - 2);
      if (c >= Math.min(a, b)) c++;
      if (c >= Math.max(a, b)) c++;
      places[at] = a;
      places[at + 1] = b;
      places[at + 2] = c;
    }
  }
  return places;
}

/**
 * A word as a number below `range`. One number is likelier than another by a part of range/2^32, under 2^-9: too little
 * to matter beside the slack of the bound. Products over 2^53 are rounded by 4 at most, and `range` is not reached.
 */
function scaled(word: number, range: number): number {
  return Math.floor((word * range) / 2 ** 32);
}

/** What a search for a free bin writes to, made once for all of them. */
interface Search {
  readonly queue: Int32Array;
  /** From which bin an element would move to this one; −1 for the bins of the new element itself. */
  readonly before: Int32Array;
  /** The last element whose search has come to this bin. */
  readonly seenBy: Int32Array;
}

function insert(places: Int32Array, held: Int32Array, { queue, before, seenBy }: Search, element: number): void {
  // Mostly one of its own bins is free: the first that the search would come to.
  for (let at = hashes * element; at < hashes * (element + 1); at++) {
    if (held[places[at]!]! >= 0) continue;
    held[places[at]!] = element;
    return;
  }
  let end = 0;
  // `from` is −1 for the new element, and then each bin of the queue with the element that it holds.
  for (let head = -1; head < end; head++) {
    const from = head < 0 ? -1 : queue[head]!;
    const moving = head < 0 ? element : held[from]!;
    for (let j = 0; j < hashes; j++) {
      const bin = places[hashes * moving + j]!;
      if (seenBy[bin] === element) continue;
      seenBy[bin] = element;
      before[bin] = from;
      if (held[bin]! < 0) {
        settle(held, before, bin, element);
        return;
      }
      queue[end++] = bin;
    }
  }
  throw new ProtocolError('CUCKOO_FULL');
}

/** Moves every element on the path to `free` one bin on, the last one first, and the new one into the first bin. */
function settle(held: Int32Array, before: Int32Array, free: number, element: number): void {
  let to = free;
  for (let from = before[to]!; from >= 0; from = before[to]!) {
    held[to] = held[from]!;
    to = from;
  }
  held[to] = element;
}

function hashesUsed(places: Int32Array, held: Int32Array): Uint8Array<ArrayBuffer> {
  const which = new Uint8Array(held.length);
  for (let bin = 0; bin < held.length; bin++) {
    const at = hashes * held[bin]!;
    if (at >= 0) which[bin] = places[at] === bin ? 0 : places[at + 1] === bin ? 1 : 2;
  }
  return which;
}
