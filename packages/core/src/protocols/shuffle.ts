/**
 * A uniform order of n things, by Fisher and Yates. A number below a bound is as many bits as the bound has, drawn again
 * until they are below it, so that every order has the same chance as far as the bytes are uniform.
 * @module
 */
import type { Rng } from '../algebra/prg.ts';

/** 16 KiB of chance at a time, or less where less is wanted. */
const wordsBuffered = 4096;

/** 0…n−1 in an order of chance. */
export function shuffled(n: number, rng: Rng): Uint32Array<ArrayBuffer> {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  const words = new Uint32Array(Math.min(wordsBuffered, 2 * n));
  let next = words.length;
  for (let i = n - 1; i > 0; i--) {
    const mask = 0xffff_ffff >>> Math.clz32(i);
    let j: number;
    do {
      if (next === words.length) {
        new Uint8Array(words.buffer).set(rng(words.byteLength));
        next = 0;
      }
      j = (words[next++]! & mask) >>> 0;
    } while (j > i);
    const other = order[j]!;
    order[j] = order[i]!;
    order[i] = other;
  }
  return order;
}
