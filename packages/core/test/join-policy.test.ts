/** What each side of a join judges: its own columns, under its own names, and who joins with it. @module */
import { describe, expect, it } from 'vitest';
import { type Charter, parseCharter } from '../src/query/charter.ts';
import { judge, type Policy, usesOf, type Verdict } from '../src/query/policy.ts';
import { charter, charterWith, checkedJob, joinYaml, policyOf, policyYaml, replaced } from './consortium.ts';

const analyst = 'housing-analytics';
const now = Date.parse('2026-11-21T12:00:00Z');

const healthYaml = `rules:
  - name: link with housing
    datasets: [patients]
    operations: [join, count, sum, mean]
    match_on: [nhs_number]
    counterparts: [camden, hackney, islington]
    helpers: [camden, hackney, islington]
    measure: [annual_cost, conditions]
    group_by: [sex]
    filter: [conditions]
    purposes: [homelessness-prevention]
    analysts: [role:analyst]
    min_group: 5
    approval: automatic
`;
const policies = { camden: policyYaml, 'ncl-health': healthYaml };
type Side = keyof typeof policies;
type Change = readonly [string, string];

interface Asked {
  readonly job?: readonly Change[];
  readonly rules?: readonly Change[];
  readonly under?: Charter;
}

function verdictOf(party: Side, { job = [], rules = [], under = charter }: Asked = {}): Verdict {
  const checked = checkedJob(replaced(joinYaml, job), under);
  const policy: Policy = policyOf(replaced(policies[party], rules));
  return judge(checked, usesOf(checked, party), party, policy, analyst, now);
}

function refused(party: Side, asked: Asked): Extract<Verdict, { verdict: 'refuse' }> {
  const verdict = verdictOf(party, asked);
  if (verdict.verdict !== 'refuse') throw new Error(`allowed by ${verdict.rule}`);
  return verdict;
}

const also = (lines: string): Change => ['measures:', `${lines}\nmeasures:`];
const measuring = (measure: string): Change => ['{ mean: right.annual_cost }', measure];

describe('the two sides of a join', () => {
  it('each allow what one rule of theirs covers', () => {
    const allowed = { verdict: 'allow', minGroup: 5, approval: 'automatic' };
    expect(verdictOf('camden')).toMatchObject({ ...allowed, rule: 'link with health' });
    expect(verdictOf('ncl-health')).toMatchObject({ ...allowed, rule: 'link with housing' });
  });

  it('see the kinds of all measures, and of columns their own', () => {
    const checked = checkedJob(
      replaced(joinYaml, [
        also('where: { left.age: { gt: 3 }, any: [{ right.conditions: { gt: 1 } }, { left.employed: { eq: true } }] }'),
        measuring('{ correlation: [left.income, right.annual_cost] }'),
        ['{ sum: left.arrears }', '{ chi_square: [left.tenure, right.sex] }'],
      ]),
    );
    expect(usesOf(checked, 'camden')).toEqual({
      operations: ['chi_square', 'correlation', 'count', 'join'],
      measure: ['income'],
      split: ['tenure'],
      group_by: ['tenure'],
      filter: ['age', 'employed'],
      match_on: ['nhs_number'],
    });
    expect(usesOf(checked, 'ncl-health')).toMatchObject({
      operations: ['chi_square', 'correlation', 'count', 'join'],
      measure: ['annual_cost'],
      split: ['sex'],
      group_by: [],
      filter: ['conditions'],
    });
  });

  it('refuse what is done with their own columns, and nothing of the other’s', () => {
    const income = { job: [measuring('{ mean: left.income }')] };
    expect(refused('camden', income)).toMatchObject({ rule: 'link with health', column: 'income' });
    expect(refused('camden', income).change).toBe(
      'leave a measure over `income` out of the job; or have the data owner of camden add `income` to `measure` in the rule “link with health”',
    );
    expect(verdictOf('ncl-health', income).verdict).toBe('allow');
    const bySex = { job: [['[left.tenure]', '[right.sex]'] as const], rules: [['[sex]', '[]'] as const] };
    expect(refused('ncl-health', bySex)).toMatchObject({ column: 'sex' });
    expect(verdictOf('camden', { job: bySex.job }).verdict).toBe('allow');
    const filter = { job: [also('where: { left.age: { gt: 3 }, right.conditions: { gt: 3 } }')] };
    expect(refused('camden', filter)).toMatchObject({ column: 'age' });
    expect(verdictOf('ncl-health', filter).verdict).toBe('allow');
  });

  it.each([
    [
      'the operation `join`',
      ['[join, count', '[count'],
      'ask about pooled rows (`from`)',
      'add `join` to `operations`',
    ],
    [
      'the operation `mean`',
      ['count, sum, mean]', 'count, sum]'],
      'leave the measures of kind `mean` out',
      'add `mean` to `operations`',
    ],
    [
      'matching on `nhs_number`',
      ['match_on: [nhs_number]', 'match_on: []'],
      'ask about pooled rows (`from`)',
      'add `nhs_number` to `match_on`',
    ],
    [
      'matching on `nhs_number`',
      ['match_on: [nhs_number]', 'match_on: [uprn]'],
      'match on `uprn`',
      'add `nhs_number` to `match_on`',
    ],
    [
      'computing with camden',
      ['counterparts: [camden, hackney, islington]', 'counterparts: [hackney, islington]'],
      'join with hackney or islington',
      'add `camden` to `counterparts`',
    ],
    [
      'computing with camden',
      ['counterparts: [camden, hackney, islington]', 'counterparts: []'],
      'ask about pooled rows (`from`)',
      'add `camden` to `counterparts`',
    ],
    [
      'the purpose `homelessness-prevention`',
      ['[homelessness-prevention]', '[research]'],
      'ask for the purpose `research`',
      'add `homelessness-prevention` to `purposes`',
    ],
    ['the analyst housing-analytics', ['role:analyst', 'role:auditor'], 'have an analyst ask', 'to `analysts`'],
  ] as const)('name rule and smallest change where it lacks %s', (lacks, change, asker, owner) => {
    const refusal = refused('ncl-health', { rules: [change] });
    expect(refusal).toMatchObject({ rule: 'link with housing', error: { code: 'REFUSED', party: 'ncl-health' } });
    expect(refusal.error.message).toContain(lacks);
    expect(refusal.change).toContain(asker);
    expect(refusal.change).toContain(owner);
  });

  it('are two parties to a rule that asks for more', () => {
    const refusal = refused('ncl-health', { rules: [['min_group: 5', 'min_parties: 3']] });
    expect(refusal.error).toMatchObject({ code: 'TOO_FEW_PARTIES' });
    expect(refusal.change).toContain('a join has two');
    expect(refusal.change).toContain('lower `min_parties` to 2 (never below 2)');
  });

  it('list who may deal for them', () => {
    const helped = { job: [also('join_helper: hackney')] };
    expect(verdictOf('camden', helped).verdict).toBe('allow');
    const refusal = refused('camden', {
      ...helped,
      rules: [['helpers: [hackney, islington]', 'helpers: [islington]']],
    });
    expect(refusal.change).toContain('add `hackney` to `helpers`');
    expect(verdictOf('ncl-health', helped).verdict).toBe('allow');
  });

  it('both have to allow that matches are revealed', () => {
    const revealing = {
      job: [
        also('reveal: matches'),
        ['group_by: [left.tenure]\n', ''],
        measuring('count'),
        ['{ sum: left.arrears }', 'count'],
      ] as const,
    };
    const listing = {
      ...revealing,
      rules: [['operations: [join, count', 'operations: [join, reveal_matches, count']] as const,
    };
    for (const side of ['camden', 'ncl-health'] as const) {
      expect(refused(side, revealing).error.message).toContain('the operation `reveal_matches`');
      expect(refused(side, revealing).change).toContain('leave `reveal` out');
      expect(verdictOf(side, listing).verdict).toBe('allow');
    }
  });

  it('need a rule for their own dataset', () => {
    const checked = checkedJob(joinYaml);
    const none = policyOf(replaced(healthYaml, [['[patients]', '[residents]']]));
    const verdict = judge(checked, usesOf(checked, 'ncl-health'), 'ncl-health', none, analyst, now);
    expect(verdict).toMatchObject({ verdict: 'refuse', error: { code: 'REFUSED', field: 'join' } });
    expect(verdict).toMatchObject({ change: expect.stringContaining('`patients`, or join other records') });
  });

  it('each hold a protected join to their own terms', () => {
    const under = parseCharter(charterWith(['unit: person ', 'unit: nhs_number ']), 'c');
    const asked = (rule: string) => ({
      job: [also('privacy: { epsilon: 1 }')],
      under,
      rules: [['min_group: 5\n    approval', `min_group: 5\n    privacy: ${rule}\n    approval`] as const],
    });
    expect(verdictOf('ncl-health', asked('{ required: true, epsilon_at_most: 1 }'))).toMatchObject({
      verdict: 'allow',
      exactToo: false,
    });
    expect(refused('ncl-health', asked('{ epsilon_at_most: 0.5 }')).error.message).toContain('epsilon over 0.5');
    const exact = { ...asked('{ required: true }'), job: [] };
    expect(refused('ncl-health', exact).error.message).toContain('exact answers');
  });
});
