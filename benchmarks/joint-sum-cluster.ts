/**
 * A cluster that adds up the parties' vectors, each party, the relay and the analyst a process of its own on loopback.
 *
 *   plain, direct     each party sends its bare vector to the analyst over a WebSocket
 *   shared, direct    the same sockets, with core alone: the vector is masked by `jointSum`
 *   plain, relayed    bare vectors, over the coordinator's process
 *   whole, relayed    the product's road: Noise sessions through the relay, jointSum, sealing, commitments, signatures,
 *                     upload, and at the analyst verification, unsealing and the sum
 *
 * Time runs from the word go, with links up and vectors in memory, to the sum at the analyst, which is then checked.
 * `whole` includes its handshakes. The ways are interleaved, and a first round warms the code up.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process';
import { jointSum, open as openShares } from '@folkmoot/core/additive.js';
import type { Context, PartyId } from '@folkmoot/core/channel.js';
import { publicKeyOf, signer, verify } from '@folkmoot/core/identity.js';
import { type Opening, open, verifyOpenings } from '@folkmoot/core/open.js';
import { Prg } from '@folkmoot/core/prg.js';
import { bytesOf, equal, fromBytes, type Vector, Z2_64 } from '@folkmoot/core/ring.js';
import { SessionChannel } from '@folkmoot/core/session.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { recipientKey, seal, open as unseal } from '@folkmoot/transport/envelope.js';
import {
  analystIndex,
  coordinatorIndex,
  decodeFrame,
  encodeFrame,
  framePayloadBytesMax,
  frameType,
} from '@folkmoot/transport/frame.js';
import { connect, type FrameLink } from '@folkmoot/transport/link.js';
import { Relay } from '@folkmoot/transport/relay.js';
import { attemptLink, key, listening, openAttempt } from './attempt.ts';
import { median } from './machine.ts';

/** Set once in each process. */
let parties: readonly PartyId[] = [];
export const ways = ['plain, direct', 'shared, direct', 'plain, relayed', 'whole, relayed'] as const;
export type Way = (typeof ways)[number];

const context = (round: number): Context => ({ job: key(`job ${round}`), attempt: 1, roster: parties });
const acceptances = key('acceptances');
const bulkSession = new Uint8Array(16);

interface Go {
  readonly way: Way;
  readonly elements: number;
  readonly round: number;
}
interface Sent {
  /** To the analyst. */
  readonly bulkBytes: number;
  /** To other parties: handshakes, commitments, signatures. */
  readonly sessionBytes: number;
}
interface Done extends Sent {
  readonly peakBytes: number;
}

/** One way at one size: the median time, and what the party with the most sent and held. */
export interface Measurement extends Done {
  readonly way: Way;
  readonly elements: number;
  readonly seconds: number;
  readonly analystPeakBytes: number;
}

const nothingSent: Sent = { bulkBytes: 0, sessionBytes: 0 };

function seat(count: number): void {
  parties = Array.from({ length: count }, (_, i) => `party-${String(i + 1).padStart(2, '0')}`);
}

function inputOf(party: PartyId, elements: number): Vector {
  return { ring: Z2_64, words: new Prg(key(`input ${party}`).subarray(0, 16)).words(elements) };
}

/** What a party sends to the analyst: a line about it, and then bytes in frames. */
async function upload(link: FrameLink, from: number, header: object, bytes: Uint8Array): Promise<number> {
  let sequence = 0;
  let sent = 0;
  const send = async (payload: Uint8Array) => {
    const frame = encodeFrame(
      { type: frameType.bulk, session: bulkSession, from, to: analystIndex, sequence: sequence++ },
      payload,
    );
    sent += frame.length;
    await link.send(frame);
  };
  await send(Buffer.from(JSON.stringify({ ...header, bytes: bytes.length })));
  for (let at = 0; at < bytes.length; at += framePayloadBytesMax)
    await send(bytes.subarray(at, at + framePayloadBytesMax));
  return sent;
}

/** Takes such uploads of all parties, over whichever links they come. */
class Downloads {
  #parts = new Map<number, { header: Record<string, unknown>; bytes: Uint8Array; filled: number }>();
  #complete = 0;
  #done = Promise.withResolvers<void>();

  take(frame: Uint8Array): void {
    const { from, payload } = decodeFrame(frame);
    let part = this.#parts.get(from);
    if (part === undefined) {
      const header = JSON.parse(Buffer.from(payload).toString());
      part = { header, bytes: new Uint8Array(header.bytes), filled: 0 };
      this.#parts.set(from, part);
      return;
    }
    part.bytes.set(payload, part.filled);
    part.filled += payload.length;
    if (part.filled === part.bytes.length && ++this.#complete === parties.length) this.#done.resolve();
  }

  async all(): Promise<{ header: Record<string, unknown>; bytes: Uint8Array }[]> {
    await this.#done.promise;
    const all = parties.map((_, index) => this.#parts.get(index)!);
    this.#parts = new Map();
    this.#complete = 0;
    this.#done = Promise.withResolvers();
    return all;
  }
}

async function party(self: PartyId, direct: string, relayed: string): Promise<void> {
  const index = parties.indexOf(self);
  const links = { direct: await connect(direct, systemClock), relayed: await connect(relayed, systemClock) };
  await links.relayed.send(
    encodeFrame(
      { type: frameType.control, session: bulkSession, from: index, to: coordinatorIndex, sequence: 0 },
      Buffer.from(self),
    ),
  );
  const sign = signer(key(`identity ${self}`));
  const recipient = await recipientKey(key('recipient'));
  let own: Vector = { ring: Z2_64, words: new BigUint64Array(0) };
  let attempt = links.relayed;

  const work = async ({ way, round }: Go): Promise<Sent> => {
    const alone = async (bulk: Promise<number>) => ({ ...nothingSent, bulkBytes: await bulk });
    if (way === 'plain, direct') return alone(upload(links.direct, index, {}, bytesOf(own)));
    if (way === 'plain, relayed') return alone(upload(links.relayed, index, {}, bytesOf(own)));
    if (way === 'shared, direct') {
      const secret = (peer: PartyId) => key(`secret ${[self, peer].sort().join()} ${round}`);
      const channel = new SessionChannel({ self, context: context(round), secret, write: () => Promise.resolve() });
      return alone(upload(links.direct, index, {}, bytesOf(jointSum(channel, 'sum', own))));
    }
    const network = await openAttempt(self, context(round), attempt);
    const info = { ...network.channel.context, sender: self, recipient: 'analyst' };
    const sealed = await seal(recipient, info, bytesOf(jointSum(network.channel, 'sum', own)));
    const { commitments, signatures } = await open(network.channel, {
      sealed,
      acceptances,
      durable: () => Promise.resolve(),
      signatures: {
        sign: (statement) => sign('folkmoot opening v1', statement),
        verify: (who, statement, signature) => check(who, statement, signature),
      },
    });
    const bulkBytes = await upload(links.relayed, index, { party: self, commitments, signatures }, sealed);
    await network.close();
    return { bulkBytes, sessionBytes: network.traffic.bytesSent };
  };

  serve(async ({ elements, round }) => {
    if (own.words.length !== elements) own = inputOf(self, elements);
    attempt = attemptLink(links.relayed, self, context(round));
  }, work);
}

function check(who: PartyId, statement: Uint8Array, signature: Uint8Array): boolean {
  return verify(publicKeyOf(key(`identity ${who}`)), 'folkmoot opening v1', statement, signature);
}

/** Answers `prepare` and `go` of the parent, and says what it cost. */
function serve(prepare: (go: Go) => Promise<void>, work: (go: Go) => Promise<Sent>): void {
  process.on('message', async ({ what, go }: { what: 'prepare' | 'go'; go: Go }) => {
    if (what === 'prepare') await prepare(go);
    const sent = what === 'go' ? await work(go) : nothingSent;
    process.send!({ ...sent, peakBytes: process.resourceUsage().maxRSS * 1024 } satisfies Done);
  });
  process.send!({ ready: true });
}

async function relay(): Promise<void> {
  const forwarder = new Relay(parties);
  let analyst: FrameLink | undefined;
  const url = await listening((link) => {
    let name: PartyId | undefined;
    link.onFrame((bytes) => {
      const frame = decodeFrame(bytes);
      if (frame.type === frameType.session) return forwarder.forward(name!, bytes);
      if (frame.type === frameType.bulk) return analyst?.send(bytes);
      name = Buffer.from(frame.payload).toString();
      if (name === 'analyst') analyst = link;
      else forwarder.attach(name, link);
    });
  });
  serve(
    async ({ round }) => forwarder.admit(context(round)),
    () => Promise.resolve(nothingSent),
  );
  process.send!({ url });
}

async function analyst(relayed: string): Promise<void> {
  const downloads = new Downloads();
  const take = (frame: Uint8Array) => downloads.take(frame);
  const url = await listening((link) => link.onFrame(take));
  const link = await connect(relayed, systemClock);
  link.onFrame(take);
  await link.send(
    encodeFrame(
      { type: frameType.control, session: bulkSession, from: analystIndex, to: coordinatorIndex, sequence: 0 },
      Buffer.from('analyst'),
    ),
  );
  let expected: Vector = { ring: Z2_64, words: new BigUint64Array(0) };
  serve(
    async ({ elements }) => {
      if (expected.words.length !== elements) expected = openShares(parties.map((each) => inputOf(each, elements)));
    },
    async ({ way, elements, round }) => {
      const parts = await downloads.all();
      let shares = parts.map(({ bytes }) => bytes);
      if (way === 'whole, relayed') {
        const openings = parts.map(({ header, bytes }) => ({ ...header, sealed: bytes }) as unknown as Opening);
        verifyOpenings(context(round), acceptances, openings, check);
        const { job, attempt } = context(round);
        shares = await Promise.all(
          openings.map(({ party: sender, sealed }) =>
            unseal(key('recipient'), { job, attempt, sender, recipient: 'analyst' }, sealed),
          ),
        );
      }
      const sum = openShares(shares.map((bytes) => fromBytes(Z2_64, bytes, elements)));
      // The check against the known sum is ours and no part of the time: the parent stops the clock first.
      setImmediate(() => {
        if (equal(sum, expected)) return;
        console.error('the sum is wrong');
        process.exit(1);
      });
      return nothingSent;
    },
  );
  process.send!({ url });
}

/** Runs the ways over all sizes; the cluster lives for this long. */
export async function measure(options: {
  readonly parties: number;
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly only?: readonly Way[];
}): Promise<Measurement[]> {
  const children: ChildProcess[] = [];
  const start = async (...args: string[]) => {
    const child = fork(import.meta.filename, [String(options.parties), ...args], { execArgv: process.execArgv });
    children.push(child);
    let url = '';
    const wantsUrl = args[0] !== 'party';
    await new Promise<void>((resolve) => {
      let ready = false;
      child.on('message', (message: { ready?: true; url?: string }) => {
        ready ||= message.ready === true;
        url = message.url ?? url;
        if (ready && (!wantsUrl || url !== '')) resolve();
      });
    });
    child.removeAllListeners('message');
    return { child, url };
  };
  const told = (child: ChildProcess, what: string, go: Go) =>
    new Promise<Done>((resolve) => {
      child.once('message', (done) => resolve(done as Done));
      child.send({ what, go });
    });

  seat(options.parties);
  const relayProcess = await start('relay');
  const analystProcess = await start('analyst', relayProcess.url);
  const partyProcesses: ChildProcess[] = [];
  for (const name of parties) {
    partyProcesses.push((await start('party', name, analystProcess.url, relayProcess.url)).child);
  }

  const used = options.only ?? ways;
  const measurements: Measurement[] = [];
  let round = 0;
  for (const elements of options.sizes) {
    const times = new Map<Way, number[]>(used.map((way) => [way, []]));
    const costs = new Map<Way, Omit<Measurement, 'seconds'>>();
    for (let repeat = 0; repeat <= options.rounds; repeat++) {
      for (const way of used) {
        const go: Go = { way, elements, round: round++ };
        for (const { child } of [relayProcess, analystProcess]) await told(child, 'prepare', go);
        for (const child of partyProcesses) await told(child, 'prepare', go);
        const begin = performance.now();
        const analystDone = told(analystProcess.child, 'go', go);
        const done = await Promise.all(partyProcesses.map((child) => told(child, 'go', go)));
        const { peakBytes: analystPeakBytes } = await analystDone;
        if (repeat > 0) times.get(way)!.push((performance.now() - begin) / 1000);
        const most = (get: (each: Done) => number) => Math.max(...done.map(get));
        costs.set(way, {
          way,
          elements,
          bulkBytes: most(({ bulkBytes }) => bulkBytes),
          sessionBytes: most(({ sessionBytes }) => sessionBytes),
          peakBytes: most(({ peakBytes }) => peakBytes),
          analystPeakBytes,
        });
      }
    }
    for (const way of used) measurements.push({ ...costs.get(way)!, seconds: median(times.get(way)!) });
  }
  for (const child of children) child.kill();
  return measurements;
}

if (import.meta.main) {
  const [count, role, ...rest] = process.argv.slice(2);
  seat(Number(count));
  if (role === 'party') await party(rest[0]!, rest[1]!, rest[2]!);
  else if (role === 'relay') await relay();
  else await analyst(rest[0]!);
}
