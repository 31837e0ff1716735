/**
 * `folkmoot ledger`: what a party's datasets have given away, to whom, and what is left.
 * @module
 */
import { resolve } from 'node:path';
import { systemClock } from '@folkmoot/transport/clock.js';
import { ledgerText } from '../budget-text.ts';
import type { CommandSpec } from '../command.ts';

interface Options {
  readonly state?: string;
}

export const ledger: CommandSpec<Options> = {
  summary: 'show a party’s ledger: who asked what, what was spent, and what is left',
  arguments: [['<config>', 'node.yaml']],
  options: [{ flags: '--state <folder>', text: 'instead of `state`' }],
  examples: ['folkmoot ledger camden/node.yaml', 'folkmoot ledger camden/node.yaml --json'],
  async run({ output, cwd }, [file = ''], overrides) {
    const { readLedger } = await import('@folkmoot/node/owner.js');
    const report = await readLedger({
      configFile: resolve(cwd, file),
      overrides,
      nowMs: () => systemClock.now(),
    });
    output.result(report, ledgerText(report));
    return undefined;
  },
};
