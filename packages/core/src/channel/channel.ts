/**
 * A party's end of the private, authentic links to all other parties of one attempt of one job.
 *
 * Between any two parties and within one fork, messages arrive in the order they were sent, once each, or the channel
 * fails with a typed error: an implementation never delivers a changed, repeated or reordered message.
 * @module
 */

export type PartyId = string;

/** What a session is bound to; both ends of every link hold the same, or the handshake fails. */
export interface Context {
  /** 32 bytes: SHA-256 of the signed job's canonical envelope. */
  readonly job: Uint8Array;
  /** 1 or more. */
  readonly attempt: number;
  /** All parties, in ascending order of their ids. */
  readonly roster: readonly PartyId[];
}

export interface Channel {
  readonly self: PartyId;
  /** All other parties, in ascending order. */
  readonly peers: readonly PartyId[];
  readonly context: Context;

  /** Sends one message. Resolves when the link can take more (back-pressure), not when it has arrived. */
  send(to: PartyId, label: string, message: Uint8Array): Promise<void>;

  /**
   * The next message from this party in this fork. It must carry `label` and be `bytesMax` bytes at most.
   * @throws ProtocolError UNEXPECTED_MESSAGE, TOO_LARGE, TAMPERED, PARTY_FAILED, STALLED…
   */
  recv(from: PartyId, label: string, bytesMax: number): Promise<Uint8Array>;

  /** A stream of its own over the same links: what is sent in one fork is never received in another. Each label once. */
  fork(label: string): Channel;

  /**
   * The 16-byte key for the direction owner → holder (one of which is `self`), known to these two alone and never sent.
   * The two directions of a pair have different keys. Each (owner, holder, label) once: a second call is LABEL_REUSED.
   */
  deriveKey(owner: PartyId, holder: PartyId, label: string): Uint8Array;
}
