/**
 * Rows of texts written down in every form that a node reads, and what comes of asking.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dataset } from '@folkmoot/core/dictionary.js';
import type { SourceError } from '@folkmoot/core/errors.js';
import { evaluate } from '@folkmoot/core/local.js';
import { sideRecords } from '@folkmoot/core/side-records.js';
import type pg from 'pg';
import { inMemory } from '../src/sources/in-memory.ts';
import { openSource } from '../src/sources/source-binding.ts';
import type { Case, SideCase, TextRow } from './arbitrary-query.ts';

type Outcome = { readonly value: unknown } | { readonly code: string; readonly field: string | undefined };

async function outcomeOf(answer: () => Promise<unknown>): Promise<Outcome> {
  return answer().then(
    (value) => ({ value }),
    (error: SourceError) => {
      if (error.code === undefined) throw error;
      return { code: error.code, field: error.field };
    },
  );
}

/** What core's plain evaluation says. */
export function evaluated({ query, dataset, rows, ownParty }: Case): Promise<Outcome> {
  return outcomeOf(async () => evaluate(query, dataset, rows, ownParty));
}

/** What the source of a file says. */
export function askedOfFile(folder: string, file: string, { query, dataset, ownParty }: Case): Promise<Outcome> {
  const source = openSource({ period: 'p', source: { file }, columns: {} }, { folder, env: {}, dataset });
  return outcomeOf(() => source.query(query, dataset, ownParty));
}

/** What the source of a table says. */
export function askedOfTable(url: string, table: string, { query, dataset, ownParty }: Case): Promise<Outcome> {
  const binding = { period: 'p', source: { postgres: { url_env: 'SOURCE_URL', table } }, columns: {} };
  const source = openSource(binding, { folder: '/', env: { SOURCE_URL: url }, dataset });
  return outcomeOf(() => source.query(query, dataset, ownParty));
}

/** What core's plain reading brings to a join. */
export function brought({ side, rows }: SideCase): Promise<Outcome> {
  return outcomeOf(async () => sideRecords(side, rows));
}

export function broughtByFile(folder: string, file: string, { side }: SideCase): Promise<Outcome> {
  const { dataset } = side;
  const source = openSource({ period: 'p', source: { file }, columns: {} }, { folder, env: {}, dataset });
  return outcomeOf(() => source.sideRecords(side));
}

export function broughtByTable(url: string, table: string, { side }: SideCase): Promise<Outcome> {
  const binding = { period: 'p', source: { postgres: { url_env: 'SOURCE_URL', table } }, columns: {} };
  const source = openSource(binding, { folder: '/', env: { SOURCE_URL: url }, dataset: side.dataset });
  return outcomeOf(() => source.sideRecords(side));
}

/** A file of columns between commas cannot tell an empty text from none. */
export function asCsv(rows: readonly TextRow[]): readonly TextRow[] {
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, text]) => [name, text === '' ? null : text])),
  );
}

function csvField(text: string | null): string {
  if (text === null) return '';
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function writeCsv(folder: string, name: string, rows: readonly TextRow[]): string {
  const names = Object.keys(rows[0]!);
  const lines = [names.join(','), ...rows.map((row) => names.map((column) => csvField(row[column]!)).join(','))];
  writeFileSync(join(folder, name), `${lines.join('\n')}\n`);
  return name;
}

export function writeJson(folder: string, name: string, rows: readonly TextRow[]): string {
  writeFileSync(join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return name;
}

export async function writeParquet(folder: string, name: string, rows: readonly TextRow[]): Promise<string> {
  const json = join(folder, writeJson(folder, `${name}.jsonl`, rows));
  const columns = Object.keys(rows[0]!).map((column) => `'${column}': 'VARCHAR'`);
  await inMemory((run) =>
    run(`COPY (SELECT * FROM read_json('${json}', format = 'newline_delimited', columns = {${columns.join(', ')}}))
      TO '${join(folder, name)}' (FORMAT parquet)`),
  );
  return name;
}

/** A table of texts. Its first column is the order of the rows, which `keep_first` then follows. */
export async function writeTable(
  client: pg.Client,
  table: string,
  dataset: Dataset,
  rows: readonly TextRow[],
): Promise<void> {
  const names = Object.keys(dataset.columns);
  await client.query(`DROP TABLE IF EXISTS ${table};
    CREATE TABLE ${table} (place text, ${names.map((name) => `"${name}" text`).join(', ')})`);
  const places = rows.map((_, index) => String(index).padStart(6, '0'));
  const columns = [places, ...names.map((name) => rows.map((row) => row[name]))];
  const texts = columns.map((_, index) => `$${index + 1}::text[]`);
  await client.query(`INSERT INTO ${table} SELECT * FROM unnest(${texts.join(', ')})`, columns);
}
