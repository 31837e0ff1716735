/**
 * Parties of one process that speak over real sockets on loopback: through a relay, or over a link a pair.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fromHex } from '@folkmoot/core/bytes.js';
import type { Channel, Context, PartyId } from '@folkmoot/core/channel.js';
import { ProtocolError, TransportError } from '@folkmoot/core/errors.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { makeKeys, type PartyKeys } from '@folkmoot/transport/keyring.js';
import { connect, type FrameLink } from '@folkmoot/transport/link.js';
import { listen } from '@folkmoot/transport/listener.js';
import { openChannel, type PeerNetwork } from '@folkmoot/transport/peer-network.js';
import { Relay } from '@folkmoot/transport/relay.js';
import type { Outcomes } from './channel-contract.ts';

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
