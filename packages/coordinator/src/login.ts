/**
 * Who speaks: a nonce is signed with a key of the charter, by a party (over its WebSocket) or an analyst (over HTTP).
 *
 * An analyst gets a bearer token for an hour: 32 random bytes, held in memory only and by its hash, so that neither a
 * restart nor a dump of the process leaves one that works. Nonces are used once and live a minute.
 * @module
 */
import { createHash } from 'node:crypto';
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import { type Charter, charterHash } from '@folkmoot/core/charter.js';
import { StateError, TransportError } from '@folkmoot/core/errors.js';
import { verify } from '@folkmoot/core/identity.js';
import { loginLabel, loginStatement } from '@folkmoot/transport/control.js';
import { limits } from './limits.ts';

export interface LoginOptions {
  readonly charter: Charter;
  readonly now: () => number;
  readonly randomBytes: (n: number) => Uint8Array;
}

/** Entries that end by themselves; the oldest gives way when there are too many. */
class ShortLived<V> {
  readonly #entries = new Map<string, { readonly value: V; readonly untilMs: number }>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  set(key: string, value: V, untilMs: number): void {
    if (this.#entries.size >= this.#max) this.#entries.delete(this.#entries.keys().next().value!);
    this.#entries.set(key, { value, untilMs });
  }

  get(key: string, nowMs: number): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.untilMs > nowMs) return entry?.value;
    this.#entries.delete(key);
    return undefined;
  }

  take(key: string, nowMs: number): V | undefined {
    const value = this.get(key, nowMs);
    this.#entries.delete(key);
    return value;
  }
}

export class Login {
  readonly #charter: Charter;
  readonly #charterHash: string;
  readonly #now: () => number;
  readonly #randomBytes: (n: number) => Uint8Array;
  readonly #nonces = new ShortLived<true>(limits.noncesMax);
  readonly #tokens = new ShortLived<string>(limits.tokensMax);

  constructor(options: LoginOptions) {
    this.#charter = options.charter;
    this.#charterHash = charterHash(options.charter);
    this.#now = options.now;
    this.#randomBytes = options.randomBytes;
  }

  /** A fresh nonce, not remembered: for a party, whose link remembers it. */
  nonce(): string {
    return toHex(this.#randomBytes(32));
  }

  /** A fresh nonce for an analyst. */
  offer(): { nonce: string; expiresMs: number } {
    const nonce = this.nonce();
    const expiresMs = this.#now() + limits.nonceMs;
    this.#nonces.set(nonce, true, expiresMs);
    return { nonce, expiresMs };
  }

  /**
   * Exchanges a signed nonce for a token. Whether the analyst, the nonce or the signature is wrong is not said.
   * @throws StateError UNAUTHORISED
   */
  enter(analyst: string, nonce: string, signature: string): { token: string; expiresMs: number } {
    const key = Object.hasOwn(this.#charter.analysts, analyst) ? this.#charter.analysts[analyst]?.identity : undefined;
    const known = this.#nonces.take(nonce, this.#now()) === true;
    if (!known || key === undefined || !this.#fits(key, nonce, 'analyst', signature)) {
      throw new StateError('UNAUTHORISED', { detail: 'the login was refused' });
    }
    const token = toHex(this.#randomBytes(32));
    const expiresMs = this.#now() + limits.tokenMs;
    this.#tokens.set(hashOf(token), analyst, expiresMs);
    return { token, expiresMs };
  }

  /**
   * The analyst of an `Authorization: Bearer …` header.
   * @throws StateError UNAUTHORISED
   */
  analystOf(header: string | undefined): string {
    const token = /^Bearer ([0-9a-f]{64})$/.exec(header ?? '')?.[1];
    const analyst = token === undefined ? undefined : this.#tokens.get(hashOf(token), this.#now());
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

  #fits(key: string, nonce: string, role: 'party' | 'analyst', signature: string): boolean {
    return verify(fromHex(key), loginLabel, loginStatement(nonce, this.#charterHash, role), fromHex(signature));
  }
}

/** The map is searched by hash, so that how long a search takes says nothing about a token. */
function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
