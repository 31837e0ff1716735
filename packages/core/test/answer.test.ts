/**
 * The form of an answer, and what is withheld from it.
 * @module
 */
import { plainAnswer } from '@folkmoot/testkit/plain-evaluation.js';
import { describe, expect, it } from 'vitest';
import type { Answer } from '../src/query/answer.ts';
import { parseCharter } from '../src/query/charter.ts';
import { evaluate } from '../src/query/local.ts';
import type { Row } from '../src/query/record.ts';
import { arrearsYaml, charterWith, checkedJob, incomeYaml, jobText } from './consortium.ts';

interface Setting {
  readonly threshold?: number;
  readonly ownParty?: string;
  readonly changes?: readonly (readonly [string, string])[];
}

/** The answer over one party's rows; rows lack nothing that the dictionary asks for. */
function answerOf(text: string, rows: readonly Row[], { threshold = 0, ownParty, changes = [] }: Setting = {}): Answer {
  const checked = checkedJob(text, parseCharter(charterWith(...changes), 'charter'));
  return plainAnswer(
    checked,
    (query, party) => (party === 'camden' ? evaluate(query, checked.dataset, rows, ownParty === 'camden') : null),
    { ownParty: ownParty ?? null, strictness: { minGroup: threshold } },
  );
}

const resident = (number: number, values: Row = {}): Row => ({
  person: `p${number}`,
  age: 40,
  tenure: 'owner',
  arrears: '10.00',
  income: '100.00',
  employed: true,
  moved_in: '2020-01-01',
  ...values,
});
const residents = (count: number, values: Row = {}, from = 0) =>
  Array.from({ length: count }, (_, at) => resident(from + at, values));

const withheld = { value: null, exact: null, suppressed: true };

describe('an answer', () => {
  it('has the form of the sample: a row for each declared value, in the dictionary’s order', () => {
    const rows = [...residents(3), resident(7, { tenure: 'social', employed: false, arrears: '0.01' })];
    const answer = answerOf(arrearsYaml, rows);
    expect(answer).toMatchObject({
      job: 'ab',
      title: 'Rent arrears by tenure',
      status: 'DONE',
      privacy: null,
      suppressed: 0,
      threshold: 0,
      parties: ['camden', 'hackney', 'islington'],
      cost: null,
      receipts: [],
    });
    expect(answer.rows.map((row) => row.tenure)).toEqual(['owner', 'private', 'social', 'temporary']);
    expect(answer.rows[0]).toEqual({
      tenure: 'owner',
      households: { value: 3, exact: '3' },
      in_work: { value: 3, exact: '3' },
      total: { value: 30, exact: '30.00' },
      mean_arrears: { value: 10, exact: '10' },
      spread: { value: 0, exact: '0' },
    });
    expect(Object.keys(answer.rows[0]!)).toEqual([
      'tenure',
      'households',
      'in_work',
      'total',
      'mean_arrears',
      'spread',
    ]);
  });

  it('has count 0, sum 0 and no mean for an empty group where no threshold is in force', () => {
    expect(answerOf(arrearsYaml, residents(1)).rows[3]).toEqual({
      tenure: 'temporary',
      households: { value: 0, exact: '0' },
      in_work: { value: 0, exact: '0' },
      total: { value: 0, exact: '0.00' },
      mean_arrears: { value: null, exact: null },
      spread: { value: null, exact: null },
    });
  });

  it('shows an empty group and a small one alike where a threshold is in force', () => {
    const rows = [...residents(6), ...residents(4, { tenure: 'private' }, 20)];
    const answer = answerOf(arrearsYaml, rows, { threshold: 5 });
    const { tenure: small, ...private_ } = answer.rows[1]!;
    const { tenure: empty, ...social } = answer.rows[2]!;
    expect([small, empty]).toEqual(['private', 'social']);
    expect(private_).toEqual(social);
    expect(social).toEqual(
      Object.fromEntries(['households', 'in_work', 'total', 'mean_arrears', 'spread'].map((name) => [name, withheld])),
    );
    expect(answer.rows[0]!.total).toEqual({ value: 60, exact: '60.00' });
    // All six of the owners work, so that how many do not is a small number; the other three groups are withheld whole.
    expect(answer.rows[0]!.in_work).toEqual(withheld);
    expect(answer.suppressed).toBe(1 + 3 * 5);
  });

  it('shows composite measures in the form of the sample', () => {
    const rows = Array.from({ length: 60 }, (_, at) =>
      resident(at, { tenure: 'private', age: 18 + (at % 47), income: `${100 * at}`, arrears: `${at % 7}.5` }),
    );
    const row = answerOf(incomeYaml, rows).rows[0]!;
    expect(row.fit).toEqual({
      coefficients: { intercept: expect.any(Number), income: expect.any(Number), age: expect.any(Number) },
      standard_errors: { intercept: expect.any(Number), income: expect.any(Number), age: expect.any(Number) },
      r2: expect.any(Number),
      n: 60,
    });
    expect(row.ages).toMatchObject({
      bins: [{ from: 18, to: 25 }, { from: 25 }, { from: 35 }, { from: 45 }, { from: 55, to: 65 }],
      below: { value: 0, exact: '0' },
      above: { value: 0, exact: '0' },
    });
    expect(row.typical).toEqual({ value: expect.any(Number), exact: expect.any(String), from: 2500, to: 5000 });
  });

  it('puts each withheld bin of a histogram apart, below and above too', () => {
    const rows = [...residents(5, { age: 30 }), ...residents(2, { age: 50 }, 10), ...residents(1, { age: 90 }, 20)];
    const text = jobText('measures: { ages: { histogram: { of: age, bins: [20, 40, 60] } } }');
    const answer = answerOf(text, rows, { threshold: 5 });
    expect(answer.rows[0]!.ages).toEqual({
      bins: [
        { from: 20, to: 40, value: 5, exact: '5' },
        { from: 40, to: 60, ...withheld },
      ],
      below: withheld,
      above: withheld,
    });
    expect(answer.suppressed).toBe(3);
  });

  it('neither shows nor tests the bins of a median', () => {
    const rows = residents(5).map((row, at) => ({ ...row, age: 10 * at }));
    const text = jobText('measures: { typical: { median: { of: age, bins: { from: 0, to: 100, width: 10 } } } }');
    expect(answerOf(text, rows, { threshold: 5 }).rows[0]!.typical).toEqual({
      value: 25,
      exact: '25',
      from: 20,
      to: 30,
    });
    expect(answerOf(text, rows, { threshold: 6 }).rows[0]!.typical).toEqual(withheld);
  });
});

describe('the threshold', () => {
  const both = jobText('measures: { n: count, pay: { mean: income } }');

  it('looks at each measure’s own people, after its nulls', () => {
    const rows = [...residents(4), ...residents(3, { income: null }, 10)];
    const row = answerOf(both, rows, { threshold: 5 }).rows[0]!;
    expect(row).toEqual({ n: { value: 7, exact: '7' }, pay: withheld });
  });

  it('looks at both levels of a boolean, whatever is computed of it', () => {
    const rows = [...residents(8), ...residents(2, { employed: false, income: '7' }, 10)];
    const text = jobText('measures: { r: { correlation: [employed, income] }, share: { mean: employed } }');
    expect(answerOf(text, rows, { threshold: 3 }).rows[0]).toEqual({ r: withheld, share: withheld });
    expect(answerOf(text, rows, { threshold: 2 }).rows[0]).toMatchObject({
      r: { exact: '1' },
      share: { exact: '0.8' },
    });
  });

  it('looks at both groups of a t-test and every cell of a chi-square', () => {
    const rows = [
      ...residents(6, { income: '5' }),
      ...residents(6, { income: '9', employed: false }, 10),
      ...residents(3, { tenure: 'social' }, 20),
    ];
    const text = jobText(
      'measures: { t: { t_test: { of: income, by: employed } }, chi: { chi_square: [tenure, employed] } }',
    );
    expect(answerOf(text, rows, { threshold: 6 }).rows[0]).toMatchObject({
      t: { p: expect.any(Number) },
      chi: withheld,
    });
    expect(answerOf(text, rows, { threshold: 7 }).rows[0]!.t).toEqual(withheld);
    expect(answerOf(text, rows).rows[0]!.chi).toMatchObject({ df: 1, p: expect.any(Number) });
  });

  it('counts rows that a condition neither takes nor leaves on the other side', () => {
    // Of ten, four earn over 50, none less, and of six it is not known.
    const rows = [...residents(4), ...residents(6, { income: null }, 10)];
    const text = jobText('measures: { n: count, rich: { count: { where: { income: { gt: 50 } } } } }');
    expect(answerOf(text, rows, { threshold: 4 }).rows[0]!.rich).toEqual({ value: 4, exact: '4' });
    expect(answerOf(text, rows, { threshold: 5 }).rows[0]!.rich).toEqual(withheld);
    const not = jobText('measures: { n: count, poor: { count: { where: { not: { income: { gt: 500 } } } } } }');
    expect(answerOf(not, rows, { threshold: 5 }).rows[0]!.poor).toEqual(withheld);
    expect(answerOf(not, [...rows, ...residents(1, {}, 30)], { threshold: 5 }).rows[0]!.poor).toEqual({
      value: 5,
      exact: '5',
    });
    const few = [...residents(6), ...residents(4, { income: null }, 10)];
    expect(answerOf(text, few, { threshold: 5 }).rows[0]!.rich).toEqual(withheld);
  });

  it('counts people, not rows', () => {
    const changes = [['max_rows_per_unit: 1', 'max_rows_per_unit: 3']] as const;
    const rows = [resident(1), resident(1), resident(1), resident(2), resident(2)];
    expect(answerOf(both, rows, { changes, threshold: 2 }).rows[0]!.n).toEqual({ value: 5, exact: '5' });
    expect(answerOf(both, rows, { changes, threshold: 3 }).rows[0]!.n).toEqual(withheld);
  });

  it('allows for people whom several parties hold', () => {
    const changes = [['max_parties_per_unit: 1 ', 'max_parties_per_unit: 2 ']] as const;
    const rows = residents(9);
    expect(answerOf(both, rows, { changes, threshold: 5 }).rows[0]!.n).toEqual(withheld);
    expect(answerOf(both, [...rows, resident(10)], { changes, threshold: 5 }).rows[0]!.n).toEqual({
      value: 10,
      exact: '10',
    });
  });

  it('does not count the people of the analyst’s own party', () => {
    expect(answerOf(both, residents(50), { threshold: 5, ownParty: 'camden' }).rows[0]!.n).toEqual(withheld);
    expect(answerOf(both, residents(50), { threshold: 5, ownParty: 'hackney' }).rows[0]!.n).toMatchObject({
      value: 50,
    });
    expect(answerOf(both, residents(50), { ownParty: 'camden' }).rows[0]!.n).toMatchObject({ value: 50 });
  });
});
