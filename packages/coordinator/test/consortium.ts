/**
 * A consortium for tests: three parties and two analysts with throw-away keys, a sealed charter in a folder of its own,
 * and nodes that do what the test says.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SignedAcceptance, signAcceptance } from '@folkmoot/core/acceptance.js';
import { toHex } from '@folkmoot/core/bytes.js';
import { type Charter, charterHash, charterText, parseCharter, signCharter, withKeys } from '@folkmoot/core/charter.js';
import { type JobEnvelope, jobId, type SignedJob, signJob } from '@folkmoot/core/envelope.js';
import { sign, signer } from '@folkmoot/core/identity.js';
import { type Job, parseJob } from '@folkmoot/core/job.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { type SignedRenunciation, signRenunciation } from '@folkmoot/core/renunciation.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import { loginLabel, loginStatement } from '@folkmoot/transport/control.js';
import { type AnalystKeys, makeKeys, type PartyKeys } from '@folkmoot/transport/keyring.js';
import { pino } from 'pino';
import { type RunningCoordinator, startCoordinator } from '../src/server.ts';
import type { ScriptedNode } from './scripted-node.ts';

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
  start(clock?: Clock): Promise<RunningCoordinator>;
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
    start: (clock) => startCoordinator({ configFile, log, ...(clock && { clock }) }),
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

export function acceptanceOf(
  { charter, keys }: Consortium,
  party: Party,
  job: string,
  minGroup = 2,
  period: string | null = null,
  fingerprint = 'b'.repeat(64),
): SignedAcceptance {
  const acceptance = {
    job,
    party,
    charter: charterHash(charter),
    policy: 'a'.repeat(64),
    fingerprint,
    build: 'test',
    expires: new Date(Date.now() + 3_600_000).toISOString(),
    min_group: minGroup,
    rule: 'all',
    period,
    budget: period === null ? null : ('epsilon' as const),
  };
  return signAcceptance(acceptance, signer(keys[party].secret.identity));
}

export function renunciationOf(
  { charter, keys }: Consortium,
  party: Party,
  job: string,
  attempt = 1,
  signedBy = party,
): SignedRenunciation {
  const renunciation = { job, party, charter: charterHash(charter), attempt };
  return signRenunciation(renunciation, signer(keys[signedBy].secret.identity));
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
