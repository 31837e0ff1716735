/**
 * The streams of a node's attempts (transport/resumable-stream), and which link carries each: that to the coordinator which
 * leads the job, as soon as it is known, and until then any.
 *
 * A stream outlives its computation for as long as a peer may need what it still holds: a party that was away finds the last
 * word of one that has finished.
 * @module
 */
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import type { TransportError } from '@folkmoot/core/errors.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import { decodeFrame, sessionId } from '@folkmoot/transport/frame.js';
import { ResumableStream, type Write } from '@folkmoot/transport/resumable-stream.js';

export interface SessionStreamsOptions {
  readonly party: string;
  /** All parties of the charter in ascending order: frames name a party by its place here. */
  readonly parties: readonly string[];
  readonly clock: Clock;
}

interface AttemptOf {
  readonly job: string;
  readonly attempt: number;
  readonly roster: readonly string[];
}

interface Hearing {
  /** Takes the next frame of a session; a promise holds the link until it settles. */
  deliver(frame: Uint8Array): void | Promise<void>;
  /** Called once, when the stream cannot go on. */
  onFailed(error: TransportError): void;
}

/** A link, as far as streams need it. */
interface Carrier {
  sendFrame(frame: Uint8Array): Promise<void>;
}

interface Carried {
  readonly job: string;
  readonly stream: ResumableStream;
  by: Carrier | undefined;
}

export class SessionStreams {
  readonly #options: SessionStreamsOptions;
  readonly #streams = new Set<Carried>();
  readonly #bySession = new Map<string, ResumableStream>();

  constructor(options: SessionStreamsOptions) {
    this.#options = options;
  }

  /** The stream of an attempt that begins. */
  open({ job, attempt, roster }: AttemptOf, hearing: Hearing, by: Carrier | undefined): ResumableStream {
    const { party, parties, clock } = this.#options;
    const id = fromHex(job);
    const sessions = roster
      .filter((other) => other !== party)
      .map((other) => ({ party: other, index: parties.indexOf(other), session: sessionId(id, attempt, party, other) }));
    const options = { self: parties.indexOf(party), sessions, clock, ...hearing };
    const stream = new ResumableStream(options, by && writeTo(by));
    const carried: Carried = { job, stream, by };
    this.#streams.add(carried);
    for (const session of stream.sessions) this.#bySession.set(session, stream);
    void stream.ended.then(() => {
      this.#streams.delete(carried);
      for (const session of stream.sessions) this.#bySession.delete(session);
    });
    return stream;
  }

  /** Takes a frame from the link. An attempt that has ended here may be spoken to for a moment. */
  deliver(session: Uint8Array, bytes: Uint8Array): void | Promise<void> {
    return this.#bySession.get(toHex(session))?.receive(decodeFrame(bytes), bytes);
  }

  /** A link is up: it carries what no other one does. */
  linked(link: Carrier): void {
    for (const carried of this.#streams) if (carried.by === undefined) carry(carried, link);
  }

  /** The job is led by who is at the end of this link. */
  carryBy(job: string, link: Carrier): void {
    for (const carried of this.#streams) if (carried.job === job && carried.by !== link) carry(carried, link);
  }

  unlinked(link: Carrier): void {
    for (const carried of this.#streams) {
      if (carried.by !== link) continue;
      carried.by = undefined;
      carried.stream.unlinked();
    }
  }

  /** Ends all streams, at once. */
  close(): void {
    for (const { stream } of this.#streams) stream.close();
  }
}

function carry(carried: Carried, link: Carrier): void {
  carried.by = link;
  carried.stream.linked(writeTo(link));
}

function writeTo(link: Carrier): Write {
  return (frame) => link.sendFrame(frame);
}
