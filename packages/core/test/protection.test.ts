/**
 * What protects a job: one charge for each figure, budgets and mechanisms, rings, and what is refused.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { parseRational, rational } from '../src/algebra/rational.ts';
import { fillNoise, noiseBound } from '../src/privacy/mechanism.ts';
import { Coins } from '../src/privacy/noise/coins.ts';
import { parseCharter } from '../src/query/charter.ts';
import type { CheckedJob } from '../src/query/check-job.ts';
import { decode, encode } from '../src/query/encode.ts';
import { compile, evaluate } from '../src/query/local.ts';
import type { PrivacyTerms } from '../src/query/privacy-terms.ts';
import { protect } from '../src/query/protection.ts';
import type { Row } from '../src/query/record.ts';
import { charterWith, checkedJob, jobText } from './consortium.ts';
import { ask, everything, noisyAnswer, protectedJob, residents } from './noisy-road.ts';
import { refusalOf } from './refusal.ts';

const terms = (job: CheckedJob, changes: Partial<Record<keyof PrivacyTerms, unknown>>): CheckedJob => ({
  ...job,
  privacy: { ...job.privacy!, ...changes } as PrivacyTerms,
});
const protectionOf = (job: CheckedJob, units: readonly ('epsilon' | 'rho')[] = []) =>
  protect(job, compile(job), 3, units);
const two = 'measures: { n: count, m: { mean: arrears } }';

describe('the budget', () => {
  it('is divided equally over what is opened, and what two measures need is opened once', () => {
    const { releases } = protectionOf(
      protectedJob('measures: { n: count, m: { mean: arrears }, v: { variance: arrears } }'),
    );
    expect(releases.map(({ what, weight, measures }) => [what, weight, measures])).toEqual([
      ['count', rational(1n, 3n), ['m', 'n', 'v']],
      ['arrears about its midpoint', rational(1n, 3n), ['m', 'v']],
      ['squares of arrears', rational(1n, 3n), ['v']],
    ]);
  });

  it('follows the job’s split: a shared release has the sum of its parts', () => {
    const checked = checkedJob(jobText(`${two}\nprivacy: { epsilon: 1, split: { n: 1, m: 3 } }`));
    expect(protectionOf(checked).releases.map(({ epsilon }) => epsilon)).toEqual([rational(5n, 8n), rational(3n, 8n)]);
  });

  it('adds up to what is asked, exactly', () => {
    const { releases } = protectionOf(protectedJob(everything, '0.3'));
    const sum = releases.reduce(
      (total, { epsilon }) => ({
        n: total.n * epsilon!.d + epsilon!.n * total.d,
        d: total.d * epsilon!.d,
      }),
      { n: 0n, d: 1n },
    );
    expect(rational(sum.n, sum.d)).toEqual(rational(3n, 10n));
  });

  it('does not depend on the order in which measures are written', () => {
    const a = protectionOf(protectedJob('measures: { n: count, m: { mean: arrears }, s: { sum: arrears } }'));
    const b = protectionOf(protectedJob('measures: { s: { sum: arrears }, m: { mean: arrears }, n: count }'));
    expect(a.releases).toEqual(b.releases);
  });

  it('is charged in ε, in ρ as ε²/2, rounded up', () => {
    expect(protectionOf(protectedJob(two, '0.3000001')).charge).toEqual({
      epsilonMicro: 300_001n,
      rhoMicro: 45_001n,
      deltaPico: 0n,
    });
  });

  it('is charged as (ε, δ), or as the ρ it gives, where the noise is Gaussian', () => {
    const checked = terms(protectedJob(two), { delta: parseRational('0.000001'), mechanism: 'gaussian' });
    const { mechanism, charge, releases } = protectionOf(checked);
    expect(mechanism).toBe('gaussian');
    // The CKS bound: ρ(1, 10⁻⁶) = 0.0243559…
    expect(charge).toEqual({ epsilonMicro: 1_000_000n, rhoMicro: 24_356n, deltaPico: 1_000_000n });
    expect(releases.every(({ rho, noise }) => rho !== null && noise.mechanism === 'gaussian')).toBe(true);
  });

  it('in ρ has no price in ε without a δ', () => {
    const rho = { epsilon: null, rho: rational(1n, 2n), mechanism: 'gaussian' };
    expect(protectionOf(terms(protectedJob(two), rho)).charge).toEqual({
      epsilonMicro: null,
      rhoMicro: 500_000n,
      deltaPico: 0n,
    });
    const { charge } = protectionOf(terms(protectedJob(two), { ...rho, delta: parseRational('0.000001') }));
    // 5.2215344…, rounded up.
    expect(charge).toEqual({ epsilonMicro: 5_221_535n, rhoMicro: 500_000n, deltaPico: 1_000_000n });
  });

  it('is spent by the mechanism of the smaller error, among those that every budget can be charged', () => {
    const auto = (lines: string) => terms(protectedJob(lines), { delta: parseRational('0.000001'), mechanism: 'auto' });
    expect(protectionOf(auto(two)).mechanism).toBe('laplace');
    const many = Array.from({ length: 60 }, (_, at) => `  m${at}: { count: { where: { age: { gte: ${at} } } } }`);
    expect(protectionOf(auto(`measures:\n${many.join('\n')}`)).mechanism).toBe('gaussian');
    const rho = (lines: string) =>
      terms(protectedJob(lines), { epsilon: null, rho: rational(1n, 2n), mechanism: 'auto' });
    expect(protectionOf(rho(`measures:\n${many.join('\n')}`), ['rho', 'rho']).mechanism).toBe('gaussian');
    const inEpsilon = protectionOf(rho(`measures:\n${many.join('\n')}`), ['rho', 'epsilon']);
    expect(inEpsilon.mechanism).toBe('laplace');
    expect(inEpsilon.charge.epsilonMicro).not.toBeNull();
  });

  it('is refused where the noise would take hours to draw', () => {
    const checked = protectedJob('group_by: [age, year(moved_in)]\nmeasures: { n: count }', '0.0000001');
    expect(refusalOf(() => protectionOf(checked))).toMatchObject({ code: 'BAD_VALUE', field: 'privacy' });
  });
});

describe('the ring', () => {
  it('has headroom for the noise', () => {
    const job = protectedJob('measures: { n: count }', '0.000001');
    const { layout, releases } = protectionOf(job);
    expect(layout.sections.map(({ label }) => label)).toEqual(['noisy/64']);
    expect(noiseBound(releases[0]!.noise)).toBeGreaterThan(100_000_000n);
    const wide = protectionOf(
      protectedJob('measures: { v: { variance: income } }', '1', [
        [
          'income:     { type: decimal, scale: 2, min: 0, max: 250000',
          'income:     { type: decimal, scale: 15, min: 0, max: 2500000',
        ],
      ]),
    );
    expect(wide.layout.sections.length).toBeGreaterThan(0);
  });

  it('holds the parts of parties that have more rows than max_rows, at the edge of what it allows for', () => {
    const tight = protectedJob(everything, '1', [['max_rows: 500000 ', 'max_rows: 3 ']]);
    const { protection, parts } = ask(tight, [residents(60, 1), residents(60, 2), []]);
    let clamped = 0;
    for (const { first, parts: own, lattice, rowMax } of protection.releases) {
      const most = 3n * rowMax;
      for (let part = first; part < first + own.length; part++) {
        for (const value of parts.flatMap((party) => party[part]!)) {
          expect(value * lattice).toBeLessThanOrEqual(most);
          expect(value * lattice).toBeGreaterThan(-most - lattice);
          if (value === most / lattice) clamped++;
        }
      }
    }
    expect(clamped).toBeGreaterThan(0);
    // Every party at its bound, and the noise at its own: the ring does not wrap.
    const { layout, releases } = protection;
    for (const side of [-1n, 1n]) {
      const extremes = releases.flatMap(({ parts: own, rowMax, lattice, noise }) => {
        const value = side * (3n * ((3n * rowMax) / lattice + 1n) + noiseBound(noise));
        return own.map(() => new Array<bigint>(layout.cells).fill(value));
      });
      expect(decode(layout, encode(layout, extremes))).toEqual(extremes);
    }
  });

  it('refuses what no ring holds, naming column and bound', () => {
    const far = '9'.repeat(40);
    const checked = protectedJob('measures: { v: { variance: income } }', `1${'0'.repeat(60)}`, [
      [
        'income:     { type: decimal, scale: 2, min: 0, max: 250000',
        `income:     { type: decimal, scale: 18, min: 0, max: "${far}"`,
      ],
    ]);
    const error = refusalOf(() => protectionOf(checked));
    expect(error).toMatchObject({ code: 'OVERFLOW', field: 'datasets.residents.columns.income' });
    expect(error.message).toMatch(/can reach \d+ multiples of/);
  });
});

describe('refusals', () => {
  it('name the measure that cannot be protected', () => {
    const checked = protectedJob('measures: { n: count }');
    const query = compile(checked);
    const odd = { ...checked, job: { ...checked.job, measures: { last: { maximum: 'age' } as never } } };
    expect(refusalOf(() => protect(odd, query, 3, []))).toMatchObject({
      code: 'NOT_SUPPORTED',
      field: 'measures.last',
    });
  });

  it('do not depend on a record: rows of any kind are answered', () => {
    const checked = protectedJob(everything, '1');
    const wrong: Row[] = [
      {
        person: null,
        age: 3,
        tenure: 'owner',
        arrears: '1.00',
        income: '1.00',
        employed: true,
        moved_in: '2020-01-01',
      },
      { person: 'a', age: null, tenure: null, arrears: null, income: null, employed: null, moved_in: null },
      {
        person: 'b',
        age: 'old',
        tenure: 'castle',
        arrears: 'much',
        income: '1e9',
        employed: 'maybe',
        moved_in: 'then',
      },
      {
        person: 'c',
        age: 999,
        tenure: 'social',
        arrears: '-7.00',
        income: '1',
        employed: false,
        moved_in: '1800-01-01',
      },
      { person: 'c', age: 1, tenure: 'social', arrears: '1.00', income: '1', employed: false, moved_in: '2020-01-01' },
    ];
    for (const rows of [[], wrong, residents(5, 1)]) {
      const answer = noisyAnswer(ask(checked, [rows, [], []]), 1);
      expect(answer.rows).toHaveLength(4);
    }
    const tight = protectedJob(everything, '1', [['max_rows: 500000 ', 'max_rows: 2 ']]);
    expect(noisyAnswer(ask(tight, [residents(5, 1), [], []]), 1).rows).toHaveLength(4);
  });

  it('leave an exact job as strict as it was', () => {
    const exact = checkedJob(jobText(two), parseCharter(charterWith(), 'charter'));
    expect(exact.dataset.lenient).toBeUndefined();
    expect(refusalOf(() => evaluate(compile(exact), exact.dataset, []))).toMatchObject({ code: 'SOURCE_EMPTY' });
  });
});

describe('the noise of every party', () => {
  it('fits the ring with the values, and is drawn in no time', () => {
    const { releases, layout } = protectionOf(protectedJob(everything, '0.1'));
    const coins = new Coins(seededRng(5));
    for (const { noise, parts } of releases) {
      const drawn = new BigInt64Array(parts.length * layout.cells);
      fillNoise(noise, coins, drawn);
      expect(drawn.every((each) => each < noiseBound(noise) && -each < noiseBound(noise))).toBe(true);
    }
  });
});
