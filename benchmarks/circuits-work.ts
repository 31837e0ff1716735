/**
 * What the parties of `circuits` compute, in the stages that are timed one by one: base OTs, correlations, the circuit.
 *
 * Inputs are drawn from seeds that all processes know, so that every run ends with a check: the first results are opened
 * and compared with the plain computation. The check is no part of any time.
 * @module
 */

import { addConstant, open } from '@folkmoot/core/additive.js';
import { not } from '@folkmoot/core/bit-share.js';
import { concat } from '@folkmoot/core/bytes.js';
import type { Channel, PartyId } from '@folkmoot/core/channel.js';
import { constant, isNegative, isNegativeCost, lessThan, lessThanCost } from '@folkmoot/core/compare.js';
import type { Correlations, Demand } from '@folkmoot/core/correlations.js';
import { inSequence, noCost } from '@folkmoot/core/cost.js';
import { exchange, octets } from '@folkmoot/core/message.js';
import { multiply, multiplyCost } from '@folkmoot/core/multiply.js';
import { Prg } from '@folkmoot/core/prg.js';
import { bytesOf, fromBytes, sub, subInto, type Vector, vector, Z2_64 } from '@folkmoot/core/ring.js';
import { suppress, suppressCost } from '@folkmoot/core/suppress.js';
import { key } from './attempt.ts';

export type WorkName =
  | 'comparisons'
  | 'comparisons within 63 bits'
  | 'comparisons within 32 bits'
  | 'multiplications'
  | 'suppression'
  | 'bit triples'
  | 'triples'
  | 'shared bits';

/** A circuit with its inputs in place. */
export interface Work {
  readonly demand: Demand;
  /** My shares of the results, as bytes. */
  run(ch: Channel, source: Correlations): Promise<Uint8Array>;
  /** What the first of the results are, by plain computation, from the shares of all. */
  isRight(shares: readonly Uint8Array[]): boolean;
}

/** A party's place, and how many of what. */
interface Seat {
  readonly self: PartyId;
  readonly roster: readonly PartyId[];
  readonly count: number;
}

/** So many results are checked; a share of all that is kept for it fits what `check` sends. */
const checkedMax = 4096;
const checkedBytesMax = 3 * 8 * checkedMax;

const people = { bits: 6, threshold: 10n };

/** The values of an input: signed numbers of so many bits. */
function valuesOf(name: string, count: number, bits: number): Vector {
  const words = new Prg(key(name).subarray(0, 16)).words(count);
  const shift = BigInt(64 - bits);
  if (bits < 64) for (let i = 0; i < count; i++) words[i] = BigInt.asUintN(64, BigInt.asIntN(64, words[i]!) >> shift);
  return { ring: Z2_64, words };
}

/** The last party's share is what is missing to the value. */
function shareOf({ self, roster, count }: Seat, name: string, bits = 64): Vector {
  const drawn = (party: PartyId): Vector => valuesOf(`${name} of ${party}`, count, 64);
  if (self !== roster.at(-1)) return drawn(self);
  const share = valuesOf(name, count, bits);
  for (const party of roster.slice(0, -1)) subInto(share, drawn(party));
  return share;
}

function comparisons(seat: Seat, width: number): Work {
  const { roster, count } = seat;
  const [x, y] = [shareOf(seat, 'x', width), shareOf(seat, 'y', width)];
  return {
    demand: lessThanCost(roster.length, count, width),
    async run(ch, source) {
      const { words } = await lessThan(ch, source, x, y, width);
      return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    },
    isRight(shares) {
      const checked = Math.min(count, checkedMax);
      const [plainX, plainY] = [valuesOf('x', checked, width).words, valuesOf('y', checked, width).words];
      const bitAt = (i: number) => shares.reduce((bit, share) => bit ^ ((share[i >> 3]! >> (i & 7)) & 1), 0);
      return plainX.every((each, i) => {
        const isLess = BigInt.asIntN(64, each) < BigInt.asIntN(64, plainY[i]!);
        return bitAt(i) === Number(isLess);
      });
    },
  };
}

function multiplications(seat: Seat): Work {
  const { roster, count } = seat;
  const [x, y] = [shareOf(seat, 'x'), shareOf(seat, 'y')];
  return {
    demand: multiplyCost(roster.length, count),
    run: async (ch, source) => bytesOf(await multiply(ch, source, x, y)),
    isRight(shares) {
      const checked = Math.min(count, checkedMax);
      const [plainX, plainY] = [valuesOf('x', checked, 64).words, valuesOf('y', checked, 64).words];
      const isProduct = (z: bigint, i: number) => z === BigInt.asUintN(64, plainX[i]! * plainY[i]!);
      return sumOf(shares).subarray(0, checked).every(isProduct);
    },
  };
}

/** A table of cells: the people of each are counted against the threshold, and its value is shown or not. */
function suppression(seat: Seat): Work {
  const { roster, count } = seat;
  const [heads, value] = [shareOf(seat, 'people', people.bits), shareOf(seat, 'value', 32)];
  const cost = suppressCost(roster.length, [{ count, pieces: 1 }]);
  // Up to 65,535 people a cell, whatever the table holds.
  const width = 17;
  return {
    demand: inSequence(isNegativeCost(roster.length, count, width), cost),
    async run(ch, source) {
      const margin = sub(heads, addConstant(ch, vector(Z2_64, count), constant(count, people.threshold)));
      const few = await isNegative(ch, source, margin, width);
      const [shown] = await suppress(ch, source, [{ bits: not(ch, few), vectors: [value] }]);
      return bytesOf(shown!.values[0]![0]!);
    },
    isRight(shares) {
      const checked = Math.min(count, checkedMax);
      const plainHeads = valuesOf('people', checked, people.bits).words;
      const plainValues = valuesOf('value', checked, 32).words;
      const shown = sumOf(shares);
      return plainHeads.every((each, i) => {
        const isShown = BigInt.asIntN(64, each) >= people.threshold;
        return shown[i] === (isShown ? plainValues[i] : 0n);
      });
    },
  };
}

/** Correlations alone, of which the first are kept and checked by their relation. */
function correlations({ count }: Seat, kind: keyof Demand): Work {
  const kept = Math.min(32 * Math.ceil(count / 32), checkedMax);
  return {
    demand: { ...noCost, [kind]: count },
    async run(_, source) {
      if (kind === 'bitTriples') {
        const { a, b, c } = await source.bitTriples(count);
        return joined([a, b, c].map((part) => part.subarray(0, kept / 32)));
      }
      if (kind === 'triples') {
        const { a, b, c } = await source.triples(count);
        return joined([a, b, c].map((part) => part.words.subarray(0, kept)));
      }
      const { xor, ring } = await source.sharedBits(count);
      return joined([xor.subarray(0, kept / 32), ring.words.subarray(0, kept)]);
    },
    isRight(shares) {
      if (kind === 'triples') {
        const all = sumOf(shares);
        const n = all.length / 3;
        return all.slice(0, n).every((a, i) => all[2 * n + i] === BigInt.asUintN(64, a * all[n + i]!));
      }
      const bits = xorOf(shares);
      if (kind === 'bitTriples') {
        const n = bits.length / 3;
        return bits.slice(0, n).every((a, i) => bits[2 * n + i] === (a & bits[n + i]!));
      }
      const packed = kept / 8;
      const ring = sumOf(shares.map((share) => share.slice(packed)));
      return ring.every((each, i) => each === BigInt((bits[i >> 3]! >> (i & 7)) & 1));
    },
  };
}

function joined(parts: readonly (Uint32Array | BigUint64Array)[]): Uint8Array {
  return concat(...parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength)));
}

function sumOf(shares: readonly Uint8Array[]): BigUint64Array {
  return open(shares.map((share) => fromBytes(Z2_64, share.slice(), share.length / 8))).words;
}

function xorOf(shares: readonly Uint8Array[]): Uint8Array {
  return shares[0]!.map((_, at) => shares.reduce((bits, share) => bits ^ share[at]!, 0));
}

const works: Record<WorkName, (seat: Seat) => Work> = {
  comparisons: (seat) => comparisons(seat, 64),
  'comparisons within 63 bits': (seat) => comparisons(seat, 63),
  'comparisons within 32 bits': (seat) => comparisons(seat, 32),
  multiplications,
  suppression,
  'bit triples': (seat) => correlations(seat, 'bitTriples'),
  triples: (seat) => correlations(seat, 'triples'),
  'shared bits': (seat) => correlations(seat, 'sharedBits'),
};

export function workOf(name: WorkName, seat: Seat): Work {
  return works[name](seat);
}

/** Shows the first results to all, and compares. */
export async function check(ch: Channel, work: Work, results: Uint8Array): Promise<void> {
  const mine = results.subarray(0, checkedBytesMax);
  const shares = await exchange(ch.fork('check'), octets('check/results', mine.length), mine);
  if (!work.isRight([...shares.values()])) throw new Error('a result is wrong');
}
