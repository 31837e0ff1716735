/**
 * Writes docs/ERRORS.md from the table of codes: `npm run docs`. A test compares the two.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorTable } from '@folkmoot/core/errors.js';

const layers: Record<keyof typeof errorTable, string> = {
  input: 'A document, a job or an option cannot be taken as it is. Nothing was started.',
  charter: 'A charter or a key cannot be trusted.',
  policy: 'A party’s rules, the charter or the clock forbid the job. No record was read.',
  protocol: 'A computation among parties could not go on. It ended for every party, and nothing was opened by it.',
  transport: 'A link, a frame or a login failed.',
  source:
    'A party’s own records cannot be used. The text names columns and forms, never values; other parties see the code alone.',
  state: 'A request does not fit the state of a node or a coordinator.',
};

/** The page as Markdown. */
export function errorsPage(): string {
  const sections = Object.entries(errorTable).map(([layer, table]) => {
    const rows = Object.entries(table).map(([code, { text, remedy }]) => `| \`${code}\` | ${text} | ${remedy} |`);
    return `## ${layer}\n\n${layers[layer as keyof typeof errorTable]}\n\n| code | what it means | what to do |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
  });
  return `# Errors\n\nEvery error has a code that stays the same, a text for people, and a remedy. With \`--json\` it is printed as\n\`{ "error": { "code", "message", "remedy", "field"?, "party"? } }\`. No error carries a value from a record.\n\n${sections.join('\n')}`;
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, 'ERRORS.md'), errorsPage());
