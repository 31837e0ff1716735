import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { agrees, compareFigures } from '../src/agreement.ts';
import { folkmoot } from './command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('folkmoot demo', () => {
  it('answers four jobs as the pooled records do, and leaves nothing behind', async () => {
    const temporary = join(folder, 'tmp');
    mkdirSync(temporary);
    const { code, stdout } = await folkmoot(['demo', '--json'], {
      env: { TMPDIR: temporary, ISLINGTON_DATABASE_URL: undefined },
    });
    expect(code).toBe(0);
    const { jobs, traffic } = JSON.parse(stdout);
    expect(jobs).toHaveLength(4);
    for (const { answer, agreement } of jobs) {
      expect(answer.parties).toEqual(['camden', 'hackney', 'islington']);
      expect(agreement.figures).toBeGreaterThan(5);
      expect(agreement.largestDifference).toBeLessThanOrEqual(1e-9);
    }
    expect(traffic.map(({ party }: { party: string }) => party).sort()).toEqual([
      'camden',
      'hackney',
      'islington',
      'ncl-health',
    ]);
    expect(readdirSync(temporary)).toEqual([]);
  });
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
