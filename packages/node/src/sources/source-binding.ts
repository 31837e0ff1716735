/**
 * The `datasets:` section of a `node.yaml`: which of the party's own records stand behind a dataset of the charter.
 * @module
 */
import { extname, resolve } from 'node:path';
import { periodSchema } from '@folkmoot/core/acceptance.js';
import type { Dataset } from '@folkmoot/core/dictionary.js';
import { InputError, SourceError } from '@folkmoot/core/errors.js';
import { z } from 'zod';
import { budgetSchema } from '../budget.ts';
import { type FileForm, fileSource } from './duckdb.ts';
import { postgresSource } from './postgres.ts';
import type { Original } from './source.ts';

/**
 * A file of one form by its ending. Protected jobs read a CSV line by line (csv-lines.ts), so its quoted fields may hold
 * no line breaks there; Parquet and JSON lines may.
 */
const fileBinding = z.strictObject({ file: z.string().min(1) });
const postgresBinding = z.strictObject({
  postgres: z.strictObject({
    /** The name of the environment variable that holds the URL: no secret stands in a file. */
    url_env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the name of an environment variable'),
    table: z.string().regex(/^[^.\0]{1,63}(\.[^.\0]{1,63})?$/, 'expected table or schema.table'),
  }),
});

/** One dataset's binding. `columns` maps the dictionary's names to the source's own; the others are the same in both. */
export const bindingSchema = z.strictObject({
  period: periodSchema,
  budget: budgetSchema.optional(),
  source: z.union([fileBinding, postgresBinding], {
    error: 'expected { file: … } or { postgres: { url_env, table } }',
  }),
  columns: z.record(z.string(), z.string().min(1)).default({}),
});

export type Binding = z.infer<typeof bindingSchema>;

export interface Surroundings {
  /** The folder of the `node.yaml`, which paths are relative to. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly dataset: Dataset;
}

const forms: Readonly<Record<string, FileForm>> = {
  '.csv': 'csv',
  '.parquet': 'parquet',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
};

/**
 * The source of a binding. Nothing is read before it is asked.
 * @throws InputError UNKNOWN_COLUMN, BAD_VALUE
 * @throws SourceError SOURCE_UNREACHABLE where the URL's variable is not set
 */
export function openSource(binding: Binding, { folder, env, dataset }: Surroundings): Original {
  const at = `datasets.${dataset.name}`;
  for (const name of Object.keys(binding.columns)) {
    if (!Object.hasOwn(dataset.columns, name)) {
      throw new InputError('UNKNOWN_COLUMN', { field: `${at}.columns.${name}` });
    }
  }
  const ownName = (column: string): string =>
    Object.hasOwn(binding.columns, column) ? binding.columns[column]! : column;
  if ('file' in binding.source) {
    const { file } = binding.source;
    const form = forms[extname(file).toLowerCase()];
    if (form === undefined) {
      throw new InputError('BAD_VALUE', { field: `${at}.source.file`, detail: 'expected .csv, .parquet or .jsonl' });
    }
    return fileSource({ path: resolve(folder, file), shown: file, form, ownName });
  }
  const { url_env, table } = binding.source.postgres;
  const url = env[url_env];
  if (url === undefined || url === '') {
    throw new SourceError('SOURCE_UNREACHABLE', { field: `${at}.source`, detail: `\`${url_env}\` is not set` });
  }
  return postgresSource({ url, table, ownName, dataset });
}
