/**
 * A party's file as SQL: its records under the dictionary's names, with the null rule and the bounds of each column, and,
 * for a join, the identifier in the form in which it is compared.
 *
 * Identifiers are taken as plain ASCII here, as the demo's are; the same rules in full stand in core's identifier.ts.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Column, Dataset } from '@folkmoot/core/dictionary.js';
import { parseDocument } from '@folkmoot/core/document.js';
import { plainPath } from '@folkmoot/node/in-memory.js';
import { z } from 'zod';
import { column } from './pooled-figures.ts';

const bindings = z.looseObject({
  datasets: z.record(
    z.string(),
    z.looseObject({ source: z.object({ file: z.string() }), columns: z.record(z.string(), z.string()).default({}) }),
  ),
});

/** How the columns of a join's side are called, and by which of them it is joined. */
export interface Side {
  readonly prefix: string;
  readonly key: string;
  /** What the canonical identifier is called; null where it could not be matched. */
  readonly as: string;
}

export const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** `party`, each column, and `<name>?` for what was null before the null rule. */
export async function tableSql(party: string, dataset: Dataset, folder: string, side?: Side): Promise<string> {
  const nodeFile = join(folder, party, 'node.yaml');
  const binding = parseDocument(await readFile(nodeFile, 'utf8'), bindings, { name: nodeFile }).datasets[dataset.name]!;
  const path = text(plainPath(resolve(dirname(nodeFile), binding.source.file)));
  const relation = path.endsWith(`.parquet'`)
    ? `read_parquet(${path})`
    : path.endsWith(`.csv'`)
      ? `read_csv(${path}, header = true, all_varchar = true)`
      : `read_json(${path})`;
  const selected = Object.entries(dataset.columns).flatMap(([name, rules]) => {
    if (rules.type === 'identifier') return [];
    const raw = `CAST(${column(binding.columns[name] ?? name)} AS VARCHAR)`;
    const own = `${side?.prefix ?? ''}${name}`;
    return [`${settled(raw, rules)} AS ${column(own)}`, `${raw} IS NULL AS ${column(`${own}?`)}`];
  });
  if (side === undefined) return `SELECT ${text(party)} AS party, ${selected.join(', ')} FROM ${relation}`;
  const raw = `CAST(${column(binding.columns[side.key] ?? side.key)} AS VARCHAR)`;
  const canonical = canonicalSql(raw, dataset.columns[side.key] as Identifier);
  return `SELECT ${[`${canonical} AS ${column(side.as)}`, ...selected].join(', ')} FROM ${relation}`;
}

function settled(raw: string, rules: Exclude<Column, { type: 'identifier' }>): string {
  const clamped = (value: string, type: string, min: string, max: string): string => {
    const known = rules.nulls === 'zero' ? `coalesce(${value}, 0)` : value;
    return `CASE WHEN ${known} IS NOT NULL THEN CAST(least(greatest(${known}, ${min}), ${max}) AS ${type}) END`;
  };
  switch (rules.type) {
    case 'integer':
      return clamped(`CAST(${raw} AS HUGEINT)`, 'HUGEINT', String(rules.min), String(rules.max));
    case 'decimal': {
      const type = `DECIMAL(37, ${rules.scale})`;
      return clamped(`CAST(${raw} AS ${type})`, type, String(rules.min), String(rules.max));
    }
    case 'boolean':
      return clamped(`CAST(CAST(${raw} AS BOOLEAN) AS INTEGER)`, 'INTEGER', '0', '1');
    case 'date':
      return clamped(`CAST(${raw} AS DATE)`, 'DATE', `DATE '${rules.min}'`, `DATE '${rules.max}'`);
    case 'category':
      return raw;
  }
}

type Identifier = Extract<Column, { type: 'identifier' }>;

/** Null for what is no identifier at all. */
function canonicalSql(raw: string, { normalise, check }: Identifier): string {
  const where = (value: string, condition: string): string => `CASE WHEN ${condition} THEN ${value} END`;
  const trimmed = `trim(${raw})`;
  switch (normalise) {
    case undefined:
      return `nullif(${raw}, '')`;
    case 'nfkc-lower':
      return `nullif(lower(${trimmed}), '')`;
    case 'upper-alnum':
      return `nullif(regexp_replace(upper(${raw}), '[^A-Z0-9]', '', 'g'), '')`;
    case 'date':
      return `strftime(TRY_CAST(${trimmed} AS DATE), '%Y-%m-%d')`;
    case 'digits': {
      const digits = `regexp_replace(${raw}, '[^0-9]', '', 'g')`;
      // A number as a spreadsheet renders it has lost its digits.
      const isWhole = `NOT regexp_full_match(${trimmed}, '[+-]?[0-9]+(\\.0|(\\.[0-9]+)?[eE][+-][0-9]+)')`;
      if (check === 'nhs') return where(digits, `${isWhole} AND length(${digits}) = 10 AND ${isNhsNumber(digits)}`);
      if (check === 'uprn') {
        const plain = `ltrim(${digits}, '0')`;
        return where(plain, `${isWhole} AND length(${plain}) BETWEEN 1 AND 12`);
      }
      return where(`nullif(${digits}, '')`, isWhole);
    }
  }
}

/** The digits with the weights 10 to 1 add up to a multiple of 11. */
function isNhsNumber(digits: string): string {
  const terms = Array.from({ length: 10 }, (_, at) => `${10 - at} * TRY_CAST(${digits}[${at + 1}] AS INTEGER)`);
  return `(${terms.join(' + ')}) % 11 = 0`;
}
