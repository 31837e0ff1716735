/**
 * `folkmoot deny`: a person at a party refuses a job that waits for them; one denial is enough.
 * @module
 */
import type { CommandSpec } from '../command.ts';
import { type DecisionOptions, decide, decisionOptions, jobArgument } from '../decision.ts';

export const deny: CommandSpec<DecisionOptions> = {
  summary: 'deny a job that waits at this party',
  arguments: [jobArgument],
  options: decisionOptions,
  examples: ['folkmoot deny 3f9c2e --reason "not within the purpose" --config camden/node.yaml'],
  run: (invocation, [job = ''], options) => decide('deny', invocation, job, options),
};
