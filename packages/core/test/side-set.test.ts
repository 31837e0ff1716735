import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import type { Dataset } from '../src/query/dictionary.ts';
import { identifierKey, newTally, normaliseIdentifier } from '../src/query/identifier.ts';
import type { Feature, SideQuery } from '../src/query/join-query.ts';
import { protectedDataset } from '../src/query/protection.ts';
import type { Row } from '../src/query/record.ts';
import { classSize } from '../src/query/set-class.ts';
import { sideRecords } from '../src/query/side-records.ts';
import { checkRoom, sideSet } from '../src/query/side-set.ts';
import { refusalOf } from './refusal.ts';

const salt = new Uint8Array(16).fill(9);
const nhs = { type: 'identifier', normalise: 'digits', check: 'nhs' } as const;
const dataset = (changes: Partial<Dataset> = {}): Dataset => ({
  name: 'patients',
  held_by: ['health'],
  unit: 'nhs',
  max_rows_per_unit: 1,
  extra_rows: 'refuse',
  max_parties_per_unit: 1,
  max_rows: 1000,
  columns: {
    nhs,
    person: { type: 'identifier' },
    cost: { type: 'integer', min: 0, max: 100, nulls: 'drop', outside: 'clamp' },
    sex: { type: 'category', values: ['f', 'm'], nulls: 'refuse' },
  },
  ...changes,
});
const always = { kind: 'true' } as const;
const costly = { kind: 'compare', column: 'cost', op: 'gte', value: 10n } as const;
const counts: Feature = { of: 'rows', product: [], where: always, min: 1n, max: 1n };
const costs: Feature = {
  of: 'rows',
  product: ['cost'],
  where: { kind: 'present', column: 'cost' },
  min: 0n,
  max: 100n,
};
const people: Feature = { of: 'people', product: [], where: costly, min: 0n, max: 1n };
const bySex = { name: 'sex', column: 'sex', transform: 'value', first: 0n, labels: ['f', 'm'] } as const;

const sideOf = (changes: Partial<SideQuery> = {}): SideQuery => ({
  party: 'health',
  dataset: dataset(),
  key: 'nhs',
  rowsPerKey: 1,
  columns: ['cost', 'sex'],
  where: always,
  groups: [],
  cells: 1,
  features: [counts, costs],
  ...changes,
});
const row = (id: string | null, cost: string | null = '5', sex = 'f', person = `p${id}`): Row => ({
  nhs: id,
  person,
  cost,
  sex,
});
const setOf = (side: SideQuery, rows: readonly Row[], setClass = 18, tally = newTally()) => {
  const rng = seededRng(new Uint8Array(32).fill(1));
  return { tally, ...sideSet(side, sideRecords(side, rows), salt, setClass, rng, tally) };
};
const elementAt = (elements: Uint8Array, at: number) => elements.subarray(16 * at, 16 * at + 16);
const keyOf = (text: string) => identifierKey(salt, normaliseIdentifier(text, nhs)!);
/** With right check digits. */
const [ada, ben, cyd] = ['943 476 5919', '9876543210', '1234567881'] as const;

describe('the set of a side', () => {
  it('has an element for each key that takes part, and random ones up to its class', () => {
    const side = sideOf({ where: costly });
    const { elements, keys, cells, features, rows } = setOf(side, [row(ben, '3'), row(ada, '12'), row(cyd, '70')]);
    const count = classSize(18);
    expect(elements).toHaveLength(16 * count);
    expect(keys).toBe(2);
    expect([elementAt(elements, 0), elementAt(elements, 1)]).toEqual([keyOf(ada), keyOf(cyd)]);
    expect(new Set(Array.from({ length: count }, (_, at) => elementAt(elements, at).join())).size).toBe(count);
    expect([...cells.subarray(0, 4)]).toEqual([0, 0, -1, -1]);
    expect([...rows.subarray(0, 3)]).toEqual([1, 2, -1]);
    expect(features.map((values) => [...values.subarray(0, 3)])).toEqual([
      [1n, 1n, 0n],
      [12n, 70n, 0n],
    ]);
  });

  it('is the same however an identifier is written', () => {
    const [one, other] = [ada, '９４３-476 5919'].map((id) => setOf(sideOf(), [row(id)]).elements);
    expect(one).toEqual(other);
  });

  it('leaves out what is no identifier, and counts it for the owner', () => {
    const { keys, tally } = setOf(sideOf(), [row(ada), row(null), row(' '), row('12'), row('9434765918'), row('٣')]);
    expect(keys).toBe(1);
    expect(tally).toEqual({ seen: 6, empty: 2, malformed: 2, failedCheck: 1 });
  });

  it('refuses a key of too many rows, whatever the filter, or keeps its first ones', () => {
    const rows = [row(ada, '1'), row('9434765919', '60'), row(ben, '20')];
    for (const where of [always, costly]) {
      const refusal = refusalOf(() => setOf(sideOf({ where }), rows));
      expect(refusal).toMatchObject({ code: 'DUPLICATE_IDENTIFIER', field: 'nhs' });
      expect(refusal.message).not.toContain('943');
    }
    const keeping = sideOf({ dataset: dataset({ extra_rows: 'keep_first' }), where: costly });
    const { keys, rows: taken } = setOf(keeping, rows);
    // The row that is kept of the first key is not one that takes part.
    expect([keys, taken[0]]).toEqual([1, 2]);
    expect(setOf(sideOf({ dataset: protectedDataset(dataset()) }), rows).keys).toBe(2);
    expect(setOf(sideOf({ rowsPerKey: 2 }), rows).keys).toBe(2);
  });

  it('puts the rows of a key into slots, the empty ones behind', () => {
    const side = sideOf({ rowsPerKey: 3, where: costly, groups: [bySex], cells: 2 });
    const { cells, features, slots, keys } = setOf(side, [
      row(ben, '1'),
      row(ada, '10', 'm'),
      row(ben, '20'),
      row(ben, '30', 'm'),
    ]);
    const count = classSize(18);
    const at = (element: number) => [0, 1, 2].map((slot) => slot * count + element);
    expect([slots, keys]).toEqual([3, 2]);
    expect(at(0).map((place) => cells[place])).toEqual([1, -1, -1]);
    expect(at(1).map((place) => cells[place])).toEqual([0, 1, -1]);
    expect(at(1).map((place) => features[1]![place])).toEqual([20n, 30n, 0n]);
  });

  it('counts a person once in each cell, by the first row that meets the condition', () => {
    const side = sideOf({ rowsPerKey: 4, groups: [bySex], cells: 2, features: [people] });
    const given = [
      ['1', 'f'],
      ['20', 'f'],
      ['30', 'm'],
      ['40', 'f'],
    ].map(([cost, sex]) => row(ada, cost, sex));
    const { features } = setOf(side, [row(ben, '50'), ...given, row(ben, '60')]);
    const count = classSize(18);
    const at = (element: number) => [0, 1, 2, 3].map((slot) => Number(features[0]![slot * count + element]));
    expect(at(0)).toEqual([1, 0, 0, 0]);
    expect(at(1)).toEqual([0, 1, 1, 0]);
  });

  it('is refused where its class does not hold its keys', () => {
    const rows = Array.from({ length: 513 }, (_, at) => row(`${at}`));
    const columns = { ...dataset().columns, nhs: { type: 'identifier' } as const };
    const side = sideOf({ dataset: dataset({ columns, max_rows: 513 }) });
    expect(refusalOf(() => setOf(side, rows))).toMatchObject({ code: 'SET_TOO_LARGE' });
    expect(setOf(side, rows, 19).keys).toBe(513);
  });

  it('is refused where its numbers are more than a party has room for', () => {
    const side = sideOf({ rowsPerKey: 100, features: Array.from({ length: 5_243 }, () => counts) });
    expect(refusalOf(() => setOf(side, [row(ada)]))).toMatchObject({ code: 'SET_TOO_LARGE' });
    expect(() => checkRoom({ ...side, features: side.features.slice(1) }, 18)).not.toThrow();
  });
});

describe('the records of a side', () => {
  const refused = (changes: Partial<Dataset>, rows: readonly Row[]) =>
    refusalOf(() => sideRecords(sideOf({ dataset: dataset(changes) }), rows));

  it('are those of a local query where the unit is not the key', () => {
    const rows = [row(ada, '1', 'f', 'p'), row(ben, '2', 'f', 'p'), row(cyd, '3', 'f', 'q')];
    expect(refused({ unit: 'person' }, rows)).toMatchObject({ code: 'SOURCE_EXTRA_ROWS', field: 'person' });
    const keeping = dataset({ unit: 'person', extra_rows: 'keep_first' });
    expect(sideRecords(sideOf({ dataset: keeping }), rows).identifiers).toEqual([ada, cyd]);
    expect(refused({ unit: 'person' }, [row(ada, '1', 'f', '')])).toMatchObject({
      code: 'SOURCE_NULL',
      field: 'person',
    });
  });

  it('go by the key alone under protection, whatever the unit', () => {
    const rows = [row(ada, '1', 'f', 'p'), row(ben, '2', 'f', 'p'), row(cyd, '3', 'f', '')];
    const side = sideOf({ dataset: protectedDataset(dataset({ unit: 'person' })) });
    expect(sideRecords(side, rows).identifiers).toEqual([ada, ben, cyd]);
    expect(setOf(side, [...rows, row(ada, '4', 'f', 'q')]).keys).toBe(3);
  });

  it('may lack the identifier, but no other value that the dictionary asks for', () => {
    expect(sideRecords(sideOf(), [row(null), row('')]).identifiers).toEqual([null, '']);
    expect(refused({}, [{ ...row(ada), sex: null }])).toMatchObject({ code: 'SOURCE_NULL', field: 'sex' });
    expect(refused({}, [{ cost: '1', sex: 'f' }])).toMatchObject({ code: 'SOURCE_COLUMN_MISSING', field: 'nhs' });
  });

  it('may be none under protection alone, and as many as there are', () => {
    expect(refused({}, [])).toMatchObject({ code: 'SOURCE_EMPTY' });
    expect(refused({ max_rows: 1 }, [row(ada), row(ben)])).toMatchObject({ code: 'SOURCE_TOO_MANY_ROWS' });
    const lenient = protectedDataset(dataset({ max_rows: 1 }));
    expect(sideRecords(sideOf({ dataset: lenient }), []).identifiers).toEqual([]);
    expect(sideRecords(sideOf({ dataset: lenient }), [row(ada), row(ben)]).identifiers).toHaveLength(2);
    expect(setOf(sideOf({ dataset: lenient }), []).keys).toBe(0);
  });

  it('have no cell where they do not take part', () => {
    const side = sideOf({ dataset: protectedDataset(dataset()), where: costly, groups: [bySex], cells: 2 });
    const rows = [row(ada, '10', 'm'), row(ben, '9', 'm'), row(cyd, null, 'm'), { ...row(cyd, '10'), sex: null }];
    expect([...sideRecords(side, rows).cells]).toEqual([1, -1, -1, -1]);
  });
});
