/**
 * `folkmoot node period`: the data owner declares the next period of a dataset: a new reading, and a new budget.
 * @module
 */
import { resolve } from 'node:path';
import { systemClock } from '@folkmoot/transport/clock.js';
import type { CommandSpec } from '../command.ts';

interface Options {
  readonly state?: string;
}

export const nodePeriod: CommandSpec<Options> = {
  summary: 'declare the next period of a dataset: a new reading of the data, and a new budget',
  arguments: [
    ['<config>', 'node.yaml'],
    ['<dataset>', 'a dataset of this party'],
    ['<period>', 'a name that was never used for it, such as 2027-Q1'],
  ],
  options: [{ flags: '--state <folder>', text: 'instead of `state`' }],
  examples: ['folkmoot node period camden/node.yaml residents 2027-Q1'],
  async run({ output, cwd }, [file = '', dataset = '', period = ''], overrides) {
    const { declarePeriod } = await import('@folkmoot/node/owner.js');
    const options = { configFile: resolve(cwd, file), overrides, nowMs: () => systemClock.now() };
    const next = await declarePeriod(options, dataset, period);
    const before = next.ended === null ? '' : `, and ${next.ended} has ended`;
    output.result(next, `${next.party}: ${dataset} is in ${period} now${before}. Start the node again.`);
    return undefined;
  },
};
