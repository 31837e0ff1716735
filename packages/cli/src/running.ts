/**
 * A whole consortium on this machine for as long as a body of work takes: throw-away keys, a coordinator and a node for
 * each party, each a process of its own. Whatever happens, no process and no file is left behind.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BudgetReport } from '@folkmoot/client/budget.js';
import { createClient } from '@folkmoot/client/client.js';
import type { Answer } from '@folkmoot/core/answer.js';
import type { Charter } from '@folkmoot/core/charter.js';
import { type ErrorReport, errorOf, InputError, reportOf, StateError } from '@folkmoot/core/errors.js';
import type { Job } from '@folkmoot/core/job.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { analystOf, type Consortium } from './consortium.ts';
import { type Child, createFamily, type Family, type LogLine } from './family.ts';
import { followToEnd } from './follow.ts';
import { orInterrupted } from './interrupt.ts';
import type { Progress } from './progress.ts';
import { reportIn } from './reported.ts';
import { type SealedForOnce, sealForOnce, temporaryFolder } from './throw-away.ts';

export interface Setting {
  readonly consortium: Consortium;
  /** Who signs the jobs; the first listed analyst unless given. */
  readonly analyst: string | undefined;
  /** Parties without which the work cannot be done. The others are started too; whether they succeed does not matter. */
  readonly needed: readonly string[];
  readonly approve: boolean;
  readonly signal: AbortSignal;
  /** A party that is not needed did not start. */
  onAbsent?(party: string, report: ErrorReport): void;
  /** Hears the log of every process. */
  onLog?(process: string, line: LogLine): void;
}

export interface RunningConsortium {
  readonly charter: Charter;
  readonly analyst: string;
  /**
   * Asks one question and waits for its answer. Here the user owns every node, so the error of a job that failed is the
   * one that the node wrote to its own log.
   */
  ask(job: Job, progress: Progress): Promise<Answer>;
  /** What the analyst may still spend, in each party's own words. */
  budget(): Promise<BudgetReport>;
}

/** Nodes on this machine connect within seconds; one that does not will not, and its log says why. */
const connectMsMax = 60_000;
/** A node's log line may come a moment after the coordinator's word. */
const failureWaitMs = 1_000;
/** These only say that it was somebody else's fault. */
const echoes: readonly string[] = ['PARTY_FAILED', 'CANCELLED', 'LINK_LOST', 'STALLED'];

/** @throws PolicyError UNKNOWN_ANALYST, InputError BAD_VALUE, and what a process that could not start said */
export async function withConsortium<T>(
  setting: Setting,
  body: (running: RunningConsortium) => Promise<T>,
): Promise<T> {
  const { consortium, signal } = setting;
  const analyst = analystOf(consortium.charter, setting.analyst);
  const absent = setting.needed.find((party) => !consortium.nodeFiles.has(party));
  if (absent !== undefined) {
    throw new InputError('FILE_UNREADABLE', {
      field: consortium.folder,
      detail: `no folder with a node.yaml of ${absent}`,
    });
  }
  const folder = await temporaryFolder();
  const family = createFamily();
  process.on('exit', family.kill);
  try {
    const sealed = await sealForOnce(consortium.charter, folder.path);
    const failures: { party: string; line: LogLine }[] = [];
    const listen = (name: string) => (line: LogLine) => {
      if (line.event === 'job-failed' || line.event === 'job-denied') failures.push({ party: name, line });
      setting.onLog?.(name, line);
    };

    const { url, lost } = await startProcesses({ setting, family, sealed, folder: folder.path, listen });
    const client = createClient({
      charter: sealed.charter,
      analyst,
      keys: sealed.analystKeys.get(analyst)!,
      url,
      clock: systemClock,
      randomBytes,
    });
    const ask = async (job: Job, progress: Progress) => {
      const { job: id } = await client.submit(job);
      try {
        const title = job.title ?? '';
        await followToEnd({ client, job: id, title, progress, signal, connectMsMax });
      } catch (error) {
        const failure = signal.aborted ? undefined : await failureOf(id, failures);
        throw failure === undefined ? error : errorOf(failure);
      }
      return client.answer(id);
    };
    return await orInterrupted(
      signal,
      Promise.race([body({ charter: sealed.charter, analyst, ask, budget: client.budget }), lost]),
    );
  } finally {
    await family.stop();
    process.off('exit', family.kill);
    folder.remove();
  }
}

interface Start {
  readonly setting: Setting;
  readonly family: Family;
  readonly sealed: SealedForOnce;
  readonly folder: string;
  listen(process: string): (line: LogLine) => void;
}

/** The coordinator, then every node at once; `lost` rejects when one that is needed has ended. */
async function startProcesses({ setting, family, sealed, folder, listen }: Start) {
  const { consortium, needed, signal, approve } = setting;
  let { coordinatorFile } = consortium;
  if (coordinatorFile === undefined) {
    coordinatorFile = join(folder, 'coordinator.yaml');
    const config = { charter: sealed.charterFile, listen: '127.0.0.1:0', state: './coordinator' };
    await writeFile(coordinatorFile, JSON.stringify(config));
  }
  const throwAway = ['--charter', sealed.charterFile, '--state', join(folder, 'coordinator')];
  const coordinator = family.start(
    'coordinator',
    ['coordinator', coordinatorFile, '--listen', '127.0.0.1:0', ...throwAway],
    listen('coordinator'),
  );
  const { url } = await orInterrupted(signal, coordinator.ready);
  if (typeof url !== 'string') throw new StateError('INTERNAL', { detail: 'the coordinator gave no address' });

  const nodes = [...consortium.nodeFiles].map(([party, file]) => {
    const own = ['--keys', sealed.keyFolder(party), '--state', join(folder, 'parties', party, 'state')];
    const shared = [
      '--charter',
      sealed.charterFile,
      '--coordinator',
      url,
      '--owner',
      '127.0.0.1:0',
      approve ? '--approve' : '--unattended',
    ];
    return family.start(party, ['node', file, ...own, ...shared], listen(party));
  });
  for (const { name, ready } of nodes) {
    if (!needed.includes(name)) ready.catch((error: unknown) => setting.onAbsent?.(name, reportOf(error)));
  }
  const essential = [coordinator, ...nodes.filter(({ name }) => needed.includes(name))];
  const lost = Promise.race(essential.map(firstFailure));
  lost.catch(() => {});
  return { url, lost };
}

/** Never resolves: a child that is ready is no reason to stop. */
async function firstFailure(child: Child): Promise<never> {
  await child.ready;
  return child.lost;
}

/** What a node wrote to its own log about a job that failed there; undefined if none did within a moment. */
async function failureOf(job: string, failures: readonly { party: string; line: LogLine }[]) {
  for (let waitedMs = 0; ; waitedMs += 50) {
    for (const { party, line } of failures) {
      const report = reportIn({ remedy: '', ...line });
      const isCause = report !== undefined && !echoes.includes(report.code);
      if (line.job === job && isCause) {
        const { code, remedy, field } = report;
        const message = report.message.startsWith(`${party}:`) ? report.message : `${party}: ${report.message}`;
        return { code, message, remedy, party, ...(field === undefined ? {} : { field }) };
      }
    }
    if (waitedMs >= failureWaitMs) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
