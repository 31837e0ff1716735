/**
 * Raw 32-byte keys of Curve25519 (RFC 7748 for agreement, RFC 8032 for signatures) as key objects of node:crypto, by
 * the fixed DER prefixes of RFC 8410.
 * @module
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

type Curve = 'x25519' | 'ed25519';
const objectId = { x25519: '6e', ed25519: '70' } as const;
const pkcs8 = (curve: Curve) => Buffer.from(`302e020100300506032b65${objectId[curve]}04220420`, 'hex');
const spki = (curve: Curve) => Buffer.from(`302a300506032b65${objectId[curve]}032100`, 'hex');

export function privateKeyObject(curve: Curve, seed: Uint8Array): KeyObject {
  if (seed.length !== 32) throw new RangeError('a private key has 32 bytes');
  return createPrivateKey({ key: Buffer.concat([pkcs8(curve), seed]), format: 'der', type: 'pkcs8' });
}

export function publicKeyObject(curve: Curve, raw: Uint8Array): KeyObject {
  if (raw.length !== 32) throw new RangeError('a public key has 32 bytes');
  return createPublicKey({ key: Buffer.concat([spki(curve), raw]), format: 'der', type: 'spki' });
}

/** The 32 bytes of the public key that belongs to a private or public key object. */
export function rawPublicKey(key: KeyObject): Uint8Array {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
}
