/**
 * `folkmoot explain`: what a job would do, before anyone is asked: who sends what to whom, what is revealed to whom
 * under which rule, and at what cost. It needs no connection and no key.
 * @module
 */
import { resolve } from 'node:path';
import { type Charter, parseCharter } from '@folkmoot/core/charter.js';
import { checkJob } from '@folkmoot/core/check-job.js';
import { parseDocument } from '@folkmoot/core/document.js';
import { layout } from '@folkmoot/core/encode.js';
import { InputError } from '@folkmoot/core/errors.js';
import { parseJob } from '@folkmoot/core/job.js';
import { compile } from '@folkmoot/core/local.js';
import { plan, renderPlan } from '@folkmoot/core/plan.js';
import { checkPolicy, judge, policySchema, usesOf, type Verdict } from '@folkmoot/core/policy.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { z } from 'zod';
import type { CommandSpec } from '../command.ts';
import { analystOf, readConsortium } from '../consortium.ts';
import { exitCodes } from '../exit-code.ts';
import { readText } from '../files.ts';

interface Options {
  readonly consortium?: string;
  readonly charter?: string;
  readonly policy?: readonly string[];
  readonly as?: string;
}

/** Whose rules they are, and the rules; the rest of a node.yaml is the node’s own business. */
const ruled = z.looseObject({ party: z.string(), policy: policySchema });

export const explain: CommandSpec<Options> = {
  summary: 'show the plan of a job: who learns what, and what it costs',
  arguments: [['<job>', 'the job, as YAML or JSON']],
  options: [
    { flags: '--consortium <folder>', text: 'a charter.yaml, and a folder with a node.yaml for each party' },
    { flags: '--charter <file>', text: 'a charter alone' },
    { flags: '--policy <node.yaml...>', text: 'with --charter: parties’ own rules, as far as you have them' },
    { flags: '--as <analyst>', text: 'who asks (default: the first analyst of the charter)' },
  ],
  examples: [
    'folkmoot explain job.yaml --consortium nodes',
    'folkmoot explain job.yaml --charter charter.json --policy camden/node.yaml',
  ],
  async run({ output, cwd }, [file = ''], options) {
    const job = parseJob(await readText(resolve(cwd, file)), file);
    const { charter, nodeFiles } = await readRules(options, cwd);
    const analyst = analystOf(charter, options.as);
    const checked = checkJob(job, charter);
    const query = compile(checked, charter.analysts[analyst]!.party ?? null);
    const verdicts = new Map<string, Verdict>();
    for (const nodeFile of nodeFiles) {
      const { party, policy } = parseDocument(await readText(nodeFile), ruled, { name: nodeFile });
      if (!checked.parties.includes(party)) continue;
      checkPolicy(policy, charter, party);
      verdicts.set(party, judge(checked, usesOf(checked), party, policy, analyst, systemClock.now()));
    }
    const made = plan({
      checked,
      query,
      layout: layout(query, checked.dataset, checked.parties.length),
      analyst,
      verdicts,
    });
    output.result(made, renderPlan(made));
    return [...verdicts.values()].some(({ verdict }) => verdict === 'refuse') ? exitCodes.refused.code : undefined;
  },
};

async function readRules(options: Options, cwd: string): Promise<{ charter: Charter; nodeFiles: readonly string[] }> {
  const { consortium, charter, policy = [] } = options;
  if ((consortium === undefined) === (charter === undefined)) {
    throw new InputError('BAD_USAGE', { detail: 'give either --consortium or --charter' });
  }
  if (consortium !== undefined) {
    if (policy.length > 0) throw new InputError('BAD_USAGE', { detail: '--policy goes with --charter' });
    const read = await readConsortium(resolve(cwd, consortium));
    return { charter: read.charter, nodeFiles: [...read.nodeFiles.values()] };
  }
  const text = await readText(resolve(cwd, charter!));
  return { charter: parseCharter(text, charter!), nodeFiles: policy.map((file) => resolve(cwd, file)) };
}
