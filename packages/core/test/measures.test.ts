/**
 * Measures against published answers, where naive arithmetic loses its digits, and what a job may not ask.
 * @module
 */
import { plainAnswer } from '@folkmoot/testkit/plain-evaluation.js';
import { describe, expect, it } from 'vitest';
import type { Answer } from '../src/query/answer.ts';
import { parseCharter } from '../src/query/charter.ts';
import { checkJob } from '../src/query/check-job.ts';
import type { Job, Measure } from '../src/query/job.ts';
import { evaluate } from '../src/query/local.ts';
import { checkMeasure, measureUses } from '../src/query/measures.ts';
import type { Row } from '../src/query/record.ts';
import { charter } from './consortium.ts';

/** One row of an answer over rows that one party holds, without a threshold. */
function answerOf(columns: string, rows: readonly Row[], measures: Record<string, Measure>): Answer['rows'][number] {
  const text = `
folkmoot: 1
charter: Known answers
version: 1
parties: { a: { name: A, owner: A }, b: { name: B, owner: B }, c: { name: C, owner: C } }
analysts: { someone: { roles: [analyst] } }
purposes: { test: To see }
datasets: { d: { held_by: [a, b, c], unit: row, max_rows: 1000000, columns: { ${columns} } } }
policy_floor: { min_parties: 3, min_group: 1 }
`;
  const job: Job = { folkmoot: 1, title: '', purpose: 'test', from: 'd', measures };
  const checked = checkJob(job, parseCharter(text, 'charter'));
  const answer = plainAnswer(checked, (query, party) =>
    party === 'a' ? evaluate(query, checked.dataset, rows) : null,
  );
  return answer.rows[0]!;
}

function near(expected: number, relative = 1e-13) {
  return {
    asymmetricMatch: (actual: unknown) => Math.abs((actual as number) - expected) <= relative * Math.abs(expected),
    toString: () => `about ${expected}`,
  };
}

/** NIST StRD, Longley: six almost collinear columns; certified to 15 digits. */
const longley = [
  [60323, '83.0', 234289, 2356, 1590, 107608, 1947],
  [61122, '88.5', 259426, 2325, 1456, 108632, 1948],
  [60171, '88.2', 258054, 3682, 1616, 109773, 1949],
  [61187, '89.5', 284599, 3351, 1650, 110929, 1950],
  [63221, '96.2', 328975, 2099, 3099, 112075, 1951],
  [63639, '98.1', 346999, 1932, 3594, 113270, 1952],
  [64989, '99.0', 365385, 1870, 3547, 115094, 1953],
  [63761, '100.0', 363112, 3578, 3350, 116219, 1954],
  [66019, '101.2', 397469, 2904, 3048, 117388, 1955],
  [67857, '104.6', 419180, 2822, 2857, 118734, 1956],
  [68169, '108.4', 442769, 2936, 2798, 120445, 1957],
  [66513, '110.8', 444546, 4681, 2637, 121950, 1958],
  [68655, '112.6', 482704, 3813, 2552, 123366, 1959],
  [69564, '114.2', 502601, 3931, 2514, 125368, 1960],
  [69331, '115.7', 518173, 4806, 2572, 127852, 1961],
  [70551, '116.9', 554894, 4007, 2827, 130081, 1962],
] as const;

describe('published answers', () => {
  it('meets NIST’s certified regression of Longley’s data to all its digits', () => {
    const names = ['y', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6'];
    const columns = names.map((name) =>
      name === 'x1'
        ? 'x1: { type: decimal, scale: 1, min: 0, max: 200 }'
        : `${name}: { type: integer, min: 0, max: 600000 }`,
    );
    const rows = longley.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at]!])));
    const { fit } = answerOf(columns.join(', '), rows, { fit: { regression: { y: 'y', x: names.slice(1) } } });
    expect(fit).toEqual({
      coefficients: {
        intercept: near(-3482258.63459582),
        x1: near(15.0618722713733),
        x2: near(-0.035819179292591),
        x3: near(-2.02022980381683),
        x4: near(-1.03322686717359),
        x5: near(-0.0511041056535807),
        x6: near(1829.15146461355),
      },
      standard_errors: {
        intercept: near(890420.383607373),
        x1: near(84.9149257747669),
        x2: near(0.0334910077722432),
        x3: near(0.488399681651699),
        x4: near(0.214274163161675),
        x5: near(0.22607320006937),
        x6: near(455.478499142212),
      },
      r2: near(0.995479004577296),
      n: 16,
    });
  });

  it('meets NIST’s certified spread of NumAcc4, where sums of squares in doubles keep one digit', () => {
    const values = [
      '10000000.2',
      ...Array.from({ length: 1000 }, (_, at) => (at % 2 === 0 ? '10000000.1' : '10000000.3')),
    ];
    const rows = values.map((x) => ({ x }));
    const answer = answerOf('x: { type: decimal, scale: 1, min: 0, max: 20000000 }', rows, {
      mean: { mean: 'x' },
      sd: { stddev: 'x' },
      var: { variance: 'x' },
    });
    expect(answer).toEqual({
      mean: { value: 10000000.2, exact: '10000000.2' },
      sd: { value: 0.1, exact: '0.1' },
      var: { value: 0.01, exact: '0.01' },
    });
  });

  it('meets Student’s sleep data under Welch, as R prints it', () => {
    const [first, second] = ['0.7 -1.6 -0.2 -1.2 -0.1 3.4 3.7 0.8 0 2', '1.9 0.8 1.1 0.1 -0.1 4.4 5.5 1.6 4.6 3.4'];
    const rows = [
      ...first!.split(' ').map((extra) => ({ extra, drug: 'one' })),
      ...second!.split(' ').map((extra) => ({ extra, drug: 'two' })),
    ];
    const columns =
      'extra: { type: decimal, scale: 1, min: -10, max: 10 }, drug: { type: category, values: [one, two] }';
    const { t, back } = answerOf(columns, rows, {
      t: { t_test: { of: 'extra', by: 'drug' } },
      back: { t_test: { of: 'extra', by: 'drug', levels: ['two', 'one'] } },
    });
    // R: t.test(extra ~ group, data = sleep)
    expect(t).toEqual({
      statistic: near(-1.86081346748685, 1e-14),
      df: near(17.7764735161785, 1e-14),
      p: near(0.0793941401873582, 1e-13),
    });
    expect(back).toEqual({
      statistic: near(1.86081346748685, 1e-14),
      df: near(17.7764735161785),
      p: near(0.0793941401873582),
    });
  });

  it('meets the chi-square of a published table of party and gender', () => {
    // Agresti (2007), table 2.5: X² = 30.07, df = 2.
    const table = {
      female: { democrat: 762, independent: 327, republican: 468 },
      male: { democrat: 484, independent: 239, republican: 477 },
    };
    const rows = Object.entries(table).flatMap(([sex, counts]) =>
      Object.entries(counts).flatMap(([party, n]) => Array.from({ length: n }, () => ({ sex, party }))),
    );
    const columns =
      'sex: { type: category, values: [female, male, unknown] }, party: { type: category, values: [democrat, independent, republican] }';
    const { chi } = answerOf(columns, rows, { chi: { chi_square: ['sex', 'party'] } });
    expect(chi).toEqual({ statistic: near(30.0701490957547, 1e-13), df: 2, p: near(2.95358918321176e-7, 1e-12) });
  });
});

describe('large offsets and tiny spreads', () => {
  const x = ['1000000000.01', '1000000000.02', '1000000000.03', '1000000000.06'];
  const y = ['-999999999.99', '-999999999.98', '-999999999.96', '-999999999.91'];
  const columns = ['x', 'y'].map((name) => `${name}: { type: decimal, scale: 2, min: -2000000000, max: 2000000000 }`);
  const rows = x.map((value, at) => ({ x: value, y: y[at]! }));

  it('leave every digit in place', () => {
    const answer = answerOf(columns.join(', '), rows, {
      total: { sum: 'x' },
      mean: { mean: 'x' },
      var: { variance: 'x' },
      cov: { covariance: ['x', 'y'] },
      r: { correlation: ['x', 'y'] },
      fit: { regression: { y: 'y', x: ['x'] } },
    });
    expect(answer).toEqual({
      total: { value: 4000000000.12, exact: '4000000000.12' },
      mean: { value: 1000000000.03, exact: '1000000000.03' },
      // Deviations −2, −1, 0, 3 and −3, −2, 0, 5 hundredths.
      var: { value: near(0.0014 / 3, 1e-15), exact: '0.00046666666666666666667' },
      cov: { value: near(0.0023 / 3, 1e-15), exact: '0.00076666666666666666667' },
      r: { value: near(23 / Math.sqrt(14 * 38), 1e-15), exact: '0.99717646495273799043' },
      fit: {
        coefficients: { intercept: near(-0.96 - (23 / 14) * 1000000000.03 - 999999999, 1e-9), x: near(23 / 14, 1e-15) },
        standard_errors: { intercept: expect.any(Number), x: near(Math.sqrt((38 - 23 ** 2 / 14) / 2 / 14), 1e-14) },
        r2: near(23 ** 2 / (14 * 38), 1e-15),
        n: 4,
      },
    });
  });

  it('leave every digit in place over many rows', () => {
    const many = Array.from({ length: 2000 }, (_, at) => ({ x: `1000000000.${at % 2 === 0 ? '01' : '03'}`, y: null }));
    const lone = 'x: { type: decimal, scale: 2, min: 0, max: 2000000000 }';
    const answer = answerOf(lone, many, { mean: { mean: 'x' }, var: { variance: 'x' } });
    expect(answer.mean).toEqual({ value: 1000000000.02, exact: '1000000000.02' });
    expect(answer.var).toEqual({
      value: near(0.0001 * (2000 / 1999), 1e-15),
      exact: expect.stringMatching(/^0\.00010005002501250625/),
    });
  });
});

describe('exact texts', () => {
  it('have the column’s places in a sum, and all digits of a mean that ends', () => {
    const rows = ['0.10', '0.25', '1.00', '0.65', '0.01', '0.02', '0.03', '0.05'].map((x) => ({ x }));
    const answer = answerOf('x: { type: decimal, scale: 2, min: 0, max: 10 }', rows, {
      total: { sum: 'x' },
      mean: { mean: 'x' },
    });
    expect(answer).toEqual({ total: { value: 2.11, exact: '2.11' }, mean: { value: 0.26375, exact: '0.26375' } });
    const even = answerOf('x: { type: decimal, scale: 2, min: 0, max: 10 }', rows.slice(0, 4), { total: { sum: 'x' } });
    expect(even.total).toEqual({ value: 2, exact: '2.00' });
  });

  it('end where the fraction ends, beyond twenty digits too', () => {
    const rows = Array.from({ length: 1024 }, (_, at) => ({ x: at === 0 ? '1000000000.02' : '1000000000.01' }));
    const answer = answerOf('x: { type: decimal, scale: 2, min: 0, max: 2000000000 }', rows, { mean: { mean: 'x' } });
    expect(answer.mean).toEqual({ value: 1000000000.0100098, exact: '1000000000.010009765625' });
  });

  it('hold integers that no double holds', () => {
    const column = "x: { type: integer, min: 0, max: '9223372036854775807' }";
    const answer = answerOf(column, [{ x: '9007199254740993' }, { x: 9007199254740993n }, { x: '1' }], {
      total: { sum: 'x' },
    });
    expect(answer.total).toEqual({ value: 18014398509481988, exact: '18014398509481987' });
  });
});

describe('quantiles', () => {
  const column = 'x: { type: integer, min: 0, max: 100 }';
  const rows = [12, 14, 31, 38].map((x) => ({ x }));
  const quantile = (q: number, bins: number[]) => answerOf(column, rows, { v: { quantile: { of: 'x', q, bins } } }).v;

  it('start and end with the bins that hold someone', () => {
    expect(quantile(0.01, [0, 10, 20, 40, 90])).toEqual({ value: 10.2, exact: '10.2', from: 10, to: 20 });
    expect(quantile(0.99, [0, 10, 20, 40, 90])).toEqual({ value: 39.6, exact: '39.6', from: 20, to: 40 });
  });

  it('have no value where they lie outside all bins, and say on which side', () => {
    expect(quantile(0.5, [20, 40])).toEqual({ value: null, exact: null, from: null, to: 20 });
    expect(quantile(0.75, [20, 40])).toEqual({ value: 30, exact: '30', from: 20, to: 40 });
    expect(quantile(0.75, [0, 20])).toEqual({ value: null, exact: null, from: 20, to: null });
  });
});

describe('what a job may not ask', () => {
  const residents = charter.datasets.residents!;
  const check = (measure: Measure) => () => checkMeasure('m', measure, residents);
  const refused = (code: string, field: string) => expect.objectContaining({ code, field });

  it('names the column that the dataset lacks', () => {
    expect(check({ sum: 'rent' })).toThrow(refused('UNKNOWN_COLUMN', 'measures.m.sum'));
    expect(check({ regression: { y: 'arrears', x: ['income', 'rent'] } })).toThrow(
      refused('UNKNOWN_COLUMN', 'measures.m.regression.x[1]'),
    );
    expect(check({ chi_square: ['tenure', 'colour'] })).toThrow(refused('UNKNOWN_COLUMN', 'measures.m.chi_square[1]'));
  });

  it('refuses to compute with a category, a date or an identifier', () => {
    expect(check({ mean: 'tenure' })).toThrow(refused('WRONG_TYPE', 'measures.m.mean'));
    expect(check({ histogram: { of: 'moved_in', bins: [0, 1] } })).toThrow(
      refused('WRONG_TYPE', 'measures.m.histogram.of'),
    );
    expect(check({ ratio: { numerator: 'arrears', denominator: 'person' } })).toThrow(
      refused('WRONG_TYPE', 'measures.m.ratio.denominator'),
    );
    expect(check({ correlation: ['income', 'tenure'] })).toThrow(refused('WRONG_TYPE', 'measures.m.correlation[1]'));
  });

  it('refuses to split people by a number', () => {
    expect(check({ t_test: { of: 'income', by: 'age' } })).toThrow(refused('WRONG_TYPE', 'measures.m.t_test.by'));
    expect(check({ chi_square: ['income', 'tenure'] })).toThrow(refused('WRONG_TYPE', 'measures.m.chi_square[0]'));
  });

  it('wants two levels for a t-test', () => {
    expect(check({ t_test: { of: 'income', by: 'tenure' } })).toThrow(refused('WRONG_TYPE', 'measures.m.t_test.by'));
    expect(check({ t_test: { of: 'income', by: 'tenure', levels: ['social', 'castle'] } })).toThrow(
      refused('WRONG_TYPE', 'measures.m.t_test.levels[1]'),
    );
    expect(check({ t_test: { of: 'income', by: 'tenure', levels: ['social', 'social'] } })).toThrow(
      refused('BAD_VALUE', 'measures.m.t_test.levels'),
    );
    expect(check({ t_test: { of: 'income', by: 'tenure', levels: ['social', 'private'] } })).not.toThrow();
    expect(check({ t_test: { of: 'income', by: 'employed' } })).not.toThrow();
  });

  it('wants bins in ascending order', () => {
    const bins = (edges: readonly number[]) => check({ histogram: { of: 'age', bins: edges } });
    expect(bins([18, 35, 25])).toThrow(refused('BAD_BINS', 'measures.m.histogram.bins[2]'));
    expect(bins([18, 18])).toThrow(refused('BAD_BINS', 'measures.m.histogram.bins[1]'));
    expect(bins([18])).toThrow(refused('BAD_BINS', 'measures.m.histogram.bins'));
    expect(bins([])).toThrow(refused('BAD_BINS', 'measures.m.histogram.bins'));
    const spaced = (from: number, to: number, width: number) =>
      check({ median: { of: 'age', bins: { from, to, width } } });
    expect(spaced(0, 10, 0)).toThrow(refused('BAD_BINS', 'measures.m.median.bins.width'));
    expect(spaced(10, 10, 1)).toThrow(refused('BAD_BINS', 'measures.m.median.bins.to'));
    expect(spaced(0, 10_000, 1)).not.toThrow();
    expect(spaced(0, 10_001, 1)).toThrow(refused('BAD_BINS', 'measures.m.median.bins'));
  });

  it('wants a quantile from the first percentile to the last but one, as the ends are single people’s values', () => {
    const quantile = (q: number) => check({ quantile: { of: 'age', q, bins: [0, 110] } });
    for (const q of [1.01, 1, 0.991, 0.009, 0, -0.5])
      expect(quantile(q)).toThrow(refused('BAD_VALUE', 'measures.m.quantile.q'));
    expect(quantile(0.01)).not.toThrow();
    expect(quantile(0.99)).not.toThrow();
  });

  it('wants each x of a regression once', () => {
    expect(check({ regression: { y: 'arrears', x: ['income', 'income'] } })).toThrow(
      refused('BAD_VALUE', 'measures.m.regression.x[1]'),
    );
  });

  it('names the field of a count’s own condition', () => {
    expect(check({ count: { where: { age: { gte: 'old' } } } })).toThrow(
      refused('WRONG_TYPE', 'measures.m.count.where.age.gte'),
    );
  });

  it('says for a policy what a measure computes with, and what it only splits by', () => {
    expect(measureUses('count')).toEqual({ operation: 'count', columns: [], groups: [] });
    expect(measureUses({ regression: { y: 'a', x: ['b', 'a'] } })).toEqual({
      operation: 'regression',
      columns: ['a', 'b'],
      groups: [],
    });
    expect(measureUses({ t_test: { of: 'a', by: 'b' } })).toEqual({
      operation: 't_test',
      columns: ['a'],
      groups: ['b'],
    });
    expect(measureUses({ chi_square: ['a', 'b'] })).toEqual({
      operation: 'chi_square',
      columns: [],
      groups: ['a', 'b'],
    });
  });
});
