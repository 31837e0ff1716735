/**
 * `folkmoot result`: fetches the sealed answer of a job, checks every signature, opens it and prints it.
 * @module
 */
import { connectAnalyst, findJob } from '../analyst.ts';
import { renderAnswer } from '../answer-text.ts';
import type { CommandSpec } from '../command.ts';
import { orInterrupted } from '../interrupt.ts';
import { type SettingsOptions, settingsOptions } from '../settings.ts';

export const result: CommandSpec<SettingsOptions> = {
  summary: 'open the answer of a job that is done',
  arguments: [['<job>', 'the job’s id, or its first digits']],
  options: settingsOptions,
  examples: ['folkmoot result 3f9c2e41a0b7', 'folkmoot result 3f9c2e41a0b7 --json > answer.json'],
  async run(invocation, [given = ''], options) {
    const { output, signal } = invocation;
    const { client } = await connectAnalyst(invocation, options);
    const job = await orInterrupted(signal, findJob(client, given));
    const answer = await orInterrupted(signal, client.answer(job));
    output.result(answer, renderAnswer([{ label: 'answer', answer }]));
    return undefined;
  },
};
