import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Column, Dataset } from '@folkmoot/core/dictionary.js';
import type { SourceError } from '@folkmoot/core/errors.js';
import type { SideQuery } from '@folkmoot/core/join-query.js';
import type { LocalQuery } from '@folkmoot/core/statistic.js';
import { afterAll, describe, expect, it } from 'vitest';
import { inMemory } from '../src/sources/in-memory.ts';
import type { Source } from '../src/sources/source.ts';
import { openSource } from '../src/sources/source-binding.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-sources-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function dataset(columns: Record<string, Column>, changes: Partial<Dataset> = {}): Dataset {
  return {
    name: 'residents',
    held_by: ['camden'],
    unit: 'row',
    max_rows_per_unit: 1,
    extra_rows: 'refuse',
    max_parties_per_unit: 1,
    max_rows: 1000,
    columns,
    ...changes,
  };
}

const integer = (min: number | string, max: number | string, rules = {}): Column =>
  ({ type: 'integer', min, max, nulls: 'refuse', outside: 'clamp', ...rules }) as Column;
const decimal = (scale: number, min: number | string, max: number | string, rules = {}): Column =>
  ({ type: 'decimal', scale, min, max, nulls: 'refuse', outside: 'clamp', ...rules }) as Column;

let files = 0;
function file(ending: string, content: string | Buffer): string {
  const name = `source-${files++}.${ending}`;
  writeFileSync(join(folder, name), content);
  return name;
}

function open(name: string, data: Dataset, columns: Record<string, string> = {}): Source {
  return openSource({ period: '2026-Q4', source: { file: name }, columns }, { folder, env: {}, dataset: data });
}

/** The count, and the sum of every column named. */
function sumsOf(...columns: string[]): LocalQuery {
  const everywhere = { kind: 'true' } as const;
  return {
    dataset: 'residents',
    columns,
    where: everywhere,
    groups: [],
    cells: 1,
    statistics: [
      { of: 'rows', product: [], where: everywhere },
      ...columns.map((column) => ({ of: 'rows' as const, product: [column], where: everywhere })),
    ],
    ownParty: null,
  };
}

async function sums(name: string, data: Dataset, ...columns: string[]): Promise<bigint[]> {
  const result = await open(name, data).query(sumsOf(...columns), data, false);
  return result.map((cells) => cells[0]!);
}

async function refusal(name: string, data: Dataset, ...columns: string[]): Promise<SourceError> {
  return open(name, data)
    .query(sumsOf(...columns), data, false)
    .then(
      () => {
        throw new Error('the source was not refused');
      },
      (error: SourceError) => error,
    );
}

const two = dataset({ a: integer(0, 100), b: integer(0, 100) });

describe('a CSV file', () => {
  it.each([
    ['line feeds', 'a,b\n1,2\n3,4\n'],
    ['no last line end', 'a,b\n1,2\n3,4'],
    ['carriage returns and line feeds', 'a,b\r\n1,2\r\n3,4\r\n'],
    ['carriage returns', 'a,b\r1,2\r3,4\r'],
    ['a byte order mark', '\ufeffa,b\n1,2\n3,4\n'],
    ['a byte order mark and a quoted header', '\ufeff"a","b"\n"1","2"\n"3",4\n'],
    ['columns in another order, and one more', 'b,note,a\n2,"x, ""y""\nz",1\n4,,3\n'],
    ['empty lines', 'a,b\n\n1,2\n\n3,4\n\n'],
  ])('is read with %s', async (_, text) => {
    expect(await sums(file('csv', text), two, 'a', 'b')).toEqual([2n, 4n, 6n]);
  });

  it('is found by its own names for the columns', async () => {
    const source = open(file('csv', 'a,b of "x"\n1,2\n'), two, { b: 'b of "x"' });
    expect(await source.query(sumsOf('a', 'b'), two, false)).toEqual([[1n], [1n], [2n]]);
  });

  it('may have a name that is a pattern elsewhere', async () => {
    writeFileSync(join(folder, 'pattern[1]*?.csv'), 'a,b\n1,2\n');
    expect(await sums('pattern[1]*?.csv', two, 'a')).toEqual([1n, 1n]);
  });

  it.each([
    ['a short row', 'a,b\n1,2\n3\n', 'SOURCE_RAGGED'],
    ['a long row', 'a,b\n1,2\n3,4,5\n', 'SOURCE_RAGGED'],
    ['a comma too many at the end', 'a,b\n1,2\n3,4,\n', 'SOURCE_RAGGED'],
    ['a short header', 'a\n1,2\n', 'SOURCE_RAGGED'],
    ['an open quote', 'a,b\n1,"2\n3,4\n', 'SOURCE_RAGGED'],
    ['text after a quoted field', 'a,b\n1,"2"x\n', 'SOURCE_RAGGED'],
    ['line ends of two kinds', 'a,b\n1,2\r\n3,4\n', 'SOURCE_RAGGED'],
    ['the same header twice', 'a,b,a\n1,2,3\n', 'SOURCE_DUPLICATE_HEADER'],
    ['the same header twice, quoted once', 'a,b,"a"\n1,2,3\n', 'SOURCE_DUPLICATE_HEADER'],
    ['a missing column', 'a,c\n1,2\n', 'SOURCE_COLUMN_MISSING'],
    ['a header in other letters', 'a,B\n1,2\n', 'SOURCE_COLUMN_MISSING'],
    ['nothing', '', 'SOURCE_EMPTY'],
    ['a header alone', 'a,b\n', 'SOURCE_EMPTY'],
    ['Latin-1', Buffer.from('a,b\n1,2\n3,\xe9\n', 'latin1'), 'SOURCE_ENCODING'],
    ['UTF-16', Buffer.from('\ufeffa,b\n1,2\n', 'utf16le'), 'SOURCE_ENCODING'],
    [
      'a character cut off at the end',
      Buffer.from([0x61, 0x2c, 0x62, 0x0a, 0x31, 0x2c, 0xe2, 0x82]),
      'SOURCE_ENCODING',
    ],
    ['a surrogate', Buffer.from([0x61, 0x2c, 0x62, 0x0a, 0x31, 0x2c, 0xed, 0xa0, 0x80]), 'SOURCE_ENCODING'],
  ])('is refused with %s', async (_, content, code) => {
    const error = await refusal(file('csv', content), two, 'a', 'b');
    expect(error.code).toBe(code);
  });

  it('is checked where a chunk ends within a character, a quote or a line end', async () => {
    const rows = Array.from(
      { length: 60_000 },
      (_, index) => `${index % 7},"é€😀${'x'.repeat(index % 11)}",${index % 5}`,
    );
    const data = dataset({ a: integer(0, 100), b: integer(0, 100) }, { max_rows: 100_000 });
    for (const shift of ['', 'x', 'xx']) {
      const name = file('csv', `a,"${shift}",b\r\n${rows.join('\r\n')}\r\n`);
      const expected = rows.reduce((sum, _, index) => sum + BigInt(index % 7), 0n);
      expect(await sums(name, data, 'a')).toEqual([60_000n, expected]);
    }
  });

  it('is refused when it changes between fingerprint and query', async () => {
    const name = file('csv', 'a,b\n1,2\n');
    const source = open(name, two);
    const first = await source.fingerprint(Buffer.alloc(32, 1));
    expect(await source.query(sumsOf('a'), two, false)).toEqual([[1n], [1n]]);
    appendFileSync(join(folder, name), '3,4\n');
    await expect(source.query(sumsOf('a'), two, false)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    expect(await source.fingerprint(Buffer.alloc(32, 1))).not.toBe(first);
    expect(await source.query(sumsOf('a'), two, false)).toEqual([[2n], [4n]]);
  });

  it('has a fingerprint that only the key’s owner can make', async () => {
    const name = file('csv', 'a,b\n1,2\n');
    const [one, again, other] = await Promise.all(
      [1, 1, 2].map((byte) => open(name, two).fingerprint(Buffer.alloc(32, byte))),
    );
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(again).toBe(one);
    expect(other).not.toBe(one);
  });

  it('is refused when it changes while it is read', async () => {
    const name = file('csv', `a,b\n${'1,2\n'.repeat(300_000)}`);
    const data = dataset({ a: integer(0, 100) }, { max_rows: 1_000_000 });
    const answer = open(name, data).query(sumsOf('a'), data, false);
    const timer = setInterval(() => appendFileSync(join(folder, name), '1,2\n'), 1);
    await expect(answer).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    clearInterval(timer);
  });

  it('that is not there says so, by the path that was configured', async () => {
    const error = await refusal('data/none.csv', two, 'a');
    expect(error.code).toBe('SOURCE_UNREACHABLE');
    expect(error.message).toContain('data/none.csv');
  });
});

describe('a value', () => {
  const wrong = [
    '1_000',
    '0x10',
    '"1,234"',
    '1e400',
    '1e3',
    'NaN',
    'nan',
    'Infinity',
    '-inf',
    '1.5',
    ' 1',
    '1 ',
    '--1',
    '+',
    '.',
    'x',
    '１',
  ];
  it.each(wrong)('of the form %s is no integer', async (text) => {
    const error = await refusal(file('csv', `a,b\n1,2\n${text},4\n`), two, 'a', 'b');
    expect(error).toMatchObject({ code: 'SOURCE_VALUE', field: 'a' });
    expect(error.message).toContain('a whole number');
    if (text.length > 3) expect(`${JSON.stringify(error)} ${error.stack}`).not.toContain(text.replaceAll('"', ''));
    expect(error.cause).toBeUndefined();
  });

  it.each([...wrong.filter((text) => text !== '1.5'), '1.239', '1.', '.5', '0.001'])(
    'of the form %s is no decimal of scale 2',
    async (text) => {
      const data = dataset({ a: decimal(2, 0, 100) });
      const error = await refusal(file('csv', `a,b\n${text},1\n`), data, 'a');
      expect(error).toMatchObject({ code: 'SOURCE_VALUE', field: 'a' });
      expect(error.message).toContain('at most 2 decimal places');
    },
  );

  it.each(['yes', '2', '', '-1', 'truee'])('of the form %j is no boolean', async (text) => {
    const data = dataset({ a: { type: 'boolean', nulls: 'refuse' } });
    const error = await refusal(file('csv', `a,b\n${text},1\n`), data, 'a');
    expect(error.code).toBe(text === '' ? 'SOURCE_NULL' : 'SOURCE_VALUE');
  });

  it.each([
    '2025-02-29',
    '1900-02-29',
    '2024-13-01',
    '2024-04-31',
    '2024-1-01',
    '20240101',
    '01/02/2024',
    '2024-01-01 12:00:00',
    'infinity',
  ])('of the form %s is no date', async (text) => {
    const data = dataset({
      a: { type: 'date', min: '1900-01-01', max: '2100-12-31', nulls: 'refuse', outside: 'clamp' },
    });
    expect(await refusal(file('csv', `a,b\n${text},1\n`), data, 'a')).toMatchObject({
      code: 'SOURCE_VALUE',
      field: 'a',
    });
  });

  it.each(['2024-02-29', '2000-02-29', '2024-12-31', '2024-04-30', '2024-01-01 00:00:00', '2024-01-01T00:00:00.000'])(
    'of the form %s is a date',
    async (text) => {
      const data = dataset({
        a: { type: 'date', min: '1900-01-01', max: '2100-12-31', nulls: 'refuse', outside: 'clamp' },
      });
      expect(await sums(file('csv', `a,b\n${text},1\n`), data, 'a')).toEqual([
        1n,
        BigInt(text.slice(0, 10).replaceAll('-', '')),
      ]);
    },
  );

  it('of a category must be listed', async () => {
    const data = dataset({ a: { type: 'category', values: ['owner', "o'wner", 'a,b'], nulls: 'refuse' } });
    expect(await sums(file('csv', `a,b\nowner,1\no'wner,1\n"a,b",1\n`), data, 'a')).toEqual([3n, 3n]);
    for (const text of ['Owner', 'owner ', 'tenant']) {
      const error = await refusal(file('csv', `a,b\n${text},1\n`), data, 'a');
      expect(error).toMatchObject({ code: 'SOURCE_VALUE', field: 'a' });
      expect(error.message).not.toContain('tenant');
    }
  });

  it('beyond 2^53 stays exact, and is clamped where the bounds say so', async () => {
    const large = dataset({ a: integer('-10000000000000000', '10000000000000000') });
    expect(await sums(file('csv', 'a,b\n9007199254740993,1\n'), large, 'a')).toEqual([1n, 9007199254740993n]);
    expect(await sums(file('jsonl', '{"a":9007199254740993}\n{"a":"9007199254740993"}\n'), large, 'a')).toEqual([
      2n,
      18014398509481986n,
    ]);
    const wide = dataset({ a: integer(`-${'9'.repeat(38)}`, '9'.repeat(38)) });
    const digits = '12345678901234567890123456789012345678';
    expect(await sums(file('csv', `a,b\n${digits},1\n-1,1\n`), wide, 'a')).toEqual([2n, BigInt(digits) - 1n]);
    expect(await sums(file('jsonl', `{"a":${digits}}\n`), wide, 'a')).toEqual([1n, BigInt(digits)]);
  });

  it('of 400 digits is clamped by its sign, without a cast', async () => {
    const data = dataset({ a: integer(-5, 100), d: decimal(2, -7, '99.5') });
    const long = '9'.repeat(400);
    expect(await sums(file('csv', `a,d\n${long},${long}.25\n`), data, 'a', 'd')).toEqual([1n, 100n, 9950n]);
    expect(await sums(file('csv', `a,d\n-${long},-${long}\n`), data, 'a', 'd')).toEqual([1n, -5n, -700n]);
    expect(
      await sums(file('csv', `a,d\n${'0'.repeat(400)}7,+${'0'.repeat(400)}7.5${'0'.repeat(400)}\n`), data, 'a', 'd'),
    ).toEqual([1n, 7n, 750n]);
    const error = await refusal(
      file('csv', `a,d\n${long},1\n`),
      dataset({ a: integer(0, 5, { outside: 'refuse' }) }),
      'a',
    );
    expect(error).toMatchObject({ code: 'SOURCE_OUT_OF_BOUNDS', field: 'a' });
    expect(error.message).not.toContain('999');
  });

  it('may have zeros beyond its scale', async () => {
    const data = dataset({ a: integer(-100, 100), d: decimal(2, -100, 100) });
    expect(await sums(file('csv', 'a,d\n7.000,1.2300\n-7.0,-0.5\n+3,12\n'), data, 'a', 'd')).toEqual([3n, 3n, 1273n]);
  });

  it('lies on or beside a bound', async () => {
    const clamped = dataset({ a: integer(10, 20) });
    expect(await sums(file('csv', 'a,b\n9,1\n10,1\n20,1\n21,1\n'), clamped, 'a')).toEqual([4n, 60n]);
    const refused = dataset({ a: integer(10, 20, { outside: 'refuse' }) });
    expect(await sums(file('csv', 'a,b\n10,1\n20,1\n'), refused, 'a')).toEqual([2n, 30n]);
    for (const text of ['9', '21']) {
      expect((await refusal(file('csv', `a,b\n${text},1\n`), refused, 'a')).code).toBe('SOURCE_OUT_OF_BOUNDS');
    }
  });

  it('that is null is refused, zero or left out, as the dictionary says', async () => {
    const text = 'a,b\n1,1\n,1\n"",1\n';
    expect(await refusal(file('csv', text), two, 'a')).toMatchObject({ code: 'SOURCE_NULL', field: 'a' });
    expect(await sums(file('csv', text), dataset({ a: integer(0, 9, { nulls: 'zero' }) }), 'a')).toEqual([3n, 1n]);
    expect(await sums(file('csv', text), dataset({ a: integer(5, 9, { nulls: 'drop' }) }), 'a')).toEqual([3n, 5n]);
  });
});

describe('rows', () => {
  it('may be as many as the charter says, and not one more', async () => {
    const data = dataset({ a: integer(0, 9) }, { max_rows: 3 });
    expect(await sums(file('csv', 'a,b\n1,1\n1,1\n1,1\n'), data, 'a')).toEqual([3n, 3n]);
    expect((await refusal(file('csv', 'a,b\n1,1\n1,1\n1,1\n1,1\n'), data, 'a')).code).toBe('SOURCE_TOO_MANY_ROWS');
  });

  it('of one person may be as many as the dictionary allows', async () => {
    const columns = { id: { type: 'identifier', normalise: 'digits' } as Column, a: integer(0, 9) };
    const text = 'id,a\n1-2,1\n3,2\n1 2,4\n12,8\n';
    const refuse = dataset(columns, { unit: 'id', max_rows_per_unit: 2 });
    expect(await refusal(file('csv', text), refuse, 'a')).toMatchObject({ code: 'SOURCE_EXTRA_ROWS', field: 'id' });
    const keep = dataset(columns, { unit: 'id', max_rows_per_unit: 2, extra_rows: 'keep_first' });
    expect(await sums(file('csv', text), keep, 'a')).toEqual([3n, 7n]);
    expect(await sums(file('csv', text), { ...refuse, max_rows_per_unit: 3 }, 'a')).toEqual([4n, 15n]);
    expect(await refusal(file('csv', 'id,a\n,1\n'), keep, 'a')).toMatchObject({ code: 'SOURCE_NULL', field: 'id' });
  });
});

describe('a side of a join', () => {
  const data = dataset({ id: { type: 'identifier' }, a: integer(0, 9, { outside: 'refuse' }) }, { max_rows: 2 });
  const side: SideQuery = {
    party: 'camden',
    dataset: data,
    key: 'id',
    rowsPerKey: 1,
    columns: ['a'],
    where: { kind: 'true' },
    groups: [],
    cells: 1,
    features: [],
  };

  it('is brought as it stands in the file, with every refusal of a query', async () => {
    const brought = await open(file('csv', 'id,a\n" 9 ",1\n,2\n'), data).sideRecords(side);
    expect(brought).toEqual({ identifiers: [' 9 ', null], cells: Int32Array.of(0, 0), features: [] });
    for (const [text, code] of [
      ['id,a\n', 'SOURCE_EMPTY'],
      ['id,a\n1,1\n2,2\n3,3\n', 'SOURCE_TOO_MANY_ROWS'],
      ['id,a\n1,MARKED\n', 'SOURCE_VALUE'],
      ['id,a\n1,10\n', 'SOURCE_OUT_OF_BOUNDS'],
      ['id,a\n1,\n', 'SOURCE_NULL'],
      ['id,a\n1,1,1\n', 'SOURCE_RAGGED'],
      ['a\n1\n', 'SOURCE_COLUMN_MISSING'],
    ] as const) {
      const refused = open(file('csv', text), data).sideRecords(side);
      await expect(refused).rejects.toMatchObject({ code, message: expect.not.stringContaining('MARKED') });
    }
    for (const content of ['[1]\n', '{"id":"MARKED\n']) {
      const refused = open(file('jsonl', content), data).sideRecords(side);
      await expect(refused).rejects.toMatchObject({ message: expect.not.stringContaining('MARKED'), cause: undefined });
    }
  });

  it('is of the records that the fingerprint was taken of', async () => {
    const name = file('csv', 'id,a\n1,1\n');
    const source = open(name, data);
    await source.fingerprint(Buffer.alloc(32, 1));
    appendFileSync(join(folder, name), '2,2\n');
    await expect(source.sideRecords(side)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });
});

describe('the number of rows', () => {
  it.each([
    ['csv', 'a,b\n1,2\nx,\n\n3,"4\n"\n', 3],
    ['jsonl', '{"a":1}\n{"b":[2]}\n\n{"a":null}\n', 3],
  ])('is that of the records, whatever they hold (%s)', async (ending, text, rows) => {
    expect(await open(file(ending, text), two).rows()).toBe(rows);
  });

  it('is that of a Parquet file, and of nothing else with such a name', async () => {
    const path = join(folder, 'counted.parquet');
    await inMemory((run) => run(`COPY (SELECT range AS a FROM range(5)) TO '${path}' (FORMAT parquet)`));
    expect(await open('counted.parquet', two).rows('a')).toBe(5);
    const missing = open('counted.parquet', two).rows('b');
    await expect(missing).rejects.toMatchObject({ code: 'SOURCE_COLUMN_MISSING', field: 'b' });
    await expect(open(file('parquet', 'a,b'), two).rows()).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
  });

  it.each([
    ['csv', 'a,b\n'],
    ['jsonl', ''],
  ])('is never 0 (%s)', async (ending, text) => {
    await expect(open(file(ending, text), two).rows()).rejects.toMatchObject({ code: 'SOURCE_EMPTY' });
  });

  it.each([
    ['csv', 'a,b\n1,2\n'],
    ['jsonl', '{"a":1,"b":2}\n'],
  ])('is asked with the column that is matched on (%s)', async (ending, text) => {
    const name = file(ending, text);
    expect(await open(name, two).rows('b')).toBe(1);
    const missing = open(name, two, { b: 'other' }).rows('b');
    await expect(missing).rejects.toMatchObject({ code: 'SOURCE_COLUMN_MISSING', field: 'b' });
  });

  it('is that of the records that the fingerprint was taken of', async () => {
    const name = file('csv', 'a,b\n1,2\n');
    const source = open(name, two);
    await source.fingerprint(Buffer.alloc(32, 1));
    expect(await source.rows()).toBe(1);
    appendFileSync(join(folder, name), '3,4\n');
    await expect(source.rows()).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });
});

describe('JSON lines', () => {
  it.each([
    ['1e400', 'SOURCE_VALUE'],
    ['NaN', 'SOURCE_VALUE'],
    ['-Infinity', 'SOURCE_VALUE'],
    ['1.5', 'SOURCE_VALUE'],
    ['"1_000"', 'SOURCE_VALUE'],
    ['[1]', 'SOURCE_VALUE'],
    ['{"x":1}', 'SOURCE_VALUE'],
    ['true', 'SOURCE_VALUE'],
    ['null', 'SOURCE_NULL'],
    ['0x10', 'SOURCE_FAILED'],
    ['1_000', 'SOURCE_FAILED'],
  ])('refuse %s as an integer', async (text, code) => {
    const error = await refusal(file('jsonl', `{"a":1,"b":2}\n{"a":${text},"b":2}\n`), two, 'a', 'b');
    expect(error.code).toBe(code);
    if (code !== 'SOURCE_FAILED') expect(error.field).toBe('a');
    expect(error.message).not.toContain('{');
  });

  it.each([
    ['a missing key', '{"a":1}\n{"a":2}\n', 'SOURCE_COLUMN_MISSING'],
    ['a line that is no object', '{"a":1,"b":2}\n[1,2]\n', 'SOURCE_FAILED'],
    ['a line that is cut', '{"a":1,"b":2}\n{"a":1,"b"\n', 'SOURCE_FAILED'],
    ['a double key', '{"a":1,"b":2,"a":3}\n', 'SOURCE_DUPLICATE_HEADER'],
    ['nothing', '', 'SOURCE_EMPTY'],
    ['Latin-1', Buffer.from('{"a":1,"b":"\xe9"}\n', 'latin1'), 'SOURCE_ENCODING'],
  ])('are refused with %s', async (_, content, code) => {
    expect((await refusal(file('jsonl', content), two, 'a', 'b')).code).toBe(code);
  });

  it('keep decimals, booleans and dates', async () => {
    const data = dataset({
      d: decimal(2, 0, 100),
      e: { type: 'boolean', nulls: 'refuse' },
      m: { type: 'date', min: '1900-01-01', max: '2100-01-01', nulls: 'refuse', outside: 'clamp' },
    });
    const lines = '{"d":1.10,"e":true,"m":"2024-02-29"}\n\n{"d":"0.1","e":false,"m":"2024-02-29"}\n';
    expect(await sums(file('jsonl', lines), data, 'd', 'e', 'm')).toEqual([2n, 120n, 1n, 40480458n]);
  });
});

describe('a Parquet file', () => {
  async function parquet(select: string): Promise<string> {
    const name = `source-${files++}.parquet`;
    await inMemory((run) => run(`COPY (${select}) TO '${join(folder, name)}' (FORMAT parquet)`));
    return name;
  }

  it('is read whatever its types', async () => {
    const data = dataset({
      a: integer(0, '100000000000000000'),
      d: decimal(2, 0, 100),
      e: { type: 'boolean', nulls: 'refuse' },
    });
    const name = await parquet(`SELECT CAST(9007199254740993 AS BIGINT) AS a, CAST(1.5 AS DOUBLE) AS d, true AS e
      UNION ALL SELECT 2, 0.25, false`);
    expect(await sums(name, data, 'a', 'd', 'e')).toEqual([2n, 9007199254740995n, 175n, 1n]);
    const decimals = await parquet(`SELECT CAST(7 AS UTINYINT) AS a, CAST(1.5 AS DECIMAL(20, 4)) AS d, '1' AS e`);
    expect(await sums(decimals, data, 'a', 'd', 'e')).toEqual([1n, 7n, 150n, 1n]);
  });

  it.each([
    ["SELECT CAST('NaN' AS DOUBLE) AS a, 1 AS b", 'SOURCE_VALUE'],
    ["SELECT CAST('Infinity' AS FLOAT) AS a, 1 AS b", 'SOURCE_VALUE'],
    ['SELECT 1.5 AS a, 1 AS b', 'SOURCE_VALUE'],
    ['SELECT [1] AS a, 1 AS b', 'SOURCE_VALUE'],
    ['SELECT NULL AS a, 1 AS b', 'SOURCE_NULL'],
    ['SELECT 1 AS a, 1 AS c', 'SOURCE_COLUMN_MISSING'],
    ['SELECT 1 AS a, 1 AS B', 'SOURCE_COLUMN_MISSING'],
    ['SELECT 1 AS a, 1 AS b WHERE false', 'SOURCE_EMPTY'],
  ])('is refused after %s', async (select, code) => {
    expect((await refusal(await parquet(select), two, 'a', 'b')).code).toBe(code);
  });

  it('is refused where it is none', async () => {
    expect((await refusal(file('parquet', 'PAR1 secret'), two, 'a')).code).toBe('SOURCE_FAILED');
    expect((await refusal(file('parquet', ''), two, 'a')).code).toBe('SOURCE_FAILED');
  });
});
