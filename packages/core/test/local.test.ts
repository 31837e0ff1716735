/**
 * The local query: what is compiled, and how rows in memory are read.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { SourceError } from '../src/channel/errors.ts';
import { compileWhere } from '../src/query/condition.ts';
import { completeDataset, type Dataset, datasetSchema } from '../src/query/dictionary.ts';
import { compile, evaluate } from '../src/query/local.ts';
import { keyOf } from '../src/query/measure/family.ts';
import type { Raw, Row } from '../src/query/record.ts';
import type { LocalQuery, Statistic } from '../src/query/statistic.ts';
import { arrearsYaml, charter, checkedJob, incomeYaml, jobText } from './consortium.ts';

const always = { kind: 'true' } as const;
const people: Statistic = { of: 'people', product: [], where: always };
const rows: Statistic = { of: 'rows', product: [], where: always };
const total = (column: string): Statistic => ({ of: 'rows', product: [column], where: { kind: 'present', column } });

interface Options {
  readonly unit?: string;
  readonly perUnit?: number;
  readonly extra?: 'refuse' | 'keep_first';
  readonly maxRows?: number;
}

function datasetOf(columns: Record<string, unknown>, { unit, perUnit, extra, maxRows }: Options = {}): Dataset {
  return completeDataset(
    'd',
    datasetSchema.parse({
      held_by: ['a', 'b'],
      unit: unit ?? 'row',
      max_rows_per_unit: perUnit ?? 1,
      extra_rows: extra ?? 'refuse',
      max_rows: maxRows ?? 100,
      columns,
    }),
  );
}

function queryOf(dataset: Dataset, statistics: Statistic[], where: LocalQuery['where'] = always): LocalQuery {
  const columns = Object.keys(dataset.columns).filter((name) => dataset.columns[name]!.type !== 'identifier');
  return { dataset: 'd', columns, where, groups: [], cells: 1, statistics, ownParty: null };
}

/** The sum of x over one row. */
function read(column: Record<string, unknown>, raw: Raw): bigint {
  const dataset = datasetOf({ x: column });
  return evaluate(queryOf(dataset, [total('x')]), dataset, [{ x: raw }])[0]![0]!;
}

function refused(code: string, field: string, run: () => unknown): void {
  expect(run).toThrow(SourceError);
  expect(run).toThrow(expect.objectContaining({ code, field }));
}

describe('compile', () => {
  it('needs each sum once, however many measures use it', () => {
    const { statistics, columns, cells, ownParty } = compile(checkedJob(arrearsYaml));
    // Rows, rows in work and not in work, Σ arrears, Σ arrears².
    expect(statistics).toHaveLength(5);
    expect(columns).toEqual(['age', 'tenure', 'arrears', 'employed']);
    expect(cells).toBe(4);
    expect(ownParty).toBeNull();
  });

  it('is the same whatever the order of the measures', () => {
    const checked = checkedJob(incomeYaml);
    const turned = Object.fromEntries(Object.entries(checked.job.measures).reverse());
    expect(compile({ ...checked, job: { ...checked.job, measures: turned } })).toEqual(compile(checked));
  });

  it('counts people apart from rows where a person may have several, or the analyst’s party takes part', () => {
    const checked = checkedJob(jobText('measures: { n: count }'));
    expect(compile(checked).statistics).toEqual([rows]);
    expect(compile(checked, 'camden')).toMatchObject({ statistics: [rows, people], ownParty: 'camden' });
    expect(compile(checked, 'ncl-health')).toEqual(compile(checked));
    const several = { ...checked, dataset: { ...checked.dataset, max_rows_per_unit: 2 } };
    expect(compile(several).statistics).toEqual([rows, people]);
  });

  it('asks for no value that only a condition could need', () => {
    expect(compile(checkedJob(jobText('measures: { n: count }'))).columns).toEqual([]);
  });

  it('refuses a vector over the limit', () => {
    const measures = 'measures: { a: { histogram: { of: income, bins: { from: 0, to: 10000, width: 1 } } } }';
    expect(compile(checkedJob(jobText(measures))).statistics).toHaveLength(10_002);
    const lines = `group_by: [age, tenure, employed]\n${measures}`;
    expect(() => compile(checkedJob(jobText(lines)))).toThrow(
      expect.objectContaining({ code: 'TOO_MANY_CELLS', field: 'measures' }),
    );
  });
});

describe('values', () => {
  const integer = { type: 'integer', min: -100, max: 1000 };
  const decimal = { type: 'decimal', scale: 2, min: -10, max: 100 };

  it('are integers of their column’s scale, whatever they come as', () => {
    expect([read(integer, 12), read(integer, 12n), read(integer, '12'), read(integer, '12.0')]).toEqual([
      12n,
      12n,
      12n,
      12n,
    ]);
    expect([read(decimal, 1.5), read(decimal, 2n), read(decimal, '-1.5'), read(decimal, '1.500')]).toEqual([
      150n,
      200n,
      -150n,
      150n,
    ]);
    for (const raw of [true, 'true', 'TRUE', 't', 1, '1']) expect(read({ type: 'boolean' }, raw)).toBe(1n);
    for (const raw of [false, 'false', 'F', 0, '0']) expect(read({ type: 'boolean' }, raw)).toBe(0n);
  });

  it('are refused where digits, form or size would be guessed', () => {
    const bad: [Record<string, unknown>, Raw[]][] = [
      [
        integer,
        ['1.5', 1.5, '1_000', '0x10', '1,234', '1e400', 'NaN', '', ' 1', Number.NaN, Number.POSITIVE_INFINITY, true],
      ],
      [integer, [2 ** 53, '1'.repeat(1001)]],
      [decimal, ['1.239', 1.239, '1.', '.5', '1e2', 'Infinity']],
      [{ type: 'boolean' }, ['yes', 2, '']],
    ];
    for (const [column, raws] of bad) {
      for (const raw of raws) refused('SOURCE_VALUE', 'x', () => read(column, raw));
    }
  });

  it('never stand in an error', () => {
    const planted = 'jean-dupont-771';
    expect(() => read(integer, planted)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(planted) }),
    );
  });

  it('keep integers that no double holds, and clamp what is only large', () => {
    const wide = { type: 'integer', min: 0, max: '9223372036854775807' };
    expect(read(wide, '9007199254740993')).toBe(9007199254740993n);
    expect(read(wide, `1${'0'.repeat(400)}`)).toBe(9223372036854775807n);
  });

  it('are moved to the nearer bound, or refused where the dictionary says so', () => {
    expect([read(integer, -101), read(integer, 5000), read(decimal, '100.01')]).toEqual([-100n, 1000n, 10000n]);
    expect(read({ ...integer, outside: 'refuse' }, 1000)).toBe(1000n);
    refused('SOURCE_OUT_OF_BOUNDS', 'x', () => read({ ...integer, outside: 'refuse' }, 1001));
  });

  it('follow the null rule before the bounds', () => {
    refused('SOURCE_NULL', 'x', () => read(integer, null));
    expect(read({ ...integer, nulls: 'zero' }, null)).toBe(0n);
    expect(read({ ...integer, min: 5, nulls: 'zero', outside: 'refuse' }, null)).toBe(5n);
    expect(read({ ...integer, nulls: 'drop' }, null)).toBe(0n);
  });

  it('are listed categories and days that exist', () => {
    const dataset = datasetOf({
      kind: { type: 'category', values: ['red', 'green'] },
      day: { type: 'date', min: '2020-01-01', max: '2024-12-31' },
    });
    const count = (row: Row, where: NonNullable<Parameters<typeof compileWhere>[0]>) =>
      evaluate(queryOf(dataset, [rows], compileWhere(where, dataset)), dataset, [row])[0]![0]!;
    expect(count({ kind: 'green', day: '2024-02-29' }, { kind: { eq: 'green' }, day: { eq: '2024-02-29' } })).toBe(1n);
    expect(count({ kind: 'red', day: '2030-05-05' }, { day: { eq: '2024-12-31' } })).toBe(1n);
    expect(count({ kind: 'red', day: '2021-05-05 00:00:00' }, { 'year(day)': { eq: 2021 } })).toBe(1n);
    refused('SOURCE_VALUE', 'kind', () => count({ kind: 'blue', day: '2024-02-28' }, {}));
    for (const day of ['2023-02-29', '2023-2-1', '01/02/2023', '2023-01-01 10:00:00', 20230101]) {
      refused('SOURCE_VALUE', 'day', () => count({ kind: 'red', day }, {}));
    }
  });
});

describe('rows', () => {
  const columns = { id: { type: 'identifier', normalise: 'digits' }, x: { type: 'integer', min: 0, max: 9 } };
  const run = (options: Options, given: Row[], statistics = [rows, people, total('x')], isOwn = false) => {
    const dataset = datasetOf(columns, options);
    return evaluate(queryOf(dataset, statistics), dataset, given, isOwn).map(([sum]) => sum);
  };

  it('must be there, and not be more than is agreed', () => {
    refused('SOURCE_EMPTY', 'd', () => run({}, []));
    const three = [1, 2, 3].map((x) => ({ id: `${x}`, x }));
    expect(run({ maxRows: 3 }, three)).toEqual([3n, 3n, 6n]);
    refused('SOURCE_TOO_MANY_ROWS', 'd', () => run({ maxRows: 2 }, three));
  });

  it('must have every column that is asked for', () => {
    refused('SOURCE_COLUMN_MISSING', 'x', () => run({}, [{ id: '1' }]));
    refused('SOURCE_COLUMN_MISSING', 'id', () => run({ unit: 'id' }, [{ x: 1 }]));
  });

  it('of one person beyond the limit are refused or left out, by identifiers in their normal form', () => {
    const given = [
      { id: '943 476', x: 1 },
      { id: '943476', x: 2 },
      { id: '943-476', x: 4 },
      { id: '1', x: 8 },
    ];
    expect(run({ unit: 'id', perUnit: 3 }, given)).toEqual([4n, 2n, 15n]);
    refused('SOURCE_EXTRA_ROWS', 'id', () => run({ unit: 'id', perUnit: 2 }, given));
    expect(run({ unit: 'id', perUnit: 2, extra: 'keep_first' }, given)).toEqual([3n, 2n, 11n]);
    expect(run({ unit: 'id', extra: 'keep_first' }, given)).toEqual([2n, 2n, 9n]);
  });

  it('must name a person where people are the unit', () => {
    refused('SOURCE_NULL', 'id', () => run({ unit: 'id' }, [{ id: null, x: 1 }]));
    refused('SOURCE_NULL', 'id', () => run({ unit: 'id' }, [{ id: 'none', x: 1 }]));
  });

  it('of the analyst’s own party count in sums, and not as people', () => {
    const given = [1, 2].map((x) => ({ id: `${x}`, x }));
    expect(run({ unit: 'id' }, given, undefined, true)).toEqual([2n, 0n, 3n]);
  });
});

describe('totals of people', () => {
  const columns = {
    id: { type: 'identifier' },
    x: { type: 'integer', min: -100, max: 100, nulls: 'drop' },
    red: { type: 'boolean' },
  };
  const present = { kind: 'present', column: 'x' } as const;
  const isRed = { kind: 'compare', column: 'red', op: 'eq', value: 1n } as const;
  const magnitude = (where: LocalQuery['where'] = present): Statistic => ({ of: 'magnitude', product: ['x'], where });
  const top = (rank: number, where: LocalQuery['where'] = present): Statistic => ({
    ...magnitude(where),
    of: 'top',
    rank,
  });
  const given = [
    { id: 'a', x: 50, red: true },
    { id: 'b', x: -200, red: true },
    { id: 'a', x: -60, red: false },
    { id: 'c', x: 10, red: true },
    { id: 'd', x: null, red: true },
  ];
  const run = (options: Options, statistics: Statistic[], where?: LocalQuery['where'], isOwn = false) => {
    const dataset = datasetOf(columns, options);
    return evaluate(queryOf(dataset, statistics, where), dataset, given, isOwn).map(([number]) => number);
  };
  const asked = [magnitude(), top(1), top(2), top(3), top(4)];

  it('are taken over a person’s rows, and then without their sign', () => {
    // −10 of a, −100 of b by its bounds, 10 of c; d has no value.
    expect(run({ unit: 'id', perUnit: 2 }, asked)).toEqual([120n, 100n, 10n, 10n, 0n]);
    expect(run({ unit: 'id', extra: 'keep_first' }, asked)).toEqual([160n, 100n, 50n, 10n, 0n]);
  });

  it('are those of single rows where the unit is a row', () => {
    expect(run({}, asked)).toEqual([220n, 100n, 60n, 50n, 10n]);
  });

  it('are over what meets the conditions of the query and their own', () => {
    const both = { kind: 'and', of: [present, isRed] } as const;
    expect(run({ unit: 'id', perUnit: 2 }, [magnitude(both), top(2, both), top(2)])).toEqual([160n, 50n, 10n]);
    expect(run({ unit: 'id', perUnit: 2 }, asked, isRed)).toEqual([160n, 100n, 50n, 10n, 0n]);
  });

  it('are those of each cell apart', () => {
    const dataset = datasetOf(columns, { unit: 'id', perUnit: 2 });
    const groups = [{ name: 'red', column: 'red', transform: 'value', first: 0n, labels: [false, true] }] as const;
    const query: LocalQuery = { ...queryOf(dataset, asked), groups, cells: 2 };
    expect(evaluate(query, dataset, given)).toEqual([
      [60n, 160n],
      [60n, 100n],
      [0n, 50n],
      [0n, 10n],
      [0n, 0n],
    ]);
  });

  it('are there for the analyst’s own party too', () => {
    expect(run({ unit: 'id', perUnit: 2 }, [people, ...asked], undefined, true)).toEqual([
      0n,
      ...[120n, 100n, 10n, 10n, 0n],
    ]);
  });

  it('have a key that tells ranks apart', () => {
    const keys = [...asked, total('x'), { ...magnitude(), of: 'people' as const }].map(keyOf);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keyOf(top(2))).toBe(keyOf({ ...top(2) }));
  });
});

describe('conditions', () => {
  it('are three-valued: what compares with a null counts on no side', () => {
    const dataset = charter.datasets.residents!;
    const given = ['1', '2', '3'].map((person, at) => ({ person, income: [null, '5', '50'][at]!, age: 30 }));
    const count = (where: Parameters<typeof compileWhere>[0]) => {
      const query = { ...queryOf(dataset, [rows], compileWhere(where, dataset)), columns: ['age', 'income'] };
      return evaluate(query, dataset, given)[0]![0]!;
    };
    expect(count({ income: { gt: 10 } })).toBe(1n);
    expect(count({ not: { income: { gt: 10 } } })).toBe(1n);
    expect(count({ income: { is_null: true } })).toBe(1n);
    expect(count({ any: [{ income: { gt: 10 } }, { age: { eq: 30 } }] })).toBe(3n);
    expect(count({ not: { any: [{ income: { gt: 10 } }, { age: { eq: 31 } }] } })).toBe(1n);
    expect(count({ income: { in: [5, 6] } })).toBe(1n);
    expect(count({ income: { ne: 5 } })).toBe(1n);
  });
});
