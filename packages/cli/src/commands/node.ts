/**
 * `folkmoot node`: one party beside its own records; it dials out, and listens to its owner alone, on loopback.
 * @module
 */
import { resolve } from 'node:path';
import type { CommandSpec } from '../command.ts';
import { readPassphrase } from '../files.ts';
import { createLog } from '../log.ts';
import { untilStopped } from '../service.ts';

interface Options {
  readonly keys?: string;
  readonly state?: string;
  readonly charter?: string;
  readonly coordinator?: string;
  readonly owner?: string;
  readonly metrics?: string;
  readonly approve?: boolean;
  readonly unattended?: boolean;
  readonly passphraseFile?: string;
}

export const node: CommandSpec<Options> = {
  summary: 'run a party’s node, until it is told to stop',
  arguments: [['<config>', 'node.yaml']],
  options: [
    { flags: '--keys <folder>', text: 'instead of `keys`' },
    { flags: '--state <folder>', text: 'instead of `state`' },
    { flags: '--charter <file>', text: 'instead of `charter`' },
    { flags: '--coordinator <url>', text: 'instead of `coordinator`' },
    { flags: '--owner <address>', text: 'instead of `owner`: where it listens to its owner, such as 127.0.0.1:7711' },
    { flags: '--metrics <host:port>', text: 'instead of `metrics`; port 0 takes a free one' },
    { flags: '--approve', text: 'approve what rules with `approval: manual` hold back' },
    { flags: '--unattended', text: 'refuse them instead, where nobody is there to approve' },
    { flags: '--passphrase-file <file>', text: 'unwraps the keys (default: FOLKMOOT_PASSPHRASE_FILE)' },
  ],
  examples: ['folkmoot node camden/node.yaml', 'folkmoot node camden/node.yaml --passphrase-file /run/secrets/camden'],
  async run(invocation, [file = ''], { passphraseFile, ...overrides }) {
    const { startNode } = await import('@folkmoot/node/node.js');
    const passphrase = await readPassphrase(passphraseFile ?? invocation.env.FOLKMOOT_PASSPHRASE_FILE);
    return untilStopped(
      invocation,
      () =>
        startNode({
          configFile: resolve(invocation.cwd, file),
          overrides,
          log: createLog(invocation.env),
          ...(passphrase === undefined ? {} : { passphrase }),
        }),
      ({ party, metricsUrl }) => ({
        ready: { event: 'ready', party, ...(metricsUrl === undefined ? {} : { metrics: metricsUrl }) },
        text: `Node of ${party} is running`,
      }),
    );
  },
};
