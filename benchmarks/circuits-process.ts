/**
 * One process of the cluster of `circuits` and `psi`: a party, the dealer, the relay, or the shaped links in front of the
 * relay.
 *
 * Parties and dealer have one link each, to the relay, as nodes have to the coordinator, and a new channel over it for
 * every run; or plain links to each other, over which runs core alone (`direct-links.ts`). Each stage is started by the
 * parent at all of them at once.
 * @module
 */

import { recvBaseOts, sendBaseOts } from '@folkmoot/core/base-ot.js';
import type { Context, PartyId } from '@folkmoot/core/channel.js';
import type { BaseOts, Extension, OtOptions } from '@folkmoot/core/ot-extension.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { coordinatorIndex, decodeFrame, encodeFrame, frameType } from '@folkmoot/transport/frame.js';
import { connect, type FrameLink } from '@folkmoot/transport/link.js';
import { Relay } from '@folkmoot/transport/relay.js';
import { CorrelationThreads } from '../packages/node/src/correlation-thread-pool.ts';
import { attemptLink, key, listening, openAttempt } from './attempt.ts';
import type { WorkName } from './circuits-work.ts';
import { DirectLinks, type Network } from './direct-links.ts';
import type { JoinName } from './join-work.ts';
import { type Shape, shapedLink } from './shaped-link.ts';
import { dealOf, type Subject, subjectOf } from './subject.ts';

export const dealer = 'dealer';

/** What a run is. Everything but the number is the same for all runs of a row. */
export interface Run {
  readonly number: number;
  readonly work: WorkName | JoinName | 'random OTs';
  readonly count: number;
  /** Of a join, the elements of the second party; as many as the first has where it is left out. */
  readonly peerCount?: number;
}

/** What a cluster is, as its processes are told. */
export interface Setting {
  readonly parties: number;
  readonly source: Extension | 'dealer';
  /** Of each party, for correlations. */
  readonly threads: number;
  readonly link: Shape | null;
  /** Over the relay, unless it is said to be over links from party to party. */
  readonly road?: 'direct';
}

/** The stages of a run, in their order. */
export const stages = ['prepare', 'connect', 'preprocess', 'online', 'check'] as const;
export type Stage = (typeof stages)[number];

/** Since the process began, but for `baseSeconds`: from the start of `preprocess` to this party's last base OT. */
export interface Reading {
  readonly cpuSeconds: number;
  readonly bytesSent: number;
  readonly peakBytes: number;
  readonly baseSeconds: number;
}

export type Order = { readonly what: 'stage'; readonly stage: Stage; readonly run: Run } | { readonly what: 'read' };

export function rosterOf({ parties, source }: Setting): PartyId[] {
  const participants = Array.from({ length: parties }, (_, i) => `party-${i + 1}`);
  return source === 'dealer' ? [dealer, ...participants] : participants;
}

function contextOf(setting: Setting, { number }: Run): Context {
  return { job: key(`circuits ${number}`), attempt: 1, roster: rosterOf(setting) };
}

const counted = { bytesSent: 0, baseSeconds: 0 };

function reading(): Reading {
  const { user, system } = process.cpuUsage();
  return { ...counted, cpuSeconds: (user + system) / 1e6, peakBytes: process.resourceUsage().maxRSS * 1024 };
}

/** Does what the parent orders, and answers each order with a reading. */
function serve(perform: Partial<Record<Stage, (run: Run) => Promise<void>>>): void {
  process.on('message', async (order: Order) => {
    if (order.what === 'stage') await perform[order.stage]?.(order.run);
    process.send!(reading());
  });
}

/** The base OTs, and when the last of them was there. */
function timedBase(begin: number): BaseOts {
  const timed = <A extends unknown[], R>(made: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      const result = await made(...args);
      counted.baseSeconds = (performance.now() - begin) / 1000;
      return result;
    };
  };
  return { send: timed(sendBaseOts), recv: timed(recvBaseOts) };
}

/** How a party comes to a channel for each run. */
interface Road {
  /** Before any party opens its own. */
  prepare(run: Run): void;
  open(run: Run): Promise<Network>;
  readonly urls: string[];
}

async function relayed(self: PartyId, setting: Setting, url: string): Promise<Road> {
  const link = await connect(url, systemClock);
  const header = { type: frameType.control, session: new Uint8Array(16), from: 0, to: coordinatorIndex, sequence: 0 };
  await link.send(encodeFrame(header, Buffer.from(self)));
  let attempt: FrameLink;
  return {
    prepare(run) {
      attempt = attemptLink(link, self, contextOf(setting, run));
    },
    open: (run) => openAttempt(self, contextOf(setting, run), attempt),
    urls: [],
  };
}

/** With the URLs of those that were started before. */
async function direct(self: PartyId, setting: Setting, earlier: string): Promise<Road> {
  const links = await DirectLinks.start(self, JSON.parse(earlier));
  return {
    prepare: () => undefined,
    open: (run) => links.open(contextOf(setting, run), run.number),
    urls: [links.url],
  };
}

async function party(self: PartyId, setting: Setting, url: string): Promise<string[]> {
  const road = await (setting.road === 'direct' ? direct : relayed)(self, setting, url);
  const helper = setting.source === 'dealer' ? dealer : null;
  const participants = rosterOf(setting).filter((each) => each !== helper);
  const lanes = new CorrelationThreads(setting.threads);

  let network: Network;
  let sentBefore = 0;
  let subject: Subject | undefined;
  let dealt: Promise<void> | undefined;
  const count = () => {
    counted.bytesSent = sentBefore + network.traffic.bytesSent;
  };

  serve({
    async prepare(run) {
      road.prepare(run);
      subject = self === helper ? undefined : subjectOf(run, { self, participants, helper, lanes });
    },
    async connect(run) {
      network = await road.open(run);
      if (self === helper) dealt = dealOf(run, network.channel, participants);
    },
    async preprocess() {
      counted.baseSeconds = 0;
      const base = timedBase(performance.now());
      const options: OtOptions = setting.source === 'dealer' ? {} : { extension: setting.source, base };
      await (subject?.preprocess(network.channel, options) ?? dealt);
      count();
    },
    async online() {
      await subject?.online(network.channel);
      count();
    },
    async check() {
      await subject?.check(network.channel);
      subject = undefined;
      await network.close();
      count();
      sentBefore = counted.bytesSent;
    },
  });
  return road.urls;
}

async function relay(setting: Setting): Promise<string> {
  const forwarder = new Relay(rosterOf(setting));
  let before: Context | undefined;
  serve({
    async prepare(run) {
      if (before !== undefined) forwarder.retire(before);
      before = contextOf(setting, run);
      forwarder.admit(before);
    },
  });
  return listening((link) => {
    let name: PartyId | undefined;
    link.onFrame((bytes) => {
      if (name !== undefined) return forwarder.forward(name, bytes);
      name = Buffer.from(decodeFrame(bytes).payload).toString();
      forwarder.attach(name, link);
    });
  });
}

/** Each party has a link of its own. Half of the delay between two of them is on each one's link. */
async function links(setting: Setting, url: string): Promise<string[]> {
  const port = Number(new URL(url).port);
  serve({});
  const all = rosterOf(setting).map(async () => `ws://127.0.0.1:${(await shapedLink(port, setting.link!)).port}/`);
  return Promise.all(all);
}

if (import.meta.main) {
  const [role, told, url] = process.argv.slice(2);
  const setting = JSON.parse(told!) as Setting;
  let urls: string[] = [];
  if (role === 'relay') urls = [await relay(setting)];
  else if (role === 'links') urls = await links(setting, url!);
  else urls = await party(role!, setting, url!);
  process.send!({ urls });
}
