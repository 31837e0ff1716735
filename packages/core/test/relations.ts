/**
 * What correlated randomness has to fulfil, whoever made it: one checker for the ideal source and for the real ones.
 * @module
 */
import { expect } from 'vitest';
import { u32 } from '../src/algebra/bytes.ts';
import { sha256 } from '../src/algebra/hash.ts';
import { type Rng, seededRng } from '../src/algebra/prg.ts';
import { equal, length, type Vector, vector, Z2_64 } from '../src/algebra/ring.ts';
import { plainKernels } from '../src/kernels/plain.ts';
import type { BaseOts } from '../src/protocols/ot-extension.ts';
import { open } from '../src/sharing/additive.ts';
import type { BitTriples, SharedBits, Triples } from '../src/sharing/beaver-triple.ts';
import { openBits, unpackBits } from '../src/sharing/bit-share.ts';

/** Random OTs of 16-byte messages, as both ends hold them. */
export interface RandomOts {
  readonly zero: Uint8Array;
  readonly one: Uint8Array;
  readonly choices: Uint8Array;
  readonly chosen: Uint8Array;
}

/** What a trusted party would hand out. */
export function idealOt(seed: number, count: number): RandomOts {
  const rng: Rng = seededRng(seed);
  const [zero, one, choices] = [rng(16 * count), rng(16 * count), rng(Math.ceil(count / 8))];
  const chosen = new Uint8Array(16 * count);
  for (let i = 0; i < count; i++) {
    chosen.set((bit(choices, i) === 1 ? one : zero).subarray(16 * i, 16 * i + 16), 16 * i);
  }
  return { zero, one, choices, chosen };
}

/** Base OTs as a trusted party would hand them out, without a message: keys from the session's name, known to all. */
export const idealBaseOts: BaseOts = {
  send: async (_ch, _peer, session, count) =>
    Array.from({ length: count }, (_, i) => [0, 1].map((b) => keyOf(session, i, b)) as [Uint8Array, Uint8Array]),
  recv: async (_ch, _peer, session, choices) => choices.map((choice, i) => keyOf(session, i, choice)),
};

function keyOf(session: Uint8Array, i: number, choice: number): Uint8Array {
  return sha256(session, u32(2 * i + choice)).subarray(0, 16);
}

/** The receiver has what its choice names; the other message is another one, and neither end is constant. */
export function expectOt({ zero, one, choices, chosen }: RandomOts, count: number): void {
  const lengths = [zero, one, chosen].map((messages) => messages.length);
  expect([...lengths, choices.length]).toEqual([16 * count, 16 * count, 16 * count, Math.ceil(count / 8)]);
  let ones = 0;
  const seen = new Set<string>();
  for (let i = 0; i < count; i++) {
    const [m0, m1, m] = [zero, one, chosen].map((messages) =>
      Buffer.from(messages).toString('hex', 16 * i, 16 * i + 16),
    );
    ones += bit(choices, i);
    if (m !== (bit(choices, i) === 1 ? m1 : m0)) throw new Error(`OT ${i} gave the wrong message`);
    seen.add(m0!).add(m1!);
  }
  expect(seen.size).toBe(2 * count);
  // Five standard deviations.
  expect(Math.abs(ones - count / 2)).toBeLessThanOrEqual(2.5 * Math.sqrt(count) + 1);
}

export function expectBitTriples(shares: readonly BitTriples[], count: number): void {
  const [a, b, c] = (['a', 'b', 'c'] as const).map((part) => xorOf(shares.map((share) => share[part])));
  expect(a!.length).toBe(Math.ceil(count / 32));
  expect(c).toEqual(a!.map((word, i) => word & b![i]!));
  for (const part of [a!, b!]) expectEven(part, 32 * part.length);
  for (const share of shares) for (const part of [share.a, share.b, share.c]) expectEven(part, 32 * part.length);
}

export function expectTriples(shares: readonly Triples[], count: number): void {
  const [a, b, c] = (['a', 'b', 'c'] as const).map((part) => open(shares.map((share) => share[part])));
  expect(length(a!)).toBe(count);
  const product = vector(Z2_64, count);
  product.words.set(a!.words);
  plainKernels.mulInto(product.words, b!.words);
  expect(equal(product, c!)).toBe(true);
  for (const v of [a!, b!, ...shares.flatMap((share) => [share.a, share.b, share.c])]) expectDistinct(v);
}

export function expectSharedBits(shares: readonly SharedBits[], count: number): void {
  const bits = unpackBits({ count, words: xorOf(shares.map(({ xor }) => xor)) });
  expect(shares.every(({ xor }) => xor.length === Math.ceil(count / 32))).toBe(true);
  const sum = open(shares.map(({ ring }) => ring));
  expect([...sum.words].map(Number)).toEqual([...bits]);
  for (const { xor, ring } of shares) {
    if (count % 32 !== 0) expect(xor.at(-1)! >>> (count % 32)).toBe(0);
    expectEven(xor, count);
    if (ring !== shares[0]!.ring) expectDistinct(ring);
  }
}

export function bit(bits: Uint8Array, i: number): number {
  return (bits[i >> 3]! >> (i & 7)) & 1;
}

function xorOf(parts: readonly Uint32Array[]): Uint32Array {
  return openBits(parts.map((words) => ({ count: 32 * words.length, words }))).words;
}

/** About half of the bits are set: within five standard deviations. */
function expectEven(words: Uint32Array, count: number): void {
  if (count < 256) return;
  const ones = unpackBits({ count, words }).reduce((sum, each) => sum + each, 0);
  // Products of bits are set a quarter of the time where they are open, but their shares are as even as all others.
  expect(Math.abs(ones - count / 2)).toBeLessThanOrEqual(2.5 * Math.sqrt(count));
}

/** 64 random bits do not repeat among few elements. */
function expectDistinct(v: Vector): void {
  expect(new Set(v.words).size).toBe(length(v));
}
