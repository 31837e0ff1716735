import { describe, expect, it } from 'vitest';
import { parseCharter } from '../src/query/charter.ts';
import { bytesOf } from '../src/query/encode.ts';
import { compile } from '../src/query/local.ts';
import { type Plan, plan, renderPlan } from '../src/query/plan.ts';
import type { PartyBudget } from '../src/query/plan-privacy.ts';
import { short } from '../src/query/plan-privacy-text.ts';
import { judge, type Policy, usesOf } from '../src/query/policy.ts';
import { protect } from '../src/query/protection.ts';
import {
  arrearsYaml,
  charter,
  charterWith,
  checkedJob,
  incomeYaml,
  jobText,
  policyOf,
  policyYaml,
  privateYaml,
  replaced,
} from './consortium.ts';

const analyst = 'housing-analytics';
const policy = policyOf(policyYaml);

interface Given {
  readonly policy?: Policy;
  readonly under?: typeof charter;
  readonly budgets?: Readonly<Record<string, PartyBudget>>;
}

function planFor(text: string, { policy: rules, under = charter, budgets = {} }: Given = {}): Plan {
  const checked = checkedJob(text, under);
  const verdicts = new Map(
    rules === undefined
      ? []
      : checked.parties.map((party) => [party, judge(checked, usesOf(checked, party), party, rules, analyst, 0)]),
  );
  return plan({
    checked,
    analyst,
    verdicts,
    budgets: new Map(Object.entries(budgets)),
  });
}
const flat = (made: Plan) => renderPlan(made).replace(/\s+/g, ' ');
const left = (micro: bigint, deltaPico = 0n) => ({ micro, deltaPico });

describe('the plan of a protected job', () => {
  it('is without protection where the job is exact', () => {
    const made = planFor(arrearsYaml);
    expect(made.privacy).toBeNull();
    expect(renderPlan(made)).not.toContain('How it is protected');
  });

  it('names releases with their noise in the place of sums, and says nothing of exact answers', () => {
    const made = planFor(privateYaml);
    expect(made.measures).toEqual([
      { name: 'households', operation: 'count', opens: ['count, with noise'], tests: [] },
      {
        name: 'mean_arrears',
        operation: 'mean',
        opens: ['count, with noise', 'arrears about its midpoint, with noise'],
        tests: [],
      },
    ]);
    expect(flat(made)).not.toContain('The answer is exact');
    expect(flat(made)).toContain('Laplace noise for ε = 1: with or without all rows of one person');
  });

  it('charges a count that two measures need once, and splits the budget over what is opened', () => {
    const { releases } = planFor(privateYaml).privacy!;
    expect(releases.map(({ measures, epsilon }) => [measures, epsilon])).toEqual([
      [['households', 'mean_arrears'], 0.5],
      [['mean_arrears'], 0.5],
    ]);
  });

  it('counts the bytes of what is opened', () => {
    const checked = checkedJob(privateYaml);
    const protection = protect(checked, compile(checked), 3, []);
    const share = planFor(privateYaml).transfers.find(({ to }) => to === 'the analyst')!;
    expect(share.bytes).toBe(bytesOf(protection.layout) + 1136);
  });

  it('states the error of a count whatever the group, and of a mean by the size of it', () => {
    const { people, measures } = planFor(privateYaml).privacy!.expected;
    expect(people).toEqual([100, 1_000, 10_000]);
    const [count] = measures.households!;
    expect(count).toEqual({ figure: '', error95: [7, 7, 7] });
    const [mean] = measures.mean_arrears!;
    // Ten times the people, a tenth of the error.
    const [few, more, many] = mean!.error95 as [number, number, number];
    expect(few / more).toBeCloseTo(10, 0);
    expect(more / many).toBeCloseTo(10, 0);
    // The sum's noise over 1,000 people, and a range of 20,000: what the noise alone would make of it.
    const release = planFor(privateYaml).privacy!.releases[1]!;
    expect(more).toBeGreaterThan((0.8 * release.error95) / 2 / 100 / 1_000);
    expect(more).toBeLessThan((2.5 * release.error95) / 100 / 1_000);
  });

  it('states errors of every measure there is', () => {
    const forms: readonly (readonly [string, readonly string[]])[] = [
      ['{ count: { where: { employed: { eq: true } } } }', ['']],
      ['{ sum: arrears }', ['']],
      ['{ variance: age }', ['']],
      ['{ stddev: age }', ['']],
      ['{ covariance: [age, arrears] }', ['']],
      ['{ correlation: [age, income] }', ['']],
      ['{ ratio: [arrears, income] }', ['']],
      ['{ histogram: { of: age, bins: [0, 18, 65] } }', ['bins', 'below', 'above']],
      ['{ median: { of: age, bins: { from: 0, to: 110, width: 10 } } }', ['']],
    ];
    for (const [form, figures] of forms) {
      const made = planFor(jobText(`measures: { m: ${form} }\nprivacy: { epsilon: 1 }`));
      const expected = made.privacy!.expected.measures.m!;
      expect(expected.map(({ figure }) => figure).sort(), form).toEqual([...figures].sort());
      for (const { error95 } of expected)
        expect(
          error95.every((error) => error! > 0),
          form,
        ).toBe(true);
    }
    const fit = planFor(`${incomeYaml}privacy: { epsilon: 2 }\n`).privacy!.expected.measures.fit!;
    expect(fit.map(({ figure }) => figure)).toContain('income');
  });

  it('states the sensitivity facts of the dictionary', () => {
    expect(flat(planFor(privateYaml))).toContain('at most 1 row at a party (k = 1');
    const under = parseCharter(
      charterWith(
        ['max_rows_per_unit: 1', 'max_rows_per_unit: 3'],
        ['max_parties_per_unit: 1', 'max_parties_per_unit: 2'],
      ),
      'charter.yaml',
    );
    const made = planFor(privateYaml, { under });
    expect(made.privacy).toMatchObject({ rows_per_unit: 3, parties_per_unit: 2, unit: 'person' });
    expect(flat(made)).toContain(
      'at most 3 rows at a party (k = 3; more are left out) and stands at up to 2 parties (m = 2), so the noise covers 6 rows',
    );
    const byRow = parseCharter(charterWith(['unit: person ', 'unit: row ']), 'charter.yaml');
    expect(flat(planFor(privateYaml, { under: byRow }))).toContain('The charter names no person column');
  });

  it('states whom the noise holds against, and what fewer colluders would save', () => {
    const made = planFor(privateYaml);
    expect(made.privacy!.prices.map(({ collusion, factor }) => [collusion, short(factor)])).toEqual([
      [0, '0.816'],
      [1, '1'],
      [2, '1.41'],
    ]);
    expect(flat(made)).toContain('nobody colluding 1.22 times smaller and 2 colluding 1.41 times larger');
    const worst = planFor(replaced(privateYaml, [[', collusion: 1', '']]));
    expect(worst.privacy!.releases[0]!.sd / made.privacy!.releases[0]!.sd).toBeCloseTo(Math.SQRT2, 6);
  });

  it('says what is spent at each party, and what remains where that is known', () => {
    const made = planFor(privateYaml, {
      budgets: { camden: { unit: 'epsilon', remaining: left(9_000_000n) }, hackney: { unit: 'rho' } },
    });
    expect(made.privacy!.charges).toEqual([
      {
        party: 'camden',
        unit: 'epsilon',
        epsilon: '1',
        rho: '0.5',
        delta: '0',
        remains: { amount: '8', delta: '0' },
        isRefused: false,
      },
      { party: 'hackney', unit: 'rho', epsilon: '1', rho: '0.5', delta: '0', remains: null, isRefused: false },
      { party: 'islington', unit: null, epsilon: '1', rho: '0.5', delta: '0', remains: null, isRefused: false },
    ]);
    const text = flat(made);
    expect(text).toContain('At camden: ε 1; after it 8 remains for this analyst.');
    expect(text).toContain('At hackney: ρ 0.5. What remains is for its own ledger to say.');
    expect(text).toContain('At islington: a budget in ε 1, one in ρ 0.5.');
  });

  it('allows the last millionth, and says where one is lacking', () => {
    const exact = planFor(privateYaml, { budgets: { camden: { unit: 'epsilon', remaining: left(1_000_000n) } } });
    expect(exact.privacy!.charges[0]).toMatchObject({ remains: { amount: '0' }, isRefused: false });
    const short = planFor(privateYaml, { budgets: { camden: { unit: 'epsilon', remaining: left(999_999n) } } });
    expect(short.privacy!.charges[0]).toMatchObject({ remains: { amount: '-0.000001' }, isRefused: true });
    expect(flat(short)).toContain('too little remains there, and it would be refused');
  });

  it('counts delta as well, and says where a job has no price', () => {
    const job = replaced(privateYaml, [['epsilon: 1, collusion: 1', 'epsilon: 1, delta: 1e-6, mechanism: gaussian']]);
    const budgets = { camden: { unit: 'epsilon', remaining: left(2_000_000n, 999_999n) } } as const;
    expect(planFor(job, { budgets }).privacy!.charges[0]).toMatchObject({ delta: '0.000001', isRefused: true });
    const inRho = replaced(privateYaml, [['epsilon: 1, collusion: 1', 'rho: 0.1, mechanism: gaussian']]);
    const made = planFor(inRho, { budgets: { camden: { unit: 'epsilon' } } });
    expect(made.privacy!.charges[0]).toMatchObject({ epsilon: null, rho: '0.1', isRefused: true });
    expect(flat(made)).toContain('At camden the budget counts ε, and this job has no price in it');
  });

  it('says that the budget bounds the protected answers only where exact ones are allowed too', () => {
    const made = planFor(privateYaml, { policy });
    expect(made.privacy!.exactToo).toEqual(['camden', 'hackney', 'islington']);
    expect(flat(made)).toContain('Rules of camden, hackney and islington also allow exact answers about `residents`');
    const required: Policy = {
      rules: policy.rules.map((rule) => ({ ...rule, privacy: { required: true, collusion_at_least: 1 } })),
    };
    const bound = planFor(privateYaml, { policy: required });
    expect(bound.privacy!.exactToo).toEqual([]);
    expect(flat(bound)).not.toContain('exact answers');
    expect(flat(planFor(privateYaml))).toContain('Where a party’s rules also allow exact answers about the dataset');
  });

  it('says who withholds small noisy counts now', () => {
    expect(flat(planFor(privateYaml))).toContain('Noisy counts under 5 are withheld by the analyst’s own software');
  });

  it('is wrapped at 100 columns, and is JSON', () => {
    const made = planFor(`${incomeYaml}privacy: { epsilon: 2, delta: 1e-6 }\n`, { policy });
    for (const line of renderPlan(made).split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
  });
});
