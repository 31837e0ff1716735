import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Column, Dataset } from '@folkmoot/core/dictionary.js';
import type { LocalQuery } from '@folkmoot/core/statistic.js';
import { startPostgres, type TestPostgres } from '@folkmoot/testkit/postgres.js';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSource } from '../src/sources/source-binding.ts';
import { caseArbitrary } from './arbitrary-query.ts';
import { askedOfFile, askedOfTable, evaluated, writeCsv, writeJson, writeParquet, writeTable } from './written-rows.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-large-'));
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
  rmSync(folder, { recursive: true, force: true });
});

const rowCount = 500_000;
const small = (max: number): Column => ({ type: 'integer', min: 0, max, nulls: 'refuse', outside: 'clamp' });
const large: Dataset = {
  name: 'residents',
  held_by: ['camden'],
  unit: 'person',
  max_rows_per_unit: 1,
  extra_rows: 'refuse',
  max_parties_per_unit: 1,
  max_rows: rowCount,
  columns: {
    person: { type: 'identifier' },
    age: small(6),
    cell: small(10),
    arrears: { type: 'decimal', scale: 2, min: 0, max: 20_000, nulls: 'zero', outside: 'clamp' },
  },
};
const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const groups = [
  { name: 'age', column: 'age', transform: 'value' as const, first: 0n, labels: range(7) },
  { name: 'cell', column: 'cell', transform: 'value' as const, first: 0n, labels: range(11) },
];
/** 200 sums in 77 cells. */
const question: LocalQuery = {
  dataset: 'residents',
  columns: ['age', 'cell', 'arrears'],
  where: { kind: 'true' },
  groups,
  cells: 77,
  statistics: range(200).map((index) => ({
    of: 'rows',
    product: index % 2 === 0 ? [] : ['arrears', 'arrears'].slice(index % 4 === 1 ? 0 : 1),
    where: { kind: 'compare', column: 'arrears', op: 'lt', value: BigInt(index * 10_000) },
  })),
  ownParty: null,
};
/** Pence: each multiple of 4 below 2,000,000 once. */
const pence = (row: number): number => ((row * 7) % rowCount) * 4;

async function writeLarge(name: string, person: (row: number) => string): Promise<string> {
  const out = createWriteStream(join(folder, name));
  out.write('person,age,cell,arrears,note\n');
  for (let from = 0; from < rowCount; from += 1_000) {
    const rows = range(1_000).map((index) => from + index);
    const lines = rows.map(
      (row) => `${person(row)},${row % 7},${row % 11},${(pence(row) / 100).toFixed(2)},"é, ${row}"\n`,
    );
    out.write(lines.join(''));
  }
  out.end();
  await finished(out);
  return name;
}

function expectAnswer(result: readonly (readonly bigint[])[]): void {
  const total = (at: number): bigint => result[at]!.reduce((sum, cell) => sum + cell, 0n);
  expect(result[0]!.length).toBe(77);
  expect(total(198)).toBe(495_000n);
  expect(total(199)).toBe(range(497_500).reduce((sum, step) => sum + BigInt(step * 4), 0n));
  expect(total(197)).toBe(range(492_500).reduce((sum, step) => sum + BigInt(step * 4) ** 2n, 0n));
}

describe('the sources', () => {
  it('give the integers of the plain evaluation, a thousand times over', async () => {
    await fc.assert(
      fc.asyncProperty(caseArbitrary, async (given) => {
        const outcome = await evaluated(given);
        expect(await askedOfFile(folder, writeCsv(folder, 'any.csv', given.rows), given)).toEqual(outcome);
        expect(await askedOfFile(folder, writeJson(folder, 'any.jsonl', given.rows), given)).toEqual(outcome);
        expect(await askedOfFile(folder, await writeParquet(folder, 'any.parquet', given.rows), given)).toEqual(
          outcome,
        );
        await writeTable(client, 'written', given.dataset, given.rows);
        expect(await askedOfTable(server.url, 'written', given)).toEqual(outcome);
      }),
      { numRuns: 1_000 },
    );
  });

  it('answer 200 sums in 77 cells over 500,000 rows of a file', async () => {
    const file = await writeLarge('large.csv', String);
    const source = openSource({ period: 'p', source: { file }, columns: {} }, { folder, env: {}, dataset: large });
    expectAnswer(await source.query(question, large, false));
  });

  it('answer 200 sums in 77 cells over 500,000 rows of a table', async () => {
    await client.query(`CREATE TABLE residents AS SELECT n::text AS person, n % 7 AS age, n % 11 AS cell,
      ((n * 7) % ${rowCount}) * 4 / 100.0 AS arrears FROM generate_series(0, ${rowCount - 1}) n`);
    const binding = { period: 'p', source: { postgres: { url_env: 'URL', table: 'residents' } }, columns: {} };
    const source = openSource(binding, { folder: '/', env: { URL: server.url }, dataset: large });
    expectAnswer(await source.query(question, large, false));
  });

  it('keep the rows that come first in a large file', async () => {
    const file = await writeLarge('twice.csv', (row) => String(row % (rowCount / 2)));
    const keep: Dataset = { ...large, extra_rows: 'keep_first' };
    const everywhere = { kind: 'true' } as const;
    const query: LocalQuery = {
      ...question,
      groups: [],
      cells: 1,
      statistics: [
        { of: 'people', product: [], where: everywhere },
        { of: 'rows', product: ['arrears'], where: everywhere },
      ],
    };
    const source = openSource({ period: 'p', source: { file }, columns: {} }, { folder, env: {}, dataset: keep });
    const first = range(rowCount / 2).reduce((sum, row) => sum + BigInt(pence(row)), 0n);
    expect(await source.query(query, keep, false)).toEqual([[BigInt(rowCount / 2)], [first]]);
  });
});
