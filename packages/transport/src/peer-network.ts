/**
 * A party's channel to all others of one attempt: a handshake and a sealed session with each, over one link through the
 * relay or over a link of its own to each peer.
 *
 * Rounds    1½ to set up: message 1, message 2, and the initiator's first transport message
 * Sends     a peer: 1,232 + 64 + 51 bytes as initiator, 1,136 + 32 as responder, then what the protocol sends
 * Security  who holds the links sees sizes and times; whatever it changes, drops, repeats or adds ends the attempt with
 *           a typed error, and never changes a result
 * @module
 */
import { toHex } from '@folkmoot/core/bytes.js';
import type { Channel, Context, PartyId } from '@folkmoot/core/channel.js';
import { concerning, ProtocolError, TransportError } from '@folkmoot/core/errors.js';
import { SessionChannel } from '@folkmoot/core/session.js';
import type { Clock } from './clock.ts';
import { decodeFrame, encodeFrame, type Frame, frameType, sessionId } from './frame.ts';
import { type HandshakeOptions, initiate, respond, roleOf, type SessionKeys } from './handshake.ts';
import { privateKeyObject } from './key-object.ts';
import type { FrameLink } from './link.ts';
import { Session } from './session.ts';

/** The peers start within one message of the coordinator; a minute covers a slow start of the slowest machine. */
export const handshakeTimeoutMs = 60_000;

export interface NetworkOptions {
  readonly self: PartyId;
  readonly context: Context;
  readonly charterHash: Uint8Array;
  /** All parties of the charter in ascending order: frames name a party by its place here. */
  readonly parties: readonly PartyId[];
  /** The X25519 seed of this party. */
  readonly staticKey: Uint8Array;
  /** The X25519 public key that the charter lists for a peer. */
  readonly peerStatic: (peer: PartyId) => Uint8Array;
  /** What each party of the roster does, in its order; all compute unless said otherwise. */
  readonly roles?: readonly string[];
  /** One link to the relay, or one to each peer. They stay the caller's, who closes them. */
  readonly links: FrameLink | ReadonlyMap<PartyId, FrameLink>;
  readonly clock: Clock;
}

export interface PeerNetwork {
  readonly channel: Channel;
  /** Bytes of frames so far, headers included. */
  readonly traffic: { readonly bytesSent: number; readonly bytesReceived: number };
  /** Ends the channel here with this error and tells the peers its code: they fail with PARTY_FAILED. */
  fail(error: ProtocolError | TransportError): Promise<void>;
  /** Tells the peers that nothing follows. They can still receive what was sent before. */
  close(): Promise<void>;
}

/**
 * Resolves when every peer has proved its keys.
 * @throws ProtocolError BAD_HANDSHAKE, PARTY_FAILED; TransportError LINK_LOST, UNREACHABLE, WRONG_SESSION, BAD_SEQUENCE…
 */
export async function openChannel(options: NetworkOptions): Promise<PeerNetwork> {
  const network = new Network(options);
  await network.established();
  return network;
}

interface Peer {
  readonly id: PartyId;
  readonly link: FrameLink;
  readonly session: Uint8Array;
  readonly handshake: HandshakeOptions;
  /** Takes message 1 or 2, whichever the peer owes us. */
  onHandshake: (message: Uint8Array) => void;
  stream: Session | undefined;
  keys: SessionKeys | undefined;
  ready: boolean;
  ended: boolean;
}

class Network implements PeerNetwork {
  readonly channel: SessionChannel;
  readonly traffic = { bytesSent: 0, bytesReceived: 0 };
  readonly #options: NetworkOptions;
  readonly #peers: readonly Peer[];
  readonly #bySession: ReadonlyMap<string, Peer>;
  readonly #established = Promise.withResolvers<void>();
  #ended = false;

  constructor(options: NetworkOptions) {
    this.#options = options;
    const { self, context } = options;
    this.channel = new SessionChannel({
      self,
      context,
      secret: (peer) => this.#peer(peer).keys!.exporter,
      write: (peer, record) => this.#peer(peer).stream!.send(record),
    });
    this.#peers = this.channel.peers.map((id) => this.#newPeer(id));
    this.#bySession = new Map(this.#peers.map((peer) => [toHex(peer.session), peer]));
  }

  async established(): Promise<void> {
    const cancel = this.#options.clock.after(handshakeTimeoutMs, () => this.#giveUp());
    for (const peer of this.#peers) if (roleOf(this.#options.self, peer.id) === 'initiator') this.#initiate(peer);
    for (const link of new Set(this.#peers.map((peer) => peer.link))) {
      link.onFrame((frame) => this.#onFrame(link, frame));
      link.onClose((reason) => this.#onClose(link, reason));
    }
    if (this.#peers.length === 0) this.#established.resolve();
    try {
      await this.#established.promise;
    } finally {
      cancel();
    }
  }

  async fail(error: ProtocolError | TransportError): Promise<void> {
    if (this.#ended) return;
    this.#stop(error);
    await this.#endStreams(error);
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#stop(new ProtocolError('CANCELLED', { detail: 'the channel was closed' }));
    await this.#endStreams();
  }

  /** Peers that are gone do not keep this end from closing. */
  async #endStreams(error?: { readonly code: string }): Promise<void> {
    await Promise.allSettled(this.#peers.map((peer) => peer.stream?.end(error)));
  }

  #stop(error: ProtocolError | TransportError): void {
    this.#ended = true;
    this.channel.fail(error);
    this.#established.reject(error);
  }

  /** A fault of a link or a peer ends the attempt for all: the others learn the code. */
  #abort(error: unknown): void {
    const known = error instanceof ProtocolError || error instanceof TransportError;
    void this.fail(known ? error : new ProtocolError('BAD_MESSAGE', { cause: error }));
  }

  #giveUp(): void {
    const missing = this.#peers.filter((peer) => !peer.ready).map((peer) => peer.id);
    this.#abort(new TransportError('UNREACHABLE', concerning(missing, 'it did not answer in time')));
  }

  #onFrame(link: FrameLink, bytes: Uint8Array): void {
    if (this.#ended) return;
    this.traffic.bytesReceived += bytes.length;
    try {
      const frame = decodeFrame(bytes);
      const peer = this.#senderOf(link, frame);
      if (peer.stream !== undefined) peer.stream.receive(frame);
      else if (frame.sequence !== 0) throw new TransportError('BAD_SEQUENCE', { party: peer.id });
      else peer.onHandshake(frame.payload);
    } catch (error) {
      this.#abort(error);
    }
  }

  #senderOf(link: FrameLink, frame: Frame): Peer {
    const peer = frame.type === frameType.session ? this.#bySession.get(toHex(frame.session)) : undefined;
    const fits = peer !== undefined && peer.link === link && frame.from === this.#indexOf(peer.id);
    if (!fits || frame.to !== this.#indexOf(this.#options.self)) throw new TransportError('WRONG_SESSION');
    return peer;
  }

  #onClose(link: FrameLink, reason: Error | undefined): void {
    if (this.#ended) return;
    const lost = this.#peers.filter((peer) => peer.link === link && !peer.ended);
    if (lost.length === 0) return;
    // A relay's link is nobody's fault in particular.
    const party = lost.length === 1 ? { party: lost[0]!.id } : {};
    const code = reason instanceof TransportError ? reason.code : 'LINK_LOST';
    this.#abort(new TransportError(code, { ...party, cause: reason }));
  }

  #newPeer(id: PartyId): Peer {
    const { self, context, charterHash, links, staticKey, peerStatic } = this.#options;
    const link = links instanceof Map ? links.get(id) : links;
    if (link === undefined) throw new TransportError('UNREACHABLE', { party: id });
    const roles = this.#options.roles ?? context.roster.map(() => 'party');
    const peer: Peer = {
      id,
      link,
      session: sessionId(context.job, context.attempt, self, id),
      handshake: {
        self,
        peer: id,
        binding: { charterHash, context, roles },
        staticKey: privateKeyObject('x25519', staticKey),
        peerStatic: peerStatic(id),
      },
      onHandshake: (message) => this.#respond(peer, message),
      stream: undefined,
      keys: undefined,
      ready: false,
      ended: false,
    };
    return peer;
  }

  #initiate(peer: Peer): void {
    try {
      const { message1, finish } = initiate(peer.handshake);
      peer.onHandshake = (message2) => this.#openStream(peer, finish(message2));
      this.#sendHandshake(peer, message1);
    } catch (error) {
      this.#abort(error);
    }
  }

  #respond(peer: Peer, message1: Uint8Array): void {
    const { message2, keys } = respond(peer.handshake, message1);
    this.#sendHandshake(peer, message2);
    this.#openStream(peer, keys);
  }

  #openStream(peer: Peer, keys: SessionKeys): void {
    peer.keys = keys;
    peer.stream = new Session({
      peer: peer.id,
      role: roleOf(this.#options.self, peer.id),
      header: this.#header(peer),
      keys,
      write: (frame) => this.#write(peer, frame),
      onRecord: (record) => this.channel.deliver(peer.id, record),
      onReady: () => this.#onReady(peer),
      onEnd: (error) => this.#onEnd(peer, error),
    });
  }

  #onReady(peer: Peer): void {
    peer.ready = true;
    if (this.#peers.every((each) => each.ready)) this.#established.resolve();
  }

  #onEnd(peer: Peer, error: ProtocolError | undefined): void {
    peer.ended = true;
    if (error !== undefined) this.#abort(error);
    else this.channel.fail(new ProtocolError('PARTY_FAILED', { party: peer.id, detail: 'it had finished' }), peer.id);
  }

  #sendHandshake(peer: Peer, message: Uint8Array): void {
    // A link that is lost tells so by itself.
    this.#write(peer, encodeFrame({ ...this.#header(peer), sequence: 0 }, message)).catch(() => undefined);
  }

  #header(peer: Peer) {
    const [from, to] = [this.#indexOf(this.#options.self), this.#indexOf(peer.id)];
    return { type: frameType.session, session: peer.session, from, to };
  }

  #write(peer: Peer, frame: Uint8Array): Promise<void> {
    this.traffic.bytesSent += frame.length;
    return peer.link.send(frame);
  }

  #peer(id: PartyId): Peer {
    return this.#peers.find((peer) => peer.id === id)!;
  }

  #indexOf(party: PartyId): number {
    const index = this.#options.parties.indexOf(party);
    if (index < 0) throw new RangeError('a party is in the charter');
    return index;
  }
}
