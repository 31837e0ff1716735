/**
 * `folkmoot budget`: what every party grants the analyst, what is spent and left, and what was charged for earlier jobs.
 * @module
 */
import { connectAnalyst } from '../analyst.ts';
import { budgetText } from '../budget-text.ts';
import type { CommandSpec } from '../command.ts';
import { orInterrupted } from '../interrupt.ts';
import { type SettingsOptions, settingsOptions } from '../settings.ts';

export const budget: CommandSpec<SettingsOptions> = {
  summary: 'show what is left of the parties’ budgets for you, and what your jobs were charged',
  options: settingsOptions,
  examples: ['folkmoot budget', 'folkmoot budget --json'],
  async run(invocation, _, options) {
    const { output, signal } = invocation;
    const { client } = await connectAnalyst(invocation, options);
    const report = await orInterrupted(signal, client.budget());
    output.result(report, budgetText(report));
    return undefined;
  },
};
