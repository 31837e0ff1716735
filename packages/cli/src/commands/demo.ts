/**
 * `folkmoot demo`: the sample consortium at work. One coordinator and four nodes, each a process with its own records,
 * answer the sample's jobs; each answer stands beside the same figures computed over the pooled records, which only a
 * demo can have.
 * @module
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkJob } from '@folkmoot/core/check-job.js';
import { type ErrorReport, InputError } from '@folkmoot/core/errors.js';
import { type Job, parseJob } from '@folkmoot/core/job.js';
import { type Agreement, agrees, compareFigures } from '../agreement.ts';
import { renderAnswer } from '../answer-text.ts';
import type { CommandSpec } from '../command.ts';
import { type Consortium, readConsortium } from '../consortium.ts';
import { loadDemoDatabase } from '../demo-database.ts';
import { exitCodes } from '../exit-code.ts';
import { readText } from '../files.ts';
import { pooledAnswer } from '../pooled.ts';
import { withConsortium } from '../running.ts';
import { temporaryFolder } from '../throw-away.ts';
import { type LinkTraffic, renderTraffic, trafficIn } from '../traffic.ts';

interface Options {
  readonly consortium?: string;
}

export const demo: CommandSpec<Options> = {
  summary: 'see a sample consortium answer four questions',
  options: [{ flags: '--consortium <folder>', text: 'another consortium with jobs/*.yaml in it' }],
  examples: ['folkmoot demo', 'ISLINGTON_DATABASE_URL=postgres://localhost/test folkmoot demo'],
  async run({ output, progress, signal, cwd, env }, _args, options) {
    const startedMs = performance.now();
    const folder = options.consortium === undefined ? sampleFolder() : resolve(cwd, options.consortium);
    const given = await readConsortium(folder);
    const jobs = await readJobs(join(folder, 'jobs'));
    const checked = jobs.map(({ job }) => checkJob(job, given.charter));
    const needed = [...new Set(checked.flatMap(({ parties }) => parties))];
    const temporary = await temporaryFolder();
    const database = await loadDemoDatabase({
      url: env.ISLINGTON_DATABASE_URL,
      csvFile: join(folder, 'islington', 'data', 'residents.csv'),
      nodeFile: join(folder, 'islington', 'node.postgres.yaml'),
      folder: temporary.path,
    });
    const consortium = database === undefined ? given : withNodeFile(given, 'islington', database.nodeFile);
    const traffic: LinkTraffic[] = [];
    const onLog = (_process: string, line: Readonly<Record<string, unknown>>) => {
      const link = trafficIn(line);
      if (link !== undefined) traffic.push(link);
    };
    output.part(introduction(consortium, database !== undefined));
    progress.update('starting the coordinator and the nodes');
    try {
      const onAbsent = (party: string, { message }: ErrorReport) => output.note(`${party} did not start: ${message}`);
      const setting = { consortium, analyst: undefined, needed, approve: false, signal, onAbsent, onLog };
      const done = await withConsortium(setting, async ({ charter, analyst, ask }) => {
        const results = [];
        for (const { name, job } of jobs) {
          const answer = await ask(job, progress);
          const pooled = await pooledAnswer({ job, charter, analyst, folder, threshold: answer.threshold });
          const agreement = compareFigures(answer.rows, pooled.rows);
          const readings = [
            { label: 'folkmoot', answer },
            { label: 'pooled', answer: { ...answer, rows: pooled.rows } },
          ];
          output.part(`\n${renderAnswer(readings)}\n\n${agreementText(agreement)}`);
          results.push({ name, answer, pooled: pooled.rows, agreement });
        }
        return results;
      }).finally(() => progress.clear());
      const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
      output.result(
        { consortium: folder, database: database !== undefined, jobs: done, traffic, seconds },
        `\n${renderTraffic(traffic)}\n\nDone in ${seconds} s; nothing is left behind.`,
      );
      return done.every(({ agreement }) => agrees(agreement)) ? undefined : exitCodes.failure.code;
    } finally {
      await database?.drop().catch(() => {});
      temporary.remove();
    }
  },
};

/** `nodes/` of the checkout. */
function sampleFolder(): string {
  const folder = fileURLToPath(new URL('../../../../nodes', import.meta.url));
  if (existsSync(join(folder, 'charter.yaml'))) return folder;
  throw new InputError('FILE_UNREADABLE', {
    field: folder,
    detail: 'the sample consortium is not part of an installed package',
    remedy: 'run it in a checkout of the project, or name a folder with --consortium',
  });
}

async function readJobs(folder: string): Promise<{ name: string; job: Job }[]> {
  const names = existsSync(folder) ? (await readdir(folder)).filter((name) => /\.(ya?ml|json)$/.test(name)) : [];
  if (names.length === 0) throw new InputError('FILE_UNREADABLE', { field: folder, detail: 'there are no jobs in it' });
  const files = names.sort().map((name) => join(folder, name));
  return Promise.all(
    files.map(async (file) => ({ name: basename(file), job: parseJob(await readText(file), basename(file)) })),
  );
}

function withNodeFile(consortium: Consortium, party: string, file: string): Consortium {
  return { ...consortium, nodeFiles: new Map([...consortium.nodeFiles, [party, file]]) };
}

function introduction({ charter, nodeFiles }: Consortium, hasDatabase: boolean): string {
  const names = [...nodeFiles.keys()].map((party) => charter.parties[party]!.name);
  const source = hasDatabase
    ? 'Islington’s records stand in PostgreSQL.'
    : 'Islington’s records stand in a CSV file (set ISLINGTON_DATABASE_URL for PostgreSQL).';
  return [
    `${charter.charter}: ${names.join(', ')}.`,
    'Each is a process of its own with its own records, and so is the coordinator between them.',
    source,
  ].join('\n');
}

function agreementText(agreement: Agreement): string {
  const { figures, identical, largestDifference } = agreement;
  if (identical === figures) return `All ${figures} figures equal those over the pooled records, to the last digit.`;
  const size = largestDifference.toExponential(1);
  return agrees(agreement)
    ? `All ${figures} figures agree with the pooled records: ${identical} to the last digit, quotients and roots within ${size}.`
    : `Only ${identical} of ${figures} figures equal those over the pooled records; the others differ by up to ${size}.`;
}
