/**
 * `folkmoot approve`, `deny` and `revoke`: a person at a party decides on one job, with their own key.
 * @module
 */
import { resolve } from 'node:path';
import type { Decision } from '@folkmoot/core/approval.js';
import { InputError, ProtocolError } from '@folkmoot/core/errors.js';
import type { DecisionTaken, JobToDecide } from '@folkmoot/node/owner-approvals.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import type { CommandOption, Invocation } from './command.ts';
import { readPassphrase } from './files.ts';
import { askSecret, canAsk, isAgreed } from './question.ts';
import { jobToDecideText } from './waiting-text.ts';

export interface DecisionOptions {
  readonly reason: string;
  readonly as?: string;
  readonly keys?: string;
  readonly config?: string;
  readonly state?: string;
  readonly passphraseFile?: string;
  readonly yes?: boolean;
}

export const decisionOptions: readonly CommandOption[] = [
  { flags: '--reason <text>', text: 'why; it is kept at the party, and the analyst is not told', isRequired: true },
  { flags: '--as <name>', text: 'who decides, as `approvers` names them (default: whoever has the key)' },
  { flags: '--keys <folder>', text: 'that person’s own keys (default: the party’s, where no approvers are listed)' },
  { flags: '--config <file>', text: 'the party’s own settings (default: node.yaml here)' },
  { flags: '--state <folder>', text: 'instead of `state`' },
  {
    flags: '--passphrase-file <file>',
    text: 'unwraps the keys (default: FOLKMOOT_PASSPHRASE_FILE, or you are asked for it)',
  },
  { flags: '--yes', text: 'do not show the plan and ask' },
];

export const jobArgument = ['<job>', 'the job’s id, or its first digits'] as const;

const questions: Readonly<Record<Decision, string>> = {
  approve: 'Approve this job?',
  deny: 'Deny this job?',
  revoke: 'Take the approval of this job back?',
};

/** @throws InputError BAD_USAGE where nobody can be asked; ProtocolError CANCELLED where the answer is no */
export async function decide(
  decision: Decision,
  { output, signal, env, cwd }: Invocation,
  job: string,
  { reason, as, keys, config = 'node.yaml', state, passphraseFile, yes }: DecisionOptions,
): Promise<undefined> {
  if (yes !== true && !canAsk()) {
    throw new InputError('BAD_USAGE', { detail: 'without a terminal nobody can be asked', remedy: 'give --yes' });
  }
  const { readJobToDecide, decideOnJob } = await import('@folkmoot/node/owner-approvals.js');
  const place = { configFile: resolve(cwd, config), overrides: state === undefined ? {} : { state } };
  const options = { ...place, nowMs: () => systemClock.now() };
  const target = await readJobToDecide(options, job, decision);
  if (yes !== true) {
    output.note(jobToDecideText(target));
    if (!(await isAgreed(questions[decision], signal))) {
      throw new ProtocolError('CANCELLED', { detail: 'nothing was decided', remedy: 'run it again and answer yes' });
    }
  }
  const file = passphraseFile ?? env.FOLKMOOT_PASSPHRASE_FILE;
  const who = {
    ...(as === undefined ? {} : { as }),
    ...(keys === undefined ? {} : { keys: resolve(cwd, keys) }),
    passphrase: async (folder: string) =>
      file === undefined && canAsk() ? askSecret(`Passphrase of ${folder}: `, signal) : readPassphrase(file),
  };
  const taken = await decideOnJob(options, who, target, { decision, reason });
  const missing = decision === 'approve' ? missingAfter(target) : 0;
  output.result({ ...taken, missing }, takenText(taken, missing));
  return undefined;
}

/** How many people more have to approve. */
function missingAfter({ approvers, decisions }: JobToDecide): number {
  const counted = decisions.filter(({ decision, counts }) => decision === 'approve' && counts);
  return Math.max(0, (approvers ?? 0) - new Set(counted.map(({ by }) => by)).size - 1);
}

function takenText({ job, by, decision }: DecisionTaken, missing: number): string {
  const id = job.slice(0, 12);
  if (decision === 'deny') return `${id} is denied by ${by}`;
  if (decision === 'revoke') return `${id}: the approval is taken back by ${by}; the job ends here`;
  const rest = missing === 1 ? 'one more person has to approve' : `${missing} more people have to approve`;
  return `${id} is approved by ${by}${missing === 0 ? '' : `; ${rest}`}`;
}
