/**
 * The platform port over node:crypto, where AES and SHA-256 run in hardware (about 3 GB/s of keystream a core).
 * @module
 */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { assert } from './assert.ts';
import { type AesPermutation, type AesStream, counterBlock, type Platform } from './platform.ts';

export type { AesPermutation, AesStream, Platform } from './platform.ts';

/** Keystream is made in calls of this size: large enough to pay for the call, small enough to stay in a core's cache. */
const callBytes = 256 * 1024;
const zeros = new Uint8Array(callBytes);

export const platform: Platform = {
  randomBytes: (length) => new Uint8Array(randomBytes(length)),

  aesCtr(key, out, blockOffset) {
    keystream(key, blockOffset).fill(out);
  },

  aesEcb: (key, blocks) => permutation(key)(blocks),

  // To make a cipher costs as much as 16 KiB of keystream.
  aesStream: (key) => keystream(key, 0),
  aesPermutation: (key) => permutation(key),

  sha256(...parts) {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return new Uint8Array(hash.digest());
  },
};

function keystream(key: Uint8Array, blockOffset: number): AesStream {
  assert(key.length === 16, 'an AES-128 key has 16 bytes');
  const cipher = createCipheriv('aes-128-ctr', key, counterBlock(blockOffset));
  const call = (length: number) => plain(cipher.update(length === callBytes ? zeros : zeros.subarray(0, length)));
  const fill = (out: Uint8Array) => {
    for (let start = 0; start < out.length; start += callBytes) {
      out.set(call(Math.min(callBytes, out.length - start)), start);
    }
  };
  return {
    fill,
    next(length) {
      if (length <= callBytes) return call(length);
      const out = new Uint8Array(length);
      fill(out);
      return out;
    },
  };
}

function permutation(key: Uint8Array): AesPermutation {
  assert(key.length === 16, 'an AES-128 key has 16 bytes');
  const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
  return (blocks) => {
    assert(blocks.length % 16 === 0, 'AES works on whole blocks');
    return plain(cipher.update(blocks));
  };
}

/** What a cipher returns, which is memory of its own, as the array that it is: a Buffer's `slice` would not copy. */
function plain({ buffer, byteOffset, length }: Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, length);
}
