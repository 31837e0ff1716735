/**
 * A node's link to a coordinator, driven by hand.
 * @module
 */
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import { charterHash, partiesOf } from '@folkmoot/core/charter.js';
import { sign } from '@folkmoot/core/identity.js';
import { systemClock } from '@folkmoot/transport/clock.js';
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
  framePayloadBytesMax,
  frameType,
} from '@folkmoot/transport/frame.js';
import { connect, type FrameLink } from '@folkmoot/transport/link.js';
import type { Consortium, Party } from './consortium.ts';

/** A node's link, driven by hand. */
export class ScriptedNode {
  readonly party: Party;
  readonly link: FrameLink;
  readonly ended: Promise<Error | undefined>;
  readonly #write: (message: NodeMessage) => Uint8Array;
  readonly #index: number;
  readonly #came: CoordinatorMessage[] = [];
  #wake: () => void = () => undefined;
  #sessions: ((frame: Uint8Array) => void | Promise<void>) | undefined;
  readonly #early: Uint8Array[] = [];
  /** Frames of each session that have come. */
  readonly #received = new Map<string, number>();

  private constructor(party: Party, index: number, link: FrameLink) {
    this.party = party;
    this.link = link;
    this.#index = index;
    this.#write = controlWriter(index, coordinatorIndex);
    const read = controlReader(coordinatorIndex, index, decodeCoordinatorMessage);
    this.ended = new Promise((resolve) => link.onClose(resolve));
    link.onFrame((bytes) => {
      const frame = decodeFrame(bytes);
      const session = toHex(frame.session);
      if (frame.type === frameType.ask) {
        // How much has come, and which of its questions that answers.
        const sequence = this.#received.get(session) ?? 0;
        const header = { type: frameType.resume, session: frame.session, from: frame.to, to: frame.from, sequence };
        return link.send(encodeFrame(header, frame.payload.subarray(1)));
      }
      if (frame.type === frameType.session) {
        this.#received.set(session, frame.sequence + 1);
        if (this.#sessions === undefined) this.#early.push(bytes);
        else return this.#sessions(bytes);
      } else if (frame.type === frameType.control) {
        this.#came.push(read(frame));
        this.#wake();
      }
      return undefined;
    });
  }

  /** `tap` is shown every frame, both ways. */
  static async open(
    { charter }: Consortium,
    url: string,
    party: Party,
    tap?: (frame: Uint8Array) => void,
  ): Promise<ScriptedNode> {
    const link = await connect(`${url}/node`, systemClock);
    const tapped: FrameLink = {
      send(frame) {
        tap?.(frame);
        return link.send(frame);
      },
      onFrame: (receiver) =>
        link.onFrame((frame) => {
          tap?.(frame);
          return receiver(frame);
        }),
      onClose: (listener) => link.onClose(listener),
      close: () => link.close(),
    };
    return new ScriptedNode(party, partiesOf(charter).indexOf(party), tapped);
  }

  static async login(
    consortium: Consortium,
    url: string,
    party: Party,
    tap?: (frame: Uint8Array) => void,
    instance?: string,
  ): Promise<ScriptedNode> {
    const node = await ScriptedNode.open(consortium, url, party, tap);
    await ScriptedNode.enter(node, consortium, instance);
    return node;
  }

  /** Logs in over a link that is open. */
  static async enter(node: ScriptedNode, consortium: Consortium, instance?: string): Promise<void> {
    const { party } = node;
    const charter = charterHash(consortium.charter);
    const own = instance === undefined ? {} : { instance };
    await node.send({ type: 'hello', party, charter, build: 'test', version: protocolVersion, ...own });
    const { nonce } = await node.next('challenge');
    const statement = loginStatement(nonce, charter, 'party');
    const signature = toHex(sign(consortium.keys[party].secret.identity, loginLabel, statement));
    await node.send({ type: 'login', signature });
    await node.next('welcome');
  }

  send(message: NodeMessage): Promise<void> {
    return this.link.send(this.#write(message));
  }

  /** The next message, which must be of this type; messages that `skip` holds of are passed over. */
  async next<T extends CoordinatorMessage['type']>(
    type: T,
    skip: (message: CoordinatorMessage) => boolean = () => false,
  ): Promise<Extract<CoordinatorMessage, { type: T }>> {
    let message: CoordinatorMessage | undefined;
    while (message === undefined || skip(message)) {
      message = this.#came.shift();
      if (message !== undefined) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (message.type !== type) throw new Error(`${this.party} got ${message.type} instead of ${type}`);
    return message as Extract<CoordinatorMessage, { type: T }>;
  }

  /** Session frames only. */
  get sessions(): FrameLink {
    return {
      send: (frame) => this.link.send(frame),
      onFrame: (receiver) => {
        this.#sessions = receiver;
        for (const frame of this.#early.splice(0)) void receiver(frame);
      },
      onClose: (listener) => this.link.onClose(listener),
      close: () => undefined,
    };
  }

  async sendOpening(
    job: string,
    sealed: Uint8Array,
    commitments: Readonly<Record<string, string>>,
    signatures: Readonly<Record<string, string>>,
    attempt = 1,
  ): Promise<void> {
    await this.send({ type: 'opening', job, attempt, sealedBytes: sealed.length, commitments, signatures });
    await this.sendBulk(job, sealed);
  }

  async sendBulk(job: string, sealed: Uint8Array, from = this.#index): Promise<void> {
    const session = fromHex(job).subarray(0, 16);
    for (let at = 0, sequence = 0; at < sealed.length; at += framePayloadBytesMax, sequence++) {
      const header = { type: frameType.bulk, session, from, to: coordinatorIndex, sequence };
      await this.link.send(encodeFrame(header, sealed.subarray(at, at + framePayloadBytesMax)));
    }
  }
}
