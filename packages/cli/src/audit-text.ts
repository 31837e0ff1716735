/**
 * What was found in an audit log, as text.
 * @module
 */
import type { AuditReport, Comparison, Finding } from '@folkmoot/core/audit-verification.js';
import { indent } from './table.ts';

/** Another party's log, or another copy of this one, that a log was compared with. */
export interface Compared extends Comparison {
  readonly party: string;
}

export interface Verified {
  readonly ok: boolean;
  readonly report: AuditReport;
  readonly compared: readonly Compared[];
  readonly findings: readonly Finding[];
}

/** All that was found, in the log itself and in what others hold. */
export function verified(report: AuditReport, compared: readonly Compared[]): Verified {
  const findings = [...report.findings, ...compared.flatMap((one) => one.findings)];
  return { ok: findings.length === 0, report, compared, findings };
}

export function verifiedText({ ok, report, compared, findings }: Verified): string {
  const { party, size, root, countersigned, tail, dropped, lost, job } = report;
  const lines = [
    job === undefined ? `Audit log of ${party}: ${count(size, 'entry', 'entries')}` : `Job ${job} at ${party}`,
    `Root  ${root}`,
    '',
    countersigned === null
      ? 'No other party has signed any of it: it is this party’s own word.'
      : `Signed up to entry ${countersigned.size - 1} by ${countersigned.by.join(', ')}, at ${countersigned.at}.`,
    ...(countersigned !== null && tail > 0
      ? [`After that ${count(tail, 'entry is', 'entries are')} this party’s own word still.`]
      : []),
    ...(dropped > 0 ? [`The texts of ${dropped} were dropped after their time; their hashes are there.`] : []),
    ...lost.map((one) => `Lost, as its owner confirmed in entry ${one.entry}: the state of ${one.size} entries.`),
    ...compared.flatMap(comparedText),
    '',
    ok ? standsText(job) : `${count(findings.length, 'finding', 'findings')}:`,
    ...(ok ? [] : [indent(findings.map(findingText).join('\n'))]),
  ];
  return lines.join('\n');
}

/** What it means that nothing was found. Of one job alone it is not known what was left out of the file. */
export function standsText(job: string | undefined): string {
  if (job === undefined) return 'Nothing was changed, taken out or taken back.';
  return 'These entries stand in the log as they were entered. That the job has no others, only the whole log shows.';
}

function comparedText({ party, findings, lost }: Compared): string[] {
  const agreed = findings.length === 0 ? `It agrees with the log of ${party}.` : `It differs from the log of ${party}.`;
  return [
    agreed,
    ...lost.map(
      ({ size, kept }) => `Of the ${size} entries that ${party} signed for and it lost, the first ${kept} stand.`,
    ),
  ];
}

function findingText({ code, party, text, entry, between }: Finding): string {
  const where =
    entry !== undefined
      ? `entry ${entry}`
      : between === undefined
        ? 'all'
        : `entries ${between[0]} to ${Math.max(between[0], between[1] - 1)}`;
  return `${code}  ${party}, ${where}: ${text}`;
}

const count = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;
