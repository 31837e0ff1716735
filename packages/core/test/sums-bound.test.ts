/**
 * What a job may ask for is bounded before any of it is made: here the making of bins is counted.
 * @module
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { parseCharter } from '../src/query/charter.ts';
import { checkJob } from '../src/query/check-job.ts';
import { type Measure, parseJob } from '../src/query/job.ts';
import { compile } from '../src/query/local.ts';
import { countBins, edgesOf } from '../src/query/measure/bins.ts';
import { checkMeasure, prepareMeasure, sumsMax } from '../src/query/measures.ts';
import { charter, charterWith } from './consortium.ts';

const made = vi.hoisted(() => ({ times: 0 }));
vi.mock('../src/query/measure/bins.ts', async (original) => {
  const real = await original<typeof import('../src/query/measure/bins.ts')>();
  const binConditions: typeof real.binConditions = (...given) => {
    made.times += 1;
    return real.binConditions(...given);
  };
  return { ...real, binConditions };
});

const residents = charter.datasets.residents!;
const head = 'folkmoot: 1\npurpose: homelessness-prevention\nfrom: residents\n';
const bins = '{ from: 0, to: 250000, width: 25 }';
const check = (measures: string, under = charter) =>
  checkJob(parseJob(`${head}measures: { ${measures} }`, 'job.yaml'), under);
const refused = (field: string) => expect.objectContaining({ code: 'TOO_MANY_CELLS', field });

describe('the sums of a job', () => {
  beforeEach(() => {
    made.times = 0;
  });

  it('are refused where they are too many, and none of them is made', () => {
    const quantiles = Array.from(
      { length: 100 },
      (_, at) => `q${at}: { quantile: { of: income, q: 0.5, bins: ${bins} } }`,
    );
    expect(() => check(quantiles.join(', '))).toThrow(refused('measures.q2'));
    const edges = `[${Array.from({ length: 10_001 }, (_, at) => at).join(', ')}]`;
    const listed = Array.from({ length: 3 }, (_, at) => `h${at}: { histogram: { of: age, bins: ${edges} } }`);
    expect(() => check(listed.join(', '))).toThrow(refused('measures.h2'));
    expect(made.times).toBe(0);
  });

  it('are counted for a table of two categories as well', () => {
    const values = Array.from({ length: 200 }, (_, at) => `v${at}`).join(', ');
    const under = parseCharter(charterWith(['[owner, private, social, temporary]', `[${values}]`]), 'charter.yaml');
    expect(() => check('t: { chi_square: [tenure, tenure] }', under)).toThrow(refused('measures.t'));
  });

  it('may be those of two measures of 10,000 bins, beside others', () => {
    const text = `a: { histogram: { of: income, bins: ${bins} } }, b: { median: { of: arrears, bins: ${bins} } }, n: count`;
    const checked = check(text);
    expect(made.times).toBe(0);
    expect(compile(checked).statistics.length).toBeGreaterThan(20_000);
    expect(made.times).toBe(2);
  });

  it('are as many as are counted', () => {
    const range = { from: 0, to: 100, width: 7 };
    const measures: Measure[] = [
      'count',
      { count: { where: { age: { gte: 18 } } } },
      { sum: 'income' },
      { mean: 'income' },
      { variance: 'income' },
      { stddev: 'income' },
      { covariance: ['income', 'age'] },
      { correlation: ['income', 'age'] },
      { regression: { y: 'arrears', x: ['income', 'age', 'employed'] } },
      { ratio: ['income', 'age'] },
      { histogram: { of: 'age', bins: range } },
      { median: { of: 'age', bins: [0, 1, 5] } },
      { quantile: { of: 'age', q: 0.1, bins: range } },
      { t_test: { of: 'income', by: 'employed' } },
      { chi_square: ['tenure', 'employed'] },
    ];
    for (const measure of measures) {
      const { statistics } = prepareMeasure('m', measure, residents);
      expect(checkMeasure('m', measure, residents, statistics.length)).toBe(statistics.length);
      expect(() => checkMeasure('m', measure, residents, statistics.length - 1)).toThrow(refused('measures.m'));
    }
    expect(sumsMax).toBe(25_000);
  });

  it('count as many bins as there are', () => {
    const decimal = fc.integer({ min: -500, max: 500 }).map((n) => n / 10);
    const width = fc.integer({ min: 1, max: 50 }).map((n) => n / 10);
    fc.assert(
      fc.property(decimal, decimal, width, (from, to, by) => {
        const spaced = { from, to, width: by };
        expect(countBins(spaced)).toBe(from < to ? edgesOf(spaced, 'bins').length - 1 : 0);
      }),
    );
  });
});
