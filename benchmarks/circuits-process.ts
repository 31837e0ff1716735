/**
 * One process of the cluster of `circuits`: a party, the dealer, the relay, or the shaped links in front of the relay.
 *
 * Parties and dealer have one link each, to the relay, as nodes have to the coordinator, and a new channel over it for
 * every run. Each stage is started by the parent at all of them at once.
 * @module
 */

import { recvBaseOts, sendBaseOts } from '@folkmoot/core/base-ot.js';
import type { Context, PartyId } from '@folkmoot/core/channel.js';
import { correlate, dealFor } from '@folkmoot/core/correlate.js';
import type { Correlations } from '@folkmoot/core/correlations.js';
import { withoutDealer } from '@folkmoot/core/dealer-correlations.js';
import type { BaseOts, Extension, OtOptions } from '@folkmoot/core/ot-extension.js';
import { platform } from '@folkmoot/core/platform.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { coordinatorIndex, decodeFrame, encodeFrame, frameType } from '@folkmoot/transport/frame.js';
import { connect, type FrameLink } from '@folkmoot/transport/link.js';
import type { PeerNetwork } from '@folkmoot/transport/peer-network.js';
import { Relay } from '@folkmoot/transport/relay.js';
import { CorrelationThreads } from '../packages/node/src/correlation-thread-pool.ts';
import { attemptLink, key, listening, openAttempt } from './attempt.ts';
import { check, type Work, type WorkName, workOf } from './circuits-work.ts';
import { randomOts } from './random-ots.ts';
import { type Shape, shapedLink } from './shaped-link.ts';

export const dealer = 'dealer';

/** What a run is. Everything but the number is the same for all runs of a row. */
export interface Run {
  readonly number: number;
  readonly work: WorkName | 'random OTs';
  readonly count: number;
}

/** What a cluster is, as its processes are told. */
export interface Setting {
  readonly parties: number;
  readonly source: Extension | 'dealer';
  /** Of each party, for correlations. */
  readonly threads: number;
  readonly link: Shape | null;
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

async function party(self: PartyId, setting: Setting, url: string): Promise<void> {
  const link = await connect(url, systemClock);
  const header = { type: frameType.control, session: new Uint8Array(16), from: 0, to: coordinatorIndex, sequence: 0 };
  await link.send(encodeFrame(header, Buffer.from(self)));
  const helper = setting.source === 'dealer' ? dealer : null;
  const lanes = new CorrelationThreads(setting.threads);

  let attempt: FrameLink;
  let network: PeerNetwork;
  let sentBefore = 0;
  let work: Work | undefined;
  let source: Correlations;
  let results: Uint8Array;
  let dealt: Promise<void> | undefined;
  const channel = () => (helper === null ? network.channel : withoutDealer(network.channel, helper));
  const count = () => {
    counted.bytesSent = sentBefore + network.traffic.bytesSent;
  };

  serve({
    async prepare(run) {
      const { roster } = contextOf(setting, run);
      attempt = attemptLink(link, self, contextOf(setting, run));
      const participants = roster.filter((each) => each !== helper);
      work = run.work === 'random OTs' ? undefined : workOf(run.work, { self, roster: participants, count: run.count });
    },
    async connect(run) {
      network = await openAttempt(self, contextOf(setting, run), attempt);
      if (self === helper) dealt = dealFor(network.channel, work!.demand);
    },
    async preprocess(run) {
      counted.baseSeconds = 0;
      const base = timedBase(performance.now());
      const options: OtOptions = setting.source === 'dealer' ? {} : { extension: setting.source, base };
      if (self === helper) await dealt;
      else if (work === undefined) await randomOts(network.channel, run.count, options);
      else {
        const terms = { helper, demand: work.demand, rng: platform.randomBytes, options, lanes };
        source = await correlate(network.channel, terms);
      }
      count();
    },
    async online() {
      if (work !== undefined && self !== helper) results = await work.run(channel(), source);
      count();
    },
    async check() {
      if (work !== undefined && self !== helper) await check(channel(), work, results);
      await network.close();
      count();
      sentBefore = counted.bytesSent;
    },
  });
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
  else await party(role!, setting, url!);
  process.send!({ urls });
}
