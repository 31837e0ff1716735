/**
 * A table or view of a PostgreSQL database as a source.
 *
 * Everything happens in one REPEATABLE READ, READ ONLY transaction: one snapshot for the checks and the sums, and
 * nothing that could be written. Columns come as text and are parsed by the same patterns as those of files. The
 * database's own error texts can quote values, so only their SQLSTATE is passed on.
 *
 * A table has no order. Where the dictionary keeps the first rows of a person, the order is that of the rows' text, so
 * that the same rows stay whatever the query and whatever the database did in between.
 * @module
 */
import { createHmac } from 'node:crypto';
import { Socket } from 'node:net';
import type { Dataset } from '@folkmoot/core/dictionary.js';
import { isFolkmootError, SourceError } from '@folkmoot/core/errors.js';
import { hashJson } from '@folkmoot/core/hash.js';
import { sql } from 'kysely';
import pg from 'pg';
import { compileSql, postgresDialect, type Sql } from './dialect.ts';
import { localSql, type ResultRow } from './local-sql.ts';
import type { RecordSql } from './record-sql.ts';
import { SideRows } from './side-rows.ts';
import { sideSql, textsRead } from './side-sql.ts';
import { columnMissing, columnsRead, type Original, type OwnName } from './source.ts';
import { textTable } from './text-table.ts';

/** A database that does not answer within this is not there. */
const connectTimeoutMs = 15_000;

/** What a statement may take. */
interface Patience {
  /** The database gives a statement up after this. */
  readonly statementMs: number;
  /** We give up when its answer is not here so long after that: a link can fall silent without a word to either end. */
  readonly answerMs: number;
}

/** A statement over the largest tables takes minutes; one that takes longer hangs. */
const usualPatience: Patience = { statementMs: 15 * 60_000, answerMs: 30_000 };
/** A database that says nothing for so long is asked whether it is still there. */
const keepAliveMs = 30_000;
/** For the last words on a connection; then it is dropped. */
const goodbyeMs = 5_000;

/** Few round trips, and little memory at a time. */
const rowsPerFetch = 5_000;

export interface PostgresOptions {
  readonly url: string;
  /** `table` or `schema.table`. */
  readonly table: string;
  readonly ownName: OwnName;
  /** The dictionary's columns: what the fingerprint is taken of. */
  readonly dataset: Dataset;
  readonly patience?: Patience;
}

type Run = (statement: Sql) => Promise<readonly ResultRow[]>;
/** Shows each row and keeps none. */
type Read = (statement: Sql, see: (row: ResultRow) => void) => Promise<void>;

/** Everything comes as the text that the database writes. */
const asText = { getTypeParser: () => (text: string | Buffer) => String(text) };

export function postgresSource(options: PostgresOptions): Original {
  let known: string | undefined;
  return {
    async fingerprint(key) {
      known = await inSnapshot(options, (run) => digest(run, options));
      return createHmac('sha256', key).update(known).digest('hex');
    },
    query: (query, dataset, ownParty) =>
      inSnapshot(options, async (run) => {
        const rows = await rowsOf(run, options, columnsRead(query, dataset));
        await refuseChange(run, options, known);
        const local = localSql(query, dataset, ownParty, postgresDialect);
        const records = withRecords(local, rows);
        local.judge((await run(sql`${records} ${local.check}`))[0]!);
        const results: (readonly ResultRow[])[] = [];
        for (const statement of local.sums) results.push(await run(sql`${records} ${statement}`));
        return local.collect(results);
      }),
    sideRecords: (side) =>
      inSnapshot(options, async (run, read) => {
        const rows = await rowsOf(run, options, textsRead(side));
        await refuseChange(run, options, known);
        const asked = sideSql(side, postgresDialect);
        const records = withRecords(asked, rows);
        const counts = (await run(sql`${records} ${asked.check}`))[0]!;
        asked.judge(counts);
        const into = new SideRows(side, Number(counts[0]));
        for (const [at, { statement, features }] of asked.columns.entries()) {
          const before = at === 0 ? 2 : 0;
          let row = 0;
          await read(sql`${records} ${statement}`, (values) => {
            if (at === 0) {
              into.setIdentifier(row, values[0]);
              into.setCell(row, values[1]);
            }
            for (const [place, feature] of features.entries()) into.setFeature(feature, row, values[before + place]);
            row++;
          });
        }
        return into.records();
      }),
    rows: (key) =>
      inSnapshot(options, async (run) => {
        await rowsOf(run, options, key === undefined ? [] : [key]);
        await refuseChange(run, options, known);
        const [row] = await run(sql`SELECT count(*) FROM ${tableOf(options)} AS r`);
        const rows = Number(row![0]);
        if (rows === 0) throw new SourceError('SOURCE_EMPTY');
        return rows;
      }),
    copy: (columns, into) =>
      inSnapshot(options, async (run) => {
        const own = await columnsOf(run, options);
        const present = columns.filter((name) => own.includes(options.ownName(name)));
        const table = await textTable(into, present.length);
        const texts = [...present.map((name) => textOf(options, name)), sql`1`];
        await run(sql`DECLARE rows NO SCROLL CURSOR FOR SELECT ${sql.join(texts)} FROM ${tableOf(options)} AS r`);
        for (;;) {
          const rows = await run(sql`FETCH ${sql.lit(rowsPerFetch)} FROM rows`);
          if (rows.length === 0) break;
          for (const row of rows) {
            table.add(present.map((_, index) => (row[index] === null ? null : String(row[index]))));
          }
        }
        table.end();
        return present;
      }),
    close: async () => {},
  };
}

/** The texts of these columns, and the text of the whole row. */
async function rowsOf(run: Run, options: PostgresOptions, names: readonly string[]): Promise<Sql> {
  const present = await columnsOf(run, options);
  for (const name of names) {
    if (!present.includes(options.ownName(name))) throw columnMissing(name, options.ownName(name));
  }
  const texts = names.map((name, index) => sql`${textOf(options, name)} AS ${sql.ref(`t${index}`)}`);
  return sql`(SELECT ${sql.join([...texts, sql`CAST(ROW(r.*) AS text) COLLATE "C" AS rowtext`])} FROM ${tableOf(options)} AS r) AS texts`;
}

function withRecords({ records }: Pick<RecordSql, 'records'>, rows: Sql): Sql {
  return sql`WITH records AS MATERIALIZED (${records(rows, sql.ref('rowtext'))})`;
}

function tableOf({ table }: PostgresOptions): Sql {
  return sql.id(...table.split('.'));
}

function textOf({ ownName }: PostgresOptions, name: string): Sql {
  return sql`CAST(${sql.id('r', ownName(name))} AS text)`;
}

async function columnsOf(run: Run, options: PostgresOptions): Promise<readonly string[]> {
  return (
    await run(sql`SELECT attname FROM pg_attribute
    WHERE attrelid = CAST(${quoted(options.table)} AS regclass) AND attnum > 0 AND NOT attisdropped`)
  ).map(([column]) => String(column));
}

/** `"housing"."residents"`, as a parameter that the database resolves like the identifier itself. */
function quoted(table: string): string {
  return table
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
}

/**
 * A digest that does not depend on the order of rows: the sums of the words of each row's SHA-256 over the bound columns.
 * The text of a row value is the same for the same values only: it quotes them and tells a null from an empty text.
 */
async function digest(run: Run, options: PostgresOptions): Promise<string> {
  const present = await columnsOf(run, options);
  const bound = Object.keys(options.dataset.columns).filter((name) => present.includes(options.ownName(name)));
  const row = sql`CAST(ROW(${sql.join(bound.map((name) => textOf(options, name)))}) AS text)`;
  const word = (place: number): Sql =>
    sql`sum(CAST(CAST('x' || encode(substr(h, ${sql.lit(place * 8 + 1)}, 8), 'hex') AS bit(64)) AS bigint))`;
  const [sums] = await run(sql`SELECT count(*), ${sql.join([0, 1, 2, 3].map(word))}
    FROM (SELECT sha256(convert_to(${row}, 'UTF8')) AS h FROM ${tableOf(options)} AS r OFFSET 0) AS hashes`);
  return Buffer.from(hashJson([bound, ...sums!.map(String)])).toString('hex');
}

async function refuseChange(run: Run, options: PostgresOptions, known: string | undefined): Promise<void> {
  if (known !== undefined && known !== (await digest(run, options))) throw new SourceError('SOURCE_CHANGED');
}

/** A statement whose rows are seen as they come: of any other the driver keeps them all. */
class ReadQuery extends pg.Query {
  readonly #see: (row: ResultRow) => void;
  #fault: unknown;

  constructor(statement: Sql, see: (row: ResultRow) => void, done: (error: unknown) => void) {
    const { text, parameters } = compileSql(statement);
    super(text, [...parameters], (error) => done(error ?? this.#fault));
    this.#see = see;
  }

  /** What the driver calls with every row, whose fields are texts. */
  handleDataRow({ fields }: { readonly fields: ResultRow }): void {
    if (this.#fault !== undefined) return;
    try {
      this.#see(fields);
    } catch (error) {
      // It would end the process from within the driver; the rest of the rows is passed over.
      this.#fault = error;
    }
  }
}

async function inSnapshot<T>(options: PostgresOptions, work: (run: Run, read: Read) => Promise<T>): Promise<T> {
  const { statementMs, answerMs } = options.patience ?? usualPatience;
  const socket = new Socket();
  const client = new pg.Client({
    connectionString: options.url,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: statementMs + answerMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
    stream: () => socket,
    application_name: 'folkmoot',
    types: asText,
  });
  // A connection that breaks between two statements shows in the next one.
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    await leave(client, socket);
    throw new SourceError('SOURCE_UNREACHABLE', { detail: `the database does not let us in${reason(error)}` });
  }
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    await client.query(`SET LOCAL statement_timeout = ${statementMs}`);
    // Dates, times and floats must write themselves in one way whatever the database's settings.
    await client.query(
      `SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL extra_float_digits = 1`,
    );
    const run: Run = async (statement) => {
      const { text, parameters } = compileSql(statement);
      return (await client.query<unknown[]>({ text, values: [...parameters], rowMode: 'array' })).rows;
    };
    const read: Read = (statement, see) =>
      new Promise((resolve, reject) => {
        client.query(
          new ReadQuery(statement, see, (error) => {
            if (error === undefined || error === null) resolve();
            else reject(error);
          }),
        );
      });
    const result = await work(run, read);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    throw isFolkmootError(error) ? error : failure(error);
  } finally {
    await leave(client, socket);
  }
}

/** Waits for the goodbye of a database that is there; the connection to one that is not is dropped. */
async function leave(client: pg.Client, socket: Socket): Promise<void> {
  const timer = setTimeout(() => socket.destroy(), goodbyeMs);
  await client.end().catch(() => {});
  clearTimeout(timer);
}

/** Codes of SQLSTATE and of sockets are letters and digits; anything else may be text. */
function reason(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^[A-Z0-9_]{1,24}$/.test(code) ? ` (${code})` : '';
}

function failure(error: unknown): SourceError {
  // The driver's own words for `query_timeout`, which has no code.
  if (error instanceof Error && error.message === 'Query read timeout') {
    return new SourceError('SOURCE_UNREACHABLE', { detail: 'the database stopped answering' });
  }
  switch ((error as { code?: unknown }).code) {
    case '42P01':
    case '3F000':
      return new SourceError('SOURCE_UNREACHABLE', { detail: 'the database has no such table (42P01)' });
    case '42501':
      return new SourceError('SOURCE_UNREACHABLE', { detail: 'the database’s user may not read the table (42501)' });
    case '22021':
      return new SourceError('SOURCE_ENCODING');
    default:
      return new SourceError('SOURCE_FAILED', { detail: `the database ended the query${reason(error)}` });
  }
}
