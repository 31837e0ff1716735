/**
 * Exact coins: uniform integers, Bernoulli(n/d) and Bernoulli(e^(−γ)) for rational γ, from a stream of random bytes.
 *
 * After Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (2020), Section 5. Each outcome has
 * exactly the probability named, as far as the bytes are uniform: every step compares integers, and a comparison that
 * the bits drawn so far leave open draws more. Integers below 2^53 are held in numbers, which hold them exactly; larger
 * ones are bigints.
 *
 * The time a draw takes depends on its outcome; `docs/PRIVACY.md` says what that means.
 * @module
 */
import { assert } from '../../algebra/assert.ts';
import type { Prg, Rng } from '../../algebra/prg.ts';

/** 16 KiB at a time: four calls to the cipher for the noise of a thousand cells. */
const wordsBuffered = 4096;

const word = 2 ** 32;
/** Below this, a product with a 32-bit word is an exact number. */
const smallDenominatorMax = 2 ** 21;
const exactMax = 2 ** 53;

/** A stream of coins. What it has given out it never gives again. */
export class Coins {
  readonly #fill: (out: Uint8Array) => void;
  readonly #words = new Uint32Array(wordsBuffered);
  #next = wordsBuffered;

  constructor(source: Prg | Rng) {
    this.#fill = typeof source === 'function' ? (out) => out.set(source(out.length)) : (out) => source.fill(out);
  }

  /** 32 uniform bits. */
  word(): number {
    if (this.#next === wordsBuffered) {
      this.#fill(new Uint8Array(this.#words.buffer));
      this.#next = 0;
    }
    return this.#words[this.#next++]!;
  }

  bit(): boolean {
    return this.word() >>> 31 === 1;
  }

  /** Uniform in 0…n−1, for 1 ≤ n ≤ 2^53: as many bits as n − 1 has, drawn again until they are below n. */
  below(n: number): number {
    assert(n >= 1 && n <= exactMax, 'a range has between 1 and 2^53 values');
    if (n <= word) {
      const mask = n === 1 ? 0 : 0xffff_ffff >>> Math.clz32(n - 1);
      while (true) {
        const drawn = (this.word() & mask) >>> 0;
        if (drawn < n) return drawn;
      }
    }
    const highMask = 0xffff_ffff >>> Math.clz32(Math.floor((n - 1) / word));
    while (true) {
      const drawn = ((this.word() & highMask) >>> 0) * word + this.word();
      if (drawn < n) return drawn;
    }
  }

  /** Uniform in 0…n−1, for any n ≥ 1. */
  belowBig(n: bigint): bigint {
    assert(n >= 1n, 'a range has a value');
    const bits = n === 1n ? 0 : (n - 1n).toString(2).length;
    while (true) {
      let drawn = 0n;
      for (let taken = 0; taken < bits; taken += 32) drawn = (drawn << 32n) | BigInt(this.word());
      drawn = BigInt.asUintN(bits, drawn);
      if (drawn < n) return drawn;
    }
  }

  /** True with probability n/d, for integers 0 ≤ n and 1 ≤ d ≤ 2^53; surely where n ≥ d. */
  bernoulli(n: number, d: number): boolean {
    if (n >= d) return true;
    if (d > smallDenominatorMax) return this.below(d) < n;
    // A uniform real U in [0, 1) begins with the 32 bits w: U·2^32 = w + f with f uniform in [0, 1). U < n/d is settled
    // by w unless n·2^32 lies within [w·d, w·d + d); then it is f < (n·2^32 − w·d)/d, a coin of the same kind.
    const drawn = this.word() * d;
    const bar = n * word;
    if (drawn >= bar) return false;
    return drawn + d <= bar || this.below(d) < bar - drawn;
  }

  /** True with probability e^(−n/d), for integers n ≥ 0 and d ≥ 1 below 2^53 (Algorithm 1). */
  bernoulliExp(n: number, d: number): boolean {
    const rest = n % d;
    return this.#bernoulliExpWhole((n - rest) / d) && this.#bernoulliExpFraction(rest, d);
  }

  /** As `bernoulliExp`, for integers of any length. */
  bernoulliExpBig(n: bigint, d: bigint): boolean {
    const whole = n / d;
    // e^(−2^53) is never seen; a cut there is no rounding but the bound that lets the count be a number.
    assert(whole < BigInt(exactMax), 'an exponent is below 2^53');
    return this.#bernoulliExpWhole(Number(whole)) && this.#bernoulliExpFractionBig(n % d, d);
  }

  /** e^(−γ) = e^(−1) · … · e^(−1), one coin each. */
  #bernoulliExpWhole(count: number): boolean {
    for (let i = 0; i < count; i++) if (!this.#bernoulliExpFraction(1, 1)) return false;
    return true;
  }

  /** For γ = n/d ≤ 1: the first K for which Bernoulli(γ/K) fails is odd with probability e^(−γ). */
  #bernoulliExpFraction(n: number, d: number): boolean {
    let k = 1;
    // Bernoulli(γ/K) is Bernoulli(γ) and Bernoulli(1/K), which keeps the denominators small.
    while (this.bernoulli(n, d) && this.bernoulli(1, k)) k++;
    return k % 2 === 1;
  }

  #bernoulliExpFractionBig(n: bigint, d: bigint): boolean {
    // n/d = (head + rest/d) / 2^32, so one word settles all but one comparison in 2^32.
    const head = Number((n << 32n) / d);
    const rest = (n << 32n) % d;
    let k = 1;
    while (true) {
      const drawn = this.word();
      const holds = drawn < head || (drawn === head && this.belowBig(d) < rest);
      if (!holds || !this.bernoulli(1, k)) return k % 2 === 1;
      k++;
    }
  }
}
