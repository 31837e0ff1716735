/**
 * Correlations as a trusted party would hand them out, drawn from one seed that all parties know: the ideal twin of the
 * real sources, for tests. It counts what is taken.
 *
 * Rounds    0                Sends    0 bytes                Security  none: whoever has the seed knows every share
 * @module
 */
import { lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import { Prg } from '../algebra/prg.ts';
import { addInto, subInto, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import type { BitTriples, SharedBits, Triples } from '../sharing/beaver-triple.ts';
import { wordsFor, xorInto } from '../sharing/bit-share.ts';
import type { Correlations, Demand } from './correlations.ts';

export interface IdealCorrelations extends Correlations {
  /** All that was handed out so far. */
  readonly taken: Demand;
}

/** This party's end. The seed is the same at all parties, and another one in each session. */
export function idealCorrelations(ch: Channel, seed: number): IdealCorrelations {
  const parties = ch.context.roster.length;
  const me = ch.context.roster.indexOf(ch.self);
  const taken = { bitTriples: 0, triples: 0, sharedBits: 0 };
  let handOuts = 0;

  /** Everyone draws all shares; the last party of the roster corrects its own to what the relation wants. */
  function draw<T>(kind: keyof Demand, count: number, shareOf: (prg: Prg) => T, correct: (shares: T[]) => void): T {
    taken[kind] += count;
    handOuts += 1;
    const shares = Array.from({ length: parties }, (_, party) => {
      const place = lengthPrefixed(utf8('folkmoot ideal correlations'), u32(seed), u32(handOuts), u32(party));
      return shareOf(new Prg(sha256(place).subarray(0, 16)));
    });
    correct(shares);
    return shares[me]!;
  }

  return {
    taken,

    async bitTriples(count) {
      const words = wordsFor(count);
      const shareOf = (prg: Prg): BitTriples => ({
        a: packedFrom(prg, words),
        b: packedFrom(prg, words),
        c: packedFrom(prg, words),
      });
      return draw('bitTriples', count, shareOf, (shares) => {
        const { a, b, c } = shares.reduce(
          (sum, each) => {
            for (const part of ['a', 'b', 'c'] as const) xorInto(sum[part], each[part]);
            return sum;
          },
          { a: new Uint32Array(words), b: new Uint32Array(words), c: new Uint32Array(words) },
        );
        const last = shares.at(-1)!.c;
        for (let i = 0; i < words; i++) last[i]! ^= (a[i]! & b[i]!) ^ c[i]!;
      });
    },

    async triples(count) {
      const shareOf = (prg: Prg): Triples => ({
        a: uniform(prg, count),
        b: uniform(prg, count),
        c: uniform(prg, count),
      });
      return draw('triples', count, shareOf, (shares) => {
        const [a, b, c] = (['a', 'b', 'c'] as const).map((part) => {
          const sum = vector(Z2_64, count);
          for (const each of shares) addInto(sum, each[part]);
          return sum.words;
        });
        const last = shares.at(-1)!.c.words;
        for (let i = 0; i < count; i++) last[i] = BigInt.asUintN(64, last[i]! + a![i]! * b![i]! - c![i]!);
      });
    },

    async sharedBits(count) {
      const shareOf = (prg: Prg): SharedBits => {
        const xor = packedFrom(prg, wordsFor(count));
        if (count % 32 !== 0) xor[xor.length - 1]! &= 2 ** (count % 32) - 1;
        return { xor, ring: uniform(prg, count) };
      };
      return draw('sharedBits', count, shareOf, (shares) => {
        const bits = new Uint32Array(wordsFor(count));
        for (const { xor } of shares) xorInto(bits, xor);
        const last = shares.at(-1)!.ring;
        for (let i = 0; i < count; i++) last.words[i] = (bits[i >>> 5]! >>> (i & 31)) & 1 ? 1n : 0n;
        for (const { ring } of shares.slice(0, -1)) subInto(last, ring);
      });
    },
  };
}

function packedFrom(prg: Prg, count: number): Uint32Array {
  const words = new Uint32Array(count);
  prg.fill(new Uint8Array(words.buffer));
  return words;
}

function uniform(prg: Prg, count: number): Vector {
  return { ring: Z2_64, words: prg.words(count) };
}
