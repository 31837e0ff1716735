import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '@folkmoot/core/bytes.js';
import type { Condition } from '@folkmoot/core/condition.js';
import type { Column, Dataset, IdentifierColumn } from '@folkmoot/core/dictionary.js';
import { hashJson } from '@folkmoot/core/hash.js';
import { canonicalIdentifier, keptIdentifier } from '@folkmoot/core/identifier.js';
import type { SideQuery, SideRecords } from '@folkmoot/core/join-query.js';
import { evaluate } from '@folkmoot/core/local.js';
import { protectedDataset } from '@folkmoot/core/protection.js';
import { sideRecords } from '@folkmoot/core/side-records.js';
import type { LocalQuery } from '@folkmoot/core/statistic.js';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Snapshots, snapshotSource } from '../src/snapshot.ts';
import { readState } from '../src/sources/file-state.ts';
import { inMemory } from '../src/sources/in-memory.ts';
import { openSource } from '../src/sources/source-binding.ts';
import { openStore, type Store } from '../src/store.ts';
import { caseArbitrary, sideArbitrary, type TextRow } from './arbitrary-query.ts';
import { asCsv, writeCsv, writeJson, writeParquet } from './written-rows.ts';

const key = new Uint8Array(32).fill(7);
const period = '2026-Q4';
let folder: string;
let store: Store;
let snapshots: Snapshots;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
  store = openStore(join(folder, 'state'), () => 1_000);
  snapshots = new Snapshots({ store, state: join(folder, 'state'), secret: key, matchedColumns: () => [] });
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const everywhere = { kind: 'true' } as const;
function sumsOf(...columns: string[]): LocalQuery {
  const rows = [[], ...columns.map((column) => [column])].map((product) => {
    return { of: 'rows' as const, product, where: everywhere };
  });
  const statistics = [...rows, { of: 'people' as const, product: [], where: everywhere }];
  return { dataset: 'residents', columns, where: everywhere, groups: [], cells: 1, statistics, ownParty: null };
}
const integer = (rules: object = {}): Column =>
  ({ type: 'integer', min: 0, max: 110, nulls: 'refuse', outside: 'refuse', ...rules }) as Column;
const residents = (changes: Partial<Dataset> = {}): Dataset => ({
  name: 'residents',
  held_by: ['camden'],
  unit: 'person',
  max_rows_per_unit: 1,
  extra_rows: 'refuse',
  max_parties_per_unit: 1,
  max_rows: 1000,
  columns: { person: { type: 'identifier' }, age: integer(), score: integer({ nulls: 'zero' }) },
  ...changes,
});

const open = (dataset: Dataset, file: string, columns: Record<string, string> = {}) =>
  openSource({ period, source: { file }, columns }, { folder, env: {}, dataset });
const read = (dataset: Dataset, file: string, at = period) => snapshots.of(dataset, at, () => open(dataset, file));
const ask = async (dataset: Dataset, file: string, query = sumsOf('age', 'score')) =>
  snapshotSource(await read(dataset, file), dataset.name).query(query, dataset, false);
const numbers = (result: readonly (readonly bigint[])[]) => result.map(([cell]) => Number(cell));
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return name;
};
const refused = (code: string) => expect.objectContaining({ code });

/** A case in which any text may be of another form, and any missing. */
const spoiltCase = caseArbitrary.chain((given) => {
  const other = fc.constantFrom('', 'old', '1e3', '0x10', ' 1', '1,5', '2000-02-30', 'yes', '-', '9'.repeat(80), null);
  const cell = fc.option(other, { freq: 4, nil: undefined });
  const row = fc.tuple(...Object.keys(given.dataset.columns).map(() => cell));
  return fc.array(row, { minLength: given.rows.length, maxLength: given.rows.length }).map((spoilt) => ({
    ...given,
    rows: given.rows.map((texts, at): TextRow => {
      const names = Object.keys(texts);
      return Object.fromEntries(
        names.map((name, place) => {
          const text = spoilt[at]![place];
          return [name, text === undefined ? texts[name]! : text];
        }),
      );
    }),
  }));
});

describe('a snapshot', () => {
  it('answers like the plain lenient evaluation, whatever the texts', { timeout: 60_000 }, async () => {
    let run = 0;
    const forms = [writeCsv, writeJson, writeParquet];
    await fc.assert(
      fc.asyncProperty(spoiltCase, fc.constantFrom(0, 1, 2), async (given, form) => {
        const ending = ['csv', 'jsonl', 'parquet'][form]!;
        const file = await forms[form]!(folder, `r${run}.${ending}`, given.rows);
        const at = `p${run++}`;
        const opened = () => open(given.dataset, file);
        const source = snapshotSource(await snapshots.of(given.dataset, at, opened), 'residents');
        const answer = await source.query(given.query, given.dataset, given.ownParty);
        // Where a person has too many rows the two keep others, each in an order of its own.
        const dataset = { ...protectedDataset(given.dataset), extra_rows: 'refuse' as const };
        const rows = form === 0 ? asCsv(given.rows) : given.rows;
        let expected: unknown;
        try {
          expected = evaluate(given.query, dataset, rows, given.ownParty);
        } catch (error) {
          expect(error).toEqual(refused('SOURCE_EXTRA_ROWS'));
          return;
        }
        expect(answer).toEqual(expected);
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  it('tells what is missing from what has another form, for is_null alone', async () => {
    const file = write('r.csv', 'person,age,score\na,30,1\nb,old,1\nc,,1\nd,"",1\n');
    const where = (condition: Condition) => ({ of: 'rows' as const, product: [], where: condition });
    const statistics = (['is_null', 'present'] as const).map((kind) => where({ kind, column: 'age' }));
    expect(numbers(await ask(residents(), file, { ...sumsOf('age'), statistics }))).toEqual([2, 1]);
  });

  it('refuses no record: other forms and nulls are dropped or zero, values clamped, rows of nobody left out', async () => {
    const file = write('r.csv', 'person,age,score\na,30,1\nb,old,\nc,,3\nd,500,-4\n,40,5\ne,1e400,"6"\n');
    expect(numbers(await ask(residents(), file))).toEqual([5, 30 + 110, 1 + 0 + 3 + 0 + 6, 5]);
  });

  it('survives a file that is broken: ragged lines, open quotes, bytes that are no text', async () => {
    const text = 'person,age,score\na,30,1\nb,31\nc,32,1,9,9\nd,33,"1\ne,34,"1"\n';
    writeFileSync(join(folder, 'r.csv'), Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0xfe, 0x0a])]));
    expect(numbers(await ask(residents(), 'r.csv')).slice(0, 2)).toEqual([2, 30 + 34]);
    const lines = '{"person":"a","age":30,"score":1}\nnot json\n[1]\n{"person":"b","age":{"x":1},"score":2}\n';
    const other = residents({ name: 'others' });
    expect(numbers(await ask(other, write('r.jsonl', lines), sumsOf('score')))[0]).toBeGreaterThanOrEqual(2);
  });

  it('loses no record of others to a quote that is not closed', async () => {
    const line = (person: number) => (person === 500 ? '500,"x' : `${person},30`);
    const rows = Array.from({ length: 1000 }, (_, person) => line(person));
    const file = write('r.csv', `person,age\n${rows.join('\n')}\n`);
    expect(numbers(await ask(residents(), file, sumsOf('age')))).toEqual([999, 999 * 30, 999]);
  });

  it.each([
    ['an array', '[{"person":"x","age":30},{"person":"y","age":30}]'],
    ['brackets that nobody closes', '['.repeat(5000)],
    ['a text that nobody closes', '{"person":"x","age":"30'],
    ['more text than a record has', `{"person":"x","age":"${'3'.repeat(40 << 20)}"}`],
    ['two objects', '{"person":"x","age":30}{"person":"y","age":30}'],
    ['bytes that are no text', Buffer.from('{"person":"\xff","age":30}', 'latin1')],
  ])('loses no record of others to a line of JSON that is none: %s', async (_, line) => {
    const whole = (person: number) => Buffer.from(`{"person":"p${person}","age":3${person}}\n`);
    const bytes = [whole(1), whole(2), Buffer.from(line), Buffer.from('\n'), whole(3), whole(4)];
    writeFileSync(join(folder, 'r.jsonl'), Buffer.concat(bytes));
    expect(numbers(await ask(residents(), 'r.jsonl', sumsOf('age')))).toEqual([4, 31 + 32 + 33 + 34, 4]);
  });

  it('reads the same texts from JSON lines as an exact job', async () => {
    const [count, sum] = [
      { of: 'rows' as const, product: [], where: { kind: 'present', column: 'x/~y' } as const },
      { of: 'rows' as const, product: ['x/~y'], where: { kind: 'present', column: 'x/~y' } as const },
    ];
    const rules = { type: 'decimal', scale: 4, min: -1, max: '9'.repeat(20), nulls: 'drop', outside: 'clamp' };
    const dataset = residents({ unit: 'row', columns: { 'x/~y': rules as Column } });
    const values = ['1', '1.50', '"2.25"', '-0.5', '1e3', 'null', '12345678901234567890', '0.1', '1E2', '"7"', '100.0'];
    const file = write('r.jsonl', values.map((value) => `{ "z": [1], "x/~y": ${value} }\r\n`).join(''));
    const query = { ...sumsOf('x/~y'), statistics: [count!, sum!] };
    expect(await ask(dataset, file, query)).toEqual(await open(dataset, file).query(query, dataset, false));
  });

  it.each(['csv', 'jsonl'])('has one record more or none for any line (%s)', { timeout: 60_000 }, async (form) => {
    const whole = (person: number) => (form === 'csv' ? `p${person},"3${person}"` : `{"person":"p${person}","age":30}`);
    const part = fc.oneof(
      fc.constantFrom('"', '""', ',', '\\', "'", '{', '}', '[', ']', ':', '\r', 'p0', '31', '\u0000', 'é', '"age"'),
      fc.constantFrom(0xff, 0xc3, 0xe2).map((byte) => Buffer.from([byte])),
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), fc.nat(6), async (parts, at) => {
        const bytes = Buffer.concat(parts.map((each) => (typeof each === 'string' ? Buffer.from(each) : each)));
        const lines = Array.from({ length: 6 }, (_, person) => Buffer.from(whole(person)));
        const before = form === 'csv' ? [Buffer.from('person,age')] : [];
        const all = [...before, ...lines.slice(0, at), bytes, ...lines.slice(at)];
        const file = `r${run++}.${form}`;
        writeFileSync(join(folder, file), Buffer.concat(all.flatMap((each) => [each, Buffer.from('\n')])));
        const dataset = residents({ name: file, unit: 'row' });
        expect([6, 7]).toContain(numbers(await ask(dataset, file, sumsOf('age')))[0]);
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  it.each([
    ['csv', 'person,age,score'],
    ['csv', 'person,age,score\n'],
    ['jsonl', ''],
  ])('may be empty (%s)', async (ending, text) => {
    const file = write(`empty.${ending}`, text);
    expect(numbers(await ask(residents(), file))).toEqual([0, 0, 0, 0]);
    expect(await snapshotSource(await read(residents(), file), 'residents').rows()).toBe(0);
  });

  it('keeps as many rows of a person as the dictionary allows, by an order that only the node knows', async () => {
    const rows = Array.from({ length: 40 }, (_, person) => [1, 2, 3, 4].map((age) => `p${person},${age},1`)).flat();
    const file = write('r.csv', ['person,age,score', ...rows].join('\n'));
    const dataset = residents({ max_rows_per_unit: 2 });
    const [count, ages, , people] = numbers(await ask(dataset, file));
    expect([count, people]).toEqual([80, 40]);
    const again = write('again.csv', ['person,age,score', ...rows.toReversed()].join('\n'));
    expect(numbers(await ask({ ...dataset, name: 'again' }, again))[1]).toBe(ages);
    snapshots = new Snapshots({
      store,
      state: join(folder, 'state'),
      secret: new Uint8Array(32).fill(8),
      matchedColumns: () => [],
    });
    const [otherCount, otherAges] = numbers(await ask({ ...dataset, name: 'other' }, file));
    expect(otherCount).toBe(80);
    expect(otherAges).not.toBe(ages);
  });

  it.each(['row', 'person'])(
    'leaves out nobody for the rows of others, however many there are (unit: %s)',
    async (unit) => {
      const rows = Array.from({ length: 50 }, (_, person) => `p${person},${person},1`);
      const before = write('r.csv', ['person,age,score', ...rows].join('\n'));
      const dataset = residents({ unit, max_rows: 20 });
      expect(numbers(await ask(dataset, before))).toEqual([50, (49 * 50) / 2, 50, 50]);
      const after = write('s.csv', ['person,age,score', ...rows, 'someone,100,1'].join('\n'));
      expect(numbers(await ask({ ...dataset, name: 'more' }, after))).toEqual([51, (49 * 50) / 2 + 100, 51, 51]);
    },
  );

  it('sums exactly beyond max_rows, up to products that fill the engine’s integers', async () => {
    const most = 9n * 10n ** 18n;
    const columns = { person: { type: 'identifier' }, age: integer({ max: `${most}` }) } as const;
    const rows = Array.from({ length: 8 }, (_, person) => `p${person},${most}`);
    const file = write('r.csv', ['person,age', ...rows].join('\n'));
    const query = sumsOf('age');
    const squares = { of: 'rows' as const, product: ['age', 'age'], where: everywhere };
    const answer = await ask(residents({ max_rows: 1, columns }), file, { ...query, statistics: [squares] });
    expect(answer).toEqual([[8n * most * most]]);
  });

  it('is read once in a period, whatever the source has become, and anew in the next', async () => {
    const file = write('r.csv', 'person,age,score\na,30,1\n');
    const first = await read(residents(), file);
    const print = await snapshotSource(first, 'residents').fingerprint(key);
    appendFileSync(join(folder, file), 'b,40,1\n');
    expect(await read(residents(), file)).toEqual(first);
    rmSync(join(folder, file));
    expect(numbers(await ask(residents(), file))).toEqual([1, 30, 1, 1]);
    expect(await snapshotSource(await read(residents(), file), 'residents').fingerprint(key)).toBe(print);
    write('r.csv', 'person,age,score\na,30,1\nb,40,1\n');
    const next = await read(residents(), file, '2027-Q1');
    expect(next.path).not.toBe(first.path);
    expect(await snapshotSource(next, 'residents').fingerprint(key)).not.toBe(print);
  });

  it('is read once by two jobs at once', async () => {
    const file = write('r.csv', 'person,age,score\na,30,1\n');
    const [one, two] = await Promise.all([read(residents(), file), read(residents(), file)]);
    expect(one).toEqual(two);
  });

  it('is never read a second time where the file is lost or changed', async () => {
    const file = write('r.csv', 'person,age,score\na,30,1\n');
    const { path } = await read(residents(), file);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(1));
    await expect(read(residents(), file)).rejects.toThrow(refused('SNAPSHOT_LOST'));
    rmSync(path);
    await expect(read(residents(), file)).rejects.toThrow(refused('SNAPSHOT_LOST'));
    writeFileSync(path, bytes);
    expect(numbers(await ask(residents(), file))[0]).toBe(1);
  });

  it('stands under the dictionary that it was read by', async () => {
    const file = write('r.csv', 'person,age,score\na,30,1\n');
    await read(residents(), file);
    const columns = { ...residents().columns, age: integer({ max: 90 }) };
    await expect(read(residents({ columns }), file)).rejects.toThrow(refused('SNAPSHOT_OTHER'));
    await expect(read(residents({ max_rows_per_unit: 2 }), file)).rejects.toThrow(refused('SNAPSHOT_OTHER'));
    // Who else holds the dataset, and what exact jobs refuse, is no matter of the reading.
    await read(residents({ held_by: ['camden', 'hackney'], extra_rows: 'keep_first' }), file);
  });

  it('is for this node alone, and holds neither texts nor persons', async () => {
    const dataset = residents({
      columns: { ...residents().columns, note: { type: 'category', values: ['x', 'y'], nulls: 'drop' } },
    });
    const file = write('r.csv', 'person,age,score,note\nMARKED-PERSON,30,1,MARKED-NOTE\n');
    const { path } = await read(dataset, file);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'state', 'snapshots'))).toHaveLength(1);
    expect(readFileSync(path).includes('MARKED')).toBe(false);
  });

  it('leaves nothing where the source cannot be read, and can then be read', async () => {
    await expect(read(residents(), 'none.csv')).rejects.toThrow(refused('SOURCE_UNREACHABLE'));
    const unnamed = write('r.csv', 'id,age,score\na,30,1\n');
    await expect(read(residents(), unnamed)).rejects.toThrow(refused('SOURCE_COLUMN_MISSING'));
    expect(readdirSync(join(folder, 'state', 'snapshots'))).toEqual([]);
    write('r.csv', 'person,score\na,1\n');
    expect(numbers(await ask(residents(), 'r.csv', sumsOf('score')))).toEqual([1, 1, 1]);
    await expect(ask(residents(), 'r.csv')).rejects.toThrow(refused('SOURCE_COLUMN_MISSING'));
  });
});

describe('a snapshot for a join', () => {
  const nhs: IdentifierColumn = { type: 'identifier', normalise: 'digits', check: 'nhs' };
  const people = (changes: Partial<Dataset> = {}) =>
    protectedDataset(residents({ columns: { ...residents().columns, nhs }, ...changes }));
  const sideOf = (dataset: Dataset, changes: Partial<SideQuery> = {}): SideQuery => ({
    party: 'camden',
    dataset,
    key: 'nhs',
    rowsPerKey: 1,
    columns: ['age'],
    where: everywhere,
    groups: [],
    cells: 1,
    features: [{ of: 'rows', product: ['age'], where: { kind: 'present', column: 'age' }, min: 0n, max: 110n }],
    ...changes,
  });
  const permitting = (...columns: string[]) => {
    snapshots = new Snapshots({ store, state: join(folder, 'state'), secret: key, matchedColumns: () => columns });
  };
  const source = async (dataset: Dataset, file: string) =>
    snapshotSource(await snapshots.of(dataset, period, () => open(dataset, file)), dataset.name);
  /** Rows as texts, since a snapshot has an order of its own. */
  const asRows = ({ identifiers, cells, features }: SideRecords, column: IdentifierColumn) =>
    identifiers
      .map((text, row) => {
        const kept = text === null ? null : keptIdentifier(text, column);
        return `${kept} ${cells[row]} ${features.map((values) => values[row])}`;
      })
      .sort();

  it('brings what the plain lenient reading brings, whatever the texts', { timeout: 60_000 }, async () => {
    permitting('nhs');
    let run = 0;
    const forms = [writeCsv, writeJson, writeParquet];
    await fc.assert(
      fc.asyncProperty(sideArbitrary, fc.constantFrom(0, 1, 2), async ({ side: made, rows }, form) => {
        const file = await forms[form]!(folder, `s${run}.${['csv', 'jsonl', 'parquet'][form]}`, rows);
        const opened = () => open(made.dataset, file);
        const side = { ...made, key: 'nhs', dataset: protectedDataset(made.dataset) };
        const column = side.dataset.columns.nhs as IdentifierColumn;
        const own = snapshotSource(await snapshots.of(made.dataset, `s${run++}`, opened), 'residents');
        const answer = asRows(await own.sideRecords(side), column);
        expect(answer).toEqual(asRows(sideRecords(side, form === 0 ? asCsv(rows) : rows), column));
      }),
      { numRuns: 30 },
    );
  });

  it('holds the identifiers that may be matched on, in canonical form, and nothing else of their fields', async () => {
    permitting('nhs');
    const rows = [
      'MARKED-A,943 476 5919,30',
      'MARKED-B,943-476-5918 MARKED,31',
      'MARKED-C,MARKED \u0661,32',
      'MARKED-D,,33',
    ];
    const file = write('r.csv', ['person,nhs,age', ...rows].join('\n'));
    const own = await source(people(), file);
    const { identifiers, features } = await own.sideRecords(sideOf(people()));
    const found = new Map(identifiers.map((text, row) => [text, features[0]![row]]));
    const expected = [
      ['9434765918', 31n],
      ['9434765919', 30n],
      ['\u0663', 32n],
      [null, 33n],
    ] as const;
    expect(found).toEqual(new Map<string | null, bigint>(expected));
    const [name] = readdirSync(join(folder, 'state', 'snapshots'));
    expect(readFileSync(join(folder, 'state', 'snapshots', name!)).includes('MARKED')).toBe(false);
    await expect(own.sideRecords(sideOf(people(), { key: 'person' }))).rejects.toThrow(refused('SNAPSHOT_OTHER'));
  });

  it('may be matched on its unit, and lets the first rows of a person stand in an order of its own', async () => {
    permitting('nhs');
    const dataset = people({ unit: 'nhs', max_rows_per_unit: 2 });
    const rows = [1, 2, 3].flatMap((age) => [
      `a,9434765919,${age}`,
      `b,${age === 1 ? 'x' : '98765 43210'},${age}`,
      `,,4`,
    ]);
    const file = write('r.csv', ['person,nhs,age', ...rows].join('\n'));
    const side = sideOf(dataset, { rowsPerKey: 2 });
    const own = await source(dataset, file);
    const { identifiers } = await own.sideRecords(side);
    const usable = identifiers.filter((text) => text !== null);
    expect(usable.sort()).toEqual(['9434765919', '9434765919', '9434765919', '9876543210', '9876543210']);
    // Rows of nobody count for their owner's eyes alone.
    expect(identifiers).toHaveLength(9);
    expect(numbers(await own.query(sumsOf('age'), dataset, false)).filter((_, at) => at !== 1)).toEqual([4, 2]);
    expect(await own.sideRecords(side)).toEqual(await own.sideRecords(side));
    expect(await own.rows()).toBe(9);
  });

  it('serves pooled jobs alone where it was read before the identifier could be matched on', async () => {
    const file = write('r.csv', 'person,nhs,age,score\na,9434765919,30,1\n');
    permitting();
    await source(people(), file);
    permitting('nhs');
    const old = await source(people(), file);
    expect(numbers(await old.query(sumsOf('age'), people(), false))).toEqual([1, 30, 1]);
    await expect(old.sideRecords(sideOf(people()))).rejects.toThrow(refused('SNAPSHOT_OTHER'));
    await expect(old.rows('nhs')).rejects.toThrow(refused('SNAPSHOT_OTHER'));
    // How many rows of a key count is no matter of the reading.
    const more = people({ columns: { ...people().columns, nhs: { ...nhs, max_rows_per_key: 3 } } });
    expect(await (await source(more, file)).rows()).toBe(1);
  });

  it.each([
    ['by another identifier than the unit', 'person', undefined],
    ['by the unit', 'nhs', 'digits'],
    ['by the unit in capitals', 'nhs', 'upper-alnum'],
  ] as const)(
    'brings the same rows of all others where one identifier is taken away (%s)',
    { timeout: 60_000 },
    async (_, unit, normalise) => {
      permitting('nhs');
      const column: IdentifierColumn =
        normalise === undefined ? { type: 'identifier' } : { type: 'identifier', normalise };
      // Some are one identifier, or one person by the form of pooled jobs, and not the other.
      const texts = ['1', ' 1', '１', '12', '1２', '1.0', '2', 'A1', 'a1', 'Ⓐ1', '\u0661', '999', '999', ''];
      const rowOf = fc.record({
        person: fc.constantFrom('p', 'q', 'r', 's', ''),
        nhs: fc.constantFrom(...texts),
        age: fc.integer({ min: 0, max: 110 }).map(String),
        score: fc.constantFrom('1', '2'),
      });
      let run = 0;
      const cap = fc.integer({ min: 1, max: 2 });
      await fc.assert(
        fc.asyncProperty(fc.array(rowOf, { minLength: 1, maxLength: 16 }), cap, fc.nat(), async (rows, k, at) => {
          const columns = { ...residents().columns, nhs: column };
          const dataset = protectedDataset(residents({ unit, max_rows_per_unit: k, columns }));
          const keyOf = (row: TextRow) => canonicalIdentifier(row.nhs || null, column);
          const gone = keyOf(rows[at % rows.length]!);
          const rest = rows.filter((row) => keyOf(row) !== gone);
          const read = async (some: readonly TextRow[]) => {
            const file = await writeCsv(folder, `s${run}.csv`, some.length === 0 ? [{ ...rows[0]!, nhs: '' }] : some);
            const source = snapshotSource(
              await snapshots.of(dataset, `s${run++}`, () => open(dataset, file)),
              'residents',
            );
            const { identifiers, features } = await source.sideRecords(sideOf(dataset, { rowsPerKey: k }));
            const slots = new Map<string | null, bigint[]>();
            for (const [row, text] of identifiers.entries()) {
              const key = canonicalIdentifier(text, column);
              const own = slots.get(key) ?? [];
              if (key !== null && own.length < k) slots.set(key, [...own, features[0]![row]!]);
            }
            return { slots, sums: numbers(await source.query(sumsOf('age'), dataset, false)) };
          };
          const [before, after] = [await read(rows), await read(rest)];
          before.slots.delete(gone);
          expect(after.slots).toEqual(before.slots);
          if (unit !== 'nhs' || gone === null || rest.length === 0) return;
          // The person of a pooled job is then the same as that of a join.
          const moved = before.sums.map((sum, place) => sum - after.sums[place]!);
          expect(moved[0]).toBeLessThanOrEqual(k);
          expect(moved[1]).toBeLessThanOrEqual(110 * k);
          expect(moved[2]).toBe(1);
        }),
        { numRuns: 12 },
      );
    },
  );

  it('was written by the version before without rows that count in no pooled job, and then joins nothing', async () => {
    permitting('nhs');
    const file = write('r.csv', 'person,nhs,age\na,9434765919,30\na,9876543210,31\n,1234567881,32\n');
    const { path } = await snapshots.of(people(), period, () => open(people(), file));
    await inMemory(async (run) => {
      await run(`CREATE TABLE old AS SELECT * EXCLUDE kept FROM read_parquet('${path}') WHERE kept`, []);
      await run(`COPY old TO '${path}' (FORMAT parquet)`, []);
    });
    const { sha256 } = await readState(path, 'snapshot');
    const old = snapshotSource({ path, sha256 }, 'residents');
    const [count, , persons] = numbers(await old.query(sumsOf('age'), people(), false));
    expect([count, persons]).toEqual([1, 1]);
    await expect(old.sideRecords(sideOf(people()))).rejects.toThrow(refused('SNAPSHOT_OTHER'));
    await expect(old.rows('nhs')).rejects.toThrow(refused('SNAPSHOT_OTHER'));
    expect(await old.rows()).toBe(1);
  });

  it.each([2, 3])('was written by version %i, and is read again', async (format) => {
    const file = write('r.csv', 'person,age,score\na,30,1\n');
    // What these versions hashed of the dictionary of `residents`.
    const columns = {
      person: { type: 'identifier' },
      age: { type: 'integer', min: 0, max: 110, nulls: 'drop', outside: 'clamp' },
      score: { type: 'integer', min: 0, max: 110, nulls: 'zero', outside: 'clamp' },
    };
    const dictionary = toHex(hashJson({ format, unit: 'person', max_rows_per_unit: 1, columns }));
    permitting('person');
    const { sha256 } = await snapshots.of(residents(), period, () => open(residents(), file));
    const before = openStore(join(folder, 'before'), () => 1_000);
    try {
      before.enterSnapshot('residents', period, { dictionary, sha256 });
      cpSync(join(folder, 'state', 'snapshots'), join(folder, 'before', 'snapshots'), { recursive: true });
      const options = { store: before, state: join(folder, 'before'), secret: key, matchedColumns: () => ['person'] };
      const found = await new Snapshots(options).of(residents(), period, () => open(residents(), 'none.csv'));
      expect(numbers(await snapshotSource(found, 'residents').query(sumsOf('age'), residents(), false))[1]).toBe(30);
    } finally {
      before.close();
    }
  });
});
