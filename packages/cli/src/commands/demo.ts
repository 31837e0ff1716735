/**
 * `folkmoot demo`: the sample consortium at work. One coordinator and four nodes, each a process with its own records,
 * answer the sample's jobs; each answer stands beside the same figures computed over the pooled records, which only a
 * demo can have. Exact answers equal them. Noisy ones lie around them, and their question is asked twice.
 * @module
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { Answer } from '@folkmoot/core/answer.js';
import { checkJob, rosterOf } from '@folkmoot/core/check-job.js';
import { type ErrorReport, InputError } from '@folkmoot/core/errors.js';
import { type Job, parseJob } from '@folkmoot/core/job.js';
import { plan, renderMatching } from '@folkmoot/core/plan.js';
import { type Agreement, agrees, type Coverage, compareFigures, coverageOf } from '../agreement.ts';
import { renderAnswer } from '../answer-text.ts';
import { leftText } from '../budget-text.ts';
import type { CommandSpec } from '../command.ts';
import { type Consortium, readConsortium } from '../consortium.ts';
import { loadDemoDatabase } from '../demo-database.ts';
import { exitCodes } from '../exit-code.ts';
import { readText } from '../files.ts';
import { pooledAnswer } from '../pooled.ts';
import type { Progress } from '../progress.ts';
import { type RunningConsortium, withConsortium } from '../running.ts';
import { temporaryFolder } from '../throw-away.ts';
import { type LinkTraffic, renderTraffic, trafficIn } from '../traffic.ts';

interface Options {
  readonly consortium?: string;
}

export const demo: CommandSpec<Options> = {
  summary: 'see a sample consortium answer nine questions',
  options: [{ flags: '--consortium <folder>', text: 'another consortium with jobs/*.yaml in it' }],
  examples: ['folkmoot demo', 'ISLINGTON_DATABASE_URL=postgres://localhost/test folkmoot demo'],
  async run({ output, progress, signal, cwd, env }, _args, options) {
    const startedMs = performance.now();
    const folder = options.consortium === undefined ? sampleFolder() : resolve(cwd, options.consortium);
    const given = await readConsortium(folder);
    const jobs = await readJobs(join(folder, 'jobs'));
    const needed = [...new Set(jobs.flatMap(({ job }) => rosterOf(checkJob(job, given.charter))))];
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
      const done = await withConsortium(setting, async (running) => {
        const results = [];
        for (const { name, job } of jobs) {
          if (job.join !== undefined) output.part(`\n${planText(job, running, explained(cwd, folder, name))}`);
          const told = { job, folder, running, progress };
          const { text, ...result } = await (job.privacy === undefined ? askExactly(told) : askTwice(told));
          output.part(`\n${text}`);
          results.push({ name, ...result });
        }
        return results;
      }).finally(() => progress.clear());
      const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
      output.result(
        {
          consortium: folder,
          database: database !== undefined,
          jobs: done.map(({ isGood: _, ...result }) => result),
          traffic,
          seconds,
        },
        `\n${renderTraffic(traffic)}\n\nDone in ${seconds} s; nothing is left behind.`,
      );
      return done.every(({ isGood }) => isGood) ? undefined : exitCodes.failure.code;
    } finally {
      await database?.drop().catch(() => {});
      temporary.remove();
    }
  },
};

interface Asked {
  readonly job: Job;
  readonly folder: string;
  readonly running: RunningConsortium;
  readonly progress: Progress;
}

/** Who is matched with whom, and who learns what of it, before it is asked. */
function planText(job: Job, { charter, analyst }: RunningConsortium, command: string): string {
  const made = plan({ checked: checkJob(job, charter), analyst });
  const intro = `“${made.title}” is a join. What every data owner reads of it before it runs:`;
  return `${intro}\n\n${renderMatching(made)}\nAll of it: ${command}`;
}

function explained(cwd: string, folder: string, file: string): string {
  const from = (path: string) => relative(cwd, path) || '.';
  return `npx folkmoot explain ${from(join(folder, 'jobs', file))} --consortium ${from(folder)}`;
}

/** An exact answer, beside the pooled figures that it must equal. */
async function askExactly({ job, folder, running, progress }: Asked) {
  const answer = await running.ask(job, progress);
  const { threshold, round } = answer;
  const pooled = await pooledAnswer({ ...running, job, folder, threshold, round });
  const agreement = compareFigures(answer.rows, pooled.rows);
  const readings = [
    { label: 'folkmoot', answer },
    { label: 'pooled', answer: { ...answer, rows: pooled.rows } },
  ];
  const text = `${renderAnswer(readings)}\n\n${agreementText(agreement)}`;
  return { answer, pooled: pooled.rows, agreement, isGood: agrees(agreement), text };
}

/** A noisy answer, beside the exact figures around which it lies; and the same question again, which must cost nothing. */
async function askTwice({ job, folder, running, progress }: Asked) {
  // A statement has its time and the request that it answers; what it says of the budget is this.
  const accounts = async () => {
    const report = await running.budget();
    const stated = report.statements.map(({ party, datasets, jobs }) => ({ party, datasets, jobs: jobs.length }));
    return { report, stated };
  };
  const answer = await running.ask(job, progress);
  const { stated } = await accounts();
  const again = await running.ask(job, progress);
  const after = await accounts();
  const repeat = { isSame: isDeepStrictEqual(answer, again), isFree: isDeepStrictEqual(stated, after.stated) };
  const all = await pooledAnswer({ ...running, job, folder, threshold: answer.threshold });
  // The groups that the answer shows.
  const keyOf = (row: Readonly<Record<string, unknown>>) => JSON.stringify(job.group_by?.map((name) => row[name]));
  const shown = new Set(answer.rows.map(keyOf));
  const pooled = { rows: all.rows.filter((row) => shown.has(keyOf(row))) };
  const coverage = coverageOf(answer.rows, pooled.rows);
  const readings = [
    { label: 'folkmoot', answer },
    { label: 'exact', answer: { ...answer, rows: pooled.rows, privacy: null } },
  ];
  const asked = `${repeatText(repeat)}\n(${leftText(after.report, job)})`;
  const text = [renderAnswer(readings), coverageText(coverage, answer), asked].join('\n\n');
  const isGood = repeat.isSame && repeat.isFree;
  return { answer, pooled: pooled.rows, coverage, repeat, isGood, text };
}

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
  const jobs = await Promise.all(
    files.map(async (file) => ({ name: basename(file), job: parseJob(await readText(file), basename(file)) })),
  );
  // First what is exact.
  const isExact = ({ job }: { job: Job }) => job.privacy === undefined;
  return [...jobs.filter(isExact), ...jobs.filter((each) => !isExact(each))];
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

function coverageText({ intervals, covering }: Coverage, { parties }: Answer): string {
  return [
    'The exact figures stand here for the demonstration only: they are computed over the pooled records, which nobody has',
    `otherwise. What the ${parties.length} parties opened has all their noise in it.`,
    `${covering} of ${intervals} intervals hold the exact figure; 95 of 100 do in the long run.`,
  ].join('\n');
}

function repeatText({ isSame, isFree }: { readonly isSame: boolean; readonly isFree: boolean }): string {
  if (isSame && isFree) {
    return 'Asked a second time, the question had the same answer to the last digit, and cost nothing: noise cannot be averaged away.';
  }
  const faults = [...(isSame ? [] : ['had another answer']), ...(isFree ? [] : ['was charged'])];
  return `Asked a second time, the question ${faults.join(' and ')}. That must not happen.`;
}
