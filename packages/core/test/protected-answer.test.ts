/**
 * Protected answers from rows to intervals: right where the noise is tiny, as noisy as promised where it is not.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { noiseFigures } from '../src/privacy/mechanism.ts';
import { nearestMultiple, widened } from '../src/query/shown-rows.ts';
import { coverageOf, lines, measures, numbersOf } from './noisy-measures.ts';
import { ask, exactAnswer, noisyAnswer, protectedJob, residents } from './noisy-road.ts';

const everything = lines(Object.keys(measures), 'group_by: [tenure]\n');

describe('a protected answer with next to no noise', () => {
  const parties = [1, 2, 3].map((seed) => residents(150, seed));

  it.each(Object.keys(measures))('has the exact %s', (name) => {
    const checked = protectedJob(lines([name], name === 'chi_square' ? '' : 'group_by: [tenure]\n'), '1000000000000');
    const noisy = numbersOf(noisyAnswer(ask(checked, parties), 1).rows);
    const exact = numbersOf(exactAnswer(checked, parties).rows);
    expect([...noisy.keys()].sort()).toEqual([...exact.keys()].sort());
    for (const [path, value] of exact) {
      const shown = noisy.get(path);
      if (value === null) expect(shown, path).toBeNull();
      else expect(Math.abs(shown! - value), path).toBeLessThan(1e-7 * Math.max(1, Math.abs(value)));
    }
  });

  it('holds every measure at once, each figure opened once', () => {
    const { protection } = ask(protectedJob(everything, '1000000000000'), parties);
    const words = protection.releases.map(({ what }) => what);
    expect(words.filter((what) => what === 'count')).toHaveLength(1);
    // A sum over those who have an income, or who are known to work, is another sum than one over all.
    expect(words.filter((what) => what === 'count of those with income')).toHaveLength(1);
    expect(words.filter((what) => what === 'arrears about its midpoint')).toHaveLength(3);
    expect(new Set(protection.releases.map(({ label }) => label)).size).toBe(protection.releases.length);
  });

  it('is exact to the lattice where values are rounded', () => {
    const checked = protectedJob('measures: { sum: { sum: income } }', '20');
    const asked = ask(checked, parties);
    const [{ lattice, noise }] = asked.protection.releases as [(typeof asked.protection.releases)[0]];
    expect(lattice).toBeGreaterThan(1n);
    const error =
      (numbersOf(noisyAnswer(asked, 5).rows).get('/0/sum/value')! -
        numbersOf(exactAnswer(checked, parties).rows).get('/0/sum/value')!) *
      100;
    expect(Math.abs(error)).toBeLessThan(Number(lattice) * (3 + 12 * Math.sqrt(noiseFigures(noise).variance)));
  });
});

describe('the error of a protected count', () => {
  // 8,547 cells in which nobody is: every value is noise.
  const asked = ask(protectedJob('group_by: [age, year(moved_in)]\nmeasures: { n: count }'), [[], [], []]);

  it('is that of all three parties’ noise, 1.134, where one may collude', () => {
    const values = noisyAnswer(asked, 11).rows.map((row) => (row.n as { value: number }).value);
    const mean = values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
    expect(mean).toBeGreaterThan(1.1);
    expect(mean).toBeLessThan(1.17);
    expect(noiseFigures(asked.protection.releases[0]!.noise).meanAbsolute).toBeLessThanOrEqual(1.34 * 0.851);
  });

  it('has noise in every cell, empty ones too', () => {
    const values = noisyAnswer(asked, 12).rows.map((row) => (row.n as { value: number }).value);
    expect(new Set(values).size).toBeGreaterThan(8);
    expect(values.filter((value) => value === 0).length).toBeLessThan(values.length / 2);
  });
});

describe('an interval of 95%', () => {
  // Three answers of 111 groups each; the slow test looks at more of them, and closer.
  it.each(Object.keys(measures))('covers the exact %s in 91 to 99.5 of a hundred', (name) => {
    for (const [path, share] of coverageOf(name, [1, 2, 3])) {
      expect(share, path).toBeGreaterThanOrEqual(0.91);
      expect(share, path).toBeLessThanOrEqual(0.995);
    }
  });
});

describe('what noise cannot be believed', () => {
  const parties = [1, 2, 3].map((seed) => residents(15, seed));

  it('warns of a correlation and a regression that the noise dominates', () => {
    const checked = protectedJob(lines(['correlation', 'regression'], 'group_by: [tenure]\n'), '0.5');
    const rows = [1, 2, 3].flatMap((seed) => noisyAnswer(ask(checked, parties), seed).rows);
    for (const row of rows) {
      expect(row.correlation).toMatchObject({ warning: 'the noise is as large as what is measured' });
      expect(row.regression).toMatchObject({ warning: 'the noise is as large as what is measured' });
    }
  });

  it('keeps every value within what the dictionary allows', () => {
    const names = [
      'mean',
      'share',
      'variance',
      'stddev',
      'correlation',
      'regression',
      'median',
      't_test',
      'chi_square',
    ];
    const within: Record<string, [number, number]> = {
      mean: [0, 20_000],
      share: [0, 1],
      variance: [0, Number.POSITIVE_INFINITY],
      stddev: [0, Number.POSITIVE_INFINITY],
      correlation: [-1, 1],
      r2: [0, 1],
      median: [0, 160_000],
      p: [0, 1],
    };
    const asked = ask(protectedJob(lines(names, 'group_by: [age]\n'), '0.1'), parties);
    let seen = 0;
    for (const row of noisyAnswer(asked, 3).rows) {
      for (const [path, value] of numbersOf(row)) {
        const key = path.split('/').findLast((part) => part in within);
        if (key === undefined || value === null || !/^\/[a-z_]+\/(value|r2|p)$/.test(path)) continue;
        seen += 1;
        expect(value, path).toBeGreaterThanOrEqual(within[key]![0]);
        expect(value, path).toBeLessThanOrEqual(within[key]![1]);
      }
    }
    expect(seen).toBeGreaterThan(200);
  });

  it('withholds only by noisy counts that are released', () => {
    const few = protectedJob(lines(['count', 'mean', 'sum', 'histogram', 'median'], 'group_by: [age]\n'), '50');
    const asked = ask(few, [residents(1, 4, () => ({ age: 30, income: '30000.00' })), [], []]);
    const row = noisyAnswer(asked, 1, 5).rows[30]!;
    expect(row.count).toEqual({ value: null, exact: null, suppressed: true });
    // The mean and the sum of arrears are over the same people as the count.
    expect(row.mean).toEqual({ value: null, exact: null, suppressed: true });
    expect(row.histogram).toMatchObject({ bins: [{ suppressed: true }, { suppressed: true }, { suppressed: true }] });
    // How many have an income is not opened by itself.
    expect(row.median).not.toHaveProperty('suppressed');
  });
});

describe('a protected answer that chooses among groups, or is rounded', () => {
  const parties = [1, 2, 3].map((seed) => residents(400, seed));
  const grouped =
    'group_by: [tenure, employed]\nmeasures: { n: count, total: { sum: arrears }, mean: { mean: arrears } }';
  const asWritten = (lines: string) => ask(protectedJob(`${grouped}\n${lines}`), parties);
  const plain = asWritten('');
  type Figure = { value: number; exact: string; ci95: [number, number] };
  const at = (row: Readonly<Record<string, unknown>>, name: string) => row[name] as Figure;
  const seeds = [1, 2, 3, 4];

  it('shows the groups whose noisy figures meet every condition, and opens the same as before', () => {
    const asked = asWritten('having: { n: { gte: 80, lt: 250 }, mean: { gt: 8500.5 } }');
    expect(asked.protection.releases).toEqual(plain.protection.releases);
    expect(asked.protection.charge).toEqual(plain.protection.charge);
    const counts = new Set<number>();
    for (const seed of seeds) {
      const all = noisyAnswer(plain, seed);
      const some = noisyAnswer(asked, seed);
      const met = all.rows.filter(
        (row) => at(row, 'n').value >= 80 && at(row, 'n').value < 250 && at(row, 'mean').value > 8500.5,
      );
      expect(some.rows).toEqual(met);
      expect(some.left_out).toBe(8 - met.length);
      expect(all).not.toHaveProperty('left_out');
      counts.add(met.length);
    }
    // The conditions do choose, and by the noise too.
    expect(Math.max(...counts)).toBeLessThan(8);
    expect(counts.size).toBeGreaterThan(1);
  });

  it.each(['n', 'total', 'mean'])(
    'shows the groups with the greatest noisy %s, in the order of the dictionary',
    (by) => {
      const asked = asWritten(`top: { by: ${by}, count: 3 }`);
      for (const seed of seeds) {
        const all = noisyAnswer(plain, seed).rows;
        const third = all.map((row) => at(row, by).value).sort((a, b) => b - a)[2]!;
        const { rows, left_out } = noisyAnswer(asked, seed);
        expect(rows).toEqual(all.filter((row) => at(row, by).value >= third));
        expect(left_out).toBe(5);
      }
    },
  );

  it('takes of equal figures the first, after what the conditions leave', () => {
    const asked = asWritten('having: { n: { lt: 1000 } }\ntop: { by: n, count: 2 }');
    const { rows } = noisyAnswer(asked, 1, 0, 100_000);
    expect(rows.map(({ tenure, employed }) => [tenure, employed])).toEqual([
      ['owner', false],
      ['owner', true],
    ]);
  });

  it('leaves out a group whose figure is withheld or not defined, whatever is asked of it', () => {
    const lines = 'measures: { n: count, mean: { mean: income } }\ngroup_by: [tenure]';
    const empty = (more: string) => ask(protectedJob(`${lines}\n${more}`, '50'), [[], [], []]);
    expect(noisyAnswer(empty('having: { n: { lt: 5 } }'), 1, 5)).toMatchObject({
      rows: [],
      left_out: 4,
      suppressed: 0,
    });
    expect(noisyAnswer(empty('top: { by: n, count: 3 }'), 1, 5)).toMatchObject({ rows: [], left_out: 4 });
    const tested = noisyAnswer(empty('having: { mean: { lte: 200000 } }'), 2).rows;
    const defined = noisyAnswer(empty(''), 2).rows.filter((row) => at(row, 'mean').value !== null);
    expect(tested).toEqual(defined);
    expect(defined.length).toBeLessThan(4);
  });

  it('rounds counts, sums and bins, and moves the ends of their intervals outward', () => {
    const ages = 'ages: { histogram: { of: age, bins: [0, 50, 110] } }';
    const asked = ask(protectedJob(grouped.replace('mean:', `${ages}, mean:`)), parties);
    for (const seed of seeds) {
      const all = noisyAnswer(asked, seed);
      const some = noisyAnswer(asked, seed, 0, 10);
      expect(some.round).toBe(10);
      for (const [row, rounded] of all.rows.entries()) {
        const shown = some.rows[row]!;
        const figures = (each: Readonly<Record<string, unknown>>) => [
          at(each, 'n'),
          at(each, 'total'),
          ...(each.ages as { bins: Figure[] }).bins,
        ];
        for (const [index, { value, ci95 }] of figures(rounded).entries()) {
          const figure = figures(shown)[index]!;
          expect(Number(figure.exact)).toBe(figure.value);
          expect([figure.value % 10, figure.ci95[0] % 10, figure.ci95[1] % 10].map(Math.abs)).toEqual([0, 0, 0]);
          expect(Math.abs(figure.value - value)).toBeLessThanOrEqual(5);
          expect(figure.ci95[0]).toBeLessThanOrEqual(ci95[0]);
          expect(figure.ci95[1]).toBeGreaterThanOrEqual(ci95[1]);
          expect(ci95[0] - figure.ci95[0]).toBeLessThan(10);
          expect(figure.ci95[1] - ci95[1]).toBeLessThan(10);
        }
        expect(shown.mean).toEqual(rounded.mean);
      }
    }
  });

  it('tests and ranks what it shows: the rounded figures', () => {
    const asked = asWritten('having: { n: { gte: 110 } }');
    for (const seed of seeds) {
      for (const row of noisyAnswer(asked, seed, 0, 20).rows) expect(at(row, 'n').value).toBeGreaterThanOrEqual(120);
    }
  });

  it.each([
    [14n, 10n],
    [15n, 20n],
    [-14n, -10n],
    [-15n, -10n],
    [-16n, -20n],
    [0n, 0n],
  ])('rounds %s to %s', (figure, nearest) => {
    expect(nearestMultiple(figure, 10n)).toBe(nearest);
  });

  it('moves an end that is a multiple nowhere', () => {
    expect(widened([-10, 30], 10)).toEqual([-10, 30]);
    expect(widened([-11, -1], 10)).toEqual([-20, 0]);
  });
});

describe('the privacy of an answer', () => {
  it('says what was spent, on what, and what it means', () => {
    const checked = protectedJob(
      'group_by: [tenure]\nmeasures: { households: count, mean_arrears: { mean: arrears } }',
    );
    const { privacy, rows } = noisyAnswer(
      ask(
        checked,
        [1, 2, 3].map((seed) => residents(200, seed)),
      ),
      1,
    );
    expect(privacy).toMatchObject({
      epsilon: 1,
      rho: null,
      delta: null,
      mechanism: 'laplace',
      collusion: 1,
      honest: 2,
      charged: { epsilon: 1, rho: 0.5, delta: 0 },
      unit: 'person',
      periods: { camden: '2026-Q4', hackney: '2026-Q4', islington: '2026-Q4' },
    });
    expect(privacy!.releases).toEqual([
      expect.objectContaining({ label: '1 count', measures: ['households', 'mean_arrears'], epsilon: 0.5, scale: 2 }),
      expect.objectContaining({ label: '2 arrears about its midpoint', epsilon: 0.5, lattice: 4096 }),
    ]);
    expect(privacy!.statement).toContain('ε = 1');
    const { value, ci95 } = rows[0]!.households as unknown as { value: number; ci95: [number, number] };
    expect(ci95[1] - value).toBe(privacy!.releases[0]!.error95);
  });

  it('is the same for the same figures, intervals too', () => {
    const asked = ask(protectedJob(lines(['mean', 'correlation'])), [residents(50, 1), [], []]);
    expect(noisyAnswer(asked, 9)).toEqual(noisyAnswer(asked, 9));
  });
});
