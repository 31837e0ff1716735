/**
 * What the processes of a benchmark's cluster share: their keys, which all know, and channels that last for one attempt
 * over links that outlive it.
 * @module
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toHex } from '@folkmoot/core/bytes.js';
import type { Context, PartyId } from '@folkmoot/core/channel.js';
import { sha256 } from '@folkmoot/core/hash.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { decodeFrame, sessionId } from '@folkmoot/transport/frame.js';
import type { FrameLink } from '@folkmoot/transport/link.js';
import { listen } from '@folkmoot/transport/listener.js';
import { openChannel, type PeerNetwork } from '@folkmoot/transport/peer-network.js';

export const seed = 20261121;

/** 32 bytes that every process of a benchmark derives by itself. */
export function key(purpose: string): Uint8Array<ArrayBuffer> {
  return sha256(new TextEncoder().encode(`${seed} ${purpose}`));
}

/**
 * One attempt's use of a link: peers that are quicker may write before this party opens its channel, and the last frames
 * of an attempt may still be under way when the next one begins.
 */
export function attemptLink(link: FrameLink, self: PartyId, { job, attempt, roster }: Context): FrameLink {
  const peers = roster.filter((peer) => peer !== self);
  const sessions = new Set(peers.map((peer) => toHex(sessionId(job, attempt, self, peer))));
  const early: Uint8Array[] = [];
  let receiver = (frame: Uint8Array): void | Promise<void> => {
    early.push(frame);
  };
  link.onFrame((frame) => (sessions.has(toHex(decodeFrame(frame).session)) ? receiver(frame) : undefined));
  return {
    send: (frame) => link.send(frame),
    onFrame(next) {
      receiver = next;
      for (const frame of early.splice(0)) void next(frame);
    },
    onClose: (listener) => link.onClose(listener),
    close: () => link.close(),
  };
}

/** A party's channel to all others, over its link of this attempt. */
export function openAttempt(self: PartyId, context: Context, links: FrameLink): Promise<PeerNetwork> {
  return openChannel({
    self,
    context,
    charterHash: key('charter'),
    parties: context.roster,
    staticKey: key(`static ${self}`),
    peerStatic: (peer) => staticKeyOf(key(`static ${peer}`)),
    links,
    clock: systemClock,
  });
}

/** The X25519 public key of a seed. */
function staticKeyOf(seedBytes: Uint8Array): Uint8Array {
  const prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
  const secret = createPrivateKey({ key: Buffer.concat([prefix, seedBytes]), format: 'der', type: 'pkcs8' });
  return createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(12);
}

/** Takes links on loopback; resolves to their URL. */
export async function listening(onLink: (link: FrameLink) => void): Promise<string> {
  const server = createServer();
  listen(server, { path: '/', clock: systemClock, onLink });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
