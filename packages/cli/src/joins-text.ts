/**
 * A party's joins as text, for its owner.
 * @module
 */
import { type Column, renderTable, withThousands } from './table.ts';

/** As much of a node's report as text needs; see the node's own `JoinReport`. */
export interface JoinsLike {
  readonly party: string;
  readonly joins: readonly {
    readonly job: string;
    readonly title: string;
    readonly analyst: string;
    readonly at: string;
    readonly side: string;
    readonly counterpart: string;
    readonly dataset: string;
    readonly key: string;
    readonly rows: number;
    readonly unusable: { readonly empty: number; readonly malformed: number; readonly failed_check: number };
    readonly matches: number | null;
  }[];
}

const text = (title: string): Column => ({ title, align: 'left' });
const number = (title: string): Column => ({ title, align: 'right' });
const count = (value: number): string => withThousands(String(value));

/** Of each join when and with whom, and how many identifiers were no use; with the matches of one, if they are asked for. */
export function joinsText({ party, joins }: JoinsLike, matches?: readonly string[]): string {
  if (joins.length === 0) return `${party} has taken part in no join.`;
  const told = joins.some((join) => join.matches !== null);
  const columns = [
    ...['when', 'job', 'with', 'dataset', 'matched on', 'analyst'].map(text),
    ...['rows', 'empty', 'malformed', 'failed check', 'unusable', ...(told ? ['matches'] : [])].map(number),
    text('title'),
  ];
  const rows = joins.map(
    ({ at, job, counterpart, dataset, key, analyst, rows: read, unusable, matches: found, title }) => {
      const { empty, malformed, failed_check } = unusable;
      const figures = [read, empty, malformed, failed_check].map(count);
      const share = shareText(empty + malformed + failed_check, read);
      return [
        ...[at.slice(0, 16).replace('T', ' '), job.slice(0, 12), counterpart, dataset, key, analyst],
        ...[...figures, share, ...(told ? [found === null ? '–' : count(found)] : []), title],
      ];
    },
  );
  const remarks = [
    'Unusable identifiers were left out: they match nobody. Nobody but you is told how many there are.',
    ...(told && matches === undefined
      ? ['Where a job revealed its matches to you, `folkmoot node joins JOB --matches` lists them.']
      : []),
  ];
  const blocks = [`Joins of ${party}`, renderTable(columns, rows), remarks.join('\n')];
  if (matches !== undefined) blocks.push(matchesText(joins[0]!.counterpart, matches));
  return blocks.join('\n\n');
}

function shareText(part: number, of: number): string {
  return of === 0 ? '–' : `${((100 * part) / of).toFixed(1)} %`;
}

/** What came from a record is shown as JSON writes it, so that nothing in it moves a cursor. */
function matchesText(counterpart: string, matches: readonly string[]): string {
  if (matches.length === 0) return `${counterpart} has none of your people.`;
  const intro = `${count(matches.length)} of your people are known to ${counterpart} too, by the identifiers in your records:`;
  return [intro, ...matches.map(shown)].join('\n');
}

function shown(identifier: string): string {
  return /^[\p{L}\p{N} ._/-]+$/u.test(identifier) ? identifier : JSON.stringify(identifier);
}
