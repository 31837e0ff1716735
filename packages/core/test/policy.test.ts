import { describe, expect, it } from 'vitest';
import { parseCharter } from '../src/query/charter.ts';
import { checkPolicy, helperRule, judge, type Policy, policyHash, usesOf, type Verdict } from '../src/query/policy.ts';
import {
  arrearsYaml,
  charter,
  charterWith,
  checkedJob,
  incomeYaml,
  jobText,
  policyOf,
  policyYaml,
  replaced,
} from './consortium.ts';
import { refusalOf } from './refusal.ts';

const policy = policyOf(policyYaml);
const now = Date.parse('2026-11-21T12:00:00Z');
const analyst = 'housing-analytics';

function verdictOn(text: string, by: Policy = policy, options: { analyst?: string; now?: number } = {}): Verdict {
  const checked = checkedJob(text);
  return judge(checked, usesOf(checked, 'camden'), 'camden', by, options.analyst ?? analyst, options.now ?? now);
}

const policyWith = (...changes: readonly (readonly [string, string])[]) => policyOf(replaced(policyYaml, changes));

function refused(verdict: Verdict): Extract<Verdict, { verdict: 'refuse' }> {
  if (verdict.verdict !== 'refuse') throw new Error(`allowed by ${verdict.rule}`);
  return verdict;
}

describe('a policy', () => {
  it('allows what one rule covers, with that rule’s threshold', () => {
    const allowed = {
      verdict: 'allow',
      rule: 'prevention statistics',
      minGroup: 5,
      approval: 'automatic',
      exactToo: true,
    };
    expect(verdictOn(arrearsYaml)).toEqual(allowed);
    expect(verdictOn(incomeYaml)).toEqual(allowed);
  });

  it('takes the largest threshold of job, rule and floor', () => {
    const count = (min: string) => jobText(`${min}measures: { n: count }`);
    expect(verdictOn(count('min_group: 12\n'))).toMatchObject({ minGroup: 12 });
    expect(verdictOn(count('min_group: 2\n'))).toMatchObject({ minGroup: 5 });
    expect(verdictOn(count(''), policyWith(['min_group: 5', 'min_group: 20']))).toMatchObject({ minGroup: 20 });
    expect(verdictOn(count(''), policyWith(['min_group: 5', 'min_group: 1']))).toMatchObject({ minGroup: 5 });
    expect(verdictOn(count(''), policyWith(['min_group: 5\n', '\n']))).toMatchObject({ minGroup: 5 });
  });

  it('counts every kind of use', () => {
    const checked = checkedJob(
      jobText(
        'where: { age: { gt: 3 } }\ngroup_by: [year(moved_in)]\nmeasures: { a: { count: { where: { employed: { eq: true } } } }, b: { regression: { y: arrears, x: [income] } }, c: { t_test: { of: age, by: employed } }, d: { chi_square: [tenure, employed] } }',
      ),
    );
    expect(usesOf(checked, 'camden')).toEqual({
      operations: ['chi_square', 'count', 'regression', 't_test'],
      measure: ['age', 'arrears', 'income'],
      split: ['employed', 'tenure'],
      group_by: ['moved_in'],
      filter: ['age', 'employed'],
      match_on: [],
    });
  });

  it('covers columns that split rows inside a measure by measure or by group_by', () => {
    expect(verdictOn(jobText('measures: { x: { chi_square: [tenure, employed] } }')).verdict).toBe('allow');
    expect(verdictOn(jobText('measures: { x: { t_test: { of: arrears, by: employed } } }')).verdict).toBe('allow');
    const narrow = policyWith(['group_by: [tenure, employed]', 'group_by: [employed]']);
    expect(refused(verdictOn(jobText('measures: { x: { chi_square: [tenure, employed] } }'), narrow)).column).toBe(
      'tenure',
    );
  });

  it('names rule, column and smallest change for a filter that is not allowed', () => {
    const refusal = refused(verdictOn(jobText('where: { income: { gt: 100 } }\nmeasures: { n: count }')));
    expect(refusal).toMatchObject({ rule: 'prevention statistics', column: 'income' });
    expect(refusal.change).toBe(
      'leave filtering on `income` out of the job; or have the data owner of camden add `income` to `filter` in the rule “prevention statistics”',
    );
    expect(refusal.error).toMatchObject({ code: 'REFUSED', party: 'camden', field: 'income', remedy: refusal.change });
    expect(refusal.error.message).toContain('“prevention statistics”, does not allow filtering on `income`');
  });

  it('treats the filter of a count as a filter', () => {
    const text = jobText('measures: { n: { count: { where: { income: { is_null: true } } } } }');
    expect(refused(verdictOn(text))).toMatchObject({ column: 'income' });
  });

  it.each([
    [
      'a measure',
      'measures: { n: { sum: age } }',
      ['measure: [age, arrears, income, employed]', 'measure: [arrears]'],
      'a measure over `age`',
    ],
    [
      'a group key',
      'group_by: [tenure]\nmeasures: { n: count }',
      ['group_by: [tenure, employed]', 'group_by: [employed]'],
      'grouping by `tenure`',
    ],
    [
      'an operation',
      'measures: { n: { sum: age } }',
      ['[count, sum, mean, variance', '[count, mean, variance'],
      'the operation `sum`',
    ],
    [
      'a purpose',
      'measures: { n: count }',
      ['purposes: [homelessness-prevention]', 'purposes: [planning]'],
      'the purpose `homelessness-prevention`',
    ],
    [
      'an analyst',
      'measures: { n: count }',
      ['analysts: [role:analyst]', 'analysts: [role:auditor]'],
      'the analyst housing-analytics',
    ],
    [
      'a counterpart',
      'measures: { n: count }',
      ['min_parties: 3', 'counterparts: [hackney]'],
      'computing with islington',
    ],
    ['exact answers', 'measures: { n: count }', ['required: false', 'required: true'], 'exact answers'],
    ['a day', 'measures: { n: count }', ['min_parties: 3', 'expires: 2026-11-20'], 'anything after 2026-11-20'],
  ] as const)('refuses %s that the rule does not list', (_, lines, change, lacks) => {
    const refusal = refused(verdictOn(jobText(lines), policyWith([change[0], change[1]])));
    expect(refusal.rule).toBe('prevention statistics');
    expect(refusal.error.code).toBe('REFUSED');
    expect(refusal.error.message).toContain(lacks);
  });

  it('holds a rule to the end of its last day', () => {
    const rule = policyWith(['min_parties: 3', 'expires: 2026-11-21']);
    const text = jobText('measures: { n: count }');
    expect(verdictOn(text, rule, { now: Date.parse('2026-11-21T23:59:59Z') }).verdict).toBe('allow');
    expect(verdictOn(text, rule, { now: Date.parse('2026-11-22T00:00:00Z') }).verdict).toBe('refuse');
  });

  it('says TOO_FEW_PARTIES when nothing else is missing', () => {
    const refusal = refused(
      verdictOn(jobText('measures: { n: count }'), policyWith(['min_parties: 3', 'min_parties: 4'])),
    );
    expect(refusal.error.code).toBe('TOO_FEW_PARTIES');
    expect(refusal.change).toContain('name at least 4 parties');
  });

  it('needs one rule for all uses: rules do not add up', () => {
    const rule = (name: string, measure: string) =>
      `  - { name: ${name}, datasets: [residents], operations: [sum], measure: [${measure}], purposes: [homelessness-prevention], analysts: [housing-analytics], approval: automatic }\n`;
    const split = policyOf(`rules:\n${rule('first', 'age')}${rule('second', 'arrears')}`);
    expect(verdictOn(jobText('measures: { n: { sum: age } }'), split)).toMatchObject({ rule: 'first' });
    expect(verdictOn(jobText('measures: { n: { sum: arrears } }'), split)).toMatchObject({ rule: 'second' });
    expect(refused(verdictOn(jobText('measures: { n: { sum: age }, m: { sum: arrears } }'), split))).toMatchObject({
      rule: 'first',
      column: 'arrears',
    });
  });

  it('takes a rule that needs no person where several cover the job', () => {
    const second = policyYaml
      .replace('rules:\n', '')
      .split('  - name: link')[0]!
      .replace('prevention statistics', 'second');
    const twice = policyOf(replaced(policyYaml, [['approval: automatic', 'approval: manual']]) + second);
    expect(verdictOn(arrearsYaml, twice)).toMatchObject({ rule: 'second', approval: 'automatic' });
    expect(verdictOn(arrearsYaml, policyWith(['approval: automatic', 'approval: manual']))).toMatchObject({
      approval: 'manual',
    });
    expect(verdictOn(arrearsYaml, twice)).not.toHaveProperty('approvers');
    expect(verdictOn(arrearsYaml, policyWith(['approval: automatic', 'approval: manual']))).toMatchObject({
      approvers: 1,
    });
    const two = policyWith(['approval: automatic', 'approval: manual\n    approvers: 2']);
    expect(verdictOn(arrearsYaml, two)).toMatchObject({ approval: 'manual', approvers: 2 });
    expect(verdictOn(arrearsYaml, policyWith(['approval: automatic', '']))).toMatchObject({ approvers: 1 });
    expect(verdictOn(arrearsYaml, policyWith(['approval: automatic', '']))).toMatchObject({ approval: 'manual' });
  });

  it('says so when no rule concerns the dataset', () => {
    const refusal = refused(verdictOn(arrearsYaml, policyOf('rules: []')));
    expect(refusal.rule).toBeUndefined();
    expect(refusal.change).toContain('write a rule for the dataset `residents`');
  });

  it('does not list an analyst that the charter does not', () => {
    expect(verdictOn(arrearsYaml, policy, { analyst: 'stranger' }).verdict).toBe('refuse');
  });

  it('has a hash that changes with it', () => {
    expect(policyHash(policy)).toMatch(/^[0-9a-f]{64}$/);
    expect(policyHash(policyWith(['min_group: 5', 'min_group: 6']))).not.toBe(policyHash(policy));
  });

  it('never allows a use that no rule lists', () => {
    const columns = ['age', 'arrears', 'income', 'employed'];
    for (const measure of columns) {
      for (const allowed of columns) {
        const by = policyWith(['measure: [age, arrears, income, employed]', `measure: [${allowed}]`]);
        expect(verdictOn(jobText(`measures: { n: { sum: ${measure} } }`), by).verdict).toBe(
          measure === allowed ? 'allow' : 'refuse',
        );
      }
    }
  });
});

describe('a rule on what only selects or tests', () => {
  it('covers the columns, kinds and filters of what is tested and not opened', () => {
    const tested = (of: string) => checkedJob(jobText(`measures: { n: count }\nhaving: { m: { of: ${of}, gt: 1 } }`));
    expect(usesOf(tested('{ ratio: [arrears, income] }'), 'camden')).toMatchObject({
      operations: ['count', 'ratio'],
      measure: ['arrears', 'income'],
    });
    expect(usesOf(tested('{ count: { where: { income: { gt: 1 } } } }'), 'camden').filter).toEqual(['income']);
    const text = (of: string) => jobText(`measures: { n: count }\nhaving: { m: { of: ${of}, gt: 1 } }`);
    expect(verdictOn(text('{ sum: arrears }')).verdict).toBe('allow');
    const narrow = policyWith(['measure: [age, arrears, income, employed]', 'measure: [age]']);
    expect(refused(verdictOn(text('{ sum: arrears }'), narrow)).column).toBe('arrears');
    expect(refused(verdictOn(text('{ count: { where: { income: { gt: 1 } } } }'))).column).toBe('income');
    const fewer = policyWith(['[count, sum, mean', '[count, mean']);
    expect(refused(verdictOn(text('{ sum: arrears }'), fewer)).change).toContain('add `sum` to `operations`');
  });

  it('asks nothing of the measures that are tested by their names', () => {
    const text = 'group_by: [tenure]\nmeasures: { n: count }\nhaving: { n: { gt: 1 } }\ntop: { by: n, count: 2 }';
    expect(usesOf(checkedJob(jobText(text)), 'camden')).toEqual(
      usesOf(checkedJob(jobText('group_by: [tenure]\nmeasures: { n: count }')), 'camden'),
    );
  });
});

describe('a rule on helpers', () => {
  const helped = jobText('join_helper: ncl-health\nmeasures: { n: count }');
  const listing = (helpers: string) => policyWith(['min_parties: 3', `min_parties: 3\n    helpers: [${helpers}]`]);

  it('lists who may help', () => {
    expect(verdictOn(helped, listing('ncl-health'))).toMatchObject({ verdict: 'allow', rule: 'prevention statistics' });
    expect(verdictOn(jobText('measures: { n: count }'), listing('ncl-health')).verdict).toBe('allow');
  });

  it('refuses another, with both remedies', () => {
    const name = (helpers: string) => refused(verdictOn(helped, listing(helpers)));
    const owner = 'or have the data owner of camden add `ncl-health` to `helpers` in the rule “prevention statistics”';
    expect(name('').change).toBe(`leave \`join_helper\` out; ${owner}`);
    expect(name('hackney').change).toBe(`name hackney as \`join_helper\`; ${owner}`);
    expect(name('hackney, islington').change).toBe(`name hackney or islington as \`join_helper\`; ${owner}`);
    expect(name('').error).toMatchObject({ code: 'REFUSED', party: 'camden' });
    expect(name('').error.message).toContain('ncl-health as a helper');
    expect(refused(verdictOn(helped)).rule).toBe('prevention statistics');
  });

  it('is not asked of the helper, which brings no records', () => {
    const checked = checkedJob(helped);
    const none = policyOf('rules: []');
    const asHelper = { verdict: 'allow', rule: helperRule, minGroup: 1, approval: 'automatic', exactToo: false };
    expect(judge(checked, usesOf(checked, 'ncl-health'), 'ncl-health', none, analyst, now)).toEqual(asHelper);
    expect(judge(checked, usesOf(checked, 'camden'), 'camden', none, analyst, now).verdict).toBe('refuse');
    // No job is both; were one made, its party would need a rule all the same.
    const both = { ...checked, helper: 'camden' };
    expect(judge(both, usesOf(both, 'camden'), 'camden', none, analyst, now).verdict).toBe('refuse');
  });

  it('is no use where the helper is the analyst’s own party', () => {
    const own = parseCharter(charterWith(['roles: [analyst] }', 'roles: [analyst], party: ncl-health }']), 'c');
    const checked = checkedJob(helped, own);
    for (const party of ['camden', 'ncl-health']) {
      const verdict = judge(checked, usesOf(checked, party), party, listing('ncl-health'), analyst, now);
      expect(refused(verdict).error).toMatchObject({ code: 'REFUSED', party, field: 'join_helper' });
    }
    const other = parseCharter(charterWith(['roles: [analyst] }', 'roles: [analyst], party: camden }']), 'c');
    const elsewhere = checkedJob(helped, other);
    expect(judge(elsewhere, usesOf(elsewhere, 'camden'), 'camden', listing('ncl-health'), analyst, now).verdict).toBe(
      'allow',
    );
  });

  it('does not make the helper a counterpart', () => {
    const rule = policyWith(['min_parties: 3', 'counterparts: [hackney, islington]\n    helpers: [ncl-health]']);
    expect(verdictOn(helped, rule).verdict).toBe('allow');
  });
});

describe('a rule on rounding and dominance', () => {
  const strict = (lines: string) => policyWith(['min_parties: 3', `min_parties: 3\n    ${lines}`]);
  const spread = jobText('measures: { n: count, s: { stddev: age } }');

  it('is stated as it stands, and only where it does', () => {
    const count = jobText('measures: { n: count }\nround: 10');
    expect(verdictOn(count, strict('round: 5'))).toMatchObject({ verdict: 'allow', round: 5 });
    expect(verdictOn(count, strict('round: 5'))).not.toHaveProperty('dominance');
    const dominance = { n: 2, share: 0.85 };
    expect(verdictOn(count, strict('dominance: { n: 2, share: 0.85 }'))).toMatchObject({ dominance });
    expect(verdictOn(count)).not.toHaveProperty('round');
    expect(verdictOn(count)).not.toHaveProperty('dominance');
  });

  it('refuses what cannot be rounded, with both remedies', () => {
    expect(verdictOn(spread, strict('round: 1')).verdict).toBe('allow');
    const refusal = refused(verdictOn(spread, strict('round: 2')));
    expect(refusal.change).toBe(
      'leave the measures of kind `stddev` out; or have the data owner of camden take `round` out in the rule “prevention statistics”',
    );
    expect(refusal.error.message).toContain('a stddev where figures are rounded to 2');
    expect(verdictOn(arrearsYaml.replace(/ {2}spread.*\n/, ''), strict('round: 5')).verdict).toBe('allow');
    // Noise withholds the exact sums already.
    const noisy = jobText('measures: { s: { stddev: age } }\nprivacy: { epsilon: 1 }');
    expect(verdictOn(noisy, strict('round: 2')).verdict).toBe('allow');
  });

  it.each([
    ['round: 0', 'rules[0].round'],
    ['round: 1.5', 'rules[0].round'],
    ['dominance: { n: 1, share: 0 }', 'rules[0].dominance.share'],
    ['dominance: { n: 1, share: 1.0001 }', 'rules[0].dominance.share'],
    ['dominance: { n: 1, share: "0.80001" }', 'rules[0].dominance.share'],
    ['dominance: { n: 0, share: 0.8 }', 'rules[0].dominance.n'],
  ])('is refused with %s', (lines, field) => {
    expect(refusalOf(() => strict(lines))).toMatchObject({ code: 'BAD_VALUE', field });
  });

  it('may forbid nothing, and as much as can be', () => {
    for (const share of ['1', '0.0001', '"1.0"']) {
      expect(() => strict(`round: 1000000\n    dominance: { n: 5, share: ${share} }`)).not.toThrow();
    }
  });
});

describe('a policy beside its charter', () => {
  it('is right where every name is known', () => {
    expect(() => checkPolicy(policy, charter, 'camden')).not.toThrow();
    const asked = policyWith(['approval: automatic', 'approval: automatic\n    approvers: 2']);
    expect(refusalOf(() => checkPolicy(asked, charter, 'camden'))).toMatchObject({
      code: 'BAD_VALUE',
      field: 'policy.rules[0].approvers',
    });
  });

  it.each([
    ['datasets: [residents]', 'datasets: [pupils]', 'UNKNOWN_DATASET', 'policy.rules[0].datasets[0]'],
    ['datasets: [residents]', 'datasets: [patients]', 'NOT_HELD', 'policy.rules[0].datasets[0]'],
    ['measure: [age,', 'measure: [rent,', 'UNKNOWN_COLUMN', 'policy.rules[0].measure[0]'],
    ['match_on: [nhs_number]', 'match_on: [uprn]', 'UNKNOWN_COLUMN', 'policy.rules[1].match_on[0]'],
    ['purposes: [homelessness-prevention]', 'purposes: [marketing]', 'UNKNOWN_PURPOSE', 'policy.rules[0].purposes[0]'],
    ['counterparts: [ncl-health]', 'counterparts: [nhs]', 'UNKNOWN_PARTY', 'policy.rules[1].counterparts[0]'],
    ['helpers: [hackney,', 'helpers: [barnet,', 'UNKNOWN_PARTY', 'policy.rules[1].helpers[0]'],
    ['analysts: [role:analyst]', 'analysts: [jane]', 'BAD_VALUE', 'policy.rules[0].analysts[0]'],
  ])('is refused with %s as %s', (from, to, code, field) => {
    expect(refusalOf(() => checkPolicy(policyWith([from, to]), charter, 'camden'))).toMatchObject({ code, field });
  });

  it.each([
    ['operations: [count,', 'operations: [maximum,', 'BAD_VALUE', 'rules[0].operations[0]'],
    ['min_parties: 3', 'min_people: 3', 'UNKNOWN_KEY', 'rules[0].min_people'],
    ['approval: automatic', 'approval: maybe', 'BAD_VALUE', 'rules[0].approval'],
    ['approval: automatic', 'approval: manual\n    approvers: 0', 'BAD_VALUE', 'rules[0].approvers'],
    ['approval: automatic', 'approval: manual\n    approvers: 101', 'BAD_VALUE', 'rules[0].approvers'],
    ['name: link with health', 'name: prevention statistics', 'BAD_VALUE', 'rules'],
  ])('is refused in its form with %s as %s', (from, to, code, field) => {
    expect(refusalOf(() => policyWith([from, to]))).toMatchObject({ code, field });
  });

  it('cannot go below the charter’s floor', () => {
    const high = parseCharter(charterWith(['min_group: 5', 'min_group: 50']), 'c');
    const checked = checkedJob(arrearsYaml, high);
    expect(judge(checked, usesOf(checked, 'camden'), 'camden', policy, analyst, now)).toMatchObject({ minGroup: 50 });
  });
});

describe('a rule on protection', () => {
  const lines = 'privacy: { required: false, epsilon_at_most: 2, collusion_at_least: 1 }';
  const asked = (privacy: string) => jobText(`measures: { n: count }\nprivacy: ${privacy}`);
  const whole = (privacy: string): Policy =>
    policyOf(policyYaml.replace(lines, privacy === '' ? '' : `privacy: ${privacy}`));

  it.each([
    ['', '{ epsilon: 5 }'],
    ['{ required: true }', '{ epsilon: 5 }'],
    ['{ epsilon_at_most: 2 }', '{ epsilon: 2 }'],
    ['{ epsilon_at_most: 2 }', '{ epsilon: 2, delta: 1e-6 }'],
    ['{ epsilon_at_most: 2, delta_at_most: 1e-5 }', '{ epsilon: 2, delta: 1e-5 }'],
    ['{ rho_at_most: 2 }', '{ rho: 2 }'],
    ['{ rho_at_most: 2 }', '{ epsilon: 2 }'],
    ['{ rho_at_most: 0.1, epsilon_at_most: 1 }', '{ rho: 0.1 }'],
    ['{ mechanism: laplace }', '{ epsilon: 1 }'],
    ['{ mechanism: gaussian }', '{ rho: 1, mechanism: gaussian }'],
    ['{ collusion_at_least: 1 }', '{ epsilon: 1, collusion: 1 }'],
    ['{ collusion_at_least: 0 }', '{ epsilon: 1, collusion: 0 }'],
    ['{ collusion_at_least: 7 }', '{ epsilon: 1 }'],
  ])('of %s allows %s', (rule, job) => {
    expect(verdictOn(asked(job), whole(rule))).toMatchObject({ verdict: 'allow' });
  });

  it.each([
    ['{ epsilon_at_most: 2 }', '{ epsilon: 2.000001 }', 'ask for epsilon of at most 2', 'raise `epsilon_at_most`'],
    [
      '{ epsilon_at_most: 2 }',
      '{ epsilon: 1, delta: 1e-5 }',
      'ask for delta of at most 0.000001',
      'raise `delta_at_most`',
    ],
    ['', '{ epsilon: 1, delta: 0.9 }', 'ask for delta of at most 0.000001', 'raise `delta_at_most`'],
    ['{ epsilon_at_most: 2 }', '{ rho: 0.1 }', 'ask for epsilon of at most 2 instead', 'add `rho_at_most`'],
    ['{ rho_at_most: 0.1 }', '{ rho: 0.11 }', 'ask for rho of at most 0.1', 'raise `rho_at_most`'],
    [
      '{ rho_at_most: 0.1 }',
      '{ epsilon: 0.5 }',
      'ask for rho of at most 0.1, or for a smaller epsilon',
      'raise `rho_at_most`',
    ],
    [
      '{ rho_at_most: 0.1 }',
      '{ epsilon: 0.1, delta: 1e-6 }',
      'ask for rho of at most 0.1 instead',
      'add `epsilon_at_most`',
    ],
    ['{ mechanism: laplace }', '{ rho: 1 }', 'ask for `mechanism: laplace`', 'take `mechanism` out'],
    [
      '{ mechanism: gaussian }',
      '{ epsilon: 1 }',
      'ask for `mechanism: gaussian` with a rho or a delta',
      'take `mechanism` out',
    ],
    ['', '{ epsilon: 1, collusion: 1 }', 'ask for `collusion: 2`', 'set `collusion_at_least: 1` under `privacy`'],
    [
      '{ collusion_at_least: 1 }',
      '{ epsilon: 1, collusion: 0 }',
      'ask for `collusion: 1`',
      'set `collusion_at_least: 0` under `privacy`',
    ],
  ])('of %s refuses %s with the smallest change', (rule, job, asker, owner) => {
    const refusal = refused(verdictOn(asked(job), whole(rule)));
    expect(refusal.rule).toBe('prevention statistics');
    expect(refusal.change).toBe(
      `${asker}; or have the data owner of camden ${owner} in the rule “prevention statistics”`,
    );
    expect(refusal.error).toMatchObject({ code: 'REFUSED', party: 'camden' });
  });

  it('that requires protection refuses exact jobs, and says what may be asked', () => {
    const exact = jobText('measures: { n: count }');
    const change = (rule: string) => refused(verdictOn(exact, whole(rule))).change;
    expect(change('{ required: true, epsilon_at_most: 2 }')).toContain('`privacy: { epsilon: 2 }`');
    expect(change('{ required: true, rho_at_most: 0.1 }')).toContain('`privacy: { rho: 0.1 }`');
    expect(change('{ required: true }')).toContain('`privacy: { epsilon: … }`');
  });

  it('says whether exact answers are allowed beside protected ones', () => {
    const rule = whole('{ required: true }');
    const only: Policy = { rules: [rule.rules[0]!] };
    expect(verdictOn(asked('{ epsilon: 1 }'), only)).toMatchObject({ exactToo: false });
    // The second rule, on joins, does not require protection.
    expect(verdictOn(asked('{ epsilon: 1 }'), rule)).toMatchObject({ exactToo: true });
  });

  it('needs the rule’s parties for a protected job, and not the three of an exact one', () => {
    const two = `parties: [camden, hackney]\nmeasures: { n: count }\nprivacy: { epsilon: 1 }`;
    expect(refused(verdictOn(jobText(two))).error.code).toBe('TOO_FEW_PARTIES');
    expect(verdictOn(jobText(two), policyWith(['min_parties: 3', 'min_parties: 2'])).verdict).toBe('allow');
  });

  it('counts the analyst’s own party among the colluding, whatever a rule allows', () => {
    const moot = parseCharter(
      charterWith(['{ roles: [analyst] }', '{ roles: [analyst], party: hackney }']),
      'charter.yaml',
    );
    const checked = checkedJob(asked('{ epsilon: 1, collusion: 0 }'), moot);
    const verdict = refused(
      judge(checked, usesOf(checked, 'camden'), 'camden', whole('{ collusion_at_least: 0 }'), analyst, now),
    );
    expect(verdict.error).toMatchObject({ code: 'REFUSED', party: 'camden', field: 'privacy.collusion' });
    expect(verdict.change).toBe('ask for `collusion: 1` or more');
  });

  it.each([
    ['epsilon_at_most: 0', 'epsilon_at_most'],
    ['rho_at_most: -1', 'rho_at_most'],
    ['delta_at_most: 1', 'delta_at_most'],
  ])('is refused with %s', (line, key) => {
    expect(refusalOf(() => checkPolicy(whole(`{ ${line} }`), charter, 'camden'))).toMatchObject({
      code: 'BAD_VALUE',
      field: `policy.rules[0].privacy.${key}`,
    });
  });
});
