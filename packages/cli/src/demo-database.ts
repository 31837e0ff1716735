/**
 * Islington's records in PostgreSQL for the length of a demo, where a server can be reached: a schema of its own, filled
 * from the CSV file, and dropped at the end.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from '@folkmoot/core/document.js';
import pg from 'pg';
import { z } from 'zod';
import { readText } from './files.ts';

/** A server that takes longer to answer would eat up the demo. */
const connectMs = 2_000;

export interface DemoDatabase {
  /** A node.yaml that names the table just made. */
  readonly nodeFile: string;
  drop(): Promise<void>;
}

interface Options {
  readonly url: string | undefined;
  readonly csvFile: string;
  /** The node.yaml whose source is a table. */
  readonly nodeFile: string;
  /** Where the changed node.yaml goes. */
  readonly folder: string;
}

const bound = z.looseObject({
  datasets: z.record(
    z.string(),
    z.looseObject({ source: z.looseObject({ postgres: z.looseObject({ table: z.string() }) }) }),
  ),
});

/** Undefined where no server is reachable. */
export async function loadDemoDatabase({ url, csvFile, nodeFile, folder }: Options): Promise<DemoDatabase | undefined> {
  if (url === undefined || url === '') return undefined;
  const connect = async () => {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectMs });
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  const client = await connect().catch(() => undefined);
  if (client === undefined) return undefined;
  const schema = `folkmoot_demo_${randomBytes(6).toString('hex')}`;
  try {
    const [header = [], ...rows] = parseCsv(await readText(csvFile));
    const columns = header.map((name) => pg.escapeIdentifier(name));
    const texts = header.map((_, index) => `$${index + 1}::text[]`);
    await client.query('BEGIN');
    await client.query(`CREATE SCHEMA ${schema}`);
    await client.query(`CREATE TABLE ${schema}.residents (${columns.map((name) => `${name} text`).join(', ')})`);
    await client.query(
      `INSERT INTO ${schema}.residents SELECT * FROM unnest(${texts.join(', ')})`,
      header.map((_, index) => rows.map((row) => (row[index] === '' ? null : row[index]))),
    );
    await client.query('COMMIT');
  } catch {
    // A server where nothing may be created is of no use here; the CSV file is.
    await client.end().catch(() => {});
    return undefined;
  }
  await client.end();

  const config = parseDocument(await readText(nodeFile), bound, { name: nodeFile });
  for (const { source } of Object.values(config.datasets)) source.postgres.table = `${schema}.residents`;
  const changed = join(folder, 'islington.node.yaml');
  await writeFile(changed, JSON.stringify(config));
  return {
    nodeFile: changed,
    async drop() {
      const last = await connect();
      await last.query(`DROP SCHEMA ${schema} CASCADE`).finally(() => last.end());
    },
  };
}

/** The project's own files quote nothing. */
function parseCsv(text: string): string[][] {
  return text
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => line.split(','));
}
