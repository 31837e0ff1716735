/**
 * `folkmoot node joins`: the joins that a party took part in, for its owner. It reads the node's own state and asks nobody.
 * @module
 */
import { resolve } from 'node:path';
import { InputError } from '@folkmoot/core/errors.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import type { CommandSpec } from '../command.ts';
import { joinsText } from '../joins-text.ts';

interface Options {
  readonly config?: string;
  readonly state?: string;
  readonly matches?: boolean;
}

export const nodeJoins: CommandSpec<Options> = {
  summary: 'show the joins that this party took part in, and how many of its identifiers were unusable',
  arguments: [['[job]', 'the id of one job, or its first digits']],
  options: [
    { flags: '--config <file>', text: 'the party’s own settings (default: node.yaml here)' },
    { flags: '--state <folder>', text: 'instead of `state`' },
    { flags: '--matches', text: 'list which of its people matched, where the job revealed that to this party' },
  ],
  examples: [
    'folkmoot node joins --config camden/node.yaml',
    'folkmoot node joins 3f29c1 --config camden/node.yaml --matches',
  ],
  async run({ output, cwd }, [job], { config = 'node.yaml', state, matches }) {
    if (matches === true && job === undefined) {
      throw new InputError('BAD_USAGE', { detail: '--matches goes with the id of a job' });
    }
    const { readJoins, readMatches } = await import('@folkmoot/node/owner.js');
    const overrides = state === undefined ? {} : { state };
    const options = { configFile: resolve(cwd, config), overrides, nowMs: () => systemClock.now() };
    const report = await readJoins(options, job);
    if (matches !== true) {
      output.result(report, joinsText(report));
      return undefined;
    }
    const identifiers = await readMatches(options, report.joins[0]!);
    output.result({ ...report, matches: identifiers }, joinsText(report, identifiers));
    return undefined;
  },
};
