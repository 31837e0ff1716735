/**
 * `folkmoot approve`: a person at a party lets a job be computed that waits for them.
 * @module
 */
import type { CommandSpec } from '../command.ts';
import { type DecisionOptions, decide, decisionOptions, jobArgument } from '../decision.ts';

export const approve: CommandSpec<DecisionOptions> = {
  summary: 'approve a job that waits at this party, after seeing its plan',
  arguments: [jobArgument],
  options: decisionOptions,
  examples: [
    'folkmoot approve 3f9c2e --reason "agreed in DPIA 2026-14" --config camden/node.yaml',
    'folkmoot approve 3f9c2e --reason "agreed in DPIA 2026-14" --as ada --keys ~/ada/keys --yes',
  ],
  run: (invocation, [job = ''], options) => decide('approve', invocation, job, options),
};
