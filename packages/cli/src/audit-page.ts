/**
 * An audit log as one page for people: it needs nothing besides itself, and prints as it stands.
 *
 * Everything that comes from the log is escaped. What the page says about signatures was verified by whoever made it; the
 * JSON lines are what others can verify.
 * @module
 */
import type { AuditPayload } from '@folkmoot/core/audit-entry.js';
import type { AuditExport } from '@folkmoot/core/audit-export.js';
import type { AuditReport } from '@folkmoot/core/audit-verification.js';
import { type Charter, fingerprint } from '@folkmoot/core/charter.js';
import { standsText } from './audit-text.ts';
import { entryText, jobOf } from './audit-words.ts';

const style = `
  :root { color-scheme: light; --ink: #1b1f24; --soft: #57606a; --line: #d8dee4; --good: #1a7f37; --bad: #b42318; }
  * { box-sizing: border-box; }
  body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 68rem; color: var(--ink); background: #fff;
    font: 15px/1.5 system-ui, sans-serif; }
  h1 { margin: 0; font-size: 1.7rem; line-height: 1.2; } h2 { margin: 2.2rem 0 .6rem; font-size: 1.1rem; }
  .soft { color: var(--soft); } code { font: 12.5px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: 1.4rem 0 0; }
  dt { color: var(--soft); } dd { margin: 0; }
  .verdict { margin: 1.4rem 0 0; padding: .7rem 1rem; border-left: 4px solid var(--good); background: #f6f8fa; }
  .verdict.bad { border-color: var(--bad); } .verdict p { margin: 0 0 .2rem; }
  table { width: 100%; border-collapse: collapse; } caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
  th { text-align: left; font-weight: 600; border-bottom: 2px solid var(--line); padding: .35rem .7rem .35rem 0; }
  td { vertical-align: top; border-bottom: 1px solid var(--line); padding: .35rem .7rem .35rem 0; }
  .number { text-align: right; font-variant-numeric: tabular-nums; } .nowrap { white-space: nowrap; }
  tr.tail td { background: #fff8e6; } footer { margin-top: 2.5rem; color: var(--soft); font-size: 13px; }
  @media print {
    body { padding: 0; max-width: none; font-size: 10.5px; } h2 { break-after: avoid; }
    thead { display: table-header-group; } tr { break-inside: avoid; } .verdict, tr.tail td { background: none; }
    code { font-size: 9px; }
    @page { margin: 16mm 14mm; }
  }`;

/** The page of a log that was verified before. */
export function auditPage(log: AuditExport, report: AuditReport, charter: Charter): string {
  const { header } = log;
  const name = charter.parties[header.party]?.name ?? header.party;
  const title = header.job === undefined ? `Audit log of ${name}` : `One job in the audit log of ${name}`;
  const facts = [
    ['Party', `${name} (${header.party})`],
    ['Charter', `${charter.charter}, version ${charter.version}: ${fingerprint(charter)}`],
    ...(header.job === undefined ? [] : [['Job', header.job]]),
    ['Entries', header.job === undefined ? String(header.size) : `${log.entries.length} of ${header.size}`],
    ['Root', header.root],
    ['Written', instant(header.exported)],
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}
</style>
</head>
<body>
<header>
<h1>${escaped(title)}</h1>
<p class="soft">Every entry is a leaf of a Merkle tree whose heads the other parties have signed.</p>
<dl>
${facts.map(([term, text]) => `<dt>${escaped(term!)}</dt><dd>${escaped(text!)}</dd>`).join('\n')}
</dl>
${verdict(report)}
</header>
<main>
<h2>Entries</h2>
${entries(log, report)}
<h2>Signed by others</h2>
${signatures(log)}
</main>
<footer>
<p>Times are this party’s own, in UTC. A log shows that what was entered has not been changed since others signed it; it does
not show that everything was entered, or that it was true. This page can be verified by nobody: for that, ask for the JSON
lines (<code>folkmoot audit export</code>) and run <code>folkmoot audit verify FILE --charter charter.json</code>.</p>
</footer>
</body>
</html>
`;
}

function verdict({ ok, job, countersigned, tail, findings, dropped, lost }: AuditReport): string {
  const said = [
    ok ? standsText(job) : `${findings.length} findings: this log is not what was entered.`,
    countersigned === null
      ? 'No other party has signed any of it.'
      : `Signed up to entry ${countersigned.size - 1} by ${countersigned.by.join(', ')}, at ${instant(countersigned.at)}.`,
    ...(tail > 0 ? [`${tail} of the entries shown are this party’s own word still (shaded).`] : []),
    ...(dropped > 0 ? [`The texts of ${dropped} entries were dropped after the charter’s time.`] : []),
    ...lost.map((one) => `A state of ${one.size} entries was lost, as entry ${one.entry} says.`),
    ...findings.map(({ code, text }) => `${code}: ${text}.`),
  ];
  return `<div class="verdict${ok ? '' : ' bad'}">\n${said.map((text) => `<p>${escaped(text)}</p>`).join('\n')}\n</div>`;
}

function entries({ entries: all }: AuditExport, { countersigned }: AuditReport): string {
  const rows = all.map(({ entry, text }) => {
    const payload = text === null ? undefined : (JSON.parse(text) as AuditPayload);
    const [at, job, said] =
      payload === undefined
        ? ['', '', 'dropped after its time; its hash is there']
        : [instant(payload.at), jobOf(payload).slice(0, 12), entryText(payload)];
    const isTail = entry >= (countersigned?.size ?? 0);
    return `<tr${isTail ? ' class="tail"' : ''}><td class="number">${entry}</td><td class="nowrap">${escaped(at)}</td><td><code>${escaped(job)}</code></td><td>${escaped(said)}</td></tr>`;
  });
  return table(['#', 'When', 'Job', 'What'], rows, `${all.length} entries`);
}

function signatures({ countersignatures, heads }: AuditExport): string {
  const rows = countersignatures.map(({ size, by, signature }) => {
    const at = heads.find(({ head }) => head.head.size === size)?.head.head.at;
    return `<tr><td class="number">${size}</td><td class="nowrap">${escaped(at === undefined ? '' : instant(at))}</td><td>${escaped(by)}</td><td><code>${escaped(signature)}</code></td></tr>`;
  });
  return rows.length === 0
    ? '<p>None.</p>'
    : table(['Entries', 'Head of', 'By', 'Signature'], rows, 'Countersignatures');
}

function table(columns: readonly string[], rows: readonly string[], caption: string): string {
  const heads = columns.map((column) => `<th scope="col">${escaped(column)}</th>`).join('');
  return `<table>\n<caption>${escaped(caption)}</caption>\n<thead><tr>${heads}</tr></thead>\n<tbody>\n${rows.join('\n')}\n</tbody>\n</table>`;
}

const instant = (at: string): string => at.slice(0, 19).replace('T', ' ');

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => entities[sign]!);
}
