/**
 * A coordinator as a node sees it, in the hands of a test: it relays honestly, and says what the test tells it to.
 * @module
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fromHex } from '@folkmoot/core/bytes.js';
import { type Charter, partiesOf } from '@folkmoot/core/charter.js';
import { verify } from '@folkmoot/core/identity.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import {
  type CoordinatorMessage,
  controlReader,
  controlWriter,
  decodeNodeMessage,
  loginLabel,
  loginStatement,
  type NodeMessage,
} from '@folkmoot/transport/control.js';
import { coordinatorIndex, decodeFrame, frameType, isBetweenParties } from '@folkmoot/transport/frame.js';
import type { FrameLink } from '@folkmoot/transport/link.js';
import { listen } from '@folkmoot/transport/listener.js';
import { type Attempt, Relay } from '@folkmoot/transport/relay.js';

const nonce = '5a'.repeat(32);

/** An opening as it came in, put together. */
export interface CollectedOpening {
  readonly announcement: Extract<NodeMessage, { type: 'opening' }>;
  readonly sealed: Uint8Array;
}

type WithoutEpoch<M> = M extends { job: string; epoch: number } ? Omit<M, 'epoch'> & { epoch?: number } : M;
/** What a coordinator says, by one that has led every job from its beginning. */
export type Said = WithoutEpoch<CoordinatorMessage>;

export function withEpoch(message: Said): CoordinatorMessage {
  return ('job' in message ? { epoch: 1, ...message } : message) as CoordinatorMessage;
}

export class StandIn {
  readonly relay: Relay;
  /** Everything that logged-in nodes said, in order. */
  readonly heard: { readonly party: string; readonly message: NodeMessage }[] = [];
  readonly openings: { readonly party: string; readonly opening: CollectedOpening }[] = [];
  /** Every session frame that passed, for tests that search or change them. */
  onSessionFrame: (party: string, bytes: Uint8Array) => Uint8Array | undefined = (_, bytes) => bytes;
  readonly url: string;
  readonly #links = new Map<string, { link: FrameLink; write: ReturnType<typeof controlWriter> }>();
  readonly #close: () => Promise<void>;
  #waiting: { readonly holds: () => boolean; readonly resolve: () => void }[] = [];

  private constructor(relay: Relay, url: string, close: () => Promise<void>) {
    this.relay = relay;
    this.url = url;
    this.#close = close;
  }

  static async start(charter: Charter): Promise<StandIn> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const parties = partiesOf(charter);
    const links = listen(server, {
      path: '/node',
      clock: systemClock,
      onLink: (link) => standIn.#admit(link, charter),
    });
    const { port } = server.address() as AddressInfo;
    const close = async () => {
      links.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    };
    const standIn = new StandIn(new Relay(parties), `ws://127.0.0.1:${port}`, close);
    return standIn;
  }

  /** With the first epoch, unless the message says another one. */
  send(party: string, message: Said): void {
    const { link, write } = this.#links.get(party)!;
    const whole = message.type === 'start' && message.heads === undefined ? this.#withHeads(message) : message;
    link.send(write(withEpoch(whole))).catch(() => undefined);
  }

  /** What each party showed of its audit log when it accepted the job. */
  #withHeads(start: Extract<Said, { type: 'start' }>): Said {
    const heads: Record<string, object> = {};
    for (const { party, message } of this.heard) {
      if (message.type === 'accepted' && message.job === start.job) heads[party] = message.head!;
    }
    return { ...start, heads };
  }

  /** Ends a party's link, as a network does. */
  cut(party: string): void {
    this.#links.get(party)?.link.close();
  }

  isConnected(party: string): boolean {
    return this.#links.has(party);
  }

  /** Resolves when this holds; it is looked at whenever something came in. */
  async until(holds: () => boolean, timeoutMs = 20_000): Promise<void> {
    if (holds()) return;
    const waiting = new Promise<void>((resolve) => this.#waiting.push({ holds, resolve }));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const seen = this.heard.map(({ party, message }) => `${party} ${message.type} ${describe(message)}`);
        reject(new Error(`waited in vain; heard:\n${seen.join('\n')}`));
      }, timeoutMs);
    });
    await Promise.race([waiting, late]).finally(() => clearTimeout(timer));
  }

  /** The first message of this type from this party. */
  async next<T extends NodeMessage['type']>(party: string, type: T): Promise<Extract<NodeMessage, { type: T }>> {
    const find = () => this.heard.find((one) => one.party === party && one.message.type === type)?.message;
    await this.until(() => find() !== undefined);
    return find() as Extract<NodeMessage, { type: T }>;
  }

  admit(attempt: Attempt): void {
    this.relay.admit(attempt);
  }

  async stop(): Promise<void> {
    await this.#close();
  }

  #changed(): void {
    this.#waiting = this.#waiting.filter(({ holds, resolve }) => {
      if (!holds()) return true;
      resolve();
      return false;
    });
  }

  #admit(link: FrameLink, charter: Charter): void {
    const parties = partiesOf(charter);
    let party: string | undefined;
    let loggedIn = false;
    let read: ReturnType<typeof controlReader<NodeMessage>> | undefined;
    let collecting: { announcement: CollectedOpening['announcement']; chunks: Uint8Array[]; left: number } | undefined;
    link.onFrame((bytes) => {
      const frame = decodeFrame(bytes);
      if (isBetweenParties(frame.type)) {
        const passed = frame.type === frameType.session ? this.onSessionFrame(party!, bytes) : bytes;
        return passed === undefined ? undefined : this.relay.forward(party!, passed);
      }
      if (frame.type === frameType.bulk) {
        collecting!.chunks.push(frame.payload);
        collecting!.left -= frame.payload.length;
        if (collecting!.left === 0) {
          const { announcement, chunks } = collecting!;
          this.openings.push({ party: party!, opening: { announcement, sealed: Buffer.concat(chunks) } });
          this.#changed();
        }
        return undefined;
      }
      read ??= controlReader(frame.from, coordinatorIndex, decodeNodeMessage);
      const message = read(frame);
      if (message.type === 'hello') {
        party = message.party;
        const write = controlWriter(coordinatorIndex, parties.indexOf(party));
        this.#links.set(party, { link, write });
        this.send(party, { type: 'challenge', nonce });
      } else if (message.type === 'login') {
        const key = fromHex(charter.parties[party!]!.identity!);
        const hello = this.heard.findLast((one) => one.party === party && one.message.type === 'hello');
        const statement = loginStatement(nonce, (hello!.message as { charter: string }).charter, 'party');
        if (!verify(key, loginLabel, statement, fromHex(message.signature))) throw new Error('a bad login');
        loggedIn = true;
        this.send(party!, { type: 'welcome', epoch: 1 });
        this.relay.attach(party!, link);
      }
      // Words about audit logs are passed on, as any coordinator does.
      if ((message.type === 'countersigned' || message.type === 'held') && this.#links.has(message.of)) {
        const { of, ...word } = message;
        this.send(of, { ...word, by: party! });
      }
      if (message.type === 'opening') collecting = { announcement: message, chunks: [], left: message.sealedBytes };
      this.heard.push({ party: party!, message });
      this.#changed();
      return undefined;
    });
    link.onClose(() => {
      if (party === undefined) return;
      if (loggedIn) this.relay.detach(party, link);
      if (this.#links.get(party)?.link === link) this.#links.delete(party);
      this.#changed();
    });
  }
}

const describe = (message: NodeMessage): string =>
  'report' in message ? `${message.report.code} ${message.report.message}` : 'phase' in message ? message.phase : '';
