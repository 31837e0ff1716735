/**
 * What a data owner asks of a node's state from outside: to read its ledger and its joins, and to declare a period.
 * @module
 */
import { periodSchema } from '@folkmoot/core/acceptance.js';
import { InputError, isFolkmootError, StateError } from '@folkmoot/core/errors.js';
import { lookUp } from '@folkmoot/core/name.js';
import { type NodeConfig, type Overrides, readNodeConfig } from './config.ts';
import { keptMatches } from './join-record.ts';
import { type JoinEntry, type JoinReport, reportJoins } from './join-report.ts';
import { type LedgerReport, reportLedger } from './ledger-report.ts';
import { throughOwner } from './owner-client.ts';
import { openStore, type Store } from './store.ts';

export type { JoinEntry, JoinReport } from './join-report.ts';
export type { LedgerReport } from './ledger-report.ts';

export interface OwnerOptions {
  readonly configFile: string;
  readonly overrides?: Pick<Overrides, 'state'>;
  readonly nowMs: () => number;
}

/**
 * The ledger, from the node while it runs, and else from the database. Nothing is changed.
 * @throws InputError for node.yaml; StateError STATE_NEWER, STATE_FAILED; TransportError UNREACHABLE
 */
export async function readLedger({ configFile, overrides, nowMs }: OwnerOptions): Promise<LedgerReport> {
  const config = await readNodeConfig(configFile, overrides);
  return throughOwner(config.state, nowMs, {
    running: async (ask) => (await ask('GET', '/v1/ledger')) as LedgerReport,
    stopped: (store) => {
      // A period that node.yaml names and no node has taken up yet has not begun.
      const periods = new Map(
        Object.entries(config.datasets).map(([name, { period }]) => [name, store.period(name) ?? period]),
      );
      return reportLedger(config, store, periods);
    },
  });
}

/**
 * The joins that the party took part in, from the node while it runs, and else from the database. All, or the one whose id
 * begins so. Nothing is changed.
 * @throws InputError BAD_VALUE, and for node.yaml; StateError STATE_NEWER, STATE_FAILED; TransportError UNREACHABLE
 */
export async function readJoins({ configFile, overrides, nowMs }: OwnerOptions, job = ''): Promise<JoinReport> {
  const { state, party } = await readNodeConfig(configFile, overrides);
  const report = await throughOwner(state, nowMs, {
    running: async (ask) => (await ask('GET', '/v1/joins')) as JoinReport,
    stopped: (store) => reportJoins(party, store),
  });
  const joins = report.joins.filter((one) => one.job.startsWith(job));
  if (job === '' || joins.length === 1) return { party, joins };
  const detail = joins.length === 0 ? `no join of ${party} begins so` : `${joins.length} joins of ${party} begin so`;
  throw new InputError('BAD_VALUE', {
    field: 'job',
    detail,
    remedy: 'give the id of one job, or leave it out for all',
  });
}

/**
 * Which of the party's own identifiers matched in a join, as they stand in its records.
 * @throws InputError BAD_VALUE for a join that revealed none; StateError STATE_FAILED where they are not there any more
 */
export async function readMatches(
  { configFile, overrides }: OwnerOptions,
  { job, matches }: JoinEntry,
): Promise<string[]> {
  const { state, party } = await readNodeConfig(configFile, overrides);
  if (matches === null) {
    const remedy = 'only a job with `reveal: matches` tells its left side, and only once it has matched';
    throw new InputError('BAD_VALUE', { field: 'job', detail: `${party} was told of no matches in it`, remedy });
  }
  const kept = keptMatches(state, job);
  if (kept === undefined)
    throw new StateError('STATE_FAILED', { party, detail: 'the file of the matches is not there' });
  return kept;
}

export interface NextPeriod {
  readonly party: string;
  readonly dataset: string;
  /** The one that ends; null where none had begun. */
  readonly ended: string | null;
  readonly period: string;
}

/**
 * Ends the period of a dataset and begins the next one: a new reading of the data, and a new budget. The node must not
 * run: a job is of one period from its acceptance to its end.
 * @throws InputError NOT_HELD, BAD_VALUE; StateError PERIOD_ENDED, STATE_IN_USE, STATE_NEWER, STATE_FAILED
 */
export async function declarePeriod(
  { configFile, overrides, nowMs }: OwnerOptions,
  dataset: string,
  period: string,
): Promise<NextPeriod> {
  const config = await readNodeConfig(configFile, overrides);
  const { party } = config;
  const binding = lookUp(config.datasets, dataset);
  if (binding === undefined) throw new InputError('NOT_HELD', { party, field: `datasets.${dataset}` });
  const form = periodSchema.safeParse(period);
  if (!form.success) throw new InputError('BAD_VALUE', { field: 'period', detail: form.error.issues[0]!.message });
  const store = openState(config, nowMs);
  try {
    // What the file says now is taken up first, so that it cannot come back as a new one later.
    const ended = store.period(dataset) ?? null;
    if (ended === null && binding.period !== period) store.periodFromFile(dataset, binding.period);
    store.declarePeriod(dataset, period);
    return { party, dataset, ended, period };
  } finally {
    store.close();
  }
}

function openState({ state, party }: NodeConfig, nowMs: () => number): Store {
  try {
    return openStore(state, nowMs);
  } catch (error) {
    if (!isFolkmootError(error) || error.code !== 'STATE_IN_USE') throw error;
    throw new StateError('STATE_IN_USE', {
      party,
      detail: 'its node runs',
      remedy: 'stop the node, declare the period, and start it again',
    });
  }
}
