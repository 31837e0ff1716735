/** What the sample consortium’s jobs come to in the demo, whichever of them it runs. */
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

export const sample = fileURLToPath(new URL('../../../nodes', import.meta.url));
export const members = ['camden', 'hackney', 'islington', 'ncl-health'];

const sidesOf: Readonly<Record<string, readonly string[]>> = {
  'cost-of-temporary-housing.yaml': ['camden', 'ncl-health'],
  'illness-and-arrears.yaml': ['hackney', 'ncl-health'],
};

const helperOf: Readonly<Record<string, string>> = {
  'arrears-with-dealer.yaml': 'ncl-health',
  'illness-and-arrears.yaml': 'camden',
};

interface Row {
  readonly tenure: string;
  readonly employed: boolean;
}
interface Result {
  readonly name: string;
  readonly answer: {
    readonly parties: readonly string[];
    readonly helper?: string | null;
    readonly privacy: unknown;
    readonly rows: readonly Row[];
    readonly left_out?: number;
  };
  readonly pooled: readonly Row[];
  readonly agreement: { readonly figures: number; readonly largestDifference: number };
  readonly coverage: { readonly covering: number };
}

/** Of the jobs in the order of the demo: the one with noise is the last. */
export function expectWhatTheSampleGives(jobs: readonly Result[]): void {
  const exact = jobs.slice(0, -1);
  for (const { name, answer, agreement } of exact) {
    expect(answer.parties).toEqual(sidesOf[name] ?? members.slice(0, 3));
    expect(answer.helper ?? null).toBe(helperOf[name] ?? null);
    expect(answer.privacy).toBe(null);
    expect(agreement.figures).toBeGreaterThan(5);
    expect(agreement.largestDifference).toBeLessThanOrEqual(1e-9);
  }
  const chosen = exact.find(({ name }) => name === 'where-arrears-weigh.yaml')!;
  expect(chosen.answer.left_out).toBe(5);
  expect(chosen.answer.rows.map(({ tenure, employed }) => [tenure, employed])).toEqual([
    ['private', false],
    ['social', false],
    ['temporary', false],
  ]);
  const noisy = jobs.at(-1)!;
  expect(noisy).toMatchObject({
    name: 'protected-arrears.yaml',
    answer: { privacy: { mechanism: 'laplace', epsilon: 1, collusion: 1, charged: { epsilon: 1 } } },
    coverage: { intervals: 8 },
    repeat: { isSame: true, isFree: true },
  });
  // Of eight intervals of 95%, six miss in one of two million runs.
  expect(noisy.coverage.covering).toBeGreaterThanOrEqual(3);
  expect(noisy.pooled.map(({ tenure }) => tenure)).toEqual(noisy.answer.rows.map(({ tenure }) => tenure));
}
