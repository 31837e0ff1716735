/**
 * Laws: one suite of properties a structure, run on each of its instances.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Rng, seededRng } from '../src/algebra/prg.ts';
import {
  add,
  addInto,
  bytesOf,
  copy,
  equal,
  fromBytes,
  fromIntegers,
  length,
  neg,
  type Ring,
  scale,
  slice,
  sub,
  subInto,
  toIntegers,
  type Vector,
  vector,
} from '../src/algebra/ring.ts';

/** Integers of a ring, with those at its edges and around carries far more often than chance would bring them. */
export function integers(ring: Ring): fc.Arbitrary<bigint> {
  const bound = 1n << BigInt(ring.bits - 1);
  const edges = [0n, 1n, -1n, bound - 1n, 1n - bound, 0xffff_ffffn, 1n << 32n, (1n << 64n) % bound, 1n << 63n];
  const within = edges.filter((edge) => edge < bound && edge > -bound);
  return fc.oneof(fc.constantFrom(...within), fc.bigInt({ min: 1n - bound, max: bound - 1n }));
}

/** Vectors of one length, side by side. */
function vectors(ring: Ring, count: number): fc.Arbitrary<Vector[]> {
  return fc.array(fc.tuple(...Array.from({ length: count }, () => integers(ring))), { maxLength: 20 }).map((rows) =>
    Array.from({ length: count }, (_, i) =>
      fromIntegers(
        ring,
        rows.map((row) => row[i]!),
      ),
    ),
  );
}

export function ringLaws(ring: Ring): void {
  const centred = (value: bigint) => BigInt.asIntN(ring.bits, value);
  const holds = (count: number, law: (...v: Vector[]) => boolean) =>
    fc.assert(fc.property(vectors(ring, count), (drawn) => law(...drawn)));

  describe(`${ring.name} is a ring`, () => {
    it('adds associatively and commutatively, with zero and negatives', () => {
      holds(3, (a, b, c) => equal(add(add(a!, b!), c!), add(a!, add(b!, c!))));
      holds(2, (a, b) => equal(add(a!, b!), add(b!, a!)));
      holds(1, (a) => equal(add(a!, vector(ring, length(a!))), a!));
      holds(1, (a) => equal(add(a!, neg(a!)), vector(ring, length(a!))));
      holds(2, (a, b) => equal(sub(a!, b!), add(a!, neg(b!))));
    });

    it('scales distributively', () => {
      const law = fc.property(vectors(ring, 2), integers(ring), integers(ring), ([a, b], k, m) => {
        expect(equal(scale(add(a!, b!), k), add(scale(a!, k), scale(b!, k)))).toBe(true);
        expect(equal(scale(a!, k + m), add(scale(a!, k), scale(a!, m)))).toBe(true);
        expect(equal(scale(scale(a!, k), m), scale(a!, k * m))).toBe(true);
        expect(equal(scale(a!, 1n), a!)).toBe(true);
      });
      fc.assert(law);
    });

    it('agrees with integers modulo 2^bits', () => {
      const law = fc.property(vectors(ring, 2), integers(ring), ([a, b], k) => {
        const [x, y] = [toIntegers(a!), toIntegers(b!)];
        expect(toIntegers(add(a!, b!))).toEqual(x.map((each, i) => centred(each + y[i]!)));
        expect(toIntegers(sub(a!, b!))).toEqual(x.map((each, i) => centred(each - y[i]!)));
        expect(toIntegers(scale(a!, k))).toEqual(x.map((each) => centred(each * k)));
      });
      fc.assert(law);
    });

    it('adds and subtracts in place, and nowhere else', () => {
      holds(2, (a, b) => {
        const [target, operand] = [copy(a!), copy(b!)];
        addInto(target, operand);
        const sum = copy(target);
        subInto(target, operand);
        return equal(sum, add(a!, b!)) && equal(target, a!) && equal(operand, b!);
      });
    });

    it('gives back the integers and the bytes it was made from', () => {
      fc.assert(
        fc.property(fc.array(integers(ring)), (values) => {
          const v = fromIntegers(ring, values);
          expect(toIntegers(v)).toEqual(values);
          expect(equal(fromBytes(ring, bytesOf(v), values.length), v)).toBe(true);
        }),
      );
    });

    it('reads bytes that are not aligned', () => {
      const v = fromIntegers(ring, [1n, -2n, 3n]);
      const shifted = new Uint8Array(bytesOf(v).length + 1);
      shifted.set(bytesOf(v), 1);
      expect(equal(fromBytes(ring, shifted.subarray(1), 3), v)).toBe(true);
    });

    it('refuses integers on both sides beyond its limits, and takes those at them', () => {
      const bound = 1n << BigInt(ring.bits - 1);
      expect(toIntegers(fromIntegers(ring, [bound - 1n, 1n - bound]))).toEqual([bound - 1n, 1n - bound]);
      expect(() => fromIntegers(ring, [bound])).toThrow(RangeError);
      expect(() => fromIntegers(ring, [-bound])).toThrow(RangeError);
    });

    it('refuses bytes of another length', () => {
      const bytes = bytesOf(vector(ring, 2));
      for (const count of [1, 3]) expect(() => fromBytes(ring, bytes, count)).toThrow(RangeError);
      expect(() => fromBytes(ring, bytes.subarray(1), 2)).toThrow(RangeError);
    });

    it('slices whole elements of the same memory', () => {
      const v = fromIntegers(ring, [1n, 2n, 3n, 4n]);
      addInto(slice(v, 1, 3), fromIntegers(ring, [10n, 20n]));
      expect(toIntegers(v)).toEqual([1n, 12n, 23n, 4n]);
    });
  });
}

/** A way to split a vector among parties. */
export interface Sharing {
  readonly name: string;
  share(x: Vector, parties: number, rng: Rng): Vector[];
  open(shares: readonly Vector[]): Vector;
}

export function sharingLaws(sharing: Sharing, ring: Ring): void {
  const parties = fc.integer({ min: 2, max: 7 });
  const seeds = fc.nat();

  describe(`${sharing.name} over ${ring.name} is a sharing`, () => {
    it('opens to what was shared', () => {
      fc.assert(
        fc.property(vectors(ring, 1), parties, seeds, ([x], n, seed) => {
          const shares = sharing.share(x!, n, seededRng(seed));
          expect(shares.length).toBe(n);
          expect(equal(sharing.open(shares), x!)).toBe(true);
        }),
      );
    });

    it('is linear: what is done to the shares is done to what is shared', () => {
      fc.assert(
        fc.property(vectors(ring, 2), parties, integers(ring), seeds, ([x, y], n, k, seed) => {
          const rng = seededRng(seed);
          const [xs, ys] = [sharing.share(x!, n, rng), sharing.share(y!, n, rng)];
          const combined = xs.map((share, i) => add(scale(share, k), ys[i]!));
          expect(equal(sharing.open(combined), add(scale(x!, k), y!))).toBe(true);
        }),
      );
    });

    it('leaves what was shared as it was', () => {
      const x = fromIntegers(ring, [5n, -5n]);
      sharing.open(sharing.share(x, 3, seededRng(1)));
      expect(toIntegers(x)).toEqual([5n, -5n]);
    });

    // Z_2^bits maps onto Z_2^2 by the lowest two bits and, as a set, by the highest: on 4 values the joint distribution
    // of two shares has 16 cells, few enough to count.
    for (const [end, shift] of [
      ['lowest', 0n],
      ['highest', BigInt(ring.bits - 2)],
    ] as const) {
      it(`makes any two of three shares uniform together, in their ${end} bits, whatever is shared`, () => {
        for (const secret of [0n, 1n, -1n, 1n << 62n]) {
          const rng = seededRng(7);
          const counts = { '01': new Array(16).fill(0), '02': new Array(16).fill(0), '12': new Array(16).fill(0) };
          const x = fromIntegers(ring, new Array(16_000).fill(secret));
          const shares = sharing
            .share(x, 3, rng)
            .map((share) => toIntegers(share).map((v) => Number((v >> shift) & 3n)));
          for (let i = 0; i < 16_000; i++) {
            for (const pair of ['01', '02', '12'] as const) {
              const [p, q] = [shares[Number(pair[0])]![i]!, shares[Number(pair[1])]![i]!];
              counts[pair][4 * p + q] += 1;
            }
          }
          for (const observed of Object.values(counts)) expect(chiSquare(observed)).toBeLessThan(chiSquareMax15);
        }
      });
    }
  });
}

/** The 0.99999 quantile of chi-square with 15 degrees of freedom: the seed is fixed, so a pass stays a pass. */
const chiSquareMax15 = 50.5;

/** Pearson's statistic against equal chances. */
function chiSquare(observed: readonly number[]): number {
  const expected = observed.reduce((sum, count) => sum + count, 0) / observed.length;
  return observed.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}
