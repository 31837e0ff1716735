/**
 * Parties of one process that speak over real sockets on loopback: through a relay, over links that may break besides, or
 * over a link a pair.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fromHex } from '@folkmoot/core/bytes.js';
import type { Channel, Context, PartyId } from '@folkmoot/core/channel.js';
import { ProtocolError, TransportError } from '@folkmoot/core/errors.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { coordinatorIndex, decodeFrame, encodeFrame, frameType, sessionId } from '@folkmoot/transport/frame.js';
import { makeKeys, type PartyKeys } from '@folkmoot/transport/keyring.js';
import { connect, type FrameLink } from '@folkmoot/transport/link.js';
import { listen } from '@folkmoot/transport/listener.js';
import { openChannel, type PeerNetwork } from '@folkmoot/transport/peer-network.js';
import { keepConnected } from '@folkmoot/transport/reconnect.js';
import { Relay } from '@folkmoot/transport/relay.js';
import { ResumableStream } from '@folkmoot/transport/resumable-stream.js';
import type { Outcomes } from './channel-contract.ts';
import { faultProxy, type Planned } from './fault-proxy.ts';

export interface SocketCluster {
  readonly networks: ReadonlyMap<PartyId, PeerNetwork>;
  /** The parties' own ends; one a party through the relay. */
  readonly links: ReadonlyMap<PartyId, readonly FrameLink[]>;
  close(): Promise<void>;
}

type LinksOf = ReadonlyMap<PartyId, FrameLink | ReadonlyMap<PartyId, FrameLink>>;

/** Every party has one link to a relay, which forwards. */
export async function relayCluster(parties: readonly PartyId[]): Promise<SocketCluster> {
  const roster = [...parties].sort();
  const context = newContext(roster);
  const relay = new Relay(roster);
  relay.admit(context);
  const exchange = await openExchange();
  const links = new Map<PartyId, FrameLink>();
  for (const party of roster) {
    const [own, atRelay] = await exchange.link();
    links.set(party, own);
    relay.attach(party, atRelay);
    atRelay.onFrame((frame) => relay.forward(party, frame));
    atRelay.onClose(() => relay.detach(party, atRelay));
  }
  return openAll(context, links, exchange.close);
}

/** Every party has a stream over links to a relay, which break as planned and are dialled again at once. */
export async function resumableCluster(parties: readonly PartyId[], plan: readonly Planned[]): Promise<SocketCluster> {
  const roster = [...parties].sort();
  const context = newContext(roster);
  const relay = new Relay(roster);
  relay.admit(context);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const listener = listen(server, { path: '/node', clock: systemClock, onLink: (link) => meet(relay, roster, link) });
  const proxy = await faultProxy((server.address() as AddressInfo).port, { plan });
  const url = `ws://127.0.0.1:${proxy.port}/node`;
  const ends = new Map(roster.map((party) => [party, streamLink(party, context, url)]));
  return openAll(context, ends, async () => {
    listener.close();
    await proxy.stop();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
}

/** The first frame on a link says whose it is. */
function meet(relay: Relay, roster: readonly PartyId[], link: FrameLink): void {
  let party: PartyId | undefined;
  link.onFrame((bytes) => {
    if (party !== undefined) return relay.forward(party, bytes);
    party = roster[decodeFrame(bytes).from]!;
    relay.attach(party, link);
    link.onClose(() => relay.detach(party!, link));
    return undefined;
  });
}

/** A party's stream, as a link that outlives those that carry it. */
function streamLink(party: PartyId, { job, attempt, roster }: Context, url: string): FrameLink {
  const self = roster.indexOf(party);
  const others = roster.filter((other) => other !== party);
  const sessions = others.map((other) => {
    return { party: other, index: roster.indexOf(other), session: sessionId(job, attempt, party, other) };
  });
  const early: Uint8Array[] = [];
  let receiver = (frame: Uint8Array): void | Promise<void> => void early.push(frame);
  let onEnd = (_reason?: Error): void => undefined;
  const stream = new ResumableStream({
    self,
    sessions,
    clock: systemClock,
    deliver: (frame) => receiver(frame),
    onFailed: (error) => onEnd(error),
  });
  const name = { type: frameType.control, session: new Uint8Array(16), from: self, to: coordinatorIndex, sequence: 0 };
  const dialling = keepConnected({
    url,
    clock: systemClock,
    randomBytes: (n) => new Uint8Array(n),
    onLost: () => undefined,
    onLink: (link) => {
      link.onFrame((bytes) => stream.receive(decodeFrame(bytes), bytes));
      link.onClose(() => stream.unlinked());
      link.send(encodeFrame(name, new Uint8Array(0))).catch(() => undefined);
      stream.linked((frame) => link.send(frame));
    },
  });
  return {
    send: (frame) => stream.send(frame),
    onFrame: (next) => {
      receiver = next;
      for (const frame of early.splice(0)) void next(frame);
    },
    onClose: (listener) => {
      onEnd = listener;
    },
    close: () => {
      dialling.stop();
      stream.close();
    },
  };
}

/** Every pair has a link of its own: the one with the smaller id dials. */
export async function directCluster(parties: readonly PartyId[]): Promise<SocketCluster> {
  const roster = [...parties].sort();
  const exchange = await openExchange();
  const links = new Map(roster.map((party) => [party, new Map<PartyId, FrameLink>()]));
  for (const [i, a] of roster.entries()) {
    for (const b of roster.slice(i + 1)) {
      const [atA, atB] = await exchange.link();
      links.get(a)!.set(b, atA);
      links.get(b)!.set(a, atB);
    }
  }
  return openAll(newContext(roster), links, exchange.close);
}

/** Runs a program at each party of a cluster; a program that fails ends its channel and tells the others. */
export async function runOver<T>(cluster: SocketCluster, program: (ch: Channel) => Promise<T>): Promise<Outcomes<T>> {
  const outcomes = new Map<PartyId, { value: T } | { error: unknown }>();
  const runs = [...cluster.networks].map(async ([party, network]) => {
    try {
      outcomes.set(party, { value: await program(network.channel) });
      await network.close();
    } catch (error) {
      outcomes.set(party, { error });
      const known = error instanceof ProtocolError || error instanceof TransportError;
      await network.fail(known ? error : new ProtocolError('BAD_MESSAGE'));
    }
  });
  await Promise.all(runs);
  await cluster.close();
  return outcomes;
}

function newContext(roster: readonly PartyId[]): Context {
  return { job: randomBytes(32), attempt: 1, roster };
}

async function openAll(context: Context, links: LinksOf, stop: () => Promise<void>): Promise<SocketCluster> {
  const keys = new Map<PartyId, PartyKeys>();
  for (const party of context.roster) keys.set(party, await makeKeys('party', randomBytes));
  const charterHash = randomBytes(32);
  const networks = new Map<PartyId, PeerNetwork>();
  await Promise.all(
    context.roster.map(async (self) => {
      const network = await openChannel({
        self,
        context,
        charterHash,
        parties: context.roster,
        staticKey: keys.get(self)!.secret.static,
        peerStatic: (peer) => fromHex(keys.get(peer)!.public.static),
        links: links.get(self)!,
        clock: systemClock,
      });
      networks.set(self, network);
    }),
  );
  const flat = new Map(
    [...links].map(([party, own]) => [party, own instanceof Map ? [...own.values()] : [own as FrameLink]]),
  );
  return {
    networks,
    links: flat,
    async close() {
      for (const own of flat.values()) for (const link of own) link.close();
      await stop();
    },
  };
}

/** Makes links over real sockets, one after the other: the end that dialled and the end that was dialled. */
export async function openExchange(): Promise<{ link(): Promise<[FrameLink, FrameLink]>; close(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/node`;
  let onLink: (link: FrameLink) => void = () => undefined;
  const listener = listen(server, { path: '/node', clock: systemClock, onLink: (link) => onLink(link) });
  return {
    async link() {
      const accepted = new Promise<FrameLink>((resolve) => {
        onLink = resolve;
      });
      return [await connect(url, systemClock), await accepted];
    },
    async close() {
      listener.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
