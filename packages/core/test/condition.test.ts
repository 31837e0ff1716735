import { describe, expect, it } from 'vitest';
import { columnsOf, compileWhere, type Where } from '../src/query/condition.ts';
import { boundsOf, encodeValue } from '../src/query/dictionary.ts';
import { parseJob } from '../src/query/job.ts';
import { charter, jobText } from './consortium.ts';
import { refusalOf } from './refusal.ts';

const residents = charter.datasets.residents!;
const compile = (where: string) =>
  compileWhere(parseJob(jobText(`where: ${where}\nmeasures: { n: count }`), 'job.yaml').where, residents);

describe('a condition', () => {
  it('is true when there is none', () => {
    expect(compileWhere(undefined, residents)).toEqual({ kind: 'true' });
    expect(compile('{}')).toEqual({ kind: 'true' });
  });

  it('joins all operators and all fields by AND', () => {
    expect(compile('{ age: { gte: 18, lt: 65 }, tenure: { in: [temporary, social] } }')).toEqual({
      kind: 'and',
      of: [
        { kind: 'compare', column: 'age', op: 'gte', value: 18n },
        { kind: 'compare', column: 'age', op: 'lt', value: 65n },
        { kind: 'in', column: 'tenure', values: [2n, 3n] },
      ],
    });
  });

  it('includes both ends of between', () => {
    expect(compile('{ age: { between: [18, 64] } }')).toEqual({
      kind: 'and',
      of: [
        { kind: 'compare', column: 'age', op: 'gte', value: 18n },
        { kind: 'compare', column: 'age', op: 'lte', value: 64n },
      ],
    });
  });

  it('reads any as OR and not as negation', () => {
    expect(compile('{ any: [ { employed: { eq: true } }, { not: { age: { ne: 30 } } } ] }')).toEqual({
      kind: 'or',
      of: [
        { kind: 'compare', column: 'employed', op: 'eq', value: 1n },
        { kind: 'not', of: { kind: 'compare', column: 'age', op: 'ne', value: 30n } },
      ],
    });
  });

  it('asks for nulls in the raw value', () => {
    expect(compile('{ income: { is_null: true } }')).toEqual({ kind: 'is_null', column: 'income' });
    expect(compile('{ income: { is_null: false } }')).toEqual({
      kind: 'not',
      of: { kind: 'is_null', column: 'income' },
    });
  });

  it('encodes dates, and years of dates', () => {
    expect(compile('{ moved_in: { lt: 2020-01-31 } }')).toEqual({
      kind: 'compare',
      column: 'moved_in',
      op: 'lt',
      value: 20200131n,
    });
    expect(compile('{ year(moved_in): { gte: 2020 } }')).toEqual({
      kind: 'compare',
      column: 'moved_in',
      op: 'gte',
      value: 2020n,
      transform: 'year',
    });
    expect(compile('{ year(moved_in): { in: [2021, 2020] } }')).toMatchObject({
      kind: 'or',
      of: [{ value: 2020n }, { value: 2021n }],
    });
  });

  it('takes decimals exactly as they are written', () => {
    expect(compile('{ arrears: { gt: 100.5 } }')).toMatchObject({ value: 10050n });
    expect(compile('{ arrears: { gt: 0.1 } }')).toMatchObject({ value: 10n });
    expect(compile('{ arrears: { gt: 1.10 } }')).toMatchObject({ value: 110n });
    expect(compile('{ arrears: { gt: -3 } }')).toMatchObject({ value: -300n });
    expect(compile('{ arrears: { gt: 123456789012345678.91 } }')).toMatchObject({ value: 12345678901234567891n });
    expect(compile('{ age: { lt: 9007199254740993 } }')).toMatchObject({ value: 9007199254740993n });
    expect(compile('{ age: { lt: 1e3 } }')).toMatchObject({ value: 1000n });
  });

  it('names its columns, each once', () => {
    expect(
      columnsOf(
        compile('{ age: { gt: 1, lt: 9 }, any: [ { income: { is_null: true } }, { not: { age: { eq: 5 } } } ] }'),
      ),
    ).toEqual(['age', 'income']);
  });

  it.each([
    ['{ age: { gte: old } }', 'WRONG_TYPE', 'where.age.gte'],
    ['{ age: { gte: "18" } }', 'WRONG_TYPE', 'where.age.gte'],
    ['{ age: { gte: 18.5 } }', 'WRONG_TYPE', 'where.age.gte'],
    ['{ age: { eq: true } }', 'WRONG_TYPE', 'where.age.eq'],
    ['{ age: { between: [18, x] } }', 'WRONG_TYPE', 'where.age.between[1]'],
    ['{ age: { between: [64, 18] } }', 'BAD_VALUE', 'where.age.between'],
    ['{ arrears: { gt: 100.555 } }', 'WRONG_TYPE', 'where.arrears.gt'],
    ['{ arrears: { gt: 1,000 } }', 'UNKNOWN_KEY', 'where.arrears.000'],
    ['{ employed: { eq: 1 } }', 'WRONG_TYPE', 'where.employed.eq'],
    ['{ employed: { gt: false } }', 'WRONG_TYPE', 'where.employed.gt'],
    ['{ tenure: { eq: rented } }', 'WRONG_TYPE', 'where.tenure.eq'],
    ['{ tenure: { in: [social, 3] } }', 'WRONG_TYPE', 'where.tenure.in[1]'],
    ['{ tenure: { lt: social } }', 'WRONG_TYPE', 'where.tenure.lt'],
    ['{ moved_in: { gt: 2020 } }', 'WRONG_TYPE', 'where.moved_in.gt'],
    ['{ moved_in: { gt: 2021-02-29 } }', 'WRONG_TYPE', 'where.moved_in.gt'],
    ['{ year(moved_in): { gt: 2021-02-20 } }', 'WRONG_TYPE', 'where.year(moved_in).gt'],
    ['{ year(age): { gt: 2021 } }', 'WRONG_TYPE', 'where.year(age)'],
    ['{ nhs_number: { eq: "1" } }', 'WRONG_TYPE', 'where.nhs_number'],
    ['{ nhs_number: { is_null: true } }', 'WRONG_TYPE', 'where.nhs_number'],
    ['{ colour: { eq: red } }', 'UNKNOWN_COLUMN', 'where.colour'],
    ['{ constructor: { eq: red } }', 'UNKNOWN_COLUMN', 'where.constructor'],
    ['{ not: { any: [ { colour: { eq: red } } ] } }', 'UNKNOWN_COLUMN', 'where.not.any[0].colour'],
    ['{ age: {} }', 'BAD_VALUE', 'where.age'],
    ['{ age: 18 }', 'BAD_VALUE', 'where.age'],
    ['{ age: { in: [] } }', 'BAD_VALUE', 'where.age.in'],
    ['{ age: { like: 1 } }', 'UNKNOWN_KEY', 'where.age.like'],
    ['{ any: { age: { gt: 1 } } }', 'BAD_VALUE', 'where.any'],
    [`${'{ not: '.repeat(10)}{ age: { gt: 1 } }${' }'.repeat(10)}`, 'BAD_VALUE', `where${'.not'.repeat(9)}`],
  ])('refuses %s', (where, code, field) => {
    expect(refusalOf(() => compile(where))).toMatchObject({ code, field });
  });

  it('refuses a value without repeating it', () => {
    expect(refusalOf(() => compile('{ tenure: { eq: Jane Smith } }')).message).not.toContain('Jane');
  });

  it('has one way to write a number that a double holds', () => {
    const where: Where = { age: { gte: '18' } };
    expect(refusalOf(() => compileWhere(where, residents)).code).toBe('WRONG_TYPE');
    expect(encodeValue(residents.columns.age!, '9007199254740993', 'x')).toBe(9007199254740993n);
  });
});

describe('the order of keys', () => {
  it('changes nothing, so that a job whose keys were reordered on its way is the same to all parties', () => {
    const one = compile('{ tenure: { eq: social }, age: { lt: 65, gte: 18 } }');
    expect(compile('{ age: { gte: 18, lt: 65 }, tenure: { eq: social } }')).toEqual(one);
  });
});

describe('bounds', () => {
  it('are the encoded integers of the dictionary', () => {
    const of = (name: string) => boundsOf(residents.columns[name]!);
    expect(of('age')).toEqual({ min: 0n, max: 110n });
    expect(of('arrears')).toEqual({ min: 0n, max: 2_000_000n });
    expect(of('employed')).toEqual({ min: 0n, max: 1n });
    expect(of('tenure')).toEqual({ min: 0n, max: 3n });
    expect(of('moved_in')).toEqual({ min: 19500101n, max: 20261231n });
    expect(() => of('person')).toThrow(RangeError);
  });
});
