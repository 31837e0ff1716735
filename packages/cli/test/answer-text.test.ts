import { describe, expect, it } from 'vitest';
import { type AnswerLike, renderAnswer } from '../src/answer-text.ts';

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

tenure   households         total    mean
───────  ──────────  ────────────  ──────
owner         2,345  1,234,567.50  526.45
private         < 5           < 5     < 5
social            0          0.00       –

< 5: suppressed; fewer than 5 people stand behind the figure, or behind what it leaves out.`.trim(),
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
    expect(text).toMatch(/\[25, 35\) +< 10$/m);
    expect(text).toMatch(/\[35, 45\] +1,000 {2}█{24}$/m);
    expect(text).toMatch(/p +< 0\.0001/);
  });

  it('shows a sum of many digits to the last one', () => {
    const answer = { title: '', threshold: 1, rows: [{ total: { value: 1e22, exact: '12345678901234567890123.45' } }] };
    expect(renderAnswer([{ label: 'answer', answer }])).toContain('12,345,678,901,234,567,890,123.45');
  });
});
