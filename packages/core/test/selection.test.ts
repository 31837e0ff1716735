/**
 * What a job says of which figures open, how, and with whose help: having, top, open, round, total and join_helper.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { parseRational, rational } from '../src/algebra/rational.ts';
import { parseCharter } from '../src/query/charter.ts';
import { checkJob, filterColumns, rosterOf } from '../src/query/check-job.ts';
import { readHaving } from '../src/query/having.ts';
import { parseJob } from '../src/query/job.ts';
import { sumsMax } from '../src/query/measures.ts';
import { charter, charterWith, checkedJob, jobText } from './consortium.ts';
import { refusalOf } from './refusal.ts';

const measures =
  'measures: { n: count, total: { sum: arrears }, mean_age: { mean: age }, spread: { stddev: arrears } }';
const grouped = (lines: string) => jobText(`group_by: [tenure]\n${measures}\n${lines}`);
const plain = (lines: string) => jobText(`${measures}\n${lines}`);
const residents = charter.datasets.residents!;
const protection = 'privacy: { epsilon: 1 }';

describe('a job without them', () => {
  it('opens every group, by itself, among its parties', () => {
    const checked = checkedJob(plain(''));
    expect(checked).toMatchObject({ helper: null, having: [], top: null, ratioOnly: false, total: false });
    expect(rosterOf(checked)).toEqual(['camden', 'hackney', 'islington']);
  });
});

describe('having', () => {
  it('compares measures of the job, and measures of its own, in one order', () => {
    const lines =
      'having: { n: { gte: 50 }, big: { of: { sum: arrears }, lte: 5000, gt: 1000.25 }, mean_age: { between: [18, "65.5"] } }';
    const { having } = checkedJob(grouped(lines));
    const sum = { sum: 'arrears' };
    expect(having).toEqual([
      { name: 'big', measure: sum, op: 'gt', value: parseRational('1000.25') },
      { name: 'big', measure: sum, op: 'lte', value: rational(5000n) },
      { name: 'mean_age', measure: { mean: 'age' }, op: 'gte', value: rational(18n) },
      { name: 'mean_age', measure: { mean: 'age' }, op: 'lte', value: parseRational('65.5') },
      { name: 'n', measure: 'count', op: 'gte', value: rational(50n) },
    ]);
  });

  it.each([
    'count',
    '{ count: { where: { employed: { eq: true } } } }',
    '{ sum: income }',
    '{ mean: income }',
    '{ ratio: [arrears, income] }',
  ])('may be on a %s', (form) => {
    expect(checkedJob(grouped(`having: { tested: { of: ${form}, lt: -0.5 } }`)).having).toHaveLength(1);
    const named = jobText(`measures: { m: ${form} }\nhaving: { m: { lt: 3 } }`);
    expect(checkedJob(named).having).toHaveLength(1);
  });

  it.each([
    ['a measure that is not there', '{ people: { gt: 1 } }', 'BAD_VALUE', 'having.people'],
    ['a name that every object has', '{ toString: { gt: 1 } }', 'BAD_VALUE', 'having.toString'],
    ['a kind that is not compared', '{ spread: { gt: 1 } }', 'NOT_SUPPORTED', 'having.spread'],
    [
      'a tested kind that is not',
      '{ m: { of: { median: { of: age, bins: [0, 9] } }, gt: 1 } }',
      'NOT_SUPPORTED',
      'having.m.of',
    ],
    ['no comparison', '{ n: {} }', 'BAD_VALUE', 'having.n'],
    ['a measure and no comparison', '{ m: { of: count } }', 'BAD_VALUE', 'having.m'],
    ['no condition', '{}', 'BAD_VALUE', 'having'],
    ['an unknown comparison', '{ n: { eq: 3 } }', 'UNKNOWN_KEY', 'having.n.eq'],
    ['no number', '{ n: { gt: many } }', 'BAD_VALUE', 'having.n.gt'],
    ['a number by itself', '{ n: 3 }', 'BAD_VALUE', 'having.n'],
    ['one end', '{ n: { between: [1] } }', 'BAD_VALUE', 'having.n.between'],
    ['ends in the wrong order', '{ n: { between: [5, 4.9] } }', 'BAD_VALUE', 'having.n.between'],
    ['a number beyond all totals', '{ n: { gt: 1000000000000000001 } }', 'BAD_VALUE', 'having.n.gt'],
    ['a number far below them', '{ n: { gt: -1000000000000000001 } }', 'BAD_VALUE', 'having.n.gt'],
    ['a number too fine', '{ n: { between: [1, 1.0000000001] } }', 'BAD_VALUE', 'having.n.between[1]'],
    ['a second meaning of a name', '{ n: { of: count, gt: 1 } }', 'BAD_VALUE', 'having.n'],
    ['an unknown column', '{ m: { of: { sum: rent }, gt: 1 } }', 'UNKNOWN_COLUMN', 'having.m.of.sum'],
    ['a column that is no number', '{ m: { of: { mean: tenure }, gt: 1 } }', 'WRONG_TYPE', 'having.m.of.mean'],
    [
      'a filter that does not fit',
      '{ m: { of: { count: { where: { age: { gt: x } } } }, gt: 1 } }',
      'WRONG_TYPE',
      'having.m.of.count.where.age.gt',
    ],
  ])('is refused for %s', (_, having, code, field) => {
    expect(refusalOf(() => checkedJob(grouped(`having: ${having}`)))).toMatchObject({ code, field });
  });

  it('takes the largest and the finest number, and ends that are one', () => {
    const ends =
      '{ n: { gt: -1000000000000000000, lt: 1000000000000000000 }, total: { between: [0.000000001, 1e-9] } }';
    expect(checkedJob(grouped(`having: ${ends}`)).having).toHaveLength(4);
  });

  it('refuses what only a program could write', () => {
    const job = parseJob(plain('having: { n: { gt: 1 } }'), 'j');
    for (const gt of [Number.NaN, Number.POSITIVE_INFINITY, '1e5', 'x']) {
      expect(refusalOf(() => readHaving({ ...job, having: { n: { gt } } }, residents))).toMatchObject({
        code: 'BAD_VALUE',
        field: 'having.n.gt',
      });
    }
    expect(refusalOf(() => readHaving({ ...job, having: { n: {} } }, residents)).field).toBe('having.n');
  });

  it('does not divide by what may be below 0, but where noisy figures are divided first', () => {
    const below = (least: string) =>
      parseCharter(charterWith(['min: 0, max: 250000', `min: ${least}, max: 250000`]), 'c');
    const forms = ['[arrears, income]', '{ numerator: arrears, denominator: income }'];
    for (const form of forms) {
      const named = (lines: string) =>
        jobText(`measures: { r: { ratio: ${form} } }\nhaving: { r: { gt: 1 } }\n${lines}`);
      const tested = jobText(`measures: { n: count }\nhaving: { r: { of: { ratio: ${form} }, gt: 1 } }`);
      expect(checkedJob(named(''), below('0')).having).toHaveLength(1);
      const refused = { code: 'NOT_SUPPORTED', message: expect.stringContaining('`income`') };
      expect(refusalOf(() => checkedJob(named(''), below('-0.01')))).toMatchObject({ ...refused, field: 'having.r' });
      expect(refusalOf(() => checkedJob(tested, below('-0.01')))).toMatchObject({ ...refused, field: 'having.r.of' });
      expect(checkedJob(named(protection), below('-0.01')).having).toHaveLength(1);
    }
    const over = parseCharter(charterWith(['min: 0, max: 20000', 'min: -1, max: 20000']), 'c');
    expect(
      checkedJob(jobText('measures: { r: { ratio: [arrears, income] } }\nhaving: { r: { gt: 1 } }'), over).having,
    ).toHaveLength(1);
  });

  it('has 20 conditions and not one more', () => {
    const many = (count: number) => {
      const each = Array.from({ length: count }, (_, at) => `m${at}: { of: count, gt: ${at} }`);
      return grouped(`having: { ${each.join(', ')} }`);
    };
    expect(checkedJob(many(20)).having).toHaveLength(20);
    expect(refusalOf(() => checkedJob(many(21)))).toMatchObject({ code: 'BAD_VALUE', field: 'having' });
  });

  it('takes sums of its own out of the same room as the measures', () => {
    // Two spare bins stand outside each histogram's range.
    const wide = parseCharter(charterWith(['max: 110', 'max: 9999']), 'c');
    const bins = (width: number) => `{ histogram: { of: age, bins: { from: 0, to: 10000, width: ${width} } } }`;
    const text = (having: string) =>
      jobText(
        `measures: { a: ${bins(1)}, b: ${bins(1)}, c: { histogram: { of: income, bins: { from: 0, to: 49930, width: 10 } } } }\n${having}`,
      );
    const used = 2 * 10_002 + 4_993 + 2;
    expect(sumsMax - used).toBe(1);
    expect(checkedJob(text('having: { m: { of: count, gt: 1 } }'), wide).having).toHaveLength(1);
    expect(refusalOf(() => checkedJob(text('having: { m: { of: { mean: age }, gt: 1 } }'), wide))).toMatchObject({
      code: 'TOO_MANY_CELLS',
      field: 'having.m.of',
    });
  });

  it('filters where the counts that it tests do', () => {
    const text = grouped('having: { m: { of: { count: { where: { income: { is_null: true } } } }, gt: 1 } }');
    expect(filterColumns(checkedJob(text))).toEqual(['income']);
  });

  it('tests only what is released where the answer is protected', () => {
    const job = (having: string) => jobText(`measures: { n: count }\n${protection}\nhaving: ${having}`);
    expect(checkedJob(job('{ n: { gt: 1 } }')).having).toHaveLength(1);
    expect(refusalOf(() => checkedJob(job('{ m: { of: count, gt: 1 } }')))).toMatchObject({
      code: 'NOT_SUPPORTED',
      field: 'having.m.of',
      remedy: expect.stringContaining('`measures`'),
    });
  });
});

describe('top', () => {
  it.each(['n', 'total', 'mean_age'])('ranks groups by %s', (by) => {
    expect(checkedJob(grouped(`top: { by: ${by}, count: 1 }`)).top).toEqual({ by, count: 1 });
    expect(checkedJob(grouped(`top: { by: ${by}, count: 20 }`)).top).toEqual({ by, count: 20 });
  });

  it.each([
    ['no groups', plain('top: { by: n, count: 3 }'), 'BAD_VALUE', 'top'],
    ['an empty list of groups', plain('group_by: []\ntop: { by: n, count: 3 }'), 'BAD_VALUE', 'top'],
    ['an unknown measure', grouped('top: { by: people, count: 3 }'), 'BAD_VALUE', 'top.by'],
    ['a measure that does not rank', grouped('top: { by: spread, count: 3 }'), 'NOT_SUPPORTED', 'top.by'],
    ['no group', grouped('top: { by: n, count: 0 }'), 'BAD_VALUE', 'top.count'],
    ['too many groups', grouped('top: { by: n, count: 21 }'), 'BAD_VALUE', 'top.count'],
    ['part of a group', grouped('top: { by: n, count: 1.5 }'), 'BAD_VALUE', 'top.count'],
    ['no measure', grouped('top: { count: 3 }'), 'BAD_VALUE', 'top.by'],
    ['a number alone', grouped('top: 5'), 'BAD_VALUE', 'top'],
    ['another key', grouped('top: { by: n, keep: 3 }'), 'UNKNOWN_KEY', 'top.keep'],
  ])('is refused for %s', (_, text, code, field) => {
    expect(refusalOf(() => checkedJob(text))).toMatchObject({ code, field });
  });
});

describe('open: ratio', () => {
  it('needs a mean or a ratio', () => {
    expect(checkedJob(plain('open: ratio')).ratioOnly).toBe(true);
    expect(checkedJob(jobText('measures: { r: { ratio: [arrears, income] } }\nopen: ratio')).ratioOnly).toBe(true);
    const none = jobText('measures: { n: count, s: { sum: age } }\nopen: ratio');
    expect(refusalOf(() => checkedJob(none))).toMatchObject({ code: 'BAD_VALUE', field: 'open' });
    expect(refusalOf(() => checkedJob(plain('open: all')))).toMatchObject({ code: 'BAD_VALUE', field: 'open' });
  });

  it('is refused where the parts are released with noise', () => {
    const text = jobText(`measures: { m: { mean: age } }\n${protection}\nopen: ratio`);
    expect(refusalOf(() => checkedJob(text))).toMatchObject({ code: 'NOT_SUPPORTED', field: 'open' });
  });
});

describe('a total', () => {
  it('stands beside groups, and not alone', () => {
    expect(checkedJob(grouped('total: true')).total).toBe(true);
    expect(checkedJob(grouped('total: false')).total).toBe(false);
    expect(checkedJob(plain('total: false')).total).toBe(false);
    expect(refusalOf(() => checkedJob(plain('total: true')))).toMatchObject({ code: 'BAD_VALUE', field: 'total' });
    expect(refusalOf(() => checkedJob(grouped('total: all')))).toMatchObject({ code: 'BAD_VALUE', field: 'total' });
    for (const choice of ['having: { n: { gte: 5 } }', 'top: { by: n, count: 2 }']) {
      expect(refusalOf(() => checkedJob(grouped(`total: true\n${choice}`)))).toMatchObject({
        code: 'BAD_VALUE',
        field: 'total',
      });
    }
  });

  it('is a job of its own where the answer is protected', () => {
    expect(refusalOf(() => checkedJob(grouped(`total: true\n${protection}`)))).toMatchObject({
      code: 'NOT_SUPPORTED',
      field: 'total',
    });
    expect(checkedJob(grouped(`total: false\n${protection}`)).total).toBe(false);
  });

  it('may stand where a person has several rows, or several holders', () => {
    const several = parseCharter(
      charterWith(
        ['max_rows_per_unit: 1', 'max_rows_per_unit: 4'],
        ['max_parties_per_unit: 1', 'max_parties_per_unit: 2'],
      ),
      'c',
    );
    expect(checkedJob(grouped('total: true'), several).total).toBe(true);
  });
});

describe('round', () => {
  const three = jobText('measures: { n: count, r: { ratio: [arrears, income] } }\nround: 5');
  const whole =
    'measures: { a: count, b: { count: { where: { age: { gt: 3 } } } }, c: { sum: age }, d: { mean: age }, e: { ratio: [age, income] }, f: { histogram: { of: age, bins: [0, 9] } }, g: { median: { of: age, bins: [0, 9] } }, h: { quantile: { of: age, q: 0.1, bins: [0, 9] } } }';

  it.each([
    ['1', true],
    ['1000000', true],
    ['0', false],
    ['-5', false],
    ['1000001', false],
    ['2.5', false],
    ['"5"', false],
  ])('of %s is a base: %s', (base, good) => {
    const run = () => checkedJob(jobText(`measures: { n: count }\nround: ${base}`));
    if (good) expect(run).not.toThrow();
    else expect(refusalOf(run)).toMatchObject({ code: 'BAD_VALUE', field: 'round' });
  });

  it('leaves every measure that can be rounded, or shows a quotient or a place in bins', () => {
    expect(checkedJob(three).job.round).toBe(5);
    expect(() => checkedJob(jobText(`${whole}\nround: 5`))).not.toThrow();
  });

  it.each([
    '{ variance: age }',
    '{ stddev: age }',
    '{ covariance: [age, income] }',
    '{ correlation: [age, income] }',
    '{ regression: { y: age, x: [income] } }',
    '{ t_test: { of: age, by: employed } }',
    '{ chi_square: [tenure, employed] }',
  ])('refuses %s, asked for by the job or the floor', (form) => {
    const text = (lines: string) => jobText(`measures: { n: count, m: ${form} }\n${lines}`);
    const floor = (base: number) =>
      parseCharter(charterWith(['min_group: 5 }', `min_group: 5, round: ${base} }`]), 'c');
    expect(() => checkedJob(text('round: 1'), floor(1))).not.toThrow();
    const refused = { layer: 'policy', code: 'CANNOT_ROUND', field: 'measures.m' };
    expect(refusalOf(() => checkedJob(text('round: 2')))).toMatchObject(refused);
    const byFloor = refusalOf(() => checkedJob(text('round: 2'), floor(3)));
    expect(byFloor).toMatchObject(refused);
    expect(byFloor.message).toContain('the charter’s floor rounds to 3');
    // Noise already withholds the exact sums.
    if (!form.includes('covariance')) expect(() => checkedJob(text(`round: 2\n${protection}`))).not.toThrow();
  });
});

describe('histograms of one column', () => {
  const two = (first: string, second: string, lines = '') =>
    jobText(
      `measures: { a: { histogram: { of: age, bins: ${first} } }, b: { histogram: { of: ${second} } } }\n${lines}`,
    );

  it('have the same edges in one exact job', () => {
    expect(() => checkedJob(two('[0, 10, 20]', 'age, bins: { from: 0, to: 20.0, width: 10 }'))).not.toThrow();
    expect(() => checkedJob(two('[0, 10, 20]', 'income, bins: [0, 10, 21]'))).not.toThrow();
    for (const other of ['[0, 10, 21]', '[0, 10]', '[0, 5, 10, 20]']) {
      expect(refusalOf(() => checkedJob(two('[0, 10, 20]', `age, bins: ${other}`)))).toMatchObject({
        code: 'BAD_BINS',
        field: 'measures.b.histogram.bins',
        remedy: 'ask for one histogram with all edges',
      });
    }
  });

  it('may differ under noise, which each is charged for', () => {
    expect(() => checkedJob(two('[0, 10, 20]', 'age, bins: [0, 10, 21]', protection))).not.toThrow();
  });

  it('may differ from the bins of a median, which are not shown', () => {
    const text =
      'measures: { a: { histogram: { of: age, bins: [0, 9] } }, b: { median: { of: age, bins: [0, 8] } }, c: { median: { of: age, bins: [0, 7] } } }';
    expect(() => checkedJob(jobText(text))).not.toThrow();
  });
});

describe('a helper', () => {
  const helped = (lines: string) => jobText(`measures: { n: count }\n${lines}`);

  it('is another party of the charter, and stands on the roster', () => {
    const checked = checkedJob(helped('join_helper: ncl-health'));
    expect(checked.helper).toBe('ncl-health');
    expect(checked.parties).toEqual(['camden', 'hackney', 'islington']);
    expect(rosterOf(checked)).toEqual(['camden', 'hackney', 'islington', 'ncl-health']);
    expect(rosterOf({ parties: ['b', 'c'], helper: 'a' })).toEqual(['a', 'b', 'c']);
  });

  it('may hold the dataset where it brings none of it', () => {
    const floor = parseCharter(charterWith(['held_by: [camden,', 'held_by: [ncl-health, camden,']), 'c');
    const text = (who: string) => helped(`parties: [camden, hackney, islington]\njoin_helper: ${who}`);
    expect(checkedJob(text('ncl-health'), floor).helper).toBe('ncl-health');
    expect(refusalOf(() => checkedJob(helped('join_helper: ncl-health'), floor)).code).toBe('HELPER_TAKES_PART');
  });

  it.each([
    ['is unknown', 'join_helper: barnet', 'UNKNOWN_PARTY'],
    ['takes part', 'join_helper: hackney', 'HELPER_TAKES_PART'],
    ['has nothing to help with', `join_helper: ncl-health\n${protection}`, 'NOT_SUPPORTED'],
    ['is no name', 'join_helper: 7', 'BAD_VALUE'],
  ])('is refused where it %s', (_, lines, code) => {
    expect(refusalOf(() => checkedJob(helped(lines)))).toMatchObject({ code, field: 'join_helper' });
  });

  it('does not count among the parties of a floor', () => {
    const job = parseJob(helped('parties: [camden, hackney]\njoin_helper: ncl-health'), 'j');
    expect(refusalOf(() => checkJob(job, charter)).code).toBe('TOO_FEW_PARTIES');
  });
});
