/**
 * Hashes of bytes and of JSON: SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF (RFC 5869), canonical JSON (RFC 8785).
 * @module
 */

import { hkdf as nobleHkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import canonicalize from 'canonicalize';
import { platform } from '#platform';
import { assert } from './assert.ts';
import { utf8 } from './bytes.ts';

/** SHA-256 of the parts one after the other. Parts of varying length want `lengthPrefixed` around them. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return platform.sha256(...parts);
}

export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = hmac.create(nobleSha256, key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/**
 * `hmacSha256` for many short messages under one key: its blocks are hashed once, and no state is made anew. What it
 * returns is overwritten by the next call.
 */
export function hmacSha256Under(key: Uint8Array): (message: Uint8Array) => Uint8Array {
  const begun = hmac.create(nobleSha256, key);
  const mac = begun.clone();
  const digest = new Uint8Array(mac.outputLen);
  return (message) => {
    begun._cloneInto(mac).update(message).digestInto(digest);
    return digest;
  };
}

/** HKDF-SHA-256, extract and expand. */
export function hkdf(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return nobleHkdf(nobleSha256, ikm, salt, info, length);
}

/** The one text of a JSON value: keys sorted, no space, numbers as ECMAScript writes them. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  assert(text !== undefined, 'only a JSON value has a canonical form');
  return text;
}

/** SHA-256 of the canonical text. */
export function hashJson(value: unknown): Uint8Array<ArrayBuffer> {
  return sha256(utf8(canonicalJson(value)));
}
