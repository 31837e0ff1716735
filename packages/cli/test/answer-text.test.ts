import { describe, expect, it } from 'vitest';
import type { AnswerLike } from '../src/answer-row.ts';
import { renderAnswer } from '../src/answer-text.ts';
import { alignFigures } from '../src/figure-text.ts';
import type { Protection } from '../src/protection-text.ts';

const hidden = { value: null, exact: null, suppressed: true };
const grouped: AnswerLike = {
  title: 'Rent arrears by tenure',
  threshold: 5,
  rows: [
    {
      tenure: 'owner',
      households: { value: 2345, exact: '2345' },
      total: { value: 1234567.5, exact: '1234567.50' },
      mean: { value: 526.45123123, exact: '526.451231230001' },
    },
    { tenure: 'private', households: hidden, total: hidden, mean: hidden },
    {
      tenure: 'social',
      households: { value: 0, exact: '0' },
      total: { value: 0, exact: '0' },
      mean: { value: null, exact: null },
    },
  ],
};

describe('an answer as text', () => {
  it('aligns numbers, separates thousands and marks suppressed cells', () => {
    expect(renderAnswer([{ label: 'answer', answer: grouped }])).toBe(
      `
Rent arrears by tenure

tenure   households         total      mean
───────  ──────────  ────────────  ────────
owner         2,345  1,234,567.50    526.45
private    withheld      withheld  withheld
social            0          0.00         –

withheld: never opened. Fewer than 5 people stand behind the figure or behind what it leaves out,
or it would give another such figure away, or a rule forbids that so few contribute so much.`.trim(),
    );
  });

  it('puts a second reading under the first', () => {
    const text = renderAnswer([
      { label: 'answer', answer: grouped },
      { label: 'pooled', answer: grouped },
    ]);
    expect(text).toMatch(/^owner {4}answer +2,345/m);
    expect(text).toMatch(/^ {9}pooled +2,345/m);
  });

  it('sets composite measures below the table', () => {
    const text = renderAnswer([
      {
        label: 'answer',
        answer: {
          title: 'Composite',
          threshold: 10,
          rows: [
            {
              people: { value: 5432, exact: '5432' },
              typical: { value: 24310.554, exact: null, from: 22500, to: 25000 },
              fit: {
                coefficients: { intercept: 512.123, income: -0.00123 },
                standard_errors: { intercept: 1.2, income: 1e-9 },
                r2: 0.045,
                n: 5432,
              },
              ages: {
                bins: [
                  { from: 18, to: 25, value: 500, exact: '500' },
                  { from: 25, to: 35, ...hidden },
                  { from: 35, to: 45, value: 1000, exact: '1000' },
                ],
                below: { value: 0, exact: '0' },
                above: { value: 7, exact: '7' },
              },
              gap: { statistic: -12.2, df: 1234.25, p: 1e-12 },
            },
          ],
        },
      },
    ]);
    expect(text).toMatch(/^people +5,432$/m);
    expect(text).toContain('  within  22,500 – 25,000');
    expect(text).toMatch(/income +-0\.00123000 +1\.00000e-9/);
    expect(text).toMatch(/\[18, 25\) +500 {2}█{12}$/m);
    expect(text).toMatch(/\[25, 35\) +withheld$/m);
    expect(text).toMatch(/\[35, 45\] +1,000 {2}█{24}$/m);
    expect(text).toMatch(/p +< 0\.0001/);
  });

  it('sets the total over all groups apart, and says what is not there and what is rounded', () => {
    const rows = [
      { tenure: 'owner', employed: true, people: { value: 120, exact: '120' } },
      { tenure: null, employed: null, people: { value: 250, exact: '250' } },
    ];
    const answer = { title: 'Rounded', threshold: 5, left_out: 3, round: 10, helper: 'dale', rows };
    expect(renderAnswer([{ label: 'answer', answer }])).toBe(
      `
Rounded

tenure  employed  people
──────  ────────  ──────
owner   yes          120
──────  ────────  ──────
all                  250

3 of 4 groups did not open: the job’s conditions leave them out, or what these look at is withheld.
Counts and sums are rounded to multiples of 10, each by itself: parts need not add up.
dale dealt the random numbers for it, and brought no records.`.trim(),
    );
    const twice = renderAnswer([
      { label: 'answer', answer },
      { label: 'pooled', answer },
    ]);
    expect(twice).toMatch(/pooled +120\n─.*\nall .*\n +pooled +250\n/);
  });

  it('says of an answer without rows why there are none', () => {
    const empty = { title: 'Nothing', threshold: 5, left_out: 4, rows: [] };
    expect(renderAnswer([{ label: 'answer', answer: empty }])).toBe(
      'Nothing\n\nNothing opened: the job’s conditions do not hold, or what these look at is withheld.',
    );
    expect(renderAnswer([{ label: 'answer', answer: { ...empty, threshold: 0 } }])).toMatch(/do not hold\.$/);
  });

  it('names the total of a composite, and draws no bars where there are no figures', () => {
    const ages = { bins: [{ from: 18, to: 25, ...hidden }], below: hidden, above: hidden };
    const rows = [
      { tenure: 'owner', ages },
      { tenure: null, ages },
    ];
    const text = renderAnswer([{ label: 'answer', answer: { title: '', threshold: 5, rows } }]);
    expect(text).toContain('ages (tenure owner)');
    expect(text).toContain('ages (all)');
    expect(text).not.toMatch(/ $/m);
  });

  it('shows a sum of many digits to the last one', () => {
    const answer = { title: '', threshold: 1, rows: [{ total: { value: 1e22, exact: '12345678901234567890123.45' } }] };
    expect(renderAnswer([{ label: 'answer', answer }])).toContain('12,345,678,901,234,567,890,123.45');
  });
});

const protection: Protection = {
  epsilon: 1,
  rho: null,
  delta: null,
  mechanism: 'laplace',
  collusion: 1,
  honest: 2,
  charged: { epsilon: 1, delta: 0, rho: 0.5 },
  releases: [
    {
      label: '1 count',
      measures: ['people', 'mean'],
      epsilon: 0.5,
      rho: null,
      sensitivity: 1,
      scale: 2,
      lattice: 1,
      sd: 3.43,
      error95: 7,
    },
  ],
  unit: 'id',
  rows_per_unit: 2,
  parties_per_unit: 1,
  periods: {},
  statement: '',
};

function noisy(value: number, low: number, high: number) {
  return { value, exact: String(value), ci95: [low, high] };
}

describe('a protected answer as text', () => {
  const answer: AnswerLike = {
    title: 'Arrears',
    threshold: 5,
    privacy: protection,
    rows: [
      { tenure: 'owner', people: noisy(1234, 1227, 1241), mean: noisy(160.1734567890123, 148.2, 173.9) },
      { tenure: 'tenant', people: hidden, mean: hidden },
      {
        tenure: 'guest',
        people: noisy(40, 33, 47),
        mean: { value: null, exact: null, warning: 'the noise is as large as what is measured' },
      },
    ],
  };

  it('sets each figure beside its interval, and says what protects it', () => {
    expect(renderAnswer([{ label: 'answer', answer }])).toBe(
      `
Arrears

tenure    people  95%      mean         95%
──────  ────────  ───  ────────  ──────────
owner      1,234  ± 7       160  [148, 174]
tenant  withheld       withheld
guest         40  ± 7         –

withheld: the noisy count behind the figure is below 10.
mean: the noise is as large as what is measured (guest).

Protected by Laplace noise: ε = 1 spent.
Each person (\`id\`) is protected even if 1 of the 3 parties put together what they know of the noise.
95%: where the figure without noise lies, in 95 of 100 answers. Sampling error is apart.

  opened  for             ε  noise scale
  ──────  ────────────  ───  ───────────
  count   people, mean  0.5            2`.trim(),
    );
  });

  it('shows exact figures below noisy ones, without an interval', () => {
    const exact = { title: '', threshold: 5, rows: [{ people: { value: 1230, exact: '1230' } }] };
    const text = renderAnswer([
      { label: 'folkmoot', answer: { ...answer, rows: [{ people: noisy(1234, 1227, 1241) }] } },
      { label: 'exact', answer: exact },
    ]);
    expect(text).toMatch(/^measure {2}folkmoot {2}95% {2}exact$/m);
    expect(text).toMatch(/^people +1,234 {2}± 7 +1,230$/m);
  });

  it('names a δ, a ρ, and the case that nobody colludes', () => {
    const shown = (changes: Partial<Protection>) =>
      renderAnswer([{ label: 'answer', answer: { ...answer, privacy: { ...protection, ...changes } } }]);
    expect(
      shown({ delta: 1e-6, mechanism: 'gaussian', charged: { epsilon: 1, delta: 0.000001, rho: 0.02 } }),
    ).toContain('Gaussian noise: ε = 1 and δ = 0.000001 spent.');
    expect(shown({ epsilon: null, rho: 0.1, charged: { epsilon: null, delta: 0, rho: 0.1 } })).toContain(
      'ρ = 0.1 spent',
    );
    expect(shown({ collusion: 0, honest: 3 })).toContain('as long as no party tells another');
    expect(shown({ unit: 'row' })).toContain('Each row is protected');
  });

  it('sets intervals beside the parts of a histogram, a fit and a test', () => {
    const rows = [
      {
        ages: { bins: [{ from: 0, to: 9, ...noisy(50, 43, 57) }], below: noisy(0, -7, 7), above: noisy(-2, -9, 5) },
        fit: {
          coefficients: { intercept: 512.1234, income: -0.00123 },
          standard_errors: { intercept: 1.2, income: 0.001 },
          r2: 0.045,
          n: 5432,
          ci95: { intercept: [480, 560.2], income: [-0.00133, -0.00113], r2: null },
        },
        gap: { statistic: -12.25, df: 1234.25, p: 1e-12, ci95: { statistic: [-14.25, -10.25], p: [0, 0.002] } },
      },
    ];
    const text = renderAnswer([{ label: 'answer', answer: { ...answer, rows } }]);
    expect(text).toMatch(/^ {2}\[0, 9\] +50 {2}± 7 {2}█{24}$/m);
    expect(text).toMatch(/^ {2}above +-2 {2}± 7$/m);
    expect(text).toMatch(/^ {2}intercept +512 +\[480, 560\] +1\.20000$/m);
    expect(text).toMatch(/^ {2}income +-0\.00123 +± 0\.00010 +0\.00100000$/m);
    expect(text).toMatch(/^ {2}R² +0\.0450000$/m);
    expect(text).toMatch(/^ {2}statistic +-12\.3 +± 2\.0$/m);
    expect(text).toMatch(/^ {2}p +< 0\.0001 +\[< 0\.0001, 0\.0020\]$/m);
  });

  it('names a few of many groups that say little', () => {
    const rows = Array.from({ length: 10 }, (_, at) => ({
      ward: `w${at}`,
      mean: at === 0 ? noisy(1, 0, 2) : { value: null, exact: null, warning: 'too noisy' },
    }));
    expect(renderAnswer([{ label: 'answer', answer: { ...answer, rows } }])).toContain(
      'mean: too noisy (w1, w2, w3, w4, w5, w6 and 3 more).',
    );
  });
});

describe('figures in a column', () => {
  const column = (...cells: [number, number, number][]) =>
    alignFigures(
      cells.map(([value, low, high]) => ({ figure: { value, exact: String(value) }, interval: [low, high] })),
    );

  it('have as many digits as the least of their noise leaves meaning', () => {
    expect(column([160.1734567, 160.1, 160.2469134])).toEqual({ values: ['160.173'], intervals: ['± 0.073'] });
    expect(column([160.1734567, 40.1, 280.2469134], [2.123456, 1.923456, 2.323456])).toEqual({
      values: ['160.17', '2.12'],
      intervals: ['± 120.07', '± 0.20'],
    });
    expect(column([12, 11.5, 12.5])).toEqual({ values: ['12'], intervals: ['± 1'] });
  });

  it('are written with both ends where one of them lies unevenly', () => {
    expect(column([5.123456, 0, 31.2], [1234.567891, 1200.123, 1269.01278])).toEqual({
      values: ['5', '1,235'],
      intervals: ['[    0,    31]', '[1,200, 1,269]'],
    });
  });

  it('have no intervals where none is noisy', () => {
    expect(alignFigures([{ figure: { value: 2.5, exact: '2.5' } }, { figure: '–' }])).toEqual({
      values: ['2.5', '–'],
      intervals: undefined,
    });
  });
});
