/**
 * `folkmoot node waiting`: the jobs that wait for a person at a party, each with its plan in plain words.
 * @module
 */
import { resolve } from 'node:path';
import { systemClock } from '@folkmoot/transport/clock.js';
import type { CommandSpec } from '../command.ts';
import { waitingText } from '../waiting-text.ts';

interface Options {
  readonly config?: string;
  readonly state?: string;
}

export const nodeWaiting: CommandSpec<Options> = {
  summary: 'show the jobs that wait for a person at this party, and what each would do',
  options: [
    { flags: '--config <file>', text: 'the party’s own settings (default: node.yaml here)' },
    { flags: '--state <folder>', text: 'instead of `state`' },
  ],
  examples: ['folkmoot node waiting --config camden/node.yaml'],
  async run({ output, cwd }, _args, { config = 'node.yaml', state }) {
    const { readWaiting } = await import('@folkmoot/node/owner-approvals.js');
    const overrides = state === undefined ? {} : { state };
    const report = await readWaiting({ configFile: resolve(cwd, config), overrides, nowMs: () => systemClock.now() });
    output.result(report, waitingText(report));
    return undefined;
  },
};
