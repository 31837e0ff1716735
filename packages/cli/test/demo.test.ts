import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { agrees, compareFigures, coverageOf } from '../src/agreement.ts';
import { folkmoot } from './command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Row {
  readonly tenure: string;
  readonly employed: boolean;
}

describe('folkmoot demo', () => {
  it('answers eight jobs as the pooled records do and a ninth with noise, and leaves nothing behind', async () => {
    const temporary = join(folder, 'tmp');
    mkdirSync(temporary);
    const { code, stdout } = await folkmoot(['demo', '--json'], {
      env: { TMPDIR: temporary, ISLINGTON_DATABASE_URL: undefined },
    });
    expect(code).toBe(0);
    const { jobs, traffic } = JSON.parse(stdout);
    expect(jobs).toHaveLength(9);
    const noisy = jobs.pop();
    const dealt = jobs.filter(({ answer }: { answer: { helper?: string } }) => answer.helper === 'ncl-health');
    expect(dealt).toMatchObject([{ name: 'arrears-with-dealer.yaml' }]);
    const chosen = jobs.find(({ name }: { name: string }) => name === 'where-arrears-weigh.yaml');
    expect(chosen.answer.left_out).toBe(5);
    expect(chosen.answer.rows.map(({ tenure, employed }: Row) => [tenure, employed])).toEqual([
      ['private', false],
      ['social', false],
      ['temporary', false],
    ]);
    const sidesOf: Readonly<Record<string, readonly string[]>> = {
      'cost-of-temporary-housing.yaml': ['camden', 'ncl-health'],
      'illness-and-arrears.yaml': ['hackney', 'ncl-health'],
    };
    for (const { name, answer, agreement } of jobs) {
      expect(answer.parties).toEqual(sidesOf[name] ?? ['camden', 'hackney', 'islington']);
      expect(answer.privacy).toBe(null);
      expect(agreement.figures).toBeGreaterThan(5);
      expect(agreement.largestDifference).toBeLessThanOrEqual(1e-9);
    }
    expect(noisy).toMatchObject({
      name: 'protected-arrears.yaml',
      answer: { privacy: { mechanism: 'laplace', epsilon: 1, collusion: 1, charged: { epsilon: 1 } } },
      coverage: { intervals: 8 },
      repeat: { isSame: true, isFree: true },
    });
    // Of eight intervals of 95%, six miss in one of two million runs.
    expect(noisy.coverage.covering).toBeGreaterThanOrEqual(3);
    expect(noisy.pooled.map(({ tenure }: { tenure: string }) => tenure)).toEqual(
      noisy.answer.rows.map(({ tenure }: { tenure: string }) => tenure),
    );
    expect(traffic.map(({ party }: { party: string }) => party).sort()).toEqual([
      'camden',
      'hackney',
      'islington',
      'ncl-health',
    ]);
    expect(readdirSync(temporary)).toEqual([]);
  }, 240_000);
});

describe('agreement', () => {
  const figure = (value: number | null, exact: string | null) => [{ sum: { value, exact } }];

  it('counts what is equal to the last digit, and measures the rest', () => {
    expect(compareFigures(figure(1, '1'), figure(1, '1'))).toEqual({ figures: 1, identical: 1, largestDifference: 0 });
    const near = compareFigures(figure(1, '1.0000000000001'), figure(1.0000000000001, null));
    expect(near.identical).toBe(0);
    expect(agrees(near)).toBe(true);
  });

  it.each([
    ['another number', figure(1, '1'), figure(1.001, '1.001')],
    ['a number that only one side has', figure(1, '1'), figure(null, null)],
    ['a row that only one side has', figure(1, '1'), []],
    [
      'a suppression that only one side has',
      figure(null, null),
      [{ sum: { value: null, exact: null, suppressed: true } }],
    ],
  ])('does not agree with %s', (_, a, b) => {
    expect(agrees(compareFigures(a, b))).toBe(false);
  });
});

describe('coverage', () => {
  const noisy = (low: number, high: number) => [{ sum: { value: 2, exact: '2', ci95: [low, high] } }];

  it.each([
    ['within', noisy(1, 3), 1],
    ['at its lower end', noisy(2, 3), 1],
    ['at its upper end', noisy(1, 2), 1],
    ['above', noisy(0, 1.5), 0],
    ['below', noisy(2.5, 4), 0],
  ])('counts an interval with the exact figure %s', (_, rows, covering) => {
    expect(coverageOf(rows, [{ sum: { value: 2, exact: '2' } }])).toEqual({ intervals: 1, covering });
  });

  it('looks into bins, fits and tests', () => {
    const answer = [
      {
        ages: { bins: [{ from: 0, to: 9, value: 5, ci95: [3, 7] }], below: { value: 0, ci95: [-2, 2] } },
        fit: { coefficients: { intercept: 1, age: 2 }, r2: 0.5, ci95: { intercept: [0, 2], age: [3, 4], r2: [0, 1] } },
        test: { statistic: 4, p: 0.1, ci95: { statistic: [3, 5], p: [0.2, 0.3] } },
      },
    ];
    const exact = [
      {
        ages: { bins: [{ from: 0, to: 9, value: 5 }], below: { value: 0 } },
        fit: { coefficients: { intercept: 1, age: 2 }, r2: 0.5 },
        test: { statistic: 4, p: 0.1 },
      },
    ];
    expect(coverageOf(answer, exact)).toEqual({ intervals: 7, covering: 5 });
  });

  it('leaves out what has no interval, and what is not known exactly', () => {
    const rows = [{ a: { value: 1, exact: '1' }, b: { value: 1, exact: '1', ci95: [0, 2] } }];
    expect(coverageOf(rows, [{ a: { value: 1 }, b: { value: null } }])).toEqual({ intervals: 0, covering: 0 });
  });
});
