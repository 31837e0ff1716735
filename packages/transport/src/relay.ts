/**
 * The relay inside the coordinator: it forwards the frames of sessions between the parties of running attempts, and cannot
 * read them. What goes to a party that is away it drops: the two ends notice, and send it again (resumable-stream.ts).
 *
 * Sends     every frame once, as it came, without a copy; a sender is read no faster than its receiver takes
 * Security  it sees who speaks to whom, when and how much. It checks that a frame says truly who sent it and belongs to
 *           a session of an attempt that runs; all else is for the ends, which need not trust it.
 * @module
 */
import { toHex } from '@folkmoot/core/bytes.js';
import type { PartyId } from '@folkmoot/core/channel.js';
import { TransportError } from '@folkmoot/core/errors.js';
import { decodeFrame, isBetweenParties, sessionId } from './frame.ts';
import type { FrameLink } from './link.ts';

/** An attempt of a job, whose pairs of parties may speak. */
export interface Attempt {
  readonly job: Uint8Array;
  readonly attempt: number;
  readonly roster: readonly PartyId[];
}

interface Pair {
  readonly first: number;
  readonly second: number;
}

export class Relay {
  readonly #indices: ReadonlyMap<PartyId, number>;
  readonly #links = new Map<number, FrameLink>();
  readonly #pairs = new Map<string, Pair>();

  /** All parties of the charter in ascending order: frames name a party by its place here. */
  constructor(parties: readonly PartyId[]) {
    this.#indices = new Map(parties.map((party, index) => [party, index]));
  }

  indexOf(party: PartyId): number {
    return this.#indices.get(party) ?? -1;
  }

  /** From now on this link speaks for the party; an older one no longer does. */
  attach(party: PartyId, link: FrameLink): void {
    this.#links.set(this.indexOf(party), link);
  }

  /** Forgets the link, unless a newer one has taken its place. */
  detach(party: PartyId, link: FrameLink): void {
    const index = this.indexOf(party);
    if (this.#links.get(index) === link) this.#links.delete(index);
  }

  /** Lets the pairs of this attempt speak. */
  admit({ job, attempt, roster }: Attempt): void {
    for (const [i, a] of roster.entries()) {
      for (const b of roster.slice(i + 1)) {
        const pair = { first: this.indexOf(a), second: this.indexOf(b) };
        this.#pairs.set(toHex(sessionId(job, attempt, a, b)), pair);
      }
    }
  }

  /** Ends an attempt: frames of it that are still on their way are dropped. */
  retire({ job, attempt, roster }: Attempt): void {
    for (const [i, a] of roster.entries()) {
      for (const b of roster.slice(i + 1)) this.#pairs.delete(toHex(sessionId(job, attempt, a, b)));
    }
  }

  /**
   * Forwards one frame that came over this party's link. Resolves when the receiver can take more; at once when the
   * attempt has ended or the receiver is not there.
   * @throws TransportError BAD_FRAME, FRAME_TOO_LARGE, WRONG_SESSION
   */
  forward(party: PartyId, bytes: Uint8Array): void | Promise<void> {
    const frame = decodeFrame(bytes);
    const from = this.indexOf(party);
    if (!isBetweenParties(frame.type) || frame.from !== from) throw new TransportError('WRONG_SESSION', { party });
    const pair = this.#pairs.get(toHex(frame.session));
    if (pair === undefined) return;
    const isPair = (a: number, b: number) => pair.first === a && pair.second === b;
    if (!isPair(from, frame.to) && !isPair(frame.to, from)) throw new TransportError('WRONG_SESSION', { party });
    // A receiver that is lost is no fault of the sender.
    return this.#links
      .get(frame.to)
      ?.send(bytes)
      .catch(() => undefined);
  }
}
