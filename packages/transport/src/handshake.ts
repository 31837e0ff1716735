/**
 * The session of a pair of parties: Noise_KKpsk2_25519_AESGCM_SHA256 with ML-KEM-768 (FIPS 203) beside it, bound to
 * charter, job, attempt and roster. The initiator is the party with the smaller id.
 *
 * ```
 * message 1   Noise message with the payload ek, a fresh encapsulation key            1,232 bytes
 * message 2   ct ‖ Noise message without payload, psk mixed in at its end             1,136 bytes
 * psk         SHA-256(label ‖ shared secret ‖ ek ‖ ct)
 * exporter    HKDF(final chaining key), from which the channel derives its share keys
 * ```
 *
 * Rounds    1, and the responder stays silent until the first transport message (it may have answered a replay)
 * Security  both ends prove their static keys; secrecy holds while either X25519 or ML-KEM-768 does
 * @module
 */
import { createPublicKey, decapsulate, encapsulate, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { concat, lengthPrefixed, u32, utf8 } from '@folkmoot/core/bytes.js';
import type { Context, PartyId } from '@folkmoot/core/channel.js';
import { ProtocolError } from '@folkmoot/core/errors.js';
import { hkdf, sha256 } from '@folkmoot/core/hash.js';
import { type CipherState, NoiseHandshake, type NoiseRole } from './noise.ts';

const encapsulationKeyBytes = 1184;
const encapsulatedBytes = 1088;
export const message1Bytes = 32 + encapsulationKeyBytes + 16;
export const message2Bytes = encapsulatedBytes + 32 + 16;

/** The DER prefix of an ML-KEM-768 public key (RFC 9935). */
const mlKemPrefix = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex');
const pskLabel = utf8('folkmoot ml-kem-768 psk v1');

/** What both ends must agree on before they have a session. */
interface SessionBinding {
  readonly charterHash: Uint8Array;
  readonly context: Context;
  /** What each party of the roster does, in the roster's order. */
  readonly roles: readonly string[];
}

export interface HandshakeOptions {
  readonly self: PartyId;
  readonly peer: PartyId;
  readonly binding: SessionBinding;
  readonly staticKey: KeyObject;
  readonly peerStatic: Uint8Array;
}

export interface SessionKeys {
  readonly send: CipherState;
  readonly receive: CipherState;
  /** 32 bytes, the same at both ends. */
  readonly exporter: Uint8Array;
}

export function roleOf(self: PartyId, peer: PartyId): NoiseRole {
  return self < peer ? 'initiator' : 'responder';
}

/** The initiator's end: message 1, and what makes a session of message 2. */
export function initiate(options: HandshakeOptions): {
  message1: Uint8Array;
  finish: (message2: Uint8Array) => SessionKeys;
} {
  return refusing(options.peer, () => {
    const noise = noiseOf(options);
    const kem = generateKeyPairSync('ml-kem-768');
    const ek = kem.publicKey.export({ format: 'der', type: 'spki' }).subarray(mlKemPrefix.length);
    const message1 = noise.write(ek);
    const finish = (message2: Uint8Array) =>
      refusing(options.peer, () => {
        expectLength(message2, message2Bytes);
        const ct = message2.subarray(0, encapsulatedBytes);
        const psk = pskOf(decapsulate(kem.privateKey, ct), ek, ct);
        expectLength(noise.read(message2.subarray(encapsulatedBytes), psk), 0);
        return keysOf(noise);
      });
    return { message1, finish };
  });
}

/** The responder's end: message 2 and its session, from message 1. */
export function respond(options: HandshakeOptions, message1: Uint8Array): { message2: Uint8Array; keys: SessionKeys } {
  return refusing(options.peer, () => {
    expectLength(message1, message1Bytes);
    const noise = noiseOf(options);
    const ek = noise.read(message1);
    const recipient = createPublicKey({ key: Buffer.concat([mlKemPrefix, ek]), format: 'der', type: 'spki' });
    const { ciphertext: ct, sharedKey } = encapsulate(recipient);
    const message2 = concat(ct, noise.write(new Uint8Array(0), pskOf(sharedKey, ek, ct)));
    return { message2, keys: keysOf(noise) };
  });
}

function noiseOf({ self, peer, binding, staticKey, peerStatic }: HandshakeOptions): NoiseHandshake {
  return new NoiseHandshake({
    pattern: 'KKpsk2',
    role: roleOf(self, peer),
    prologue: prologueOf(binding),
    static: staticKey,
    remoteStatic: peerStatic,
  });
}

function prologueOf({ charterHash, context, roles }: SessionBinding): Uint8Array {
  return lengthPrefixed(
    utf8('folkmoot session v1'),
    charterHash,
    context.job,
    u32(context.attempt),
    lengthPrefixed(...context.roster.map(utf8)),
    lengthPrefixed(...roles.map(utf8)),
  );
}

function pskOf(sharedSecret: Uint8Array, ek: Uint8Array, ct: Uint8Array): Uint8Array {
  return sha256(pskLabel, sharedSecret, ek, ct);
}

function keysOf(noise: NoiseHandshake): SessionKeys {
  const { send, receive, chainingKey, hash } = noise.finish();
  // Extracting under HKDF's own salt keeps this apart from the transport keys, which Noise expands from the same key.
  const exporter = hkdf(chainingKey, new Uint8Array(0), concat(utf8('folkmoot exporter v1'), hash), 32);
  return { send, receive, exporter };
}

function expectLength(bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`a handshake message of ${bytes.length} bytes`);
}

/** Whatever goes wrong here is told in one way: an attacker learns nothing from how a handshake failed. */
function refusing<T>(peer: PartyId, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    throw new ProtocolError('BAD_HANDSHAKE', { party: peer, cause });
  }
}
