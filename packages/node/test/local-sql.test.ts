import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Condition } from '@folkmoot/core/condition.js';
import type { Dataset } from '@folkmoot/core/dictionary.js';
import type { SideQuery } from '@folkmoot/core/join-query.js';
import type { LocalQuery } from '@folkmoot/core/statistic.js';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { compileSql, duckdbDialect, postgresDialect } from '../src/sources/dialect.ts';
import { localSql } from '../src/sources/local-sql.ts';
import { SideRows } from '../src/sources/side-rows.ts';
import { sideSql } from '../src/sources/side-sql.ts';
import { caseArbitrary, sideArbitrary } from './arbitrary-query.ts';
import {
  asCsv,
  askedOfFile,
  brought,
  broughtByFile,
  evaluated,
  writeCsv,
  writeJson,
  writeParquet,
} from './written-rows.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-local-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Counts below each of some limits. */
function wideSide(features: number): SideQuery {
  const dataset: Dataset = {
    name: 'residents',
    held_by: ['camden'],
    unit: 'person',
    max_rows_per_unit: 2,
    extra_rows: 'keep_first',
    max_parties_per_unit: 1,
    max_rows: 10_000,
    columns: {
      person: { type: 'identifier' },
      a: { type: 'integer', min: 0, max: 2000, nulls: 'refuse', outside: 'clamp' },
    },
  };
  const parts = Array.from({ length: features }, (_, index) => ({
    of: 'rows' as const,
    product: [],
    where: { kind: 'compare' as const, column: 'a', op: 'lte' as const, value: BigInt(index * 13) },
    min: 0n,
    max: 1n,
  }));
  const all = { where: { kind: 'true' as const }, groups: [], cells: 1, features: parts };
  return { party: 'camden', dataset, key: 'person', rowsPerKey: 2, columns: ['a'], ...all };
}

describe('a local query as SQL', () => {
  it('gives the integers of the plain evaluation, whatever the file', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(caseArbitrary, async (given) => {
        const outcome = await evaluated(given);
        expect(await askedOfFile(folder, writeCsv(folder, 'any.csv', given.rows), given)).toEqual(outcome);
        expect(await askedOfFile(folder, writeJson(folder, 'any.jsonl', given.rows), given)).toEqual(outcome);
        expect(await askedOfFile(folder, await writeParquet(folder, 'any.parquet', given.rows), given)).toEqual(
          outcome,
        );
      }),
      { numRuns: 15 },
    );
  });

  it('brings to a join what the plain reading brings, whatever the file', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(sideArbitrary, async (given) => {
        const outcome = await brought(given);
        const fromCsv = await brought({ ...given, rows: asCsv(given.rows) });
        expect(await broughtByFile(folder, writeCsv(folder, 'side.csv', given.rows), given)).toEqual(fromCsv);
        expect(await broughtByFile(folder, writeJson(folder, 'side.jsonl', given.rows), given)).toEqual(outcome);
        expect(await broughtByFile(folder, await writeParquet(folder, 'side.parquet', given.rows), given)).toEqual(
          outcome,
        );
      }),
      { numRuns: 10 },
    );
  });

  it('brings more features than a statement takes, and the first rows first', async () => {
    const made = wideSide(150);
    const rows = Array.from({ length: 3_000 }, (_, index) => ({
      person: `${index % 1_700}`,
      a: `${(index * 7) % 2001}`,
    }));
    const outcome = await brought({ side: made, rows });
    expect(await broughtByFile(folder, writeCsv(folder, 'features.csv', rows), { side: made, rows })).toEqual(outcome);
    expect(sideSql(made, duckdbDialect).columns).toHaveLength(3);
    expect(sideSql(made, postgresDialect).columns).toHaveLength(1);
  });

  it('has no room for the rows of a set that no job can match', () => {
    expect(() => new SideRows(wideSide(1), 4_194_305)).toThrow(expect.objectContaining({ code: 'SET_TOO_LARGE' }));
  });

  it('carries no text of the job, for either engine', () => {
    fc.assert(
      fc.property(caseArbitrary, fc.bigInt({ min: 10n ** 20n, max: 10n ** 21n }), (given, planted) => {
        const query: LocalQuery = {
          ...given.query,
          where: {
            kind: 'and',
            of: [given.query.where, { kind: 'in', column: given.query.columns[0]!, values: [planted] }],
          },
        };
        const columns = { ...given.dataset.columns };
        columns[query.columns[0]!] = { type: 'integer', min: 0, max: '9'.repeat(30), nulls: 'drop', outside: 'clamp' };
        const dataset: Dataset = { ...given.dataset, columns };
        for (const dialect of [duckdbDialect, postgresDialect]) {
          const local = localSql(query, dataset, false, dialect);
          const statements = [...local.sums, local.check].map(compileSql);
          for (const { text } of statements) {
            expect(text).not.toContain(planted.toString());
            expect(text).not.toMatch(/c\d|person/);
          }
          const peopleAlone = statements.length > 1;
          expect(peopleAlone && statements.some(({ parameters }) => parameters.includes(planted.toString()))).toBe(
            true,
          );
        }
      }),
      { numRuns: 50 },
    );
  });

  it('sums products beyond 128 bits exactly', async () => {
    const huge = '9'.repeat(37);
    const dataset: Dataset = {
      name: 'residents',
      held_by: ['camden'],
      unit: 'row',
      max_rows_per_unit: 1,
      extra_rows: 'refuse',
      max_parties_per_unit: 1,
      max_rows: 1_000_000_000_000,
      columns: {
        a: { type: 'integer', min: `-${huge}`, max: huge, nulls: 'drop', outside: 'clamp' },
        b: {
          type: 'decimal',
          scale: 2,
          min: '-99999999999999',
          max: '99999999999999',
          nulls: 'drop',
          outside: 'clamp',
        },
      },
    };
    const rows = Array.from({ length: 2_000 }, (_, index) => ({
      a: index % 9 === 0 ? null : `${index % 2 === 0 ? '-' : ''}${BigInt(huge) - BigInt(index) * 10n ** 31n}`,
      b: `${index % 3 === 0 ? '-' : ''}${99999999999998 - index}.25`,
    }));
    const present = (...columns: string[]) => ({
      kind: 'and' as const,
      of: columns.map((column) => ({ kind: 'present' as const, column })),
    });
    const products = [['a'], ['a', 'a'], ['a', 'b'], ['b', 'b'], ['b']];
    const query: LocalQuery = {
      dataset: 'residents',
      columns: ['a', 'b'],
      where: { kind: 'true' },
      groups: [],
      cells: 1,
      statistics: products.map((product) => ({ of: 'rows', product, where: present(...product) })),
      ownParty: null,
    };
    const given = { dataset, rows, query, ownParty: false };
    const outcome = await evaluated(given);
    expect(await askedOfFile(folder, writeCsv(folder, 'huge.csv', rows), given)).toEqual(outcome);
    expect((outcome as { value: bigint[][] }).value[1]![0]! > 1n << 240n).toBe(true);
  });

  it('takes more sums than a statement may have', async () => {
    const dataset: Dataset = {
      name: 'residents',
      held_by: ['camden'],
      unit: 'person',
      max_rows_per_unit: 2,
      extra_rows: 'refuse',
      max_parties_per_unit: 1,
      max_rows: 10_000,
      columns: {
        person: { type: 'identifier' },
        a: { type: 'integer', min: 0, max: 2000, nulls: 'refuse', outside: 'clamp' },
      },
    };
    const rows = Array.from({ length: 3_000 }, (_, index) => ({ person: `${index >> 1}`, a: `${(index * 7) % 2001}` }));
    const statistics = Array.from({ length: 1_800 }, (_, index) => ({
      of: index % 2 === 0 ? ('rows' as const) : ('people' as const),
      product: [],
      where: { kind: 'compare' as const, column: 'a', op: 'lte' as const, value: BigInt(index) },
    }));
    const query: LocalQuery = {
      dataset: 'residents',
      columns: ['a'],
      where: { kind: 'true' },
      groups: [],
      cells: 1,
      statistics,
      ownParty: null,
    };
    const given = { dataset, rows, query, ownParty: false };
    expect(await askedOfFile(folder, writeCsv(folder, 'many.csv', rows), given)).toEqual(await evaluated(given));
  });

  describe('of people’s totals', () => {
    const huge = '9'.repeat(37);
    const dataset: Dataset = {
      name: 'residents',
      held_by: ['camden'],
      unit: 'person',
      max_rows_per_unit: 3,
      extra_rows: 'refuse',
      max_parties_per_unit: 1,
      max_rows: 1_000_000_000_000,
      columns: {
        person: { type: 'identifier' },
        a: { type: 'integer', min: `-${huge}`, max: huge, nulls: 'drop', outside: 'clamp' },
        b: { type: 'integer', min: -1000, max: 1000, nulls: 'drop', outside: 'clamp' },
      },
    };
    const totalsOf = (product: readonly string[], ranks: readonly number[], where: Condition = presentIn(product)) => [
      { of: 'magnitude' as const, product, where },
      ...ranks.map((rank) => ({ of: 'top' as const, product, where, rank })),
    ];
    const presentIn = (columns: readonly string[]) => ({
      kind: 'and' as const,
      of: columns.map((column) => ({ kind: 'present' as const, column })),
    });
    const queryOf = (statistics: LocalQuery['statistics']): LocalQuery => ({
      dataset: 'residents',
      columns: ['a', 'b'],
      where: { kind: 'true' },
      groups: [],
      cells: 1,
      statistics,
      ownParty: null,
    });

    it('orders and adds totals that no engine’s integer holds', async () => {
      const amount = fc.oneof(
        fc.bigInt({ min: -(10n ** 37n), max: 10n ** 37n }),
        fc.bigInt({ min: -2n, max: 2n }).map((n) => n << 40n),
        // Neighbours of the largest, so that totals differ in their last digits alone, or cancel.
        fc.tuple(fc.bigInt({ min: 0n, max: 2n }), fc.constantFrom(1n, -1n)).map(([n, s]) => s * (BigInt(huge) - n)),
      );
      const row = fc.record({
        person: fc.constantFrom('p', 'q', 'r', 's', 't', 'u'),
        a: fc.option(amount.map(String), { freq: 6 }),
        b: fc.option(fc.integer({ min: -1000, max: 1000 }).map(String), { freq: 6 }),
      });
      const products = [['a'], ['a', 'a'], ['a', 'b'], ['b', 'b'], ['b'], []];
      const query = queryOf(products.flatMap((product) => totalsOf(product, [1, 2, 3, 9])));
      await fc.assert(
        fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 18 }), async (rows) => {
          const given = { dataset: { ...dataset, extra_rows: 'keep_first' as const }, rows, query, ownParty: true };
          const outcome = await evaluated(given);
          expect(await askedOfFile(folder, writeCsv(folder, 'wide.csv', rows), given)).toEqual(outcome);
        }),
        { numRuns: 12 },
      );
    });

    it('sorts them once for all ranks, in one statement', () => {
      const query = queryOf([...totalsOf(['b'], [1, 2, 3, 4, 5]), ...totalsOf(['b'], [2]), ...totalsOf(['a'], [])]);
      for (const dialect of [duckdbDialect, postgresDialect]) {
        const statements = localSql(query, dataset, false, dialect).sums.map((each) => compileSql(each).text);
        expect(statements).toHaveLength(1);
        expect(statements[0]!.match(/row_number\(\)/g)).toHaveLength(1);
        expect(statements[0]!.match(/GROUP BY cell, u/g)).toHaveLength(1);
      }
    });

    it('puts no more of them into a statement than it takes', async () => {
      const rows = Array.from({ length: 60 }, (_, index) => ({
        person: `${index % 25}`,
        a: `${(index * 7919) % 101}`,
        b: `${((index * 31) % 41) - 20}`,
      }));
      const statistics = Array.from({ length: 60 }, (_, index) =>
        totalsOf(['b'], [1, 2, 26], {
          kind: 'and',
          of: [{ kind: 'compare', column: 'a', op: 'gte', value: BigInt(index) }],
        }),
      ).flat();
      const given = { dataset, rows, query: queryOf(statistics), ownParty: false };
      expect(localSql(given.query, dataset, false, duckdbDialect).sums).toHaveLength(4);
      expect(await askedOfFile(folder, writeCsv(folder, 'many-totals.csv', rows), given)).toEqual(
        await evaluated(given),
      );
    });
  });
});
