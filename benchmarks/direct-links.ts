/**
 * Links from each process of a cluster to each other, and channels over them that are core's alone: no relay, no
 * handshake, nothing is sealed. What is measured over them is the protocols and a WebSocket on loopback.
 *
 * Record    in pieces: run (u32, little-endian) ‖ 1 where it is the last piece ‖ bytes
 * @module
 */
import type { Channel, Context, PartyId } from '@folkmoot/core/channel.js';
import { SessionChannel } from '@folkmoot/core/session.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { frameBytesMax } from '@folkmoot/transport/frame.js';
import { connect, type FrameLink } from '@folkmoot/transport/link.js';
import { key, listening } from './attempt.ts';

const headerBytes = 5;
const pieceBytes = frameBytesMax - headerBytes;

/** As much of a network as a run of a cluster uses. */
export interface Network {
  readonly channel: Channel;
  readonly traffic: { readonly bytesSent: number };
  close(): Promise<void>;
}

export class DirectLinks {
  readonly #self: PartyId;
  readonly #links = new Map<PartyId, FrameLink>();
  readonly #waiting = new Map<PartyId, () => void>();
  /** Records that came before their run was opened, and pieces of those that are not complete. */
  readonly #early = new Map<number, [PartyId, Uint8Array][]>();
  readonly #pieces = new Map<PartyId, Uint8Array[]>();
  #open: { readonly run: number; readonly channel: SessionChannel } | undefined;
  #url = '';

  private constructor(self: PartyId) {
    this.#self = self;
  }

  /** With the URLs of those that were started before; the others come by themselves. */
  static async start(self: PartyId, earlier: Readonly<Record<PartyId, string>>): Promise<DirectLinks> {
    const links = new DirectLinks(self);
    links.#url = await listening((link) => {
      let peer: PartyId | undefined;
      link.onFrame((frame) => {
        if (peer !== undefined) return links.#take(peer, frame);
        peer = Buffer.from(frame).toString();
        links.#add(peer, link);
      });
    });
    for (const [peer, url] of Object.entries(earlier)) {
      const link = await connect(url, systemClock);
      await link.send(Buffer.from(self));
      link.onFrame((frame) => links.#take(peer, frame));
      links.#add(peer, link);
    }
    return links;
  }

  get url(): string {
    return this.#url;
  }

  async open(context: Context, run: number): Promise<Network> {
    const traffic = { bytesSent: 0 };
    const self = this.#self;
    for (const peer of context.roster) if (peer !== self) await this.#linked(peer);
    const channel = new SessionChannel({
      self,
      context,
      secret: (peer) => key(`secret ${[self, peer].sort().join()} ${run}`),
      // The pieces of a record are handed over at once, so that no other comes between them.
      write: async (peer, record) => {
        const pieces = piecesOf(run, record);
        for (const piece of pieces) traffic.bytesSent += piece.length;
        await Promise.all(pieces.map((piece) => this.#links.get(peer)!.send(piece)));
      },
    });
    this.#open = { run, channel };
    for (const [peer, record] of this.#early.get(run) ?? []) channel.deliver(peer, record);
    this.#early.delete(run);
    return { channel, traffic, close: async () => undefined };
  }

  #add(peer: PartyId, link: FrameLink): void {
    this.#links.set(peer, link);
    this.#waiting.get(peer)?.();
  }

  async #linked(peer: PartyId): Promise<void> {
    if (this.#links.has(peer)) return;
    await new Promise<void>((resolve) => this.#waiting.set(peer, resolve));
  }

  #take(peer: PartyId, frame: Uint8Array): void {
    const pieces = this.#pieces.get(peer) ?? [];
    pieces.push(frame.subarray(headerBytes));
    this.#pieces.set(peer, pieces);
    if (frame[4] === 0) return;
    this.#pieces.delete(peer);
    const run = new DataView(frame.buffer, frame.byteOffset).getUint32(0, true);
    // Memory of its own: words are read in place, and a frame's payload begins anywhere.
    const record = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    for (let i = 0, at = 0; i < pieces.length; at += pieces[i++]!.length) record.set(pieces[i]!, at);
    if (this.#open?.run === run) this.#open.channel.deliver(peer, record);
    else this.#early.set(run, [...(this.#early.get(run) ?? []), [peer, record]]);
  }
}

function piecesOf(run: number, record: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < record.length; start += pieceBytes) {
    const part = record.subarray(start, start + pieceBytes);
    const piece = new Uint8Array(headerBytes + part.length);
    new DataView(piece.buffer).setUint32(0, run, true);
    piece[4] = Number(start + pieceBytes >= record.length);
    piece.set(part, headerBytes);
    pieces.push(piece);
  }
  return pieces;
}
