import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type TestPostgres } from '@folkmoot/testkit/postgres.js';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folkmoot } from './command-line.ts';
import { expectWhatTheSampleGives, members } from './sample-answers.ts';

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
    expect(jobs).toHaveLength(9);
    expectWhatTheSampleGives(jobs);
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    const { rows } = await client.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'folkmoot%'");
    await client.end();
    expect(rows).toEqual([]);
  });

  it('falls back to the CSV file where the server does not answer, and leaves nothing behind', async () => {
    const temporary = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
    try {
      const { code, stdout } = await folkmoot(['demo', '--json'], {
        env: { TMPDIR: temporary, ISLINGTON_DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' },
      });
      expect(code).toBe(0);
      const { database, jobs, traffic } = JSON.parse(stdout);
      expect(database).toBe(false);
      expect(jobs).toHaveLength(9);
      expectWhatTheSampleGives(jobs);
      expect(traffic.map(({ party }: { party: string }) => party).sort()).toEqual(members);
      expect(readdirSync(temporary)).toEqual([]);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  });
});
