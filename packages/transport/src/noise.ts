/**
 * The Noise Protocol Framework, revision 34, with 25519, AESGCM and SHA256: the pattern KK, in which both ends know the
 * other's static key beforehand, alone or with a pre-shared key. Names are those of the specification.
 *
 * ```
 * KKpsk2   -> s    <- s    ...    -> e, es, ss    <- e, ee, se, psk
 * ```
 *
 * Rounds    1 (two messages)      Sends    48 bytes a handshake message beside its payload, 16 a transport message
 * Security  mutual authentication and forward secrecy from message 2 on; a key that leaks later opens nothing earlier.
 *           Message 1 can be replayed, so that nothing may be done for it before a transport message arrives.
 * @module
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { assert } from '@folkmoot/core/assert.js';
import { publicKeyObject, rawPublicKey } from './key-object.ts';

const noiseMessageBytesMax = 65_535;
export const noiseTagBytes = 16;
const dhBytes = 32;

type Token = 'e' | 'es' | 'ss' | 'ee' | 'se' | 'psk';
const patterns = {
  KK: [
    ['e', 'es', 'ss'],
    ['e', 'ee', 'se'],
  ],
  KKpsk0: [
    ['psk', 'e', 'es', 'ss'],
    ['e', 'ee', 'se'],
  ],
  KKpsk2: [
    ['e', 'es', 'ss'],
    ['e', 'ee', 'se', 'psk'],
  ],
} as const satisfies Record<string, readonly (readonly Token[])[]>;

export type NoisePattern = keyof typeof patterns;
export type NoiseRole = 'initiator' | 'responder';

/** The key of one direction and its counter, which only goes up: no nonce is used twice. */
export class CipherState {
  readonly #key: KeyObject;
  readonly #nonce = Buffer.alloc(12);
  #counter = 0;

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  /** Seals the parts, one after the other, as one Noise message into `target` at `at`; tells where it ends. */
  encryptInto(target: Uint8Array, at: number, parts: readonly Uint8Array[], ad?: Uint8Array): number {
    let length = noiseTagBytes;
    for (const part of parts) length += part.length;
    assert(length <= noiseMessageBytesMax, 'a Noise message fits its limit');
    const cipher = createCipheriv('aes-256-gcm', this.#key, this.#nextNonce(), { authTagLength: noiseTagBytes });
    if (ad !== undefined) cipher.setAAD(ad);
    let end = at;
    for (const part of parts) {
      target.set(cipher.update(part), end);
      end += part.length;
    }
    cipher.final();
    target.set(cipher.getAuthTag(), end);
    return end + noiseTagBytes;
  }

  encrypt(plaintext: Uint8Array, ad?: Uint8Array): Uint8Array {
    const message = new Uint8Array(plaintext.length + noiseTagBytes);
    this.encryptInto(message, 0, [plaintext], ad);
    return message;
  }

  /** @throws Error when the message is not the next one that the other end sealed. */
  decrypt(message: Uint8Array, ad?: Uint8Array): Uint8Array {
    const split = message.length - noiseTagBytes;
    if (split < 0) throw new RangeError('a Noise message is shorter than its tag');
    const decipher = createDecipheriv('aes-256-gcm', this.#key, this.#nextNonce(), { authTagLength: noiseTagBytes });
    if (ad !== undefined) decipher.setAAD(ad);
    decipher.setAuthTag(message.subarray(split));
    const plaintext = decipher.update(message.subarray(0, split));
    decipher.final();
    return plaintext;
  }

  /** Four zero bytes and the counter, big-endian. 2^53 messages of 64 KiB are beyond any session's life. */
  #nextNonce(): Uint8Array {
    if (this.#counter >= Number.MAX_SAFE_INTEGER) throw new RangeError('a Noise counter is used up');
    this.#nonce.writeUInt32BE(Math.floor(this.#counter / 2 ** 32), 4);
    this.#nonce.writeUInt32BE(this.#counter % 2 ** 32, 8);
    this.#counter++;
    return this.#nonce;
  }
}

/** The chaining key and the running hash of everything that both ends saw. */
class SymmetricState {
  #chainingKey: Uint8Array;
  #hash: Uint8Array;
  #cipher: CipherState | undefined;

  constructor(protocolName: string) {
    const name = Buffer.from(protocolName, 'ascii');
    this.#hash = name.length <= 32 ? Buffer.concat([name, Buffer.alloc(32 - name.length)]) : sha256(name);
    this.#chainingKey = this.#hash;
  }

  get hash(): Uint8Array {
    return this.#hash;
  }

  mixHash(data: Uint8Array): void {
    this.#hash = sha256(this.#hash, data);
  }

  mixKey(inputKey: Uint8Array): void {
    const [chainingKey, key] = noiseHkdf(this.#chainingKey, inputKey);
    this.#chainingKey = chainingKey;
    this.#cipher = new CipherState(key);
  }

  mixKeyAndHash(inputKey: Uint8Array): void {
    const [chainingKey, hash, key] = noiseHkdf(this.#chainingKey, inputKey);
    this.#chainingKey = chainingKey;
    this.mixHash(hash);
    this.#cipher = new CipherState(key);
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const sealed = this.#cipher === undefined ? plaintext : this.#cipher.encrypt(plaintext, this.#hash);
    this.mixHash(sealed);
    return sealed;
  }

  decryptAndHash(sealed: Uint8Array): Uint8Array {
    const plaintext = this.#cipher === undefined ? sealed : this.#cipher.decrypt(sealed, this.#hash);
    this.mixHash(sealed);
    return plaintext;
  }

  split(): { first: CipherState; second: CipherState; chainingKey: Uint8Array; hash: Uint8Array } {
    const [first, second] = noiseHkdf(this.#chainingKey, new Uint8Array(0));
    return {
      first: new CipherState(first),
      second: new CipherState(second),
      chainingKey: this.#chainingKey,
      hash: this.#hash,
    };
  }
}

export interface NoiseOptions {
  readonly pattern: NoisePattern;
  readonly role: NoiseRole;
  readonly prologue: Uint8Array;
  /** X25519 private key. */
  readonly static: KeyObject;
  /** The other end's X25519 public key, 32 bytes. */
  readonly remoteStatic: Uint8Array;
  /** Fresh unless a known answer fixes it. */
  readonly ephemeral?: KeyObject;
}

export interface NoiseSession {
  readonly send: CipherState;
  readonly receive: CipherState;
  /** Secret: keys for other uses are derived from it. */
  readonly chainingKey: Uint8Array;
  /** Not secret. */
  readonly hash: Uint8Array;
}

/** One end of one handshake: two messages in turn, then `finish`. After an error it is good for nothing. */
export class NoiseHandshake {
  readonly #options: NoiseOptions;
  readonly #state: SymmetricState;
  readonly #ephemeral: KeyObject;
  readonly #remoteStatic: KeyObject;
  #remoteEphemeral: KeyObject | undefined;
  #turn = 0;

  constructor(options: NoiseOptions) {
    this.#options = options;
    this.#ephemeral = options.ephemeral ?? generateKeyPairSync('x25519').privateKey;
    this.#remoteStatic = publicKeyObject('x25519', options.remoteStatic);
    this.#state = new SymmetricState(`Noise_${options.pattern}_25519_AESGCM_SHA256`);
    this.#state.mixHash(options.prologue);
    const own = rawPublicKey(options.static);
    const isInitiator = options.role === 'initiator';
    this.#state.mixHash(isInitiator ? own : options.remoteStatic);
    this.#state.mixHash(isInitiator ? options.remoteStatic : own);
  }

  /** The next message, which is ours to send. `psk` where the pattern mixes one into it. */
  write(payload: Uint8Array, psk?: Uint8Array): Uint8Array {
    const parts: Uint8Array[] = [];
    for (const token of this.#nextTokens('initiator')) {
      if (token === 'e') {
        const own = rawPublicKey(this.#ephemeral);
        parts.push(own);
        this.#mixEphemeral(own);
      } else this.#mix(token, psk);
    }
    parts.push(this.#state.encryptAndHash(payload));
    return Buffer.concat(parts);
  }

  /**
   * The payload of the next message, which is the other end's.
   * @throws Error when the message is not one that the other end, with the same prologue, keys and psk, wrote.
   */
  read(message: Uint8Array, psk?: Uint8Array): Uint8Array {
    const tokens = this.#nextTokens('responder');
    if (message.length < dhBytes) throw new RangeError('a handshake message is cut');
    for (const token of tokens) {
      if (token === 'e') {
        const theirs = message.slice(0, dhBytes);
        this.#remoteEphemeral = publicKeyObject('x25519', theirs);
        this.#mixEphemeral(theirs);
      } else this.#mix(token, psk);
    }
    return this.#state.decryptAndHash(message.subarray(dhBytes));
  }

  finish(): NoiseSession {
    if (this.#turn !== 2) throw new Error('a Noise handshake has two messages');
    this.#turn++;
    const { first, second, chainingKey, hash } = this.#state.split();
    return this.#options.role === 'initiator'
      ? { send: first, receive: second, chainingKey, hash }
      : { send: second, receive: first, chainingKey, hash };
  }

  /** `evenTurn` is the role whose turn the even messages are. */
  #nextTokens(evenTurn: NoiseRole): readonly Token[] {
    const tokens: readonly Token[] | undefined = patterns[this.#options.pattern][this.#turn];
    const due = (this.#turn % 2 === 0) === (this.#options.role === evenTurn);
    if (tokens === undefined || !due) throw new Error('a Noise message is out of turn');
    this.#turn++;
    return tokens;
  }

  /** In handshakes with a psk, ephemeral keys are mixed into the key as well as into the hash. */
  #mixEphemeral(raw: Uint8Array): void {
    this.#state.mixHash(raw);
    if (this.#options.pattern !== 'KK') this.#state.mixKey(raw);
  }

  #mix(token: Exclude<Token, 'e'>, psk: Uint8Array | undefined): void {
    if (token === 'psk') {
      if (psk?.length !== 32) throw new RangeError('a pre-shared key has 32 bytes');
      this.#state.mixKeyAndHash(psk);
    } else {
      // The first letter is the initiator's key, the second the responder's.
      const [own, theirs] = this.#options.role === 'initiator' ? [token[0], token[1]] : [token[1], token[0]];
      const privateKey = own === 'e' ? this.#ephemeral : this.#options.static;
      const publicKey = theirs === 'e' ? this.#remoteEphemeral! : this.#remoteStatic;
      this.#state.mixKey(sharedSecret(privateKey, publicKey));
    }
  }
}

/** @throws Error for a public key of small order, whose shared secret is zero. */
function sharedSecret(privateKey: KeyObject, publicKey: KeyObject): Uint8Array {
  const shared = diffieHellman({ privateKey, publicKey });
  if (shared.every((byte) => byte === 0)) throw new RangeError('a public key of small order');
  return shared;
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** HKDF as Noise defines it: three outputs, of which callers take what they need. */
function noiseHkdf(chainingKey: Uint8Array, inputKey: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const key = createHmac('sha256', chainingKey).update(inputKey).digest();
  const first = createHmac('sha256', key).update(Uint8Array.of(1)).digest();
  const second = createHmac('sha256', key).update(first).update(Uint8Array.of(2)).digest();
  const third = createHmac('sha256', key).update(second).update(Uint8Array.of(3)).digest();
  return [first, second, third];
}
