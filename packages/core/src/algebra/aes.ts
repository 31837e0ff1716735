/**
 * AES-128 encryption after FIPS 197, in plain TypeScript: the twin of the platform's own for where there is none that is
 * synchronous (browsers offer AES only behind promises, one call a message).
 *
 * Security  Not constant-time: its table look-ups can be seen by another program that shares the processor's cache. On
 *           Node the hardware instructions are used instead.
 * @module
 */
import { assert } from './assert.ts';

const rounds = 10;

/** The 44 round-key words of a 16-byte key (FIPS 197 §5.2). */
export function expandKey(key: Uint8Array): Uint32Array {
  assert(key.length === 16, 'an AES-128 key has 16 bytes');
  const { sbox } = tables();
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const words = new Uint32Array(4 * (rounds + 1));
  for (let i = 0; i < 4; i++) words[i] = view.getUint32(4 * i);
  let constant = 1;
  for (let i = 4; i < words.length; i++) {
    let word = words[i - 1]!;
    if (i % 4 === 0) {
      word = subWord(sbox, (word << 8) | (word >>> 24)) ^ (constant << 24);
      constant = double(constant);
    }
    words[i] = words[i - 4]! ^ word;
  }
  return words;
}

/** Encrypts the block of four big-endian words in place (FIPS 197 §5.1). */
export function encryptBlock(roundKeys: Uint32Array, block: Uint32Array): void {
  const { sbox, mixed } = tables();
  let a = block[0]! ^ roundKeys[0]!;
  let b = block[1]! ^ roundKeys[1]!;
  let c = block[2]! ^ roundKeys[2]!;
  let d = block[3]! ^ roundKeys[3]!;
  for (let k = 4; k < 4 * rounds; k += 4) {
    // SubBytes, ShiftRows and MixColumns are one look-up a byte; the columns' rotations give the other three rows.
    const e = column(mixed, a, b, c, d) ^ roundKeys[k]!;
    const f = column(mixed, b, c, d, a) ^ roundKeys[k + 1]!;
    const g = column(mixed, c, d, a, b) ^ roundKeys[k + 2]!;
    d = column(mixed, d, a, b, c) ^ roundKeys[k + 3]!;
    a = e;
    b = f;
    c = g;
  }
  const k = 4 * rounds;
  block[0] = lastColumn(sbox, a, b, c, d) ^ roundKeys[k]!;
  block[1] = lastColumn(sbox, b, c, d, a) ^ roundKeys[k + 1]!;
  block[2] = lastColumn(sbox, c, d, a, b) ^ roundKeys[k + 2]!;
  block[3] = lastColumn(sbox, d, a, b, c) ^ roundKeys[k + 3]!;
}

function column(mixed: Uint32Array, a: number, b: number, c: number, d: number): number {
  return (
    mixed[a >>> 24]! ^
    rotateRight(mixed[(b >>> 16) & 255]!, 8) ^
    rotateRight(mixed[(c >>> 8) & 255]!, 16) ^
    rotateRight(mixed[d & 255]!, 24)
  );
}

function lastColumn(sbox: Uint8Array, a: number, b: number, c: number, d: number): number {
  return (sbox[a >>> 24]! << 24) | (sbox[(b >>> 16) & 255]! << 16) | (sbox[(c >>> 8) & 255]! << 8) | sbox[d & 255]!;
}

function subWord(sbox: Uint8Array, word: number): number {
  return lastColumn(sbox, word, word, word, word);
}

function rotateRight(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

/** Multiplication by x in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function double(byte: number): number {
  return ((byte << 1) ^ (byte & 0x80 ? 0x11b : 0)) & 0xff;
}

interface Tables {
  readonly sbox: Uint8Array;
  /** The column (2s, s, s, 3s) of MixColumns for s = sbox[byte]. */
  readonly mixed: Uint32Array;
}

let made: Tables | undefined;

/** Computed at first use from the definition in FIPS 197 §5.1.1, so that no constant here can be mistyped. */
function tables(): Tables {
  if (made !== undefined) return made;
  const sbox = new Uint8Array(256);
  const mixed = new Uint32Array(256);
  // 3 generates the multiplicative group, so p runs over all non-zero bytes while q runs over their inverses.
  let p = 1;
  let q = 1;
  do {
    p ^= double(p);
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q &= 0xff;
    if (q & 0x80) q ^= 0x09;
    sbox[p] = affine(q);
  } while (p !== 1);
  sbox[0] = affine(0);
  for (let byte = 0; byte < 256; byte++) {
    const s = sbox[byte]!;
    mixed[byte] = (double(s) << 24) | (s << 16) | (s << 8) | (double(s) ^ s);
  }
  made = { sbox, mixed };
  return made;
}

function affine(q: number): number {
  const wide = q ^ (q << 1) ^ (q << 2) ^ (q << 3) ^ (q << 4);
  return ((wide ^ (wide >>> 8)) & 0xff) ^ 0x63;
}
