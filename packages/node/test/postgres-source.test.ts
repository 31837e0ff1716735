import type { Column, Dataset } from '@folkmoot/core/dictionary.js';
import type { SourceError } from '@folkmoot/core/errors.js';
import { evaluate } from '@folkmoot/core/local.js';
import type { LocalQuery } from '@folkmoot/core/statistic.js';
import { startPostgres, type TestPostgres } from '@folkmoot/testkit/postgres.js';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Source } from '../src/sources/source.ts';
import { openSource } from '../src/sources/source-binding.ts';
import { caseArbitrary, type TextRow } from './arbitrary-query.ts';

let server: TestPostgres;
let client: pg.Client;
beforeAll(async () => {
  server = await startPostgres();
  client = new pg.Client({ connectionString: server.url });
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await server?.stop();
});
beforeEach(async () => {
  await client.query('DROP SCHEMA IF EXISTS housing CASCADE; CREATE SCHEMA housing');
});

const key = Buffer.alloc(32, 7);
const residents: Dataset = {
  name: 'residents',
  held_by: ['islington'],
  unit: 'person',
  max_rows_per_unit: 1,
  extra_rows: 'refuse',
  max_parties_per_unit: 1,
  max_rows: 1000,
  columns: {
    person: { type: 'identifier' },
    age: { type: 'integer', min: 0, max: 110, nulls: 'refuse', outside: 'clamp' },
    arrears: { type: 'decimal', scale: 2, min: 0, max: 20000, nulls: 'zero', outside: 'clamp' },
    employed: { type: 'boolean', nulls: 'refuse' },
    moved_in: { type: 'date', min: '1950-01-01', max: '2026-12-31', nulls: 'refuse', outside: 'clamp' },
  },
};
const table = 'housing.residents';
const own = { person: 'id', arrears: 'rent_arrears_gbp' };

function open(dataset: Dataset = residents, columns: Record<string, string> = own, url = server.url): Source {
  const binding = { period: 'p', source: { postgres: { url_env: 'SOURCE_URL', table } }, columns };
  return openSource(binding, { folder: '/', env: { SOURCE_URL: url }, dataset });
}

function sumsOf(...columns: string[]): LocalQuery {
  const everywhere = { kind: 'true' } as const;
  const statistics = [[], ...columns.map((column) => [column])].map((product) => ({
    of: 'rows' as const,
    product,
    where: everywhere,
  }));
  return { dataset: 'residents', columns, where: everywhere, groups: [], cells: 1, statistics, ownParty: null };
}

async function refusal(answer: Promise<unknown>): Promise<SourceError> {
  return answer.then(
    () => {
      throw new Error('the source was not refused');
    },
    (error: SourceError) => error,
  );
}

const create = `CREATE TABLE housing.residents (id text, age integer, rent_arrears_gbp numeric(10, 2), employed boolean, moved_in date)`;
const fill = `INSERT INTO housing.residents VALUES
  ('a', 30, 12.50, true, '2020-02-29'), ('b', 200, NULL, false, '1900-01-01'), ('c', 40, 99999, true, '2024-12-31')`;

describe('a PostgreSQL source', () => {
  it('gives the integers of the plain evaluation', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(caseArbitrary, async (given) => {
        const { query, dataset, rows, ownParty } = given;
        await load(dataset, rows);
        const expected = await outcome(async () => evaluate(query, dataset, rows, ownParty));
        expect(await outcome(() => open(dataset, {}).query(query, dataset, ownParty))).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it('reads the types of a real table, a partitioned table and a view', async () => {
    await client.query(`${create}; ${fill}`);
    const expected = [[3n], [180n], [20012_50n], [2n], [20200229n + 19500101n + 20241231n]];
    const query = sumsOf('age', 'arrears', 'employed', 'moved_in');
    expect(await open().query(query, residents, false)).toEqual(expected);
    await client.query(`ALTER TABLE housing.residents RENAME TO plain;
      CREATE VIEW housing.residents AS SELECT id, age::bigint, rent_arrears_gbp::float8, employed::int, moved_in::timestamp FROM housing.plain`);
    expect(await open().query(query, residents, false)).toEqual(expected);
    await client.query(`DROP VIEW housing.residents;
      CREATE TABLE housing.residents (LIKE housing.plain) PARTITION BY LIST (employed);
      CREATE TABLE housing.yes PARTITION OF housing.residents FOR VALUES IN (true);
      CREATE TABLE housing.no PARTITION OF housing.residents DEFAULT;
      INSERT INTO housing.residents SELECT * FROM housing.plain`);
    expect(await open().query(query, residents, false)).toEqual(expected);
  });

  it.each([
    ["UPDATE housing.residents SET age = NULL WHERE id = 'a'", 'SOURCE_NULL', 'age'],
    [
      "ALTER TABLE housing.residents ALTER age TYPE float8; UPDATE housing.residents SET age = 'NaN'",
      'SOURCE_VALUE',
      'age',
    ],
    [
      "ALTER TABLE housing.residents ALTER age TYPE float8; UPDATE housing.residents SET age = '-Infinity'",
      'SOURCE_VALUE',
      'age',
    ],
    [
      "ALTER TABLE housing.residents ALTER age TYPE text; UPDATE housing.residents SET age = '1,234'",
      'SOURCE_VALUE',
      'age',
    ],
    [
      "ALTER TABLE housing.residents ALTER age TYPE text; UPDATE housing.residents SET age = '' WHERE id = 'b'",
      'SOURCE_VALUE',
      'age',
    ],
    [
      "ALTER TABLE housing.residents ALTER age TYPE text; UPDATE housing.residents SET age = E'12\\n' WHERE id = 'b'",
      'SOURCE_VALUE',
      'age',
    ],
    ["UPDATE housing.residents SET moved_in = 'infinity' WHERE id = 'b'", 'SOURCE_VALUE', 'moved_in'],
    [
      'ALTER TABLE housing.residents ALTER rent_arrears_gbp TYPE numeric; UPDATE housing.residents SET rent_arrears_gbp = 1.239',
      'SOURCE_VALUE',
      'arrears',
    ],
    ["UPDATE housing.residents SET id = 'a'", 'SOURCE_EXTRA_ROWS', 'person'],
    ["UPDATE housing.residents SET id = '' WHERE id = 'a'", 'SOURCE_NULL', 'person'],
    ['ALTER TABLE housing.residents DROP age', 'SOURCE_COLUMN_MISSING', 'age'],
    ['ALTER TABLE housing.residents RENAME age TO "Age"', 'SOURCE_COLUMN_MISSING', 'age'],
    ['DELETE FROM housing.residents', 'SOURCE_EMPTY', 'residents'],
    [
      "INSERT INTO housing.residents SELECT n::text, 1, 1, true, '2020-01-01' FROM generate_series(1, 998) n",
      'SOURCE_TOO_MANY_ROWS',
      'residents',
    ],
    ['DROP TABLE housing.residents', 'SOURCE_UNREACHABLE', undefined],
    ['DROP SCHEMA housing CASCADE', 'SOURCE_UNREACHABLE', undefined],
  ])('is refused after %s', async (change, code, field) => {
    await client.query(`${create}; ${fill}; ${change}`);
    const error = await refusal(open().query(sumsOf('age', 'arrears', 'moved_in'), residents, false));
    expect({ code: error.code, field: error.field }).toEqual({ code, field });
    expect(error.cause).toBeUndefined();
  });

  it('sees one snapshot, and changes nothing', async () => {
    await client.query(`${create}; ${fill};
      CREATE FUNCTION housing.write() RETURNS integer LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO housing.plain VALUES ('z', 1, 1, true, '2020-01-01'); RETURN 1; END $$;
      ALTER TABLE housing.residents RENAME TO plain;
      CREATE VIEW housing.residents AS SELECT id, housing.write() AS age FROM housing.plain`);
    const error = await refusal(open().query(sumsOf('age'), residents, false));
    expect(error.code).toBe('SOURCE_FAILED');
    expect(error.message).toContain('25006');
    expect((await client.query('SELECT count(*)::int AS n FROM housing.plain')).rows).toEqual([{ n: 3 }]);
  });

  it('passes on a state of the database, and none of its words', async () => {
    await client.query(`${create}; ${fill}; ALTER TABLE housing.residents RENAME TO plain;
      CREATE VIEW housing.residents AS SELECT id, (id || 'secret')::integer AS age FROM housing.plain`);
    const error = await refusal(open().query(sumsOf('age'), residents, false));
    expect(error.code).toBe('SOURCE_FAILED');
    expect(error.message).toContain('22P02');
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('asecret');
  });

  it('has a fingerprint of the bound columns’ values, whatever the order of the rows', async () => {
    await client.query(`${create}; ${fill}`);
    const first = await open().fingerprint(key);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    await client.query(`ALTER TABLE housing.residents ADD note text DEFAULT 'x';
      CREATE TABLE housing.again AS SELECT * FROM housing.residents ORDER BY id DESC;
      DROP TABLE housing.residents; ALTER TABLE housing.again RENAME TO residents`);
    expect(await open().fingerprint(key)).toBe(first);
    expect(await open().fingerprint(Buffer.alloc(32, 8))).not.toBe(first);
    await client.query("UPDATE housing.residents SET age = 31 WHERE id = 'a'");
    expect(await open().fingerprint(key)).not.toBe(first);
  });

  it('is refused when it changes between fingerprint and query', async () => {
    await client.query(`${create}; ${fill}`);
    const source = open();
    await source.fingerprint(key);
    expect((await source.query(sumsOf('age'), residents, false))[0]).toEqual([3n]);
    await client.query("UPDATE housing.residents SET age = 31 WHERE id = 'a'");
    expect((await refusal(source.query(sumsOf('age'), residents, false))).code).toBe('SOURCE_CHANGED');
  });

  it('reads names that need quotes', async () => {
    await client.query(
      `CREATE TABLE housing.residents ("r" text, "a ""b"" $1; --" integer); INSERT INTO housing.residents VALUES ('x', 5)`,
    );
    const source = open(residents, { person: 'r', age: 'a "b" $1; --' });
    expect(await source.query(sumsOf('age'), residents, false)).toEqual([[1n], [5n]]);
    expect(await source.fingerprint(key)).toMatch(/^[0-9a-f]{64}$/);
  });

  it('that cannot be reached says so, without its password', async () => {
    for (const url of [
      'postgres://u:hunter2@127.0.0.1:1/x',
      server.url.replace(':folkmoot@', ':hunter2@'),
      'nonsense:hunter2',
    ]) {
      const error = await refusal(open(residents, own, url).query(sumsOf('age'), residents, false));
      expect(error.code).toBe('SOURCE_UNREACHABLE');
      expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('hunter2');
    }
    const unset = () => open(residents, own, '');
    expect(unset).toThrow(expect.objectContaining({ code: 'SOURCE_UNREACHABLE' }));
  });

  it('names the code where its user may not read', async () => {
    await client.query(`${create}; ${fill}; DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'pw'`);
    const url = server.url.replace('postgres:folkmoot@', 'reader:pw@');
    const error = await refusal(open(residents, own, url).query(sumsOf('age'), residents, false));
    expect(error.code).toBe('SOURCE_UNREACHABLE');
    expect(error.message).toContain('42501');
  });

  it('answers 200 sums in 77 cells over 500,000 rows in seconds', { timeout: 120_000 }, async () => {
    await client.query(`CREATE TABLE housing.residents AS SELECT n::text AS id, (n % 7) AS age, (n % 11) AS cell,
      ((n * 7) % 500000) * 4 / 100.0 AS rent_arrears_gbp FROM generate_series(1, 500000) n`);
    const small = (max: number): Column => ({ type: 'integer', min: 0, max, nulls: 'refuse', outside: 'clamp' });
    const dataset: Dataset = {
      ...residents,
      max_rows: 500_000,
      columns: { person: { type: 'identifier' }, age: small(6), cell: small(10), arrears: residents.columns.arrears! },
    };
    const groups = [
      { name: 'age', column: 'age', transform: 'value' as const, first: 0n, labels: [0, 1, 2, 3, 4, 5, 6] },
      {
        name: 'cell',
        column: 'cell',
        transform: 'value' as const,
        first: 0n,
        labels: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      },
    ];
    const statistics = Array.from({ length: 200 }, (_, index) => ({
      of: 'rows' as const,
      product: index % 2 === 0 ? [] : ['arrears', 'arrears'].slice(index % 4 === 1 ? 0 : 1),
      where: { kind: 'compare' as const, column: 'arrears', op: 'lt' as const, value: BigInt(index * 10_000) },
    }));
    const query: LocalQuery = {
      dataset: 'residents',
      columns: ['age', 'cell', 'arrears'],
      where: { kind: 'true' },
      groups,
      cells: 77,
      statistics,
      ownParty: null,
    };
    const from = performance.now();
    const result = await open(dataset).query(query, dataset, false);
    expect(result[198]!.reduce((sum, cell) => sum + cell, 0n)).toBe(495_000n);
    expect(performance.now() - from).toBeLessThan(40_000);
  });
});

async function outcome(answer: () => Promise<unknown>) {
  return answer().then(
    (value) => ({ value }),
    (error: SourceError) => {
      if (error.code === undefined) throw error;
      return { code: error.code, field: error.field };
    },
  );
}

/** A table of texts. Its first column is the order of the rows, which `keep_first` then follows. */
async function load(dataset: Dataset, rows: readonly TextRow[]): Promise<void> {
  const names = Object.keys(dataset.columns);
  await client.query(`DROP TABLE IF EXISTS ${table};
    CREATE TABLE ${table} (place text, ${names.map((name) => `"${name}" text`).join(', ')})`);
  const columns = [
    rows.map((_, index) => String(index).padStart(6, '0')),
    ...names.map((name) => rows.map((row) => row[name])),
  ];
  await client.query(
    `INSERT INTO ${table} SELECT * FROM unnest(${columns.map((_, index) => `$${index + 1}::text[]`)})`,
    columns,
  );
}
