/**
 * A crowd of light nodes: hundreds of parties over real sockets, which accept whatever they are invited to and open a few
 * random bytes. They log in, dial again and answer as a node does, and compute nothing: what is tried is the coordinator.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signAcceptance } from '@folkmoot/core/acceptance.js';
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import { type Charter, charterHash, charterText, parseCharter, signCharter, withKeys } from '@folkmoot/core/charter.js';
import { jobId, signJob } from '@folkmoot/core/envelope.js';
import { sign, signer } from '@folkmoot/core/identity.js';
import { parseJob } from '@folkmoot/core/job.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { signRenunciation } from '@folkmoot/core/renunciation.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import {
  type CoordinatorMessage,
  controlReader,
  controlWriter,
  decodeCoordinatorMessage,
  loginLabel,
  loginStatement,
  type NodeMessage,
  protocolVersion,
} from '@folkmoot/transport/control.js';
import { coordinatorIndex, decodeFrame, encodeFrame, frameType, sessionIdBytes } from '@folkmoot/transport/frame.js';
import { type AnalystKeys, makeKeys, type PartyKeys } from '@folkmoot/transport/keyring.js';
import type { FrameLink } from '@folkmoot/transport/link.js';
import { keepConnected } from '@folkmoot/transport/reconnect.js';

const roster = 3;
const openingBytes = 1_000;

export interface Crowd {
  readonly charter: Charter;
  readonly parties: readonly string[];
  /** Nodes that are welcome at this moment. */
  attached(): number;
  /** Jobs that were started and have not been stored; the most of them at one time. */
  running(): { readonly now: number; readonly most: number };
  /** Jobs whose every opening is stored. */
  done(): number;
  /** Begins to dial; what is opened waits for `open`, so that many jobs are under way at once. */
  dial(url: string): void;
  hold(): void;
  open(): void;
  /** Submits a job over three parties, which are others for each. */
  submit(url: string): Promise<string>;
  stop(): void;
}

/** Writes `charter.json` for this many parties into a folder. */
export async function makeCrowd(folder: string, count: number): Promise<Crowd> {
  const rng = seededRng(count);
  const parties = Array.from({ length: count }, (_, place) => `p${String(place).padStart(4, '0')}`);
  const keys = new Map<string, PartyKeys>();
  for (const party of parties) keys.set(party, await makeKeys('party', rng));
  const owl = await makeKeys('analyst', rng);
  let charter = parseCharter(charterYaml(parties), 'charter');
  const members = Object.fromEntries(
    [...keys].map(([party, own]) => [party, { ...charter.parties[party]!, ...own.public }]),
  );
  charter = withKeys({ ...charter, parties: members as Charter['parties'] }, 'owl', owl.public);
  for (const [party, own] of keys) charter = signCharter(charter, party, signer(own.secret.identity));
  writeFileSync(join(folder, 'charter.json'), charterText(charter));

  const shared: Shared & { open(): void } = { attached: 0, held: undefined, open: () => {} };
  const under = new Map<string, Set<string>>();
  let most = 0;
  let done = 0;
  const nodes = parties.map(
    (party, index) =>
      new LightNode({ party, index, charter, keys: keys.get(party)! }, shared, (what, job) => {
        const waiting = under.get(job) ?? new Set();
        if (what === 'started') under.set(job, waiting.add(party));
        else if (waiting.delete(party) && waiting.size === 0 && under.delete(job)) done++;
        most = Math.max(most, under.size);
      }),
  );
  let token: Promise<string> | undefined;
  let turn = 0;
  return {
    charter,
    parties,
    attached: () => shared.attached,
    running: () => ({ now: under.size, most }),
    done: () => done,
    dial: (url) => {
      for (const node of nodes) node.dial(url);
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      shared.held = promise;
      shared.open = resolve;
    },
    open() {
      shared.held = undefined;
      shared.open();
    },
    async submit(url) {
      token ??= logIn(url, charter, owl);
      const own = Array.from({ length: roster }, (_, place) => parties[(turn * roster + place) % count]!).sort();
      turn++;
      const signed = signJob(envelopeOf(charter, owl, own), signer(owl.secret.identity));
      const authorization = `Bearer ${await token}`;
      await post(`${url.replace(/^ws/, 'http')}/v1/jobs`, signed, { authorization });
      return jobId(signed.envelope);
    },
    stop() {
      for (const node of nodes) node.stop();
    },
  };
}

interface Member {
  readonly party: string;
  readonly index: number;
  readonly charter: Charter;
  readonly keys: PartyKeys;
}

interface Shared {
  attached: number;
  held: Promise<void> | undefined;
}

class LightNode {
  readonly #member: Member;
  readonly #shared: Shared;
  readonly #tell: (what: 'started' | 'stored', job: string) => void;
  /** Sent again, byte for byte, where it was not stored. */
  readonly #openings = new Map<string, { readonly attempt: number; readonly sealed: Uint8Array }>();
  #link: FrameLink | undefined;
  #write: ((message: NodeMessage) => Uint8Array) | undefined;
  #stop: () => void = () => undefined;

  constructor(member: Member, shared: Shared, tell: (what: 'started' | 'stored', job: string) => void) {
    this.#member = member;
    this.#shared = shared;
    this.#tell = tell;
  }

  dial(url: string): void {
    const onLink = (link: FrameLink) => this.#take(link);
    const kept = keepConnected({
      url: `${url}/node`,
      clock: systemClock,
      randomBytes,
      onLink,
      onLost: () => undefined,
    });
    this.#stop = () => kept.stop();
  }

  stop(): void {
    this.#stop();
  }

  #take(link: FrameLink): void {
    const { party, index, charter } = this.#member;
    const read = controlReader(coordinatorIndex, index, decodeCoordinatorMessage);
    this.#link = link;
    this.#write = controlWriter(index, coordinatorIndex);
    let isAttached = false;
    link.onClose(() => {
      if (isAttached) this.#shared.attached--;
      isAttached = false;
      if (this.#link === link) this.#link = undefined;
    });
    link.onFrame((bytes) => {
      const message = read(decodeFrame(bytes));
      if (message.type !== 'welcome') return this.#hear(message);
      this.#shared.attached++;
      isAttached = true;
    });
    this.#send({ type: 'hello', party, charter: charterHash(charter), build: 'light', version: protocolVersion });
  }

  #hear(message: CoordinatorMessage): void {
    const { party, charter, keys } = this.#member;
    const own = signer(keys.secret.identity);
    if (message.type === 'challenge') {
      const statement = loginStatement(message.nonce, charterHash(charter), 'party');
      this.#send({ type: 'login', signature: toHex(sign(keys.secret.identity, loginLabel, statement)) });
    }
    if (!('job' in message)) return;
    const { job } = message;
    const opening = this.#openings.get(job);
    if (message.type === 'invite' && opening !== undefined) void this.#release(job, opening.attempt);
    else if (message.type === 'invite') {
      const acceptance = signAcceptance(acceptanceOf(party, job, charter), own);
      this.#send({ type: 'accepted', job, attempt: message.attempt, acceptance });
    } else if (message.type === 'start') {
      this.#tell('started', job);
      void this.#release(job, message.attempt);
    } else if (message.type === 'again' && opening === undefined) {
      const { attempt } = message;
      const renunciation = signRenunciation({ job, party, charter: charterHash(charter), attempt }, own);
      this.#send({ type: 'renounced', job, attempt, renunciation });
    } else if (message.type === 'again') void this.#release(job, opening!.attempt);
    else if (message.type === 'stored') {
      this.#openings.delete(job);
      this.#tell('stored', job);
    }
  }

  async #release(job: string, attempt: number): Promise<void> {
    const link = this.#link;
    await this.#shared.held;
    // The link was lost meanwhile: the coordinator asks again over the next one.
    if (this.#link !== link || link === undefined) return;
    const sealed = this.#openings.get(job)?.sealed ?? randomBytes(openingBytes);
    this.#openings.set(job, { attempt, sealed });
    this.#send({ type: 'opening', job, attempt, sealedBytes: sealed.length, commitments: {}, signatures: {} });
    const session = fromHex(job).slice(0, sessionIdBytes);
    const header = { type: frameType.bulk, session, from: this.#member.index, to: coordinatorIndex, sequence: 0 };
    link.send(encodeFrame(header, sealed)).catch(() => undefined);
  }

  #send(message: NodeMessage): void {
    this.#link?.send(this.#write!(message)).catch(() => undefined);
  }
}

function acceptanceOf(party: string, job: string, charter: Charter) {
  return {
    ...{ job, party, charter: charterHash(charter), policy: 'a'.repeat(64), fingerprint: 'b'.repeat(64) },
    ...{ build: 'light', expires: inAnHour(), min_group: 2, rule: 'all', period: null, budget: null },
  };
}

function envelopeOf(charter: Charter, owl: AnalystKeys, parties: readonly string[]) {
  const job = parseJob(
    `{ folkmoot: 1, title: Crowd, purpose: harvest, from: stores, parties: [${parties.join(', ')}], measures: { lots: count } }`,
    'job',
  );
  return {
    ...{ job, analyst: 'owl', recipient: owl.public.recipient, charter: charterHash(charter) },
    ...{ issued: new Date().toISOString(), expires: inAnHour(), nonce: randomBytes(16).toString('hex') },
  };
}

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

async function logIn(url: string, charter: Charter, owl: AnalystKeys): Promise<string> {
  const base = `${url.replace(/^ws/, 'http')}/v1/login`;
  const { nonce } = await post(`${base}/nonce`, {});
  const statement = loginStatement(nonce!, charterHash(charter), 'analyst');
  const signature = toHex(sign(owl.secret.identity, loginLabel, statement));
  return (await post(base, { analyst: 'owl', nonce, signature })).token!;
}

async function post(url: string, body: unknown, headers = {}): Promise<Record<string, string>> {
  const sent = { 'content-type': 'application/json', ...headers };
  const response = await fetch(url, { method: 'POST', headers: sent, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, string>;
}

const charterYaml = (parties: readonly string[]) => `
folkmoot: 1
charter: Crowd
version: 1
parties:
${parties.map((party) => `  ${party}: { name: ${party}, owner: Nobody }`).join('\n')}
analysts: { owl: { roles: [analyst] } }
purposes: { harvest: Plan the harvest }
datasets:
  stores:
    held_by: [${parties.join(', ')}]
    unit: row
    max_rows: 1000
    columns: { kind: { type: category, values: [corn, honey] } }
policy_floor: { min_parties: 3, min_group: 2 }
`;
