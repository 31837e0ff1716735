/**
 * `folkmoot revoke`: a person at a party takes an approval back; the job ends, unless this party has opened its part.
 * @module
 */
import type { CommandSpec } from '../command.ts';
import { type DecisionOptions, decide, decisionOptions, jobArgument } from '../decision.ts';

export const revoke: CommandSpec<DecisionOptions> = {
  summary: 'take back the approval of a job, as long as this party has released nothing',
  arguments: [jobArgument],
  options: decisionOptions,
  examples: ['folkmoot revoke 3f9c2e --reason "the data-sharing agreement has ended" --config camden/node.yaml'],
  run: (invocation, [job = ''], options) => decide('revoke', invocation, job, options),
};
