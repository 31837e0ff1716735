/**
 * The node's end of its link to the coordinator: login, then control messages, session frames and openings.
 *
 *   node: hello · coordinator: challenge · node: login · coordinator: welcome
 *
 * The login proves this party's identity for one nonce of the coordinator and under one charter. Nothing that comes
 * before the welcome is acted upon; whatever breaks the form ends the link.
 * @module
 */
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import { partiesOf } from '@folkmoot/core/charter.js';
import { TransportError } from '@folkmoot/core/errors.js';
import type { Sign } from '@folkmoot/core/identity.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import {
  type CoordinatorMessage,
  controlReader,
  controlWriter,
  decodeCoordinatorMessage,
  loginLabel,
  loginStatement,
  type NodeMessage,
  protocolVersion,
} from '@folkmoot/transport/control.js';
import {
  coordinatorIndex,
  decodeFrame,
  encodeFrame,
  type Frame,
  framePayloadBytesMax,
  frameType,
  isBetweenParties,
  sessionIdBytes,
} from '@folkmoot/transport/frame.js';
import type { FrameLink } from '@folkmoot/transport/link.js';
import type { Membership } from './config.ts';
import type { OpeningBytes } from './lifecycle.ts';

/** Two round trips and a signature; a coordinator that takes longer is asked again on a new link. */
const loginTimeoutMs = 20_000;

export interface ConnectionOptions {
  readonly party: string;
  readonly membership: Pick<Membership, 'charter' | 'charterHash'>;
  readonly build: string;
  /** This process among all that were ever started with this identity: 16 random bytes in hexadecimal digits. */
  readonly instance: string;
  readonly sign: Sign;
  readonly clock: Clock;
  /** The login is all that is wanted: the party takes no place by it. */
  readonly isProbe?: true;
  onWelcome(epoch: number): void;
  onMessage(message: CoordinatorMessage): void;
  /** Frames of sessions with other parties; a promise holds the link until it settles. */
  onSession(frame: Frame, bytes: Uint8Array): void | Promise<void>;
}

/** One link, from its opening to its end. */
export class Connection {
  readonly #link: FrameLink;
  readonly #options: ConnectionOptions;
  readonly #index: number;
  readonly #write: ReturnType<typeof controlWriter>;
  readonly #read: (frame: Frame) => CoordinatorMessage;
  /**
   * Jobs whose opening is being sent on this link: their bulk frames must not be mixed with a second sending. One that is
   * asked for meanwhile comes after it: who leads the job by then may have had no use for the first.
   */
  readonly #sending = new Map<string, { again?: () => Promise<void> }>();
  #state: 'greeted' | 'challenged' | 'welcome' = 'greeted';

  constructor(link: FrameLink, options: ConnectionOptions) {
    this.#link = link;
    this.#options = options;
    const { party, membership, build, instance, clock } = options;
    this.#index = partiesOf(membership.charter).indexOf(party);
    this.#write = controlWriter(this.#index, coordinatorIndex);
    this.#read = controlReader(coordinatorIndex, this.#index, decodeCoordinatorMessage);
    const cancel = clock.after(loginTimeoutMs, () => {
      if (this.#state !== 'welcome') link.close();
    });
    link.onClose(cancel);
    link.onFrame((bytes) => this.#take(bytes));
    const probe = options.isProbe === undefined ? {} : { probe: true as const };
    const { charterHash: charter } = membership;
    this.send({ type: 'hello', party, charter, build, version: protocolVersion, instance, ...probe });
  }

  /** Sends a control message. What a link loses, the next one is told again. */
  send(message: NodeMessage): void {
    this.#link.send(this.#write(message)).catch(() => undefined);
  }

  /** Sends a frame of a session. @throws TransportError LINK_LOST */
  sendFrame(bytes: Uint8Array): Promise<void> {
    return this.#link.send(bytes);
  }

  /** Sends an opening; where it is being sent already, once more when it is through. */
  async sendOpening(job: string, attempt: number, opening: OpeningBytes): Promise<void> {
    const underWay = this.#sending.get(job);
    if (underWay !== undefined) {
      underWay.again = () => this.#sendOnce(job, attempt, opening);
      return;
    }
    const sending: { again?: () => Promise<void> } = {};
    this.#sending.set(job, sending);
    try {
      for (let send = () => this.#sendOnce(job, attempt, opening); ; send = sending.again) {
        delete sending.again;
        await send();
        if (sending.again === undefined) break;
      }
    } catch (error) {
      // A link that is lost is replaced, and the same bytes are sent again.
      if (!(error instanceof TransportError)) throw error;
    } finally {
      this.#sending.delete(job);
    }
  }

  /** The announcement, then the sealed bytes in bulk frames, at the pace of the link. @throws TransportError LINK_LOST */
  async #sendOnce(job: string, attempt: number, { sealed, commitments, signatures }: OpeningBytes): Promise<void> {
    this.send({ type: 'opening', job, attempt, sealedBytes: sealed.length, commitments, signatures });
    const session = fromHex(job).slice(0, sessionIdBytes);
    for (let at = 0, sequence = 0; at < sealed.length; at += framePayloadBytesMax, sequence++) {
      const header = { type: frameType.bulk, session, from: this.#index, to: coordinatorIndex, sequence };
      await this.#link.send(encodeFrame(header, sealed.subarray(at, at + framePayloadBytesMax)));
    }
  }

  #take(bytes: Uint8Array): void | Promise<void> {
    const frame = decodeFrame(bytes);
    if (frame.type === frameType.control) return this.#hear(this.#read(frame));
    const isOurs = isBetweenParties(frame.type) && frame.to === this.#index && this.#state === 'welcome';
    if (!isOurs) throw new TransportError('WRONG_SESSION');
    return this.#options.onSession(frame, bytes);
  }

  #hear(message: CoordinatorMessage): void {
    if (this.#state === 'greeted' && message.type === 'challenge') {
      const { membership, sign } = this.#options;
      const statement = loginStatement(message.nonce, membership.charterHash, 'party');
      this.#state = 'challenged';
      this.send({ type: 'login', signature: toHex(sign(loginLabel, statement)) });
    } else if (this.#state === 'challenged' && message.type === 'welcome') {
      this.#state = 'welcome';
      this.#options.onWelcome(message.epoch);
    } else if (this.#state === 'welcome' && message.type !== 'challenge' && message.type !== 'welcome') {
      this.#options.onMessage(message);
    } else {
      throw new TransportError('BAD_CONTROL', { field: message.type, detail: 'it is not due' });
    }
  }
}
