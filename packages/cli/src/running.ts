/**
 * A whole consortium on this machine for as long as a body of work takes: throw-away keys, a coordinator and a node for
 * each party, each a process of its own. Whatever happens, no process and no file is left behind.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, createClient } from '@folkmoot/client/client.js';
import type { Charter } from '@folkmoot/core/charter.js';
import { type ErrorReport, InputError } from '@folkmoot/core/errors.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { analystOf, type Consortium } from './consortium.ts';
import { type Child, createFamily, type LogLine } from './family.ts';
import { orInterrupted } from './interrupt.ts';
import { reportIn } from './reported.ts';
import { sealForOnce, temporaryFolder } from './throw-away.ts';

export interface Setting {
  readonly consortium: Consortium;
  /** Who signs the jobs; the first listed analyst unless given. */
  readonly analyst: string | undefined;
  /** Parties without which the work cannot be done. The others are started too; whether they succeed does not matter. */
  readonly needed: readonly string[];
  readonly approve: boolean;
  readonly signal: AbortSignal;
  /** Hears the log of every process. */
  onLog?(process: string, line: LogLine): void;
}

export interface RunningConsortium {
  readonly client: Client;
  readonly charter: Charter;
  readonly analyst: string;
  /** Rejects when a process that is needed has ended. */
  readonly lost: Promise<never>;
  /** What a node wrote to its own log about a job that failed there; undefined if none did within a moment. */
  failureOf(job: string): Promise<{ readonly party: string; readonly report: ErrorReport } | undefined>;
}

/** A node's log line may come a moment after the coordinator's word. */
const failureWaitMs = 1_000;
/** These only say that it was somebody else's fault. */
const echoes: readonly string[] = ['PARTY_FAILED', 'CANCELLED', 'LINK_LOST', 'STALLED'];

/** @throws PolicyError UNKNOWN_ANALYST, InputError BAD_VALUE, and what a process that could not start said */
export async function withConsortium<T>(
  setting: Setting,
  body: (running: RunningConsortium) => Promise<T>,
): Promise<T> {
  const { consortium, signal, needed } = setting;
  const analyst = analystOf(consortium.charter, setting.analyst);
  const absent = needed.find((party) => !consortium.nodeFiles.has(party));
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

    const coordinatorFile = consortium.coordinatorFile ?? join(folder.path, 'coordinator.yaml');
    if (consortium.coordinatorFile === undefined) {
      const config = { charter: sealed.charterFile, listen: '127.0.0.1:0', state: './state' };
      await writeFile(coordinatorFile, JSON.stringify(config));
    }
    const coordinator = family.start(
      'coordinator',
      [
        'coordinator',
        coordinatorFile,
        ...['--listen', '127.0.0.1:0', '--charter', sealed.charterFile],
        ...['--state', join(folder.path, 'coordinator')],
      ],
      listen('coordinator'),
    );
    const { url } = await orInterrupted(signal, coordinator.ready);
    if (typeof url !== 'string')
      throw new InputError('BAD_VALUE', { field: 'url', detail: 'the coordinator gave none' });

    const nodes = [...consortium.nodeFiles].map(([party, file]) =>
      family.start(
        party,
        [
          'node',
          file,
          ...['--keys', sealed.keyFolder(party), '--charter', sealed.charterFile, '--coordinator', url],
          ...['--state', join(folder.path, 'parties', party, 'state')],
          ...(setting.approve ? ['--approve'] : []),
        ],
        listen(party),
      ),
    );
    const essential = [coordinator, ...nodes.filter(({ name }) => needed.includes(name))];
    const lost = Promise.race(essential.map(firstFailure));
    lost.catch(() => {});
    const client = createClient({
      charter: sealed.charter,
      analyst,
      keys: sealed.analystKeys.get(analyst)!,
      url,
      clock: systemClock,
      randomBytes,
    });
    const running: RunningConsortium = {
      client,
      charter: sealed.charter,
      analyst,
      lost,
      failureOf: (job) => failureOf(job, failures),
    };
    return await orInterrupted(signal, Promise.race([body(running), lost]));
  } finally {
    await family.stop();
    process.off('exit', family.kill);
    folder.remove();
  }
}

/** Never resolves: a child that is ready is no reason to stop. */
async function firstFailure(child: Child): Promise<never> {
  await child.ready;
  return child.lost;
}

async function failureOf(job: string, failures: readonly { party: string; line: LogLine }[]) {
  for (let waitedMs = 0; ; waitedMs += 50) {
    for (const { party, line } of failures) {
      const report = reportIn({ remedy: '', ...line });
      const isCause = report !== undefined && !echoes.includes(report.code);
      if (line.job === job && isCause) {
        const { code, remedy, field } = report;
        const message = report.message.startsWith(`${party}:`) ? report.message : `${party}: ${report.message}`;
        return { party, report: { code, message, remedy, party, ...(field === undefined ? {} : { field }) } };
      }
    }
    if (waitedMs >= failureWaitMs) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
