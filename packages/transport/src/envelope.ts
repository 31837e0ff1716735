/**
 * Sealed answers: HPKE (RFC 9180) in base mode with X-Wing (ML-KEM-768 and X25519), HKDF-SHA256 and AES-256-GCM.
 *
 * A message is sealed in pieces of 1 MiB under one context, whose nonces count up; each piece says, as its associated
 * data, whether it is the last. So a large message needs no second copy in memory, and none can be cut or reordered.
 *
 * Rounds    none          Sends    1,120 bytes of encapsulated key beside the message, and a tag of 16 for each piece
 * Security  only the recipient opens it, also against a later quantum adversary; it does not show who sealed it (the
 *           signatures under the commitments do). The info binds job, attempt, sender and recipient.
 * @module
 */
import { fromHex, lengthPrefixed, toHex, u32, utf8 } from '@folkmoot/core/bytes.js';
import type { PartyId } from '@folkmoot/core/channel.js';
import { CharterError, ProtocolError } from '@folkmoot/core/errors.js';
import { CipherSuite, HkdfSha256 } from '@hpke/core';
import { XWing } from '@hpke/hybridkem-x-wing';
import { aes256Gcm } from './aead.ts';

export const recipientKeyBytes = 1216;
const encapsulatedKeyBytes = 1120;
const tagBytes = 16;
/** Small enough to stay in a core's cache, large enough that its call costs nothing beside it. */
export const pieceBytes = 1024 * 1024;

/** The bytes of an envelope around so many. */
export function envelopeBytes(messageBytes: number): number {
  return encapsulatedKeyBytes + messageBytes + piecesOf(messageBytes) * tagBytes;
}

function piecesOf(messageBytes: number): number {
  return Math.max(1, Math.ceil(messageBytes / pieceBytes));
}

/** The associated data of a piece. */
const placeOf = (piece: number, pieces: number) => Uint8Array.of(piece === pieces - 1 ? 1 : 0).buffer;

/** What an answer's envelope is bound to. */
export interface EnvelopeInfo {
  readonly job: Uint8Array;
  readonly attempt: number;
  readonly sender: PartyId;
  /** The analyst's id. */
  readonly recipient: string;
}

const suite = () => new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: aes256Gcm });

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
  const envelope = new Uint8Array(envelopeBytes(message.length));
  envelope.set(new Uint8Array(sender.enc));
  const pieces = piecesOf(message.length);
  for (let piece = 0; piece < pieces; piece++) {
    const plain = message.subarray(piece * pieceBytes, (piece + 1) * pieceBytes);
    const sealed = await sender.seal(plain as Uint8Array<ArrayBuffer>, placeOf(piece, pieces));
    envelope.set(new Uint8Array(sealed), encapsulatedKeyBytes + piece * (pieceBytes + tagBytes));
  }
  return envelope;
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
    const recipient = await suite().createRecipientContext({
      recipientKey: pair.privateKey,
      enc,
      info: infoBytes(info),
    });
    const sealed = envelope.subarray(encapsulatedKeyBytes);
    const pieces = Math.max(1, Math.ceil(sealed.length / (pieceBytes + tagBytes)));
    const message = new Uint8Array(Math.max(0, sealed.length - pieces * tagBytes));
    for (let piece = 0; piece < pieces; piece++) {
      const start = piece * (pieceBytes + tagBytes);
      const sealedPiece = sealed.subarray(start, start + pieceBytes + tagBytes) as Uint8Array<ArrayBuffer>;
      const plain = await recipient.open(sealedPiece, placeOf(piece, pieces));
      message.set(new Uint8Array(plain), piece * pieceBytes);
    }
    return message;
  } catch (cause) {
    throw new ProtocolError('BAD_ENVELOPE', { party: info.sender, cause });
  }
}

/** WebCrypto's wrapper takes whole ArrayBuffers; bytes that already fill theirs are not copied. */
function exact(bytes: Uint8Array): ArrayBuffer {
  const whole = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
  return whole ? (bytes.buffer as ArrayBuffer) : new Uint8Array(bytes).buffer;
}
