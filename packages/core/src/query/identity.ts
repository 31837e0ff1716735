/**
 * Signatures of members: Ed25519 (RFC 8032, strict verification), each statement under a label of its own, so that a
 * signature given for one purpose is worth nothing for another. Also: which public keys may stand in a charter.
 * @module
 */
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { concat, equal, utf8 } from '../algebra/bytes.ts';

/** What every signature of Folkmoot is for. */
export type Label =
  | 'folkmoot charter v1'
  | 'folkmoot job v1'
  | 'folkmoot acceptance v1'
  | 'folkmoot approval v1'
  | 'folkmoot renunciation v1'
  | 'folkmoot opening v1'
  | 'folkmoot budget request v1'
  | 'folkmoot budget statement v1'
  | 'folkmoot audit head v1'
  | 'folkmoot audit countersignature v1'
  | 'folkmoot login v1';

/** Signs under a label with a key that the caller keeps. */
export type Sign = (label: Label, message: Uint8Array) => Uint8Array;

const statement = (label: Label, message: Uint8Array): Uint8Array => concat(utf8(`${label}\0`), message);

/** The Ed25519 signature (64 bytes) over label ‖ 0 ‖ message. */
export function sign(seed: Uint8Array, label: Label, message: Uint8Array): Uint8Array {
  return ed25519.sign(statement(label, message), seed);
}

/** Whether a signature fits; false too for keys and signatures of a wrong form. */
export function verify(publicKey: Uint8Array, label: Label, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  try {
    return ed25519.verify(signature, statement(label, message), publicKey, { zip215: false });
  } catch {
    return false;
  }
}

/** The public identity key of a 32-byte seed. */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(seed);
}

/** A `Sign` over a seed that stays in its closure. */
export function signer(seed: Uint8Array): Sign {
  return (label, message) => sign(seed, label, message);
}

/** A point of the prime-order group, canonically encoded and not the identity: no small order, no mixed order. */
export function isIdentityKey(key: Uint8Array): boolean {
  try {
    const point = ed25519.Point.fromBytes(key);
    return !point.is0() && point.isTorsionFree() && equal(point.toBytes(), key);
  } catch {
    return false;
  }
}

/** Any scalar will do: clamping makes it a multiple of 8, which takes every small-order point to zero. */
const probe = new Uint8Array(32).fill(1);

/** A canonical X25519 u-coordinate that is not of small order, on the curve or its twist (RFC 7748 §6.1). */
export function isStaticKey(key: Uint8Array): boolean {
  if (key.length !== 32 || !belowPrime(key)) return false;
  try {
    return x25519.getSharedSecret(probe, key).some((byte) => byte !== 0);
  } catch {
    return false;
  }
}

/** u < 2^255 − 19, so that no key has two spellings. */
function belowPrime(key: Uint8Array): boolean {
  if (key[31]! > 0x7f) return false;
  return key[31] !== 0x7f || key[0]! < 0xed || !key.subarray(1, 31).every((byte) => byte === 0xff);
}

/** ML-KEM-768 encapsulation key (FIPS 203: 3 × 384 bytes of coefficients, 32 of seed), then an X25519 key. */
const mlKemBytes = 1184;
const coefficientBytes = 1152;
const mlKemPrime = 3329;
export const recipientKeyBytes = mlKemBytes + 32;

/** An X-Wing public key: every ML-KEM coefficient reduced (FIPS 203 §7.2), the X25519 part not of small order. */
export function isRecipientKey(key: Uint8Array): boolean {
  if (key.length !== recipientKeyBytes) return false;
  for (let at = 0; at < coefficientBytes; at += 3) {
    const low = key[at]! | ((key[at + 1]! & 0x0f) << 8);
    const high = (key[at + 1]! >> 4) | (key[at + 2]! << 4);
    if (low >= mlKemPrime || high >= mlKemPrime) return false;
  }
  return isStaticKey(key.subarray(mlKemBytes));
}
