/**
 * The coordinator's status page: which charter, who is connected, how many jobs are in which state. No script, no text
 * of a job, and nothing that a visitor could not be told.
 * @module
 */
import { type Charter, charterHash, fingerprint } from '@folkmoot/core/charter.js';
import { type Phase, phases } from './lifecycle.ts';

const style = `
  :root { color-scheme: light dark; --ink: #1c2321; --soft: #5d6b66; --line: #d8dfdc; --paper: #fbfcfb; --on: #1d7a4f; }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e6ece9; --soft: #9aa8a2; --line: #33403b; --paper: #151a18; --on: #5fd39b; }
  }
  * { box-sizing: border-box; }
  body { margin: 0 auto; max-width: 46rem; padding: 3rem 1.5rem; background: var(--paper); color: var(--ink);
    font: 1rem/1.55 system-ui, sans-serif; }
  header { border-bottom: 1px solid var(--line); padding-bottom: 1.25rem; }
  h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; }
  h2 { margin: 2.25rem 0 .6rem; font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; color: var(--soft); }
  p { margin: .3rem 0 0; color: var(--soft); }
  code { font: .88rem/1.7 ui-monospace, monospace; color: var(--ink); overflow-wrap: anywhere; }
  table { width: 100%; border-collapse: collapse; }
  td, th { padding: .5rem 0; border-bottom: 1px solid var(--line); text-align: left; font-weight: 400; }
  td:last-child { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; padding-left: 1rem; }
  small { display: block; color: var(--soft); }
  .on { color: var(--on); } .off { color: var(--soft); }
  footer { margin-top: 2.5rem; font-size: .85rem; color: var(--soft); }
`;

const stateWords: Record<Phase, string> = {
  QUEUED: 'waits for parties or a free place',
  INVITING: 'parties are deciding',
  READY: 'all parties have accepted',
  RUNNING: 'parties are computing',
  DONE: 'sealed answer is ready',
  FAILED: 'ended without an answer',
  CANCELLED: 'taken back by its analyst',
  EXPIRED: 'not finished in time',
  POISONED: 'broken three times',
};

export function statusPage(
  charter: Charter,
  connected: readonly string[],
  counts: Partial<Record<Phase, number>>,
  version: string,
): string {
  const here = new Set(connected);
  const parties = Object.entries(charter.parties)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, { name }]) => {
      const state = here.has(id) ? '<span class="on">● connected</span>' : '<span class="off">○ not connected</span>';
      return `<tr><th scope="row">${escaped(name)}<small>${escaped(id)}</small></th><td>${state}</td></tr>`;
    });
  const jobs = phases.map(
    (phase) =>
      `<tr><th scope="row">${phase}<small>${stateWords[phase]}</small></th><td>${counts[phase] ?? 0}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(charter.charter)} · Folkmoot coordinator</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escaped(charter.charter)}</h1>
<p>Folkmoot coordinator, charter version ${charter.version}</p>
</header>
<main>
<h2>Parties</h2>
<table>${parties.join('\n')}</table>
<h2>Jobs</h2>
<table>${jobs.join('\n')}</table>
<h2>Charter fingerprint</h2>
<code title="${charterHash(charter)}">${escaped(fingerprint(charter))}</code>
<p>Compare it with your own copy by telephone. This coordinator relays sealed bytes; it cannot read shares or answers.</p>
</main>
<footer>Folkmoot ${escaped(version)}. Analysts sign jobs and open answers on their own machines, never on this page.</footer>
</body>
</html>
`;
}

function escaped(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replaceAll(/[&<>"']/g, (character) => entities[character]!);
}
