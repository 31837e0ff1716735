/**
 * `folkmoot run`: a job over a whole consortium on this machine, and nothing left of it but the answer.
 * @module
 */
import { resolve } from 'node:path';
import { checkJob, rosterOf } from '@folkmoot/core/check-job.js';
import type { ErrorReport } from '@folkmoot/core/errors.js';
import { parseJob } from '@folkmoot/core/job.js';
import { renderAnswer } from '../answer-text.ts';
import type { CommandSpec } from '../command.ts';
import { analystOf, readConsortium } from '../consortium.ts';
import { readText } from '../files.ts';
import { withConsortium } from '../running.ts';

interface Options {
  readonly consortium: string;
  readonly as?: string;
  readonly approve?: boolean;
}

export const run: CommandSpec<Options> = {
  summary: 'run a job over a consortium on this machine, with throw-away keys',
  arguments: [['<job>', 'the job, as YAML or JSON']],
  options: [
    {
      flags: '--consortium <folder>',
      text: 'a charter.yaml, and a folder with a node.yaml for each party',
      isRequired: true,
    },
    { flags: '--as <analyst>', text: 'who signs the job (default: the first analyst of the charter)' },
    { flags: '--approve', text: 'approve what rules with `approval: manual` hold back' },
  ],
  examples: [
    'folkmoot run job.yaml --consortium nodes',
    'folkmoot run job.yaml --consortium nodes --as housing-analytics --json > answer.json',
  ],
  async run({ output, progress, signal, cwd, env }, [file = ''], options) {
    const job = parseJob(await readText(resolve(cwd, file)), file);
    const consortium = await readConsortium(resolve(cwd, options.consortium));
    const analyst = analystOf(consortium.charter, options.as);
    // What can be refused is refused before anything starts.
    const needed = rosterOf(checkJob(job, consortium.charter));
    progress.update('starting the coordinator and the nodes');
    const setting = {
      consortium,
      analyst,
      needed,
      approve: options.approve === true,
      signal,
      onAbsent: (party: string, { message }: ErrorReport) =>
        output.note(`${party} did not start, and this job does not need it: ${message}`),
      // Whoever asks for the log gets that of every process.
      onLog: (name: string, line: object) => {
        if (env.FOLKMOOT_LOG !== undefined) output.note(JSON.stringify({ process: name, ...line }));
      },
    };
    const answer = await withConsortium(setting, ({ ask }) => ask(job, progress)).finally(() => progress.clear());
    output.result(answer, renderAnswer([{ label: 'answer', answer }]));
    return undefined;
  },
};
