/**
 * `folkmoot watch`: follows a job to its end; without a job it lists the analyst's jobs.
 * @module
 */
import { connectAnalyst, findJob } from '../analyst.ts';
import type { CommandSpec } from '../command.ts';
import { followToEnd } from '../follow.ts';
import { orInterrupted } from '../interrupt.ts';
import { type SettingsOptions, settingsOptions } from '../settings.ts';
import { renderTable } from '../table.ts';

export const watch: CommandSpec<SettingsOptions> = {
  summary: 'follow a job to its end, or list your jobs',
  arguments: [['[job]', 'the job’s id, or its first digits']],
  options: settingsOptions,
  examples: ['folkmoot watch', 'folkmoot watch 3f9c2e41a0b7'],
  async run(invocation, [given], options) {
    const { output, progress, signal } = invocation;
    const { client } = await connectAnalyst(invocation, options);
    if (given === undefined) {
      const jobs = await orInterrupted(signal, client.list());
      const columns = ['job', 'state', 'submitted', 'title'].map((title) => ({ title, align: 'left' as const }));
      const rows = jobs.map(({ job, state, submitted, title }) => [job.slice(0, 12), state, submitted, title]);
      output.result({ jobs }, jobs.length === 0 ? 'No jobs yet.' : renderTable(columns, rows));
      return undefined;
    }
    const job = await orInterrupted(signal, findJob(client, given));
    const { title } = await orInterrupted(signal, client.state(job));
    // On a terminal one line shows where the job is; in a pipe each step is a line of its own, on stderr.
    const steps = { onEvent: (event: object) => output.note(JSON.stringify(event)) };
    await followToEnd({ client, job, title, progress, signal, ...(progress.isShown ? {} : steps) });
    output.result(await orInterrupted(signal, client.state(job)), `${job} is done`);
    return undefined;
  },
};
