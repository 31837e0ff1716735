/**
 * `folkmoot coordinator`: introduces the parties, keeps the queue of jobs and relays what it cannot read.
 * @module
 */
import { resolve } from 'node:path';
import type { CommandSpec } from '../command.ts';
import { createLog } from '../log.ts';
import { untilStopped } from '../service.ts';

interface Options {
  readonly listen?: string;
  readonly state?: string;
  readonly charter?: string;
}

export const coordinator: CommandSpec<Options> = {
  summary: 'run a coordinator, until it is told to stop',
  arguments: [['<config>', 'coordinator.yaml']],
  options: [
    { flags: '--listen <host:port>', text: 'instead of `listen`; port 0 takes a free one' },
    { flags: '--state <folder>', text: 'instead of `state`' },
    { flags: '--charter <file>', text: 'instead of `charter`' },
  ],
  examples: ['folkmoot coordinator coordinator/coordinator.yaml', 'FOLKMOOT_LOG=debug folkmoot coordinator c.yaml'],
  async run(invocation, [file = ''], { listen, state, charter }) {
    const { startCoordinator } = await import('@folkmoot/coordinator/server.js');
    return untilStopped(
      invocation,
      () =>
        startCoordinator({
          configFile: resolve(invocation.cwd, file),
          overrides: { listen, state, charter },
          log: createLog(invocation.env),
        }),
      ({ url }) => ({ ready: { event: 'ready', url }, text: `Coordinator at ${url}` }),
    );
  },
};
