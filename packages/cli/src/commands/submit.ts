/**
 * `folkmoot submit`: signs a job with the analyst's key and hands it to the coordinator.
 * @module
 */
import { resolve } from 'node:path';
import { checkJob } from '@folkmoot/core/check-job.js';
import { parseJob } from '@folkmoot/core/job.js';
import { connectAnalyst } from '../analyst.ts';
import { renderAnswer } from '../answer-text.ts';
import { leftText } from '../budget-text.ts';
import type { CommandSpec } from '../command.ts';
import { readText } from '../files.ts';
import { followToEnd } from '../follow.ts';
import { orInterrupted } from '../interrupt.ts';
import { type SettingsOptions, settingsOptions } from '../settings.ts';

interface Options extends SettingsOptions {
  readonly wait?: boolean;
}

export const submit: CommandSpec<Options> = {
  summary: 'sign a job and submit it',
  arguments: [['<job>', 'the job, as YAML or JSON']],
  options: [...settingsOptions, { flags: '--wait', text: 'follow the job to its end and print the answer' }],
  examples: ['folkmoot submit job.yaml', 'folkmoot submit job.yaml --wait --json > answer.json'],
  async run(invocation, [file = ''], options) {
    const { output, progress, signal, cwd } = invocation;
    const job = parseJob(await readText(resolve(cwd, file)), file);
    const { client, settings } = await connectAnalyst(invocation, options);
    checkJob(job, settings.charter);
    const submitted = await orInterrupted(signal, client.submit(job));
    if (options.wait !== true) {
      output.result(submitted, `${submitted.job}\n\nFollow it with: folkmoot watch ${submitted.job.slice(0, 12)}`);
      return undefined;
    }
    output.note(`submitted ${submitted.job}`);
    await followToEnd({ client, job: submitted.job, title: job.title ?? '', progress, signal });
    const answer = await orInterrupted(signal, client.answer(submitted.job));
    output.result(answer, renderAnswer([{ label: 'answer', answer }]));
    // An answer stays the same for ever; what is left does not, so it is no part of it. Nor does it fail with it.
    if (answer.privacy !== null) {
      const budgets = await orInterrupted(
        signal,
        client.budget().catch(() => undefined),
      );
      if (budgets !== undefined) output.note(leftText(budgets, job));
    }
    return undefined;
  },
};
