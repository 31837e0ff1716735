/**
 * A consortium for tests: three parties and two analysts with throw-away keys, a sealed charter in a folder of its own,
 * and nodes that do what the test says.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SignedAcceptance, signAcceptance } from '@folkmoot/core/acceptance.js';
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import {
  type Charter,
  charterHash,
  charterText,
  parseCharter,
  partiesOf,
  signCharter,
  withKeys,
} from '@folkmoot/core/charter.js';
import { type JobEnvelope, jobId, type SignedJob, signJob } from '@folkmoot/core/envelope.js';
import { sign, signer } from '@folkmoot/core/identity.js';
import { type Job, parseJob } from '@folkmoot/core/job.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import {
  type CoordinatorMessage,
  controlReader,
  controlWriter,
  decodeCoordinatorMessage,
  loginLabel,
  loginStatement,
  type NodeMessage,
} from '@folkmoot/transport/control.js';
import {
  coordinatorIndex,
  decodeFrame,
  encodeFrame,
  framePayloadBytesMax,
  frameType,
} from '@folkmoot/transport/frame.js';
import { type AnalystKeys, makeKeys, type PartyKeys } from '@folkmoot/transport/keyring.js';
import { connect, type FrameLink } from '@folkmoot/transport/link.js';
import { pino } from 'pino';
import { type RunningCoordinator, startCoordinator } from '../src/server.ts';

export const parties = ['ant', 'bee', 'cat'] as const;
export type Party = (typeof parties)[number];

const charterYaml = `
folkmoot: 1
charter: Meadow <counts>
version: 1
parties:
  ant: { name: Ant Hill, owner: Head of Sand }
  bee: { name: Bee Hive, owner: Head of Wax }
  cat: { name: Cat Barn, owner: Head of Straw }
analysts:
  owl: { roles: [analyst] }
  fox: { roles: [analyst], party: cat }
purposes:
  harvest: Plan the harvest
datasets:
  stores:
    held_by: [ant, bee, cat]
    unit: row
    max_rows: 1000
    columns:
      kind: { type: category, values: [corn, honey] }
      weight: { type: integer, min: 0, max: 1000 }
      serial: { type: integer, min: 0, max: 900000000000000 }
policy_floor: { min_parties: 3, min_group: 2 }
`;

export const jobYaml = `
folkmoot: 1
title: What is in store
purpose: harvest
from: stores
group_by: [kind]
measures: { lots: count, total: { sum: weight } }
`;

export interface Consortium {
  readonly folder: string;
  readonly configFile: string;
  readonly charter: Charter;
  readonly keys: Readonly<Record<Party, PartyKeys>>;
  readonly analysts: Readonly<Record<'owl' | 'fox', AnalystKeys>>;
  /** All that any coordinator of it has logged. */
  readonly logged: () => string;
  start(): Promise<RunningCoordinator>;
  remove(): void;
}

export async function consortium(seed = 1): Promise<Consortium> {
  const rng = seededRng(seed);
  const makeParty = () => makeKeys('party', rng);
  const keys = { ant: await makeParty(), bee: await makeParty(), cat: await makeParty() };
  const analysts = { owl: await makeKeys('analyst', rng), fox: await makeKeys('analyst', rng) };
  let charter = parseCharter(charterYaml, 'charter');
  for (const [member, { public: publicKeys }] of Object.entries({ ...keys, ...analysts })) {
    charter = withKeys(charter, member, publicKeys);
  }
  for (const party of parties) charter = signCharter(charter, party, signer(keys[party].secret.identity));
  const folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
  writeFileSync(join(folder, 'charter.json'), charterText(charter));
  const configFile = join(folder, 'coordinator.yaml');
  writeFileSync(configFile, 'charter: ./charter.json\nlisten: 127.0.0.1:0\nstate: ./state\n');
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  return {
    folder,
    configFile,
    charter,
    keys,
    analysts,
    logged: () => lines.join(''),
    start: () => startCoordinator({ configFile, log }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

let nonces = 0;

export function signedJob(
  { charter, analysts }: Consortium,
  change: Partial<JobEnvelope> = {},
  analyst: 'owl' | 'fox' = 'owl',
  text = jobYaml,
): SignedJob {
  const job: Job = parseJob(text, 'job');
  const now = Date.now();
  const envelope: JobEnvelope = {
    job,
    analyst,
    recipient: analysts[analyst].public.recipient,
    charter: charterHash(charter),
    issued: new Date(now).toISOString(),
    expires: new Date(now + 3_600_000).toISOString(),
    nonce: (++nonces).toString(16).padStart(32, '0'),
    ...change,
  };
  return signJob(envelope, signer(analysts[analyst].secret.identity));
}

export function acceptanceOf({ charter, keys }: Consortium, party: Party, job: string, minGroup = 2): SignedAcceptance {
  const acceptance = {
    job,
    party,
    charter: charterHash(charter),
    policy: 'a'.repeat(64),
    fingerprint: 'b'.repeat(64),
    build: 'test',
    expires: new Date(Date.now() + 3_600_000).toISOString(),
    min_group: minGroup,
    rule: 'all',
  };
  return signAcceptance(acceptance, signer(keys[party].secret.identity));
}

/** Calls the API with one analyst's token. */
export async function api(consortium: Consortium, url: string, analyst: 'owl' | 'fox' = 'owl') {
  const base = url.replace(/^ws/, 'http');
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${base}${path}`, {
      method: 'POST',
      body: text,
      headers: { 'content-type': 'application/json', ...headers },
    });
    return {
      status: response.status,
      body: (await response.json()) as Record<string, never> & { error?: { code: string } },
    };
  };
  const { nonce } = (await post('/v1/login/nonce', {})).body as unknown as { nonce: string };
  const { secret } = consortium.analysts[analyst];
  const statement = loginStatement(nonce, charterHash(consortium.charter), 'analyst');
  const signature = toHex(sign(secret.identity, loginLabel, statement));
  const login = await post('/v1/login', { analyst, nonce, signature });
  const { token } = login.body as unknown as { token: string };
  const authorization = `Bearer ${token}`;
  return {
    base,
    token,
    raw: post,
    post: (path: string, body: unknown = {}, headers: Record<string, string> = {}) =>
      post(path, body, { authorization, ...headers }),
    async get(path: string, headers: Record<string, string> = {}) {
      const response = await fetch(`${base}${path}`, { headers: { authorization, ...headers } });
      return {
        status: response.status,
        body: (await response.json()) as Record<string, never> & { error?: { code: string } },
      };
    },
    stream: (path: string, headers: Record<string, string> = {}) =>
      fetch(`${base}${path}`, { headers: { authorization, ...headers } }),
  };
}

export type Api = Awaited<ReturnType<typeof api>>;

/** A node's link, driven by hand. */
export class ScriptedNode {
  readonly party: Party;
  readonly link: FrameLink;
  readonly ended: Promise<Error | undefined>;
  readonly #write: (message: NodeMessage) => Uint8Array;
  readonly #index: number;
  readonly #came: CoordinatorMessage[] = [];
  #wake: () => void = () => undefined;
  #sessions: ((frame: Uint8Array) => void | Promise<void>) | undefined;
  readonly #early: Uint8Array[] = [];

  private constructor(party: Party, index: number, link: FrameLink) {
    this.party = party;
    this.link = link;
    this.#index = index;
    this.#write = controlWriter(index, coordinatorIndex);
    const read = controlReader(coordinatorIndex, index, decodeCoordinatorMessage);
    this.ended = new Promise((resolve) => link.onClose(resolve));
    link.onFrame((bytes) => {
      const frame = decodeFrame(bytes);
      if (frame.type === frameType.session) {
        if (this.#sessions === undefined) this.#early.push(bytes);
        else return this.#sessions(bytes);
      } else {
        this.#came.push(read(frame));
        this.#wake();
      }
      return undefined;
    });
  }

  /** `tap` is shown every frame, both ways. */
  static async open(
    { charter }: Consortium,
    url: string,
    party: Party,
    tap?: (frame: Uint8Array) => void,
  ): Promise<ScriptedNode> {
    const link = await connect(`${url}/node`, systemClock);
    const tapped: FrameLink = {
      send(frame) {
        tap?.(frame);
        return link.send(frame);
      },
      onFrame: (receiver) =>
        link.onFrame((frame) => {
          tap?.(frame);
          return receiver(frame);
        }),
      onClose: (listener) => link.onClose(listener),
      close: () => link.close(),
    };
    return new ScriptedNode(party, partiesOf(charter).indexOf(party), tapped);
  }

  static async login(
    consortium: Consortium,
    url: string,
    party: Party,
    tap?: (frame: Uint8Array) => void,
  ): Promise<ScriptedNode> {
    const node = await ScriptedNode.open(consortium, url, party, tap);
    const charter = charterHash(consortium.charter);
    await node.send({ type: 'hello', party, charter, build: 'test', version: 1 });
    const { nonce } = await node.next('challenge');
    const statement = loginStatement(nonce, charter, 'party');
    const signature = toHex(sign(consortium.keys[party].secret.identity, loginLabel, statement));
    await node.send({ type: 'login', signature });
    await node.next('welcome');
    return node;
  }

  send(message: NodeMessage): Promise<void> {
    return this.link.send(this.#write(message));
  }

  /** The next message, which must be of this type; messages that `skip` holds of are passed over. */
  async next<T extends CoordinatorMessage['type']>(
    type: T,
    skip: (message: CoordinatorMessage) => boolean = () => false,
  ): Promise<Extract<CoordinatorMessage, { type: T }>> {
    let message: CoordinatorMessage | undefined;
    while (message === undefined || skip(message)) {
      message = this.#came.shift();
      if (message !== undefined) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (message.type !== type) throw new Error(`${this.party} got ${message.type} instead of ${type}`);
    return message as Extract<CoordinatorMessage, { type: T }>;
  }

  /** Session frames only. */
  get sessions(): FrameLink {
    return {
      send: (frame) => this.link.send(frame),
      onFrame: (receiver) => {
        this.#sessions = receiver;
        for (const frame of this.#early.splice(0)) void receiver(frame);
      },
      onClose: (listener) => this.link.onClose(listener),
      close: () => undefined,
    };
  }

  async sendOpening(
    job: string,
    sealed: Uint8Array,
    commitments: Readonly<Record<string, string>>,
    signatures: Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.send({ type: 'opening', job, attempt: 1, sealedBytes: sealed.length, commitments, signatures });
    await this.sendBulk(job, sealed);
  }

  async sendBulk(job: string, sealed: Uint8Array, from = this.#index): Promise<void> {
    const session = fromHex(job).subarray(0, 16);
    for (let at = 0, sequence = 0; at < sealed.length; at += framePayloadBytesMax, sequence++) {
      const header = { type: frameType.bulk, session, from, to: coordinatorIndex, sequence };
      await this.link.send(encodeFrame(header, sealed.subarray(at, at + framePayloadBytesMax)));
    }
  }
}

/** A whole job whose openings are these bytes: enough for what the coordinator does. */
export async function runWith(
  consortium: Consortium,
  api: Api,
  nodes: readonly ScriptedNode[],
  sealedOf: (party: Party) => Uint8Array,
): Promise<string> {
  const signed = signedJob(consortium);
  const job = jobId(signed.envelope);
  await api.post('/v1/jobs', signed);
  for (const node of nodes) {
    await node.next('invite');
    await node.send({ type: 'accepted', job, attempt: 1, acceptance: acceptanceOf(consortium, node.party, job) });
  }
  for (const node of nodes) await node.next('start');
  const commitments = Object.fromEntries(parties.map((party) => [party, 'c'.repeat(64)]));
  const signatures = Object.fromEntries(parties.map((party) => [party, 'd'.repeat(128)]));
  for (const node of nodes) {
    await node.sendOpening(job, sealedOf(node.party), commitments, signatures);
    await node.next('stored');
  }
  return job;
}
