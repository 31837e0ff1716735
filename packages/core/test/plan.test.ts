import { describe, expect, it } from 'vitest';
import { correlateCost } from '../src/engine/correlate.ts';
import { evaluateCost } from '../src/engine/evaluate-cost.ts';
import { parseCharter } from '../src/query/charter.ts';
import { compileWhere } from '../src/query/condition.ts';
import { conditionText } from '../src/query/condition-text.ts';
import { disclose } from '../src/query/disclose.ts';
import { bytesOf } from '../src/query/encode.ts';
import { parseJob } from '../src/query/job.ts';
import { compile } from '../src/query/local.ts';
import { openedLayout } from '../src/query/opened.ts';
import { type Plan, plan, renderPlan } from '../src/query/plan.ts';
import { judge, type Policy, usesOf } from '../src/query/policy.ts';
import { strictnessOf } from '../src/query/strictness.ts';
import {
  arrearsYaml,
  charter,
  charterWith,
  checkedJob,
  incomeYaml,
  jobText,
  policyOf,
  policyYaml,
} from './consortium.ts';

const analyst = 'housing-analytics';
const policy = policyOf(policyYaml);

function planFor(text: string, policies: Record<string, Policy> = {}, under = charter): Plan {
  const checked = checkedJob(text, under);
  const verdicts = new Map(
    Object.entries(policies).map(([party, rules]) => [
      party,
      judge(checked, usesOf(checked, party), party, rules, analyst, 0),
    ]),
  );
  return plan({ checked, analyst, verdicts });
}
const everyone = { camden: policy, hackney: policy, islington: policy };
/** The text without its line breaks, to look for sentences in. */
const flat = (made: Plan) => renderPlan(made).replace(/\s+/g, ' ');

describe('a plan', () => {
  it('names who takes part and the rule of each', () => {
    const made = planFor(arrearsYaml, everyone);
    expect(made.parties.map(({ id, rule, minGroup }) => ({ id, rule, minGroup }))).toEqual(
      ['camden', 'hackney', 'islington'].map((id) => ({ id, rule: 'prevention statistics', minGroup: 5 })),
    );
    expect(flat(made)).toContain(
      'camden: London Borough of Camden (Head of Housing Data) allows it, by its rule “prevention statistics”',
    );
  });

  it('names what is opened for each measure, exactly as it is computed', () => {
    const made = planFor(arrearsYaml, everyone);
    expect(made.measures.map(({ name, opens }) => [name, opens])).toEqual([
      ['households', ['the number of people']],
      ['in_work', ['the number of people, where employed is yes']],
      ['total', ['the sum of arrears']],
      ['mean_arrears', ['the number of people and the sum of arrears']],
      ['spread', ['the number of people, the sum of arrears and the sum of the squares of arrears']],
    ]);
  });

  it('names the complement that a count with a condition gives away', () => {
    const inWork = planFor(arrearsYaml, everyone).measures.find(({ name }) => name === 'in_work')!;
    expect(inWork.tests).toHaveLength(2);
    expect(inWork.tests[0]).toBe('the number of people, where employed is yes');
  });

  it('counts what is sent from whom to whom', () => {
    const made = planFor(arrearsYaml, everyone);
    const checked = checkedJob(arrearsYaml);
    const query = compile(checked);
    const strictness = strictnessOf(checked, []);
    const disclosure = disclose({ checked, query, strictness });
    const share = bytesOf(openedLayout(disclosure));
    const sealed = made.transfers.filter(({ to }) => to === 'the analyst');
    expect(sealed.map(({ from }) => from)).toEqual(['camden', 'hackney', 'islington']);
    expect(sealed.every(({ bytes }) => bytes > share && bytes < share + 2_000)).toBe(true);
    expect(made.transfers.filter(({ to, bytes }) => to !== 'the analyst' && bytes === 96)).toHaveLength(6);
    const online = evaluateCost(3, disclosure);
    const ahead = correlateCost(3, { helper: null, demand: online });
    expect(made.rounds).toBe(2 + 1 + online.rounds + ahead.rounds);
    const masked = made.transfers.filter(({ what }) => what.startsWith('masked numbers'));
    expect(masked).toHaveLength(6);
    expect(masked[0]!.bytes).toBeGreaterThan(online.bytes / 2);
  });

  it('opens everything in two rounds where nothing is decided', () => {
    const made = planFor(arrearsYaml, {}, parseCharter(charterWith(['min_group: 5 }', 'min_group: 1 }']), 'c'));
    expect(made).toMatchObject({ rounds: 2, decisions: [], threshold: 0 });
    expect(made.transfers.filter(({ to }) => to !== 'the analyst')).toHaveLength(6);
  });

  it('takes the largest threshold, and says when a rule may still raise it', () => {
    const strict = policyOf(policyYaml.replace('min_group: 5', 'min_group: 25'));
    expect(planFor(arrearsYaml, { ...everyone, hackney: strict })).toMatchObject({
      threshold: 25,
      thresholdIsFinal: true,
    });
    const open = planFor(arrearsYaml);
    expect(open).toMatchObject({ threshold: 5, thresholdIsFinal: false });
    expect(flat(open)).toContain('A party’s rule may ask for more.');
    expect(flat(open)).toContain('Its own policy decides when the job arrives.');
  });

  it('says why a party would refuse, and what would help', () => {
    const narrow = policyOf(policyYaml.replace('filter: [age, tenure', 'filter: [tenure'));
    const made = planFor(arrearsYaml, { ...everyone, hackney: narrow });
    expect(made.parties[1]!.refusal!.change).toContain('add `age` to `filter`');
    expect(flat(made)).toContain('hackney: London Borough of Hackney (Chief Data Officer) would refuse.');
  });

  it('says that a person has to approve', () => {
    const manual = policyOf(policyYaml.replace('approval: automatic', 'approval: manual'));
    expect(flat(planFor(arrearsYaml, { camden: manual }))).toContain('allows it once a person has approved');
    const three = policyOf(policyYaml.replace('approval: automatic', 'approval: manual\n    approvers: 3'));
    expect(flat(planFor(arrearsYaml, { camden: three }))).toContain('allows it once 3 people have approved');
  });

  it('says what the figures of one job may not tell together', () => {
    const measures =
      'measures: { owed: { sum: arrears }, t: { t_test: { of: arrears, by: tenure, levels: [owner, social] } } }';
    expect(flat(planFor(jobText(measures), everyone))).toContain('the rows between them must be nobody’s');
    const bins = 'measures: { n: count, ages: { histogram: { of: age, bins: [0, 40, 110] } } }';
    expect(flat(planFor(jobText(bins), everyone))).toContain('so that no subtraction tells it');
  });

  it('says plainly what is not defended', () => {
    const text = flat(planFor(incomeYaml, everyone));
    expect(text).toContain('is multiplied by zero before anyone receives it');
    expect(text).toContain('can have a small group shown or a large one withheld');
    expect(text).toContain('the answer minus theirs');
    expect(text).toContain('The coordinator learns the text of the question');
  });

  it('says that an analyst’s own party does not count', () => {
    const member = parseCharter(charterWith(['roles: [analyst] }', 'roles: [analyst], party: camden }']), 'c');
    expect(flat(planFor(arrearsYaml, everyone, member))).toContain(
      'The people of camden do not count toward the threshold',
    );
    expect(flat(planFor(arrearsYaml, everyone))).not.toContain('do not count toward');
  });

  it('says when people may be counted at several parties, when rows are counted, and when no threshold holds', () => {
    const several = parseCharter(charterWith(['max_parties_per_unit: 1 ', 'max_parties_per_unit: 2 ']), 'c');
    expect(flat(planFor(arrearsYaml, {}, several))).toContain('up to 2 parties');
    const rows = parseCharter(charterWith(['unit: person ', 'unit: row ']), 'c');
    expect(flat(planFor(arrearsYaml, {}, rows))).toContain('counts rows, not people');
    const free = parseCharter(charterWith(['policy_floor: { min_parties: 2, min_group: 5 }', '']), 'c');
    expect(flat(planFor(jobText('measures: { n: count }'), {}, free))).toContain('No threshold is in force');
  });

  const grouped = 'group_by: [tenure]\nmeasures: { n: count, total: { sum: arrears } }';

  it('says over what the figures are, and which of the groups open', () => {
    const places = (lines: string) => planFor(jobText(lines), everyone).places;
    const alone = 'measures: { n: count }';
    expect(places(alone)).toBe('all rows together');
    expect(places(`${alone}\nhaving: { n: { gte: 50 } }`)).toBe('all rows together, if the job’s conditions hold');
    expect(places(grouped)).toBe('each of the 4 groups');
    expect(places(`${grouped}\ntotal: true`)).toBe('each of the 4 groups, and for all of them together');
    expect(places(`${grouped}\ntop: { by: n, count: 2 }`)).toBe('each of the 4 groups that opens');
    expect(places(`${grouped}\ntop: { by: n, count: 2 }\nprivacy: { epsilon: 1 }`)).toBe('each of the 4 groups');
    expect(places('group_by: [age, tenure, employed]\nmeasures: { n: count }')).toBe('each of the 888 groups');
  });

  it('names the conditions under which a group opens, and what is tested without being opened', () => {
    const having =
      'having: { n: { gte: 50, lt: 400 }, burden: { of: { ratio: [arrears, income] }, gt: 0.02 }, w: { of: { count: { where: { employed: { eq: true } } } }, gt: 9 } }';
    const text = flat(planFor(jobText(`${grouped}\n${having}\ntop: { by: total, count: 2 }`), everyone));
    expect(text).toContain('the conditions on groups tell the figures that they look at');
    expect(text).toContain(
      'A group opens only if burden (the ratio of arrears to income, which is not opened) is more than 0.02, and n is at least 50 and less than 400, and w (the count where employed is yes, which is not opened) is more than 9.',
    );
    expect(text).toContain('Nor does it where fewer than 5 people stand behind what is compared.');
    expect(text).toContain('Of these only the 2 groups with the greatest total open, by name and value.');
    expect(text).toContain('learns the figures named above, which of them are withheld or do not open, and no');
  });

  it('says what a total, rounding and large contributors make of the figures, and which rule asks for it', () => {
    const strict = policyOf(
      policyYaml.replace('min_group: 5', 'min_group: 5\n    round: 10\n    dominance: { n: 2, share: 0.855 }'),
    );
    const made = planFor(jobText(`${grouped}\ntotal: true`), { ...everyone, camden: strict });
    expect(made.parties[0]).toMatchObject({ round: 10, dominance: { n: 2, share: '85.5 %' } });
    const text = flat(made);
    expect(text).toContain(
      'for groups of at least 5 people, figures rounded to 10 and sums of which 2 people together have at most 85.5 %.',
    );
    expect(text).toContain('A sum of which 2 people together may have more than 85.5 % is withheld the same way');
    expect(text).toContain('the smallest of the others is withheld whole');
    expect(text).toContain('rounded to the nearest multiple of 10 before they open');
    expect(text).toContain('total (sum): the sum of arrears, rounded to a multiple of 10');
  });

  it('says of a protected job what its answer leaves out, and that all of it is opened', () => {
    const lines = `${grouped}\nhaving: { n: { gte: 50 } }\ntop: { by: total, count: 2 }\nround: 10\nprivacy: { epsilon: 1 }`;
    const text = flat(planFor(jobText(lines), everyone));
    expect(text).toContain('All of them are opened and charged; it is the noise that protects.');
    expect(text).toContain('A group is shown only if, with noise, n is at least 50. Near such a limit');
    expect(text).toContain('the ends of their intervals outward');
    expect(text).toContain('the greatest total, noise included, are shown');
    expect(text).not.toContain('What is decided before anything opens');
    expect(flat(planFor(jobText(`${grouped}\nprivacy: { epsilon: 1 }`), everyone))).not.toContain('leaves out or');
  });

  it('says what a helper sends, and what it does not learn', () => {
    const checked = checkedJob(jobText(`${grouped}\njoin_helper: ncl-health`));
    const text = renderPlan(plan({ checked, analyst })).replace(/\s+/g, ' ');
    expect(text).toContain('ncl-health sends camden, hackney and islington random numbers to compute with.');
    expect(text).toContain('ncl-health learns the text of the question and who takes part; no record');
    expect(text).toContain('among 3 parties and ncl-health');
  });

  it('is plain data, and the same every time', () => {
    const made = planFor(incomeYaml, everyone);
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
    expect(renderPlan(planFor(incomeYaml, everyone))).toBe(renderPlan(made));
  });

  it('fits a terminal', () => {
    const chosen = `${grouped}\nhaving: { n: { gte: 50 } }\ntop: { by: total, count: 2 }\nround: 10`;
    for (const text of [arrearsYaml, incomeYaml, jobText(chosen), jobText(`${chosen}\nprivacy: { epsilon: 1 }`)]) {
      for (const line of renderPlan(planFor(text, everyone)).split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    }
  });
});

describe('a condition in words', () => {
  const residents = charter.datasets.residents!;
  const words = (where: string) =>
    conditionText(
      compileWhere(parseJob(jobText(`where: ${where}\nmeasures: { n: count }`), 'j').where, residents),
      residents,
    );

  it.each([
    ['{}', ''],
    ['{ age: { gte: 18 } }', 'age is at least 18'],
    ['{ age: { between: [18, 64] } }', 'age is from 18 to 64'],
    ['{ age: { gte: 18, lt: 65 }, employed: { eq: true } }', 'age is from 18 to below 65 and employed is yes'],
    ['{ arrears: { gt: 100.5 } }', 'arrears is above 100.50'],
    ['{ arrears: { lte: 100 } }', 'arrears is at most 100'],
    ['{ tenure: { in: [social, private] } }', 'tenure is one of private, social'],
    ['{ tenure: { ne: owner } }', 'tenure is not owner'],
    ['{ moved_in: { lt: 2020-02-01 } }', 'moved_in is before 2020-02-01'],
    ['{ year(moved_in): { between: [2019, 2020] } }', 'the year of moved_in is from 2019 to 2020'],
    ['{ income: { is_null: true } }', 'income is missing'],
    ['{ income: { is_null: false } }', 'income is not missing'],
    [
      '{ any: [ { age: { lt: 18 } }, { not: { employed: { eq: true }, age: { gt: 70 } } } ] }',
      'age is below 18 or it is not so that (age is above 70 and employed is yes)',
    ],
    ['{ not: {} }', 'it is not so that any row counts'],
  ])('says %s as “%s”', (where, text) => {
    expect(words(where)).toBe(text);
  });
});
