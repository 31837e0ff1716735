import { describe, expect, it } from 'vitest';
import { rational } from '../src/algebra/rational.ts';
import { charterHash, parseCharter } from '../src/query/charter.ts';
import { operationNames } from '../src/query/job.ts';
import { canRound, type Demand, dominanceSchema, roundSchema, strictnessOf } from '../src/query/strictness.ts';
import { charter, charterWith, checkedJob, jobText } from './consortium.ts';
import { refusalOf } from './refusal.ts';

const floor = (lines: string) => charterWith(['min_group: 5 }', `min_group: 5, ${lines} }`]);
const job = (lines = '') => jobText(`measures: { n: count }\n${lines}`);
const demand = (changes: Partial<Demand> = {}): Demand => ({ min_group: 1, ...changes });

describe('how strict an answer is', () => {
  it('is the threshold alone where nothing more is asked', () => {
    const strictness = strictnessOf(checkedJob(job()), [demand(), demand({ min_group: 3 })]);
    expect(strictness).toEqual({ minGroup: 5, round: 1, dominance: [] });
  });

  it('takes the largest threshold and base of job, floor and parties', () => {
    const under = parseCharter(floor('round: 10'), 'c');
    const of = (lines: string, ...demands: Demand[]) => strictnessOf(checkedJob(job(lines), under), demands);
    expect(of('', demand({ round: 3 }))).toMatchObject({ minGroup: 5, round: 10 });
    expect(of('round: 11\nmin_group: 6')).toMatchObject({ minGroup: 6, round: 11 });
    expect(of('round: 11', demand({ round: 12, min_group: 7 }))).toMatchObject({ minGroup: 7, round: 12 });
  });

  it('takes the smallest share of each n, and none that forbids nothing', () => {
    const under = parseCharter(floor('dominance: { n: 2, share: 0.9 }'), 'c');
    const of = (...shares: [number, number | string][]) =>
      strictnessOf(
        checkedJob(job(), under),
        shares.map(([n, share]) => demand({ dominance: { n, share } })),
      ).dominance;
    const nine = { n: 2, share: rational(9n, 10n) };
    expect(of()).toEqual([nine]);
    expect(of([2, 0.95], [1, 1], [3, '1.0'])).toEqual([nine]);
    expect(of([3, 0.99], [1, '0.8'], [1, '0.7500'], [1, 0.76])).toEqual([
      { n: 1, share: rational(3n, 4n) },
      nine,
      { n: 3, share: rational(99n, 100n) },
    ]);
  });
});

describe('the dominance rule', () => {
  it.each([
    [1, 0.0001, true],
    [1, 1, true],
    [5, '0.8', true],
    [1, '1.0000', true],
    [1, 0.12345, false],
    [1, '0.00001', false],
    [1, 0, false],
    [1, -0.5, false],
    [1, 1.0001, false],
    [1, '1.0001', false],
    [1, 'most', false],
    [1, Number.NaN, false],
    [1, 5e-324, false],
    [0, 0.5, false],
    [6, 0.5, false],
    [1.5, 0.5, false],
  ])('of n %s and share %s is one: %s', (n, share, good) => {
    expect(dominanceSchema.safeParse({ n, share }).success).toBe(good);
  });

  it('has both numbers, and no other', () => {
    for (const given of [{ n: 1 }, { share: 0.8 }, { n: 1, share: 0.8, k: 1 }]) {
      expect(dominanceSchema.safeParse(given).success).toBe(false);
    }
  });
});

describe('the floor of a charter', () => {
  it('may ask for rounding and dominance, which change its hash', () => {
    const strict = parseCharter(floor('round: 5, dominance: { n: 1, share: 0.8 }'), 'c');
    expect(strict.policy_floor).toEqual({ min_parties: 2, min_group: 5, round: 5, dominance: { n: 1, share: 0.8 } });
    expect(charterHash(strict)).not.toBe(charterHash(charter));
    expect(charterHash(parseCharter(floor('round: 1'), 'c'))).toBe(charterHash(charter));
  });

  it.each([
    ['round: 0', 'policy_floor.round'],
    ['round: 0.5', 'policy_floor.round'],
    ['round: 1000001', 'policy_floor.round'],
    ['dominance: { n: 1, share: 0 }', 'policy_floor.dominance.share'],
    ['dominance: { n: 1, share: 1.01 }', 'policy_floor.dominance.share'],
    ['dominance: { n: 1, share: 0.00001 }', 'policy_floor.dominance.share'],
    ['dominance: { n: 6, share: 0.5 }', 'policy_floor.dominance.n'],
    ['dominance: { n: 1 }', 'policy_floor.dominance.share'],
    ['dominance: 0.8', 'policy_floor.dominance'],
  ])('refuses %s', (lines, field) => {
    expect(refusalOf(() => parseCharter(floor(lines), 'c'))).toMatchObject({ code: 'BAD_VALUE', field });
  });
});

describe('rounding', () => {
  it('has a base that is a whole number from 1 to a million', () => {
    for (const base of [1, 5, 1_000_000]) expect(roundSchema.safeParse(base).success).toBe(true);
    for (const base of [0, -1, 2.5, 1_000_001, '5']) expect(roundSchema.safeParse(base).success).toBe(false);
  });

  it('leaves what does not need its exact sums opened', () => {
    expect(operationNames.filter(canRound)).toEqual([
      'count',
      'sum',
      'mean',
      'ratio',
      'histogram',
      'median',
      'quantile',
    ]);
  });
});
