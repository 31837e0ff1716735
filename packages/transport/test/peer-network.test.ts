import { randomBytes } from 'node:crypto';
import { fromHex } from '@folkmoot/core/bytes.js';
import type { PartyId } from '@folkmoot/core/channel.js';
import { ProtocolError, type TransportError } from '@folkmoot/core/errors.js';
import { memoryLinks, type Tap } from '@folkmoot/testkit/memory-link.js';
import { directCluster, relayCluster, type SocketCluster } from '@folkmoot/testkit/socket-cluster.js';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../src/clock.ts';
import { makeKeys, type PartyKeys } from '../src/keyring.ts';
import type { FrameLink } from '../src/link.ts';
import { handshakeTimeoutMs, type NetworkOptions, openChannel, type PeerNetwork } from '../src/peer-network.ts';

const roster = ['camden', 'hackney'];
const keys = new Map<PartyId, PartyKeys>();
for (const party of roster) keys.set(party, await makeKeys('party', randomBytes));
const context = { job: randomBytes(32), attempt: 1, roster };
const charterHash = randomBytes(32);

function optionsOf(self: PartyId, links: FrameLink, more: Partial<NetworkOptions> = {}): NetworkOptions {
  return {
    self,
    context,
    charterHash,
    parties: roster,
    staticKey: keys.get(self)!.secret.static,
    peerStatic: (peer) => fromHex(keys.get(peer)!.public.static),
    links,
    clock: systemClock,
    ...more,
  };
}

/** The networks of both, with a hand on the way from camden to hackney. */
async function opened(forth?: Tap): Promise<[PeerNetwork, PeerNetwork, FrameLink]> {
  const [atCamden, atHackney] = memoryLinks(forth);
  const both = [openChannel(optionsOf('camden', atCamden)), openChannel(optionsOf('hackney', atHackney))];
  const [camden, hackney] = await Promise.all(both);
  return [camden!, hackney!, atCamden];
}

async function codeOf(step: Promise<unknown>): Promise<string> {
  return step.then(
    () => 'ok',
    (error: ProtocolError | TransportError) => `${error.code} ${error.party}`,
  );
}

/** What hackney receives when camden sends two messages and the frames pass this hand: 0 handshake, 1 ready, 2, 3. */
async function receivedThrough(tap: Tap): Promise<string[]> {
  const [camden, hackney] = await opened(tap);
  await camden.channel.send('hackney', 'x', Uint8Array.of(1));
  await camden.channel.send('hackney', 'x', Uint8Array.of(2));
  const got = [codeOf(hackney.channel.recv('camden', 'x', 1)), codeOf(hackney.channel.recv('camden', 'x', 1))];
  return Promise.all(got);
}

const changing = (which: number, change: (frame: Buffer) => readonly Uint8Array[]): Tap => {
  return (frame, index) => (index === which ? change(Buffer.from(frame)) : [frame]);
};

const flipping = (which: number, at: number): Tap =>
  changing(which, (frame) => {
    frame[at < 0 ? frame.length + at : at]! ^= 1;
    return [frame];
  });

describe('a network of peers', () => {
  it('ends with a typed error for each thing that can befall a frame', async () => {
    const fates: [string, Tap, string][] = [
      ['a bad tag', flipping(3, -1), 'TAMPERED camden'],
      ['a wrong session', flipping(3, 5), 'WRONG_SESSION undefined'],
      ['another sender', flipping(3, 20), 'WRONG_SESSION undefined'],
      ['another receiver', flipping(3, 22), 'WRONG_SESSION undefined'],
      ['another type', flipping(3, 1), 'WRONG_SESSION undefined'],
      ['another number', flipping(3, 24), 'BAD_SEQUENCE camden'],
      ['another version', flipping(3, 0), 'BAD_FRAME undefined'],
      ['another length', flipping(3, 28), 'BAD_FRAME undefined'],
      ['its end missing', changing(3, (frame) => [frame.subarray(0, -1)]), 'BAD_FRAME undefined'],
      ['a byte too many', changing(3, (frame) => [Buffer.concat([frame, Uint8Array.of(0)])]), 'BAD_FRAME undefined'],
      ['too many bytes', changing(3, () => [new Uint8Array(2 ** 20 + 1)]), 'FRAME_TOO_LARGE undefined'],
    ];
    for (const [what, tap, code] of fates) expect([what, ...(await receivedThrough(tap))]).toEqual([what, 'ok', code]);
  });

  it('notices a frame that is dropped or repeated', async () => {
    expect(await receivedThrough(changing(2, () => []))).toEqual(['BAD_SEQUENCE camden', 'BAD_SEQUENCE camden']);
    expect(await receivedThrough(changing(2, (frame) => [frame, frame]))).toEqual(['ok', 'BAD_SEQUENCE camden']);
  });

  it('tells the peers the code when one end gives up', async () => {
    const [camden, hackney] = await opened(flipping(2, -1));
    const waiting = codeOf(camden.channel.recv('hackney', 'x', 1));
    await camden.channel.send('hackney', 'x', Uint8Array.of(1));
    expect(await codeOf(hackney.channel.recv('camden', 'x', 1))).toBe('TAMPERED camden');
    expect(await waiting).toBe('PARTY_FAILED hackney');
  });

  it('refuses a handshake that was changed, and names the peer', async () => {
    const [atCamden, atHackney] = memoryLinks(flipping(0, 100));
    openChannel(optionsOf('camden', atCamden)).catch(() => undefined);
    expect(await codeOf(openChannel(optionsOf('hackney', atHackney)))).toBe('BAD_HANDSHAKE camden');
    atCamden.close();
  });

  it('refuses a peer with another charter', async () => {
    const [atCamden, atHackney] = memoryLinks();
    openChannel(optionsOf('camden', atCamden, { charterHash: randomBytes(32) })).catch(() => undefined);
    expect(await codeOf(openChannel(optionsOf('hackney', atHackney)))).toBe('BAD_HANDSHAKE camden');
    atCamden.close();
  });

  it('ends when a peer does not answer in time', async () => {
    const [atCamden] = memoryLinks();
    const delays: number[] = [];
    const hasty: Clock = {
      now: () => 0,
      after(delayMs, action) {
        delays.push(delayMs);
        setImmediate(action);
        return () => undefined;
      },
    };
    expect(await codeOf(openChannel(optionsOf('camden', atCamden, { clock: hasty })))).toBe('UNREACHABLE hackney');
    expect(delays).toEqual([handshakeTimeoutMs]);
  });

  it('ends when the link is lost during the handshake', async () => {
    const [atCamden, atHackney] = memoryLinks();
    const opening = codeOf(openChannel(optionsOf('camden', atCamden)));
    atHackney.close();
    expect(await opening).toBe('LINK_LOST hackney');
  });

  it('counts the bytes of its frames', async () => {
    const [camden, hackney] = await opened();
    await camden.channel.send('hackney', 'x', new Uint8Array(1000));
    await hackney.channel.recv('camden', 'x', 1000);
    // Handshake, ready, and the record with the channel's header of 24 bytes.
    expect(camden.traffic.bytesSent).toBe(32 + 1232 + (32 + 18 + 1) + (32 + 18 + 5 + 24 + 1000));
    expect(hackney.traffic.bytesReceived).toBe(camden.traffic.bytesSent);
    expect(hackney.traffic.bytesSent).toBe(32 + 1136);
  });

  it('is of no use after it was closed', async () => {
    const [camden, hackney] = await opened();
    await camden.close();
    await camden.close();
    expect(await codeOf(camden.channel.send('hackney', 'x', new Uint8Array(0)))).toBe('CANCELLED undefined');
    expect(await codeOf(hackney.channel.recv('camden', 'x', 1))).toBe('PARTY_FAILED camden');
    await camden.fail(new ProtocolError('STALLED'));
  });

  it('ends every pending receive when the links to the relay are lost', async () => {
    const cluster = await relayCluster(['camden', 'hackney', 'islington']);
    const pending = pendingOf(cluster);
    await cluster.close();
    expect(await Promise.all(pending)).toEqual(Array(6).fill('LINK_LOST undefined'));
  });

  it('ends every pending receive of all parties when one loses its direct links', async () => {
    const cluster = await directCluster(['camden', 'hackney', 'islington']);
    const pending = pendingOf(cluster);
    for (const link of cluster.links.get('hackney')!) link.close();
    const codes = await Promise.all(pending);
    await cluster.close();
    for (const code of codes) expect(code).toMatch(/^(LINK_LOST|PARTY_FAILED) (camden|hackney|islington)$/);
  });
});

/** Every party waits for every other. */
function pendingOf({ networks }: SocketCluster): Promise<string>[] {
  return [...networks.values()].flatMap(({ channel }) =>
    channel.peers.map((peer) => codeOf(channel.recv(peer, 'never', 1))),
  );
}
