import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../src/algebra/hash.ts';
import { isFolkmootError } from '../src/channel/errors.ts';
import { parseCharter } from '../src/query/charter.ts';
import { jobJsonSchema, parseJob } from '../src/query/job.ts';
import {
  arrearsYaml,
  charterWith,
  checkedJob,
  incomeYaml,
  jobText,
  joinYaml,
  privateYaml,
  replaced,
} from './consortium.ts';
import { refusalOf } from './refusal.ts';

const published = new URL('../../../docs/job.schema.json', import.meta.url);

describe('a job', () => {
  it('is read and checked in every form of the samples', () => {
    const checked = checkedJob(arrearsYaml);
    expect(checked.parties).toEqual(['camden', 'hackney', 'islington']);
    expect(checked.cells).toBe(4);
    expect(checked.groups[0]).toEqual({
      name: 'tenure',
      column: 'tenure',
      transform: 'value',
      first: 0n,
      labels: ['owner', 'private', 'social', 'temporary'],
    });
    expect(checkedJob(incomeYaml).cells).toBe(1);
    expect(Object.keys(checkedJob(incomeYaml).job.measures)).toEqual(['people', 'r', 'fit', 'ages', 'typical']);
  });

  it('fills in nothing, so that what is signed is what was written', () => {
    const job = parseJob('folkmoot: 1\npurpose: p\nfrom: residents\nmeasures: { n: count }', 'job.yaml');
    expect(canonicalJson(job)).toBe('{"folkmoot":1,"from":"residents","measures":{"n":"count"},"purpose":"p"}');
    expect(parseJob(JSON.stringify(job), 'job.json')).toEqual(job);
  });

  it('keeps its canonical text when it is read again', () => {
    for (const text of [arrearsYaml, incomeYaml, privateYaml, joinYaml]) {
      const job = parseJob(text, 'job.yaml');
      const canonical = canonicalJson(job);
      expect(canonicalJson(parseJob(canonical, 'job.json'))).toBe(canonical);
    }
  });

  it('keeps numbers as they were written in its canonical text', () => {
    const job = parseJob(
      jobText('where: { arrears: { gt: 0.10, lt: 12345678901234567.89 } }\nmeasures: { n: count }'),
      'j',
    );
    expect(canonicalJson(job.where)).toBe('{"arrears":{"gt":0.1,"lt":"12345678901234567.89"}}');
  });

  it('takes the parties that hold the dataset, in order, when it names none', () => {
    expect(checkedJob(jobText('measures: { n: count }')).job.parties).toEqual(['camden', 'hackney', 'islington']);
    expect(checkedJob(jobText('parties: [islington, camden, hackney]\nmeasures: { n: count }')).parties).toEqual([
      'camden',
      'hackney',
      'islington',
    ]);
  });

  it('groups by categories, booleans, integers and years, the last varying fastest', () => {
    const { groups, cells } = checkedJob(
      jobText('group_by: [tenure, employed, year(moved_in)]\nmeasures: { n: count }'),
    );
    expect(cells).toBe(4 * 2 * 77);
    expect(groups.map(({ first }) => first)).toEqual([0n, 0n, 1950n]);
    expect(groups[2]!.labels.slice(0, 2)).toEqual([1950, 1951]);
    expect(checkedJob(jobText('group_by: [age]\nmeasures: { n: count }')).cells).toBe(111);
  });

  it('knows every form of a measure', () => {
    const forms = [
      'count',
      '{ count: { where: { age: { gt: 3 } } } }',
      '{ sum: arrears }',
      '{ mean: employed }',
      '{ variance: age }',
      '{ stddev: age }',
      '{ covariance: [age, arrears] }',
      '{ correlation: [age, income] }',
      '{ regression: { y: arrears, x: [income, age] } }',
      '{ ratio: { numerator: arrears, denominator: income } }',
      '{ ratio: [arrears, income] }',
      '{ histogram: { of: age, bins: [0, 18, 65] } }',
      '{ histogram: { of: age, bins: { from: 0, to: 100, width: 10 } } }',
      '{ median: { of: income, bins: { from: 0, to: 250000, width: 2500 } } }',
      '{ quantile: { of: income, q: 0.9, bins: [0, 100, 200] } }',
      '{ t_test: { of: arrears, by: employed } }',
      '{ t_test: { of: arrears, by: tenure, levels: [private, social] } }',
      '{ chi_square: [tenure, employed] }',
    ];
    for (const form of forms) expect(() => checkedJob(jobText(`measures: { m: ${form} }`)), form).not.toThrow();
  });

  it.each([
    ['an unknown key', 'sort: tenure\nmeasures: { n: count }', 'UNKNOWN_KEY', 'sort'],
    ['an unknown operation', 'measures: { n: { max: age } }', 'UNKNOWN_KEY', 'measures.n.max'],
    ['an unknown word for a measure', 'measures: { n: total }', 'BAD_VALUE', 'measures.n'],
    ['two operations in one measure', 'measures: { n: { sum: age, mean: age } }', 'BAD_VALUE', 'measures.n'],
    ['no measure', 'measures: {}', 'BAD_VALUE', 'measures'],
    ['measures that are missing', 'min_group: 3', 'BAD_VALUE', 'measures'],
    ['a key that stands twice', 'min_group: 3\nmeasures: { n: count }\nmin_group: 4', 'DUPLICATE_KEY', 'min_group'],
    ['a threshold of zero', 'min_group: 0\nmeasures: { n: count }', 'BAD_VALUE', 'min_group'],
    ['four group keys', 'group_by: [tenure, employed, age, sex]\nmeasures: { n: count }', 'BAD_VALUE', 'group_by'],
    ['an unknown party', 'parties: [camden, hackney, lambeth]\nmeasures: { n: count }', 'UNKNOWN_PARTY', 'parties[2]'],
    [
      'a party that no one is',
      'parties: [camden, hackney, constructor]\nmeasures: { n: count }',
      'BAD_VALUE',
      'parties[2]',
    ],
    [
      'a party that holds no such data',
      'parties: [camden, hackney, ncl-health]\nmeasures: { n: count }',
      'NOT_HELD',
      'parties[2]',
    ],
    [
      'the same party twice',
      'parties: [camden, hackney, camden]\nmeasures: { n: count }',
      'DUPLICATE_PARTY',
      'parties[2]',
    ],
    ['two parties', 'parties: [camden, hackney]\nmeasures: { n: count }', 'TOO_FEW_PARTIES', 'parties'],
    ['an unknown column', 'measures: { n: { sum: rent } }', 'UNKNOWN_COLUMN', 'measures.n.sum'],
    ['an unknown group key', 'group_by: [colour]\nmeasures: { n: count }', 'UNKNOWN_COLUMN', 'group_by[0]'],
    ['a group key that stands twice', 'group_by: [tenure, tenure]\nmeasures: { n: count }', 'BAD_VALUE', 'group_by[1]'],
    ['grouping by a decimal', 'group_by: [arrears]\nmeasures: { n: count }', 'WRONG_TYPE', 'group_by[0]'],
    ['grouping by a date', 'group_by: [moved_in]\nmeasures: { n: count }', 'WRONG_TYPE', 'group_by[0]'],
    ['grouping by a person', 'group_by: [person]\nmeasures: { n: count }', 'WRONG_TYPE', 'group_by[0]'],
    ['the year of a category', 'group_by: [year(tenure)]\nmeasures: { n: count }', 'WRONG_TYPE', 'group_by[0]'],
    [
      'a measure named as a group key',
      'group_by: [tenure]\nmeasures: { tenure: count }',
      'BAD_VALUE',
      'measures.tenure',
    ],
    ['the sum of a category', 'measures: { n: { sum: tenure } }', 'WRONG_TYPE', 'measures.n.sum'],
    ['the mean of a date', 'measures: { n: { mean: moved_in } }', 'WRONG_TYPE', 'measures.n.mean'],
    [
      'a regression on an identifier',
      'measures: { n: { regression: { y: age, x: [income, person] } } }',
      'WRONG_TYPE',
      'measures.n.regression.x[1]',
    ],
    ['unsorted bins', 'measures: { n: { histogram: { of: age, bins: [0, 50, 20] } } }', 'BAD_BINS', undefined],
    ['one edge', 'measures: { n: { histogram: { of: age, bins: [0] } } }', 'BAD_BINS', undefined],
    [
      'a wrong filter in a count',
      'measures: { n: { count: { where: { age: { gt: x } } } } }',
      'WRONG_TYPE',
      'measures.n.count.where.age.gt',
    ],
  ])('is refused for %s', (_, lines, code, field) => {
    const refusal = refusalOf(() => checkedJob(jobText(lines)));
    expect(refusal.code).toBe(code);
    if (field !== undefined) expect(refusal.field).toBe(field);
  });

  it('is refused for an unknown dataset or purpose', () => {
    expect(refusalOf(() => checkedJob(jobText('measures: { n: count }', 'pupils')))).toMatchObject({
      code: 'UNKNOWN_DATASET',
      field: 'from',
    });
    const purpose = replaced(arrearsYaml, [['purpose: homelessness-prevention', 'purpose: marketing']]);
    expect(refusalOf(() => checkedJob(purpose))).toMatchObject({ code: 'UNKNOWN_PURPOSE', field: 'purpose' });
  });

  it('names either rows or a join, not both and not neither', () => {
    expect(refusalOf(() => parseJob(replaced(arrearsYaml, [['from: residents\n', '']]), 'j'))).toMatchObject({
      code: 'BAD_VALUE',
      field: 'from',
    });
    expect(refusalOf(() => parseJob(replaced(joinYaml, [['join:', 'from: residents\njoin:']]), 'j')).code).toBe(
      'BAD_VALUE',
    );
  });

  it('says line and column of an unknown key deep inside', () => {
    const text = replaced(arrearsYaml, [['{ mean: arrears }', '{ mean: arrears, of: x }']]);
    expect(refusalOf(() => parseJob(text, 'job.yaml'))).toMatchObject({
      code: 'UNKNOWN_KEY',
      field: 'measures.mean_arrears.of',
      line: 11,
      column: 34,
    });
  });

  it('may have 10,000 cells and not one more', () => {
    const wide = (values: number) =>
      parseCharter(
        charterWith(['{ type: integer, min: 0, max: 110 }', `{ type: integer, min: 1, max: ${values} }`]),
        'c',
      );
    const by = (keys: string) => jobText(`group_by: [${keys}]\nmeasures: { n: count }`);
    expect(checkedJob(by('age'), wide(10_000)).cells).toBe(10_000);
    expect(refusalOf(() => checkedJob(by('age'), wide(10_001)))).toMatchObject({
      code: 'TOO_MANY_CELLS',
      field: 'group_by[0]',
    });
    expect(checkedJob(by('age, tenure'), wide(2_500)).cells).toBe(10_000);
    expect(refusalOf(() => checkedJob(by('age, tenure'), wide(2_501)))).toMatchObject({
      code: 'TOO_MANY_CELLS',
      field: 'group_by',
    });
  });

  it('cannot go below three parties, whatever the charter’s floor', () => {
    const low = parseCharter(charterWith(['min_parties: 2', 'min_parties: 1']), 'c');
    const two = jobText('parties: [camden, hackney]\nmeasures: { n: count }');
    expect(refusalOf(() => checkedJob(two, low)).code).toBe('TOO_FEW_PARTIES');
    const high = parseCharter(charterWith(['min_parties: 2', 'min_parties: 4']), 'c');
    expect(refusalOf(() => checkedJob(jobText('measures: { n: count }'), high)).code).toBe('TOO_FEW_PARTIES');
  });

  it('is refused with a typed error, whatever was changed in its text', () => {
    const change = fc.record({
      at: fc.nat(incomeYaml.length),
      cut: fc.nat(20),
      put: fc.oneof(
        fc.string({ maxLength: 8 }),
        fc.constantFrom('[', '{', 'null', '-1', '1e9', 'true', '\n  ', 'constructor', 'any'),
      ),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const text = changes.reduce(
          (given, { at, cut, put }) => given.slice(0, at) + put + given.slice(at + cut),
          incomeYaml,
        );
        try {
          checkedJob(text);
        } catch (error) {
          expect(isFolkmootError(error), String(error)).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('is refused with a typed error, whatever value comes in its place', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom(
          ...['where', 'measures', 'parties', 'group_by', 'min_group', 'title'],
          ...['having', 'top', 'open', 'round', 'total', 'join_helper'],
        ),
        (value, key) => {
          const text = JSON.stringify({ ...parseJob(arrearsYaml, 'j'), [key]: value });
          try {
            checkedJob(text);
          } catch (error) {
            expect(isFolkmootError(error), String(error)).toBe(true);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('has the published JSON Schema', () => {
    expect(JSON.parse(readFileSync(published, 'utf8'))).toEqual(jobJsonSchema());
  });
});
