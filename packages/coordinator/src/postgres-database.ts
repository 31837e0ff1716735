/**
 * The PostgreSQL database that several coordinators share.
 *
 * What is acknowledged is on the server's disk (`synchronous_commit` is on for every connection, whatever the server's own
 * default). One coordinator at a time makes or changes the tables; the others wait for it.
 *
 * Security  the address holds a password: it comes from the environment and stands in no error and no log
 * @module
 */
import { InputError, StateError } from '@folkmoot/core/errors.js';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { limits } from './limits.ts';
import { type OpenDatabase, type Schema, schemaVersion, tablesIn } from './schema.ts';

/** Steps of different jobs run side by side; a server has 100 connections, for several coordinators and others. */
const connectionsMax = 10;
/** A database that does not answer within this is not there. */
const connectMs = 10_000;
/** Far beyond any statement here: one that takes longer hangs, and its connection is dropped. */
const statementMs = 30_000;
/** Any number: all coordinators of any version take the same lock before they look at the tables. */
const migrationLock = 4_176_266;

/** SQLSTATE of a table that is not there. */
const undefinedTable = '42P01';

/** 64-bit numbers here are times and counts, all below 2^53. */
const int8 = 20;
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === int8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format as 'text')) as never,
};

/**
 * Opens the database at this address, and makes its tables where there are none. `onLost` hears that a connection
 * which nobody used has broken: the next statement opens another one.
 * @throws InputError BAD_VALUE for the address; StateError STATE_NEWER, STATE_FAILED
 */
export async function openPostgres(url: string, onLost: (code: string) => void): Promise<OpenDatabase> {
  const pool = new pg.Pool({
    connectionString: checked(url),
    max: connectionsMax,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    query_timeout: statementMs + connectMs,
    // A transaction that hangs must not keep its rows from the others for longer than a lease.
    idle_in_transaction_session_timeout: limits.leaseMs,
    // Said at the start of a connection: a statement of its own could fail, and leave the connection to nobody.
    options: '-c synchronous_commit=on',
    keepAlive: true,
    types,
    application_name: 'folkmoot-coordinator',
  });
  // One that breaks between two statements of a transaction: the next of them says so to whoever is at it.
  pool.on('connect', (connection) => connection.on('error', () => undefined));
  pool.on('error', (error) => onLost((error as { code?: string }).code ?? error.name));
  const queries = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  try {
    await prepare(queries);
  } catch (cause) {
    await queries.destroy();
    throw cause instanceof StateError ? cause : notOpened(cause);
  }
  const nowMs = () => sql<number>`CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)`;
  return { queries, nowMs, shared: true, close: () => queries.destroy() };
}

/**
 * The version of the tables at this address, and 0 where there are none. Nothing is made, changed or waited for.
 * @throws InputError BAD_VALUE for the address; StateError STATE_FAILED
 */
export async function postgresVersion(url: string): Promise<number> {
  const client = new pg.Client({
    connectionString: checked(url),
    connectionTimeoutMillis: connectMs,
    query_timeout: connectMs,
    options: '-c default_transaction_read_only=on',
    application_name: 'folkmoot-doctor',
  });
  // One that breaks says so to whoever is at it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ value: string }>("SELECT value FROM meta WHERE key = 'schema'");
    return Number(rows[0]?.value ?? 0);
  } catch (cause) {
    if ((cause as { code?: string }).code === undefinedTable) return 0;
    throw notOpened(cause);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function notOpened(cause: unknown): StateError {
  const { code } = cause as { code?: string };
  // The server's own words can quote the address.
  return new StateError('STATE_FAILED', {
    field: 'state.postgres',
    detail: code === undefined ? 'the database cannot be opened' : `the database cannot be opened (${code})`,
    remedy: 'check that the server runs and that the address in the environment is right',
  });
}

async function prepare(queries: Kysely<Schema>): Promise<void> {
  await queries.transaction().execute(async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(${sql.lit(migrationLock)})`.execute(trx);
    await sql`CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)`.execute(trx);
    const found = await trx.selectFrom('meta').select('value').where('key', '=', 'schema').executeTakeFirst();
    const version = Number(found?.value ?? 0);
    if (version > schemaVersion) throw new StateError('STATE_NEWER', { field: 'state.postgres' });
    if (version === schemaVersion) return;
    const statements = tablesIn({ integer: 'BIGINT', bytes: 'BYTEA' }).split(';');
    for (const statement of statements) if (statement.trim() !== '') await sql.raw(statement).execute(trx);
    const value = String(schemaVersion);
    const insert = trx.insertInto('meta').values({ key: 'schema', value });
    await insert.onConflict((conflict) => conflict.column('key').doUpdateSet({ value })).execute();
  });
}

function checked(url: string): string {
  const isPostgres = URL.canParse(url) && ['postgres:', 'postgresql:'].includes(new URL(url).protocol);
  if (isPostgres) return url;
  throw new InputError('BAD_VALUE', {
    field: 'state.postgres.url_env',
    detail: 'expected an address such as postgres://host/database',
  });
}
