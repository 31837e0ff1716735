/**
 * The audit log as a doctor sees it: whether it is what was entered and signed, how far others have countersigned it, and
 * whether this state is an older copy that its owner has not confirmed.
 * @module
 */
import type { Charter } from '@folkmoot/core/charter.js';
import { type Finding, fail, looked, ok } from '@folkmoot/transport/finding.js';
import { verifyStored } from './audit-report.ts';
import type { Store } from './store.ts';

const check = 'audit log';

export function auditFinding(store: Store, party: string, charter: Charter, nowMs: number): Promise<Finding> {
  return looked(check, () => {
    const { findings, size, countersigned, tail } = verifyStored(store, party, charter, nowMs);
    const [first, ...more] = findings;
    if (first !== undefined) {
      const text = `${first.text} [${first.code}]${more.length === 0 ? '' : `, and ${more.length} more findings`}`;
      return fail(
        check,
        text,
        'keep a copy of the state folder as it is, and compare with the logs of the other parties',
      );
    }
    store.heads.checkWhole(party);
    const entries = `whole; ${size} ${size === 1 ? 'entry' : 'entries'}`;
    if (countersigned === null) return ok(check, `${entries}, which nobody has countersigned yet`);
    return ok(check, `${entries}, countersigned by ${countersigned.by.join(', ')} but for the last ${tail}`);
  });
}
