/**
 * `folkmoot cancel`: takes a job back, as long as no party has released its part of the answer.
 * @module
 */
import { connectAnalyst, findJob } from '../analyst.ts';
import type { CommandSpec } from '../command.ts';
import { orInterrupted } from '../interrupt.ts';
import { type SettingsOptions, settingsOptions } from '../settings.ts';

export const cancel: CommandSpec<SettingsOptions> = {
  summary: 'take back a job that has not been answered',
  arguments: [['<job>', 'the job’s id, or its first digits']],
  options: settingsOptions,
  examples: ['folkmoot cancel 3f9c2e41a0b7'],
  async run(invocation, [given = ''], options) {
    const { output, signal } = invocation;
    const { client } = await connectAnalyst(invocation, options);
    const job = await orInterrupted(signal, findJob(client, given));
    await orInterrupted(signal, client.cancel(job));
    output.result({ job, state: 'CANCELLED' }, `${job} is cancelled`);
    return undefined;
  },
};
