/**
 * Where the two engines' SQL differs. Everything else of a local query is one text for both: DuckDB and PostgreSQL agree
 * on `$1` parameters, quoted identifiers, CASE, FILTER, windows and the text functions used here.
 * @module
 */
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
  sql,
} from 'kysely';

export type Sql = RawBuilder<unknown>;

export interface Dialect {
  readonly name: 'duckdb' | 'postgres';
  /** Whether the text matches the pattern from end to end. Patterns are our own: plain classes, groups, repeats. */
  matches(text: Sql, pattern: string): Sql;
  /** The place of the text in the list, from 1; null where it is not listed. */
  placeIn(text: Sql, list: readonly string[]): Sql;
  /** The text in a form where compatible characters are one: NFKC, or NFC where the engine has no other. */
  compatible(text: Sql): Sql;
  /** A whole-number type that holds every integer of at most so many digits, or undefined where there is none. */
  integerType(digits: number): Sql | undefined;
  /** Sums of this type's products stay exact up to this magnitude; undefined where there is no limit. */
  readonly exactBelow: bigint | undefined;
  /** How many sums one statement takes at most. */
  readonly sumsPerStatement: number;
  /** The type that products and limbs are computed in once they outgrow 64 bits. */
  readonly wide: Sql;
}

/** 18 digits stay below 2^60, so that one more or less than a bound is still a 64-bit integer. */
const digitsOf64 = 18;
/** 38 digits stay below 2^127. */
const digitsOf128 = 38;

export const duckdbDialect: Dialect = {
  name: 'duckdb',
  matches: (text, pattern) => sql`regexp_full_match(${text}, ${sql.lit(pattern)})`,
  placeIn: (text, list) => sql`list_position(CAST(ARRAY[${sql.join(list)}] AS VARCHAR[]), ${text})`,
  compatible: (text) => sql`nfc_normalize(${text})`,
  integerType: (digits) => (digits <= digitsOf64 ? sql`BIGINT` : digits <= digitsOf128 ? sql`HUGEINT` : undefined),
  exactBelow: 1n << 126n,
  // Its time grows faster than the number of aggregates; a scan of a table in memory costs nothing beside it.
  sumsPerStatement: 64,
  wide: sql`HUGEINT`,
};

export const postgresDialect: Dialect = {
  name: 'postgres',
  matches: (text, pattern) => sql`(${text} ~ ${sql.lit(`^(?:${pattern})$`)})`,
  placeIn: (text, list) => sql`array_position(CAST(ARRAY[${sql.join(list)}] AS text[]), ${text})`,
  compatible: (text) => sql`normalize(${text}, NFKC)`,
  integerType: (digits) => (digits <= digitsOf64 ? sql`bigint` : sql`numeric`),
  exactBelow: undefined,
  // A result has 1,664 columns at most, and each statement reads and parses the table again.
  sumsPerStatement: 400,
  wide: sql`numeric`,
};

/** Text with `$1` parameters. Nothing but this file's compiler ever writes SQL text. */
export interface Statement {
  readonly text: string;
  readonly parameters: readonly string[];
}

const compiler = new Kysely<unknown>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** Every parameter travels as text, and the statement casts it: no number of JavaScript comes near a value. */
export function compileSql(statement: Sql): Statement {
  const { sql: text, parameters } = statement.compile(compiler);
  return { text, parameters: parameters.map(String) };
}
