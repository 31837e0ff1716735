import { rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { startPostgres, type TestPostgres } from '@folkmoot/testkit/postgres.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examineCoordinator } from '../src/doctor.ts';
import { startCoordinator } from '../src/server.ts';
import { type Consortium, consortium } from './consortium.ts';

let moot: Consortium;
let postgres: TestPostgres;
let database: pg.Client;
let isAway = false;

beforeAll(async () => {
  postgres = await startPostgres();
  database = new pg.Client({ connectionString: postgres.url });
  database.on('error', () => undefined);
  await database.connect();
  moot = await consortium();
  const settings = ['charter: ./charter.json', 'listen: 127.0.0.1:0', 'state: { postgres: { url_env: MOOT } }', ''];
  writeFileSync(moot.configFile, settings.join('\n'));
});
afterAll(async () => {
  if (!isAway) await postgres.stop();
  rmSync(moot.folder, { recursive: true, force: true });
});

const start = (listen = '127.0.0.1:0') =>
  startCoordinator({
    configFile: moot.configFile,
    overrides: { listen },
    log: pino({ level: 'silent' }),
    env: { MOOT: postgres.url },
  });
async function finding(check: string, listen = '127.0.0.1:0') {
  const env = { MOOT: postgres.url };
  const options = { configFile: moot.configFile, overrides: { listen }, env, clock: systemClock };
  return (await examineCoordinator(options)).find((one) => one.check === check);
}

describe('the doctor of a coordinator on PostgreSQL', () => {
  it('makes no tables, and brings none up to date', async () => {
    const tables = async () => (await database.query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'")).rowCount;
    expect(await finding('database')).toMatchObject({ level: 'ok', text: expect.stringContaining('no tables yet') });
    expect(await tables()).toBe(0);
    const running = await start();
    await running.stop();
    expect(await finding('database')).toMatchObject({ level: 'ok', text: expect.stringContaining('of this version') });
    const versionIs = (value: string) => database.query('UPDATE meta SET value = $1 WHERE key = $2', [value, 'schema']);
    const { rows } = await database.query("SELECT value FROM meta WHERE key = 'schema'");
    await versionIs('1');
    await database.query('DROP TABLE tokens');
    const before = await tables();
    expect(await finding('database')).toMatchObject({ level: 'ok', text: expect.stringContaining('older version') });
    expect(await tables()).toBe(before);
    await versionIs('9999');
    expect(await finding('database')).toMatchObject({ level: 'fail', text: expect.stringContaining('STATE_NEWER') });
    await versionIs(rows[0].value);
    await database.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  });

  // Where this machine has an address that is not loopback.
  const own = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')?.address;
  it.skipIf(own === undefined)('finds one that listens beyond loopback, for a proxy', async () => {
    const free = await start();
    const port = new URL(free.url).port;
    await free.stop();
    const settings = ['charter: ./charter.json', 'listen: 127.0.0.1:0', 'state: { postgres: { url_env: MOOT } }'];
    writeFileSync(moot.configFile, [...settings, 'behind_tls_proxy: true', ''].join('\n'));
    const running = await start(`${own}:${port}`);
    try {
      expect(await finding('coordinator', `${own}:${port}`)).toMatchObject({ level: 'ok' });
    } finally {
      await running.stop();
    }
  });

  it('says of one that runs that its database is away', async () => {
    const running = await start();
    const { host } = new URL(running.url);
    try {
      expect(await finding('coordinator', host)).toMatchObject({ level: 'ok' });
      await postgres.stop();
      isAway = true;
      // The last good word of its health is a few seconds old at most.
      await expect
        .poll(() => finding('coordinator', host), { timeout: 20_000, interval: 500 })
        .toMatchObject({ level: 'fail', text: 'it runs, and says it is failing (database STATE_FAILED)' });
      expect(await finding('database', host)).toMatchObject({ level: 'fail' });
      const about = await fetch(`http://${host}/v1/health`);
      expect({ status: about.status, body: await about.json() }).toMatchObject({ status: 200, body: { jobs: {} } });
    } finally {
      await running.stop().catch(() => undefined);
    }
  });
});
