/**
 * Small groups that nothing but the figures of the same job could give away, by taking one off another.
 * @module
 */
import { type PlainOptions, plainAnswer } from '@folkmoot/testkit/plain-evaluation.js';
import { describe, expect, it } from 'vitest';
import { rational } from '../src/algebra/rational.ts';
import { checkDemand, evaluateCost } from '../src/engine/evaluate-cost.ts';
import type { Answer } from '../src/query/answer.ts';
import { parseCharter } from '../src/query/charter.ts';
import { disclose } from '../src/query/disclose.ts';
import { compile, evaluate } from '../src/query/local.ts';
import type { Row } from '../src/query/record.ts';
import { charterWith, checkedJob, jobText } from './consortium.ts';
import { refusalOf } from './refusal.ts';

let people = 0;
const resident = (values: Row): Row => {
  people += 1;
  return {
    person: `p${people}`,
    age: 40,
    tenure: 'owner',
    arrears: '10.00',
    income: '100.00',
    employed: true,
    moved_in: '2020-01-01',
    ...values,
  };
};
const residents = (count: number, values: Row = {}): Row[] => Array.from({ length: count }, () => resident(values));

const charter = parseCharter(
  charterWith(['employed:   { type: boolean }', 'employed:   { type: boolean }\n      disabled:   { type: boolean }']),
  'charter',
);

/** The answer over rows of camden and, if any, of hackney, from ten people on. */
function answerOf(
  text: string,
  rows: readonly Row[],
  options: PlainOptions & { others?: readonly Row[] } = {},
): Answer {
  const { others = [], strictness, ...more } = options;
  const full = (own: readonly Row[]) => own.map((row) => ({ disabled: false, ...row }));
  const checked = checkedJob(text, charter);
  return plainAnswer(
    checked,
    (query, party) => {
      const own = party === 'camden' ? rows : party === 'hackney' ? others : [];
      return own.length === 0 ? null : evaluate(query, checked.dataset, full(own), query.ownParty === party);
    },
    { ...more, strictness: { minGroup: 10, ...strictness } },
  );
}

const isWithheld = (value: unknown) => (value as { suppressed?: true } | null)?.suppressed === true;
/** Of one row, the measures that are shown. */
const shownIn = (row: Answer['rows'][number]) => Object.keys(row).filter((name) => !isWithheld(row[name]));

const tenures = [...residents(30), ...residents(25, { tenure: 'private' }), ...residents(3, { tenure: 'social' })];

describe('counts of one column', () => {
  const count = (values: string) => `{ count: { where: { tenure: ${values} } } }`;

  it('leave out a second one where a small one is left out', () => {
    const text = jobText(
      `measures: { n: count, o: ${count('{ eq: owner }')}, p: ${count('{ eq: private }')}, s: ${count('{ eq: social }')} }`,
    );
    expect(shownIn(answerOf(text, tenures).rows[0]!)).toEqual(['n', 'o']);
  });

  it('do so where one of them is asked for twice, in other words', () => {
    for (const twice of ['{ eq: owner }', '{ in: [owner] }']) {
      const text = jobText(
        `measures: { n: count, o: ${count('{ eq: owner }')}, o2: ${count(twice)}, p: ${count('{ eq: private }')}, s: ${count('{ eq: social }')} }`,
      );
      expect(shownIn(answerOf(text, tenures).rows[0]!)).toEqual(['n', 'o', 'o2']);
    }
  });

  it('do so where a condition on groups tells the whole', () => {
    const rows = [...residents(30, { age: 20 }), ...residents(12, { age: 50 }), ...residents(1, { age: 90 })];
    const text = jobText(
      'measures: { ages: { histogram: { of: age, bins: [0, 40, 80, 110] } } }\nhaving: { k: { of: count, between: [43, 43] } }',
    );
    const row = answerOf(text, rows).rows[0]!;
    expect((row.ages as unknown as { bins: unknown[] }).bins.map(isWithheld)).toEqual([false, true, true]);
  });

  it('do so for values that none of them names', () => {
    const text = jobText(`measures: { n: count, o: ${count('{ eq: owner }')}, p: ${count('{ eq: private }')} }`);
    expect(shownIn(answerOf(text, tenures).rows[0]!)).toEqual(['n', 'o']);
  });

  it('do so for ranges of a number', () => {
    const rows = [...residents(20, { age: 30 }), ...residents(2, { age: 45 }), ...residents(20, { age: 60 })];
    const text = jobText(
      'measures: { n: count, young: { count: { where: { age: { lt: 41 } } } }, old: { count: { where: { age: { gte: 50 } } } } }',
    );
    expect(shownIn(answerOf(text, rows).rows[0]!)).toHaveLength(2);
  });

  it('open none of several that overlap, where they tell of a few', () => {
    const rows = [...residents(20, { age: 30 }), ...residents(1, { age: 40 }), ...residents(20, { age: 60 })];
    const text = jobText(
      'measures: { n: count, a: { count: { where: { age: { gte: 40 } } } }, b: { count: { where: { age: { gte: 41 } } } } }',
    );
    expect(shownIn(answerOf(text, rows).rows[0]!)).toEqual(['n']);
    expect(shownIn(answerOf(text, [...rows, ...residents(9, { age: 40 })]).rows[0]!)).toEqual(['n', 'a', 'b']);
    // Nobody at all is nobody's secret between two counts that are equal.
    expect(
      shownIn(
        answerOf(
          text,
          rows.filter(({ age }) => age !== 40),
        ).rows[0]!,
      ),
    ).toEqual(['n', 'a', 'b']);
  });

  it('are those of a histogram too', () => {
    const rows = [...residents(3, { age: 20 }), ...residents(12, { age: 35 }), ...residents(40, { age: 60 })];
    const bins = 'ages: { histogram: { of: age, bins: [0, 30, 40, 110] } }';
    const text = jobText(`measures: { n: count, ${bins}, m: { count: { where: { age: { gte: 30, lt: 40 } } } } }`);
    const row = answerOf(text, rows).rows[0]!;
    expect(isWithheld(row.m)).toBe(true);
    expect((row.ages as unknown as { bins: unknown[] }).bins.map(isWithheld)).toEqual([true, true, false]);
  });

  it('hide nothing where a bin is empty by the job’s own words', () => {
    const text = jobText(
      'where: { age: { between: [18, 64] } }\nmeasures: { n: count, ages: { histogram: { of: age, bins: [18, 40, 65] } } }',
    );
    const row = answerOf(text, [...residents(20, { age: 30 }), ...residents(20)]).rows[0]!;
    expect((row.ages as unknown as { bins: unknown[] }).bins.map(isWithheld)).toEqual([false, false]);
  });
});

describe('sums over rows within others', () => {
  it('stay closed where a few people stand between them', () => {
    const rows = [
      ...residents(20),
      ...residents(20, { tenure: 'private' }),
      ...residents(1, { tenure: 'social', arrears: '1234.56' }),
    ];
    const text = jobText(
      'measures: { total: { sum: arrears }, t: { t_test: { of: arrears, by: tenure, levels: [owner, private] } } }',
    );
    expect(shownIn(answerOf(text, rows).rows[0]!)).toEqual(['total']);
    expect(shownIn(answerOf(text, rows.slice(0, -1)).rows[0]!)).toEqual(['total', 't']);
    const lacking = [...residents(30), ...residents(1, { income: null, arrears: '987.65' })];
    const pair = jobText('measures: { a: { sum: arrears }, c: { covariance: [arrears, income] } }');
    expect(shownIn(answerOf(pair, lacking).rows[0]!)).toEqual(['a']);
    expect(shownIn(answerOf(pair, residents(30)).rows[0]!)).toEqual(['a', 'c']);
  });

  it('are not told by quotients either, nor by an alternative that is asked for by itself', () => {
    const rows = [...residents(60), ...residents(1, { tenure: 'social', arrears: '1234.56' })];
    const half = [...rows.slice(0, 30), ...residents(30, { tenure: 'private' }), rows.at(-1)!];
    const text = jobText(
      'measures: { n: count, m: { mean: arrears }, t: { t_test: { of: arrears, by: tenure, levels: [owner, private] } } }\nopen: ratio',
    );
    expect(shownIn(answerOf(text, half).rows[0]!)).toEqual(['n', 'm']);
    const people30 = [
      ...residents(30),
      ...residents(30, { employed: false }),
      ...residents(1, { employed: false, age: 105 }),
    ];
    const either = jobText(
      'measures: { a: { count: { where: { employed: { eq: true } } } }, b: { count: { where: { any: [{ employed: { eq: true } }, { age: { gt: 100 } }] } } } }',
    );
    expect(shownIn(answerOf(either, people30).rows[0]!)).toEqual(['b']);
  });

  it('stay closed where a few are in none of several of them', () => {
    const of = (tenure: string, count: number) => residents(count, { tenure });
    const rows = [
      ...of('owner', 30),
      ...of('private', 30),
      ...of('social', 20),
      ...residents(1, { tenure: 'temporary' }),
    ];
    const test = (other: string) => `{ t_test: { of: arrears, by: tenure, levels: [owner, ${other}] } }`;
    const text = jobText(`measures: { s: { sum: arrears }, t: ${test('private')}, u: ${test('social')} }`);
    expect(shownIn(answerOf(text, rows).rows[0]!)).toEqual(['s']);
    expect(shownIn(answerOf(text, rows.slice(0, -1)).rows[0]!)).toEqual(['s', 't', 'u']);
  });

  it('may tell how many lack a value', () => {
    const rows = [...residents(30), ...residents(1, { income: null })];
    expect(shownIn(answerOf(jobText('measures: { n: count, pay: { mean: income } }'), rows).rows[0]!)).toEqual([
      'n',
      'pay',
    ]);
  });

  it('are tested at all four combinations of two booleans', () => {
    const of = (employed: boolean, disabled: boolean, count: number) => residents(count, { employed, disabled });
    const rows = [...of(true, true, 2), ...of(true, false, 20), ...of(false, true, 20), ...of(false, false, 20)];
    const text = jobText('measures: { c: { covariance: [employed, disabled] } }');
    expect(shownIn(answerOf(text, rows).rows[0]!)).toEqual([]);
    expect(shownIn(answerOf(text, [...rows, ...of(true, true, 8)]).rows[0]!)).toEqual(['c']);
  });
});

describe('under a total', () => {
  it('a group’s figures open all or none', () => {
    const group = (employed: boolean, owner: number, social: number) => [
      ...residents(owner, { employed }),
      ...residents(30, { employed, tenure: 'private' }),
      ...residents(social, { employed, tenure: 'social' }),
    ];
    const counts = ['owner', 'private', 'social'].map((t) => `${t}: { count: { where: { tenure: { eq: ${t} } } } }`);
    const text = jobText(`group_by: [employed]\nmeasures: { n: count, ${counts.join(', ')} }\ntotal: true`);
    const { rows } = answerOf(text, [...group(true, 30, 3), ...group(false, 30, 12)]);
    expect(rows.map((row) => shownIn(row).filter((name) => name !== 'employed'))).toEqual([
      [],
      [],
      ['n', 'owner', 'private', 'social'],
    ]);
  });

  it('sets that are all empty by the job’s own words are tested all the same', () => {
    const text = jobText(
      'where: { tenure: { eq: social } }\ngroup_by: [employed]\nmeasures: { t: { t_test: { of: age, by: tenure, levels: [owner, private] } } }\ntotal: true',
    );
    const strictness = { dominance: [{ n: 1, share: rational(4n, 5n) }] };
    const checked = checkedJob(text, charter);
    const all = { minGroup: 10, round: 1, ...strictness };
    const { parts } = disclose({ checked, query: compile(checked, null, all), strictness: all });
    expect(parts[0]!.crowds.length).toBeGreaterThan(0);
    expect(answerOf(text, residents(40, { tenure: 'social' }), { strictness }).rows.flatMap(shownIn)).toEqual([
      'employed',
      'employed',
      'employed',
    ]);
  });

  it('what is withheld may not be one contributor’s', () => {
    const rows = [
      resident({ arrears: '15000.00' }),
      ...residents(9),
      ...residents(7, { tenure: 'private', arrears: '1.00' }),
      ...residents(20, { tenure: 'social' }),
      ...residents(20, { tenure: 'temporary' }),
    ];
    const text = jobText('group_by: [tenure]\nmeasures: { total: { sum: arrears } }\ntotal: true');
    const strictness = { minGroup: 5, dominance: [{ n: 1, share: rational(4n, 5n) }] };
    const shown = answerOf(text, rows, { strictness }).rows.map((row) => !isWithheld(row.total));
    expect(shown).toEqual([false, false, true, true, false]);
  });
});

describe('a rule on dominance', () => {
  const strictness = { dominance: [{ n: 1, share: rational(4n, 5n) }] };

  it('looks at squares, which tell of the largest even more', () => {
    const rows = [...residents(50, { age: 10 }), ...residents(1, { age: 100 })];
    const text = jobText('measures: { s: { sum: age }, v: { stddev: age } }');
    expect(shownIn(answerOf(text, rows, { strictness }).rows[0]!)).toEqual(['s', 'v']);
    const larger = [...residents(50, { age: 3 }), ...residents(1, { age: 100 })];
    expect(shownIn(answerOf(text, larger, { strictness }).rows[0]!)).toEqual(['s']);
  });

  it('looks at what is left when the analyst takes away its own party’s part', () => {
    const own = residents(20, { arrears: '10000.00' });
    const others = [resident({ arrears: '9000.00' }), ...residents(13, { arrears: '1.00' })];
    const text = jobText('measures: { total: { sum: arrears } }');
    expect(shownIn(answerOf(text, own, { others, strictness, ownParty: 'camden' }).rows[0]!)).toEqual([]);
    expect(shownIn(answerOf(text, own, { others, strictness }).rows[0]!)).toEqual(['total']);
  });
});

describe('rounded figures', () => {
  it('are all that a mean is made of', () => {
    const rows = [...residents(22, { arrears: '500.00' }), resident({ arrears: '1494.00' })];
    const text = jobText('measures: { n: count, s: { sum: arrears }, m: { mean: arrears } }');
    const row = answerOf(text, rows, { strictness: { round: 5 } }).rows[0]!;
    expect(row).toMatchObject({ n: { value: 25 }, s: { exact: '12495.00' }, m: { exact: '499.8' } });
  });
});

describe('groups that are chosen', () => {
  it('are not judged by a number that is withheld beside another one', () => {
    const count = (t: string) => `{ count: { where: { tenure: { eq: ${t} } } } }`;
    const measures = `measures: { n: count, o: ${count('owner')}, p: ${count('private')}, s: ${count('social')} }`;
    const text = jobText(`group_by: [employed]\n${measures}\nhaving: { p: { between: [25, 25] } }`);
    expect(answerOf(text, tenures)).toMatchObject({ rows: [], left_out: 2 });
  });

  it('are judged by the quotient that opens, and by no finer one', () => {
    const rows = [...residents(20), ...residents(10, { age: 41 })];
    // The mean is 40.3333…, and 40.33 opens.
    const text = (value: string) =>
      jobText(`measures: { m: { mean: age } }\nopen: ratio\nhaving: { m: { between: [${value}, ${value}] } }`);
    expect(answerOf(text('40.33'), rows).rows).toHaveLength(1);
    expect(answerOf(text('40.3333'), rows).rows).toHaveLength(0);
  });
});

describe('a column that can only be 0', () => {
  it('ranks groups like any other', () => {
    const flat = parseCharter(
      charterWith(['age:        { type: integer, min: 0, max: 110 }', 'age:        { type: integer, min: 0, max: 0 }']),
      'charter',
    );
    const checked = checkedJob(
      jobText('group_by: [tenure]\nmeasures: { total: { sum: age } }\ntop: { by: total, count: 2 }'),
      flat,
    );
    const strictness = { minGroup: 10, round: 1, dominance: [] };
    const disclosure = disclose({ checked, query: compile(checked, null, strictness), strictness });
    expect(evaluateCost(3, disclosure).rounds).toBeGreaterThan(0);
  });
});

describe('what does not fit', () => {
  it('is refused before anything runs, by public bounds', () => {
    const wide = parseCharter(
      charterWith(
        ['max_rows: 500000 ', 'max_rows: 1000000000000 '],
        ['max: 20000, nulls: zero', 'max: 900000000000, nulls: zero'],
      ),
      'charter',
    );
    const refused = (text: string) => {
      const checked = checkedJob(text, wide);
      return refusalOf(() => plainAnswer(checked, () => null, { strictness: { minGroup: 5 } }));
    };
    const grouped = (rest: string) => jobText(`group_by: [tenure]\nmeasures: { total: { sum: arrears } }\n${rest}`);
    expect(refused(grouped('top: { by: total, count: 2 }'))).toMatchObject({ code: 'OVERFLOW', field: 'top.by' });
    expect(refused(grouped('having: { total: { gte: 5 } }'))).toMatchObject({
      code: 'OVERFLOW',
      field: 'having.total',
    });
    expect(refused(jobText('measures: { m: { mean: arrears } }\nopen: ratio'))).toMatchObject({
      code: 'OVERFLOW',
      field: 'measures.m',
    });
  });

  it('is refused where no party could keep the randomness for it', () => {
    const demand = (quantiles: number) => {
      const bins = '{ from: 0, to: 250000, width: 1000 }';
      const each = Array.from(
        { length: quantiles },
        (_, at) => `q${at}: { quantile: { of: income, q: 0.${at + 11}, bins: ${bins} } }`,
      );
      const checked = checkedJob(jobText(`group_by: [age, year(moved_in)]\nmeasures: { ${each.join(', ')} }`), charter);
      const strictness = { minGroup: 5, round: 1, dominance: [] };
      return () => checkDemand(3, disclose({ checked, query: compile(checked, null, strictness), strictness }));
    };
    expect(demand(2)).not.toThrow();
    expect(refusalOf(demand(12))).toMatchObject({ code: 'TOO_MANY_CELLS', field: 'measures' });
  });
});
