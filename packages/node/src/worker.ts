/**
 * The computation of one attempt, in a thread of its own: the link and its heartbeats (transport/link) are the main
 * thread's, so that they go on however long this one computes without a pause.
 *
 * It holds the Noise sessions with the other parties (their frames pass the node's link unread), reads the party's own
 * records through the source, and runs the job. A helper has no records to read. Masks and shares exist in this thread's
 * memory only, and end with it. Nothing leaves before the node has said that the sealed bytes are durable.
 * @module
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { agree, type Terms } from '@folkmoot/core/agree.js';
import { assert } from '@folkmoot/core/assert.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import { type Charter, partiesOf } from '@folkmoot/core/charter.js';
import { rosterOf } from '@folkmoot/core/check-job.js';
import type { Dataset } from '@folkmoot/core/dictionary.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { type ErrorReport, ProtocolError, SourceError } from '@folkmoot/core/errors.js';
import { sign } from '@folkmoot/core/identity.js';
import type { SideRecords } from '@folkmoot/core/join-query.js';
import { openingLabel, openingVerifier } from '@folkmoot/core/opening-signature.js';
import { platform } from '@folkmoot/core/platform.js';
import { type Effects, runJob } from '@folkmoot/core/run-job.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { seal } from '@folkmoot/transport/envelope.js';
import { openChannel } from '@folkmoot/transport/peer-network.js';
import { CorrelationThreads } from './correlation-thread-pool.ts';
import { failureOf } from './failure.ts';
import type { JoinWord } from './join-record.ts';
import { PortLink } from './port-link.ts';
import { paced } from './progress.ts';
import { type SnapshotFile, snapshotSource } from './snapshot.ts';
import type { Source } from './sources/source.ts';
import { type Binding, openSource } from './sources/source-binding.ts';

/** What the node gives to a computation. */
export interface Assignment {
  readonly party: string;
  readonly attempt: number;
  readonly charter: Charter;
  readonly charterHash: string;
  readonly signed: SignedJob;
  readonly acceptances: readonly SignedAcceptance[];
  readonly nowMs: number;
  /** Where the party's records are; a helper has none. */
  readonly binding?: Binding;
  /** The folder that the source's own path is relative to. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What a protected job reads in the place of the source. */
  readonly snapshot?: SnapshotFile;
  readonly identity: Uint8Array;
  readonly static: Uint8Array;
  readonly fingerprintKey: Uint8Array;
  /** What this party's noise is derived from. */
  readonly noiseKey: Uint8Array;
  /** How many cores it may use. */
  readonly cores: number;
  /** Frames to and from the other parties. */
  readonly frames: MessagePort;
}

/** What a computation tells the node. */
export type Word =
  | { readonly word: 'phase'; readonly phase: string; readonly done?: number }
  | { readonly word: 'sealed'; readonly sealed: Uint8Array }
  | {
      readonly word: 'opened';
      readonly commitments: Readonly<Record<string, string>>;
      readonly signatures: Readonly<Record<string, string>>;
    }
  | { readonly word: 'failed'; readonly report: ErrorReport; readonly own: ErrorReport; readonly detail: string }
  | JoinWord;

/** What the node answers to `sealed`, and how it ends a computation. */
export interface Order {
  readonly order: 'commit' | 'stop';
}

/** What the node orders, when it does. */
interface Orders {
  readonly commit: Promise<void>;
  readonly stop: Promise<void>;
  isStopped: boolean;
}

async function compute(
  assignment: Assignment,
  node: MessagePort,
  orders: Orders,
  threads: CorrelationThreads,
): Promise<void> {
  const { party, attempt, charter, signed, acceptances, nowMs } = assignment;
  const tell = (word: Word) => node.postMessage(word);
  const terms: Terms = { signed, charter, acceptances, nowMs };
  const { checked, context, recipient, analyst } = agree(terms);
  const link = new PortLink(assignment.frames);
  const network = await openChannel({
    self: party,
    context: context(attempt),
    charterHash: fromHex(assignment.charterHash),
    parties: partiesOf(charter),
    staticKey: assignment.static,
    peerStatic: (peer) => fromHex(charter.parties[peer]!.static!),
    roles: rosterOf(checked).map((one) => (one === checked.helper ? 'helper' : 'party')),
    links: link,
    clock: systemClock,
  });
  let identifiers: SideRecords['identifiers'] = [];
  const effects: Effects = {
    localQuery: (query, dataset, ownParty) =>
      readRecords(assignment, orders, dataset, (source) => source.query(query, dataset, ownParty)),
    joinRecords: async (side) => {
      const records = await readRecords(assignment, orders, side.dataset, (source) => source.sideRecords(side));
      if (checked.join?.reveal === 'matches') identifiers = records.identifiers;
      return records;
    },
    identifierTally: (tally) => tell({ word: 'tally', tally }),
    // A key that matched has an identifier.
    matches: async (rows) => tell({ word: 'matches', identifiers: Array.from(rows, (row) => identifiers[row]!) }),
    seal: (message) => {
      const { job } = context(attempt);
      return seal(recipient, { job, attempt, sender: party, recipient: analyst }, message);
    },
    durable: (sealed) => {
      tell({ word: 'sealed', sealed });
      return orders.commit;
    },
    signatures: {
      sign: (statement) => sign(assignment.identity, openingLabel, statement),
      verify: openingVerifier(charter),
    },
    noiseKey: assignment.noiseKey,
    rng: platform.randomBytes,
    lanes: threads,
    release: async ({ commitments, signatures }) => tell({ word: 'opened', commitments, signatures }),
    report: paced(
      (phase, done) => tell({ word: 'phase', phase, ...(done === undefined ? {} : { done }) }),
      () => systemClock.now(),
    ),
  };
  await runJob(network.channel, terms, effects);
  await network.close();
  link.close();
}

/** This party's records, as they were when it accepted the job. */
async function readRecords<T>(
  { party, acceptances, binding, folder, env, fingerprintKey, snapshot }: Assignment,
  orders: Orders,
  dataset: Dataset,
  work: (source: Source) => Promise<T>,
): Promise<T> {
  assert(binding !== undefined, 'a helper reads no records');
  const accepted = acceptances.find(({ acceptance }) => acceptance.party === party)!.acceptance;
  // A protected job never sees the records that stand in the source now.
  if (accepted.period !== null && snapshot === undefined) throw new SourceError('SNAPSHOT_LOST');
  const source =
    snapshot === undefined ? openSource(binding, { folder, env, dataset }) : snapshotSource(snapshot, dataset.name);
  try {
    // The job is about the records that were there when it was accepted.
    if ((await source.fingerprint(fingerprintKey)) !== accepted.fingerprint) throw new SourceError('SOURCE_CHANGED');
    const result = await work(source);
    if (orders.isStopped) throw new ProtocolError('CANCELLED');
    return result;
  } finally {
    await source.close();
  }
}

function ordersFrom(node: MessagePort): Orders {
  const commit = Promise.withResolvers<void>();
  const stop = Promise.withResolvers<void>();
  const orders: Orders = { commit: commit.promise, stop: stop.promise, isStopped: false };
  node.on('message', ({ order }: Order) => {
    if (order === 'commit') return commit.resolve();
    orders.isStopped = true;
    stop.resolve();
  });
  return orders;
}

/**
 * The thread's life: it ends by itself when the computation has, one way or the other. It is never terminated from
 * outside: that kills the whole process if a database engine is at work in it. A query that is under way when the order
 * to stop comes runs to its end, and nothing is done with what it gives.
 */
async function live(): Promise<void> {
  assert(parentPort !== null, 'a computation is started by its node');
  const node = parentPort;
  const assignment = workerData as Assignment;
  const orders = ordersFrom(node);
  const threads = new CorrelationThreads(assignment.cores);
  // What fails while nobody waits for it has failed all the same, and is no crash that another attempt could mend.
  const unheard = Promise.withResolvers<never>();
  process.on('unhandledRejection', unheard.reject);
  try {
    await Promise.race([compute(assignment, node, orders, threads), orders.stop, unheard.promise]);
  } catch (error) {
    // The other parties learn it from the coordinator, which the node tells the code.
    node.postMessage({ word: 'failed', ...failureOf(error, assignment.party) } satisfies Word);
  } finally {
    await threads.close();
    assignment.frames.close();
    node.close();
  }
}

await live();
