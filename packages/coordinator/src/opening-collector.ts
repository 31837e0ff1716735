/**
 * The openings that come in on one party's link: an announcement, then the sealed bytes in bulk frames.
 *
 * Bulk frames carry the first 16 bytes of the job's id as their session and count from 0. What an opening may take is
 * bounded before its first byte, for one opening, for one link and over all links. The frames of an opening that nobody
 * needs are passed over, so that a party may resend what was stored already.
 * @module
 */
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import type { PartyId } from '@folkmoot/core/channel.js';
import { TransportError } from '@folkmoot/core/errors.js';
import type { NodeMessage } from '@folkmoot/transport/control.js';
import { coordinatorIndex, type Frame, sessionIdBytes } from '@folkmoot/transport/frame.js';
import { limits } from './limits.ts';
import type { StoredOpening } from './store.ts';

type Announcement = Extract<NodeMessage, { type: 'opening' }>;

/** Bytes that stand in memory over all links. */
export interface InFlight {
  bytes: number;
}

export interface Collected {
  readonly job: string;
  readonly attempt: number;
  readonly opening: StoredOpening;
}

interface Pending {
  readonly announcement: Announcement;
  /** Undefined where the bytes are passed over. */
  readonly sealed: Uint8Array | undefined;
  filled: number;
  sequence: number;
}

export class OpeningCollector {
  readonly #party: PartyId;
  readonly #inFlight: InFlight;
  readonly #pending = new Map<string, Pending>();

  constructor(party: PartyId, inFlight: InFlight) {
    this.#party = party;
    this.#inFlight = inFlight;
  }

  /**
   * Bulk frames of this opening follow.
   * @throws TransportError BAD_FRAME, FRAME_TOO_LARGE, BACKLOG
   */
  announce(announcement: Announcement, wanted: boolean): void {
    const session = toHex(fromHex(announcement.job).subarray(0, sessionIdBytes));
    const { sealedBytes } = announcement;
    if (this.#pending.has(session)) throw new TransportError('BAD_FRAME', { detail: 'an opening within an opening' });
    if (sealedBytes > limits.openingBytesMax) {
      throw new TransportError('FRAME_TOO_LARGE', {
        field: 'sealedBytes',
        detail: `${limits.openingBytesMax} bytes are the limit`,
      });
    }
    const room = this.#inFlight.bytes + sealedBytes <= limits.openingBytesInFlight;
    if (this.#pending.size >= limits.openingsPerNode || (wanted && !room)) {
      throw new TransportError('BACKLOG', { detail: 'too many openings at once' });
    }
    if (wanted) this.#inFlight.bytes += sealedBytes;
    const sealed = wanted ? new Uint8Array(sealedBytes) : undefined;
    this.#pending.set(session, { announcement, sealed, filled: 0, sequence: 0 });
  }

  /**
   * Takes one bulk frame of the party with this index; returns the opening that it completes.
   * @throws TransportError WRONG_SESSION, BAD_SEQUENCE, BAD_FRAME
   */
  take(frame: Frame, from: number): Collected | undefined {
    const session = toHex(frame.session);
    const pending = this.#pending.get(session);
    if (pending === undefined || frame.from !== from || frame.to !== coordinatorIndex)
      throw new TransportError('WRONG_SESSION');
    if (frame.sequence !== pending.sequence) throw new TransportError('BAD_SEQUENCE');
    const { announcement, sealed, filled } = pending;
    const left = announcement.sealedBytes - filled;
    if (frame.payload.length === 0 || frame.payload.length > left) {
      throw new TransportError('BAD_FRAME', { detail: 'more or less than was announced' });
    }
    sealed?.set(frame.payload, filled);
    pending.filled += frame.payload.length;
    pending.sequence++;
    if (frame.payload.length < left) return undefined;
    this.#pending.delete(session);
    if (sealed === undefined) return undefined;
    const { job, attempt, commitments, signatures } = announcement;
    return { job, attempt, opening: { party: this.#party, sealed, commitments, signatures } };
  }

  /** The opening is stored, or given up: its bytes are no longer held. */
  release(bytes: number): void {
    this.#inFlight.bytes -= bytes;
  }

  /** The link has ended. */
  close(): void {
    for (const { sealed } of this.#pending.values()) this.release(sealed?.length ?? 0);
    this.#pending.clear();
  }
}
