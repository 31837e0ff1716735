/**
 * A pseudorandom generator: the AES-128-CTR keystream of a key, from counter 0, as one endless stream.
 *
 * Consecutive calls continue the stream, however it is cut, so that both ends of a link may read it in pieces of their
 * own choice.
 * @module
 */

import { platform } from '#platform';
import { assert } from './assert.ts';
import { u32, utf8 } from './bytes.ts';
import { sha256 } from './hash.ts';
import type { AesStream } from './platform.ts';

/**
 * A source of chance, always an argument: the platform's in earnest, a seeded one where a run must replay. What it
 * returns is the caller's own memory.
 */
export type Rng = (length: number) => Uint8Array;

/** Small requests are served from a piece of this size; what is larger goes straight to the platform. */
const spareBytes = 4096;

export class Prg {
  readonly #stream: AesStream;
  /** Keystream made and not yet given out. */
  #spare = new Uint8Array(0);

  constructor(key: Uint8Array) {
    assert(key.length === 16, 'a PRG key has 16 bytes');
    this.#stream = platform.aesStream(key);
  }

  /** Overwrites `out` with the next bytes of the stream. */
  fill(out: Uint8Array): void {
    let done = this.#takeSpare(out, 0);
    const whole = out.length - done - ((out.length - done) % 16);
    if (whole >= spareBytes) {
      this.#stream.fill(out.subarray(done, done + whole));
      done += whole;
    }
    while (done < out.length) {
      this.#spare = new Uint8Array(spareBytes);
      this.#stream.fill(this.#spare);
      done = this.#takeSpare(out, done);
    }
  }

  /** The next bytes, in memory of the platform's choice where that saves a copy. */
  take(length: number): Uint8Array {
    if (this.#spare.length === 0 && length % 16 === 0) return this.#stream.next(length);
    const out = new Uint8Array(length);
    this.fill(out);
    return out;
  }

  /** The next `count` 64-bit words, little-endian in the stream. */
  words(count: number): BigUint64Array<ArrayBuffer> {
    const words = new BigUint64Array(count);
    this.fill(new Uint8Array(words.buffer));
    return words;
  }

  #takeSpare(out: Uint8Array, start: number): number {
    const length = Math.min(this.#spare.length, out.length - start);
    out.set(this.#spare.subarray(0, length), start);
    this.#spare = this.#spare.subarray(length);
    return start + length;
  }
}

/** A replayable source of chance, for tests, simulations and rehearsals. */
export function seededRng(seed: Uint8Array | number): Rng {
  const bytes = typeof seed === 'number' ? u32(seed) : seed;
  const prg = new Prg(sha256(utf8('folkmoot seeded rng'), bytes).subarray(0, 16));
  return (length) => {
    const out = new Uint8Array(length);
    prg.fill(out);
    return out;
  };
}
