/**
 * `folkmoot audit export`: a party's audit log for an auditor, as JSON lines or as a page to read and print.
 * @module
 */
import { resolve } from 'node:path';
import { exportText } from '@folkmoot/core/audit-export.js';
import { verifyAudit } from '@folkmoot/core/audit-verification.js';
import { auditPage } from '../audit-page.ts';
import type { CommandSpec } from '../command.ts';
import { writeWhole } from '../files.ts';
import { type OwnLogOptions, ownerOptions, ownLogOptions, sealedCharter } from '../own-log.ts';

interface Options extends OwnLogOptions {
  readonly html?: boolean;
  readonly job?: string;
  readonly out?: string;
}

export const auditExport: CommandSpec<Options> = {
  summary: 'write the audit log for an auditor, whole or of one job with its proofs',
  options: [
    ...ownLogOptions,
    { flags: '--job <id>', text: 'only this job, by its id or its first digits, with inclusion proofs' },
    { flags: '--html', text: 'a page to read and print, instead of JSON lines' },
    { flags: '--out <file>', text: 'where to write it (default: standard output)' },
  ],
  examples: [
    'folkmoot audit export --config camden/node.yaml --out camden.log',
    'folkmoot audit export --config camden/node.yaml --job 3f29c1 --html --out job.html',
  ],
  async run(invocation, _, options) {
    const { output, cwd } = invocation;
    const { exportOwnAudit } = await import('@folkmoot/node/owner-audit.js');
    const log = await exportOwnAudit(ownerOptions(invocation, options), options.job);
    const charter = await sealedCharter(invocation, { config: 'node.yaml', ...options });
    const text = options.html === true ? auditPage(log, verifyAudit(log, { charter }), charter) : exportText(log);
    const { party, size, root } = log.header;
    if (options.out === undefined) {
      output.result({ party, size, root, text }, text);
      return undefined;
    }
    const file = resolve(cwd, options.out);
    // It names who asked what: for those to read whom its owner gives it to.
    await writeWhole(file, text, 0o600);
    const entries = log.entries.length;
    output.result({ party, size, root, entries, file }, `${party}: ${entries} of ${size} entries written to ${file}`);
    return undefined;
  },
};
