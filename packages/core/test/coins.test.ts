import { describe, expect, it } from 'vitest';
import { Prg, type Rng, seededRng } from '../src/algebra/prg.ts';
import { Coins } from '../src/privacy/noise/coins.ts';

/** A source that says these words, and then fails. */
function scripted(...words: number[]): Coins {
  let at = 0;
  const rng: Rng = (length) => {
    if (at++ > 0) throw new Error('more words were drawn than were said');
    const all = new Uint32Array(length / 4);
    all.set(words);
    return new Uint8Array(all.buffer);
  };
  return new Coins(rng);
}

function frequency(toss: () => boolean, count = 100_000): number {
  let heads = 0;
  for (let i = 0; i < count; i++) if (toss()) heads++;
  return heads / count;
}

/** Five standard deviations of a mean of 100,000 coins. */
function expectNear(actual: number, p: number): void {
  expect(Math.abs(actual - p)).toBeLessThanOrEqual(5 * Math.sqrt((p * (1 - p)) / 100_000));
}

describe('uniform integers', () => {
  it('take the low bits of a word, and draw again at or above the bound', () => {
    expect(scripted(0xffff_fff5).below(8)).toBe(5);
    expect(scripted(5, 0x1004).below(5)).toBe(4);
    expect(scripted(7, 6, 5, 1).below(5)).toBe(1);
    expect(scripted().below(1)).toBe(0);
    expect(scripted(0xffff_ffff).below(2 ** 32)).toBe(0xffff_ffff);
    expect(scripted(0xffff_ffff, 3).below(2 ** 33)).toBe(2 ** 32 + 3);
    expect(scripted(1, 0, 0, 9).below(2 ** 32 + 1)).toBe(2 ** 32);
    expect(scripted(1, 1, 0, 9).below(2 ** 32 + 1)).toBe(9);
    expect(scripted(0x3f_ffff, 0xffff_ffff).below(2 ** 53)).toBe(
      2 ** 53 - 2 ** 53 + (0x1f_ffff * 2 ** 32 + 0xffff_ffff),
    );
  });

  it('of any length', () => {
    expect(scripted().belowBig(1n)).toBe(0n);
    expect(scripted(7, 6, 5, 1).belowBig(5n)).toBe(1n);
    expect(scripted(1, 2, 3).belowBig(2n ** 96n)).toBe((1n << 64n) | (2n << 32n) | 3n);
  });

  it('refuse an empty or too long range', () => {
    expect(() => scripted(1).below(0)).toThrow('range');
    expect(() => scripted(1).below(2 ** 53 + 2)).toThrow('range');
    expect(() => scripted(1).belowBig(0n)).toThrow('range');
  });

  it.each([3, 10, 1000, 3 * 2 ** 30, 5 * 2 ** 40])('below %d reach every sixth alike', (n) => {
    const coins = new Coins(seededRng(n % 1000));
    for (let part = 1; part < 6; part++) {
      const bar = Math.floor((n * part) / 6);
      expectNear(
        frequency(() => coins.below(n) < bar),
        bar / n,
      );
    }
  });
});

describe('Bernoulli coins', () => {
  it('are settled by one word, but on the edge, where the rest is drawn exactly', () => {
    // 2^32/3 = 1,431,655,765 + 1/3: the word below is heads, the word above tails, the word itself heads one time in three.
    expect(scripted(1_431_655_764).bernoulli(1, 3)).toBe(true);
    expect(scripted(1_431_655_766).bernoulli(1, 3)).toBe(false);
    expect(scripted(1_431_655_765, 0).bernoulli(1, 3)).toBe(true);
    expect(scripted(1_431_655_765, 1).bernoulli(1, 3)).toBe(false);
    expect(scripted(1_431_655_765, 2).bernoulli(1, 3)).toBe(false);
  });

  it('are sure at 0 and 1', () => {
    expect(scripted(0).bernoulli(0, 3)).toBe(false);
    expect(scripted().bernoulli(3, 3)).toBe(true);
    expect(scripted().bernoulli(4, 3)).toBe(true);
  });

  it.each([
    [1, 3],
    [999, 1000],
    [1, 2 ** 21],
    [2 ** 20, 2 ** 21 + 1],
    [2 ** 51, 2 ** 53],
  ])('of %d/%d', (n, d) => {
    const coins = new Coins(seededRng(3));
    expectNear(
      frequency(() => coins.bernoulli(n, d)),
      n / d,
    );
  });

  it.each([
    [0, 1],
    [1, 1],
    [1, 3],
    [5, 2],
    [7, 1],
    [2 ** 40 + 1, 2 ** 41],
  ])('of e^(−%d/%d), in numbers and in bigints', (n, d) => {
    const coins = new Coins(seededRng(4));
    expectNear(
      frequency(() => coins.bernoulliExp(n, d)),
      Math.exp(-n / d),
    );
    expectNear(
      frequency(() => coins.bernoulliExpBig(BigInt(n), BigInt(d))),
      Math.exp(-n / d),
    );
  });

  it('would be caught with a sum cut short', () => {
    // 1 − γ instead of e^(−γ) at γ = 1/3.
    const coins = new Coins(seededRng(5));
    const off = Math.abs(frequency(() => !coins.bernoulli(1, 3)) - Math.exp(-1 / 3));
    expect(off).toBeGreaterThan(0.01);
  });
});

it('reads one stream, and never a byte twice', () => {
  const key = new Uint8Array(16).fill(7);
  const coins = new Coins(new Prg(key));
  const words = Array.from({ length: 10_000 }, () => coins.word());
  const bytes = new Uint8Array(40_000);
  new Prg(key).fill(bytes);
  expect(words).toEqual([...new Uint32Array(bytes.buffer)]);
  const again = new Coins(seededRng(9));
  const rng = seededRng(9);
  expect(again.word()).toBe(new Uint32Array(rng(4).buffer)[0]);
  expect(again.bit()).toBe(new Uint32Array(rng(4).buffer)[0]! >= 2 ** 31);
});
