/**
 * Welch's t-test and Pearson's chi-square on noisy figures.
 *
 * The two groups part the rows, so their counts are one release, their centred sums another, their squares a third. The
 * cells of a table are one release; negative ones count as 0. p is that of the noisy statistic as if it were exact, and
 * its interval says what the noise alone makes of it. Noise lifts a chi-square, which sums squares; the simulation shows
 * by how much, and that is taken away.
 * @module
 */

import { boundsOf } from '../dictionary.ts';
import { chiSquareUpper, studentTwoSided } from '../measure/distribution.ts';
import type { Scalar, TestValue } from '../measure/family.ts';
import { undefinedTest } from '../measure/t-test.ts';
import { centredOf, centredPart, clamp, countPart, rangeOf, squareOf, squarePart } from './moments.ts';
import { disjoint, undefinedNumbers } from './release.ts';
import type { Shield } from './shield.ts';

type Interval = readonly [number, number];

function shown([statistic, df]: readonly Scalar[], p: (statistic: number) => number): TestValue {
  if (statistic!.value === null) return undefinedTest;
  const ends = statistic!.ci95;
  const value = { statistic: statistic!.value, df: df!.value, p: p(statistic!.value) };
  return ends === undefined ? value : { ...value, ci95: { statistic: ends, p: between(ends, p) } };
}

/** What p is over an interval of the statistic: it falls with the distance from 0. */
function between([low, high]: Interval, p: (statistic: number) => number): Interval {
  const [near, far] = [low <= 0 && high >= 0 ? 0 : Math.min(Math.abs(low), Math.abs(high)), Math.max(-low, high)];
  return [p(far), p(near)];
}

interface Groups {
  readonly of: string;
  readonly by: string;
}

export const tTest: Shield<Groups> = ({ of, by }, dataset, [n1, x1, xx1, n2, x2, xx2]) => {
  const range = rangeOf(dataset, of);
  return {
    drafts: [
      disjoint(`counts by ${by}`, [countPart(n1!), countPart(n2!)], 1n),
      disjoint(
        `${of} about its midpoint by ${by}`,
        [centredPart(n1!, x1!, range), centredPart(n2!, x2!, range)],
        range.width,
      ),
      disjoint(
        `squares of ${of} by ${by}`,
        [squarePart(n1!, x1!, xx1!, range), squarePart(n2!, x2!, xx2!, range)],
        range.width ** 2n,
      ),
    ],
    derive: ([n1, n2, s1, s2, q1, q2]) => {
      if (!(n1! >= 2 && n2! >= 2)) return undefinedNumbers(2);
      const [m1, m2] = [centredOf(s1!, range) / n1!, centredOf(s2!, range) / n2!];
      const e1 = clamp(squareOf(q1!, n1!, range) / n1! - m1 ** 2, 0, 1) / (n1! - 1);
      const e2 = clamp(squareOf(q2!, n2!, range) / n2! - m2 ** 2, 0, 1) / (n2! - 1);
      if (!(e1 + e2 > 0)) return undefinedNumbers(2);
      const df = (e1 + e2) ** 2 / (e1 ** 2 / (n1! - 1) + e2 ** 2 / (n2! - 1));
      return [(m1 - m2) / Math.sqrt(e1 + e2), df];
    },
    show: (numbers) => shown(numbers, (t) => clamp(studentTwoSided(t * t, numbers[1]!.value!), 0, 1)),
  };
};

export const chiSquare: Shield<readonly [string, string]> = ([a, b], dataset, counts) => {
  const width = Number(boundsOf(dataset.columns[b]!).max) + 1;
  return {
    drafts: [disjoint(`table of ${a} and ${b}`, counts.map(countPart), 1n)],
    isLifted: true,
    derive: (cells) => independence(cells, width),
    show: (numbers) =>
      shown(numbers, (statistic) => clamp(chiSquareUpper(Math.max(statistic, 0), numbers[1]!.value!), 0, 1)),
  };
};

/** The statistic and its degrees of freedom; `cells` row by row. */
function independence(cells: readonly number[], width: number): number[] {
  const height = cells.length / width;
  const rows = new Array<number>(height).fill(0);
  const columns = new Array<number>(width).fill(0);
  let n = 0;
  cells.forEach((cell, at) => {
    const count = Math.max(cell, 0);
    rows[Math.floor(at / width)]! += count;
    columns[at % width]! += count;
    n += count;
  });
  const filled = (totals: readonly number[]) => totals.filter((total) => total > 0).length;
  const df = (filled(rows) - 1) * (filled(columns) - 1);
  if (df < 1) return undefinedNumbers(2);
  let sum = 0;
  cells.forEach((cell, at) => {
    const expected = (rows[Math.floor(at / width)]! * columns[at % width]!) / n;
    if (expected > 0) sum += (Math.max(cell, 0) - expected) ** 2 / expected;
  });
  return [sum, df];
}
