/**
 * `folkmoot explain`: what a job would do, before anyone is asked: who sends what to whom, what is revealed to whom
 * under which rule, and at what cost. It needs no connection and no key; only what is left of the parties' budgets has to
 * be asked of them (`--config`), and then nothing of the job is sent.
 * @module
 */
import { resolve } from 'node:path';
import { budgetsLeft } from '@folkmoot/client/budget.js';
import { type Charter, parseCharter } from '@folkmoot/core/charter.js';
import { checkJob } from '@folkmoot/core/check-job.js';
import { datasetOf } from '@folkmoot/core/checked-join.js';
import { parseDocument } from '@folkmoot/core/document.js';
import { InputError } from '@folkmoot/core/errors.js';
import { parseJob } from '@folkmoot/core/job.js';
import { lookUp } from '@folkmoot/core/name.js';
import { type PartyBudget, plan, renderPlan } from '@folkmoot/core/plan.js';
import { checkPolicy, judge, policySchema, usesOf, type Verdict } from '@folkmoot/core/policy.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { z } from 'zod';
import { type AnalystEnd, connectAnalyst } from '../analyst.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { analystOf, readConsortium } from '../consortium.ts';
import { exitCodes } from '../exit-code.ts';
import { readText } from '../files.ts';
import { orInterrupted } from '../interrupt.ts';

interface Options {
  readonly consortium?: string;
  readonly charter?: string;
  readonly policy?: readonly string[];
  readonly as?: string;
  readonly config?: string;
  readonly passphraseFile?: string;
}

/** Whose rules they are, and the rules; the rest of a node.yaml is the node’s own business. */
const bound = z.looseObject({ budget: z.looseObject({ rho: z.number().optional() }).optional() });
const ruled = z.looseObject({
  party: z.string(),
  policy: policySchema,
  datasets: z.record(z.string(), bound).default({}),
});

export const explain: CommandSpec<Options> = {
  summary: 'show the plan of a job: who learns what, and what it costs',
  arguments: [['<job>', 'the job, as YAML or JSON']],
  options: [
    { flags: '--consortium <folder>', text: 'a charter.yaml, and a folder with a node.yaml for each party' },
    { flags: '--charter <file>', text: 'a charter alone' },
    { flags: '--policy <node.yaml...>', text: 'with --charter: parties’ own rules, as far as you have them' },
    {
      flags: '--config <file>',
      text: 'your analyst.yaml: its charter, and what the parties state to be left of their budgets',
    },
    { flags: '--passphrase-file <file>', text: 'with --config: unwraps the keys' },
    { flags: '--as <analyst>', text: 'who asks (default: the first analyst of the charter)' },
  ],
  examples: [
    'folkmoot explain job.yaml --consortium nodes',
    'folkmoot explain job.yaml --charter charter.json --policy camden/node.yaml',
    'folkmoot explain job.yaml --config analyst.yaml',
  ],
  async run(invocation, [file = ''], options) {
    const { output, cwd } = invocation;
    const job = parseJob(await readText(resolve(cwd, file)), file);
    const { charter, nodeFiles, end } = await readRules(options, invocation);
    const analyst = end?.settings.analyst ?? analystOf(charter, options.as);
    const checked = checkJob(job, charter);
    const verdicts = new Map<string, Verdict>();
    // A node.yaml says what a party counts in; what is left there only the party knows.
    const budgets = new Map<string, PartyBudget>();
    for (const nodeFile of nodeFiles) {
      const { party, policy, datasets } = parseDocument(await readText(nodeFile), ruled, { name: nodeFile });
      if (!checked.parties.includes(party)) continue;
      const budget = lookUp(datasets, datasetOf(checked, party).name)?.budget;
      if (budget !== undefined) budgets.set(party, { unit: budget.rho === undefined ? 'epsilon' : 'rho' });
      checkPolicy(policy, charter, party);
      verdicts.set(party, judge(checked, usesOf(checked, party), party, policy, analyst, systemClock.now()));
    }
    if (end !== undefined && checked.privacy !== null) {
      const stated = await orInterrupted(invocation.signal, end.client.budget());
      const ofParty = (party: string) => datasetOf(checked, party).name;
      for (const dataset of new Set(checked.parties.map(ofParty))) {
        for (const [party, left] of budgetsLeft(stated, dataset)) {
          if (ofParty(party) === dataset) budgets.set(party, left);
        }
      }
    }
    const made = plan({ checked, analyst, verdicts, budgets });
    output.result(made, renderPlan(made));
    return [...verdicts.values()].some(({ verdict }) => verdict === 'refuse') ? exitCodes.refused.code : undefined;
  },
};

interface Rules {
  readonly charter: Charter;
  readonly nodeFiles: readonly string[];
  /** With `--config`: the analyst's end of the coordinator. */
  readonly end?: AnalystEnd;
}

async function readRules(options: Options, invocation: Invocation): Promise<Rules> {
  const { consortium, charter, config, policy = [] } = options;
  const { cwd } = invocation;
  if ([consortium, charter, config].filter((one) => one !== undefined).length !== 1) {
    throw new InputError('BAD_USAGE', { detail: 'give either --consortium, --charter or --config' });
  }
  if (config !== undefined) {
    if (options.as !== undefined) throw new InputError('BAD_USAGE', { detail: '--config says who asks' });
    const end = await connectAnalyst(invocation, options);
    return { charter: end.settings.charter, nodeFiles: policy.map((file) => resolve(cwd, file)), end };
  }
  if (consortium !== undefined) {
    if (policy.length > 0) throw new InputError('BAD_USAGE', { detail: '--policy goes with --charter' });
    const read = await readConsortium(resolve(cwd, consortium));
    return { charter: read.charter, nodeFiles: [...read.nodeFiles.values()] };
  }
  const text = await readText(resolve(cwd, charter!));
  return { charter: parseCharter(text, charter!), nodeFiles: policy.map((file) => resolve(cwd, file)) };
}
