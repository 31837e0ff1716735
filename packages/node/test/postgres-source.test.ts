import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dataset } from '@folkmoot/core/dictionary.js';
import type { SourceError } from '@folkmoot/core/errors.js';
import type { SideQuery } from '@folkmoot/core/join-query.js';
import type { LocalQuery } from '@folkmoot/core/statistic.js';
import { startPostgres, type TestPostgres } from '@folkmoot/testkit/postgres.js';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Snapshots } from '../src/snapshot.ts';
import { inMemory } from '../src/sources/in-memory.ts';
import { postgresSource } from '../src/sources/postgres.ts';
import type { Original } from '../src/sources/source.ts';
import { openSource } from '../src/sources/source-binding.ts';
import { openStore } from '../src/store.ts';
import { caseArbitrary, sideArbitrary } from './arbitrary-query.ts';
import { askedOfTable, brought, broughtByTable, evaluated, writeTable } from './written-rows.ts';

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

function open(dataset: Dataset = residents, columns: Record<string, string> = own, url = server.url): Original {
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

/** With a feature that holds for rows above 0. */
function sideOf(column: string): SideQuery {
  const where = { kind: 'compare', column, op: 'gt', value: 0n } as const;
  const feature = { of: 'rows', product: [column], where, min: 0n, max: 10n ** 12n } as const;
  const all = { where: { kind: 'true' }, groups: [], cells: 1, features: [feature] } as const;
  return { party: 'islington', dataset: residents, key: 'person', rowsPerKey: 1, columns: [column], ...all };
}

async function refusal(answer: Promise<unknown>): Promise<SourceError> {
  return answer.then(
    () => {
      throw new Error('the source was not refused');
    },
    (error: SourceError) => error,
  );
}

/** A way to the database that passes nothing on any more once a word was sent on it, and closes nothing. */
async function silentLink(to: number) {
  let last: string | undefined;
  const sockets: Socket[] = [];
  const listener = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    let isSilent = false;
    sockets.push(near, far);
    near.on('data', (bytes) => {
      isSilent ||= last !== undefined && bytes.includes(last);
      if (!isSilent) far.write(bytes);
    });
    far.on('data', (bytes) => void (isSilent || near.write(bytes)));
    for (const socket of [near, far]) socket.on('error', () => {});
    near.on('close', () => far.destroy());
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    silentAfter(word: string | undefined) {
      last = word;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      listener.close();
    },
  };
}

const create = `CREATE TABLE housing.residents (id text, age integer, rent_arrears_gbp numeric(10, 2), employed boolean, moved_in date)`;
const fill = `INSERT INTO housing.residents VALUES
  ('a', 30, 12.50, true, '2020-02-29'), ('b', 200, NULL, false, '1900-01-01'), ('c', 40, 99999, true, '2024-12-31')`;

describe('a PostgreSQL source', () => {
  it('is copied whole, as texts, for a snapshot', async () => {
    await client.query(create);
    await client.query(`${fill}, (NULL, NULL, NULL, NULL, NULL)`);
    const source = open();
    const copied = await inMemory(async (run, database) => {
      const columns = await source.copy(['age', 'arrears', 'moved_in', 'unknown'], { run, database });
      return { columns, rows: await run('SELECT t0, t1, t2 FROM texts ORDER BY t0') };
    });
    expect(copied.columns).toEqual(['age', 'arrears', 'moved_in']);
    expect(copied.rows).toEqual([
      ['200', null, '1900-01-01'],
      ['30', '12.50', '2020-02-29'],
      ['40', '99999.00', '2024-12-31'],
      [null, null, null],
    ]);
  });

  it('gives the integers of the plain evaluation', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(caseArbitrary, async (given) => {
        await writeTable(client, table, given.dataset, given.rows);
        expect(await askedOfTable(server.url, table, given)).toEqual(await evaluated(given));
      }),
      { numRuns: 100 },
    );
  });

  it('brings to a join what the plain reading brings', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(sideArbitrary, async (given) => {
        await writeTable(client, table, given.side.dataset, given.rows);
        expect(await broughtByTable(server.url, table, given)).toEqual(await brought(given));
      }),
      { numRuns: 40 },
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
    expect(await source.rows('person')).toBe(3);
    expect((await refusal(source.rows('nhs'))).code).toBe('SOURCE_COLUMN_MISSING');
    await client.query("UPDATE housing.residents SET age = 31 WHERE id = 'a'");
    expect((await refusal(source.rows())).code).toBe('SOURCE_CHANGED');
    expect((await refusal(source.query(sumsOf('age'), residents, false))).code).toBe('SOURCE_CHANGED');
  });

  it('brings a side of a join from the records that the fingerprint was taken of', async () => {
    await client.query(`${create}; ${fill}`);
    const source = open();
    await source.fingerprint(key);
    const { identifiers, features } = await source.sideRecords(sideOf('arrears'));
    expect(identifiers.toSorted()).toEqual(['a', 'b', 'c']);
    expect(features[0]!.reduce((sum, value) => sum + value, 0n)).toBe(20012_50n);
    await client.query("UPDATE housing.residents SET age = 31 WHERE id = 'a'");
    expect((await refusal(source.sideRecords(sideOf('arrears')))).code).toBe('SOURCE_CHANGED');
  });

  it('is refused when it is counted and has no rows', async () => {
    await client.query(create);
    expect((await refusal(open().rows())).code).toBe('SOURCE_EMPTY');
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

  it('whose link falls silent is given up, and asked again by the next job', async () => {
    await client.query(`${create}; ${fill}`);
    const link = await silentLink(Number(new URL(server.url).port));
    const folder = await mkdtemp(join(tmpdir(), 'folkmoot-'));
    const store = openStore(join(folder, 'state'), () => 1_000);
    try {
      const patience = { statementMs: 200, answerMs: 100 };
      const url = server.url.replace(/:\d+\/postgres$/, `:${link.port}/postgres`);
      const source = () =>
        postgresSource({
          url,
          table,
          ownName: (name) => own[name as keyof typeof own] ?? name,
          dataset: residents,
          patience,
        });
      const snapshots = new Snapshots({ store, state: join(folder, 'state'), secret: key, matchedColumns: () => [] });
      link.silentAfter('DECLARE rows');
      const refused = { code: 'SOURCE_UNREACHABLE', message: expect.stringContaining('stopped answering') };
      await expect(snapshots.of(residents, 'p', source)).rejects.toMatchObject(refused);
      link.silentAfter('sum(');
      await expect(source().query(sumsOf('age'), residents, false)).rejects.toMatchObject(refused);
      link.silentAfter('SELECT i, ');
      await expect(source().sideRecords(sideOf('arrears'))).rejects.toMatchObject(refused);
      link.silentAfter('COMMIT');
      await expect(source().fingerprint(key)).rejects.toMatchObject(refused);
      link.silentAfter(undefined);
      expect(await snapshots.of(residents, 'p', source)).toMatchObject({ sha256: expect.any(String) });
    } finally {
      link.close();
      store.close();
      await rm(folder, { recursive: true });
    }
  });

  it('names the code where its user may not read', async () => {
    await client.query(`${create}; ${fill}; DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'pw'`);
    const url = server.url.replace('postgres:folkmoot@', 'reader:pw@');
    const error = await refusal(open(residents, own, url).query(sumsOf('age'), residents, false));
    expect(error.code).toBe('SOURCE_UNREACHABLE');
    expect(error.message).toContain('42501');
  });
});
