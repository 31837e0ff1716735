import { describe, expect, it } from 'vitest';
import type { Rational } from '../src/algebra/rational.ts';
import { parseCharter } from '../src/query/charter.ts';
import { checkJob } from '../src/query/check-job.ts';
import { parseJob } from '../src/query/job.ts';
import { lacksOwnParty, type PrivacyTerms, privacyTerms } from '../src/query/privacy-terms.ts';
import { arrearsYaml, charterWith, checkedJob, jobText, privateYaml, replaced } from './consortium.ts';
import { refusalOf } from './refusal.ts';

const measures = 'measures: { n: count, total: { sum: arrears } }';
const termsOf = (privacy: string): PrivacyTerms => {
  const { privacy: terms } = checkedJob(jobText(`${measures}\nprivacy: ${privacy}`));
  if (terms === null) throw new Error('the job is exact');
  return terms;
};
const refused = (privacy: string) => refusalOf(() => termsOf(privacy));
const text = ({ n, d }: Rational) => `${n}/${d}`;

describe('the terms of a protected job', () => {
  it('are none where a job is exact', () => {
    expect(checkedJob(arrearsYaml).privacy).toBeNull();
  });

  it('assume all other parties to collude unless the job says less', () => {
    expect(termsOf('{ epsilon: 1 }')).toMatchObject({ collusion: 2, honest: 1 });
    expect(checkedJob(privateYaml).privacy).toMatchObject({ collusion: 1, honest: 2 });
    expect(termsOf('{ epsilon: 1, collusion: 0 }')).toMatchObject({ collusion: 0, honest: 3 });
    expect(refused('{ epsilon: 1, collusion: 3 }')).toMatchObject({ code: 'BAD_VALUE', field: 'privacy.collusion' });
  });

  it('are exact fractions of the digits that were written', () => {
    expect(text(termsOf('{ epsilon: 0.1 }').epsilon!)).toBe('1/10');
    expect(text(termsOf('{ epsilon: 0.30000000000000000001 }').epsilon!)).toBe(
      '30000000000000000001/100000000000000000000',
    );
    expect(text(termsOf('{ epsilon: 1, delta: 1e-6 }').delta!)).toBe('1/1000000');
    expect(text(termsOf('{ rho: 0.125 }').rho!)).toBe('1/8');
  });

  it('leave Laplace alone for a pure epsilon, and either where a delta or rho is given', () => {
    expect(termsOf('{ epsilon: 1 }').mechanism).toBe('laplace');
    expect(termsOf('{ epsilon: 1, delta: 1e-6 }').mechanism).toBe('auto');
    expect(termsOf('{ rho: 0.1 }').mechanism).toBe('auto');
    expect(termsOf('{ rho: 0.1, mechanism: laplace }').mechanism).toBe('laplace');
    expect(termsOf('{ epsilon: 1, delta: 1e-6, mechanism: gaussian }').mechanism).toBe('gaussian');
    expect(refused('{ epsilon: 1, mechanism: gaussian }')).toMatchObject({
      code: 'BAD_VALUE',
      field: 'privacy.mechanism',
    });
  });

  it('split the budget in parts that add up to one', () => {
    const { split } = termsOf('{ epsilon: 1, split: { n: 1, total: 3 } }');
    expect([...split!].map(([name, part]) => [name, text(part)])).toEqual([
      ['n', '1/4'],
      ['total', '3/4'],
    ]);
    expect(termsOf('{ epsilon: 1 }').split).toBeNull();
  });

  it.each([
    ['neither epsilon nor rho', '{}', 'privacy.epsilon'],
    ['a delta alone', '{ delta: 1e-6 }', 'privacy.epsilon'],
    ['epsilon and rho', '{ epsilon: 1, rho: 1 }', 'privacy.rho'],
    ['an epsilon of 0', '{ epsilon: 0 }', 'privacy.epsilon'],
    ['a negative epsilon', '{ epsilon: -1 }', 'privacy.epsilon'],
    ['an epsilon that is no number', '{ epsilon: .nan }', 'privacy.epsilon'],
    ['an endless epsilon', '{ epsilon: .inf }', 'privacy.epsilon'],
    ['an epsilon over every double', '{ epsilon: 1e400 }', 'privacy.epsilon'],
    ['the same as a text', '{ epsilon: "1e400" }', 'privacy.epsilon'],
    ['a text for epsilon', '{ epsilon: much }', 'privacy.epsilon'],
    ['an epsilon that protects nothing', '{ epsilon: 1000.1 }', 'privacy.epsilon'],
    ['an epsilon below what a ledger counts', '{ epsilon: 0.0000001 }', 'privacy.epsilon'],
    ['a rho of 0', '{ rho: 0 }', 'privacy.rho'],
    ['a negative rho', '{ rho: -0.1 }', 'privacy.rho'],
    ['a delta of 0', '{ epsilon: 1, delta: 0 }', 'privacy.delta'],
    ['a delta of 1', '{ epsilon: 1, delta: 1 }', 'privacy.delta'],
    ['a delta over 1', '{ rho: 1, delta: 1.5 }', 'privacy.delta'],
    ['a negative delta', '{ epsilon: 1, delta: -0.1 }', 'privacy.delta'],
    ['another mechanism', '{ epsilon: 1, mechanism: uniform }', 'privacy.mechanism'],
    ['a negative collusion', '{ epsilon: 1, collusion: -1 }', 'privacy.collusion'],
    ['a broken collusion', '{ epsilon: 1, collusion: 0.5 }', 'privacy.collusion'],
    ['a split that names no measure', '{ epsilon: 1, split: { n: 1, total: 1, mean: 1 } }', 'privacy.split.mean'],
    ['a split that leaves a measure out', '{ epsilon: 1, split: { n: 1 } }', 'privacy.split.total'],
    ['a part of 0', '{ epsilon: 1, split: { n: 0, total: 1 } }', 'privacy.split.n'],
    ['a negative part', '{ epsilon: 1, split: { n: -1, total: 2 } }', 'privacy.split.n'],
    ['a part of next to nothing', '{ epsilon: 1, split: { n: 1, total: 9999999 } }', 'privacy.split.n'],
  ])('are refused with %s', (_, privacy, field) => {
    expect(refused(privacy)).toMatchObject({ code: 'BAD_VALUE', field });
  });

  it('refuse an unknown key by its name', () => {
    expect(refused('{ epsilon: 1, sensitivity: 1 }')).toMatchObject({
      code: 'UNKNOWN_KEY',
      field: 'privacy.sensitivity',
    });
  });

  it('refuse what only a program could write', () => {
    const job = { measures: { n: 'count' as const } };
    for (const epsilon of [Number.NaN, Number.POSITIVE_INFINITY, '1e400', '']) {
      const error = refusalOf(() => privacyTerms({ ...job, privacy: { epsilon } }, 3));
      expect(error).toMatchObject({ code: 'BAD_VALUE', field: 'privacy.epsilon' });
    }
  });

  it('lack the analyst’s own party where it takes part and nobody is assumed to collude', () => {
    const none = checkedJob(jobText(`${measures}\nprivacy: { epsilon: 1, collusion: 0 }`));
    expect(lacksOwnParty(none, 'camden')).toBe(true);
    expect(lacksOwnParty(none, 'ncl-health')).toBe(false);
    expect(lacksOwnParty(none, null)).toBe(false);
    expect(lacksOwnParty(checkedJob(privateYaml), 'camden')).toBe(false);
  });
});

describe('a protected job', () => {
  const two = `parties: [camden, hackney]\n${measures}`;

  it('needs no more parties than the charter asks for, where an exact one needs three', () => {
    expect(checkedJob(jobText(`${two}\nprivacy: { epsilon: 1 }`)).privacy).toMatchObject({ collusion: 1, honest: 1 });
    expect(refusalOf(() => checkedJob(jobText(two))).code).toBe('TOO_FEW_PARTIES');
    const one = jobText(`parties: [camden]\n${measures}\nprivacy: { epsilon: 1 }`);
    expect(refusalOf(() => checkedJob(one))).toMatchObject({ code: 'TOO_FEW_PARTIES', field: 'parties' });
    const floor = parseCharter(charterWith(['min_parties: 2', 'min_parties: 1']), 'charter.yaml');
    expect(checkedJob(one, floor).privacy).toMatchObject({ collusion: 0, honest: 1 });
  });

  it.each([
    ['a group key that is not declared', ['group_by: [tenure]', 'group_by: [ward]'], 'UNKNOWN_COLUMN', 'group_by[0]'],
    ['a group key without declared values', ['group_by: [tenure]', 'group_by: [arrears]'], 'WRONG_TYPE', 'group_by[0]'],
    ['an unknown column', ['mean: arrears', 'mean: debts'], 'UNKNOWN_COLUMN', 'measures.mean_arrears.mean'],
  ] as const)('is refused with %s', (_, change, code, field) => {
    expect(refusalOf(() => checkedJob(replaced(privateYaml, [change])))).toMatchObject({ code, field });
  });

  it.each([
    [
      'a column without bounds',
      ['{ type: integer, min: 0, max: 110 }', '{ type: integer, min: 0 }'],
      'BAD_VALUE',
      'datasets.residents.columns.age.max',
    ],
    [
      'a dataset without a unit',
      ['    unit: person                 # the privacy unit: a column, or `row`\n', ''],
      'BAD_VALUE',
      'datasets.residents.unit',
    ],
    ['a unit that is no column', ['unit: person ', 'unit: household '], 'UNKNOWN_COLUMN', 'datasets.residents.unit'],
    ['a unit that is a value', ['unit: person ', 'unit: age '], 'WRONG_TYPE', 'datasets.residents.unit'],
  ] as const)('never comes to %s, since no charter has one', (_, change, code, field) => {
    expect(refusalOf(() => parseCharter(charterWith(change), 'charter.yaml'))).toMatchObject({ code, field });
  });

  it('is read again from its canonical text with the same terms', () => {
    const job = parseJob(privateYaml, 'job.yaml');
    const again = parseJob(JSON.stringify(job), 'job.json');
    const under = parseCharter(charterWith(), 'charter.yaml');
    expect(checkJob(again, under).privacy).toEqual(checkJob(job, under).privacy);
  });
});
