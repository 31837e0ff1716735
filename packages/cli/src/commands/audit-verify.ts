/**
 * `folkmoot audit verify`: whether an audit log is what was entered and signed, and where it is not.
 * @module
 */
import { resolve } from 'node:path';
import { type AuditExport, parseExport } from '@folkmoot/core/audit-export.js';
import { type AuditReport, compareCopies, compareWitness, verifyAudit } from '@folkmoot/core/audit-verification.js';
import type { Charter } from '@folkmoot/core/charter.js';
import { reportOf, StateError } from '@folkmoot/core/errors.js';
import { type Compared, verified, verifiedText } from '../audit-text.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { readText } from '../files.ts';
import { type OwnLogOptions, ownerOptions, ownLogOptions, sealedCharter } from '../own-log.ts';

interface Options extends OwnLogOptions {
  readonly with?: readonly string[];
}

export const auditVerify: CommandSpec<Options> = {
  summary: 'find any edit, deletion, roll-back or fork of an audit log, and say where',
  arguments: [['[file]', 'an exported log; without it the party’s own, as it stands in the database']],
  options: [
    ...ownLogOptions,
    { flags: '--with <file...>', text: 'compare with what other parties, or other copies, have exported' },
    { flags: '--charter <file>', text: 'the sealed charter (default: that of --config, or charter.json here)' },
  ],
  examples: [
    'folkmoot audit verify --config camden/node.yaml',
    'folkmoot audit verify --config camden/node.yaml --with hackney.log',
    'folkmoot audit verify camden.log --charter charter.json --with hackney.log',
  ],
  async run(invocation, [file], options) {
    const { output } = invocation;
    const needed = options.with ?? [];
    const { report, log, charter } = await looked(invocation, file, options, needed.length > 0);
    const compared: Compared[] = [];
    for (const name of needed) compared.push(compare(log!, await readLog(invocation, name), charter!));
    const result = verified(report, compared);
    const error = result.ok ? {} : { error: reportOf(new StateError('AUDIT_BROKEN', { party: report.party })) };
    output.result({ ...result, ...error }, verifiedText(result));
    return result.ok ? undefined : exitCodes.failure.code;
  },
};

interface Looked {
  readonly report: AuditReport;
  /** Where it is compared with another one. */
  readonly log?: AuditExport;
  readonly charter?: Charter;
}

async function looked(
  invocation: Invocation,
  file: string | undefined,
  options: Options,
  isCompared: boolean,
): Promise<Looked> {
  if (file !== undefined) {
    const charter = await sealedCharter(invocation, options);
    const log = await readLog(invocation, file);
    return { report: verifyAudit(log, { charter }), log, charter };
  }
  const { verifyOwnAudit, exportOwnAudit } = await import('@folkmoot/node/owner-audit.js');
  const own = ownerOptions(invocation, options);
  const report = await verifyOwnAudit(own);
  if (!isCompared) return { report };
  const charter = await sealedCharter(invocation, { config: 'node.yaml', ...options });
  return { report, log: await exportOwnAudit(own), charter };
}

async function readLog({ cwd }: Invocation, file: string): Promise<AuditExport> {
  return parseExport(await readText(resolve(cwd, file)), file);
}

/** What each of two logs holds of the other. */
function compare(log: AuditExport, other: AuditExport, charter: Charter): Compared {
  const { party } = other.header;
  if (party === log.header.party) return { party, findings: compareCopies(log, other), lost: [] };
  const { findings, lost } = compareWitness(log, other, charter);
  const back = compareWitness(other, log, charter);
  return { party, findings: [...findings, ...verifyAudit(other, { charter }).findings, ...back.findings], lost };
}
