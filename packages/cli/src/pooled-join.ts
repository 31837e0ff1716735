/**
 * The rows of a join, as nobody but a demo or a test can make them: both sides' files joined on the identifier, by SQL.
 * @module
 */
import type { Charter } from '@folkmoot/core/charter.js';
import type { Dataset } from '@folkmoot/core/dictionary.js';
import type { Job } from '@folkmoot/core/job.js';
import { column } from './pooled-figures.ts';
import { tableSql } from './pooled-table.ts';

type Join = NonNullable<Job['join']>;

/** What the canonical identifier is called among the columns of the pairs; no column of a dictionary has this name. */
export const personColumn = 'person?';

/** The columns of both sides, under the names that a job gives them. */
export function joinedDataset({ left, right, on }: Join, charter: Charter): Dataset {
  const columns = Object.entries({ left, right }).flatMap(([side, { dataset }]) =>
    Object.entries(charter.datasets[dataset]!.columns).map(([name, rules]) => [`${side}.${name}`, rules] as const),
  );
  const { name, ...rest } = charter.datasets[left.dataset]!;
  return { ...rest, name: `${name} and ${right.dataset}`, unit: `left.${on}`, columns: Object.fromEntries(columns) };
}

/** Of the pairs of each person that meet a condition, one. */
export function onePair(pairs: string, where: string): string {
  return `SELECT DISTINCT ON (${column(personColumn)}) * FROM (${pairs}) WHERE ${where}`;
}

/** A row for each pair of rows whose identifiers are the same; one that is missing or unusable is nobody's. */
export async function joinedSql({ left, right, on }: Join, charter: Charter, folder: string): Promise<string> {
  const side = ({ party, dataset }: Join['left'], prefix: string, as: string) =>
    tableSql(party, charter.datasets[dataset]!, folder, { prefix, key: on, as });
  const key = column(personColumn);
  const [one, other] = await Promise.all([side(left, 'left.', personColumn), side(right, 'right.', personColumn)]);
  return `SELECT '' AS party, * FROM (${one}) JOIN (${other}) USING (${key}) WHERE ${key} IS NOT NULL`;
}
