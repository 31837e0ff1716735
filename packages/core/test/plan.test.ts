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
      judge(checked, usesOf(checked), party, rules, analyst, 0),
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

  it('is plain data, and the same every time', () => {
    const made = planFor(incomeYaml, everyone);
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
    expect(renderPlan(planFor(incomeYaml, everyone))).toBe(renderPlan(made));
  });

  it('fits a terminal', () => {
    for (const text of [arrearsYaml, incomeYaml]) {
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
