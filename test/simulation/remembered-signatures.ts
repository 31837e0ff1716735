/**
 * Ed25519 as it is, with a memory: what was signed or verified once is not computed again.
 *
 * Keys, charter and jobs are the same in all seeds, so nearly every signature of a control message recurs. They are real
 * signatures, each of which was really made, and really verified unless it is one of those. OpenSSL makes them: to the
 * bit what the curve's own code makes (RFC 8032 leaves nothing to chance), in a tenth of the time.
 * @module
 */
import { createPrivateKey, type KeyObject, sign as signNatively } from 'node:crypto';
import * as original from '@noble/curves/ed25519.js';

export * from '@noble/curves/ed25519.js';

type Ed25519 = typeof original.ed25519;

const remembered = new Map<string, unknown>();
/** Beyond this nothing more is kept: some 100 MB. */
const rememberedMax = 400_000;

function remember<T>(parts: readonly Uint8Array[], compute: () => T): T {
  const key = parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1')).join('|');
  let value = remembered.get(key) as T | undefined;
  if (value === undefined) {
    value = compute();
    if (remembered.size < rememberedMax) remembered.set(key, value);
  }
  return value;
}

/** PKCS #8 of an Ed25519 key, up to its 32 bytes (RFC 8410). */
const header = Buffer.from('302e020100300506032b657004220420', 'hex');
const keys = new Map<string, KeyObject>();

function keyOf(secretKey: Uint8Array): KeyObject {
  const name = Buffer.from(secretKey).toString('latin1');
  let key = keys.get(name);
  if (key === undefined) {
    key = createPrivateKey({ key: Buffer.concat([header, secretKey]), format: 'der', type: 'pkcs8' });
    keys.set(name, key);
  }
  return key;
}

/** What was signed here is good, and is not verified to find that out. */
function sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  const publicKey = remember([secretKey], () => original.ed25519.getPublicKey(secretKey));
  const signature = new Uint8Array(signNatively(null, message, keyOf(secretKey)));
  remember([signature, message, publicKey], () => true);
  return signature;
}

export const ed25519: Ed25519 = {
  ...original.ed25519,
  sign: (message, secretKey) => remember([message, secretKey], () => sign(message, secretKey)).slice(),
  verify: (signature, message, publicKey, options) =>
    remember([signature, message, publicKey], () => original.ed25519.verify(signature, message, publicKey, options)),
};
