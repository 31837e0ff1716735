/**
 * What an answer says of its protection, in plain words below its tables: what was spent, what holds, how large the noise
 * is, and what its intervals leave out.
 * @module
 */
import type { Answer } from '@folkmoot/core/answer.js';
import { type Column, indent, renderTable } from './table.ts';

export type Protection = NonNullable<Answer['privacy']>;

/** The footer of a protected answer. */
export function protectionText(protection: Protection): string {
  const { mechanism, collusion, honest, unit } = protection;
  const name = mechanism === 'laplace' ? 'Laplace' : 'Gaussian';
  const who = unit === 'row' ? 'row' : `person (\`${unit}\`)`;
  const promise =
    collusion === 0
      ? `Each ${who} is protected as long as no party tells another what it knows of the noise.`
      : `Each ${who} is protected even if ${collusion} of the ${collusion + honest} parties put together what they know of the noise.`;
  return [
    `Protected by ${name} noise: ${spentText(protection)} spent.`,
    promise,
    `95%: where the figure without noise lies, in 95 of 100 answers. Sampling error is apart.`,
    '',
    indent(noiseTable(protection)),
  ].join('\n');
}

/** What a budget was charged, in the unit that the job asked in. */
function spentText({ epsilon, charged }: Protection): string {
  if (epsilon === null) return `ρ = ${charged.rho}`;
  return charged.delta === 0 ? `ε = ${charged.epsilon}` : `ε = ${charged.epsilon} and δ = ${charged.delta}`;
}

/** Below how many rows in a noisy count a figure is withheld. */
export function rowsNeeded({ rows_per_unit, parties_per_unit }: Protection, threshold: number): number {
  return threshold * rows_per_unit * parties_per_unit;
}

function noiseTable({ releases, epsilon }: Protection): string {
  const inEpsilon = epsilon !== null && releases.every((release) => release.epsilon !== null);
  const columns = [text('opened'), text('for'), number(inEpsilon ? 'ε' : 'ρ'), number('noise scale')];
  const rows = releases.map((release) => {
    const part = inEpsilon ? release.epsilon : release.rho;
    return [
      // Labels begin with a number, which tells equal ones apart.
      release.label.replace(/^\d+ /, ''),
      release.measures.join(', '),
      part === null ? '' : short(part),
      short(release.scale),
    ];
  });
  return renderTable(columns, rows);
}

function short(value: number): string {
  return value >= 0.001 && value < 1e9
    ? value.toLocaleString('en-GB', { maximumSignificantDigits: 4 })
    : value.toPrecision(3);
}

const text = (title: string): Column => ({ title, align: 'left' });
const number = (title: string): Column => ({ title, align: 'right' });
