/**
 * `folkmoot verify`: which parties have signed what about an answer, checked with the charter alone.
 * @module
 */
import { resolve } from 'node:path';
import { type Receipt, verifyAnswer } from '@folkmoot/client/receipt.js';
import { charterHash, fingerprint } from '@folkmoot/core/charter.js';
import { conform } from '@folkmoot/core/document.js';
import { InputError } from '@folkmoot/core/errors.js';
import { z } from 'zod';
import type { CommandSpec } from '../command.ts';
import { readText } from '../files.ts';
import { type OwnLogOptions, sealedCharter } from '../own-log.ts';
import { indent, renderTable } from '../table.ts';

/** What the receipts are about; figures are not among it, since no party ever saw them. */
const answerSchema = z.looseObject({
  job: z.string().regex(/^[0-9a-f]{64}$/, 'expected a job’s id'),
  parties: z.array(z.string()).min(1),
  helper: z.string().optional(),
  receipts: z.array(z.unknown()),
});

export const verify: CommandSpec<Pick<OwnLogOptions, 'charter'>> = {
  summary: 'check the receipts of an answer, offline, with the charter alone',
  arguments: [['<answer>', 'answer.json, as `folkmoot result --json` writes it']],
  options: [{ flags: '--charter <file>', text: 'the sealed charter (default: charter.json here)' }],
  examples: ['folkmoot verify answer.json', 'folkmoot verify answer.json --charter nodes/charter.json --json'],
  async run(invocation, [file = ''], options) {
    const { output, cwd } = invocation;
    const charter = await sealedCharter(invocation, options);
    const { helper, ...given } = conform(parsed(await readText(resolve(cwd, file)), file), answerSchema, {
      name: file,
    });
    const answer = { ...given, ...(helper === undefined ? {} : { helper }) };
    verifyAnswer(answer, charter);
    const receipts = answer.receipts as readonly Receipt[];
    const signed = receipts.map(({ party, attempt, acceptance, commitment }) => ({
      ...{ party, attempt, rule: acceptance.rule, build: acceptance.build, min_group: acceptance.min_group },
      ...{ period: acceptance.period ?? null, commitment },
    }));
    const rows = signed.map(({ party, rule, min_group, period, commitment }) => [
      ...[party, party === helper ? 'helper' : rule, String(min_group), period ?? '–', commitment.slice(0, 16)],
    ]);
    const columns = ['party', 'accepted by', 'min_group', 'period', 'released'].map((title) => {
      return { title, align: 'left' as const };
    });
    const result = {
      ok: true,
      job: answer.job,
      charter: charterHash(charter),
      receipts: signed,
      not_proved: notProved,
    };
    const text = [
      `Job ${answer.job}`,
      `under ${charter.charter}, version ${charter.version}, ${fingerprint(charter)}`,
      '',
      indent(renderTable(columns, rows)),
      '',
      'Each of these parties has accepted this job under this charter, and all have signed one list of what each released.',
      'Not proved:',
      indent(notProved.map((what) => `· ${what}`).join('\n')),
    ];
    output.result(result, text.join('\n'));
    return undefined;
  },
};

/** An answer may be larger than any document that people write. */
function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new InputError('BAD_SYNTAX', {
      field: file,
      remedy: 'save it with `folkmoot result JOB --json > answer.json`',
    });
  }
}

const notProved = [
  'the figures: only the analyst could open what was released, and no party saw them',
  'what was asked: the job’s text is not in the answer, its id is the hash of it',
  'that records were true, or that the parties did not sign falsely together',
  'that this is the right charter: compare its fingerprint',
];
