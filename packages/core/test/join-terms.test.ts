import { evaluateJoin } from '@folkmoot/testkit/plain-join.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import type { CheckedJob } from '../src/query/check-job.ts';
import type { CheckedSide } from '../src/query/checked-join.ts';
import { type Condition, columnsOf } from '../src/query/condition.ts';
import { boundsOf, type Column, type Dataset } from '../src/query/dictionary.ts';
import { cellsOf, type GroupKey } from '../src/query/group-key.ts';
import { pairsOf } from '../src/query/join-dataset.ts';
import type { JoinQuery, SideName } from '../src/query/join-query.ts';
import { joinQueryOf } from '../src/query/join-terms.ts';
import type { Row } from '../src/query/record.ts';
import { sideRecords } from '../src/query/side-records.ts';
import { type SideSet, sideSet } from '../src/query/side-set.ts';
import type { LocalQuery, LocalResult, Statistic } from '../src/query/statistic.ts';
import { refusalOf } from './refusal.ts';

const salt = new Uint8Array(16).fill(3);
const setClass = 18;
const always: Condition = { kind: 'true' };
const integer = (min: number | string, max: number | string, nulls = 'drop'): Column =>
  ({ type: 'integer', min, max, nulls, outside: 'clamp' }) as Column;
const category = (...values: string[]): Column => ({ type: 'category', values, nulls: 'drop' }) as Column;
const columnsAt: Record<SideName, Record<string, Column>> = {
  left: {
    id: { type: 'identifier', normalise: 'digits' },
    a: integer(-5, 9),
    b: { type: 'boolean', nulls: 'refuse' },
    c: category('x', 'y', 'z'),
  },
  right: {
    id: { type: 'identifier', normalise: 'digits' },
    a: integer(-3, 3, 'zero'),
    e: integer(0, 20),
    d: { type: 'date', min: '2000-05-01', max: '2002-03-01', nulls: 'drop', outside: 'clamp' },
  },
};

function sideOf(name: SideName, rowsPerKey: number, columns = columnsAt[name]): CheckedSide {
  const dataset: Dataset = {
    name: name === 'left' ? 'residents' : 'patients',
    held_by: [name],
    unit: 'id',
    max_rows_per_unit: rowsPerKey,
    extra_rows: 'keep_first',
    max_parties_per_unit: 1,
    max_rows: 1000,
    columns,
  };
  return { party: name, dataset, key: 'id', rowsPerKey };
}

interface Given {
  readonly left: CheckedSide;
  readonly right: CheckedSide;
  readonly query: LocalQuery;
}

function queryOf({ left, right }: Omit<Given, 'query'>, parts: Partial<LocalQuery>): LocalQuery {
  const dataset = pairsOf(left, right);
  const columns = Object.keys(dataset.columns).filter((name) => !name.endsWith('.id'));
  const groups = parts.groups ?? [];
  const rest = { groups, cells: cellsOf(groups), where: parts.where ?? always, statistics: parts.statistics ?? [] };
  return { dataset: dataset.name, columns, ownParty: null, ...rest };
}

function joinQuery({ left, right, query }: Given): JoinQuery {
  const join = { left, right, permission: { permitted_by: 'them' }, reveal: null };
  return joinQueryOf({ dataset: pairsOf(left, right), join } as unknown as CheckedJob, query);
}

/** The terms over the elements that both sets have. */
function summed({ left, right, terms, cellOf }: JoinQuery, sets: Record<SideName, SideSet>, given: LocalQuery) {
  const sums = given.statistics.map(() => new Array<bigint>(given.cells).fill(0n));
  const count = sets.left.rows.length;
  const hex = (set: SideSet, at: number) => Buffer.from(set.elements.subarray(16 * at, 16 * at + 16)).toString('hex');
  const places = new Map(Array.from({ length: count }, (_, at) => [hex(sets.right, at), at]));
  for (let element = 0; element < count; element++) {
    const match = places.get(hex(sets.left, element));
    if (match === undefined) continue;
    for (let at = element; at < sets.left.cells.length; at += count) {
      for (let to = match; to < sets.right.cells.length; to += count) {
        const [a, b] = [sets.left.cells[at]!, sets.right.cells[to]!];
        for (const term of terms) {
          const product = sets.left.features[term.left]![at]! * sets.right.features[term.right]![to]!;
          if (a < 0 || b < 0) expect(product).toBe(0n);
          else sums[term.statistic]![cellOf[a * right.cells + b]!]! += product;
        }
      }
    }
  }
  expect(cellOf).toHaveLength(left.cells * right.cells);
  return sums;
}

function answered(given: Given, rows: Record<SideName, readonly Row[]>): LocalResult {
  const query = joinQuery(given);
  const setOf = (side: SideName) => {
    const records = sideRecords(query[side], rows[side]);
    for (const [at, { min, max }] of query[side].features.entries()) {
      for (const value of records.features[at]!) expect(value >= min && value <= max).toBe(true);
    }
    return sideSet(query[side], records, salt, setClass, seededRng(new Uint8Array(32).fill(side.length)));
  };
  return summed(query, { left: setOf('left'), right: setOf('right') }, given.query);
}

/** Written in several ways each, and some that are none. */
const keys = fc.constantFrom('1', ' 1', '0-1', '01', '2', '2.', '３', '3', '4', '5', '6', '', '٣', null);

const textOf = (column: Column): fc.Arbitrary<string | null> => {
  switch (column.type) {
    case 'identifier':
      return keys;
    case 'boolean':
      return fc.constantFrom('true', 'false');
    case 'category':
      return fc.option(fc.constantFrom(...column.values), { freq: 4 });
    case 'date':
      return fc.option(fc.constantFrom('2000-06-01', '2001-12-31', '2009-01-01'), { freq: 4 });
    default: {
      const { min, max } = boundsOf(column);
      return fc.option(fc.bigInt({ min: min - 2n, max: max + 2n }).map(String), { freq: 4 });
    }
  }
};

const rowsOf = (name: SideName) =>
  fc.array(
    fc.record(Object.fromEntries(Object.entries(columnsAt[name]).map(([column, rules]) => [column, textOf(rules)]))),
    { minLength: 1, maxLength: 12 },
  );

const pairs = pairsOf(sideOf('left', 1), sideOf('right', 1));
const valueColumns = Object.keys(pairs.columns).filter((name) => !name.endsWith('.id'));

const leaf: fc.Arbitrary<Condition> = fc.constantFrom(...valueColumns).chain((column) => {
  const { min, max } = boundsOf(pairs.columns[column]!);
  const value = fc.bigInt({ min: min - 1n, max: max + 1n });
  const op = fc.constantFrom('eq', 'ne', 'gt', 'lte');
  return fc.oneof(
    fc.record({ kind: fc.constant('compare'), column: fc.constant(column), op, value }),
    fc.record({ kind: fc.constant('in'), column: fc.constant(column), values: fc.array(value, { maxLength: 3 }) }),
    fc.record({ kind: fc.constantFrom('is_null', 'present'), column: fc.constant(column) }),
  ) as fc.Arbitrary<Condition>;
});

const condition = fc.letrec<{ any: Condition }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.record({ kind: fc.constantFrom('and', 'or'), of: fc.array(tie('any'), { maxLength: 4 }) }),
    fc.record({ kind: fc.constant('not'), of: tie('any') }),
  ) as fc.Arbitrary<Condition>,
})).any;

const groupKeys: GroupKey[] = [
  { name: 'left.c', column: 'left.c', transform: 'value', first: 0n, labels: ['x', 'y', 'z'] },
  { name: 'left.b', column: 'left.b', transform: 'value', first: 0n, labels: [false, true] },
  { name: 'year(right.d)', column: 'right.d', transform: 'year', first: 2000n, labels: [2000, 2001, 2002] },
  { name: 'right.a', column: 'right.a', transform: 'value', first: -3n, labels: [-3, -2, -1, 0, 1, 2, 3] },
];

const statistic = fc
  .record({
    of: fc.constantFrom('rows', 'people'),
    product: fc.array(fc.constantFrom(...valueColumns), { maxLength: 2 }),
    where: condition,
  })
  .map(({ of, product, where }): Statistic => {
    if (of === 'people') return { of, product: [], where };
    const parts = product.map((column): Condition => ({ kind: 'present', column }));
    return { of: 'rows', product: product.sort(), where: { kind: 'and', of: [...parts, where] } };
  });

const caseArbitrary = fc
  .record({
    rowsPerKey: fc.tuple(fc.constantFrom(1, 1, 2, 3), fc.constantFrom(1, 1, 2, 3)),
    where: fc.oneof(fc.constant(always), condition),
    groups: fc.shuffledSubarray(groupKeys, { maxLength: 3 }),
    statistics: fc.array(statistic, { minLength: 1, maxLength: 4 }),
    rows: fc.record({ left: rowsOf('left'), right: rowsOf('right') }),
  })
  .map(({ rowsPerKey, rows, ...parts }) => {
    const sides = { left: sideOf('left', rowsPerKey[0]), right: sideOf('right', rowsPerKey[1]) };
    return { given: { ...sides, query: queryOf(sides, parts) }, rows };
  });

describe('the terms of a join', () => {
  it('sum up to the plain join of all pairs, whatever is asked', () => {
    let refused = 0;
    fc.assert(
      fc.property(caseArbitrary, ({ given, rows }) => {
        let answer: LocalResult;
        try {
          answer = answered(given, rows);
        } catch (error) {
          expect(error).toMatchObject({ code: 'NOT_SUPPORTED' });
          expect(given.query.statistics.some(({ of }) => of === 'people')).toBe(true);
          expect(given.left.rowsPerKey > 1 && given.right.rowsPerKey > 1).toBe(true);
          refused++;
          return;
        }
        expect(answer).toEqual(evaluateJoin(given, given.query, rows));
      }),
      { numRuns: 400 },
    );
    expect(refused).toBeLessThan(100);
  });

  const sides = { left: sideOf('left', 1), right: sideOf('right', 1) };
  const above = (column: string, value: bigint): Condition => ({ kind: 'compare', column, op: 'gt', value });
  const counted = (where: Condition): Statistic => ({ of: 'rows', product: [], where });
  const asked = (parts: Partial<LocalQuery>, of: Omit<Given, 'query'> = sides) =>
    joinQuery({ ...of, query: queryOf(of, parts) });

  it('need one feature a side, whatever each side’s own conditions are', () => {
    const where: Condition = { kind: 'and', of: [above('left.a', 1n), above('right.e', 2n)] };
    const own: Condition = { kind: 'not', of: { kind: 'or', of: [above('left.a', 7n), above('right.a', 0n)] } };
    const { left, right, terms } = asked({ where, statistics: [counted(own), counted(own), counted(always)] });
    expect(left.where).toEqual(above('a', 1n));
    expect(right.where).toEqual(above('e', 2n));
    expect(left.features.map((feature) => feature.where)).toEqual([{ kind: 'not', of: above('a', 7n) }, always]);
    expect(terms).toEqual([
      { statistic: 0, left: 0, right: 0 },
      { statistic: 1, left: 0, right: 0 },
      { statistic: 2, left: 1, right: 1 },
    ]);
    expect([left.columns, right.columns]).toEqual([['a'], ['a', 'e']]);
  });

  it('are as few as there are different rests of a condition on both rows', () => {
    const where: Condition = { kind: 'or', of: [above('left.a', 1n), above('right.e', 2n), above('left.a', 5n)] };
    expect(asked({ statistics: [counted(where)] }).terms).toHaveLength(2);
    const none = (at: bigint): Condition => {
      return { kind: 'and', of: [above('left.a', at), above('right.e', at), { kind: 'or', of: [] }] };
    };
    const nothing: Condition = { kind: 'or', of: [none(1n), none(2n)] };
    expect(asked({ statistics: [counted(nothing)] }).terms).toHaveLength(0);
  });

  it('are refused where a condition ties the sides in too many ways', () => {
    const tied = (ties: number): Condition => ({
      kind: 'and',
      of: Array.from({ length: ties }, (_, at): Condition => {
        return { kind: 'or', of: [above('left.a', BigInt(at)), above('right.e', BigInt(at))] };
      }),
    });
    expect(asked({ statistics: [counted(tied(5))] }).terms).toHaveLength(32);
    for (const ties of [6, 1000]) {
      const refusal = refusalOf(() => asked({ where: tied(ties), statistics: [counted(always)] }));
      expect(refusal).toMatchObject({ code: 'NOT_SUPPORTED', field: 'where' });
    }
  });

  it('count people with several rows at both sides by each side’s own conditions alone', () => {
    const many = { left: sideOf('left', 2), right: sideOf('right', 2) };
    const people = (where: Condition): Statistic => ({ of: 'people', product: [], where });
    const { left, terms } = asked({ statistics: [people(above('left.a', 1n))] }, many);
    expect(terms).toHaveLength(1);
    expect(left.features[0]!.of).toBe('people');
    const mixed: Condition = { kind: 'or', of: [above('left.a', 1n), above('right.e', 1n)] };
    const refusal = refusalOf(() => asked({ where: mixed, statistics: [people(always)] }, many));
    expect(refusal).toMatchObject({ code: 'NOT_SUPPORTED', field: 'where' });
    expect(asked({ statistics: [people(mixed)] }, { ...many, right: sides.right }).terms).toHaveLength(2);
  });

  it('have the exact bounds of every product, and are refused beyond 64 bits', () => {
    const wide = {
      left: sideOf('left', 1, { ...columnsAt.left, w: integer('-3037000499', '3037000500') }),
      right: sides.right,
    };
    const sum = (...product: string[]): Statistic => ({
      of: 'rows',
      product,
      where: { kind: 'and', of: product.map((column): Condition => ({ kind: 'present', column })) },
    });
    const bounds = (...product: string[]) => {
      const { left } = asked({ statistics: [sum(...product)] }, wide);
      return left.features.map(({ min, max }) => [min, max])[0];
    };
    expect(bounds('left.a')).toEqual([-5n, 9n]);
    expect(bounds('left.a', 'left.a')).toEqual([0n, 81n]);
    expect(bounds('left.a', 'left.b')).toEqual([-5n, 9n]);
    expect(bounds('left.a', 'right.a')).toEqual([-5n, 9n]);
    expect(bounds('left.a', 'left.w')).toEqual([9n * -3037000499n, 9n * 3037000500n]);
    expect(bounds('right.e')).toEqual([1n, 1n]);
    const refusal = refusalOf(() => bounds('left.w', 'left.w'));
    expect(refusal).toMatchObject({ code: 'OVERFLOW', field: 'datasets.residents.columns.w' });
  });

  it('read no column that nothing asks for', () => {
    const { left, right } = asked({ groups: [groupKeys[3]!, groupKeys[0]!], statistics: [counted(always)] });
    expect([left.columns, right.columns]).toEqual([['c'], ['a']]);
    expect([left.cells, right.cells]).toEqual([3, 7]);
    expect(columnsOf(left.where)).toEqual([]);
  });
});
