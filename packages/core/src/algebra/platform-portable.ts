/**
 * The platform port in plain TypeScript, for browsers and other runtimes: the twin of `platform-node.ts`, byte for byte.
 *
 * Security  Its AES is not constant-time: see `aes.ts`.
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { encryptBlock, expandKey } from './aes.ts';
import { assert } from './assert.ts';
import { counterBlock, type Platform } from './platform.ts';

export type { AesPermutation, AesStream, Platform } from './platform.ts';

/** Web Crypto gives no more than this in one call. */
const randomCallBytes = 65_536;

export const platform: Platform = {
  randomBytes(length) {
    const bytes = new Uint8Array(length);
    for (let start = 0; start < length; start += randomCallBytes) {
      globalThis.crypto.getRandomValues(bytes.subarray(start, start + randomCallBytes));
    }
    return bytes;
  },

  aesCtr(key, out, blockOffset) {
    const roundKeys = expandKey(key);
    const counter = new DataView(counterBlock(blockOffset).buffer);
    const block = new Uint32Array(4);
    const keystream = new Uint8Array(16);
    const view = new DataView(keystream.buffer);
    for (let start = 0; start < out.length; start += 16) {
      for (let i = 0; i < 4; i++) block[i] = counter.getUint32(4 * i);
      encryptBlock(roundKeys, block);
      for (let i = 0; i < 4; i++) view.setUint32(4 * i, block[i]!);
      out.set(start + 16 <= out.length ? keystream : keystream.subarray(0, out.length - start), start);
      const low = (counter.getUint32(12) + 1) >>> 0;
      counter.setUint32(12, low);
      // Offsets stay below 2^53, so a carry ends in the second word.
      if (low === 0) counter.setUint32(8, counter.getUint32(8) + 1);
    }
  },

  aesEcb(key, blocks) {
    assert(blocks.length % 16 === 0, 'AES works on whole blocks');
    const roundKeys = expandKey(key);
    const encrypted = new Uint8Array(blocks);
    const view = new DataView(encrypted.buffer);
    const block = new Uint32Array(4);
    for (let start = 0; start < encrypted.length; start += 16) {
      for (let i = 0; i < 4; i++) block[i] = view.getUint32(start + 4 * i);
      encryptBlock(roundKeys, block);
      for (let i = 0; i < 4; i++) view.setUint32(start + 4 * i, block[i]!);
    }
    return encrypted;
  },

  aesStream(key) {
    let nextBlock = 0;
    const fill = (out: Uint8Array) => {
      platform.aesCtr(key, out, nextBlock);
      nextBlock += out.length / 16;
    };
    return {
      fill,
      next(length) {
        const out = new Uint8Array(length);
        fill(out);
        return out;
      },
    };
  },

  aesPermutation: (key) => (blocks) => platform.aesEcb(key, blocks),

  sha256(...parts) {
    const hash = sha256.create();
    for (const part of parts) hash.update(part);
    return new Uint8Array(hash.digest());
  },
};
