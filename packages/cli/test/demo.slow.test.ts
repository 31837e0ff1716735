import { startPostgres, type TestPostgres } from '@folkmoot/testkit/postgres.js';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folkmoot } from './command-line.ts';

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

describe('folkmoot demo with a PostgreSQL server at hand', () => {
  it('reads Islington’s records from a schema of its own, and drops it', async () => {
    const { code, stdout } = await folkmoot(['demo', '--json'], { env: { ISLINGTON_DATABASE_URL: server.url } });
    expect(code).toBe(0);
    const { database, jobs } = JSON.parse(stdout);
    expect(database).toBe(true);
    const exact = jobs.filter(({ agreement }: { agreement?: unknown }) => agreement !== undefined);
    expect(exact).toHaveLength(8);
    for (const { agreement } of exact) expect(agreement.largestDifference).toBeLessThanOrEqual(1e-9);
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    const { rows } = await client.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'folkmoot%'");
    await client.end();
    expect(rows).toEqual([]);
  });

  it('falls back to the CSV file where the server does not answer', async () => {
    const { stdout } = await folkmoot(['demo', '--json'], {
      env: { ISLINGTON_DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' },
    });
    expect(JSON.parse(stdout)).toMatchObject({ database: false });
  });
});
