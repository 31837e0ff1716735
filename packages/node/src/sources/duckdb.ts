/**
 * Files as a source: CSV, Parquet and JSON lines, read by DuckDB in this process.
 *
 * DuckDB guesses nothing: a CSV's header and shape are read by ourselves first (csv-header.ts), and whatever the file,
 * its columns come as text and are parsed by the patterns of column-sql.ts. Numbers in JSON lines keep every digit of an
 * integer; fractions pass through a double, as in every JSON reader, so those of more than 15 digits belong in quotes.
 *
 * One pass hashes the file and looks at its bytes, one lets DuckDB read it into a table in memory, one hashes it again:
 * a file that changes in between gives SOURCE_CHANGED, never an answer. Nothing is written to disk.
 *
 * For a snapshot no record may refuse the others, nor take them with it: a CSV is then read by ourselves, line by line
 * (csv-lines.ts), and so are JSON lines.
 * @module
 */
import { createHmac } from 'node:crypto';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Dataset } from '@folkmoot/core/dictionary.js';
import { SourceError } from '@folkmoot/core/errors.js';
import type { SideQuery, SideRecords } from '@folkmoot/core/join-query.js';
import type { LocalQuery, LocalResult } from '@folkmoot/core/statistic.js';
import { sql } from 'kysely';
import { type CsvShape, csvScan } from './csv-header.ts';
import { csvHeader, csvRecords } from './csv-lines.ts';
import { compileSql, duckdbDialect, type Sql } from './dialect.ts';
import { type FileState, readState, sameState } from './file-state.ts';
import { inMemory, plainPath, type RunSql } from './in-memory.ts';
import { type LocalSql, localSql, type ResultRow } from './local-sql.ts';
import { readColumns, SideRows } from './side-rows.ts';
import { sideSql, textsRead } from './side-sql.ts';
import { type Copying, columnMissing, columnsRead, type Original, type OwnName } from './source.ts';
import { textLines } from './text-lines.ts';
import { textTable } from './text-table.ts';
import { utf8Check } from './utf8-check.ts';

export type FileForm = 'csv' | 'parquet' | 'jsonl';

export interface FileOptions {
  readonly path: string;
  /** The path as it was configured, for people. */
  readonly shown: string;
  readonly form: FileForm;
  readonly ownName: OwnName;
}

/** The table of texts that a file is read as: which relation, and which column of it stands for which own name. */
interface FileRows {
  readonly relation: Sql;
  readonly column: (ownName: string) => Sql | undefined;
  /** How many records the relation must give, where that is known. */
  readonly records?: number;
}

export function fileSource(options: FileOptions): Original {
  let known: string | undefined;
  return {
    async fingerprint(key) {
      const hmac = createHmac('sha256', key);
      const state = await readState(options.path, options.shown, (chunk) => hmac.update(chunk));
      known = state.sha256;
      return hmac.digest('hex');
    },
    query: (query, dataset, ownParty) =>
      unchanged(options, known, (shape) =>
        inMemory((runSql) => ask(runner(runSql), options, shape, query, dataset, ownParty)),
      ),
    sideRecords: (side) =>
      unchanged(options, known, (shape) =>
        inMemory((runSql, database) => askSide(runner(runSql), database, options, shape, side)),
      ),
    rows: (key) =>
      unchanged(options, known, async (shape) => {
        const rows = await inMemory((runSql) =>
          countRows(runner(runSql), options, shape, key === undefined ? [] : [key]),
        );
        if (rows === 0) throw new SourceError('SOURCE_EMPTY');
        return rows;
      }),
    copy: (columns, into) => copies[options.form](options, columns, into),
    close: async () => {},
  };
}

/** Work over a file that is still the one of the fingerprint, where one was taken, and stays so to the end. */
async function unchanged<T>(
  options: FileOptions,
  known: string | undefined,
  work: (shape: CsvShape | undefined) => Promise<T>,
): Promise<T> {
  const { state, shape } = await look(options);
  if (known !== undefined && known !== state.sha256) throw new SourceError('SOURCE_CHANGED');
  const isSame = async () => sameState(state, await readState(options.path, options.shown));
  const result = await work(shape).catch(async (error: unknown) => {
    // A file that changes while it is read may look broken in any way; the change is what there is to say.
    if (!(await isSame())) throw new SourceError('SOURCE_CHANGED');
    throw error;
  });
  if (!(await isSame())) throw new SourceError('SOURCE_CHANGED');
  return result;
}

/** The records of a file that has these columns. */
async function countRows(run: Run, options: FileOptions, shape: CsvShape | undefined, names: readonly string[]) {
  try {
    const rows = await rowsOf(run, options, shape, names);
    for (const name of names) columnOf(rows, name, options);
    if (rows.records !== undefined) return rows.records;
    const counts = (await run(sql`SELECT count(*) FROM ${rows.relation}`))[0]!;
    if (options.form === 'jsonl') await refuseMissingKeys(run, options, names, counts);
    return Number(counts[0]);
  } catch (error) {
    throw withoutText(error, options.form);
  }
}

/** The columns that the header names, as texts; a line that is no whole record is left out. */
async function copyCsv({ path, shown, ownName }: FileOptions, columns: readonly string[], into: Copying) {
  const header = csvHeader();
  const before = await readState(path, shown, header.see);
  const names = header.end();
  const present = columns.filter((name) => names.includes(ownName(name)));
  const places = present.map((name) => names.indexOf(ownName(name)));
  const table = await textTable(into, present.length);
  // An empty field is none, in quotes or not.
  const records = csvRecords(names.length, (fields) => table.add(places.map((place) => fields[place] || null)));
  const after = await readState(path, shown, records.see);
  records.end();
  table.end();
  if (!sameState(before, after)) throw new SourceError('SOURCE_CHANGED');
  return present;
}

/**
 * All columns, as texts; a line that is no object, is no UTF-8 or too long is left out, and a key that it lacks is null.
 * DuckDB's own reader looks at lines together: an array on one of them makes it read all the others otherwise.
 */
async function copyJson({ path, shown, ownName }: FileOptions, columns: readonly string[], into: Copying) {
  const before = await readState(path, shown);
  const table = await textTable(into, 1, 'lines');
  const lines = textLines((line) => line !== undefined && table.add([line]), { orCr: false });
  const after = await readState(path, shown, lines.see);
  lines.end();
  table.end();
  if (!sameState(before, after)) throw new SourceError('SOURCE_CHANGED');
  const run = runner(into.run);
  const texts = columns.map((name, index) => {
    const pointer = `/${ownName(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return sql`json_extract_string(t0, ${sql.lit(pointer)}) AS ${sql.ref(`t${index}`)}`;
  });
  // What is no JSON has no type to ask for.
  await run(sql`CREATE TEMP TABLE texts AS SELECT ${sql.join([...texts, sql`1 AS one`])} FROM lines
    WHERE CASE WHEN json_valid(t0) THEN json_type(t0) = 'OBJECT' ELSE FALSE END`);
  await run(sql`DROP TABLE lines`);
  return columns;
}

/** The columns that the file has, as texts. */
async function copyParquet({ path, shown, ownName }: FileOptions, columns: readonly string[], into: Copying) {
  const run = runner(into.run);
  const before = await readState(path, shown);
  const rows = await parquetRows(run, path);
  const present = columns.filter((name) => rows.column(ownName(name)) !== undefined);
  const texts = present.map((name, index) => {
    return sql`CAST(${rows.column(ownName(name))!} AS VARCHAR) AS ${sql.ref(`t${index}`)}`;
  });
  try {
    await run(sql`CREATE TEMP TABLE texts AS SELECT ${sql.join([...texts, sql`1 AS one`])} FROM ${rows.relation}`);
  } catch (error) {
    throw withoutText(error, 'parquet');
  }
  if (!sameState(before, await readState(path, shown))) throw new SourceError('SOURCE_CHANGED');
  return present;
}

const copies = { csv: copyCsv, jsonl: copyJson, parquet: copyParquet } as const;

/** The file's state, and of a CSV its shape; what is no UTF-8 is refused whatever else is wrong with it. */
async function look({ path, shown, form }: FileOptions) {
  if (form === 'parquet') return { state: await readState(path, shown), shape: undefined };
  const encoding = utf8Check();
  const scan = form === 'csv' ? csvScan() : undefined;
  const state: FileState = await readState(path, shown, (chunk) => {
    encoding.see(chunk);
    scan?.see(chunk);
  });
  if (!encoding.end()) throw new SourceError('SOURCE_ENCODING');
  if (state.size === 0n) throw new SourceError('SOURCE_EMPTY');
  return { state, shape: scan?.end() };
}

type Run = (statement: Sql) => Promise<readonly ResultRow[]>;

function runner(runSql: RunSql): Run {
  return (statement) => {
    const { text, parameters } = compileSql(statement);
    return runSql(text, parameters);
  };
}

/** Makes the table `records` of the file and checks all of it. Gives the number of its rows. */
async function settle(
  run: Run,
  options: FileOptions,
  shape: CsvShape | undefined,
  names: readonly string[],
  { records, check, judge }: Pick<LocalSql, 'records' | 'check' | 'judge'>,
): Promise<number> {
  const rows = await rowsOf(run, options, shape, names);
  const texts = names.map(
    (name, index) => sql`CAST(${columnOf(rows, name, options)} AS VARCHAR) AS ${sql.ref(`t${index}`)}`,
  );
  const relation = sql`(SELECT ${sql.join([...texts, sql`1 AS one`])} FROM ${rows.relation}) AS texts`;
  await run(sql`CREATE TEMP TABLE records AS ${records(relation, sql`row_number() OVER ()`)}`);
  const counts = (await run(check))[0]!;
  if (options.form === 'jsonl') await refuseMissingKeys(run, options, names, counts);
  judge(counts);
  if (rows.records !== undefined && counts[0] !== BigInt(rows.records)) {
    throw new SourceError('SOURCE_RAGGED', { detail: 'two readings of the file do not give the same rows' });
  }
  return Number(counts[0]);
}

async function ask(
  run: Run,
  options: FileOptions,
  shape: CsvShape | undefined,
  query: LocalQuery,
  dataset: Dataset,
  ownParty: boolean,
): Promise<LocalResult> {
  const local = localSql(query, dataset, ownParty, duckdbDialect);
  try {
    await settle(run, options, shape, columnsRead(query, dataset), local);
    const results: (readonly ResultRow[])[] = [];
    for (const statement of local.sums) results.push(await run(statement));
    return local.collect(results);
  } catch (error) {
    throw withoutText(error, options.form);
  }
}

async function askSide(
  run: Run,
  database: DuckDBConnection,
  options: FileOptions,
  shape: CsvShape | undefined,
  side: SideQuery,
): Promise<SideRecords> {
  const asked = sideSql(side, duckdbDialect);
  try {
    const rows = new SideRows(side, await settle(run, options, shape, textsRead(side), asked));
    await readColumns(database, asked.columns, rows);
    return rows.records();
  } catch (error) {
    throw withoutText(error, options.form);
  }
}

async function rowsOf(
  run: Run,
  { path, form, ownName }: FileOptions,
  shape: CsvShape | undefined,
  names: readonly string[],
): Promise<FileRows> {
  if (shape !== undefined) return csvRows(path, shape);
  if (form === 'parquet') return parquetRows(run, path);
  return names.length === 0 ? jsonLines(path) : jsonRows(path, names.map(ownName));
}

function columnOf({ column }: FileRows, name: string, { ownName }: FileOptions): Sql {
  const found = column(ownName(name));
  if (found === undefined) throw columnMissing(name, ownName(name));
  return found;
}

/** The header's names are not given to DuckDB: its columns are c0, c1… in the header's order. */
function csvRows(path: string, { header, records }: CsvShape): FileRows {
  const columns = sql.join(header.map((_, index) => sql`${sql.lit(`c${index}`)}: 'VARCHAR'`));
  return {
    relation: sql`read_csv(${plainPath(path)}, auto_detect = false, header = true, columns = {${columns}}, delim = ',',
      quote = '"', escape = '"', nullstr = '',
      strict_mode = true, null_padding = false, ignore_errors = false)`,
    column: (ownName) => (header.includes(ownName) ? sql.ref(`c${header.indexOf(ownName)}`) : undefined),
    records,
  };
}

async function parquetRows(run: Run, path: string): Promise<FileRows> {
  const relation = sql`read_parquet(${plainPath(path)})`;
  let names: string[];
  try {
    const described = await run(sql`DESCRIBE SELECT * FROM ${relation}`);
    names = described.map(([name]) => String(name));
  } catch {
    throw new SourceError('SOURCE_FAILED', { detail: 'it is not a Parquet file', remedy: 'export the source again' });
  }
  return { relation, column: (ownName) => (names.includes(ownName) ? sql.id(ownName) : undefined) };
}

function jsonRows(path: string, ownNames: readonly string[]): FileRows {
  const columns = sql.join([...new Set(ownNames)].map((name) => sql`${sql.lit(name)}: 'VARCHAR'`));
  return {
    relation: sql`read_json(${plainPath(path)}, auto_detect = false, format = 'newline_delimited',
      ignore_errors = false, columns = {${columns}})`,
    column: (ownName) => sql.id(ownName),
  };
}

/** Whole lines. */
function jsonLines(path: string): FileRows {
  return { relation: sql`read_ndjson_objects(${plainPath(path)})`, column: () => undefined };
}

/** A key that stands on no line is a column that is missing; one that is null on all lines is not. */
async function refuseMissingKeys(
  run: Run,
  { path, ownName }: FileOptions,
  names: readonly string[],
  counts: ResultRow,
): Promise<void> {
  if (counts[0] === 0n) return;
  const keys = await run(sql`SELECT DISTINCT unnest(json_keys(json)) FROM ${jsonLines(path).relation}`);
  const present = new Set(keys.map(([key]) => String(key)));
  for (const name of names) if (!present.has(ownName(name))) throw columnMissing(name, ownName(name));
}

/** The engine throws plain errors; any other class is a fault of the program and stays what it is. */
function withoutText(error: unknown, form: FileForm): unknown {
  return Object.getPrototypeOf(error) === Error.prototype ? failure(error, form) : error;
}

/** DuckDB's own text quotes the line that it fails on. Only the kind of failure is taken from it. */
function failure(error: unknown, form: FileForm): unknown {
  const text = error instanceof Error ? error.message : '';
  const remedy = 'export the source again';
  if (form === 'csv' && /Expected Number of Columns|unterminated quote|invalid state/.test(text)) {
    return new SourceError('SOURCE_RAGGED');
  }
  if (form === 'jsonl' && /duplicate key/.test(text)) return new SourceError('SOURCE_DUPLICATE_HEADER');
  if (form === 'jsonl') {
    return new SourceError('SOURCE_FAILED', { detail: 'a line is not a JSON object', remedy });
  }
  return new SourceError('SOURCE_FAILED', { remedy });
}
