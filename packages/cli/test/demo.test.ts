import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { agrees, compareFigures, coverageOf } from '../src/agreement.ts';
import { folkmoot } from './command-line.ts';
import { expectWhatTheSampleGives, members, sample } from './sample-answers.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('folkmoot demo', () => {
  it('answers a job and a join as the pooled records do and a third with noise, and leaves nothing behind', async () => {
    // The sample consortium, with some of its jobs.
    const consortium = join(folder, 'sample');
    const inSample = (path: string) => !path.includes(join('nodes', 'jobs'));
    cpSync(sample, consortium, { recursive: true, filter: inSample });
    mkdirSync(join(consortium, 'jobs'));
    const names = ['where-arrears-weigh.yaml', 'illness-and-arrears.yaml', 'protected-arrears.yaml'];
    for (const name of names) cpSync(join(sample, 'jobs', name), join(consortium, 'jobs', name));
    const temporary = join(folder, 'tmp');
    mkdirSync(temporary);
    const { code, stdout } = await folkmoot(['demo', '--consortium', consortium, '--json'], {
      env: { TMPDIR: temporary, ISLINGTON_DATABASE_URL: undefined },
    });
    expect(code).toBe(0);
    const { jobs, traffic } = JSON.parse(stdout);
    expect(jobs).toHaveLength(3);
    expectWhatTheSampleGives(jobs);
    expect(traffic.map(({ party }: { party: string }) => party).sort()).toEqual(members);
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
