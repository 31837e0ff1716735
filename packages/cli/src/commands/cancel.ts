/**
 * `folkmoot cancel`: takes a job back, as long as no party has released its part of the answer.
 *
 * Where another coordinator leads the job it may be asked for, and not done yet: what is said is the state that came back,
 * and the exit code is 0 for a job that is cancelled alone.
 * @module
 */
import { hasEnded } from '@folkmoot/client/events.js';
import { connectAnalyst, findJob } from '../analyst.ts';
import type { CommandSpec } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
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
    const { state } = await orInterrupted(signal, client.cancel(job));
    if (state === 'CANCELLED') {
      output.result({ job, state }, `${job} is cancelled`);
      return undefined;
    }
    output.result({ job, state }, `${job} is not cancelled: it is ${state}`);
    const short = job.slice(0, 12);
    output.note(
      hasEnded(state)
        ? `It has ended: see \`folkmoot watch ${short}\`.`
        : `It was asked for: see \`folkmoot watch ${short}\`, and ask again where it goes on.`,
    );
    return exitCodes.failure.code;
  },
};
