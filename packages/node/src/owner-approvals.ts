/**
 * What the people at a party ask of their node about jobs that wait for them, from outside: to see them, and to decide.
 *
 * The key that signs is read and used here, in the process of whoever decides; the node only checks. While the node does
 * not run, a decision is written into its database and takes effect when it starts.
 * @module
 */
import { type Decision, signApproval } from '@folkmoot/core/approval.js';
import type { Charter } from '@folkmoot/core/charter.js';
import { CharterError } from '@folkmoot/core/errors.js';
import { signer } from '@folkmoot/core/identity.js';
import { needsPassphrase, readKeys } from '@folkmoot/transport/keyring.js';
import { type Deciding, type DecisionTaken, decidableAt, takeAt, waitingAt } from './approval-routes.ts';
import { approverOf, approverWith } from './approvers.ts';
import { type NodeConfig, readNodeConfig, readSealedCharter } from './config.ts';
import type { OwnerOptions } from './owner.ts';
import { throughOwner } from './owner-client.ts';
import type { Store } from './store.ts';
import type { JobToDecide, WaitingReport } from './waiting.ts';

export type { DecisionTaken } from './approval-routes.ts';
export type { JobToDecide, WaitingReport } from './waiting.ts';

/** The jobs that wait. @throws InputError, CharterError for its files; StateError, TransportError UNREACHABLE */
export async function readWaiting(options: OwnerOptions): Promise<WaitingReport> {
  const { config, charter } = await readHome(options);
  return throughOwner(config.state, options.nowMs, {
    running: async (ask) => (await ask('GET', '/v1/approvals')) as WaitingReport,
    stopped: (store) => waitingAt(deciding(store, config, charter, options)),
  });
}

/** The job whose id begins so, for this decision. @throws as `readWaiting` does, and what forbids the decision */
export async function readJobToDecide(options: OwnerOptions, prefix: string, decision: Decision): Promise<JobToDecide> {
  const { config, charter } = await readHome(options);
  const path = `/v1/jobs/${encodeURIComponent(prefix)}/approval?decision=${decision}`;
  return throughOwner(config.state, options.nowMs, {
    running: async (ask) => (await ask('GET', path)) as JobToDecide,
    stopped: (store) => decidableAt(prefix, decision, deciding(store, config, charter, options)),
  });
}

export interface Deciders {
  /** Who decides; whoever has the key unless given. */
  readonly as?: string;
  /** The folder of that person's keys; the party's own unless given. */
  readonly keys?: string;
  /** Asked where the keys in a folder are wrapped. */
  passphrase?(folder: string): Promise<string | undefined>;
}

/**
 * Signs a decision on what was shown, and has the node take it.
 * @throws CharterError KEY_MISMATCH, KEY_FILE_…; PolicyError NOT_AN_APPROVER; and what the node refuses with
 */
export async function decideOnJob(
  options: OwnerOptions,
  { as, keys: folder, passphrase }: Deciders,
  { job, terms }: JobToDecide,
  { decision, reason }: { readonly decision: Decision; readonly reason: string },
): Promise<DecisionTaken> {
  const { config, charter } = await readHome(options);
  const place = folder ?? config.keys;
  const keys = await readKeys(place, (await needsPassphrase(place)) ? await passphrase?.(place) : undefined);
  const by = as ?? approverWith(keys.public.identity, { config, charter });
  if (approverOf(by, { config, charter }).identity !== keys.public.identity) {
    const remedy = `point --keys to the folder of ${by}’s own keys`;
    throw new CharterError('KEY_MISMATCH', { field: place, detail: `node.yaml lists another one for ${by}`, remedy });
  }
  const at = new Date(options.nowMs()).toISOString();
  const approval = { ...terms, party: config.party, by, decision, reason, at };
  const signed = signApproval(approval, signer(keys.secret.identity));
  return throughOwner(config.state, options.nowMs, {
    running: async (ask) => (await ask('POST', `/v1/jobs/${job}/approval`, signed)) as DecisionTaken,
    // The node takes it up when it starts.
    stopped: (store) => takeAt(job, signed, deciding(store, config, charter, options), () => {}),
  });
}

async function readHome({ configFile, overrides }: OwnerOptions): Promise<{ config: NodeConfig; charter: Charter }> {
  const config = await readNodeConfig(configFile, overrides);
  return { config, charter: await readSealedCharter(config) };
}

function deciding(store: Store, config: NodeConfig, charter: Charter, { nowMs }: OwnerOptions): Deciding {
  return { store, config, charter, nowMs: nowMs() };
}
