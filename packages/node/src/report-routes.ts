/**
 * What the owner's channel answers about the ledger and the joins.
 * @module
 */
import type { NodeConfig } from './config.ts';
import { reportJoins } from './join-report.ts';
import { reportLedger } from './ledger-report.ts';
import type { OwnerRoute } from './owner-channel.ts';
import type { Store } from './store.ts';

export function reportRoutes(
  config: Pick<NodeConfig, 'party' | 'datasets' | 'policy'>,
  store: Store,
  periods: ReadonlyMap<string, string>,
): readonly OwnerRoute[] {
  return [
    { method: 'GET', path: '/v1/ledger', handle: () => reportLedger(config, store, periods) },
    { method: 'GET', path: '/v1/joins', handle: () => reportJoins(config.party, store) },
  ];
}
