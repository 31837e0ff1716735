/**
 * What a data owner does with the party's audit log: look at it, hand it to an auditor, and confirm that a state is an older
 * copy. Through the node while it runs, else in its database.
 * @module
 */
import type { AuditExport } from '@folkmoot/core/audit-export.js';
import type { AuditReport } from '@folkmoot/core/audit-verification.js';
import { type Charter, charterHash, checkSealed, parseCharter } from '@folkmoot/core/charter.js';
import { conform } from '@folkmoot/core/document.js';
import { z } from 'zod';
import { exportAudit, verifyStored } from './audit-report.ts';
import { type NodeConfig, readNodeConfig, readText } from './config.ts';
import type { OwnerOptions } from './owner.ts';
import type { OwnerRoute } from './owner-channel.ts';
import { throughOwner } from './owner-client.ts';
import type { Store } from './store.ts';

/** It stands in the log for good. */
const reasonLengthMax = 500;
const confirmSchema = z.strictObject({ reason: z.string().trim().min(1).max(reasonLengthMax) });

/** States of the log that were lost, as the owner has confirmed. */
export interface Confirmed {
  readonly party: string;
  readonly lost: readonly { readonly size: number; readonly at: string; readonly held_by: string }[];
}

interface Owned {
  readonly config: NodeConfig;
  readonly charter: Charter;
}

async function ownedBy({ configFile, overrides }: OwnerOptions): Promise<Owned> {
  const config = await readNodeConfig(configFile, overrides);
  const charter = parseCharter(await readText(config.charter, 'charter'), config.charter);
  checkSealed(charter);
  return { config, charter };
}

/** The log as it stands: whether it is what was entered and signed. @throws InputError, CharterError, StateError */
export async function verifyOwnAudit(options: OwnerOptions): Promise<AuditReport> {
  const { config, charter } = await ownedBy(options);
  return throughOwner(config.state, options.nowMs, {
    running: async (ask) => (await ask('GET', '/v1/audit/report')) as AuditReport,
    stopped: (store) => verifyStored(store, config.party, charter, options.nowMs()),
  });
}

/** The log, or what it says of the one job whose id begins so. @throws InputError, CharterError, StateError */
export async function exportOwnAudit(options: OwnerOptions, job?: string): Promise<AuditExport> {
  const { config, charter } = await ownedBy(options);
  const query = job === undefined ? '' : `?${new URLSearchParams({ job })}`;
  return throughOwner(config.state, options.nowMs, {
    running: async (ask) => (await ask('GET', `/v1/audit${query}`)) as AuditExport,
    stopped: (store) =>
      exportAudit(store, { party: config.party, charter: charterHash(charter), nowMs: options.nowMs() }, job),
  });
}

/**
 * Confirms that what peers hold and this state lacks is lost: the ledger is raised, and the log says so.
 * @throws InputError BAD_VALUE where nothing was lost, or there is no reason; StateError
 */
export async function confirmRestored(options: OwnerOptions, reason: string): Promise<Confirmed> {
  const { config } = await ownedBy(options);
  const body = conform({ reason }, confirmSchema, { name: 'reason' });
  return throughOwner(config.state, options.nowMs, {
    running: async (ask) => (await ask('POST', '/v1/audit/confirm', body)) as Confirmed,
    stopped: (store) => confirm(store, config.party, body.reason),
  });
}

function confirm(store: Store, party: string, reason: string): Confirmed {
  const lost = store.audited((_, nowMs, heads) => heads.confirm(reason, nowMs));
  return { party, lost: lost.map(({ head, heldBy }) => ({ size: head.size, at: head.at, held_by: heldBy })) };
}

/** The same of a node that runs. */
export function auditRoutes(store: Store, party: string, charter: Charter, nowMs: () => number): OwnerRoute[] {
  return [
    {
      method: 'GET',
      path: '/v1/audit',
      handle: ({ query }) =>
        exportAudit(store, { party, charter: charterHash(charter), nowMs: nowMs() }, query.get('job') ?? undefined),
    },
    { method: 'GET', path: '/v1/audit/report', handle: () => verifyStored(store, party, charter, nowMs()) },
    {
      method: 'POST',
      path: '/v1/audit/confirm',
      handle: ({ body }) => confirm(store, party, conform(body, confirmSchema, { name: 'reason' }).reason),
    },
  ];
}
