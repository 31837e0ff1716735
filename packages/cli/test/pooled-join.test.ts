/** The figures that a demo lays beside those of a join, against records few enough to be counted by hand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCharter } from '@folkmoot/core/charter.js';
import { parseJob } from '@folkmoot/core/job.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pooledAnswer } from '../src/pooled.ts';
import { charterText, writeAgencies } from './two-agencies.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
beforeAll(() => writeAgencies(folder));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function ask(lines: string, options: { person?: string; threshold?: number } = {}) {
  const { person = '{ type: identifier, normalise: digits }', threshold = 0 } = options;
  const charter = parseCharter(charterText(person), 'charter');
  const sides = '{ left: { party: ash, dataset: tenants }, right: { party: clinic, dataset: patients }, on: number }';
  const job = parseJob(`folkmoot: 1\npurpose: planning\njoin: ${sides}\n${lines}\n`, 'job');
  return (await pooledAnswer({ job, charter, analyst: 'ann', folder, threshold })).rows;
}
const exact = (text: string) => ({ value: Number(text), exact: text });

describe('the pooled records of a join', () => {
  it('are the pairs of rows whose identifiers are the same, however they are written', async () => {
    expect(await ask('measures: { n: count, cost: { sum: right.cost }, owed: { sum: left.owed } }')).toEqual([
      { n: exact('5'), cost: exact('152'), owed: exact('37.50') },
    ]);
  });

  it('are filtered and grouped by columns of both sides', async () => {
    const rows = await ask(
      'where: { right.cost: { gte: 6 }, year(left.since): { lte: 2021 } }\ngroup_by: [left.tenure, right.sex]\nmeasures: { n: count, cost: { sum: right.cost } }',
    );
    expect(rows.map((row) => [row['left.tenure'], row['right.sex'], row.n])).toEqual([
      ['owner', 'female', exact('1')],
      ['owner', 'male', exact('0')],
      ['tenant', 'female', exact('1')],
      ['tenant', 'male', exact('0')],
    ]);
    expect(rows[2]!.cost).toEqual(exact('6'));
  });

  it('give measures across both sides', async () => {
    const [row] = await ask(
      'measures: { r: { correlation: [left.owed, right.cost] }, both: { count: { where: { left.owed: { gt: 5 }, right.sex: { eq: male } } } } }',
    );
    expect(row!.both).toEqual(exact('1'));
    // Of (10.5, 40), (20, 100), (0, 5), (0, 6) and (7, 1).
    expect((row!.r as { value: number }).value).toBeCloseTo(0.91988, 5);
  });

  it('count people, not pairs, toward the threshold, those of the analyst’s own party too', async () => {
    const withheld = { value: null, exact: null, suppressed: true };
    expect(await ask('measures: { n: count }', { threshold: 4 })).toEqual([{ n: exact('5') }]);
    expect(await ask('measures: { n: count }', { threshold: 5 })).toEqual([{ n: withheld }]);
  });

  it('know that nobody is beyond the bounds of a column, whom a bin could be withheld for', async () => {
    const [row] = await ask('measures: { n: count, h: { histogram: { of: right.cost, bins: [0, 10, 100] } } }', {
      threshold: 2,
    });
    const bins = [
      { from: 0, to: 10, ...exact('3') },
      { from: 10, to: 100, ...exact('2') },
    ];
    expect(row!.h).toMatchObject({ bins, below: { suppressed: true }, above: { suppressed: true } });
  });

  it('are one of each person where matches are revealed', async () => {
    const counting = 'measures: { n: count }\nreveal: matches';
    expect(await ask(counting)).toEqual([{ n: exact('4') }]);
    const [pairs] = await ask('where: { left.owed: { lt: 15 } }\nmeasures: { n: count }');
    expect(pairs).toEqual({ n: exact('4') });
    expect(await ask(`where: { left.owed: { lt: 15 } }\n${counting}`)).toEqual([{ n: exact('3') }]);
  });

  it('leave out what fails the check of the dictionary', async () => {
    const nhs = '{ type: identifier, normalise: digits, check: nhs }';
    // The last digit of …43 is not that of the others.
    expect(await ask('measures: { n: count }', { person: nhs })).toEqual([{ n: exact('4') }]);
  });

  it.each([
    ['{ type: identifier }', '2'],
    ['{ type: identifier, normalise: upper-alnum }', '5'],
    ['{ type: identifier, normalise: nfkc-lower }', '2'],
    ['{ type: identifier, normalise: date }', '0'],
    ['{ type: identifier, normalise: digits, check: uprn }', '5'],
  ])('compare %s by its own rule', async (person, pairs) => {
    expect(await ask('measures: { n: count }', { person })).toEqual([{ n: exact(pairs) }]);
  });
});
