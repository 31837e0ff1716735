/**
 * `folkmoot audit confirm`: the owner confirms that a state is an older copy of itself, and that what came after is lost.
 * @module
 */
import type { CommandSpec } from '../command.ts';
import { type OwnLogOptions, ownerOptions, ownLogOptions } from '../own-log.ts';

interface Options extends OwnLogOptions {
  readonly reason: string;
}

export const auditConfirm: CommandSpec<Options> = {
  summary: 'confirm that this state is an older copy, so that the node takes part in jobs again',
  options: [
    ...ownLogOptions,
    { flags: '--reason <text>', text: 'why the later state is lost; it stands in the log for good', isRequired: true },
  ],
  examples: ['folkmoot audit confirm --config camden/node.yaml --reason "disk failure, restored from Monday’s copy"'],
  async run(invocation, _, options) {
    const { confirmRestored } = await import('@folkmoot/node/owner-audit.js');
    const done = await confirmRestored(ownerOptions(invocation, options), options.reason);
    const states = done.lost.map(
      ({ size, at, held_by }) => `  ${size} entries, signed at ${at}, which ${held_by} holds`,
    );
    const text = [
      `${done.party}: confirmed as lost:`,
      ...states,
      'The ledger counts as spent what was spent or held back there. The others will enter this in their logs.',
    ];
    invocation.output.result(done, text.join('\n'));
    return undefined;
  },
};
