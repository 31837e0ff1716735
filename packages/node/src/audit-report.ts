/**
 * The audit log for the owner and for auditors: as lines to be handed on, and looked at as it stands in the database.
 * @module
 */
import type { AuditEntry, AuditExport } from '@folkmoot/core/audit-export.js';
import { type AuditReport, verifyAudit } from '@folkmoot/core/audit-verification.js';
import { type Charter, charterHash } from '@folkmoot/core/charter.js';
import { InputError, StateError } from '@folkmoot/core/errors.js';
import type { Store } from './store.ts';

/** What is read of a store. */
type Kept = Pick<Store, 'audit' | 'heads' | 'ledger'>;

/** The whole log, or what it says of one job, with the proofs that it says so. @throws InputError BAD_VALUE */
export function exportAudit(
  { audit, heads }: Kept,
  { party, charter, nowMs }: { readonly party: string; readonly charter: string; readonly nowMs: number },
  begins?: string,
): AuditExport {
  const job = begins === undefined ? undefined : wholeId(audit, begins);
  const size = audit.size();
  const entries = audit.rows(job).map(({ entry, commitment, salt, payload }): AuditEntry => {
    const proof = job === undefined ? {} : { proof: audit.inclusion(entry, size) };
    return { entry, salt, text: payload, commitment, ...proof };
  });
  const header = {
    folkmoot_audit: 1,
    ...{ party, charter, size, root: rootOf(audit), exported: new Date(nowMs).toISOString() },
    ...(job === undefined ? {} : { job }),
  } as const;
  const own = heads.heads();
  if (job === undefined) {
    const countersignatures = heads.countersignatures();
    return { header, entries, heads: own.map((head) => ({ head })), countersignatures, witnessed: heads.witnessed() };
  }
  // For each entry the first head that others have signed after it; a later one covers earlier entries too.
  const signed = heads.countersignatures();
  const covering = own.filter(({ head }) => signed.some((one) => one.size === head.size));
  const chosen = entries.flatMap(({ entry }) => covering.find(({ head }) => head.size > entry) ?? own.at(-1) ?? []);
  const needed = [...new Set(chosen)].sort((a, b) => a.head.size - b.head.size);
  return {
    header,
    entries,
    heads: needed.map((head) => ({ head, proof: audit.consistency(head.head.size, size) })),
    countersignatures: signed.filter((one) => needed.some(({ head }) => head.size === one.size)),
    witnessed: [],
  };
}

/** What a broken tree has for a root is said by those who look for where it is broken. */
function rootOf(audit: Kept['audit']): string {
  try {
    return audit.root();
  } catch (error) {
    if (error instanceof StateError && error.code === 'AUDIT_BROKEN') return '0'.repeat(64);
    throw error;
  }
}

function wholeId(audit: Kept['audit'], begins: string): string {
  const job = audit.job(begins);
  if (job !== undefined) return job;
  throw new InputError('BAD_VALUE', {
    field: 'job',
    detail: 'the log knows no job, or several, whose id begins so',
    remedy: 'give the id of one job, or leave it out for all',
  });
}

/** The log as it stands in the database: its texts, the stored tree, the signatures and the ledger. */
export function verifyStored(
  store: Kept & Pick<Store, 'approvalHashes'>,
  party: string,
  charter: Charter,
  nowMs: number,
): AuditReport {
  const log = exportAudit(store, { party, charter: charterHash(charter), nowMs });
  const { audit, ledger } = store;
  return verifyAudit(log, {
    charter,
    nodeAt: (level, index) => audit.storedNode(level, index),
    approvals: store.approvalHashes(),
    totals: ledger.totals(),
  });
}
