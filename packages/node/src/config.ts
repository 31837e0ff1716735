/**
 * `node.yaml`: what one party runs. Paths are relative to the file; no secret stands in it.
 *
 * Parsed, with every fault named by field, line and column, into absolute paths and a checked address. What a caller
 * overrides (throw-away keys and state of `folkmoot run`) takes the place of what the file says.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { toHex, utf8 } from '@folkmoot/core/bytes.js';
import { type Charter, charterHash, checkSealed, parseCharter } from '@folkmoot/core/charter.js';
import { parseDocument } from '@folkmoot/core/document.js';
import { CharterError, InputError, TransportError } from '@folkmoot/core/errors.js';
import { sha256 } from '@folkmoot/core/hash.js';
import { lookUp, memberSchema, nameSchema } from '@folkmoot/core/name.js';
import { checkPolicy, type Policy, policySchema } from '@folkmoot/core/policy.js';
import { type PartyKeys, readKeys } from '@folkmoot/transport/keyring.js';
import { type Outbound, type OutboundOptions, outbound } from '@folkmoot/transport/outbound.js';
import { z } from 'zod';
import { type Approvers, approversSchema, checkApprovers } from './approvers.ts';
import { type Binding, bindingSchema } from './sources/source-binding.ts';

const path = z.string().min(1).max(4096);

/** More threads than any computation has work for. */
const coresMax = 1024;

/** A link is kept to each. */
const coordinatorsMax = 16;
const address = z.string().min(1).max(2048);

const listenForm = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d{1,5})$/i;
const listen = z.string().regex(listenForm, 'expected host:port');

const nodeSchema = z.strictObject({
  party: memberSchema,
  charter: path,
  coordinator: z.union([address, z.array(address).min(1).max(coordinatorsMax)]),
  ca: path.optional(),
  keys: path,
  state: path,
  datasets: z.record(nameSchema, bindingSchema),
  policy: policySchema,
  approvers: approversSchema.default({}),
  cores: z.int().min(1).max(coresMax).optional(),
  owner: z.string().max(64).optional(),
  metrics: z.union([listen, z.strictObject({ listen, behind_tls_proxy: z.boolean().default(false) })]).optional(),
});

/** Port 0 lets the system choose. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** What stands in for the file's own words; paths are taken as they are. */
export interface Overrides {
  readonly keys?: string;
  readonly state?: string;
  readonly charter?: string;
  readonly coordinator?: string;
  readonly owner?: string;
  readonly metrics?: string;
  /** The data owner has approved what rules with `approval: manual` hold back. */
  readonly approve?: boolean;
  /** Nobody is there to approve: what such rules hold back is refused. */
  readonly unattended?: boolean;
}

export interface NodeConfig {
  readonly party: string;
  /** Absolute paths of files and folders. */
  readonly charter: string;
  readonly keys: string;
  readonly state: string;
  /** The address of each coordinator, safe to send to; a job is led over the link to one of them. */
  readonly coordinators: readonly string[];
  /** The file of a private authority, whose certificates coordinators and proxies may have. */
  readonly ca?: string;
  /** The folder that the sources' own paths are relative to. */
  readonly folder: string;
  /** The hash of the file's text, in hexadecimal digits. */
  readonly sha256: string;
  readonly datasets: Readonly<Record<string, Binding>>;
  readonly policy: Policy;
  /** Who decides on jobs that a rule holds back; the party's own key where none is listed. */
  readonly approvers: Approvers;
  readonly approve: boolean;
  readonly unattended: boolean;
  /** How many cores a computation may use at once; those of the machine unless the file says fewer. */
  readonly cores: number;
  /** Where the owner's channel listens, on loopback; port 0 lets the system choose. */
  readonly owner: { readonly host: string; readonly port: number };
  /** Where /metrics and /health are served; nowhere unless the file says so. */
  readonly metrics?: ListenAddress;
}

/**
 * @throws InputError naming field, line and column
 * @throws CharterError BAD_KEY for an approver's key
 * @throws TransportError INSECURE_URL
 */
export function parseNodeConfig(text: string, file: string, overrides: Overrides = {}): NodeConfig {
  const given = parseDocument(text, nodeSchema, { name: file });
  checkApprovers(given.approvers, given.policy);
  const folder = dirname(resolve(file));
  const place = (override: string | undefined, own: string) =>
    override === undefined ? resolve(folder, own) : resolve(override);
  const metrics = overrides.metrics ?? given.metrics;
  return {
    party: given.party,
    charter: place(overrides.charter, given.charter),
    keys: place(overrides.keys, given.keys),
    state: place(overrides.state, given.state),
    ...(given.ca === undefined ? {} : { ca: resolve(folder, given.ca) }),
    coordinators: addressesOf(overrides.coordinator ?? given.coordinator),
    folder,
    sha256: toHex(sha256(utf8(text))),
    datasets: given.datasets,
    policy: given.policy,
    approvers: given.approvers,
    approve: overrides.approve ?? false,
    unattended: overrides.unattended ?? false,
    cores: given.cores ?? availableParallelism(),
    owner: ownerAddress(overrides.owner ?? given.owner ?? '127.0.0.1:0'),
    ...(metrics === undefined ? {} : { metrics: metricsAddress(metrics) }),
  };
}

/** Loopback only: what the owner may ask is not for other machines. */
function ownerAddress(text: string): NodeConfig['owner'] {
  const [, host, digits] = /^(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(digits) > 65_535) {
    throw new InputError('BAD_VALUE', { field: 'owner', detail: 'expected 127.0.0.1:PORT' });
  }
  return { host, port: Number(digits) };
}

/**
 * How this node's connections leave: by the proxy of its environment, trusting the authority of its own.
 * @throws InputError FILE_UNREADABLE, BAD_VALUE
 */
export async function outboundOf({ ca }: Pick<NodeConfig, 'ca'>, env: OutboundOptions['env']): Promise<Outbound> {
  return outbound({ env, ca: ca === undefined ? undefined : await readText(ca, 'ca') });
}

/** Reads `node.yaml`. @throws as `parseNodeConfig` does, and FILE_UNREADABLE */
export async function readNodeConfig(file: string, overrides: Overrides = {}): Promise<NodeConfig> {
  return parseNodeConfig(await readText(file, 'config'), file, overrides);
}

/** A party among the others: the sealed charter, and this party's keys as the charter lists them. */
export interface Membership {
  readonly charter: Charter;
  /** 64 hexadecimal digits. */
  readonly charterHash: string;
  readonly keys: PartyKeys;
}

/**
 * The charter with all signatures checked, and keys that belong to this party of it.
 * @throws CharterError CHARTER_UNSIGNED, CHARTER_CHANGED, KEY_MISMATCH, KEY_FILE_…
 * @throws InputError for the charter's form; UNKNOWN_PARTY, UNKNOWN_DATASET, NOT_HELD… where node.yaml does not fit it
 */
export async function readMembership(config: NodeConfig, passphrase?: string): Promise<Membership> {
  const charter = await readSealedCharter(config);
  const member = lookUp(charter.parties, config.party);
  if (member === undefined) throw new InputError('UNKNOWN_PARTY', { field: 'party', detail: config.party });
  for (const name of Object.keys(config.datasets)) {
    const field = `datasets.${name}`;
    const dataset = lookUp(charter.datasets, name);
    if (dataset === undefined) throw new InputError('UNKNOWN_DATASET', { field });
    if (!dataset.held_by.includes(config.party)) throw new InputError('NOT_HELD', { field, party: config.party });
  }
  checkPolicy(config.policy, charter, config.party);
  const keys = await readKeys(config.keys, passphrase);
  const isOurs =
    keys.kind === 'party' && keys.public.identity === member.identity && keys.public.static === member.static;
  if (!isOurs) throw new CharterError('KEY_MISMATCH', { party: config.party, field: config.keys });
  return { charter, charterHash: charterHash(charter), keys };
}

/** On loopback, unless the owner says that something before it speaks TLS and asks who is there. */
function metricsAddress(given: NonNullable<z.infer<typeof nodeSchema>['metrics']>): ListenAddress {
  const { listen: address, behind_tls_proxy } =
    typeof given === 'string' ? { listen: given, behind_tls_proxy: false } : given;
  const [, host = '', digits = ''] = listenForm.exec(address) ?? [];
  const port = Number(digits);
  if (host === '' || port > 65_535) {
    throw new InputError('BAD_VALUE', { field: 'metrics', detail: 'expected host:port' });
  }
  if (!isLoopback(host) && !behind_tls_proxy) {
    throw new TransportError('INSECURE_URL', {
      field: 'metrics',
      detail: 'this address is reached from other machines',
      remedy: 'listen on 127.0.0.1, or give `{ listen, behind_tls_proxy: true }` where a proxy before it speaks TLS',
    });
  }
  return { host, port };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * The charter alone, with all signatures checked.
 * @throws CharterError CHARTER_UNSIGNED, CHARTER_CHANGED; InputError for its form
 */
export async function readSealedCharter({ charter: file }: Pick<NodeConfig, 'charter'>): Promise<Charter> {
  const charter = parseCharter(await readText(file, 'charter'), file);
  checkSealed(charter);
  return charter;
}

/** Each once: a second link of the same party would end the first. */
function addressesOf(given: string | readonly string[]): readonly string[] {
  const all = (typeof given === 'string' ? [given] : given).map(safeUrl);
  if (new Set(all.map((one) => new URL(one).href)).size < all.length) {
    throw new InputError('BAD_VALUE', { field: 'coordinator', detail: 'an address is listed twice' });
  }
  return all;
}

/** wss:, or ws: to this machine only. */
function safeUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new InputError('BAD_VALUE', { field: 'coordinator', detail: 'expected an address such as wss://host' });
  }
  const { protocol, hostname } = url;
  if (!['ws:', 'wss:', 'http:', 'https:'].includes(protocol)) {
    throw new InputError('BAD_VALUE', { field: 'coordinator', detail: 'expected an address such as wss://host' });
  }
  const isPlain = protocol === 'ws:' || protocol === 'http:';
  if (isPlain && !isLoopback(hostname)) throw new TransportError('INSECURE_URL', { field: 'coordinator' });
  if (url.username !== '' || url.password !== '') {
    throw new InputError('BAD_VALUE', { field: 'coordinator', detail: 'no name and password belong here' });
  }
  return text;
}

/** @throws InputError FILE_UNREADABLE */
export async function readText(file: string, field: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new InputError('FILE_UNREADABLE', { field, detail: file });
  }
}
