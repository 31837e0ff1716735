/**
 * Who speaks: a nonce is signed with a key of the charter, by a party (over its WebSocket) or an analyst (over HTTP).
 *
 * An analyst gets a bearer token for an hour: 32 random bytes, kept by its hash, so that any coordinator of the same
 * database knows it and no dump of it leaves one that works. Nonces are used once and live a minute: each carries its time
 * and a code over it, so that none needs to be kept before it is used.
 * @module
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { concat, fromHex, toHex } from '@folkmoot/core/bytes.js';
import { type Charter, charterHash } from '@folkmoot/core/charter.js';
import { StateError, TransportError } from '@folkmoot/core/errors.js';
import { verify } from '@folkmoot/core/identity.js';
import { loginLabel, loginStatement } from '@folkmoot/transport/control.js';
import { limits } from './limits.ts';
import type { Tokens } from './tokens.ts';

export interface LoginOptions {
  readonly charter: Charter;
  readonly now: () => number;
  readonly tokens: Pick<Tokens, 'add' | 'analystOf'>;
  /** The same for all coordinators of one database. */
  readonly nonceKey: Uint8Array;
  readonly randomBytes: (n: number) => Uint8Array;
}

const nonceBytes = 32;
/** Its end in milliseconds since 1970, and chance; the rest is the code over them. */
const nonceBodyBytes = 16;
const timeBytes = 6;

export class Login {
  readonly #charter: Charter;
  readonly #charterHash: string;
  readonly #now: () => number;
  readonly #randomBytes: (n: number) => Uint8Array;
  readonly #tokens: LoginOptions['tokens'];
  readonly #nonceKey: Uint8Array;

  constructor(options: LoginOptions) {
    this.#charter = options.charter;
    this.#charterHash = charterHash(options.charter);
    this.#now = options.now;
    this.#randomBytes = options.randomBytes;
    this.#tokens = options.tokens;
    this.#nonceKey = options.nonceKey;
  }

  /** A fresh nonce, not remembered: for a party, whose link remembers it. */
  nonce(): string {
    return toHex(this.#randomBytes(32));
  }

  /** A fresh nonce for an analyst. */
  offer(): { nonce: string; expiresMs: number } {
    const expiresMs = this.#now() + limits.nonceMs;
    const time = Buffer.alloc(timeBytes);
    time.writeUIntBE(expiresMs, 0, timeBytes);
    const body = concat(time, this.#randomBytes(nonceBodyBytes - timeBytes));
    return { nonce: toHex(concat(body, this.#codeOf(body))), expiresMs };
  }

  /**
   * Exchanges a signed nonce for a token. Whether the analyst, the nonce or the signature is wrong is not said.
   * @throws StateError UNAUTHORISED
   */
  async enter(analyst: string, nonce: string, signature: string): Promise<{ token: string; expiresMs: number }> {
    const key = Object.hasOwn(this.#charter.analysts, analyst) ? this.#charter.analysts[analyst]?.identity : undefined;
    const refused = () => new StateError('UNAUTHORISED', { detail: 'the login was refused' });
    const isGood = this.#isOurs(nonce) && key !== undefined && this.#fits(key, nonce, 'analyst', signature);
    if (!isGood) throw refused();
    const token = toHex(this.#randomBytes(32));
    const expiresMs = this.#now() + limits.tokenMs;
    const isNew = await this.#tokens.add({ hash: hashOf(token), analyst, nonce, untilMs: expiresMs }, this.#now());
    if (!isNew) throw refused();
    return { token, expiresMs };
  }

  /**
   * The analyst of an `Authorization: Bearer …` header.
   * @throws StateError UNAUTHORISED
   */
  async analystOf(header: string | undefined): Promise<string> {
    const token = /^Bearer ([0-9a-f]{64})$/.exec(header ?? '')?.[1];
    const analyst = token === undefined ? undefined : await this.#tokens.analystOf(hashOf(token), this.#now());
    if (analyst === undefined) throw new StateError('UNAUTHORISED');
    return analyst;
  }

  /**
   * Checks a party's login on its link.
   * @throws TransportError LOGIN_REFUSED
   */
  checkParty(party: string, nonce: string, signature: string): void {
    const key = Object.hasOwn(this.#charter.parties, party) ? this.#charter.parties[party]?.identity : undefined;
    if (key === undefined || !this.#fits(key, nonce, 'party', signature)) {
      throw new TransportError('LOGIN_REFUSED', { detail: 'the signature does not fit' });
    }
  }

  /** Made by a coordinator of this database, and not too long ago. */
  #isOurs(nonce: string): boolean {
    const bytes = fromHex(nonce);
    const body = bytes.slice(0, nonceBodyBytes);
    if (!timingSafeEqual(this.#codeOf(body), bytes.slice(nonceBodyBytes))) return false;
    const expiresMs = Buffer.from(body).readUIntBE(0, timeBytes);
    // Another coordinator's clock may be ahead of this one's.
    return this.#now() < expiresMs && expiresMs <= this.#now() + 2 * limits.nonceMs;
  }

  #codeOf(body: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#nonceKey)
      .update(body)
      .digest()
      .subarray(0, nonceBytes - nonceBodyBytes);
  }

  #fits(key: string, nonce: string, role: 'party' | 'analyst', signature: string): boolean {
    return verify(fromHex(key), loginLabel, loginStatement(nonce, this.#charterHash, role), fromHex(signature));
  }
}

/** Tokens are searched by hash, so that how long a search takes says nothing about a token. */
function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
