/**
 * Sealed answers: HPKE (RFC 9180) in base mode with X-Wing (ML-KEM-768 and X25519), HKDF-SHA256 and AES-256-GCM.
 *
 * Rounds    none          Sends    1,136 bytes beside the message: 1,120 encapsulated key, 16 tag
 * Security  only the recipient opens it, also against a later quantum adversary; it does not show who sealed it (the
 *           signatures under the commitments do). The info binds job, attempt, sender and recipient.
 * @module
 */
import { concat, fromHex, lengthPrefixed, toHex, u32, utf8 } from '@folkmoot/core/bytes.js';
import type { PartyId } from '@folkmoot/core/channel.js';
import { CharterError, ProtocolError } from '@folkmoot/core/errors.js';
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { XWing } from '@hpke/hybridkem-x-wing';

export const recipientKeyBytes = 1216;
const encapsulatedKeyBytes = 1120;
const tagBytes = 16;
/** What sealing adds to a message. */
export const envelopeOverheadBytes = encapsulatedKeyBytes + tagBytes;

/** What an answer's envelope is bound to. */
export interface EnvelopeInfo {
  readonly job: Uint8Array;
  readonly attempt: number;
  readonly sender: PartyId;
  /** The analyst's id. */
  readonly recipient: string;
}

const suite = () => new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

function infoBytes(info: EnvelopeInfo): ArrayBuffer {
  const { job, attempt, sender, recipient } = info;
  return exact(lengthPrefixed(utf8('folkmoot answer v1'), job, u32(attempt), utf8(sender), utf8(recipient)));
}

/** The public key, in hex, of the recipient whose secret is this 32-byte seed. */
export async function recipientKey(seed: Uint8Array): Promise<string> {
  const { kem } = suite();
  const pair = await new XWing().generateKeyPairDerand(new Uint8Array(seed));
  return toHex(new Uint8Array(await kem.serializePublicKey(pair.publicKey)));
}

/**
 * Seals a message to a recipient's public key (hex, as the charter lists it).
 * @throws CharterError BAD_KEY
 */
export async function seal(publicKey: string, info: EnvelopeInfo, message: Uint8Array): Promise<Uint8Array> {
  const sender = await senderContext(publicKey, info);
  const sealed = await sender.seal(exact(message));
  return concat(new Uint8Array(sender.enc), new Uint8Array(sealed));
}

async function senderContext(publicKey: string, info: EnvelopeInfo) {
  try {
    const recipientPublicKey = await suite().kem.deserializePublicKey(exact(fromHex(publicKey)));
    return await suite().createSenderContext({ recipientPublicKey, info: infoBytes(info) });
  } catch (cause) {
    throw new CharterError('BAD_KEY', { field: 'recipient', party: info.recipient, cause });
  }
}

/**
 * Opens what was sealed to this seed's public key under the same info.
 * @throws ProtocolError BAD_ENVELOPE, naming the sender
 */
export async function open(seed: Uint8Array, info: EnvelopeInfo, envelope: Uint8Array): Promise<Uint8Array> {
  try {
    const pair = await new XWing().generateKeyPairDerand(new Uint8Array(seed));
    const enc = exact(envelope.subarray(0, encapsulatedKeyBytes));
    const parameters = { recipientKey: pair.privateKey, enc, info: infoBytes(info) };
    return new Uint8Array(await suite().open(parameters, exact(envelope.subarray(encapsulatedKeyBytes))));
  } catch (cause) {
    throw new ProtocolError('BAD_ENVELOPE', { party: info.sender, cause });
  }
}

/** WebCrypto's wrapper takes whole ArrayBuffers; bytes that already fill theirs are not copied. */
function exact(bytes: Uint8Array): ArrayBuffer {
  const whole = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
  return whole ? (bytes.buffer as ArrayBuffer) : new Uint8Array(bytes).buffer;
}
