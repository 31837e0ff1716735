/**
 * A party's own records, as its jobs use them: looked at before an acceptance, and computed with in a thread.
 *
 * Jobs take this as an argument; it is all that they ever do with records.
 * @module
 */
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { fromHex, utf8 } from '@folkmoot/core/bytes.js';
import { matchedColumns } from '@folkmoot/core/charter.js';
import type { CheckedJob } from '@folkmoot/core/check-job.js';
import { datasetOf } from '@folkmoot/core/checked-join.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { hkdf } from '@folkmoot/core/hash.js';
import { Computation, type ComputationOptions } from './computation.ts';
import type { Membership, NodeConfig } from './config.ts';
import { fingerprintOfNothing, type Judge, lookingAt } from './judgement.ts';
import { Snapshots } from './snapshot.ts';
import type { Store } from './store.ts';

/** An attempt that begins. */
interface Task {
  readonly job: string;
  readonly attempt: number;
  readonly signed: SignedJob;
  readonly checked: CheckedJob;
  readonly acceptances: readonly SignedAcceptance[];
  readonly nowMs: number;
}

/** How a computation is heard: by frames, by events of the job's life, by what it says of a join, and by its end. */
type Hearing = Pick<ComputationOptions, 'send' | 'onEvent' | 'onJoin' | 'onEnd'>;
export type ComputationUnderWay = Pick<Computation, 'commit' | 'deliver' | 'stop'>;

export interface OwnRecords extends Pick<Judge, 'fingerprint' | 'rows' | 'noRecords'> {
  /** Begins an attempt. Nothing of it is heard before this has returned. */
  compute(task: Task, hearing: Hearing): ComputationUnderWay;
}

export interface OwnRecordsOptions {
  readonly config: NodeConfig;
  readonly membership: Membership;
  readonly store: Store;
  /** What sources find their addresses in. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The records where node.yaml says that they are. */
export function ownRecords({ config, membership, store, env }: OwnRecordsOptions): OwnRecords {
  const { charter, charterHash, keys } = membership;
  const { secret } = keys;
  const { party, folder, cores } = config;
  const fingerprintKey = hkdf(secret.node, new Uint8Array(0), utf8('folkmoot fingerprint v1'), 32);
  const snapshots = new Snapshots({
    store,
    state: config.state,
    secret: secret.node,
    matchedColumns: (dataset) => matchedColumns(charter, party, dataset),
  });

  const compute: OwnRecords['compute'] = (task, hearing) => {
    const { attempt, signed, checked, acceptances, nowMs } = task;
    const { name } = datasetOf(checked, party);
    // A helper brings no records: its computation is given none to read.
    const binding = checked.helper === party ? undefined : config.datasets[name]!;
    const { period } = acceptances.find(({ acceptance }) => acceptance.party === party)!.acceptance;
    const snapshot = period === null ? undefined : snapshots.file(name, period);
    // The noise is that of this very reading: if the state were lost and a period read again, the old noise over other
    // records would show what differs.
    const noiseKey = hkdf(secret.node, fromHex(snapshot?.sha256 ?? ''), utf8('folkmoot noise key v1'), 32);
    const secrets = { identity: secret.identity, static: secret.static, fingerprintKey };
    const reading = { folder, env: { ...env }, ...(binding && { binding }), ...(snapshot && { snapshot }) };
    const own = { party, attempt, nowMs, noiseKey, cores, ...reading, ...secrets };
    const assignment = { ...own, charter, charterHash, signed, acceptances };
    return new Computation({ assignment, ...hearing });
  };
  return {
    ...lookingAt(config, env, fingerprintKey, snapshots),
    noRecords: fingerprintOfNothing(fingerprintKey),
    compute,
  };
}
