/**
 * The port to the platform: the primitives that core wants from outside, in the form that is fast there.
 *
 * `#platform` resolves to `platform-node.ts` (node:crypto, AES in hardware) under Node and to `platform-portable.ts`
 * (plain TypeScript and Web Crypto) elsewhere. Both give the same bytes.
 * @module
 */

export interface Platform {
  /** Bytes from the platform's cryptographic generator. */
  randomBytes(length: number): Uint8Array<ArrayBuffer>;
  /**
   * Fills `out` with the AES-128-CTR keystream (NIST SP 800-38A) of a 16-byte key. The counter is one big-endian
   * 128-bit number; the first block has the counter `blockOffset`.
   */
  aesCtr(key: Uint8Array, out: Uint8Array, blockOffset: number): void;
  /** AES-128 of each 16-byte block by itself. */
  aesEcb(key: Uint8Array, blocks: Uint8Array): Uint8Array<ArrayBuffer>;
  /** The keystream from counter 0 in calls of whole blocks: `aesCtr` for many short calls under one key. */
  aesStream(key: Uint8Array): AesStream;
  /** `aesEcb` for many calls under one key. */
  aesPermutation(key: Uint8Array): AesPermutation;
  /** SHA-256 of the parts one after the other. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
}

/** A keystream that is read in calls of whole blocks. */
export interface AesStream {
  /** Overwrites `out` with what comes next. */
  fill(out: Uint8Array): void;
  /** What comes next, in memory of its own: a copy less where it is used at once. */
  next(length: number): Uint8Array;
}

/** AES-128 of each block by itself, under a key that is set. */
export type AesPermutation = (blocks: Uint8Array) => Uint8Array<ArrayBuffer>;

/** The counter of a block, as AES-CTR takes it. */
export function counterBlock(blockOffset: number): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(16);
  new DataView(block.buffer).setBigUint64(8, BigInt(blockOffset));
  return block;
}
