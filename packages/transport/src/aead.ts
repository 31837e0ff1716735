/**
 * AES-256-GCM over node:crypto as an AEAD of the HPKE library: its own goes through Web Crypto, which copies a large
 * message twice more and hands each piece to another thread.
 * @module
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { type AeadEncryptionContext, AeadId, type AeadInterface } from '@hpke/core';

const tagBytes = 16;
const algorithm = 'aes-256-gcm';

export const aes256Gcm: AeadInterface = {
  id: AeadId.Aes256Gcm,
  keySize: 32,
  nonceSize: 12,
  tagSize: tagBytes,
  createEncryptionContext(rawKey): AeadEncryptionContext {
    const key = bytesOf(rawKey);
    return {
      async seal(nonce, message, associated) {
        const cipher = createCipheriv(algorithm, key, bytesOf(nonce)).setAAD(bytesOf(associated));
        const plain = bytesOf(message);
        const sealed = new Uint8Array(plain.length + tagBytes);
        sealed.set(cipher.update(plain));
        cipher.final();
        sealed.set(cipher.getAuthTag(), plain.length);
        return sealed.buffer;
      },
      async open(nonce, message, associated) {
        const sealed = bytesOf(message);
        const end = Math.max(0, sealed.length - tagBytes);
        const decipher = createDecipheriv(algorithm, key, bytesOf(nonce)).setAAD(bytesOf(associated));
        decipher.setAuthTag(sealed.subarray(end));
        const plain = new Uint8Array(end);
        plain.set(decipher.update(sealed.subarray(0, end)));
        // Throws unless the tag fits; until then nothing of the plain bytes is handed out.
        decipher.final();
        return plain.buffer;
      },
    };
  },
};

function bytesOf(given: ArrayBufferLike | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(given)
    ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
    : new Uint8Array(given);
}
