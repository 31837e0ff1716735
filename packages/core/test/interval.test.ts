import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { floorSqrt } from '../src/algebra/integer-root.ts';
import { type Rational, rational, toNumber } from '../src/algebra/rational.ts';
import {
  exactly,
  exp,
  expMiddle,
  type Interval,
  ln,
  ln2,
  middle,
  minus,
  over,
  pi,
  plus,
  quotient,
  sqrt,
  times,
  whole,
} from '../src/privacy/interval.ts';

const fraction = fc
  .tuple(fc.bigInt(1n, 10n ** 12n), fc.bigInt(1n, 10n ** 12n))
  .map(([n, d]): Rational => rational(n, d));
const signed = fc.tuple(fraction, fc.boolean()).map(([r, flip]): Rational => (flip ? { n: -r.n, d: r.d } : r));

function holds(a: Interval, value: Rational): boolean {
  const scaled = value.n << 256n;
  return a.lo * value.d <= scaled && scaled <= a.hi * value.d;
}

/** Overlap: two intervals that hold one number. */
function meet(a: Interval, b: Interval): boolean {
  return a.lo <= b.hi && b.lo <= a.hi;
}

/** 60 digits as an interval one unit wide. */
function digits(text: string): Interval {
  const [before = '', after = ''] = text.split('.');
  const d = 10n ** BigInt(after.length);
  const n = BigInt(before + after);
  return { lo: exactly(rational(n, d)).lo, hi: exactly(rational(n + 1n, d)).hi };
}

describe('intervals', () => {
  it('hold the exact result of sums, products and quotients, whatever the signs', () => {
    fc.assert(
      fc.property(signed, signed, fraction, (a, b, c) => {
        const [x, y, z] = [exactly(a), exactly(b), exactly(c)];
        expect(holds(x, a)).toBe(true);
        expect(holds(plus(x, y), rational(a.n * b.d + b.n * a.d, a.d * b.d))).toBe(true);
        expect(holds(minus(x, y), rational(a.n * b.d - b.n * a.d, a.d * b.d))).toBe(true);
        expect(holds(times(x, y), rational(a.n * b.n, a.d * b.d))).toBe(true);
        expect(holds(over(x, z), rational(a.n * c.d, a.d * c.n))).toBe(true);
      }),
    );
  });

  it('round toward the side that is asked for', () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 20n), 10n ** 20n), fc.bigInt(1n, 10n ** 10n), (n, d) => {
        const [down, up] = [quotient(n, d, 'down'), quotient(n, d, 'up')];
        expect(down * d <= n && n < (down + 1n) * d).toBe(true);
        expect((up - 1n) * d < n && n <= up * d).toBe(true);
      }),
    );
  });

  it('take roots to the last unit', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 300n), (n) => {
        const root = floorSqrt(n);
        expect(root * root <= n && n < (root + 1n) ** 2n).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fraction, (r) => {
        const root = sqrt(exactly(r));
        expect(root.hi - root.lo <= 2n ** 40n).toBe(true);
        expect(holds(times(root, root), r)).toBe(true);
      }),
    );
  });

  it('know π and ln 2', () => {
    // Machin: π = 16·arctan(1/5) − 4·arctan(1/239); ln 2 = Σ 1/(k·2^k). Plain sums with 40 spare bits.
    const scale = 1n << 296n;
    const arctan = (x: bigint) => {
      let [sum, power, sign] = [0n, scale / x, 1n];
      for (let k = 1n; power > 0n; k += 2n) {
        sum += (sign * power) / k;
        power /= x * x;
        sign = -sign;
      }
      return sum;
    };
    expect(pi.lo).toBe((16n * arctan(5n) - 4n * arctan(239n)) >> 40n);
    let sum = 0n;
    for (let k = 1n; k < 300n; k++) sum += scale / (k << k);
    expect(ln2.lo).toBe(sum >> 40n);
  });

  it('have the logarithms and exponentials that mpmath computes', () => {
    // mpmath 1.3, 80 digits, cut.
    const known: [Rational, string][] = [
      [rational(10n), '2.302585092994045684017991454684364207601101488628772976033327'],
      [rational(3n, 2n), '0.405465108108164381978013115464349136571990423462494197614014'],
      [rational(1_000_000n), '13.815510557964274104107948728106185245606608931772637856199967'],
    ];
    for (const [x, text] of known) {
      expect(meet(ln(exactly(x)), digits(text))).toBe(true);
      expect(meet(minus(whole(0n), ln(exactly(rational(x.d, x.n)))), digits(text))).toBe(true);
    }
    expect(meet(exp(whole(1n)), digits('2.718281828459045235360287471352662497757247093699959574966967'))).toBe(true);
    expect(meet(exp(whole(-20n)), digits('0.000000002061153622438557827965940380155820976375807275599103'))).toBe(true);
    expect(
      meet(exp(exactly(rational(5n, 2n))), digits('12.182493960703473438070175951167966183182767790063161311560398')),
    ).toBe(true);
  });

  it('are narrow, and hold what goes through a logarithm and back', () => {
    fc.assert(
      fc.property(fraction, (r) => {
        const log = ln(exactly(r));
        // An input near 10^−12 is known to 2^−256, and so its logarithm to 2^−216.
        expect(log.hi - log.lo < 1n << 60n).toBe(true);
        expect(holds(exp(log), r)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.bigInt(-100n, 100n), fc.bigInt(1n, 1000n), (n, d) => {
        const [e, back] = [exp(exactly(rational(n, d))), exp(exactly(rational(-n, d)))];
        const product = times(e, back);
        expect(holds(product, rational(1n))).toBe(true);
        expect(Math.abs(middle(e) / Math.exp(Number(n) / Number(d)) - 1)).toBeLessThan(1e-12);
      }),
    );
  });

  it('show what lies far below a unit', () => {
    expect(exp(whole(-1000n))).toEqual({ lo: 0n, hi: 1n });
    expect(exp(whole(-(10n ** 9n)))).toEqual({ lo: 0n, hi: 1n });
    expect(Math.abs(expMiddle(whole(-700n)) / 9.85967654375977e-305 - 1)).toBeLessThan(1e-14);
    expect(toNumber(rational(1n, 3n))).toBe(middle(exactly(rational(1n, 3n))));
  });

  it('refuse what they cannot bound', () => {
    expect(() => ln(whole(0n))).toThrow('logarithm');
    expect(() => sqrt(whole(-1n))).toThrow('root');
    expect(() => over(whole(1n), { lo: 0n, hi: 1n })).toThrow('divided');
    expect(() => exp(whole(1024n))).toThrow('exponent');
  });
});
